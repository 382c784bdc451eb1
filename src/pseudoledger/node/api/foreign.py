"""Listings of federated ledgers: lists in pages over all of them, and one by its ledger and id; all marked foreign.

They are read from the copies beside our ledger and never enter our book. What is not known of them, such as
whether they were withdrawn after the checkpoint that was imported, `node.federation` says.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Path, Query
from pydantic import Field

from pseudoledger.contract.book import decode, sort_name
from pseudoledger.contract.things import Demand, Offer, Thing
from pseudoledger.errors import MalformedError, StoreError
from pseudoledger.ledger.query import ThingRow
from pseudoledger.node.api import items
from pseudoledger.node.api.failures import BAD_PARAMETERS, NOT_FOUND, Absent, ApiRoute
from pseudoledger.node.api.listing import cut, one, opened
from pseudoledger.node.api.lists import demands_that, offers_that
from pseudoledger.node.api.models import DemandItem, Id, Model, OfferItem, Page
from pseudoledger.node.api.parameters import (
    ID,
    Cursor,
    DemandSearch,
    DemandStatus,
    Limit,
    OfferSearch,
    OfferStatus,
    Order,
    Party,
    Purpose,
    Sort,
    StatementId,
    key_of,
    read_cursor,
    write_cursor,
)
from pseudoledger.node.federation import Federated, federated, view_of
from pseudoledger.node.node import Node
from pseudoledger.node.reading import View

T = TypeVar("T", bound=Thing)
M = TypeVar("M", bound=Model)

Origin = Annotated[str, Field(description="Name of the ledger that it stands on.")]
Ledger = Annotated[str, Path(pattern=ID, description="Id of the federated ledger.", examples=["3f" * 32])]
OfLedger = Annotated[str | None, Query(pattern=ID, description="Only those of this federated ledger.")]


class ForeignLedger(Model):
    """One federated ledger, as of the checkpoint that was imported; every rule was checked again."""

    origin: str = Field(description="Name of the ledger.")
    ledger: Id = Field(description="Its ledger id.")
    ledger_key: str = Field(description="did:key that signs its blocks and checkpoints.")
    clock: str = Field(description="system, or simulated: then its times mean nothing outside.")
    size: int = Field(ge=1, description="Entries under the checkpoint.")
    time: int = Field(description="Time of its last block, in Unix seconds.")
    imported_at: str = Field(description="When it was imported last.", examples=["2026-03-01T08:00:00Z"])
    forks: int = Field(description="Proofs that it has shown two histories; with one, no more is imported.")


class ForeignOffer(Model):
    """One offer of a federated ledger, with that ledger. Nothing on our ledger can refer to it."""

    foreign: Literal[True] = Field(
        default=True, description="It stands on another ledger, and in no book of ours."
    )
    origin: Origin
    ledger: Id = Field(description="Id of that ledger.")
    listing: OfferItem = Field(description="The offer as that ledger has it.")


class ForeignDemand(Model):
    """One demand of a federated ledger, with that ledger. Nothing on our ledger can refer to it."""

    foreign: Literal[True] = Field(
        default=True, description="It stands on another ledger, and in no book of ours."
    )
    origin: Origin
    ledger: Id = Field(description="Id of that ledger.")
    listing: DemandItem = Field(description="The demand as that ledger has it.")


@dataclass(frozen=True, slots=True)
class _Row:
    """A thing of a federated ledger; valid until the next one is asked for."""

    ledger: Federated
    view: View
    thing: ThingRow


def router(node: Node) -> APIRouter:
    """Return the routes of foreign listings."""
    routes = APIRouter(route_class=ApiRoute, responses={**BAD_PARAMETERS})
    for add in (_ledgers, _offers, _demands):
        add(routes, node)
    return routes


def _federated(node: Node) -> list[Federated]:
    """Return the federated ledgers by origin; raise StoreError where a copy cannot be read, or is being replaced."""
    try:
        return federated(node.reader.directory)
    except MalformedError as error:
        raise StoreError(error.message) from error


def _there(node: Node, ledger: str) -> Federated:
    for item in _federated(node):
        if item.ledger == ledger:
            return item
    raise Absent(f"no ledger {ledger} is federated here")


class _Foreign:
    """How one page is cut from the listings of all federated ledgers: by origin, then by entry."""

    def __init__(self, node: Node, *, only: str | None, sort: Order, cursor: str | None, limit: int) -> None:
        self._ledgers = [item for item in _federated(node) if only in {None, item.ledger}]
        self._now, self._sort, self._cursor, self._limit = node.now(), sort, cursor, limit

    def page(
        self,
        cls: type[T],
        fits: Callable[[View, int], Callable[[str, T], bool]],
        item: Callable[[Federated, str, T, int], M],
    ) -> Page[M]:
        """Return the first things that fit; `fits` gives the test for the things of one ledger."""
        name = f"foreign {sort_name(cls)} {self._sort}"
        place = read_cursor(self._cursor, name, str, int)
        tests: dict[str, Callable[[str, T], bool]] = {}

        def read(row: _Row) -> M | None:
            thing = decode(cls, row.thing.key, row.thing.value)
            keep = tests.get(row.ledger.origin) or fits(row.view, self._now)
            tests[row.ledger.origin] = keep
            return item(row.ledger, row.thing.key, thing, self._now) if keep(row.thing.key, thing) else None

        after = None if place is None else (str(place[0]), int(place[1]))
        with closing(self._rows(cls, after)) as rows:
            return cut(
                rows,
                self._now,
                self._limit,
                lambda row: write_cursor(name, row.ledger.origin, row.thing.place),
                read,
            )

    def _rows(self, cls: type[Thing], after: tuple[str, int] | None) -> Generator[_Row, None, None]:
        for ledger in self._ledgers:
            if after is not None and ledger.origin < after[0]:
                continue
            start = after[1] if after is not None and ledger.origin == after[0] else None
            with view_of(ledger) as view:
                for thing in opened(view, cls, self._sort, start):
                    yield _Row(ledger, view, thing)


def _offer(ledger: Federated, key: str, thing: Offer, now: int) -> ForeignOffer:
    return ForeignOffer(origin=ledger.origin, ledger=ledger.ledger, listing=items.offer(key, thing, now))


def _demand(ledger: Federated, key: str, thing: Demand, now: int) -> ForeignDemand:
    return ForeignDemand(origin=ledger.origin, ledger=ledger.ledger, listing=items.demand(key, thing, now))


def _ledgers(routes: APIRouter, node: Node) -> None:
    @routes.get("/foreign/ledgers", tags=["foreign"], summary="List federated ledgers")
    def ledgers(cursor: Cursor = None, limit: Limit = 50) -> Page[ForeignLedger]:
        """List the ledgers whose listings were imported, by origin."""
        after = key_of(cursor, "foreign ledger")
        rows = [item for item in _federated(node) if after is None or item.origin > after]
        return cut(rows, node.now(), limit, lambda row: write_cursor("foreign ledger", row.origin), _ledger)


def _ledger(item: Federated) -> ForeignLedger:
    return ForeignLedger(
        origin=item.origin,
        ledger=item.ledger,
        ledger_key=item.key,
        clock=item.clock,
        size=item.size,
        time=item.time,
        imported_at=item.imported.at,
        forks=item.forks,
    )


def _offers(routes: APIRouter, node: Node) -> None:
    @routes.get("/foreign/offers", tags=["foreign"], summary="List foreign offers")
    def offers(
        *,
        search: OfferSearch,
        cursor: Cursor = None,
        limit: Limit = 50,
        sort: Sort = "-entry",
        ledger: OfLedger = None,
        party: Party = None,
        status: OfferStatus = None,
    ) -> Page[ForeignOffer]:
        """List the offers of federated ledgers, by the ledger's origin and then by entry."""
        listing = _Foreign(node, only=ledger, sort=sort, cursor=cursor, limit=limit)
        return listing.page(
            Offer, lambda view, now: offers_that(view, now, search, party=party, status=status), _offer
        )

    @routes.get(
        "/foreign/{ledger}/offers/{id}",
        tags=["foreign"],
        summary="One foreign offer",
        responses={**NOT_FOUND},
    )
    def offer(ledger: Ledger, id: StatementId) -> ForeignOffer:  # noqa: A002 - the name in the path
        """Return one offer of a federated ledger."""
        there = _there(node, ledger)
        with view_of(there) as view:
            return _offer(there, id, one(view, Offer, id), node.now())


