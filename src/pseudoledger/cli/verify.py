"""`verify` and `backup`: whether a ledger is sound, and a copy of it that is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from pseudoledger.audit.verifier import Report, Verdict
from pseudoledger.audit.verifier import verify as check
from pseudoledger.cli.command import JsonOption, plain
from pseudoledger.cli.desk import read_file
from pseudoledger.cli.failure import CHECK_FAILED, WrongUse
from pseudoledger.cli.show import Facts, errors, present, progress
from pseudoledger.cli.values import did
from pseudoledger.ledger.backup import backup as copy_ledger

app = typer.Typer()
APPS = (app,)
LATE_SHOWN = 20
"""Deadlines missed only by sealing that are printed; `--json` has them all."""

DirectoryArgument = Annotated[Path, typer.Argument(help="Directory of the ledger.", show_default=False)]


@plain(
    app,
    "verify",
    examples=(
        "pl verify market",
        "pl verify market --key did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK --against kept.checkpoint",
        "pl verify market --all --json",
    ),
)
def verify(
    directory: DirectoryArgument,
    *,
    key: Annotated[
        str | None,
        typer.Option("--key", help="did:key of the ledger, from a source you trust.", show_default=False),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", help="Checkpoint, receipt or line kept elsewhere; may be repeated."),
    ] = None,
    all_findings: Annotated[bool, typer.Option("--all", help="Go on after the first fault.")] = False,
    no_rules: Annotated[
        bool, typer.Option("--no-rules", help="Leave out policy, rules and the tables of the book.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Verify a ledger from its bytes: form, signatures, chain, root, rules, and all that is stored beside."""
    if key is not None:
        did(key, "--key")
    kept = [read_file(path) for path in against or ()]
    report = run_check(directory, key=key, against=kept, rules=not no_rules, all_findings=all_findings)
    show_report(directory, report, as_json=as_json)


def stop_unverified(directory: Path, report: Report, *, done: str, does: str = "") -> NoReturn:
    """Say why a ledger that does not verify is not used, with what would have been `done` to it, and end.

    `does` is what --unverified would do all the same, where a command has that option.
    """
    for fault in report.faults:
        errors(f"broken: {fault}")
    if report.unjudged:
        errors(f"cannot judge: {report.unjudged}")
    errors(f"error: {directory} does not verify, so it was not {done}")
    otherwise = f"; --unverified {does} it all the same, and says so" if does else ""
    errors(f"  hint: pl verify --all says what is wrong{otherwise}")
    raise typer.Exit(CHECK_FAILED)


def run_check(
    directory: Path,
    *,
    key: str | None = None,
    against: list[bytes] | None = None,
    rules: bool = True,
    all_findings: bool = False,
) -> Report:
    """Verify a ledger with progress on the terminal."""
    with progress("verifying", None) as meter:
        return check(
            directory,
            ledger_key=key,
            against=against or (),
            rules=rules,
            all_findings=all_findings,
            progress=meter.advance,
        )


def show_report(directory: Path, report: Report, *, as_json: bool) -> None:
    """Print a report, faults on stderr, and exit 1 unless the ledger is valid."""
    value: dict[str, Any] = asdict(report) | {
        "directory": str(directory),
        "verdict": report.verdict.value,
        "faults": [asdict(fault) for fault in report.faults],
        "warnings": list(report.warnings),
        "late_by_ledger": [asdict(late) for late in report.late_by_ledger],
    }
    titles = {
        Verdict.VALID: f"{directory} is valid",
        Verdict.BROKEN: f"{directory} is BROKEN",
        Verdict.UNJUDGED: f"{directory} cannot be judged by this program",
    }
    facts = [
        ("origin", report.origin),
        ("ledger id", report.ledger),
        ("ledger key", report.ledger_key),
        ("verified", f"{report.entries} entries under {report.blocks} blocks"),
        ("rules", "every rule re-run" if report.rules else "left out"),
        *(("warning", warning) for warning in report.warnings),
        *(("late by ledger", str(late)) for late in report.late_by_ledger[:LATE_SHOWN]),
        ("keep", report.keep),
    ]
    style = "bold green" if report.verdict is Verdict.VALID else "bold red"
    shown = Facts(
        title=titles[report.verdict],
        facts=[(name, fact) for name, fact in facts if fact],
        value=value,
        style=style,
    )
    present(shown, as_json=as_json)
    for fault in report.faults:
        errors(f"broken: {fault}")
    if report.unjudged:
        errors(f"cannot judge: {report.unjudged}")
    if report.verdict is not Verdict.VALID:
        raise typer.Exit(CHECK_FAILED)


@plain(app, "backup", examples=("pl backup market market-copy",))
def backup(
    directory: DirectoryArgument,
    target: Annotated[Path, typer.Argument(help="New directory for the copy.", show_default=False)],
    *,
    as_json: JsonOption = False,
) -> None:
    """Copy a ledger, also while it is written to, then verify the copy. Keys are never part of it."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise WrongUse(f"{target} is not empty", hint="choose a new directory")
    copy_ledger(directory, target)
    show_report(target, run_check(target), as_json=as_json)
