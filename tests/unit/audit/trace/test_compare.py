"""Features and levels: by hand, and the same in SQL as in numpy."""

import numpy as np
import pyarrow as pa
import pytest

from pseudoledger.audit.trace.compare import (
    Comparison,
    comparisons,
    level_conditions,
    levels_of_one,
    levels_of_pairs,
    likeness_of_pairs,
    random_pairs,
)
from pseudoledger.audit.trace.evaluate.world import Seat, World, generate
from pseudoledger.audit.trace.features import Items, Profile, Scalar, Shape, features
from pseudoledger.audit.trace.observations import Field, FieldKind, Observations, Source

DAY = 86_400
SOURCE = Source(name="by hand", vantage="", digest="0" * 64, verified=True)
FIELDS = (
    Field(name="size", kind=FieldKind.NUMERIC, reveals="hardware", log=True),
    Field(name="chip", kind=FieldKind.CATEGORY, reveals="hardware"),
    Field(name="other", kind=FieldKind.CATEGORY, reveals="counterparty"),
    Field(name="note", kind=FieldKind.TEXT, reveals="free_text"),
)


def observed(rows, fields=FIELDS, count=None):
    made = Observations(fields=fields, source=SOURCE)
    for place in range(count or 1 + max(row[0] for row in rows)):
        made.connection.execute("INSERT INTO identities VALUES (?, ?, NULL)", [place, f"p{place}"])
    marks = ", ".join("?" * (3 + len(fields)))
    for place, (identity, at, *values) in enumerate(rows):
        made.connection.execute(f"INSERT INTO records VALUES ({marks})", [identity, at, place, *values])
    return made


