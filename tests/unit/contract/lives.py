"""The lives of things: every state, every event that could come then, and who could try it.

What has to happen stands in `lifecycles/*.txt`, written down and not worked out: one line for each state and
event, `state / event: outcome roles; outcome roles`, where an outcome is `ok` or the refusal codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from alone_billing import FULL, commission_of, with_fee
from alone_lease import shown

from play import DAY, HOUR, START, Deal, Table, key
from play.deal import WEEK
from play.papers import (
    NOWHERE,
    adopted,
    amendment,
    bid,
    contested,
    credit,
    declared,
    delivery,
    delivery_refused,
    denied,
    ended,
    handover,
    match,
    net_of,
    payment,
    period,
    reclaim,
    rejected,
    revoked,
    simple,
    usage_line,
)

PARTIES = ("lessor", "lessee", "broker", "stranger")


@dataclass(frozen=True, slots=True)
class Life:
    """States by name, each building the market in that state; events by name, each a payload and its sub."""

    states: Mapping[str, Callable[[], object]]
    events: Mapping[str, Callable[[object, object], tuple]]
    roles: tuple[str, ...] = PARTIES

    def outcome(self, deal, event: str, role: str) -> str:
        """Say what would happen now, without letting it."""
        who = getattr(deal, role)
        tree, sub = self.events[event](deal, who)
        return " + ".join(sorted(deal.table.codes(who, tree, sub))) or "ok"


# Leases.


def _proposed():
    deal = with_fee(Deal(terms={}))
    deal.proposed()
    deal.amendment = deal.waiting = NOWHERE
    return deal


def _lapsed():
    deal = _proposed()
    deal.table.later(5 * DAY)
    return deal


def _rejected():
    deal = _proposed()
    deal.table.act(deal.lessor, simple("lease.rejected"), deal.lease)
    return deal


def _cancelled():
    deal = _proposed()
    deal.table.act(deal.lessee, simple("lease.cancelled"), deal.lease)
    return deal


def _signed():
    """Before its start, with an amendment that waits for the lessee."""
    deal = _proposed().signed()
    tree = amendment(deal.terms({"/due_days": 30}), deal.lease, START + 50 * DAY, START + 60 * DAY)
    deal.amendment = deal.table.act(deal.lessor, tree, deal.lease)
    return deal


def _running():
    """A week is reported and waits, and so does the delivery of the second line."""
    deal = _signed().reported()
    tree = delivery(("cores", 8), number="V2")
    deal.waiting = deal.table.act(deal.lessor, tree, deal.lease)
    return deal


def _over():
    deal = _signed().running()
    deal.table.at(deal.until - WEEK - DAY)
    deal.delivered()
    deal.table.at(deal.until - HOUR)
    deal.reports.append(deal.table.act(deal.lessor, deal.usage(), deal.lease))
    deal.waiting = deal.table.act(deal.lessor, delivery(("cores", 8), number="V2"), deal.lease)
    deal.table.at(deal.until)
    return deal


def _ended():
    deal = _running()
    deal.table.act(deal.lessee, ended(1), deal.lease)
    return deal


def _reclaim_running():
    deal = _running()
    deal.table.act(deal.lessor, reclaim(deal.table.now + 7 * DAY), deal.lease)
    return deal


def _reclaim_effective():
    deal = _signed().running()
    deal.table.act(deal.lessor, reclaim(deal.table.now + 8 * DAY), deal.lease)
    deal.reported()
    deal.waiting = deal.table.act(deal.lessor, delivery(("cores", 8), number="V2"), deal.lease)
    deal.table.later(DAY)
    return deal


def _first_report(deal, _who):
    """A report of the first hour of the lease, whatever was reported before."""
    tree = simple(
        "usage.reported",
        line="h100",
        period=period(deal.start, deal.start + HOUR),
        chip_seconds=0,
        downtime_s=0,
    )
    return tree, deal.lease


def _next_report(deal, _who):
    """A report of the hour after what was reported."""
    start = deal.delivered_at + WEEK if deal.reports else deal.start
    tree = simple(
        "usage.reported",
        line="h100",
        period=period(start, start + HOUR),
        chip_seconds=FULL if deal.reports else 0,
        downtime_s=0,
    )
    return tree, deal.lease


def _answer_to_usage(kind):
    def event(deal, _who):
        report = deal.reports[0] if deal.reports else NOWHERE
        tree = contested(report, 0) if kind == "usage.contested" else simple(kind, report=report)
        return tree, deal.lease

    return event


def _lease_event(tree):
    return lambda deal, _who: (tree(deal), deal.lease)


LEASE = Life(
    states={
        "proposed": _proposed,
        "lapsed": _lapsed,
        "rejected": _rejected,
        "cancelled": _cancelled,
        "signed": _signed,
        "running": _running,
        "over": _over,
        "ended": _ended,
        "reclaim running": _reclaim_running,
        "reclaim effective": _reclaim_effective,
    },
    events={
        "lease.signed": _lease_event(lambda _: simple("lease.signed")),
        "lease.rejected": _lease_event(lambda _: simple("lease.rejected")),
        "lease.cancelled": _lease_event(lambda _: simple("lease.cancelled")),
        "amendment.proposed": _lease_event(
            lambda deal: amendment(
                deal.terms({"/due_days": 60}), deal.lease, START + 55 * DAY, deal.table.now + DAY, number="A2"
            )
        ),
        "amendment.signed": _lease_event(lambda deal: simple("amendment.signed", amendment=deal.amendment)),
        "reclaim.started": _lease_event(lambda deal: reclaim(deal.table.now + 7 * DAY, number="R2")),
        "lease.ended 0": _lease_event(lambda _: ended(0)),
        "lease.ended 1": _lease_event(lambda _: ended(1)),
        "lease.ended 10000": _lease_event(lambda _: ended(10_000)),
        "lease.ended 20000": _lease_event(lambda _: ended(20_000, NOWHERE)),
        "delivery.offered": _lease_event(lambda _: delivery(("cores", 8), number="V3")),
        "delivery.accepted": _lease_event(lambda deal: simple("delivery.accepted", delivery=deal.waiting)),
        "delivery.refused": _lease_event(lambda deal: delivery_refused(deal.waiting)),
        "usage.reported": _next_report,
        "usage.confirmed": _answer_to_usage("usage.confirmed"),
        "usage.contested": _answer_to_usage("usage.contested"),
        "invoice.issued": _lease_event(
            lambda deal: deal.invoice_of([usage_line([(deal.reports or [NOWHERE])[0]], 0)], number="I-1")
        ),
        "payment.declared": lambda deal, who: (
            payment(
                (deal.lessee if who is deal.lessor else deal.lessor).did,
                [("lease", deal.lease, 100)],
                reference="RF9",
            ),
            None,
        ),
    },
)


# Deliveries.


def _delivery(answer=None):
    def state():
        deal = Deal().handed_over()
        if answer == "deemed":
            deal.table.later(3 * DAY)
        elif answer:
            tree = simple(answer, delivery=deal.delivery)
            deal.table.act(
                deal.lessee,
                delivery_refused(deal.delivery) if answer == "delivery.refused" else tree,
                deal.lease,
            )
        return deal

    return state


DELIVERY = Life(
    states={
        "offered": _delivery(),
        "deemed": _delivery("deemed"),
        "accepted": _delivery("delivery.accepted"),
        "refused": _delivery("delivery.refused"),
    },
    events={
        "delivery.accepted": _lease_event(lambda deal: simple("delivery.accepted", delivery=deal.delivery)),
        "delivery.refused": _lease_event(lambda deal: delivery_refused(deal.delivery)),
        "delivery.offered again": _lease_event(lambda _: delivery(("h100", 4), number="V2")),
        "usage.reported": lambda deal, _who: (
            simple(
                "usage.reported",
                line="h100",
                period=period(deal.start + 3 * DAY - HOUR, deal.start + 3 * DAY),
                chip_seconds=0,
                downtime_s=0,
            ),
            deal.lease,
        ),
    },
)


# Usage.


def _usage(*steps):
    def state():
        deal = Deal().reported()
        report = deal.reports[0]
        for step in steps:
            if step == "confirmed":
                deal.table.act(deal.lessee, simple("usage.confirmed", report=report), deal.lease)
            elif step == "contested":
                deal.table.act(deal.lessee, contested(report, FULL // 2), deal.lease)
            elif step == "deemed":
                deal.table.later(3 * DAY)
            elif step == "replaced":
                deal.table.act(deal.lessor, deal.usage(share=0.75, replaces=report), deal.lease)
            elif step == "billed":
                quantity = FULL // 2 if "contested" in steps else FULL
                tree = deal.invoice_of([usage_line([report], quantity)])
                deal.table.act(deal.lessor, tree, deal.lease)
        deal.quantity = FULL // 2 if "contested" in steps else FULL
        return deal

    return state


USAGE = Life(
    states={
        "reported": _usage(),
        "deemed": _usage("deemed"),
        "confirmed": _usage("confirmed"),
        "contested": _usage("contested"),
        "replaced": _usage("replaced"),
        "contested, replaced": _usage("contested", "replaced"),
        "deemed, billed": _usage("deemed", "billed"),
        "confirmed, billed": _usage("confirmed", "billed"),
        "contested, billed": _usage("contested", "billed"),
        "contested, billed, replaced": _usage("contested", "billed", "replaced"),
    },
    events={
        "usage.confirmed": _answer_to_usage("usage.confirmed"),
        "usage.contested": _answer_to_usage("usage.contested"),
        "usage.reported replacing it": _lease_event(
            lambda deal: deal.usage(share=0.75, replaces=deal.reports[0])
        ),
        "usage.reported replacing it below the agreed part": _lease_event(
            lambda deal: deal.usage(share=0.25, replaces=deal.reports[0])
        ),
        "usage.reported of the same period": _lease_event(lambda deal: deal.usage(share=0.75)),
        "invoice.issued": _lease_event(
            lambda deal: deal.invoice_of([usage_line([deal.reports[0]], deal.quantity)], number="I-9")
        ),
    },
)


# Invoices. The lease shows a broker's mandate, so that commissions can be tried as well.


def _invoice(*steps):
    def state():
        deal = Deal().offered().mandated()
        deal._terms = {"/mandates/-": shown(deal, deal.mandate)}
        deal.invoiced()
        net = net_of(2_235_000, FULL)
        for step in steps:
            if step == "deemed":
                deal.table.later(10 * DAY)
            elif step == "accepted":
                deal.table.act(deal.lessee, simple("invoice.accepted"), deal.invoice)
            elif step == "rejected in part":
                deal.table.act(deal.lessee, rejected(deal.total // 2), deal.invoice)
            elif step == "rejected whole":
                deal.table.act(deal.lessee, rejected(0), deal.invoice)
            elif step == "cancelled":
                deal.table.act(deal.lessor, simple("invoice.cancelled"), deal.invoice)
            elif step == "part paid":
                deal.table.act(deal.lessee, deal.paying(1000))
            elif step == "paid":
                deal.payment = deal.table.act(deal.lessee, deal.paying())
            elif step == "denied":
                deal.table.act(deal.lessor, denied(), deal.payment)
            elif step == "settled":
                deal.table.act(deal.lessor, simple("payment.confirmed"), deal.payment)
            elif step == "credited":
                deal.table.act(deal.lessor, credit([("h100", net)], number="C1"), deal.invoice)
        return deal

    return state


def _charged(deal, _who):
    base = net_of(2_235_000, FULL)
    return commission_of(deal, base, number="K-1"), deal.lease


def _refund(deal, _who):
    return payment(deal.lessee.did, [("invoice", deal.invoice, deal.total)], reference="RF8"), None


def _invoice_event(tree):
    return lambda deal, _who: (tree(deal), deal.invoice)


INVOICE = Life(
    states={
        "issued": _invoice(),
        "deemed": _invoice("deemed"),
        "accepted": _invoice("accepted"),
        "rejected in part": _invoice("rejected in part"),
        "rejected whole": _invoice("rejected whole"),
        "cancelled": _invoice("cancelled"),
        "issued, part paid": _invoice("part paid"),
        "issued, paid, denied": _invoice("paid", "denied"),
        "accepted, paid": _invoice("accepted", "paid"),
        "accepted, settled": _invoice("accepted", "paid", "settled"),
        "accepted, credited": _invoice("accepted", "credited"),
        "accepted, settled, credited": _invoice("accepted", "paid", "settled", "credited"),
    },
    events={
        "invoice.accepted": _invoice_event(lambda _: simple("invoice.accepted")),
        "invoice.rejected": _invoice_event(lambda _: rejected(1)),
        "invoice.cancelled": _invoice_event(lambda _: simple("invoice.cancelled")),
        "credit.issued": _invoice_event(lambda _: credit([("h100", 10_000)], number="C9")),
        "payment.declared": lambda deal, _who: (
            payment(deal.lessor.did, [("invoice", deal.invoice, 500)], reference="RF7"),
            None,
        ),
        "payment.declared, a refund": _refund,
        "invoice.issued again": _lease_event(
            lambda deal: deal.invoice_of([usage_line([deal.reports[0]], FULL)], number="I-9")
        ),
        "invoice.issued, commission": _charged,
    },
)


# Payments.


def _payment(answer=None):
    def state():
        deal = Deal().paid()
        if answer:
            tree = denied() if answer == "payment.denied" else simple(answer)
            deal.table.act(deal.lessor, tree, deal.payment)
        return deal

    return state


PAYMENT = Life(
    states={
        "declared": _payment(),
        "confirmed": _payment("payment.confirmed"),
        "denied": _payment("payment.denied"),
    },
    events={
        "payment.confirmed": lambda deal, _who: (simple("payment.confirmed"), deal.payment),
        "payment.denied": lambda deal, _who: (denied(), deal.payment),
        "payment.declared with its reference": lambda deal, _who: (deal.paying(1, "RF1"), None),
        "payment.declared with another": lambda deal, _who: (deal.paying(1, "RF2"), None),
    },
)


# Bids: the lessee bids on the lessor's offer.


def _bid(*steps):
    def state():
        deal = Deal().offered()
        deal.bid = deal.table.act(deal.lessee, bid(START + 5 * DAY), deal.offer)
        for step in steps:
            if step == "countered":
                deal.table.act(deal.lessor, bid(START + 5 * DAY, kind="bid.countered"), deal.bid)
            elif step == "rejected":
                deal.table.act(deal.lessor, simple("bid.rejected"), deal.bid)
            elif step == "withdrawn":
                deal.table.act(deal.lessee, simple("bid.withdrawn"), deal.bid)
            elif step == "lapsed":
                deal.table.later(5 * DAY)
            elif step == "offer withdrawn":
                deal.table.act(deal.lessor, simple("offer.withdrawn"), deal.offer)
        return deal

    return state


BID = Life(
    states={
        "placed": _bid(),
        "countered": _bid("countered"),
        "rejected": _bid("rejected"),
        "withdrawn": _bid("withdrawn"),
        "lapsed": _bid("lapsed"),
        "offer withdrawn": _bid("offer withdrawn"),
    },
    events={
        "bid.countered": lambda deal, _who: (bid(START + 9 * DAY, kind="bid.countered"), deal.bid),
        "bid.rejected": lambda deal, _who: (simple("bid.rejected"), deal.bid),
        "bid.withdrawn": lambda deal, _who: (simple("bid.withdrawn"), deal.bid),
        "lease.proposed": lambda deal, _who: (deal.proposal({"/answers": deal.bid}), None),
    },
)


# Offers, demands, mandates and matches.


def _market(*steps):
    def state():
        deal = Deal(offer={"/available": period(START, START + 70 * DAY)}).offered().demanded().mandated()
        deal.match = deal.table.act(
            deal.broker, match(deal.offer, [deal.mandate], START + 3 * DAY), deal.demand
        )
        for step in steps:
            if step == "offer withdrawn":
                deal.table.act(deal.lessor, simple("offer.withdrawn"), deal.offer)
            elif step == "demand closed":
                deal.table.act(deal.lessee, simple("demand.closed"), deal.demand)
            elif step == "mandate released":
                deal.table.act(deal.broker, simple("broker.released"), deal.mandate)
            else:
                deal.table.at(START + int(step.split()[1]) * DAY)
        return deal

    return state


def _answering(name):
    """A proposal by whoever tries, to the other side, under the mandate that the match shows."""

    def event(deal, who):
        start = max(START + DAY, deal.table.now)
        changes = {
            "/answers": getattr(deal, name),
            "/terms/period": period(start, start + 5 * DAY),
            "/terms/mandates/-": shown(deal, deal.mandate),
        }
        return deal.proposal(changes), None

    return event


def _soon(deal):
    return deal.table.now + DAY


MARKET = Life(
    states={
        "open": _market(),
        "offer withdrawn": _market("offer withdrawn"),
        "demand closed": _market("demand closed"),
        "mandate released": _market("mandate released"),
        "match lapsed": _market("after 3 days"),
        "offer over": _market("after 70 days"),
        "demand over too": _market("after 120 days"),
        "mandate over too": _market("after 200 days"),
    },
    events={
        "offer.withdrawn": lambda deal, _who: (simple("offer.withdrawn"), deal.offer),
        "demand.closed": lambda deal, _who: (simple("demand.closed"), deal.demand),
        "broker.released": lambda deal, _who: (simple("broker.released"), deal.mandate),
        "match.proposed": lambda deal, _who: (
            match(deal.offer, [deal.mandate], _soon(deal), number="X2"),
            deal.demand,
        ),
        "bid.placed on the offer": lambda deal, _who: (bid(_soon(deal)), deal.offer),
        "bid.placed on the demand": lambda deal, _who: (bid(_soon(deal), line="gpu"), deal.demand),
        "bid.placed under the mandate": lambda deal, _who: (
            bid(_soon(deal), line="gpu", mandate=deal.mandate),
            deal.demand,
        ),
        "lease.proposed answering the offer": _answering("offer"),
        "lease.proposed answering the demand": _answering("demand"),
        "lease.proposed answering the match": _answering("match"),
    },
)


# Amendments: the lessor proposes them.


def _amendment(*steps):
    def state():
        deal = Deal().signed()
        at, valid = START + 10 * DAY, START + 20 * DAY
        deal.amendment = deal.table.act(
            deal.lessor, amendment(deal.terms({"/due_days": 30}), deal.lease, at, valid), deal.lease
        )
        deal.other = deal.table.act(
            deal.lessor,
            amendment(
                deal.terms({"/due_days": 60}), deal.lease, START + 30 * DAY, START + 40 * DAY, number="A2"
            ),
            deal.lease,
        )
        for step in steps:
            if step in {"signed", "other signed"}:
                ref = deal.amendment if step == "signed" else deal.other
                deal.table.act(deal.lessee, simple("amendment.signed", amendment=ref), deal.lease)
            elif step == "ended":
                deal.table.act(deal.lessee, ended(1), deal.lease)
            else:
                deal.table.at(START + int(step.split()[1]) * DAY)
        return deal

    return state


AMENDMENT = Life(
    states={
        "proposed": _amendment(),
        "signed": _amendment("signed"),
        "other signed": _amendment("other signed"),
        "its start past": _amendment("after 11 days"),
        "lapsed": _amendment("after 20 days"),
        "lease ended": _amendment("ended"),
    },
    events={
        "amendment.signed": _lease_event(lambda deal: simple("amendment.signed", amendment=deal.amendment)),
        "amendment.signed, the other": _lease_event(
            lambda deal: simple("amendment.signed", amendment=deal.other)
        ),
        "amendment.proposed, replacing the proposal": _lease_event(
            lambda deal: amendment(
                deal.terms({"/due_days": 7}), deal.lease, START + 45 * DAY, START + 50 * DAY, number="A3"
            )
        ),
        "amendment.proposed, replacing it": _lease_event(
            lambda deal: amendment(
                deal.terms({"/due_days": 7}), deal.amendment, START + 45 * DAY, START + 50 * DAY, number="A3"
            )
        ),
    },
)


# Identities. The first key, a new key, the recovery key and a stranger.


class Person:
    """One identity and the keys around it."""

    def __init__(self) -> None:
        self.table = Table()
        self.first, self.fresh, self.recovery, self.stranger, self.newest = (
            key(f"identity {name}") for name in ("first", "fresh", "recovery", "stranger", "newest")
        )
        self.handover = NOWHERE

    def act(self, who, tree):
        return self.table.act(who, tree, self.first.did)


def _person(*steps, committed=False):
    def state():
        person = Person()
        for step in steps:
            if step == "declared":
                members = {"next": sha256(person.fresh.did.encode()).hexdigest()} if committed else {}
                person.act(person.first, declared(recovery=person.recovery.did, **members))
            elif step == "rotating":
                person.handover = person.act(person.first, handover("identity.rotated", person.fresh.did))
            elif step == "recovering":
                tree = handover("identity.recovered", person.fresh.did, "H5")
                person.handover = person.act(person.recovery, tree)
            elif step == "adopted":
                person.act(person.fresh, adopted(person.handover))
            elif step == "revoked":
                person.act(person.first, revoked())
            elif step == "14 days on":
                person.table.later(14 * DAY)
        return person

    return state


def _about(tree):
    return lambda person, _who: (tree(person), person.first.did)


IDENTITY = Life(
    states={
        "unknown": _person(),
        "declared": _person("declared"),
        "declared with a next key": _person("declared", committed=True),
        "rotating": _person("declared", "rotating"),
        "rotated": _person("declared", "rotating", "adopted"),
        "rotated without recovery": _person("rotating", "adopted"),
        "recovering": _person("declared", "recovering"),
        "recovered": _person("declared", "recovering", "adopted"),
        "revoked": _person("declared", "revoked"),
        "revoked, recovering": _person("declared", "revoked", "recovering"),
    },
    events={
        "identity.declared": _about(lambda _: declared()),
        "identity.rotated": _about(lambda p: handover("identity.rotated", p.newest.did, "H9")),
        "identity.rotated to the next key": _about(lambda p: handover("identity.rotated", p.fresh.did, "H8")),
        "identity.adopted": _about(lambda p: adopted(p.handover)),
        "identity.recovered": _about(lambda p: handover("identity.recovered", p.newest.did, "H7")),
        "identity.revoked": _about(lambda _: revoked()),
        "pool.declared": lambda _person, _who: (
            {
                "type": "pool.declared",
                "v": 1,
                "number": "P1",
                "lines": [{"id": "cores", "resource": "cpu_core", "count": 1}],
            },
            None,
        ),
    },
    roles=("first", "fresh", "recovery", "stranger"),
)

LIVES = {
    "lease": LEASE,
    "amendment": AMENDMENT,
    "delivery": DELIVERY,
    "usage": USAGE,
    "invoice": INVOICE,
    "payment": PAYMENT,
    "bid": BID,
    "market": MARKET,
    "identity": IDENTITY,
}
