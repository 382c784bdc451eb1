"""Who watches this ledger: witnesses, the node's own standing, and every proof of a fork."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pseudoledger.errors import PseudoledgerError
from pseudoledger.ledger.fork import PROOF_BYTES_MAX, ProvenFork, parse_fork, verify_fork
from pseudoledger.node.node import Standing
from pseudoledger.node.pages.site import Ask, Page, fork_files
from pseudoledger.node.reading import View

FORKS_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """One fork proof file, checked anew."""

    name: str
    proven: ProvenFork | None
    problem: str = ""
    """Why the file proves nothing, "" if it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the page of the network says."""

    role: str
    standing: Standing
    forks: Sequence[Fork]
    forks_total: int
    size: int


def make(view: View, ask: Ask) -> Page | None:
    """Show who watches."""
    state = view.state
    dids = {state.ledger_key, *(key for key, _ in state.retired)}
    names = fork_files(ask.node)
    about = About(
        role=ask.node.role.value,
        standing=ask.node.standing(),
        forks=[_fork(ask, name, dids) for name in names[:FORKS_SHOWN]],
        forks_total=len(names),
        size=view.store.size,
    )
    return Page(template="network.html", title="network.title", about=about)


def _fork(ask: Ask, name: str, dids: set[str]) -> Fork:
    try:
        with (ask.node.forks / name).open("rb") as file:
            proof = parse_fork(file.read(PROOF_BYTES_MAX + 1))
        return Fork(name=name, proven=verify_fork(proof, dids))
    except PseudoledgerError as error:
        return Fork(name=name, proven=None, problem=error.message)
    except OSError as error:
        return Fork(name=name, proven=None, problem=error.strerror or "")
