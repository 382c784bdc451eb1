"""The options of `trace` and `report`, each with its words."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

LedgerArgument = Annotated[
    Path | None, typer.Argument(help="Directory of the ledger.", show_default=False, metavar="[DIR]")
]
OutFolder = Annotated[
    Path, typer.Option("--out", help="Folder for trace.json and the pages.", show_default=False)
]
ObservationsOption = Annotated[
    Path | None,
    typer.Option("--observations", help="Trace this table (Parquet or CSV) instead of a ledger."),
]
IdentityOption = Annotated[
    list[str] | None,
    typer.Option("--identity", help="did:key, or name in the table; may be repeated.", metavar="DID"),
]
VantageOption = Annotated[
    list[str] | None,
    typer.Option(
        "--vantage",
        help="public, auditor, counterparty:DID, broker:DID, or several joined by +; from who sees least to who"
        " sees most. May be repeated.",
        metavar="V",
    ),
]
DisclosuresOption = Annotated[
    list[Path] | None,
    typer.Option("--disclosures", help="A .disclosures.json file, or a folder of them. May be repeated."),
]
WeighOption = Annotated[
    int | None,
    typer.Option(
        "--weigh",
        min=0,
        help="Work out, for the first N opened statements, what each has told: a reading more for each."
        " As many as are quick without.",
        metavar="N",
    ),
]
UnverifiedOption = Annotated[
    bool, typer.Option("--unverified", help="Do not verify first; the report and every page say so.")
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", help="did:key of the ledger, from a source you trust.", show_default=False),
]
AgainstOption = Annotated[
    list[Path] | None,
    typer.Option("--against", help="Checkpoint, receipt or line kept elsewhere; may be repeated."),
]
SignerOption = Annotated[
    str | None, typer.Option("--as", help="Sign the report with this key.", metavar="NAME")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of all that is drawn at random.")]
ThresholdOption = Annotated[
    float, typer.Option("--threshold", min=0.0, max=60.0, help="Bits from which behaviour joins two.")
]
CapOption = Annotated[
    int, typer.Option("--cap", min=2, max=10_000, help="Most identities that one value may join.")
]
MemoryOption = Annotated[
    str, typer.Option("--memory", help="What DuckDB may use, e.g. 1GB; the rest goes to disk.")
]


class EngineName(StrEnum):
    """Where the queries over many rows run."""

    DUCKDB = "duckdb"
    SPARK = "spark"


EngineOption = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        help="Where features and links are worked out: in this process, or on Apache Spark (extra spark, Java 17).",
    ),
]
IdentityColumn = Annotated[str, typer.Option("--identity-column", help="Of a table: who.", metavar="COLUMN")]
TimeColumn = Annotated[
    str, typer.Option("--time-column", help='Of a table: when; "" if it has no times.', metavar="COLUMN")
]
GroupColumn = Annotated[
    str, typer.Option("--group-column", help="Of a table: known owner, to score against.", metavar="COLUMN")
]
TokenColumns = Annotated[
    list[str] | None,
    typer.Option("--token", help="Of a table: values that one party alone holds.", metavar="COLUMN"),
]
CounterpartyColumns = Annotated[
    list[str] | None,
    typer.Option("--counterparty", help="Of a table: whom it deals with.", metavar="COLUMN"),
]
TextColumns = Annotated[
    list[str] | None, typer.Option("--text", help="Of a table: free text.", metavar="COLUMN")
]
IgnoredColumns = Annotated[
    list[str] | None, typer.Option("--ignore", help="Of a table: to be left out.", metavar="COLUMN")
]
EdgesOption = Annotated[
    Path | None, typer.Option("--edges", help="Beside a table: declared ties, with columns a, b and kind.")
]
