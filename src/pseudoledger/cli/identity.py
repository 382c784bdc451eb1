"""`id`: keys held here, and what an identity says about itself on a ledger."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import JsonOption, LedgerOption, group, plain, reading
from pseudoledger.cli.desk import Desk, read_file
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import did_of
from pseudoledger.cli.nodes import NodeKeyOption, NodeOption, place_of
from pseudoledger.cli.show import Column, Facts, Sheet, present, short, when
from pseudoledger.contract.things import Chain, Owner
from pseudoledger.errors import KeystoreError
from pseudoledger.identity.derivation import path_text, scan
from pseudoledger.identity.keystore import KeyInfo

app = group("id", "Keys, and the identities that they stand for.")
APPS = (app,)

UnsealedOption = Annotated[bool, typer.Option("--unsealed", help="Keep it without a passphrase.")]


@plain(
    app,
    "new",
    examples=(
        "pl id new alice",
        "pl id new alice-words --words",
        "pl id new alice --from-words alice-words --ledger market",
    ),
)
def new(
    name: Annotated[str, typer.Argument(help="Name of the key, for you alone.", show_default=False)],
    *,
    words: Annotated[
        bool, typer.Option("--words", help="Make 24 words, from which pseudonyms are derived.")
    ] = False,
    restore: Annotated[
        Path | None,
        typer.Option("--restore", help="Take words from a file, - for stdin, instead of making new ones."),
    ] = None,
    from_words: Annotated[
        str | None,
        typer.Option("--from-words", help="Derive a pseudonym for this ledger from these words."),
    ] = None,
    unsealed: UnsealedOption = False,
    ledger: LedgerOption = None,
    node: NodeOption = None,
    node_key: NodeKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key: a single one, the words of many, or a pseudonym derived from words for one ledger."""
    if from_words is not None and (words or restore is not None):
        raise WrongUse("--from-words derives; --words and --restore make words", hint="give one of them")
    with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
        desk.new_name(name)
        if from_words is not None:
            desk.key(from_words)
            info = desk.keystore.derive(name, words=from_words, ledger_id=desk.state.id, passphrase=desk.ask)
            present(_made(desk, info), as_json=as_json)
        elif words or restore is not None:
            _make_words(desk, name, restore, unsealed=unsealed, as_json=as_json)
        else:
            passphrase = desk.new_passphrase(name, unsealed=unsealed)
            present(_made(desk, desk.keystore.create_key(name, passphrase=passphrase)), as_json=as_json)


def _make_words(desk: Desk, name: str, restore: Path | None, *, unsealed: bool, as_json: bool) -> None:
    if restore is not None:
        text = sys.stdin.read() if str(restore) == "-" else read_file(restore).decode("utf-8", "replace")
        info = desk.keystore.import_words(name, text, passphrase=desk.new_passphrase(name, unsealed=unsealed))
        present(_made(desk, info), as_json=as_json)
        return
    made = desk.keystore.create_words(name, passphrase=desk.new_passphrase(name, unsealed=unsealed))
    facts = [
        ("words", made),
        ("keep", "write them down on paper; whoever has them has every pseudonym made from them"),
        ("next", f"pl id new NAME --from-words {name} --ledger DIR"),
    ]
    present(Facts(title=f"Made {name}", facts=facts, value={"name": name, "words": made}), as_json=as_json)


def _made(desk: Desk, info: KeyInfo, done: str = "Made") -> Facts:
    facts = [(label, fact) for label, fact in _info_facts(info) if fact]
    facts.append(("kept in", str(desk.keystore.directory)))
    if info.did and done == "Made":
        facts.append(("next", f"pl id declare --label NAME --as {info.name}"))
    return Facts(title=f"{done} {info.name}", facts=facts, value=_info_value(info))


def _info_value(info: KeyInfo) -> dict[str, Any]:
    value: dict[str, Any] = {"name": info.name, "sort": info.sort, "did": info.did, "sealed": info.sealed}
    if info.sort == "derived":
        value |= {
            "words": info.words,
            "ledger": info.ledger_id,
            "path": path_text(info.ledger_id, info.scope, info.index),
        }
    return value | ({"problem": info.problem} if info.problem else {})


def _info_facts(info: KeyInfo) -> list[tuple[str, str]]:
    origin = ""
    if info.sort == "derived":
        origin = f"{info.words}, {path_text(info.ledger_id, info.scope, info.index)}"
    return [
        ("did", info.did),
        ("sort", info.sort),
        ("from", origin),
        ("passphrase", "asked for" if info.sealed else "none: the file alone is the key"),
        ("problem", info.problem),
    ]


@plain(app, "list", examples=("pl id list", "pl id list --json"))
def list_keys(*, as_json: JsonOption = False) -> None:
    """List the keys held here."""
    desk = Desk(None)
    rows = [_info_value(info) for info in desk.keystore.list()]
    columns = (
        Column(title="name", form=lambda row: row["name"]),
        Column(title="sort", form=lambda row: row["sort"]),
        Column(title="passphrase", form=lambda row: "yes" if row["sealed"] else "no"),
        Column(title="did", form=lambda row: row["did"] or "-", wide=True),
        Column(title="from", form=lambda row: row.get("words", "")),
        Column(title="problem", form=lambda row: row.get("problem", ""), wide=True),
    )
    sheet = Sheet(
        title=f"Keys in {desk.keystore.directory}",
        columns=columns if any("problem" in row for row in rows) else columns[:-1],
        rows=rows,
        empty="none yet; pl id new NAME makes one",
    )
    present(sheet, as_json=as_json)


