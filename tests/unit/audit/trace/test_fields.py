"""What published fields give away, on a ledger small enough to count by hand."""

import math
from dataclasses import replace

import pytest

from pseudoledger.audit.trace.fields import PublishedFields, leak_table
from pseudoledger.audit.trace.observations import Field, FieldKind, Observations, Source
from pseudoledger.errors import MalformedError

SIZE = Field(name="size", kind=FieldKind.NUMERIC, reveals="hardware", unit="chip", log=True)
RATE = Field(name="rate", kind=FieldKind.NUMERIC, reveals="money", unit="EUR")
PLACE = Field(name="place", kind=FieldKind.CATEGORY, reveals="place")
SOURCE = Source(name="test", vantage="public", digest="0" * 64, verified=True)
MONDAY = 4 * 86_400  # 1970-01-05
NINE = MONDAY + 9 * 3_600

ROWS = [  # id, at, ref, size, rate, place
    (0, NINE, 0, 8.0, 1.0, "DE"),
    (0, NINE + 60, 1, 9.0, 1.0, "DE"),
    (0, NINE + 86_400, 2, 8.0, None, "IS"),
    (1, NINE + 120, 3, 8.0, 3.0, "DE"),
    (2, NINE + 7_200, 4, 8.5, 3.0, "FR"),
    (3, NINE, 5, 64.0, math.inf, "DE"),
]


@pytest.fixture
def seen():
    with Observations(fields=(SIZE, RATE, PLACE), source=SOURCE) as found:
        found.connection.execute(
            "INSERT INTO identities VALUES (0, 'a', NULL), (1, 'b', NULL), (2, 'c', NULL), (3, 'd', NULL)"
        )
        found.connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", ROWS)
        yield found


def test_the_rarest_value_of_each_field_is_the_leak(seen):
    leaks = PublishedFields(seen).leaks(0)
    assert [(leak.field, leak.value, leak.identities, leak.bits) for leak in leaks] == [
        ("day of the week", "Tuesday", 1, 2.0),
        ("place", "IS", 1, 2.0),
        ("rate", "1 to 2 EUR", 1, 2.0),
        ("hour of the day", "09:00 to 10:00 UTC", 3, pytest.approx(math.log2(4 / 3))),
        ("size", "8 to 11.31 chip", 3, pytest.approx(math.log2(4 / 3))),
    ]
    assert [leak.refs for leak in leaks] == [(2,), (2,), (0, 1), (0, 1, 2), (0, 1, 2)]
    assert [leak.records for leak in leaks] == [1, 1, 2, 3, 3]
    assert {leak.seen_by for leak in leaks} == {("public",)}


def test_a_number_that_is_none_is_not_published(seen):
    assert "rate" not in {leak.field for leak in PublishedFields(seen).leaks(3)}


def test_the_combination_narrows_step_by_step(seen):
    found = PublishedFields(seen).combination(1)
    # Typical of 1: Monday (all four), DE (0, 1, 3), 09 h (0, 1, 3), size 8 to 11 (0, 1, 2), rate 3 to 4 (1, 2).
    assert [(step.field, step.k) for step in found.steps] == [
        ("rate", 2),
        ("hour of the day", 1),
        ("size", 1),
        ("place", 1),
        ("day of the week", 1),
    ]
    assert (found.k, found.bits) == (1, 2.0)
    assert found.steps[0].value == "3 to 4 EUR"


def test_diversity_is_what_the_other_fields_leave_open(seen):
    """Who knows all of identity 0 but its rate finds 0 and 1, with two rates; but its place: 0 alone."""
    found = {item.field: item for item in PublishedFields(seen).combination(0).diversity}
    assert (found["rate"].distinct, found["rate"].entropy) == (2, pytest.approx(2.0))
    assert (found["place"].distinct, found["place"].entropy) == (1, 1.0)


def test_several_vantage_points_make_one_table(seen):
    public = PublishedFields(seen)
    with Observations(fields=(SIZE, PLACE), source=replace(SOURCE, vantage="broker")) as other:
        other.connection.execute("INSERT INTO identities VALUES (0, 'a', NULL), (1, 'b', NULL)")
        other.connection.execute("INSERT INTO records VALUES (0, NULL, 7, 8, 'DE'), (1, NULL, 8, 64, 'DE')")
        rows = {leak.field: leak for leak in leak_table([(public, 0), (PublishedFields(other), 0)])}
    assert rows["size"].bits == 1.0
    assert rows["size"].refs == (7,)
    assert rows["size"].seen_by == ("public", "broker")
    assert rows["place"].value == "IS"
    assert rows["rate"].seen_by == ("public",)
    assert rows["hour of the day"].seen_by == ("public",)


def test_an_identity_that_does_not_exist_is_refused(seen):
    with pytest.raises(MalformedError, match="no identity 4"):
        PublishedFields(seen).leaks(4)
    with pytest.raises(MalformedError, match="no identity -1"):
        PublishedFields(seen).combination(-1)


def test_one_identity_that_published_nothing():
    with Observations(fields=(PLACE,), source=SOURCE) as found:
        found.connection.execute("INSERT INTO identities VALUES (0, 'a', NULL)")
        view = PublishedFields(found)
        assert view.leaks(0) == ()
        assert view.combination(0).k == 1
        assert view.combination(0).steps == ()
