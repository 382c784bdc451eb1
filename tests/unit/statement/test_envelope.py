"""The envelope: one encoding is read, every other is refused with its reason."""

import cbor2
import pytest

from play import Table, papers
from play.table import key
from pseudoledger.errors import InvalidSignature, MalformedError
from pseudoledger.statement import envelope
from pseudoledger.statement.envelope import (
    CONTENT_TYPE,
    STATEMENT_MAX,
    decode,
    sign_bytes,
    sign_statement,
    statement_id,
)

ANA = key("ana")
AUD = "ab" * 32
PAYLOAD = b'{"delivery":"%s","type":"delivery.accepted","v":1}' % (b"0f" * 32)
GOOD = sign_bytes(ANA, PAYLOAD, sub="x", aud=AUD, iat=1_767_225_600)
CLAIMS = {1: ANA.did, 2: "x", 3: AUD, 6: 1_767_225_600}


def header(claims=None, **parts):
    """A protected header as a map; parts may replace or add members by label ("l4" for 4)."""
    made = {1: -8, 3: CONTENT_TYPE, 4: ANA.did.encode(), 15: CLAIMS if claims is None else claims}
    return made | {int(name[1:]): value for name, value in parts.items()}


def wrap(protected, *, unprotected=None, payload=PAYLOAD, signature=bytes(64), tag=18):
    if not isinstance(protected, bytes):
        protected = cbor2.dumps(protected)
    return cbor2.dumps(cbor2.CBORTag(tag, [protected, unprotected or {}, payload, signature]))


def refused(raw):
    with pytest.raises(MalformedError) as caught:
        decode(raw)
    assert caught.value.message
    return caught.value.code


def test_a_statement_is_read_back():
    statement = decode(GOOD)
    statement.verify()
    assert (statement.iss, statement.sub, statement.aud) == (ANA.did, "x", AUD)
    assert (statement.iat, statement.exp, statement.payload) == (1_767_225_600, None, PAYLOAD)
    assert statement.id == statement_id(statement.signed_bytes)
    assert statement.raw == GOOD


@pytest.mark.parametrize(("aud", "exp"), [(AUD, None), (AUD, 1_767_300_000), (None, None)])
def test_what_is_signed_here_is_what_would_be_read(aud, exp):
    made = sign_statement(ANA, PAYLOAD, sub="x", aud=aud, iat=1_767_225_600, exp=exp)
    assert made == decode(made.raw)


def test_the_signed_bytes_are_the_sig_structure_of_rfc_9052():
    statement = decode(GOOD)
    assert cbor2.loads(statement.signed_bytes) == ["Signature1", cbor2.loads(GOOD).value[0], b"", PAYLOAD]
    assert cbor2.dumps(cbor2.loads(statement.signed_bytes)) == statement.signed_bytes


@pytest.mark.parametrize("size", [0, 1, 23, 24, 25, 255, 256, 257, 60_000])
def test_sig_structure_lengths_at_every_head_size(size):
    assert cbor2.dumps(["Signature1", bytes(size), b"", bytes(size)]) == envelope.signed_bytes(
        bytes(size), bytes(size)
    )


def test_the_other_algorithm_number_is_read_and_not_written():
    assert cbor2.loads(cbor2.loads(GOOD).value[0])[1] == -8
    protected = cbor2.dumps(header(l1=-19))
    signature = ANA.sign(envelope.signed_bytes(protected, PAYLOAD))
    statement = decode(wrap(protected, signature=signature))
    statement.verify()
    assert statement.id != decode(GOOD).id


