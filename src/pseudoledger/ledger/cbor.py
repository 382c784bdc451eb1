"""The little deterministic CBOR (RFC 8949 §4.2.1) that receipts and transparent statements need.

Decoders take a value apart with `load`, write it out again from its parts and compare the bytes. That
comparison, not `load`, is what refuses non-minimal integers, wrong order and everything left over.
"""

from __future__ import annotations

import cbor2

from pseudoledger.errors import MalformedError
from pseudoledger.statement.cbor import REFUSED_TAGS

_DEPTH_MAX = 8
_BYTES, _TEXT, _ARRAY, _UINT = 2, 3, 4, 0


def load(raw: bytes) -> object:
    """Decode one CBOR item; arrays and maps come back immutable.

    Raises:
        MalformedError: no CBOR item, an indefinite length, a duplicate key, or nested too deep.
    """
    try:
        value: object = cbor2.loads(
            raw,
            semantic_decoders=REFUSED_TAGS,
            max_depth=_DEPTH_MAX,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            immutable=True,
        )
    except (cbor2.CBORError, ValueError, TypeError, OverflowError) as error:
        raise MalformedError(f"not CBOR: {error}", code="cbor.form") from None
    return value


def load_sign1(raw: bytes) -> tuple[bytes, object, object, bytes]:
    """Decode a COSE_Sign1 (RFC 9052 §4.2) into protected, unprotected, payload and signature.

    Raises:
        MalformedError: not tag 18 over four fields, or protected or signature is no byte string.
    """
    match load(raw):
        case cbor2.CBORTag(tag=18, value=(bytes() as protected, unprotected, payload, bytes() as signature)):
            return protected, unprotected, payload, signature
    raise MalformedError("not a COSE_Sign1", code="cbor.form")


def encode_uint(value: int) -> bytes:
    """Encode an unsigned integer below 2^64."""
    return _head(_UINT, value)


def encode_bytes(value: bytes) -> bytes:
    """Encode a byte string."""
    return _head(_BYTES, len(value)) + value


def encode_text(value: str) -> bytes:
    """Encode a text string."""
    encoded = value.encode()
    return _head(_TEXT, len(encoded)) + encoded


def encode_array_head(length: int) -> bytes:
    """Encode the head of an array; its items follow."""
    return _head(_ARRAY, length)


def _head(major: int, argument: int) -> bytes:
    """Encode major type and argument in the shortest form, RFC 8949 §3 and §4.2.1."""
    first = major << 5
    if argument < 24:
        return bytes((first | argument,))
    if argument < 0x100:
        return bytes((first | 24, argument))
    if argument < 0x10000:
        return bytes((first | 25,)) + argument.to_bytes(2)
    if argument < 0x100000000:
        return bytes((first | 26,)) + argument.to_bytes(4)
    return bytes((first | 27,)) + argument.to_bytes(8)
