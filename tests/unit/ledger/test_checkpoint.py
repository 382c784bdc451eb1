from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_examples import LEDGER, ORIGIN, PARTY, WITNESS, flips

from pseudoledger.errors import InconsistentCheckpoint, InvalidSignature, MalformedError
from pseudoledger.ledger import checkpoint, note
from pseudoledger.ledger.tree import EMPTY_ROOT

ROOT = bytes(range(32))
ROOT_TEXT = b64encode(ROOT).decode()
KEY = checkpoint.log_key(ORIGIN, LEDGER.public_key)
COSIGNER = checkpoint.cosigner_key("witness.example/w", WITNESS.public_key)
SIGNED = checkpoint.sign_checkpoint(LEDGER, ORIGIN, 42, ROOT)
COSIGNED = checkpoint.add_signatures(
    SIGNED, [checkpoint.cosign(WITNESS, COSIGNER.name, SIGNED, 1_700_000_000)]
)
RAW = note.format_note(COSIGNED)


def test_a_checkpoint_has_the_published_form():
    assert SIGNED.text.decode() == f"{ORIGIN}\n42\n{ROOT_TEXT}\n"
    assert [line.name for line in SIGNED.signatures] == [ORIGIN]
    assert checkpoint.parse_checkpoint(SIGNED.text) == checkpoint.Checkpoint(
        origin=ORIGIN, size=42, root=ROOT
    )


def test_a_checkpoint_verifies_with_its_cosignatures():
    verified = checkpoint.verify_checkpoint(RAW, ORIGIN, [KEY], [COSIGNER])
    assert verified.checkpoint == checkpoint.Checkpoint(origin=ORIGIN, size=42, root=ROOT)
    assert verified.log_keys == (KEY,)
    assert verified.note == COSIGNED
    assert [(item.key, item.time) for item in verified.cosignatures] == [(COSIGNER, 1_700_000_000)]
    assert checkpoint.verify_checkpoint(RAW, ORIGIN, [KEY]).cosignatures == ()
    assert (
        checkpoint.verify_checkpoint(note.format_note(SIGNED), ORIGIN, [KEY], [COSIGNER]).cosignatures == ()
    )


def test_a_cosignature_alone_does_not_make_a_checkpoint():
    alone = note.SignedNote(text=SIGNED.text, signatures=COSIGNED.signatures[1:])
    with pytest.raises(InvalidSignature):
        checkpoint.verify_checkpoint(note.format_note(alone), ORIGIN, [KEY], [COSIGNER])
    with pytest.raises(InvalidSignature):
        checkpoint.verify_checkpoint(RAW, ORIGIN, [], [COSIGNER])
    with pytest.raises(InvalidSignature):
        checkpoint.verify_checkpoint(RAW, ORIGIN, [checkpoint.log_key(ORIGIN, PARTY.public_key)], [COSIGNER])


def test_a_checkpoint_of_another_origin_is_inconsistent():
    with pytest.raises(InconsistentCheckpoint):
        checkpoint.verify_checkpoint(RAW, "other.example", [KEY])


def test_a_signed_text_that_is_no_checkpoint_is_malformed():
    text = b"just\na note\n"
    signed = note.SignedNote(text=text, signatures=(note.sign_text(LEDGER, ORIGIN, text),))
    with pytest.raises(MalformedError):
        checkpoint.verify_checkpoint(note.format_note(signed), ORIGIN, [KEY])
    with pytest.raises(MalformedError):
        checkpoint.cosign(WITNESS, "w", signed, 0)


def test_every_changed_bit_is_refused_or_loses_a_signature():
    for changed in flips(RAW):
        try:
            verified = checkpoint.verify_checkpoint(changed, ORIGIN, [KEY], [COSIGNER])
        except (InvalidSignature, MalformedError):
            continue
        # A changed name or key id makes the witness unknown, and unknown lines are ignored.
        assert verified.note.text == SIGNED.text
        assert verified.cosignatures == ()


def test_signatures_are_added_once():
    extra = checkpoint.cosign(WITNESS, COSIGNER.name, SIGNED, 1_700_000_000)
    assert checkpoint.add_signatures(COSIGNED, [extra, extra]) == COSIGNED
    later = checkpoint.cosign(WITNESS, COSIGNER.name, SIGNED, 1_700_000_001)
    assert checkpoint.add_signatures(COSIGNED, [later, later]).signatures == (*COSIGNED.signatures, later)


