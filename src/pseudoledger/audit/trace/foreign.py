"""Observations from a table: other pseudonymous markets, or records of persons (docs/how-to/trace-observations.md).

One row is one thing seen of an identity. `identity` is required, and `time` unless the caller says that there is
none; `group` may hold known owners, for scoring. Every other column becomes a field by its type: numbers numeric,
text that reads like text (most values hold a space, and most are different) text, everything else a category.
A second file may hold edges between identities. Rows are not read one by one: DuckDB does the work.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import duckdb

from pseudoledger.audit.trace.observations import (
    Field,
    FieldKind,
    Observations,
    Resources,
    Source,
    is_keyword,
)
from pseudoledger.audit.trace.roles import REVEALS, Columns
from pseudoledger.audit.trace.settle import Stage
from pseudoledger.audit.trace.sheet import ROW, File, Sheet, digest_of, open_sheet, quoted, read_file
from pseudoledger.errors import MalformedError

LAST_SECOND = 253_402_300_799
"""The end of the year 9999."""
LOG_SPREAD = 100
"""From this ratio of largest to smallest on, positive numbers are compared on a log scale."""
NOTE = "a table from elsewhere: nothing in it is signed or verified"

_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|REAL|DECIMAL\(.*\)")
_MOMENTS = re.compile(r"DATE|TIMESTAMP.*")
_UNIX = r"-?[0-9]+(\.[0-9]+)?"


def read_observations(
    path: Path,
    *,
    columns: Columns | None = None,
    edges: Path | None = None,
    delimiter: str = "",
    resources: Resources | None = None,
) -> Observations:
    """Return the observations of a CSV or Parquet file; the caller closes them.

    `delimiter` of CSV is a comma, or a tab for `.tsv`. Raises PeerUnreachable for files that cannot be read,
    MalformedError for tables that lack columns, are empty, hold fewer than two identities, times that are none, or
    an identity with two owners.
    """
    columns = columns or Columns()
    file = read_file(path, as_text=_spelled(columns), delimiter=delimiter)
    ties = None if edges is None else read_file(edges, as_text=("a", "b", "kind"), delimiter=delimiter)
    files = (digest_of(path), *(() if edges is None else (digest_of(edges),)))
    with _looking() as connection, open_sheet(connection, file, view="sheet") as sheet:
        _check(sheet, columns)
        fields = _fields(connection, sheet, columns)
    if not (fields or columns.token or columns.time or edges):
        raise MalformedError(
            f"{path.name} says of nobody more than {columns.identity!r}",
            code="trace.columns",
            hint="add columns that say something about an identity, times, or edges between identities",
        )
    source = Source(
        name=path.name, vantage="", digest=whole_digest(files), verified=False, note=NOTE, files=files
    )
    observations = Observations(fields=[field for _, field in fields], source=source, resources=resources)
    try:
        stage = Stage(observations)
        with open_sheet(observations.connection, file, view="sheet") as sheet:
            _fill(observations.connection, sheet, columns, fields)
        if ties is not None:
            _edges(observations.connection, ties)
        stage.settle()
        _not_alone(observations)
    except BaseException:
        observations.close()
        raise
    return observations


def whole_digest(files: Sequence[str]) -> str:
    """Return the digest of what was read, from the SHA-256 in hex of each file.

    Of a table alone it is that of its file; with edges it is the SHA-256 of both as they are written, a space between.
    """
    return files[0] if len(files) == 1 else sha256(" ".join(files).encode()).hexdigest()


def _looking() -> duckdb.DuckDBPyConnection:
    """Open a database for a first look at a table; it writes no files."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "temp_directory": "",
    }
    return duckdb.connect(config=config)


def _spelled(columns: Columns) -> frozenset[str]:
    """Return the columns of CSV that are kept as they are spelled: 007 is not 7."""
    roles = (*columns.category, *columns.text, *columns.token, *columns.counterparty)
    return frozenset({columns.identity, columns.time, columns.group, *roles}) - {""}


def _not_alone(observations: Observations) -> None:
    if observations.count < 2:
        raise MalformedError(
            f"{observations.source.name} holds one identity, {observations.names()[0]!r}",
            code="trace.one_identity",
            hint="there is nobody else whom it could be",
        )


