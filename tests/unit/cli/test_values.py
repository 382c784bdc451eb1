"""What people type is read exactly, or refused with the option's name and an example."""

import pytest

from pseudoledger.cli import values
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.show import hours, money, price, when
from pseudoledger.contract.ruleset import newest_tables
from pseudoledger.contract.tables import load
from pseudoledger.statement.values import say_length

EXPONENTS = {"USD": 2, "JPY": 0, "KWD": 3}


@pytest.fixture(scope="module")
def tables():
    return load(newest_tables())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", "2026-03-01T00:00:00Z"),
        ("2026-03-01T12:30:00Z", "2026-03-01T12:30:00Z"),
        ("2026-03-01T12:30:00+02:00", "2026-03-01T10:30:00Z"),
        ("2026-02-28T23:30:00-05:00", "2026-03-01T04:30:00Z"),
    ],
)
def test_times(text, expected):
    assert values.instant_text(text, "--at") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-02-30",
        "2026-13-01",
        "2026-03-01T12:30",
        "2026-03-01T12:30:00.5+00:00",
        "1969-01-01",
        "1e9",
        "9999-12-31T23:59:59-05:00",
        "0001-01-01T00:00:00+05:00",
        "0999-01-01T00:00:00+00:00",
    ],
)
def test_no_times(text):
    with pytest.raises(WrongUse, match="--at"):
        values.instant(text, "--at")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P30D", "P30D"),
        ("30d", "P30D"),
        ("1d12h", "P1DT12H"),
        ("90m", "PT1H30M"),
        ("36h", "P1DT12H"),
        ("45s", "PT45S"),
    ],
)
def test_lengths(text, expected):
    assert values.length(text, "--length") == expected


@pytest.mark.parametrize("text", ["", "0d", "30", "d", "-1d", "1w", "PT36H", "99999999d", "1h1d"])
def test_no_lengths(text):
    with pytest.raises(WrongUse, match="--length"):
        values.length(text, "--length")


def test_period_takes_one_end():
    assert values.period("2026-03-01", None, "1d") == {
        "from": "2026-03-01T00:00:00Z",
        "until": "2026-03-02T00:00:00Z",
    }
    for until, lasting in ((None, None), ("2026-03-02", "1d"), ("2026-02-01", None)):
        with pytest.raises(WrongUse):
            values.period("2026-03-01", until, lasting)


@pytest.mark.parametrize(
    ("text", "minor", "currency"),
    [
        ("12873.60 USD", 1287360, "USD"),
        ("0.01 usd", 1, "USD"),
        ("500 JPY", 500, "JPY"),
        ("1.005 KWD", 1005, "KWD"),
    ],
)
def test_amounts(text, minor, currency):
    read = values.amount(text, "--amount", EXPONENTS)
    assert (read.minor, read.currency) == (minor, currency)
    assert values.amount(money(minor, currency, EXPONENTS), "--amount", EXPONENTS) == read


@pytest.mark.parametrize(
    "text",
    [
        "1.234 USD",
        "1",
        "USD",
        "-1 USD",
        "1 XXY",
        "NaN USD",
        "Infinity USD",
        "1e99 USD",
        "0x10 USD",
        "1,000.00 USD",
        "1_000 USD",
        "+1 USD",
        "\u0662.5 USD",
        "1e999999 USD",
        "1.00000000000000000000000000000000000009 USD",
        "99999999999999999 USD",
    ],
)
def test_no_amounts(text):
    with pytest.raises(WrongUse, match="--amount"):
        values.amount(text, "--amount", EXPONENTS)


@pytest.mark.parametrize(
    "text", ["1e999999", "1234.567777777777777777777777777777", "-1", "", "h", "1_0", "1e15"]
)
def test_no_hours(text):
    with pytest.raises(WrongUse, match="--hours"):
        values.unit_seconds(text, "--hours")


def test_hours_are_exact():
    assert [values.unit_seconds(text, "--hours") for text in ("672", "671.5h", "0.0025", "0")] == [
        2_419_200,
        2_417_400,
        9,
        0,
    ]


def test_a_name_is_given_one_value():
    assert values.pairs(["a=1", "b=2"], "--line", "a=1") == {"a": "1", "b": "2"}
    with pytest.raises(WrongUse, match="--line: a is given twice"):
        values.pairs(["a=1", "a=2"], "--line", "a=1")


def test_amount_in_another_currency_than_wanted():
    assert values.amount("5", "--amount", EXPONENTS, "USD").minor == 500
    with pytest.raises(WrongUse, match="USD"):
        values.amount("5 JPY", "--amount", EXPONENTS, "USD")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.235/h", (2_235_000, None)),
        ("2.235 USD/h", (2_235_000, "USD")),
        ("0.000001", (1, None)),
        ("3 eur", (3_000_000, "EUR")),
    ],
)
def test_prices(text, expected):
    assert values.price(text, "--price") == expected


