"""Invoices by age: what is owed since when, as a chart and as a list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pseudoledger.contract.derive import due_minor, invoice_status
from pseudoledger.contract.things import Invoice, Lease
from pseudoledger.node.pages.lists import Listed, paged, read_all
from pseudoledger.node.pages.site import Ask, Page
from pseudoledger.node.reading import View

AGES = ("current", "0-30", "31-60", "61-90", "91-")
"""Not yet due, then days past the due date."""
_LIMITS = ((30, "0-30"), (60, "31-60"), (90, "61-90"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One invoice of the list."""

    id: str
    invoice: Invoice
    lease: str
    """The number of its lease."""
    status: str
    age: str
    """One of `AGES`, "" where nothing is due."""
    days: int
    """Days past the due date; 0 or below before it."""
    due_minor: int


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


def age_of(invoice: Invoice, now: int) -> str:
    """Tell since when an invoice is due; "" where nothing undisputed is open."""
    if due_minor(invoice, now) <= 0:
        return ""
    if now < invoice.due_at:
        return "current"
    days = (now - invoice.due_at) // 86_400
    return next((name for limit, name in _LIMITS if days <= limit), AGES[-1])


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
            age=age_of(item, ask.now),
            days=(ask.now - item.due_at) // 86_400,
            due_minor=due_minor(item, ask.now),
        )
        for key, item in read.things
    ]
    rows.sort(key=lambda row: -row.invoice.entry)
    shown = [row for row in rows if not age or row.age == age]
    board = Board(ageing=_ageing(rows), list=paged(shown, ask, cut=read.cut), age=age)
    return Page(template="invoices.html", title="invoices.title", about=board)


def _ageing(rows: Sequence[Row]) -> list[Ageing]:
    sums: dict[str, dict[str, list[int]]] = defaultdict(lambda: {age: [] for age in AGES})
    for row in rows:
        if row.age:
            sums[row.invoice.currency][row.age].append(row.due_minor)
    found = []
    for currency, by_age in sorted(sums.items()):
        longest = max(sum(amounts) for amounts in by_age.values())
        bars = [
            Bar(
                age=age,
                count=len(amounts),
                due_minor=sum(amounts),
                share=round(100 * sum(amounts) / longest, 2),
            )
            for age, amounts in by_age.items()
        ]
        found.append(Ageing(currency=currency, bars=bars, total_minor=sum(bar.due_minor for bar in bars)))
    return found
