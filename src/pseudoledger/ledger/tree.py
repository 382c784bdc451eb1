"""The Merkle tree over the entries, RFC 9162 §2.1: hashes, stored layout, proofs made and checked.

    leaf hash   SHA-256(0x00 ‖ entry)            MTH({d})     RFC 9162 §2.1.1
    node hash   SHA-256(0x01 ‖ left ‖ right)     MTH(D_n)     RFC 9162 §2.1.1
    empty tree  SHA-256("")

**Stored layout.** All hashes of a growing tree stand in one sequence that is only ever appended to. Node
(level, n) is the root of the complete subtree over leaves [n·2^level, (n+1)·2^level). Adding leaf i
appends its leaf hash and then every node that becomes complete by it, lowest first:

    position   0  1  2    3  4  5    6    7  ...
    leaf       0  1       2  3            4
    level 1          0-1        2-3
    level 2                          0-3

A tree of n leaves therefore holds exactly 2n - popcount(n) hashes, and the position of a node follows from
arithmetic alone (`position_of`). The layout is that of the Go checksum database (golang.org/x/mod
sumdb/tlog); it makes every proof a handful of reads at known positions.

This module knows nothing of files, entries or signatures. Hashes are read through `ReadHashes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from struct import Struct
from typing import Self

from pseudoledger.errors import InvalidProof

_read_hash = Struct("32s").unpack_from

HASH_BYTES = 32
"""Length of every hash in the tree."""

EMPTY_ROOT = sha256(b"").digest()
"""Root of the tree without leaves, RFC 9162 §2.1.1."""

ReadHashes = Callable[[Sequence[int]], Sequence[bytes]]
"""Reads stored hashes: `read(positions)` returns one 32-byte hash per position, in the order asked.

Each function below calls it at most once, so a backend can answer with one query. Positions are distinct
and lie below `stored_count(size)` of a tree that the caller holds. A backend that lacks one raises its own
error (`StoreCorrupt`); it never answers with fewer hashes.
"""


def hash_leaf(entry: bytes) -> bytes:
    """Return the leaf hash of an entry, SHA-256(0x00 ‖ entry), RFC 9162 §2.1.1."""
    return sha256(b"\x00" + entry).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return the node hash of two hashes, SHA-256(0x01 ‖ left ‖ right), RFC 9162 §2.1.1."""
    return sha256(b"\x01" + left + right).digest()


def stored_count(size: int) -> int:
    """Return how many hashes are stored for a tree of `size` leaves."""
    return 2 * size - size.bit_count()


def position_of(level: int, index: int) -> int:
    """Return the position of node `index` at `level` in the stored sequence.

    The node is appended together with its last leaf, m = (index + 1)·2^level - 1, whose own leaf hash
    stands after the 2m - popcount(m) hashes of the leaves before it; the node follows `level` places on.
    """
    last = ((index + 1) << level) - 1
    return 2 * last - last.bit_count() + level


def node_at(position: int) -> tuple[int, int]:
    """Return (level, index) of the node at a position: the inverse of `position_of`."""
    leaf = position // 2  # 2m - popcount(m) <= position: never past the leaf sought, and close to it
    start = stored_count(leaf)
    while (following := stored_count(leaf + 1)) <= position:
        leaf, start = leaf + 1, following
    level = position - start
    return level, leaf >> level


def frontier_positions(size: int) -> list[int]:
    """Return the positions of the complete subtrees of a tree of `size` leaves, largest first."""
    return _cover(0, size)


def hashes_for_leaf(index: int, leaf_hash: bytes, read: ReadHashes) -> list[bytes]:
    """Return the hashes to append when leaf `index` is added to a tree of `index` leaves.

    These are the leaf hash and each node completed by it: one for every trailing 1 bit of `index`. For many
    leaves at once use `Frontier.store`, which reads once and not once per leaf.
    """
    hashes = [leaf_hash]
    completed = (~index & (index + 1)).bit_length() - 1  # the trailing ones of index
    if completed:
        lefts = read([position_of(level, (index >> level) - 1) for level in range(completed)])
        for left in lefts:
            hashes.append(hash_node(left, hashes[-1]))
    return hashes


def root(size: int, read: ReadHashes) -> bytes:
    """Return the root of the tree of the first `size` leaves."""
    return _fold(read(frontier_positions(size))) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: ReadHashes) -> tuple[bytes, ...]:
    """Return the proof that leaf `index` is in the tree of `size` leaves, RFC 9162 §2.1.3.1.

    Raises:
        InvalidProof: there is no such leaf in such a tree.
    """
    if not 0 <= index < size:
        raise InvalidProof(f"a tree of {size} leaves has no leaf {index}")
    return _path(0, index, size, read, with_node=False)


