import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_examples import ENTRIES, LEAVES, LEDGER, ORIGIN, STORED, WITNESS, flips, head, read, receipt_of

from pseudoledger.errors import InvalidProof, InvalidSignature, MalformedError, VerificationError
from pseudoledger.identity import keys
from pseudoledger.ledger import receipt, tree
from pseudoledger.ledger.checkpoint import SIZE_MAX

SIZE = len(ENTRIES)
GOOD = receipt_of(5)


def parts(raw):
    """The receipt as nested values, to be changed and written again by cbor2."""
    tag = cbor2.loads(raw)
    protected, unprotected, payload, signature = tag.value
    (proof,) = unprotected[396][-1]
    return cbor2.loads(protected), list(cbor2.loads(proof)), payload, signature


def write(header, proof, payload, signature, *, unprotected=None, tag=18, extra=()):
    protected = header if isinstance(header, bytes) else cbor2.dumps(header)
    if unprotected is None:
        unprotected = {396: {-1: [cbor2.dumps(proof)]}}
    return cbor2.dumps(cbor2.CBORTag(tag, [protected, unprotected, payload, signature, *extra]))


def check(raw, entry=ENTRIES[5]):
    return receipt.verify_receipt(raw, entry, LEDGER.did, ORIGIN)


@given(st.text("abc.-/", min_size=1, max_size=120), st.integers(1, SIZE_MAX))
def test_the_header_is_what_a_cbor_library_writes(origin, size):
    claims = {1: LEDGER.did, 2: f"{origin}#{size}"}
    header = {1: -8, 4: LEDGER.did.encode(), 15: claims, 395: 1}
    assert receipt._protected(LEDGER.did, origin, size) == cbor2.dumps(header, canonical=True)


def test_a_receipt_has_the_published_form():
    root = tree.root(SIZE, read)
    header, proof, payload, signature = parts(GOOD)
    assert list(header.items()) == [
        (1, -8),
        (4, LEDGER.did.encode()),
        (15, {1: LEDGER.did, 2: f"{ORIGIN}#{SIZE}"}),
        (395, 1),
    ]
    assert list(header[15]) == [1, 2]
    assert proof == [SIZE, 5, list(tree.inclusion_proof(5, SIZE, read))]
    assert payload is None
    protected = cbor2.loads(GOOD).value[0]
    keys.verify(LEDGER.did, cbor2.dumps(["Signature1", protected, b"", root]), signature)
    assert write(header, proof, payload, signature) == GOOD
    assert GOOD[:2] == b"\xd2\x84"


def test_every_map_is_in_bytewise_and_in_length_first_order():
    def walk(value):
        if isinstance(value, bytes):
            try:
                inner = cbor2.loads(value)
            except cbor2.CBORDecodeError:
                return
            if cbor2.dumps(inner) == value and isinstance(inner, dict | list):
                walk(inner)
        elif isinstance(value, dict):
            encoded = [cbor2.dumps(key) for key in value]
            assert encoded == sorted(encoded) == sorted(encoded, key=lambda key: (len(key), key))
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    growth = receipt.build_consistency(head(), 6, tree.consistency_proof(6, SIZE, read))
    for raw in (GOOD, growth, cbor2.loads(GOOD).value[0]):
        loaded = cbor2.loads(raw)
        assert cbor2.dumps(loaded, canonical=True) == raw
        walk(loaded.value if isinstance(loaded, cbor2.CBORTag) else loaded)


def test_every_entry_of_every_size_has_a_receipt():
    for size in range(1, SIZE + 1):
        signed = head(size)
        for index in range(size):
            raw = receipt.build(signed, index, tree.inclusion_proof(index, size, read))
            proved = receipt.verify_receipt(raw, ENTRIES[index], LEDGER.did, ORIGIN)
            assert proved == receipt.VerifiedReceipt(tree_size=size, leaf_index=index, root=signed.root)
            decoded = receipt.decode_receipt(raw)
            assert receipt.encode_receipt(decoded) == raw
            assert decoded.signature == signed.signature
    assert receipt_of(0, 1).find(b"\x83\x01\x00\x80") > 0


def test_a_signed_head_verifies_and_a_changed_one_does_not():
    signed = head()
    receipt.verify_head(signed)
    for change in [
        {"tree_size": SIZE + 1},
        {"root": bytes(32)},
        {"origin": "other.example"},
        {"ledger": WITNESS.did},
        {"signature": bytes(64)},
        {"signature": b""},
    ]:
        fields = {
            name: getattr(signed, name) for name in ("ledger", "origin", "tree_size", "root", "signature")
        }
        with pytest.raises(InvalidSignature):
            receipt.verify_head(receipt.SignedHead(**{**fields, **change}))


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 1, bytes(32)),
        ("Upper.example", 1, bytes(32)),
        (ORIGIN, 0, bytes(32)),
        (ORIGIN, SIZE_MAX + 1, bytes(32)),
        (ORIGIN, 1, b""),
    ],
)
def test_a_head_of_a_wrong_form_is_not_signed(origin, size, root):
    with pytest.raises(MalformedError):
        receipt.sign_head(LEDGER, origin, size, root)


