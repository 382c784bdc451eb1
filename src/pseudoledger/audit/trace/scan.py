"""Exact scan: the bits of one identity against all others, in numpy, fast enough to be asked for one at a time.

The same sums as the links that DuckDB predicts for blocked pairs (levels of `compare`, bits of `model`, equal within
10^-6), for every candidate, blocked or not. Each comparison becomes one table from what the two sides hold to bits,
made once when a `Scanner` is made; a scan then looks up and adds, without a loop over candidates. Cost per
identity and comparison: a lookup of N values, for profiles a product of N rows, for sets the lists of who shares an
item. What is made of the bits is `anonymity`'s.

Bits are added as whole numbers of steps of 10^-6, so that no order of adding matters; places in tables are kept in as
few bytes as hold them, since scans from several vantage points wait for memory more than they reckon.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pseudoledger.audit.trace.anonymity import NEVER, STEP, Reals, Steps
from pseudoledger.audit.trace.compare import Comparison, levels_of_one
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
from pseudoledger.identity.keys import cores

Bands = npt.NDArray[np.uint8]

RANGE_MAX = 1 << 16
"""Numbers spread wider than this are compared, not looked up: the table would not fit a processor's cache."""
HARD_BITS = 8.0
"""Bits of a hard link: odds of 256 to 1, since strangers may share a value that is no hub."""


class _Part(Protocol):
    """One comparison of one set of features: adds its bits for one identity to a vector over all."""

    def add(self, identity: int, total: Steps, room: Steps) -> None:
        """Add to `total` (int32[N]); `room` is int32[N] to work in."""


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
        the model's own (`TrainedModel.under`): it is a fact of the world and not of who looks. Raise MalformedError for a prior that is not between 0 and 1.
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
        self._prior_steps = int(_steps(self._model.prior_bits))
        self._parts = tuple(_part(features, item) for item in model.comparisons)

    def scan(self, identity: int) -> Reals:
        """Return the bits of every candidate, prior in them, float64[N], rounded to 10^-6; itself minus infinity.

        Candidates in the same component by hard links have `hard_bits` at least.
        """
        steps = self.steps(identity)
        bits = np.asarray(steps / STEP, np.float64)
        bits[identity] = -np.inf
        return bits

    def scans(self, identities: Sequence[int]) -> Iterator[Reals]:
        """Yield what `scan` returns for each of some identities, in their order, worked out on all cores."""
        workers = cores()
        with ThreadPoolExecutor(workers) as pool:
            # A few at a time: what waits to be taken is as long as there are identities.
            for start in range(0, len(identities), 2 * workers):
                yield from pool.map(self.scan, identities[start : start + 2 * workers])

    def steps(self, identity: int) -> Steps:
        """Return the same bits in steps of 10^-6, int32[N]; itself `NEVER`."""
        total = self.sums(identity)
        evidence = self._model.curve(total / STEP)
        evidence *= STEP
        np.rint(evidence, out=evidence)
        np.add(evidence, self._prior_steps, out=total, casting="unsafe")
        if self.component is not None and self._alone is not None and not self._alone[identity]:
            joined = np.flatnonzero(self.component == self.component[identity])
            total[joined] = np.maximum(total[joined], _steps(self.hard_bits))
        total[identity] = NEVER
        return total

    def sums(self, identity: int) -> Steps:
        """Return the summed likenesses of every candidate in steps, int32[N]: before calibration, without the prior."""
        total = np.zeros(self.count, dtype=np.int32)
        room = np.empty_like(total)
        for part in self._parts:
            part.add(identity, total, room)
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


def _steps(bits: npt.ArrayLike) -> Steps:
    """Return bits as the nearest whole number of steps."""
    return np.asarray(np.rint(np.multiply(bits, STEP)), np.int32)


def _levels(comparison: Comparison, likeness: npt.NDArray[np.int64]) -> Bands:
    """Return the level of each likeness, without the division by support."""
    level = np.zeros(likeness.size, dtype=np.uint8)
    for threshold in comparison.thresholds:
        level += likeness <= threshold if comparison.is_distance else likeness >= threshold
    return level


class _Worth:
    """What levels are worth beside one identity: two stretches of bits, for thin and rich candidates, and one of 0.

    Levels are looked up first, a byte each, and then their bits: both tables stay in the processor's nearest cache.
    """

    def __init__(self, item: TrainedComparison, known: Booleans, rich: Booleans) -> None:
        bands = item.comparison.bands
        bits = _steps(item.bits)
        nothing = np.zeros(bands, dtype=np.int32)
        self.stretch: Bands = (np.where(known, np.where(rich, 1, 0), 2) * bands).astype(np.uint8)
        """uint8[N]: what is added to a candidate's level."""
        self._rich = rich
        self._for_rich = np.concatenate((bits[:bands], bits[-bands:], nothing))
        self._for_thin = np.concatenate((bits[:bands], bits[:bands], nothing))

    def table(self, identity: int) -> Steps:
        """Return the bits by stretch and level beside this identity."""
        return self._for_rich if self._rich[identity] else self._for_thin

    def add(self, identity: int, level: Bands, total: Steps, room: Steps) -> None:
        """Add what each candidate's level is worth; the levels are used up."""
        level += self.stretch
        np.take(self.table(identity), level, out=room, mode="clip")
        total += room


