"""Statements on their way in: taken apart and verified, before any payload is read.

A few statements are handled on the spot, their signatures on all cores by threads. Where thousands come in,
a second process takes chunks from the front while this one judges, and this one helps from the back whenever
it would have to wait: signatures and rules then use a core each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeAlias

from pseudoledger.errors import Finding, MalformedError
from pseudoledger.identity.keys import Signed, cores, verify_chunk, verify_many
from pseudoledger.ledger.transparent import detach
from pseudoledger.registrar.answers import Refused
from pseudoledger.statement import envelope
from pseudoledger.statement.envelope import Statement

CHUNK = 64
"""Statements that the second process takes at a time."""
WARM_AFTER = 4_000
"""Statements after which the second process is worth its start."""
_MANY = 4 * CHUNK


Taken: TypeAlias = Statement | Refused
"""A verified statement, or the refusal of one that was malformed or not signed."""


class Intake:
    """Reads and verifies for one registrar."""

    def __init__(self) -> None:
        self._seen = 0
        self._pool: ProcessPoolExecutor | None = None
        self._warm: Future[int] | None = None

    def close(self) -> None:
        """End the second process."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def read(self, raws: Sequence[bytes]) -> Iterator[list[Taken]]:
        """Yield the statements in order, some at a time, read and verified, or refused."""
        self._seen += len(raws)
        if len(raws) < _MANY or not self._ready():
            yield _verified([_decode(raw) for raw in raws], threads=True)
            return
        yield from self._overlapped([raws[start : start + CHUNK] for start in range(0, len(raws), CHUNK)])

    def _ready(self) -> bool:
        """Start the second process once it is worth it; tell whether it answers yet."""
        if self._pool is None:
            if self._seen < WARM_AFTER or cores() < 2:
                return False
            self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
            self._warm = self._pool.submit(len, b"")
        return self._warm is not None and self._warm.done() and self._warm.exception() is None

    def _overlapped(self, chunks: Sequence[Sequence[bytes]]) -> Iterator[list[Taken]]:
        assert self._pool is not None, "it answered"
        given = [self._pool.submit(check, chunk) for chunk in chunks]
        done: dict[int, list[Taken]] = {}
        last = len(chunks) - 1
        for number, chunk in enumerate(chunks):
            while number not in done and not given[number].done() and last > number:
                if given[last].cancel():
                    done[last] = check(chunks[last])
                last -= 1
            if number not in done:
                try:
                    done[number] = given[number].result()
                except BrokenProcessPool:
                    self._pool = None
                    self._warm = None
                    done[number] = check(chunk)
            yield done.pop(number)


def check(raws: Sequence[bytes]) -> list[Taken]:
    """Read and verify some statements, one after another; what the second process does."""
    return _verified([_decode(raw) for raw in raws], threads=False)


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


def _verified(decoded: Sequence[Taken], *, threads: bool) -> list[Taken]:
    """Verify every signature over the received bytes; a statement that fails becomes its refusal."""
    signed = [Signed(s.iss, s.signed_bytes, s.signature) for s in decoded if isinstance(s, Statement)]
    verdicts = iter(verify_many(signed) if threads else verify_chunk(signed))
    taken: list[Taken] = []
    for item in decoded:
        error = next(verdicts) if isinstance(item, Statement) else None
        if error is None:
            taken.append(item)
        else:
            finding = Finding(code="statement.signature", message=str(error))
            taken.append(Refused(id=item.id, findings=(finding,)))
    return taken
