"""The rows of every table of an export, read from a store one by one.

A time is given in milliseconds. Defaults that the book leaves out when it stores a thing are written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from pydantic import BaseModel

from pseudoledger.contract.book import decode, sort_name
from pseudoledger.contract.things import Thing
from pseudoledger.errors import StoreCorrupt
from pseudoledger.ledger import query
from pseudoledger.ledger.store import Store
from pseudoledger.market.export.columns import BLOCKS, ENTRIES, Column, Table
from pseudoledger.statement import envelope
from pseudoledger.statement.values import instant_seconds

Row = tuple[Any, ...]
"""One value for each column: str, int, bool or None; times are Unix milliseconds, json is text."""


def rows(store: Store, table: Table) -> Iterator[Row]:
    """Yield the rows of a table: entries and blocks in their order, things by their key."""
    if table == ENTRIES:
        yield from _entries(store)
    elif table == BLOCKS:
        for block in query.blocks(store, limit=query.INDEX_MAX):
            yield block.height, block.index, block.time_ms, block.root.hex(), block.ledger_key
    else:
        assert table.thing is not None, "every other table has things"
        yield from _things(store, table, table.thing)


def _entries(store: Store) -> Iterator[Row]:
    blocks = query.blocks(store, limit=query.INDEX_MAX)
    block = next(blocks, None)
    for entry in store.entries():
        while block is not None and block.index < entry.index:
            block = next(blocks, None)
        if block is None:
            raise StoreCorrupt(f"{store.path}: entry {entry.index} stands under no block", hint="run verify")
        statement = envelope.decode(entry.statement)
        yield (
            entry.index,
            entry.id,
            entry.type,
            entry.issuer,
            statement.sub,
            statement.iat * 1000,
            block.height,
            block.time_ms,
            len(entry.statement),
            statement.payload.decode("utf-8"),
        )


def _things(store: Store, table: Table, cls: type[Thing]) -> Iterator[Row]:
    columns = table.columns[1:]
    for key, raw in store.things(sort_name(cls)):
        thing = decode(cls, key, raw)
        yield (key, *(_value(thing, column) for column in columns))


def _value(thing: Thing, column: Column) -> str | int | bool | None:
    value: Any = thing
    for member in column.path:
        value = None if value is None else getattr(value, member)
    if value is None:
        return None
    match column.type:
        case "time":
            return (value if isinstance(value, int) else _seconds(value)) * 1000
        case "json":
            return msgspec.json.encode(value, enc_hook=_write_model).decode("utf-8")
        case "int" | "bool" | "text":
            scalar: str | int | bool = value
            return scalar


def _seconds(text: str) -> int:
    return instant_seconds(text if "T" in text else f"{text}T00:00:00Z")


def _write_model(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    raise TypeError(type(value))
