"""Facts that follow from the book and a time, and are never stored: silence, capacity, what is due.

Rules, command line and reports all ask here, so that "deemed", "overdue" and "billable" mean one thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from pseudoledger.contract.book import Book
from pseudoledger.contract.things import Batch, Delivery, Demand, Invoice, Lease, MeteredLine, Offer, Usage
from pseudoledger.contract.things.capital import Stake
from pseudoledger.contract.things.dispute import Dispute, Freeze
from pseudoledger.statement.kinds.billing import PaymentDeclared
from pseudoledger.statement.kinds.market import Rate

Answer = Literal["waiting", "agreed", "deemed", "part", "refused", "gone"]
"""How a delivery, usage report or invoice stands: deemed is agreement by silence, part a contested one."""


def delivery_answer(delivery: Delivery, now: int) -> Answer:
    """Tell how a delivery stands at a time."""
    if delivery.state == "offered":
        return "deemed" if now >= delivery.accept_by else "waiting"
    return "agreed" if delivery.state == "accepted" else "refused"


def usage_answer(usage: Usage, now: int) -> Answer:
    """Tell how a usage report stands at a time."""
    match usage.state:
        case "reported":
            return "deemed" if now >= usage.accept_by else "waiting"
        case "confirmed":
            return "agreed"
        case "contested":
            return "part"
        case "replaced":
            return "gone"


def invoice_answer(invoice: Invoice, now: int) -> Answer:
    """Tell how an invoice stands at a time."""
    match invoice.state:
        case "issued":
            return "deemed" if now >= invoice.accept_by else "waiting"
        case "accepted":
            return "agreed"
        case "rejected":
            return "part"
        case "cancelled":
            return "gone"


def batch_since(batch: Batch, now: int) -> int | None:
    """Return since when the units of a batch count as delivered, or None if they do not."""
    if batch.refused:
        return None
    if batch.answered_at is not None:
        return batch.answered_at
    return batch.accept_by if now >= batch.accept_by else None


def delivered_count(line: MeteredLine, when: int, now: int) -> int:
    """Return how many units of a line were delivered by a time."""
    starts = ((batch_since(batch, now), batch.count) for batch in line.batches)
    return sum(count for since, count in starts if since is not None and since <= when)


def capacity(line: MeteredLine, count: int, start: int, until: int, now: int) -> int:
    """Return the most unit-seconds that a line can have had in a period: delivered units times time."""
    total = 0
    for batch in line.batches:
        since = batch_since(batch, now)
        if since is not None:
            total += batch.count * max(0, until - max(start, since))
    return min(total, count * (until - start))


def first_delivery(line: MeteredLine, now: int) -> int | None:
    """Return when the first units of a line counted as delivered."""
    starts = [since for batch in line.batches if (since := batch_since(batch, now)) is not None]
    return min(starts, default=None)


def billable(usage: Usage, rate: Rate, line: MeteredLine, count: int, now: int) -> int | None:
    """Return the unit-seconds of a report that may be billed now, or None while it waits.

    Metered: what was reported, or the agreed part of a contested report. Reserved: the clock times the
    units delivered, less confirmed downtime. What is disputed waits, and does not keep silence from counting
    for the rest. What an earlier, replaced report billed is taken off.
    """
    if usage_answer(usage, now) == "gone" or not rest_is_answered(usage, now):
        return None
    standing = standing_seconds(usage, rate, line, count, now)
    held = frozen(usage.freezes, now)
    rest = max(0, standing - held - usage.billed_before)
    return None if held and not rest else rest


def rest_is_answered(usage: Usage, now: int) -> bool:
    """Tell whether the undisputed part of a report was answered, or silence has counted for it."""
    if usage_answer(usage, now) != "waiting":
        return True
    return any(
        freeze.since <= now < freeze.until and freeze.accept_by is not None and now >= freeze.accept_by
        for freeze in usage.freezes
    )


def standing_seconds(usage: Usage, rate: Rate, line: MeteredLine, count: int, now: int) -> int:
    """Return the unit-seconds that a report comes to as it stands: all of it, or the agreed part."""
    if usage.state == "contested":
        return usage.agreed_chip_seconds
    return whole_seconds(usage, rate, line, count, now)


def whole_seconds(usage: Usage, rate: Rate, line: MeteredLine, count: int, now: int) -> int:
    """Return the unit-seconds that a report comes to if all of it is agreed."""
    if rate.basis == "reserved":
        return reserved_seconds(line, count, usage.start, usage.until, downtime_s=usage.downtime_s, now=now)
    return usage.chip_seconds


def billed_seconds(usage: Usage, rate: Rate, line: MeteredLine, count: int, now: int) -> int:
    """Return the unit-seconds that an invoice billed of a report, whatever became of the report since."""
    if usage.state == "replaced":
        return max(0, usage.agreed_chip_seconds - usage.billed_before)
    return billable(usage, rate, line, count, now) or 0


def reserved_seconds(
    line: MeteredLine, count: int, start: int, until: int, *, downtime_s: int, now: int
) -> int:
    """Return the unit-seconds of a reserved line: delivered units by the clock, less their downtime."""
    down = downtime_s * min(count, delivered_count(line, until, now))
    return max(0, capacity(line, count, start, until, now) - down)


def due_minor(invoice: Invoice, now: int) -> int:
    """Return what of an invoice's open amount is undisputed; negative where a refund is due.

    A credit note lowers the disputed part first: the accepted part stays due. What a dispute freezes is not
    due, nor what was decided for the payer and waits for its credit note.
    """
    return _due(invoice, now, frozen(invoice.freezes, now))


def _due(invoice: Invoice, now: int, held_minor: int) -> int:
    if invoice.state == "cancelled":
        return 0
    if invoice.open_minor <= 0:
        return invoice.open_minor
    due = invoice.open_minor - held_minor - invoice.owed_credit_minor
    if invoice_answer(invoice, now) == "part":
        due = min(due, invoice.accepted_minor - invoice.voucher_minor - invoice.paid_minor)
    return max(0, due)


def disputed_minor(invoice: Invoice, now: int) -> int:
    """Return what of an invoice's open amount is not due because it is disputed or to be credited."""
    return max(0, invoice.open_minor - max(0, due_minor(invoice, now))) if invoice.state != "cancelled" else 0


