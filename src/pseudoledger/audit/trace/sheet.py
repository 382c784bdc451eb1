"""A CSV or Parquet file as a view in DuckDB, with the number of each row, or a message that says what is wrong.

CSV is read by pyarrow, which refuses ragged rows instead of guessing; Parquet by DuckDB itself, out of core.
"""

from __future__ import annotations

import csv as plain_csv
import glob
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import csv

from pseudoledger.errors import MalformedError, PeerUnreachable

COLUMNS_MAX = 200
"""Most columns of a table."""
PARQUET = ".parquet"
_DELIMITERS = {".tsv": "\t", ".tab": "\t"}
ROW = "row__"
"""Name of the column with row numbers: from 1 after the header, as in all that is said of a table."""

_ROW = re.compile(r"Row #(\d+): ")
_CELLS = re.compile(r"Expected (\d+) columns?, got (\d+)")
_COLUMN = re.compile(r"In CSV column #(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table that can be asked under the name `view`."""

    path: Path
    view: str
    types: dict[str, str]
    """Type in DuckDB of every column, in the order of the file."""
    rows: int

    @property
    def columns(self) -> str:
        """Return the names of the columns, for a message."""
        return ", ".join(self.types) or "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that was looked at once; rows of CSV are in memory, those of Parquet are not."""

    path: Path
    table: pa.Table | None


def read_file(path: Path, *, as_text: Collection[str], delimiter: str = "") -> File:
    """Read a file; columns in `as_text` of CSV are kept as they are spelled.

    Raises PeerUnreachable for a file that cannot be read, MalformedError for CSV that is not UTF-8, ragged, empty,
    or has two columns of one name.
    """
    if not path.is_file():
        raise PeerUnreachable(f"{path} is no file", hint="name a CSV or Parquet file")
    if path.suffix.lower() == PARQUET:
        return File(path=path, table=None)
    try:
        table = _csv(path, as_text, delimiter or _DELIMITERS.get(path.suffix.lower(), ","))
    except OSError as error:
        raise _unreachable(path, error) from error
    return File(path=path, table=table)


@contextmanager
def open_sheet(connection: duckdb.DuckDBPyConnection, file: File, *, view: str) -> Iterator[Sheet]:
    """Open a file as a view.

    Raises MalformedError for one that is no such table: not UTF-8, empty, nested, with too many columns.
    """
    try:
        if file.table is None:
            # A path with a star in its name is that one file.
            place = glob.escape(str(file.path)).replace("'", "''")
            connection.execute(
                f"CREATE TEMP VIEW {view} AS SELECT * EXCLUDE (file_row_number), file_row_number + 1 AS {ROW}"
                f" FROM read_parquet('{place}', file_row_number = true)"
            )
        else:
            connection.register(view, file.table)
        yield _sheet(connection, file.path, view)
    except duckdb.Error as error:
        raise _explained(file.path, str(error)) from error
    finally:
        if file.table is None:
            connection.execute(f"DROP VIEW IF EXISTS {view}")
        else:
            connection.unregister(view)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex; raise PeerUnreachable if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreachable(path, error) from error


def quoted(name: str) -> str:
    """Return a name of a column as it stands in a query."""
    return '"' + name.replace('"', '""') + '"'


def _sheet(connection: duckdb.DuckDBPyConnection, path: Path, view: str) -> Sheet:
    described = connection.execute(f"DESCRIBE {view}").fetchall()
    types = {name: kind for name, kind, *_ in described if name != ROW}
    if len(types) > COLUMNS_MAX:
        raise MalformedError(
            f"{path.name} has {len(types)} columns",
            code="trace.columns",
            hint=f"at most {COLUMNS_MAX}: keep those that say something about an identity",
        )
    nested = [
        name for name, kind in types.items() if kind.endswith("]") or kind.startswith(("STRUCT", "MAP"))
    ]
    if nested:
        raise MalformedError(
            f"{path.name}: column {nested[0]!r} holds lists or structures",
            code="trace.columns",
            hint="a row holds single values; write one row for each, or leave the column out",
        )
    ((rows,),) = connection.execute(f"SELECT count(*) FROM {view}").fetchall()
    if not rows:
        raise MalformedError(
            f"{path.name} has no rows", code="trace.empty", hint="nothing can be traced in it"
        )
    return Sheet(path=path, view=view, types=types, rows=rows)


def _csv(path: Path, as_text: Collection[str], delimiter: str) -> pa.Table:
    try:
        table = _read(path, as_text, delimiter, threads=True)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        try:
            # One thread knows the number of the row that is wrong.
            table = _read(path, as_text, delimiter, threads=False)
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            raise _explained_csv(path, str(error), delimiter) from error
    names = table.schema.names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MalformedError(
            f"{path.name} has two columns of the name {twice[0]!r}", code="trace.columns", hint="rename one"
        )
    for name, sort in zip(names, table.schema.types, strict=True):
        if pa.types.is_binary(sort):
            raise _not_utf8(path, f"column {name!r}{_first_bad(table.column(name))}")
    return table.append_column(ROW, pa.array(np.arange(1, table.num_rows + 1, dtype=np.int64)))


def _read(path: Path, as_text: Collection[str], delimiter: str, *, threads: bool) -> pa.Table:
    table = csv.read_csv(
        path,
        read_options=csv.ReadOptions(use_threads=threads),
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            # Only an empty cell is missing: NA is a country.
            null_values=[""],
            strings_can_be_null=True,
            column_types=dict.fromkeys(as_text, pa.string()),
        ),
    )
    # Names that are not UTF-8 are found out when they are asked for.
    return table.rename_columns(table.schema.names)


