"""Why two identities are taken for one party: a waterfall of bits, with the records it rests on, and what speaks against.

A link's bits are a sum: the prior, one addend per comparison (log2(m / u) of the level that the pair reaches,
Fellegi and Sunter 1969, times the weight that the model gives the comparison), and what calibration puts right at the end. `explain` shows each addend as a bar with the
level in words and the records of both sides (entry indexes of a ledger, row numbers of a table); the bars sum to
the bits of the link within 10^-6. `against` looks for what the sum does not contain: activity of both in the same
seconds, statements in which they face each other. How identities hang together is `tree`'s, what remains open is
`anonymity`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pseudoledger.audit.trace.compare import Comparison, levels_of_pairs, likeness_of_pairs
from pseudoledger.audit.trace.features import PROFILE_LENGTH, Feature, Features, Items, Profile, Scalar, Shape
from pseudoledger.audit.trace.model import ROUND, TrainedComparison, TrainedModel
from pseudoledger.audit.trace.observations import FieldKind, Observations
from pseudoledger.errors import MalformedError

CITED = 5
"""How many records of each side are cited for a bar."""
NAMED = 3
"""How many shared values are named."""
SECONDS = 2
"""Records of both sides at most this far apart are simultaneous."""
FAR_MINUTES = 360
"""Middles of active hours at least this far apart speak against one party."""
NOTABLE_BITS = 0.5
"""A bar speaks against from this many bits below zero."""
PRIOR = "prior"
CALIBRATION = "calibration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One addend of a link's bits."""

    name: str
    """Name of the comparison; "prior" for the first bar, "calibration" for the last."""
    label: str
    reveals: str
    """A word of the data dictionary; "" for prior and calibration."""
    level: int
    """-1: not known of both; 0: least alike; 0 for prior and calibration too."""
    words: str
    alone: float
    """log2(m / u) of the level, before the comparison's weight; the bits themselves for prior and calibration."""
    bits: float
    before: float
    after: float
    refs_a: tuple[int, ...]
    refs_b: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """A link and what it is made of."""

    a: int
    b: int
    bits: float
    """Of the link, calibrated and rounded."""
    bars: tuple[Bar, ...]
    """Prior, comparisons from the most bits (either way) to the fewest, calibration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """Something that speaks against one party behind both."""

    kind: str
    """"simultaneous", "face each other", "hours far apart" or "habit"."""
    words: str
    bits: float
    """What it takes off the link's bits; 0 where the model does not weigh it."""
    refs_a: tuple[int, ...]
    refs_b: tuple[int, ...]


