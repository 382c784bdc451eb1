"""The last head a ledger key signed, kept beside the key, so that it never signs two histories.

Implements docs/spec/identity.md, section 5. A ledger directory can be restored from a backup; the key's own
record cannot be restored with it, and refuses to sign a head that contradicts what was signed before.

    intend(size, root)     durable before the signature is made
    sign, commit           the store takes the entries and the signed block
    release(size, root)    durable before anyone is shown the signature

A crash may fall between any two of these. At the next start `check` compares the tree with the record: a head
only intended was never shown to anyone, so it either became the tree or is dropped. The record is one file of
two slots of 512 bytes, written in turn, so that a torn write leaves the slot before it whole.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pseudoledger.errors import ConflictError, StoreBusy, StoreCorrupt, StoreError
from pseudoledger.identity import files

SLOT_BYTES = 512
FILE_BYTES = 2 * SLOT_BYTES
SIZE_END = 2**63
"""Tree sizes are below this."""

_MAGIC = b"pl/last-signed/1"
_SLOT = struct.Struct(">16sQB7xQ32sQ32s368x")
_RELEASED = 1
_PENDING = 2
_NO_HEAD = (0, bytes(32))

_fdatasync = getattr(os, "fdatasync", os.fsync)


@dataclass(frozen=True, slots=True)
class Head:
    """A tree head: the number of entries and the 32-byte root over them."""

    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.size < SIZE_END or len(self.root) != 32:
            raise ValueError("a head has a size of 0 to 2^63 - 1 and a root of 32 bytes")

    def __str__(self) -> str:
        return f"{self.size} entries (root {self.root.hex()[:16]}…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningState:
    """`released`: the last head whose signature may be known to others; `pending`: one about to be signed."""

    released: Head | None = None
    pending: Head | None = None


def read_state(path: Path) -> SigningState:
    """Read a record without locking it, for displays. Raises StoreError or StoreCorrupt."""
    with _explained(path):
        content = files.read_private(path, size_max=FILE_BYTES)
    return _newest(content, path)[1]


class LastSigned:
    """The record of one ledger key, locked against other processes until `close`.

    Opening raises StoreError if there is no record, StoreBusy if another process holds it, StoreCorrupt if
    neither slot is whole. After a failed write every call raises StoreError until the record is opened anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._broken = False
        with _explained(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            with _explained(path):
                files.check_private(path, os.fstat(self._descriptor))
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                content = os.pread(self._descriptor, FILE_BYTES + 1, 0)
            self._sequence, self._state = _newest(content, path)
        except BaseException:
            os.close(self._descriptor)
            raise

    @classmethod
    def create(cls, path: Path) -> LastSigned:
        """Make the record of a key that has signed nothing yet, and open it.

        Raises StoreError if there is one already: a record is never begun anew.
        """
        empty = SigningState()
        with _explained(path):
            files.make_private_directory(path.parent)
            files.create_private(path, _encode(0, empty) + _encode(1, empty))
        return cls(path)

    def read(self) -> SigningState:
        """Return what is recorded."""
        return self._state

    def check(self, size: int, root: bytes) -> None:
        """Compare the record with the tree at the start, and settle a pending head.

        A tree equal to the released head drops a pending one, which nobody was shown; a tree equal to the
        pending head makes it the released one. A key that has signed nothing fits any tree. Anything else
        raises ConflictError, with the recorded size as `known`; then nothing may be signed.
        """
        tree = Head(size, root)
        released, pending = self._state.released, self._state.pending
        if tree == pending:
            self._write(SigningState(released=tree))
        elif tree == released or released is None:
            if pending is not None:
                self._write(SigningState(released=released))
        else:
            raise _conflict(tree, pending if pending is not None and tree.size >= pending.size else released)

    def intend(self, size: int, root: bytes) -> None:
        """Record, durably, that this head is about to be signed. Call it before making any signature.

        Raises ConflictError for a smaller tree, or another root, than was released; StoreError if another
        head is pending, which `check` must settle first.
        """
        head = Head(size, root)
        released, pending = self._state.released, self._state.pending
        if released is not None and (
            head.size < released.size or (head.size == released.size and head != released)
        ):
            raise _conflict(head, released)
        if pending is not None and head != pending:
            raise StoreError(
                f"a signature over {pending} was begun and neither released nor dropped",
                hint="compare the record with the stored tree first; opening the ledger anew does it",
            )
        if head not in (released, pending):
            self._write(SigningState(released=released, pending=head))
        else:
            self._refuse_if_broken()

    def release(self, size: int, root: bytes) -> None:
        """Record, durably, that this head is committed and its signature may be shown.

        Raises StoreError for a head that was not intended.
        """
        head = Head(size, root)
        if head == self._state.pending:
            self._write(SigningState(released=head))
        elif head == self._state.released:
            self._refuse_if_broken()
        else:
            raise StoreError(f"a signature over {head} was never intended, so it is not released")

    def adopt(self, size: int, root: bytes) -> None:
        """Take a larger tree as the released head, on the operator's word that nothing beyond it was signed.

        For a record lost or older than its ledger. Raises ConflictError for a tree that is not larger than
        every recorded head.
        """
        head = Head(size, root)
        recorded = self._state.pending or self._state.released
        if recorded is not None and head.size <= recorded.size and head != recorded:
            raise _conflict(head, recorded)
        self._write(SigningState(released=head))

    def close(self) -> None:
        """Give up the lock. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refuse_if_broken(self) -> None:
        if self._broken or self._descriptor < 0:
            raise StoreError(
                f"{self.path} is closed or failed to take a write, so nothing is signed",
                hint="open the ledger anew; if it fails again, check the disk",
            )

    def _write(self, state: SigningState) -> None:
        """Write the next slot and sync it. After a failure its content is unknown, so nothing goes on."""
        self._refuse_if_broken()
        sequence = self._sequence + 1
        slot = _encode(sequence, state)
        self._broken = True
        with _explained(self.path):
            if os.pwrite(self._descriptor, slot, sequence % 2 * SLOT_BYTES) != SLOT_BYTES:
                raise OSError(errno.EIO, "short write")
            _fdatasync(self._descriptor)
        self._broken = False
        self._sequence = sequence
        self._state = state


def _encode(sequence: int, state: SigningState) -> bytes:
    """Return one slot of 512 bytes (spec 5)."""
    flags = (_RELEASED if state.released else 0) | (_PENDING if state.pending else 0)
    released = (state.released.size, state.released.root) if state.released else _NO_HEAD
    pending = (state.pending.size, state.pending.root) if state.pending else _NO_HEAD
    body = _SLOT.pack(_MAGIC, sequence, flags, *released, *pending)
    return body + hashlib.sha256(body).digest()


def _decode(slot: bytes) -> tuple[int, SigningState] | None:
    """Return the sequence number and state of a slot, or None if it is torn or not canonical."""
    if len(slot) != SLOT_BYTES:
        return None
    _, sequence, flags, released_size, released_root, pending_size, pending_root = _SLOT.unpack_from(slot)
    try:
        state = SigningState(
            released=Head(released_size, released_root) if flags & _RELEASED else None,
            pending=Head(pending_size, pending_root) if flags & _PENDING else None,
        )
    except ValueError:
        return None
    return (sequence, state) if _encode(sequence, state) == slot else None


def _newest(content: bytes, path: Path) -> tuple[int, SigningState]:
    """Return the whole slot with the highest sequence number. Raises StoreCorrupt if there is none."""
    if len(content) == FILE_BYTES:
        decoded = (_decode(content[:SLOT_BYTES]), _decode(content[SLOT_BYTES:]))
        whole = [slot for place, slot in enumerate(decoded) if slot is not None and slot[0] % 2 == place]
        if whole:
            return max(whole, key=lambda slot: slot[0])
    raise StoreCorrupt(
        f"{path} is damaged, so it is unknown what this key has signed",
        hint="compare the ledger with a checkpoint kept elsewhere, then change to a new ledger key",
    )


def _conflict(tree: Head, recorded: Head) -> ConflictError:
    """Return the refusal to sign a tree that contradicts the recorded head."""
    if tree.size < recorded.size:
        return ConflictError(
            f"the tree has {tree.size} entries but this key has already signed a head over {recorded.size}:"
            " this looks like a restored backup; signing would make two histories",
            known=recorded.size,
            hint="fetch the missing entries from a mirror: pl mirror URL DIR --once; if nobody has them, go on under a"
            " new ledger key: pl ledger change-key NEW --after-loss",
        )
    if tree.size == recorded.size:
        return ConflictError(
            f"the tree of {tree} is not the one this key signed, of {recorded}:"
            " signing would make two histories",
            known=recorded.size,
            hint="find out which copy of the ledger others have seen; `verify --against` a receipt tells",
        )
    return ConflictError(
        f"the tree has {tree.size} entries but the record of this key ends at {recorded.size}: the key was"
        " used elsewhere, or its record was restored from a backup; signing might make two histories",
        known=recorded.size,
        hint="make sure that no other copy of this ledger is written, then adopt this tree",
    )


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn an OSError on the record into a StoreError that says what to do."""
    try:
        yield
    except BlockingIOError as error:
        raise StoreBusy(
            f"another process signs with this key: {path} is locked", hint="stop it first, or use its node"
        ) from error
    except files.PermissionsTooOpen as error:
        raise StoreError(f"{error.message}; nothing is signed", hint=error.repair) from error
    except FileNotFoundError as error:
        raise StoreError(
            f"there is no record of what this key has signed: {path} is missing",
            hint="restore it; if the key surely signed nothing beyond this tree, make one and adopt the tree",
        ) from error
    except FileExistsError as error:
        raise StoreError(f"{path} is there already; a record of signatures is never begun anew") from error
    except OSError as error:
        raise StoreError(
            f"{path} cannot be read or written: {error.strerror}", hint="check the disk; nothing was signed"
        ) from error
