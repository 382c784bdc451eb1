"""Invoices split among owners and investors: by contributed unit-seconds, exact to the minor unit."""

from fractions import Fraction

import pytest

from play import DAY, START, Deal, Table, key
from play.capital import share, stake_accepted, units
from play.deal import WEEK
from play.papers import credit, part_line, period, simple
from pseudoledger.contract.splits import add_up, largest_remainder, split_invoice
from pseudoledger.contract.things import Invoice
from pseudoledger.errors import MalformedError

DORA, EMIL, FUND = (key(f"splits {name}") for name in ("dora", "emil", "fund"))
NET = 150_192
"""One week of four chips at 2.235 EUR an hour."""


def stake(deal, tree, holder, who=None):
    ref = deal.table.act(who or deal.lessor, tree)
    deal.table.act(holder, stake_accepted(), ref)
    return ref


def split(deal, invoice=None):
    ref = invoice or deal.invoice
    payload = next(item.payload for item in deal.table.history if item.statement.id == ref)
    return split_invoice(deal.table.book, ref, payload.lines, deal.table.now)


def amounts(found):
    return {part.party: part.amount_minor for part in found.parts}


def test_without_stakes_all_is_the_lessors():
    deal = Deal().invoiced()
    found = split(deal)
    assert amounts(found) == {deal.lessor.did: NET}
    assert found.parts[0].chip_seconds == found.chip_seconds == 4 * WEEK
    assert found.parts[0].roles == ("lessor",)


def test_owners_by_their_units_and_investors_by_their_share():
    deal = Deal().offered()
    racks = stake(deal, units(deal.pool, DORA.did, 3), DORA)
    share_in = stake(deal, share(racks, FUND.did, 4_000), FUND, DORA)
    found = split(deal.invoiced())
    # 5/8 and 3/8 of 150192; of the latter 56322 two fifths are 22528.8, and the odd cent goes there.
    assert amounts(found) == {deal.lessor.did: 93_870, DORA.did: 33_793, FUND.did: 22_529}
    by_party = {part.party: part for part in found.parts}
    assert by_party[FUND.did].exact == Fraction(225_288, 10)
    assert by_party[FUND.did].chip_seconds == 0
    assert by_party[DORA.did].chip_seconds == 4 * WEEK * 3 // 8
    assert (by_party[DORA.did].stakes, by_party[FUND.did].stakes) == ((racks,), (share_in,))
    assert found.amount_minor == NET


def test_a_share_of_the_pool_is_one_of_the_lessors_part():
    deal = Deal().offered()
    stake(deal, units(deal.pool, DORA.did, 4), DORA)
    stake(deal, share(deal.pool, FUND.did, 5_000, number="S4"), FUND)
    found = split(deal.invoiced())
    assert amounts(found) == {deal.lessor.did: NET // 4, DORA.did: NET // 2, FUND.did: NET // 4}


def test_a_stake_counts_from_its_acceptance_and_until_its_end():
    deal = Deal().delivered()
    tree = units(deal.pool, DORA.did, 8, valid=period(START, deal.delivered_at + 5 * DAY))
    ref = deal.table.act(deal.lessor, tree)
    deal.table.later(2 * DAY)
    deal.table.act(DORA, stake_accepted(), ref)
    found = split(deal.invoiced())
    # Three of seven days, whatever time the stake was declared for.
    assert {part.party: part.exact for part in found.parts} == {
        deal.lessor.did: Fraction(NET * 4, 7),
        DORA.did: Fraction(NET * 3, 7),
    }


def test_a_split_stays_when_stakes_change():
    deal = Deal().offered()
    stake(deal, units(deal.pool, DORA.did, 3), DORA)
    before = split(deal.settled())
    stake(deal, units(deal.pool, EMIL.did, 5), EMIL)
    deal.table.later(40 * DAY)
    assert before.settled
    assert split(deal) == before


def test_it_is_settled_when_the_money_is_there():
    deal = Deal().offered()
    stake(deal, units(deal.pool, DORA.did, 3), DORA)
    waiting = split(deal.accepted())
    assert (waiting.status, waiting.settled) == ("open", False)
    settled = split(deal.settled())
    assert (settled.status, settled.settled) == ("settled", True)
    assert settled.parts == waiting.parts
    (earned,) = [item for item in add_up([settled, waiting]) if item.party == DORA.did]
    assert earned.settled_minor == earned.waiting_minor == NET * 3 // 8


def test_a_credit_note_lowers_every_part():
    deal = Deal().offered()
    stake(deal, units(deal.pool, DORA.did, 4), DORA)
    deal.accepted()
    deal.table.act(deal.lessor, credit([("h100", 192)], number="CN-1"), deal.invoice)
    assert amounts(split(deal)) == {deal.lessor.did: 75_000, DORA.did: 75_000}


def test_a_cancelled_invoice_splits_nothing():
    deal = Deal().offered()
    stake(deal, units(deal.pool, DORA.did, 4), DORA)
    deal.invoiced()
    deal.table.act(deal.lessor, simple("invoice.cancelled"), deal.invoice)
    found = split(deal)
    assert (found.amount_minor, found.settled) == (0, False)
    assert set(amounts(found).values()) == {0}


def test_a_fee_at_delivery_is_split_as_the_pool_stood_then():
    terms = {
        "/tariff/lines/0": {"line": "h100", "basis": "once", "fee_minor": 1_001},
        "/early_end/lessor_fee_minor": 0,
    }
    deal = Deal(terms=terms).offered()
    stake(deal, units(deal.pool, DORA.did, 4), DORA)
    deal.delivered()
    deal.table.later(DAY)
    tree = deal.invoice_of([part_line("once", 1_001, line="h100")])
    deal.invoice = deal.table.act(deal.lessor, tree, deal.lease)
    found = amounts(split(deal))
    first, second = sorted([deal.lessor.did, DORA.did])
    assert found == {first: 501, second: 500}, "an odd cent goes to the first did"


def test_a_brokers_commission_is_not_shared():
    deal = Deal().accepted()
    with pytest.raises(MalformedError) as caught:
        split(deal, _commissioned(deal))
    assert caught.value.code == "split.commission"


def _commissioned(deal):
    book = deal.table.book
    book.change(deal.invoice, book.get(Invoice, deal.invoice), commission=("m", "i"))
    return deal.invoice


def test_an_unknown_invoice():
    with pytest.raises(MalformedError) as caught:
        split_invoice(Table().book, "0" * 64, (), START)
    assert caught.value.code == "invoice.unknown"


def test_the_lease_alone_is_enough():
    """A book of only what the lease cites gives the same split as one with others around it."""
    busy = Table()
    for number in range(5):
        other = Deal(busy, name=f" other {number}").offered()
        stake(other, units(other.pool, EMIL.did, 2), EMIL)
    around, alone = Deal(busy, name=" x").offered(), Deal(name=" x").offered()
    found = []
    for deal in (around, alone):
        racks = stake(deal, units(deal.pool, DORA.did, 3), DORA)
        stake(deal, share(racks, FUND.did, 3_333), FUND, DORA)
        found.append({part.party: (part.exact, part.amount_minor) for part in split(deal.settled()).parts})
    assert found[0] == found[1]


def test_largest_remainder_rounds_by_remainder_then_key():
    thirds = {name: Fraction(100, 3) for name in "cab"}
    assert largest_remainder(100, thirds) == {"a": 34, "b": 33, "c": 33}
    uneven = {"a": Fraction(1, 4), "b": Fraction(3, 4)}
    assert largest_remainder(1, uneven) == {"a": 0, "b": 1}
    assert largest_remainder(0, {}) == {}
