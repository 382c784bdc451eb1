"""The tables between what was seen and what is made of it."""

from dataclasses import replace

import pytest

from pseudoledger.audit.trace.observations import Field, FieldKind, Observations, Resources, Source
from pseudoledger.errors import MalformedError

SIZE = Field(name="size", kind=FieldKind.NUMERIC, reveals="hardware", unit="chip", log=True)
PLACE = Field(name="place", kind=FieldKind.CATEGORY, reveals="place")
SOURCE = Source(name="test", vantage="public", digest="0" * 64, verified=True)


def filled(rows, **resources):
    found = Observations(fields=(SIZE, PLACE), source=SOURCE, resources=Resources(**resources))
    found.connection.execute("INSERT INTO identities VALUES (0, 'a', NULL), (1, 'b', 'x')")
    found.connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?)", rows)
    return found


ROWS = [(0, 10, 0, 8.0, "DE"), (1, 11, 1, None, "FR"), (1, 5, 2, 4.0, None)]


def test_rows_come_in_the_order_of_the_contract():
    with filled(ROWS) as found:
        assert found.count == 2
        assert found.record_count == 3
        assert found.names() == ("a", "b")
        assert found.id_of("b") == 1
        assert found.has_truth
        assert found.rows("records") == [ROWS[0], ROWS[2], ROWS[1]]
        assert found.field("size") is SIZE


def test_the_digest_does_not_depend_on_the_order_of_filling_and_does_on_every_value():
    with (
        filled(ROWS) as first,
        filled(ROWS[::-1]) as second,
        filled([*ROWS[:2], (1, 5, 2, 5.0, None)]) as other,
    ):
        assert first.digest() == second.digest()
        assert first.digest() != other.digest()


def test_an_unknown_identity_is_said_so():
    with filled(ROWS) as found, pytest.raises(MalformedError, match="nothing was seen of the identity z"):
        found.id_of("z")


@pytest.mark.parametrize("name", ["at", "Size", "1st", "a b", "x;y", "", "ö", "order"])
def test_a_field_has_a_name_that_can_stand_in_a_query(name):
    with pytest.raises(MalformedError):
        Observations(fields=(replace(SIZE, name=name),), source=SOURCE)


def test_two_fields_cannot_share_a_name():
    with pytest.raises(MalformedError, match="two columns"):
        Observations(fields=(SIZE, SIZE), source=SOURCE)


def test_the_files_go_when_it_is_closed(tmp_path):
    found = filled(ROWS, folder=tmp_path, threads=1, memory_limit="200MB")
    assert list(tmp_path.iterdir())
    found.close()
    found.close()
    assert not list(tmp_path.iterdir())


def test_a_limit_that_is_none_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(MalformedError, match="limits"):
        filled(ROWS, folder=tmp_path, memory_limit="plenty")
    assert not list(tmp_path.iterdir())
