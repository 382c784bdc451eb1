"""`bundle make|verify|show`: one contract with its proofs as one file, for a dispute or a file cabinet."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import JsonOption, LedgerOption, group, plain
from pseudoledger.cli.desk import Desk, read_file, write_file
from pseudoledger.cli.disclosure_file import read_disclosures
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import find
from pseudoledger.cli.nodes import place_of
from pseudoledger.cli.show import Column, Facts, Sheet, listed, present, progress, short, short_did, when
from pseudoledger.cli.values import did
from pseudoledger.contract.things import Lease
from pseudoledger.ledger.bundle import decode_bundle, encode_bundle
from pseudoledger.ledger.bundle_proof import VerifiedBundle, VerifiedStatement, verify_bundle
from pseudoledger.ledger.policy import parse_policy
from pseudoledger.market.bundling.choose import Chosen, make_bundle
from pseudoledger.market.bundling.page import to_html
from pseudoledger.market.bundling.words import Trusted, does_not_show, shows

app = group("bundle", "One contract with its proofs in one file, to verify offline.")

BundleArgument = Annotated[Path, typer.Argument(help="The bundle.", metavar="FILE", show_default=False)]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", help="did:key of the ledger, from a source you trust.", show_default=False),
]
PolicyOption = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        help="C2SP policy file: a log of it has to have signed, and its quorum to have cosigned.",
        show_default=False,
    ),
]
_KEY = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"


@plain(
    app,
    "make",
    examples=(
        "pl bundle make L1 -o L1.plbundle",
        "pl bundle make L1 -o L1.plbundle --disclosures from-bob.disclosures.json --file house-rules.md",
    ),
)
def make(
    lease: Annotated[str, typer.Argument(help="Lease: id, prefix or number.", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", help="New file for the bundle.", show_default=False)],
    *,
    disclosures: Annotated[
        list[Path] | None,
        typer.Option(
            "--disclosures",
            help="File that opens sealed fields; may be repeated. None is taken that is not named here.",
        ),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--file",
            help="File that a statement of the contract names by its hash; may be repeated. Rule sets and"
            " tables of this program are put in anyway.",
        ),
    ] = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a contract's statements, their proofs, the checkpoint and chosen disclosures into one file."""
    with (
        contextlib.closing(Desk(place_of(ledger, None, None))) as desk,
        progress("choosing", None) as meter,
        desk.store.snapshot(),
    ):
        lease_id, thing = find(desk, Lease, lease)
        chosen = make_bundle(
            desk.store,
            lease_id,
            _disclosures(disclosures or ()),
            [read_file(path) for path in files or ()],
            meter.advance,
        )
        raw = encode_bundle(chosen.bundle)
        verified = verify_bundle(decode_bundle(raw), key=None)
    write_file(out, raw)
    present(_made(out, raw, thing.number, chosen, verified), as_json=as_json)


def _disclosures(paths: Sequence[Path]) -> Mapping[str, Sequence[str]]:
    """Read the disclosure files that were named, by statement."""
    found: dict[str, list[str]] = {}
    for path in paths:
        read = read_disclosures(path)
        found.setdefault(read.statement, []).extend(read.disclosures)
    return found


def _made(out: Path, raw: bytes, number: str, chosen: Chosen, verified: VerifiedBundle) -> Facts:
    opened = sum(len(item.opened) for item in verified.statements)
    value = {
        "file": str(out),
        "bytes": len(raw),
        "lease": chosen.bundle.lease,
        "statements": len(verified.statements),
        "blocks": verified.blocks,
        "files": len(chosen.bundle.files),
        "disclosed": opened,
        "tree_size": chosen.size,
        "signed_by": list(chosen.cosigned_by),
        "later": chosen.later,
        "missing": [item.statement for item in verified.missing],
        "ledger_key": verified.key,
    }
    facts = [
        ("file", f"{out}, {len(raw):,} bytes"),
        (
            "holds",
            f"{len(verified.statements)} statements, {verified.blocks} blocks, {len(chosen.bundle.files)} files",
        ),
        ("discloses", f"{opened} sealed fields" if opened else "nothing"),
        ("under", f"the checkpoint at {chosen.size} entries, cosigned by {listed(chosen.cosigned_by)}"),
        *(
            [("left out", f"{chosen.later} later statements: no checkpoint covers them yet")]
            if chosen.later
            else []
        ),
        ("check", f"pl bundle verify {out} --key {verified.key}"),
    ]
    return Facts(title=f"Bundle of lease {number} written", facts=facts, value=value)


