"""`draft`, `sign`, `submit`, `show`: statements of every kind, as files."""

from __future__ import annotations

import contextlib
import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from pseudoledger.cli.command import (
    AsOption,
    ClearOption,
    DryRunOption,
    JsonOption,
    LedgerOption,
    outcome,
    plain,
    reading,
    show_outcomes,
)
from pseudoledger.cli.desk import Desk, read_file, write_file
from pseudoledger.cli.disclosure_file import disclosures_of
from pseudoledger.cli.examples import example
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import find_any, party_name
from pseudoledger.cli.nodes import NodeKeyOption, NodeOption, place_of
from pseudoledger.cli.show import Column, Facts, Sheet, present, print_json, progress, when
from pseudoledger.contract.ruleset import NAMES
from pseudoledger.contract.things import THING_OF_SUBJECT
from pseudoledger.errors import MalformedError, PseudoledgerError
from pseudoledger.ledger.transparent import detach
from pseudoledger.registrar import Registered
from pseudoledger.statement import envelope, sealed
from pseudoledger.statement.kinds import KINDS, Kind, Subject

app = typer.Typer()

BATCH = 256
"""Statements that `submit` hands to the registrar at a time: one block each."""


@plain(app, "draft", examples=("pl draft --list", "pl draft pool.declared > pool.json"))
def draft(
    kind: Annotated[str | None, typer.Argument(help="Kind of statement.", show_default=False)] = None,
    *,
    listing: Annotated[bool, typer.Option("--list", help="Name every kind.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print a payload of a kind to start from; every field is explained in the data dictionary."""
    if listing or kind is None:
        if kind is not None or not listing:
            raise WrongUse("name one kind, or give --list", hint="pl draft --list")
        present(_kinds(), as_json=as_json)
        return
    print_json(example(_kind(kind)))


def _kind(name: str) -> Kind:
    found = [kind for (kind_name, _), kind in KINDS.items() if kind_name == name]
    if not found or not found[-1].from_network:
        raise WrongUse(f"no kind {name!r} can be drafted", hint="pl draft --list names them")
    return max(found, key=lambda kind: kind.v)


def _kinds() -> Sheet:
    rows = [
        {
            "kind": kind.name,
            "v": kind.v,
            "about": kind.subject.value,
            "since": NAMES[kind.since - 1],
            "says": (kind.model.__doc__ or "").split("\n")[0],
        }
        for kind in KINDS.values()
        if kind.from_network
    ]
    columns = (
        Column(title="kind", form=lambda row: row["kind"]),
        Column(title="about", form=lambda row: row["about"]),
        Column(title="since", form=lambda row: row["since"]),
        Column(title="says", form=lambda row: row["says"], wide=True),
    )
    return Sheet(title="Kinds of statement", columns=columns, rows=rows)


@plain(
    app,
    "sign",
    examples=(
        "pl sign pool.json --as lessor -o pool.scitt",
        "pl sign accept.json --as lessee --about INV-1 -o accept.scitt",
    ),
)
def sign(
    file: Annotated[Path, typer.Argument(help="Payload, as JSON in the clear.", show_default=False)],
    as_: AsOption,
    out: Annotated[
        Path, typer.Option("-o", "--out", help="File for the signed statement.", show_default=False)
    ],
    *,
    about: Annotated[
        str | None,
        typer.Option("--about", help="What it is about: id, prefix or number of the lease, invoice, …"),
    ] = None,
    clear: ClearOption = None,
    ledger: LedgerOption = None,
    node: NodeOption = None,
    node_key: NodeKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Seal and sign a payload for one ledger; what opens its sealed fields goes beside it, mode 0600."""
    with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
        tree = _tree(file)
        desk.key(as_)
        kind = _kind(str(tree.get("type")))
        sub = _subject(desk, kind, about)
        signer = desk.signer(as_)
        if kind.subject is Subject.IDENTITY:
            sub = sub or desk.book.root_of(signer.did)
        signed = desk.sign(signer, tree, sub=sub, clear=frozenset(clear or ()))
        write_file(out, signed.raw)
        value = {"kind": signed.kind, "id": signed.id, "file": str(out)}
        beside = out.with_name(f"{out.stem}.disclosures.json")
        if desk.keep(signed, beside):
            value["disclosures"] = str(beside)
        facts = [
            *((name, text) for name, text in value.items() if name != "kind"),
            ("next", f"pl submit {out}"),
        ]
        present(Facts(title=f"Signed {signed.kind}", facts=facts, value=value), as_json=as_json)


def _tree(file: Path) -> dict[str, Any]:
    raw = read_file(file)
    try:
        tree = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedError(
            f"{file} is not JSON: {error}", code="payload.json", hint="pl draft KIND prints one to start from"
        ) from None
    if not isinstance(tree, dict):
        raise MalformedError(f"{file} is not a JSON object", code="payload.json")
    # What was read has the last of two; whoever wrote the file may mean the first.
    try:
        json.loads(raw, object_pairs_hook=partial(_each_once, file))
    except RecursionError:
        raise MalformedError(f"{file} is nested too deeply", code="payload.json") from None
    return tree


def _each_once(file: Path, members: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in members]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MalformedError(f"{file} names {', '.join(twice)} twice", code="payload.json")


def _subject(desk: Desk, kind: Kind, about: str | None) -> str | None:
    """Resolve what a statement is about by its kind."""
    classes = THING_OF_SUBJECT.get(kind.subject)
    if classes is None:
        return about
    if about is None:
        raise WrongUse(f"{kind.name} is about {kind.subject.value}: say which", hint="add --about REF")
    return find_any(desk, about, *classes)[0]


@plain(
    app,
    "submit",
    examples=(
        "pl submit pool.scitt",
        "pl submit out/*.scitt --receipt-dir receipts",
        "pl submit x.scitt --dry-run",
    ),
)
def submit(
    files: Annotated[list[Path], typer.Argument(help="Signed statements.", show_default=False)],
    *,
    ledger: LedgerOption = None,
    node: NodeOption = None,
    node_key: NodeKeyOption = None,
    receipt_dir: Annotated[
        Path | None,
        typer.Option("--receipt-dir", help="Write a receipt for each statement into this folder."),
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Register signed statements, in the order given. Those that are there already get the same answer."""
    with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
        raws = [read_file(file) for file in files]
        if receipt_dir is not None and not dry_run:
            receipt_dir.mkdir(parents=True, exist_ok=True)
        results: list[dict[str, Any]] = []
        with desk.way_in() as registrar, progress("registering", len(raws)) as meter:
            for start in range(0, len(raws), BATCH):
                answers = registrar.register(raws[start : start + BATCH], dry_run=dry_run)
                for file, raw, answer in zip(files[start:], raws[start:], answers, strict=False):
                    result = outcome(answer, kind=_kind_of(raw), dry_run=dry_run) | {"file": str(file)}
                    if receipt_dir is not None and isinstance(answer, Registered) and not dry_run:
                        path = receipt_dir / f"{file.stem}.receipt"
                        path.write_bytes(registrar.receipt(answer.index))
                        result["receipt"] = str(path)
                    results.append(result)
                meter.advance(len(results), len(raws))
        show_outcomes(results, as_json=as_json)


def _kind_of(raw: bytes) -> str:
    """Name the kind of a statement for display, without judging it."""
    with contextlib.suppress(PseudoledgerError, orjson.JSONDecodeError):
        tree = orjson.loads(envelope.decode(detach(raw).statement).payload)
        if isinstance(tree, dict):
            return str(tree.get("type", "statement"))[:64]
    return "statement"


@reading(
    app,
    "show",
    examples=("pl show 12", "pl show 3f9ac2d1", "pl show lease.scitt --disclosures lease.disclosures.json"),
)
def show(
    desk: Desk,
    what: Annotated[str, typer.Argument(help="Index, id (or its beginning) or file.", show_default=False)],
    disclosures: Annotated[
        Path | None, typer.Option("--disclosures", help="File that opens sealed fields.", show_default=False)
    ] = None,
) -> Facts:
    """Show one statement: who signed it, when, its payload, and what its disclosures open."""
    raw, index = _find_statement(desk, what)
    statement = envelope.decode(detach(raw).statement)
    statement.verify()
    tree = orjson.loads(statement.payload)
    kept = disclosures or desk.disclosures / f"{statement.id}.disclosures.json"
    opened = [
        _opened(statement, text) for text in disclosures_of(kept, statement.id, named=disclosures is not None)
    ]
    block = desk.ledger.block_of(index) if index is not None else None
    issuer = party_name(desk, statement.iss) if index is not None else statement.iss
    value = {
        "id": statement.id,
        "index": index,
        "kind": tree.get("type"),
        "iss": statement.iss,
        "sub": statement.sub,
        "aud": statement.aud,
        "iat": statement.iat,
        "exp": statement.exp,
        "block": block[0] if block else None,
        "block_time_ms": block[1] if block else None,
        "payload": tree,
        "disclosed": opened,
    }
    facts = [
        ("id", statement.id),
        (
            "entry",
            "not on this ledger"
            if index is None
            else f"{index}, sealed by block {block[0] if block else '-'}",
        ),
        ("issuer", f"{issuer}  {statement.iss}" if issuer != statement.iss else issuer),
        ("about", statement.sub),
        ("issued", f"{when(statement.iat)} UTC (as the issuer says)"),
        *([("block time", f"{when(block[1] // 1000)} UTC")] if block else []),
        ("signature", "good"),
        *((f"opened {item['pointer']}", f"{item['value']}{_doubt(item)}") for item in opened),
        ("payload", json.dumps(tree, indent=1, ensure_ascii=False)),
    ]
    return Facts(title=str(tree.get("type", "statement")), facts=facts, value=value)


def _doubt(item: dict[str, Any]) -> str:
    return f"  (would have been refused in the clear: {item['problem']})" if item["problem"] else ""


def _find_statement(desk: Desk, what: str) -> tuple[bytes, int | None]:
    path = Path(what)
    if path.suffix in {".scitt", ".cose"} or path.is_file():
        raw = read_file(path)
        entry = None
        with contextlib.suppress(PseudoledgerError):
            entry = desk.ledger.entry_by_id(envelope.decode(detach(raw).statement).id)
        return raw, entry.index if entry else None
    if what.isdecimal() and int(what) < desk.ledger.size:
        found = desk.ledger.entry(int(what))
    else:
        found = desk.ledger.entry_by_id(whole_id(desk, what))
    if found is None:
        raise WrongUse(
            f"there is no statement {what!r} on this ledger",
            hint=f"name a file, an id, or an index from 0 to {desk.ledger.size - 1}",
        )
    return found.statement, found.index


def whole_id(desk: Desk, text: str) -> str:
    """Complete the beginning of a statement id."""
    begin = text.lower()
    if not 6 <= len(begin) <= 64 or any(c not in "0123456789abcdef" for c in begin):
        return ""
    found = desk.ledger.ids_that_begin(begin, limit=3)
    if len(found) > 1:
        raise WrongUse(f"several statements begin with {text!r}", hint="give more of the id")
    return found[0] if found else ""


def _opened(statement: envelope.Statement, text: str) -> dict[str, Any]:
    field = sealed.open_field(statement, text)
    return {"pointer": field.pointer, "value": field.value, "problem": field.problem}


def find_statement(desk: Desk, what: str) -> tuple[bytes, int | None]:
    """Return the bytes and index of a statement named by index, id, its beginning, or a file."""
    return _find_statement(desk, what)


APPS = (app,)
