"""Model: what each level of each comparison is worth in bits, learnt from hard-linked and from random pairs.

    hard-linked pairs ──► m (Splink) ─┐                       ┌─► levels rise ─► weights, curve, prior (calibrate)
    random pairs      ──► u (counted) ┴─► log2(m / u) ────────┘
                                                               └─► TrainedModel, and its hash

Fellegi and Sunter, JASA 64 (1969): m is how often true pairs show a level, u how often random ones do. m is estimated
by Splink 5 inside hard links alone; expectation-maximisation over blocked pairs is not used, for it settles on "same
market segment". u is a count over independent random pairs (Splink would compare all pairs of 1,400 identities, which
say less about rare values than as many pairs of all identities). Then:

* m is drawn to u with the strength of PSEUDO_PAIRS pairs, so that with few hard links the bits are few, and with none 0;
* levels are made to rise with likeness (isotonic regression, pooling neighbours), within each band of support;
* every comparison gets a weight, and the sum a curve; the prior comes with it (`calibrate`).

    raw(a, b)   = sum over comparisons of weight * log2(m / u) of the level             [bits]
    bits(a, b)  = curve(raw) + log2(prior / (1 - prior))                                [bits, posterior log-odds]

All bits are rounded to 1e-6 before they are added. No known owner (`truth`) is read here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.optimize import isotonic_regression
from splink import Linker

from pseudoledger.audit.trace.calibrate import Curve, Scores, Unlabelled, fit_curve, fit_weights
from pseudoledger.audit.trace.compare import (
    Comparison,
    Levels,
    level_conditions,
    levels_of_pairs,
    random_pairs,
)
from pseudoledger.audit.trace.engine import DuckWork, Work
from pseudoledger.audit.trace.features import Features, Integers

Reals = npt.NDArray[np.float64]

ROUND = 6
"""Bits are rounded to so many places before any comparison."""
U_PAIRS = 1_000_000
"""Random pairs from which u is counted."""
U_CHUNK = 100_000
PSEUDO_PAIRS = 10.0
SAMPLE = 200_000
"""Random pairs, and candidate pairs, from which the curve is fitted; as many of each."""
WEIGHT_SAMPLE = 50_000
"""The same for the weights."""
HARD_PAIRS_MAX = 20_000
"""More hard-linked pairs than this are thinned, evenly and in order."""
SIBLINGS_START = 1.0
"""Other keys of the same party to begin with, per identity."""
SIBLINGS_MAX = 4.0
"""A mean above this is not believed: it would be market segments, not parties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedComparison:
    """A comparison, what Splink found, and what each level is worth."""

    comparison: Comparison
    m: tuple[float, ...]
    u: tuple[float, ...]
    weight: float
    bits: tuple[float, ...]
    """weight * log2(m / u) of level 0, 1, ...; level -1 is worth 0."""

    @property
    def table(self) -> Reals:
        """Return the bits by level, float64[levels + 1]; the last, which index -1 finds, is 0."""
        return np.array([*self.bits, 0.0])

    @property
    def plain(self) -> Reals:
        """Return log2(m / u) by level in the same form: bits without the weight, as Splink adds them."""
        return np.array([*(np.log2(np.array(self.m) / np.array(self.u))), 0.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """All that turns levels into bits."""

    prior: float
    """Probability that two random identities are one party."""
    curve: Curve
    """From raw bits to bits of evidence."""
    comparisons: tuple[TrainedComparison, ...]
    seed: int
    identities: int
    hard_pairs: int
    """Pairs that m and the weights were learnt from; 0 means that nothing could be learnt."""

    @property
    def learnt(self) -> bool:
        """Tell whether the hard-linked pairs were enough to say what behaviour is worth; without, it is worth 0 bits."""
        return bool(self.curve.knots)

    @property
    def prior_bits(self) -> float:
        """Return log2 of the prior odds, rounded."""
        return round(float(np.log2(self.prior / (1 - self.prior))), ROUND)

    @property
    def hash(self) -> str:
        """Return the SHA-256 in hex of the model as canonical JSON."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return sha256(text.encode()).hexdigest()

    def under(self, prior: float) -> TrainedModel:
        """Return this model for a world of which another prior is known.

        Siblings beyond those that it found itself, where the prior is larger, were not told apart from strangers:
        as likely as any pair to be among the others, whatever the sum. With its own prior p and the share s = p / prior
        of siblings that it found, a likelihood ratio r becomes s r + 1 - s, so that the odds of what it did find stay
        as they are. Where the prior is smaller, it alone changes.
        """
        share = min(1.0, self.prior / prior)
        mixed = np.log2(share * np.exp2(np.array(self.curve.values)) + 1 - share)
        values = tuple(round(float(value), 6) for value in mixed)
        return replace(self, prior=prior, curve=replace(self.curve, values=values))

    def raw(self, levels: Levels) -> Reals:
        """Return the summed bits of pairs from int8[n, comparisons] levels; float64[n]."""
        total = np.zeros(len(levels))
        for place, trained in enumerate(self.comparisons):
            total += trained.table[levels[:, place]]
        return np.asarray(np.round(total, ROUND))

    def evidence(self, raw: Reals) -> Reals:
        """Return the calibrated bits of summed bits, without the prior; float64[n]."""
        return np.asarray(np.round(self.curve(raw), ROUND))


def train(
    features: Features, comparisons: tuple[Comparison, ...], *, hard: tuple[Integers, Integers], seed: int
) -> TrainedModel:
    """Learn a model from hard-linked pairs (a, b), a < b, from the pairs in `candidates`, and from random pairs.

    The table `candidates` must have been written (`candidates.candidates`). Without hard-linked pairs, or with fewer
    than two identities, all bits are 0 and the prior stands alone.
    """
    a, b = _thinned(*hard)
    count = features.count
    start = min(SIBLINGS_START / max(count, 2), 0.25)
    empty = TrainedModel(
        prior=start,
        curve=Curve(knots=(), values=()),
        comparisons=(),
        seed=seed,
        identities=count,
        hard_pairs=len(a),
    )
    if not comparisons or count < 2:
        return empty
    found = _splink(features, comparisons, a, b, seed=seed)
    trained = tuple(_rising(item, len(a)) for item in found)
    sample = _sample(features, a, b, np.random.default_rng([seed, 2]))
    total = count * (count - 1) / 2
    low = min(max(len(a), 1) / total, 0.25)
    high = min(max(SIBLINGS_MAX / count, 2 * low), 0.5)
    start = max(start, low)
    hard_bits = _plain_bits(features, trained, a, b)
    inside = _plain_bits(features, trained, sample.inside // count, sample.inside % count)
    outside = _plain_bits(features, trained, sample.outside // count, sample.outside % count)
    weights = fit_weights(hard_bits, _unlabelled(sample, inside, outside), start=start, low=low, high=high)
    weighted = tuple(
        replace(
            item, weight=weight, bits=tuple(round(float(bits), ROUND) for bits in weight * item.plain[:-1])
        )
        for item, weight in zip(trained, weights, strict=True)
    )
    calibrated = fit_curve(
        Scores(
            hard=hard_bits @ np.array(weights),
            hard_inside=sample.hard_inside,
            inside=inside @ np.array(weights),
            inside_stands_for=sample.inside_stands_for,
            outside=outside @ np.array(weights),
            outside_stands_for=sample.outside_stands_for,
        ),
        start=start,
        low=low,
        high=high,
    )
    prior = float(f"{calibrated.prior:.9g}")
    return replace(empty, prior=prior, curve=calibrated.curve, comparisons=weighted)


def levels(features: Features, model: TrainedModel, a: Integers, b: Integers) -> Levels:
    """Return the levels of pairs in each comparison of the model, int8[len(a), comparisons]."""
    found = np.empty((len(a), len(model.comparisons)), np.int8)
    for place, item in enumerate(model.comparisons):
        found[:, place] = levels_of_pairs(features, item.comparison, a, b)
    return found


def linker(
    features: Features,
    comparisons: tuple[Comparison, ...],
    model: TrainedModel | None = None,
    work: Work | None = None,
) -> Linker:
    """Return a Splink linker over the table `features`, in the hands of an engine or of DuckDB.

    With a model, one whose weights are the model's bits.
    """
    logging.getLogger("splink").setLevel(logging.ERROR)
    work = work or DuckWork(features.connection)
    registered = work.splink().register("features")
    trained = None if model is None else {item.comparison.name: item for item in model.comparisons}
    settings: dict[str, Any] = {
        "link_type": "dedupe_only",
        "unique_id_column_name": "id",
        "probability_two_random_records_match": 0.5,  # a weight of 0: the prior is added by the caller
        "comparisons": [
            _settings(item, None if trained is None else trained[item.name], work) for item in comparisons
        ],
        "blocking_rules_to_generate_predictions": [],
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": False,
    }
    return Linker(registered, settings, log_level=None, validate_settings=False)


def _settings(comparison: Comparison, trained: TrainedComparison | None, work: Work) -> dict[str, Any]:
    """Write a comparison as Splink's settings: the null level, then level 0, 1, ...

    Splink numbers levels by their place from the end: its gamma is levels - 1 - level.
    """
    left, right = f'"{comparison.name}_l"', f'"{comparison.name}_r"'
    conditions = level_conditions(comparison, left, right, 'least("seen_l", "seen_r")')
    levels: list[dict[str, Any]] = [
        {
            "sql_condition": work.expression(f"{left} IS NULL OR {right} IS NULL"),
            "label_for_charts": "null",
            "is_null_level": True,
        }
    ]
    for number, condition in enumerate((*conditions, "ELSE")):
        level: dict[str, Any] = {
            "sql_condition": condition if condition == "ELSE" else work.expression(condition),
            "label_for_charts": str(number),
        }
        if trained is not None:
            # Splink weighs a level by log2(m / u); u = 2^-30 makes that the model's bits with m below 1.
            level |= {"m_probability": 2.0 ** (trained.bits[number] - 30), "u_probability": 2.0**-30}
        levels.append(level)
    return {"output_column_name": comparison.name, "comparison_levels": levels}


def _thinned(a: Integers, b: Integers) -> tuple[Integers, Integers]:
    if len(a) <= HARD_PAIRS_MAX:
        return a, b
    kept = np.linspace(0, len(a) - 1, HARD_PAIRS_MAX).astype(np.int64)
    return a[kept], b[kept]


def _splink(
    features: Features, comparisons: tuple[Comparison, ...], a: Integers, b: Integers, *, seed: int
) -> tuple[TrainedComparison, ...]:
    """Estimate m from the hard-linked pairs by Splink, and count u."""
    unseen = [[0.0] * item.levels for item in comparisons]
    m = unseen
    if len(a):
        linking = linker(features, comparisons)
        features.connection.register(
            "hard_pairs_in", pa.table({"id_l": a.astype(np.int32), "id_r": b.astype(np.int32)})
        )
        features.connection.execute("CREATE OR REPLACE TEMP TABLE hard_pairs AS FROM hard_pairs_in")
        features.connection.unregister("hard_pairs_in")
        linking.training.estimate_m_from_pairwise_labels("hard_pairs")  # type: ignore[no-untyped-call]
        known = linking.misc.save_model_to_json()["comparisons"]
        m = [
            [_probability(level.get("m_probability")) for level in item["comparison_levels"][1:]]
            for item in known
        ]
    generator = np.random.default_rng([seed, 3])
    u = [np.zeros(item.levels) for item in comparisons]
    for one, other in _pairs_for_u(features.count, generator):
        for place, item in enumerate(comparisons):
            levels = levels_of_pairs(features, item, one, other)
            u[place] += np.bincount(levels[levels >= 0], minlength=item.levels)
    return tuple(
        TrainedComparison(comparison=item, m=tuple(m[place]), u=tuple(u[place].tolist()), weight=1.0, bits=())
        for place, item in enumerate(comparisons)
    )


def _pairs_for_u(count: int, generator: np.random.Generator) -> Iterator[tuple[Integers, Integers]]:
    """Yield all pairs where they are few, random ones where they are many, some at a time."""
    if count * (count - 1) // 2 <= U_CHUNK:
        one, other = np.triu_indices(count, 1)
        yield one.astype(np.int64), other.astype(np.int64)
        return
    for _ in range(U_PAIRS // U_CHUNK):
        yield random_pairs(count, U_CHUNK, generator)


def _probability(value: object) -> float:
    """Splink writes a text where a level was never seen."""
    return float(value) if isinstance(value, int | float) else 0.0


def _rising(trained: TrainedComparison, pairs: int) -> TrainedComparison:
    """Draw m to u (counts until here), and make log2(m / u) rise with likeness within each band of support."""
    u = np.array(trained.u) + 0.5
    u /= u.sum()
    m = (np.array(trained.m) * pairs + PSEUDO_PAIRS * u) / (pairs * sum(trained.m) + PSEUDO_PAIRS)
    m /= m.sum()
    bands = trained.comparison.bands
    for start in range(0, len(u), bands):
        part = slice(start, start + bands)
        both = m[part] + u[part]
        share = isotonic_regression(m[part] / both, weights=both).x
        m[part], u[part] = share * both, (1 - share) * both
    return replace(trained, m=tuple(np.round(m, 12).tolist()), u=tuple(np.round(u, 12).tolist()))


def _plain_bits(
    features: Features, trained: tuple[TrainedComparison, ...], a: Integers, b: Integers
) -> Reals:
    bits = np.empty((len(a), len(trained)))
    for place, item in enumerate(trained):
        bits[:, place] = item.plain[levels_of_pairs(features, item.comparison, a, b)]
    return bits


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """Pairs as a * N + b: some candidates, some others; and which hard-linked pairs are candidates."""

    inside: Integers
    inside_stands_for: float
    outside: Integers
    outside_stands_for: float
    hard_inside: npt.NDArray[np.bool_]


def _sample(features: Features, a: Integers, b: Integers, generator: np.random.Generator) -> _Sample:
    """Draw pairs among the candidates and among the others; each stands for as many as it was drawn from."""
    count = features.count
    total = count * (count - 1) // 2
    got = features.connection.execute(
        "SELECT a::BIGINT * $count + b AS code FROM candidates ORDER BY code", {"count": count}
    ).fetchnumpy()
    codes = np.asarray(got["code"], np.int64)
    inside = codes
    if len(codes) > SAMPLE:
        inside = codes[np.sort(generator.choice(len(codes), SAMPLE, replace=False))]
    one, other = random_pairs(count, SAMPLE, generator)
    drawn = np.unique(one * count + other)
    outside = drawn[~_within(drawn, codes)]
    return _Sample(
        inside=inside,
        inside_stands_for=len(codes) / max(len(inside), 1),
        outside=outside,
        outside_stands_for=(total - len(codes)) / max(len(outside), 1),
        hard_inside=_within(a * count + b, codes),
    )


def _within(wanted: Integers, ordered: Integers) -> npt.NDArray[np.bool_]:
    if not len(ordered):
        return np.zeros(len(wanted), np.bool_)
    place = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return np.asarray(ordered[place] == wanted)


def _unlabelled(sample: _Sample, inside: Reals, outside: Reals) -> Unlabelled:
    """Thin both samples for the weights, which need fewer pairs than the curve."""
    thin_inside, thin_outside = (
        slice(None, None, max(1, len(part) // WEIGHT_SAMPLE)) for part in (inside, outside)
    )
    one, other = inside[thin_inside], outside[thin_outside]
    stands_for = np.concatenate(
        [
            np.full(len(one), sample.inside_stands_for * len(inside) / max(len(one), 1)),
            np.full(len(other), sample.outside_stands_for * len(outside) / max(len(other), 1)),
        ]
    )
    return Unlabelled(bits=np.concatenate([one, other]), stands_for=stands_for)