def consistency_proof(size1: int, size2: int, read: ReadHashes) -> tuple[bytes, ...]:
    """Return the proof that the tree of `size1` leaves is a prefix of that of `size2`, RFC 9162 §2.1.4.1.

    Raises:
        InvalidProof: not 1 <= size1 <= size2.
    """
    if not 1 <= size1 <= size2:
        raise InvalidProof(f"no consistency proof leads from size {size1} to size {size2}")
    if size1 == size2:
        return ()
    # The path starts at the last complete subtree of the older tree. If that is the whole older tree, its
    # hash is the older root, which the verifier has.
    level = _trailing_zeros(size1)
    index = (size1 >> level) - 1
    return _path(level, index, size2, read, with_node=index > 0)


def root_from_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root to which an inclusion proof leads, RFC 9162 §2.1.3.2.

    The caller compares it with a root it trusts, or checks a signature over it; nothing is proved before.

    Raises:
        InvalidProof: index and size do not fit, or the number or length of the hashes is wrong.
    """
    if not 0 <= index < size:
        raise InvalidProof(f"a tree of {size} leaves has no leaf {index}")
    # Up to `inner` levels the leaf's subtree and the right edge of the tree are apart, and each level has
    # a sibling on either side; above, the path runs along the edge and has left siblings only.
    inner = (index ^ (size - 1)).bit_length()
    _check_hashes(proof, inner + (index >> inner).bit_count())
    if len(leaf_hash) != HASH_BYTES:
        raise InvalidProof("a leaf hash has 32 bytes")
    return _climb(leaf_hash, index, inner, proof)


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf hash stands at `index` in the tree of `size` leaves with this root.

    Implements RFC 9162 §2.1.3.2: the same hashes are accepted, none may be missing or left over.

    Raises:
        InvalidProof: the proof does not lead to `root`.
    """
    if root_from_inclusion(leaf_hash, index, size, proof) != root:
        raise InvalidProof(f"the inclusion proof of leaf {index} does not lead to the root of size {size}")


