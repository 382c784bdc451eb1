"""The things of the book as they are stored: public, as they follow from public entries.

With these a client holds a `contract.book.Book` of its own over a shelf that reads from the node.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query

from pseudoledger.contract.book import sort_name
from pseudoledger.contract.things import THINGS
from pseudoledger.ledger import query
from pseudoledger.node.api.failures import BAD_PARAMETERS, NOT_FOUND, Absent, ApiRoute
from pseudoledger.node.api.models import Names, ThingItem, Things
from pseudoledger.node.api.parameters import Cursor, Limit, key_of, write_cursor
from pseudoledger.node.node import Node

Sort = Enum("Sort", {sort_name(cls): sort_name(cls) for cls in THINGS})  # type: ignore[misc]
"""Names under which things are stored."""

KEY_MAX = 200
NUMBERS_MAX = 10_000


class Numbered(Enum):
    """Sorts of things that hold the number their issuer gave them."""

    POOL = "pool"
    OFFER = "offer"
    DEMAND = "demand"
    LEASE = "lease"
    INVOICE = "invoice"


SortPath = Annotated[Sort, Path(description="Sort of thing.")]


def router(node: Node) -> APIRouter:
    """Return the routes of things."""
    routes = APIRouter(route_class=ApiRoute, responses={**BAD_PARAMETERS})

    @routes.get("/things/{sort}", tags=["things"], summary="List things")
    def things(
        sort: SortPath,
        cursor: Cursor = None,
        limit: Limit = 100,
        begins: Annotated[str, Query(max_length=KEY_MAX, description="Only those whose key begins so.")] = "",
    ) -> Things:
        """List things of one sort by key, as they are stored."""
        name = sort.value
        with node.reader.view() as view:
            rows = list(
                query.things_by_key(
                    view.store, name, begins=begins, after=key_of(cursor, name), limit=limit + 1
                )
            )
        found = [ThingItem(key=row.key, value=orjson.loads(row.value)) for row in rows[:limit]]
        return Things(
            items=found, next=write_cursor(name, rows[limit - 1].key) if len(rows) > limit else None
        )

    @routes.get("/things/{sort}/{key:path}", tags=["things"], summary="One thing", responses={**NOT_FOUND})
    def thing(
        sort: SortPath,
        key: Annotated[
            str,
            Path(
                max_length=KEY_MAX, description="Key of the thing; the ledger's own state has an empty one."
            ),
        ],
    ) -> ThingItem:
        """Return one thing as it is stored."""
        with node.reader.view() as view:
            value = view.store.read(sort.value, key)
        if value is None:
            raise Absent(f"there is no {sort.value} {key} on this ledger")
        return ThingItem(key=key, value=orjson.loads(value))

    @routes.get("/numbers/{sort}", tags=["names"], summary="Numbers in use")
    def numbers(sort: Annotated[Numbered, Path(description="Sort of thing.")]) -> Names:
        """Return the numbers that things of a sort bear, at most 10,000 of them, to suggest what was meant."""
        with node.reader.view() as view:
            found = query.numbers(view.store, sort.value, limit=NUMBERS_MAX)
        return Names(items=found)

    return routes
