"""Clusters: who is probably one party, from hard links and behavioural links of a threshold and more.

1. Components of the graph of all links (scipy.sparse.csgraph). At a threshold of 0 bits single wrong links chain
   strangers into giants, so the threshold is 4 bits (odds of 16 to 1) unless said otherwise.
2. A component of more than `size_max` identities is cut: its behavioural links have to be STEP_BITS stronger each
   time, until the parts fit.
3. Each component is joined anew by average linkage (Sokal and Michener 1958; scipy.cluster.hierarchy) over the bits of
   all its pairs, blocked or not: two groups are one party only while the mean of the bits between them is MEAN_BITS or
   more. So one strong link does not outweigh that all others speak against it.

Hard links are never cut: what they join counts as one group from the start, whatever its size, and is listed when it is
larger than `size_max`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pseudoledger.audit.trace.features import Features, Integers
from pseudoledger.audit.trace.model import ROUND, TrainedModel, levels

Reals = npt.NDArray[np.float64]

THRESHOLD_BITS = 4.0
SIZE_MAX = 20
STEP_BITS = 1.0
STEPS_MAX = 64
MEAN_BITS = -4.0
HARD_BITS = 1_000.0


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
    features: Features,
    model: TrainedModel,
    hard: tuple[Integers, Integers],
    *,
    threshold_bits: float = THRESHOLD_BITS,
    size_max: int = SIZE_MAX,
) -> Clusters:
    """Cluster all identities by hard links (a, b) and the links of the table `links` of `threshold_bits` and more."""
    count = features.count
    got = features.connection.execute(
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
    label = _by_mean(features, model, label, components(count, *hard), size_max)
    oversized = np.flatnonzero(np.bincount(label, minlength=count) > size_max)
    return Clusters(
        label=label,
        threshold_bits=threshold_bits,
        size_max=size_max,
        cut=cut,
        oversized=tuple(int(item) for item in oversized),
    )


def _by_mean(
    features: Features, model: TrainedModel, label: Integers, hard: Integers, size_max: int
) -> Integers:
    """Split each component of `label` where the mean bits between its groups are too few."""
    order = np.argsort(label, kind="stable")
    groups = [
        part
        for part in np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
        if 2 < len(part) <= size_max
    ]
    if not groups:
        return label
    ends = [np.triu_indices(len(part), 1) for part in groups]
    a = np.concatenate([part[one] for part, (one, _) in zip(groups, ends, strict=True)])
    b = np.concatenate([part[other] for part, (_, other) in zip(groups, ends, strict=True)])
    bits = model.evidence(model.raw(levels(features, model, a, b))) + model.prior_bits
    bits = np.where(hard[a] == hard[b], HARD_BITS, np.round(bits, ROUND))
    split = label.copy()
    start = 0
    for part, (one, _) in zip(groups, ends, strict=True):
        # Distances have to be positive; equal ones are joined in the order of the ids.
        tree = linkage(HARD_BITS - bits[start : start + len(one)], method="average")
        number = fcluster(tree, HARD_BITS - MEAN_BITS, criterion="distance")
        for group in np.unique(number):
            split[part[number == group]] = part[number == group].min()
        start += len(one)
    return split


def components(count: int, a: Integers, b: Integers) -> Integers:
    """Return the smallest id of the component of each of `count` identities, linked by pairs (a, b); int64[count]."""
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(count, count))
    number, part = connected_components(graph, directed=False)
    smallest = np.full(number, count, np.int64)
    np.minimum.at(smallest, part, np.arange(count))
    return np.asarray(smallest[part], np.int64)
