"""Scenarios of the families delivery and usage."""

from alone import alone, put
from alone_lease import agreed, amended, sublet

from play import DAY, HOUR, START, Deal, changed
from play.deal import WEEK
from play.papers import (
    NOWHERE,
    contested,
    delivery,
    ended,
    period,
    simple,
    usage,
    usage_line,
)

FULL = 4 * WEEK
"""Unit-seconds of a week of the four chips."""


# Delivery.


def handing_over(deal, *lines, who=None, **members):
    return put(deal, who or deal.lessor, delivery(*lines, **members), deal.lease)


@alone("lease.not_running")
def an_ended_lease_is_not_delivered():
    deal = Deal().signed()
    deal.table.act(deal.lessee, ended(1), deal.lease)
    return handing_over(deal, ("h100", 4))


@alone("lease.not_lessor")
def only_the_lessor_delivers():
    deal = Deal().signed()
    return handing_over(deal, ("h100", 4), who=deal.lessee)


@alone("lease.over")
def a_lease_that_is_over_is_not_delivered():
    deal = Deal().signed()
    deal.table.at(deal.until)
    return handing_over(deal, ("h100", 4))


@alone("delivery.unknown_line")
def what_is_delivered_is_leased():
    return handing_over(Deal().signed(), ("cores", 4))


@alone("delivery.more_than_leased")
def no_more_is_delivered_than_leased():
    return handing_over(Deal().signed(), ("h100", 5))


@alone("delivery.more_than_leased")
def batches_add_up():
    return handing_over(Deal().handed_over(), ("h100", 1))


@alone("line.id_reused")
def a_delivered_line_stands_once():
    return handing_over(Deal().signed(), ("h100", 1), ("h100", 1))


@alone("delivery.serials")
def serials_are_sorted():
    return handing_over(Deal().signed(), ("h100", 2), serials=["bb" * 32, "aa" * 32])


@alone("delivery.serials")
def serials_are_no_more_than_units():
    return handing_over(Deal().signed(), ("h100", 1), serials=["aa" * 32, "bb" * 32])


@alone("serial.leased_twice")
def a_machine_is_in_one_lease_at_a_time():
    deal = Deal().signed()
    other = Deal(deal.table, name="2").signed()
    other.table.act(other.lessor, delivery(("h100", 1), serials=["aa" * 32]), other.lease)
    return handing_over(deal, ("h100", 1), serials=["aa" * 32])


@alone("serial.leased_twice")
def a_machine_is_sublet_once():
    head = Deal().signed()
    first, lease = sublet(head, {"/lines/0/count": 2})
    head.table.act(first, simple("lease.signed"), lease)
    second, other = sublet(head, {"/lines/0/count": 2}, name="second")
    head.table.act(second, simple("lease.signed"), other)
    head.table.act(head.lessee, delivery(("h100", 1), serials=["aa" * 32]), lease)
    return put(head, head.lessee, delivery(("h100", 1), serials=["aa" * 32]), other)


@alone("lease.not_lessee")
def only_the_lessee_takes_a_delivery():
    deal = Deal().handed_over()
    return put(deal, deal.lessor, simple("delivery.accepted", delivery=deal.delivery), deal.lease)


@alone("delivery.unknown")
def what_is_accepted_was_offered():
    deal = Deal().handed_over()
    return put(deal, deal.lessee, simple("delivery.accepted", delivery=NOWHERE), deal.lease)


@alone("delivery.unknown")
def what_is_accepted_was_offered_under_this_lease():
    deal = Deal().handed_over()
    other = Deal(deal.table, name="2").signed()
    return put(deal, other.lessee, simple("delivery.accepted", delivery=deal.delivery), other.lease)


@alone("delivery.deemed")
def silence_accepted_the_delivery():
    deal = Deal().handed_over()
    deal.table.later(3 * DAY)
    return put(deal, deal.lessee, simple("delivery.accepted", delivery=deal.delivery), deal.lease)


@alone("delivery.answered")
def a_delivery_is_answered_once():
    deal = Deal().delivered()
    return put(deal, deal.lessee, simple("delivery.accepted", delivery=deal.delivery), deal.lease)


# Reports.


def reporting(deal, changes=None, *, week=0, share=1.0, who=None, **members):
    if deal.delivered_at == 0:
        deal.delivered()
    deal.table.at(max(deal.table.now, deal.delivered_at + (week + 1) * WEEK + HOUR))
    return put(
        deal, who or deal.lessor, changed(deal.usage(week, share, **members), changes or {}), deal.lease
    )


