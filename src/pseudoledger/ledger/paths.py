"""Inclusion proofs of many leaves of one tree, which share the upper part of their paths (RFC 9162 §2.1.3.1).

A block's entries stand beside each other, so that above a few levels they have the same path: each node is read
once and each piece of path is made once, where `tree.inclusion_proof` would do both for every leaf.
"""

from __future__ import annotations

from collections.abc import Callable

from pseudoledger.errors import InvalidProof
from pseudoledger.ledger.tree import hash_node, position_of

ReadHash = Callable[[int], bytes]
"""Reads the stored hash at a position: what `tree.ReadHashes` is for many."""


class SharedPaths:
    """The inclusion proofs of one tree; pieces of path are kept as long as this is."""

    def __init__(self, size: int, read: ReadHash) -> None:
        """Take a tree of `size` leaves whose stored hashes `read` reads."""
        self._size, self._read = size, read
        self._paths: dict[tuple[int, int], tuple[bytes, ...]] = {}
        self._edges: dict[int, bytes] = {}

    def proof(self, index: int) -> tuple[bytes, ...]:
        """Return what `tree.inclusion_proof` returns for a leaf. Raises InvalidProof if there is no such leaf."""
        if not 0 <= index < self._size:
            raise InvalidProof(f"a tree of {self._size} leaves has no leaf {index}")
        return self._path(0, index)

    def _path(self, level: int, index: int) -> tuple[bytes, ...]:
        """Return the siblings from a node up to the root, lowest first."""
        last = (self._size - 1) >> level
        if not last:
            return ()
        above = self._paths.get((level + 1, index >> 1))
        if above is None:
            above = self._paths[level + 1, index >> 1] = self._path(level + 1, index >> 1)
        sibling = index ^ 1
        # The last node of a row without a right sibling is its own parent there.
        return above if sibling > last else (self._node(level, sibling), *above)

    def _node(self, level: int, index: int) -> bytes:
        if (index + 1) << level <= self._size:
            return self._read(position_of(level, index))
        return self._edge(level)

    def _edge(self, level: int) -> bytes:
        """Return the last node of a row, which is not full: made of the last one or two of the row below."""
        known = self._edges.get(level)
        if known is None:
            last = (self._size - 1) >> (level - 1)
            right = self._node(level - 1, last)
            known = self._edges[level] = (
                hash_node(self._node(level - 1, last - 1), right) if last & 1 else right
            )
        return known
