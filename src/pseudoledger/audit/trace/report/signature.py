"""The auditor's signature over a report: a detached COSE_Sign1 (RFC 9052 §4.1) beside it.

    18([ << {1: -8, 3: "application/vnd.pseudoledger.trace.v1+json", 4: did, 15: {1: did, 6: iat}} >>, {}, nil, sig ])

The content type keeps it apart from statements: neither can be taken for the other. The time of signing stands here
and not in the report, which is the same whoever makes it. `docs/spec/report.md` has the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cbor2

from pseudoledger.errors import InvalidSignature, MalformedError
from pseudoledger.identity.keys import Signer, verify
from pseudoledger.statement.cbor import REFUSED_TAGS

CONTENT_TYPE = "application/vnd.pseudoledger.trace.v1+json"
SIGNATURE_BYTES_MAX = 1_024
_EDDSA = -8
_TIME_MAX = 253_402_300_799


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBy:
    """Who signed a report, and when by their own word."""

    did: str
    at: int
    """Unix seconds."""


def sign_report(signer: Signer, report: bytes, *, at: int) -> bytes:
    """Return the signature file of a report."""
    protected = _protected(signer.did, at)
    signature = signer.sign(_signed(protected, report))
    return _encode(protected, signature)


def verify_signature(report: bytes, raw: bytes, *, key: str | None = None) -> SignedBy:
    """Check a signature file; `key` is the did of the auditor who is expected.

    Raises MalformedError if it is no such file, InvalidSignature if it does not sign this report or is another's.
    """
    protected, signature, who = _decode(raw)
    verify(who.did, _signed(protected, report), signature)
    if key is not None and who.did != key:
        raise InvalidSignature(f"the report is signed by {who.did}, not by {key}")
    return who


def _signed(protected: bytes, report: bytes) -> bytes:
    return cbor2.dumps(["Signature1", protected, b"", report])


def _protected(did: str, at: int) -> bytes:
    return cbor2.dumps({1: _EDDSA, 3: CONTENT_TYPE, 4: did.encode("ascii"), 15: {1: did, 6: at}})


def _encode(protected: bytes, signature: bytes) -> bytes:
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, None, signature]))


def _decode(raw: bytes) -> tuple[bytes, bytes, SignedBy]:
    """Take a signature file apart; there is one encoding of it."""
    if len(raw) > SIGNATURE_BYTES_MAX:
        raise _not_one()
    try:
        outer: Any = cbor2.loads(raw, semantic_decoders=REFUSED_TAGS, max_depth=4)
        protected, _, _, signature = outer.value
        claims: Any = cbor2.loads(protected, semantic_decoders=REFUSED_TAGS, max_depth=4)[15]
        did, at = claims[1], claims[6]
    except (cbor2.CBORError, ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError):
        raise _not_one() from None
    if not (isinstance(did, str) and did.isascii() and type(at) is int and 0 <= at <= _TIME_MAX):
        raise _not_one()
    if not isinstance(signature, bytes) or _encode(_protected(did, at), signature) != raw:
        raise _not_one()
    return protected, signature, SignedBy(did=did, at=at)


def _not_one() -> MalformedError:
    return MalformedError(
        "this is no signature over a report of trace",
        code="trace.signature",
        hint="it is the file that ends in .sig, made by `pl trace --as NAME`",
    )
