from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_examples import LEDGER, PARTY, WITNESS, flips

from pseudoledger.errors import InvalidSignature, MalformedError
from pseudoledger.ledger import note

NAME = "log.example/one"
TEXT = "an example\n\nwith an empty line, \N{SNOWMAN}\n".encode()
KEY = note.VerifierKey(name=NAME, signature_type=note.SignatureType.ED25519, public_key=LEDGER.public_key)
COSIGNER = note.VerifierKey(
    name="witness.example/w", signature_type=note.SignatureType.COSIGNATURE, public_key=WITNESS.public_key
)
LINE = note.sign_text(LEDGER, NAME, TEXT)
COSIGNED = note.cosign_text(WITNESS, COSIGNER.name, TEXT, 1_700_000_000)
SIGNED = note.SignedNote(text=TEXT, signatures=(LINE, COSIGNED))
RAW = note.format_note(SIGNED)


def line(name=b"x", material=bytes(5)):
    return b"\xe2\x80\x94 " + name + b" " + b64encode(material) + b"\n"


def test_a_note_round_trips():
    assert note.parse_note(RAW) == SIGNED
    assert note.format_note(note.parse_note(RAW)) == RAW
    assert RAW.startswith(TEXT + b"\n\xe2\x80\x94 log.example/one ")
    assert note.parse_signatures(note.format_signatures(SIGNED.signatures)) == SIGNED.signatures


def test_the_known_signatures_are_returned_in_order():
    verified = note.verify_note(SIGNED, [COSIGNER, KEY])
    assert [(item.key, item.time) for item in verified] == [(KEY, None), (COSIGNER, 1_700_000_000)]
    assert [item.key for item in note.verify_note(SIGNED, [COSIGNER])] == [COSIGNER]


def test_unknown_keys_are_ignored_even_with_a_known_name_or_id():
    other = note.VerifierKey(
        name=NAME, signature_type=note.SignatureType.ED25519, public_key=PARTY.public_key
    )
    with pytest.raises(InvalidSignature, match="not signed by any"):
        note.verify_note(SIGNED, [other])
    with pytest.raises(InvalidSignature, match="not signed by any"):
        note.verify_note(SIGNED, [])
    noise = (
        note.NoteSignature(name=NAME, key_id=b"\0\0\0\0", signature=bytes(64)),
        note.NoteSignature(name="other", key_id=KEY.key_id, signature=b"1"),
    )
    crowded = note.SignedNote(text=TEXT, signatures=(*noise, LINE))
    assert [item.key for item in note.verify_note(crowded, [KEY])] == [KEY]


@pytest.mark.parametrize("length", [0, 8, 63, 64, 65, 71, 72, 73])
def test_a_bad_signature_of_a_known_key_spoils_the_note(length):
    for key in (KEY, COSIGNER):
        bad = note.NoteSignature(name=key.name, key_id=key.key_id, signature=bytes(length))
        for signatures in ((LINE, COSIGNED, bad), (bad, LINE, COSIGNED)):
            spoiled = note.SignedNote(text=TEXT, signatures=signatures)
            with pytest.raises(InvalidSignature):
                note.verify_note(spoiled, [KEY, COSIGNER])


def test_of_several_signatures_by_one_key_all_are_checked_and_the_first_counts():
    later = note.cosign_text(WITNESS, COSIGNER.name, TEXT, 1_800_000_000)
    twice = note.SignedNote(text=TEXT, signatures=(COSIGNED, later, COSIGNED))
    assert note.parse_note(note.format_note(twice)) == twice
    assert [item.time for item in note.verify_note(twice, [COSIGNER])] == [1_700_000_000]


