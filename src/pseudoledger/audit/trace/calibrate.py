"""Calibrate: from bits that are added as if habits were independent to bits that can be believed.

Fellegi and Sunter (1969) add log2(m / u) over the comparisons. Habits are not independent: chips, regions, terms and
hours all follow the market segment, so the sum grows too fast. Two steps mend it.

**Weights** (`fit_weights`): each comparison gets a weight between 0 and 1 by logistic regression (Platt 1999) of
hard-linked pairs against pairs of which nothing is known. Those hold some true ones, so each counts against only with
the probability that it is false, and probability and fit are improved in turn (Elkan and Noto, KDD 2008: learning from
positive and unlabelled examples). Bits stay additive: a waterfall of them is exact.

**Curve** (`fit_curve`): how many true and false pairs stand behind each sum. False pairs fall off smoothly above their
bulk, so their tail is fitted as a log-quadratic and carried on (the empirical null of Efron, JASA 99, 2004); true pairs
are hard-linked ones, tilted by exp(-t * sum), t >= 0, since pairs that nothing links are less alike. Both are fitted
to the counts of all candidate pairs by sum (Poisson likelihood). The log2 of their ratio is the posterior; made to rise
(isotonic), kept as a piecewise-linear curve, and clamped at both ends: nothing is claimed beyond what was counted, nor
more than CERTAIN_BITS.

What it assumes and cannot check: that unlinked pairs of one party differ from hard-linked ones by a tilt alone, and
that false pairs have no second hump among the most alike. It reads no truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression, minimize
from scipy.special import expit

Reals = npt.NDArray[np.float64]

LN2 = float(np.log(2))
TURNS = 6
WEIGHT_MAX = 1.0
WEIGHT_PRIOR = 0.5
RIDGE = 4.0
"""Strength, in hard pairs, with which a weight is drawn to WEIGHT_PRIOR: with few of them it stays there."""
BIN = 0.5
"""Width in bits of the bins in which sums are counted."""
BANDWIDTH = 1.5
HARD_MIN, INSIDE_MIN = 10, 100
"""With fewer hard-linked or candidate pairs no curve is fitted, and evidence is 0."""
WINDOW = 0.3
FEW = 8
TILT_MAX = 0.4
"""Steepest tilt of true pairs against hard-linked ones, per bit (natural logarithm)."""
CERTAIN_BITS = 10.0
"""Posterior log-odds beyond which nothing is claimed: 99.9 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlabelled:
    """Pairs of which nothing is known: bits per comparison, float64[n, C], and how many pairs each stands for."""

    bits: Reals
    stands_for: Reals


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Sum of weighted bits to bits of evidence: linear between knots, level outside them; knots are equally far apart."""

    knots: tuple[float, ...]
    values: tuple[float, ...]

    def __call__(self, raw: Reals) -> Reals:
        """Return the evidence of each sum, without the prior; float64 of the same shape."""
        if not self.knots:
            return np.zeros_like(raw)
        values = np.array(self.values)
        if len(values) == 1:
            return np.full_like(raw, values[0])
        # np.interp looks for the place of each sum; equal steps say it. A scan spends a third of its time here else.
        last = len(values) - 1
        place = (raw - self.knots[0]) * (last / (self.knots[-1] - self.knots[0]))
        np.clip(place, 0.0, last, out=place)
        low = np.minimum(place.astype(np.intp), last - 1)
        place -= low
        place *= np.diff(values)[low]
        place += values[low]
        return place


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """The curve, and the probability that two random identities are one party."""

    curve: Curve
    prior: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Sums of weighted bits of three sets of pairs, and how many pairs each of the samples stands for."""

    hard: Reals
    hard_inside: npt.NDArray[np.bool_]
    """Whether a hard-linked pair is among the candidates too."""
    inside: Reals
    inside_stands_for: float
    outside: Reals
    outside_stands_for: float

    @property
    def total(self) -> float:
        """Return the number of all pairs."""
        return len(self.inside) * self.inside_stands_for + len(self.outside) * self.outside_stands_for


