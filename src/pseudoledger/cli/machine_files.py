"""Files of machines, one a line: what is registered, moved, received or delivered together."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from pseudoledger.cli.desk import read_file
from pseudoledger.cli.failure import WrongUse
from pseudoledger.statement.serials import serial_digest

LINES_MAX = 10_000
"""Most machines of one file: they are one batch."""

Line: TypeAlias = dict[str, str]
"""One line by the names of its columns, without spaces around; what is left empty is "" """


def read_machines(path: Path, columns: tuple[str, ...]) -> list[Line]:
    """Read a CSV file that has at least some columns; raise WrongUse naming the first line that makes no sense."""
    try:
        text = read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise WrongUse(f"{path} is not UTF-8") from None
    reader = csv.DictReader(io.StringIO(text), strict=True, restval="")
    hint = f"the first line names the columns: {','.join(columns)}"
    lines: list[Line] = []
    try:
        head = list(reader.fieldnames or ())
        missing = [name for name in columns if name not in head]
        if missing:
            raise WrongUse(f"{path}: the columns {', '.join(missing)} are missing", hint=hint)
        twice = sorted({name for name in head if head.count(name) > 1})
        if twice:
            raise WrongUse(f"{path}: the columns {', '.join(twice)} stand twice", hint=hint)
        for row in reader:
            if len(lines) == LINES_MAX:
                raise WrongUse(f"{path} has more than {LINES_MAX} machines", hint="split the file")
            lines.append(_line(path, reader.line_num, row, columns))
    except csv.Error as error:
        # The line of the reader below: that of the DictReader is the one before.
        raise WrongUse(f"{path} line {reader.reader.line_num}: {error}") from None
    if not lines:
        raise WrongUse(f"{path} names no machine", hint=hint)
    return lines


def _line(path: Path, place: int, row: dict[str | None, str], columns: tuple[str, ...]) -> Line:
    if None in row:
        raise WrongUse(f"{path} line {place}: it has more fields than the first line")
    line = {name: value.strip() for name, value in row.items() if name is not None}
    empty = [name for name in columns if not line[name]]
    if empty:
        raise WrongUse(f"{path} line {place}: {', '.join(empty)} left empty")
    return line


def digests(ledger_id: str, serials: Iterable[tuple[str, str]]) -> list[str]:
    """Return the digests of machines by (maker, serial), in order; the slow hash runs on all processors."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(lambda pair: serial_digest(ledger_id, *pair), serials))
