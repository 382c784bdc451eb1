"""Tables that hold little: identities and times alone, identities and edges alone, owners of a few."""

import random

import msgspec
import pytest

from pseudoledger.audit.trace.engine import DUCKDB
from pseudoledger.audit.trace.evaluate.measure import measure
from pseudoledger.audit.trace.foreign import read_observations
from pseudoledger.audit.trace.report.check import broken
from pseudoledger.audit.trace.report.page import LANGUAGES, to_html
from pseudoledger.audit.trace.report.run import Asked, trace_table
from pseudoledger.audit.trace.report.values import from_json, to_json
from pseudoledger.audit.trace.report.words import WORDS
from pseudoledger.audit.trace.roles import Columns
from pseudoledger.audit.trace.tracing import trace
from pseudoledger.errors import MalformedError

OWNERS = 40
TIED = 20
DAY = 86_400


@pytest.fixture(scope="module")
def diary(tmp_path_factory):
    """Times of 40 owners of two keys each, who keep their hours, pauses and days off; the first 20 pairs are tied."""
    folder = tmp_path_factory.mktemp("diary")
    drawn = random.Random(3)
    rows = []
    for owner in range(OWNERS):
        hour, pause, weekdays = drawn.random() * 24, drawn.choice([3, 8, 20, 40]), drawn.random() < 0.5
        for key in (2 * owner, 2 * owner + 1):
            at = 1_767_225_600 + drawn.randrange(20 * DAY)
            for _ in range(40):
                at += int(pause * 3600 * drawn.uniform(0.7, 1.3))
                day = at // DAY + (2 if weekdays and (at // DAY + 3) % 7 >= 5 else 0)
                second = int((hour + drawn.gauss(0, 0.5)) % 24 * 3600)
                rows.append(f"k{key:03d},{day * DAY + second},o{owner}\n")
    drawn.shuffle(rows)
    (folder / "diary.csv").write_text("identity,time,group\n" + "".join(rows))
    ties = "".join(f"k{2 * one:03d},k{2 * one + 1:03d}\n" for one in range(TIED))
    (folder / "ties.csv").write_text(f"a,b\n{ties}")
    return folder


def owners_of(folder, kept):
    """Copy the diary with the owners of some identities alone; return its path."""
    path = folder / f"known-{len(kept)}.csv"
    first, *rest = (folder / "diary.csv").read_text().splitlines()
    cells = [row.split(",") for row in rest]
    path.write_text("\n".join([first, *(",".join([k, at, o if k in kept else ""]) for k, at, o in cells)]))
    return path


@pytest.fixture(scope="module")
def kept_hours(diary):
    return trace_table(diary / "diary.csv", Asked(), columns=Columns(), edges=diary / "ties.csv")


def test_hours_alone_tell_who_is_who_where_some_pairs_are_known(kept_hours):
    main, scored = kept_hours.vantages[0], kept_hours.scored
    assert main.fields == ()
    assert main.model.learnt_from == TIED
    assert {one.reveals for one in main.model.comparisons} == {"time"}
    assert scored.recall > scored.blocking_recall * 0.8 > 0.7
    assert scored.auc > 0.95
    assert scored.f1 > scored.hard_f1
    assert kept_hours.self_test.found > 0.8 * kept_hours.self_test.planted
    assert from_json(to_json(kept_hours)) == kept_hours
    assert list(broken(kept_hours)) == []


