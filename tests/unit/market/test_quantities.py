from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudoledger.errors import MalformedError
from pseudoledger.market import quantities


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("5.18", Fraction(518, 100)),
        ("10.", 10),
        (".5", Fraction(1, 2)),
        ("1e-06", Fraction(1, 1_000_000)),
        ("2.5E+2", 250),
    ],
)
def test_decimals_are_exact(text, value):
    assert quantities.decimal(text) == value


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1,5", "nan", "inf", "1e400", "0x10", "1_000", "٣", " 1", "1\n", "."]
)
def test_other_numbers_are_refused(text):
    with pytest.raises(MalformedError, match="not a decimal number"):
        quantities.decimal(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1k", 1000),
        ("1Ki", 1024),
        ("512Mi", 512 * 2**20),
        ("1.5G", 1_500_000_000),
        ("251Gi", 251 * 2**30),
        ("2Ti", 2 * 2**40),
        ("1T", 10**12),
        ("1Pi", 2**50),
        ("1Ei", 2**60),
    ],
)
def test_sizes_are_exact(text, value):
    assert quantities.size_bytes(text) == value


@pytest.mark.parametrize("text", ["", "1ki", "1KI", "1GB", "1 Gi", "-1Gi", "Gi", "1e3", "1..5Gi"])
def test_other_sizes_are_refused(text):
    with pytest.raises(MalformedError, match="not a size"):
        quantities.size_bytes(text)


@pytest.mark.parametrize(
    ("text", "value"), [("2", 2), ("0.25", Fraction(1, 4)), ("100m", Fraction(1, 10)), ("1.0", 1)]
)
def test_cores(text, value):
    assert quantities.cores(text) == value


@pytest.mark.parametrize(("text", "value"), [("8", 8), ("8.0", 8), ("0", 0), ("08", 8)])
def test_counts(text, value):
    assert quantities.count(text) == value


@pytest.mark.parametrize("text", ["8.5", "-1", "", "1e3", "99999999999"])
def test_other_counts_are_refused(text):
    with pytest.raises(MalformedError, match="not a whole number"):
        quantities.count(text)


@given(st.fractions(min_value=0, max_value=10**9))
def test_whole_numbers_enclose(value):
    low, high = quantities.whole_down(value), quantities.whole_up(value)
    assert low <= value <= high
    assert high - low == (value.denominator != 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [(Fraction(1, 4), "0.25"), (Fraction(3), "3"), (Fraction(1, 3), "0.333333333"), (Fraction(0), "0")],
)
def test_plain(value, text):
    assert quantities.plain(value) == text
