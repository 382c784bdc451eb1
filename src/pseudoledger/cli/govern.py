"""`ledger register-file|change-policy|change-key`: what the founder alone may do to its ledger (formats §4)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import AsOption, JsonOption, LedgerOption, plain
from pseudoledger.cli.desk import Desk, last_signed_path, read_file
from pseudoledger.cli.find import did_of
from pseudoledger.cli.show import Facts, present, short
from pseudoledger.cli.values import choice, length
from pseudoledger.contract.ruleset import newest, newest_tables
from pseudoledger.contract.tables import file_hash
from pseudoledger.errors import RegistrationRefused, StoreBusy, StoreError
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.registrar import Answer, Refused
from pseudoledger.registrar.succession import go_on_after_loss
from pseudoledger.statement.values import length_seconds

app = typer.Typer(
    name="ledger",
    help="What the founder alone may do: policy, files and the ledger key.",
    no_args_is_help=True,
)


@plain(
    app,
    "register-file",
    examples=("pl ledger register-file acceptable-use.md --name acceptable-use --as market.example-founder",),
)
def register_file(
    file: Annotated[Path, typer.Argument(help="File that terms may pin by its hash.", show_default=False)],
    *,
    name: Annotated[str, typer.Option("--name", help="Name of the file on the ledger.")],
    media_type: Annotated[str, typer.Option("--media-type", help="Its media type.")] = "text/markdown",
    as_: AsOption,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a policy, template or other file by its hash; the file itself travels apart."""
    raw = read_file(file)
    digest = file_hash(raw) if media_type.startswith("text/") else sha256(raw).hexdigest()
    tree = {
        "type": "ledger.policy_registered",
        "name": name,
        "sha256": digest,
        "media_type": media_type,
        "bytes": len(raw),
    }
    with contextlib.closing(Desk(ledger)) as desk:
        answer = _govern(desk, as_, tree)
        _show(answer, f"Registered {name}", [("sha256", digest)], as_json=as_json)


@plain(
    app,
    "change-policy",
    examples=(
        "pl ledger change-policy --open-max 200 --as market.example-founder",
        "pl ledger change-policy --commission-cap-bps 500 --max-age 7d --as market.example-founder",
        "pl ledger change-policy --admission declared --attestor notary --as market.example-founder",
    ),
)
def change_policy(
    *,
    open_max: Annotated[
        int | None, typer.Option("--open-max", help="Open papers that one identity may have.")
    ] = None,
    cap: Annotated[
        int | None, typer.Option("--commission-cap-bps", help="Cap of all brokers of a lease.")
    ] = None,
    max_age: Annotated[
        str | None, typer.Option("--max-age", help="Refuse statements signed longer ago.")
    ] = None,
    admission: Annotated[
        str | None, typer.Option("--admission", help="open, or declared: by claims of listed attestors.")
    ] = None,
    attestor: Annotated[
        list[str] | None,
        typer.Option("--attestor", help="Whose claims the ledger trusts, in place of those before."),
    ] = None,
    as_: AsOption,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the policy, and take up this program's newest rule set and tables; acts after its block."""
    with contextlib.closing(Desk(ledger)) as desk:
        policy = desk.state.pins.read_policy().model_dump(mode="json")
        said = {
            "open_max": open_max,
            "commission_cap_bps": cap,
            "max_age_seconds": length_seconds(length(max_age, "--max-age")) if max_age else None,
            "admission": choice(admission, "--admission", ("open", "declared")) if admission else None,
            "attestors": [did_of(desk, who, "--attestor") for who in attestor] if attestor else None,
        }
        changes = {key: value for key, value in said.items() if value is not None}
        tree = {
            "type": "ledger.policy_changed",
            "number": desk.state.policy_number + 1,
            "rules": {"name": newest().name, "sha256": newest().sha256},
            "tables": [{"name": name, "sha256": digest} for name, digest in newest_tables()],
            "mode": "single",
            "policy": {**policy, **changes},
        }
        answer = _govern(desk, as_, tree)
        facts = [(key, str(value)) for key, value in changes.items()]
        _show(answer, "Changed the policy", [*facts, ("rules", newest().name)], as_json=as_json)


@plain(
    app,
    "change-key",
    examples=(
        "pl ledger change-key market.example-ledger-2 --as market.example-founder",
        "pl ledger change-key market.example-ledger-2 --as market.example-founder --after-loss",
    ),
)
def change_key(
    new: Annotated[str, typer.Argument(help="Name for the new ledger key.", show_default=False)],
    *,
    unsealed: Annotated[
        bool, typer.Option("--unsealed", help="Keep the new key without a passphrase.")
    ] = False,
    after_loss: Annotated[
        bool,
        typer.Option(
            "--after-loss",
            help="The ledger key is lost, or has signed entries that this copy lacks and nobody has: go on from here.",
        ),
    ] = False,
    as_: AsOption,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new ledger key and hand over to it; its first block is the one that seals this.

    After a loss the key before signs nothing more. What was registered and is lost stands on no ledger from then
    on, whoever holds receipts of it: first ask every mirror what it holds.
    """
    with contextlib.closing(Desk(ledger)) as desk:
        founder, state = desk.signer(as_), desk.state
        name = desk.new_name(new)
        info = desk.keystore.create_key(name, passphrase=desk.new_passphrase(name, unsealed=unsealed))
        signer = desk.keystore.open(name, desk.ask)
        tree = {"type": "ledger.key_changed", "number": state.key_number + 1, "ledger_key": info.did}
        signed = desk.sign(founder, tree, sub=state.origin)
        place = last_signed_path(desk.keystore, name)
        if after_loss:
            directory, clock = desk.directory, desk.steady_clock()
            desk.close()
            with LastSigned.create(place) as record, _record_of(desk, state.ledger_key) as before:
                answer = go_on_after_loss(
                    directory, signed.raw, signer=signer, last_signed=record, clock=clock, before=before
                )
        else:
            with desk.registrar() as registrar:
                record = LastSigned.create(place)
                answer = registrar.change_key(signed.raw, signer=signer, last_signed=record)
        facts = [
            ("ledger key", str(info.did)),
            ("publish", "the new key; the old one counts for older receipts"),
        ]
        _show(answer, f"Handed over to {name}", facts, as_json=as_json)


@contextlib.contextmanager
def _record_of(desk: Desk, ledger_key: str) -> Iterator[LastSigned | None]:
    """Open the record of a ledger key if it is here and whole."""
    name, record = desk.names.get(ledger_key), None
    try:
        record = None if name is None else LastSigned(last_signed_path(desk.keystore, name))
    except StoreBusy:
        raise
    except StoreError:
        # That may be the very loss.
        record = None
    with record or contextlib.nullcontext():
        yield record


def _govern(desk: Desk, name: str, tree: dict[str, Any]) -> Answer:
    signed = desk.sign(desk.signer(name), tree, sub=desk.state.origin)
    with desk.registrar() as registrar:
        (answer,) = registrar.govern([signed.raw])
    return answer


def _show(answer: Answer, title: str, facts: list[tuple[str, str]], *, as_json: bool) -> None:
    if isinstance(answer, Refused):
        raise RegistrationRefused(answer.findings)
    value = {"id": answer.id, "index": answer.index, **dict(facts)}
    shown = Facts(
        title=title, facts=[("id", short(answer.id)), ("index", str(answer.index)), *facts], value=value
    )
    present(shown, as_json=as_json)


APPS = (app,)
