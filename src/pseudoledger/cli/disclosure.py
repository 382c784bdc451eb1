"""`disclosure write|show|list`: opening sealed fields to a named reader, and saying so on the ledger."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Annotated

import typer

from pseudoledger.cli.command import (
    Act,
    Acting,
    JsonOption,
    LedgerOption,
    acting,
    group,
    plain,
    reading,
)
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import did_of, find
from pseudoledger.cli.listing import (
    LIMIT,
    LimitOption,
    MineOption,
    cut,
    id_column,
    party,
    row_of,
    things_of,
    time,
)
from pseudoledger.cli.nodes import NodeKeyOption, NodeOption, place_of
from pseudoledger.cli.show import Column, Facts, Sheet, listed, present, short
from pseudoledger.cli.statements import find_statement, read_disclosures
from pseudoledger.contract.things.claim import Claim, Disclosure
from pseudoledger.identity import files
from pseudoledger.ledger.transparent import detach
from pseudoledger.statement import envelope, sealed

app = group("disclosure", "Opening sealed fields to a named reader, and saying so.")
APPS = (app,)


@plain(
    app,
    "write",
    examples=(
        "pl disclosure write 3f9ac2d1 -o for-auditor.json",
        "pl disclosure write 3f9ac2d1 --field /subject_name --from kept.disclosures.json -o for-auditor.json",
    ),
)
def write(
    what: Annotated[
        str,
        typer.Argument(
            help="Statement: index, id or its beginning; or the number of a claim.", show_default=False
        ),
    ],
    *,
    field: Annotated[
        list[str] | None, typer.Option("--field", help="JSON Pointer of a field; all where none is named.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Disclosure file; the one kept here where not said.")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="File for the reader.", show_default=False)],
    ledger: LedgerOption = None,
    node: NodeOption = None,
    node_key: NodeKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the disclosures of some fields of a statement to a file for one reader; nothing is registered."""
    with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
        with contextlib.suppress(WrongUse):
            what = find(desk, Claim, what)[0]
        raw, _ = find_statement(desk, what)
        statement = envelope.decode(detach(raw).statement)
        kept = source or desk.disclosures / f"{statement.id}.disclosures.json"
        texts = read_disclosures(kept).disclosures
        opened = {sealed.open_field(statement, text).pointer: text for text in texts}
        unknown = sorted(set(field or ()) - opened.keys())
        if unknown:
            raise WrongUse(
                f"--field: {kept.name} opens no {listed(unknown)}", hint=f"it opens {listed(sorted(opened))}"
            )
        chosen = sorted(field or opened)
        content = {"statement": statement.id, "disclosures": [opened[pointer] for pointer in chosen]}
        try:
            files.create_private(out, (json.dumps(content, indent=1) + "\n").encode())
        except FileExistsError:
            raise WrongUse(f"{out} is there already", hint="choose another file name") from None
        facts = [
            ("opens", ", ".join(chosen)),
            ("hand it over", "by a way that only the reader sees"),
            ("next", f"pl disclosure show NUMBER {out} --to READER"),
        ]
        value = {"statement": statement.id, "file": str(out), "fields": chosen}
        present(Facts(title=f"Wrote {out}", facts=facts, value=value), as_json=as_json)


@acting(app, "show", examples=("pl disclosure show S1 for-auditor.json --to auditor --as alice",))
def show(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of this act.", show_default=False)],
    file: Annotated[
        Path, typer.Argument(help="Disclosure file that the reader was given.", show_default=False)
    ],
    to: Annotated[str, typer.Option("--to", help="The reader: key name, did or label.", show_default=False)],
    remark: Annotated[str | None, typer.Option("--remark", help="What it was asked for; sealed.")] = None,
) -> Act:
    """Say on the ledger to whom you have opened which sealed fields; what they hold stays off it."""
    handed = read_disclosures(file)
    tree = {
        "type": "disclosure.shown",
        "number": number,
        "statement": handed.statement,
        "reader": did_of(acting.desk, to, "--to"),
        "opened": sorted({sealed.disclosure_digest(text) for text in handed.disclosures}),
        **({"remark": remark} if remark else {}),
    }
    then = f"the reader opens it with: pl show {short(handed.statement)} --disclosures {file.name}"
    return Act(tree=tree, title=number, then=then)


@reading(app, "list", examples=("pl disclosure list", "pl disclosure list --of auditor"))
def list_shown(desk: Desk, of: MineOption = None, limit: LimitOption = LIMIT) -> Sheet:
    """List who has opened how many fields of which statement to whom, newest first."""
    rows = [row_of(key, item) for key, item in things_of(desk, Disclosure, of=of)]
    columns = (
        id_column(),
        party(desk, "discloser"),
        party(desk, "reader"),
        Column(title="statement", form=lambda row: short(row["statement"])),
        Column(title="fields", form=lambda row: str(len(row["opened"])), right=True),
        time("shown", "shown_at"),
    )
    return cut("Disclosures", columns, rows, limit, empty="none")