def _first_bad(column: pa.ChunkedArray) -> str:
    for number, value in enumerate(column.to_pylist(), 1):
        try:
            (value or b"").decode("utf-8")
        except UnicodeDecodeError:
            return f", row {number}"
    return ""


def _unreachable(path: Path, error: OSError) -> PeerUnreachable:
    return PeerUnreachable(f"{path}: {error.strerror or error}", hint="name a CSV or Parquet file")


def _not_utf8(path: Path, where: str) -> MalformedError:
    return MalformedError(
        f"{path.name} is not UTF-8{': ' if where else ''}{where}",
        code="trace.encoding",
        hint="write it again as UTF-8 (iconv -f FROM -t UTF-8)",
    )


def _explained_csv(path: Path, message: str, delimiter: str) -> MalformedError:
    """Say what pyarrow said, by our rows: it counts the header as one, lines that are blank as none, columns from 0."""
    row, cells, column = (found.search(message) for found in (_ROW, _CELLS, _COLUMN))
    if row is None or (cells is None and (column is None or "UTF8" not in message)):
        return _explained(path, message)
    place = f"row {int(row[1]) - 1}"
    if cells is not None:
        return MalformedError(
            f"{path.name}, {place}: {cells[2]} cell{'' if cells[2] == '1' else 's'} under {cells[1]} columns",
            code="trace.table",
            hint="every row has as many cells as the header; rows count from 1 after the header, blank lines not counted",
        )
    assert column is not None, "looked at above"
    return _not_utf8(path, f"column {_name(path, int(column[1]), delimiter)!r}, {place}")


def _name(path: Path, place: int, delimiter: str) -> str:
    """Return the name of a column of a file whose rows cannot be read."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next((row for row in plain_csv.reader(file, delimiter=delimiter) if row), [])
    return header[place] if place < len(header) else f"#{place + 1}"


def _explained(path: Path, message: str) -> MalformedError:
    first = message.splitlines()[0] if message else "it cannot be read"
    if any(word in message.lower() for word in ("utf8", "utf-8", "unicode", "string encoding")):
        return _not_utf8(path, first)
    if "Empty CSV" in message:
        return MalformedError(
            f"{path.name} is empty", code="trace.empty", hint="its first line names the columns"
        )
    return MalformedError(
        f"{path.name} cannot be read as a table: {first}",
        code="trace.table",
        hint="CSV: a header line, then rows of as many cells, separated by commas; or a Parquet file",
    )
