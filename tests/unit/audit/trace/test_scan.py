"""The fast scan gives what its definition gives: the level of each comparison, its bits, and their sum."""

import numpy as np
import pytest
from seeded import COUNT, FIELDS, SOURCE, fill

from pseudoledger.audit.trace import scan
from pseudoledger.audit.trace.compare import comparisons, levels_of_one
from pseudoledger.audit.trace.features import features
from pseudoledger.audit.trace.observations import Observations
from pseudoledger.audit.trace.scan import Scanner, Weighed


@pytest.fixture(scope="module")
def world():
    with Observations(fields=FIELDS, source=SOURCE) as seen:
        fill(seen)
        found = features(seen)
        dice = np.random.default_rng(1)
        weighed = [
            Weighed(comparison=item, bits=tuple(dice.normal(0, 3, item.levels).tolist()))
            for item in comparisons(found, seed=2)
        ]
        yield found, weighed


def by_definition(found, weighed, identity, prior):
    total = np.full(found.count, prior)
    for item in weighed:
        levels = levels_of_one(found, item.comparison, identity)
        total += [0.0 if level < 0 else item.bits[level] for level in levels]
    total[identity] = -np.inf
    return total


def test_every_shape_and_support_is_scanned(world):
    _, weighed = world
    assert {item.comparison.shape.value for item in weighed} == {"circular", "numeric", "profile", "overlap"}
    assert any(item.comparison.support for item in weighed)


def test_it_is_the_sum_of_the_levels_bits(world):
    found, weighed = world
    scanner = Scanner(found, weighed, prior_bits=-7.25)
    for identity in range(COUNT):
        assert scanner.scan(identity) == pytest.approx(
            by_definition(found, weighed, identity, -7.25), abs=1e-6
        )


def test_the_bits_of_a_pair_are_the_same_from_both_sides(world):
    found, weighed = world
    scanner = Scanner(found, weighed, prior_bits=-7.0)
    table = np.array([scanner.scan(identity) for identity in range(COUNT)])
    assert (table == table.T).all()


def test_numbers_over_a_wide_range_are_compared_one_by_one(world, monkeypatch):
    found, weighed = world
    narrow = Scanner(found, weighed, prior_bits=-3.0)
    monkeypatch.setattr(scan, "RANGE_MAX", 2)
    wide = Scanner(found, weighed, prior_bits=-3.0)
    for identity in range(0, COUNT, 7):
        assert wide.scan(identity) == pytest.approx(narrow.scan(identity), abs=1e-6)


def test_an_identity_of_which_nothing_is_known_keeps_the_prior(world):
    found, weighed = world
    bits = Scanner(found, weighed, prior_bits=-7.0).scan(COUNT - 1)
    assert (np.delete(bits, COUNT - 1) == -7.0).all()
    assert bits[COUNT - 1] == -np.inf


def test_calibration_comes_last_and_all_is_rounded(world):
    found, weighed = world
    plain = Scanner(found, weighed, prior_bits=-7.0)
    half = Scanner(found, weighed, prior_bits=-7.0, calibrate=lambda bits: bits / 3)
    for identity in (0, 5):
        wanted = np.round(plain.scan(identity) / 3, 6)
        assert (half.scan(identity) == wanted).all()
        assert (np.round(half.raw(identity), 6) == plain.scan(identity)).all()


def test_without_comparisons_all_candidates_are_alike(world):
    found, _ = world
    bits = Scanner(found, [], prior_bits=-5.0).scan(3)
    assert (np.delete(bits, 3) == -5.0).all()