def fit_weights(
    hard: Reals, unlabelled: Unlabelled, *, start: float, low: float, high: float
) -> tuple[float, ...]:
    """Fit a weight per comparison; `hard` is float64[n, C], the bits of hard-linked pairs.

    `start`, `low` and `high` are the prior to begin with and its bounds. With no hard pair all weights are 0.
    """
    comparisons = int(unlabelled.bits.shape[1])
    if not len(hard) or not comparisons or not len(unlabelled.bits):
        return (0.0,) * comparisons
    total = float(unlabelled.stands_for.sum())
    prior = start
    false = np.ones(len(unlabelled.bits))
    answer = np.concatenate([[_log_odds(prior)], np.full(comparisons, WEIGHT_PRIOR)])
    for _ in range(TURNS):
        answer = _regress(hard, unlabelled, false, prior * total, answer)
        chance = expit(LN2 * (answer[0] + unlabelled.bits @ answer[1:]))
        false = 1 - chance
        prior = float(np.clip((unlabelled.stands_for * chance).sum() / total, low, high))
    weights: list[float] = answer[1:].tolist()
    return tuple(round(weight, 6) for weight in weights)


def fit_curve(scores: Scores, *, start: float, low: float, high: float) -> Calibrated:
    """Fit the curve and the prior; `start` is the prior where nothing can be fitted, the others are its bounds."""
    if len(scores.hard) < HARD_MIN or len(scores.inside) < INSIDE_MIN:
        return Calibrated(curve=Curve(knots=(), values=()), prior=start)
    everything = np.concatenate([scores.hard, scores.inside, scores.outside])
    bottom, top = np.floor(everything.min()), np.ceil(everything.max()) + BIN
    edges = np.arange(bottom, top + BIN, BIN)
    middles = (edges[:-1] + edges[1:]) / 2
    inside = np.histogram(scores.inside, edges)[0] * scores.inside_stands_for
    outside = np.histogram(scores.outside, edges)[0] * scores.outside_stands_for
    alike = _smooth(scores.hard, middles)
    kept = _smooth(scores.hard[scores.hard_inside], middles) if scores.hard_inside.any() else alike
    reached = np.clip(
        kept * (scores.hard_inside.sum() + 0.5) / np.maximum(alike * (len(scores.hard) + 1), 1e-9), 0.02, 1.0
    )
    false_inside, true_inside = _split(middles, inside, alike * reached, scores.inside_stands_for)
    false = false_inside + _tail(middles, outside, scores.outside_stands_for)
    true = true_inside / reached
    prior = float(np.clip(true.sum() / scores.total, low, high))
    true *= prior * scores.total / max(true.sum(), 1e-12)
    odds = np.log2((true + 1e-9) / (false + 1e-9))
    seen = (inside + outside + false + true) >= 1
    odds, middles, weights = odds[seen], middles[seen], (false + true)[seen]
    rising = isotonic_regression(np.minimum(odds, CERTAIN_BITS), weights=np.sqrt(weights)).x
    knots = np.arange(middles[0], middles[-1] + BIN / 2, BIN)
    evidence = np.interp(knots, middles, rising) - _log_odds(prior)
    return Calibrated(
        curve=Curve(
            knots=tuple(round(float(knot), 6) for knot in knots),
            values=tuple(round(float(value), 6) for value in evidence),
        ),
        prior=prior,
    )


def _smooth(scores: Reals, middles: Reals) -> Reals:
    """Spread the scores by a normal kernel of BANDWIDTH bits; sums to 1 over the bins."""
    density = np.exp(-0.5 * ((middles[:, None] - scores[None, :]) / BANDWIDTH) ** 2).sum(axis=1)
    return np.asarray(density / max(float(density.sum()), 1e-300))