def test_extension_lines_of_other_logs_are_kept_and_cosigned():
    other = checkpoint.Checkpoint(
        origin="Other Log (with spaces)", size=7, root=ROOT, extensions=("one", "t\N{SNOWMAN}o")
    )
    text = checkpoint.format_checkpoint(other)
    assert checkpoint.parse_checkpoint(text) == other
    signed = note.SignedNote(text=text, signatures=(note.sign_text(PARTY, "other", text),))
    key = note.VerifierKey(
        name="other", signature_type=note.SignatureType.ED25519, public_key=PARTY.public_key
    )
    cosigned = checkpoint.add_signatures(signed, [checkpoint.cosign(WITNESS, COSIGNER.name, signed, 5)])
    verified = checkpoint.verify_checkpoint(note.format_note(cosigned), other.origin, [key], [COSIGNER])
    assert verified.checkpoint == other
    assert verified.cosignatures[0].time == 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"{ORIGIN}\n42\n{ROOT_TEXT}",
        f"{ORIGIN}\n42\n",
        f"{ORIGIN}\n{ROOT_TEXT}\n42\n",
        f"\n42\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n042\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n+42\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n-42\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n4 2\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n\u0664\u0662\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n{2**63}\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n{'9' * 40}\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n0\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n42\n{ROOT_TEXT[:-1]}\n",
        f"{ORIGIN}\n42\n{ROOT_TEXT[:-4]}\n",
        f"{ORIGIN}\n42\n{ROOT_TEXT[:-2]}9=\n",
        f"{ORIGIN}\n42\n{ROOT_TEXT} \n",
        f"{ORIGIN}\n42\né{ROOT_TEXT[1:]}\n",
        f"{ORIGIN}\n42\n{b64encode(bytes(33)).decode()}\n",
        f"{ORIGIN}\n42\n{ROOT_TEXT}\n\n",
        f"{ORIGIN}\n42\n{ROOT_TEXT}\nx\n\ny\n",
        f"{ORIGIN}\n42\n{ROOT_TEXT}\nx\ty\n",
        f"{ORIGIN}\r\n42\n{ROOT_TEXT}\n",
    ],
)
def test_another_text_is_malformed(text):
    with pytest.raises(MalformedError):
        checkpoint.parse_checkpoint(text.encode())


def test_a_text_that_is_not_utf_8_is_malformed():
    with pytest.raises(MalformedError):
        checkpoint.parse_checkpoint(b"\xff\n1\n")


def test_the_empty_tree_has_one_root():
    empty = checkpoint.sign_checkpoint(LEDGER, ORIGIN, 0, EMPTY_ROOT)
    assert checkpoint.parse_checkpoint(empty.text).size == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": ""},
        {"origin": "two\nlines"},
        {"size": -1},
        {"size": 2**63},
        {"size": 0},
        {"root": b""},
        {"extensions": ("",)},
        {"extensions": ("a\nb",)},
        {"extensions": ("\ud800",)},
    ],
)
def test_what_could_not_be_read_is_not_written(fields):
    with pytest.raises(MalformedError):
        checkpoint.format_checkpoint(
            checkpoint.Checkpoint(**{"origin": ORIGIN, "size": 1, "root": ROOT, **fields})
        )


@pytest.mark.parametrize(
    "origin", ["a", "a.example", "a-b.example/log", "0/~_.-/X", "127.0.0.1", "a" * 120, "localhost/a/b"]
)
def test_origins_of_ours(origin):
    assert checkpoint.check_origin(origin) == origin


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "A.example",
        ".a",
        "a.",
        "-a",
        "a-",
        "a/",
        "/a",
        "a//b",
        "a b",
        "a\n",
        "a/b+c",
        "a#1",
        "a/é",
        "a:80",
        "a" * 121,
        "https://a.example",
    ],
)
def test_origins_that_are_not_ours(origin):
    with pytest.raises(MalformedError):
        checkpoint.check_origin(origin)
    with pytest.raises(MalformedError):
        checkpoint.sign_checkpoint(LEDGER, origin, 1, ROOT)
    with pytest.raises(MalformedError):
        checkpoint.log_key(origin, LEDGER.public_key)


@given(st.binary(max_size=100))
def test_random_bytes_are_malformed_or_round_trip(raw):
    for candidate in (raw, SIGNED.text + raw, raw + SIGNED.text):
        try:
            parsed = checkpoint.parse_checkpoint(candidate)
        except MalformedError:
            continue
        assert checkpoint.format_checkpoint(parsed) == candidate


@given(
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=20),
    st.integers(1, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1), max_size=3),
)
def test_checkpoints_round_trip(origin, size, root, extensions):
    value = checkpoint.Checkpoint(origin=origin, size=size, root=root, extensions=tuple(extensions))
    assert checkpoint.parse_checkpoint(checkpoint.format_checkpoint(value)) == value
