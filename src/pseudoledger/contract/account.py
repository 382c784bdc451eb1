"""The account of one lease: agreed, used, billed, credited, paid, open. Every figure follows from the book."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pseudoledger.contract.book import Book
from pseudoledger.contract.derive import (
    Answer,
    DisputeStatus,
    delivered_count,
    dispute_status,
    disputed_minor,
    due_minor,
    frozen,
    invoice_answer,
    invoice_status,
    lease_status,
    usage_answer,
)
from pseudoledger.contract.things import Invoice, Lease, MeteredLine, TermsInForce, Usage
from pseudoledger.contract.things.dispute import Dispute
from pseudoledger.errors import MalformedError


@dataclass(frozen=True, slots=True, kw_only=True)
class LineAccount:
    """One line of a lease: what was agreed, handed over and used, in unit-seconds."""

    line: str
    """The line's id."""
    resource: str
    """What its units are."""
    count: int
    """Units agreed."""
    basis: str
    """metered, reserved or once."""
    price_micro: int | None
    """Of a unit-hour, in millionths of the currency's unit."""
    fee_minor: int | None
    """Due once, at delivery."""
    delivered: int
    """Units handed over and not yet taken back."""
    reported_until: int | None
    """Until when usage is reported, Unix seconds."""
    reported_seconds: int
    """Unit-seconds reported."""
    agreed_seconds: int
    """Of them confirmed, or taken by silence."""
    waiting_seconds: int
    """Of them waiting for the lessee."""
    contested_seconds: int
    """Of them contested."""
    frozen_seconds: int
    """What open disputes of the lessee keep from being billed."""
    billed_seconds: int
    """Of them on an invoice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceAccount:
    """One invoice of a lease, in minor units."""

    id: str
    """Statement id of the invoice."""
    number: str
    """Its issuer's number."""
    issuer: str
    """Who issued it."""
    status: str
    """Where it stands."""
    answer: Answer
    """What its payer answered; silence past the deadline counts."""
    due_at: int
    """When it falls due, Unix seconds."""
    total_minor: int
    """Total with tax."""
    credited_minor: int
    """Credited since."""
    voucher_minor: int
    """What vouchers cover."""
    paid_minor: int
    """Payments declared and not denied, less refunds."""
    confirmed_minor: int
    """The same, confirmed by who was paid."""
    open_minor: int
    """Total less credits, vouchers and payments; below zero a refund is due."""
    due_minor: int
    """Of what is open, what is due now."""
    disputed_minor: int
    """Open and not due: disputed, or decided for the payer and not yet credited."""
    owed_credit_minor: int
    """What a dispute left for the issuer to credit."""
    commission: bool
    """Whether it is a broker's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeAccount:
    """One dispute under a lease; amounts are units, unit-seconds or minor units as its sort says."""

    id: str
    """Statement id of the dispute."""
    number: str
    """Its opener's number."""
    sort: str
    """delivery, usage or invoice."""
    about: str
    """Statement id of what is disputed."""
    by: str
    """Who opened it."""
    against: str
    """Who has to answer."""
    arbiter: str | None
    """Who decides; null where the terms name nobody."""
    status: DisputeStatus
    """Where it stands."""
    until: int | None
    """When it has to be answered or decided."""
    amount: int
    """How much is disputed."""
    admitted: int
    """Of it admitted by the other side."""
    awarded: int
    """Of the rest awarded by the arbiter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseAccount:
    """The whole account as of a time."""

    lease: str
    number: str
    status: str
    lessor: str
    lessee: str
    currency: str
    start: int
    until: int
    terms: str
    amendments: int
    lines: tuple[LineAccount, ...]
    invoices: tuple[InvoiceAccount, ...]
    disputes: tuple[DisputeAccount, ...]
    on_account_minor: int
    as_of: int

    @property
    def billed_minor(self) -> int:
        """Total of the lessor's invoices that stand."""
        return sum(item.total_minor for item in self._own())

    @property
    def credited_minor(self) -> int:
        """Total of credit notes."""
        return sum(item.credited_minor for item in self._own())

    @property
    def voucher_minor(self) -> int:
        """What vouchers cover of them."""
        return sum(item.voucher_minor for item in self._own())

    @property
    def paid_minor(self) -> int:
        """Payments declared and not denied, less refunds, with what was paid on account."""
        return sum(item.paid_minor for item in self._own()) + self.on_account_minor

    @property
    def disputed_minor(self) -> int:
        """What is open and not due because it is disputed or to be credited."""
        return sum(item.disputed_minor for item in self._own())

    @property
    def owed_credit_minor(self) -> int:
        """What disputes left for the lessor to credit."""
        return sum(item.owed_credit_minor for item in self._own())

    @property
    def open_minor(self) -> int:
        """What is still to be paid; negative where the lessor owes."""
        return sum(item.open_minor for item in self._own()) - self.on_account_minor

    def _own(self) -> tuple[InvoiceAccount, ...]:
        return tuple(item for item in self.invoices if not item.commission and item.status != "cancelled")


