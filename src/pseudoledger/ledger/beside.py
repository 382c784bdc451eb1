"""Two things at once: one in a thread of its own, the other where it was asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import Self


class Beside:
    """One thread, started when it is first needed. One caller at a time uses it.

    Two queues are half of what a pool of one thread costs each time, which shows where a thing takes 100 µs.
    """

    def __init__(self) -> None:
        self._asked: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._started = self._open = False

    def run(self, work: Callable[[], object], meanwhile: Callable[[], object]) -> None:
        """Do `work` in the thread and `meanwhile` here, and return when both are over; raise what either raised.

        Of two errors the one of `meanwhile` is raised.
        """
        if not self._started:
            threading.Thread(target=self._serve, daemon=True, name="beside").start()
            self._started = True
        self._open = True
        self._asked.put(work)
        try:
            meanwhile()
        except BaseException:
            self.wait()
            raise
        error = self.wait()
        if error is not None:
            raise error

    def wait(self) -> BaseException | None:
        """Wait until nothing is under way, after an interruption too; return the error that it met."""
        if not self._open:
            return None
        error = self._done.get()
        self._open = False
        return error

    def close(self) -> None:
        """End the thread. Idempotent."""
        self.wait()
        if self._started:
            self._asked.put(None)
            self._started = False

    def _serve(self) -> None:
        while (work := self._asked.get()) is not None:
            with _Kept() as kept:
                work()
            self._done.put(kept.error)


class _Kept:
    """Keeps the error of its block, to be raised where the work was asked for."""

    error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.error = error
        return True
