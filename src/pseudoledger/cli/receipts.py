"""`receipt get|verify` and `tiles export`: proofs, and the ledger as static files."""

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
from pseudoledger.cli.show import Facts, present, progress
from pseudoledger.cli.statements import find_statement
from pseudoledger.cli.values import did
from pseudoledger.ledger.export import export_tiles
from pseudoledger.ledger.receipt import decode_receipt, verify_receipt
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.transparent import attach, detach
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


@plain(
    receipts,
    "verify",
    examples=(
        "pl receipt verify offer.scitt offer.receipt --key did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
    ),
)
def verify(
    statement: Annotated[Path, typer.Argument(help="The signed statement.", show_default=False)],
    receipt: Annotated[Path, typer.Argument(help="Its receipt.", show_default=False)],
    key: Annotated[
        str, typer.Option("--key", help="did:key of the ledger, from a source you trust.", show_default=False)
    ],
    *,
    origin: Annotated[
        str | None, typer.Option("--origin", help="Name that the ledger has to have.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check, offline and from two files, that a ledger has registered a statement."""
    did(key, "--key")
    bare = detach(read_file(statement)).statement
    decoded = envelope.decode(bare)
    decoded.verify()
    raw = read_file(receipt)
    said = decode_receipt(raw)
    proved = verify_receipt(raw, bare, key, origin or said.origin)
    value = {
        "statement": decoded.id,
        "issuer": decoded.iss,
        "origin": said.origin,
        "index": proved.leaf_index,
        "tree_size": proved.tree_size,
        "root": proved.root.hex(),
    }
    facts = [
        ("statement", decoded.id),
        ("signed by", decoded.iss),
        ("ledger", f"{said.origin}" + ("" if origin else " (as the receipt says; --origin compares it)")),
        ("entry", f"{proved.leaf_index} of {proved.tree_size}"),
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
    with contextlib.closing(Store.open_reader(directory)) as store, progress("exporting", None) as meter:
        done = export_tiles(store, out, progress=meter.advance)
    value = {"out": str(out), **asdict(done)}
    facts = [
        ("folder", str(out)),
        ("ledger", done.origin),
        ("entries", f"{done.size}, of which {done.since} were there before"),
        ("files", f"{done.files} written, and the checkpoint"),
    ]
    present(Facts(title="Tiles exported", facts=facts, value=value), as_json=as_json)


APPS = (receipts, tiles)
