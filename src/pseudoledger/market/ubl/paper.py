"""An invoice or credit note of the ledger as the values that EN 16931 prints, drawn up from the book.

Every figure is the statement's own, and the book's; nothing is computed but what was prepaid and what is left
to pay. Refuses without the names of both parties (BT-27, BT-44). What the norm wants and no ledger holds is
named by `lacking`, so that whoever exports can add it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn

from pseudoledger.contract.book import Book
from pseudoledger.contract.things import Invoice, Lease, TermsInForce
from pseudoledger.errors import Finding, MalformedError
from pseudoledger.market.ubl.names import Details, PartyDetails
from pseudoledger.statement.kinds.billing import CreditIssued, InvoiceIssued, InvoiceLine, TaxSubtotal
from pseudoledger.statement.kinds.lease import Terms
from pseudoledger.statement.values import format_instant

Part = Literal["usage", "once", "early_end", "commission", "credit"]
SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A billing statement where it stands on the ledger, and what its disclosures open."""

    id: str
    index: int
    time: int
    """Block time, Unix seconds: when it was issued (BT-2)."""
    payload: InvoiceIssued | CreditIssued
    opened: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The ledger, as a document names it."""

    origin: str
    ledger: str
    simulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyOn:
    """A party as the document names it."""

    did: str
    name: str
    details: PartyDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperLine:
    """One line: for usage, unit-seconds at a price per 3600 of them, which is exact; else one of a part."""

    id: str
    part: Part
    resource: str
    """What was used, by the chip table or the kind of resource; "" where no lease line is billed."""
    count: int
    """Units leased; 0 where no lease line is billed."""
    quantity: int
    base_quantity: int
    price_micro: int
    net_minor: int
    category: str
    rate_bps: int
    reports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The document that this one replaces or credits (BG-3)."""

    number: str
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """All that is printed of an invoice or credit note."""

    kind: Literal["invoice", "credit"]
    place: Place
    id: str
    index: int
    number: str
    issued: str
    due: str | None
    first_day: str | None
    last_day: str | None
    currency: str
    exponent: int
    seller: PartyOn
    buyer: PartyOn
    buyer_reference: str | None
    remark: str | None
    reason: str | None
    contract: str
    earlier: Earlier | None
    means_code: str
    account: str | None
    exemption_reason: str | None
    lines: tuple[PaperLine, ...]
    subtotals: tuple[TaxSubtotal, ...]
    net_minor: int
    tax_minor: int
    total_minor: int
    prepaid_minor: int

    @property
    def payable_minor(self) -> int:
        """What is left to pay (BT-115)."""
        return self.total_minor - self.prepaid_minor


def prepaid_minor(_invoice: Invoice) -> int:
    """Return what of an invoice was paid in advance (BT-113): what vouchers met of it.

    Payments declared later are no part of the document.
    """
    return 0


def paper_of_invoice(
    book: Book,
    said: Sealed,
    *,
    place: Place,
    exponents: Mapping[str, int],
    terms_opened: Mapping[str, str],
    details: Details,
    replaced: Earlier | None = None,
) -> Paper:
    """Draw up an invoice; raise MalformedError, saying which disclosures to get, without both names."""
    payload, invoice = said.payload, _invoice(book, said.id)
    assert isinstance(payload, InvoiceIssued), "an invoice of the book was issued as one"
    if invoice.state == "cancelled":
        raise MalformedError(
            f"invoice {invoice.number} was cancelled",
            code="ubl.cancelled",
            hint="export the one that replaces it",
        )
    seller, buyer = _parties(book, said, invoice, terms_opened, details)
    terms = _terms(book, invoice)
    return Paper(
        kind="invoice",
        place=place,
        id=said.id,
        index=said.index,
        number=payload.number,
        issued=_day(said.time),
        due=payload.due_date,
        first_day=_day(payload.period.start_seconds),
        last_day=_day(payload.period.until_seconds - 1),
        currency=payload.currency,
        exponent=exponents[payload.currency],
        seller=seller,
        buyer=buyer,
        buyer_reference=payload.buyer_reference or said.opened.get("/buyer_reference"),
        remark=payload.remark or said.opened.get("/remark"),
        reason=None,
        contract=invoice.contract,
        earlier=replaced,
        means_code=payload.payment_means.code,
        account=_account(payload, said.opened, terms, terms_opened) or seller.details.account,
        exemption_reason=details.exemption_reason,
        lines=tuple(_line(line, terms) for line in payload.lines),
        subtotals=payload.tax_subtotals,
        net_minor=payload.net_minor,
        tax_minor=payload.tax_minor,
        total_minor=payload.total_minor,
        prepaid_minor=prepaid_minor(invoice),
    )


