"""Notes, checkpoints and keys from the C2SP specifications (commit 5ba5ee8, CC BY 4.0) and golang/mod.

The files stay outside the repository: ../shared beside the checkout, or PSEUDOLEDGER_SHARED.
"""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudoledger.errors import InvalidSignature, MalformedError
from pseudoledger.ledger import checkpoint, note

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("PSEUDOLEDGER_SHARED") or ROOT.parent / "shared")
EXAMPLES = SHARED / "vectors" / "c2sp_note_examples.json"

pytestmark = pytest.mark.skipif(not EXAMPLES.is_file(), reason=f"no test vectors at {EXAMPLES}")

DATA = json.loads(EXAMPLES.read_text()) if EXAMPLES.is_file() else {}
VALID = DATA.get("valid", [])
UNKEYED = DATA.get("parse_only_no_key", [])


@pytest.mark.parametrize("case", VALID, ids=range(len(VALID)))
def test_valid_notes_verify(case):
    raw = case["note"].encode()
    key = note.parse_vkey(case["vkey"])
    parsed = note.parse_note(raw)
    assert [item.key for item in note.verify_note(parsed, [key])] == [key]
    assert note.format_note(parsed) == raw
    assert note.format_vkey(key) == case["vkey"]


@pytest.mark.parametrize("case", VALID, ids=range(len(VALID)))
@given(data=st.data())
def test_changed_notes_do_not_verify(case, data):
    raw = bytearray(case["note"].encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((InvalidSignature, MalformedError)):
        note.verify_note(note.parse_note(bytes(raw)), [note.parse_vkey(case["vkey"])])


@pytest.mark.parametrize("case", UNKEYED, ids=range(len(UNKEYED)))
def test_checkpoints_without_a_key_parse(case):
    raw = case["note"].encode()
    parsed = note.parse_note(raw)
    assert note.format_note(parsed) == raw
    value = checkpoint.parse_checkpoint(parsed.text)
    assert checkpoint.format_checkpoint(value) == parsed.text
    assert value.origin == parsed.signatures[0].name == "example.com/behind-the-sofa"
    assert value.size == 20852163
    cosignature = parsed.signatures[1].signature
    assert len(cosignature) == 72
    assert int.from_bytes(cosignature[:8]) == case["cosig_timestamp"]
    with pytest.raises(InvalidSignature):
        checkpoint.verify_checkpoint(raw, value.origin, [])


@pytest.mark.parametrize("text", DATA.get("vkey_valid", []))
def test_valid_verifier_keys_round_trip(text):
    assert note.format_vkey(note.parse_vkey(text)) == text


@pytest.mark.parametrize("text", DATA.get("vkey_invalid", []))
def test_invalid_verifier_keys_are_malformed(text):
    with pytest.raises(MalformedError):
        note.parse_vkey(text)


def test_a_note_signed_by_a_key_of_the_go_tests_verifies():
    literals = DATA["go_string_literals"]
    key = note.parse_vkey(next(text for text in literals if text.startswith("EnochRoot+")))
    line = next(text for text in literals if text.startswith("\N{EM DASH} EnochRoot ")).removesuffix("\\n")
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    parsed = note.parse_note(f"{text}\n{line}\n".encode())
    assert note.verify_note(parsed, [key])[0].key == key