class _Scalars:
    """Numbers and times of day: level by difference, in a table of -R to R that is entered at the identity's value."""

    def __init__(self, feature: Feature, data: Scalar, item: TrainedComparison, rich: Booleans) -> None:
        self._known = data.known
        low = int(data.values[data.known].min(initial=0)) if data.known.any() else 0
        value = np.where(data.known, data.values - low, 0)
        self._range = int(value.max(initial=0)) + 1
        self._value = value.astype(np.min_scalar_type(self._range))
        apart = np.abs(np.arange(-self._range, self._range))
        if feature.shape is Shape.CIRCULAR:
            apart = np.minimum(apart, np.abs(DAY_MINUTES - apart))
        self._level = _levels(item.comparison, apart)
        self._worth = _Worth(item, data.known, rich)

    def add(self, identity: int, total: Steps, room: Steps) -> None:
        """Add the bits of each candidate's difference."""
        if not self._known[identity]:
            return
        level = np.empty(total.size, dtype=np.uint8)
        start = self._range - int(self._value[identity])
        np.take(self._level[start:], self._value, out=level, mode="clip")
        self._worth.add(identity, level, total, room)


class _Profiles:
    """Directions: level by product, a whole number.

    Kept by column and in 16 bits: an identity's direction has few columns that are not 0, and no product of two is
    above the largest square (Cauchy and Schwarz), about 127^2.
    """

    def __init__(self, data: Profile, item: TrainedComparison, rich: Booleans) -> None:
        self._known = data.known
        self._columns = np.ascontiguousarray(data.rows.T.astype(np.uint16))
        size = int(np.einsum("ij,ij->i", data.rows, data.rows).max(initial=0.0)) + 1
        assert size <= np.iinfo(np.uint16).max, "directions are longer than features makes them"
        self._level = _levels(item.comparison, np.arange(size))
        self._worth = _Worth(item, data.known, rich)

    def add(self, identity: int, total: Steps, room: Steps) -> None:
        """Add the bits of each candidate's product."""
        if not self._known[identity]:
            return
        own = self._columns[:, identity]
        product = np.zeros(total.size, dtype=np.uint16)
        term = np.empty_like(product)
        for column in np.flatnonzero(own):
            np.multiply(self._columns[column], own[column], out=term)
            product += term
        level = np.empty(total.size, dtype=np.uint8)
        np.take(self._level, product, out=level, mode="clip")
        self._worth.add(identity, level, total, room)


class _Sets:
    """Sets: level by the summed surprisal of what both have, counted from the lists of who has an item.

    Most share nothing: the bits of that are added to all, and put right for those who do.
    """

    def __init__(self, data: Items, item: TrainedComparison, rich: Booleans) -> None:
        self._data = data
        # No sum counts beyond the last threshold.
        self._top = max(item.comparison.thresholds)
        self._level = _levels(item.comparison, np.arange(self._top + 1))
        self._worth = _Worth(item, data.known, rich)

    def add(self, identity: int, total: Steps, room: Steps) -> None:
        """Add the bits of what each candidate shares."""
        data = self._data
        if not data.known[identity]:
            return
        table, stretch = self._worth.table(identity), self._worth.stretch
        np.take(table, stretch, out=room, mode="clip")
        total += room
        bounds, held = data.columns.indptr, data.columns.indices
        items = data.matrix.indices[data.matrix.indptr[identity] : data.matrix.indptr[identity + 1]]
        if not items.size:
            return
        holders = [held[bounds[item] : bounds[item + 1]] for item in items]
        sums = room
        sums.fill(0)
        for item, having in zip(items, holders, strict=True):
            sums[having] += np.int32(data.weights[item])
        # Who shares several items stands in several lists: what is put there is the same each time.
        some = np.concatenate(holders)
        shared, beside = self._level[np.minimum(sums[some], self._top)], stretch[some]
        right = table[shared + beside]
        right -= table[beside]
        right += total[some]
        total[some] = right


class _Compared:
    """Numbers over so wide a range that they are compared threshold by threshold."""

    def __init__(self, features: Features, item: TrainedComparison) -> None:
        self._features, self._comparison = features, item.comparison
        # The last entry is that of level -1.
        self._bits = _steps([*item.bits, 0.0])

    def add(self, identity: int, total: Steps, room: Steps) -> None:
        """Add the bits of each candidate's level."""
        level = levels_of_one(self._features, self._comparison, identity)
        np.take(self._bits, level.astype(np.intp), out=room, mode="wrap")
        total += room
