"""The last head a ledger key signed, kept beside the key, so that it never signs two histories.

Implements docs/spec/identity.md, section 5. A ledger directory can be restored from a backup; the key's own
record cannot be restored with it, and refuses to sign a head that contradicts what was signed before.

    commit                 the store takes the entries and their block
    record(size, root)     durable before the head's signature is made
    sign                   and only now is anybody shown the head

A crash may fall between any two of these. At the next start `check` compares the tree with the record: a tree
that ends one block after it was committed and never signed, so it is recorded now. The record is one file of
two slots of 512 bytes, written in turn, so that a torn write leaves the slot before it whole.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pseudoledger.errors import ConflictError, Explained, StoreBusy, StoreCorrupt, StoreError
from pseudoledger.identity import files

SLOT_BYTES = 512
FILE_BYTES = 2 * SLOT_BYTES
SIZE_END = 2**63
"""Tree sizes are below this."""

_MAGIC = b"pl/last-signed/1"
_SLOT = struct.Struct(">16sQB7xQ32s408x")
_SIGNED = 1
_NO_HEAD = (0, bytes(32))

_NEW_KEY = "go on under a new ledger key: pl ledger change-key NEW --after-loss"

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


def read_record(path: Path) -> Head | None:
    """Read a record without locking it, for displays; None if nothing was signed yet.

    Raises StoreError or StoreCorrupt.
    """
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
            self._sequence, self._head = _newest(content, path)
        except BaseException:
            os.close(self._descriptor)
            raise

    @classmethod
    def create(cls, path: Path) -> LastSigned:
        """Make the record of a key that has signed nothing yet, and open it.

        Raises StoreError if there is one already: a record is never begun anew.
        """
        with _explained(path):
            files.make_private_directory(path.parent)
            files.create_private(path, _encode(0, None) + _encode(1, None))
        return cls(path)

    def read(self) -> Head | None:
        """Return the head that was signed last, None if none was."""
        return self._head

    def check(self, size: int, root: bytes, before: Head | None = None) -> None:
        """Compare the record with the tree at the start; `before` is the tree without its last block.

        Where the record holds `before`, a crash came between a commit and its record: the tree is recorded. A
        key that has signed nothing fits any tree. Anything else raises ConflictError, with the recorded size
        as `known`; then nothing may be signed.
        """
        tree, recorded = Head(size, root), self._head
        if recorded is None or tree == recorded:
            return
        if before != recorded or size <= recorded.size:
            raise _conflict(tree, recorded)
        self._write(tree)

    def record(self, size: int, root: bytes) -> None:
        """Record, durably, that this head is about to be signed. Call it before making any signature.

        Raises ConflictError for a smaller tree, or another root, than was recorded.
        """
        head, recorded = Head(size, root), self._head
        if recorded is not None and head.size <= recorded.size and head != recorded:
            raise _conflict(head, recorded)
        if head == recorded:
            self.refuse_if_broken()
        else:
            self._write(head)

    def refuse_if_broken(self) -> None:
        """Raise StoreError if nothing can be recorded: before a commit whose head could then not be signed."""
        if self._broken or self._descriptor < 0:
            raise StoreError(
                f"{self.path} is closed or failed to take a write, so nothing is signed",
                hint="open the ledger anew; if it fails again, check the disk",
            )

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

    def _write(self, head: Head) -> None:
        """Write the next slot and sync it. After a failure its content is unknown, so nothing goes on."""
        self.refuse_if_broken()
        sequence = self._sequence + 1
        slot = _encode(sequence, head)
        self._broken = True
        with _explained(self.path):
            if os.pwrite(self._descriptor, slot, sequence % 2 * SLOT_BYTES) != SLOT_BYTES:
                raise OSError(errno.EIO, "short write")
            _fdatasync(self._descriptor)
        self._broken = False
        self._sequence, self._head = sequence, head


def _encode(sequence: int, head: Head | None) -> bytes:
    """Return one slot of 512 bytes (spec 5)."""
    size, root = (head.size, head.root) if head else _NO_HEAD
    body = _SLOT.pack(_MAGIC, sequence, _SIGNED if head else 0, size, root)
    return body + hashlib.sha256(body).digest()


def _decode(slot: bytes) -> tuple[int, Head | None] | None:
    """Return the sequence number and head of a slot, or None if it is torn or none."""
    body, digest = slot[:-32], slot[-32:]
    if len(slot) != SLOT_BYTES or hashlib.sha256(body).digest() != digest:
        return None
    magic, sequence, flags, size, root = _SLOT.unpack(body)
    if magic != _MAGIC or size >= SIZE_END:
        return None
    return sequence, Head(size, root) if flags & _SIGNED else None


def _newest(content: bytes, path: Path) -> tuple[int, Head | None]:
    """Return the whole slot with the highest sequence number. Raises StoreCorrupt if there is none."""
    if len(content) == FILE_BYTES:
        decoded = (_decode(content[:SLOT_BYTES]), _decode(content[SLOT_BYTES:]))
        whole = [slot for place, slot in enumerate(decoded) if slot is not None and slot[0] % 2 == place]
        if whole:
            return max(whole, key=lambda slot: slot[0])
    raise StoreCorrupt(
        f"{path} is damaged, so it is unknown what this key has signed",
        hint=f"compare the ledger with a checkpoint kept elsewhere, then {_NEW_KEY}",
    )


def _conflict(tree: Head, recorded: Head) -> ConflictError:
    """Return the refusal to sign a tree that contradicts the recorded head."""
    if tree.size < recorded.size:
        return ConflictError(
            f"the tree has {tree.size} entries but this key has already signed a head over {recorded.size}:"
            " this looks like a restored backup; signing would make two histories",
            known=recorded.size,
            hint=f"fetch the missing entries from a mirror: pl mirror URL DIR --once; if nobody has them, {_NEW_KEY}",
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
        hint=f"make sure that no other copy of this ledger is written, then {_NEW_KEY}",
    )


def _explained(path: Path) -> Explained[OSError]:
    """Turn an OSError on the record into a StoreError that says what to do."""
    return Explained(path, OSError, _ours)


def _ours(path: Path, error: OSError) -> StoreError:
    match error:
        case BlockingIOError():
            return StoreBusy(
                f"another process signs with this key: {path} is locked",
                hint="stop it first, or use its node",
            )
        case files.PermissionsTooOpen():
            return StoreError(f"{error.message}; nothing is signed", hint=error.repair)
        case FileNotFoundError():
            return StoreError(
                f"there is no record of what this key has signed: {path} is missing",
                hint=f"put back what was moved, but nothing from a backup; if it is lost, {_NEW_KEY}",
            )
        case FileExistsError():
            return StoreError(f"{path} is there already; a record of signatures is never begun anew")
    return StoreError(
        f"{path} cannot be read or written: {error.strerror}", hint="check the disk; nothing was signed"
    )