def test_a_time_past_the_limit_is_refused():
    signature = b"\x80" + bytes(7) + WITNESS.sign(b"cosignature/v1\ntime 9223372036854775808\n" + TEXT)
    bad = note.NoteSignature(name=COSIGNER.name, key_id=COSIGNER.key_id, signature=signature)
    with pytest.raises(InvalidSignature):
        note.verify_note(note.SignedNote(text=TEXT, signatures=(bad,)), [COSIGNER])
    for time in (-1, note.TIME_MAX + 1):
        with pytest.raises(MalformedError):
            note.cosign_text(WITNESS, COSIGNER.name, TEXT, time)
    latest = note.cosign_text(WITNESS, COSIGNER.name, TEXT, note.TIME_MAX)
    assert (
        note.verify_note(note.SignedNote(text=TEXT, signatures=(latest,)), [COSIGNER])[0].time
        == note.TIME_MAX
    )


def test_a_plain_signature_is_no_cosignature():
    crossed = note.NoteSignature(
        name=COSIGNER.name, key_id=COSIGNER.key_id, signature=bytes(8) + WITNESS.sign(TEXT)
    )
    with pytest.raises(InvalidSignature):
        note.verify_note(note.SignedNote(text=TEXT, signatures=(crossed,)), [COSIGNER])


def test_every_changed_bit_of_a_note_is_refused_or_loses_a_signature():
    for changed in flips(RAW):
        try:
            parsed = note.parse_note(changed)
            verified = note.verify_note(parsed, [KEY, COSIGNER])
        except (InvalidSignature, MalformedError):
            continue
        # A changed name or key id makes a line unknown, and the standard tells us to ignore it.
        assert parsed.text == TEXT
        assert len(verified) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n\n",
        b"text\n" + line(),
        b"text\n\n" + line()[:-1],
        b"text\n\n" + line() + b"\n",
        b"text\n\n" + line() + b"junk\n",
        b"text\n\n-- x AAAAAAA=\n",
        b"text\n\n" + line()[4:],
        b"text\n\n" + line(b""),
        b"text\n\n" + line(b"a+b"),
        b"text\n\n" + line("a\N{NO-BREAK SPACE}b".encode()),
        b"text\n\n" + line("a\N{IDEOGRAPHIC SPACE}b".encode()),
        b"text\n\n" + line(b"a\tb"),
        b"text\n\n" + line(b"\xff"),
        b"text\n\n" + line(b"a b"),
        b"text\n\n" + line(material=bytes(4)),
        b"text\n\n" + line(material=b""),
        b"text\n\n\xe2\x80\x94 x\n",
        b"text\n\n\xe2\x80\x94 x AAAAAAA\n",
        b"text\n\n\xe2\x80\x94 x AAAAAAB=\n",
        b"text\n\n\xe2\x80\x94 x AAAA-AA=\n",
        b"text\n\n\xe2\x80\x94 x AAAAAAA= \n",
        b"text\n\n\xe2\x80\x94 x AAAA\xc3\xa9AAA=\n",
        b"text\r\n\n" + line(),
        b"te\0xt\n\n" + line(),
        b"\xff\n\n" + line(),
        b"\xed\xa0\x80\n\n" + line(),
        b"text\n\n" + line() * (note.SIGNATURES_MAX + 1),
        b"x" * note.NOTE_BYTES_MAX + b"\n\n" + line(),
    ],
    ids=range(31),
)
def test_another_form_is_malformed(raw):
    with pytest.raises(MalformedError):
        note.parse_note(raw)


def test_limits_leave_room_for_what_the_standard_asks_for():
    many = b"text\n\n" + line(material=bytes(2000)) * 16
    assert len(note.parse_note(many).signatures) == 16
    assert len(note.parse_note(b"text\n\n" + line() * note.SIGNATURES_MAX).signatures) == note.SIGNATURES_MAX


@pytest.mark.parametrize(
    "bad",
    [
        note.SignedNote(text=b"no newline", signatures=(LINE,)),
        note.SignedNote(text=TEXT, signatures=()),
        note.SignedNote(text=TEXT, signatures=(LINE,) * 65),
        note.SignedNote(
            text=TEXT, signatures=(note.NoteSignature(name="a b", key_id=bytes(4), signature=b"1"),)
        ),
        note.SignedNote(
            text=TEXT, signatures=(note.NoteSignature(name="a", key_id=b"", signature=bytes(9)),)
        ),
        note.SignedNote(
            text=TEXT, signatures=(note.NoteSignature(name="a", key_id=bytes(4), signature=b""),)
        ),
        note.SignedNote(
            text=TEXT, signatures=(note.NoteSignature(name="\ud800", key_id=bytes(4), signature=b"1"),)
        ),
    ],
    ids=range(7),
)
def test_what_could_not_be_read_is_not_written(bad):
    with pytest.raises(MalformedError):
        note.format_note(bad)


