"""Sums of invoices and credit notes, in integers, rounded half to even once per line (formats §9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pseudoledger.contract.things import Invoice
from pseudoledger.statement.kinds.billing import InvoiceLine, TaxSubtotal
from pseudoledger.statement.values import round_half_even

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Tax subtotals, sorted by category and rate, and the three sums of a document.

    They may lie beyond what a payload can hold; such a document cannot be written, and is refused.
    """

    subtotals: tuple[TaxSubtotal, ...]
    net_minor: int
    tax_minor: int
    total_minor: int


def usage_net(price_micro: int, unit_seconds: int, micro_per_minor: int) -> int:
    """Return minor units for so many unit-seconds at a price per unit and hour."""
    return round_half_even(price_micro * unit_seconds, SECONDS_PER_HOUR * micro_per_minor)


def share(amount_minor: int, bps: int) -> int:
    """Return a share of an amount, rounded half to even."""
    return round_half_even(amount_minor * bps, 10_000)


def sums_of(lines: Iterable[InvoiceLine]) -> Sums:
    """Add up the lines of an invoice."""
    taxable: dict[tuple[str, int], int] = {}
    for line in lines:
        key = (line.tax.category, line.tax.rate_bps)
        taxable[key] = taxable.get(key, 0) + line.net_minor
    return _sums({key: (amount, share(amount, key[1])) for key, amount in taxable.items()})


def credit_sums(invoice: Invoice, nets: dict[str, int]) -> Sums:
    """Add up a credit note over lines of an invoice.

    Tax is the tax on everything credited so far less the tax credited before, so that credit notes in
    parts give back exactly what one over the whole would.
    """
    taxable: dict[tuple[str, int], int] = {}
    for line_id, net in nets.items():
        line = invoice.lines[line_id]
        key = (line.category, line.rate_bps)
        taxable[key] = taxable.get(key, 0) + net
    parts: dict[tuple[str, int], tuple[int, int]] = {}
    for key, net in taxable.items():
        before = sum(
            line.credited_minor for line in invoice.lines.values() if (line.category, line.rate_bps) == key
        )
        parts[key] = (net, share(before + net, key[1]) - invoice.credited_tax.get(f"{key[0]} {key[1]}", 0))
    return _sums(parts)


def _subtotal(**values: Any) -> TaxSubtotal:
    """Build a subtotal without judging its size: a rule compares it, and never fails on what a payload says."""
    return TaxSubtotal.model_construct(**values)


def _sums(parts: dict[tuple[str, int], tuple[int, int]]) -> Sums:
    subtotals = tuple(
        _subtotal(category=category, rate_bps=rate, taxable_minor=taxable, tax_minor=tax)
        for (category, rate), (taxable, tax) in sorted(parts.items())
    )
    net = sum(subtotal.taxable_minor for subtotal in subtotals)
    tax = sum(subtotal.tax_minor for subtotal in subtotals)
    return Sums(subtotals=subtotals, net_minor=net, tax_minor=tax, total_minor=net + tax)


def commission_base(invoice: Invoice, *, in_part: bool) -> int:
    """Return the accepted net of an invoice less credits: what commission is due on.

    Credits lower the disputed part first, as they do for what is due.
    """
    left = invoice.net_minor - invoice.credited_net_minor
    if not in_part:
        return left
    accepted = round_half_even(invoice.accepted_minor * invoice.net_minor, max(1, invoice.total_minor))
    return min(accepted, left)