def test_hours_alone_without_any_known_pair_say_nothing(diary):
    found = trace_table(diary / "diary.csv", Asked(), columns=Columns())
    assert {one.verdict for one in found.all} == {"unweighed"}
    assert found.scored.recall == 0
    assert [leak.field for leak in found.identities[0].leaks] == ["hour of the day", "day of the week"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_table_of_ties_alone(tmp_path, language):
    (tmp_path / "who.csv").write_text("identity\n" + "".join(f"k{number}\n" for number in range(8)))
    (tmp_path / "ties.csv").write_text("a,b,kind\nk1,k2,same device\nk2,k3,\n")
    columns = Columns(time="")
    found = trace_table(tmp_path / "who.csv", Asked(), columns=columns, edges=tmp_path / "ties.csv")
    assert [one.name for one in found.all if one.verdict == "linked"] == ["k1", "k2", "k3"]
    assert {one.verdict for one in found.all} == {"linked", "unweighed"}
    first = next(one for one in found.identities if one.name == "k1")
    assert [(step.kind, step.refs) for step in first.paths[-1].steps] == [
        ("same device", (1,)),
        ("edge", (2,)),
    ]
    assert (first.leaks, first.combination, first.timeline, first.k) == ((), (), (), 8)
    assert found.scored is None
    page = to_html(found, language).decode()
    assert "1970" not in page
    size = WORDS[language]["size_table"].format(n=8)
    assert WORDS[language]["span_none"].format(size=size) in page
    assert WORDS[language]["scored_none"] in page


# Owners of some


def test_scores_are_over_those_whose_owners_are_known(diary, kept_hours):
    known = {f"k{number:03d}" for number in range(TIED, 60)}
    found = trace_table(owners_of(diary, known), Asked(), columns=Columns(), edges=diary / "ties.csv")
    assert (found.scored.known, found.scored.true_pairs) == (40, 20)
    assert (kept_hours.scored.known, kept_hours.scored.true_pairs) == (2 * OWNERS, OWNERS)
    assert found.all == kept_hours.all, "owners have no influence"
    # By hand: the pairs of two known ones in one cluster, and those of one owner among them.
    cluster = {one.name: one.cluster for one in found.all if one.name in known}
    pairs = [(a, b) for a in sorted(known) for b in sorted(known) if a < b and cluster[a] == cluster[b]]
    right = [(a, b) for a, b in pairs if int(a[1:]) // 2 == int(b[1:]) // 2]
    assert found.scored.precision == pytest.approx(len(right) / len(pairs), abs=1e-6)
    assert found.scored.recall == pytest.approx(len(right) / 20, abs=1e-6)
    counted = sum(one.count for one in found.scored.reliability)
    assert 0 < counted < sum(one.count for one in kept_hours.scored.reliability)
    page = to_html(found, "en").decode()
    assert "The owners of 40 of 80 identities are known; 20 pairs of these have one owner." in page


def test_owners_of_two_strangers_leave_nothing_to_find(diary):
    path = owners_of(diary, {"k000", "k070"})
    found = trace_table(path, Asked(), columns=Columns(), edges=diary / "ties.csv").scored
    assert (found.known, found.true_pairs, found.recall, found.auc) == (2, 0, 1.0, None)


def test_two_known_ones_that_were_not_compared_have_no_calibration(tmp_path):
    (tmp_path / "who.csv").write_text("identity,group\na,p\nb,p\nc,\n")
    (tmp_path / "ties.csv").write_text("a,b\nb,c\n")
    columns = Columns(time="")
    found = trace_table(tmp_path / "who.csv", Asked(), columns=columns, edges=tmp_path / "ties.csv")
    scored = found.scored
    assert (scored.auc, scored.brier, scored.ece, scored.reliability) == (None, None, None, ())
    assert (scored.known, scored.true_pairs, scored.recall, scored.precision) == (2, 1, 0.0, 1.0)
    assert from_json(to_json(found)) == found
    assert "<dd>\N{EN DASH}</dd>" in to_html(found, "en").decode()
    assert msgspec.json.decode(to_json(found))["scored"]["auc"] is None


def test_the_owner_of_one_is_too_little(diary):
    path = owners_of(diary, {"k000"})
    assert trace_table(path, Asked(), columns=Columns(), edges=diary / "ties.csv").scored is None
    with read_observations(path) as seen, pytest.raises(MalformedError, match="owners of 2 identities"):
        measure(seen, trace(seen, seed=1, engine=DUCKDB))