def test_features_by_hand():
    # 1970-01-01 was a Thursday: days 0 and 1 are working days, 2 and 3 the weekend.
    rows = [
        (0, 0 * DAY + 23 * 3600, 8.0, "a", "x", "Run-7 alpha"),
        (0, 1 * DAY + 1 * 3600, 32.0, "a", "x", "Run-8 alpha"),
        (0, 2 * DAY + 0 * 3600, 8.0, "b", "y", None),
        (1, 1 * DAY + 12 * 3600, 2.0, "b", "x", "beta"),
        (2, None, None, None, None, None),
    ]
    with observed(rows) as seen:
        found = features(seen)
        hour = found.feature("hour").data
        assert isinstance(hour, Scalar)
        assert hour.known.tolist() == [True, True, False]
        # 23:00, 01:00 and 00:00 have their middle at midnight, not at noon.
        assert hour.values.tolist()[:2] == [0, 720]
        size = found.feature("size").data
        assert isinstance(size, Scalar)
        assert size.values.tolist()[:2] == [(3000 + 5000 + 3000) // 3, 1000]
        # Of three records two are on working days; one record says nothing of its owner's weekdays.
        assert "weekday_share" not in [item.name for item in found]
        chip = found.feature("chip").data
        assert isinstance(chip, Profile)
        assert chip.labels == ("a", "b")
        other = found.feature("other").data
        assert isinstance(other, Items)
        # x is held by two of three identities: log2(3 / 2) = 0.585 bits; y by one, so it can be shared by nobody.
        assert other.weights[other.labels.index("x")] == 585
        assert other.matrix.toarray()[:, other.labels.index("y")].tolist() == [0, 0, 0]
        assert found.seen.tolist() == [3, 1, 1]
        assert found.feature("note_words").data.labels == ("alpha", "beta", "run")
        assert found.feature("note_pattern").data.labels == ("Aa-9 a", "a")


def test_the_day_goes_round_midnight():
    rows = [(0, 23 * 3600 + 1800, *[None] * 4), (1, 1800, *[None] * 4), (2, 12 * 3600, *[None] * 4)]
    with observed(rows) as seen:
        feature = features(seen).feature("hour")
        apart = likeness_of_pairs(feature, np.array([0, 0]), np.array([1, 2]))
    assert apart.tolist() == [60, 690]


def test_levels_by_hand():
    rows = [(place, place * 3600, *[None] * 4) for place in range(4)]
    with observed(rows) as seen:
        found = features(seen)
        comparison = Comparison(
            name="hour", label="", shape=Shape.CIRCULAR, fields=("at",), reveals="time", thresholds=(120, 60)
        )
        levels = levels_of_pairs(found, comparison, np.array([0, 0, 0]), np.array([1, 2, 3]))
    assert levels.tolist() == [2, 1, 0]


def test_support_lifts_the_levels():
    rows = [(identity, day * DAY, *[None] * 4) for identity in (0, 1) for day in range(2)] + [
        (2, 0, *[None] * 4)
    ]
    with observed(rows) as seen:
        comparison = Comparison(
            name="hour",
            label="",
            shape=Shape.CIRCULAR,
            fields=("at",),
            reveals="time",
            thresholds=(60,),
            support=2,
        )
        levels = levels_of_pairs(features(seen), comparison, np.array([0, 0]), np.array([1, 2]))
    assert comparison.levels == 4
    assert levels.tolist() == [3, 1]


@pytest.mark.parametrize("seat", list(Seat))
def test_sql_and_numpy_give_the_same_levels(seat):
    with generate(World(seed=11, identities=400), seat) as seen:
        found = features(seen)
        compared = comparisons(found, seed=1)
        assert {item.name for item in compared} == {item.name for item in found}
        a, b = random_pairs(found.count, 3_000, np.random.default_rng(2))
        # Alike pairs are few among random ones, so every true pair is asked for too.
        true = seen.connection.execute(
            "SELECT x.id AS a, y.id AS b FROM identities x JOIN identities y USING (truth) WHERE x.id < y.id ORDER BY ALL"
        ).fetchnumpy()
        a, b = (
            np.concatenate([a, true["a"].astype(np.int64)]),
            np.concatenate([b, true["b"].astype(np.int64)]),
        )
        seen.connection.register("asked", pa.table({"place": np.arange(len(a)), "a": a, "b": b}))
        reached = 0
        for item in compared:
            want = levels_of_pairs(found, item, a, b)
            assert levels_in_sql(seen.connection, item) == want.tolist(), item.name
            one = levels_of_one(found, item, int(a[0]))
            assert one[b[a == a[0]]].tolist() == want[a == a[0]].tolist()
            reached += len(set(want.tolist()))
        assert reached > 5 * len(compared)


def levels_in_sql(connection, item):
    left, right = f"l.{item.name}", f"r.{item.name}"
    conditions = level_conditions(item, left, right, "least(l.seen, r.seen)")
    assert len(conditions) == item.levels - 1
    cases = " ".join(f"WHEN {condition} THEN {level}" for level, condition in enumerate(conditions))
    rows = connection.execute(
        f"""SELECT CASE WHEN {left} IS NULL OR {right} IS NULL THEN -1 {cases} ELSE {item.levels - 1} END
        FROM asked JOIN features l ON l.id = asked.a JOIN features r ON r.id = asked.b ORDER BY asked.place"""
    ).fetchall()
    return [level for (level,) in rows]


def test_random_pairs_are_pairs():
    a, b = random_pairs(5, 2_000, np.random.default_rng(0))
    assert (a < b).all()
    assert len({*zip(a.tolist(), b.tolist(), strict=True)}) == 10
    assert len(random_pairs(1, 10, np.random.default_rng(0))[0]) == 0


def test_hostile_texts_and_values_are_taken_as_they_are():
    rows = [
        (0, 0, float("inf"), "'; DROP TABLE records; --", "x", "ab'cd\"ef"),
        (1, 0, float("nan"), "'; DROP TABLE records; --", "x", "نص"),
        (2, 0, -1.0, "", "", ""),
    ]
    with observed(rows) as seen:
        found = features(seen)
        assert "size" not in [item.name for item in found]
        assert len(seen.rows("records")) == 3
        assert "نص" in found.feature("note_words").data.labels
