"""Concentration, commitments against budgets, the service level, and the register of endings."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from play import DAY, START, Deal, key, papers
from play.capital import drawn, quota
from play.claims import claim
from play.deal import WEEK
from play.papers import H200, amendment, contested, credit, ended, period, reclaim, simple, usage_line
from pseudoledger.contract.commitment import budgets, committed_minor, committed_seconds, loose
from pseudoledger.contract.concentration import UNKNOWN, concentration, herfindahl
from pseudoledger.contract.endings import causes, endings
from pseudoledger.contract.ruleset import tables_for
from pseudoledger.contract.service_level import service_credits
from pseudoledger.contract.things import Invoice, Lease
from pseudoledger.errors import MalformedError
from pseudoledger.market.invoicing import draft_credit

VENDORS = {"nvidia-h100-sxm5-80gb": "NVIDIA", "nvidia-h200-sxm-141gb": "Other"}
NOTARY, HEAD = key("portfolio notary"), key("portfolio head office")


def tables(deal):
    return tables_for(deal.table.book.ledger.pins)


# Concentration


def test_the_index_of_some_shares():
    found = herfindahl({"a": Fraction(1), "b": Fraction(1), "c": Fraction(2)})
    assert [share.name for share in found.shares] == ["c", "a", "b"]
    assert found.least == found.most == Fraction(3, 8)
    assert herfindahl({}).shares == ()


def test_what_is_unknown_leaves_two_bounds():
    found = herfindahl({"a": Fraction(1), "b": Fraction(2), UNKNOWN: Fraction(1)})
    assert (found.least, found.most) == (Fraction(5, 16), Fraction(10, 16))
    nothing = herfindahl({UNKNOWN: Fraction(3)})
    assert (nothing.least, nothing.most) == (0, 1)


@given(st.dictionaries(st.sampled_from(["", "a", "b", "c", "d"]), st.integers(0, 10**9), min_size=1))
def test_the_bounds_hold_whatever_the_unknown_is(weights):
    found = herfindahl({name: Fraction(weight) for name, weight in weights.items()})
    assert 0 <= found.least <= found.most <= 1
    assert sum(share.share for share in found.shares) in {0, 1}
    for name in "abcde":
        moved = dict(weights)
        moved[name] = moved.get(name, 0) + moved.pop("", 0)
        exact = herfindahl({key_: Fraction(weight) for key_, weight in moved.items()})
        assert exact.least == exact.most
        assert found.least <= exact.least <= found.most


def portfolio(deal, basis="leased", until=START + 100 * DAY):
    book = deal.table.book
    leases = [(ref, lease) for ref, lease in book.all(Lease)]
    return concentration(book, VENDORS, leases, basis=basis, start=START, until=until, now=deal.table.now)


def test_leases_weigh_by_time_count_and_equivalence():
    """Four chips for 60 days count 1 each; two of another vendor's for 60 days count 1.5 each."""
    deal = Deal().signed()
    other = Deal(
        deal.table,
        name=" two",
        terms={"/lines/0/count": 2, "/lines/0/equivalence_ppm": 1_500_000, "/lines/0/chip": H200},
        offer={"/lines/0/chip": H200},
    )
    _other_pool(other)
    other.signed()
    found = portfolio(deal)
    assert found.chip_seconds == 60 * DAY * (4 + 3)
    assert [(share.name, share.share) for share in found.by_vendor.shares] == [
        ("NVIDIA", Fraction(4, 7)),
        ("Other", Fraction(3, 7)),
    ]
    assert found.by_vendor.least == Fraction(25, 49)
    # Nobody has said where the chips were made.
    assert [share.name for share in found.by_origin.shares] == [UNKNOWN]


def _other_pool(deal):
    tree = papers.changed(papers.pool(), {"/lines/0/chip": H200})
    deal.pool = deal.table.act(deal.lessor, tree)
    deal.offer = deal.table.act(deal.lessor, papers.changed(papers.offer(deal.pool), deal._offer))


def test_origins_are_those_of_the_best_claim_about_the_pool():
    deal = Deal().signed()
    chips = [
        {"chip": "nvidia-h100-sxm5-80gb", "count": 4, "origin": "TW"},
        {"chip": "nvidia-h100-sxm5-80gb", "count": 2, "origin": "US"},
    ]
    inspected = claim("chip_inventory", chips=chips, about=deal.pool, tier="inspected", number="C1")
    deal.table.act(NOTARY, inspected, deal.lessor.did)
    weaker = claim("chip_inventory", about=deal.pool, number="C2")
    deal.table.act(NOTARY, weaker, deal.lessor.did)
    found = portfolio(deal).by_origin
    assert [(share.name, share.share) for share in found.shares] == [
        ("TW", Fraction(1, 2)),
        ("US", Fraction(1, 4)),
        (UNKNOWN, Fraction(1, 4)),
    ]
    assert (found.least, found.most) == (Fraction(5, 16), Fraction(10, 16))


