"""What the registrar answers, and a statement on its way to an answer."""

from __future__ import annotations

import msgspec

from pseudoledger.errors import Finding, StoreError
from pseudoledger.ledger.receipt import build
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import inclusion_proof


class Registered(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True, tag=True):
    """A statement that stands on the ledger; `known` if it did before this call."""

    id: str
    index: int
    known: bool


class Refused(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag=True):
    """A statement that was refused, with every reason.

    `stored` is the index of a known statement that has the same id under another signature.
    """

    id: str | None
    findings: tuple[Finding, ...]
    stored: int | None = None


Answer = Registered | Refused


def receipt_of(store: Store, origin: str, index: int) -> bytes:
    """Build the receipt of an entry from a store, under the block that seals it; raise StoreError if none.

    A mirror that was never given that block's head builds it under the first later one that it has.
    """
    if not 0 <= index < store.size:
        raise StoreError(f"entry {index} is not on this ledger")
    block = store.headed_block_of(index)
    if block is None:
        raise StoreError(
            f"no signed head of entry {index} or later is kept here: this is a mirror of static files, or of a"
            " node that gave none",
            hint="ask the founder's node for the receipt",
        )
    path = inclusion_proof(index, block.index + 1, store.hashes)
    return build(block.head(origin), index, path)
