"""Splits add up exactly whatever the stakes, and quotas are never exceeded whatever is tried."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from play import DAY, START, Deal, key
from play.capital import drawn, quota, share, stake_accepted, units
from play.deal import WEEK
from play.papers import period, simple, usage, usage_line
from pseudoledger.contract.splits import largest_remainder, split_invoice
from pseudoledger.contract.things.capital import Draw, Quota

PEOPLE = [key(f"capital person {number}") for number in range(6)]

weights = st.lists(st.integers(0, 10**12), min_size=1, max_size=40).filter(any)


@given(total=st.integers(0, 2**53 - 1), parts=weights)
def test_rounded_parts_add_up_and_stay_within_one(total, parts):
    whole = sum(parts)
    exact = {f"did:{place:03}": Fraction(total * part, whole) for place, part in enumerate(parts)}
    rounded = largest_remainder(total, exact)
    assert sum(rounded.values()) == total
    assert all(abs(rounded[key_] - exact[key_]) < 1 for key_ in exact)
    # Nobody with the smaller remainder is rounded up before somebody with the larger one.
    up = [exact[name] % 1 for name in exact if rounded[name] > exact[name]]
    down = [exact[name] % 1 for name in exact if rounded[name] < exact[name]]
    assert not up or not down or min(up) >= max(down)
    shuffled = dict(reversed(exact.items()))
    assert largest_remainder(total, shuffled) == rounded


@st.composite
def stakes(draw):
    """Attempts at stakes: who, in the pool or in an earlier stake, how much, from which day to which."""
    start = draw(st.integers(0, 12))
    return {
        "holder": draw(st.sampled_from(PEOPLE)),
        "into": draw(st.integers(0, 3)),
        "count": draw(st.integers(1, 5)),
        "bps": draw(st.integers(1, 9_999)),
        "share": draw(st.booleans()),
        "valid": period(START + start * DAY, START + (start + draw(st.integers(1, 20))) * DAY),
    }


@settings(max_examples=60, deadline=None)
@given(wanted=st.lists(stakes(), min_size=1, max_size=12), used=st.floats(0.01, 1.0))
def test_a_split_adds_up_whatever_the_stakes(wanted, used):
    deal = Deal().offered()
    owned = []
    for number, item in enumerate(wanted):
        owner, asset = deal.lessor, deal.pool
        if item["share"] and owned and item["into"]:
            owner, asset = owned[item["into"] % len(owned)]
        tree = (
            share(asset, item["holder"].did, item["bps"], number=f"S{number}", valid=item["valid"])
            if item["share"]
            else units(asset, item["holder"].did, item["count"], number=f"S{number}", valid=item["valid"])
        )
        if deal.table.codes(owner, tree):
            continue
        ref = deal.table.act(owner, tree)
        if not deal.table.codes(item["holder"], stake_accepted(), ref):
            deal.table.act(item["holder"], stake_accepted(), ref)
            if not item["share"]:
                owned.append((item["holder"], ref))
    _use(deal, used)
    payload = deal.table.history[-2].payload
    found = split_invoice(deal.table.book, deal.invoice, payload.lines, deal.table.now)
    assert sum(part.amount_minor for part in found.parts) == found.amount_minor == payload.net_minor
    assert sum(part.exact for part in found.parts) == payload.net_minor
    assert sum(part.chip_seconds for part in found.parts) == found.chip_seconds == payload.lines[0].quantity
    assert all(part.amount_minor >= 0 and part.chip_seconds >= 0 for part in found.parts)
    assert deal.table.replayed() == deal.table.shelf.rows


def _use(deal, used):
    """One week of use, confirmed and billed."""
    deal.delivered()
    seconds = int(used * 4 * WEEK)
    deal.table.later(WEEK + 60)
    tree = usage("h100", deal.delivered_at, deal.delivered_at + WEEK, seconds)
    report = deal.table.act(deal.lessor, tree, deal.lease)
    deal.table.act(deal.lessee, simple("usage.confirmed", report=report), deal.lease)
    deal.invoice = deal.table.act(deal.lessor, deal.invoice_of([usage_line([report], seconds)]), deal.lease)


@settings(max_examples=40, deadline=None)
@given(
    limit=st.integers(1, 10_000),
    draws=st.lists(
        st.tuples(st.integers(1, 4_000), st.sampled_from(["lessee", "other", "stranger"])), max_size=12
    ),
)
def test_no_quota_is_ever_exceeded(limit, draws):
    deal = Deal().signed()
    deal.other = PEOPLE[0]
    ref = deal.table.act(deal.lessee, quota(chip_seconds=limit, drawer=deal.other.did))
    expected = 0
    for number, (amount, role) in enumerate(draws):
        tree = drawn(deal.lease, amount, number=f"D{number}")
        codes = deal.table.codes(getattr(deal, role), tree, ref)
        assert ("quota.exceeded" in codes) == (expected + amount > limit)
        if not codes:
            deal.table.act(getattr(deal, role), tree, ref)
            expected += amount
    held = deal.table.book.get(Quota, ref)
    assert held.drawn == expected == sum(item.amount for _, item in deal.table.book.all(Draw)) <= limit
    assert held.left == limit - expected
