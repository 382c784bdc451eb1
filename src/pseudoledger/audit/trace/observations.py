"""What was seen of identities from one vantage point: four tables in a DuckDB database, and what they came from.

    identities(id INTEGER, name VARCHAR, truth VARCHAR)
    records(id INTEGER, "at" BIGINT, ref BIGINT, one column per Field: DOUBLE or VARCHAR)
    tokens(id INTEGER, kind VARCHAR, value VARCHAR, ref BIGINT)
    edges(a INTEGER, b INTEGER, kind VARCHAR, ref BIGINT)

Ids are dense, 0 to N-1, in the order of the names (by Unicode code point). `truth` is the known owner, where one
is known; nothing but scoring may read it. A record is one thing seen of an identity: `at` in Unix seconds UTC
(NULL where the source has no times), `ref` the entry index (ledger) or row number from 0 (file). NULL means not
seen. `at` is a keyword of DuckDB: it is written "at", or behind its table (`r.at`). A token is a value that normally one party alone holds. An edge is a declared tie, a < b.

`observe` and `foreign` fill the tables, once, in a fixed order; everybody else reads. Nothing here compares.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

from pseudoledger.errors import MalformedError

COLUMN = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
"""Form of the name of a column of `records`."""
FIXED_COLUMNS = ("id", "at", "ref")
"""Columns of `records` that are no fields."""
TABLES = {
    "identities": "id",
    "records": 'id, "at", ref',
    "tokens": "id, kind, value, ref",
    "edges": "a, b, kind, ref",
}
"""The tables, and the order in which they are read out."""


class FieldKind(StrEnum):
    """How the values of a field are compared."""

    NUMERIC = "numeric"
    CATEGORY = "category"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of `records`."""

    name: str
    """Column name: a small letter, then small letters, digits and underscores."""
    kind: FieldKind
    reveals: str
    """A word of the data dictionary: identity, place, time, money, hardware, counterparty, free_text, reference."""
    unit: str = ""
    log: bool = False
    """Numeric only: compared on a log scale."""

    @property
    def sql_type(self) -> str:
        """Return the type of the column in DuckDB."""
        return "DOUBLE" if self.kind is FieldKind.NUMERIC else "VARCHAR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What was read."""

    name: str
    """Origin of the ledger, or name of the file."""
    vantage: str
    """The vantage point in its written form; "" for a table from elsewhere."""
    digest: str
    """SHA-256 in hex of what was read: the root hash of the checkpoint, or of the file's bytes."""
    verified: bool
    note: str = ""
    files: tuple[str, ...] = ()
    """SHA-256 in hex of each file: of the table, then of its edges; empty for a ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What DuckDB may use; an empty value leaves its own default."""

    threads: int = 0
    memory_limit: str = ""
    """For example `1GB`; what does not fit goes to files in `folder`."""
    folder: Path | None = None
    """Where a folder for such files is made, and removed at the end; None for the system's own place."""


