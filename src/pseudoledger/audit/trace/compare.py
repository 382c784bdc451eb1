"""Comparisons: how alike two identities are in one feature, as a level; written once, evaluated in SQL and in numpy.

A level is a whole number: -1 where either side is not known, 0 for "else" (least alike), and one more for each
threshold that is met. Distances meet a threshold from below (CIRCULAR, NUMERIC), likenesses from above (PROFILE,
OVERLAP, CATEGORY). Where `support` is set, pairs with that many records on the thinner side take the levels above
the others: the same likeness says more of two long records than of two short ones. Both ways work on the same
whole numbers, so they give the same level (tested).

    raw likeness of a pair                            unit
    CIRCULAR   min(|a - b|, 1440 - |a - b|)           minutes
    NUMERIC    |a - b|                                the feature's unit
    PROFILE    a · b of directions of length 127      127² = 16129 for equal directions
    OVERLAP    sum of log2(N / df) over shared items  millibits
    CATEGORY   the same, of one item                  millibits

Thresholds come from the likeness of random pairs, so that a table from elsewhere needs none of its own. What a level
is worth in bits is for `model`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pseudoledger.audit.trace.features import (
    DAY_MINUTES,
    WEIGHT_MAX,
    Feature,
    Features,
    Integers,
    Items,
    Profile,
    Scalar,
    Shape,
)

Levels = npt.NDArray[np.int8]

SAMPLE_PAIRS = 200_000
"""Random pairs from which thresholds are taken."""
SHARES = (0.5, 0.25, 0.1, 0.04, 0.015)
"""A threshold is met by at most this share of random pairs (but for ties)."""
OVERLAP_BITS = (0.0, 3.0, 6.0, 9.0, 13.0, 18.0, 25.0)
"""Thresholds of OVERLAP and CATEGORY, in bits of shared surprisal; 0 stands for anything shared."""
SUPPORT = 5
"""Records from which a habit is told from chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a feature is compared."""

    name: str
    """Name of the feature."""
    label: str
    shape: Shape
    fields: tuple[str, ...]
    reveals: str
    thresholds: tuple[int, ...]
    """From least to most alike: falling for distances, rising for likenesses."""
    support: int = 0
    """Records on the thinner side from which the upper levels count; 0 for no such division."""

    @property
    def bands(self) -> int:
        """Return the number of levels without the division by support."""
        return len(self.thresholds) + 1

    @property
    def levels(self) -> int:
        """Return the number of levels, -1 not counted."""
        return self.bands * (2 if self.support else 1)

    @property
    def is_distance(self) -> bool:
        """Tell whether smaller is more alike."""
        return self.shape in {Shape.CIRCULAR, Shape.NUMERIC}


def comparisons(features: Features, *, seed: int) -> tuple[Comparison, ...]:
    """Return a comparison for each feature, with thresholds from random pairs drawn with the seed."""
    generator = np.random.default_rng([seed, 1])
    a, b = random_pairs(features.count, SAMPLE_PAIRS, generator)
    found = []
    for feature in features:
        thresholds = _thresholds(feature, a, b)
        if thresholds:
            found.append(
                Comparison(
                    name=feature.name,
                    label=feature.label,
                    shape=feature.shape,
                    fields=feature.fields,
                    reveals=feature.reveals,
                    thresholds=thresholds,
                    support=SUPPORT if int(features.seen.max(initial=0)) >= SUPPORT else 0,
                )
            )
    return tuple(found)


def random_pairs(count: int, number: int, generator: np.random.Generator) -> tuple[Integers, Integers]:
    """Draw `number` pairs a < b of different ids, with repetition; two empty arrays where there is no pair."""
    if count < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    a = generator.integers(0, count, number)
    b = (a + generator.integers(1, count, number)) % count
    return np.minimum(a, b), np.maximum(a, b)


def levels_of_pairs(features: Features, comparison: Comparison, a: Integers, b: Integers) -> Levels:
    """Return the level of each pair (a[i], b[i]), int8[len(a)]."""
    feature = features.feature(comparison.name)
    likeness = likeness_of_pairs(feature, a, b)
    known = feature.data.known[a] & feature.data.known[b]
    seen = np.minimum(features.seen[a], features.seen[b])
    return _level(comparison, likeness, known, seen)


def levels_of_one(features: Features, comparison: Comparison, identity: int) -> Levels:
    """Return the level of one identity against every identity (itself too), int8[N]."""
    feature = features.feature(comparison.name)
    likeness = _likeness_of_one(feature, identity)
    known = feature.data.known & bool(feature.data.known[identity])
    seen = np.minimum(features.seen, features.seen[identity])
    return _level(comparison, likeness, known, seen)


def likeness_of_pairs(feature: Feature, a: Integers, b: Integers) -> Integers:
    """Return the raw likeness or distance of each pair, int64[len(a)]; of no meaning where a side is not known."""
    data = feature.data
    if isinstance(data, Scalar):
        return _distance(feature.shape, data.values[a], data.values[b])
    if isinstance(data, Profile):
        return np.asarray(np.einsum("ij,ij->i", data.rows[a], data.rows[b]), np.int64)
    shared = data.matrix[a].multiply(data.matrix[b])
    return np.asarray(shared @ data.weights, np.int64)


def _likeness_of_one(feature: Feature, identity: int) -> Integers:
    data = feature.data
    if isinstance(data, Scalar):
        return _distance(feature.shape, data.values, data.values[identity])
    if isinstance(data, Profile):
        return np.asarray(data.rows @ data.rows[identity], np.int64)
    return _overlap_of_one(data, identity)


def _overlap_of_one(data: Items, identity: int) -> Integers:
    result = np.zeros(data.matrix.shape[0], np.int64)
    start, end = data.matrix.indptr[identity], data.matrix.indptr[identity + 1]
    for item in data.matrix.indices[start:end]:
        rows = data.columns.indices[data.columns.indptr[item] : data.columns.indptr[item + 1]]
        result[rows] += data.weights[item]
    return result


def _distance(shape: Shape, a: Integers, b: Integers) -> Integers:
    apart: Integers = np.abs(a - b)
    return np.minimum(apart, DAY_MINUTES - apart) if shape is Shape.CIRCULAR else apart


def _level(
    comparison: Comparison, likeness: Integers, known: npt.NDArray[np.bool_], seen: Integers
) -> Levels:
    level = np.zeros(len(likeness), np.int8)
    for threshold in comparison.thresholds:
        level += likeness <= threshold if comparison.is_distance else likeness >= threshold
    if comparison.support:
        level[seen >= comparison.support] += np.int8(comparison.bands)
    level[~known] = -1
    return level


def _thresholds(feature: Feature, a: Integers, b: Integers) -> tuple[int, ...]:
    if feature.shape in {Shape.OVERLAP, Shape.CATEGORY}:
        return tuple(max(1, round(1_000 * bits)) for bits in OVERLAP_BITS)
    known = feature.data.known[a] & feature.data.known[b]
    likeness = likeness_of_pairs(feature, a[known], b[known])
    if not len(likeness):
        return ()
    ordered = np.sort(likeness)
    if feature.shape in {Shape.CIRCULAR, Shape.NUMERIC}:
        places = [int(share * (len(ordered) - 1)) for share in SHARES]
        return tuple(sorted({int(ordered[place]) for place in places}, reverse=True))
    places = [int((1 - share) * (len(ordered) - 1)) for share in SHARES]
    return tuple(sorted({int(ordered[place]) for place in places}))


def likeness_sql(comparison: Comparison, left: str, right: str) -> str:
    """Return the SQL of the raw likeness of two columns; an INTEGER or BIGINT, NULL where a side is NULL."""
    match comparison.shape:
        case Shape.CIRCULAR:
            return f"least(abs({left} - {right}), {DAY_MINUTES} - abs({left} - {right}))"
        case Shape.NUMERIC:
            return f"abs({left} - {right})"
        case Shape.PROFILE:
            return f"CAST(array_inner_product({left}, {right}) AS INTEGER)"
        case Shape.OVERLAP | Shape.CATEGORY:
            shared = f"list_transform(list_intersect({left}, {right}), lambda v: v & {WEIGHT_MAX})"
            return f"coalesce(list_sum({shared}), 0)"


def level_conditions(comparison: Comparison, left: str, right: str, seen: str) -> tuple[str, ...]:
    """Return the SQL condition of level 0, 1, ... up to the last but one, to be asked in this order; the last is ELSE.

    `left` and `right` are the columns, neither NULL (level -1 is asked first); `seen` is SQL for the records on the
    thinner side. Most pairs are little alike, so asking from below computes the likeness about twice a pair.
    """
    likeness = likeness_sql(comparison, left, right)
    sign = ">" if comparison.is_distance else "<"
    below = [f"{likeness} {sign} {threshold}" for threshold in comparison.thresholds]
    if comparison.shape in {Shape.OVERLAP, Shape.CATEGORY}:
        below[0] = f"NOT list_has_any({left}, {right})"
    if not comparison.support:
        return tuple(below)
    thin = f"{seen} < {comparison.support}"
    # CASE keeps the likeness from being computed where the thin side has records enough; AND would not.
    return (*(f"CASE WHEN {thin} THEN {condition} ELSE false END" for condition in below), thin, *below)
