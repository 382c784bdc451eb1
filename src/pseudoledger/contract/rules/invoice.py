"""Rules of invoices: every line is what the book says it is (design §3 "Billing")."""

from __future__ import annotations

from types import MappingProxyType

from pseudoledger.contract.amounts import commission_base, share, sums_of
from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.derive import invoice_answer
from pseudoledger.contract.rules.common import Fold
from pseudoledger.contract.rules.invoice_lines import (
    billed_terms,
    billed_terms_id,
    lines_match_the_book,
    lines_unique,
    part_is,
)
from pseudoledger.contract.rules.lease import final_at
from pseudoledger.contract.things import (
    BilledLine,
    Invoice,
    Lease,
    Mandate,
    MeteredLine,
    Taken,
    Usage,
)
from pseudoledger.contract.vouchers import presented_for
from pseudoledger.statement.values import date_seconds, format_instant, length_seconds

_DAY = 86_400


def number_key(party: str, number: str) -> str:
    """Return the key under which a document number of a party is remembered."""
    return f"number {party} {number}"


def commission_key(mandate: str, invoice: str) -> str:
    """Return the key under which a commission is remembered."""
    return f"commission {mandate} {invoice}"


def issuer_may_bill(case: Case) -> Findings:
    """The lessor bills a signed lease until its final time; a broker bills only commission."""
    lease: Lease = case.lease
    if lease.state not in {"signed", "ended"}:
        yield refuse("lease.not_running", f"the lease is {lease.state}", entry=lease.entry)
        return
    if case.payload.commission is None:
        if not case.is_party(lease.lessor):
            yield refuse("invoice.not_lessor", "the lessor issues the invoices of a lease", entry=lease.entry)
        if case.now > final_at(case, lease):
            yield refuse(
                "lease.final",
                f"the last invoice was due by {format_instant(final_at(case, lease))}",
                entry=lease.entry,
            )


def number_is_new(case: Case) -> Findings:
    """No number is used twice by one issuer."""
    taken = case.book.get(Taken, number_key(case.party, case.payload.number))
    if taken is not None:
        yield refuse(
            "billing.number_reused", "the number was used before", field="/number", entry=taken.entry
        )


