"""The checks of all entries, shared out between this process and others, and handed back in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import TypeAlias

from pseudoledger.audit.verifier.entries import CHUNK, Basis, Chunk, EntryReader
from pseudoledger.identity.keys import verify_chunk, verify_many
from pseudoledger.workers import Work, Worker

_AHEAD = 2
"""Chunks that each other process is given at a time, so that none is idle and the last are soon done."""
_WAITING_MAX = 64
"""Chunks that are begun and not yielded yet: what bounds memory where the first of them takes long."""


class Checks:
    """The checks of all entries of one ledger: in this process, and in as many others as `workers` says."""

    def __init__(self, basis: Basis, size: int, workers: int) -> None:
        self._basis, self._count = basis, workers
        self._ranges = ((start, min(start + CHUNK, size)) for start in range(0, size, CHUNK))
        self._waiting: deque[Chunk | Remote] = deque()
        """What was begun, in order: a chunk that is done, or who answers with it."""
        self._checking: Remote | None = None
        """Who checks the file and has not answered yet: it was asked first, so that nobody waits for it in the end."""
        self.integrity: tuple[str, ...] = ()
        """What SQLite finds wrong with the file itself, once `chunks` has come to its end."""

    def chunks(self) -> Iterator[Chunk]:
        """Check all entries and yield the chunks in order."""
        with ExitStack() as held:
            reader = held.enter_context(
                closing(EntryReader(self._basis, verify_chunk if self._count else verify_many))
            )
            others: list[Remote] = [
                held.enter_context(closing(Worker(READING, self._basis))) for _ in range(self._count)
            ]
            if others:
                self._checking = others[-1]
                self._checking.ask(None)
            while self._begin(reader, others):
                first = self._waiting.popleft()
                yield self._answer(first) if isinstance(first, Worker) else first
            if self._checking is not None:
                self._take_integrity(self._checking)
            elif not others:
                self.integrity = reader.integrity()

    def _begin(self, reader: EntryReader, others: Sequence[Remote]) -> bool:
        """Keep the others busy, and check here until the first chunk is done; tell whether there is one."""
        while True:
            for other in others:
                if other is self._checking and other.answered():
                    self._take_integrity(other)
                while other.open < _AHEAD and (given := next(self._ranges, None)) is not None:
                    other.ask(given)
                    self._waiting.append(other)
            first = self._waiting[0] if self._waiting else None
            done = isinstance(first, Chunk) or (
                first is not None and first is not self._checking and first.answered()
            )
            if done or len(self._waiting) > _WAITING_MAX:
                return True
            mine = next(self._ranges, None)
            if mine is None:
                return first is not None
            self._waiting.append(reader.check(*mine))

    def _answer(self, other: Remote) -> Chunk:
        if other is self._checking:
            self._take_integrity(other)
        chunk = other.answer()
        assert isinstance(chunk, Chunk), "it was asked for one"
        return chunk

    def _take_integrity(self, other: Remote) -> None:
        found = other.answer()
        assert isinstance(found, tuple), "it was asked for this first"
        self.integrity, self._checking = found, None


def remote_reader(basis: Basis) -> Callable[[tuple[int, int] | None], Chunk | tuple[str, ...]]:
    """Make what another process does: check a range of entries or, asked for None, the file itself."""
    reader = EntryReader(basis, verify_chunk)
    return lambda given: reader.integrity() if given is None else reader.check(*given)


READING: Work[tuple[int, int] | None, Chunk | tuple[str, ...]] = Work(
    make=remote_reader, question=tuple[int, int] | None, reply=Chunk | tuple[str, ...]
)
Remote: TypeAlias = Worker[tuple[int, int] | None, Chunk | tuple[str, ...]]
