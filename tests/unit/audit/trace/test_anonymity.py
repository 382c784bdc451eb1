import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudoledger.audit.trace.anonymity import (
    Rest,
    anonymity,
    credible,
    credible_set,
    measures,
    posterior,
    rank,
    tally,
    tally_of_steps,
)
from pseudoledger.errors import MalformedError

NEVER = -math.inf


def odds(*values):
    return np.log2(np.array(values, dtype=np.float64))


def figures(bits, *, identities=None, shift=0.0, rest=None):
    bits = np.asarray(bits, dtype=np.float64)
    candidates = tally(bits) if rest is None else tally(bits, rest=rest)
    return measures(posterior(candidates, shift=shift), identities=identities or bits.size + 1)


def by_hand(bits):
    """The definition, candidate by candidate: groups of equal bits are tried in every order."""
    chances = [2.0**b / (1.0 + 2.0**b) if b < 500 else 1.0 for b in bits]
    order = sorted(range(len(bits)), key=lambda j: -bits[j])
    groups = [list(group) for _, group in itertools.groupby(order, key=lambda j: bits[j])]
    share, missed = [0.0] * len(bits), 1.0
    for group in groups:
        orders = list(itertools.permutations(group))
        for tried in orders:
            left = missed
            for j in tried:
                share[j] += left * chances[j] / len(orders)
                left *= 1.0 - chances[j]
        missed = left
    return share, missed


def test_three_candidates_computed_by_hand():
    """Odds 3 and 1 and 1/3: chances 3/4, 1/2, 1/4; first hits 3/4, 1/8, 1/32; nobody 3/32."""
    found = posterior(tally(odds(1 / 3, 3, 1)))
    assert found.masses == pytest.approx([3 / 4, 1 / 8, 1 / 32])
    assert found.nobody == pytest.approx(3 / 32)
    result = measures(found, identities=4)
    entropy = -sum(p * math.log2(p) for p in (3 / 4, 1 / 8, 1 / 32, 3 / 32))
    assert result.entropy_bits == pytest.approx(entropy)
    assert result.effective == pytest.approx(2**entropy)
    assert result.degree == pytest.approx(entropy / 2)
    assert result.min_entropy_bits == pytest.approx(-math.log2(3 / 4))
    assert result.guess_1 == pytest.approx(3 / 4)
    assert result.guess_10 == pytest.approx(29 / 32)
    assert result.expected_siblings == pytest.approx(1.5)
    # 0.9 of 29/32 is 0.8156: the first alone holds 0.75, two hold 0.875.
    assert result.credible == 2
    assert result.credible_held == pytest.approx(28 / 29)
    assert result.credible_last == pytest.approx((0.9 - 24 / 29) / (4 / 29))
    # Of all outcomes 3/4, 1/8, 3/32, 1/32 the three likeliest hold 31/32; nobody is the third.
    assert (result.likely, result.likely_nobody) == (2, True)


def test_equal_candidates_hide_among_each_other():
    """N equally likely siblings of which one is certain to be: H = log2 N up to what is nobody's."""
    result = figures(np.full(1024, -4.0), identities=1025)
    assert result.nobody < 1e-26
    # The first of equals is any of them.
    assert result.entropy_bits == pytest.approx(10)
    assert result.effective == pytest.approx(1024)
    assert result.guess_1 == pytest.approx(1 / 17)
    assert result.guess_10 == pytest.approx(1 - (16 / 17) ** 10)


def test_without_signal_the_set_is_nine_tenths_of_the_way_to_a_sibling():
    bits = np.full(9_999, math.log2(2 / 9_999))
    result = figures(bits, identities=10_000)
    p = 2 / (9_999 + 2)
    assert result.nobody == pytest.approx((1 - p) ** 9_999)
    somebody = 1 - (1 - p) ** 9_999
    assert result.credible == math.ceil(math.log(1 - 0.9 * somebody) / math.log(1 - p))
    assert result.entropy_bits == pytest.approx(
        somebody * math.log2(9_999 / somebody) - (1 - somebody) * math.log2(1 - somebody)
    )
    assert result.degree > 0.9


def test_several_siblings_found_hide_no_better_than_one():
    one = figures([10.0, NEVER, NEVER])
    three = figures([10.0, 9.0, 8.0])
    assert three.entropy_bits < 0.02  # where X a random sibling, it would be log2 3
    assert three.entropy_bits == pytest.approx(one.entropy_bits, abs=1e-4)
    assert three.nobody < one.nobody


@pytest.mark.parametrize("bits", [[], [NEVER], [NEVER] * 5])
def test_without_candidates_it_is_nobody(bits):
    result = figures(bits)
    assert (result.nobody, result.entropy_bits, result.effective) == (1.0, 0.0, 1.0)
    assert (result.degree, result.min_entropy_bits) == (0.0, 0.0)
    assert (result.credible, result.credible_held, result.credible_last) == (0, 0.0, 0.0)
    assert (result.guess_1, result.guess_10, result.expected_siblings) == (0.0, 0.0, 0.0)


