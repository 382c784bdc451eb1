"""One run of the dispatcher, from both sides to a plan: who gets what, and how good that is at worst.

    1  find every way (`ways`), make integers of it (`problem`)
    2  solve the relaxation and its bound (`solver.relax`)
    3  keep what it decided clearly; branch and bound settles what it split or decided narrowly, on the stock
       that is left
    4  fill up and better with exact integers (`fill`)
    5  where the gap is still above `GAP_AIM` and all ways are few enough, branch and bound over all of them

Nothing depends on the order in which the two sides come: they are put in the order of their ids first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pseudoledger.market.dispatch.distance import Distances
from pseudoledger.market.dispatch.fill import Filling
from pseudoledger.market.dispatch.problem import Problem, make_problem
from pseudoledger.market.dispatch.sides import Listing, Wish
from pseudoledger.market.dispatch.solver import Relaxed, branch, loosen, relax
from pseudoledger.market.dispatch.ways import Brief, Ways

GAP_AIM = 0.0005
"""Gap at which the rounded relaxation is good enough for a large problem."""
WHOLE_MAX = 20_000
"""Most ways over which branch and bound is tried as a whole."""
EXACT_MAX = 2_000
"""Up to this many ways it is always tried, to the last unit."""
NODES_MAX = 500
REST_GAP = 1e-4

Step = Callable[[str], None]
"""Told what is being done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An assignment, and the bound that tells how far from the best it can be."""

    wishes: tuple[Wish, ...]
    listings: tuple[Listing, ...]
    brief: Brief
    ways: Ways
    problem: Problem
    filling: Filling
    prices: tuple[int, ...]
    """Price of one more unit of each stock, as the relaxation sees it."""
    bound: int
    bound_by: str

    @property
    def value(self) -> int:
        """The value that the assignment reaches."""
        return self.filling.value

    @property
    def gap_ppm(self) -> int:
        """How far the value is from the bound at most, in millionths of the bound, rounded up."""
        return -(-(self.bound - self.value) * 1_000_000 // self.bound) if self.bound > 0 else 0


def dispatch(
    wishes: Iterable[Wish],
    offers: Iterable[Listing],
    brief: Brief,
    distances: Distances,
    *,
    step: Step = lambda _: None,
) -> Plan:
    """Divide the stock of offers among demands."""
    demands = tuple(sorted(wishes, key=lambda wish: wish.need.id))
    listings = tuple(sorted(offers, key=lambda listing: listing.supply.id))
    step("finding what fits")
    ways = Ways(listings, brief, distances)
    found = [ways.of(wish) for wish in demands]
    problem = make_problem(demands, found, ways.rows)
    if not problem.ways:
        nothing: tuple[int, ...] = (0,) * len(problem.rows)
        filling, prices, bound, by = Filling(problem), nothing, 0, "nothing fits"
    else:
        step("solving the relaxation")
        relaxed = relax(problem)
        step("rounding")
        filling = _rounded(problem, relaxed)
        filling, bound, by = _branched(problem, filling, relaxed, step)
        prices = relaxed.prices
    return Plan(
        wishes=demands,
        listings=listings,
        brief=brief,
        ways=ways,
        problem=problem,
        filling=filling,
        prices=prices,
        bound=bound,
        bound_by=by,
    )


def _rounded(problem: Problem, relaxed: Relaxed) -> Filling:
    """Keep what the relaxation gave whole, settle what it split, and fill up."""
    filling = Filling(problem)
    loosened = loosen(problem, relaxed)
    filling.take_all(loosened.kept)
    settled = branch(problem, loosened.columns, filling.free, gap=REST_GAP, nodes=1)
    filling.take_all(settled.chosen)
    filling.better()
    return filling


def _branched(problem: Problem, rounded: Filling, relaxed: Relaxed, step: Step) -> tuple[Filling, int, str]:
    """Try branch and bound over all ways, where it can help and is small enough."""
    bound, by = relaxed.bound, "prices of the relaxation, exact over all ways"
    missing = bound - rounded.value
    count = len(problem.ways)
    if not missing or count > WHOLE_MAX or (count > EXACT_MAX and missing <= GAP_AIM * bound):
        return rounded, bound, by
    step("branch and bound")
    every = np.arange(count, dtype=np.int64)
    free: Sequence[int] = [row.free for row in problem.rows]
    found = branch(problem, every, free, gap=0.0 if count <= EXACT_MAX else GAP_AIM, nodes=NODES_MAX)
    filling = Filling(problem)
    filling.take_all(found.chosen)
    filling.better()
    if found.bound is not None and max(rounded.value, filling.value) <= found.bound < bound:
        bound, by = found.bound, "branch and bound of the solver"
    return (filling if filling.value > rounded.value else rounded), bound, by
