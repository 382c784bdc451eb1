"""Guesses: counted from their definition, equal bits in every order."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudoledger.audit.trace.evaluate.guesses import guesses, hit
from pseudoledger.audit.trace.evaluate.measure import run
from pseudoledger.audit.trace.evaluate.world import Seat, World, generate


@given(
    st.lists(st.tuples(st.integers(-2, 2), st.booleans()), min_size=1, max_size=6),
    st.data(),
)
def test_a_hit_is_the_share_of_orders_in_which_a_sibling_is_among_the_best(candidates, data):
    places = data.draw(st.integers(0, len(candidates)))
    bits = np.array([float(bit) for bit, _ in candidates])
    true = np.array([is_sibling for _, is_sibling in candidates])
    orders = [
        order
        for order in itertools.permutations(range(len(bits)))
        if all(bits[one] >= bits[other] for one, other in itertools.pairwise(order))
    ]
    share = sum(any(true[list(order[:places])]) for order in orders) / len(orders)
    assert hit(bits, bits[true], places) == pytest.approx(share)


def test_what_is_covered_lies_between_the_sets_with_and_without_their_last():
    with generate(World(seed=3, identities=1_000), Seat.AUDITOR) as seen:
        found = guesses(run(seen, seed=1), seed=1)
    assert 0.4 < found.first <= found.covered_whole <= 1
    assert found.covered < found.covered_whole
    assert found.held >= 0.9
    assert 0 < found.single < 1
