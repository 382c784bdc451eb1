"""How a page of a list is cut from rows in order, and how one thing is found by its id: the same for all lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from pydantic import BaseModel

from pseudoledger.contract.book import decode, sort_name
from pseudoledger.contract.things import Demand, Invoice, Lease, Offer, Thing
from pseudoledger.contract.things.asset import Asset
from pseudoledger.contract.things.dispute import Dispute
from pseudoledger.contract.things.voucher import Presentation, Programme, Voucher
from pseudoledger.ledger import query
from pseudoledger.ledger.query import ThingRow
from pseudoledger.node.api.failures import Absent
from pseudoledger.node.api.models import Page
from pseudoledger.node.api.parameters import Order, number_of, write_cursor
from pseudoledger.node.reading import View

T = TypeVar("T", bound=Thing)
ItemT = TypeVar("ItemT", bound=BaseModel)
RowT = TypeVar("RowT")

EXAMINED_MAX = 5_000
"""Things that one page looks at; where none of them fit, it is empty and says where to go on."""

OPENED_BY: dict[type[Thing], str] = {
    Lease: "lease.proposed",
    Invoice: "invoice.issued",
    Offer: "offer.published",
    Demand: "demand.published",
    Programme: "programme.declared",
    Voucher: "voucher.issued",
    Presentation: "voucher.presented",
    Asset: "asset.registered",
    Dispute: "dispute.opened",
}
"""Kind of the statement that opens each listed thing, whose id is the thing's key."""


def cut(
    rows: Iterable[RowT],
    now: int,
    limit: int,
    place: Callable[[RowT], str],
    read: Callable[[RowT], ItemT | None],
) -> Page[ItemT]:
    """Return the first items that rows give; `read` gives None for a row that does not fit.

    At most EXAMINED_MAX rows are looked at: where more may follow, `rows` holds one beyond it.
    """
    found: list[ItemT] = []
    last: RowT | None = None
    for number, row in enumerate(rows):
        if len(found) == limit or number == EXAMINED_MAX:
            assert last is not None, "a limit is at least one"
            return Page(items=found, next=place(last), as_of=now)
        item = read(row)
        if item is not None:
            found.append(item)
        last = row
    return Page(items=found, next=None, as_of=now)


class Listing:
    """How one page of a list is cut from rows in order."""

    def __init__(self, view: View, now: int, limit: int) -> None:
        self._view, self._now, self._limit = view, now, limit

    def page(
        self,
        cls: type[T],
        rows: Iterable[ThingRow],
        place: Callable[[ThingRow], str],
        keep: Callable[[str, T], bool],
        item: Callable[[str, T, int], ItemT],
    ) -> Page[ItemT]:
        """Return the first things that fit."""

        def read(row: ThingRow) -> ItemT | None:
            thing = decode(cls, row.key, row.value)
            return item(row.key, thing, self._now) if keep(row.key, thing) else None

        return cut(rows, self._now, self._limit, place, read)

    def by_entry(
        self,
        cls: type[T],
        sort: Order,
        cursor: str | None,
        keep: Callable[[str, T], bool],
        item: Callable[[str, T, int], ItemT],
    ) -> Page[ItemT]:
        """Return a page by the index of the entry that opened each thing."""
        name = f"{sort_name(cls)} {sort}"
        rows = opened(self._view, cls, sort, number_of(cursor, name))
        return self.page(cls, rows, lambda row: write_cursor(name, row.place), keep, item)


def opened(view: View, cls: type[Thing], sort: Order, after: int | None) -> Iterator[ThingRow]:
    """Yield the things of a class by the entry that opened them, as many as a page looks at, and one more."""
    return query.things_by_entry(
        view.store,
        sort_name(cls),
        OPENED_BY[cls],
        after=after,
        newest=sort == "-entry",
        limit=EXAMINED_MAX + 1,
    )


def one(view: View, cls: type[T], key: str) -> T:
    """Return the thing that a path names; raise Absent where there is none."""
    thing = view.book.get(cls, key)
    if thing is None:
        raise Absent(f"there is no {sort_name(cls)} {key} on this ledger")
    return thing


def root_of(view: View, did: str | None) -> str | None:
    """Return the first key of the identity that a filter names, None where it names none."""
    return None if did is None else view.book.root_of(did)