@pytest.mark.parametrize("text", ["", "/h", "2.2x/h", "0.0000001/h", "2 dollars/h", "-1/h"])
def test_no_prices(text):
    with pytest.raises(WrongUse, match="--price"):
        values.price(text, "--price")


def test_lines(tables):
    assert values.stock_line("h100=8xnvidia-h100-sxm5-80gb", 1, "--line", tables) == {
        "id": "h100",
        "count": 8,
        "resource": "chip",
        "chip": "nvidia-h100-sxm5-80gb",
    }
    assert values.stock_line("64 x cpu_core", 2, "--line", tables) == {
        "id": "l2",
        "count": 64,
        "resource": "cpu_core",
    }
    line = values.demand_line("gpu=4xnvidia-h100-sxm5-80gb|cpu_core", 1, "--line", tables)
    assert [option["resource"] for option in line["alternatives"]] == ["chip", "cpu_core"]


def test_of_unknown_chips_those_that_begin_so_are_named_first(tables):
    with pytest.raises(WrongUse, match="is not a resource") as caught:
        values.resource("nvidia-h200", "--line", tables)
    assert caught.value.hint.startswith("did you mean nvidia-h200-")
    with pytest.raises(WrongUse) as caught:
        values.resource("nvidai-h200-sxm-141gb", "--line", tables)
    assert "nvidia-h200-sxm-141gb" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["", "h100", "h100=x", "h100=0xcpu_core", "H100=1xcpu_core", "a=1xno-such-chip", "a=1.5xcpu_core"]
)
def test_no_lines(text, tables):
    with pytest.raises(WrongUse, match="--line"):
        values.stock_line(text, 1, "--line", tables)


def test_priced_lines():
    assert values.priced_line("h100=8@2.235/h", "--line", "USD", EXPONENTS).rate("metered") == {
        "line": "h100",
        "basis": "metered",
        "price_micro": 2_235_000,
    }
    assert values.priced_line("setup=1@500.00 once", "--line", "USD", EXPONENTS).rate("metered") == {
        "line": "setup",
        "basis": "once",
        "fee_minor": 50_000,
    }
    for text in ("h100=8", "h100@2/h", "h100=8@2 EUR/h", "h100=8@once"):
        with pytest.raises(WrongUse, match="--line"):
            values.priced_line(text, "--line", "USD", EXPONENTS)


def test_references():
    tx = "0x" + "ab" * 32
    assert values.reference("sepa:e2e-1", "--ref") == {"scheme": "SEPA", "value": "E2E-1"}
    assert values.reference(f"eip155:1/{tx}#3", "--ref") == {"chain": "eip155:1", "tx": tx, "index": 3}
    for text in ("", "SEPA", "SEPA:", ":X", f"eip155:1/{tx}#x"):
        with pytest.raises(WrongUse, match="--ref"):
            values.reference(text, "--ref")


def test_hours_and_taxes():
    assert values.unit_seconds("671.5", "--hours") == 2_417_400
    assert values.seconds("0", "--downtime") == 0
    assert values.seconds("2h", "--downtime") == 7200
    assert values.tax("S 19", "--tax") == {"category": "S", "rate_bps": 1900}
    assert values.tax("s 7.7%", "--tax") == {"category": "S", "rate_bps": 770}
    assert values.tax("O", "--tax") == {"category": "O", "rate_bps": 0}
    assert values.share("0.6", "--worth") == 600_000
    for text in ("", "x", "-1", "0.0001", "NaN"):
        with pytest.raises(WrongUse, match="--hours"):
            values.unit_seconds(text, "--hours")


def test_figures_are_written_exactly():
    assert money(-11900, "USD", EXPONENTS) == "-119.00 USD"
    assert money(5, "KWD", EXPONENTS) == "0.005 KWD"
    assert price(2_235_000, "USD") == "2.235 USD/h"
    assert price(1, "USD") == "0.000001 USD/h"
    assert hours(2_417_400) == "671.50 h"
    assert when(1_772_323_200) == "2026-03-01"
    assert when(1_772_323_260) == "2026-03-01 00:01"
    assert when(1_772_323_261) == "2026-03-01 00:01:01"
    assert when(None) == "-"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("de", {"country": "DE"}),
        ("DE-HE", {"country": "DE", "subdivision": "DE-HE"}),
        ("us-ca", {"country": "US", "subdivision": "US-CA"}),
    ],
)
def test_places(text, expected):
    assert values.place(text, "--place") == expected


@pytest.mark.parametrize("text", ["", "Germany", "D", "-HE", "DEU-HE"])
def test_no_places(text):
    with pytest.raises(WrongUse, match="--place"):
        values.place(text, "--place")


@pytest.mark.parametrize("text", ["30d", "1d12h", "1h30m", "45s", "2h"])
def test_lengths_are_said_as_they_are_typed(text):
    assert say_length(values.length(text, "--length")) == text