@alone("lease.not_running")
def a_proposal_has_no_usage():
    deal = Deal().proposed()
    deal.table.at(START + 3 * DAY)
    return put(deal, deal.lessor, usage("h100", START + DAY, START + 2 * DAY, 0), deal.lease)


@alone("lease.final")
def usage_is_reported_until_the_final_time():
    deal = Deal().delivered()
    deal.table.at(deal.until + 30 * DAY + 1)
    return reporting(deal)


@alone("lease.not_lessor")
def only_the_lessor_reports():
    deal = Deal().delivered()
    return reporting(deal, who=deal.lessee)


@alone("usage.unknown_line")
def a_reported_line_is_leased():
    return reporting(Deal(), {"/line": "cores", "/chip_seconds": 0})


@alone("usage.not_delivered")
def a_reported_line_was_delivered():
    deal = Deal().handed_over()
    deal.table.later(HOUR)
    return put(deal, deal.lessor, usage("h100", START + DAY, START + DAY + 1, 0), deal.lease)


@alone("usage.future")
def the_future_is_not_reported():
    deal = Deal().delivered()
    deal.table.at(deal.delivered_at + WEEK - 1)
    return put(deal, deal.lessor, deal.usage(), deal.lease)


@alone("usage.outside_lease")
def usage_lies_after_the_start():
    deal = Deal().signed()
    ref = deal.table.act(deal.lessor, delivery(("h100", 4)), deal.lease)
    deal.table.act(deal.lessee, simple("delivery.accepted", delivery=ref), deal.lease)
    deal.table.at(START + 2 * DAY)
    return put(deal, deal.lessor, usage("h100", START, START + DAY, 0), deal.lease)


@alone("usage.outside_lease")
def usage_lies_before_the_end():
    deal = Deal().delivered()
    deal.table.at(deal.delivered_at + 3 * DAY)
    deal.table.act(deal.lessee, ended(1), deal.lease)
    deal.table.at(deal.delivered_at + 8 * DAY)
    return put(deal, deal.lessor, deal.usage(share=0.4), deal.lease)


@alone("usage.straddles")
def a_report_is_under_one_set_of_terms():
    deal = Deal().signed()
    agreed(deal, amended(deal, {"/due_days": 30}, at=START + 4 * DAY)).delivered()
    return reporting(deal)


@alone("usage.not_contiguous")
def reports_leave_no_gap():
    deal = Deal().confirmed()
    later = period(deal.delivered_at + WEEK + 1, deal.delivered_at + 2 * WEEK)
    return reporting(deal, {"/period": later, "/chip_seconds": FULL}, week=1)


@alone("usage.not_contiguous")
def reports_do_not_overlap():
    deal = Deal().confirmed()
    earlier = period(deal.delivered_at + WEEK - 1, deal.delivered_at + 2 * WEEK)
    return reporting(deal, {"/period": earlier, "/chip_seconds": FULL}, week=1)


@alone("usage.before_delivery")
def a_report_starts_with_the_delivery():
    deal = Deal().running()
    deal.table.at(deal.start + DAY)
    deal.delivered()
    start = deal.delivered_at - 1
    return reporting(deal, {"/period": period(start, deal.delivered_at + WEEK)})


@alone("usage.unknown_report")
def a_correction_names_a_report():
    deal = Deal().reported()
    return reporting(deal, {"/chip_seconds": FULL}, replaces=NOWHERE)


@alone("usage.other_period")
def a_correction_is_of_the_same_period():
    deal = Deal().reported()
    shorter = period(deal.delivered_at, deal.delivered_at + WEEK - 1)
    return reporting(deal, {"/period": shorter}, share=0.5, replaces=deal.reports[0])


@alone("usage.confirmed")
def confirmed_usage_is_not_corrected():
    deal = Deal().confirmed()
    return reporting(deal, share=0.5, replaces=deal.reports[0])


@alone("usage.confirmed")
def deemed_usage_is_not_corrected():
    deal = Deal().reported()
    deal.table.later(3 * DAY)
    return reporting(deal, share=0.5, replaces=deal.reports[0])


@alone("usage.replaced")
def a_report_is_replaced_once():
    deal = Deal().reported()
    deal.table.act(deal.lessor, deal.usage(share=0.5, replaces=deal.reports[0]), deal.lease)
    return reporting(deal, share=0.4, replaces=deal.reports[0])


