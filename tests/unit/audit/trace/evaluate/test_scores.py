"""Scores against examples that were worked by hand."""

import math

import numpy as np
import pytest

from pseudoledger.audit.trace.evaluate.scores import (
    agreement,
    auc,
    b_cubed,
    blocking_recall,
    calibration,
    pairwise,
    probability,
    true_pairs,
)

# Five identities: owners {0, 1, 2} and {3, 4}; clusters {0, 1}, {2, 3} and {4}.
OWNER = np.array([7, 7, 7, 9, 9])
CLUSTER = np.array([1, 1, 5, 5, 6])


def test_pairwise_by_hand():
    # Claimed pairs: 01 and 23, of which 01 is true; true pairs: 01, 02, 12, 34.
    found = pairwise(CLUSTER, OWNER)
    assert found.precision == pytest.approx(1 / 2)
    assert found.recall == pytest.approx(1 / 4)
    assert found.f1 == pytest.approx(1 / 3)


def test_b_cubed_by_hand():
    # Precision: 1, 1, 1/2, 1/2, 1. Recall: 2/3, 2/3, 1/3, 1/2, 1/2.
    found = b_cubed(CLUSTER, OWNER)
    assert found.precision == pytest.approx(4 / 5)
    assert found.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 / 2 + 1 / 2) / 5)


def test_the_right_clustering_scores_one_and_its_names_do_not_matter():
    renamed = np.array([3, 3, 3, 0, 0])
    for found in (pairwise(renamed, OWNER), b_cubed(renamed, OWNER)):
        assert (found.precision, found.recall, found.f1) == (1, 1, 1)


def test_nothing_claimed_is_precise_and_finds_nothing():
    found = pairwise(np.arange(5), OWNER)
    assert (found.precision, found.recall, found.f1) == (1, 0, 0)
    assert agreement(0, 0, 0).f1 == 1


def test_pairs_of_labels_that_would_collide_when_multiplied():
    one, other = np.array([0, 0, 1, 1]), np.array([10**12, 5, 5, 10**12])
    assert pairwise(one, other).recall == 0
    assert true_pairs(other) == 2


def test_auc_by_hand_with_a_tie():
    # True 3 and 2, false 2 and 1: of four comparisons three are won and one is a tie.
    assert auc(np.array([3.0, 2.0, 2.0, 1.0]), np.array([True, True, False, False])) == pytest.approx(3.5 / 4)
    assert math.isnan(auc(np.array([1.0]), np.array([True])))


def test_calibration_by_hand():
    chance = np.array([0.1, 0.1, 0.9, 1.0])
    true = np.array([False, True, True, True])
    found = calibration(chance, true, bins=2)
    assert found.brier == pytest.approx((0.01 + 0.81 + 0.01 + 0.0) / 4)
    # Lower half: mean 0.1 against 1/2; upper half: mean 0.95 against 1.
    assert found.ece == pytest.approx(0.5 * 0.4 + 0.5 * 0.05)
    assert [(part.pairs, part.share) for part in found.bins] == [(2, 0.5), (2, 1.0)]


def test_calibration_over_no_pair_says_nothing():
    found = calibration(np.zeros(0), np.zeros(0, bool))
    assert math.isnan(found.brier)
    assert math.isnan(found.ece)
    assert found.bins == ()


def test_blocking_recall_and_probability():
    assert blocking_recall(np.array([0, 0]), np.array([1, 3]), OWNER) == pytest.approx(1 / 4)
    assert probability(np.array([0.0, 4.0, -1.0])) == pytest.approx([1 / 2, 16 / 17, 1 / 3])
