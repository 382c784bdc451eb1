"""Statements on their way in: taken apart and verified, before any payload is read.

A few statements are handled on the spot, their signatures on all cores by threads. Where thousands come in,
a second process reads and verifies from the front while this one judges, and this one does so from the back
whenever it would have to wait: signatures and rules then use a core each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from pseudoledger.errors import Finding, InvalidSignature, MalformedError
from pseudoledger.identity.keys import Signed, cores, verify_chunk, verify_many
from pseudoledger.ledger.transparent import detach
from pseudoledger.registrar.answers import Refused
from pseudoledger.statement import envelope
from pseudoledger.statement.envelope import Statement
from pseudoledger.workers import Worker, WorkerEnded

CHUNK = 32
"""Statements that are verified and judged at a time."""
WARM_AFTER = 4_000
"""Statements after which the second process is worth its start."""
_MANY = 8 * CHUNK
CHUNK_BYTES = 32 * 1024
"""Their bytes, together; a chunk of one larger statement is not sent to the second process."""
_AHEAD = 3
"""Chunks that wait at the second process: enough that it never idles, and so few that sending them never waits
for it to read: it may be waiting itself, for its answers to be read."""


Taken: TypeAlias = Statement | Refused
"""A verified statement, or the refusal of one that was malformed or not signed."""
Reading: TypeAlias = Worker[Sequence[bytes], list[Taken]]
"""A second process that reads and verifies."""


class Intake:
    """Reads and verifies for one registrar."""

    def __init__(self) -> None:
        self._seen = 0
        self._second: Reading | None = None
        self._broken = False

    def close(self) -> None:
        """End the second process."""
        if self._second is not None:
            self._second.close()
            self._second = None

    def read(self, raws: Sequence[bytes]) -> Iterator[list[Taken]]:
        """Yield the statements in order, some at a time, read and verified, or refused."""
        self._seen += len(raws)
        second = self._ready() if len(raws) >= _MANY else None
        if second is None:
            yield _read(raws, verify_many)
            return
        try:
            yield from _Overlapped(raws, second).chunks()
        except BaseException:
            # Answers to questions of this call must not be taken for those of the next.
            self.close()
            raise

    def _ready(self) -> Reading | None:
        """Start the second process once it is worth it; return it while it answers."""
        if self._second is None and not self._broken and self._seen >= WARM_AFTER and cores() > 1:
            self._second = Worker(second_reader)
        if self._second is not None and self._second.ended():
            self._broken = True
            self.close()
        return self._second


def second_reader() -> Callable[[Sequence[bytes]], list[Taken]]:
    """Make what the second process does with a chunk."""
    return read_chunk


def read_chunk(raws: Sequence[bytes]) -> list[Taken]:
    """Read and verify some statements in the calling thread."""
    return _read(raws, verify_chunk)


class _Overlapped:
    """The statements of one call, chunk by chunk: read by the second process from the front, here from the back."""

    def __init__(self, raws: Sequence[bytes], second: Reading) -> None:
        self._chunks = list(_cut(raws))
        self._second: Reading | None = second
        self._taken: dict[int, list[Taken]] = {}
        self._sent, self._back = 0, len(self._chunks)
        """Chunks before `_sent` were given to the second process or read, those from `_back` on are read."""
        self._asked: deque[int] = deque()

    def chunks(self) -> Iterator[list[Taken]]:
        """Yield the statements in order, read and verified, or refused."""
        for number in range(len(self._chunks)):
            self._exchange()
            while number not in self._taken:
                if self._sent < self._back:
                    self._back -= 1
                    self._take(self._back)
                    self._exchange()
                else:
                    self._exchange(wait=True)
            yield self._taken.pop(number)

    def _exchange(self, *, wait: bool = False) -> None:
        """Take the answers that are there, or wait for one, and keep the second process busy."""
        second = self._second
        if second is None:
            return
        try:
            while second.open and (wait or second.answered()):
                self._taken[self._asked[0]] = second.answer()
                self._asked.popleft()
                wait = False
            while self._sent < self._back and second.open < _AHEAD:
                self._send(second, self._sent)
        except WorkerEnded:
            self._alone()

    def _send(self, second: Reading, number: int) -> None:
        self._sent = number + 1
        if sum(map(len, self._chunks[number])) > CHUNK_BYTES:
            self._take(number)
        else:
            self._asked.append(number)
            second.ask(self._chunks[number])

    def _alone(self) -> None:
        """Go on without the second process: what it left unanswered is read here."""
        self._second = None
        for number in self._asked:
            self._take(number)

    def _take(self, number: int) -> None:
        self._taken[number] = read_chunk(self._chunks[number])


def _cut(raws: Sequence[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for raw in raws:
        if chunk and (len(chunk) == CHUNK or size + len(raw) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(raw)
        size += len(raw)
    if chunk:
        yield chunk


def _read(
    raws: Sequence[bytes], judge: Callable[[Sequence[Signed]], list[InvalidSignature | None]]
) -> list[Taken]:
    """Take bytes apart and let their signatures be judged: one that fails becomes the refusal of its statement."""
    decoded = [_decode(raw) for raw in raws]
    verdicts = iter(
        judge([Signed(s.iss, s.signed_bytes, s.signature) for s in decoded if isinstance(s, Statement)])
    )
    taken: list[Taken] = []
    for item in decoded:
        error = next(verdicts) if isinstance(item, Statement) else None
        if error is None:
            taken.append(item)
        else:
            finding = Finding(code="statement.signature", message=str(error))
            taken.append(Refused(id=item.id, findings=(finding,)))
    return taken


def _decode(raw: bytes) -> Taken:
    """Take bytes apart; receipts that come along in label 394 are left behind."""
    try:
        try:
            return envelope.decode(raw)
        except MalformedError as error:
            if error.code not in {"statement.unprotected", "statement.size"}:
                raise
            return envelope.decode(detach(raw).statement)
    except MalformedError as error:
        return Refused(id=None, findings=error.findings)
