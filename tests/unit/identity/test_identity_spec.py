"""docs/spec/identity.md says what the code does: every example and check value on the page is read here."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from pseudoledger.identity import keyfile, signing_record
from pseudoledger.identity.derivation import Seed, path_text, words_from_entropy
from pseudoledger.identity.keys import Signer, verify
from pseudoledger.identity.signing_record import Head, Slot
from pseudoledger.identity.verdicts import VERDICTS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "spec" / "identity.md").read_text()
LEDGER = "0123456789abcdef" * 4
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
FILES = [text for language, text in BLOCKS if language == "json"]


def test_the_first_example():
    values = dict(re.split(r"  +", line, maxsplit=1) for line in BLOCKS[0][1].splitlines())
    signer = Signer.from_seed(bytes.fromhex(values["seed"]))
    assert signer.public_key.hex() == values["public key"]
    assert signer.did == values["pseudonym"]
    assert signer.sign(values["message"].encode()).hex() == values["signature"]
    verify(values["pseudonym"], values["message"].encode(), bytes.fromhex(values["signature"]))


def test_the_recorded_cases_are_listed():
    text = re.search(r"ten recorded cases \(CCTV ([\d, ]+) and speccheck ([\d, ]+)\)", PAGE)
    listed = [f"CCTV {number}" for number in text[1].split(", ")]
    listed += [f"speccheck {number}" for number in text[2].split(", ")]
    assert listed == [verdict.source for verdict in VERDICTS]


def test_the_accepted_sets_are_the_tested_ones():
    tested = (Path(__file__).resolve().parents[2] / "interop" / "test_ed25519_vectors.py").read_text()
    keys = re.search(r"ed25519vectors.json`, by number \| 914 \| 305 \| ([\d ]+) \|", PAGE)[1].split()
    block = re.search(r"CCTV_KEYS_ACCEPTED = \[(.*?)\]", tested, flags=re.DOTALL)[1]
    assert re.findall(r"\d+", block) == keys
    assert "CCTV_ACCEPTED = [305]" in tested
    assert "SPECCHECK_ACCEPTED = []" in tested
    assert "SPECCHECK_KEYS_ACCEPTED = [6, 7]" in tested


ROWS = re.findall(r"^\| (\w*) ?\| `(m/[^`]+)` \| (did:key:\w+) \|$", PAGE, flags=re.MULTILINE)


def test_there_are_five_derived_check_values():
    assert len(ROWS) == 5


@pytest.mark.parametrize(("passphrase", "path", "did"), ROWS)
def test_derived_check_values(passphrase, path, did):
    seed = Seed.from_words(words_from_entropy(bytes(32)), passphrase=passphrase)
    _, ledger, scope, index = (int(step) for step in re.findall(r"(\d+)'", path))
    ledger_id = LEDGER if ledger else None
    assert path_text(ledger_id, scope, index) == path
    assert seed.signer(ledger_id, scope, index).did == did


@pytest.mark.parametrize("text", FILES)
def test_key_files_are_written_exactly_so(text):
    file = keyfile.decode(text.encode(), name=json.loads(text)["name"])
    assert keyfile.encode(file).decode() == text


def test_the_sealed_example_opens_to_the_unsealed_one():
    sealed, plain, words, derived = (
        keyfile.decode(text.encode(), name=json.loads(text)["name"]) for text in FILES
    )
    assert keyfile.unsealed(sealed, passphrase="correct horse battery staple") == plain  # noqa: S106
    assert Signer.from_seed(bytes.fromhex(plain.secret.seed)).did == plain.did
    seed = Seed.from_words(words_from_entropy(bytes.fromhex(words.secret.entropy)))
    assert seed.signer(derived.ledger, derived.scope, derived.index).did == derived.did


def test_the_slot_of_a_signing_record():
    slot = signing_record.encode_slot(Slot(7, Head(5, b"\x22" * 32)))
    begins = next(text.strip() for _, text in BLOCKS if text.startswith("706c2f6c"))
    ends = re.search(r"and ends in ([0-9a-f]{64})\.", PAGE)[1]
    assert slot.hex() == begins + "00" * 408 + ends
    assert hashlib.sha256(slot[:480]).hexdigest() == ends
    assert len(slot) == signing_record.SLOT_BYTES == 512


def test_a_block_that_a_signing_record_carries():
    written = next(text.strip() for _, text in BLOCKS if text.startswith("706c2f63"))
    carried = signing_record.Carried(Head(7, b"\x33" * 32), b"a block")
    assert signing_record.encode_carried(7, carried).hex() == written
    slots = signing_record.encode_slot(Slot(6, None)) + signing_record.encode_slot(
        Slot(7, Head(5, b"\x22" * 32))
    )
    content = (slots + bytes.fromhex(written)).ljust(signing_record.FILE_BYTES, b"\0")
    assert f"{signing_record.FILE_BYTES:,} bytes" in PAGE
    newest = signing_record.newest_slot(content)
    assert list(signing_record.decode_carried(content, newest)) == [carried]
