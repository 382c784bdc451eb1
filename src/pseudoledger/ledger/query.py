"""Questions to the store that a page of a list, or the command line, asks: in order, from a place on, with a limit.

Each reads no more rows than its limit through an index, so that a page of a million entries costs what a page
of a hundred does. The store knows no meaning: what a row is about is for the caller to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pseudoledger.errors import StoreCorrupt
from pseudoledger.ledger.rows import BlockRow, EntryRow, entry_of
from pseudoledger.ledger.schema import picked
from pseudoledger.ledger.store import Store

INDEX_MAX = 2**63 - 1
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingRow:
    """One stored thing, and where it stands in the order that was asked for."""

    place: int
    """Index of the entry that opened it, or the number it is ordered by."""
    key: str
    value: bytes


def entries(
    store: Store, *, kind: str | None = None, after: int | None = None, newest: bool = False, limit: int
) -> Iterator[EntryRow]:
    """Yield entries, of one kind if one is named, from the one after `after` on in the order asked for."""
    clause, start = _place("idx", after, newest=newest)
    wanted, values = ("type = ? AND ", (kind,)) if kind is not None else ("", ())
    rows = store.rows(
        f"SELECT idx, statement, id, type, issuer FROM entries WHERE {wanted}{clause} LIMIT ?",  # noqa: S608
        *values,
        start,
        limit,
    )
    yield from map(entry_of, rows)


def things_by_entry(
    store: Store, sort: str, kind: str, *, after: int | None = None, newest: bool = False, limit: int
) -> Iterator[ThingRow]:
    """Yield things whose key is the id of the statement that opened them, all of one kind, by its index."""
    clause, start = _place("idx", after, newest=newest)
    rows = store.rows(
        "SELECT opened.idx, things.key, things.value FROM"  # noqa: S608 - the clause has marks only
        f" (SELECT idx, lower(hex(id)) AS id FROM entries WHERE type = ? AND {clause} LIMIT ?) AS opened"
        " CROSS JOIN things ON things.sort = ? AND things.key = opened.id",
        kind,
        start,
        limit,
        sort,
    )
    for place, key, value in rows:
        yield ThingRow(place=place, key=key, value=_bytes(value))


def things_by_key(
    store: Store, sort: str, *, begins: str = "", after: str | None = None, limit: int
) -> Iterator[ThingRow]:
    """Yield things of one sort by their key, those alone whose key begins so."""
    rows = store.rows(
        "SELECT key, value FROM things WHERE sort = ? AND key >= ? AND key < ? AND key > ? ORDER BY key LIMIT ?",
        sort,
        begins,
        begins + "\U0010ffff",
        "" if after is None else after,
        limit,
    )
    if after is None and not begins:
        # The one key that is empty comes before all others.
        first = store.read(sort, "")
        if first is not None:
            yield ThingRow(place=0, key="", value=first)
    for key, value in rows:
        yield ThingRow(place=0, key=key, value=_bytes(value))


def invoices_by_due(
    store: Store, *, after: tuple[int, str] | None = None, latest: bool = False, limit: int
) -> Iterator[ThingRow]:
    """Yield invoices by their due time, then by id."""
    due, way, sign = picked("due_at"), "DESC" if latest else "ASC", "<" if latest else ">"
    start = after or ((INDEX_MAX, "") if latest else (-1, ""))
    rows = store.rows(
        f"SELECT {due}, key, value FROM things INDEXED BY invoices_due WHERE sort = 'invoice'"  # noqa: S608
        f" AND {due} {sign}= ? AND ({due}, key) {sign} (?, ?)"
        f" ORDER BY {due} {way}, key {way} LIMIT ?",
        start[0],
        *start,
        limit,
    )
    for place, key, value in rows:
        yield ThingRow(place=place, key=key, value=_bytes(value))


def things_of_lease(store: Store, lease: str) -> Iterator[tuple[str, str, bytes]]:
    """Yield (sort, key, JSON) of the usage reports, invoices and disputes of one lease."""
    for sort in ("usage", "invoice", "dispute"):
        rows = store.rows(
            f"SELECT key, value FROM things WHERE sort = '{sort}' AND {picked('lease')} = ?",  # noqa: S608
            lease,
        )
        for key, value in rows:
            yield sort, key, _bytes(value)


def blocks(store: Store, *, after: int | None = None, newest: bool = False, limit: int) -> Iterator[BlockRow]:
    """Yield blocks by height, from the one after `after` on in the order asked for."""
    clause, start = _place("height", after, newest=newest)
    rows = store.rows(
        f"SELECT height, idx, time_ms, root, ledger_key, signature FROM blocks WHERE {clause} LIMIT ?",  # noqa: S608
        start,
        limit,
    )
    for height, index, time_ms, root, ledger_key, signature in rows:
        yield BlockRow(
            height=height,
            index=index,
            time_ms=time_ms,
            root=root,
            ledger_key=ledger_key,
            signature=signature,
        )


def ids_that_begin(store: Store, begins: str, *, limit: int) -> list[str]:
    """Return the statement ids that begin with some hex digits; none for a text that is no such beginning."""
    if not 0 < len(begins) <= 64 or not _HEX.issuperset(begins):
        return []
    low, high = begins.ljust(64, "0"), begins.ljust(64, "f")
    rows = store.rows(
        "SELECT id FROM entries WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?",
        bytes.fromhex(low),
        bytes.fromhex(high),
        limit,
    )
    return [key.hex() for (key,) in rows]


def ids_numbered(store: Store, kind: str, number: str, *, limit: int) -> list[str]:
    """Return the ids of the statements of a kind that bear a number.

    Their canonical form spells it in one way, so their bytes are searched. Every statement of the kind is read.
    """
    rows = store.rows(
        "SELECT id FROM entries WHERE type = ? AND instr(statement, ?) ORDER BY idx LIMIT ?",
        kind,
        f'"number":"{number}"'.encode(),
        limit,
    )
    return [key.hex() for (key,) in rows]


def numbers(store: Store, sort: str, *, limit: int) -> list[str]:
    """Return the numbers that things of a sort bear, themselves or in their payload."""
    rows = store.rows(
        "SELECT coalesce(json_extract(value, '$.number'), json_extract(value, '$.payload.number'))"
        " FROM things WHERE sort = ? LIMIT ?",
        sort,
        limit,
    )
    return sorted({number for (number,) in rows if isinstance(number, str)})


def data_version(store: Store) -> int:
    """Return a number that is another one whenever somebody else has written to the database."""
    ((version,),) = store.rows("PRAGMA data_version")
    return int(version)


def hashes_between(store: Store, first: int, stop: int) -> list[bytes]:
    """Return the stored hashes of neighbouring positions; raise StoreCorrupt if one is missing."""
    rows = store.rows("SELECT hash FROM hashes WHERE pos >= ? AND pos < ? ORDER BY pos", first, stop)
    found = [row[0] for row in rows]
    if len(found) != stop - first:
        raise StoreCorrupt(
            f"{store.path}: a stored hash between positions {first} and {stop} is missing", hint="run verify"
        )
    return found


def things_of(store: Store, sort: str, keys: Sequence[str]) -> dict[str, bytes]:
    """Return the stored JSON of those things of one sort that there are, by key."""
    rows = store.rows(
        "SELECT key, value FROM things WHERE sort = ? AND key IN (SELECT value FROM json_each(?))",
        sort,
        json.dumps(keys),
    )
    return {key: _bytes(value) for key, value in rows}


def kind_counts(store: Store) -> dict[str, int]:
    """Return how many entries of each kind there are, by the index of kinds alone."""
    return dict(store.rows("SELECT type, count(*) FROM entries GROUP BY type"))


def _place(column: str, after: int | None, *, newest: bool) -> tuple[str, int]:
    """Return the clause that starts after a place, with its order, and the value of its mark."""
    if newest:
        return f"{column} < ? ORDER BY {column} DESC", INDEX_MAX if after is None else after
    return f"{column} > ? ORDER BY {column}", -1 if after is None else after


def _bytes(value: str) -> bytes:
    return value.encode("utf-8")
