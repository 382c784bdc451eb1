"""Scenarios of the family dispute, and of what disputes change elsewhere."""

from alone import alone, put

from play import DAY, Deal, key, papers
from play.deal import WEEK
from play.papers import NOWHERE, contested, rejected, simple, usage_line
from play.quarrel import (
    ARBITER,
    answer,
    answered,
    decide,
    decided,
    of_delivery,
    of_invoice,
    of_usage,
    open_about,
    opened,
    quarrelsome,
)

FULL = 4 * WEEK
"""Unit-seconds of a week of the four chips."""


def opening(deal, matter, who=None, **members):
    return put(deal, who or deal.lessee, opened(matter, **members), deal.lease)


def answering(deal, admitted=0, who=None):
    return put(deal, who or deal.lessor, answered(admitted), deal.dispute)


def deciding(deal, awarded=0, who=ARBITER):
    return put(deal, who, decided(awarded), deal.dispute)


def disputed(amount=10_000):
    """A dispute of the lessee about its invoice."""
    deal = quarrelsome().invoiced()
    return open_about(deal, of_invoice(deal.invoice, amount))


# Opening.


@alone("dispute.unknown_matter")
def what_is_disputed_exists():
    return opening(quarrelsome().invoiced(), of_invoice(NOWHERE, 1))


@alone("dispute.unknown_matter")
def what_is_disputed_is_of_this_lease():
    deal = quarrelsome().invoiced()
    other = Deal(deal.table, name="2").signed()
    return put(deal, deal.lessee, opened(of_invoice(deal.invoice, 1)), other.lease)


@alone("dispute.not_party")
def nobody_else_disputes():
    deal = quarrelsome().invoiced()
    return opening(deal, of_invoice(deal.invoice, 1), who=deal.stranger)


@alone("dispute.no_matter")
def a_cancelled_invoice_is_not_disputed():
    deal = quarrelsome().invoiced()
    deal.table.act(deal.lessor, simple("invoice.cancelled"), deal.invoice)
    return opening(deal, of_invoice(deal.invoice, 1))


@alone("dispute.no_matter")
def a_replaced_report_is_not_disputed():
    deal = quarrelsome().reported()
    deal.table.act(deal.lessor, deal.usage(share=0.75, replaces=deal.reports[0]), deal.lease)
    return opening(deal, of_usage(deal.reports[0], 1))


@alone("dispute.no_matter")
def a_lessor_disputes_only_what_was_refused():
    deal = quarrelsome().handed_over()
    return opening(deal, of_delivery(deal.delivery, 4), who=deal.lessor)


@alone("dispute.no_matter")
def an_accepted_delivery_is_not_disputed():
    deal = quarrelsome().delivered()
    return opening(deal, of_delivery(deal.delivery, 4))


@alone("dispute.no_matter")
def a_billed_report_is_disputed_by_its_invoice():
    deal = quarrelsome().invoiced()
    return opening(deal, of_usage(deal.reports[0], 1))


@alone("dispute.too_late")
def an_answer_can_be_disputed_for_some_time():
    deal = quarrelsome().accepted()
    deal.table.later(14 * DAY)
    return opening(deal, of_invoice(deal.invoice, 1))


@alone("dispute.too_late")
def silence_can_be_disputed_for_some_time():
    deal = quarrelsome().reported()
    deal.table.later(17 * DAY)
    return opening(deal, of_usage(deal.reports[0], 1))


@alone("dispute.amount")
def no_more_is_disputed_than_is_billed():
    deal = quarrelsome().invoiced()
    return opening(deal, of_invoice(deal.invoice, deal.total + 1))


@alone("dispute.amount")
def an_issuer_disputes_no_more_than_was_rejected():
    deal = quarrelsome().invoiced()
    deal.table.act(deal.lessee, rejected(deal.total - 100), deal.invoice)
    return opening(deal, of_invoice(deal.invoice, 101), who=deal.lessor)


@alone("dispute.amount")
def a_lessor_disputes_no_more_than_was_contested():
    deal = quarrelsome().reported()
    deal.table.act(deal.lessee, contested(deal.reports[0], FULL - 100), deal.lease)
    return opening(deal, of_usage(deal.reports[0], 101), who=deal.lessor)


@alone("dispute.amount")
def what_was_decided_is_not_disputed_again():
    deal = quarrelsome().invoiced()
    deal.table.act(deal.lessee, rejected(0), deal.invoice)
    open_about(deal, of_invoice(deal.invoice, deal.total), deal.lessor)
    decide(answer(deal, who=deal.lessee), deal.total)
    return opening(deal, of_invoice(deal.invoice, 1))


