"""Waterfalls sum to the link, cite what they rest on, and what speaks against is found."""

import numpy as np
import pytest
from seeded import COUNT, CURVE, FIELDS, SOURCE, any_model, fill

from pseudoledger.audit.trace.compare import comparisons
from pseudoledger.audit.trace.explain import Explainer
from pseudoledger.audit.trace.features import features
from pseudoledger.audit.trace.model import TrainedComparison, TrainedModel
from pseudoledger.audit.trace.observations import Field, FieldKind, Observations
from pseudoledger.audit.trace.scan import Scanner
from pseudoledger.errors import MalformedError

DAY = 86_400


@pytest.fixture(scope="module")
def world():
    with Observations(fields=FIELDS, source=SOURCE) as seen:
        fill(seen)
        found = features(seen)
        yield seen, found, any_model(found, comparisons(found, seed=2))


def test_the_bars_sum_to_the_bits_of_the_link(world):
    seen, found, model = world
    explainer, scanner = Explainer(seen, found, model), Scanner(found, model)
    for a, b in [(0, 1), (17, 3), (5, 119), (40, 41)]:
        link = explainer.explain(a, b)
        assert (link.a, link.b) == (min(a, b), max(a, b))
        assert sum(bar.bits for bar in link.bars) == pytest.approx(link.bits, abs=1e-6)
        assert link.bits == pytest.approx(scanner.scan(a)[b], abs=1e-6)
        assert [link.bars[0].name, link.bars[-1].name] == ["prior", "calibration"]
        assert link.bars[0].bits == model.prior_bits
        raw = sum(bar.bits for bar in link.bars[1:-1])
        assert link.bars[-1].bits == pytest.approx(float(model.curve(np.array([raw]))[0]) - raw, abs=1e-5)
        for bar, following in zip(link.bars, link.bars[1:], strict=False):
            assert bar.after == pytest.approx(bar.before + bar.bits)
            assert following.before == bar.after


def test_what_a_level_is_worth_alone_stands_beside_what_it_counts_for(world):
    seen, found, model = world
    weights = {item.comparison.name: item.weight for item in model.comparisons}
    for bar in Explainer(seen, found, model).explain(3, 9).bars[1:-1]:
        assert bar.bits == pytest.approx(weights[bar.name] * bar.alone, abs=1e-6)


def test_the_most_telling_bar_comes_first(world):
    seen, found, model = world
    bars = Explainer(seen, found, model).explain(2, 8).bars[1:-1]
    assert [abs(bar.bits) for bar in bars] == sorted((abs(bar.bits) for bar in bars), reverse=True)
    assert {bar.name for bar in bars} == {item.comparison.name for item in model.comparisons}


def test_what_is_not_known_of_both_says_so_and_weighs_nothing(world):
    seen, found, model = world
    bars = Explainer(seen, found, model).explain(0, COUNT - 1).bars[1:-1]
    assert {(bar.level, bar.words, bar.bits, bar.refs_b) for bar in bars} == {
        (-1, "not seen of both", 0.0, ())
    }


@pytest.mark.parametrize(("a", "b"), [(0, COUNT), (-1, 3)])
def test_unknown_identities_are_refused(world, a, b):
    seen, found, model = world
    with pytest.raises(MalformedError, match="there is no identity"):
        Explainer(seen, found, model).explain(a, b)


def test_an_identity_is_not_linked_to_itself(world):
    seen, found, model = world
    with pytest.raises(MalformedError, match="itself"):
        Explainer(seen, found, model).against(4, 4)


SMALL = (
    Field(name="size", kind=FieldKind.NUMERIC, reveals="hardware", log=True),
    Field(name="place", kind=FieldKind.CATEGORY, reveals="place"),
    Field(name="partner", kind=FieldKind.CATEGORY, reveals="counterparty"),
    Field(name="note", kind=FieldKind.TEXT, reveals="free_text"),
)


@pytest.fixture(scope="module")
def village():
    """Four identities; 0 and 1 have the same partner, place and words, 2 is active with 0, at the antipodes of 3."""
    rows = [
        (0, 9 * 3_600, 10, 8.0, "DE", "x", "RUN fox 1"),
        (0, DAY + 9 * 3_600, 11, 8.0, "FR", "y", "other"),
        (1, 9 * 3_600 + 1_800, 12, 16.0, "DE", "x", "fox: 7"),
        (1, DAY + 9 * 3_600 + 1_800, 13, 16.0, "IT", "z", None),
        (2, 9 * 3_600 + 2, 14, 64.0, "IT", "z", "none"),
        (2, DAY + 9 * 3_600 - 1, 15, 64.0, "IT", "z", "none"),
        (3, 21 * 3_600, 16, 8.0, "DE", "y", "RUN fox 2"),
        (3, 21 * 3_600, 14, 8.0, "DE", "y", "RUN fox 2"),
    ]
    with Observations(fields=SMALL, source=SOURCE) as seen:
        seen.connection.execute("INSERT INTO identities SELECT i, 'p' || i, NULL FROM range(4) t(i)")
        seen.connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        found = features(seen)
        trained = tuple(
            TrainedComparison(
                comparison=item,
                m=tuple(2.0 ** (level - 1) / 10_000 for level in range(item.levels)),
                u=(0.0001,) * item.levels,
                weight=1.0,
                bits=tuple(float(level - 1) for level in range(item.levels)),
            )
            for item in comparisons(found, seed=2)
        )
        model = TrainedModel(
            prior=1 / 3, curve=CURVE, comparisons=trained, seed=2, identities=4, hard_pairs=1
        )
        yield Explainer(seen, found, model)


def test_levels_are_said_in_words_and_cite_both_sides(village):
    bars = {bar.name: bar for bar in village.explain(1, 0).bars}
    assert bars["prior"].words == "before any evidence, of 3 others 1 are expected to be the same party"
    assert bars["hour"].words.startswith("30 min apart")
    assert bars["size"].words.startswith("apart by a factor of 2")
    assert "most in DE" in bars["place"].words
    assert (bars["place"].refs_a, bars["place"].refs_b) == ((10,), (12,))
    note = bars["note_words"]
    assert "fox" in note.words
    assert "bits of rarity" in note.words
    assert (note.refs_a, note.refs_b) == ((10,), (12,))
    assert bars["hour"].refs_a == (10, 11)


def test_activity_in_the_same_seconds_speaks_against(village):
    found = {item.kind: item for item in village.against(0, 2)}
    together = found["simultaneous"]
    assert together.words.startswith("2 times both were active within 2 seconds; by chance")
    assert (together.refs_a, together.refs_b) == ((10, 11), (14, 15))
    assert "face each other" not in found


def test_hours_far_apart_and_dealing_with_each_other_speak_against(village):
    found = {item.kind: item for item in village.against(2, 3)}
    assert found["face each other"].refs_a == (14,)
    assert found["hours far apart"].words.startswith("middle of the active hours: 12 h 0")
    assert "simultaneous" not in found


def test_habits_that_differ_speak_against_with_their_bits(village):
    habits = [item for item in village.against(0, 2) if item.kind == "habit"]
    assert habits
    assert all(item.bits <= -0.5 for item in habits)
