"""Candidates: which pairs are worth scoring. Blocks of identities that share something rare, each block capped.

    rule        key                                                     from
    item        one item of a set                                       OVERLAP, CATEGORY
    two         two items of one set, unordered, with an hour band      OVERLAP (two counterparties, two words)
    where       two items of one set, unordered, with the main value    OVERLAP with each PROFILE of a place
    profile     the main value of each profile, with an hour band       all PROFILE features together
    when        an hour band; an hour with the doubling of the gap      times, where nothing else was seen

A block of more than `cap` identities makes no pair, and is counted. The cap is the largest of `CAPS` with which all
rules together make no more than `limit` pairs, so the work is bounded whatever the data. Provider by region is no
rule: its blocks grow with the square of the market. Pairs are written in chunks of ids, so that a memory limit holds.
Pairs that share no key are not scored; blocking recall says how many true ones are lost (`evaluate.scores`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pseudoledger.audit.trace.features import (
    DAY_MINUTES,
    PROFILE_VALUES,
    SCALE,
    Feature,
    Features,
    Integers,
    Shape,
)

CAPS = (200, 150, 100, 70, 50, 35, 25, 18, 12, 8, 5, 3, 2)
PAIRS_PER_IDENTITY = 60
PAIRS_MIN = 1_000_000
HOUR_BAND = 240
"""Minutes in a band."""
PAIRED_ITEMS = 4
"""Two items are taken from the rarest so many of a set."""
CHUNK_PAIRS = 1_000_000
HOUR_MINUTES = 60
KEY_PRIME = (1 << 56) - 5
"""Keys of more than nine profiles are taken modulo this; every engine has another hash."""
_NO_KEYS = "SELECT 0 AS rule, CAST(0 AS BIGINT) AS x, CAST(0 AS BIGINT) AS y, 0 AS band, id FROM features WHERE id < 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What blocking did; the pairs stand in the table `candidates(a, b)`, a < b, in that order."""

    cap: int
    blocks: int
    dropped: int
    """Blocks over the cap."""
    pairs: int


