"""Listings of federated ledgers on the boards: marked, with pages of their own, never linked as ours, and no part of our book."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pseudoledger.contract.book import Book
from pseudoledger.contract.derive import demand_status, offer_status
from pseudoledger.contract.things import Demand, Offer
from pseudoledger.errors import PseudoledgerError
from pseudoledger.market.search import (
    ListedDemand,
    ListedOffer,
    Search,
    list_demands,
    list_offers,
)
from pseudoledger.node.federation import Federated, federated, view_of
from pseudoledger.node.pages.dictionary import Field, fields
from pseudoledger.node.pages.site import Ask, Page
from pseudoledger.node.reading import View
from pseudoledger.statement.values import Value

SHOWN_MAX = 100
"""Most listings of one federated ledger that a page shows."""

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRow(Generic[R]):
    """One foreign listing, with the label that its party declared there."""

    listed: R
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignBoard(Generic[R]):
    """What one federated ledger has open."""

    ledger: Federated
    rows: Sequence[ForeignRow[R]]
    left: int
    """How many more there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the page of one foreign listing says."""

    ledger: Federated
    id: str
    kind: str
    label: str
    """What its party calls itself there."""
    party: str
    status: str
    fields: Sequence[Field]


def make(view: View, ask: Ask) -> Page | None:
    """Show one listing of a federated ledger; None where there is no such one, or its copy cannot be read."""
    key = ask.path["id"]
    try:
        for item in federated(view.store.path.parent):
            if item.ledger == ask.path["ledger"]:
                with view_of(item) as there:
                    return _listing(item, there.book, key, ask.now)
    except PseudoledgerError:
        return None
    return None


def _listing(item: Federated, book: Book, key: str, now: int) -> Page | None:
    offer, demand = book.get(Offer, key), book.get(Demand, key)
    if offer is not None:
        payload: Value = offer.payload
        party, status, number = offer.lessor, str(offer_status(offer, now)), offer.payload.number
    elif demand is not None:
        payload, party, number = demand.payload, demand.lessee, demand.payload.number
        status = str(demand_status(demand, now))
    else:
        return None
    tree = payload.model_dump(mode="json", by_alias=True, exclude_none=True)
    about = About(
        ledger=item,
        id=key,
        kind=tree["type"],
        label=_label(book, party),
        party=party,
        status=status,
        fields=[field for field in fields(tree) if field.form != "digest"],
    )
    return Page(template="foreign_listing.html", title="foreign.listing", about=about, named=number)


def foreign_offers(view: View, now: int, search: Search) -> list[ForeignBoard[ListedOffer]]:
    """Return the foreign offers that are open and fit a search."""
    return _boards(view, lambda book: list_offers(book, now, search), lambda row: row.offer.lessor)


def foreign_demands(view: View, now: int) -> list[ForeignBoard[ListedDemand]]:
    """Return the foreign demands that are open."""
    return _boards(view, lambda book: list_demands(book, now), lambda row: row.demand.lessee)


def _boards(view: View, read: Callable[[Book], list[R]], party: Callable[[R], str]) -> list[ForeignBoard[R]]:
    boards = []
    try:
        for item in federated(view.store.path.parent):
            with view_of(item) as there:
                found = read(there.book)
                rows = [
                    ForeignRow(listed=row, label=_label(there.book, party(row))) for row in found[:SHOWN_MAX]
                ]
            boards.append(ForeignBoard(ledger=item, rows=rows, left=len(found) - len(rows)))
    except PseudoledgerError:
        # A copy that is being replaced or is damaged: our own board stands, and the command line says why.
        return boards
    return boards


def _label(book: Book, did: str) -> str:
    chain = book.chain_of(did)
    return chain.label if chain else ""
