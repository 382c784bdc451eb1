"""A UBL 2.1 invoice or credit note as the values that its sums are made of, read from untrusted bytes.

Nothing is fetched or expanded: UTF-8 alone, no document type declaration, no entities, no network, a bounded
size. Amounts are exact fractions. Elements of the sums that stand twice where one belongs refuse the file, so
that no two readers see two totals. What has nothing to do with sums is left to the published schema.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from lxml import etree

from pseudoledger.errors import MalformedError

FILE_BYTES_MAX = 16 * 1024 * 1024
"""Largest document that is read."""
INVOICE = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
CREDIT_NOTE = "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"
CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"

Kind = Literal["Invoice", "CreditNote"]

_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})", re.ASCII)
_ENCODING = re.compile(r"""<\?xml[^>]*encoding\s*=\s*["']([^"']*)["']""")
_NAMESPACES = {"cac": CAC, "cbc": CBC}


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """One amount of money, where it stands, and in which currency."""

    where: str
    value: Fraction
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A tax category and its rate in percent; none where the category has no rate."""

    code: str
    percent: Fraction | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """An allowance (lowers) or a charge (raises), of a document, a line or a price."""

    where: str
    charge: bool
    amount: Amount
    base: Amount | None
    percent: Fraction | None
    category: Category | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line (BG-25): net = quantity x price / base quantity, less allowances, with charges."""

    where: str
    net: Amount | None
    quantity: Fraction | None
    price: Amount | None
    base_quantity: Fraction
    price_allowance: Allowance | None
    allowances: tuple[Allowance, ...]
    category: Category | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtotal:
    """The tax of one category and rate (BG-23)."""

    where: str
    taxable: Amount | None
    tax: Amount | None
    category: Category | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxTotal:
    """Tax in one currency: that of the document with its subtotals, or that of the accounts without."""

    where: str
    amount: Amount
    subtotals: tuple[Subtotal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The totals of the document (BG-22)."""

    where: str
    lines: Amount | None
    exclusive: Amount | None
    inclusive: Amount | None
    allowances: Amount | None
    charges: Amount | None
    prepaid: Amount | None
    rounding: Amount | None
    payable: Amount | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What the sums of an invoice or credit note are made of."""

    kind: Kind
    number: str
    currency: str
    tax_currency: str | None
    lines: tuple[Line, ...]
    allowances: tuple[Allowance, ...]
    tax_totals: tuple[TaxTotal, ...]
    totals: Totals
    amounts: tuple[Amount, ...]
    """Every amount of money in the document, those of no sum included."""

    @property
    def subtotals(self) -> tuple[Subtotal, ...]:
        """The breakdown of the tax in the currency of the document."""
        return tuple(item for total in self.tax_totals for item in total.subtotals)

    @property
    def tax(self) -> Amount | None:
        """The tax in the currency of the document (BT-110)."""
        found = [total.amount for total in self.tax_totals if total.amount.currency == self.currency]
        return found[0] if found else None


def read(raw: bytes) -> Document:
    """Read a UBL 2.1 invoice or credit note; raise MalformedError if it is none or may not be trusted."""
    root = _parsed(raw)
    name = etree.QName(root)
    if (name.namespace, name.localname) == (INVOICE, "Invoice"):
        return _Reader(root, "Invoice").document()
    if (name.namespace, name.localname) == (CREDIT_NOTE, "CreditNote"):
        return _Reader(root, "CreditNote").document()
    raise _malformed(f"the root is {name.localname[:80]!r}, not an Invoice or CreditNote of UBL 2.1")


def _parsed(raw: bytes) -> etree._Element:
    if len(raw) > FILE_BYTES_MAX:
        raise _malformed(f"a document has at most {FILE_BYTES_MAX} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _malformed(f"not UTF-8: {error.reason} at byte {error.start}") from None
    said = _ENCODING.match(text)
    if said is not None and said[1].lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise _malformed(f"encoded as {said[1][:40]!r}: convert it to UTF-8")
    if "<!DOCTYPE" in text:
        raise _malformed("a document type declaration is refused: it could name entities and files")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    try:
        return etree.fromstring(raw, parser)
    except etree.XMLSyntaxError as error:
        raise _malformed(f"not well-formed XML: {error.msg}") from None


def _malformed(message: str, where: str = "") -> MalformedError:
    return MalformedError(message, code="ubl.form", field=where)


class _Reader:
    """Reads one document; knows where each of its elements stands."""

    def __init__(self, root: etree._Element, kind: Kind) -> None:
        self._root, self._kind = root, kind
        self._ordinals = dict(_ordinals(root))

    def document(self) -> Document:
        root = self._root
        return Document(
            kind=self._kind,
            number=self._text(root, "cbc:ID") or "",
            currency=self._text(root, "cbc:DocumentCurrencyCode") or "",
            tax_currency=self._text(root, "cbc:TaxCurrencyCode"),
            lines=tuple(self._line(found) for found in _all(root, f"cac:{self._kind}Line")),
            allowances=self._allowances(root),
            tax_totals=tuple(self._tax_total(found) for found in _all(root, "cac:TaxTotal")),
            totals=self._totals(),
            amounts=tuple(
                self._read_amount(found) for found in root.iter(f"{{{CBC}}}*") if "currencyID" in found.attrib
            ),
        )

    def _line(self, found: etree._Element) -> Line:
        price, item = self._one(found, "cac:Price"), self._one(found, "cac:Item")
        quantity = "cbc:InvoicedQuantity" if self._kind == "Invoice" else "cbc:CreditedQuantity"
        base = None if price is None else self._number(price, "cbc:BaseQuantity")
        lowered = () if price is None else self._allowances(price)
        if len(lowered) > 1:
            raise _malformed("a price has one allowance at most", lowered[1].where)
        return Line(
            where=self._path(found),
            net=self._amount(found, "cbc:LineExtensionAmount"),
            quantity=self._number(found, quantity),
            price=None if price is None else self._amount(price, "cbc:PriceAmount"),
            base_quantity=Fraction(1) if base is None else base,
            price_allowance=lowered[0] if lowered else None,
            allowances=self._allowances(found),
            category=None if item is None else self._category(item, "cac:ClassifiedTaxCategory"),
        )

    def _allowances(self, parent: etree._Element) -> tuple[Allowance, ...]:
        return tuple(self._allowance(found) for found in _all(parent, "cac:AllowanceCharge"))

    def _allowance(self, found: etree._Element) -> Allowance:
        charge = self._text(found, "cbc:ChargeIndicator")
        amount = self._amount(found, "cbc:Amount")
        if charge not in {"true", "false", "1", "0"} or amount is None:
            raise _malformed("an allowance or charge says which it is, and its amount", self._path(found))
        return Allowance(
            where=self._path(found),
            charge=charge in {"true", "1"},
            amount=amount,
            base=self._amount(found, "cbc:BaseAmount"),
            percent=self._number(found, "cbc:MultiplierFactorNumeric"),
            category=self._category(found, "cac:TaxCategory"),
        )

    def _tax_total(self, found: etree._Element) -> TaxTotal:
        amount = self._amount(found, "cbc:TaxAmount")
        if amount is None:
            raise _malformed("a tax total has an amount", self._path(found))
        subtotals = tuple(
            Subtotal(
                where=self._path(item),
                taxable=self._amount(item, "cbc:TaxableAmount"),
                tax=self._amount(item, "cbc:TaxAmount"),
                category=self._category(item, "cac:TaxCategory"),
            )
            for item in _all(found, "cac:TaxSubtotal")
        )
        return TaxTotal(where=self._path(found), amount=amount, subtotals=subtotals)

    def _totals(self) -> Totals:
        found = self._one(self._root, "cac:LegalMonetaryTotal")
        if found is None:
            raise _malformed("the document has no LegalMonetaryTotal (BG-22)")
        return Totals(
            where=self._path(found),
            lines=self._amount(found, "cbc:LineExtensionAmount"),
            exclusive=self._amount(found, "cbc:TaxExclusiveAmount"),
            inclusive=self._amount(found, "cbc:TaxInclusiveAmount"),
            allowances=self._amount(found, "cbc:AllowanceTotalAmount"),
            charges=self._amount(found, "cbc:ChargeTotalAmount"),
            prepaid=self._amount(found, "cbc:PrepaidAmount"),
            rounding=self._amount(found, "cbc:PayableRoundingAmount"),
            payable=self._amount(found, "cbc:PayableAmount"),
        )

    def _category(self, parent: etree._Element, name: str) -> Category | None:
        found = self._one(parent, name)
        if found is None:
            return None
        return Category(code=self._text(found, "cbc:ID") or "", percent=self._number(found, "cbc:Percent"))

    # Single elements

    def _one(self, parent: etree._Element, name: str) -> etree._Element | None:
        found = _all(parent, name)
        if len(found) > 1:
            raise _malformed(f"{name} stands {len(found)} times where one belongs", self._path(parent))
        return found[0] if found else None

    def _text(self, parent: etree._Element, name: str) -> str | None:
        found = self._one(parent, name)
        return None if found is None else self._said(found)

    def _said(self, found: etree._Element) -> str:
        if len(found):
            raise _malformed("text is wanted here, not elements", self._path(found))
        return (found.text or "").strip()

    def _number(self, parent: etree._Element, name: str) -> Fraction | None:
        found = self._one(parent, name)
        return None if found is None else self._decimal(found)

    def _decimal(self, found: etree._Element) -> Fraction:
        text = self._said(found)
        if _DECIMAL.fullmatch(text) is None:
            raise _malformed(f"{text[:40]!r} is no decimal number of at most 30 digits", self._path(found))
        return Fraction(text)

    def _amount(self, parent: etree._Element, name: str) -> Amount | None:
        found = self._one(parent, name)
        return None if found is None else self._read_amount(found)

    def _read_amount(self, found: etree._Element) -> Amount:
        currency = str(found.get("currencyID", ""))
        return Amount(where=self._path(found), value=self._decimal(found), currency=currency)

    def _path(self, found: etree._Element) -> str:
        """Return where an element stands, as names from the root, numbered where several are called so."""
        names: list[str] = []
        at: etree._Element | None = found
        while at is not None:
            ordinal = self._ordinals.get(at)
            names.append(f"{etree.QName(at).localname}{f'[{ordinal}]' if ordinal else ''}")
            at = at.getparent()
        return "/" + "/".join(reversed(names))


def _all(parent: etree._Element, name: str) -> list[etree._Element]:
    return list(parent.findall(name, _NAMESPACES))


def _ordinals(root: etree._Element) -> Iterator[tuple[etree._Element, int]]:
    """Yield the elements that share their name with a sibling, with their number among those."""
    for parent in root.iter(etree.Element):
        alike = Counter(child.tag for child in parent)
        counted = Counter[str]()
        for child in parent:
            counted[child.tag] += 1
            if alike[child.tag] > 1:
                yield child, counted[child.tag]
