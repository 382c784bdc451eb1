"""`id declare|rotate|adopt|recover|revoke`: what an identity says about itself on a ledger."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated

import typer

from pseudoledger.cli.command import Act, Acting, acting
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import did_of
from pseudoledger.cli.identity import app
from pseudoledger.cli.values import choice
from pseudoledger.contract.things import Chain

APPS = ()

NextOption = Annotated[
    str | None,
    typer.Option("--next", help="Commit to the key that may follow: a name or did.", show_default=False),
]
RecoveryOption = Annotated[
    str | None,
    typer.Option("--recovery", help="Key that may replace a lost or stolen one.", show_default=False),
]


def _commitments(acting: Acting, next_key: str | None, recovery: str | None) -> dict[str, str]:
    found = {}
    if next_key is not None:
        did = did_of(acting.desk, next_key, "--next")
        found["next"] = sha256(did.encode("ascii")).hexdigest()
    if recovery is not None:
        found["recovery"] = did_of(acting.desk, recovery, "--recovery")
    return found


@acting(
    app,
    "declare",
    examples=(
        "pl id declare --label north-lake --as alice",
        "pl id declare --recovery alice-safe --as alice",
    ),
)
def declare(
    acting: Acting,
    *,
    label: Annotated[str | None, typer.Option("--label", help="Public name.", show_default=False)] = None,
    contact: Annotated[
        str | None, typer.Option("--contact", help="How to reach you; sealed.", show_default=False)
    ] = None,
    next_key: NextOption = None,
    recovery: RecoveryOption = None,
) -> Act:
    """Say how you want to be called, and which keys may follow or recover yours."""
    tree = {"type": "identity.declared", **_commitments(acting, next_key, recovery)}
    tree |= {name: text for name, text in (("label", label), ("contact", contact)) if text}
    then = "nothing more is needed" if recovery else "declare --recovery too, in case the key is lost"
    return Act(tree=tree, sub=acting.party, then=then, title=label or "")


@acting(app, "rotate", examples=("pl id rotate R1 --to alice-2 --as alice",))
def rotate(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of this act.", show_default=False)],
    to: Annotated[str, typer.Option("--to", help="The new key: a name or did.", show_default=False)],
) -> Act:
    """Hand your identity over to a new key, which still has to adopt it."""
    did = did_of(acting.desk, to, "--to")
    tree = {"type": "identity.rotated", "number": number, "to": did}
    return Act(tree=tree, sub=acting.party, then=f"pl id adopt {acting.name} --as {to}", title=number)


@acting(
    app,
    "adopt",
    examples=("pl id adopt alice --as alice-2", "pl id adopt alice --recovery safe --as alice-2"),
)
def adopt(
    acting: Acting,
    *,
    identity: Annotated[
        str, typer.Argument(help="The identity: any of its keys, or its label.", show_default=False)
    ],
    next_key: NextOption = None,
    recovery: RecoveryOption = None,
) -> Act:
    """Take over an identity that was rotated or recovered to your key."""
    root, chain = _chain(acting, identity)
    if chain is None or chain.handover is None:
        raise WrongUse(f"nothing waits to be adopted for {identity}", hint=f"pl id show {identity}")
    tree = {
        "type": "identity.adopted",
        "handover": chain.handover.id,
        **_commitments(acting, next_key, recovery),
    }
    return Act(tree=tree, sub=root, then=f"{acting.name} acts for the identity from here on")


@acting(app, "recover", examples=("pl id recover R2 alice --to alice-3 --as alice-safe",))
def recover(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of this act.", show_default=False)],
    identity: Annotated[str, typer.Argument(help="The identity to recover.", show_default=False)],
    to: Annotated[str, typer.Option("--to", help="The new key: a name or did.", show_default=False)],
) -> Act:
    """Replace a lost or stolen key, with the recovery key that the identity declared."""
    root, _ = _chain(acting, identity)
    tree = {"type": "identity.recovered", "number": number, "to": did_of(acting.desk, to, "--to")}
    return Act(tree=tree, sub=root, then=f"pl id adopt {identity} --as {to}", title=number)


@acting(
    app, "revoke", examples=("pl id revoke --reason stolen --as alice", "pl id revoke alice --as alice-safe")
)
def revoke(
    acting: Acting,
    *,
    identity: Annotated[
        str | None, typer.Argument(help="The identity, where it is not the signer's.", show_default=False)
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="retired, lost, stolen or superseded.")] = "retired",
) -> Act:
    """Take an identity out of force; without recovery its leases may be ended."""
    choice(reason, "--reason", ("retired", "lost", "stolen", "superseded"))
    root = acting.party if identity is None else _chain(acting, identity)[0]
    then = "the identity signs nothing more; only its recovery key can bring it back"
    return Act(tree={"type": "identity.revoked", "reason": reason}, sub=root, then=then)


def _chain(acting: Acting, identity: str) -> tuple[str, Chain | None]:
    book = acting.desk.book
    root = book.root_of(did_of(acting.desk, identity, "IDENTITY"))
    return root, book.get(Chain, root)
