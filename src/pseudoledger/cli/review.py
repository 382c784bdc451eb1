"""`review`: a ledger read through dated rule packs; a dossier of questions as JSON and as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.audit.review import Asked, Chosen, Dossier, to_json
from pseudoledger.audit.review import review as read_ledger
from pseudoledger.audit.review.collect import MOST
from pseudoledger.audit.review.page import to_html
from pseudoledger.audit.review.run import read_packs
from pseudoledger.audit.review.sight import read_disclosures
from pseudoledger.audit.verifier import Verdict
from pseudoledger.cli.command import JsonOption, plain
from pseudoledger.cli.desk import read_file
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.pack import known_packs
from pseudoledger.cli.show import Column, Facts, Row, Sheet, errors, present, progress
from pseudoledger.cli.values import did
from pseudoledger.cli.verify import DirectoryArgument, run_check, stop_unverified
from pseudoledger.errors import MalformedError, PeerUnreachable
from pseudoledger.statement.values import date_seconds

app = typer.Typer()
APPS = (app,)
SHOWN = 20
"""Findings that are printed; the dossier has them all."""

OutFolder = Annotated[
    Path, typer.Option("--out", help="Folder for review.json and review.html.", show_default=False)
]
PackOption = Annotated[
    list[str] | None,
    typer.Option("--pack", help="Shipped pack, or a .toml file; all shipped packs without. May be repeated."),
]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="Apply the versions that counted on this day instead of those at block time.",
        metavar="DATE",
    ),
]
VersionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--version",
        help="Apply this version, whatever the time; other packs go by time. May be repeated.",
    ),
]
DisclosuresOption = Annotated[
    list[Path] | None,
    typer.Option("--disclosures", help="A .disclosures.json file, or a folder of them. May be repeated."),
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", help="did:key of the ledger, from a source you trust.", show_default=False),
]
AgainstOption = Annotated[
    list[Path] | None,
    typer.Option("--against", help="Checkpoint, receipt or line kept elsewhere; may be repeated."),
]
UnverifiedOption = Annotated[
    bool, typer.Option("--unverified", help="Do not verify first; the dossier says so.")
]
MostOption = Annotated[
    int,
    typer.Option("--most", min=1, max=100_000, help="Findings listed for each rule; the rest are counted."),
]


@plain(
    app,
    "review",
    examples=(
        "pl review market --out dossier",
        "pl review market --pack chip-class --version 2022-10-21 --out as-of-2022",
        "pl review market --disclosures kept/disclosures --key did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK --out dossier",
    ),
)
def review(
    directory: DirectoryArgument,
    *,
    out: OutFolder,
    pack: PackOption = None,
    as_of: AsOfOption = None,
    version: VersionOption = None,
    disclosures: DisclosuresOption = None,
    key: KeyOption = None,
    against: AgainstOption = None,
    unverified: UnverifiedOption = False,
    most: MostOption = MOST,
    as_json: JsonOption = False,
) -> None:
    """Review a ledger: dated questions with facts for and against, as JSON and as one HTML page.

    The ledger is verified first; one that is broken is not reviewed unless --unverified is given. A finding is a
    question, never a verdict, and the exit code does not depend on how many there are.
    """
    if key is not None:
        did(key, "--key")
    chosen = Chosen(as_of=_day(as_of), versions=tuple(version or ()))
    asked = Asked(
        packs=known_packs(pack),
        chosen=chosen,
        as_of=as_of or "",
        disclosures=read_disclosures(disclosures or ()),
        most=most,
    )
    # A pack that cannot be used is said before a long verification, not after it.
    read_packs(asked.packs, chosen)
    kept = [read_file(path) for path in against or ()]
    report = None if unverified else run_check(directory, key=key, against=kept)
    if report is not None and report.verdict is not Verdict.VALID:
        stop_unverified(directory, report, done="reviewed", does="reviews")
    with progress("reviewing", None) as meter:
        dossier = read_ledger(directory, asked, report=report, progress=meter.advance)
    files = _write(out, dossier)
    present(_shown(directory, dossier, files), as_json=as_json)
    for one in dossier.disclosures:
        if not one.sound:
            errors(f"disclosure not used: {one.statement[:12]}: {one.problem}")


def _day(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return date_seconds(text)
    except MalformedError as error:
        raise WrongUse(f"--as-of {text}: not a date", hint="write it like 2024-01-31") from error


def _write(out: Path, dossier: Dossier) -> tuple[Path, Path]:
    """Write both files; a name that ends in .json or .html names them, any other a folder."""
    if out.suffix in {".json", ".html"}:
        folder, stem = out.parent, out.stem
    else:
        folder, stem = out, "review"
    files = (folder / f"{stem}.json", folder / f"{stem}.html")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files[0].write_bytes(to_json(dossier))
        files[1].write_bytes(to_html(dossier))
    except OSError as error:
        raise PeerUnreachable(
            f"{error.filename or out}: {error.strerror}", hint="name a folder that you may write"
        ) from error
    return files


def _shown(directory: Path, dossier: Dossier, files: tuple[Path, Path]) -> Facts:
    ledger = dossier.ledger
    rows: list[Row] = [
        {
            "pack": count.pack,
            "version": count.version,
            "rule": count.rule,
            "state": count.state,
            "severity": count.severity,
            "found": count.found,
            "listed": count.listed,
        }
        for count in dossier.counts
    ]
    value: dict[str, Any] = {
        "directory": str(directory),
        "origin": ledger.origin,
        "entries": ledger.entries,
        "verified": ledger.verified,
        "findings": dossier.found(),
        "counts": rows,
        "json": str(files[0]),
        "html": str(files[1]),
    }
    facts = [
        ("read", f"{ledger.entries} entries under {ledger.blocks} blocks"),
        ("verified", ledger.verification),
        *(("warning", warning) for warning in ledger.warnings),
        ("findings", f"{dossier.found()}, {len(dossier.findings)} of them listed"),
        ("json", str(files[0])),
        ("html", str(files[1])),
    ]
    sheet = Sheet(title="Findings by rule", columns=_COLUMNS, rows=rows)
    return Facts(title=f"Reviewed {directory}", facts=facts, value=value, sheets=(sheet,))


_COLUMNS = (
    Column(title="severity", form=lambda row: str(row["severity"])),
    Column(title="state", form=lambda row: str(row["state"])),
    Column(title="rule", form=lambda row: str(row["rule"])),
    Column(title="pack", form=lambda row: str(row["pack"])),
    Column(title="version", form=lambda row: str(row["version"])),
    Column(title="found", form=lambda row: f"{row['found']:,}", right=True),
)