def lease_account(book: Book, lease_id: str, now: int) -> LeaseAccount:
    """Draw up the account of a lease as of a time; raise MalformedError if there is no such lease."""
    lease = book.get(Lease, lease_id)
    if lease is None:
        raise MalformedError(f"no lease {lease_id} is on this ledger", code="lease.unknown")
    terms_id = lease.versions[-1].terms
    held = book.get(TermsInForce, terms_id)
    assert held is not None, "a lease names only terms that the book holds"
    rates = {rate.line: rate for rate in held.payload.tariff.lines}
    reports = [usage for _, usage in book.all(Usage) if usage.lease == lease_id]
    lines = []
    for line in held.payload.lines:
        metered = book.get(MeteredLine, f"{lease_id}/{line.id}") or MeteredLine()
        mine = [usage for usage in reports if usage.line == line.id and usage.state != "replaced"]
        lines.append(
            LineAccount(
                line=line.id,
                resource=line.chip or line.resource,
                count=line.count,
                basis=rates[line.id].basis,
                price_micro=rates[line.id].price_micro,
                fee_minor=rates[line.id].fee_minor,
                delivered=delivered_count(metered, now, now),
                reported_until=metered.reported_until,
                reported_seconds=metered.chip_seconds,
                agreed_seconds=_sum(mine, now, {"agreed", "deemed"}) + _agreed_parts(mine),
                waiting_seconds=_sum(mine, now, {"waiting"}),
                contested_seconds=_sum(mine, now, {"part"}) - _agreed_parts(mine),
                frozen_seconds=sum(frozen(usage.freezes, now) for usage in mine),
                billed_seconds=sum(_billed(usage, now) for usage in mine),
            )
        )
    invoices = tuple(
        _invoice_account(invoice_id, invoice, now)
        for invoice_id, invoice in sorted(book.all(Invoice), key=lambda item: item[1].entry)
        if invoice.lease == lease_id
    )
    return LeaseAccount(
        lease=lease_id,
        number=lease.number,
        status=lease_status(lease, now),
        lessor=lease.lessor,
        lessee=lease.lessee,
        currency=lease.currency,
        start=lease.start,
        until=lease.until if lease.ended_at is None else lease.ended_at,
        terms=terms_id,
        amendments=len(lease.versions) - 1,
        lines=tuple(lines),
        invoices=invoices,
        disputes=lease_disputes(book, lease_id, now),
        on_account_minor=lease.on_account_minor,
        as_of=now,
    )


def lease_disputes(book: Book, lease_id: str, now: int) -> tuple[DisputeAccount, ...]:
    """Return the disputes under a lease, the oldest first."""
    found = sorted(
        ((key, dispute) for key, dispute in book.all(Dispute) if dispute.lease == lease_id),
        key=lambda item: item[1].entry,
    )
    return tuple(dispute_account(key, dispute, now) for key, dispute in found)


def dispute_account(key: str, dispute: Dispute, now: int) -> DisputeAccount:
    """Return how a dispute stands as of a time."""
    status = dispute_status(dispute, now)
    until = {"open": dispute.answer_by, "answered": dispute.decide_by}.get(status)
    return DisputeAccount(
        id=key,
        number=dispute.number,
        sort=dispute.sort,
        about=dispute.about,
        by=dispute.by,
        against=dispute.against,
        arbiter=dispute.arbiter,
        status=status,
        until=until,
        amount=dispute.amount,
        admitted=dispute.admitted,
        awarded=dispute.awarded,
    )


def _sum(reports: Iterable[Usage], now: int, answers: set[str]) -> int:
    return sum(usage.chip_seconds for usage in reports if usage_answer(usage, now) in answers)


def _agreed_parts(reports: Iterable[Usage]) -> int:
    return sum(usage.agreed_chip_seconds for usage in reports if usage.state == "contested")


def _billed(usage: Usage, now: int) -> int:
    if usage.billed_by is None:
        return usage.billed_before
    return usage.agreed_chip_seconds if usage_answer(usage, now) == "part" else usage.chip_seconds


def _invoice_account(invoice_id: str, invoice: Invoice, now: int) -> InvoiceAccount:
    return InvoiceAccount(
        id=invoice_id,
        number=invoice.number,
        issuer=invoice.issuer,
        status=invoice_status(invoice, now),
        answer=invoice_answer(invoice, now),
        due_at=invoice.due_at,
        total_minor=invoice.total_minor,
        credited_minor=invoice.credited_minor,
        voucher_minor=invoice.voucher_minor,
        paid_minor=invoice.paid_minor,
        confirmed_minor=invoice.confirmed_minor,
        open_minor=invoice.open_minor,
        due_minor=due_minor(invoice, now),
        disputed_minor=disputed_minor(invoice, now),
        owed_credit_minor=invoice.owed_credit_minor,
        commission=invoice.commission is not None,
    )
