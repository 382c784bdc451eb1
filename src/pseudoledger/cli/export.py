"""`export`: everything of a ledger as CSV or Parquet tables."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import JsonOption, plain
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.show import Column, Facts, Sheet, present, progress, when
from pseudoledger.cli.verify import DirectoryArgument
from pseudoledger.ledger.store import Store
from pseudoledger.market.export import csv_files
from pseudoledger.market.export.folder import Export, Write
from pseudoledger.market.export.folder import export as export_tables

app = typer.Typer()
APPS = (app,)


@plain(
    app,
    "export",
    examples=("pl export market --csv tables", "pl export market --parquet tables --json"),
)
def export(
    directory: DirectoryArgument,
    *,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="New folder for CSV files.", show_default=False)
    ] = None,
    parquet: Annotated[
        Path | None,
        typer.Option(
            "--parquet", help="New folder for Parquet files; needs the extra trace.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write everything of a ledger as tables: entries, blocks and every readable view. Sealed fields stay sealed."""
    if (csv is None) == (parquet is None):
        raise WrongUse("say in which form", hint="give one of --csv FOLDER and --parquet FOLDER")
    out = csv or parquet
    assert out is not None, "one of them was given"
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise WrongUse(f"{out} is not empty", hint="choose a new folder")
    suffix, write = _form(parquet=parquet is not None)
    with (
        contextlib.closing(Store.open_reader(directory)) as store,
        progress("exporting", store.size) as meter,
    ):
        done = export_tables(store, out, suffix=suffix, write=write, progress=meter.advance)
    present(_shown(done, out), as_json=as_json)


def _form(*, parquet: bool) -> tuple[str, Write]:
    if not parquet:
        return csv_files.SUFFIX, csv_files.write
    if sys.modules.get("pyarrow", "") is None or find_spec("pyarrow") is None:
        raise WrongUse(
            "Parquet needs pyarrow, which is not installed",
            hint="pip install 'pseudoledger[trace]', or --csv",
        )
    # Only here: pyarrow is an extra, and takes long to import.
    from pseudoledger.market.export import parquet_files  # noqa: PLC0415

    return parquet_files.SUFFIX, parquet_files.write


def _shown(done: Export, out: Path) -> Facts:
    value: dict[str, Any] = {"folder": str(out), **asdict(done)}
    facts = [
        ("folder", str(out)),
        ("ledger", f"{done.origin}  {done.ledger}"),
        ("as of", f"block {done.height}, {done.size} entries, {when(done.time_ms // 1000)} UTC"),
    ]
    columns = (
        Column(title="file", form=lambda row: row["file"]),
        Column(title="rows", form=lambda row: str(row["rows"]), right=True),
        Column(title="columns", form=lambda row: str(len(row["columns"])), right=True),
    )
    sheet = Sheet(title="", columns=columns, rows=[asdict(item) for item in done.files])
    note = "Copies are no evidence: pl verify judges the ledger itself"
    return Facts(title=f"Exported {done.origin}", facts=facts, value=value, sheets=(sheet,), note=note)
