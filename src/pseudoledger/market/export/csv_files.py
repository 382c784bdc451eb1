"""Tables as CSV (RFC 4180): UTF-8, a header, CRLF; nothing is empty but what has no value.

Times are RFC 3339 in UTC; those of blocks have milliseconds where there are any. Texts stand as they are: a
spreadsheet that takes a text beginning with = for a formula has to be told to import texts.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pseudoledger.market.export.columns import Table
from pseudoledger.market.export.rows import Row
from pseudoledger.statement.values import format_block_time, format_instant

SUFFIX = ".csv"


def write(path: Path, table: Table, rows: Iterator[Row]) -> int:
    """Write a table to a new file and return how many rows it has."""
    forms = [_FORMS[column.type] for column in table.columns]
    count = 0
    with path.open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([column.name for column in table.columns])
        for row in rows:
            writer.writerow(
                ["" if value is None else form(value) for form, value in zip(forms, row, strict=True)]
            )
            count += 1
    return count


def _time(milliseconds: int) -> str:
    if milliseconds % 1000:
        return format_block_time(milliseconds)
    return format_instant(milliseconds // 1000)


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _same(value: Any) -> Any:
    return value


_FORMS = {"text": _same, "json": _same, "int": _same, "time": _time, "bool": _bool}
