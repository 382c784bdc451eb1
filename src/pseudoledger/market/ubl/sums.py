"""What an invoice or credit note adds up to: the sum rules of EN 16931, over any UBL document.

Each rule is a small function of a Document that yields findings under the code of the norm (BR-…), or of
Peppol BIS Billing 3.0 where only that has the rule. Amounts are compared exactly; where the norm rounds, an
amount may be half a minor unit from the exact one. The tax of a credit note may be less than a whole minor unit
away, because parts of an invoice, credited one after the other, give back what one credit note would.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from pseudoledger.errors import Finding
from pseudoledger.market.ubl.document import Allowance, Amount, Category, Document, Subtotal

DECIMALS = 2
"""Decimals of a currency that no table names, and the most that EN 16931 allows."""

FAMILIES: MappingProxyType[str, str] = MappingProxyType(
    {
        "S": "BR-S",
        "Z": "BR-Z",
        "E": "BR-E",
        "AE": "BR-AE",
        "K": "BR-IC",
        "G": "BR-G",
        "O": "BR-O",
        "L": "BR-AF",
        "M": "BR-AG",
        "B": "BR-B",
    }
)
"""Tax categories (UNCL 5305, as EN 16931 lists them) and how their rules are called."""
_RATED = frozenset({"S", "L", "M", "B"})
"""Categories whose lines are summed by rate; all others have no tax."""

Findings = Iterator[Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A document, and how many decimals its currency has."""

    document: Document
    decimals: int

    @property
    def half_minor(self) -> Fraction:
        return Fraction(1, 2 * 10**self.decimals)


def check_sums(document: Document, exponents: Mapping[str, int]) -> tuple[Finding, ...]:
    """Return everything that does not add up; `exponents` holds the decimals of each currency."""
    case = _Case(document=document, decimals=exponents.get(document.currency, DECIMALS))
    return tuple(finding for rule in RULES for finding in rule(case))


# Totals of the document


def totals_are_there(case: _Case) -> Findings:
    """The four totals that every document has."""
    totals = case.document.totals
    needed = (
        ("BR-12", "LineExtensionAmount", totals.lines),
        ("BR-13", "TaxExclusiveAmount", totals.exclusive),
        ("BR-14", "TaxInclusiveAmount", totals.inclusive),
        ("BR-15", "PayableAmount", totals.payable),
    )
    for code, name, amount in needed:
        if amount is None:
            yield Finding(code=code, message=f"the document has no {name}", field=totals.where)


def line_total(case: _Case) -> Findings:
    """The sum of the lines."""
    yield from _is(
        "BR-CO-10",
        case.document.totals.lines,
        _sum(line.net for line in case.document.lines),
        "the lines make",
    )


def allowance_total(case: _Case) -> Findings:
    """The sum of the document's allowances."""
    yield from _sum_of_allowances(case, "BR-CO-11", case.document.totals.allowances, charge=False)


def charge_total(case: _Case) -> Findings:
    """The sum of the document's charges."""
    yield from _sum_of_allowances(case, "BR-CO-12", case.document.totals.charges, charge=True)


def _sum_of_allowances(case: _Case, code: str, total: Amount | None, *, charge: bool) -> Findings:
    found = [item for item in case.document.allowances if item.charge is charge]
    if total is None and found:
        yield Finding(code=code, message="the total of these is missing", field=found[0].where)
    yield from _is(code, total, _sum(item.amount for item in found), "they make")


def exclusive_total(case: _Case) -> Findings:
    """Lines, less allowances, with charges."""
    totals = case.document.totals
    exact = _value(totals.lines) - _value(totals.allowances) + _value(totals.charges)
    yield from _is("BR-CO-13", totals.exclusive, exact, "lines, allowances and charges make")


def tax_total(case: _Case) -> Findings:
    """The tax in the document's currency is the sum of its breakdown."""
    exact = _sum(item.tax for item in case.document.subtotals)
    yield from _is("BR-CO-14", case.document.tax, exact, "the breakdown makes")


def inclusive_total(case: _Case) -> Findings:
    """Without tax, and the tax."""
    totals = case.document.totals
    exact = _value(totals.exclusive) + _value(case.document.tax)
    yield from _is("BR-CO-15", totals.inclusive, exact, "the total without tax and the tax make")


def payable(case: _Case) -> Findings:
    """With tax, less what was prepaid, and the rounding."""
    totals = case.document.totals
    exact = _value(totals.inclusive) - _value(totals.prepaid) + _value(totals.rounding)
    yield from _is("BR-CO-16", totals.payable, exact, "the total with tax, less what was prepaid, makes")


