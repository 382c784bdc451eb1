import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_examples import ENTRIES, LEDGER, ORIGIN, WITNESS, flips, receipt_of, statement

from pseudoledger.errors import InvalidProof, MalformedError, VerificationError
from pseudoledger.ledger import transparent

STATEMENT = ENTRIES[5]
RECEIPTS = (receipt_of(5), receipt_of(5, 8))
GOOD = transparent.attach(STATEMENT, RECEIPTS[:1])


def fields(raw):
    return list(cbor2.loads(raw).value)


def write(*values):
    return cbor2.dumps(cbor2.CBORTag(18, list(values)))


def verify(raw):
    return transparent.verify_transparent(raw, LEDGER.did, ORIGIN)


def test_attach_puts_receipts_into_label_394_and_changes_nothing_else():
    for count in (1, 2):
        raw = transparent.attach(STATEMENT, RECEIPTS[:count])
        protected, _, payload, signature = fields(STATEMENT)
        assert raw == write(protected, {394: list(RECEIPTS[:count])}, payload, signature)
        assert transparent.detach(raw).statement == STATEMENT
        assert transparent.detach(raw).receipts == RECEIPTS[:count]
        assert [proved.leaf_index for proved in verify(raw)] == [5] * count
        assert transparent.attach(raw, RECEIPTS) == transparent.attach(STATEMENT, RECEIPTS)


def test_a_statement_without_receipts_stays_as_it_is():
    assert transparent.detach(STATEMENT) == transparent.TransparentStatement(statement=STATEMENT, receipts=())
    with pytest.raises(MalformedError):
        verify(STATEMENT)


def test_every_changed_bit_is_refused():
    for changed in flips(GOOD):
        with pytest.raises((VerificationError, MalformedError)):
            verify(changed)


def test_all_receipts_must_be_good():
    raw = transparent.attach(STATEMENT, (RECEIPTS[0], receipt_of(6)))
    with pytest.raises(VerificationError):
        verify(raw)
    with pytest.raises(InvalidProof):
        transparent.verify_transparent(GOOD, WITNESS.did, ORIGIN)


def bad_statements():
    protected, _, payload, signature = fields(STATEMENT)
    receipt = RECEIPTS[0]
    for unprotected in (
        {394: []},
        {394: receipt},
        {394: [receipt, "text"]},
        {394: [b"junk"]},
        {394: [receipt[:-1]]},
        {394: [receipt] * (transparent.RECEIPTS_MAX + 1)},
        {394: [receipt], 4: b"x"},
        {4: b"x"},
        [],
        b"",
    ):
        yield write(protected, unprotected, payload, signature)
    yield write(protected, {}, None, signature)
    yield write(protected, {}, "text", signature)
    yield write({}, {}, payload, signature)
    yield write(protected, {}, payload, 1)
    yield write(protected, {}, payload)
    yield GOOD + b"\0"
    yield GOOD[:-1]
    yield GOOD[1:]
    yield b""
    yield b"\xd2" * 500
    yield STATEMENT[:1] + b"\x98\x04" + STATEMENT[2:]
    yield STATEMENT[:1] + b"\x9f" + STATEMENT[2:] + b"\xff"


@pytest.mark.parametrize("raw", list(bad_statements()), ids=lambda raw: raw[:12].hex())
def test_another_form_is_malformed(raw):
    for call in (transparent.detach, verify, lambda value: transparent.attach(value, RECEIPTS)):
        with pytest.raises(MalformedError):
            call(raw)


@pytest.mark.parametrize("receipts", [(), RECEIPTS * 3, (b"junk",), (RECEIPTS[0], b"")])
def test_only_receipts_are_attached(receipts):
    with pytest.raises(MalformedError):
        transparent.attach(STATEMENT, receipts)


def test_the_length_is_bounded_with_and_without_receipts():
    spare = transparent.STATEMENT_BYTES_MAX - len(statement(1, payload=b"x" * 60_000)) + 60_000
    longest = statement(1, payload=b"x" * spare)
    assert len(longest) == transparent.STATEMENT_BYTES_MAX
    assert transparent.detach(longest).statement == longest
    for payload in (b"x" * (spare + 1), b"x" * 100_000):
        with pytest.raises(MalformedError):
            transparent.detach(statement(1, payload=payload))


@given(st.binary(max_size=200))
def test_random_bytes_are_malformed(raw):
    with pytest.raises(MalformedError):
        transparent.detach(raw)


@given(st.data())
def test_spliced_statements_raise_nothing_but_our_errors(data):
    raw = bytearray(GOOD)
    at = data.draw(st.integers(0, len(raw)))
    raw[at : at + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=12))
    if bytes(raw) != GOOD:
        with pytest.raises((MalformedError, VerificationError)):
            verify(bytes(raw))
