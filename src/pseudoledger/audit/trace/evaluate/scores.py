"""Scores: how well links and clusters agree with known owners. Each is written from its definition.

    score                                   definition                                                   source
    pairwise precision, recall, F1          TP/(TP+FP), TP/(TP+FN), their harmonic mean, over pairs      van Rijsbergen 1979, ch. 7
    B-cubed precision, recall, F1           mean over identities of |C∩T|/|C| and |C∩T|/|T|              Bagga and Baldwin, LREC 1998
    AUC                                     P(score of a true pair > of a false one), ties half          Hanley and McNeil 1982
    Brier score                             mean of (p - y)²                                             Brier 1950
    expected calibration error (ECE)        sum over bins of n/N · |mean p - mean y|                     Naeini et al., AAAI 2015
    blocking recall (pairs completeness)    share of the true pairs that are candidates                  Christen 2012, §7.3

C is the cluster and T the owner of an identity, each with the identity itself. Where a denominator is 0 a precision is
1 (nothing claimed was wrong) and a recall is 1 (nothing was to be found). All are shares from 0 to 1, without unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Integers = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Precision, recall and their harmonic mean."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Return 2PR / (P + R); 0 where both are 0."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Pairs whose probability lies in [low, high): how many, mean probability, and share of true ones."""

    low: float
    high: float
    pairs: int
    probability: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How far probabilities can be believed."""

    brier: float
    ece: float
    bins: tuple[ReliabilityBin, ...]
    """Bins that hold a pair, from low to high."""


def pairwise(cluster: Integers, owner: Integers) -> Agreement:
    """Score a clustering by pairs; `cluster` and `owner` are labels, int64[N]."""
    claimed, true, both = _pairs(cluster), _pairs(owner), _pairs(_cross(cluster, owner))
    return agreement(both, claimed, true)


def agreement(both: int, claimed: int, true: int) -> Agreement:
    """Return precision and recall from counts of pairs: claimed and true, claimed, true."""
    return Agreement(precision=both / claimed if claimed else 1.0, recall=both / true if true else 1.0)


def b_cubed(cluster: Integers, owner: Integers) -> Agreement:
    """Score a clustering by identities; `cluster` and `owner` are labels, int64[N], N > 0."""
    shared = _sizes(_cross(cluster, owner))
    return Agreement(
        precision=float((shared / _sizes(cluster)).mean()), recall=float((shared / _sizes(owner)).mean())
    )


def auc(scores: Reals, true: Booleans) -> float:
    """Return the area under the ROC curve (Mann and Whitney's U by ranks); nan without a pair of either sort."""
    positive, negative = int(true.sum()), int((~true).sum())
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[true].sum() - positive * (positive + 1) / 2) / (positive * negative))


def calibration(probability: Reals, true: Booleans, *, bins: int = BINS) -> Calibration:
    """Return Brier score, ECE and reliability over bins of equal width; `probability` is float64[n].

    Both are nan where n is 0.
    """
    if not len(probability):
        return Calibration(brier=float("nan"), ece=float("nan"), bins=())
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    number = np.bincount(place, minlength=bins)
    mean = np.bincount(place, weights=probability, minlength=bins) / np.maximum(number, 1)
    share = np.bincount(place, weights=true, minlength=bins) / np.maximum(number, 1)
    return Calibration(
        brier=float(((probability - true) ** 2).mean()),
        ece=float((number * np.abs(mean - share)).sum() / len(probability)),
        bins=tuple(
            ReliabilityBin(
                low=item / bins,
                high=(item + 1) / bins,
                pairs=int(number[item]),
                probability=float(mean[item]),
                share=float(share[item]),
            )
            for item in range(bins)
            if number[item]
        ),
    )


def true_pairs(owner: Integers) -> int:
    """Return how many pairs of identities have one owner."""
    return _pairs(owner)


def blocking_recall(a: Integers, b: Integers, owner: Integers) -> float:
    """Return the share of the true pairs that are among the candidates (a, b), each given once."""
    return agreement(int((owner[a] == owner[b]).sum()), len(a), _pairs(owner)).recall


def probability(bits: Reals) -> Reals:
    """Turn log2 odds into probabilities."""
    return np.asarray(1 / (1 + np.exp2(-bits)))


def _pairs(label: Integers) -> int:
    sizes = np.unique(label, return_counts=True)[1].astype(object)
    return int((sizes * (sizes - 1) // 2).sum()) if len(sizes) else 0


def _sizes(label: Integers) -> Integers:
    """Return, for each identity, how many share its label."""
    _, place, number = np.unique(label, return_inverse=True, return_counts=True)
    return np.asarray(number[place], np.int64)


def _cross(one: Integers, other: Integers) -> Integers:
    """Label the intersections of two partitions."""
    first = np.unique(one, return_inverse=True)[1].astype(np.int64)
    second = np.unique(other, return_inverse=True)[1].astype(np.int64)
    return np.asarray(first * (int(second.max(initial=0)) + 1) + second, np.int64)
