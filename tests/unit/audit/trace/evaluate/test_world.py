"""The generated world: who sees what, what owners are like, and that a seed is a world."""

import numpy as np
import pytest

from pseudoledger.audit.trace.evaluate.world import FIELDS, Seat, World, careful_world, draw_owners, generate

SMALL = World(seed=4, identities=300)


def test_a_seed_is_a_world():
    with generate(SMALL, Seat.AUDITOR) as one, generate(SMALL, Seat.AUDITOR) as again:
        assert one.digest() == again.digest()
    with generate(World(seed=5, identities=300), Seat.AUDITOR) as other:
        assert other.digest() != one_digest(SMALL)


def one_digest(world):
    with generate(world, Seat.AUDITOR) as seen:
        return seen.digest()


def test_each_seat_sees_what_the_one_before_it_sees():
    with generate(SMALL, Seat.AUDITOR) as whole:
        everything = {row[2]: row for row in whole.rows("records")}
        names = [field.name for field in whole.fields]
        assert len(whole.rows("tokens")) > 300
        for seat in Seat:
            with generate(SMALL, seat) as seen:
                shown = [field.name for field in seen.fields]
                assert shown == names[: len(shown)]
                for row in seen.rows("records"):
                    for mine, all_ in zip(row, everything[row[2]], strict=False):
                        assert mine in (all_, None)
                assert bool(seen.rows("tokens")) == (seat is Seat.AUDITOR)
                assert seen.rows("edges") == whole.rows("edges")


def test_a_broker_sees_half_of_its_columns():
    with generate(SMALL, Seat.BROKER) as seen:
        (share,) = seen.connection.execute(
            "SELECT avg((price IS NOT NULL)::INTEGER) FROM records"
        ).fetchall()[0]
    assert 0.45 < share < 0.55
    assert [field.name for field in FIELDS[Seat.BROKER]] == ["length", "term", "price"]


def test_owners_hold_one_to_eight_and_care_is_spread():
    owners = draw_owners(World(seed=1, identities=20_000), np.random.default_rng(1))
    sizes = np.bincount(owners.owner)
    assert sizes.max() <= 8
    assert np.mean(sizes) == pytest.approx(2, abs=0.05)
    assert np.mean(sizes == 1) == pytest.approx(0.5, abs=0.02)
    care = owners.care[owners.position == 0]
    # Beta(2, 2) has the mean 1/2 and the variance 1/20.
    assert care.mean() == pytest.approx(0.5, abs=0.01)
    assert care.var() == pytest.approx(0.05, abs=0.003)
    assert sorted(owners.rank) == list(range(20_000))


def test_the_careful_use_nothing_again():
    with generate(careful_world(seed=2, identities=2_000), Seat.AUDITOR) as seen:
        assert seen.rows("edges") == []
        again = seen.connection.execute(
            """SELECT count(*) FROM tokens x JOIN tokens y ON x.kind = y.kind AND x.value = y.value AND x.id < y.id
            JOIN identities i ON i.id = x.id JOIN identities j ON j.id = y.id
            WHERE i.truth = j.truth AND x.value LIKE '%-o%'"""
        ).fetchall()
    assert again == [(0,)]
