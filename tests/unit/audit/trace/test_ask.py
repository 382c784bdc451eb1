import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudoledger.audit.trace.anonymity import measures, posterior, tally
from pseudoledger.audit.trace.ask import (
    Question,
    expected_gain,
    field_question,
    next_disclosures,
    pair_gain,
    token_question,
)
from pseudoledger.audit.trace.observations import Field, FieldKind, Observations, Source

NEVER = -math.inf
PLACE = Field(name="place", kind=FieldKind.CATEGORY, reveals="place")
SIZE = Field(name="size", kind=FieldKind.NUMERIC, reveals="hardware")
SOURCE = Source(name="test", vantage="auditor", digest="0" * 64, verified=True)


def question(values, *, reuse=0.5, background=None, kind="site"):
    values = np.array(values, dtype=np.int64)
    if background is None:
        size = int(values.max(initial=-1)) + 2
        background = [1 / size] * size
    return Question(kind=kind, values=values, reuse=reuse, background=np.array(background))


def by_hand(asked, bits):
    """Mutual information from its definition, over a written-out joint table."""
    found = posterior(tally(bits))
    outcomes = [(found.nobody, -1)]
    outcomes += [(found.share(float(bit)), int(asked.values[j])) for j, bit in enumerate(bits) if bit > NEVER]
    size = asked.background.size
    given_x = []
    for p, w in outcomes:
        row = [
            (1 - asked.reuse) * asked.background[v] + (asked.reuse if v == w else 0.0)
            if w >= 0
            else asked.background[v]
            for v in range(size)
        ]
        given_x.append((p, row))
    mixed = [sum(p * row[v] for p, row in given_x) for v in range(size)]
    return sum(
        p * row[v] * math.log2(row[v] / mixed[v])
        for p, row in given_x
        for v in range(size)
        if p > 0 and row[v] > 0
    )


def test_a_value_that_tells_two_candidates_apart_is_worth_one_bit():
    """Two candidates, one of whom it is; each holds a value of its own, always used again, never by others."""
    bits = np.array([NEVER, 60.0, 60.0])
    asked = question([-1, 0, 1], reuse=1.0, background=[0.0, 0.0, 1.0])
    assert expected_gain(asked, bits) == pytest.approx(1.0)


def test_a_value_that_both_hold_tells_nothing_between_them():
    bits = np.array([NEVER, 60.0, 60.0])
    assert expected_gain(question([-1, 0, 0], reuse=1.0, background=[0.0, 1.0]), bits) == pytest.approx(0.0)


def test_what_nobody_holds_tells_nothing():
    assert expected_gain(question([-1, -1, -1], background=[1.0]), np.array([NEVER, 2.0, 1.0])) == 0.0


@given(st.data())
def test_the_gain_is_the_mutual_information_and_never_more_than_there_is(data):
    size = data.draw(st.integers(1, 8))
    bits = np.array([NEVER, *data.draw(st.lists(st.floats(-6, 6), min_size=size, max_size=size))])
    values = [-1, *data.draw(st.lists(st.integers(-1, 3), min_size=size, max_size=size))]
    weights = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=5, max_size=5)))
    asked = question(values, reuse=data.draw(st.floats(0, 1)), background=weights / weights.sum())
    gain = expected_gain(asked, bits)
    assert gain == pytest.approx(by_hand(asked, bits), abs=1e-9)
    assert gain <= measures(posterior(tally(bits)), identities=size + 1).entropy_bits + 1e-9


def test_a_pair_that_discloses_is_a_test_with_two_answers():
    assert pair_gain(0.5, reuse=1.0, collision=0.0) == pytest.approx(1.0)
    assert pair_gain(0.5, reuse=0.3, collision=0.3) == pytest.approx(0.0)
    assert pair_gain(0.0, reuse=1.0, collision=0.0) == 0.0
    # 1/4 they are: equal with 1/8 = 1/4 * 1/2. H(1/8) - 1/4 H(1/2).
    assert pair_gain(0.25, reuse=0.5, collision=0.0) == pytest.approx(0.5435644431995964 - 0.25)


@pytest.fixture
def seen():
    with Observations(fields=(PLACE, SIZE), source=SOURCE) as found:
        found.connection.execute("INSERT INTO identities SELECT i, 'p' || i, NULL FROM range(6) t(i)")
        found.connection.execute(
            """INSERT INTO tokens VALUES (1, 'site', 'x', 0), (2, 'site', 'x', 1), (3, 'site', 'y', 2),
            (4, 'site', 'z', 3), (4, 'site', 'x', 4), (1, 'account', 'x', 5)"""
        )
        found.connection.execute(
            """INSERT INTO records VALUES (0, 1, 0, 'DE', 1), (0, 2, 1, 'FR', 1), (0, 3, 2, 'FR', 1),
            (1, 4, 3, 'DE', 1), (2, 4, 4, NULL, 1)"""
        )
        yield found


def test_tokens_become_a_question(seen):
    asked = token_question(seen, "site", tied=[(1, 2), (2, 3), (0, 1)])
    assert list(asked.values) == [-1, 0, 0, 1, 0, -1]  # x, held by three, stands for identity 4
    assert asked.reuse == pytest.approx(2 / 4)  # of two pairs that both hold one, one is equal
    assert asked.background.sum() == pytest.approx(1.0)
    assert asked.background[-1] == pytest.approx(2 / 5)  # one value held once, among four
    assert asked.background[0] == pytest.approx(3 / 4 * 3 / 5)


def test_fields_become_a_question(seen):
    assert list(field_question(seen, "place").values) == [1, 0, -1, -1, -1, -1]
    with pytest.raises(ValueError, match="number"):
        field_question(seen, "size")
    empty = token_question(seen, "voucher")
    assert list(empty.background) == [1.0]
    assert (empty.values == -1).all()


def test_what_tells_most_is_asked_first_and_nothing_twice(seen):
    bits = np.array([NEVER, 2.0, 1.0, 0.0, -1.0, -8.0])
    asks = next_disclosures(0, bits, [token_question(seen, kind) for kind in ("voucher", "account", "site")])
    assert {(ask.kind, ask.of) for ask in asks} == {
        ("voucher", (0, 1)),
        ("voucher", (0,)),
        ("account", (0,)),
        ("site", (0,)),
    }
    gains = [ask.gain_bits for ask in asks]
    assert gains == pytest.approx(sorted(gains, reverse=True))
    assert gains[-1] == 0.0  # of vouchers nobody has one to compare it with
    bits = np.array([2.0, NEVER, 1.0, 0.0, -1.0, -8.0])
    assert next_disclosures(1, bits, [token_question(seen, "site")]) == ()


def test_without_candidates_there_is_nothing_to_gain(seen):
    bits = np.full(6, NEVER)
    assert [ask.gain_bits for ask in next_disclosures(0, bits, [token_question(seen, "site")])] == [0.0]