def test_one_identity_alone():
    result = anonymity(0, np.array([NEVER]), identities=1)
    assert result.measures.degree == 0.0
    assert result.leading == ()


def test_certainty_leaves_nobody_out():
    result = figures([math.inf, 3.0, math.inf])
    assert result.nobody == 0.0
    assert result.guess_1 == 1.0
    assert (result.credible, result.credible_held, result.credible_last) == (1, 1.0, pytest.approx(0.9))
    assert (result.likely, result.likely_nobody) == (1, False)
    assert result.entropy_bits == pytest.approx(1.0)


def test_bits_far_out_are_no_trouble():
    result = figures([4_000.0, -4_000.0, 0.0])
    assert result.guess_1 == 1.0
    assert result.nobody == 0.0
    assert result.entropy_bits == pytest.approx(0.0)
    assert 0.0 < figures([-60.0]).guess_1 == pytest.approx(2.0**-60, rel=1e-9)


def test_bits_that_are_no_number_are_refused():
    with pytest.raises(MalformedError, match="not a number"):
        tally(np.array([1.0, math.nan, 2.0]))


def test_an_identity_is_not_its_own_candidate():
    with pytest.raises(MalformedError, match="candidate for itself"):
        anonymity(1, np.array([0.0, 0.0]), identities=2)


def test_the_best_come_first_and_ties_go_by_id():
    bits = np.array([1.0, NEVER, 5.0, 1.0, 5.0, 0.0])
    assert list(rank(np.arange(6), bits, 4)) == [2, 4, 0, 3]
    assert list(rank(np.array([9, 1, 8, 0, 7, 2]), bits, 6)) == [4, 2, 3, 0, 5]
    result = anonymity(1, bits, identities=6)
    assert [one.id for one in result.leading] == [2, 4, 0, 3, 5]
    assert result.leading[0].chance == pytest.approx(32 / 33)
    assert result.leading[0].share == result.leading[1].share


def test_the_credible_set_is_as_large_as_the_figure_says():
    bits = np.array([-3.0, NEVER, 2.0, -3.0, 0.5, -3.0, -8.0])
    assert len(credible_set(bits)) == figures(bits).credible
    assert list(credible_set(bits))[:2] == [2, 4]


def test_the_last_of_a_credible_set_belongs_to_it_to_the_degree_that_is_missing():
    """First hits 3/4, 1/8, 1/32 of 29/32 in all: 0.8276 is held by one, 0.9655 by two."""
    found = credible(posterior(tally(odds(3, 1, 1 / 3))))
    assert found.size == 2
    assert found.held == pytest.approx(28 / 29)
    assert found.last == pytest.approx((0.9 - 24 / 29) / (4 / 29))


def test_one_that_is_sure_is_a_set_by_itself_and_holds_more_than_was_asked():
    found = credible(posterior(tally(odds(999, 1e-9))))
    assert found.size == 1
    assert found.held == pytest.approx(1.0)
    assert found.last == pytest.approx(0.9)


def test_where_nobody_is_sure_the_credible_set_is_empty():
    nobody = credible(posterior(tally(np.array([NEVER]))))
    assert (nobody.size, nobody.held, nobody.last) == (0, 0.0, 0.0)


def test_nobody_takes_no_part_in_a_credible_set():
    """However likely nobody is: the set says where to look, should there be somebody."""
    found = credible(posterior(tally(odds(1e-9))))
    assert (found.size, found.held) == (1, pytest.approx(1.0))
    assert found.last == pytest.approx(0.9)
    assert figures(odds(1e-9)).nobody == pytest.approx(1.0)


def test_the_only_candidate_belongs_to_the_set_by_nine_tenths():
    assert credible(posterior(tally(odds(1)))).last == pytest.approx(0.9)


def test_equal_candidates_come_one_by_one_and_the_last_of_them_to_its_degree():
    """Four of chance 1/2: first hits 8, 4, 2, 1 of 15. Three hold 14/15, two 12/15, and 13.5/15 is 0.9."""
    found = credible(posterior(tally(np.zeros(4))))
    assert (found.size, found.held, found.last) == (3, pytest.approx(14 / 15), pytest.approx(0.75))
    assert list(credible_set(np.zeros(4), ids=np.array([7, 3, 9, 1]))) == [1, 3, 7]


def test_a_set_that_holds_nine_tenths_already_has_its_last_whole():
    """Two candidates of chances 9/11 and 1/2: 9/11 and 1/11 of 10/11."""
    found = credible(posterior(tally(odds(9 / 2, 1))))
    assert (found.size, found.held, found.last) == (1, pytest.approx(0.9), pytest.approx(1.0))


@given(st.lists(st.integers(-25_000_000, 25_000_000), max_size=40))
def test_whole_steps_are_tallied_as_their_bits_are(steps):
    never = np.iinfo(np.int32).min
    by_steps = tally_of_steps(np.array([*steps, never, *steps[:3]], dtype=np.int32))
    by_bits = tally(np.array([*steps, NEVER * 1e6, *steps[:3]]) / 1e6)
    assert by_steps.bits.tolist() == by_bits.bits.tolist()
    assert by_steps.counts.tolist() == by_bits.counts.tolist()


