"""A drawn-up invoice or credit note as UBL 2.1 under EN 16931.

Usage is billed in seconds at a price for 3600 of them, because hours of a few seconds are no exact decimal:
so quantity, price and net amount hold to the minor unit. The statement that the document was made from is
named as a supporting document (BG-24), and each usage report as a property of its line (BG-32).
"""

from __future__ import annotations

from types import MappingProxyType

from lxml import etree

from pseudoledger.market.ubl.document import CAC, CBC, CREDIT_NOTE, INVOICE
from pseudoledger.market.ubl.paper import Paper, PaperLine, PartyOn
from pseudoledger.statement.kinds.billing import TaxSubtotal
from pseudoledger.statement.values import format_instant

NORM = "urn:cen.eu:en16931:2017"
"""Identifier of the specification (BT-24): the norm itself, no profile of it."""
_INVOICE_TYPE, _CREDIT_TYPE = "380", "381"

EXEMPTIONS: MappingProxyType[str, tuple[str, str]] = MappingProxyType(
    {
        "E": ("", "Exempt from tax"),
        "AE": ("VATEX-EU-AE", "Reverse charge"),
        "K": ("VATEX-EU-IC", "Intra-community supply"),
        "G": ("VATEX-EU-G", "Export outside the EU"),
        "O": ("VATEX-EU-O", "Not subject to VAT"),
    }
)
"""Code and words of why a category has no tax (BT-121, BT-120)."""


def to_ubl(paper: Paper) -> bytes:
    """Return the UBL document."""
    credit = paper.kind == "credit"
    namespace = CREDIT_NOTE if credit else INVOICE
    root = etree.Element(
        etree.QName(namespace, "CreditNote" if credit else "Invoice"),
        nsmap={None: namespace, "cac": CAC, "cbc": CBC},
    )
    _head(root, paper)
    _party(_cac(root, "AccountingSupplierParty"), paper.seller, paper)
    _party(_cac(root, "AccountingCustomerParty"), paper.buyer, paper)
    _payment(root, paper)
    tax = _cac(root, "TaxTotal")
    _money(tax, "TaxAmount", paper.tax_minor, paper)
    for subtotal in paper.subtotals:
        _subtotal(_cac(tax, "TaxSubtotal"), subtotal, paper)
    _totals(_cac(root, "LegalMonetaryTotal"), paper)
    for line in paper.lines:
        _line(_cac(root, "CreditNoteLine" if credit else "InvoiceLine"), line, paper)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _head(root: etree._Element, paper: Paper) -> None:
    credit = paper.kind == "credit"
    _cbc(root, "CustomizationID", NORM)
    _cbc(root, "ID", paper.number)
    _cbc(root, "IssueDate", paper.issued)
    if paper.due is not None:
        _cbc(root, "DueDate", paper.due)
    if credit:
        _cbc(root, "CreditNoteTypeCode", _CREDIT_TYPE)
    else:
        _cbc(root, "InvoiceTypeCode", _INVOICE_TYPE)
    if notes := _notes(paper):
        _cbc(root, "Note", " ".join(notes))
    _cbc(root, "DocumentCurrencyCode", paper.currency)
    if paper.buyer_reference is not None:
        _cbc(root, "BuyerReference", paper.buyer_reference)
    if paper.first_day is not None and paper.last_day is not None:
        period = _cac(root, "InvoicePeriod")
        _cbc(period, "StartDate", paper.first_day)
        _cbc(period, "EndDate", paper.last_day)
    if paper.earlier is not None:
        reference = _cac(_cac(root, "BillingReference"), "InvoiceDocumentReference")
        _cbc(reference, "ID", paper.earlier.number)
        _cbc(reference, "IssueDate", format_instant(paper.earlier.time)[:10])
    _cbc(_cac(root, "ContractDocumentReference"), "ID", paper.contract)
    statement = _cac(root, "AdditionalDocumentReference")
    _cbc(statement, "ID", paper.id)
    _cbc(statement, "DocumentDescription", f"Entry {paper.index} of the ledger {paper.place.origin}")


def _notes(paper: Paper) -> list[str]:
    notes = [paper.remark] if paper.remark is not None else []
    if paper.place.simulated:
        notes.append("The clock of the ledger is simulated: its times prove nothing.")
    return notes


def _party(parent: etree._Element, party: PartyOn, paper: Paper) -> None:
    said, outside = party.details, any(item.category == "O" for item in paper.subtotals)
    found = _cac(parent, "Party")
    if said.endpoint is not None:
        scheme = {} if said.endpoint_scheme is None else {"schemeID": said.endpoint_scheme}
        _cbc(found, "EndpointID", said.endpoint, **scheme)
    _cbc(_cac(found, "PartyIdentification"), "ID", party.did)
    address = _cac(found, "PostalAddress")
    parts = (("StreetName", said.street), ("CityName", said.city), ("PostalZone", said.postal_code))
    for name, text in parts:
        if text is not None:
            _cbc(address, name, text)
    if said.country is not None:
        _cbc(_cac(address, "Country"), "IdentificationCode", said.country)
    # What is outside the scope of VAT names no VAT identifiers (BR-O-02).
    if said.vat is not None and not outside:
        scheme_of = _cac(found, "PartyTaxScheme")
        _cbc(scheme_of, "CompanyID", said.vat)
        _vat(scheme_of)
    entity = _cac(found, "PartyLegalEntity")
    _cbc(entity, "RegistrationName", party.name)
    if said.registration is not None:
        _cbc(entity, "CompanyID", said.registration)


