"""Transparent Statements: a Signed Statement that carries its receipts (RFC 9943 §7, RFC 9942 §4).

    18([ protected, {394: [ receipt, ... ]}, payload, signature ])

The leaf in the tree is always that of the statement whose unprotected map is empty (0xa0). `attach` and
`detach` change nothing else: protected header, payload and signature keep their bytes. Whether the statement
itself is a good one, its header, payload and signature, is not judged here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pseudoledger.errors import MalformedError
from pseudoledger.ledger.cbor import encode_array_head, encode_bytes, load_sign1
from pseudoledger.ledger.receipt import VerifiedReceipt, decode_receipt, verify_receipt

RECEIPTS_MAX = 4
"""Most receipts in one statement."""

STATEMENT_BYTES_MAX = 65_535
"""Longest statement without its receipts: the uint16 of an entry bundle."""

TRANSPARENT_BYTES_MAX = STATEMENT_BYTES_MAX + 16_384
"""Longest statement with its receipts."""

_TAG_SIGN1 = b"\xd2\x84"  # tag 18, array of four
_NOTHING = b"\xa0"  # {}
_RECEIPTS = b"\xa1\x19\x01\x8a"  # {394:


@dataclass(frozen=True, slots=True, kw_only=True)
class TransparentStatement:
    """A statement as it is hashed and stored, and the receipts that travelled in it; nothing is verified."""

    statement: bytes
    """The statement with its unprotected map empty."""
    receipts: tuple[bytes, ...]
    """The receipts in their order; none if there was no label 394."""


def attach(statement: bytes, receipts: Sequence[bytes]) -> bytes:
    """Return the statement with receipts in its unprotected label 394, replacing those it may have.

    Raises:
        MalformedError: no COSE_Sign1 as `detach` takes, a receipt that is not of its form, or none or too
            many of them.
    """
    bare = detach(statement).statement
    if not 1 <= len(receipts) <= RECEIPTS_MAX:
        raise _malformed(f"a transparent statement holds 1 to {RECEIPTS_MAX} receipts")
    for receipt in receipts:
        decode_receipt(receipt)
    protected, _, payload, signature = load_sign1(bare)
    return _encode(protected, _unprotected(receipts), payload, signature)


def detach(raw: bytes) -> TransparentStatement:
    """Take the receipts out of a statement, leaving the bytes that are hashed and stored.

    Raises:
        MalformedError: no COSE_Sign1 in deterministic encoding with its payload inside, anything but label
            394 in the unprotected map, or a receipt that is not of its form.
    """
    if len(raw) > TRANSPARENT_BYTES_MAX:
        raise _malformed("the statement is too long")
    protected, unprotected, payload, signature = load_sign1(raw)
    receipts: tuple[bytes, ...] = ()
    match unprotected:
        case {394: (bytes(), *_) as items} if len(items) <= RECEIPTS_MAX:
            receipts = tuple(item for item in items if isinstance(item, bytes))
    if _encode(protected, _unprotected(receipts), payload, signature) != raw:
        raise _malformed("not deterministic, or the unprotected map holds more than receipts")
    for receipt in receipts:
        decode_receipt(receipt)
    statement = _encode(protected, _NOTHING, payload, signature)
    if len(statement) > STATEMENT_BYTES_MAX:
        raise _malformed("the statement is too long")
    return TransparentStatement(statement=statement, receipts=receipts)


def verify_transparent(raw: bytes, ledger_did: str, origin: str) -> tuple[VerifiedReceipt, ...]:
    """Check every receipt that a statement carries; a statement names one ledger, so all must be by it.

    The statement's own signature is not checked here.

    Raises:
        MalformedError: as `detach`, or the statement carries no receipt.
        VerificationError: as `verify_receipt`.
    """
    transparent = detach(raw)
    if not transparent.receipts:
        raise _malformed("the statement carries no receipt")
    return tuple(
        verify_receipt(receipt, transparent.statement, ledger_did, origin) for receipt in transparent.receipts
    )


def _encode(protected: bytes, unprotected: bytes, payload: object, signature: bytes) -> bytes:
    """Return a COSE_Sign1; the unprotected map is encoded already."""
    if not isinstance(payload, bytes):
        raise _malformed("the payload of a statement is a byte string")
    fields = (encode_bytes(protected), unprotected, encode_bytes(payload), encode_bytes(signature))
    return _TAG_SIGN1 + b"".join(fields)


def _unprotected(receipts: Sequence[bytes]) -> bytes:
    """Return the encoded unprotected map."""
    if not receipts:
        return _NOTHING
    return _RECEIPTS + encode_array_head(len(receipts)) + b"".join(map(encode_bytes, receipts))


def _malformed(message: str) -> MalformedError:
    return MalformedError(message, code="transparent.form")
