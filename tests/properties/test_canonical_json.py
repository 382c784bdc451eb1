"""Sorted compact JSON is RFC 8785 inside our limits: orjson against the rfc8785 library."""

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from pseudoledger.errors import MalformedError
from pseudoledger.statement.payload import canonical_kind, jcs
from pseudoledger.statement.values import INTEGER_MAX

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,63}", fullmatch=True, alphabet=st.characters(codec="ascii"))
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
VALUES = st.recursive(
    st.integers(-INTEGER_MAX, INTEGER_MAX) | st.booleans() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


FORBIDDEN = {
    *range(0x20),
    *range(0x7F, 0xA0),
    0x61C,
    0x200E,
    0x200F,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    0xFEFF,
    *range(0xFDD0, 0xFDF0),
}


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_both_write_the_same_bytes(tree):
    if rejects(tree):
        with pytest.raises(MalformedError) as caught:
            jcs(tree)
        assert caught.value.code in {"payload.characters", "payload.limits"}
    else:
        assert jcs(tree) == rfc8785.dumps(tree)


def rejects(value, depth=0):
    """Tell, apart from the program, whether a value lies outside the limits of formats §2."""
    if isinstance(value, str):
        return any(ord(c) in FORBIDDEN or ord(c) & 0xFFFE == 0xFFFE for c in value)
    if isinstance(value, dict | list):
        members = value.values() if isinstance(value, dict) else value
        return depth >= 8 or any(rejects(member, depth + 1) for member in members)
    return False


BRACKETS = st.recursive(
    st.integers(0, 9) | st.text('[]{}",:a\\', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=40,
)


@given(BRACKETS, st.integers(0, 8))
def test_how_deep_brackets_are_nested_is_seen_without_walking(tree, deeper):
    for _ in range(deeper):
        tree = [tree, "]", {"a": "}}"}]
    payload = {"type": "delivery.accepted", "v": 1, "x": tree}
    raw = rfc8785.dumps(payload)
    if rejects(payload):
        with pytest.raises(MalformedError) as caught:
            canonical_kind(raw)
        assert caught.value.code == "payload.limits"
    else:
        assert canonical_kind(raw).name == "delivery.accepted"


@given(
    st.dictionaries(
        NAMES, st.sampled_from(["\u017f", "é", "é", "\U0001f600", "퟿", '"\\/', "\u2028"]), max_size=9
    )
)
def test_letters_that_writers_treat_differently(tree):
    assert jcs(tree) == rfc8785.dumps(tree)


@pytest.mark.parametrize(
    "value", [1.0, 1e400, float("nan"), None, 2**53, -(2**53), "\x00", "\x7f", "\ufeff", "\ud800"]
)
def test_outside_the_limits_nothing_is_written(value):
    with pytest.raises(MalformedError):
        jcs({"x": value})


@pytest.mark.parametrize("name", ["X", "é", "", "a b", "a" * 65, "1a"])
def test_names_are_ascii(name):
    with pytest.raises(MalformedError):
        jcs({name: 1})