class Observations:
    """The four tables, in a database of their own that `close` (or the end of a `with`) removes."""

    def __init__(
        self, *, fields: Sequence[Field], source: Source, resources: Resources | None = None
    ) -> None:
        """Make the empty tables; raise MalformedError for a field whose name cannot stand."""
        _check(fields)
        self.fields = tuple(fields)
        self.source = source
        self.resources = resources or Resources()
        self._folder = Path(tempfile.mkdtemp(prefix="pseudoledger-trace-", dir=self.resources.folder))
        self.connection = _connect(self.resources, self._folder)
        for statement in (
            "CREATE TABLE identities(id INTEGER NOT NULL, name VARCHAR NOT NULL, truth VARCHAR)",
            "CREATE TABLE tokens(id INTEGER NOT NULL, kind VARCHAR NOT NULL, value VARCHAR NOT NULL, ref BIGINT NOT NULL)",
            "CREATE TABLE edges(a INTEGER NOT NULL, b INTEGER NOT NULL, kind VARCHAR NOT NULL, ref BIGINT NOT NULL)",
        ):
            self.connection.execute(statement)
        self._make_records()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and remove its files; a second call does nothing."""
        self.connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def count(self) -> int:
        """Return the number of identities."""
        return self._number("SELECT count(*) FROM identities")

    @property
    def record_count(self) -> int:
        """Return the number of records."""
        return self._number("SELECT count(*) FROM records")

    @property
    def known_count(self) -> int:
        """Return the number of identities whose owner is known."""
        return self._number("SELECT count(truth) FROM identities")

    @property
    def has_truth(self) -> bool:
        """Tell whether the owner of any identity is known."""
        return self.known_count > 0

    def field(self, name: str) -> Field:
        """Return a field by its name; raise KeyError if there is none."""
        return {field.name: field for field in self.fields}[name]

    def names(self) -> tuple[str, ...]:
        """Return the names of all identities, by id."""
        rows = self.connection.execute("SELECT name FROM identities ORDER BY id").fetchall()
        return tuple(name for (name,) in rows)

    def id_of(self, name: str) -> int:
        """Return the id of a name; raise MalformedError if nothing was seen of it."""
        rows = self.connection.execute("SELECT id FROM identities WHERE name = ?", [name]).fetchall()
        if not rows:
            raise MalformedError(
                f"nothing was seen of the identity {name} in {self.source.name}",
                code="trace.identity",
                hint="check the spelling; an identity that no statement names has nothing to trace",
            )
        return int(rows[0][0])

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """Return a whole table in its order; for tests and small worlds."""
        return self.connection.execute(f"SELECT * FROM {table} ORDER BY {self._order(table)}").fetchall()

    def digest(self) -> str:
        """Return the SHA-256 in hex of all four tables, row by row in their order."""
        found = sha256()
        for table in TABLES:
            cursor = self.connection.execute(f"SELECT * FROM {table} ORDER BY {self._order(table)}")
            found.update(f"{table}\n".encode())
            while part := cursor.fetchmany(8_192):
                found.update("".join(f"{row!r}\n" for row in part).encode())
        return found.hexdigest()

    def keep_fields(self, names: Collection[str]) -> None:
        """Make `records` anew, empty, with the fields of some names alone."""
        self.fields = tuple(field for field in self.fields if field.name in names)
        self._make_records()

    def _make_records(self) -> None:
        columns = "".join(f", {field.name} {field.sql_type}" for field in self.fields)
        self.connection.execute(
            f'CREATE OR REPLACE TABLE records(id INTEGER NOT NULL, "at" BIGINT, ref BIGINT NOT NULL{columns})'
        )

    def _order(self, table: str) -> str:
        """Name every column, so that no two rows can change places."""
        names = [field.name for field in self.fields] if table == "records" else []
        return ", ".join([TABLES[table], *names])

    def _number(self, query: str) -> int:
        # Everything is fetched: a result that is half read keeps the connection busy.
        ((number,),) = self.connection.execute(query).fetchall()
        return int(number)


def is_keyword(name: str) -> bool:
    """Tell whether a name would have to be quoted in a query, so that no field may have it."""
    return name in _keywords()


@lru_cache(maxsize=1)
def _keywords() -> frozenset[str]:
    query = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
    with duckdb.connect() as connection:
        return frozenset(name for (name,) in connection.execute(query).fetchall())


def _check(fields: Sequence[Field]) -> None:
    seen = set(FIXED_COLUMNS)
    for field in fields:
        if not COLUMN.fullmatch(field.name) or is_keyword(field.name):
            raise MalformedError(
                f"{field.name!r} cannot be the name of a field",
                code="trace.field",
                hint="a small letter first, then small letters, digits and underscores, and no keyword of SQL",
            )
        if field.name in seen:
            raise MalformedError(f"there are two columns of the name {field.name!r}", code="trace.field")
        seen.add(field.name)


def _connect(resources: Resources, folder: Path) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        # A trace asks nothing of the network.
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "temp_directory": str(folder / "spill"),
    }
    if resources.threads:
        config["threads"] = resources.threads
    if resources.memory_limit:
        config["memory_limit"] = resources.memory_limit
    # In memory it is quicker; a limit of memory is held best by tables that are on disk from the start.
    place = str(folder / "observations.duckdb") if resources.memory_limit else ":memory:"
    try:
        connection = duckdb.connect(place, config=config)
    except duckdb.Error as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise MalformedError(
            f"DuckDB cannot be opened with these limits: {error}",
            code="trace.resources",
            hint="a limit of memory is written as 1GB or 800MB",
        ) from error
    connection.execute("SET TimeZone = 'UTC'")
    return connection
