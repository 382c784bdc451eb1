"""Statements and blocks: in pages, one by its id, index or height, and as bytes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from pseudoledger.ledger import query
from pseudoledger.ledger.query import INDEX_MAX
from pseudoledger.ledger.rows import BlockRow, EntryRow
from pseudoledger.ledger.store import Store
from pseudoledger.node.api import items
from pseudoledger.node.api.failures import BAD_PARAMETERS, NOT_FOUND, Absent, ApiRoute, Responses
from pseudoledger.node.api.models import BlockItem, Names, Page, StatementItem
from pseudoledger.node.api.parameters import (
    DID,
    KIND,
    NUMBER,
    Cursor,
    Index,
    Limit,
    Sort,
    StatementId,
    number_of,
    write_cursor,
)
from pseudoledger.node.node import Node

EXAMINED_MAX = 5_000
"""Entries that one page looks at; where none of them fit, it is empty and says where to go on."""
FOUND_MAX = 64
"""Most statements that a number may find."""
COSE = "application/cose"

_RAW: Responses = {
    200: {
        "description": "The signed statement, byte for byte as it was registered (COSE_Sign1).",
        "content": {COSE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


def router(node: Node) -> APIRouter:
    """Return the routes of statements and blocks."""
    routes = APIRouter(route_class=ApiRoute, responses={**BAD_PARAMETERS})
    _statements(routes, node)
    _one_statement(routes, node)
    _blocks(routes, node)
    _names(routes, node)
    return routes


class Sealing:
    """The blocks of entries that are looked at in order, so that each block is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._block: BlockRow | None = None
        self._first = 0

    def of(self, index: int) -> BlockRow | None:
        """Return the block that seals an entry."""
        if self._block is None or not self._first <= index <= self._block.index:
            self._block = self._store.block_of(index)
            self._first = index if self._block is None else first_of(self._store, self._block)
        return self._block


def first_of(store: Store, block: BlockRow) -> int:
    """Return the index of the first entry that a block seals."""
    before = store.block(block.height - 1)
    return 0 if before is None else before.index + 1


def _statements(routes: APIRouter, node: Node) -> None:
    @routes.get("/statements", tags=["statements"], summary="List statements")
    def statements(
        cursor: Cursor = None,
        limit: Limit = 50,
        sort: Sort = "-entry",
        kind: Annotated[
            str | None,
            Query(pattern=KIND, max_length=64, description="Only those of this kind, e.g. invoice.issued."),
        ] = None,
        issuer: Annotated[
            str | None, Query(pattern=DID, description="Only those signed by this key.")
        ] = None,
    ) -> Page[StatementItem]:
        """List entries with their payloads, the blocks among them."""
        name = f"statements {sort}"
        with node.reader.view() as view:
            now = node.now()
            rows = query.entries(
                view.store,
                kind=kind,
                after=number_of(cursor, name),
                newest=sort == "-entry",
                limit=EXAMINED_MAX + 1,
            )
            sealing = Sealing(view.store)
            found: list[StatementItem] = []
            last: EntryRow | None = None
            for number, row in enumerate(rows):
                if last is not None and (len(found) == limit or number == EXAMINED_MAX):
                    return Page(items=found, next=write_cursor(name, last.index), as_of=now)
                if issuer is None or row.issuer == issuer:
                    found.append(items.statement(row, sealing.of(row.index)))
                last = row
            return Page(items=found, next=None, as_of=now)


