"""Checkpoints and receipts that were kept outside a ledger, against the ledger as it is now.

A tail cut off at a block leaves a smaller ledger that is sound in itself, and whoever holds the ledger key can
sign another history. Only what somebody else kept shows either. Three forms are taken: a checkpoint (a signed
note), a receipt, and the line `origin size root` that `verify` prints, which is signed by nobody and is worth
what its keeper's word is worth.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pseudoledger.audit.verifier.chain import LATE_SECONDS, Chain
from pseudoledger.audit.verifier.report import Fault
from pseudoledger.errors import InvalidProof, InvalidSignature, MalformedError, VerificationError
from pseudoledger.identity.keys import key_from_did
from pseudoledger.ledger.checkpoint import log_key, parse_checkpoint
from pseudoledger.ledger.files import read_public
from pseudoledger.ledger.fork import PROOF_BYTES_MAX, parse_fork, verify_fork
from pseudoledger.ledger.note import SignedNote, cosignature_time, decode_base64, parse_note, verify_note
from pseudoledger.ledger.receipt import Receipt, SignedHead, decode_receipt, verify_head
from pseudoledger.ledger.tree import hash_leaf, root_from_inclusion

_LINE = re.compile(rb"(\S{1,200}) ([1-9][0-9]{0,18}) ([A-Za-z0-9+/]{43}=)\n?")

FORKS_MAX = 256
"""Most fork proofs beside a ledger that are looked at: as many as a mirror keeps."""

ReadEntry = Callable[[int], bytes | None]
"""Returns the bytes of an entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One thing kept outside: what it commits to, and its signed form if it has one."""

    place: str
    origin: str
    size: int
    root: bytes | None
    """None for a receipt, whose root follows from the entry."""
    note: SignedNote | None = None
    receipt: Receipt | None = None


def parse_kept(raw: bytes, place: str) -> Kept:
    """Read a checkpoint, a receipt or a kept line; raise MalformedError naming `place`."""
    try:
        if match := _LINE.fullmatch(raw):
            origin = match[1].decode("utf-8", "replace")
            return Kept(place=place, origin=origin, size=int(match[2]), root=decode_base64(match[3]))
        if raw[:1] == b"\xd2":
            receipt = decode_receipt(raw)
            return Kept(
                place=place, origin=receipt.origin, size=receipt.tree_size, root=None, receipt=receipt
            )
        return parse_published(raw, place)
    except MalformedError as error:
        raise MalformedError(
            f"{place} is neither a checkpoint, nor a receipt, nor a line that verify printed: {error.message}",
            code=error.code,
        ) from None


def parse_published(raw: object, place: str) -> Kept:
    """Read a checkpoint that the ledger stores to be published: a signed note and nothing else.

    Raises MalformedError; a line or a receipt would agree with the ledger and be no checkpoint to its readers.
    """
    if not isinstance(raw, bytes):
        raise MalformedError("is not stored as bytes", code="checkpoint.form")
    note = parse_note(raw)
    said = parse_checkpoint(note.text)
    return Kept(place=place, origin=said.origin, size=said.size, root=said.root, note=note)


def format_line(origin: str, size: int, root: bytes) -> str:
    """Return the line to keep."""
    return f"{origin} {size} {b64encode(root).decode()}"


def check_kept(kept: Kept, chain: Chain, read: ReadEntry) -> Fault | None:
    """Compare something kept with the ledger that `chain` has followed to its end; return what contradicts."""
    size = chain.link.size
    if kept.origin != chain.link.origin:
        return _fault(kept, "origin", f"is of {kept.origin}, this ledger is {chain.link.origin}")
    if kept.size > size:
        return _fault(
            kept,
            "cut",
            f"commits to {kept.size} entries, this ledger has {size}: its tail was cut off, or this is an older copy"
            + ("" if _signed_by(kept, chain.keys()) else " (or it was never signed by this ledger's key)"),
        )
    root = chain.roots.get(kept.size)
    if root is None:
        return _fault(
            kept, "rewritten", f"commits to {kept.size} entries, where no block of this ledger ends"
        )
    try:
        committed = _root_of(kept, read)
    except VerificationError as error:
        return _fault(kept, "rewritten", error.message)
    if committed != root:
        return _fault(
            kept,
            "rewritten",
            f"commits to another root over the first {kept.size} entries: they were rewritten",
        )
    if not _signed_by(kept, (chain.key_at(kept.size),), root):
        return _fault(kept, "signature", f"is not signed by the ledger key for {kept.size} entries")
    return None


def weigh_cosignatures(kept: Kept, chain: Chain) -> list[str]:
    """Return what the times of a checkpoint's cosignatures say against the time of the block that it ends with.

    A witness cannot have seen a tree long before its last block was sealed: either clock is wrong then. Whose
    keys these are is not known here, so the signatures are not verified; `policy show` does that.
    """
    sealed = chain.times.get(kept.size)
    if kept.note is None or sealed is None or chain.clock != "system":
        return []
    said = [(line.name, cosignature_time(line)) for line in kept.note.signatures if line.name != kept.origin]
    return [
        f"{kept.place}: {name} says that it cosigned {kept.size} entries {sealed - time} s before the time of"
        " the block that seals them: one of the two clocks is wrong"
        for name, time in said
        if time is not None and sealed - time > LATE_SECONDS
    ]


def fork_warnings(directory: Path, chain: Chain) -> Iterator[str]:
    """Say which fork proofs lie beside the ledger and hold: this copy may be sound, and another one be too."""
    folder = directory / "forks"
    for path in sorted(folder.glob("*.json"))[:FORKS_MAX]:
        try:
            proven = verify_fork(parse_fork(read_public(path, PROOF_BYTES_MAX + 1)), chain.keys())
        except (OSError, MalformedError, VerificationError):
            continue
        sizes = (proven.size1, proven.size2)
        if proven.origin == chain.link.origin and proven.keys == tuple(map(chain.key_at, sizes)):
            yield (
                f"forks/{path.name} proves that this ledger's key signed two histories: trees of {sizes[0]} and"
                f" {sizes[1]} entries that contradict each other"
            )


def _root_of(kept: Kept, read: ReadEntry) -> bytes:
    if kept.root is not None:
        return kept.root
    receipt = kept.receipt
    assert receipt is not None, "what has no root is a receipt"
    entry = read(receipt.leaf_index)
    if entry is None:
        raise InvalidProof(f"is of entry {receipt.leaf_index}, which cannot be read")
    return root_from_inclusion(hash_leaf(entry), receipt.leaf_index, receipt.tree_size, receipt.path)


def _signed_by(kept: Kept, dids: tuple[str, ...], root: bytes | None = None) -> bool:
    """Tell whether one of these ledger keys signed it; for a receipt, over this root where it is known."""
    if kept.note is not None:
        try:
            verify_note(kept.note, [log_key(kept.origin, key_from_did(did)) for did in dids])
        except (InvalidSignature, MalformedError):
            return False
        return True
    receipt = kept.receipt
    if receipt is None:
        return True
    if root is None or receipt.ledger not in dids:
        return receipt.ledger in dids
    try:
        verify_head(
            SignedHead(
                ledger=receipt.ledger,
                origin=receipt.origin,
                tree_size=receipt.tree_size,
                root=root,
                signature=receipt.signature,
            )
        )
    except InvalidSignature:
        return False
    return True


def _fault(kept: Kept, code: str, message: str) -> Fault:
    return Fault(code=f"kept.{code}", place=kept.place, message=message)
