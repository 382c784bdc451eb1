"""Clusters: who is probably one party, from hard links and behavioural links of a threshold and more.

Components of the graph of all links (scipy.sparse.csgraph). At a threshold of 0 bits single wrong links chain strangers
into giants; so the threshold is 4 bits (odds of 16 to 1) unless said otherwise, and a cluster of more than `size_max`
identities is cut again: its behavioural links have to be `STEP_BITS` stronger each time, until the parts fit. Hard links
are never cut; a cluster that hard links alone hold together stays whole, whatever its size, and is listed.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pseudoledger.audit.trace.features import Integers

Reals = npt.NDArray[np.float64]

THRESHOLD_BITS = 4.0
SIZE_MAX = 20
STEP_BITS = 1.0
STEPS_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """A partition of the identities."""

    label: Integers
    """int64[N]: the smallest id of the cluster of each identity."""
    threshold_bits: float
    size_max: int
    cut: tuple[int, ...]
    """Labels of the clusters at the plain threshold that were too large and were cut."""
    oversized: tuple[int, ...]
    """Labels of clusters still too large: hard links alone hold them."""

    def members(self, label: int) -> Integers:
        """Return the ids of a cluster, rising."""
        return np.flatnonzero(self.label == label)


def cluster(
    connection: duckdb.DuckDBPyConnection,
    count: int,
    hard: tuple[Integers, Integers],
    *,
    threshold_bits: float = THRESHOLD_BITS,
    size_max: int = SIZE_MAX,
) -> Clusters:
    """Cluster `count` identities by hard links (a, b) and the links of the table `links` of `threshold_bits` and more."""
    got = connection.execute(
        "SELECT a, b, bits FROM links WHERE bits >= $bits ORDER BY a, b", {"bits": threshold_bits}
    ).fetchnumpy()
    a = np.concatenate([hard[0], got["a"].astype(np.int64)])
    b = np.concatenate([hard[1], got["b"].astype(np.int64)])
    bits = np.concatenate([np.full(len(hard[0]), np.inf), got["bits"].astype(np.float64)])
    label = components(count, a, b)
    large = np.flatnonzero(np.bincount(label, minlength=count) > size_max)
    cut = tuple(int(item) for item in large)
    least = threshold_bits
    for _ in range(STEPS_MAX):
        if not len(large):
            break
        least += STEP_BITS
        inside = np.isin(label[a], large)
        kept = ~inside | (bits >= least)
        a, b, bits = a[kept], b[kept], bits[kept]
        label = components(count, a, b)
        sizes = np.bincount(label, minlength=count)
        soft = np.zeros(count, np.bool_)
        soft[label[a[np.isfinite(bits)]]] = True
        large = np.flatnonzero((sizes > size_max) & soft)
    oversized = np.flatnonzero(np.bincount(label, minlength=count) > size_max)
    return Clusters(
        label=label,
        threshold_bits=threshold_bits,
        size_max=size_max,
        cut=cut,
        oversized=tuple(int(item) for item in oversized),
    )


def components(count: int, a: Integers, b: Integers) -> Integers:
    """Return the smallest id of the component of each of `count` identities, linked by pairs (a, b); int64[count]."""
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(count, count))
    number, part = connected_components(graph, directed=False)
    smallest = np.full(number, count, np.int64)
    np.minimum.at(smallest, part, np.arange(count))
    return np.asarray(smallest[part], np.int64)