def _split(middles: Reals, counts: Reals, alike: Reals, stands_for: float) -> tuple[Reals, Reals]:
    """Split the counts of candidate pairs by sum into false and true ones."""
    peak = int(np.argmax(counts))
    from_ = _window(counts, peak)
    place = (middles[from_:] - middles[from_]) / 10
    drawn = counts[from_:] / stands_for
    shape = alike[from_:]

    def parts(answer: Reals) -> tuple[Reals, Reals]:
        false = np.exp(np.clip(answer[0] + answer[1] * place + answer[2] * place**2, -40, 40))
        true = np.exp(np.clip(answer[3] + answer[4] * place, -40, 40)) * shape
        return false, true

    def loss(answer: Reals) -> float:
        false, true = parts(answer)
        expected = false + true + 1e-9
        return float((expected - drawn * np.log(expected)).sum())

    first = np.array([np.log(drawn[0] + 1), -5.0, -1.0, np.log(drawn.sum() / 100 + 1), 0.0])
    bounds = [(None, None), (None, 0.0), (None, 0.0), (None, None), (-10 * TILT_MAX, 0.0)]
    answer = minimize(loss, first, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}).x
    false, true = parts(answer)
    whole_true = np.exp(np.clip(answer[3] + answer[4] * (middles - middles[from_]) / 10, -40, 40)) * alike
    all_false = np.maximum(counts / stands_for - whole_true, 0)
    all_false[from_:] = false
    whole_true[:from_] = np.minimum(whole_true[:from_], counts[:from_] / stands_for)
    whole_true[from_:] = true
    return all_false * stands_for, whole_true * stands_for


def _tail(middles: Reals, counts: Reals, stands_for: float) -> Reals:
    """Smooth the counts of the other pairs above their bulk; true ones among them are too few to be seen there."""
    if not counts.any():
        return counts
    from_ = _window(counts, int(np.argmax(counts)))
    place = (middles[from_:] - middles[from_]) / 10
    drawn = counts[from_:] / stands_for
    # True pairs would flatten the far tail; it is left to the curve, from where fewer than FEW were drawn on.
    use = np.arange(len(drawn)) < (int(np.argmax(drawn < FEW)) if (drawn < FEW).any() else len(drawn))

    def loss(answer: Reals) -> float:
        expected = np.exp(np.clip(answer[0] + answer[1] * place[use] + answer[2] * place[use] ** 2, -40, 40))
        return float((expected - drawn[use] * np.log(expected + 1e-9)).sum())

    if use.sum() < 4:
        return counts
    first = np.array([np.log(drawn[0] + 1), -5.0, -1.0])
    bounds = [(None, None), (None, 0.0), (None, 0.0)]
    answer = minimize(loss, first, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}).x
    smooth = counts.copy()
    smooth[from_:] = stands_for * np.exp(
        np.clip(answer[0] + answer[1] * place + answer[2] * place**2, -40, 40)
    )
    return smooth


def _window(counts: Reals, peak: int) -> int:
    """Return the first bin above the peak that holds less than WINDOW of it."""
    falling = counts[peak:] < WINDOW * counts[peak]
    return peak + int(np.argmax(falling)) if falling.any() else peak


def _log_odds(probability: float) -> float:
    return float(np.log2(probability / (1 - probability)))


def _regress(hard: Reals, unlabelled: Unlabelled, false: Reals, true_pairs: float, start: Reals) -> Reals:
    """Minimise the cross-entropy, hard pairs standing for `true_pairs`, others for themselves where they are false."""
    each_true = true_pairs / len(hard)
    against = unlabelled.stands_for * false
    ridge = RIDGE * each_true

    def loss(answer: Reals) -> tuple[float, Reals]:
        shift, weights = answer[0], answer[1:]
        up = LN2 * (shift + hard @ weights)
        down = LN2 * (shift + unlabelled.bits @ weights)
        value = each_true * np.logaddexp(0, -up).sum() + (against * np.logaddexp(0, down)).sum()
        pull_up = -each_true * LN2 * expit(-up)
        pull_down = against * LN2 * expit(down)
        slope = np.concatenate(
            [[pull_up.sum() + pull_down.sum()], pull_up @ hard + pull_down @ unlabelled.bits]
        )
        apart = weights - WEIGHT_PRIOR
        slope[1:] += 2 * ridge * apart
        return float(value + ridge * (apart**2).sum()) / true_pairs, slope / true_pairs

    bounds = [(None, None)] + [(0.0, WEIGHT_MAX)] * hard.shape[1]
    return np.asarray(
        minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 25}).x,
        np.float64,
    )
