import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudoledger.errors import MalformedError
from pseudoledger.ledger import cbor

BORDERS = [0, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**63 - 1, 2**64 - 1]


@pytest.mark.parametrize("value", BORDERS)
def test_numbers_and_heads_take_the_shortest_form(value):
    assert cbor.encode_uint(value) == cbor2.dumps(value, canonical=True)
    assert cbor.load(cbor.encode_uint(value)) == value


@pytest.mark.parametrize("length", [0, 1, 23, 24, 255, 256, 65_535, 65_536])
def test_strings_and_arrays_take_the_shortest_form(length):
    assert cbor.encode_bytes(bytes(length)) == cbor2.dumps(bytes(length), canonical=True)
    assert cbor.encode_array_head(length) + b"\0" * length == cbor2.dumps([0] * length, canonical=True)


@given(st.binary(max_size=200))
def test_random_bytes_load_or_are_malformed(raw):
    for call in (cbor.load, cbor.load_sign1):
        try:
            call(raw)
        except MalformedError:
            continue


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ff",
        "1c",
        "5f4100ff",
        "9fff",
        "bfff",
        "a201000100",
        "5bffffffffffffffff",
        "9bffffffffffffffff",
        "c1fb7ff8000000000000",
        "c001",
        "c482",
        "d81e820100",
        "d9010401",
        "d82461ff",
        "d825 4101",
        "61ff",
        "81" * 100,
        "d8" * 50,
        "d81c" * 50 + "00",
        "fb",
        "d9d9f7",
    ],
)
def test_what_is_no_item_is_malformed(text):
    with pytest.raises(MalformedError):
        cbor.load(bytes.fromhex(text))