@plain(
    app,
    "verify",
    examples=(
        f"pl bundle verify L1.plbundle --key {_KEY}",
        "pl bundle verify L1.plbundle --policy trust.policy",
    ),
)
def verify(
    file: BundleArgument,
    *,
    key: KeyOption = None,
    policy: PolicyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a bundle offline, from the file alone: every signature, proof, block, key change and disclosure."""
    if key is None and policy is None:
        raise WrongUse("whom to trust is not said", hint="give --key DID, or --policy FILE, or both")
    verified, trusted = _verified(file, key, policy)
    present(_report(verified, trusted), as_json=as_json)


@plain(
    app,
    "show",
    examples=(
        f"pl bundle show L1.plbundle --html L1.html --key {_KEY}",
        "pl bundle show L1.plbundle --html L1.html --policy trust.policy",
    ),
)
def show(
    file: BundleArgument,
    html: Annotated[Path, typer.Option("--html", help="New file for the page.", show_default=False)],
    *,
    key: KeyOption = None,
    policy: PolicyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify a bundle and write it as one page to read: timeline, fields, proofs, and what is missing.

    Without --key or --policy the ledger key is taken from the bundle itself, and the page says so.
    """
    verified, trusted = _verified(file, key, policy)
    page = to_html(verified, trusted)
    write_file(html, page)
    value = {"file": str(html), "bytes": len(page), "trusted": trusted, "ledger_key": verified.key}
    facts = [
        ("file", f"{html}, {len(page):,} bytes"),
        ("ledger key", f"{verified.key}, from the {trusted}"),
    ]
    note = "" if trusted != "bundle" else "Nobody but the bundle names this key: compare it, or give --key"
    present(Facts(title="Page written", facts=facts, value=value, note=note), as_json=as_json)


def _verified(file: Path, key: str | None, policy: Path | None) -> tuple[VerifiedBundle, Trusted]:
    if key is not None:
        did(key, "--key")
    trust = parse_policy(read_file(policy)) if policy is not None else None
    verified = verify_bundle(decode_bundle(read_file(file)), key=key, policy=trust)
    trusted: Trusted = "named key" if key is not None else "policy" if trust is not None else "bundle"
    return verified, trusted


def _report(bundle: VerifiedBundle, trusted: Trusted) -> Facts:
    said = bundle.checkpoint.checkpoint
    simulated = bundle.founded.policy.clock == "simulated"
    shown = shows(bundle, trusted)
    lacking = does_not_show(bundle, trusted, simulated=simulated)
    value = {
        "lease": bundle.lease.statement.id,
        "ledger": bundle.ledger,
        "origin": bundle.origin,
        "ledger_key": bundle.key,
        "trusted": trusted,
        "tree_size": said.size,
        "root": said.root.hex(),
        "cosigned": [
            {"witness": item.key.name, "time": item.time} for item in bundle.checkpoint.cosignatures
        ],
        "blocks": bundle.blocks,
        "statements": [_row(item) for item in bundle.statements],
        "files": [{"name": item.name, "sha256": item.sha256, "bytes": item.size} for item in bundle.files],
        "missing": [{"statement": item.statement, "cited_by": item.cited_by} for item in bundle.missing],
        "shows": list(shown),
        "does_not_show": list(lacking),
    }
    facts = [
        ("lease", bundle.lease.statement.id),
        ("ledger", f"{bundle.origin}  {bundle.ledger}"),
        *(("shows", text) for text in shown),
        *(("not shown", text) for text in lacking),
    ]
    columns = (
        Column(title="entry", form=lambda row: str(row["index"]), right=True),
        Column(title="block time", form=lambda row: when(row["block_time_ms"] // 1000)),
        Column(title="kind", form=lambda row: row["kind"]),
        Column(title="signed by", form=lambda row: short_did(row["iss"])),
        Column(title="id", form=lambda row: short(row["id"])),
        Column(
            title="disclosed",
            form=lambda row: listed(item["pointer"] for item in row["disclosed"]),
            wide=True,
        ),
    )
    sheet = Sheet(title="Statements", columns=columns, rows=value["statements"])  # type: ignore[arg-type]
    return Facts(
        title="Verified: the bundle holds", facts=facts, value=value, sheets=(sheet,), style="bold green"
    )


def _row(item: VerifiedStatement) -> dict[str, Any]:
    return {
        "index": item.index,
        "id": item.statement.id,
        "kind": item.kind,
        "iss": item.statement.iss,
        "sub": item.statement.sub,
        "block": item.block_height,
        "block_time_ms": item.time_ms,
        "disclosed": [
            {"pointer": field.pointer, "value": field.value, "problem": field.problem}
            for field in item.opened
        ],
    }


APPS = (app,)