def verify_consistency(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    """Check that the tree (size1, root1) is a prefix of the tree (size2, root2).

    Implements RFC 9162 §2.1.4.2, for size1 >= 1 only: every tree extends the empty one, so such a proof
    would say nothing.

    Raises:
        InvalidProof: the proof does not lead to both roots.
    """
    if not 1 <= size1 <= size2:
        raise InvalidProof(f"no consistency proof leads from size {size1} to size {size2}")
    if len(root1) != HASH_BYTES or len(root2) != HASH_BYTES:
        raise InvalidProof("a root has 32 bytes")
    if size1 == size2:
        _check_hashes(proof, 0)
        if root1 != root2:
            raise InvalidProof(f"two roots of size {size1} differ")
        return
    # A complete older tree is itself the node at which the path starts, and RFC 9162 leaves it out.
    whole = size1 & (size1 - 1) == 0
    older, newer = roots_from_nodes(size1, size2, (root1, *proof) if whole else proof)
    if newer != root2:
        raise InvalidProof(f"the consistency proof does not lead to the root of size {size2}")
    if older != root1:
        raise InvalidProof(f"the consistency proof does not lead to the root of size {size1}")


def roots_from_nodes(size1: int, size2: int, nodes: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the roots of `size1` and `size2` to which the nodes of a consistency proof lead.

    `nodes` is the proof of RFC 9162 §2.1.4.1 which always starts with the last complete subtree of the
    older tree, also where that is the whole older tree.

    Raises:
        InvalidProof: not 1 <= size1 < size2, or the number or length of the hashes is wrong.
    """
    if not 1 <= size1 < size2:
        raise InvalidProof(f"no consistency proof leads from size {size1} to size {size2}")
    level = _trailing_zeros(size1)
    index = (size1 >> level) - 1
    inner = (index ^ ((size2 - 1) >> level)).bit_length()
    _check_hashes(nodes, 1 + inner + (index >> inner).bit_count())
    newer = _climb(nodes[0], index, inner, nodes[1:])
    # What hangs to the right of the path was not yet there in the older tree.
    older = nodes[0]
    for height, sibling in enumerate(nodes[1:]):
        if height >= inner or index >> height & 1:
            older = hash_node(sibling, older)
    return older, newer


class Frontier:
    """The complete subtrees at the right edge of a growing tree: enough to append and to give the root.

    Holds popcount(size) hashes. Appending costs one node hash on average. Start with `Frontier()` for a
    tree without leaves, or with `Frontier.read` for a stored one.
    """

    __slots__ = ("_size", "_subtrees")

    def __init__(self, size: int = 0, subtrees: Iterable[bytes] = ()) -> None:
        """Stand at `size` leaves with the roots of its complete subtrees, largest first.

        Raises:
            InvalidProof: the number or length of the hashes is wrong.
        """
        self._subtrees = list(subtrees)
        _check_hashes(self._subtrees, size.bit_count())
        self._size = size

    @classmethod
    def read(cls, size: int, read: ReadHashes) -> Self:
        """Stand at the right edge of a stored tree of `size` leaves."""
        return cls(size, read(frontier_positions(size)) if size else ())

    @property
    def size(self) -> int:
        """How many leaves the tree has."""
        return self._size

    @property
    def subtrees(self) -> tuple[bytes, ...]:
        """The roots of the complete subtrees, largest first."""
        return tuple(self._subtrees)

    def root(self) -> bytes:
        """Return the root of the tree as it stands."""
        return _fold(self._subtrees) if self._subtrees else EMPTY_ROOT

    def append(self, leaf_hash: bytes) -> None:
        """Add one leaf by its hash."""
        size = self._size
        self._size = size + 1
        subtrees = self._subtrees
        while size & 1:
            leaf_hash = sha256(b"\x01" + subtrees.pop() + leaf_hash).digest()
            size >>= 1
        subtrees.append(leaf_hash)

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Add many leaves by their hashes."""
        for leaf_hash in leaf_hashes:
            self.append(leaf_hash)

    def store(self, leaf_hashes: Iterable[bytes]) -> list[bytes]:
        """Add many leaves and return the hashes to append to the stored sequence, in its order."""
        size, subtrees = self._size, self._subtrees
        stored: list[bytes] = []
        keep, push, pop = stored.append, subtrees.append, subtrees.pop
        for leaf_hash in leaf_hashes:
            node = leaf_hash
            keep(node)
            rest = size
            while rest & 1:
                node = sha256(b"\x01" + pop() + node).digest()
                keep(node)
                rest >>= 1
            push(node)
            size += 1
        self._size = size
        return stored


class StoredHashes:
    """The stored sequence in memory, 64 bytes per leaf; `read` is a `ReadHashes`.

    Append what `Frontier.store` returns. One writer may append while others read what was there before.
    """

    __slots__ = ("_bytes",)

    def __init__(self, hashes: Iterable[bytes] = ()) -> None:
        self._bytes = bytearray(b"".join(hashes))

    def __len__(self) -> int:
        return len(self._bytes) // HASH_BYTES

    def extend(self, hashes: Iterable[bytes]) -> None:
        """Append hashes at the end of the sequence."""
        self._bytes += b"".join(hashes)

    def read(self, positions: Sequence[int]) -> list[bytes]:
        """Return the hashes at these positions, in the order asked.

        A position past the end is a bug of the caller and raises `struct.error`.
        """
        stored = self._bytes
        return [_read_hash(stored, position * 32)[0] for position in positions]


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1


def _cover(start: int, end: int) -> list[int]:
    """Return the positions of the largest complete subtrees over leaves [start, end), left to right.

    `start` is a multiple of the power of two at or above end - start, as it is for every right-edge
    subtree, so the subtrees follow the 1 bits of end - start.
    """
    positions = []
    width = end - start
    while width:
        level = width.bit_length() - 1
        positions.append(position_of(level, start >> level))
        start += 1 << level
        width -= 1 << level
    return positions


def _fold(subtrees: Sequence[bytes]) -> bytes:
    """Return the root over complete subtrees, largest first."""
    node = subtrees[-1]
    for left in subtrees[-2::-1]:
        node = sha256(b"\x01" + left + node).digest()
    return node


def _path(level: int, index: int, size: int, read: ReadHashes, *, with_node: bool) -> tuple[bytes, ...]:
    """Return the siblings on the way from node (level, index) to the root of `size`, lowest first.

    Every sibling is one stored hash, but for the one which holds the right edge of the tree: that is
    folded from the complete subtrees it consists of.
    """
    positions = [position_of(level, index)] if with_node else []
    inner = (index ^ ((size - 1) >> level)).bit_length()
    # Below the level where the path meets the right edge, every sibling is complete (position_of, inlined).
    for _ in range(inner - 1):
        last = (((index ^ 1) + 1) << level) - 1
        positions.append(2 * last - last.bit_count() + level)
        index >>= 1
        level += 1
    edge = slice(0, 0)
    if inner:
        parts = _cover((index + 1) << level, size)
        edge = slice(len(positions), len(positions) + len(parts))
        positions += parts
        index >>= 1
        level += 1
    # Above, the path runs along the edge, and only left siblings are left.
    while index:
        if index & 1:
            positions.append(position_of(level, index - 1))
        index >>= 1
        level += 1
    hashes = read(positions) if positions else ()
    if edge.stop - edge.start > 1:
        return (*hashes[: edge.start], _fold(hashes[edge]), *hashes[edge.stop :])
    return tuple(hashes)


def _climb(node: bytes, index: int, inner: int, siblings: Sequence[bytes]) -> bytes:
    """Return the root reached from a node: siblings on either side below `inner`, left ones above."""
    for sibling in siblings[:inner]:
        node = sha256(b"\x01" + sibling + node if index & 1 else b"\x01" + node + sibling).digest()
        index >>= 1
    for sibling in siblings[inner:]:
        node = sha256(b"\x01" + sibling + node).digest()
    return node


def _check_hashes(hashes: Sequence[bytes], count: int) -> None:
    """Check that there are exactly `count` hashes of 32 bytes."""
    if len(hashes) != count:
        raise InvalidProof(f"the proof has {len(hashes)} hashes where {count} are due")
    for item in hashes:
        if len(item) != HASH_BYTES:
            raise InvalidProof("a hash in the proof does not have 32 bytes")