def test_expiry_and_the_founding_have_their_maps():
    assert decode(sign_bytes(ANA, PAYLOAD, sub="x", aud=AUD, iat=5, exp=9)).exp == 9
    assert decode(sign_bytes(ANA, PAYLOAD, sub="x", aud=None, iat=5)).aud is None
    assert decode(sign_bytes(ANA, PAYLOAD, sub="x", aud=None, iat=5, exp=9)).aud is None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "statement.cbor"),
        (b"not CBOR at all", "statement.cbor"),
        (GOOD[1:], "statement.cbor"),
        (wrap(header(), tag=17), "statement.cbor"),
        (wrap(header(), tag=98), "statement.cbor"),
        (GOOD + b"\x00", "statement.cbor"),
        (GOOD + GOOD, "statement.cbor"),
        (GOOD[:-1], "statement.cbor"),
        (cbor2.dumps(cbor2.CBORTag(18, [b"", {}, b""])), "statement.cbor"),
        (cbor2.dumps(cbor2.CBORTag(18, {})), "statement.cbor"),
        (wrap(header(), payload=None), "statement.cbor"),
        (wrap(header(), payload="text"), "statement.cbor"),
        (wrap(header(), unprotected={394: [b"receipt"]}), "statement.unprotected"),
        (wrap(header(), unprotected={1: 1}), "statement.unprotected"),
        (bytes(STATEMENT_MAX + 1), "statement.size"),
        (b"\xd2\x9f" + GOOD[2:] + b"\xff", "statement.cbor"),
    ],
)
def test_another_envelope_is_refused(raw, code):
    assert refused(raw) == code


@pytest.mark.parametrize(
    "claims",
    [{True if label == 1 else label: value for label, value in CLAIMS.items()}]
    + [{float(odd) if label == odd else label: value for label, value in CLAIMS.items()} for odd in CLAIMS]
    + [
        {1: ANA.did, 2: "x", 3: None, 6: 1_767_225_600},
        {1: ANA.did, 2: "x", 3: AUD, 4: None, 6: 1_767_225_600},
        {1: ANA.did, 2: "x", 3: None, 4: None, 6: 1_767_225_600},
    ],
    ids=str,
)
def test_a_label_that_python_takes_for_another_and_a_null_are_refused(claims):
    """A map of Python finds true and 1.0 where 1 is asked for, and a null reads like a claim that is left out."""
    protected = cbor2.dumps(header(claims))
    signature = ANA.sign(envelope.signed_bytes(protected, PAYLOAD))
    assert refused(wrap(protected, signature=signature)) == "statement.header"


def test_lengths_are_the_shortest():
    size = len(cbor2.loads(GOOD).value[0])
    assert GOOD[2:4] == bytes((0x58, size))
    for head in (b"\x59" + size.to_bytes(2), b"\x5a" + size.to_bytes(4), b"\x5b" + size.to_bytes(8)):
        assert refused(GOOD[:2] + head + GOOD[4:]) == "statement.cbor"
    tag = b"\xd8\x12" + GOOD[1:]
    assert refused(tag) == "statement.cbor"
    indefinite = GOOD[:2] + b"\x5f" + GOOD[2 : 4 + size] + b"\xff" + GOOD[4 + size :]
    assert refused(indefinite) == "statement.cbor"


@pytest.mark.parametrize(
    "protected",
    [
        b"",
        b"\xa0",
        cbor2.dumps([1]),
        cbor2.dumps(header()) + b"\x00",
        header(l1=-7),
        header(l1=-50),
        header(l1="EdDSA"),
        header(l1=True),
        header(l3="application/json"),
        header(l4=key("ben").did.encode()),
        header(l4=ANA.did),
        header(l2=[15]),
        header(l16="typ"),
        header(l258=-16),
        {1: -8, 3: CONTENT_TYPE, 4: ANA.did.encode()},
        {3: CONTENT_TYPE, 1: -8, 4: ANA.did.encode(), 15: CLAIMS},
        {1: -8, 4: ANA.did.encode(), 3: CONTENT_TYPE, 15: CLAIMS},
        header({1: ANA.did, 2: "x", 6: 5, 3: AUD}),
        header({2: "x", 1: ANA.did, 3: AUD, 6: 5}),
        header({1: ANA.did, 2: "x", 3: AUD}),
        header({1: ANA.did, 2: "x", 3: AUD, 5: 1, 6: 5}),
        header({1: ANA.did, 2: "x", 3: AUD, 6: 5, 7: b"cti"}),
        header({1: ANA.did, 2: "x", 3: AUD, 6: 5.0}),
        header({1: ANA.did, 2: "x", 3: AUD, 6: True}),
        header({1: ANA.did, 2: "x", 3: AUD, 6: -1}),
        header({1: ANA.did, 2: "x", 3: AUD, 6: 253_402_300_800}),
        header({1: ANA.did, 2: "x", 3: AUD, 4: -1, 6: 5}),
        header({1: ANA.did, 2: "x", 3: AUD, 4: "5", 6: 5}),
        header({1: ANA.did, 2: "x", 3: 7, 6: 5}),
        header({1: ANA.did, 2: b"x", 3: AUD, 6: 5}),
        header({1: ANA.did.encode(), 2: "x", 3: AUD, 6: 5}),
        header({1: "did:key:z\u00e9", 2: "x", 3: AUD, 6: 5}, l4=b"did:key:z\xc3\xa9"),
        header({1: ANA.did, 2: "x", 3: AUD, 6: cbor2.CBORTag(1, 5)}),
    ],
)
def test_another_protected_header_is_refused(protected):
    assert refused(wrap(protected)) == "statement.header"