def one_tax_total(case: _Case) -> Findings:
    """One tax total with a breakdown, and at most one more in the currency of the accounts (BT-111)."""
    document = case.document
    if not document.subtotals:
        yield Finding(code="BR-CO-18", message="the document has no tax breakdown", field="/" + document.kind)
    seen: set[str] = set()
    for total in document.tax_totals:
        currency = total.amount.currency
        if currency in seen or (total.subtotals and currency != document.currency):
            yield Finding(
                code="PEPPOL-EN16931-R053", message="one tax total has the breakdown", field=total.where
            )
        seen.add(currency)
    if document.tax_currency not in seen | {None}:
        yield Finding(
            code="BR-53",
            message=f"the total tax in {document.tax_currency} is missing",
            field="/" + document.kind,
        )


# Amounts


def one_currency(case: _Case) -> Findings:
    """Every amount is in the document's currency, but for the tax in the currency of the accounts."""
    document = case.document
    elsewhere = {
        total.amount.where
        for total in document.tax_totals
        if not total.subtotals and total.amount.currency == document.tax_currency
    }
    for amount in document.amounts:
        if amount.currency != document.currency and amount.where not in elsewhere:
            yield Finding(
                code="PEPPOL-EN16931-R051",
                message=f"{amount.currency or 'no currency'} in a document of {document.currency or 'none'}",
                field=amount.where,
            )


def decimals_fit(case: _Case) -> Findings:
    """No amount has more than two decimals, or those of its currency where it has more; prices may."""
    places = max(DECIMALS, case.decimals)
    for amount in case.document.amounts:
        if not amount.where.endswith("/PriceAmount") and (amount.value * 10**places).denominator != 1:
            yield Finding(code="BR-DEC", message=f"more than {places} decimals", field=amount.where)


# Lines


def line_nets(case: _Case) -> Findings:
    """A line is quantity times price over the base quantity, less its allowances, with its charges."""
    for line in case.document.lines:
        if line.net is None:
            yield Finding(code="BR-24", message="the line has no net amount", field=line.where)
        elif line.base_quantity <= 0:
            yield Finding(
                code="PEPPOL-EN16931-R121", message="the base quantity is not above 0", field=line.where
            )
        elif line.quantity is not None and line.price is not None:
            exact = line.quantity * line.price.value / line.base_quantity + _less(line.allowances)
            if abs(line.net.value - exact) > case.half_minor:
                yield _other("PEPPOL-EN16931-R120", line.net, exact, "quantity and price make")


def allowances_hold(case: _Case) -> Findings:
    """An allowance or charge with a rate is that share of its base amount."""
    document = case.document
    of_lines = (item for line in document.lines for item in line.allowances)
    for item in (*document.allowances, *of_lines):
        if (item.base is None) != (item.percent is None):
            code = "PEPPOL-EN16931-R041" if item.base is None else "PEPPOL-EN16931-R042"
            yield Finding(
                code=code, message="a rate and its base amount stand together or not at all", field=item.where
            )
        elif item.base is not None and item.percent is not None:
            exact = item.base.value * item.percent / 100
            if abs(item.amount.value - exact) > case.half_minor:
                yield _other("PEPPOL-EN16931-R040", item.amount, exact, "rate and base amount make")


def prices_hold(case: _Case) -> Findings:
    """A price is its gross price less the discount."""
    for line in case.document.lines:
        lowered = line.price_allowance
        if lowered is None or lowered.base is None or line.price is None:
            continue
        if lowered.charge:
            yield Finding(code="PEPPOL-EN16931-R044", message="a price has no charges", field=lowered.where)
        yield from _is(
            "PEPPOL-EN16931-R046",
            line.price,
            lowered.base.value - lowered.amount.value,
            "gross price and discount make",
        )


# Tax by category and rate

_Key = tuple[str, Fraction | None]


def _key(category: Category) -> _Key:
    return (category.code, (category.percent or Fraction(0)) if category.code in _RATED else None)


def categories_are_known(case: _Case) -> Findings:
    """Every line, allowance and subtotal has a category of the norm, with a rate where it has one."""
    document = case.document
    places: list[tuple[str, str, Category | None]] = [
        *(("BR-CO-04", line.where, line.category) for line in document.lines),
        *(("BR-37" if item.charge else "BR-32", item.where, item.category) for item in document.allowances),
        *(("BR-47", item.where, item.category) for item in document.subtotals),
    ]
    for code, where, category in places:
        if category is None or not category.code:
            yield Finding(code=code, message="there is no tax category", field=where)
        elif category.code not in FAMILIES:
            yield Finding(code="BR-CL-17", message=f"{category.code[:20]!r} is no tax category", field=where)
        else:
            yield from _rate_fits(category, where)


