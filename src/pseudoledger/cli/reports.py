"""`report verify`: whether a report of trace stands: signature, citations, checkpoint, and the same bytes again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pseudoledger.audit.review.sight import read_disclosures
from pseudoledger.audit.verifier import Verdict
from pseudoledger.cli.command import JsonOption, group, plain
from pseudoledger.cli.desk import read_file
from pseudoledger.cli.failure import CHECK_FAILED, WrongUse
from pseudoledger.cli.show import Facts, errors, present, progress, when
from pseudoledger.cli.trace import need_extra
from pseudoledger.cli.trace_options import DisclosuresOption, EdgesOption
from pseudoledger.cli.values import did
from pseudoledger.cli.verify import run_check
from pseudoledger.errors import MalformedError, PseudoledgerError, VerificationError

if TYPE_CHECKING:
    from pseudoledger.audit.trace.report.card import Reading
    from pseudoledger.audit.trace.report.values import TraceReport

reports = group("report", "Reports of `trace`: whether they stand.")
APPS = (reports,)
_OTHERWISE = "traced again it comes out otherwise: "


@plain(
    reports,
    "verify",
    examples=(
        "pl report verify trace/trace.json --key did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
        "pl report verify trace/trace.json --ledger market --disclosures kept/disclosures",
        "pl report verify trace/trace.json --observations sales.parquet",
    ),
)
def verify(
    file: Annotated[Path, typer.Argument(help="trace.json, as it was made.", show_default=False)],
    *,
    signature: Annotated[
        Path | None,
        typer.Option("--signature", help="Signature file; FILE.sig where it is there.", show_default=False),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="did:key of the auditor who is to have signed it.")
    ] = None,
    ledger_key: Annotated[
        str | None, typer.Option("--ledger-key", help="did:key of the ledger, from a source you trust.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", help="Trace this copy again and compare every byte.")
    ] = None,
    disclosures: DisclosuresOption = None,
    observations: Annotated[
        Path | None,
        typer.Option("--observations", help="Trace this table again and compare every byte."),
    ] = None,
    edges: EdgesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify a report: its signature, the proofs of what it cites, and that it comes out the same.

    The last needs the ledger (and the same --disclosures), or the table (and the same --edges) that it is of.
    """
    need_extra()
    from pseudoledger.audit.trace.report.check import broken
    from pseudoledger.audit.trace.report.signature import verify_signature
    from pseudoledger.audit.trace.report.values import from_json

    for one, option in ((key, "--key"), (ledger_key, "--ledger-key")):
        if one is not None:
            did(one, option)
    raw = read_file(file)
    report = from_json(raw)
    _fits(report, ledger=ledger, disclosures=disclosures, observations=observations, edges=edges)
    problems = list(broken(report, ledger_key=ledger_key))
    signed = "by nobody"
    beside = signature or file.with_name(f"{file.name}.sig")
    if signature is not None or key is not None or beside.exists():
        try:
            who = verify_signature(raw, read_file(beside), key=key)
            signed = f"by {who.did} at {when(who.at)}"
        except (VerificationError, MalformedError) as error:
            problems.append(f"the signature: {error.message}")
    if ledger is not None:
        problems += _ledger_again(report, ledger, disclosures or [])
    if observations is not None:
        problems += _table_again(report, observations, edges)
    again = ledger is not None or observations is not None
    _say(file, report, problems, signed=signed, again=again, as_json=as_json)


