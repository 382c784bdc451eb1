"""The lives of disputes: about an invoice that waits, and about a usage report."""

from alone_usage import FULL
from lives import Life

from play import DAY, Deal
from play.papers import contested, credit, delivery, delivery_refused, ended, rejected, simple, usage_line
from play.quarrel import (
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

PARTIES = ("lessor", "lessee", "arbiter", "stranger")
AMOUNT = 10_000
"""Minor units of the invoice that are disputed."""


def _invoice(*steps, arbiter=True):
    def state():
        deal = quarrelsome() if arbiter else Deal()
        deal.arbiter = quarrelsome().arbiter
        deal.invoiced()
        open_about(deal, of_invoice(deal.invoice, AMOUNT))
        for step in steps:
            if step == "answered":
                answer(deal, 2_000)
            elif step == "admitted":
                answer(deal, AMOUNT)
            elif step == "decided":
                decide(deal, 3_000)
            elif step == "late":
                deal.table.later(14 * DAY)
            elif step == "accepted":
                deal.table.act(deal.lessee, simple("invoice.accepted"), deal.invoice)
            elif step == "cancelled":
                deal.table.act(deal.lessor, simple("invoice.cancelled"), deal.invoice)
        return deal

    return state


def _about(tree):
    return lambda deal, _who: (tree(deal), deal.dispute)


def _of_invoice(tree):
    return lambda deal, _who: (tree(deal), deal.invoice)


def _of_lease(tree):
    return lambda deal, _who: (tree(deal), deal.lease)


DISPUTE = Life(
    states={
        "opened": _invoice(),
        "opened, without an arbiter": _invoice(arbiter=False),
        "opened, late": _invoice("late"),
        "answered": _invoice("answered"),
        "answered, without an arbiter": _invoice("answered", arbiter=False),
        "answered, late": _invoice("answered", "late"),
        "admitted": _invoice("admitted"),
        "decided": _invoice("answered", "decided"),
        "withdrawn": _invoice("accepted"),
        "moot": _invoice("cancelled"),
    },
    events={
        "dispute.answered": _about(lambda _: answered(0)),
        "dispute.decided": _about(lambda _: decided(1_000)),
        "dispute.opened again": _of_lease(lambda deal: opened(of_invoice(deal.invoice, 1), number="Q2")),
        "invoice.accepted": _of_invoice(lambda _: simple("invoice.accepted")),
        "invoice.rejected": _of_invoice(lambda _: rejected(0)),
        "invoice.cancelled": _of_invoice(lambda _: simple("invoice.cancelled")),
        "credit.issued": _of_invoice(lambda _: credit([("h100", 4_000)], number="C9")),
        "lease.ended 20000": _of_lease(lambda deal: ended(20_000, deal.invoice)),
    },
    roles=PARTIES,
)


def _usage(*steps):
    def state():
        deal = quarrelsome().reported()
        report = deal.reports[0]
        for step in steps:
            if step == "confirmed":
                deal.table.act(deal.lessee, simple("usage.confirmed", report=report), deal.lease)
            elif step == "contested":
                deal.table.act(deal.lessee, contested(report, FULL - 2_000), deal.lease)
            elif step == "disputed":
                open_about(deal, of_usage(report, 1_000))
            elif step == "disputed by the lessor":
                open_about(deal, of_usage(report, 1_000), deal.lessor)
            elif step == "silence":
                deal.table.later(3 * DAY)
            elif step == "undecided":
                deal.table.later(7 * DAY)
            elif step == "decided":
                decide(answer(deal), 400)
            elif step == "decided for the lessor":
                decide(answer(deal, who=deal.lessee), 400)
        return deal

    return state


def _bill(quantity):
    return _of_lease(lambda deal: deal.invoice_of([usage_line([deal.reports[0]], quantity)], number="I-9"))


DISPUTED_USAGE = Life(
    states={
        "reported": _usage("disputed"),
        "reported, past the time to answer": _usage("disputed", "silence"),
        "reported, undecided": _usage("disputed", "undecided"),
        "reported, undecided, past the time to answer": _usage("disputed", "undecided", "silence"),
        "reported, decided": _usage("disputed", "decided"),
        "confirmed": _usage("confirmed", "disputed"),
        "confirmed, undecided": _usage("confirmed", "disputed", "undecided"),
        "confirmed, decided": _usage("confirmed", "disputed", "decided"),
        "contested": _usage("contested", "disputed by the lessor"),
        "contested, decided": _usage("contested", "disputed by the lessor", "decided for the lessor"),
    },
    events={
        "usage.confirmed": _of_lease(lambda deal: simple("usage.confirmed", report=deal.reports[0])),
        "usage.contested": _of_lease(lambda deal: contested(deal.reports[0], 0)),
        "usage.reported replacing it": _of_lease(lambda deal: deal.usage(replaces=deal.reports[0])),
        "invoice.issued, all": _bill(FULL),
        "invoice.issued, without what is disputed": _bill(FULL - 1_000),
        "invoice.issued, without what was struck": _bill(FULL - 400),
        "invoice.issued, what was agreed": _bill(FULL - 2_000),
        "invoice.issued, and what was decided": _bill(FULL - 1_600),
    },
    roles=PARTIES,
)


def _delivery(*steps):
    def state():
        deal = quarrelsome().handed_over()
        open_about(deal, of_delivery(deal.delivery, 4))
        for step in steps:
            if step == "silence":
                deal.table.later(3 * DAY)
            elif step == "undecided":
                deal.table.later(10 * DAY)
            elif step == "refused":
                decide(answer(deal), 4)
            elif step == "accepted":
                decide(answer(deal), 0)
        return deal

    return state


DISPUTED_DELIVERY = Life(
    states={
        "offered": _delivery(),
        "offered, past the time to answer": _delivery("silence"),
        "offered, undecided, past the time to answer": _delivery("undecided"),
        "decided for the lessee": _delivery("refused"),
        "decided for the lessor": _delivery("accepted"),
    },
    events={
        "delivery.accepted": _of_lease(lambda deal: simple("delivery.accepted", delivery=deal.delivery)),
        "dispute.opened again": _of_lease(lambda deal: opened(of_delivery(deal.delivery, 4), number="Q2")),
        "delivery.refused": _of_lease(lambda deal: delivery_refused(deal.delivery)),
        "delivery.offered again": _of_lease(lambda _: delivery(("h100", 4), number="V2")),
    },
    roles=PARTIES,
)

LIVES = {"dispute": DISPUTE, "disputed_usage": DISPUTED_USAGE, "disputed_delivery": DISPUTED_DELIVERY}
