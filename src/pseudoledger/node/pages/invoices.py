"""Invoices by age: what is owed since when, as a chart and as a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pseudoledger.contract.ageing import AGES, Receivable, aged, receivable
from pseudoledger.contract.derive import invoice_status
from pseudoledger.contract.things import Invoice, Lease
from pseudoledger.node.pages.lists import Listed, paged, read_all
from pseudoledger.node.pages.site import Ask, Page
from pseudoledger.node.reading import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One invoice of the list."""

    id: str
    invoice: Invoice
    lease: str
    """The number of its lease."""
    status: str
    owed: Receivable | None
    """What is open of it, if anything."""

    @property
    def age(self) -> str:
        """One of `AGES`, "" where nothing undisputed is open."""
        return self.owed.age if self.owed is not None and self.owed.due_minor else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What is due in one currency at one age."""

    age: str
    count: int
    due_minor: int
    share: float
    """Length of the bar in percent of the longest of its currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ageing:
    """One currency's bars; amounts of different currencies are not added up."""

    currency: str
    bars: Sequence[Bar]
    total_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The page of invoices."""

    ageing: Sequence[Ageing]
    list: Listed[Row]
    age: str
    ages: Sequence[str] = AGES


def make(view: View, ask: Ask) -> Page | None:
    """List invoices, newest first, of one age if asked; the chart shows all of them."""
    age = ask.text("age") if ask.text("age") in AGES else ""
    read = read_all(view, Invoice)
    rows = [
        Row(
            id=key,
            invoice=item,
            lease=lease.number if (lease := view.book.get(Lease, item.lease)) else "",
            status=invoice_status(item, ask.now).replace(" ", "_"),
            owed=receivable(key, item, ask.now),
        )
        for key, item in read.things
    ]
    rows.sort(key=lambda row: -row.invoice.entry)
    shown = [row for row in rows if not age or row.age == age]
    board = Board(ageing=_ageing(rows), list=paged(shown, ask, cut=read.cut), age=age)
    return Page(template="invoices.html", title="invoices.title", about=board)


def _ageing(rows: Sequence[Row]) -> list[Ageing]:
    sums = aged((row.owed for row in rows if row.owed is not None), lambda owed: owed.currency)
    found = []
    for currency, item in sorted(sums.items()):
        longest = max(bucket.due_minor for bucket in item.buckets)
        if not longest:
            continue
        bars = [
            Bar(
                age=bucket.age,
                count=bucket.count,
                due_minor=bucket.due_minor,
                share=round(100 * bucket.due_minor / longest, 2),
            )
            for bucket in item.buckets
        ]
        found.append(Ageing(currency=currency, bars=bars, total_minor=item.due_minor))
    return found
