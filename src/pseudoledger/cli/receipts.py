"""`receipt get|proof|verify` and `tiles export`: proofs, and the ledger as static files."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pseudoledger.cli.command import JsonOption, LedgerOption, group, plain
from pseudoledger.cli.desk import Desk, read_file, write_file
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.nodes import NodeKeyOption, NodeOption, place_of
from pseudoledger.cli.proving import check_proof, check_receipt
from pseudoledger.cli.show import Facts, listed, present, progress, when
from pseudoledger.cli.statements import find_statement
from pseudoledger.cli.values import did
from pseudoledger.ledger.checkpoint import parse_checkpoint
from pseudoledger.ledger.export import export_tiles
from pseudoledger.ledger.note import parse_note
from pseudoledger.ledger.policy import parse_policy
from pseudoledger.ledger.proof import LogProof, format_proof, is_proof
from pseudoledger.ledger.receipt import decode_receipt
from pseudoledger.ledger.transparent import attach, detach
from pseudoledger.ledger.tree import inclusion_proof
from pseudoledger.statement import envelope

receipts = group("receipt", "Proofs that a statement stands on a ledger.")
tiles = group("tiles", "The ledger as static files (C2SP tlog-tiles).")


@plain(
    receipts,
    "get",
    examples=("pl receipt get 12 -o offer.receipt", "pl receipt get 3f9ac2d1 -o offer.scitt --transparent"),
)
def get(
    what: Annotated[str, typer.Argument(help="Index, or id (or its beginning).", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", help="File for the receipt.", show_default=False)],
    *,
    transparent: Annotated[
        bool, typer.Option("--transparent", help="Write the statement with its receipt inside.")
    ] = False,
    ledger: LedgerOption = None,
    node: NodeOption = None,
    node_key: NodeKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the receipt of an entry: its proof under the block that seals it, signed by the ledger."""
    with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
        raw, index = find_statement(desk, what)
        entry = None if index is None else desk.ledger.entry(index)
        if index is None or entry is None:
            raise WrongUse(f"{what} is not on this ledger", hint="submit it first")
        receipt = desk.ledger.receipt(entry)
        write_file(out, attach(raw, [receipt]) if transparent else receipt)
        decoded = decode_receipt(receipt)
        value = {
            "file": str(out),
            "index": index,
            "tree_size": decoded.tree_size,
            "ledger_key": decoded.ledger,
            "origin": decoded.origin,
        }
        facts = [
            ("file", str(out)),
            ("entry", f"{index} of {decoded.tree_size}"),
        ]
        if not transparent:
            facts.append(("check", f"pl receipt verify STATEMENT.scitt {out} --key {decoded.ledger}"))
        present(Facts(title="Receipt written", facts=facts, value=value), as_json=as_json)


