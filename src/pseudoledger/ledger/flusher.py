"""Brings a file to disk ahead of the sync that waits for it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from queue import SimpleQueue

EVERY = 20
"""How many small transactions of SQLite's log are let go to disk at a time: about a MiB."""

_fdatasync = getattr(os, "fdatasync", os.fsync)


class Flusher:
    """A thread that syncs a file now and then, so that little is left when somebody has to wait for it.

    Nothing relies on it: a sync that counts is made by whoever needs it. A system tells a failed write once, and
    forgets that it was to be written: `failed` says that a later sync proves nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._count = 0
        self.failed = False

    def count(self) -> None:
        """Note that something was written; every so often it is let go."""
        self._count += 1
        if self._count % EVERY == 0 and self._asked.empty():
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="flusher")
                self._thread.start()
            self._asked.put(item=True)

    def close(self) -> None:
        """End the thread. Idempotent."""
        if self._thread is not None:
            self._asked.put(item=False)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while self._asked.get():
            try:
                descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                # Nothing was synced, and nothing is forgotten.
                continue
            try:
                _fdatasync(descriptor)
            except OSError:
                self.failed = True
            finally:
                os.close(descriptor)
