"""The fast scan gives what its definition gives: the level of each comparison, its bits, and their sum."""

import numpy as np
import pytest
from seeded import COUNT, CURVE, FIELDS, SOURCE, any_model, fill

from pseudoledger.audit.trace import scan
from pseudoledger.audit.trace.compare import comparisons, levels_of_one
from pseudoledger.audit.trace.features import features
from pseudoledger.audit.trace.observations import Observations
from pseudoledger.audit.trace.scan import Scanner
from pseudoledger.errors import MalformedError


@pytest.fixture(scope="module")
def world():
    with Observations(fields=FIELDS, source=SOURCE) as seen:
        fill(seen)
        found = features(seen)
        yield found, any_model(found, comparisons(found, seed=2))


def by_definition(found, model, identity):
    raw = np.zeros(found.count)
    for item in model.comparisons:
        levels = levels_of_one(found, item.comparison, identity)
        raw += [0.0 if level < 0 else item.bits[level] for level in levels]
    total = model.curve(raw) + model.prior_bits
    total[identity] = -np.inf
    return total


def test_every_shape_and_support_is_scanned(world):
    shapes = {item.comparison.shape.value for item in world[1].comparisons}
    assert shapes >= {"circular", "numeric", "profile", "overlap"}
    assert any(item.comparison.support for item in world[1].comparisons)


def test_it_is_the_sum_of_the_levels_bits(world):
    found, model = world
    scanner = Scanner(found, model)
    for identity in range(COUNT):
        assert scanner.scan(identity) == pytest.approx(by_definition(found, model, identity), abs=1e-6)


def test_the_bits_of_a_pair_are_the_same_from_both_sides_and_rounded(world):
    scanner = Scanner(*world)
    table = np.array([scanner.scan(identity) for identity in range(COUNT)])
    assert (table == table.T).all()
    assert (np.round(table, 6) == table).all()


def test_numbers_over_a_wide_range_are_compared_one_by_one(world, monkeypatch):
    narrow = Scanner(*world)
    monkeypatch.setattr(scan, "RANGE_MAX", 2)
    wide = Scanner(*world)
    for identity in range(0, COUNT, 7):
        assert wide.scan(identity) == pytest.approx(narrow.scan(identity), abs=1e-6)


def test_an_identity_of_which_nothing_is_known_keeps_the_prior(world):
    found, model = world
    bits = Scanner(found, model).scan(COUNT - 1)
    assert (np.delete(bits, COUNT - 1) == round(model.prior_bits + CURVE.values[1], 6)).all()
    assert bits[COUNT - 1] == -np.inf


def test_without_comparisons_all_candidates_are_alike(world):
    found, _ = world
    bits = Scanner(found, any_model(found, (), prior=0.5)).scan(3)
    assert (np.delete(bits, 3) == CURVE.values[1]).all()


def test_hard_links_count_for_their_bits_at_least(world):
    found, model = world
    component = np.arange(COUNT)
    component[[5, 9, 70]] = 5
    plain = Scanner(found, model)
    joined = Scanner(found, model, component=component, hard_bits=3.0)
    bits = joined.scan(9)
    assert (bits[[5, 70]] == np.maximum(plain.scan(9)[[5, 70]], 3.0)).all()
    assert bits[9] == -np.inf
    others = np.delete(np.arange(COUNT), [5, 9, 70])
    assert (bits[others] == plain.scan(9)[others]).all()
    assert (joined.scan(6) == plain.scan(6)).all()


def test_a_smaller_prior_moves_all_candidates_alike(world):
    found, model = world
    own = Scanner(found, model).scan(3)
    other = Scanner(found, model, prior=0.001).scan(3)
    apart = np.delete(other, 3) - np.delete(own, 3)
    assert apart == pytest.approx(np.full(COUNT - 1, np.log2(0.001 / 0.999) - model.prior_bits), abs=2e-6)


def test_a_larger_prior_leaves_what_was_found_and_spreads_the_rest_over_all(world):
    found, model = world
    own = np.delete(Scanner(found, model).scan(3), 3)
    other = np.delete(Scanner(found, model, prior=0.03).scan(3), 3)
    # A third of the siblings is what the model found, at 0.01; two thirds look like anybody.
    floor = np.log2(0.03 / 0.97) + np.log2(2 / 3)
    assert (other >= floor - 1e-6).all()
    order = np.argsort(own)
    assert (np.diff(other[order]) >= -1e-6).all()
    assert (other - own)[order[0]] > (other - own)[order[-1]] >= 0


def test_a_prior_is_a_probability(world):
    found, model = world
    for wrong in (0.0, 1.0, -0.1):
        with pytest.raises(MalformedError, match="no probability"):
            Scanner(found, model, prior=wrong)
