"""The bytes of a signing record: two slots for heads, and behind them the blocks that the ledger may not hold yet.

Implements docs/spec/identity.md, section 5. Pure: `last_signed` reads and writes the file.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

SLOT_BYTES = 512
SLOTS_BYTES = 2 * SLOT_BYTES
"""A record that carries no block is as long as this."""
FILE_BYTES = 1024 * 1024
"""One that carries some is as long as this: made once, so that writing into it changes no file's length."""
SIZE_END = 2**63
"""Tree sizes are below this."""

_MAGIC = b"pl/last-signed/1"
_SLOT = struct.Struct(">16sQB7xQ32s408x")
_SIGNED = 1
_NO_HEAD = (0, bytes(32))
_CARRIED_MAGIC = b"pl/carried-block"
_CARRIED = struct.Struct(">16sQQ32sQ")
_DIGEST_BYTES = 32


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


@dataclass(frozen=True, slots=True)
class Slot:
    """A head, None if nothing was signed, and the number of the write that put it there."""

    sequence: int
    head: Head | None


@dataclass(frozen=True, slots=True)
class Carried:
    """The block that ends with a head, as whoever recorded it wrote it."""

    head: Head
    body: bytes


def encode_slot(slot: Slot) -> bytes:
    """Return one slot of 512 bytes."""
    size, root = (slot.head.size, slot.head.root) if slot.head else _NO_HEAD
    body = _SLOT.pack(_MAGIC, slot.sequence, _SIGNED if slot.head else 0, size, root)
    return body + hashlib.sha256(body).digest()


def decode_slot(raw: bytes) -> Slot | None:
    """Return what a slot says, or None if it is torn or none."""
    body, digest = raw[:-_DIGEST_BYTES], raw[-_DIGEST_BYTES:]
    if len(raw) != SLOT_BYTES or hashlib.sha256(body).digest() != digest:
        return None
    magic, sequence, flags, size, root = _SLOT.unpack(body)
    if magic != _MAGIC or size >= SIZE_END:
        return None
    return Slot(sequence, Head(size, root) if flags & _SIGNED else None)


def newest_slot(content: bytes) -> Slot | None:
    """Return the whole slot with the highest number, None if there is none; its number says where it stands."""
    if len(content) not in {SLOTS_BYTES, FILE_BYTES}:
        return None
    decoded = (decode_slot(content[:SLOT_BYTES]), decode_slot(content[SLOT_BYTES:SLOTS_BYTES]))
    whole = [slot for place, slot in enumerate(decoded) if slot is not None and slot.sequence % 2 == place]
    return max(whole, key=lambda slot: slot.sequence, default=None)


def carried_bytes(body_bytes: int) -> int:
    """Return how long a block with a body of some bytes stands in the record."""
    return _CARRIED.size + body_bytes + _DIGEST_BYTES


def encode_carried(sequence: int, carried: Carried) -> bytes:
    """Return a block as it stands in the record, after the slot with that number and the blocks behind that."""
    head, body = carried.head, carried.body
    raw = _CARRIED.pack(_CARRIED_MAGIC, sequence, head.size, head.root, len(body)) + body
    return raw + hashlib.sha256(raw).digest()


def decode_carried(content: bytes, slot: Slot) -> Iterator[Carried]:
    """Yield the blocks that were recorded after a slot, in order, up to the first that is torn, older or none."""
    at, size = SLOTS_BYTES, 0 if slot.head is None else slot.head.size
    while at + carried_bytes(0) <= len(content):
        magic, sequence, grown, root, length = _CARRIED.unpack_from(content, at)
        end = at + carried_bytes(length)
        if magic != _CARRIED_MAGIC or sequence != slot.sequence or end > len(content):
            return
        body, digest = content[at : end - _DIGEST_BYTES], content[end - _DIGEST_BYTES : end]
        if hashlib.sha256(body).digest() != digest or not size < grown < SIZE_END:
            return
        yield Carried(Head(grown, root), body[_CARRIED.size :])
        at, size = end, grown