def overdue_minor(invoice: Invoice, now: int, grace_seconds: int = 0) -> int:
    """Return what is due and unpaid past the due date and a grace; the time in dispute does not count."""
    deadline = invoice.due_at + grace_seconds
    if now < deadline:
        return 0
    late = (freeze for freeze in invoice.freezes if _held(freeze, deadline, now) and not freeze.by_creditor)
    return max(0, _due(invoice, now, max((freeze.amount for freeze in late), default=0)))


def _held(freeze: Freeze, deadline: int, now: int) -> bool:
    """Tell whether a freeze stops a deadline now, or stopped it so long that it is not reached yet."""
    return now < freeze.until or (freeze.since < deadline and now < deadline + freeze.until - freeze.since)


def frozen(freezes: Iterable[Freeze], now: int) -> int:
    """Return what disputes of the lessee or payer freeze now; disputes about one thing overlap."""
    return max(
        (
            freeze.amount
            for freeze in freezes
            if freeze.since <= now < freeze.until and not freeze.by_creditor
        ),
        default=0,
    )


def freeze_of(book: Book, key: str, dispute: Dispute) -> Freeze | None:
    """Return what a dispute stops, as it stands on what is disputed; None where it never froze, or no longer does."""
    thing: Delivery | Usage | Invoice | None
    match dispute.sort:
        case "delivery":
            thing = book.get(Delivery, dispute.about)
        case "usage":
            thing = book.get(Usage, dispute.about)
        case "invoice":
            thing = book.get(Invoice, dispute.about)
    assert thing is not None, "a dispute names only what the book holds"
    return next((freeze for freeze in thing.freezes if freeze.dispute == key), None)


DisputeStatus = Literal["open", "answered", "admitted", "decided", "withdrawn", "moot", "undecided"]
"""How a dispute stands: open until it is answered, answered until it is decided."""


def dispute_status(dispute: Dispute, now: int) -> DisputeStatus:
    """Say in one word how a dispute stands; without an arbiter nobody decides what was answered."""
    if dispute.state == "opened":
        return "open" if now < dispute.answer_by else "undecided"
    if dispute.state == "answered":
        return "answered" if dispute.decide_by is not None and now < dispute.decide_by else "undecided"
    return dispute.state


def invoice_status(invoice: Invoice, now: int) -> str:
    """Say in one word how an invoice stands: cancelled, settled, refund due, paid, overdue, disputed, open."""
    if invoice.state == "cancelled":
        return "cancelled"
    if invoice.open_minor < 0:
        return "refund due"
    if invoice.open_minor == 0:
        return "settled" if invoice.confirmed_minor == invoice.paid_minor else "paid"
    if overdue_minor(invoice, now) > 0:
        return "overdue"
    return "disputed" if due_minor(invoice, now) <= 0 else "open"


def passed_due_dates(book: Book, payment: PaymentDeclared, issued: int, sealed: int) -> Iterator[Invoice]:
    """Yield the invoices whose due date lies between the signing of a payment and the time of its block.

    The other deadlines of a contract end the right to answer, so that nothing sealed after them is on record.
    """
    for settled in payment.settles:
        invoice = book.get(Invoice, settled.invoice) if settled.invoice else None
        if invoice is not None and issued < invoice.due_at <= sealed:
            yield invoice


def lease_status(lease: Lease, now: int) -> str:
    """Say in one word how a lease stands: proposed, lapsed, rejected, cancelled, signed, running, over, ended."""
    if lease.state == "proposed":
        return "lapsed" if now >= lease.valid_to else "proposed"
    if lease.state != "signed":
        return lease.state
    if now < lease.start:
        return "signed"
    return "running" if now < lease.until else "over"


def offer_status(offer: Offer, now: int) -> Literal["open", "withdrawn", "over"]:
    """Say in one word how an offer stands."""
    if offer.withdrawn_at is not None:
        return "withdrawn"
    return "open" if offer.payload.available.until_seconds > now else "over"


def demand_status(demand: Demand, now: int) -> Literal["open", "closed", "over"]:
    """Say in one word how a demand stands."""
    if demand.closed_at is not None:
        return "closed"
    return "open" if demand.payload.window.until_seconds > now else "over"


def stake_status(stake: Stake, now: int) -> Literal["waiting", "lapsed", "to begin", "counts", "over"]:
    """Say in one word how a stake stands."""
    if stake.accepted_at is None:
        return "lapsed" if min(stake.valid_to, stake.until) <= now else "waiting"
    if now >= stake.until:
        return "over"
    return "counts" if now >= stake.since else "to begin"
