"""What waits for a party: which papers it must answer, by when, and what its silence will mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pseudoledger.contract.book import Book
from pseudoledger.contract.claims import IN_FORCE, in_force, standing
from pseudoledger.contract.derive import (
    delivery_answer,
    dispute_status,
    due_minor,
    invoice_answer,
    overdue_minor,
    stake_status,
    usage_answer,
)
from pseudoledger.contract.things import (
    Amendment,
    Bid,
    Chain,
    Delivery,
    Invoice,
    Lease,
    Payment,
    Thing,
    Usage,
)
from pseudoledger.contract.things.asset import Asset
from pseudoledger.contract.things.capital import Stake
from pseudoledger.contract.things.claim import Claim
from pseudoledger.contract.things.dispute import Dispute
from pseudoledger.contract.things.voucher import Presentation

RENEW_SECONDS = 30 * 86_400
"""How long before its end a claim is shown to those who could renew it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing that waits: the answers that are possible, until when, and what silence means."""

    what: str
    ref: str
    """Statement that waits."""
    about: str
    """Thing it belongs to: the lease, bid or identity."""
    answers: tuple[str, ...]
    """Kinds of statement that answer it."""
    by: int | None
    """Unix time after which it can no longer be answered, or was due; None if it has no end."""
    silence: str
    entry: int
    amount_minor: int | None = None
    """The sum that is owed, in minor units of `currency`; None where it is about no sum."""
    currency: str | None = None


def agenda(book: Book, party: str, now: int) -> list[Task]:
    """Return what waits for an identity (the first key of its chain), the most urgent first."""
    tasks = [task for source in _SOURCES for task in source(book, party, now)]
    return sorted(tasks, key=lambda task: (task.by is None, task.by or 0, task.entry))


def _is(book: Book, party: str, did: str) -> bool:
    return book.root_of(did) == party


def _proposals(book: Book, party: str, now: int) -> Iterator[Task]:
    for ref, lease in book.all(Lease):
        other = lease.lessee if book.same_party(lease.proposer, lease.lessor) else lease.lessor
        if lease.state == "proposed" and lease.valid_to > now and _is(book, party, other):
            yield Task(
                what=f"lease {lease.number} is proposed to you",
                ref=ref,
                about=ref,
                answers=("lease.signed", "lease.rejected"),
                by=lease.valid_to,
                silence="the proposal lapses",
                entry=lease.entry,
            )


def _amendments(book: Book, party: str, now: int) -> Iterator[Task]:
    for ref, amendment in book.all(Amendment):
        lease = book.get(Lease, amendment.lease)
        if lease is None or amendment.state != "proposed" or amendment.valid_to <= now:
            continue
        other = lease.lessee if book.same_party(amendment.proposer, lease.lessor) else lease.lessor
        if _is(book, party, other) and amendment.replaces == lease.versions[-1].terms:
            yield Task(
                what=f"an amendment of lease {lease.number} is proposed to you",
                ref=ref,
                about=amendment.lease,
                answers=("amendment.signed",),
                by=min(amendment.valid_to, amendment.effective_from),
                silence="the old terms stand",
                entry=amendment.entry,
            )


def _bids(book: Book, party: str, now: int) -> Iterator[Task]:
    for ref, bid in book.all(Bid):
        turn = bid.addressee if bid.last == bid.bidder else bid.bidder
        if bid.state == "open" and bid.valid_to > now and _is(book, party, turn):
            yield Task(
                what="a bid waits for your answer",
                ref=ref,
                about=bid.on,
                answers=("bid.countered", "bid.rejected", "lease.proposed"),
                by=bid.valid_to,
                silence="the bid lapses",
                entry=bid.entry,
            )


def _deliveries(book: Book, party: str, now: int) -> Iterator[Task]:
    for ref, delivery in book.all(Delivery):
        lease = book.get(Lease, delivery.lease)
        if lease and delivery_answer(delivery, now) == "waiting" and _is(book, party, lease.lessee):
            yield Task(
                what=f"a delivery under lease {lease.number}",
                ref=ref,
                about=delivery.lease,
                answers=("delivery.accepted", "delivery.refused"),
                by=delivery.accept_by,
                silence="counts as acceptance",
                entry=delivery.entry,
            )


def _usage(book: Book, party: str, now: int) -> Iterator[Task]:
    for ref, usage in book.all(Usage):
        lease = book.get(Lease, usage.lease)
        if lease is None:
            continue
        answer = usage_answer(usage, now)
        if answer == "waiting" and _is(book, party, lease.lessee):
            yield Task(
                what=f"usage of line {usage.line} under lease {lease.number}",
                ref=ref,
                about=usage.lease,
                answers=("usage.confirmed", "usage.contested"),
                by=usage.accept_by,
                silence="counts as confirmation",
                entry=usage.entry,
            )
        elif (
            answer == "part"
            and usage.agreed_chip_seconds < usage.chip_seconds
            and _is(book, party, lease.lessor)
        ):
            yield Task(
                what=f"contested usage of line {usage.line} under lease {lease.number}",
                ref=ref,
                about=usage.lease,
                answers=("usage.reported",),
                by=None,
                silence="only the agreed part can be billed",
                entry=usage.entry,
            )


def _invoices(book: Book, party: str, now: int) -> Iterator[Task]:
    for ref, invoice in book.all(Invoice):
        answer = invoice_answer(invoice, now)
        mine = _is(book, party, invoice.payer)
        if answer == "waiting" and mine:
            yield _invoice_task(
                ref, invoice, "waits for your answer", invoice.accept_by, "counts as acceptance"
            )
        elif mine and due_minor(invoice, now) > 0:
            overdue = "is overdue" if overdue_minor(invoice, now) > 0 else "is to be paid"
            yield _invoice_task(
                ref, invoice, overdue, invoice.due_at, "it becomes overdue; past grace the lease may be ended"
            )
        elif invoice.state != "cancelled" and invoice.open_minor < 0 and _is(book, party, invoice.issuer):
            yield _invoice_task(ref, invoice, "leaves a refund due", None, "the refund stays due")
        if invoice.owed_credit_minor > 0 and _is(book, party, invoice.issuer):
            yield Task(
                what=f"a credit note on invoice {invoice.number} is owed",
                ref=ref,
                about=invoice.lease,
                answers=("credit.issued",),
                by=None,
                silence="the amount is not due, and stays owed",
                entry=invoice.entry,
                amount_minor=invoice.owed_credit_minor,
                currency=invoice.currency,
            )


def _invoice_task(ref: str, invoice: Invoice, state: str, by: int | None, silence: str) -> Task:
    waiting = state.startswith("waits")
    return Task(
        what=f"invoice {invoice.number} {state}",
        ref=ref,
        about=invoice.lease,
        answers=("invoice.accepted", "invoice.rejected") if waiting else ("payment.declared",),
        by=by,
        silence=silence,
        entry=invoice.entry,
    )


def _payments(book: Book, party: str, _now: int) -> Iterator[Task]:
    for ref, payment in book.all(Payment):
        if payment.state == "declared" and _is(book, party, payment.payee):
            yield Task(
                what="a payment is declared to you",
                ref=ref,
                about=payment.settles[0][1],
                answers=("payment.confirmed", "payment.denied"),
                by=None,
                silence="the payment counts, but nothing is settled",
                entry=payment.entry,
            )


def _vouchers(book: Book, party: str, now: int) -> Iterator[Task]:
    """What was presented to a lessor, and what lessor and issuer owe each other for redemptions."""
    for ref, item in book.all(Presentation):
        mine, issuers = _is(book, party, item.lessor), _is(book, party, item.issuer)
        if not (mine or issuers):
            continue
        waits = item.state == "presented" and now < item.expires_at
        if mine and waits:
            what = "a voucher is presented to you"
            yield _voucher_task(ref, item, what, ("voucher.redeemed",), by=item.expires_at)
        elif mine and item.due_back_minor:
            yield _voucher_task(ref, item, "a redemption is due back to its issuer", ())
        elif issuers and item.due_back_minor:
            yield _voucher_task(ref, item, "a redemption is due back to you", ("voucher.settled",))
        elif issuers and item.unsettled_minor:
            yield _voucher_task(ref, item, "a redemption is to be settled", ("voucher.settled",))


def _voucher_task(
    ref: str, item: Presentation, what: str, answers: tuple[str, ...], *, by: int | None = None
) -> Task:
    silence = "it stays due" if by is None else "it lapses"
    return Task(
        what=what, ref=ref, about=item.voucher, answers=answers, by=by, silence=silence, entry=item.entry
    )


def _handovers(book: Book, party: str, _now: int) -> Iterator[Task]:
    for root, chain in book.all(Chain):
        if chain.handover is not None and party in {root, chain.handover.to}:
            yield Task(
                what=f"the new key {chain.handover.to} has to adopt this identity",
                ref=chain.handover.id,
                about=root,
                answers=("identity.adopted",),
                by=None,
                silence="the handover does not take effect",
                entry=chain.handover.entry,
            )


def _claims(book: Book, party: str, now: int) -> Iterator[Task]:
    """Claims that end soon, for the attestor who could renew them and the subject who needs them."""
    for ref, claim in book.all(Claim):
        ends = claim.payload.valid.until_seconds
        mine, about_me = _is(book, party, claim.attestor), _is(book, party, claim.subject)
        if not (mine or about_me) or ends > now + RENEW_SECONDS or standing(book, claim, now) != IN_FORCE:
            continue
        same = in_force(book, claim.subject, [claim.attestor], now, claim=claim.payload.claim)
        if all(other.payload.valid.until_seconds <= ends for _, other in same):
            yield Task(
                what=f"claim {claim.payload.number} ({claim.payload.claim}) {'you made' if mine else 'about you'} ends",
                ref=ref,
                about=claim.subject,
                answers=("claim.attested",) if mine else (),
                by=ends,
                silence="it counts no more",
                entry=claim.entry,
            )


def _stakes(book: Book, party: str, now: int) -> Iterator[Task]:
    for ref, stake in book.all(Stake):
        if stake_status(stake, now) == "waiting" and _is(book, party, stake.holder):
            yield Task(
                what=f"stake {stake.number} is declared for you",
                ref=ref,
                about=stake.asset,
                answers=("stake.accepted",),
                by=min(stake.valid_to, stake.until),
                silence="the declaration lapses",
                entry=stake.entry,
            )


def _disputes(book: Book, party: str, now: int) -> Iterator[Task]:
    for ref, dispute in book.all(Dispute):
        status = dispute_status(dispute, now)
        what = f"dispute {dispute.number} about the {dispute.sort} {dispute.about[:12]}"
        freeze = "the freeze ends, undecided" if dispute.arbiter else "it stays on record, unanswered"
        if status == "open" and _is(book, party, dispute.against):
            yield Task(
                what=f"{what} is opened against you",
                ref=ref,
                about=dispute.lease,
                answers=("dispute.answered",),
                by=dispute.answer_by,
                silence=freeze,
                entry=dispute.entry,
            )
        elif status == "answered" and dispute.arbiter is not None and _is(book, party, dispute.arbiter):
            yield Task(
                what=f"{what} waits for your decision",
                ref=ref,
                about=dispute.lease,
                answers=("dispute.decided",),
                by=dispute.decide_by,
                silence=freeze,
                entry=dispute.entry,
            )


def _machines(book: Book, party: str, _now: int) -> Iterator[Task]:
    for ref, asset in book.all(Asset):
        if asset.waiting is not None and _is(book, party, asset.waiting.to):
            yield Task(
                what=f"machine {asset.number} is on its way to you",
                ref=ref,
                about=ref,
                answers=("asset.received",),
                by=None,
                silence="the sender goes on holding it",
                entry=asset.entry,
            )


_SOURCES = (
    _proposals,
    _amendments,
    _bids,
    _deliveries,
    _usage,
    _invoices,
    _payments,
    _vouchers,
    _disputes,
    _machines,
    _handovers,
    _claims,
    _stakes,
)
WAITS_IN: tuple[type[Thing], ...] = (
    Lease,
    Amendment,
    Bid,
    Delivery,
    Usage,
    Invoice,
    Payment,
    Presentation,
    Dispute,
    Asset,
    Chain,
    Claim,
    Stake,
)
"""Classes of things among which tasks are found."""