def test_every_changed_bit_of_a_receipt_is_refused():
    for changed in flips(GOOD):
        with pytest.raises((VerificationError, MalformedError)):
            check(changed)


def test_every_changed_bit_of_the_statement_is_refused():
    for changed in flips(ENTRIES[5]):
        with pytest.raises(InvalidSignature):
            check(GOOD, changed)


def test_a_receipt_is_of_one_entry_one_ledger_and_one_origin():
    with pytest.raises(InvalidSignature):
        check(GOOD, ENTRIES[6])
    with pytest.raises(InvalidProof):
        receipt.verify_receipt(GOOD, ENTRIES[5], WITNESS.did, ORIGIN)
    with pytest.raises(InvalidProof):
        receipt.verify_receipt(GOOD, ENTRIES[5], LEDGER.did, "other.example")


def test_the_signature_of_one_tree_does_not_serve_another_size():
    old, new = head(8), head(9)
    mixed = receipt.SignedHead(
        ledger=old.ledger, origin=old.origin, tree_size=9, root=new.root, signature=old.signature
    )
    raw = receipt.build(mixed, 5, tree.inclusion_proof(5, 9, read))
    with pytest.raises(InvalidSignature):
        check(raw)
    # The size of the proof alone: sub still says 8.
    header, proof, payload, signature = parts(receipt_of(5, 8))
    with pytest.raises(MalformedError):
        check(write(header, [9, *proof[1:]], payload, signature))


def malformed_receipts():
    header, proof, nil, signature = parts(GOOD)
    size, index, path = proof
    claims = header[15]
    inner = cbor2.dumps(proof)
    yield "empty", b""
    yield "trailing byte", GOOD + b"\0"
    yield "truncated", GOOD[:-1]
    yield "no tag", GOOD[1:]
    yield "another tag", write(header, proof, nil, signature, tag=17)
    yield "five fields", write(header, proof, nil, signature, extra=[1])
    yield "long tag", b"\xd8\x12" + GOOD[1:]
    yield "indefinite array", GOOD[:1] + b"\x9f" + GOOD[2:] + b"\xff"
    yield "indefinite string", GOOD.replace(b"\x58\x40" + signature, b"\x5f\x58\x40" + signature + b"\xff")
    yield "payload inside", write(header, proof, b"", signature)
    yield "signature too long", write(header, proof, nil, signature + b"\0" * 4096)
    yield "signature is text", write(header, proof, nil, "x" * 64)
    yield "protected is a map", cbor2.dumps(cbor2.CBORTag(18, [header, {396: {-1: [inner]}}, nil, signature]))
    for change in (
        {1: -19},
        {1: -7},
        {4: b"x"},
        {4: LEDGER.did},
        {15: {1: LEDGER.did}},
        {15: {2: claims[2], 1: claims[1]}},
        {15: {**claims, 3: "x"}},
        {15: {1: 1, 2: 2}},
        {15: {1: "did:web:x", 2: claims[2]}},
        {15: {1: LEDGER.did, 2: ORIGIN}},
        {15: {1: LEDGER.did, 2: f"{ORIGIN}#0{SIZE}"}},
        {15: {1: LEDGER.did, 2: f"{ORIGIN}#{SIZE + 1}"}},
        {15: {1: LEDGER.did, 2: f"UPPER#{SIZE}"}},
        {15: {1: LEDGER.did, 2: f"{ORIGIN}#{SIZE}\n"}},
        {395: 2},
        {395: True},
        {396: 1},
        {2: [1]},
    ):
        yield f"header {change}", write({**header, **change}, proof, nil, signature)
    for gone in header:
        rest = {key: value for key, value in header.items() if key != gone}
        yield f"header without {gone}", write(rest, proof, nil, signature)
    yield "header order", write(dict(reversed(header.items())), proof, nil, signature)
    yield "header duplicate", write(b"\xa5" + cbor2.dumps(header)[1:] + b"\x01\x27", proof, nil, signature)
    yield (
        "header long integer",
        write(cbor2.dumps(header).replace(b"\x01\x27", b"\x01\x38\x07", 1), proof, nil, signature),
    )
    yield "header trailing", write(cbor2.dumps(header) + b"\0", proof, nil, signature)
    yield "header empty", write(b"", proof, nil, signature)
    yield "header no map", write(b"\x01", proof, nil, signature)
    for unprotected in (
        {},
        {396: {}},
        {396: {-1: []}},
        {396: {-1: [inner, inner]}},
        {396: {-1: inner}},
        {396: {-1: [proof]}},
        {396: {-2: [inner]}},
        {396: {-1: [inner], -2: [inner]}},
        {396: {-1: [inner]}, 394: []},
        {396: {-1: [inner + b"\0"]}},
        {396: {-1: [b""]}},
        {396: {-1: ["text"]}},
        [396],
        None,
    ):
        yield (
            f"unprotected {unprotected!r:.40}",
            write(header, proof, nil, signature, unprotected=[] if unprotected is None else unprotected),
        )
    for bad in (
        [size, index],
        [size, index, path, 0],
        [index, size, path],
        [size, size, path],
        [size, -1, path],
        [float(size), index, path],
        [str(size), index, path],
        [size, index, b"".join(path)],
        [size, index, [*path[:-1], path[-1][:31]]],
        [size, index, [*path[:-1], path[-1] + b"\0"]],
        [size, index, [*path[:-1], "x" * 32]],
        [size, index, [bytes(32)] * 64],
        [2**64, index, path],
        [-size, index, path],
        [size, False, path],
        {0: size},
        size,
    ):
        yield f"proof {bad!r:.40}", write(header, bad, nil, signature)


