"""Inclusion proofs of a large tree: made from memory, made from the store, and checked."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from pseudoledger.bench.measure import Figure, at_least, rate
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import (
    Frontier,
    StoredHashes,
    hash_node,
    inclusion_proof,
    root,
    verify_inclusion,
)

PROOFS = 20_000
_CHUNK = 100_000


def bench_proofs(directory: Path, *, entries: int) -> Iterator[Figure]:
    """Measure proofs of seeded random entries of a tree of `entries` leaves."""
    place = directory / "proofs"
    place.mkdir(parents=True)
    with closing(Store.create(place)) as store, closing(sqlite3.connect(store.path)) as database:
        memory = StoredHashes()
        frontier = Frontier()
        position = 0
        for start in range(0, entries, _CHUNK):
            leaves = (
                sha256(n.to_bytes(8, "big")).digest() for n in range(start, min(start + _CHUNK, entries))
            )
            stored = frontier.store(leaves)
            memory.extend(stored)
            database.executemany("INSERT INTO hashes (pos, hash) VALUES (?, ?)", enumerate(stored, position))
            position += len(stored)
        database.commit()
        limit = ("hashing alone", _hash_rate(entries))
        yield Figure(name=limit[0], value=limit[1], unit="paths/s")
        chosen = [random.Random(7).randrange(entries) for _ in range(PROOFS)]  # noqa: S311 - a repeatable choice
        in_memory = rate(lambda: _prove(chosen, entries, memory.read))
        yield at_least("inclusion proof from memory", in_memory, "proofs/s", 50_000, limit)
        from_store = rate(lambda: _prove(chosen, entries, store.hashes))
        yield at_least("inclusion proof from the store", from_store, "proofs/s", 8_000, limit)
        whole = root(entries, memory.read)
        proofs = [
            (sha256(n.to_bytes(8, "big")).digest(), n, inclusion_proof(n, entries, memory.read))
            for n in chosen
        ]

        def check() -> int:
            for leaf, index, proof in proofs:
                verify_inclusion(leaf, index, entries, proof, whole)
            return len(proofs)

        yield at_least("inclusion proof, check", rate(check), "proofs/s", 60_000, limit)


def _prove(chosen: Sequence[int], size: int, read: Callable[[Sequence[int]], Sequence[bytes]]) -> int:
    for index in chosen:
        inclusion_proof(index, size, read)
    return len(chosen)


def _hash_rate(entries: int) -> float:
    """Return how many paths of this tree a second bare hashing would allow."""
    steps = max(1, (entries - 1).bit_length())
    node = bytes(32)

    def work() -> int:
        for _ in range(PROOFS * steps):
            hash_node(node, node)
        return PROOFS

    return rate(work)