def _check(sheet: Sheet, columns: Columns) -> None:
    missing = [name for name in dict.fromkeys(columns.named()) if name not in sheet.types]
    if missing:
        hint = f"its columns: {sheet.columns}"
        if columns.time in missing:
            hint += "; say that there are no times, or which column holds them"
        raise MalformedError(
            f"{sheet.path.name} has no column {', '.join(repr(name) for name in missing)}",
            code="trace.columns",
            hint=hint,
        )
    roles = (
        columns.numeric,
        columns.category,
        columns.text,
        columns.token,
        columns.counterparty,
        columns.ignore,
    )
    special = {columns.identity, columns.time, columns.group} - {""}
    taken: set[str] = set()
    for name in (name for role in roles for name in role):
        if name in taken or name in special:
            raise MalformedError(
                f"column {name!r} of {sheet.path.name} is given two roles",
                code="trace.columns",
                hint="give it one",
            )
        taken.add(name)
    for name, word in columns.reveals:
        if word not in REVEALS:
            raise MalformedError(
                f"column {name!r} cannot reveal {word!r}",
                code="trace.columns",
                hint=f"one of: {', '.join(REVEALS)}",
            )


def _fields(
    connection: duckdb.DuckDBPyConnection, sheet: Sheet, columns: Columns
) -> tuple[tuple[str, Field], ...]:
    """Return the columns that become fields, with their fields."""
    apart = {columns.identity, columns.time, columns.group, *columns.token, *columns.ignore}
    reveals = dict(columns.reveals)
    taken = {"id", "at", "ref"}
    found = []
    for name in (name for name in sheet.types if name not in apart):
        kind = _kind(connection, sheet, columns, name)
        usual = "free_text" if kind is FieldKind.TEXT else "identity"
        field = Field(
            name=_column_name(name, taken),
            kind=kind,
            reveals="counterparty" if name in columns.counterparty else reveals.get(name, usual),
            log=kind is FieldKind.NUMERIC and (name in columns.log or _spreads(connection, sheet, name)),
        )
        found.append((name, field))
    return tuple(found)


def _kind(connection: duckdb.DuckDBPyConnection, sheet: Sheet, columns: Columns, name: str) -> FieldKind:
    if name in columns.numeric:
        return FieldKind.NUMERIC
    if name in columns.text:
        return FieldKind.TEXT
    if name in columns.category or name in columns.counterparty:
        return FieldKind.CATEGORY
    if _NUMBERS.fullmatch(sheet.types[name]):
        return FieldKind.NUMERIC
    if sheet.types[name] != "VARCHAR":
        return FieldKind.CATEGORY
    column = quoted(name)
    ((count, spaced, different),) = connection.execute(
        f"SELECT count({column}), count_if(contains({column}, ' ')), count(DISTINCT {column}) FROM {sheet.view}"
    ).fetchall()
    return FieldKind.TEXT if 2 * spaced > count and 2 * different > count else FieldKind.CATEGORY


def _spreads(connection: duckdb.DuckDBPyConnection, sheet: Sheet, name: str) -> bool:
    number = _number(sheet, name)
    ((low, high),) = connection.execute(f"SELECT min({number}), max({number}) FROM {sheet.view}").fetchall()
    return low is not None and low > 0 and bool(high / low >= LOG_SPREAD)


