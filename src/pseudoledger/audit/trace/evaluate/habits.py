"""Habits of the pseudonyms of a generated world, how they are inherited, and the records that come of them.

All arrays have one row per pseudonym (or per record) and are drawn from the generator given. Categories and words are
codes; `world` gives them names.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

SEGMENTS, CHIPS, REGIONS, TERMS, PURPOSES, KINDS = 40, 24, 36, 8, 4, 6
WORDS, LEXICON, FAVOURITES = 3_000, 80, 6
SEPARATORS, CASES, NUMBERINGS = 6, 3, 4
PATTERNS = SEPARATORS * CASES * NUMBERINGS
REFERENCES, PREFIXES = 10, 600
REGULARS = (0.4, 0.3, 0.2, 0.1)
LOCAL = 30
"""Counterparties of a segment's own market."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """Habits, one row per pseudonym."""

    segment: Ints
    hour: Reals
    hour_spread: Reals
    working: Reals
    size: Reals
    size_spread: Reals
    length: Reals
    price: Reals
    gap_days: Reals
    chip: Reals
    region: Reals
    term: Reals
    purpose: Reals
    kind: Reals
    regulars: Ints
    words: Ints
    pattern: Ints
    reference: Ints
    prefix: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What all owners share: the habits of segments, and how popular everything is."""

    counterparties: int
    hour: Reals
    working: Reals
    size: Reals
    chip: Reals
    region: Reals
    term: Reals
    purpose: Reals
    kind: Reals
    lexicon: Ints
    local: Ints


STEPS = {"hour": 2.0, "hour_spread": 0.3, "working": 0.05, "size": 0.7, "length": 0.7, "price": 0.03}
"""How far a habit is shifted by a wholly careful owner, one standard deviation."""


def zipf(generator: np.random.Generator, number: int | tuple[int, ...], count: int, exponent: float) -> Ints:
    """Draw codes 0 to count - 1 with probability proportional to 1 / (code + 1) ** exponent."""
    weights = 1.0 / np.arange(1, count + 1) ** exponent
    edges = np.cumsum(weights / weights.sum())
    return np.minimum(np.searchsorted(edges, generator.random(number)), count - 1).astype(np.int64)


def draw_market(generator: np.random.Generator, counterparties: int) -> Market:
    """Draw the segments."""

    def shares(count: int, strength: float) -> Reals:
        popular = 1.0 / np.arange(1, count + 1)
        return generator.dirichlet(strength * popular / popular.sum() + 0.02, SEGMENTS)

    return Market(
        counterparties=counterparties,
        hour=generator.choice([2.0, 8.0, 9.0, 15.0, 18.0], SEGMENTS) + generator.normal(0, 1, SEGMENTS),
        working=generator.uniform(0.3, 0.95, SEGMENTS),
        size=generator.normal(4, 1.5, SEGMENTS),
        chip=shares(CHIPS, 5),
        region=shares(REGIONS, 6),
        term=shares(TERMS, 6),
        purpose=shares(PURPOSES, 6),
        kind=shares(KINDS, 20),
        lexicon=zipf(generator, (SEGMENTS, LEXICON), WORDS, 0.6),
        local=zipf(generator, (SEGMENTS, LOCAL), counterparties, 0.5),
    )


def draw_segments(generator: np.random.Generator, count: int) -> Ints:
    """Draw the segment of each pseudonym; heavy-tailed."""
    return zipf(generator, count, SEGMENTS, 1.1)


def draw_habits(generator: np.random.Generator, market: Market, segment: Ints) -> Habits:
    """Draw habits for each segment given, each independent of all others."""
    count = len(segment)

    def preference(shares: Reals, strength: float) -> Reals:
        drawn = generator.gamma(strength * shares[segment] + 1e-3)
        return np.asarray(drawn / np.maximum(drawn.sum(axis=1, keepdims=True), 1e-12))

    own = generator.random((count, len(REGULARS))) < 0.6
    local = market.local[segment[:, None], zipf(generator, (count, len(REGULARS)), LOCAL, 0.8)]
    anywhere = zipf(generator, (count, len(REGULARS)), market.counterparties, 0.9)
    lexical = generator.random((count, FAVOURITES)) < 0.5
    jargon = market.lexicon[segment[:, None], zipf(generator, (count, FAVOURITES), LEXICON, 0.7)]
    return Habits(
        segment=segment,
        hour=market.hour[segment] + generator.normal(0, 2.5, count),
        hour_spread=generator.uniform(0.8, 3.5, count),
        working=np.clip(market.working[segment] + generator.normal(0, 0.15, count), 0, 1),
        size=market.size[segment] + generator.normal(0, 1.0, count),
        size_spread=generator.uniform(0.2, 0.9, count),
        length=generator.normal(6, 1.2, count),
        price=generator.normal(1.0, 0.08, count),
        gap_days=np.exp(generator.normal(np.log(6), 0.7, count)),
        chip=preference(market.chip, 3),
        region=preference(market.region, 2.5),
        term=preference(market.term, 3),
        purpose=preference(market.purpose, 3),
        kind=preference(market.kind, 8),
        regulars=np.where(own, local, anywhere),
        words=np.where(lexical, jargon, zipf(generator, (count, FAVOURITES), WORDS, 0.8)),
        pattern=zipf(generator, count, PATTERNS, 0.9),
        reference=zipf(generator, count, REFERENCES, 0.8),
        prefix=zipf(generator, count, PREFIXES, 0.7),
    )


def inherit(
    generator: np.random.Generator, market: Market, care: Reals, position: Ints, *, drift: float
) -> Habits:
    """Return the habits of pseudonyms in the order of owners: row i follows row i - 1 where position[i] > 0.

    Each habit of a follower is the one before it, shifted by a step that grows with care, or, with a probability of
    drift x care, drawn anew; the segment with drift x care^3. Single counterparties and words are replaced singly.
    """
    count = len(care)
    segment = draw_segments(generator, count)
    anew = generator.random(count) < drift * care**3
    for step in range(1, int(position.max(initial=0)) + 1):
        follower = np.flatnonzero((position == step) & ~anew)
        segment[follower] = segment[follower - 1]
    fresh = draw_habits(generator, market, segment)
    changes = {}
    for item in fields(Habits):
        if item.name == "segment":
            continue
        value: npt.NDArray[np.generic] = getattr(fresh, item.name)
        per_entry = item.name in {"regulars", "words"}
        chance = generator.random(value.shape if per_entry else count)
        keep = chance >= drift * (care[:, None] if per_entry else care)
        changes[item.name] = _follow(generator, value, keep, care, position, STEPS.get(item.name, 0.0))
    return replace(fresh, **changes)


def _follow(  # noqa: PLR0917 - one step of a formula
    generator: np.random.Generator,
    fresh: npt.NDArray[Any],
    keep: npt.NDArray[np.bool_],
    care: Reals,
    position: Ints,
    step: float,
) -> npt.NDArray[Any]:
    value = fresh.copy()
    shift = step * care * generator.standard_normal(len(care)) if step else None
    for place in range(1, int(position.max(initial=0)) + 1):
        rows = np.flatnonzero(position == place)
        kept = keep[rows]
        if kept.ndim < value.ndim:
            kept = kept[:, None]
        before = value[rows - 1] if shift is None else value[rows - 1] + shift[rows]
        value[rows] = np.where(kept, before, fresh[rows])
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Records, one row each, in the order of the pseudonyms; codes where `world` has names."""

    pseudonym: Ints
    at: Ints
    size: Reals
    length: Reals
    price: Reals
    chip: Ints
    region: Ints
    term: Ints
    purpose: Ints
    kind: Ints
    counterparty: Ints
    word: Ints
    second_word: Ints
    pattern: Ints
    number: Ints
    reference: Ints
    prefix: Ints
    written: npt.NDArray[np.bool_]
    """Whether the record has a text."""
    brokered: npt.NDArray[np.bool_]


