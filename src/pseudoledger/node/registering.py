"""The registrar as a node uses it: at the other end of a line.

A served ledger has two processes. The one that was started holds the ledger key, registers, and never reads
the network; the other speaks HTTP and holds no key. Each has a core of its own that way, and what a stranger
sends is parsed where there is nothing to steal. So the first believes the second nothing: it reads the four
questions below and no more.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from typing import TypeAlias, TypeVar

import msgspec

from pseudoledger.errors import PseudoledgerError
from pseudoledger.ledger.paths import SharedPaths
from pseudoledger.ledger.query import hashes_between
from pseudoledger.ledger.receipt import build
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import frontier_positions, stored_count
from pseudoledger.lines import Failure, Line, LineEnded
from pseudoledger.node.submission import Outcome, Receipted, Unavailable
from pseudoledger.registrar import Answer, Refused, Registered, Registrar
from pseudoledger.registrar.answers import receipt_of

_LINE_BYTES = 1024 * 1024
"""Room that is asked for on the line; systems give less."""


class LineLost(Unavailable):
    """The process that registers is gone."""


class Register(msgspec.Struct, frozen=True, tag=True):
    """Register a batch; `Outcomes` is the answer. A second one may follow before it."""

    statements: list[bytes]


class TryOut(msgspec.Struct, frozen=True, tag=True):
    """Say what registering would answer: `Answers`."""

    statements: list[bytes]


class Publish(msgspec.Struct, frozen=True, tag=True):
    """Publish the newest checkpoint if that is due; `Published` is the answer."""


class PublishCosigned(msgspec.Struct, frozen=True, tag=True):
    """Publish the newest checkpoint with cosignatures; `Published` is the answer."""

    note: bytes


class Outcomes(msgspec.Struct, frozen=True, tag=True):
    """What came of a batch."""

    outcomes: list[Outcome]


class Answers(msgspec.Struct, frozen=True, tag=True):
    """What would come of a batch."""

    answers: list[Answer]


class Published(msgspec.Struct, frozen=True, tag=True):
    """A checkpoint was published, or it was not the newest any more."""

    newest: bool


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The process that speaks HTTP listens: the first that it says, or why not."""


Question: TypeAlias = Register | TryOut | Publish | PublishCosigned | Ready | Failure
"""What the process that speaks HTTP says."""
Reply: TypeAlias = Outcomes | Answers | Published | Failure
"""What the one that registers says."""
R = TypeVar("R")


class RemoteRegistrar:
    """The registrar at the other end of a line, where `answer` serves it. One thread at a time uses it.

    A second batch may be begun while the first is under way: its signatures are verified while that is written.
    """

    def __init__(self, descriptor: int) -> None:
        with socket.socket(fileno=os.dup(descriptor)) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LINE_BYTES)
            self.room = line.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 4
        """Bytes that can be sent while the other end writes and does not read, its own accounts included."""
        self.line: Line[Reply] = Line(descriptor, Reply)
        self._bell, self._ringer = socket.socketpair()
        self._bell.settimeout(0)
        self._ringer.settimeout(0)

    def begin(self, statements: Sequence[bytes]) -> None:
        """Begin to register a batch. Raises LineLost."""
        self._send(Register(list(statements)))

    def finish(self) -> list[Outcome]:
        """Wait for what came of the batch that was begun first. Raises LineLost, or what registering raised."""
        return self._receive(Outcomes).outcomes

    def finished(self) -> bool:
        """Wait until `finish` would return at once, and tell so; False if `ring` was called before."""
        line = self.line.fileno()
        ready = wait([line, self._bell])
        if self._bell in ready:
            self._bell.recv(4096)
        return line in ready

    def ring(self) -> None:
        """Let `finished` return. Any thread may call this."""
        try:
            self._ringer.send(b"!")
        except BlockingIOError:
            # It has been rung often enough.
            return

    def try_out(self, statements: Sequence[bytes]) -> list[Answer]:
        """Say what registering would answer."""
        self._send(TryOut(list(statements)))
        return self._receive(Answers).answers

    def publish(self) -> None:
        """Publish the newest checkpoint if that is due."""
        self._send(Publish())
        self._receive(Published)

    def publish_cosigned(self, note: bytes) -> bool:
        """Publish the newest checkpoint with cosignatures; False if it is not the newest any more."""
        self._send(PublishCosigned(note))
        return self._receive(Published).newest

    def close(self) -> None:
        """End the conversation: the other end closes the ledger."""
        self.line.close()
        self._bell.close()
        self._ringer.close()

    def _send(self, question: Question) -> None:
        try:
            self.line.send(question)
        except LineEnded as error:
            raise _lost() from error

    def _receive(self, due: type[R]) -> R:
        try:
            reply = self.line.recv()
        except LineEnded as error:
            raise _lost() from error
        if isinstance(reply, Failure):
            raise reply.made()
        assert isinstance(reply, due), "answers come in the order of the questions"
        return reply


def _lost() -> LineLost:
    return LineLost("the process that registers is gone", hint="start the node again")


def answer(line: Line[Question], registrar: Registrar) -> None:
    """Do what the other end asks until it closes the line, or says what it may not."""
    while True:
        try:
            question = line.recv()
            if isinstance(question, Register):
                _register(line, registrar, question.statements)
                continue
            try:
                reply = _reply(question, registrar)
            except PseudoledgerError as error:
                reply = Failure.of(error)
            line.send(reply)
        except LineEnded:
            return


def _reply(question: Question, registrar: Registrar) -> Reply:
    match question:
        case TryOut(statements):
            return Answers(registrar.register(statements, dry_run=True))
        case Publish():
            registrar.publish()
            return Published(newest=True)
        case PublishCosigned(note):
            return Published(registrar.publish_cosigned(note))
    raise LineEnded


def _register(line: Line[Question], registrar: Registrar, first: Sequence[bytes]) -> None:
    """Register a batch, and those that come while it is judged; one that fails takes with it what came after."""
    open_ = 0

    def batches() -> Iterator[Sequence[bytes]]:
        nonlocal open_
        waiting: deque[Sequence[bytes]] = deque([first])
        while waiting:
            open_ += 1
            yield waiting.popleft()
            if line.poll():
                question = line.recv()
                if not isinstance(question, Register):
                    # Nothing else is asked while a batch is under way.
                    raise LineEnded
                waiting.append(question.statements)

    try:
        for answers in registrar.register_all(batches()):
            line.send(Outcomes(receipted(registrar, answers)))
            # Not before: where no receipt can be read, this batch too is told so.
            open_ -= 1
    except PseudoledgerError as error:
        for _ in range(open_):
            line.send(Failure.of(error))


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
