"""Statements on their way in: taken apart and verified, before any payload is read.

A few statements are handled on the spot, their signatures on all cores by threads. Where thousands come in,
a second process verifies signatures from the front while this one judges, and this one verifies from the back
whenever it would have to wait: signatures and rules then use a core each.
"""

from __future__ import annotations

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
_AHEAD = 3
"""Chunks that wait at the second process: enough that it never idles, few enough that sending does not block."""


Taken: TypeAlias = Statement | Refused
"""A verified statement, or the refusal of one that was malformed or not signed."""
Verdicts: TypeAlias = list[InvalidSignature | None]


class Intake:
    """Reads and verifies for one registrar."""

    def __init__(self) -> None:
        self._seen = 0
        self._second: Worker[list[Signed], Verdicts] | None = None
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
            decoded = [_decode(raw) for raw in raws]
            yield _taken(decoded, verify_many(_signed(decoded)))
            return
        try:
            yield from _Overlapped(raws, second).chunks()
        except BaseException:
            # Answers to questions of this call must not be taken for those of the next.
            self.close()
            raise

    def _ready(self) -> Worker[list[Signed], Verdicts] | None:
        """Start the second process once it is worth it; return it while it answers."""
        if self._second is None and not self._broken and self._seen >= WARM_AFTER and cores() > 1:
            self._second = Worker(second_verifier)
        if self._second is not None and self._second.ended():
            self._broken = True
            self.close()
        return self._second


def second_verifier() -> Callable[[list[Signed]], Verdicts]:
    """Make what the second process does with a chunk."""
    return verify_chunk


class _Overlapped:
    """The statements of one call, chunk by chunk: verified by the second process from the front, here from the back."""

    def __init__(self, raws: Sequence[bytes], second: Worker[list[Signed], Verdicts]) -> None:
        self._chunks = [raws[start : start + CHUNK] for start in range(0, len(raws), CHUNK)]
        self._second: Worker[list[Signed], Verdicts] | None = second
        self._decoded: dict[int, list[Taken]] = {}
        self._verdicts: dict[int, Verdicts] = {}
        self._sent, self._back = 0, len(self._chunks)
        """Chunks before `_sent` were given to the second process, those from `_back` on are verified."""
        self._answered = 0

    def chunks(self) -> Iterator[list[Taken]]:
        """Yield the statements in order, read and verified, or refused."""
        for number in range(len(self._chunks)):
            self._exchange()
            while number not in self._verdicts:
                if self._sent < self._back:
                    self._back -= 1
                    self._verify(self._back)
                    self._exchange()
                else:
                    self._exchange(wait=True)
            yield _taken(self._decoded.pop(number), self._verdicts.pop(number))

    def _exchange(self, *, wait: bool = False) -> None:
        """Take the answers that are there, or wait for one, and keep the second process busy."""
        second = self._second
        if second is None:
            return
        try:
            while second.open and (wait or second.answered()):
                self._verdicts[self._answered] = second.answer()
                self._answered += 1
                wait = False
            while self._sent < self._back and second.open < _AHEAD:
                second.ask(self._decode(self._sent))
                self._sent += 1
        except WorkerEnded:
            self._alone()

    def _alone(self) -> None:
        """Go on without the second process: what it left unanswered is verified here."""
        self._second = None
        for number in range(self._answered, self._sent):
            self._verify(number)

    def _decode(self, number: int) -> list[Signed]:
        if number not in self._decoded:
            self._decoded[number] = [_decode(raw) for raw in self._chunks[number]]
        return _signed(self._decoded[number])

    def _verify(self, number: int) -> None:
        self._verdicts[number] = verify_chunk(self._decode(number))


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


def _signed(decoded: Sequence[Taken]) -> list[Signed]:
    return [Signed(s.iss, s.signed_bytes, s.signature) for s in decoded if isinstance(s, Statement)]


def _taken(decoded: Sequence[Taken], judged: Verdicts) -> list[Taken]:
    """Put statements and verdicts together: one whose signature fails becomes its refusal."""
    verdicts = iter(judged)
    taken: list[Taken] = []
    for item in decoded:
        error = next(verdicts) if isinstance(item, Statement) else None
        if error is None:
            taken.append(item)
        else:
            finding = Finding(code="statement.signature", message=str(error))
            taken.append(Refused(id=item.id, findings=(finding,)))
    return taken
