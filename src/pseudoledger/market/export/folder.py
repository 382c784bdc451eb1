"""An export as a folder: one file for each table, and `export.json`, which says of what they were made.

The folder appears whole or not at all. All tables show one state of the ledger, whatever is written meanwhile.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pseudoledger.contract.book import Book
from pseudoledger.errors import PeerUnreachable, StoreError
from pseudoledger.ledger.store import Store
from pseudoledger.market.export.columns import Column, Table, tables
from pseudoledger.market.export.rows import Row, rows

Write = Callable[[Path, Table, Iterator[Row]], int]
"""Writes one table to a new file and returns how many rows it has."""
Progress = Callable[[int, int | None], None]
_TOLD_EVERY = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One file of an export."""

    table: str
    file: str
    rows: int
    columns: tuple[tuple[str, str], ...]
    """(name, type), in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What was exported, and as of which state of the ledger."""

    origin: str
    ledger: str
    size: int
    height: int
    root: str
    time_ms: int
    files: tuple[Written, ...]


def export(store: Store, out: Path, *, suffix: str, write: Write, progress: Progress) -> Export:
    """Write every table into a new folder; raise PeerUnreachable if that cannot be done."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{out.name}.part-", dir=out.parent))
        try:
            with store.snapshot():
                done = _write_all(store, part, suffix=suffix, write=write, progress=progress)
            (part / "export.json").write_text(json.dumps(asdict(done), indent=1) + "\n", encoding="utf-8")
            part.chmod(0o755)
            part.rename(out)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except OSError as error:
        raise PeerUnreachable(
            f"{out}: {error.strerror}", hint="choose a new folder that can be written"
        ) from error
    return done


def _write_all(store: Store, part: Path, *, suffix: str, write: Write, progress: Progress) -> Export:
    state, block = Book(store).ledger, store.last_block()
    if state is None or block is None:
        raise StoreError(f"{store.path}: the ledger was never founded")
    files = []
    for table in tables():
        name = f"{table.name}{suffix}"
        told = _told(rows(store, table), progress, store.size if table.name == "entries" else None)
        count = write(part / name, table, told)
        files.append(
            Written(table=table.name, file=name, rows=count, columns=tuple(map(_said, table.columns)))
        )
    return Export(
        origin=state.origin,
        ledger=state.id,
        size=store.size,
        height=block.height,
        root=block.root.hex(),
        time_ms=block.time_ms,
        files=tuple(files),
    )


def _said(column: Column) -> tuple[str, str]:
    return column.name, column.type


def _told(found: Iterator[Row], progress: Progress, total: int | None) -> Iterator[Row]:
    for count, row in enumerate(found, 1):
        if count % _TOLD_EVERY == 0:
            progress(count, total)
        yield row