def test_usage_counts_as_far_as_it_is_agreed():
    deal = Deal().reported()
    assert portfolio(deal, "used").chip_seconds == 0
    deal.confirmed()
    assert portfolio(deal, "used").chip_seconds == 4 * WEEK
    assert portfolio(deal, "used", until=deal.delivered_at + DAY).chip_seconds == 0


# Commitments and budgets


def test_commitments_follow_the_terms_in_force():
    deal = Deal().signed()
    book = deal.table.book
    lease = book.get(Lease, deal.lease)
    assert committed_seconds(book, lease, START, START + 100 * DAY) == 60 * DAY * 4
    assert committed_minor(book, tables(deal), lease, START, START + 100 * DAY) == 1_287_360
    deal.table.at(deal.start)
    tree = amendment(deal.terms({"/lines/0/count": 2}), deal.lease, START + 31 * DAY, START + 10 * DAY)
    ref = deal.table.act(deal.lessor, tree, deal.lease)
    deal.table.act(deal.lessee, simple("amendment.signed", amendment=ref), deal.lease)
    lease = book.get(Lease, deal.lease)
    assert committed_seconds(book, lease, START, START + 100 * DAY) == 30 * DAY * (4 + 2)
    assert committed_minor(book, tables(deal), lease, START, START + 100 * DAY) == 965_520
    deal.table.at(START + 41 * DAY)
    deal.table.act(deal.lessee, ended(1), deal.lease)
    lease = book.get(Lease, deal.lease)
    assert committed_seconds(book, lease, START, START + 100 * DAY) == 30 * DAY * 4 + 10 * DAY * 2


def test_a_proposal_commits_to_nothing():
    deal = Deal().proposed()
    lease = deal.table.book.get(Lease, deal.lease)
    assert committed_seconds(deal.table.book, lease, START, START + 100 * DAY) == 0


def test_budgets_stand_beside_what_was_committed():
    deal = Deal().signed()
    hours = deal.table.act(deal.lessee, quota(period=period(START, START + 31 * DAY)))
    money = deal.table.act(deal.lessee, quota(currency="EUR", amount_minor=2_000_000, number="Q2"))
    assert [item.lease for item in loose(deal.table.book, tables(deal), deal.lessee.did, deal.table.now)] == [
        deal.lease
    ]
    deal.table.act(deal.lessee, drawn(deal.lease, 3_000_000), hours)
    deal.table.act(deal.lessee, drawn(deal.lease, 600_000, number="D2"), hours)
    deal.table.act(
        deal.lessee, drawn(deal.lease, None, currency="EUR", amount_minor=1_500_000, number="D3"), money
    )
    found = budgets(deal.table.book, tables(deal), deal.lessee.did)
    assert [(item.limit, item.drawn, item.left, item.committed) for item in found] == [
        (3_600_000, 3_600_000, 0, 30 * DAY * 4),
        (2_000_000, 1_500_000, 500_000, 1_287_360),
    ]
    assert [item.beyond for item in found] == [30 * DAY * 4 - 3_600_000, 0]
    assert found[0].leases[0].uncovered == 30 * DAY * 4 - 3_600_000
    assert loose(deal.table.book, tables(deal), deal.lessee.did, deal.table.now) == []
    assert budgets(deal.table.book, tables(deal), deal.lessor.did) == []
    assert len(budgets(deal.table.book, tables(deal), None)) == 2


def test_a_departments_lease_is_its_organisations():
    deal = Deal().signed()
    deal.table.act(HEAD, quota(drawer=deal.lessee.did))
    found = loose(deal.table.book, tables(deal), HEAD.did, deal.table.now)
    assert [(item.lessee, item.chip_seconds, item.amount_minor) for item in found] == [
        (deal.lessee.did, 60 * DAY * 4, 1_287_360)
    ]


# Service level


def level(deal):
    payload = next(item.payload for item in deal.table.history if item.statement.id == deal.invoice)
    return service_credits(deal.table.book, tables(deal), deal.invoice, payload.lines, deal.table.now)