def _payment(root: etree._Element, paper: Paper) -> None:
    if paper.kind == "credit":
        earlier = "" if paper.earlier is None else f" under invoice {paper.earlier.number}"
        note = f"Lowers what is due{earlier}; what was paid beyond that is refunded."
        _cbc(_cac(root, "PaymentTerms"), "Note", note)
        return
    means = _cac(root, "PaymentMeans")
    _cbc(means, "PaymentMeansCode", paper.means_code)
    _cbc(means, "PaymentID", paper.number)
    if paper.account is not None:
        _cbc(_cac(means, "PayeeFinancialAccount"), "ID", paper.account)


def _subtotal(parent: etree._Element, subtotal: TaxSubtotal, paper: Paper) -> None:
    _money(parent, "TaxableAmount", subtotal.taxable_minor, paper)
    _money(parent, "TaxAmount", subtotal.tax_minor, paper)
    category = _cac(parent, "TaxCategory")
    _rate(category, subtotal.category, subtotal.rate_bps)
    if subtotal.category in EXEMPTIONS:
        code, words = EXEMPTIONS[subtotal.category]
        if code:
            _cbc(category, "TaxExemptionReasonCode", code)
        _cbc(category, "TaxExemptionReason", paper.exemption_reason or words)
    _vat(category)


def _totals(parent: etree._Element, paper: Paper) -> None:
    _money(parent, "LineExtensionAmount", paper.net_minor, paper)
    _money(parent, "TaxExclusiveAmount", paper.net_minor, paper)
    _money(parent, "TaxInclusiveAmount", paper.total_minor, paper)
    if paper.prepaid_minor:
        _money(parent, "PrepaidAmount", paper.prepaid_minor, paper)
    _money(parent, "PayableAmount", paper.payable_minor, paper)


def _line(parent: etree._Element, line: PaperLine, paper: Paper) -> None:
    unit = "SEC" if line.part == "usage" else "C62"
    _cbc(parent, "ID", line.id)
    quantity = "CreditedQuantity" if paper.kind == "credit" else "InvoicedQuantity"
    _cbc(parent, quantity, str(line.quantity), unitCode=unit)
    _money(parent, "LineExtensionAmount", line.net_minor, paper)
    item = _cac(parent, "Item")
    _cbc(item, "Name", item_name(line, paper))
    category = _cac(item, "ClassifiedTaxCategory")
    _rate(category, line.category, line.rate_bps)
    _vat(category)
    for report in line.reports:
        named = _cac(item, "AdditionalItemProperty")
        _cbc(named, "Name", "usage report")
        _cbc(named, "Value", report)
    price = _cac(parent, "Price")
    _cbc(price, "PriceAmount", micro_decimal(line.price_micro), currencyID=paper.currency)
    _cbc(price, "BaseQuantity", str(line.base_quantity), unitCode=unit)


def item_name(line: PaperLine, paper: Paper) -> str:
    """Return what a line is for, in words (BT-153)."""
    match line.part:
        case "usage":
            return f"Use of {line.count} x {line.resource}, in seconds of one unit"
        case "once":
            return f"Fee at delivery of {line.count} x {line.resource}"
        case "early_end":
            return "Fee for ending the lease early"
        case "commission":
            return "Commission"
        case "credit":
            earlier = "" if paper.earlier is None else f" of invoice {paper.earlier.number}"
            return f"Credit on line {line.id}{earlier}"


def decimal_of(minor: int, exponent: int) -> str:
    """Write minor units as a decimal of the major unit."""
    whole, rest = divmod(abs(minor), 10**exponent)
    return f"{'-' if minor < 0 else ''}{whole}{f'.{rest:0{exponent}}' if exponent else ''}"


def micro_decimal(micro: int) -> str:
    """Write millionths as a decimal, with at least two places."""
    whole, rest = divmod(micro, 1_000_000)
    return f"{whole}.{f'{rest:06}'.rstrip('0').ljust(2, '0')}"


def percent(bps: int) -> str:
    """Write a rate in percent without needless zeros."""
    whole, rest = divmod(bps, 100)
    return f"{whole}.{rest:02}".rstrip("0").rstrip(".")


def _rate(category: etree._Element, code: str, bps: int) -> None:
    _cbc(category, "ID", code)
    if code != "O":
        _cbc(category, "Percent", percent(bps))


def _vat(parent: etree._Element) -> None:
    _cbc(_cac(parent, "TaxScheme"), "ID", "VAT")


def _money(parent: etree._Element, name: str, minor: int, paper: Paper) -> None:
    _cbc(parent, name, decimal_of(minor, paper.exponent), currencyID=paper.currency)


def _cac(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, etree.QName(CAC, name))


def _cbc(parent: etree._Element, name: str, text: str, **attributes: str) -> None:
    etree.SubElement(parent, etree.QName(CBC, name), attributes).text = text