def part_billed(agreed_part, **options):
    """The first week contested, and its agreed part billed."""
    deal = Deal(**options).reported()
    deal.table.act(deal.lessee, contested(deal.reports[0], agreed_part), deal.lease)
    line = usage_line([deal.reports[0]], agreed_part)
    deal.invoice = deal.table.act(deal.lessor, deal.invoice_of([line]), deal.lease)
    return deal


@alone("usage.below_billed")
def a_correction_is_not_below_what_was_billed():
    deal = part_billed(FULL // 2)
    return reporting(deal, share=0.4, replaces=deal.reports[0])


@alone("usage.below_billed")
def a_correction_of_a_reserved_line_is_not_below_what_was_billed():
    deal = part_billed(FULL // 2, terms={"/tariff/lines/0/basis": "reserved"})
    changes = {"/downtime_s": WEEK // 2 + 1}
    return reporting(deal, changes, share=0.0, replaces=deal.reports[0])


@alone("usage.below_billed")
def nobody_agrees_to_less_than_was_billed():
    deal = part_billed(FULL // 2)
    report = deal.table.act(deal.lessor, deal.usage(share=0.8, replaces=deal.reports[0]), deal.lease)
    return put(deal, deal.lessee, contested(report, FULL // 2 - 1), deal.lease)


@alone("usage.falls")
def a_reading_never_falls():
    deal = Deal().confirmed()
    return reporting(deal, {"/chip_seconds": FULL - 1}, week=1)


@alone("usage.beyond_capacity")
def a_period_holds_so_much():
    return reporting(Deal(), {"/chip_seconds": FULL + 1})


@alone("usage.beyond_capacity")
def a_later_period_does_not_catch_up():
    deal = Deal().delivered()
    deal.table.at(deal.delivered_at + WEEK)
    deal.reports.append(deal.table.act(deal.lessor, deal.usage(share=0.5), deal.lease))
    return reporting(deal, {"/chip_seconds": FULL // 2 + FULL + 1}, week=1)


@alone("usage.beyond_capacity")
def only_delivered_units_count():
    deal = Deal().running()
    ref = deal.table.act(deal.lessor, delivery(("h100", 3)), deal.lease)
    deal.table.act(deal.lessee, simple("delivery.accepted", delivery=ref), deal.lease)
    deal.delivered_at = deal.table.now
    return reporting(deal, {"/chip_seconds": 3 * WEEK + 1})


@alone("usage.downtime")
def downtime_fits_the_period():
    return reporting(Deal(), {"/downtime_s": WEEK + 1}, share=0.0)


# Answers.


def answering(deal, tree, who=None):
    return put(deal, who or deal.lessee, tree, deal.lease)


@alone("lease.not_lessee")
def only_the_lessee_confirms():
    deal = Deal().reported()
    return answering(deal, simple("usage.confirmed", report=deal.reports[0]), deal.stranger)


@alone("usage.unknown_report")
def what_is_confirmed_was_reported():
    return answering(Deal().reported(), simple("usage.confirmed", report=NOWHERE))


@alone("usage.unknown_report")
def what_is_contested_was_reported_under_this_lease():
    deal = Deal().reported()
    other = Deal(deal.table, name="2").signed()
    return answering(other, contested(deal.reports[0], 0))


@alone("usage.deemed")
def silence_confirmed_the_report():
    deal = Deal().reported()
    deal.table.later(3 * DAY)
    return answering(deal, simple("usage.confirmed", report=deal.reports[0]))


@alone("usage.answered")
def a_report_is_answered_once():
    deal = Deal().confirmed()
    return answering(deal, contested(deal.reports[0], 0))


@alone("usage.agreed_too_much")
def nobody_agrees_to_more_than_was_reported():
    deal = Deal().delivered()
    deal.table.at(deal.delivered_at + WEEK)
    deal.reports.append(deal.table.act(deal.lessor, deal.usage(share=0.5), deal.lease))
    return answering(deal, contested(deal.reports[0], FULL // 2 + 1))


@alone("usage.agreed_too_much")
def nobody_agrees_to_more_than_a_reserved_period_holds():
    deal = Deal(terms={"/tariff/lines/0/basis": "reserved"}).delivered()
    deal.table.at(deal.delivered_at + WEEK)
    deal.reports.append(deal.table.act(deal.lessor, deal.usage(share=0.5), deal.lease))
    assert not deal.table.codes(deal.lessee, contested(deal.reports[0], FULL), deal.lease)
    return answering(deal, contested(deal.reports[0], FULL + 1))


@alone("usage.downtime")
def agreed_downtime_fits_the_period():
    deal = Deal().reported()
    return answering(deal, contested(deal.reports[0], 0, WEEK + 1))
