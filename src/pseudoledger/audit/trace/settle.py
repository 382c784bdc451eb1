"""From rows under names, in any order, to the four tables of `observations` with dense ids in their fixed order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from pseudoledger.audit.trace.derived import Cell
from pseudoledger.audit.trace.observations import FIXED_COLUMNS, FieldKind, Observations

ROWS_MAX = 20_000
"""Rows that are held in memory before they go to the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record under the name of its identity."""

    name: str
    at: int | None
    ref: int
    cells: tuple[Cell, ...]
    """One for each field."""


class Stage:
    """Holds what was seen under names, until all names are known; `settle` then fills the four tables."""

    def __init__(self, observations: Observations) -> None:
        """Make the tables of the stage: `staged_identities` (name, truth), `staged_records`, `_tokens`, `_edges`."""
        self._observations = observations
        self._rows: list[Row] = []
        columns = "".join(f", {field.name} {field.sql_type}" for field in observations.fields)
        for statement in (
            "CREATE TABLE staged_identities(name VARCHAR, truth VARCHAR)",
            f'CREATE TABLE staged_records(name VARCHAR, "at" BIGINT, ref BIGINT{columns})',
            "CREATE TABLE staged_tokens(name VARCHAR, kind VARCHAR, value VARCHAR, ref BIGINT)",
            "CREATE TABLE staged_edges(a VARCHAR, b VARCHAR, kind VARCHAR, ref BIGINT)",
        ):
            observations.connection.execute(statement)

    def add(self, row: Row) -> None:
        """Take one record."""
        self._rows.append(row)
        if len(self._rows) >= ROWS_MAX:
            self._flush()

    def add_tokens(self, rows: Iterable[tuple[str, str, str, int]]) -> None:
        """Take tokens: name, kind, value, ref."""
        self._insert("staged_tokens", ("name", "kind", "value", "ref"), rows)

    def add_edges(self, rows: Iterable[tuple[str, str, str, int]]) -> None:
        """Take edges: two names, kind, ref."""
        self._insert("staged_edges", ("a", "b", "kind", "ref"), rows)

    def settle(self) -> None:
        """Fill the four tables from the stage, drop it, and forget fields of which nothing was seen."""
        self._flush()
        run = self._observations.connection.execute
        run(
            "INSERT INTO identities SELECT row_number() OVER (ORDER BY name) - 1, name, max(truth)"
            " FROM (SELECT name, truth FROM staged_identities UNION ALL SELECT name, NULL FROM staged_records"
            " UNION ALL SELECT name, NULL FROM staged_tokens UNION ALL SELECT a, NULL FROM staged_edges"
            " UNION ALL SELECT b, NULL FROM staged_edges) GROUP BY name ORDER BY name"
        )
        self._observations.keep_fields(self._seen())
        names = "".join(f", r.{field.name}" for field in self._observations.fields)
        run(
            f'INSERT INTO records SELECT i.id, r."at", r.ref{names} FROM staged_records r'
            ' JOIN identities i USING (name) ORDER BY i.id, r."at", r.ref'
        )
        run("DROP TABLE staged_records")
        run(
            "INSERT INTO tokens SELECT DISTINCT i.id, t.kind, t.value, t.ref FROM staged_tokens t"
            " JOIN identities i USING (name) ORDER BY ALL"
        )
        run(
            "INSERT INTO edges SELECT DISTINCT least(x.id, y.id), greatest(x.id, y.id), e.kind, e.ref"
            " FROM staged_edges e JOIN identities x ON x.name = e.a JOIN identities y ON y.name = e.b"
            " WHERE x.id <> y.id ORDER BY ALL"
        )
        for table in ("staged_identities", "staged_tokens", "staged_edges"):
            run(f"DROP TABLE {table}")

    def _seen(self) -> set[str]:
        """Return the names of the fields in which anything was seen of anybody."""
        names = [field.name for field in self._observations.fields]
        if not names:
            return set()
        counts = ", ".join(f"count({name})" for name in names)
        query = f"SELECT {counts} FROM staged_records"
        (found,) = self._observations.connection.execute(query).fetchall()
        return {name for name, count in zip(names, found, strict=True) if count}

    def _flush(self) -> None:
        if not self._rows:
            return
        columns: list[pa.Array] = [
            pa.array([row.name for row in self._rows], pa.string()),
            pa.array([row.at for row in self._rows], pa.int64()),
            pa.array([row.ref for row in self._rows], pa.int64()),
        ]
        for place, field in enumerate(self._observations.fields):
            sort = pa.float64() if field.kind is FieldKind.NUMERIC else pa.string()
            columns.append(pa.array([row.cells[place] for row in self._rows], sort))
        names = ["name", *FIXED_COLUMNS[1:], *(field.name for field in self._observations.fields)]
        self._append("staged_records", pa.Table.from_arrays(columns, names))
        self._rows = []

    def _insert(self, table: str, names: Sequence[str], rows: Iterable[tuple[str, str, str, int]]) -> None:
        parts = list(zip(*rows, strict=True))
        if parts:
            sorts = [pa.string()] * 3 + [pa.int64()]
            arrays = [pa.array(part, sort) for part, sort in zip(parts, sorts, strict=True)]
            self._append(table, pa.Table.from_arrays(arrays, list(names)))

    def _append(self, table: str, rows: pa.Table) -> None:
        connection = self._observations.connection
        connection.register("arriving", rows)
        connection.execute(f"INSERT INTO {table} SELECT * FROM arriving")
        connection.unregister("arriving")