@reading(app, "show", examples=("pl id show alice", "pl id show did:key:z6MkhaXgBZDv --ledger market"))
def show(
    desk: Desk,
    who: Annotated[
        str, typer.Argument(help="Key name, did (or its beginning) or declared label.", show_default=False)
    ],
) -> Facts:
    """Show a key, and what its identity has said on the ledger."""
    info = next((info for info in desk.keystore.list() if info.name == who), None)
    if desk.named:
        did = info.did if info is not None and info.did else did_of(desk, who, "WHO")
    elif info is None:
        desk.key(who)
        raise WrongUse(f"there is no key named {who}")
    else:
        did = info.did
    value: dict[str, Any] = _info_value(info) if info is not None else {"did": did}
    facts = (
        [(label, fact) for label, fact in _info_facts(info) if fact] if info is not None else [("did", did)]
    )
    if desk.named and did:
        chain = desk.book.chain_of(did)
        value["identity"] = None
        if chain is not None:
            root = desk.book.root_of(did)
            value["identity"] = _chain_value(root, chain)
            facts += _chain_facts(desk, root, chain)
        elif desk.book.get(Owner, did) is not None:
            facts.append(("on ledger", "has acted, and declared nothing"))
        else:
            facts.append(("on ledger", "not seen yet"))
    return Facts(title=info.name if info is not None else who, facts=facts, value=value)


def _chain_value(root: str, chain: Chain) -> dict[str, Any]:
    return {
        "first_key": root,
        "keys": list(chain.keys),
        "label": chain.label,
        "next": chain.next,
        "recovery": chain.recovery,
        "handover": None
        if chain.handover is None
        else {"id": chain.handover.id, "to": chain.handover.to, "sort": chain.handover.sort},
        "revoked_by": chain.revoked_by,
        "entry": chain.entry,
    }


def _chain_facts(desk: Desk, root: str, chain: Chain) -> list[tuple[str, str]]:
    held = desk.names.get(chain.recovery or "", "")
    facts = [
        ("label", chain.label or "none"),
        ("first key", root),
        ("acting key", chain.keys[-1] + (" (taken out of force)" if chain.revoked_by else "")),
        ("keys so far", str(len(chain.keys))),
        ("next key", f"committed to, {short(chain.next)}…" if chain.next else "not committed"),
        ("recovery", f"{chain.recovery}{f' ({held})' if held else ''}" if chain.recovery else "none"),
    ]
    if chain.handover is not None:
        facts.append(
            ("waits", f"{chain.handover.to} has to adopt {short(chain.handover.id)} ({chain.handover.sort})")
        )
    facts.extend(("overrides", f"recovery key {key} until {when(until)} UTC") for key, until in chain.earlier)
    return facts


@plain(app, "passphrase", examples=("pl id passphrase alice", "pl id passphrase alice --unsealed"))
def passphrase(
    name: Annotated[str, typer.Argument(help="Name of the key or words.", show_default=False)],
    *,
    unsealed: UnsealedOption = False,
    new_file: Annotated[
        Path | None,
        typer.Option(
            "--new-file", help="Take the new passphrase from the first line of a file, - for stdin."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Change the passphrase of a key or of words."""
    desk = Desk(None)
    desk.key(name)
    if unsealed:
        fresh = None
    elif new_file is not None:
        text = (
            sys.stdin.readline() if str(new_file) == "-" else read_file(new_file).decode("utf-8", "replace")
        )
        fresh = text.splitlines()[0] if text.splitlines() else ""
        if not fresh:
            raise WrongUse(f"{new_file} holds no passphrase")
    elif not sys.stdin.isatty():
        raise KeystoreError(
            "there is no terminal to ask for the new passphrase",
            hint="give --new-file FILE, or run this in one",
        )
    else:
        fresh = str(
            typer.prompt(f"New passphrase of {name}", hide_input=True, confirmation_prompt=True, err=True)
        )
    info = desk.keystore.change_passphrase(name, old=desk.ask, new=fresh)
    present(_made(desk, info, "Changed the passphrase of"), as_json=as_json)


@plain(app, "scan", examples=("pl id scan alice-words --ledger market", "pl id scan alice-words --store"))
def scan_ledger(
    words: Annotated[str, typer.Argument(help="Name of the words.", show_default=False)],
    *,
    store: Annotated[
        bool, typer.Option("--store", help="Store each pseudonym found, as WORDS-SCOPE-INDEX.")
    ] = False,
    ledger: LedgerOption = None,
    node: NodeOption = None,
    node_key: NodeKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the pseudonyms of some words on a ledger again, from the words alone."""
    with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
        desk.key(words)
        state, book = desk.state, desk.book
        seed = desk.keystore.open_seed(words, desk.ask)
        found = scan(seed, state.id, lambda did: book.get(Owner, did) is not None)
        rows: list[dict[str, Any]] = []
        for item in found:
            name = desk.names.get(item.did, "")
            if store and not name:
                name = f"{words}-{item.scope}-{item.index}"
                desk.keystore.derive(
                    name,
                    words=words,
                    ledger_id=state.id,
                    passphrase=desk.ask,
                    scope=item.scope,
                    index=item.index,
                )
            rows.append({"scope": item.scope, "index": item.index, "did": item.did, "name": name})
        columns = (
            Column(title="scope", form=lambda row: str(row["scope"]), right=True),
            Column(title="index", form=lambda row: str(row["index"]), right=True),
            Column(title="did", form=lambda row: row["did"]),
            Column(title="held as", form=lambda row: row["name"] or "-"),
        )
        note = "" if store or all(row["name"] for row in rows) else "add --store to keep them under a name"
        sheet = Sheet(
            title=f"Pseudonyms of {words}", columns=columns, rows=rows, note=note, empty="none seen"
        )
        present(sheet, as_json=as_json)
