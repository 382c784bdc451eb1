"""Candidates: which pairs are worth scoring. Blocks of identities that share something rare, each block capped.

    rule        key                                                     from
    item        one item of a set                                       OVERLAP, CATEGORY
    two         two items of one set, unordered, with an hour band      OVERLAP (two counterparties, two words)
    where       two items of one set, unordered, with the main value    OVERLAP with each PROFILE of a place
    profile     the main value of each profile, with an hour band       all PROFILE features together

A block of more than `cap` identities makes no pair, and is counted. The cap is the largest of `CAPS` with which all
rules together make no more than `limit` pairs, so the work is bounded whatever the data. Provider by region is no
rule: its blocks grow with the square of the market. Pairs are written in chunks of ids, so that a memory limit holds.
Pairs that share no key are not scored; blocking recall says how many true ones are lost (`evaluate.scores`).
"""

from __future__ import annotations

from dataclasses import dataclass

from pseudoledger.audit.trace.features import DAY_MINUTES, Feature, Features, Shape

CAPS = (200, 150, 100, 70, 50, 35, 25, 18, 12, 8, 5, 3, 2)
PAIRS_PER_IDENTITY = 60
PAIRS_MIN = 1_000_000
HOUR_BAND = 240
"""Minutes in a band."""
PAIRED_ITEMS = 4
"""Two items are taken from the rarest so many of a set."""
CHUNK_PAIRS = 1_000_000


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
    connection = features.connection
    connection.execute(
        "CREATE OR REPLACE TABLE block_keys(rule SMALLINT, x BIGINT, y BIGINT, band INTEGER, id INTEGER)"
    )
    for place, query in enumerate(_rules(features)):
        connection.execute(f"INSERT INTO block_keys SELECT {place}, x, y, band, id FROM ({query})")
    connection.execute(
        "CREATE OR REPLACE TABLE blocks AS SELECT rule, x, y, band, count(*) AS n FROM block_keys GROUP BY ALL HAVING n > 1"
    )
    cap, made = _cap(features, bound)
    connection.execute("CREATE OR REPLACE TABLE candidates(a INTEGER, b INTEGER)")
    chunks = 1 + made // CHUNK_PAIRS
    for chunk in range(chunks):
        low, high = (chunk * features.count // chunks, (chunk + 1) * features.count // chunks)
        connection.execute(
            """INSERT INTO candidates
            SELECT DISTINCT l.id AS a, r.id AS b
            FROM (SELECT k.* FROM block_keys k SEMI JOIN (FROM blocks WHERE n <= $cap) s
                  ON k.rule = s.rule AND k.x = s.x AND k.y = s.y AND k.band = s.band
                  WHERE k.id >= $low AND k.id < $high) l
            JOIN block_keys r ON l.rule = r.rule AND l.x = r.x AND l.y = r.y AND l.band = r.band AND l.id < r.id
            ORDER BY a, b""",
            {"cap": cap, "low": low, "high": high},
        )
    row = connection.execute(
        "SELECT count(*), count(*) FILTER (n > $cap), (SELECT count(*) FROM candidates) FROM blocks",
        {"cap": cap},
    ).fetchall()[0]
    connection.execute("DROP TABLE block_keys; DROP TABLE blocks")
    return Candidates(cap=cap, blocks=row[0], dropped=row[1], pairs=row[2])


def _cap(features: Features, bound: int) -> tuple[int, int]:
    made = 0
    for cap in CAPS:
        row = features.connection.execute(
            "SELECT coalesce(sum(n * (n - 1) // 2), 0)::BIGINT FROM blocks WHERE n <= $cap", {"cap": cap}
        ).fetchall()
        made = int(row[0][0])
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


def _main(profile: Feature) -> str:
    """Return SQL for the place of the largest entry of a profile."""
    return f"list_position({profile.name}::FLOAT[], list_max({profile.name}::FLOAT[]))"


def _profile(profiles: list[Feature], bands: str) -> str:
    key = "hash(" + ", ".join(f"coalesce({_main(profile)}, 0)" for profile in profiles) + ")"
    return f"SELECT ({key} >> 1)::BIGINT AS x, 1 AS y, unnest({bands}) AS band, id FROM features"
