"""`init`, `status`, `verify`, `backup`: the ledger as a whole."""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import JsonOption, plain, reading
from pseudoledger.cli.desk import NOW, Desk, last_signed_path
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.show import Facts, present, when
from pseudoledger.cli.values import choice, did, length
from pseudoledger.contract.ruleset import IN_PREPARATION, NAMES, NEWEST, named
from pseudoledger.errors import PeerUnreachable, PseudoledgerError
from pseudoledger.identity.last_signed import LastSigned, read_heads
from pseudoledger.identity.signing_record import Head
from pseudoledger.node.ledgers import Ledger, NodeLedger
from pseudoledger.registrar import Registrar
from pseudoledger.statement.kinds.ledger import Policy, is_origin
from pseudoledger.statement.values import format_block_time, length_seconds

app = typer.Typer()

COUNTED = MappingProxyType(
    {
        "pool": "pool.declared",
        "offer": "offer.published",
        "demand": "demand.published",
        "mandate": "broker.mandated",
        "bid": "bid.placed",
        "lease": "lease.proposed",
        "delivery": "delivery.offered",
        "usage": "usage.reported",
        "invoice": "invoice.issued",
        "payment": "payment.declared",
        "claim": "claim.attested",
        "programme": "programme.declared",
        "voucher": "voucher.issued",
        "machine": "asset.registered",
        "dispute": "dispute.opened",
    }
)
"""Things that `status` counts, and the kind of statement that opens each."""


OpenMaxOption = Annotated[
    int, typer.Option("--open-max", help="Open offers, bids and proposals that one identity may have.")
]
CapOption = Annotated[
    int, typer.Option("--commission-cap-bps", help="Most that all brokers of a lease may take, in 0.01 %.")
]
AttestorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--attestor", help="Whose claims the ledger trusts: key name or did; may be repeated.", metavar="NAME"
    ),
]
DeclaredOption = Annotated[
    bool, typer.Option("--declared", help="Admit only attestors and issuers with a claim of one in force.")
]
AgeOption = Annotated[str, typer.Option("--max-age", help="Refuse statements signed longer ago than this.")]


SimulatedOption = Annotated[
    bool,
    typer.Option(
        "--simulated-clock",
        help=f"Take the time from {NOW}, for rehearsals; every page and report will say so.",
    ),
]
KeyNamesOption = Annotated[
    str | None,
    typer.Option("--key-names", help="First part of the names of the two keys; the origin where not said."),
]


RulesOption = Annotated[
    str, typer.Option("--rules", help=f"Rule set to found it under: {', '.join(NAMES[:-1])} or {NAMES[-1]}.")
]
RELEASED = next(name for name in reversed(NAMES) if name not in IN_PREPARATION)
"""Newest rule set that never changes any more."""


