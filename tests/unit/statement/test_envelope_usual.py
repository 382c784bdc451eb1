"""The short way of reading a statement and the long one agree on every input."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudoledger.errors import MalformedError
from pseudoledger.identity.keys import Signer
from pseudoledger.statement.envelope import _decode_any, _decode_usual, decode, sign_bytes

SIGNER = Signer.from_seed(bytes([5]) * 32)
AUD = "ab" * 32

statements = st.builds(
    sign_bytes,
    st.just(SIGNER),
    st.binary(max_size=400) | st.integers(0, 70_000).map(lambda n: b"x" * min(n, 60_000)),
    sub=st.text(max_size=80) | st.sampled_from([24, 55, 56, 57, 63, 64, 65, 255, 256]).map(lambda n: "s" * n),
    aud=st.none() | st.just(AUD) | st.text(max_size=70),
    iat=st.integers(0, 253_402_300_799) | st.integers(60_000, 2**33),
    exp=st.none() | st.integers(0, 253_402_300_799) | st.integers(60_000, 2**33),
)


def either(raw):
    try:
        return _decode_any(raw)
    except MalformedError:
        return None


def agree(raw):
    short = _decode_usual(raw)
    assert short is None or short == either(raw)
    return short is not None


@given(statements)
def test_both_ways_read_the_same(raw):
    agree(raw)
    assert decode(raw) == _decode_any(raw)


@given(statements, st.data())
def test_both_ways_agree_on_what_is_no_statement(raw, data):
    changed = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, min(len(changed), 420) - 1))
        match data.draw(st.integers(0, 2)):
            case 0:
                changed[at] = data.draw(st.integers(0, 255))
            case 1:
                del changed[at]
            case 2:
                changed.insert(at, data.draw(st.integers(0, 255)))
        if not changed:
            break
    agree(bytes(changed))


@pytest.mark.parametrize("exp", [None, 1_900_000_000])
@pytest.mark.parametrize("sub", ["z" * 64, SIGNER.did])
@pytest.mark.parametrize("payload", [b'{"v":1}' * 4, b'{"v":1}' * 40])
def test_the_usual_statement_takes_the_short_way_and_each_changed_byte_is_judged_alike(exp, sub, payload):
    raw = sign_bytes(SIGNER, payload, sub=sub, aud=AUD, iat=1_800_000_000, exp=exp)
    assert agree(raw)
    rng = random.Random(1)
    for at in range(len(raw)):
        for value in {raw[at] ^ 1, raw[at] ^ 0x20, 0, 0x18, 0x58, 0x78, 0xFF, rng.randrange(256)}:
            agree(raw[:at] + bytes((value,)) + raw[at + 1 :])
        agree(raw[:at])
        agree(raw[:at] + b"\0" + raw[at:])