def billed(downtime_s, *, contest=None):
    """An invoice over a confirmed week with downtime; 99 % is promised, below it 10 % is credited."""
    deal = Deal().delivered()
    deal.table.later(WEEK + 60)
    deal.reports = [deal.table.act(deal.lessor, deal.usage(0, downtime_s=downtime_s), deal.lease)]
    quantity = 4 * WEEK
    if contest is None:
        deal.table.act(deal.lessee, simple("usage.confirmed", report=deal.reports[0]), deal.lease)
    else:
        quantity = 3 * WEEK
        deal.table.act(deal.lessee, contested(deal.reports[0], quantity, contest), deal.lease)
    line = usage_line(deal.reports, quantity)
    deal.invoice = deal.table.act(deal.lessor, deal.invoice_of([line]), deal.lease)
    return deal


def test_exactly_the_promised_uptime_owes_nothing():
    assert level(billed(6_048)) == ()


def test_below_it_a_share_of_the_period_is_owed():
    (found,) = level(billed(6_049))
    assert (found.line, found.owed_minor, found.credited_minor, found.net_minor) == (
        "h100",
        15_019,
        0,
        15_019,
    )
    (short,) = found.shortfalls
    assert (short.downtime_s, short.uptime_ppm, short.chip_seconds) == (6_049, 989_998, 4 * WEEK)


def test_in_a_contested_report_the_lessees_count_decides():
    assert level(billed(0, contest=6_048)) == ()
    (found,) = level(billed(0, contest=7_000))
    # 10 % of the agreed three chips' week: 1126.44, half to even from 11264.4.
    assert found.owed_minor == 11_264


def test_what_was_credited_counts_towards_it():
    deal = billed(7_000)
    deal.table.act(deal.lessor, credit([("h100", 10_000)], number="CN-1"), deal.invoice)
    (found,) = level(deal)
    assert (found.owed_minor, found.credited_minor, found.net_minor) == (15_019, 10_000, 5_019)
    deal.table.act(deal.lessor, _second_credit(deal, 5_019), deal.invoice)
    assert level(deal)[0].net_minor == 0


def _second_credit(deal, net):
    return {**draft_credit(deal.table.book, deal.invoice, {"h100": net}, "service_level"), "number": "CN-2"}


def test_there_is_no_credit_on_nothing():
    deal = Deal().offered()
    with pytest.raises(MalformedError) as caught:
        service_credits(deal.table.book, tables(deal), "0" * 64, (), deal.table.now)
    assert caught.value.code == "invoice.unknown"


# Endings


def test_the_register_tells_role_reason_and_what_was_left():
    deal = Deal().running()
    assert endings(deal.table.book, deal.table.now) == []
    deal.table.act(deal.lessor, reclaim(START + 11 * DAY), deal.lease)
    (notice,) = endings(deal.table.book, deal.table.now)
    assert (notice.announced, notice.role, notice.code, notice.at) == (
        True,
        "lessor",
        10_001,
        START + 11 * DAY,
    )
    assert causes([notice]) == ()
    deal.table.at(START + 11 * DAY)
    deal.table.act(deal.lessor, ended(10_001), deal.lease)
    (found,) = endings(deal.table.book, deal.table.now)
    assert (found.announced, found.role, found.left_s) == (False, "lessor", 50 * DAY)
    assert (found.chip_seconds, found.fee_minor) == (50 * DAY * 4, 70_000)


def test_the_register_counts_by_role_and_reason():
    deal = Deal().running()
    deal.table.act(deal.lessee, ended(7), deal.lease)
    (found,) = endings(deal.table.book, deal.table.now)
    assert (found.role, found.reason, found.fee_minor) == ("lessee", "the lessee's own", 50_000)
    unpaid = replace(found, role="lessor", code=20_000, reason="an invoice unpaid past its grace")
    assert [(item.code, item.count, item.chip_seconds) for item in causes([found, unpaid, unpaid])] == [
        (20_000, 2, 2 * found.chip_seconds),
        (7, 1, found.chip_seconds),
    ]


def test_an_unpaid_invoice_is_a_reason_without_a_fee():
    deal = Deal().accepted()
    deal.table.at(deal.table.book.get(Invoice, deal.invoice).due_at + 8 * DAY)
    deal.table.act(deal.lessor, ended(20_000, deal.invoice), deal.lease)
    (found,) = endings(deal.table.book, deal.table.now)
    assert (found.role, found.reason, found.fee_minor) == ("lessor", "an invoice unpaid past its grace", 0)


def test_a_lease_that_ran_to_its_end_is_not_in_the_register():
    deal = Deal().running()
    deal.table.at(deal.until)
    deal.table.act(deal.lessee, ended(0), deal.lease)
    assert endings(deal.table.book, deal.table.now) == []