def _fits(
    report: TraceReport,
    *,
    ledger: Path | None,
    disclosures: list[Path] | None,
    observations: Path | None,
    edges: Path | None,
) -> None:
    """Raise WrongUse where what is given is not what the report is of."""
    looked = report.looked
    table = f"--observations {looked.name}"
    if looked.kind == "table" and (ledger is not None or disclosures):
        raise WrongUse(
            f"the report is of a table, {looked.name}: it has no ledger and no disclosures",
            hint=f"{table} traces it again",
        )
    if looked.kind == "ledger" and (observations is not None or edges is not None):
        raise WrongUse(
            f"the report is of a ledger, {looked.name}: it has no table and no edges",
            hint="--ledger DIR traces it again",
        )
    was = looked.table
    if observations is None and edges is not None:
        raise WrongUse("--edges stand beside a table", hint=f"add {table}")
    if observations is None or was is None:
        return
    if was.edges is not None and edges is None:
        raise WrongUse(
            f"the table was traced with edges, {was.edges.name}", hint=f"add --edges {was.edges.name}"
        )
    if was.edges is None and edges is not None:
        raise WrongUse("the table was traced without edges", hint="leave --edges out")
    _named_alike(observations, looked.name, was.digest)
    if was.edges is not None and edges is not None:
        _named_alike(edges, was.edges.name, was.edges.digest)


def _named_alike(file: Path, name: str, digest: str) -> None:
    """Raise WrongUse for the right file under another name, which stands in the report, so in its bytes."""
    from pseudoledger.audit.trace.sheet import digest_of

    if digest_of(file) == digest and file.name != name:
        raise WrongUse(f"{file.name} is what the report calls {name}", hint=f"give it the name {name}")


def _ledger_again(report: TraceReport, ledger: Path, disclosures: list[Path]) -> list[str]:
    """Verify the ledger and trace it again; return what is wrong."""
    from pseudoledger.audit.trace.report.check import reproduced

    problems = []
    if run_check(ledger).verdict is not Verdict.VALID:
        problems.append(f"{ledger} does not verify")
    given = read_disclosures(disclosures)
    try:
        with progress("tracing", None) as meter:
            differs = reproduced(report, ledger, disclosures=given, progress=meter.advance)
    except PseudoledgerError as error:
        differs = error.message
    return [*problems, *([_OTHERWISE + differs] if differs else [])]


def _table_again(report: TraceReport, table: Path, edges: Path | None) -> list[str]:
    """Trace the table again; return what is wrong."""
    from pseudoledger.audit.trace.report.check import reproduced_table

    try:
        with progress("tracing", None):
            differs = reproduced_table(report, table, edges=edges)
    except MalformedError as error:
        differs = error.message
    return [_OTHERWISE + differs] if differs else []


def _say(
    file: Path, report: TraceReport, problems: list[str], *, signed: str, again: bool, as_json: bool
) -> None:
    """Say whether the report stands, and end with 1 if it does not."""
    value: dict[str, Any] = {
        "file": str(file),
        "stands": not problems,
        "problems": problems,
        "signed": signed,
        "cited": len(report.entries),
        "traced_again": again,
    }
    title, style = (f"{file} does NOT stand", "bold red") if problems else (f"{file} stands", "bold green")
    looked = report.looked
    proved = f"{len(report.entries)} entries, each proved under the tree of {looked.entries:,}"
    checkpoint = "signed by the ledger" if looked.checkpoint else "none in it: only the root is named"
    facts = [("signed", signed)]
    if looked.kind == "ledger":
        facts += [("cites", proved), ("checkpoint", checkpoint)]
    else:
        facts += [("of a table", "nothing in it is proved by a ledger")]
    how = "--ledger DIR" if looked.kind == "ledger" else f"--observations {looked.name}{_edges(looked.table)}"
    facts += [
        ("traced again", "the same, byte for byte" if again else f"not asked: {how} traces it again"),
        ("findings", "the same again" if again else "the signer's word, until somebody traces again"),
    ]
    shown = Facts(title=title, facts=[] if problems else facts, value=value, style=style)
    present(shown, as_json=as_json)
    for problem in problems:
        errors(f"broken: {problem}")
    if problems:
        raise typer.Exit(CHECK_FAILED)


def _edges(was: Reading | None) -> str:
    return "" if was is None or was.edges is None else f" --edges {was.edges.name}"