class Explainer:
    """Explains links of one set of observations under one model."""

    def __init__(self, observations: Observations, features: Features, model: TrainedModel) -> None:
        """Keep what explaining needs."""
        self._seen = observations
        self._features = features
        self._model = model
        self._last: tuple[tuple[int, int], tuple[Bar, ...]] | None = None
        self._cited: dict[tuple[int, str, tuple[str, ...]], tuple[int, ...]] = {}

    def explain(self, a: int, b: int) -> Waterfall:
        """Return the waterfall of a pair, in either order; raise MalformedError for an unknown or equal id."""
        a, b = self._pair(a, b)
        found = sorted(self._bars(a, b), key=lambda bar: (-abs(round(bar.bits, ROUND)), bar.name))
        bars, total = [self._prior()], self._model.prior_bits
        for bar in found:
            bars.append(replace(bar, before=total, after=total + bar.bits))
            total += bar.bits
        raw = np.array([round(total - self._model.prior_bits, ROUND)])
        bits = round(float(self._model.evidence(raw)[0]) + self._model.prior_bits, ROUND)
        bars.append(_plain(CALIBRATION, _calibration_words(bits - total), total, bits))
        return Waterfall(a=a, b=b, bits=bits, bars=tuple(bars))

    def against(self, a: int, b: int) -> tuple[Against, ...]:
        """Return what speaks against the pair, the unweighed first; raise MalformedError as `explain` does."""
        a, b = self._pair(a, b)
        found = [*self._facing(a, b), *self._simultaneous(a, b), *self._far(a, b)]
        bars = sorted(self._bars(a, b), key=lambda bar: (bar.bits, bar.name))
        found.extend(
            Against(
                kind="habit",
                words=f"{bar.label}: {bar.words}",
                bits=bar.bits,
                refs_a=bar.refs_a,
                refs_b=bar.refs_b,
            )
            for bar in bars
            if bar.bits <= -NOTABLE_BITS
        )
        return tuple(found)

    def _pair(self, a: int, b: int) -> tuple[int, int]:
        for identity in (a, b):
            if not 0 <= identity < self._features.count:
                raise MalformedError(
                    f"there is no identity {identity} among {self._features.count}",
                    hint="ids run from 0 in the order of the names",
                )
        if a == b:
            raise MalformedError(f"identity {a} cannot be linked to itself", hint="give two identities")
        return min(a, b), max(a, b)

    def _prior(self) -> Bar:
        others = self._features.count - 1
        words = f"before any evidence, of {others} others {others * self._model.prior:.2g} are expected to be the same party"
        return _plain(PRIOR, words, 0.0, self._model.prior_bits)

    def _bars(self, a: int, b: int) -> tuple[Bar, ...]:
        """Return a bar of each comparison; those of the last pair are kept, as both sides of a link ask for them."""
        if self._last is None or self._last[0] != (a, b):
            self._last = (a, b), tuple(self._bar(item, a, b) for item in self._model.comparisons)
        return self._last[1]

    def _bar(self, item: TrainedComparison, a: int, b: int) -> Bar:
        comparison = item.comparison
        feature = self._features.feature(comparison.name)
        one, other = np.array([a]), np.array([b])
        level = int(levels_of_pairs(self._features, comparison, one, other)[0])
        shared = _shared(feature, a, b) if level >= 0 else ()
        words = "not seen of both"
        if level >= 0:
            words = _words(feature, int(likeness_of_pairs(feature, one, other)[0]), shared)
            words += self._support(comparison, a, b)
        return Bar(
            name=comparison.name,
            label=comparison.label,
            reveals=comparison.reveals,
            level=level,
            words=words,
            alone=float(item.plain[level]),
            bits=float(item.table[level]),
            before=0.0,
            after=0.0,
            refs_a=self._refs(feature, a, shared),
            refs_b=self._refs(feature, b, shared),
        )

    def _support(self, comparison: Comparison, a: int, b: int) -> str:
        least = int(min(self._features.seen[a], self._features.seen[b]))
        if comparison.support and least < comparison.support:
            return f"; thin: {least} record{'' if least == 1 else 's'} on one side"
        return ""

    def _refs(self, feature: Feature, identity: int, shared: Sequence[str]) -> tuple[int, ...]:
        """Cite records that show the shared values, or else the first that show any."""
        column = '"at"' if feature.fields == ("at",) else feature.fields[0]
        condition, values = f"{column} IS NOT NULL", []
        if column != '"at"':
            kind = self._seen.field(column).kind
            if kind is FieldKind.CATEGORY and shared:
                condition, values = f"list_contains(?, {column})", [list(shared)]
            # Of a pattern the first texts are cited, whatever their own pattern.
            if kind is FieldKind.TEXT and shared and "_pattern" not in feature.name:
                condition, values = f"list_bool_or([contains(lower({column}), w) FOR w IN ?])", [list(shared)]
        key = identity, condition, tuple(shared) if values else ()
        if key not in self._cited:
            rows = self._seen.connection.execute(
                f"SELECT DISTINCT ref FROM records WHERE id = ? AND {condition} ORDER BY ref LIMIT {CITED}",
                [identity, *values],
            ).fetchall()
            self._cited[key] = tuple(ref for (ref,) in rows)
        return self._cited[key]

    def _facing(self, a: int, b: int) -> list[Against]:
        rows = self._seen.connection.execute(
            """SELECT DISTINCT ref FROM records WHERE id = ? AND ref IN (SELECT ref FROM records WHERE id = ?)
            ORDER BY ref""",
            [a, b],
        ).fetchall()
        if not rows:
            return []
        refs = tuple(ref for (ref,) in rows[:CITED])
        words = f"both stand in {len(rows)} of the same records: they deal with each other"
        return [Against(kind="face each other", words=words, bits=0.0, refs_a=refs, refs_b=refs)]

    def _simultaneous(self, a: int, b: int) -> list[Against]:
        rows = self._seen.connection.execute(
            f"""SELECT x.ref, y.ref FROM records x JOIN records y
                ON y."at" BETWEEN x."at" - {SECONDS} AND x."at" + {SECONDS}
            WHERE x.id = ? AND y.id = ? AND x.ref <> y.ref ORDER BY x.ref, y.ref""",
            [a, b],
        ).fetchall()
        if not rows:
            return []
        words = f"{len(rows)} times both were active within {SECONDS} seconds; by chance {self._by_chance(a, b):.2g}"
        one, other = zip(*rows, strict=True)
        return [
            Against(
                kind="simultaneous",
                words=words,
                bits=0.0,
                refs_a=tuple(sorted(set(one)))[:CITED],
                refs_b=tuple(sorted(set(other)))[:CITED],
            )
        ]

    def _by_chance(self, a: int, b: int) -> float:
        """Return how many such meetings independent activity, even over the common span of time, would give."""
        row = self._seen.connection.execute(
            """WITH s AS (SELECT max(low) AS low, min(high) AS high FROM (SELECT min("at") AS low, max("at") AS high
                FROM records WHERE id IN ($a, $b) GROUP BY id))
            SELECT any_value(high - low), count(*) FILTER (id = $a), count(*) FILTER (id = $b) FROM records, s
            WHERE id IN ($a, $b) AND "at" BETWEEN low AND high""",
            {"a": a, "b": b},
        ).fetchone()
        span, one, other = row or (0, 0, 0)
        return float(one * other * (2 * SECONDS + 1) / max(span or 0, 2 * SECONDS + 1))

    def _far(self, a: int, b: int) -> list[Against]:
        """Compare the middles of the active hours, whatever the model makes of them."""
        for feature in self._features:
            data = feature.data
            if feature.shape is not Shape.CIRCULAR or not isinstance(data, Scalar):
                continue
            if not (data.known[a] and data.known[b]):
                continue
            apart = int(likeness_of_pairs(feature, np.array([a]), np.array([b]))[0])
            if apart >= FAR_MINUTES:
                words = f"{feature.label}: {_apart(apart)}"
                refs = (self._refs(feature, a, ()), self._refs(feature, b, ()))
                return [
                    Against(kind="hours far apart", words=words, bits=0.0, refs_a=refs[0], refs_b=refs[1])
                ]
        return []


