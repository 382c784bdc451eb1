"""HiGHS: the linear relaxation by column generation, and branch and bound where that is small enough.

The relaxation (a demand may be split) is solved over a few ways of each demand, and the prices of stock that
come out of it judge all the others; what would gain is added, until nothing would. The prices, rounded to
integers, also give the bound, in exact arithmetic over all ways (`Problem.bound`), so that neither the ways
left out nor the solver's tolerances can make it too low.

One thread, a fixed seed, no time limit, and limits counted in nodes: the same problem gives the same answer
on the same build of HiGHS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from pseudoledger.errors import PseudoledgerError
from pseudoledger.market.dispatch.problem import Integers, Problem

FIRST_WAYS = 2
"""Ways of each demand that the relaxation begins with: the best at the prices of a sample."""
MORE_WAYS = 3
"""Most ways of one demand that a round adds."""
SAMPLE = 8
"""One demand in so many is the sample, with the same share of the stock."""
SAMPLED_MIN = 1_000
"""From so many demands on it is worth its time."""
ROUNDS_MAX = 60
CLOSE = 1e-5
"""Share of the bound at which the relaxation counts as solved."""
LOOSE_MAX = 1_500
"""Demands that the rounding decides anew: those that the relaxation split or decided most narrowly."""
NEAR = 0.005
"""Ways of those that come into question: at most this share of the worth behind the demand's best."""
WHOLE = 1e-6
"""A share this close to 0 or 1 counts as that."""
SEED = 1
TYPICAL = 100.0
"""Size to which values are scaled for the solver, whose tolerances are absolute."""

Floats = NDArray[np.float64]


class SolverFailed(PseudoledgerError):
    """HiGHS gave no answer; a bug here or there, since every problem has the empty assignment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxed:
    """The relaxation's answer."""

    columns: Integers
    """Ways that it looked at, in order."""
    share: Floats
    """How much of each of them it takes, from 0 to 1."""
    prices: tuple[int, ...]
    """Price of one more unit of each stock, in millionths, rounded."""
    bound: int
    """No assignment is worth more: exact, over all ways."""
    rounds: int


def relax(problem: Problem) -> Relaxed:
    """Solve the linear relaxation."""
    every = np.ones(len(problem.ways), dtype=bool)
    free = np.array([row.free for row in problem.rows], dtype=np.float64)
    stock = np.zeros(len(free))
    if problem.demands >= SAMPLED_MIN:
        stock = _grow(problem, problem.owner % SAMPLE == 0, free / SAMPLE, stock).stock
    return _relaxed(problem, _grow(problem, every, free, stock))


@dataclass(slots=True, kw_only=True)
class _Grown:
    """A relaxation that was grown column by column."""

    columns: Integers
    share: Floats
    stock: Floats
    """Price of each stock."""
    tried: list[tuple[int, ...]]
    """Prices of stock of every round, rounded."""


def _grow(problem: Problem, allowed: NDArray[np.bool_], free: Floats, stock: Floats) -> _Grown:
    """Solve the relaxation over the ways that are allowed, beginning with the best at some prices of stock."""
    scale = _scale(problem.value)
    nothing = np.zeros(problem.demands)
    columns = _gaining(problem, allowed, nothing, stock, FIRST_WAYS)
    solver = Solver()
    _pass(solver, problem, columns, scale, free)
    tried: list[tuple[int, ...]] = []
    while True:
        share, duals, reached = _run(solver)
        stock = np.maximum(0.0, duals[problem.demands :]) * scale
        tried.append(tuple(int(value) for value in np.rint(stock)))
        demand = np.maximum(0.0, duals[: problem.demands]) * scale
        fresh = allowed.copy()
        fresh[columns] = False
        more = _gaining(problem, fresh, demand + scale * 1e-7, stock, MORE_WAYS)
        spare = _spare(problem, allowed, stock) + float(stock @ free)
        if spare - reached * scale <= CLOSE * spare or not len(more) or len(tried) == ROUNDS_MAX:
            return _Grown(columns=columns, share=share, stock=stock, tried=tried)
        _add(solver, problem, more, scale)
        columns = np.concatenate([columns, more])