def draw_records(
    generator: np.random.Generator,
    market: Market,
    habits: Habits,
    number: Ints,
    start_days: Reals,
    *,
    from_: int,
) -> Drawn:
    """Draw number[i] records of each pseudonym, from start_days[i] after the Unix time `from_`."""
    who = np.repeat(np.arange(len(number)), number)
    count = len(who)
    place = np.arange(count) - np.repeat(np.cumsum(number) - number, number)

    def pick(shares: Reals) -> Ints:
        edges = np.cumsum(shares, axis=1)
        found = (generator.random(count)[:, None] > edges[who]).sum(axis=1)
        return np.asarray(np.minimum(found, shares.shape[1] - 1), np.int64)

    wait = generator.exponential(1.0, count) * habits.gap_days[who]
    total = np.cumsum(wait)
    before = np.repeat((np.cumsum(number) - number), number)
    day = np.floor(start_days[who] + total - total[before] + wait[before] * generator.random(count)).astype(
        np.int64
    )
    weekday = (day + from_ // 86_400 + 3) % 7
    day += np.where((weekday >= 5) & (generator.random(count) < habits.working[who]), 7 - weekday, 0)
    hour = habits.hour[who] + generator.normal(0, 1, count) * habits.hour_spread[who]
    second = np.floor((hour % 24) * 3_600).astype(np.int64) % 86_400
    regular = habits.regulars[
        who, np.searchsorted(np.cumsum(REGULARS)[:-1], generator.random(count), "right")
    ]
    anybody = zipf(generator, count, market.counterparties, 0.9)
    favourite = habits.words[who, generator.integers(0, FAVOURITES, count)]
    jargon = market.lexicon[habits.segment[who], zipf(generator, count, LEXICON, 0.7)]
    return Drawn(
        pseudonym=who,
        at=from_ + day * 86_400 + second,
        size=np.maximum(
            1, np.rint(2 ** (habits.size[who] + generator.normal(0, 1, count) * habits.size_spread[who]))
        ),
        length=np.maximum(1, np.rint(2 ** (habits.length[who] + generator.normal(0, 0.6, count)))),
        price=np.round(habits.price[who] + generator.normal(0, 0.03, count), 4),
        chip=pick(habits.chip),
        region=pick(habits.region),
        term=pick(habits.term),
        purpose=pick(habits.purpose),
        kind=pick(habits.kind),
        counterparty=np.where(generator.random(count) < 0.75, regular, anybody),
        word=favourite,
        second_word=np.where(
            generator.random(count) < 0.6, habits.words[who, generator.integers(0, FAVOURITES, count)], jargon
        ),
        pattern=np.where(
            generator.random(count) < 0.9, habits.pattern[who], zipf(generator, count, PATTERNS, 0.9)
        ),
        number=place + 1,
        reference=habits.reference[who],
        prefix=habits.prefix[who],
        written=generator.random(count) < 0.5,
        brokered=generator.random(count) < 0.5,
    )
