"""What the service level of the terms gives back: downtime of an invoice's reports against the promised uptime.

Each usage report that an invoice bills is one period. Where the line was up for less than the promised part of
it, so many basis points of the period's price are to be credited; all periods of a line are rounded together,
half to even, once. The downtime is the one that both sides stand by: reported and confirmed, by word or by
silence, or, in a contested report, what the lessee counts. What was credited on the line already counts towards
it, so that a draft made twice credits once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pseudoledger.contract.amounts import SECONDS_PER_HOUR
from pseudoledger.contract.book import Book
from pseudoledger.contract.derive import billed_seconds, usage_answer
from pseudoledger.contract.tables import Tables
from pseudoledger.contract.things import Invoice, MeteredLine, TermsInForce, Usage
from pseudoledger.errors import MalformedError
from pseudoledger.statement.kinds.billing import InvoiceLine
from pseudoledger.statement.kinds.lease import Terms
from pseudoledger.statement.values import round_half_even

PPM = 1_000_000
BPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """A period in which a line was up for less than was promised."""

    report: str
    start: int
    until: int
    downtime_s: int
    uptime_ppm: int
    """Uptime rounded down; what decides is the exact one."""
    chip_seconds: int
    """Unit-seconds that were billed of the period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelCredit:
    """What one line of an invoice has to give back."""

    line: str
    shortfalls: tuple[Shortfall, ...]
    owed_minor: int
    """By the terms, net."""
    credited_minor: int
    """Credited on the line before, for whatever reason."""
    net_minor: int
    """Still to be credited."""


def service_credits(
    book: Book, tables: Tables, invoice_id: str, lines: Sequence[InvoiceLine], now: int
) -> tuple[LevelCredit, ...]:
    """Work out what an invoice has to give back, by line; `lines` are those of its statement.

    Lines without a shortfall are left out. Raises MalformedError if there is no such invoice of a lessor.
    """
    invoice = book.get(Invoice, invoice_id)
    if invoice is None or invoice.commission is not None:
        raise MalformedError(f"no invoice {invoice_id} of a lessor is on this ledger", code="invoice.unknown")
    held = book.get(TermsInForce, invoice.contract)
    assert held is not None, "an invoice names terms that the book holds"
    found = []
    for line in lines:
        shortfalls = tuple(_shortfalls(book, invoice.lease, held.payload, line, now))
        if shortfalls:
            billed = invoice.lines[line.id]
            owed = min(
                _owed(tables, held.payload, line, shortfalls),
                billed.net_minor,
            )
            found.append(
                LevelCredit(
                    line=line.id,
                    shortfalls=shortfalls,
                    owed_minor=owed,
                    credited_minor=billed.credited_minor,
                    net_minor=max(0, owed - billed.credited_minor),
                )
            )
    return tuple(found)


def _owed(tables: Tables, terms: Terms, line: InvoiceLine, shortfalls: Iterable[Shortfall]) -> int:
    seconds = sum(item.chip_seconds for item in shortfalls)
    micro = tables.micro_per_minor(terms.tariff.currency)
    return round_half_even(
        line.price_micro * seconds * terms.service_level.credit_bps, SECONDS_PER_HOUR * micro * BPS
    )


def _shortfalls(book: Book, lease_id: str, terms: Terms, line: InvoiceLine, now: int) -> Iterator[Shortfall]:
    metered = book.get(MeteredLine, f"{lease_id}/{line.lease_line}")
    leased = next((item for item in terms.lines if item.id == line.lease_line), None)
    rate = next((item for item in terms.tariff.lines if item.line == line.lease_line), None)
    if metered is None or leased is None or rate is None:
        return
    for report in line.reports or ():
        usage = book.get(Usage, report)
        assert usage is not None, "an invoice bills reports of the book"
        whole = usage.until - usage.start
        down = min(agreed_downtime(usage, now), whole)
        if (whole - down) * PPM < terms.service_level.uptime_ppm * whole:
            yield Shortfall(
                report=report,
                start=usage.start,
                until=usage.until,
                downtime_s=down,
                uptime_ppm=(whole - down) * PPM // whole,
                chip_seconds=billed_seconds(usage, rate, metered, leased.count, now),
            )


def agreed_downtime(usage: Usage, now: int) -> int:
    """Return the downtime of a report that both sides stand by, in seconds of its period."""
    if usage.state in {"contested", "replaced"}:
        return usage.agreed_downtime_s
    return usage.downtime_s if usage_answer(usage, now) in {"agreed", "deemed"} else 0