def _demands(routes: APIRouter, node: Node) -> None:
    @routes.get("/foreign/demands", tags=["foreign"], summary="List foreign demands")
    def demands(
        *,
        search: DemandSearch,
        cursor: Cursor = None,
        limit: Limit = 50,
        sort: Sort = "-entry",
        ledger: OfLedger = None,
        party: Party = None,
        status: DemandStatus = None,
        purpose: Purpose = None,
    ) -> Page[ForeignDemand]:
        """List the demands of federated ledgers, by the ledger's origin and then by entry."""
        listing = _Foreign(node, only=ledger, sort=sort, cursor=cursor, limit=limit)

        def fits(view: View, now: int) -> Callable[[str, Demand], bool]:
            return demands_that(view, now, search, party=party, status=status, purpose=purpose)

        return listing.page(Demand, fits, _demand)

    @routes.get(
        "/foreign/{ledger}/demands/{id}",
        tags=["foreign"],
        summary="One foreign demand",
        responses={**NOT_FOUND},
    )
    def demand(ledger: Ledger, id: StatementId) -> ForeignDemand:  # noqa: A002 - the name in the path
        """Return one demand of a federated ledger."""
        there = _there(node, ledger)
        with view_of(there) as view:
            return _demand(there, id, one(view, Demand, id), node.now())
