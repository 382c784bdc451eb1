"""Serial digests: a machine named by a slow hash of its serial number (formats §9 "serial digest").

Whoever knows a serial number can find where it was delivered; the digest only keeps it from those who do not.
The salt is the ledger id, so that digests of two ledgers cannot be compared.
"""

from __future__ import annotations

import re
from hashlib import scrypt

from pseudoledger.errors import MalformedError

_LABEL = b"pseudoledger/serial/v1"
_TEXT = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?")


def serial_digest(ledger_id: str, maker: str, serial: str) -> str:
    """Return the digest in hex: scrypt (N 2^15, r 8, p 1) of label, maker and upper-case serial.

    Raises MalformedError unless maker and serial are 1 to 128 printable ASCII characters.
    """
    for what, text in (("maker", maker), ("serial number", serial)):
        if _TEXT.fullmatch(text) is None:
            raise MalformedError(f"a {what} is 1 to 128 printable ASCII characters", code="serial.form")
    secret = b"\0".join((_LABEL, maker.encode("ascii"), serial.upper().encode("ascii")))
    return scrypt(secret, salt=ledger_id.encode("ascii"), n=2**15, r=8, p=1, maxmem=2**26, dklen=32).hex()
