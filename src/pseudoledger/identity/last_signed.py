"""The last head a ledger key signed, kept beside the key, so that it never signs two histories.

Implements docs/spec/identity.md, section 5. A ledger directory can be restored from a backup; the key's own
record cannot be restored with it, and refuses to sign a head that contradicts what was signed before.

    a large block                              a small one
    commit, durably                            carry: the record holds the block too
    record: durable                            sync: durable
                                               commit, without waiting for the disk
    sign: only now is anybody shown the head

A crash may fall between any two of these. At the next start the store takes from `missing` what the record carries
and a power failure took from it; then `check` compares the tree with the record: a tree that ends one block after
it was committed and never signed, so it is recorded now (ADR 16, ADR 27).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pseudoledger.errors import ConflictError, Explained, StoreBusy, StoreCorrupt, StoreError
from pseudoledger.identity import files
from pseudoledger.identity.signing_record import (
    FILE_BYTES,
    SLOT_BYTES,
    SLOTS_BYTES,
    Carried,
    Head,
    Slot,
    carried_bytes,
    decode_carried,
    encode_carried,
    encode_slot,
    newest_slot,
)

_NEW_KEY = "go on under a new ledger key: pl ledger change-key NEW --after-loss"

_TORN_BYTES = 16
"""As many zeros at the beginning of a carried block make it none."""

_fdatasync = getattr(os, "fdatasync", os.fsync)
_advise = getattr(os, "posix_fadvise", None)


def read_heads(path: Path) -> list[Head | None]:
    """Read the heads of a record without locking it: the slot's, None if nothing was signed yet, then carried blocks'.

    A tree that ends with any of them fits: its next writer brings it up to the last. Raises StoreError or StoreCorrupt.
    """
    with _explained(path):
        content = files.read_private(path, size_max=FILE_BYTES)
    slot = _newest(content, path)
    return [slot.head, *(one.head for one in decode_carried(content, slot))]


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
            content = self._content()
            self._slot = _newest(content, path)
            self._room = len(content) == FILE_BYTES
            carried = list(decode_carried(content, self._slot))
            self._head = carried[-1].head if carried else self._slot.head
            self._end = SLOTS_BYTES + sum(carried_bytes(len(one.body)) for one in carried)
            # Whoever wrote it may have died, or been told of an error, before it was on disk: what is read here is
            # then in memory alone, and must not be built on.
            self._put(content[: self._end + SLOT_BYTES], 0)
            self._before: tuple[Head | None, int] | None = None
            """The head before the block that was carried last, and where that stands."""
            self._written: tuple[Head, int] | None = None
            """The head of the block that was written and not synced yet, and where that ends."""
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
            files.create_private(path, encode_slot(Slot(0, None)) + encode_slot(Slot(1, None)))
        return cls(path)

    def read(self) -> Head | None:
        """Return the head that was signed last, None if none was."""
        return self._head

    @property
    def carries(self) -> bool:
        """Whether there is a block in it that the store may not hold durably."""
        return self._head != self._slot.head

    def missing(self, size: int, root: bytes) -> Sequence[Carried]:
        """Return the blocks that were recorded after a tree, in order: what a power failure took from the store.

        None where the tree is not one that this record has seen since it last carried nothing.
        """
        with _explained(self.path):
            content = self._content()
        tree, carried = Head(size, root), list(decode_carried(content, self._slot))
        heads = [self._slot.head, *(one.head for one in carried)]
        return carried[heads.index(tree) :] if tree in heads else ()

    def check(self, size: int, root: bytes, before: Head | None = None) -> None:
        """Compare the record with the tree at the start; `before` is the tree without its last block.

        Where the record holds `before`, a crash came between a commit and its record: the tree, which is durable,
        is recorded. A key that has signed nothing fits any tree. Anything else raises ConflictError, with the
        recorded size as `known`; then nothing may be signed.
        """
        tree, recorded = Head(size, root), self._head
        if recorded is None or tree == recorded:
            return
        if before != recorded or size <= recorded.size:
            raise _conflict(tree, recorded)
        self._write(tree)

    def takes(self, body_bytes: int) -> bool:
        """Tell whether `carry` can take a block of so many bytes now; where it cannot, the store waits for the disk.

        It cannot before the first head, nor when it is full: the next head without a block empties it.
        """
        end = self._end + carried_bytes(body_bytes)
        return self._slot.head is not None and end <= FILE_BYTES and self._make_room()

    def record(self, size: int, root: bytes) -> None:
        """Record, durably, that this head is about to be signed. Call it before making any signature.

        Everything up to the head has to be durable in the store; what was carried is left behind. Raises ConflictError
        for a smaller tree, or another root, than was recorded.
        """
        head, recorded = Head(size, root), self._head
        if recorded is not None and head.size <= recorded.size and head != recorded:
            raise _conflict(head, recorded)
        if head != self._slot.head:
            self._write(head)
        else:
            self.refuse_if_broken()

    def carry(self, size: int, root: bytes, body: bytes) -> None:
        """Write the block that ends with a head, which `takes` has to allow, and leave it to `sync` to wait for the disk.

        Until then nothing is signed. Raises ConflictError for a tree that is not larger than what was recorded.
        """
        head = Head(size, root)
        if self._head is not None and head.size <= self._head.size:
            raise _conflict(head, self._head)
        raw = encode_carried(self._slot.sequence, Carried(head, body))
        if self._end + len(raw) > FILE_BYTES or not self._room:
            raise ValueError("a record takes what `takes` allowed")
        self.refuse_if_broken()
        self._broken, self._written = True, (head, self._end + len(raw))
        with _explained(self.path):
            self._write_at(raw, self._end)
            if _advise is not None:
                # Linux begins to write at once what nobody is said to need: half of the wait goes by meanwhile.
                with contextlib.suppress(OSError):
                    _advise(self._descriptor, self._end, len(raw), os.POSIX_FADV_DONTNEED)
        self._broken = False

    def sync(self) -> None:
        """Wait until what `carry` wrote is on disk. Raises StoreError; then nothing goes on."""
        if self._written is None:
            raise ValueError("nothing was written")
        self.refuse_if_broken()
        self._broken = True
        with _explained(self.path):
            _fdatasync(self._descriptor)
        self._before = self._head, self._end
        self._head, self._end = self._written
        self._written, self._broken = None, False

    def take_back(self, size: int, root: bytes) -> None:
        """Forget the block that ends with a head if it was the last to be carried: the head was never signed.

        Raises StoreError if the record fails to take that write; the next start then gives the block to the store.
        """
        head = Head(size, root)
        if self._written is not None and self._written[0] == head:
            self._put(bytes(_TORN_BYTES), self._end)
        elif self._before is not None and self._head == head:
            before, place = self._before
            self._put(bytes(_TORN_BYTES), place)
            self._head, self._end = before, place
        self._written = self._before = None

    @property
    def broken(self) -> bool:
        """Whether nothing can be recorded until it is opened anew."""
        return self._broken or self._descriptor < 0

    def refuse_if_broken(self) -> None:
        """Raise StoreError if nothing can be recorded: before a commit whose head could then not be signed."""
        if self.broken:
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

    def _content(self) -> bytes:
        return os.pread(self._descriptor, FILE_BYTES + 1, 0)

    def _write(self, head: Head) -> None:
        """Write the next slot, which leaves behind what was carried."""
        slot = Slot(self._slot.sequence + 1, head)
        self._put(encode_slot(slot), slot.sequence % 2 * SLOT_BYTES)
        self._slot, self._head, self._end = slot, head, SLOTS_BYTES
        self._before = self._written = None

    def _put(self, raw: bytes, place: int) -> None:
        """Write and sync. After a failure the content is unknown, so nothing goes on."""
        self.refuse_if_broken()
        self._broken = True
        with _explained(self.path):
            self._write_at(raw, place)
            _fdatasync(self._descriptor)
        self._broken = False

    def _write_at(self, raw: bytes, place: int) -> None:
        if os.pwrite(self._descriptor, raw, place) != len(raw):
            raise OSError(errno.EIO, "short write")

    def _make_room(self) -> bool:
        """Give the file its full length, once; tell whether it has it. A disk without room carries nothing."""
        if not self._room and not self.broken:
            try:
                # The length first, which a crash leaves as it was or as it will be.
                os.ftruncate(self._descriptor, FILE_BYTES)
                zeros = bytes(FILE_BYTES - SLOTS_BYTES)
                self._room = os.pwrite(self._descriptor, zeros, SLOTS_BYTES) == len(zeros)
                os.fsync(self._descriptor)
            except OSError:
                self._room = False
            if not self._room:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, SLOTS_BYTES)
        return self._room


def _newest(content: bytes, path: Path) -> Slot:
    """Return the slot that counts. Raises StoreCorrupt if there is none."""
    slot = newest_slot(content)
    if slot is None:
        raise StoreCorrupt(
            f"{path} is damaged, so it is unknown what this key has signed",
            hint=f"compare the ledger with a checkpoint kept elsewhere, then {_NEW_KEY}",
        )
    return slot


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
