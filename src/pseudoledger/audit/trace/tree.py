"""What holds a cluster together: its strongest spanning tree, its weakest link, and what falls apart without it.

The tree keeps, of all links inside a cluster, those that join it with the most bits; its weakest link is the best
that joins the two parts which remain without it (the bottleneck; Kruskal 1956). Ties go by id, so that the tree
is the same each time. What a single link rests on is `explain`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from pseudoledger.errors import MalformedError

HARD = "hard"
BEHAVIOURAL = "behavioural"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """A link between two identities, a < b."""

    a: int
    b: int
    bits: float
    """Log2 of the odds that both are one party; plus infinity for a hard link."""
    kind: str = BEHAVIOURAL
    """What makes it: "behavioural", or the kind of a hard link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The strongest spanning tree of one cluster."""

    members: tuple[int, ...]
    ties: tuple[Tie, ...]
    """One fewer than members; the strongest first, ties by id."""
    weakest: Tie | None
    """None for a cluster of one."""
    parts: tuple[tuple[int, ...], tuple[int, ...]]
    """What the cluster falls into without the weakest tie, the larger part first; two empty parts for one member."""
    others: int
    """Further links between the two parts, none stronger than the weakest tie."""


def strongest_tree(members: Sequence[int], ties: Sequence[Tie]) -> Tree:
    """Return the strongest spanning tree of the members; raise MalformedError if the ties do not join them all."""
    order = sorted(set(members))
    place = {identity: at for at, identity in enumerate(order)}
    inside = sorted(
        (tie for tie in ties if tie.a in place and tie.b in place and tie.a != tie.b),
        key=lambda tie: (-tie.bits, min(tie.a, tie.b), max(tie.a, tie.b), tie.kind),
    )
    # Ranks as weights: never equal, so that there is one smallest tree and it does not depend on the solver.
    first: dict[tuple[int, int], int] = {}
    for at, tie in enumerate(inside):
        first.setdefault((place[min(tie.a, tie.b)], place[max(tie.a, tie.b)]), at)
    rows, columns = _ends(list(first))
    weights = np.fromiter((at + 1 for at in first.values()), dtype=np.float64, count=len(first))
    size = len(order)
    kept = minimum_spanning_tree(coo_array((weights, (rows, columns)), shape=(size, size)).tocsr()).tocoo()
    chosen = [inside[round(weight) - 1] for weight in sorted(kept.data)]
    if len(chosen) != max(0, size - 1):
        raise MalformedError(
            f"{size} identities of a cluster are joined by {len(chosen)} links, {size - 1} are needed",
            hint="give all links of the cluster, hard ones too",
        )
    if not chosen:
        return Tree(members=tuple(order), ties=(), weakest=None, parts=((), ()), others=0)
    parts = _parts(order, place, chosen[:-1])
    one = set(parts[0])
    crossing = sum((tie.a in one) != (tie.b in one) for tie in inside)
    return Tree(
        members=tuple(order), ties=tuple(chosen), weakest=chosen[-1], parts=parts, others=crossing - 1
    )


def _parts(
    order: Sequence[int], place: dict[int, int], ties: Sequence[Tie]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the two parts that the remaining ties hold together, the larger first, of equals that of the least id."""
    rows, columns = _ends([(place[tie.a], place[tie.b]) for tie in ties])
    graph = coo_array((np.ones(len(ties)), (rows, columns)), shape=(len(order), len(order)))
    _, labels = connected_components(graph.tocsr(), directed=False)
    first = tuple(identity for identity, label in zip(order, labels, strict=True) if label == labels[0])
    second = tuple(identity for identity, label in zip(order, labels, strict=True) if label != labels[0])
    return (first, second) if len(first) >= len(second) else (second, first)


def _ends(pairs: Sequence[tuple[int, int]]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    found = np.array(pairs, dtype=np.int32).reshape(-1, 2)
    return found[:, 0], found[:, 1]
