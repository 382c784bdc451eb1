"""Beside: scanners of several vantage points that are held to one account, that of the one which sees most.

Each vantage point learns its own model: which habits tell parties apart there. What a sum of likenesses is worth it can
learn only from the pairs that evidence joins for it, and two that learn apart err apart, by more than what one sees
beyond the other: who sees more may look as if it knew less. Set beside each other, vantage points keep their own
likenesses, and their worth is told by who sees most:

    chance(s) = E[ chance of a pair to who sees most | its sum of likenesses to who sees less is s ]

by the law of total expectation the chance that follows from the sum alone, where the one which sees most sees all that
the other sees and is right. Conditioning lowers entropy on average (Cover and Thomas, Elements of Information Theory,
theorem 2.6.5), so who sees more has less left to find out. The mean is taken over all pairs of a seeded sample of
identities, by bins of half a bit, and made to rise. No candidate is told to who sees less: only how often pairs with
such a sum are one party. A vantage point that is looked from alone is not touched by this.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from pseudoledger.audit.trace.anonymity import STEP, Integers, Reals
from pseudoledger.audit.trace.calibrate import BIN, CERTAIN_BITS, Curve
from pseudoledger.audit.trace.model import ROUND, TrainedModel
from pseudoledger.audit.trace.scan import Scanner
from pseudoledger.audit.trace.tracing import Traced

SAMPLE = 400
"""Identities of which all pairs are looked at."""
_BIN_STEPS = round(BIN * STEP)


def scanner_of(traced: Traced) -> Scanner:
    """Return the scanner of a vantage point by itself, under its own model."""
    return Scanner(traced.features, traced.model, component=traced.hard.component)


def scanner_beside(traced: Traced, main: Traced, *, seed: int) -> Scanner:
    """Return the scanner of a vantage point as it is set beside `main`, which sees most.

    Where one of both has learnt nothing, only the prior is that of `main` (`TrainedModel.under`).
    """
    if traced is main:
        return scanner_of(main)
    component, prior = traced.hard.component, main.model.prior
    own = Scanner(traced.features, traced.model, component=component, prior=prior)
    if not (traced.model.learnt and main.model.learnt):
        return own
    known = {name: place for place, name in enumerate(main.observations.names())}
    place = np.array([known.get(name, -1) for name in traced.observations.names()])
    curve = _curve(own, traced.model, scanner_of(main), place, seed)
    if curve is None:
        return own
    return Scanner(traced.features, replace(traced.model, prior=prior, curve=curve), component=component)


def _curve(own: Scanner, model: TrainedModel, main: Scanner, place: Integers, seed: int) -> Curve | None:
    """Return what sums are worth, without the prior; None without a pair. `place` is the id in `main`, or -1."""
    both = np.flatnonzero(place >= 0)
    lowest = sum(min(0.0, *item.bits) for item in model.comparisons)
    highest = sum(max(0.0, *item.bits) for item in model.comparisons)
    first, last = int(np.floor(lowest / BIN)), int(np.floor(highest / BIN))
    number, expected = np.zeros((2, last - first + 1))
    for identity in _sample(both, seed).tolist():
        others = both[~_joined(own, identity)[both]]
        bins = own.sums(identity)[others] // _BIN_STEPS - first
        chance = 1.0 / (1.0 + np.exp2(-main.scan(int(place[identity]))[place[others]]))
        number += np.bincount(bins, minlength=number.size)
        expected += np.bincount(bins, chance, minlength=number.size)
    seen = np.flatnonzero(number)
    if not seen.size:
        return None
    chances = isotonic_regression(expected[seen] / number[seen], weights=number[seen]).x
    # The mean over the sample is not quite the prior, which is the same for all.
    mean = np.array([expected.sum() / number.sum()])
    bits = np.minimum(_log_odds(chances), CERTAIN_BITS) - _log_odds(mean)
    knots = np.arange(seen[0], seen[-1] + 1)
    return Curve(
        knots=tuple(round(float(knot), ROUND) for knot in (knots + first + 0.5) * BIN),
        values=tuple(round(float(value), ROUND) for value in np.interp(knots, seen, bits)),
    )


def _sample(both: Integers, seed: int) -> Integers:
    drawn = np.random.default_rng([seed, 4]).choice(both, min(SAMPLE, both.size), replace=False)
    return np.sort(drawn)


def _joined(scanner: Scanner, identity: int) -> npt.NDArray[np.bool_]:
    """Tell which are joined to this identity by evidence, itself among them: their sums are not what counts."""
    joined = np.zeros(scanner.count, dtype=np.bool_)
    joined[identity] = True
    if scanner.component is not None:
        joined |= scanner.component == scanner.component[identity]
    return joined


def _log_odds(chances: Reals) -> Reals:
    with np.errstate(divide="ignore"):
        odds: Reals = np.log2(chances) - np.log2(1.0 - chances)
    return odds
