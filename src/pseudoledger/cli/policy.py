"""`policy`: whom to trust, written down: files of logs, witnesses and a quorum (C2SP tlog-policy)."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import JsonOption, LedgerOption, group, plain
from pseudoledger.cli.desk import Desk, read_file
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.nodes import NodeKeyOption, NodeOption, place_of
from pseudoledger.cli.show import Facts, listed, present, say, when
from pseudoledger.cli.values import did
from pseudoledger.identity.keys import key_from_did
from pseudoledger.ledger.checkpoint import VerifiedCheckpoint, cosigner_key, log_key
from pseudoledger.ledger.note import format_vkey
from pseudoledger.ledger.policy import TrustPolicy, parse_policy, verify_with_policy

app = group("policy", "Whom to trust: files of logs, witnesses and the quorum (C2SP tlog-policy).")
APPS = (app,)

UrlOption = Annotated[str, typer.Option("--url", help="Where it is, for the end of the line.")]


@plain(
    app,
    "log",
    examples=(
        "pl policy log --ledger market > trust.policy",
        "pl policy log --origin market.example/compute --key did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
    ),
)
def log(
    *,
    origin: Annotated[
        str | None, typer.Option("--origin", help="Name of the log; that of the ledger where not said.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="did:key of the log; that of the ledger where not said.")
    ] = None,
    url: UrlOption = "",
    ledger: LedgerOption = None,
    node: NodeOption = None,
    node_key: NodeKeyOption = None,
) -> None:
    """Print the line that names a ledger in a policy file."""
    if origin is None or key is None:
        with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
            origin, key = origin or desk.state.origin, key or desk.state.ledger_key
    say(f"log {format_vkey(log_key(origin, key_from_did(did(key, '--key'))))} {url}".rstrip())


@plain(
    app,
    "witness",
    examples=("pl policy witness w1 --name witness.example/w1 --url http://127.0.0.1:8081",),
)
def witness(
    key: Annotated[str, typer.Argument(help="Name of a key held here, or a did:key.", show_default=False)],
    *,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name in its signature lines; that of the key where not said."),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", help="Name within the policy file; --name where not said.")
    ] = None,
    url: UrlOption = "",
) -> None:
    """Print the line that names a witness in a policy file."""
    given = key.startswith("did:key:")
    if given and name is None:
        raise WrongUse("a did:key has no name", hint="add --name NAME, as in the witness's signature lines")
    name = name or key
    who = did(key, "KEY") if given else Desk(None).key(key).did
    if not who:
        raise WrongUse(f"{key} holds words, which do not sign", hint="name a single or a derived key")
    vkey = format_vkey(cosigner_key(name, key_from_did(who)))
    say(f"witness {label or name} {vkey} {url}".rstrip())


@plain(
    app, "show", examples=("pl policy show trust.policy", "pl policy show trust.policy --checkpoint latest")
)
def show(
    file: Annotated[Path, typer.Argument(help="A policy file.", show_default=False)],
    *,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="A checkpoint that has to meet it.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a policy file asks for, and whether a checkpoint meets it."""
    policy = parse_policy(read_file(file))
    value = _value(policy)
    facts = [("log", f"{item.key.name} {item.url}".rstrip()) for item in policy.logs]
    facts += [("witness", f"{item.name} {item.url}".rstrip()) for item in policy.witnesses]
    facts += [("group", f"{item.name}: {item.threshold} of {listed(item.members)}") for item in policy.groups]
    facts.append(("quorum", policy.quorum))
    title = f"{file} is a policy"
    if checkpoint is not None:
        verified = verify_with_policy(read_file(checkpoint), policy)
        title = f"Verified: {checkpoint} meets {file}"
        facts += checkpoint_facts(verified, policy)
        value |= checkpoint_value(verified, policy)
    present(Facts(title=title, facts=facts, value=value), as_json=as_json)


def checkpoint_facts(verified: VerifiedCheckpoint, policy: TrustPolicy) -> list[tuple[str, str]]:
    """Return what a verified checkpoint shows, for people."""
    value = checkpoint_value(verified, policy)
    facts = [("checkpoint", f"{value['origin']}, {value['tree_size']} entries")]
    facts += [("cosigned by", f"{item['witness']}, {when(item['time'])} UTC") for item in value["cosigned"]]
    return facts


def checkpoint_value(verified: VerifiedCheckpoint, policy: TrustPolicy) -> dict[str, Any]:
    """Return what a verified checkpoint shows, for programs."""
    names = {item.key: item.name for item in policy.witnesses}
    return {
        "origin": verified.checkpoint.origin,
        "tree_size": verified.checkpoint.size,
        "root": verified.checkpoint.root.hex(),
        "quorum": policy.quorum,
        "cosigned": [{"witness": names[item.key], "time": item.time} for item in verified.cosignatures],
    }


def _value(policy: TrustPolicy) -> dict[str, Any]:
    return {
        "logs": [{"vkey": format_vkey(item.key), "url": item.url} for item in policy.logs],
        "witnesses": [
            {"name": item.name, "vkey": format_vkey(item.key), "url": item.url} for item in policy.witnesses
        ],
        "groups": [
            {"name": item.name, "threshold": item.threshold, "members": list(item.members)}
            for item in policy.groups
        ],
        "quorum": policy.quorum,
    }