@alone("dispute.whole")
def a_delivery_is_disputed_whole():
    deal = quarrelsome().handed_over()
    return opening(deal, of_delivery(deal.delivery, 3))


@alone("dispute.open_already")
def one_dispute_is_open_at_a_time():
    deal = disputed()
    return opening(deal, of_invoice(deal.invoice, 1), number="Q2")


@alone("dispute.again")
def what_was_left_undecided_is_not_frozen_anew():
    deal = quarrelsome().invoiced()
    open_about(deal, of_invoice(deal.invoice, deal.total))
    deal.table.later(7 * DAY)
    return opening(deal, of_invoice(deal.invoice, 1), number="Q2")


# Answering.


@alone("dispute.not_other")
def a_party_does_not_answer_itself():
    deal = disputed()
    return answering(deal, who=deal.lessee)


@alone("dispute.lapsed")
def an_answer_has_its_time():
    deal = disputed()
    deal.table.later(7 * DAY)
    return answering(deal)


@alone("dispute.answered")
def a_dispute_is_answered_once():
    return answering(answer(disputed()))


@alone("dispute.answered")
def a_dispute_that_was_taken_back_is_not_answered():
    deal = disputed()
    deal.table.act(deal.lessee, simple("invoice.accepted"), deal.invoice)
    return answering(deal)


@alone("dispute.too_much")
def no_more_is_admitted_than_is_disputed():
    return answering(disputed(100), 101)


@alone("dispute.in_part")
def a_delivery_is_admitted_whole():
    deal = quarrelsome().handed_over()
    open_about(deal, of_delivery(deal.delivery, 4))
    return answering(deal, 3)


# Deciding.


@alone("dispute.no_arbiter")
def nobody_decides_where_nobody_is_named():
    deal = Deal().invoiced()
    answer(open_about(deal, of_invoice(deal.invoice, 100)))
    return deciding(deal)


@alone("dispute.no_arbiter")
def an_arbiter_decides_nothing_of_its_own():
    """A broker that the terms name as arbiter bills its commission: about that nobody is third."""
    from alone_billing import commission_of
    from alone_lease import shown

    deal = Deal().offered().mandated()
    deal._terms = {"/mandates/-": shown(deal, deal.mandate), "/arbiter": deal.broker.did}
    deal.accepted()
    tree = commission_of(deal, papers.net_of(2_235_000, FULL))
    commission = deal.table.act(deal.broker, tree, deal.lease)
    deal.dispute = deal.table.act(deal.lessor, opened(of_invoice(commission, 1)), deal.lease)
    return deciding(deal, who=deal.broker)


@alone("dispute.not_arbiter")
def only_the_arbiter_decides():
    return deciding(answer(disputed()), who=key("another arbiter"))


@alone("dispute.not_answered")
def the_other_is_heard_first():
    return deciding(disputed())


@alone("dispute.undecided")
def without_an_answer_nothing_is_decided():
    deal = disputed()
    deal.table.later(7 * DAY)
    return deciding(deal)


@alone("dispute.undecided")
def a_decision_has_its_time():
    deal = answer(disputed())
    deal.table.later(14 * DAY)
    return deciding(deal)


@alone("dispute.closed")
def a_dispute_is_decided_once():
    return deciding(decide(answer(disputed()), 1))


@alone("dispute.closed")
def what_was_admitted_is_not_decided():
    return deciding(answer(disputed(100), 100))


@alone("dispute.too_much")
def no_more_is_awarded_than_is_left():
    return deciding(answer(disputed(100), 40), 61)


# Elsewhere.


@alone("usage.decided")
def a_decided_report_is_not_reported_anew():
    deal = quarrelsome().reported()
    open_about(deal, of_usage(deal.reports[0], 1_000))
    decide(answer(deal), 500)
    return put(deal, deal.lessor, deal.usage(replaces=deal.reports[0]), deal.lease)


@alone("invoice.not_confirmed")
def what_is_left_of_a_disputed_report_waits():
    deal = quarrelsome().confirmed()
    open_about(deal, of_usage(deal.reports[0], FULL))
    return put(deal, deal.lessor, deal.invoice_of([usage_line([deal.reports[0]], 0)]), deal.lease)


@alone("invoice.billed_apart")
def an_invoice_of_a_part_is_not_cancelled():
    deal = quarrelsome().confirmed()
    open_about(deal, of_usage(deal.reports[0], 1_000))
    line = usage_line([deal.reports[0]], FULL - 1_000)
    invoice = deal.table.act(deal.lessor, deal.invoice_of([line]), deal.lease)
    return put(deal, deal.lessor, simple("invoice.cancelled"), invoice)
