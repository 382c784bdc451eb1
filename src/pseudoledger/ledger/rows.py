"""What a ledger is stored as: entries, blocks, and the batch that one block adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pseudoledger.errors import StoreCorrupt
from pseudoledger.ledger.receipt import SignedHead


class EntryRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One entry as it is stored."""

    index: int
    statement: bytes
    id: str
    type: str
    issuer: str


class BlockRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is kept of a block: where it stands, its time, and the signed head that ends with it.

    A mirror knows the heads that it was given: the signature is empty where it has none.
    """

    height: int
    index: int
    time_ms: int
    root: bytes
    ledger_key: str
    signature: bytes

    def head(self, origin: str) -> SignedHead:
        """Return the signed head from which receipts are built."""
        return SignedHead(
            ledger=self.ledger_key,
            origin=origin,
            tree_size=self.index + 1,
            root=self.root,
            signature=self.signature,
        )


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one block adds; stored in one transaction or not at all."""

    entries: Sequence[EntryRow]
    hashes: Sequence[bytes]
    block: BlockRow
    things: Sequence[tuple[str, str, bytes]]
    checkpoint: bytes | None = None
    """The note to publish with it, where one is due."""
    kept: tuple[int, bytes] | None = None
    """Index of the block before, and the signature over the head that ends with it."""


def entry_of(row: tuple[Any, ...]) -> EntryRow:
    """Return an entry from its columns idx, statement, id, type, issuer; raise StoreCorrupt if they are none."""
    index, statement, key, kind, issuer = row
    if not isinstance(statement, bytes) or not isinstance(key, bytes):
        raise StoreCorrupt(f"entry {index} is not stored as bytes", hint="run verify")
    return EntryRow(index=index, statement=statement, id=key.hex(), type=kind, issuer=issuer)


def encode_batch(batch: Batch) -> bytes:
    """Write a batch so that another start of this program reads it again."""
    return msgspec.msgpack.encode(batch)


def decode_batch(raw: bytes) -> Batch:
    """Read what `encode_batch` wrote; raise StoreCorrupt if it makes no sense."""
    try:
        return msgspec.msgpack.decode(raw, type=Batch)
    except msgspec.DecodeError as error:
        raise StoreCorrupt(
            f"a block that the ledger key's record carries cannot be read: {error}",
            hint="open the ledger once with the version of pseudoledger that wrote it",
        ) from None
