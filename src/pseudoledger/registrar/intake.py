"""Statements on their way in: taken apart and verified, before any payload is read.

A few statements are handled on the spot, their signatures on all cores by threads. Where thousands come in,
a second process reads and verifies from the front while this one judges, and this one does so from the back
whenever it would have to wait. What comes next may be begun before it is its turn: the second process then has
work while this one writes. So signatures and rules use a core each.
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
from pseudoledger.workers import Work, Worker, WorkerEnded

CHUNK = 32
"""Statements that are verified and judged at a time."""
WARM_AFTER = 4_000
"""Statements after which the second process is worth its start."""
_MANY = 2 * CHUNK
CHUNK_BYTES = 32 * 1024
"""Their bytes, together; a chunk of one larger statement is not sent to the second process."""
_ROOM = CHUNK_BYTES + 2 * 1024
"""Bytes that a chunk takes on its way: so many chunks wait at the second process as its line has room for. Then
sending never waits for it to read, while it may wait for its answers to be read."""
_AHEAD_MAX = 32
"""Most chunks that wait there."""

Taken: TypeAlias = Statement | Refused
"""A verified statement, or the refusal of one that was malformed or not signed."""
Second: TypeAlias = Worker[Sequence[bytes], list[Taken]]
"""A process that reads and verifies."""


class Reading:
    """The statements of one batch, chunk by chunk: read by the second process from the front, here from the back."""

    def __init__(self, raws: Sequence[bytes]) -> None:
        self.chunks = list(_cut(raws))
        self.taken: dict[int, list[Taken]] = {}
        self.sent, self.back = 0, len(self.chunks)
        """Chunks before `sent` were given to the second process or read, those from `back` on are read."""

    def take(self, number: int) -> None:
        """Read one chunk here."""
        self.taken[number] = read_chunk(self.chunks[number])


class Intake:
    """Reads and verifies for one registrar, batch after batch in the order in which they are begun."""

    def __init__(self) -> None:
        self._seen = 0
        self._second: Second | None = None
        self._broken = False
        self._unsent: deque[Reading] = deque()
        self._asked: deque[tuple[Reading, int]] = deque()

    def close(self) -> None:
        """End the second process; what it was asked and did not answer is read here when its turn comes."""
        if self._second is not None:
            self._second.close()
            self._second = None
        self._unsent.clear()
        self._asked.clear()

    def begin(self, raws: Sequence[bytes]) -> Iterator[list[Taken]]:
        """Begin to read a batch, and return what yields it in order, some statements at a time.

        The batches that were begun before are to be taken to their end first, or let go by `close`.
        """
        self._seen += len(raws)
        if len(raws) < _MANY or not self._ready():
            return _at_once(raws)
        reading = Reading(raws)
        self._unsent.append(reading)
        self._exchange()
        return self._in_order(reading)

    def _ready(self) -> bool:
        """Start the second process once it is worth it; tell whether it answers."""
        if self._second is None and not self._broken and self._seen >= WARM_AFTER and cores() > 1:
            self._second = Worker(READING)
        if self._second is not None and self._second.ended():
            self._broken = True
            self.close()
        return self._second is not None

    def _in_order(self, reading: Reading) -> Iterator[list[Taken]]:
        try:
            for number in range(len(reading.chunks)):
                self._exchange()
                while number not in reading.taken:
                    if reading.sent < reading.back and reading is self._first():
                        reading.back -= 1
                        reading.take(reading.back)
                        self._exchange()
                    elif self._asked:
                        self._exchange(wait=True)
                    else:
                        reading.take(number)
                yield reading.taken.pop(number)
        except BaseException:
            # Answers to questions of this batch must not be waited for by the next.
            self.close()
            raise

    def _first(self) -> Reading | None:
        """Return the batch whose chunks are sent now."""
        while self._unsent and self._unsent[0].sent >= self._unsent[0].back:
            self._unsent.popleft()
        return self._unsent[0] if self._unsent else None

    def _exchange(self, *, wait: bool = False) -> None:
        """Take the answers that are there, or wait for one, and keep the second process busy."""
        second = self._second
        if second is None:
            return
        try:
            while second.open and (wait or second.answered()):
                answer = second.answer()
                reading, number = self._asked.popleft()
                reading.taken[number] = answer
                wait = False
            ahead = min(_AHEAD_MAX, max(1, second.room // _ROOM))
            while second.open < ahead and (next_one := self._first()) is not None:
                self._send(second, next_one)
        except WorkerEnded:
            # What it left unanswered is read here.
            self._broken = True
            self.close()

    def _send(self, second: Second, reading: Reading) -> None:
        number = reading.sent
        reading.sent += 1
        if sum(map(len, reading.chunks[number])) > CHUNK_BYTES:
            reading.take(number)
        else:
            second.ask(reading.chunks[number])
            self._asked.append((reading, number))


def second_reader() -> Callable[[Sequence[bytes]], list[Taken]]:
    """Make what the second process does with a chunk."""
    return read_chunk


READING: Work[Sequence[bytes], list[Taken]] = Work(
    make=second_reader, question=list[bytes], reply=list[Taken]
)
"""What the second process does."""


def read_chunk(raws: Sequence[bytes]) -> list[Taken]:
    """Read and verify some statements in the calling thread."""
    return _read(raws, verify_chunk)


def _at_once(raws: Sequence[bytes]) -> Iterator[list[Taken]]:
    yield _read(raws, verify_many)


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
