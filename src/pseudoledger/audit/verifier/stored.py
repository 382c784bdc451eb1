"""What a ledger directory holds beside its entries, against what the entries yield."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from pseudoledger.audit.verifier.report import Fault, at_entry
from pseudoledger.ledger.description import DESCRIPTION, Description
from pseudoledger.ledger.files import read_public
from pseudoledger.ledger.schema import MIGRATIONS
from pseudoledger.ledger.tree import stored_count

_DESCRIPTION_MAX = 4_096

_Objects = dict[tuple[str, str], str]

_LITESTREAM: _Objects = {
    ("table", "_litestream_seq"): "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)",
    ("table", "_litestream_lock"): "CREATE TABLE _litestream_lock (id INTEGER)",
}
"""What Litestream, which copies a database while it is in use, adds to it: a counter and a lock without rows."""
_COUNTER_ALONE = (
    "SELECT NOT EXISTS (SELECT 1 FROM _litestream_lock)"
    " AND NOT EXISTS (SELECT 1 FROM _litestream_seq WHERE id != 1 OR typeof(seq) != 'integer')"
)


@lru_cache(maxsize=len(MIGRATIONS))
def _expected_objects(version: int) -> _Objects:
    with closing(sqlite3.connect(":memory:")) as fresh:
        for script in MIGRATIONS[:version]:
            fresh.executescript(script)
        return _objects(fresh)


def _objects(connection: sqlite3.Connection) -> _Objects:
    rows = connection.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master")
    return {(kind, name): sql for kind, name, sql in rows}


def schema_faults(connection: sqlite3.Connection) -> list[Fault]:
    """Compare the text of every table, index and view with the released schema of its version."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    expected, found = _expected_objects(version), _objects(connection)
    if copied_by_litestream(connection):
        expected = expected | _LITESTREAM
    faults = []
    for key in sorted(expected.keys() | found.keys(), key=str):
        kind, name = key
        if key not in found:
            message = "is missing"
        elif key not in expected:
            message = "does not belong to a ledger"
        elif found[key] != expected[key]:
            message = "is not defined as in the released schema"
        else:
            continue
        faults.append(Fault(code="stored.schema", place=f"{kind} {name}", message=message))
    return faults


def copied_by_litestream(connection: sqlite3.Connection) -> bool:
    """Tell whether the two tables of Litestream are there, as it makes them and with nothing else in them."""
    found = _objects(connection)
    if any(found.get(key) != text for key, text in _LITESTREAM.items()):
        return False
    return bool(connection.execute(_COUNTER_ALONE).fetchone()[0])


def integrity_faults(connection: sqlite3.Connection, *, book: bool = True) -> tuple[str, ...]:
    """Let SQLite check the file: pages, that every index fits its table, that what is unique is.

    Without `book` the book's table is left out. So it is with a schema that is not ours: the indexes of the
    book hold expressions, which are not to be evaluated then, and the schema is a fault by itself.
    """
    if not book or schema_faults(connection):
        checks = [f"PRAGMA integrity_check({table})" for table in ("entries", "hashes", "blocks", "meta")]
    else:
        connection.execute("PRAGMA trusted_schema = ON")
        checks = ["PRAGMA integrity_check(16)"]
    found = (row[0] for check in checks for row in connection.execute(check))
    return tuple(text for text in found if text != "ok")


def stray_faults(connection: sqlite3.Connection, size: int) -> Iterator[Fault]:
    """Find rows outside the ledger."""
    for table, column, query, end in (
        ("hashes", "pos", "SELECT pos FROM hashes WHERE pos < 0 OR pos >= ? LIMIT 1", stored_count(size)),
        ("entries", "idx", "SELECT idx FROM entries WHERE idx < 0 OR idx >= ? LIMIT 1", size),
        # Where a block stands is no rowid, so it may be stored as a number between two entries, or as no number.
        (
            "blocks",
            "idx",
            "SELECT idx FROM blocks NOT INDEXED WHERE idx < 0 OR idx >= ? OR typeof(idx) != 'integer' LIMIT 1",
            size,
        ),
    ):
        row = connection.execute(query, (end,)).fetchone()
        if row is not None:
            yield Fault(
                code="stored.stray",
                place=f"table {table}, {column} {row[0]}",
                message="lies outside the ledger",
            )
    for (name,) in connection.execute("SELECT name FROM meta WHERE name NOT IN ('checkpoint', 'cosigned')"):
        yield Fault(code="stored.stray", place=f"table meta, {name}", message="does not belong to a ledger")


def repeated_entries(connection: sqlite3.Connection) -> Iterator[Fault]:
    """Find statements that stand twice, without asking the index, which may be what was changed.

    The stored ids were compared with the entries one by one. A sound file with the released schema holds none
    twice, so this is for files that are not.
    """
    rows = connection.execute(
        "SELECT max(idx) FROM entries NOT INDEXED GROUP BY id HAVING count(*) > 1 ORDER BY max(idx)"
    )
    for (index,) in rows:
        yield at_entry(index, "entry.twice", "is a statement that stands on the ledger before")


def description_fault(directory: Path, expected: Description) -> Fault | None:
    """Compare `ledger.json` with what the entries yield."""
    try:
        text = read_public(directory / DESCRIPTION, _DESCRIPTION_MAX)
    except OSError as error:
        return Fault(
            code="stored.description", place=DESCRIPTION, message=f"cannot be read: {error.strerror}"
        )
    if text != expected.text():
        return Fault(code="stored.description", place=DESCRIPTION, message="is not what the entries yield")
    return None


def stored_checkpoint(connection: sqlite3.Connection, name: str) -> object:
    """Return what is stored as `checkpoint` or `cosigned`, whatever it is, or None where nothing is."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else row[0]


def stored_things(connection: sqlite3.Connection) -> Iterator[tuple[object, object, object]]:
    """Yield the rows of the book in order."""
    yield from connection.execute("SELECT sort, key, value FROM things ORDER BY sort, key")
