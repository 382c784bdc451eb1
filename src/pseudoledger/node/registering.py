"""The registrar as a node uses it: in this process, or at the other end of a line.

A served ledger has two processes. The one that was started holds the ledger key, registers, and never reads
the network; the other speaks HTTP and holds no key. Each has a core of its own that way, and what a stranger
sends is parsed where there is nothing to steal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, Protocol

from pseudoledger.errors import PseudoledgerError
from pseudoledger.ledger.paths import SharedPaths
from pseudoledger.ledger.query import hashes_between
from pseudoledger.ledger.receipt import build
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import frontier_positions, stored_count
from pseudoledger.node.submission import Outcome, Receipted, Unavailable
from pseudoledger.registrar import Answer, Refused, Registered, Registrar
from pseudoledger.registrar.answers import receipt_of


class Registering(Protocol):
    """What the queue before the registrar needs of it. One thread at a time calls it."""

    def register(self, statements: Sequence[bytes]) -> list[Outcome]:
        """Register one batch, durably."""
        ...

    def try_out(self, statements: Sequence[bytes]) -> list[Answer]:
        """Say what registering would answer."""
        ...

    def publish(self) -> None:
        """Publish the newest checkpoint if that is due."""
        ...

    def publish_cosigned(self, note: bytes) -> bool:
        """Publish the newest checkpoint with cosignatures; False if it is not the newest any more."""
        ...

    def close(self) -> None:
        """Let the ledger go."""
        ...


class LocalRegistrar:
    """The registrar of this process."""

    def __init__(self, registrar: Registrar) -> None:
        self._registrar = registrar

    def register(self, statements: Sequence[bytes]) -> list[Outcome]:
        """Register one batch and build its receipts."""
        return receipted(self._registrar, self._registrar.register(statements))

    def try_out(self, statements: Sequence[bytes]) -> list[Answer]:
        """Say what registering would answer; nothing is written."""
        return self._registrar.register(statements, dry_run=True)

    def publish(self) -> None:
        """Publish the newest checkpoint if that is due."""
        self._registrar.publish()

    def publish_cosigned(self, note: bytes) -> bool:
        """Publish the newest checkpoint with cosignatures."""
        return self._registrar.publish_cosigned(note)

    def close(self) -> None:
        """Close the registrar, which publishes the newest checkpoint."""
        self._registrar.close()


class LineLost(Unavailable):
    """The process that registers is gone."""


class RemoteRegistrar:
    """The registrar at the other end of a line, where `answer` serves it."""

    def __init__(self, line: Connection[Any, Any]) -> None:
        self._line = line

    def register(self, statements: Sequence[bytes]) -> list[Outcome]:
        """Register one batch. Raises LineLost, or what registering raised."""
        outcomes: list[Outcome] = self._ask("register", list(statements))
        return outcomes

    def try_out(self, statements: Sequence[bytes]) -> list[Answer]:
        """Say what registering would answer."""
        answers: list[Answer] = self._ask("try_out", list(statements))
        return answers

    def publish(self) -> None:
        """Publish the newest checkpoint if that is due."""
        self._ask("publish")

    def publish_cosigned(self, note: bytes) -> bool:
        """Publish the newest checkpoint with cosignatures."""
        return bool(self._ask("publish_cosigned", note))

    def close(self) -> None:
        """End the conversation: the other end closes the ledger."""
        self._line.close()

    def _ask(self, what: str, *values: object) -> Any:
        try:
            self._line.send((what, values))
            answer = self._line.recv()
        except (EOFError, OSError) as error:
            raise LineLost("the process that registers is gone", hint="start the node again") from error
        if isinstance(answer, PseudoledgerError):
            raise answer
        return answer


def answer(line: Connection[Any, Any], registrar: LocalRegistrar) -> None:
    """Do what the other end asks until it closes the line."""
    asked: dict[str, Callable[..., Any]] = {
        "register": registrar.register,
        "try_out": registrar.try_out,
        "publish": registrar.publish,
        "publish_cosigned": registrar.publish_cosigned,
    }
    while True:
        try:
            what, values = line.recv()
        except (EOFError, OSError):
            return
        try:
            answered = asked[what](*values)
        except PseudoledgerError as error:
            answered = error.with_traceback(None)
        try:
            line.send(answered)
        except OSError:
            return


def receipted(registrar: Registrar, answers: Sequence[Answer]) -> list[Outcome]:
    """Add its receipt to every answer; those of one block share its signature and most of their paths."""
    store, origin = registrar.store, registrar.state.origin
    block = store.last_block()
    assert block is not None, "the founding is sealed"
    head, size = block.head(origin), block.index + 1
    first = min(
        (item.index for item in answers if isinstance(item, Registered) and not item.known), default=size
    )
    paths = SharedPaths(size, _hashes_from(store, first, size))
    outcomes: list[Outcome] = []
    for item in answers:
        if isinstance(item, Refused):
            outcomes.append(item)
            continue
        if first <= item.index < block.index:
            receipt = build(head, item.index, paths.proof(item.index))
        else:
            receipt = receipt_of(store, origin, item.index)
        outcomes.append(Receipted(id=item.id, index=item.index, known=item.known, receipt=receipt))
    return outcomes


def _hashes_from(store: Store, first: int, size: int) -> Callable[[int], bytes]:
    """Read at once what proofs of the leaves from `first` on need.

    That is the nodes which these and later leaves completed, and the complete subtrees before them.
    """
    if first >= size:
        return lambda position: store.hashes([position])[0]
    before, start = frontier_positions(first), stored_count(first)
    hashes = dict(zip(before, store.hashes(before), strict=True))
    hashes.update(enumerate(hashes_between(store, start, stored_count(size)), start))
    return hashes.__getitem__
