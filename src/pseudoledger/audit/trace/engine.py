"""Engines: where the queries over many rows run, on DuckDB or elsewhere.

    records ──► features ──► block keys, blocks ──► candidates ──► bits ──► links
       └───────────┴──────────────────┴──────────────────┴───────────┘
                         these queries go to the engine

Each query is written once, in DuckDB's dialect. Everything small stays where it was whatever the engine: learning on
DuckDB, arrays per identity in numpy, clusters in scipy; and the results stand in the same DuckDB tables. So the model
is the same, and what follows cannot tell which engine worked. An engine that is not DuckDB translates (`spark`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeAlias

import duckdb
import numpy.typing as npt
from splink import DuckDBAPI
from splink.internals.database_api import DatabaseAPI

from pseudoledger.identity.keys import cores

Columns: TypeAlias = dict[str, npt.NDArray[Any]]


class Work(Protocol):
    """One set of observations in the hands of an engine.

    Queries are in DuckDB's dialect, without parameters, over tables that were shared or kept. Whoever writes an engine
    makes them mean the same: whole numbers are divided towards zero, `list_sort` and `max` take NaN for the largest,
    `least` and `greatest` pass over NULL. Nothing here is called from two threads at once.
    """

    connection: duckdb.DuckDBPyConnection
    """That of the observations, which somebody else closes."""
    chunk_factor: int
    """How many times as many pairs it takes at once as one machine."""

    def share(self, table: str) -> None:
        """Let queries see a DuckDB table as it is now, in place of one of that name."""

    def keep(self, table: str, query: str) -> None:
        """Keep the rows of a query for other queries, in place of a table of that name."""

    def drop(self, *tables: str) -> None:
        """Let go of tables that were kept."""

    def arrays(self, query: str) -> Columns:
        """Return the rows of a query, in its order, as one array a column: few, at most some per identity."""

    def insert(self, table: str, query: str, *, order: str) -> None:
        """Append the rows of a query, in an order of theirs, to a DuckDB table of as many columns."""

    def expression(self, sql: str) -> str:
        """Return an expression over columns in the dialect of `splink`'s database."""

    def splink(self) -> DatabaseAPI[Any]:
        """Return what Splink works on: a database in which the tables that were shared have their names."""

    def on_all_cores(self) -> AbstractContextManager[None]:
        """Let queries use all cores meanwhile: those alone whose rows and order do not depend on how many there are."""


class Engine(Protocol):
    """Takes observations to work on."""

    @property
    def name(self) -> str:
        """Return the name by which users ask for it."""

    def over(self, connection: duckdb.DuckDBPyConnection) -> AbstractContextManager[Work]:
        """Work on the tables of a connection; what was kept is gone at the end, after an error too."""


class DuckWork:
    """The connection itself."""

    chunk_factor = 1

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Take the connection of some observations."""
        self.connection = connection

    def share(self, table: str) -> None:
        """Do nothing: it is there already."""

    def keep(self, table: str, query: str) -> None:
        """Keep the rows of a query in a table."""
        self.connection.execute(f"CREATE OR REPLACE TABLE {table} AS {query}")

    def drop(self, *tables: str) -> None:
        """Drop tables."""
        for table in tables:
            self.connection.execute(f"DROP TABLE {table}")

    def arrays(self, query: str) -> Columns:
        """Return the rows of a query."""
        found: Columns = self.connection.execute(query).fetchnumpy()
        return found

    def insert(self, table: str, query: str, *, order: str) -> None:
        """Append the rows of a query."""
        self.connection.execute(f"INSERT INTO {table} {query} ORDER BY {order}")

    def expression(self, sql: str) -> str:
        """Return it as it is."""
        return sql

    def splink(self) -> DatabaseAPI[Any]:
        """Return Splink's backend for DuckDB."""
        return DuckDBAPI(connection=self.connection)

    @contextmanager
    def on_all_cores(self) -> Iterator[None]:
        """Give DuckDB a thread for each core, and afterwards as many as before."""
        ((before,),) = self.connection.execute("SELECT current_setting('threads')").fetchall()
        self.connection.execute(f"SET threads = {max(int(before), cores())}")
        try:
            yield
        finally:
            self.connection.execute(f"SET threads = {before}")


class DuckEngine:
    """DuckDB, in this process, out of core where the observations have a limit of memory."""

    name = "duckdb"

    @contextmanager
    def over(self, connection: duckdb.DuckDBPyConnection) -> Iterator[Work]:
        """Work in the connection; nothing has to be tidied up."""
        yield DuckWork(connection)


DUCKDB = DuckEngine()
