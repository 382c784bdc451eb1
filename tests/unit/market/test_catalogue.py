from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudoledger.errors import MalformedError
from pseudoledger.market import catalogue as module
from pseudoledger.market.catalogue import Layout, read_catalogue

VARIANT = b"""\
GpuVariant,AcceleratorCount,TotalGpuMemoryInMiB,PriceUSDPerHour,Region
H200,4,575084,10.59,"France, FR, EU"
RTX_4090,1,49140,0.40,"Hong Kong, HK, AS"
"""
SKYPILOT = b"""\
Region,SpotPrice,Price,InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,AvailabilityZone
us-east-1,1.25,2.95,p,H100,8.0,16,200.5,"{'Gpus': [{'Name': 'H100', 'MemoryInfo': {'SizeInMiB': 81559}}], 'TotalGpuMemoryInMiB': 652472}",us-east-1a
eastus,,0.2,c,,,4,16,,
"""


def test_the_variant_layout_is_read():
    found = read_catalogue(VARIANT)
    assert found.layout is Layout.VARIANT
    first = found.rows[0]
    assert (first.line, first.chip, first.count, first.region) == (2, "H200", 4, "France, FR, EU")
    assert (first.price, first.spot_price) == (Fraction(1059, 100), None)
    assert first.memories_mib == (143771,)
    assert found.notes == ()


def test_the_skypilot_layout_is_read_in_any_column_order():
    found = read_catalogue(SKYPILOT)
    assert found.layout is Layout.SKYPILOT
    first, second = found.rows
    assert (first.chip, first.count, first.price, first.spot_price) == (
        "H100",
        8,
        Fraction("2.95"),
        Fraction("1.25"),
    )
    assert (first.cores, first.memory_gib, first.zone) == (16, Fraction("200.5"), "us-east-1a")
    assert first.memories_mib == (Fraction(81559, 8), 81559, 652472)
    assert (second.chip, second.count, second.cores, second.memories_mib) == ("", 0, 4, ())
    assert second.spot_price is None


def test_the_price_may_have_its_long_name():
    rows = read_catalogue(b"AcceleratorName,AcceleratorCount,Region,PriceUSDPerHour\nL4,1,x,.5\n").rows
    assert rows[0].price == Fraction(1, 2)


def test_columns_that_are_not_read_are_named():
    notes = read_catalogue(VARIANT.replace(b"Region\n", b"Region,Owner\n").replace(b'"\n', b'",me\n')).notes
    assert [(note.code, note.where, note.line) for note in notes] == [("catalogue.column", "Owner", 1)]


def test_a_byte_order_mark_crlf_and_empty_lines_are_read():
    data = b"\xef\xbb\xbf" + VARIANT.replace(b"\n", b"\r\n") + b"\r\n"
    assert [row.line for row in read_catalogue(data).rows] == [2, 3]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (VARIANT, b"", "line 1: the header lacks AcceleratorCount, AcceleratorName, Region"),
        (VARIANT, b"a,b\n1,2\n", "line 1: the header lacks"),
        (b"GpuVariant", b"Gpu", "line 1: the header lacks AcceleratorName"),
        (b"TotalGpuMemoryInMiB", b"Memory", "line 1: the header lacks TotalGpuMemoryInMiB"),
        (b"PriceUSDPerHour", b"PriceEURPerHour", "line 1: the header has no price"),
        (b"Region\n", b"Region,Region\n", "line 1: column 'Region' stands twice"),
        (b"Region\n", b"Region,Price\n", "line 1: the header has both Price and PriceUSDPerHour"),
        (b"Region\n", b"Region" + b",x" * 70 + b"\n", "line 1: more than 64 columns|stands twice"),
        (b"10.59", b"ten", "line 2: PriceUSDPerHour: 'ten' is not a decimal number"),
        (b"10.59", b"-1", "line 2: PriceUSDPerHour: '-1' is not"),
        (b"10.59", b"nan", "line 2: PriceUSDPerHour: 'nan' is not"),
        (b"H200,4", b"H200,four", "line 2: AcceleratorCount: 'four' is not"),
        (b"H200,4", b"H200,0", "line 2: AcceleratorCount of 'H200' must be above zero"),
        (b"H200,4", b",4", "line 2: GpuVariant is empty"),
        (b"575084", b"0", "line 2: TotalGpuMemoryInMiB must be above zero"),
        (b",10.59", b"", "line 2: 4 columns instead of 5"),
        (b"FR, EU", b"\xff", "line 2: the catalogue is not UTF-8"),
        (b'EU"\n', b"EU\n", "line 3: not CSV|line 2: not CSV"),
        (b"H200", b"H" * 201, "line 2: GpuVariant is longer than 200 characters"),
        (b"H200", b"H" * 140_000, "line 2: not CSV: field larger than field limit"),
        (VARIANT[71:], b"", "line 2: the catalogue has no rows"),
    ],
)
def test_broken_files_are_refused_with_line_and_reason(old, new, reason):
    assert old in VARIANT
    with pytest.raises(MalformedError, match=reason) as refusal:
        read_catalogue(VARIANT.replace(old, new, 1))
    assert "\n" not in refusal.value.message


def test_every_reason_is_given_at_once_and_bounded():
    with pytest.raises(MalformedError, match=r"line 2: .*; line 3: "):
        read_catalogue(VARIANT.replace(b"10.59", b"x").replace(b"0.40", b"y"))
    bad = b"L4,1,1,x,y\n" * 100
    with pytest.raises(MalformedError, match="and 80 more"):
        read_catalogue(VARIANT.splitlines(keepends=True)[0] + bad)


def test_a_chip_count_without_a_chip_is_refused():
    with pytest.raises(MalformedError, match="line 3: AcceleratorCount without a chip"):
        read_catalogue(SKYPILOT.replace(b"c,,,4", b"c,,2,4"))


def test_size_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "BYTES_MAX", 100)
    with pytest.raises(MalformedError, match="at most 100 are read"):
        read_catalogue(VARIANT)


def test_rows_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "ROWS_MAX", 1)
    with pytest.raises(MalformedError, match="line 3: more than 1 rows"):
        read_catalogue(VARIANT)


@settings(max_examples=300, deadline=None)
@given(
    start=st.sampled_from([VARIANT, SKYPILOT, b""]),
    edits=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 9), st.binary(max_size=6)), max_size=4),
)
def test_any_bytes_are_read_or_refused(start, edits):
    data = start
    for place, size, piece in edits:
        data = data[:place] + piece + data[place + size :]
    message = ""
    try:
        assert read_catalogue(data).rows
    except MalformedError as refusal:
        message = refusal.message
    assert "\n" not in message