def header_fits(case: Case) -> Findings:
    """Currency, terms, due date and preceding invoice are those of the book."""
    said, lease = case.payload, case.lease
    if said.currency != lease.currency:
        yield refuse(
            "invoice.currency", f"the lease is in {lease.currency}", field="/currency", entry=lease.entry
        )
    contract = billed_terms_id(case)
    if said.contract != contract:
        yield refuse(
            "invoice.contract",
            f"the terms of the period are {contract}",
            field="/contract",
            entry=lease.entry,
        )
    earliest = (case.now // _DAY + billed_terms(case).due_days - 1) * _DAY
    if date_seconds(said.due_date) < earliest:
        yield refuse(
            "invoice.due_date", f"the terms give {billed_terms(case).due_days} days", field="/due_date"
        )
    if said.preceding is not None:
        before = case.book.get(Invoice, said.preceding)
        cancelled = before is not None and before.lease == case.sub and before.state == "cancelled"
        if before is None or not cancelled or not case.is_party(before.issuer):
            yield refuse(
                "invoice.preceding",
                "it names no invoice of this lease that its issuer cancelled",
                field="/preceding",
            )


def commission_holds(case: Case) -> Findings:
    """A broker bills its share of an accepted invoice's net less credits, once, to its principal."""
    said = case.payload.commission
    if said is None or case.lease.signed_at is None:
        return
    shown = next((item for item in billed_terms(case).mandates if item.mandate == said.mandate), None)
    mandate, invoice = case.book.get(Mandate, said.mandate), case.book.get(Invoice, said.invoice)
    if shown is None or mandate is None:
        yield refuse("mandate.not_shown", "the terms do not show this mandate", field="/commission/mandate")
        return
    if not case.is_party(mandate.broker):
        yield refuse(
            "mandate.not_broker",
            "the mandate is another broker's",
            field="/commission/mandate",
            entry=mandate.entry,
        )
    if invoice is None or invoice.lease != case.sub or invoice.commission is not None:
        yield refuse(
            "commission.unknown_invoice",
            "the lease has no such invoice of its lessor",
            field="/commission/invoice",
        )
        return
    if billed_terms_id(case) != invoice.contract:
        yield refuse(
            "invoice.other_terms",
            f"that invoice was issued under the terms {invoice.contract}",
            field="/period",
            entry=invoice.entry,
        )
    if any(case.is_party(side) for side in (case.lease.lessor, case.lease.lessee)):
        yield refuse("broker.is_party", "a broker that is itself lessor or lessee brokers nothing")
    answer = invoice_answer(invoice, case.now)
    if answer not in {"agreed", "deemed", "part"}:
        yield refuse(
            "commission.not_accepted",
            "the invoice is not accepted",
            field="/commission/invoice",
            entry=invoice.entry,
        )
    taken = case.book.get(Taken, commission_key(said.mandate, said.invoice))
    if taken is not None and taken.by:
        yield refuse(
            "commission.billed_twice", "once per mandate and invoice", field="/commission", entry=taken.entry
        )
    due = share(commission_base(invoice, in_part=answer == "part"), shown.commission_bps)
    for index, line in enumerate(case.payload.lines):
        yield from part_is(case, line, f"/lines/{index}", due)


def sums_hold(case: Case) -> Findings:
    """Subtotals and sums follow from the lines (EN 16931 BR-CO-10, 13, 15)."""
    said, exact = case.payload, sums_of(case.payload.lines)
    if said.tax_subtotals != exact.subtotals:
        yield refuse(
            "billing.subtotals", "the tax subtotals do not follow from the lines", field="/tax_subtotals"
        )
    for name in ("net_minor", "tax_minor", "total_minor"):
        if getattr(said, name) != getattr(exact, name):
            yield refuse("billing.sums", f"the lines make {getattr(exact, name)}", field=f"/{name}")


def invoice_waits(case: Case) -> Findings:
    """Only an invoice that waits can be answered; silence may have answered already.

    One that was rejected whole, so that no part of it was ever accepted, can still be cancelled.
    """
    invoice = case.invoice
    answer = invoice_answer(invoice, case.now)
    if case.payload.type == "invoice.cancelled" and answer == "part" and invoice.accepted_minor == 0:
        return
    if answer == "deemed":
        yield refuse(
            "invoice.deemed",
            f"silence accepted it at {format_instant(invoice.accept_by)}",
            entry=invoice.entry,
        )
    elif answer != "waiting":
        yield refuse("invoice.answered", f"the invoice was {invoice.state}", entry=invoice.entry)


def payer_answers(case: Case) -> Findings:
    """Only the buyer accepts or rejects."""
    if not case.is_party(case.invoice.payer):
        yield refuse("invoice.not_payer", "only the buyer may answer an invoice", entry=case.invoice.entry)


def accepted_part_fits(case: Case) -> Findings:
    """A rejection leaves something in dispute."""
    if case.payload.accepted_minor >= case.invoice.total_minor:
        yield refuse(
            "invoice.accepted_part",
            f"less than the total {case.invoice.total_minor}",
            field="/accepted_minor",
        )


def issuer_cancels(case: Case) -> Findings:
    """Only the issuer takes an invoice back, before it is accepted, paid, credited or built upon."""
    invoice = case.invoice
    if not case.is_party(invoice.issuer):
        yield refuse("invoice.not_issuer", "only its issuer may cancel an invoice", entry=invoice.entry)
    if invoice.paid_minor or invoice.credited_minor:
        yield refuse(
            "invoice.touched", "it was paid or credited: issue a credit note instead", entry=invoice.entry
        )
    for report in invoice.reports:
        usage = case.book.get(Usage, report)
        if usage is not None and usage.state == "replaced":
            yield refuse(
                "invoice.report_replaced",
                "a report was corrected since: issue a credit note instead",
                entry=usage.entry,
            )


def no_voucher_on_it(case: Case) -> Findings:
    """An invoice that a voucher was presented for is credited, not cancelled."""
    held = presented_for(case.book, case.invoice, case.now)
    if held:
        yield refuse(
            "invoice.voucher",
            "a voucher was presented for it: issue a credit note instead",
            entry=held[0].entry,
        )


def fold_issued(case: Case) -> None:
    """Take the invoice into the book and mark what it bills."""
    said, lease = case.payload, case.lease
    mandate = case.book.get(Mandate, said.commission.mandate) if said.commission else None
    lines = {
        line.id: BilledLine(net_minor=line.net_minor, category=line.tax.category, rate_bps=line.tax.rate_bps)
        for line in said.lines
    }
    reports = tuple(report for line in said.lines for report in line.reports or ())
    once_lines = tuple(line.lease_line for line in said.lines if line.part == "once" and line.lease_line)
    early_end = any(line.part == "early_end" for line in said.lines)
    accept = length_seconds(billed_terms(case).accept_within.invoice)
    invoice = Invoice(
        lease=case.sub,
        contract=said.contract,
        number=said.number,
        issuer=case.party,
        payer=mandate.principal if mandate else lease.lessee,
        currency=said.currency,
        net_minor=said.net_minor,
        total_minor=said.total_minor,
        lines=lines,
        reports=reports,
        once_lines=once_lines,
        early_end=early_end,
        commission=(said.commission.mandate, said.commission.invoice) if said.commission else None,
        issued_at=case.now,
        accept_by=case.now + accept,
        due_at=date_seconds(said.due_date) + _DAY,
        entry=case.index,
    )
    case.book.put(case.id, invoice)
    case.book.put(number_key(case.party, said.number), Taken(by=case.id, entry=case.index))
    _mark(case, invoice, case.id)


def fold_issued_with_period(case: Case) -> None:
    """Take the invoice into the book with its period, within which vouchers may pay it."""
    fold_issued(case)
    period = (case.payload.period.start_seconds, case.payload.period.until_seconds)
    issued = case.book.get(Invoice, case.id)
    assert issued is not None, "fold_issued put it"
    case.book.change(case.id, issued, period=period)


def _mark(case: Case, invoice: Invoice, billed_by: str | None) -> None:
    """Mark everything that an invoice bills as billed, or as free again."""
    for report in invoice.reports:
        usage = case.book.get(Usage, report)
        assert usage is not None, "the book has every billed report"
        case.book.change(report, usage, billed_by=billed_by)
    for line in invoice.once_lines:
        metered = case.book.get(MeteredLine, f"{invoice.lease}/{line}")
        assert metered is not None, "the book has every billed line"
        case.book.change(f"{invoice.lease}/{line}", metered, once_billed=billed_by is not None)
    lease = case.book.get(Lease, invoice.lease)
    if invoice.early_end and lease is not None:
        case.book.change(invoice.lease, lease, early_end_billed=billed_by is not None)
    if invoice.commission is not None:
        case.book.put(commission_key(*invoice.commission), Taken(by=billed_by or "", entry=case.index))


def fold_accepted(case: Case) -> None:
    """The invoice is agreed."""
    case.book.change(case.sub, case.invoice, state="accepted", accepted_minor=case.invoice.total_minor)


def fold_rejected(case: Case) -> None:
    """A part is agreed, the rest in dispute."""
    case.book.change(case.sub, case.invoice, state="rejected", accepted_minor=case.payload.accepted_minor)


def fold_cancelled(case: Case) -> None:
    """Free the usage; the number stays used."""
    case.book.change(case.sub, case.invoice, state="cancelled")
    _mark(case, case.invoice, None)


RULES = MappingProxyType(
    {
        "invoice.issued": (
            issuer_may_bill,
            number_is_new,
            header_fits,
            lines_unique,
            lines_match_the_book,
            commission_holds,
            sums_hold,
        ),
        "invoice.accepted": (payer_answers, invoice_waits),
        "invoice.rejected": (payer_answers, invoice_waits, accepted_part_fits),
        "invoice.cancelled": (issuer_cancels, invoice_waits),
    }
)
FOLDS: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "invoice.issued": fold_issued,
        "invoice.accepted": fold_accepted,
        "invoice.rejected": fold_rejected,
        "invoice.cancelled": fold_cancelled,
    }
)
