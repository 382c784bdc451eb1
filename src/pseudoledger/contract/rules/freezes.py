"""What disputes stop and what ends them binds: the folds that disputes share with the things they are about.

A freeze stands on the delivery, usage report or invoice itself, so that everything that follows from the thing
and a time follows from its disputes too. While it runs, silence does not count: `accept_by` is moved on by as
long as the freeze may last, and moved back where it ends sooner.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec

from pseudoledger.contract.case import Case, terms_id_at
from pseudoledger.contract.derive import frozen, standing_seconds, whole_seconds
from pseudoledger.contract.things import Batch, Delivery, Invoice, Lease, MeteredLine, Usage
from pseudoledger.contract.things.dispute import Dispute, Freeze, State
from pseudoledger.statement.kinds.lease import Terms

Disputable: TypeAlias = Delivery | Usage | Invoice
CLASSES: MappingProxyType[str, type[Disputable]] = MappingProxyType(
    {"delivery": Delivery, "usage": Usage, "invoice": Invoice}
)
"""What can be disputed, by the sort that a dispute names."""
WAITING = frozenset({"offered", "reported", "issued"})
"""States in which a thing waits for the answer of the lessee or payer."""


def terms_of(case: Case, lease: Lease, thing: Disputable) -> Terms:
    """Return the terms under which a thing came about: they name the arbiter and the times."""
    if isinstance(thing, Invoice):
        return case.terms(thing.contract)
    return case.terms(terms_id_at(lease, thing.start if isinstance(thing, Usage) else thing.offered_at))


def seconds_of(case: Case, lease: Lease, usage: Usage) -> tuple[int, int]:
    """Return the unit-seconds of a report as it stands, and if all of it were agreed."""
    terms = terms_of(case, lease, usage)
    rate = next(rate for rate in terms.tariff.lines if rate.line == usage.line)
    count = next(line.count for line in terms.lines if line.id == usage.line)
    metered = case.book.get(MeteredLine, f"{usage.lease}/{usage.line}") or MeteredLine()
    return (
        standing_seconds(usage, rate, metered, count, case.now),
        whole_seconds(usage, rate, metered, count, case.now),
    )


# Freezing.


def begin(case: Case, dispute: Dispute, thing: Disputable, *, by_creditor: bool) -> None:
    """Freeze the disputed amount until the other party has to have answered."""
    waits = thing.state in WAITING and case.now < thing.accept_by
    freeze = Freeze(
        dispute=case.id,
        by_creditor=by_creditor,
        amount=dispute.amount,
        since=case.now,
        until=dispute.answer_by,
        accept_by=thing.accept_by if waits else None,
    )
    _set(case, dispute.about, thing, (*thing.freezes, freeze), _silent(thing, freeze, freeze.until))


def go_on(case: Case, dispute: Dispute, until: int, left: int) -> None:
    """Freeze what is left of the dispute that is answered until the arbiter has to have decided."""
    thing = _thing(case, dispute)
    freeze, others = _freeze(case, thing)
    longer = msgspec.structs.replace(freeze, until=until, amount=min(left, freeze.amount))
    _set(case, dispute.about, thing, (*others, longer), _silent(thing, longer, until))


def end(case: Case, dispute: Dispute) -> None:
    """End the freeze of the dispute that is admitted or decided."""
    thing = _thing(case, dispute)
    freeze, others = _freeze(case, thing)
    _set(case, dispute.about, thing, others, _silent(thing, freeze, case.now))


def _thing(case: Case, dispute: Dispute) -> Disputable:
    thing = case.book.get(CLASSES[dispute.sort], dispute.about)
    assert thing is not None, "the book has everything that is disputed"
    return thing


def _freeze(case: Case, thing: Disputable) -> tuple[Freeze, tuple[Freeze, ...]]:
    """Return the freeze of the dispute that the statement is about, and the others."""
    (mine,) = (freeze for freeze in thing.freezes if freeze.dispute == case.sub)
    return mine, tuple(freeze for freeze in thing.freezes if freeze is not mine)


def _silent(thing: Disputable, freeze: Freeze, until: int) -> int:
    """Return when silence counts if a freeze lasts until a time."""
    return thing.accept_by if freeze.accept_by is None else freeze.accept_by + until - freeze.since


def _set(case: Case, key: str, thing: Disputable, freezes: tuple[Freeze, ...], accept_by: int) -> None:
    case.book.change(key, thing, freezes=freezes, accept_by=accept_by)
    if isinstance(thing, Delivery):
        change_batches(case, key, thing, accept_by=accept_by)


def change_batches(case: Case, key: str, delivery: Delivery, **change: object) -> None:
    """Change the batches of a delivery on every line that it has a part of."""

    def changed(batch: Batch) -> Batch:
        return msgspec.structs.replace(batch, **change) if batch.delivery == key else batch

    for line_id, _ in delivery.lines:
        place = f"{delivery.lease}/{line_id}"
        metered = case.book.get(MeteredLine, place)
        assert metered is not None, "the book has every delivered line"
        case.book.change(place, metered, batches=tuple(map(changed, metered.batches)))


# What an admission or a decision binds.


def settle(case: Case, dispute: Dispute, part: int, given: int) -> None:
    """Bind the book: of a part of the disputed amount, so much goes to the party that opened the dispute."""
    thing = _thing(case, dispute)
    freeze, _ = _freeze(case, thing)
    match thing:
        case Delivery():
            _settle_delivery(case, dispute.about, thing, refused=given > 0)
        case Usage():
            _settle_usage(case, dispute.about, thing, part, given, by_lessor=freeze.by_creditor)
        case Invoice():
            credited = dispute.left - freeze.amount
            upheld = given if freeze.by_creditor else part - given
            _settle_invoice(case, dispute.about, thing, upheld, max(0, part - upheld - credited))


def _lease(case: Case, thing: Disputable) -> Lease:
    lease = case.book.get(Lease, thing.lease)
    assert lease is not None, "the book has the lease of everything that is disputed"
    return lease


def _settle_delivery(case: Case, key: str, delivery: Delivery, *, refused: bool) -> None:
    case.book.change(key, delivery, state="refused" if refused else "accepted")
    if refused:
        change_batches(case, key, delivery, refused=True)
    else:
        change_batches(case, key, delivery, answered_at=case.now)


def _settle_usage(case: Case, key: str, usage: Usage, part: int, given: int, *, by_lessor: bool) -> None:
    """Strike what goes to the lessee, agree what goes to the lessor; what waited is answered by this."""
    standing, _ = seconds_of(case, _lease(case, usage), usage)
    upheld = given if by_lessor else part - given
    agreed = standing + upheld if by_lessor else max(0, standing - given)
    whole = not by_lessor and given == 0 and usage.state in {"reported", "confirmed"}
    billed = usage.billed_by is not None and by_lessor and upheld > 0
    case.book.change(
        key,
        usage,
        state="confirmed" if whole else "contested",
        agreed_chip_seconds=usage.agreed_chip_seconds if whole else agreed,
        agreed_downtime_s=usage.agreed_downtime_s if whole else usage.downtime_s,
        answered_at=case.now if usage.answered_at is None else usage.answered_at,
        struck=usage.struck + part - upheld,
        upheld=usage.upheld + upheld,
        # What was billed of the agreed part stays billed; what the decision adds can be billed.
        billed_before=standing if billed else usage.billed_before,
        billed_by=None if billed else usage.billed_by,
    )


def _settle_invoice(case: Case, key: str, invoice: Invoice, upheld: int, owed: int) -> None:
    """Owe a credit note for what goes to the payer; what goes to the issuer is accepted."""
    rejected = invoice.state == "rejected"
    accepted = invoice.accepted_minor + upheld if rejected else invoice.total_minor
    case.book.change(
        key,
        invoice,
        state=invoice.state if rejected else "accepted",
        accepted_minor=min(invoice.total_minor, accepted),
        answered_at=case.now if invoice.answered_at is None else invoice.answered_at,
        upheld_minor=invoice.upheld_minor + upheld,
        owed_credit_minor=invoice.owed_credit_minor + owed,
    )


# What others do meanwhile.


def answered(case: Case, key: str, before: Disputable) -> None:
    """Take back the disputes about a thing that their party now answers, and remember when it did."""
    _close(case, before.freezes, "withdrawn")
    change: dict[str, Any] = {"freezes": _past(case, before.freezes)}
    if not isinstance(before, Delivery):
        change["answered_at"] = case.now
    after = case.book.get(type(before), key)
    assert after is not None, "the book has what is answered"
    case.book.change(key, after, **change)


def gone(case: Case, key: str, before: Disputable) -> None:
    """Leave disputes about a thing without their matter: it was cancelled or replaced."""
    _close(case, before.freezes, "moot")
    after = case.book.get(type(before), key)
    assert after is not None, "the book keeps what was cancelled or replaced"
    case.book.change(key, after, freezes=_past(case, before.freezes))


def _close(case: Case, freezes: Iterable[Freeze], state: State) -> None:
    for freeze in freezes:
        dispute = case.book.get(Dispute, freeze.dispute)
        if dispute is not None and case.now < freeze.until:
            case.book.change(freeze.dispute, dispute, state=state, closed_at=case.now)


def _past(case: Case, freezes: Iterable[Freeze]) -> tuple[Freeze, ...]:
    return tuple(freeze for freeze in freezes if freeze.until <= case.now)


def billed_apart(case: Case) -> dict[str, int]:
    """Return, for each disputed report that an invoice bills, the unit-seconds that are not disputed."""
    found = {}
    for report in (report for line in case.payload.lines for report in line.reports or ()):
        usage = case.book.get(Usage, report)
        if usage is not None and frozen(usage.freezes, case.now):
            standing, _ = seconds_of(case, case.lease, usage)
            held = frozen(usage.freezes, case.now)
            found[report] = max(0, standing - held - usage.billed_before)
    return found


def keep_billed_apart(case: Case, quantities: dict[str, int]) -> None:
    """Leave what is disputed of reports to be billed once that is over."""
    for report, quantity in quantities.items():
        usage = case.book.get(Usage, report)
        assert usage is not None, "the book has every billed report"
        case.book.change(report, usage, billed_by=None, billed_before=usage.billed_before + quantity)


def keep_credited(case: Case, before: Invoice) -> None:
    """Take a credit note off what is owed, and what is beyond that off everything that is frozen.

    Where payer and issuer dispute an invoice at once, a credit note counts for both: `keep_credited_once` does not.
    """
    beyond = case.payload.total_minor - _owed(case, before)
    _credited(case, before, tuple(_less(freeze, beyond) for freeze in before.freezes))


def keep_credited_once(case: Case, before: Invoice) -> None:
    """Take a credit note off what is owed, and what is beyond that off what the payer disputes, then the issuer."""
    beyond = case.payload.total_minor - _owed(case, before)
    freezes = []
    for freeze in sorted(before.freezes, key=lambda freeze: freeze.by_creditor):
        freezes.append(_less(freeze, beyond))
        if case.now < freeze.until:
            # One whose time is over stops nothing any more; it takes nothing from those that do.
            beyond -= min(freeze.amount, beyond)
    _credited(case, before, tuple(freezes))


def _owed(case: Case, before: Invoice) -> int:
    """Return what of a credit note was owed."""
    return min(before.owed_credit_minor, int(case.payload.total_minor))


def _less(freeze: Freeze, credited: int) -> Freeze:
    return msgspec.structs.replace(freeze, amount=freeze.amount - min(freeze.amount, credited))


def _credited(case: Case, before: Invoice, freezes: tuple[Freeze, ...]) -> None:
    owed = before.owed_credit_minor - _owed(case, before)
    after = case.book.get(Invoice, case.sub)
    assert after is not None, "the credit note is of an invoice"
    case.book.change(case.sub, after, owed_credit_minor=owed, freezes=freezes)