def _one_statement(routes: APIRouter, node: Node) -> None:
    def item(store: Store, row: EntryRow | None, name: str) -> StatementItem:
        if row is None:
            raise Absent(f"there is no statement {name} on this ledger")
        return items.statement(row, store.block_of(row.index))

    @routes.get("/statements/{id}", tags=["statements"], summary="One statement", responses={**NOT_FOUND})
    def statement(id: StatementId) -> StatementItem:  # noqa: A002 - the name in the path
        """Return one statement with its payload."""
        with node.reader.view() as view:
            return item(view.store, view.store.entry_by_id(id), id)

    @routes.get(
        "/statements/{id}/raw",
        tags=["statements"],
        summary="Bytes of a statement",
        response_class=Response,
        responses={**NOT_FOUND, **_RAW},
    )
    def raw(id: StatementId) -> Response:  # noqa: A002 - the name in the path
        """Return the signed statement byte for byte, for whoever wants to verify it."""
        with node.reader.view() as view:
            row = view.store.entry_by_id(id)
        if row is None:
            raise Absent(f"there is no statement {id} on this ledger")
        return Response(
            row.statement,
            media_type=COSE,
            headers={"Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{id}"'},
        )

    @routes.get(
        "/entries/{index}", tags=["statements"], summary="Statement at an index", responses={**NOT_FOUND}
    )
    def entry(index: Index) -> StatementItem:
        """Return the statement that stands at an index."""
        with node.reader.view() as view:
            return item(view.store, view.store.entry(index), str(index))


def _blocks(routes: APIRouter, node: Node) -> None:
    @routes.get("/blocks", tags=["blocks"], summary="List blocks")
    def blocks(cursor: Cursor = None, limit: Limit = 50, sort: Sort = "-entry") -> Page[BlockItem]:
        """List blocks."""
        name = f"blocks {sort}"
        with node.reader.view() as view:
            rows = list(
                query.blocks(
                    view.store, after=number_of(cursor, name), newest=sort == "-entry", limit=limit + 1
                )
            )
            found = [items.block(row, first_of(view.store, row)) for row in rows[:limit]]
        more = write_cursor(name, rows[limit - 1].height) if len(rows) > limit else None
        return Page(items=found, next=more, as_of=node.now())

    @routes.get("/blocks/{height}", tags=["blocks"], summary="One block", responses={**NOT_FOUND})
    def block(
        height: Annotated[int, Path(ge=1, le=INDEX_MAX, description="Number of the block, from 1.")],
    ) -> BlockItem:
        """Return one block."""
        with node.reader.view() as view:
            row = view.store.block(height)
            if row is None:
                raise Absent(f"there is no block {height} on this ledger")
            return items.block(row, first_of(view.store, row))

    @routes.get(
        "/entries/{index}/block", tags=["blocks"], summary="Block of an entry", responses={**NOT_FOUND}
    )
    def block_of(index: Index) -> BlockItem:
        """Return the block that seals an entry."""
        with node.reader.view() as view:
            row = view.store.block_of(index)
            if row is None:
                raise Absent(f"there is no entry {index} on this ledger")
            return items.block(row, first_of(view.store, row))


def _names(routes: APIRouter, node: Node) -> None:
    @routes.get("/ids", tags=["names"], summary="Complete the beginning of an id")
    def ids(
        begins: Annotated[
            str, Query(pattern=r"^[0-9a-f]{6,64}$", description="First digits of a statement id.")
        ],
        limit: Annotated[int, Query(ge=1, le=FOUND_MAX, description="Most ids.")] = 3,
    ) -> Names:
        """Return the statement ids that begin so."""
        with node.reader.view() as view:
            return Names(items=query.ids_that_begin(view.store, begins, limit=limit))

    @routes.get("/ids/numbered", tags=["names"], summary="Find statements by their number")
    def numbered(
        kind: Annotated[str, Query(pattern=KIND, max_length=64, description="Kind of the statement.")],
        number: Annotated[str, Query(pattern=NUMBER, description="The number that its issuer gave it.")],
        limit: Annotated[int, Query(ge=1, le=FOUND_MAX, description="Most ids.")] = FOUND_MAX,
    ) -> Names:
        """Return the ids of the statements of a kind that bear a number, whoever issued them."""
        with node.reader.view() as view:
            return Names(items=query.ids_numbered(view.store, kind, number, limit=limit))