def test_what_cannot_stand_in_a_note_is_not_signed():
    for text in (b"no newline", b"\xff\n", b"a\tb\n", b""):
        with pytest.raises(MalformedError):
            note.sign_text(LEDGER, NAME, text)
        with pytest.raises(MalformedError):
            note.cosign_text(WITNESS, NAME, text, 0)
    for name in ("", "a b", "a+b", "a\nb"):
        with pytest.raises(MalformedError):
            note.sign_text(LEDGER, name, TEXT)


def test_verifier_keys_round_trip():
    for key in (KEY, COSIGNER):
        assert note.parse_vkey(note.format_vkey(key)) == key
    again = note.VerifierKey(
        name=NAME, signature_type=note.SignatureType.COSIGNATURE, public_key=LEDGER.public_key
    )
    assert again.key_id != KEY.key_id


def test_every_changed_bit_of_a_verifier_key_is_refused():
    for changed in flips(note.format_vkey(KEY).encode()):
        try:
            text = changed.decode()
        except UnicodeDecodeError:
            continue
        with pytest.raises(MalformedError):
            note.parse_vkey(text)


def vkey(material):
    return f"{NAME}+00000000+{b64encode(material).decode()}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "++",
        NAME,
        note.format_vkey(KEY) + "\n",
        note.format_vkey(KEY).upper(),
        note.format_vkey(KEY)[:-1],
        note.format_vkey(KEY).replace("+", " ", 1),
        vkey(b""),
        vkey(b"\x06" + bytes(1312)),
        vkey(b"\x01" + bytes(32)),
        vkey(b"\x01\x01" + bytes(31)),
        vkey(b"\x01" + LEDGER.public_key),
        vkey(b"\x01" + LEDGER.public_key[:31]),
        "a b" + note.format_vkey(KEY)[len(NAME) :],
    ],
)
def test_another_verifier_key_is_malformed(text):
    with pytest.raises(MalformedError):
        note.parse_vkey(text)


def test_keys_that_a_line_cannot_tell_apart_are_refused(monkeypatch):
    twin = note.VerifierKey(name=NAME, signature_type=note.SignatureType.ED25519, public_key=PARTY.public_key)
    object.__setattr__(twin, "key_id", KEY.key_id)
    with pytest.raises(MalformedError):
        note.verify_note(SIGNED, [KEY, twin])
    assert note.verify_note(SIGNED, [KEY, KEY])


@given(st.binary(max_size=120))
def test_random_bytes_are_malformed_or_round_trip(raw):
    for candidate in (raw, TEXT + b"\n" + raw, TEXT + b"\n\xe2\x80\x94 " + raw + b"\n"):
        try:
            parsed = note.parse_note(candidate)
        except MalformedError:
            continue
        assert note.format_note(parsed) == candidate


@given(st.text(max_size=60))
def test_random_texts_are_malformed_verifier_keys(text):
    for candidate in (text, f"{text}+{KEY.key_id.hex()}+{b64encode(b'x' * 33).decode()}"):
        with pytest.raises(MalformedError):
            note.parse_vkey(candidate)


@given(st.data())
def test_spliced_notes_raise_nothing_but_our_errors(data):
    raw = bytearray(RAW)
    at = data.draw(st.integers(0, len(raw)))
    raw[at : at + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=12))
    try:
        verified = note.verify_note(note.parse_note(bytes(raw)), [KEY, COSIGNER])
    except (MalformedError, InvalidSignature):
        return
    assert bytes(raw).startswith(TEXT + b"\n")
    assert verified