def _spare(problem: Problem, allowed: NDArray[np.bool_], stock: Floats) -> float:
    """Return what the demands would gain in all at some prices of stock, each by its best way."""
    gain = np.where(allowed, _gain(problem, stock), 0.0)
    best = np.zeros(problem.demands)
    np.maximum.at(best, problem.owner, gain)
    return float(best.sum())


def _relaxed(problem: Problem, grown: _Grown) -> Relaxed:
    bound, at = min((problem.bound(prices), at) for at, prices in enumerate(grown.tried[-3:]))
    order = np.argsort(grown.columns, kind="stable")
    return Relaxed(
        columns=grown.columns[order],
        share=grown.share[order],
        prices=grown.tried[-3:][at],
        bound=bound,
        rounds=len(grown.tried),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Loosened:
    """What the rounding keeps of a relaxation, and what it decides anew."""

    kept: tuple[int, ...]
    """Ways that stay."""
    columns: Integers
    """Ways of all other demands that come into question."""


def loosen(problem: Problem, relaxed: Relaxed) -> Loosened:
    """Tell the demands that the relaxation decided clearly from those that it split or decided narrowly."""
    gain = _gain(problem, np.array(relaxed.prices, dtype=np.float64))
    worth = np.maximum(1.0, np.array(problem.worth, dtype=np.float64))
    # Not being met is a choice too, of gain 0; a demand without it has lost by as much as it would gain.
    best = np.zeros(problem.demands)
    np.maximum.at(best, problem.owner, gain)
    behind = best[problem.owner] - gain
    second = np.zeros(problem.demands)
    rivals = np.ones(len(gain), dtype=bool)
    rivals[_first_best(problem, behind)] = False
    np.maximum.at(second, problem.owner[rivals], gain[rivals])
    whole = relaxed.columns[relaxed.share > 1 - WHOLE]
    part = relaxed.columns[(relaxed.share > WHOLE) & (relaxed.share <= 1 - WHOLE)]
    margin = (best - second) / worth
    margin[problem.owner[part]] = -1.0
    loose = np.zeros(problem.demands, dtype=bool)
    loose[np.argsort(margin, kind="stable")[:LOOSE_MAX]] = True
    near = loose[problem.owner] & (behind <= NEAR * worth[problem.owner])
    near[part] = True
    return Loosened(
        kept=tuple(int(way) for way in whole[~loose[problem.owner[whole]]]),
        columns=np.flatnonzero(near & loose[problem.owner]).astype(np.int64),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Branched:
    """What branch and bound found."""

    chosen: tuple[int, ...]
    """Ways that it takes."""
    bound: int | None
    """The solver's own bound, rounded up; None where it says none."""


def branch(problem: Problem, columns: Integers, free: Sequence[int], *, gap: float, nodes: int) -> Branched:
    """Choose among some ways within the stock that is left, to a gap, or as far as the nodes go."""
    if not len(columns):
        return Branched(chosen=(), bound=0)
    scale = _scale(problem.value[columns])
    solver = Solver()
    for option, value in (("mip_rel_gap", gap), ("mip_abs_gap", 1e-9), ("mip_max_nodes", nodes)):
        _ensure(solver.setOptionValue(option, value))
    _pass(solver, problem, columns, scale, np.array(free, dtype=np.float64), whole=True)
    share, _, _ = _run(solver)
    said = solver.getInfo().mip_dual_bound
    bound = int(np.ceil(said * scale * (1 + 1e-12))) if np.isfinite(said) else None
    return Branched(chosen=tuple(int(way) for way in columns[share > 0.5]), bound=bound)


def _scale(values: Integers) -> float:
    """Return what to divide values by, so that a typical one has a size that suits the solver."""
    return max(1.0, float(np.median(values)) / TYPICAL) if len(values) else 1.0


def _gain(problem: Problem, stock: Floats) -> Floats:
    """Return what each way is worth after paying for the stock that it takes."""
    spent: Floats = np.add.reduceat(stock[problem.row] * problem.units, problem.begin[:-1])
    return problem.value.astype(np.float64) - spent


def _first_best(problem: Problem, behind: Floats) -> Integers:
    """Return the way of each demand that is behind by nothing; the first of equal ones."""
    found = np.flatnonzero(behind <= 0.0)
    _, at = np.unique(problem.owner[found], return_index=True)
    return found[at].astype(np.int64)


def _gaining(
    problem: Problem, allowed: NDArray[np.bool_], demand: Floats, stock: Floats, most: int
) -> Integers:
    """Return the allowed ways that gain more than their demand's price, the best few of each demand."""
    gain = _gain(problem, stock) - demand[problem.owner]
    found = np.flatnonzero(allowed & (gain > 0.0))
    # By demand, then by gain, then by number: ways of equal gain always stand in the same order.
    found = found[np.lexsort((found, -gain[found], problem.owner[found]))]
    owners = problem.owner[found]
    starts = np.flatnonzero(np.concatenate([[True], owners[1:] != owners[:-1]])) if len(found) else found
    sizes = np.diff(np.concatenate([starts, [len(found)]]))
    place = np.arange(len(found)) - np.repeat(starts, sizes)
    return np.sort(found[place < most]).astype(np.int64)


class Solver(highspy.Highs):
    """HiGHS, silent from the start: its own constructor prints a banner before anybody can ask it not to."""

    def __init__(self) -> None:
        super(highspy.Highs, self).__init__()
        options: tuple[tuple[str, Any], ...] = (
            ("output_flag", False),
            ("threads", 1),
            ("parallel", "off"),
            ("random_seed", SEED),
        )
        for option, value in options:
            _ensure(self.setOptionValue(option, value))


def _matrix(problem: Problem, columns: Integers) -> tuple[Integers, Integers, Floats]:
    """Return start, row and value of some ways as columns: one row per demand, then one per stock."""
    begin, end = problem.begin[columns], problem.begin[columns + 1]
    sizes = end - begin + 1
    start = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
    index = np.empty(start[-1], dtype=np.int64)
    value = np.ones(start[-1], dtype=np.float64)
    index[start[:-1]] = problem.owner[columns]
    rest = np.ones(start[-1], dtype=bool)
    rest[start[:-1]] = False
    steps: Integers = np.arange(int((end - begin).sum())) - np.repeat(
        np.cumsum(end - begin) - (end - begin), end - begin
    )
    taken = np.repeat(begin, end - begin) + steps
    index[rest] = problem.demands + problem.row[taken]
    value[rest] = problem.units[taken]
    return start, index, value


def _pass(
    solver: Solver,
    problem: Problem,
    columns: Integers,
    scale: float,
    free: Floats,
    *,
    whole: bool = False,
) -> None:
    start, index, value = _matrix(problem, columns)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(columns), problem.demands + len(free)
    model.sense_ = highspy.ObjSense.kMaximize
    model.col_cost_ = problem.value[columns] / scale
    model.col_lower_ = np.zeros(len(columns))
    # The demand's row keeps a share at 1; a bound of its own would only hide the demand's price.
    model.col_upper_ = np.full(len(columns), 1.0 if whole else highspy.kHighsInf)
    model.row_lower_ = np.full(model.num_row_, -highspy.kHighsInf)
    model.row_upper_ = np.concatenate([np.ones(problem.demands), free])
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = start, index, value
    if whole:
        model.integrality_ = [highspy.HighsVarType.kInteger] * len(columns)
    _ensure(solver.passModel(model))


def _add(solver: Solver, problem: Problem, columns: Integers, scale: float) -> None:
    start, index, value = _matrix(problem, columns)
    count = len(columns)
    _ensure(
        solver.addCols(
            count,
            problem.value[columns] / scale,
            np.zeros(count),
            np.full(count, highspy.kHighsInf),
            len(index),
            start[:-1].astype(np.int32),
            index.astype(np.int32),
            value,
        )
    )


def _run(solver: Solver) -> tuple[Floats, Floats, float]:
    """Run the solver; return shares, prices of rows and the value reached."""
    _ensure(solver.run())
    status = solver.getModelStatus()
    done = (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kSolutionLimit)
    if status not in done:
        raise SolverFailed(f"HiGHS stopped with {solver.modelStatusToString(status)}")
    found = solver.getSolution()
    duals = np.array(found.row_dual, dtype=np.float64)
    return np.array(found.col_value, dtype=np.float64), duals, solver.getInfo().objective_function_value


def _ensure(status: highspy.HighsStatus) -> None:
    if status == highspy.HighsStatus.kError:
        raise SolverFailed("HiGHS refused a problem that this program made")
