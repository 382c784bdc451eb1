"""Stock over time: what is taken, freed, sublet and amended."""

import pytest
from alone_lease import agreed, amended, sublet, sublet_terms, tenancy

from play import DAY, START, Deal
from play.papers import GONE, amendment, delivery, ended, offer, period, proposal, simple, usage
from pseudoledger.contract.stock import peak
from pseudoledger.contract.things import Booking, Bookings, Lease


def neighbour(deal, name, count=4, **options):
    """Another lessee of the same offer."""
    other = Deal(deal.table, name=name, terms={"/lines/0/count": count}, **options)
    other.lessor, other.pool, other.offer = deal.lessor, deal.pool, deal.offer
    return other


def test_the_first_signature_wins_and_the_other_learns_its_entry():
    deal = Deal(terms={"/lines/0/count": 5}).proposed()
    other = neighbour(deal, "2", 5).proposed()
    deal.signed()
    (finding,) = other.table.findings(other.lessor, simple("lease.signed"), other.lease)
    assert finding.entry == deal.table.book.get(Lease, deal.lease).signed_entry


def test_what_waits_reserves_nothing():
    deal = Deal(terms={"/lines/0/count": 8}).proposed()
    neighbour(deal, "2", 8).signed()


def test_an_ended_lease_frees_its_stock():
    deal = Deal(terms={"/lines/0/count": 8}).signed()
    deal.table.act(deal.lessee, ended(1), deal.lease)
    neighbour(deal, "2", 8).signed()


def test_a_lease_after_another_takes_the_same_stock():
    deal = Deal(terms={"/lines/0/count": 8}).signed()
    after = {"/lines/0/count": 8, "/period": period(deal.until, deal.until + 20 * DAY)}
    later = Deal(deal.table, name="2", terms=after)
    later.lessor, later.pool, later.offer = deal.lessor, deal.pool, deal.offer
    later.signed()


def test_stock_is_taken_from_the_signature_on():
    """A period that began before the signature takes nothing from the past, and nothing in it is oversold."""
    deal = Deal(terms={"/lines/0/count": 8}).running()
    deal.table.later(5 * DAY)
    deal.table.act(deal.lessee, ended(1), deal.lease)
    other = neighbour(deal, "2", 8).signed()
    (taken,) = deal.table.book.get(Bookings, f"{deal.pool}/h100").taken[-1:]
    assert (taken.lease, taken.start) == (other.lease, deal.table.now)


def test_an_amendment_takes_and_frees_from_its_start():
    deal = Deal().signed()
    agreed(deal, amended(deal, {"/lines/0/count": 7}))
    assert "stock.taken" in neighbour(deal, "2", 2).proposed().table.codes(
        deal.lessor, simple("lease.signed"), neighbour(deal, "3", 2).proposed().lease
    )
    ref = deal.table.book.get(Lease, deal.lease).versions[-1].terms
    agreed(deal, amended(deal, {"/lines/0/count": 1}, at=START + 12 * DAY, number="A2", replaces=ref))
    neighbour(deal, "4", 1).signed()


def test_an_amendment_needs_only_what_it_takes_beyond():
    deal = Deal(terms={"/lines/0/count": 6}).signed()
    neighbour(deal, "2", 2).signed()
    agreed(deal, amended(deal, {"/due_days": 30}))


def test_an_amendment_adds_a_line_of_a_newer_offer():
    """The added line is measured from the amendment's start, before which its offer did not exist."""
    deal = Deal().running()
    fresh = offer(deal.pool, number="O2", available=period(START + 8 * DAY, START + 90 * DAY))
    second = deal.table.act(deal.lessor, fresh)
    line = {**deal.terms()["lines"][0], "id": "more", "count": 2, "offer": second}
    rate = {"line": "more", "basis": "metered", "price_micro": 1_000_000}
    ref = amended(deal, {"/lines/-": line, "/tariff/lines/-": rate}, at=START + 9 * DAY)
    agreed(deal, ref)
    deal.table.at(START + 9 * DAY)
    assert not deal.table.codes(deal.lessor, delivery(("more", 2)), deal.lease)


def test_an_amendment_stands_though_the_offer_was_withdrawn():
    deal = Deal().signed()
    deal.table.act(deal.lessor, simple("offer.withdrawn"), deal.offer)
    agreed(deal, amended(deal, {"/due_days": 30}))


def test_an_amendment_carries_on_a_mandate_that_ended():
    deal = Deal().mandated()
    shown = {"mandate": deal.mandate, "broker": deal.broker.did, "commission_bps": 300}
    deal._terms = {"/mandates/-": shown}
    deal.signed()
    deal.table.act(deal.broker, simple("broker.released"), deal.mandate)
    agreed(deal, amended(deal, {"/due_days": 30}))


