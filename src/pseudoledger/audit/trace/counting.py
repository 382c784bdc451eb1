"""Counting who used what how often, in DuckDB, into arrays; what is made of it is for `features`."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """How often each identity used each item; by id, then code. Codes are in the order of the labels."""

    count: int
    ids: Integers
    codes: Integers
    number: Integers
    labels: tuple[str, ...]


def counted(connection: duckdb.DuckDBPyConnection, query: str, count: int) -> Used:
    """Run a query for (id, item, n) and give the items codes."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE used AS {query}")
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE used_items AS SELECT item, row_number() OVER (ORDER BY item) - 1 AS code"
        " FROM (SELECT DISTINCT item FROM used)"
    )
    got = connection.execute(
        "SELECT id, code, n FROM used JOIN used_items USING (item) ORDER BY id, code"
    ).fetchnumpy()
    items = connection.execute("SELECT item FROM used_items ORDER BY code").fetchall()
    connection.execute("DROP TABLE used; DROP TABLE used_items")
    ids, codes, number = (got[name].astype(np.int64) for name in ("id", "code", "n"))
    return Used(count=count, ids=ids, codes=codes, number=number, labels=tuple(item for (item,) in items))


def seen_of(connection: duckdb.DuckDBPyConnection, count: int) -> Integers:
    """Return how many records each identity has, int64[N]."""
    got = connection.execute("SELECT id, count(*) AS n FROM records GROUP BY id ORDER BY id").fetchnumpy()
    seen = np.zeros(count, np.int64)
    seen[got["id"]] = got["n"]
    return seen