def _plain(name: str, words: str, before: float, after: float) -> Bar:
    return Bar(
        name=name,
        label=name,
        reveals="",
        level=0,
        words=words,
        alone=after - before,
        bits=after - before,
        before=before,
        after=after,
        refs_a=(),
        refs_b=(),
    )


def _calibration_words(change: float) -> str:
    how = "less" if change < 0.0 else "more"
    return f"of pairs with this sum, {how} are one party than the sum says: habits go together"


def _shared(feature: Feature, a: int, b: int) -> tuple[str, ...]:
    """Return the values that both sides show, the most telling first."""
    data = feature.data
    if isinstance(data, Profile):
        product = data.rows[a] * data.rows[b]
        order = np.lexsort((np.arange(product.size), -product))[:NAMED]
        return tuple(data.labels[at] for at in order if product[at] > 0.0)
    if isinstance(data, Items):
        one, other = (
            set(data.matrix.indices[data.matrix.indptr[i] : data.matrix.indptr[i + 1]]) for i in (a, b)
        )
        both = sorted(one & other, key=lambda item: (-int(data.weights[item]), int(item)))
        return tuple(data.labels[item] for item in both[:NAMED])
    return ()


def _words(feature: Feature, likeness: int, shared: Sequence[str]) -> str:
    named = ", ".join(shared)
    match feature.shape:
        case Shape.CIRCULAR:
            return _apart(likeness)
        case Shape.NUMERIC:
            if feature.unit.startswith("1/1000 doubling"):
                return f"apart by a factor of {2.0 ** (likeness / 1_000):.3g}"
            return f"apart by {likeness} {feature.unit}".rstrip()
        case Shape.PROFILE:
            alike = f"alike to {100 * likeness / PROFILE_LENGTH**2:.0f} %"
            return f"{alike}, most in {named}" if named else alike
        case Shape.OVERLAP | Shape.CATEGORY:
            return f"share {named} ({likeness / 1_000:.1f} bits of rarity)" if named else "share nothing"


def _apart(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min apart" if hours else f"{rest} min apart"
