"""The chain of blocks as far as a bundle holds it: which key was in force, and which block seals which entry.

A bundle holds some blocks of a ledger, and for each of its statements the block that seals it and the block
before that. As the later one cites the earlier, nothing can stand between them: the statement's block time is
exact. A block's own root is recomputed from its inclusion path: the left siblings of leaf m are the complete
subtrees over the entries before it (RFC 9162 §2.1.3), so that every block agrees with the checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pseudoledger.errors import InconsistentCheckpoint, InvalidSignature
from pseudoledger.ledger.bundle import BundledEntry
from pseudoledger.ledger.tree import EMPTY_ROOT, hash_node
from pseudoledger.statement.envelope import Statement
from pseudoledger.statement.kinds import Payload
from pseudoledger.statement.kinds.ledger import (
    BlockSealed,
    LedgerFounded,
    LedgerKeyChanged,
    LedgerPolicyChanged,
    LedgerPolicyRegistered,
)
from pseudoledger.statement.values import block_time_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """A block: its height, its index, its time."""

    height: int
    index: int
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedChain:
    """What the blocks of a bundle show."""

    key: str
    """Ledger key in force at the end."""
    retired: tuple[tuple[str, int], ...]
    """Earlier ledger keys, each with the tree size up to which it counts."""
    size: int
    """Size of the tree that ends with the last block."""
    sealing: dict[int, Sealing]
    """The block that seals each entry that is none, by index."""


@dataclass(slots=True)
class _Chain:
    founder: str
    origin: str
    key: str
    last_id: str
    last: Sealing = field(default_factory=lambda: Sealing(height=0, index=-1, time_ms=0))
    pending_key: str | None = None
    key_number: int = 0
    policy_number: int = 0
    retired: list[tuple[str, int]] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    sealing: dict[int, Sealing] = field(default_factory=dict)


def follow_chain(
    entries: Sequence[tuple[int, Statement, Payload]], bundled: Sequence[BundledEntry], size: int
) -> FollowedChain:
    """Follow the blocks of a bundle from its founding, which comes first, to the last.

    Signatures, and the inclusion paths in a tree of `size` entries, are verified before: this says which key
    was to sign, and what fits.

    Raises:
        InvalidSignature: a block, or a statement of the ledger, is not signed by the key that it has to be.
        InconsistentCheckpoint: blocks do not fit each other, or one that is needed is not there.
    """
    _, founding, founded = entries[0]
    assert isinstance(founded, LedgerFounded), "the caller looked"
    chain = _Chain(founder=founding.iss, origin=founded.origin, key=founded.ledger_key, last_id=founding.id)
    for (index, statement, payload), entry in zip(entries, bundled, strict=True):
        if isinstance(payload, BlockSealed):
            _seal(chain, index, statement, payload, root_before(index, size, entry.path))
        else:
            chain.waiting.append(index)
            _take(chain, index, statement, payload)
    if chain.waiting:
        raise InconsistentCheckpoint(f"the bundle holds no block that seals entry {chain.waiting[0]}")
    return FollowedChain(
        key=chain.key, retired=tuple(chain.retired), size=chain.last.index + 1, sealing=chain.sealing
    )


def _take(chain: _Chain, index: int, statement: Statement, payload: Payload) -> None:
    """Take an entry that is no block; the ledger's own are signed by the founder, and changes are counted."""
    number: int | None = None
    match payload:
        case LedgerFounded():
            if index:
                raise InconsistentCheckpoint(f"entry {index} founds the ledger again")
            return
        case LedgerKeyChanged():
            number, chain.key_number = chain.key_number, payload.number
            chain.pending_key = payload.ledger_key
        case LedgerPolicyChanged():
            number, chain.policy_number = chain.policy_number, payload.number
        case LedgerPolicyRegistered():
            pass
        case _:
            return
    if statement.iss != chain.founder:
        raise InvalidSignature(
            f"entry {index} is signed by {statement.iss}, not by the founder {chain.founder}"
        )
    if statement.sub != chain.origin:
        raise InconsistentCheckpoint(f"entry {index} has sub {statement.sub!r}, the origin is {chain.origin}")
    if number is not None and getattr(payload, "number", 0) != number + 1:
        raise InconsistentCheckpoint(
            f"entry {index} is change {getattr(payload, 'number', 0)}; change {number + 1} is not in the bundle"
        )


def _seal(chain: _Chain, index: int, statement: Statement, block: BlockSealed, root: bytes) -> None:
    """Take a block: by the key in force, after the last one, with the root that its own path yields."""
    last = chain.last
    if chain.pending_key is not None:
        chain.retired.append((chain.key, last.index + 1))
        chain.key, chain.pending_key = chain.pending_key, None
    if statement.iss != chain.key:
        raise InvalidSignature(
            f"block {block.height} at entry {index} is signed by {statement.iss}, not by the ledger key"
            f" {chain.key}"
        )
    follows = block.height == last.height + 1
    time_ms = block_time_ms(block.time)
    problems = [
        problem
        for wrong, problem in (
            (statement.sub != chain.origin, f"has sub {statement.sub!r}, the origin is {chain.origin}"),
            (block.size != index, f"has size {block.size}"),
            (block.root != root.hex(), "has a root that its inclusion path does not yield"),
            (statement.iat != time_ms // 1000, "has an iat that is not its time"),
            (statement.exp is not None, "expires"),
            (time_ms < last.time_ms, "has a time before that of an earlier block"),
            (block.height == 1 and index != 1, "is the first and does not stand at entry 1"),
            (index - last.index < 2 * (block.height - last.height), "stands too near to an earlier block"),
            (block.height <= last.height, "has a height that an earlier block has"),
            (follows and block.previous != chain.last_id, "cites another block before it"),
            (bool(chain.waiting) and not follows, f"does not show that it seals entry {chain.waiting[:1]}"),
        )
        if wrong
    ]
    if problems:
        raise InconsistentCheckpoint(f"block {block.height} at entry {index} " + "; ".join(problems))
    chain.last, chain.last_id = Sealing(height=block.height, index=index, time_ms=time_ms), statement.id
    chain.sealing.update(dict.fromkeys(chain.waiting, chain.last))
    chain.waiting.clear()


def root_before(index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root over all entries before a leaf, from the left siblings of its verified inclusion path.

    Below the level where the path meets the right edge of the tree the bits of the index say on which side a
    sibling stands; above, all stand left.
    """
    inner = (index ^ (size - 1)).bit_length()
    lefts = [sibling for level, sibling in enumerate(path[:inner]) if index >> level & 1]
    root: bytes | None = None
    for sibling in (*lefts, *path[inner:]):
        root = sibling if root is None else hash_node(sibling, root)
    return EMPTY_ROOT if root is None else root
