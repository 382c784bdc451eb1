"""Usage to invoice lines: drafts of invoices, credit notes and commissions that the rules will accept.

The arithmetic is `contract.amounts`, the same that the rules use; nothing is decided here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pseudoledger.contract.amounts import Sums, commission_base, credit_sums, share, sums_of, usage_net
from pseudoledger.contract.book import Book
from pseudoledger.contract.case import terms_id_at
from pseudoledger.contract.derive import billable, first_delivery, invoice_answer
from pseudoledger.contract.tables import Tables
from pseudoledger.contract.things import Invoice, Lease, Mandate, MeteredLine, TermsInForce, Usage
from pseudoledger.errors import MalformedError
from pseudoledger.statement.kinds.billing import InvoiceLine
from pseudoledger.statement.kinds.lease import Terms
from pseudoledger.statement.kinds.market import REFS_MAX
from pseudoledger.statement.values import Period, format_instant

_DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDraft:
    """An invoice that could be issued: the lease it is about and its payload, without a number."""

    lease_id: str
    tree: dict[str, Any]

    def numbered(self, number: str) -> dict[str, Any]:
        """Return the payload under an invoice number."""
        return {**self.tree, "number": number}


def unbilled_usage(book: Book) -> dict[str, list[tuple[str, Usage]]]:
    """Return the reports that no invoice bills, by lease, in order of time."""
    found: dict[str, list[tuple[str, Usage]]] = defaultdict(list)
    for report, usage in book.all(Usage):
        if usage.billed_by is None and usage.state != "replaced":
            found[usage.lease].append((report, usage))
    for reports in found.values():
        reports.sort(key=lambda item: (item[1].start, item[1].line, item[0]))
    return found


def draft_invoices(
    book: Book, tables: Tables, lease_id: str, reports: Iterable[tuple[str, Usage]], now: int
) -> Iterator[InvoiceDraft]:
    """Draft what can be billed for a lease now: one invoice for each set of terms that was in force.

    Reports that still wait for an answer are left for later. Yields nothing where nothing is due.
    """
    lease = _lease(book, lease_id)
    by_terms: dict[str, dict[str, list[tuple[str, Usage]]]] = defaultdict(lambda: defaultdict(list))
    for report, usage in reports:
        by_terms[terms_id_at(lease, usage.start)][usage.line].append((report, usage))
    for version in lease.versions:
        terms = _terms(book, version.terms)
        lines = list(_usage_lines(book, tables, lease_id, terms, by_line=by_terms[version.terms], now=now))
        lines += list(_once_lines(book, tables, lease_id, version.terms, now))
        if lease.ended_at is not None and terms_id_at(lease, lease.ended_at) == version.terms:
            lines += _early_end_lines(tables, lease, terms)
        if lines:
            yield InvoiceDraft(
                lease_id=lease_id,
                tree=_invoice(lease, version.terms, terms, lines, by_line=by_terms[version.terms], now=now),
            )


def _usage_lines(
    book: Book,
    tables: Tables,
    lease_id: str,
    terms: Terms,
    *,
    by_line: Mapping[str, list[tuple[str, Usage]]],
    now: int,
) -> Iterator[InvoiceLine]:
    micro = tables.micro_per_minor(terms.tariff.currency)
    counts = {line.id: line.count for line in terms.lines}
    for rate in terms.tariff.lines:
        metered = book.get(MeteredLine, f"{lease_id}/{rate.line}")
        if rate.price_micro is None or metered is None:
            continue
        ready: list[tuple[str, int]] = []
        for report, usage in by_line.get(rate.line, ()):
            quantity = billable(usage, rate, metered, counts[rate.line], now)
            if quantity is not None:
                ready.append((report, quantity))
        for part in range(0, len(ready), REFS_MAX):
            chunk = ready[part : part + REFS_MAX]
            total = sum(quantity for _, quantity in chunk)
            yield _line(
                id=rate.line if part == 0 else f"{rate.line[:24]}-{part // REFS_MAX + 1}",
                lease_line=rate.line,
                reports=[report for report, _ in chunk],
                quantity=total,
                price_micro=rate.price_micro,
                net_minor=usage_net(rate.price_micro, total, micro),
                tax=terms.tax.model_dump(),
            )


def _once_lines(book: Book, tables: Tables, lease_id: str, terms_id: str, now: int) -> Iterator[InvoiceLine]:
    """Draft the fees of lines that were first delivered under these terms."""
    lease, terms = _lease(book, lease_id), _terms(book, terms_id)
    micro = tables.micro_per_minor(terms.tariff.currency)
    for rate in terms.tariff.lines:
        metered = book.get(MeteredLine, f"{lease_id}/{rate.line}")
        if rate.fee_minor is None or metered is None or metered.once_billed:
            continue
        delivered = first_delivery(metered, now)
        if delivered is not None and terms_id_at(lease, delivered) == terms_id:
            yield _line(
                id=rate.line,
                lease_line=rate.line,
                part="once",
                quantity=1,
                price_micro=rate.fee_minor * micro,
                net_minor=rate.fee_minor,
                tax=terms.tax.model_dump(),
            )


def _early_end_lines(tables: Tables, lease: Lease, terms: Terms) -> list[InvoiceLine]:
    fee = terms.early_end.lessee_fee_minor
    by_lessee = lease.end_code is not None and 0 < lease.end_code < 10_000
    early = lease.ended_at is not None and lease.ended_at < lease.until
    if not (by_lessee and early and fee) or lease.early_end_billed:
        return []
    micro = tables.micro_per_minor(terms.tariff.currency)
    return [
        _line(
            id="early-end",
            part="early_end",
            quantity=1,
            price_micro=fee * micro,
            net_minor=fee,
            tax=terms.tax.model_dump(),
        )
    ]


def _line(**values: Any) -> InvoiceLine:
    reports = values.pop("reports", None)
    extra = {} if reports is None else {"reports": tuple(reports)}
    try:
        return InvoiceLine.model_validate({**values, **extra})
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"]))
        raise MalformedError(
            f"line {values['id']} cannot be billed: {where} is {wrong['input']}: {wrong['msg']}",
            code="invoice.line",
            hint="bill fewer reports at a time, or agree on another price",
        ) from None


def _invoice(
    lease: Lease,
    terms_id: str,
    terms: Terms,
    lines: list[InvoiceLine],
    *,
    by_line: Mapping[str, list[tuple[str, Usage]]],
    now: int,
) -> dict[str, Any]:
    usages = [usage for reports in by_line.values() for _, usage in reports]
    version = next(version for version in lease.versions if version.terms == terms_id)
    start = min((usage.start for usage in usages), default=version.start)
    until = max((usage.until for usage in usages), default=max(start + 1, min(now, lease.until)))
    return {
        "type": "invoice.issued",
        "v": 1,
        "currency": terms.tariff.currency,
        "period": Period.between(start, until).model_dump(mode="json"),
        "due_date": due_date(terms, now),
        "contract": terms_id,
        "payment_means": _clear(terms.payment_means[0].model_dump(mode="json", exclude_none=True)),
        "lines": [line.model_dump(mode="json", exclude_none=True) for line in lines],
        **_sums(sums_of(lines)),
    }


def due_date(terms: Terms, now: int) -> str:
    """Return the date on which an invoice issued now falls due."""
    return format_instant((now // _DAY + terms.due_days) * _DAY)[:10]


def _clear(tree: dict[str, Any]) -> dict[str, Any]:
    """Drop the digests of a copied object: a digest stands on the ledger once."""
    return {name: value for name, value in tree.items() if name != "_sd"}


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "tax_subtotals": [subtotal.model_dump(mode="json") for subtotal in sums.subtotals],
        "net_minor": sums.net_minor,
        "tax_minor": sums.tax_minor,
        "total_minor": sums.total_minor,
    }


def draft_credit(book: Book, invoice_id: str, nets: Mapping[str, int], reason: str) -> dict[str, Any]:
    """Draft a credit note over lines of an invoice, without a number; amounts are net minor units.

    Raises MalformedError if the invoice or a line does not exist.
    """
    invoice = book.get(Invoice, invoice_id)
    if invoice is None:
        raise MalformedError(f"no invoice {invoice_id} is on this ledger", code="invoice.unknown")
    unknown = [line for line in nets if line not in invoice.lines]
    if unknown:
        raise MalformedError(
            f"the invoice has no line {unknown[0]!r}",
            code="credit.unknown_line",
            hint=f"its lines are: {', '.join(invoice.lines)}",
        )
    return {
        "type": "credit.issued",
        "v": 1,
        "reason": reason,
        "currency": invoice.currency,
        "lines": [{"invoice_line": line, "net_minor": net} for line, net in nets.items()],
        **_sums(credit_sums(invoice, dict(nets))),
    }


def draft_commission(
    book: Book, tables: Tables, mandate_id: str, invoice_id: str, *, tax: dict[str, Any], now: int
) -> InvoiceDraft:
    """Draft a broker's commission on an accepted invoice; raise MalformedError where none is due."""
    mandate, invoice = book.get(Mandate, mandate_id), book.get(Invoice, invoice_id)
    if mandate is None or invoice is None:
        raise MalformedError(
            "no such mandate or invoice is on this ledger", code="commission.unknown_invoice"
        )
    lease, terms_id = _lease(book, invoice.lease), invoice.contract
    terms = _terms(book, terms_id)
    base = commission_base(invoice, in_part=invoice_answer(invoice, now) == "part")
    due = share(base, mandate.commission_bps)
    line = _line(
        id="commission",
        part="commission",
        quantity=1,
        price_micro=due * tables.micro_per_minor(invoice.currency),
        net_minor=due,
        tax=tax,
    )
    version_start = next(version.start for version in lease.versions if version.terms == terms_id)
    tree = {
        "type": "invoice.issued",
        "v": 1,
        "currency": invoice.currency,
        "period": Period.between(version_start, lease.until).model_dump(mode="json"),
        "due_date": due_date(terms, now),
        "contract": terms_id,
        "commission": {"mandate": mandate_id, "invoice": invoice_id},
        "payment_means": {"code": "30"},
        "lines": [line.model_dump(mode="json", exclude_none=True)],
        **_sums(sums_of([line])),
    }
    return InvoiceDraft(lease_id=invoice.lease, tree=tree)


def _lease(book: Book, lease_id: str) -> Lease:
    lease = book.get(Lease, lease_id)
    if lease is None:
        raise MalformedError(f"no lease {lease_id} is on this ledger", code="lease.unknown")
    return lease


def _terms(book: Book, terms_id: str) -> Terms:
    terms = book.get(TermsInForce, terms_id)
    assert terms is not None, "a lease names only terms that the book holds"
    return terms.payload
