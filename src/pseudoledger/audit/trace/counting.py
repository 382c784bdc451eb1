"""Counting who used what how often, into arrays; what is made of it is for `features`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pseudoledger.audit.trace.engine import Work

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """How often each identity used each item; by id, then code. Codes are in the order of the labels."""

    count: int
    ids: Integers
    codes: Integers
    number: Integers
    labels: tuple[str, ...]


def counted(work: Work, query: str, count: int) -> Used:
    """Count the rows of a query for (id, item), NULL left out, and give the items codes."""
    connection = work.connection
    connection.execute("CREATE OR REPLACE TABLE used(id INTEGER, item VARCHAR, n BIGINT)")
    work.insert(
        "used",
        f"SELECT id, item, count(*) AS n FROM ({query}) q WHERE item IS NOT NULL GROUP BY id, item",
        order="id, item",
    )
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


def seen_of(work: Work, count: int) -> Integers:
    """Return how many records each identity has, int64[N]."""
    got = work.arrays("SELECT id, count(*) AS n FROM records GROUP BY id ORDER BY id")
    seen = np.zeros(count, np.int64)
    seen[got["id"]] = got["n"]
    return seen


def small_letters(column: str) -> str:
    """Return SQL for a text in small letters, letter by letter, so that every engine does the same.

    Some look at what stands beside a capital sigma, and make two signs of an I with a dot.
    """
    return f"lower(translate({column}, '\u03a3\u0130', '\u03c3i'))"