@plain(
    app,
    "init",
    examples=(
        "pl init market --origin market.example/compute",
        "pl init try-out --origin try.example --simulated-clock --unsealed",
    ),
)
def init(
    directory: Annotated[Path, typer.Argument(help="Directory to found the ledger in.", show_default=False)],
    origin: Annotated[
        str, typer.Option("--origin", help="Name of the ledger, for all time: host, or host/path.")
    ],
    *,
    open_max: OpenMaxOption = 100,
    cap: CapOption = 1000,
    max_age: AgeOption = "30d",
    attestor: AttestorOption = None,
    declared: DeclaredOption = False,
    simulated: SimulatedOption = False,
    key_names: KeyNamesOption = None,
    rules: RulesOption = NEWEST,
    unsealed: Annotated[
        bool, typer.Option("--unsealed", help="Keep the new keys without a passphrase.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Found a ledger: make its two keys, write its first entry and seal it with the first block."""
    if not is_origin(origin):
        raise WrongUse(
            f"--origin: {origin!r} is no name of a ledger",
            hint="for example market.example/compute, in lower case",
        )
    if (directory / "ledger.db").exists():
        raise WrongUse(f"{directory} holds a ledger already", hint="choose another directory")
    if directory.is_dir() and any(directory.iterdir()):
        raise WrongUse(f"{directory} is not empty", hint="choose a new or an empty directory")
    desk = Desk(directory)
    policy = _policy(open_max, cap, max_age, simulated=simulated)
    attestors = tuple(_attestor(desk, text) for text in attestor or ())
    policy = policy.model_copy(
        update={"attestors": attestors, "admission": "declared" if declared else "open"}
    )
    _make(directory)
    stem = key_names or origin.replace("/", "-").replace("~", "-").lower()[:50]
    clock = desk.found_clock(simulated=simulated)
    names = desk.new_name(f"{stem}-founder"), desk.new_name(f"{stem}-ledger")
    for name in names:
        desk.keystore.create_key(name, passphrase=desk.new_passphrase(name, unsealed=unsealed))
    founder, signer = (desk.keystore.open(name, desk.ask) for name in names)
    record = last_signed_path(desk.keystore, names[1])
    with Registrar.found(
        directory,
        origin=origin,
        founder=founder,
        signer=signer,
        last_signed=LastSigned.create(record),
        clock=clock,
        policy=policy,
        nonce=os.urandom(32),
        rules=named(choice(rules, "--rules", NAMES)),
    ) as registrar:
        state = registrar.state
    value = {
        "directory": str(directory),
        "origin": origin,
        "ledger": state.id,
        "founder": state.founder,
        "ledger_key": state.ledger_key,
        "founder_key_name": names[0],
        "ledger_key_name": names[1],
        "last_signed": str(record),
        "clock": policy.clock,
        "rules": rules,
    }
    present(_founded(desk, value), as_json=as_json)


def _founded(desk: Desk, value: dict[str, str]) -> Facts:
    """Say what was founded, and what to keep."""
    founder, ledger_key = value["founder_key_name"], value["ledger_key_name"]
    facts = [
        ("origin", value["origin"]),
        ("ledger id", value["ledger"]),
        ("ledger key", value["ledger_key"]),
        ("keys", f"{founder}, {ledger_key} in {desk.keystore.directory}"),
        ("keep", f"{founder} offline: it alone changes policy and ledger key"),
        ("keep", f"{ledger_key}.last-signed beside {ledger_key}, and never restore it from a backup"),
        ("publish", "the ledger key above, so that others can check receipts with it"),
        ("next", f"pl id new NAME; then set PSEUDOLEDGER_DIR={value['directory']}"),
    ]
    note = ""
    if value["clock"] == "simulated":
        note = "The clock is simulated: this ledger proves no times."
    elif value["rules"] in IN_PREPARATION:
        note = (
            f"The rule set {value['rules']} is in preparation: a later version of the program may not judge this"
            f" ledger. --rules {RELEASED} founds one that lasts."
        )
    return Facts(title=f"Founded {value['directory']}", facts=facts, value=value, note=note)


def _attestor(desk: Desk, text: str) -> str:
    """Return the did of an attestor before there is a ledger to look labels up in."""
    return next((found for found, name in desk.names.items() if name == text), None) or did(
        text, "--attestor"
    )


def _make(directory: Path) -> None:
    """Make the directory before any key is made."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PeerUnreachable(
            f"{directory}: {error.strerror}", hint="choose a directory that can be written"
        ) from error


def _policy(open_max: int, cap: int, max_age: str, *, simulated: bool) -> Policy:
    try:
        return Policy(
            admission="open",
            attestors=(),
            open_max=open_max,
            commission_cap_bps=cap,
            max_age_seconds=length_seconds(length(max_age, "--max-age")),
            clock="simulated" if simulated else "system",
        )
    except ValueError:
        raise WrongUse(
            "a policy allows 1 to 1000 open papers, a cap of 0 to 10000 bps and an age of 1 minute to 366 days"
        ) from None


@reading(app, "status", examples=("pl status --ledger market", "pl status --ledger market --json"))
def status(desk: Desk) -> Facts:
    """Say what the ledger holds, under which keys and policy, and whether its key may sign it."""
    state, policy = desk.state, desk.state.pins.read_policy()
    ledger, kinds = desk.ledger, desk.ledger.counts()
    counts = {name: kinds.get(kind, 0) for name, kind in COUNTED.items()}
    signing = _signing(ledger, desk)
    value: dict[str, Any] = {
        "origin": state.origin,
        "ledger": state.id,
        "founder": state.founder,
        "ledger_key": state.ledger_key,
        "entries": ledger.size,
        "height": state.height,
        "time": format_block_time(state.time_ms),
        "root": ledger.root,
        "rules": list(state.pins.rules),
        "tables": [list(pin) for pin in state.pins.tables],
        "policy": policy.model_dump(mode="json"),
        "things": counts,
        "signing": signing,
    }
    facts = [
        ("origin", state.origin),
        ("ledger id", state.id),
        ("ledger key", state.ledger_key),
        ("founder", state.founder),
        (
            "entries",
            f"{ledger.size} under {state.height} blocks, the last at {when(state.time_ms // 1000)} UTC",
        ),
        ("rules", f"{state.pins.rules[0]} ({state.pins.rules[1][:16]}…)"),
        (
            "policy",
            (
                f"{policy.admission} admission, {policy.open_max} open papers, {policy.commission_cap_bps} bps"
                f" commission, statements up to {policy.max_age_seconds // 86400} days old"
            ),
        ),
        *((("attestors", ", ".join(policy.attestors)),) if policy.attestors else ()),
        ("clock", "SIMULATED: this ledger proves no times" if policy.clock == "simulated" else "system"),
        (
            "holds",
            ", ".join(f"{counts[name]} {name}" for name in COUNTED if counts[name]) or "nothing yet",
        ),
        ("signing", signing),
    ]
    return Facts(title=f"Ledger {desk.place}", facts=facts, value=value)


def _signing(ledger: Ledger, desk: Desk) -> str:
    """Say whether the ledger key is here and its record fits the tree (formats §4)."""
    if isinstance(ledger, NodeLedger):
        return f"{ledger.status.role} at {desk.place}"
    name = desk.names.get(desk.state.ledger_key)
    if name is None:
        return "the ledger key is not held here: reading only"
    try:
        heads = read_heads(last_signed_path(desk.keystore, name))
    except PseudoledgerError as error:
        return f"refused: {error.message}"
    last, newest = ledger.store.last_block(), heads[-1]
    before = ledger.store.block(last.height - 1) if last else None
    # A tree one block ahead was stored by a crash before its record, and one whose next blocks the record carries
    # lost them by a power failure: the writer settles either.
    tree = Head(ledger.size, ledger.store.frontier().root())
    if (
        newest is None
        or tree in heads
        or (before is not None and newest == Head(before.index + 1, before.root))
    ):
        return f"ready, with key {name}"
    return (
        f"refused: key {name} last signed {newest}, and this tree has {ledger.size} entries; it was restored from"
        " a backup, or the key was used elsewhere"
    )


APPS = (app,)