@pytest.mark.parametrize("raw", [pytest.param(raw, id=what) for what, raw in malformed_receipts()])
def test_another_form_is_malformed(raw):
    with pytest.raises(MalformedError):
        receipt.decode_receipt(raw)
    with pytest.raises(MalformedError):
        check(raw)


@pytest.mark.parametrize("change", ["drop", "extra", "swap", "index"])
def test_a_changed_path_is_refused(change):
    header, (size, index, path), nil, signature = parts(GOOD)
    path = list(path)
    match change:
        case "drop":
            path.pop()
        case "extra":
            path.append(bytes(32))
        case "swap":
            path[0], path[1] = path[1], path[0]
        case _:
            index += 1
    with pytest.raises(VerificationError):
        check(write(header, [size, index, path], nil, signature))


@given(st.binary(max_size=300))
def test_random_bytes_are_malformed(raw):
    for decode in (receipt.decode_receipt, receipt.decode_consistency_receipt):
        with pytest.raises(MalformedError):
            decode(raw)


@given(st.data())
def test_spliced_receipts_raise_nothing_but_our_errors(data):
    raw = bytearray(GOOD)
    at = data.draw(st.integers(0, len(raw)))
    length = data.draw(st.integers(0, 12))
    raw[at : at + length] = data.draw(st.binary(max_size=12))
    if bytes(raw) != GOOD:
        with pytest.raises((MalformedError, VerificationError)):
            check(bytes(raw))


def growth(size1, size2=SIZE):
    return receipt.build_consistency(head(size2), size1, tree.consistency_proof(size1, size2, read))


def verify_growth(raw, size1):
    return receipt.verify_consistency_receipt(raw, size1, tree.root(size1, read), LEDGER.did, ORIGIN)


def test_every_pair_of_sizes_has_a_consistency_receipt():
    for size2 in range(2, SIZE + 1):
        for size1 in range(1, size2):
            raw = growth(size1, size2)
            decoded = receipt.decode_consistency_receipt(raw)
            assert receipt.encode_consistency_receipt(decoded) == raw
            expected = receipt.VerifiedGrowth(tree_size=size2, root=tree.root(size2, read))
            assert verify_growth(raw, size1) == expected


@pytest.mark.parametrize("size1", [4, 6])
def test_every_changed_bit_of_a_consistency_receipt_is_refused(size1):
    for changed in flips(growth(size1)):
        with pytest.raises((VerificationError, MalformedError)):
            verify_growth(changed, size1)


def test_a_consistency_receipt_starts_where_the_verifier_stands():
    with pytest.raises(InvalidProof):
        verify_growth(growth(6), 7)
    with pytest.raises(InvalidProof):
        receipt.verify_consistency_receipt(growth(6), 6, bytes(32), LEDGER.did, ORIGIN)
    with pytest.raises(InvalidSignature):
        receipt.verify_consistency_receipt(growth(4), 4, bytes(32), LEDGER.did, ORIGIN)
    with pytest.raises(InvalidProof):
        receipt.verify_consistency_receipt(growth(4), 4, b"", LEDGER.did, ORIGIN)
    with pytest.raises(InvalidProof):
        receipt.verify_consistency_receipt(growth(6), 6, tree.root(6, read), WITNESS.did, ORIGIN)


@pytest.mark.parametrize("sizes", [(SIZE, SIZE), (0, SIZE), (SIZE + 1, SIZE)])
def test_a_consistency_receipt_grows(sizes):
    raw = receipt.build_consistency(head(sizes[1]), sizes[0], ())
    with pytest.raises(MalformedError):
        receipt.decode_consistency_receipt(raw)


def test_the_two_kinds_are_not_taken_for_each_other():
    with pytest.raises(MalformedError):
        receipt.decode_receipt(growth(6))
    with pytest.raises(MalformedError):
        receipt.decode_consistency_receipt(GOOD)


def test_the_longest_receipt_fits_its_bound():
    origin = "a" * 120
    signed = receipt.sign_head(LEDGER, origin, SIZE_MAX, bytes(32))
    raw = receipt.build(signed, SIZE_MAX - 1, [bytes(32)] * receipt.PATH_MAX)
    assert len(raw) < receipt.RECEIPT_BYTES_MAX
    assert receipt.decode_receipt(raw).tree_size == SIZE_MAX


def test_the_tree_of_the_examples_is_whole():
    assert len(STORED) == tree.stored_count(SIZE)
    assert tree.root(SIZE, read) == tree.Frontier(SIZE, STORED.read(tree.frontier_positions(SIZE))).root()
    assert len(set(LEAVES)) == SIZE