def test_the_band_is_another_prior():
    bits = odds(3, 1, 1 / 3)
    result = anonymity(7, bits, ids=np.array([3, 4, 5]), identities=8)
    assert result.low == figures(odds(3, 1, 1 / 3) - 2, identities=8)
    assert result.low.guess_1 == pytest.approx(3 / 7)
    assert result.high.expected_siblings == pytest.approx(12 / 13 + 4 / 5 + (4 / 3) / (7 / 3))
    assert result.low.nobody > result.measures.nobody > result.high.nobody


def test_the_rest_counts_as_candidates_of_one_chance():
    """40 candidates with 2 siblings expected are the same as 40 scored alike."""
    bits = np.array([3.0, -9.0])
    each = math.log2(0.05 / 0.95)
    grouped = figures(bits, identities=43, rest=Rest(count=40, expected=2.0))
    single = figures([3.0, -9.0, *[each] * 40], identities=43)
    same = ("nobody", "entropy_bits", "guess_1", "guess_10", "credible", "credible_held", "expected_siblings")
    for name in same:
        assert getattr(grouped, name) == pytest.approx(getattr(single, name)), name


bits_lists = st.lists(
    st.one_of(st.floats(-40, 40), st.integers(-8, 8).map(float), st.just(NEVER)), min_size=1, max_size=40
)


@given(bits_lists)
def test_all_outcomes_sum_to_one(bits):
    found = posterior(tally(np.array(bits)))
    assert float(found.masses.sum()) + found.nobody == pytest.approx(1.0, abs=1e-12)
    assert (found.masses >= 0).all()


@given(bits_lists)
def test_entropies_keep_their_bounds(bits):
    result = figures(bits)
    outcomes = sum(b > NEVER for b in bits) + 1
    assert 0.0 <= result.min_entropy_bits <= result.entropy_bits + 1e-9
    assert result.entropy_bits <= math.log2(outcomes) + 1e-9
    assert 0.0 <= result.degree <= 1.0
    assert result.guess_1 <= result.guess_10 + 1e-12 <= 1.0 - result.nobody + 1e-9
    assert 0 <= result.credible <= outcomes - 1
    assert 0.0 <= result.credible_last <= 1.0
    assert result.credible == 0 or 0.9 - 1e-9 <= result.credible_held <= 1.0


@given(st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=6))
def test_it_is_the_definition(bits):
    share, nobody = by_hand(bits)
    found = posterior(tally(np.array(bits)))
    assert [found.share(b) for b in bits] == pytest.approx(share)
    assert found.nobody == pytest.approx(nobody)


@given(bits_lists, st.data())
def test_more_evidence_never_lowers_a_share(bits, data):
    at = data.draw(st.integers(0, len(bits) - 1))
    bits[at] = max(bits[at], -40.0)
    more = [*bits[:at], bits[at] + data.draw(st.floats(0, 20)), *bits[at + 1 :]]
    before = posterior(tally(np.array(bits))).share(bits[at])
    after = posterior(tally(np.array(more))).share(more[at])
    assert after >= before * (1 - 1e-9)


@given(bits_lists)
def test_the_likely_outcomes_are_the_fewest_that_hold_nine_tenths(bits):
    found = posterior(tally(np.array(bits)))
    result = measures(found, identities=len(bits) + 1)
    outcomes = sorted([*np.repeat(found.masses / found.counts, found.counts), found.nobody], reverse=True)
    size = result.likely + result.likely_nobody
    # Within a group of equals a share is the mean of what trying one after the other gives: hence a little slack.
    single = found.counts.max(initial=1) == 1
    if single and min(abs(sum(outcomes[:k]) - 0.9) for k in range(len(outcomes) + 1)) > 1e-9:
        assert sum(outcomes[:size]) >= 0.9
        assert sum(outcomes[: size - 1]) < 0.9


@given(bits_lists)
def test_a_larger_prior_leaves_less_for_nobody(bits):
    assert figures(bits, shift=2).nobody <= figures(bits).nobody <= figures(bits, shift=-2).nobody


@given(bits_lists)
def test_the_order_of_candidates_does_not_matter(bits):
    assert figures(bits) == figures(bits[::-1])


@given(bits_lists)
def test_a_credible_set_holds_what_it_says_and_not_one_candidate_too_many(bits):
    result = figures(bits)
    chances = sorted((1 / (1 + 2.0**-b) if b > NEVER else 0.0 for b in bits), reverse=True)
    wanted = 0.9 * (1 - result.nobody)
    held = [1 - math.prod(1 - p for p in chances[:size]) for size in range(len(chances) + 1)]
    if wanted > 1e-9:
        found = credible(posterior(tally(np.array(bits))))
        assert found.size == result.credible
        assert found.held * (1 - result.nobody) == pytest.approx(held[found.size], abs=1e-9)
        exact = held[found.size - 1] + found.last * (held[found.size] - held[found.size - 1])
        assert exact == pytest.approx(wanted, abs=1e-9)
        assert held[result.credible] >= wanted - 1e-9
        assert held[result.credible - 1] <= wanted + 1e-9