def _column_name(name: str, taken: set[str]) -> str:
    """Return the name of a field for a column, such that it can stand in a query."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:50] or "column"
    plain = plain if plain[0].isalpha() else f"c_{plain}"
    made, number = f"{plain}_" if is_keyword(plain) else plain, 1
    while made in taken:
        number += 1
        made = f"{plain}_{number}"
    taken.add(made)
    return made


def _number(sheet: Sheet, name: str) -> str:
    if _MOMENTS.fullmatch(sheet.types[name]):
        return f"epoch({quoted(name)})::DOUBLE"
    # A number that is none, or not finite, says nothing.
    value = f"TRY_CAST({quoted(name)} AS DOUBLE)"
    return f"CASE WHEN isfinite({value}) THEN {value} END"


def _moment(sheet: Sheet, name: str) -> str:
    """Return the expression that gives Unix seconds, or NULL where a value is no time."""
    column = quoted(name)
    if _MOMENTS.fullmatch(sheet.types[name]):
        return f"TRY_CAST(floor(epoch({column})) AS BIGINT)"
    text = f"{column}::VARCHAR"
    return (
        f"CASE WHEN regexp_full_match({text}, '{_UNIX}') THEN TRY_CAST(floor(TRY_CAST({text} AS DOUBLE)) AS BIGINT)"
        f" ELSE floor(epoch(TRY_CAST({text} AS TIMESTAMPTZ)))::BIGINT END"
    )


def _fill(
    connection: duckdb.DuckDBPyConnection,
    sheet: Sheet,
    columns: Columns,
    fields: Sequence[tuple[str, Field]],
) -> None:
    identity = f"{quoted(columns.identity)}::VARCHAR"
    _no_blank(connection, sheet, columns.identity)
    moment = "NULL::BIGINT"
    if columns.time:
        moment = _moment(sheet, columns.time)
        _no_bad_time(connection, sheet, columns.time, moment)
    values = [
        _number(sheet, name)
        if field.kind is FieldKind.NUMERIC
        else f"nullif(trim({quoted(name)}::VARCHAR), '')"
        for name, field in fields
    ]
    listed = "".join(f", {value}" for value in values)
    connection.execute(
        f"INSERT INTO staged_records SELECT {identity}, {moment}, {ROW}{listed} FROM {sheet.view}"
    )
    for name in columns.token:
        connection.execute(
            f"INSERT INTO staged_tokens SELECT {identity}, ?, trim({quoted(name)}::VARCHAR), {ROW} FROM {sheet.view}"
            f" WHERE trim({quoted(name)}::VARCHAR) <> ''",
            [_column_name(name, set())],
        )
    if columns.group in sheet.types:
        group = f"trim({quoted(columns.group)}::VARCHAR)"
        connection.execute(
            f"INSERT INTO staged_identities SELECT DISTINCT {identity}, {group} FROM {sheet.view} WHERE {group} <> ''"
        )
        _one_owner(connection, sheet)


def _no_blank(connection: duckdb.DuckDBPyConnection, sheet: Sheet, name: str) -> None:
    ((bad,),) = connection.execute(
        f"SELECT min({ROW}) FROM {sheet.view} WHERE coalesce(trim({quoted(name)}::VARCHAR), '') = ''"
    ).fetchall()
    if bad is not None:
        raise MalformedError(
            f"{sheet.path.name}, row {bad}: {name!r} is empty",
            code="trace.identity",
            hint="every row names whom it was seen of; rows count from 1 after the header",
        )


def _no_bad_time(connection: duckdb.DuckDBPyConnection, sheet: Sheet, name: str, moment: str) -> None:
    bad = connection.execute(
        f"SELECT {ROW}, {quoted(name)}::VARCHAR FROM {sheet.view}"
        f" WHERE coalesce({moment} NOT BETWEEN 0 AND {LAST_SECOND}, true) ORDER BY {ROW} LIMIT 1"
    ).fetchall()
    for place, value in bad:
        shown = "is empty" if value is None else f"{value[:40]!r} is no time"
        raise MalformedError(
            f"{sheet.path.name}, row {place}: {name} {shown}",
            code="trace.time",
            hint="Unix seconds (not milliseconds), or ISO 8601 such as 2026-03-01T09:00:00Z, from 1970 to 9999;"
            " rows count from 1 after the header",
        )


def _one_owner(connection: duckdb.DuckDBPyConnection, sheet: Sheet) -> None:
    twice = connection.execute(
        "SELECT name, min(truth), max(truth) FROM staged_identities GROUP BY name HAVING count(*) > 1"
        " ORDER BY name LIMIT 1"
    ).fetchall()
    for name, first, second in twice:
        raise MalformedError(
            f"{sheet.path.name}: {name!r} has two owners, {first!r} and {second!r}",
            code="trace.group",
            hint="an identity has one known owner in all its rows, or none",
        )


def _edges(connection: duckdb.DuckDBPyConnection, file: File) -> None:
    path = file.path
    with open_sheet(connection, file, view="ties") as sheet:
        missing = [name for name in ("a", "b") if name not in sheet.types]
        if missing:
            raise MalformedError(
                f"{path.name} has no column {', '.join(map(repr, missing))}",
                code="trace.columns",
                hint=f"edges have the columns a, b and, if you like, kind; its columns: {sheet.columns}",
            )
        kind = "coalesce(kind::VARCHAR, 'edge')" if "kind" in sheet.types else "'edge'"
        bad = connection.execute(
            f"SELECT {ROW}, who FROM (SELECT {ROW}, a::VARCHAR AS who FROM ties UNION ALL"
            f" SELECT {ROW}, b::VARCHAR FROM ties) WHERE who IS NULL OR who NOT IN"
            f" (SELECT name FROM staged_records) ORDER BY {ROW}, who LIMIT 1"
        ).fetchall()
        for place, who in bad:
            raise MalformedError(
                f"{path.name}, row {place}: no row of the observations is of {who!r}",
                code="trace.edge",
                hint="both ends of an edge are identities that were seen",
            )
        connection.execute(f"INSERT INTO staged_edges SELECT a::VARCHAR, b::VARCHAR, {kind}, {ROW} FROM ties")
