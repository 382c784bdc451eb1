"""The dispatch as integers: which ways there are, what each is worth, and what stock it takes.

    maximise   sum of value[w] over the chosen ways w
    so that    each demand is met in one way at most, and no stock gives more than it has

    value[w] = 2 x worth[demand] - price[w]

The worth of a demand is what it would pay at most for the whole length: its ceiling, or without one the price
of its dearest way. Counted twice, leaving a demand out costs more than any price that it would pay: serving
comes before saving, the worthiest first where stock is short, and prices decide where each one goes.
Everything here is an integer in millionths of the currency; only the solver sees floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pseudoledger.market.dispatch.sides import Wish
from pseudoledger.market.dispatch.ways import AMOUNT_MAX, HOUR_SECONDS, Row, Way
from pseudoledger.statement.values import length_seconds, round_half_even

Integers: TypeAlias = NDArray[np.int64]

_EXACT_MAX = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """All ways of all demands, in the order of the demands' ids and then cheapest first."""

    ways: tuple[Way, ...]
    first: Integers
    """Number of each demand's first way; one more at the end."""
    worth: tuple[int, ...]
    rows: tuple[Row, ...]
    owner: Integers
    """Demand of each way."""
    value: Integers
    begin: Integers
    """Where the uses of each way begin; one more at the end. Every way uses something."""
    row: Integers
    units: Integers

    @property
    def demands(self) -> int:
        """Return how many demands there are, with and without ways."""
        return len(self.worth)

    def of(self, demand: int) -> range:
        """Return the numbers of a demand's ways."""
        return range(int(self.first[demand]), int(self.first[demand + 1]))

    def bound(self, prices: Sequence[int]) -> int:
        """Return a bound that no assignment can exceed, from any prices of the rows' units, exactly.

        Lagrange: with every unit of stock paid for at its price, a demand is worth at most its best way less
        what that way takes; what all stock costs comes on top. Every way counts here, also those that the
        solver never saw.
        """
        if not self.ways:
            return 0
        price = self._exact([max(0, value) for value in prices])
        spent = np.add.reduceat(price[self.row] * self.units, self.begin[:-1])
        left = self.value.astype(price.dtype) - spent
        starts = self.first[:-1][self.first[:-1] < self.first[1:]]
        best = np.maximum.reduceat(left, starts)
        stock: int = sum(value * row.free for value, row in zip(price.tolist(), self.rows, strict=True))
        demands: int = sum(max(0, value) for value in best.tolist())
        return stock + demands

    def _exact(self, prices: Sequence[int]) -> NDArray[Any]:
        """Return prices as 64-bit integers, or as Python's where a way's sum could be too large for those."""
        uses_max = int((self.begin[1:] - self.begin[:-1]).max())
        largest = max(prices, default=0) * int(self.units.max()) * uses_max
        dtype: Any = np.int64 if largest < _EXACT_MAX else object
        return np.array(prices, dtype=dtype)


def make_problem(wishes: Sequence[Wish], ways: Sequence[Sequence[Way]], rows: Sequence[Row]) -> Problem:
    """Put the problem together; demands stand in the order of their ids."""
    worth = tuple(_worth(wish, found) for wish, found in zip(wishes, ways, strict=True))
    flat = tuple(way for found in ways for way in found)
    sizes = [len(found) for found in ways]
    owner = np.repeat(np.arange(len(wishes), dtype=np.int64), sizes)
    value = np.array(
        [2 * worth[number] - way.price_micro for number, found in enumerate(ways) for way in found],
        dtype=np.int64,
    )
    uses = [use for way in flat for use in way.uses]
    return Problem(
        ways=flat,
        first=_starts(sizes),
        worth=worth,
        rows=tuple(rows),
        owner=owner,
        value=value,
        begin=_starts([len(way.uses) for way in flat]),
        row=np.array([row for row, _ in uses], dtype=np.int64),
        units=np.array([units for _, units in uses], dtype=np.int64),
    )


def _starts(sizes: Sequence[int]) -> Integers:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(np.array(sizes, dtype=np.int64))])


def _worth(wish: Wish, found: Sequence[Way]) -> int:
    ceiling = wish.need.ceiling
    if ceiling is None:
        return max((way.price_micro for way in found), default=0)
    exact = ceiling.hour_micro * length_seconds(wish.need.length)
    return min(AMOUNT_MAX, round_half_even(exact, HOUR_SECONDS))