def _rate_fits(category: Category, where: str) -> Findings:
    family, percent = FAMILIES[category.code], category.percent
    if category.code == "O":
        if percent is not None:
            yield Finding(code="BR-O-05", message="what is outside the scope of VAT has no rate", field=where)
    elif percent is None:
        yield Finding(code="BR-48", message="the category has no rate", field=where)
    elif category.code in {"S", "B"} and percent <= 0:
        yield Finding(code=f"{family}-05", message="the rate is not above 0", field=where)
    elif category.code not in _RATED and percent != 0:
        yield Finding(code=f"{family}-05", message="the rate is not 0", field=where)


def category_sums(case: _Case) -> Findings:
    """A subtotal is the sum of its category's lines, less allowances, with charges; by rate where rates differ."""
    document = case.document
    exact: dict[_Key, Fraction] = defaultdict(Fraction)
    for line in document.lines:
        if line.category is not None:
            exact[_key(line.category)] += _value(line.net)
    for item in document.allowances:
        if item.category is not None:
            exact[_key(item.category)] += item.amount.value if item.charge else -item.amount.value
    subtotals: dict[_Key, Subtotal] = {}
    for subtotal in document.subtotals:
        if subtotal.category is None or subtotal.category.code not in FAMILIES:
            continue
        key, family = _key(subtotal.category), FAMILIES[subtotal.category.code]
        if key in subtotals:
            yield Finding(
                code=f"{family}-01", message="the category and rate stand twice", field=subtotal.where
            )
        subtotals[key] = subtotal
        if subtotal.taxable is None:
            yield Finding(code="BR-45", message="there is no taxable amount", field=subtotal.where)
        yield from _is(f"{family}-08", subtotal.taxable, exact.get(key, Fraction(0)), "its lines make")
    for key in exact:
        if key not in subtotals and key[0] in FAMILIES:
            rate = "" if key[1] is None else f" at {_written(key[1])} %"
            yield Finding(
                code=f"{FAMILIES[key[0]]}-01",
                message=f"category {key[0]}{rate} has no subtotal",
                field="/" + document.kind,
            )


def category_tax(case: _Case) -> Findings:
    """The tax of a subtotal is its rate of the taxable amount, rounded; nothing where there is no rate."""
    credit = case.document.kind == "CreditNote"
    for subtotal in case.document.subtotals:
        category, tax = subtotal.category, subtotal.tax
        if tax is None:
            yield Finding(code="BR-46", message="there is no tax amount", field=subtotal.where)
        elif category is not None and category.code in FAMILIES and category.code not in _RATED:
            yield from _is(f"{FAMILIES[category.code]}-09", tax, Fraction(0), "the category has")
        elif category is not None:
            exact = _value(subtotal.taxable) * (category.percent or Fraction(0)) / 100
            off = abs(tax.value - exact)
            if off >= 2 * case.half_minor or (not credit and off > case.half_minor):
                yield _other("BR-CO-17", tax, exact, "rate and taxable amount make")


RULES: tuple[Callable[[_Case], Findings], ...] = (
    totals_are_there,
    line_total,
    allowance_total,
    charge_total,
    exclusive_total,
    tax_total,
    inclusive_total,
    payable,
    one_tax_total,
    one_currency,
    decimals_fit,
    line_nets,
    allowances_hold,
    prices_hold,
    categories_are_known,
    category_sums,
    category_tax,
)
"""Every rule, in the order in which findings are listed."""


# Arithmetic


def _value(amount: Amount | None) -> Fraction:
    return Fraction(0) if amount is None else amount.value


def _sum(amounts: Iterable[Amount | None]) -> Fraction:
    return sum((_value(amount) for amount in amounts), Fraction(0))


def _less(allowances: Iterable[Allowance]) -> Fraction:
    return sum((item.amount.value if item.charge else -item.amount.value for item in allowances), Fraction(0))


def _is(code: str, amount: Amount | None, exact: Fraction, why: str) -> Findings:
    if amount is not None and amount.value != exact:
        yield _other(code, amount, exact, why)


def _other(code: str, amount: Amount, exact: Fraction, why: str) -> Finding:
    return Finding(
        code=code, message=f"{_written(amount.value)}, but {why} {_written(exact)}", field=amount.where
    )


def _written(value: Fraction) -> str:
    """Write a number for a message: in full where it ends within six decimals, else shortened."""
    scaled = value * 10**6
    whole, rest = divmod(abs(scaled.numerator) // scaled.denominator, 10**6)
    sign, fraction = ("-" if value < 0 else ""), f"{rest:06}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{fraction}{'' if scaled.denominator == 1 else '…'}"