def candidates(features: Features, *, limit: int | None = None) -> Candidates:
    """Write the table `candidates`, replacing one that stands; at most `limit` pairs before doubles are taken out."""
    bound = max(PAIRS_MIN, PAIRS_PER_IDENTITY * features.count) if limit is None else limit
    connection, work = features.connection, features.work
    keys = " UNION ALL ".join(
        f"""SELECT CAST({place} AS INTEGER) AS rule, CAST(x AS BIGINT) AS x, CAST(y AS BIGINT) AS y,
            CAST(band AS INTEGER) AS band, id FROM ({query}) q"""
        for place, query in enumerate(_rules(features))
    )
    work.keep("block_keys", keys or _NO_KEYS)
    work.keep(
        "blocks",
        "SELECT rule, x, y, band, count(*) AS n FROM block_keys GROUP BY rule, x, y, band HAVING count(*) > 1",
    )
    sizes = work.arrays("SELECT n, count(*) AS number FROM blocks GROUP BY n ORDER BY n")
    size, number = sizes["n"].astype(np.int64), sizes["number"].astype(np.int64)
    cap, made = _cap(size, number, bound)
    connection.execute("CREATE OR REPLACE TABLE candidates(a INTEGER, b INTEGER)")
    chunks = 1 + made // (CHUNK_PAIRS * work.chunk_factor)
    for chunk in range(chunks):
        low, high = (chunk * features.count // chunks, (chunk + 1) * features.count // chunks)
        work.insert(
            "candidates",
            f"""SELECT DISTINCT l.id AS a, r.id AS b
            FROM (SELECT k.* FROM block_keys k SEMI JOIN (SELECT * FROM blocks WHERE n <= {cap}) s
                  ON k.rule = s.rule AND k.x = s.x AND k.y = s.y AND k.band = s.band
                  WHERE k.id >= {low} AND k.id < {high}) l
            JOIN block_keys r ON l.rule = r.rule AND l.x = r.x AND l.y = r.y AND l.band = r.band AND l.id < r.id""",
            order="a, b",
        )
    work.drop("block_keys", "blocks")
    ((pairs,),) = connection.execute("SELECT count(*) FROM candidates").fetchall()
    return Candidates(
        cap=cap, blocks=int(number.sum()), dropped=int(number[size > cap].sum()), pairs=int(pairs)
    )


def _cap(size: Integers, number: Integers, bound: int) -> tuple[int, int]:
    """Return the cap, and how many pairs the `number` of blocks of each `size` make with it."""
    made = 0
    for cap in CAPS:
        within = size <= cap
        made = int((number * (size * (size - 1) // 2))[within].sum())
        if made <= bound:
            return cap, made
    return CAPS[-1], made


def _rules(features: Features) -> list[str]:
    sets = [item for item in features if item.shape in {Shape.OVERLAP, Shape.CATEGORY}]
    profiles = [item for item in features if item.shape is Shape.PROFILE and item.reveals != "time"]
    hours = any(item.shape is Shape.CIRCULAR for item in features)
    band = f"coalesce(hour // {HOUR_BAND}, -1)" if hours else "-1"
    # A pseudonym near the edge of a band is in the next one too.
    bands = (
        f"[{band}, coalesce((hour + {HOUR_BAND // 2}) % {DAY_MINUTES} // {HOUR_BAND}, -1) + 10]"
        if hours
        else "[-1]"
    )
    rules = [f"SELECT unnest({item.name}) AS x, 0 AS y, -1 AS band, id FROM features" for item in sets]
    for item in sets:
        if item.shape is Shape.OVERLAP:
            rules.extend(_twos(item, bands, profiles))
    rules.extend(_across(sets, bands))
    if profiles:
        rules.append(_profile(profiles, bands))
    if hours and not rules:
        rules.extend(_when(features, bands))
    return rules


def _twos(item: Feature, bands: str, profiles: list[Feature]) -> list[str]:
    rarest = f"list_sort({item.name}, 'DESC')[1:{PAIRED_ITEMS}]"
    two = f"""SELECT id, s.v AS x, t.v AS y FROM (SELECT id, unnest({rarest}) AS v FROM features) s
        JOIN (SELECT id, unnest({rarest}) AS v FROM features) t USING (id) WHERE s.v < t.v"""
    found = [f"SELECT x, y, unnest({bands}) AS band, id FROM ({two}) JOIN features USING (id)"]
    found.extend(
        f"SELECT x, y, {_main(profile)} AS band, id FROM ({two}) JOIN features USING (id) WHERE {profile.name} IS NOT NULL"
        for profile in profiles
        if profile.reveals == "place"
    )
    return found


def _across(sets: list[Feature], bands: str) -> list[str]:
    """One habit of a set with one habit of another, with an hour band."""
    habits = [item for item in sets if item.shape is Shape.OVERLAP]
    return [
        f"""SELECT x, y, unnest({bands}) AS band, id FROM
            (SELECT id, unnest({one.name}) AS x FROM features) s JOIN
            (SELECT id, unnest({other.name}) AS y FROM features) t USING (id) JOIN features USING (id)"""
        for place, one in enumerate(habits)
        for other in habits[place + 1 :]
    ]


def _when(features: Features, bands: str) -> list[str]:
    """Who is active at one time of the day: a few wide blocks for small tables, many narrow ones for large."""
    gap = f"coalesce(gap // {SCALE}, -1)" if any(item.name == "gap" for item in features) else "-1"
    narrow = f"[hour // {HOUR_MINUTES}, (hour + {HOUR_MINUTES // 2}) % {DAY_MINUTES} // {HOUR_MINUTES} + 100]"
    return [
        f"SELECT {x} AS x, {y} AS y, unnest({band}) AS band, id FROM features WHERE hour IS NOT NULL"
        for x, y, band in (("0", 2, bands), (gap, 3, narrow))
    ]


def _main(profile: Feature) -> str:
    """Return SQL for the place of the largest entry of a profile."""
    return f"list_position({profile.name}::FLOAT[], list_max({profile.name}::FLOAT[]))"


def _profile(profiles: list[Feature], bands: str) -> str:
    """All main values as one number, digit by digit: up to nine of them without loss."""
    key = "CAST(0 AS BIGINT)"
    for profile in profiles:
        key = f"({key} * {PROFILE_VALUES + 1} + coalesce({_main(profile)}, 0)) % {KEY_PRIME}"
    return f"SELECT {key} AS x, 1 AS y, unnest({bands}) AS band, id FROM features"