@plain(receipts, "proof", examples=("pl receipt proof 12 -o offer.tlog-proof",))
def proof(
    what: Annotated[str, typer.Argument(help="Index, or id (or its beginning).", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", help="File for the proof.", show_default=False)],
    *,
    ledger: LedgerOption = None,
    node: NodeOption = None,
    node_key: NodeKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a proof of an entry under a checkpoint with the cosignatures of witnesses (C2SP tlog-proof).

    It is the last cosigned checkpoint if that covers the entry, else the newest, which may carry none yet.
    """
    with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
        _, index = find_statement(desk, what)
        if index is None:
            raise WrongUse(f"{what} is not on this ledger", hint="submit it first")
        checkpoint, signed_by = _checkpoint_over(desk, index)
        head = parse_checkpoint(parse_note(checkpoint).text)
        size = head.size
        path = inclusion_proof(index, size, desk.ledger.hashes_under(head))
        write_file(out, format_proof(LogProof(index=index, path=path, checkpoint=checkpoint)))
        value = {"file": str(out), "index": index, "tree_size": size, "signed_by": signed_by}
        facts = [
            ("file", str(out)),
            ("entry", f"{index} of {size}"),
            ("signed by", listed(signed_by)),
            ("check", f"pl receipt verify STATEMENT.scitt {out} --policy FILE"),
        ]
        present(Facts(title="Proof written", facts=facts, value=value), as_json=as_json)


def _checkpoint_over(desk: Desk, index: int) -> tuple[bytes, list[str]]:
    """Return the last cosigned checkpoint if it covers an entry, else the newest; and the names that signed."""
    for raw in desk.ledger.checkpoints():
        note = parse_note(raw)
        if parse_checkpoint(note.text).size > index:
            return raw, [line.name for line in note.signatures]
    raise WrongUse(
        f"no published checkpoint covers entry {index} yet", hint="let the ledger's writer open and close it"
    )


@plain(
    receipts,
    "verify",
    examples=(
        "pl receipt verify offer.scitt offer.receipt --key did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
        "pl receipt verify offer.scitt offer.tlog-proof --policy trust.policy",
        "pl receipt verify offer.scitt offer.receipt --policy trust.policy --checkpoint cosigned.checkpoint",
    ),
)
def verify(
    statement: Annotated[Path, typer.Argument(help="The signed statement.", show_default=False)],
    receipt: Annotated[Path, typer.Argument(help="Its receipt or proof file.", show_default=False)],
    *,
    key: Annotated[
        str | None,
        typer.Option("--key", help="did:key of the ledger, from a source you trust.", show_default=False),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            help="C2SP policy file: a log of it has to have signed, and its quorum to have cosigned.",
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            help="Cosigned checkpoint of the receipt's tree; a proof file brings its own.",
            show_default=False,
        ),
    ] = None,
    origin: Annotated[
        str | None, typer.Option("--origin", help="Name that the ledger has to have.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check, offline and from files alone, that a ledger has registered a statement."""
    if key is None and policy is None:
        raise WrongUse("whom to trust is not said", hint="give --key DID, or --policy FILE, or both")
    if key is not None:
        did(key, "--key")
    trusted = parse_policy(read_file(policy)) if policy is not None else None
    bare = detach(read_file(statement)).statement
    decoded = envelope.decode(bare)
    decoded.verify()
    raw = read_file(receipt)
    if is_proof(raw):
        if checkpoint is not None:
            raise WrongUse("a proof file brings its checkpoint with it", hint="leave --checkpoint out")
        proved = check_proof(raw, bare, key=key, policy=trusted, origin=origin)
    else:
        other = read_file(checkpoint) if checkpoint is not None else None
        proved = check_receipt(raw, bare, key=key, policy=trusted, origin=origin, checkpoint=other)
    value = {
        "statement": decoded.id,
        "issuer": decoded.iss,
        "origin": proved.origin,
        "index": proved.index,
        "tree_size": proved.tree_size,
        "root": proved.root.hex(),
        "cosigned": [{"witness": name, "time": time} for name, time in proved.cosigned],
    }
    facts = [
        ("statement", decoded.id),
        ("signed by", decoded.iss),
        ("ledger", f"{proved.origin}" + ("" if origin else " (as the file says; --origin compares it)")),
        ("entry", f"{proved.index} of {proved.tree_size}"),
        *(("cosigned by", f"{name}, {when(time)} UTC") for name, time in proved.cosigned),
    ]
    present(
        Facts(title="Verified: the statement stands on this ledger", facts=facts, value=value),
        as_json=as_json,
    )


@plain(tiles, "export", examples=("pl tiles export market public",))
def export(
    directory: Annotated[Path, typer.Argument(help="Directory of the ledger.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="Folder for the files.", show_default=False)],
    *,
    as_json: JsonOption = False,
) -> None:
    """Write the ledger as static files that any web server can serve; a second run writes what is new."""
    with contextlib.closing(Desk(directory)) as desk, progress("exporting", None) as meter:
        done = export_tiles(desk.store, out, progress=meter.advance)
    value = {"out": str(out), **asdict(done)}
    facts = [
        ("folder", str(out)),
        ("ledger", done.origin),
        ("entries", f"{done.size}, of which {done.since} were there before"),
        ("files", f"{done.files} written, and the checkpoint"),
    ]
    present(Facts(title="Tiles exported", facts=facts, value=value), as_json=as_json)


APPS = (receipts, tiles)