def test_a_label_stands_once_and_numbers_are_the_shortest():
    good = cbor2.loads(GOOD).value[0]
    assert good[:3] == b"\xa4\x01\x27"
    twice = b"\xa5\x01\x27\x01\x27" + good[3:]
    assert refused(wrap(twice)) == "statement.header"
    longer = b"\xa4\x18\x01\x27" + good[3:]
    assert refused(wrap(longer)) == "statement.header"
    indefinite = b"\xbf" + good[1:] + b"\xff"
    assert refused(wrap(indefinite)) == "statement.header"


@pytest.mark.parametrize("depth", [10, 1_000, 60_000])
def test_nesting_does_not_exhaust_the_stack(depth):
    assert refused(b"\x81" * depth + b"\x00") == "statement.cbor"
    assert refused(wrap(b"\x81" * depth + b"\x00")) in {"statement.header", "statement.size"}


def test_one_bit_anywhere_is_noticed():
    for place in range(len(GOOD)):
        raw = bytearray(GOOD)
        raw[place] ^= 1
        with pytest.raises((MalformedError, InvalidSignature)):
            decode(bytes(raw)).verify()


def test_a_statement_that_would_not_fit_is_not_made():
    with pytest.raises(MalformedError) as caught:
        sign_bytes(ANA, bytes(65_300), sub="x", aud=AUD, iat=5)
    assert caught.value.code == "statement.size"
    assert caught.value.hint
    assert len(sign_bytes(ANA, bytes(65_000), sub="x", aud=AUD, iat=5)) <= STATEMENT_MAX


def maps_in(value):
    """Every map of a CBOR value, also in byte strings that hold CBOR maps."""
    if isinstance(value, cbor2.CBORTag):
        yield from maps_in(value.value)
    elif isinstance(value, dict):
        yield value
        for member in value.values():
            yield from maps_in(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from maps_in(member)
    elif isinstance(value, bytes) and value[:1] >= b"\xa0" and value[:1] <= b"\xbf":
        try:
            inside = cbor2.loads(value)
        except (cbor2.CBORDecodeError, ValueError):
            return  # a signature or hash that happens to begin like a map
        yield from maps_in(inside)


def test_every_map_that_we_write_sorts_the_same_both_ways():
    """RFC 8949 §4.2.1 sorts by bytes, older encoders by length first: for our maps they agree."""
    from pseudoledger.ledger import receipt

    receipts = [receipt.build(receipt.sign_head(ANA, "play.example", 1, bytes(32)), 0, [])]
    table = Table()
    table.act(ANA, papers.pool())
    written = [item.statement.raw for item in table.history] + receipts
    written.append(sign_bytes(ANA, PAYLOAD, sub="x", aud=AUD, iat=5, exp=9))
    found = [found for raw in written for found in maps_in(cbor2.loads(raw))]
    assert len(found) >= 12
    for found_map in found:
        encoded = [cbor2.dumps(label) for label in found_map]
        assert encoded == sorted(encoded)
        assert encoded == sorted(encoded, key=lambda label: (len(label), label))
