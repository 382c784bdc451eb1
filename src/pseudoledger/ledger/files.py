"""Public files of a ledger: written whole and durably, or not at all.

Functions here raise plain OSError and leave no part behind; their callers say what it means.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from pseudoledger.identity.files import sync_directory


def read_public(path: Path, most: int) -> bytes:
    """Read at most so many bytes of a regular file; what stands there may be a pipe, which would be waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(most)


def write_durably(path: Path, raw: bytes) -> None:
    """Write a file, readable for all, that after any crash is the old one or the new one; make its directory."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_directory(path.parent)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise
