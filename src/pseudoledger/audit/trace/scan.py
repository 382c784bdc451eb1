"""Exact scan: the bits of one identity against all others, in numpy, fast enough to be asked for one at a time.

The same sums as the links that DuckDB predicts for blocked pairs (levels of `compare`, bits of `model`, equal within
10^-6), for every candidate, blocked or not. Each comparison becomes one table from what the two sides hold to bits,
made once when a `Scanner` is made; a scan then looks up and adds, without a loop over candidates. Cost per
identity and comparison: a lookup of N values, for profiles a product of N rows, for sets the lists of who shares an
item. What is made of the bits is `anonymity`'s.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from pseudoledger.audit.trace.anonymity import Reals
from pseudoledger.audit.trace.compare import levels_of_one
from pseudoledger.audit.trace.features import (
    DAY_MINUTES,
    Booleans,
    Feature,
    Features,
    Items,
    Profile,
    Scalar,
    Shape,
)
from pseudoledger.audit.trace.model import ROUND, TrainedComparison, TrainedModel
from pseudoledger.errors import MalformedError

Places = npt.NDArray[np.intp]

RANGE_MAX = 1 << 16
"""Numbers spread wider than this are compared, not looked up: the table would not fit a processor's cache."""
HARD_BITS = 8.0
"""Bits of a hard link: odds of 256 to 1, since strangers may share a value that is no hub."""


class _Part(Protocol):
    """One comparison of one set of features: adds its bits for one identity to a vector over all."""

    def add(self, identity: int, total: Reals, room: Reals) -> None:
        """Add to `total` (float64[N]); `room` is float64[N] to work in."""


class Scanner:
    """All that a scan needs of one set of features and one model. Nothing changes after it is made."""

    def __init__(
        self,
        features: Features,
        model: TrainedModel,
        *,
        component: npt.NDArray[np.integer] | None = None,
        hard_bits: float = HARD_BITS,
        prior: float | None = None,
    ) -> None:
        """Make the tables.

        `component` is that of each identity by hard links (`hard.HardLinks.component`), int[N]. `prior` stands in for
        the model's own (`TrainedModel.under`): vantage points are compared under one prior, since it is a fact of the
        world and not of who looks. Raise MalformedError for a prior that is not between 0 and 1.
        """
        if prior is not None and not 0.0 < prior < 1.0:
            raise MalformedError(
                f"a prior of {prior} is no probability between 0 and 1",
                hint="it is the chance that two identities drawn at random are one party: about siblings / N",
            )
        self.count = features.count
        self.component = component
        self._alone = None if component is None else np.bincount(component)[component] == 1
        self.hard_bits = hard_bits
        self._model = model if prior is None else model.under(prior)
        self._parts = tuple(_part(features, item) for item in model.comparisons)

    def scan(self, identity: int) -> Reals:
        """Return the bits of every candidate, prior in them, float64[N], rounded to 10^-6; itself minus infinity.

        Candidates in the same component by hard links have `hard_bits` at least.
        """
        total = np.zeros(self.count)
        room = np.empty(self.count)
        for part in self._parts:
            part.add(identity, total, room)
        np.round(total, ROUND, out=total)
        total = self.bits_of(total)
        if self.component is not None and self._alone is not None and not self._alone[identity]:
            joined = np.flatnonzero(self.component == self.component[identity])
            total[joined] = np.maximum(total[joined], self.hard_bits)
        total[identity] = -np.inf
        return total

    def bits_of(self, raw_bits: Reals) -> Reals:
        """Return the bits of summed likenesses, calibrated and with the prior, as `predict` does; float64[n]."""
        return np.asarray(
            np.round(self._model.evidence(raw_bits) + self._model.prior_bits, ROUND), np.float64
        )


def _part(features: Features, item: TrainedComparison) -> _Part:
    feature = features.feature(item.comparison.name)
    data = feature.data
    support = item.comparison.support
    rich = features.seen >= support if support else np.zeros(features.count, np.bool_)
    if isinstance(data, Profile):
        return _Profiles(data, item, rich)
    if isinstance(data, Items):
        return _Sets(data, item, rich)
    spread = int(np.ptp(data.values[data.known])) if data.known.any() else 0
    if spread >= RANGE_MAX:
        return _Compared(features, item)
    return _Scalars(feature, data, item, rich)


def _by_level(item: TrainedComparison, likeness: npt.NDArray[np.int64]) -> tuple[Reals, Reals]:
    """Return the bits of each likeness: with a thin side, and with support on both."""
    comparison = item.comparison
    level = np.zeros(likeness.size, dtype=np.intp)
    for threshold in comparison.thresholds:
        level += likeness <= threshold if comparison.is_distance else likeness >= threshold
    bits = np.array(item.bits)
    return bits[level], bits[level + comparison.bands] if comparison.support else bits[level]