def paper_of_credit(
    book: Book,
    said: Sealed,
    credited: Sealed,
    *,
    place: Place,
    exponents: Mapping[str, int],
    terms_opened: Mapping[str, str],
    details: Details,
) -> Paper:
    """Draw up a credit note over the invoice that it credits, which has the names."""
    payload, invoice = said.payload, _invoice(book, credited.id)
    assert isinstance(payload, CreditIssued), "the caller found a credit note"
    assert isinstance(credited.payload, InvoiceIssued), "an invoice of the book was issued as one"
    seller, buyer = _parties(book, credited, invoice, terms_opened, details)
    terms, billed = _terms(book, invoice), {line.id: line for line in credited.payload.lines}
    micro = 10 ** (6 - exponents[payload.currency])
    lines = []
    for line in payload.lines:
        of = billed[line.invoice_line]
        resource, count = _leased(of, terms)
        lines.append(
            PaperLine(
                id=line.invoice_line,
                part="credit",
                resource=resource,
                count=count,
                quantity=1,
                base_quantity=1,
                price_micro=line.net_minor * micro,
                net_minor=line.net_minor,
                category=of.tax.category,
                rate_bps=of.tax.rate_bps,
                reports=(),
            )
        )
    return Paper(
        kind="credit",
        place=place,
        id=said.id,
        index=said.index,
        number=payload.number,
        issued=_day(said.time),
        due=None,
        first_day=None,
        last_day=None,
        currency=payload.currency,
        exponent=exponents[payload.currency],
        seller=seller,
        buyer=buyer,
        buyer_reference=credited.payload.buyer_reference or credited.opened.get("/buyer_reference"),
        remark=payload.remark or said.opened.get("/remark"),
        reason=payload.reason,
        contract=invoice.contract,
        earlier=Earlier(number=credited.payload.number, time=credited.time),
        means_code=credited.payload.payment_means.code,
        account=None,
        exemption_reason=details.exemption_reason,
        lines=tuple(lines),
        subtotals=payload.tax_subtotals,
        net_minor=payload.net_minor,
        tax_minor=payload.tax_minor,
        total_minor=payload.total_minor,
        prepaid_minor=0,
    )


def lacking(paper: Paper) -> tuple[str, ...]:
    """Name what EN 16931 wants of this document and nobody has said: no ledger holds it."""
    categories = {subtotal.category for subtotal in paper.subtotals}
    found = []
    for role, party, country in (("seller", paper.seller, "BT-40"), ("buyer", paper.buyer, "BT-55")):
        if party.details.country is None:
            found.append(f"{country} country of the {role}")
    if categories - {"O"} and paper.seller.details.vat is None:
        found.append("BT-31 VAT identifier of the seller")
    if categories & {"AE", "K"} and paper.buyer.details.vat is None:
        found.append("BT-48 VAT identifier of the buyer")
    if paper.means_code in {"30", "58"} and paper.account is None and paper.kind == "invoice":
        found.append("BT-84 account to pay to, sealed in invoice and terms")
    if paper.exponent > 2:
        found.append(f"two decimals: {paper.currency} has {paper.exponent}")
    return tuple(found)


# Parties


def _parties(
    book: Book, said: Sealed, invoice: Invoice, terms_opened: Mapping[str, str], details: Details
) -> tuple[PartyOn, PartyOn]:
    payload, terms = said.payload, _terms(book, invoice)
    assert isinstance(payload, InvoiceIssued), "the names stand in the invoice"
    from_terms = _names_in_terms(book, invoice, terms, terms_opened)
    seller = payload.seller_name or said.opened.get("/seller_name") or from_terms.get(invoice.issuer)
    buyer = payload.buyer_name or said.opened.get("/buyer_name") or from_terms.get(invoice.payer)
    if seller is None or buyer is None:
        _refuse(book, said, invoice, seller_known=seller is not None, buyer_known=buyer is not None)
    return (
        PartyOn(did=invoice.issuer, name=seller, details=details.of(invoice.issuer)),
        PartyOn(did=invoice.payer, name=buyer, details=details.of(invoice.payer)),
    )