def test_a_line_that_was_left_out_is_reported_again():
    """Reports are contiguous while the line is leased: what the terms left out is not reported."""
    deal = Deal().delivered()
    spare = {**deal.terms()["lines"][0], "id": "spare", "count": 1}
    rate = {"line": "spare", "basis": "metered", "price_micro": 1}
    without = {"/lines": [spare], "/tariff/lines": [rate]}
    first = amended(deal, without, at=deal.delivered_at + 2 * DAY)
    agreed(deal, first)
    second = amended(deal, at=deal.delivered_at + 4 * DAY, number="A2", replaces=first)
    agreed(deal, second)
    deal.table.at(deal.delivered_at + 5 * DAY)
    start, day = deal.delivered_at, 4 * DAY
    deal.table.act(deal.lessor, usage("h100", start, start + 2 * DAY, 2 * day), deal.lease)
    gap = usage("h100", start + 2 * DAY, start + 3 * DAY, 2 * day)
    assert "usage.unknown_line" in deal.table.codes(deal.lessor, gap, deal.lease)
    again = usage("h100", start + 4 * DAY, start + 5 * DAY, 3 * day)
    deal.table.act(deal.lessor, again, deal.lease)


# Subleases.


def signed_sublease(head, changes=None, name="tenant"):
    tenant, lease = sublet(head, changes, name=name)
    head.table.act(tenant, simple("lease.signed"), lease)
    return tenant, lease


def test_a_chain_of_subleases_ends_from_the_top():
    head = Deal().signed()
    tenant, lease = signed_sublease(head)
    gone = head.table.act(head.lessee, ended(1), head.lease)
    assert head.table.codes(tenant, ended(20_004, gone), lease) == {"end.no_condition"}
    head.table.later(7 * DAY)
    head.table.act(tenant, ended(20_004, gone), lease)


def test_units_of_a_head_lease_are_the_fewest_of_its_terms():
    """An amendment that adds units later lends none of them to a sublease that starts before."""
    head = Deal().signed()
    agreed(head, amended(head, {"/lines/0/count": 6}))
    tenant, lease = sublet(head, {"/lines/0/count": 6})
    assert head.table.codes(tenant, simple("lease.signed"), lease) == {"stock.taken"}
    late = {"/lines/0/count": 6, "/period": period(START + 10 * DAY, START + 61 * DAY)}
    tenant, lease = sublet(head, late, name="late")
    head.table.act(tenant, simple("lease.signed"), lease)


def test_a_sublet_line_that_was_amended_away_is_refused_not_lost():
    head = Deal().signed()
    tenant, lease = sublet(head)
    spare = {**head.terms()["lines"][0], "id": "spare"}
    rate = {"line": "spare", "basis": "metered", "price_micro": 1}
    agreed(head, amended(head, {"/lines": [spare], "/tariff/lines": [rate]}))
    codes = head.table.codes(tenant, simple("lease.signed"), lease)
    assert codes == {"stock.taken", "sublease.unknown_line"}


def test_an_ended_sublease_gives_its_units_back():
    head = Deal().signed()
    tenant, lease = signed_sublease(head)
    head.table.act(tenant, ended(1), lease)
    signed_sublease(head, name="second")
    agreed(head, amended(head, {"/due_days": 30}))


def test_an_amended_sublease_stays_under_its_head():
    head = Deal().signed()
    tenant, lease = signed_sublease(head)
    terms = sublet_terms(head, tenant, {"/lines/0/count": 2})
    ref = head.table.act(head.lessee, amendment(terms, lease, START + 5 * DAY, START + 5 * DAY), lease)
    head.table.act(tenant, simple("amendment.signed", amendment=ref), lease)
    other, wanted = tenancy(head, "other")
    rest = {"/lines/0/count": 2, "/period": period(START + 5 * DAY, START + 61 * DAY)}
    tree = proposal(sublet_terms(head, other, rest), wanted, START + DAY, number="S9")
    lease = head.table.act(head.lessee, tree)
    head.table.act(other, simple("lease.signed"), lease)


def test_a_head_leases_machines_are_delivered_on():
    head = Deal().signed()
    _, lease = signed_sublease(head)
    head.table.act(head.lessor, delivery(("h100", 1), serials=["aa" * 32]), head.lease)
    head.table.act(head.lessee, delivery(("h100", 1), serials=["aa" * 32]), lease)


def test_a_lease_without_subdivision_takes_an_offer_without_one():
    deal = Deal(offer={"/facility/subdivision": GONE}, terms={"/facility/subdivision": GONE})
    deal.signed()


@pytest.mark.parametrize(
    ("stretches", "window", "highest"),
    [
        ([], (0, 10), 0),
        ([(0, 10, 3)], (0, 10), 3),
        ([(0, 5, 3), (5, 10, 4)], (0, 10), 4),
        ([(0, 6, 3), (5, 10, 4)], (0, 10), 7),
        ([(0, 6, 3), (5, 10, 4)], (6, 10), 4),
        ([(0, 6, 3), (5, 10, 4)], (0, 5), 3),
        ([(10, 12, 3)], (0, 10), 0),
    ],
)
def test_the_peak_is_the_highest_sum_at_any_moment(stretches, window, highest):
    bookings = [
        Booking(lease=str(i), line="a", source="s", count=count, start=start, until=until)
        for i, (start, until, count) in enumerate(stretches)
    ]
    assert peak(bookings, *window) == highest
