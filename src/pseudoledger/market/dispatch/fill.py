"""Exact integers again: takes ways one after the other while stock lasts, and betters what can be bettered."""

from __future__ import annotations

from collections.abc import Iterable

from pseudoledger.market.dispatch.problem import Problem


class Filling:
    """An assignment that holds at every moment: no demand twice, no stock beyond what it has."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.free = [row.free for row in problem.rows]
        self.chosen: dict[int, int] = {}
        """Way of each demand that is met."""

    @property
    def value(self) -> int:
        """The value of all chosen ways."""
        return sum(int(self._problem.value[way]) for way in self.chosen.values())

    def fits(self, way: int) -> bool:
        """Tell whether the stock that is left holds a way."""
        return all(self.free[row] >= units for row, units in self._problem.ways[way].uses)

    def short(self, way: int) -> list[tuple[int, int]]:
        """Return the rows of stock of which too little is left for a way, with the units it would take."""
        return [(row, units) for row, units in self._problem.ways[way].uses if self.free[row] < units]

    def take(self, way: int) -> bool:
        """Choose a way; return False, and change nothing, where its demand is met or the stock is short."""
        demand = int(self._problem.owner[way])
        if demand in self.chosen or not self.fits(way):
            return False
        for row, units in self._problem.ways[way].uses:
            self.free[row] -= units
        self.chosen[demand] = way
        return True

    def take_all(self, ways: Iterable[int]) -> None:
        """Choose what fits, the most valuable first, equal ones by number."""
        for way in sorted(ways, key=lambda way: (-int(self._problem.value[way]), way)):
            self.take(way)

    def give_back(self, demand: int) -> int:
        """Take a demand's way back and return it."""
        way = self.chosen.pop(demand)
        for row, units in self._problem.ways[way].uses:
            self.free[row] += units
        return way

    def better(self) -> None:
        """Give every demand the cheapest way that still fits, until no demand can be bettered alone.

        Every change adds to the value, which is an integer with a bound, so this comes to an end.
        """
        order = sorted(
            range(self._problem.demands), key=lambda demand: (-self._problem.worth[demand], demand)
        )
        changed = True
        while changed:
            changed = False
            for demand in order:
                changed = self._better(demand) or changed

    def _better(self, demand: int) -> bool:
        held = self.give_back(demand) if demand in self.chosen else None
        for way in self._problem.of(demand):
            if way == held or self.fits(way):
                self.take(way)
                return way != held
        return False
