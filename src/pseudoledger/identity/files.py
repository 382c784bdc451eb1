"""Private files: written whole or not at all, readable by their owner alone. POSIX systems.

Shared by `keystore` and `last_signed`. Functions here raise plain OSError; their callers say what it means.
`PermissionsTooOpen` is an OSError too, so that no caller can overlook it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

LOCK_NAME = ".lock"
TEMPORARY_PREFIX = ".new-"

_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class PermissionsTooOpen(OSError):
    """A file or directory of secrets can be read or changed by somebody else; `repair` is the command."""

    def __init__(self, message: str, *, repair: str) -> None:
        super().__init__(errno.EACCES, message)
        self.message = message
        self.repair = repair


def make_private_directory(directory: Path) -> None:
    """Make the directory with mode 0700 if it is missing, then check it as `check_private` does."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_private(directory, directory.stat())


def check_private(path: Path, status: os.stat_result) -> None:
    """Raise PermissionsTooOpen unless the path belongs to this user and gives nothing to anyone else."""
    if status.st_uid != os.geteuid():
        raise PermissionsTooOpen(
            f"{path} belongs to another user (uid {status.st_uid})", repair=f"chown {os.geteuid()} {path}"
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        mode = "700" if stat.S_ISDIR(status.st_mode) else "600"
        raise PermissionsTooOpen(
            f"{path} is open to other users (mode {stat.S_IMODE(status.st_mode):04o})",
            repair=f"chmod {mode} {path}",
        )


def read_private(path: Path, *, size_max: int) -> bytes:
    """Return at most `size_max` + 1 bytes of a private regular file, without following a symbolic link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        check_private(path, status)
        return file.read(size_max + 1)


def create_private(path: Path, content: bytes) -> None:
    """Create the file durably with mode 0600. Raises FileExistsError, changing nothing, if it is there."""
    temporary = _write_temporary(path, content)
    try:
        try:
            os.link(temporary, path)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            # A file system without hard links: reserve the name first, which fails if it is taken.
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def replace_private(path: Path, content: bytes) -> None:
    """Replace the file's content durably: after a crash it holds either the old or the new bytes."""
    temporary = _write_temporary(path, content)
    try:
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock; wait for another process. Leftovers of a crashed writer are removed."""
    descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for leftover in directory.glob(f"{TEMPORARY_PREFIX}*"):
            leftover.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


def _write_temporary(path: Path, content: bytes) -> Path:
    """Write and sync a temporary file beside `path`; nothing is left behind on failure."""
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary
