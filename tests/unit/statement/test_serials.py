"""Serial digests: the published form, and what it refuses."""

import hashlib

import pytest

from pseudoledger.errors import MalformedError
from pseudoledger.statement.serials import serial_digest

LEDGER = "ab" * 32


def test_the_digest_is_scrypt_over_label_maker_and_upper_case_serial():
    exact = hashlib.scrypt(
        b"pseudoledger/serial/v1\0nvidia\0SN-0001",
        salt=LEDGER.encode(),
        n=32768,
        r=8,
        p=1,
        maxmem=2**26,
        dklen=32,
    )
    assert serial_digest(LEDGER, "nvidia", "sn-0001") == exact.hex()
    assert serial_digest(LEDGER, "nvidia", "SN-0001") == exact.hex()


def test_maker_ledger_and_serial_all_count():
    digests = {
        serial_digest(LEDGER, "nvidia", "1"),
        serial_digest(LEDGER, "amd", "1"),
        serial_digest("cd" * 32, "nvidia", "1"),
        serial_digest(LEDGER, "nvidia", "2"),
    }
    assert len(digests) == 4


@pytest.mark.parametrize("text", ["", " 1", "1 ", "a\0b", "é", "x" * 129])
def test_other_text_is_refused(text):
    with pytest.raises(MalformedError):
        serial_digest(LEDGER, "nvidia", text)