def _names_in_terms(book: Book, invoice: Invoice, terms: Terms, opened: Mapping[str, str]) -> dict[str, str]:
    """Return the names that the terms give the parties of the invoice; a broker has none there."""
    lease = _lease(book, invoice)
    named = {
        lease.lessor: terms.lessor_name or opened.get("/terms/lessor_name"),
        lease.lessee: terms.lessee_name or opened.get("/terms/lessee_name"),
    }
    return {did: name for did, name in named.items() if name is not None}


def _refuse(book: Book, said: Sealed, invoice: Invoice, *, seller_known: bool, buyer_known: bool) -> NoReturn:
    lease = _lease(book, invoice)
    pointers = {lease.lessor: "/terms/lessor_name", lease.lessee: "/terms/lessee_name"}
    wanted = (
        ("seller", "BT-27", "/seller_name", invoice.issuer, seller_known),
        ("buyer", "BT-44", "/buyer_name", invoice.payer, buyer_known),
    )
    findings = []
    for role, term, pointer, did, known in wanted:
        if not known:
            other = f", or of {pointers[did]} of terms {invoice.contract}" if did in pointers else ""
            findings.append(
                Finding(
                    code="ubl.name_not_disclosed",
                    message=f"the name of the {role} ({term}) is not disclosed: get the disclosure of"
                    f" {pointer} of invoice {said.id}{other}",
                )
            )
    raise MalformedError(
        findings[0].message,
        code=findings[0].code,
        findings=findings,
        hint="whoever signed the statement holds its disclosures; give their files as --disclosures FILE",
    )


def _account(
    payload: InvoiceIssued, opened: Mapping[str, str], terms: Terms, terms_opened: Mapping[str, str]
) -> str | None:
    """Return where to pay to (BT-84): the invoice's own, or that of the same means in the terms."""
    means = payload.payment_means
    own = means.account or means.bank_account or opened.get("/payment_means/bank_account")
    if own is not None:
        return own
    for place, agreed in enumerate(terms.payment_means):
        if agreed.code == means.code:
            sealed = terms_opened.get(f"/terms/payment_means/{place}/bank_account")
            return agreed.account or agreed.bank_account or sealed
    return None


# Lines


def _line(line: InvoiceLine, terms: Terms) -> PaperLine:
    resource, count = _leased(line, terms)
    used = line.reports is not None
    return PaperLine(
        id=line.id,
        part=line.part or "usage",
        resource=resource,
        count=count,
        quantity=line.quantity,
        base_quantity=SECONDS_PER_HOUR if used else 1,
        price_micro=line.price_micro,
        net_minor=line.net_minor,
        category=line.tax.category,
        rate_bps=line.tax.rate_bps,
        reports=line.reports or (),
    )


def _leased(line: InvoiceLine, terms: Terms) -> tuple[str, int]:
    leased = next((item for item in terms.lines if item.id == line.lease_line), None)
    return ("", 0) if leased is None else (leased.chip or leased.resource, leased.count)


# The book


def _invoice(book: Book, invoice_id: str) -> Invoice:
    invoice = book.get(Invoice, invoice_id)
    if invoice is None:
        raise MalformedError(f"no invoice {invoice_id} is on this ledger", code="invoice.unknown")
    return invoice


def _lease(book: Book, invoice: Invoice) -> Lease:
    lease = book.get(Lease, invoice.lease)
    assert lease is not None, "an invoice names only leases that the book holds"
    return lease


def _terms(book: Book, invoice: Invoice) -> Terms:
    terms = book.get(TermsInForce, invoice.contract)
    assert terms is not None, "an invoice names only terms that the book holds"
    return terms.payload


def _day(seconds: int) -> str:
    return format_instant(seconds)[:10]