class _Scalars:
    """Numbers and times of day: bits by difference, in one table that is entered at the identity's own value.

    The table has three stretches, for candidates that are thin, rich and unknown; the differences of a stretch run
    from -R to R.
    """

    def __init__(self, feature: Feature, data: Scalar, item: TrainedComparison, rich: Booleans) -> None:
        self._known = data.known
        self._rich = rich
        low = int(data.values[data.known].min(initial=0)) if data.known.any() else 0
        self._value = np.where(data.known, data.values - low, 0).astype(np.intp)
        self._range = int(self._value.max(initial=0)) + 1
        apart = np.abs(np.arange(-self._range, self._range))
        if feature.shape is Shape.CIRCULAR:
            apart = np.minimum(apart, np.abs(DAY_MINUTES - apart))
        thin, thick = _by_level(item, apart)
        nothing = np.zeros(2 * self._range)
        self._for_rich = np.concatenate((thin, thick, nothing))
        self._for_thin = np.concatenate((thin, thin, nothing))
        stretch = np.where(data.known, np.where(rich, 1, 0), 2)
        self._place: Places = self._value + stretch * 2 * self._range

    def add(self, identity: int, total: Reals, room: Reals) -> None:
        """Add the bits of each candidate's difference."""
        if not self._known[identity]:
            return
        table = self._for_rich if self._rich[identity] else self._for_thin
        np.take(table[self._range - self._value[identity] :], self._place, out=room, mode="clip")
        total += room


class _Profiles:
    """Directions: bits by product, a whole number, again with stretches for thin, rich and unknown.

    Kept by column and in 16 bits: an identity's direction has few columns that are not 0, and no product of two is
    above the largest square (Cauchy and Schwarz), about 127^2.
    """

    def __init__(self, data: Profile, item: TrainedComparison, rich: Booleans) -> None:
        self._known, self._rich = data.known, rich
        self._columns = np.ascontiguousarray(data.rows.T.astype(np.int16))
        size = int(np.einsum("ij,ij->i", data.rows, data.rows).max(initial=0.0)) + 1
        assert size <= np.iinfo(np.int16).max, "directions are longer than features makes them"
        thin, thick = _by_level(item, np.arange(size))
        nothing = np.zeros(size)
        self._for_rich = np.concatenate((thin, thick, nothing))
        self._for_thin = np.concatenate((thin, thin, nothing))
        self._stretch: Places = np.where(data.known, np.where(rich, 1, 0), 2).astype(np.intp) * size

    def add(self, identity: int, total: Reals, room: Reals) -> None:
        """Add the bits of each candidate's product."""
        if not self._known[identity]:
            return
        table = self._for_rich if self._rich[identity] else self._for_thin
        own = self._columns[:, identity]
        product = np.zeros(total.size, dtype=np.int16)
        term = np.empty_like(product)
        for column in np.flatnonzero(own):
            np.multiply(self._columns[column], own[column], out=term)
            product += term
        np.take(table, product + self._stretch, out=room, mode="clip")
        total += room


class _Sets:
    """Sets: bits by the summed surprisal of what both have, counted from the lists of who has an item."""

    def __init__(self, data: Items, item: TrainedComparison, rich: Booleans) -> None:
        self._data, self._rich = data, rich
        # No sum counts beyond the last threshold.
        self._top = max(item.comparison.thresholds)
        thin, thick = _by_level(item, np.arange(self._top + 1))
        nothing = np.zeros(self._top + 1)
        self._for_rich = np.concatenate((thin, thick, nothing))
        self._for_thin = np.concatenate((thin, thin, nothing))
        stretch = np.where(data.known, np.where(rich, 1, 0), 2)
        self._stretch: Places = (stretch * (self._top + 1)).astype(np.intp)

    def add(self, identity: int, total: Reals, room: Reals) -> None:
        """Add the bits of what each candidate shares."""
        data = self._data
        if not data.known[identity]:
            return
        table = self._for_rich if self._rich[identity] else self._for_thin
        items = data.matrix.indices[data.matrix.indptr[identity] : data.matrix.indptr[identity + 1]]
        sums = np.zeros(total.size, dtype=np.intp)
        for item in items:
            having = data.columns.indices[data.columns.indptr[item] : data.columns.indptr[item + 1]]
            sums[having] += data.weights[item]
        np.minimum(sums, self._top, out=sums)
        sums += self._stretch
        np.take(table, sums, out=room, mode="clip")
        total += room


class _Compared:
    """Numbers over so wide a range that they are compared threshold by threshold."""

    def __init__(self, features: Features, item: TrainedComparison) -> None:
        self._features, self._comparison = features, item.comparison
        # The last entry is that of level -1.
        self._bits = np.array([*item.bits, 0.0])

    def add(self, identity: int, total: Reals, room: Reals) -> None:
        """Add the bits of each candidate's level."""
        level = levels_of_one(self._features, self._comparison, identity)
        np.take(self._bits, level.astype(np.intp), out=room, mode="wrap")
        total += room
