"""One writer of a ledger directory at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from pseudoledger.errors import StoreBusy, StoreError

LOCK = "ledger.lock"


class WriterLock:
    """Held by the one writer of a ledger directory; the second is told who the first is."""

    def __init__(self, directory: Path) -> None:
        path = directory / LOCK
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}", hint="check the directory's permissions") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise StoreBusy(
                f"{directory}: process {holder or 'unknown'} is writing this ledger",
                hint="wait until it is done and try again",
            ) from None
        # The number is for the other's message only: a full disk that loses it does no harm.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Give the lock up. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
