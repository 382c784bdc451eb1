"""The Signed Statement: COSE_Sign1 in its one accepted encoding (RFC 9052, RFC 9943, formats §2).

`decode` reads the form and refuses every other; it checks no signature and reads no payload. The order for
whoever receives bytes is: decode, `verify`, then `payload.parse`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256

import cbor2
import msgspec

from pseudoledger.errors import MalformedError
from pseudoledger.identity.keys import Signer, verify
from pseudoledger.statement.cbor import REFUSED_TAGS
from pseudoledger.statement.kinds import Payload
from pseudoledger.statement.payload import serialise

CONTENT_TYPE = "application/vnd.pseudoledger.v1+json"
STATEMENT_MAX = 65_535
"""Most bytes of a statement: the uint16 of tlog-tiles entry bundles."""

_ALG_WRITTEN = -8
_ALGS_READ = frozenset({-8, -19})
_CLAIMS = ((1, 2, 3, 6), (1, 2, 3, 4, 6), (1, 2, 6), (1, 2, 4, 6))
_SIGNATURE1 = b"\x84\x6aSignature1"
_TAG = b"\xd2\x84"  # tag 18, array of four
_USUAL = re.compile(
    rb"\xd2\x84(\x59(..)("  # the protected header: its head, its size, its bytes
    rb"\xa4\x01\x27\x03\x78\x24" + re.escape(CONTENT_TYPE.encode("ascii")) + rb"\x04\x58\x38(.{56})"
    rb"\x0f([\xa4\xa5])\x01\x78\x38\4\x02(?:\x78\x40(.{64})|\x78\x38(.{56}))\x03\x78\x40(.{64})"
    rb"(?:\x04\x1a(.{4}))?\x06\x1a(.{4})))"
    rb"\xa0(?:\x59([\x01-\xff].)|\x58([\x18-\xff]))",  # the unprotected one; the payload's size
    re.DOTALL,
)
"""The form that nearly every statement has, up to its payload: alg -8, iss a did of 56 characters that kid repeats,
sub such a did or a statement id, aud a statement id, times of four bytes."""
_USUAL_END = b"\x58\x40"
_TIME4_MIN = b"\x00\x01"
"""Beginning of the smallest time that takes four bytes."""


class Statement(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True, tag=True):
    """One Signed Statement in its parts; `raw` are the bytes that are stored and hashed as leaf.

    A msgspec.Struct rather than a dataclass because one is made for every statement on the hot path.
    """

    raw: bytes
    signed_bytes: bytes
    """The Sig_structure: what the signature covers."""
    payload: bytes
    signature: bytes
    iss: str
    sub: str
    aud: str | None
    exp: int | None
    iat: int
    id: str

    def verify(self) -> None:
        """Raise InvalidSignature unless the issuer signed this statement."""
        verify(self.iss, self.signed_bytes, self.signature)


def _head(major: int, size: int) -> bytes:
    """Return the shortest CBOR head (RFC 8949 §3) of a string below 65,536 bytes."""
    if size < 24:
        return bytes((major | size,))
    if size < 256:
        return bytes((major | 24, size))
    return bytes((major | 25, size >> 8, size & 0xFF))


def signed_bytes(protected: bytes, payload: bytes) -> bytes:
    """Return the Sig_structure ["Signature1", protected, h'', payload] (RFC 9052 §4.4)."""
    return b"".join(
        (_SIGNATURE1, _head(0x40, len(protected)), protected, b"\x40", _head(0x40, len(payload)), payload)
    )


def statement_id(signed: bytes) -> str:
    """Return the statement id: SHA-256 of the Sig_structure, in hex."""
    return sha256(signed).hexdigest()


def _encode_protected(alg: int, claims: dict[int, str | int]) -> bytes:
    return cbor2.dumps({1: alg, 3: CONTENT_TYPE, 4: str(claims[1]).encode("ascii"), 15: claims})


@lru_cache(maxsize=64)
def _protected(iss: str, sub: str, aud: str | None, exp: int | None, iat: int) -> bytes:
    """Return the protected header that is written; blocks of one second have the same."""
    said = {1: iss, 2: sub, 3: aud, 4: exp, 6: iat}
    return _encode_protected(
        _ALG_WRITTEN, {label: value for label, value in said.items() if value is not None}
    )


def _encode(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    return b"".join(
        (
            _TAG,
            _head(0x40, len(protected)),
            protected,
            b"\xa0",
            _head(0x40, len(payload)),
            payload,
            _head(0x40, len(signature)),
            signature,
        )
    )


def sign(
    signer: Signer, payload: Payload, *, sub: str, aud: str | None, iat: int, exp: int | None = None
) -> bytes:
    """Sign a payload and return the statement's bytes.

    `sub` as the table of kinds says, `aud` the ledger id (None for the founding alone), `iat` and `exp` in
    seconds since 1970. Raises MalformedError if the statement would be too large.
    """
    return sign_bytes(signer, serialise(payload), sub=sub, aud=aud, iat=iat, exp=exp)


def sign_bytes(
    signer: Signer, payload: bytes, *, sub: str, aud: str | None, iat: int, exp: int | None = None
) -> bytes:
    """Sign canonical payload bytes as `sign` does."""
    return sign_statement(signer, payload, sub=sub, aud=aud, iat=iat, exp=exp).raw


def sign_statement(
    signer: Signer, payload: bytes, *, sub: str, aud: str | None, iat: int, exp: int | None = None
) -> Statement:
    """Sign canonical payload bytes as `sign` does, and return the statement that `decode` would read."""
    protected = _protected(signer.did, sub, aud, exp, iat)
    if len(payload) + len(protected) > STATEMENT_MAX - 100:
        raise MalformedError(
            f"a payload of {len(payload)} bytes makes a statement of more than {STATEMENT_MAX}",
            code="statement.size",
            hint="let a larger document travel apart and name it by {sha256, media_type, bytes}",
        )
    signed = signed_bytes(protected, payload)
    signature = signer.sign(signed)
    return Statement(
        raw=_encode(protected, payload, signature),
        signed_bytes=signed,
        payload=payload,
        signature=signature,
        iss=signer.did,
        sub=sub,
        aud=aud,
        exp=exp,
        iat=iat,
        id=statement_id(signed),
    )


def decode(raw: bytes) -> Statement:
    """Read a statement in its one accepted encoding; raise MalformedError naming what differs."""
    if len(raw) > STATEMENT_MAX:
        raise MalformedError(f"{len(raw)} bytes are over {STATEMENT_MAX}", code="statement.size")
    return _decode_usual(raw) or _decode_any(raw)


def _decode_usual(raw: bytes) -> Statement | None:
    """Read the form that nearly every statement has; None for any other.

    Four times as fast as taking CBOR apart and putting it together again. It accepts nothing that `_decode_any`
    refuses (a property test holds one against the other).
    """
    found = _USUAL.match(raw)
    if found is None:
        return None
    head, size, protected, iss, claims, long_sub, short_sub, aud, exp, iat, long, short = found.groups()
    start, end = found.end(), len(raw) - 66
    if (
        int.from_bytes(size) != len(protected)
        or int.from_bytes(long or short) != end - start
        or raw[end : end + 2] != _USUAL_END
        or claims != (b"\xa4" if exp is None else b"\xa5")
        or iat < _TIME4_MIN
        or (exp is not None and exp < _TIME4_MIN)
    ):
        return None
    # Header and payload stand in the Sig_structure as they stand here, each under its head.
    signed = b"".join((_SIGNATURE1, head, b"\x40", raw[found.end(1) + 1 : end]))
    try:
        return Statement(
            raw=raw,
            signed_bytes=signed,
            payload=raw[start:end],
            signature=raw[-64:],
            iss=iss.decode("ascii"),
            sub=(long_sub or short_sub).decode("utf-8"),
            aud=aud.decode("utf-8"),
            exp=None if exp is None else int.from_bytes(exp),
            iat=int.from_bytes(iat),
            id=statement_id(signed),
        )
    except UnicodeDecodeError:
        return None


def _decode_any(raw: bytes) -> Statement:
    body = _cbor(raw, "statement.cbor")
    if not isinstance(body, cbor2.CBORTag) or body.tag != 18:
        raise MalformedError("not a COSE_Sign1 message (CBOR tag 18)", code="statement.cbor")
    parts = body.value
    if not isinstance(parts, list | tuple) or len(parts) != 4:
        raise MalformedError("COSE_Sign1 is an array of four", code="statement.cbor")
    protected, unprotected, payload, signature = parts
    if not (isinstance(protected, bytes) and isinstance(payload, bytes) and isinstance(signature, bytes)):
        raise MalformedError(
            "protected header, payload and signature are byte strings", code="statement.cbor"
        )
    if not isinstance(unprotected, Mapping) or unprotected:
        raise MalformedError("the unprotected header is not empty", code="statement.unprotected")
    if _encode(protected, payload, signature) != raw:
        raise MalformedError(
            "not in deterministic encoding: shortest lengths, nothing after the end", code="statement.cbor"
        )
    alg, claims = _header(protected)
    iss, sub, aud, exp, iat = (claims.get(label) for label in (1, 2, 3, 4, 6))
    if not (isinstance(iss, str) and isinstance(sub, str) and type(iat) is int):
        raise MalformedError("iss and sub are text, iat is an integer", code="statement.header")
    if not (aud is None or isinstance(aud, str)) or not (exp is None or type(exp) is int):
        raise MalformedError("aud is text, exp is an integer", code="statement.header")
    if not 0 <= iat <= 253_402_300_799 or not (exp is None or 0 <= exp <= 253_402_300_799):
        raise MalformedError("iat and exp are seconds from 1970 to 9999", code="statement.header")
    # Written from the labels that we know: a map of Python takes true and 1.0 for 1, and null for what is left out.
    said = {1: iss, 2: sub, 3: aud, 4: exp, 6: iat}
    known = {label: value for label, value in said.items() if value is not None}
    if not iss.isascii() or _encode_protected(alg, known) != protected:
        raise MalformedError(
            "the protected header is not {1, 3, 4: the bytes of iss, 15: {1, 2, 3, ?4, 6}} in this order and"
            " deterministic encoding",
            code="statement.header",
        )
    signed = signed_bytes(protected, payload)
    return Statement(
        raw=raw,
        signed_bytes=signed,
        payload=payload,
        signature=signature,
        iss=iss,
        sub=sub,
        aud=aud,
        exp=exp,
        iat=iat,
        id=statement_id(signed),
    )


def _cbor(raw: bytes, code: str) -> object:
    try:
        return cbor2.loads(
            raw,
            semantic_decoders=REFUSED_TAGS,
            max_depth=4,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        raise MalformedError(f"not CBOR: {error}", code=code) from None


def _header(protected: bytes) -> tuple[int, dict[int, str | int]]:
    """Read the protected header; its exact bytes are compared by the caller."""
    header = _cbor(protected, "statement.header")
    if not isinstance(header, dict) or tuple(header) != (1, 3, 4, 15):
        raise MalformedError(
            "the protected header has exactly the labels 1, 3, 4, 15", code="statement.header"
        )
    alg, content_type, _, claims = header.values()
    if type(alg) is not int or alg not in _ALGS_READ:
        raise MalformedError("alg is neither -8 nor -19 (EdDSA over Ed25519)", code="statement.header")
    if content_type != CONTENT_TYPE:
        raise MalformedError(f"the content type is not {CONTENT_TYPE}", code="statement.header")
    if not isinstance(claims, dict) or tuple(claims) not in _CLAIMS:
        raise MalformedError(
            "the claims have exactly the labels 1, 2, 3, optionally 4, and 6 in this order",
            code="statement.header",
        )
    return alg, claims
