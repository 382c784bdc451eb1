"""`claim check`, and the gate that `lease sign --policy` passes: what is attested about a counterparty."""

from __future__ import annotations

import contextlib
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.cli.claim import app, claim_columns, claim_row
from pseudoledger.cli.command import JsonOption, LedgerOption, plain
from pseudoledger.cli.desk import Desk, read_file
from pseudoledger.cli.failure import CHECK_FAILED
from pseudoledger.cli.find import did_of, find, party_name, unknown_of
from pseudoledger.cli.nodes import NodeKeyOption, NodeOption, place_of
from pseudoledger.cli.show import Column, Facts, Sheet, errors, present, when
from pseudoledger.cli.values import instant
from pseudoledger.contract.case import terms_id_at
from pseudoledger.contract.gate import Checked, GatePolicy, GateReport, Occasion, check, read_policy
from pseudoledger.contract.things import Lease, TermsInForce
from pseudoledger.errors import Finding, MalformedError, RegistrationRefused

APPS = ()

GateOption = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        help="Your gate, a TOML file: which claims the other party has to have.",
        show_default=False,
    ),
]


@plain(
    app,
    "check",
    examples=(
        "pl claim check bob",
        "pl claim check bob --policy gate.toml",
        "pl claim check bob --policy gate.toml --lease L1 --json",
    ),
)
def check_counterparty(
    who: Annotated[str, typer.Argument(help="The counterparty: key name, did or label.", show_default=False)],
    *,
    policy: GateOption = None,
    lease: Annotated[
        str | None, typer.Option("--lease", help="Check for this lease: its end and its place.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Claims that have to last do so until then.")
    ] = None,
    ledger: LedgerOption = None,
    node: NodeOption = None,
    node_key: NodeKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is attested about a counterparty, by whom, until when, and what is missing; exits 1 on refuse.

    Missing is what your gate asks for and nobody attests, or, without a gate, what the ledger does not know.
    """
    with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
        occasion = Occasion(now=desk.now) if lease is None else _occasion(desk, find(desk, Lease, lease)[1])
        if until is not None:
            occasion = replace(occasion, until=instant(until, "--until"))
        gate = load(desk, policy) if policy is not None else None
        report = check(desk.book, gate, did_of(desk, who, "COUNTERPARTY"), occasion)
        present(_shown(desk, report, gated=gate is not None), as_json=as_json)
        if report.verdict == "refuse":
            raise typer.Exit(CHECK_FAILED)


def load(desk: Desk, path: Path) -> GatePolicy:
    """Read a gate from its file; attestors may be named as everywhere on the command line."""
    try:
        tree: Any = tomllib.loads(read_file(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MalformedError(f"{path} is not TOML: {error}", code="gate.form") from None
    required = tree.get("require")
    for item in required if isinstance(required, list) else ():
        if isinstance(item, dict) and isinstance(item.get("attestors"), list):
            item["attestors"] = [did_of(desk, str(who), f"{path}: attestors") for who in item["attestors"]]
    return read_policy(tree)


def _occasion(desk: Desk, lease: Lease) -> Occasion:
    terms = desk.book.get(TermsInForce, terms_id_at(lease, desk.now))
    return Occasion(now=desk.now, until=lease.until, facility=terms.payload.facility if terms else None)


def pass_gate(desk: Desk, path: Path, lease: Lease, other: str) -> None:
    """Let a signature go on, with warnings on stderr; raise RegistrationRefused where the gate refuses."""
    report = check(desk.book, load(desk, path), other, _occasion(desk, lease))
    findings = [
        Finding(code=f"gate.{item.verdict}", message=f"{item.requirement.claim}: {'; '.join(item.missing)}")
        for item in report.checks
        if item.verdict != "allow"
    ]
    if report.verdict == "refuse":
        raise RegistrationRefused(tuple(findings))
    for finding in findings:
        errors(f"warning: {finding}")


def _shown(desk: Desk, report: GateReport, *, gated: bool) -> Facts:
    rows = [_row(item) for item in report.checks]
    attested = [claim_row(desk, item.id, item.claim) for item in report.found]
    columns = (
        Column(title="claim", form=lambda row: row["claim"]),
        Column(title="gate", form=lambda row: row["verdict"]),
        Column(
            title="attested by",
            form=lambda row: party_name(desk, row["attestor"]) if row["attestor"] else "-",
        ),
        Column(title="until", form=lambda row: row["until"][:10] if row["until"] else "-"),
        Column(title="missing", form=lambda row: "\n".join(row["missing"]) or "-", wide=True),
    )
    stands = Sheet(title="Attested", columns=claim_columns(desk), rows=attested, empty="nothing")
    sheets = (Sheet(title="Required", columns=columns, rows=rows), stands) if gated else (stands,)
    unknown = unknown_of(desk, report.subject)
    value = {
        "subject": report.subject,
        "as_of": desk.now,
        "verdict": report.verdict if gated else None,
        "required": rows,
        "attested": attested,
        "unknown": unknown,
    }
    facts = [
        ("gate", report.verdict if gated else "none: --policy names the file of one"),
        ("as of", f"{when(desk.now)} UTC"),
        ("did", report.subject),
        *(("not known", item["message"]) for item in unknown if not gated),
    ]
    title = f"Check of {party_name(desk, report.subject)}"
    return Facts(title=title, facts=facts, value=value, sheets=sheets)


def _row(item: Checked) -> dict[str, Any]:
    met = item.met_by
    return {
        "claim": item.requirement.claim,
        "verdict": item.verdict,
        "met_by": met.id if met else None,
        "attestor": met.claim.attestor if met else None,
        "until": met.claim.payload.valid.until if met else None,
        "missing": list(item.missing),
    }
