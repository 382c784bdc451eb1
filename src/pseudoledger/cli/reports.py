"""`report verify`: whether a report of trace stands: signature, citations, checkpoint, and the same bytes again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pseudoledger.audit.review.sight import read_disclosures
from pseudoledger.audit.verifier import Verdict
from pseudoledger.cli.command import JsonOption, group, plain
from pseudoledger.cli.desk import read_file
from pseudoledger.cli.failure import CHECK_FAILED
from pseudoledger.cli.show import Facts, errors, present, progress, when
from pseudoledger.cli.trace import need_extra
from pseudoledger.cli.trace_options import DisclosuresOption
from pseudoledger.cli.values import did
from pseudoledger.cli.verify import run_check
from pseudoledger.errors import MalformedError, PseudoledgerError, VerificationError

if TYPE_CHECKING:
    from pseudoledger.audit.trace.report.values import TraceReport

reports = group("report", "Reports of `trace`: whether they stand.")
APPS = (reports,)


@plain(
    reports,
    "verify",
    examples=(
        "pl report verify trace/trace.json --key did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
        "pl report verify trace/trace.json --ledger market --disclosures kept/disclosures",
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
    as_json: JsonOption = False,
) -> None:
    """Verify a report: its signature, the proofs of what it cites, and, with the ledger, that it comes out the same."""
    need_extra()
    from pseudoledger.audit.trace.report.check import broken, reproduced
    from pseudoledger.audit.trace.report.signature import verify_signature
    from pseudoledger.audit.trace.report.values import from_json

    for one, option in ((key, "--key"), (ledger_key, "--ledger-key")):
        if one is not None:
            did(one, option)
    raw = read_file(file)
    report = from_json(raw)
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
        if run_check(ledger).verdict is not Verdict.VALID:
            problems.append(f"{ledger} does not verify")
        given = read_disclosures(disclosures or ())
        try:
            with progress("tracing", None) as meter:
                differs = reproduced(report, ledger, disclosures=given, progress=meter.advance)
        except PseudoledgerError as error:
            differs = error.message
        if differs:
            problems.append(f"traced again it comes out otherwise: {differs}")
    _say(file, report, problems, signed=signed, again=ledger is not None, as_json=as_json)


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
    facts += [
        ("traced again", "the same, byte for byte" if again else "not asked: --ledger DIR traces it again"),
        ("findings", "the same again" if again else "the signer's word, until somebody traces again"),
    ]
    shown = Facts(title=title, facts=[] if problems else facts, value=value, style=style)
    present(shown, as_json=as_json)
    for problem in problems:
        errors(f"broken: {problem}")
    if problems:
        raise typer.Exit(CHECK_FAILED)
