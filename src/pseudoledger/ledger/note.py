"""Signed notes and verifier keys, C2SP signed-note v1.0.0, and the Ed25519 signature types we know.

    example.com/log                                          text, ends in a newline
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
                                                             the last blank line of the note
    — example.com/log Az3grlgtzPICa5OS8npVmf1Myq/5IZnia...   em dash, key name, base64(key id ‖ signature)

Two signature types: 0x01 signs the text itself; 0x04 (tlog-cosignature v1.0.1) signs it with a time and
belongs under checkpoints only. ML-DSA (0x06) is unknown here, and unknown keys are ignored.

Parsing checks form, `verify_note` checks signatures; nobody reads a text before. What the text says is the
affair of `checkpoint`.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256

from pseudoledger.errors import InvalidSignature, MalformedError
from pseudoledger.identity import keys

NOTE_BYTES_MAX = 65_536
"""Longest note read."""

SIGNATURES_MAX = 64
"""Most signature lines in a note; the specification asks for at least 16."""

TIME_MAX = 2**63 - 1
"""Latest time of a cosignature, in seconds since the epoch."""

KEY_ID_BYTES = 4
_DASH = "\N{EM DASH} ".encode()
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})")


class SignatureType(IntEnum):
    """The signature type identifier byte of a key."""

    ED25519 = 0x01
    """Over the note text."""
    COSIGNATURE = 0x04
    """Over the text of a checkpoint and a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A key whose signatures count, with the name and type it signs under.

    Raises:
        MalformedError: the name is empty or holds spaces, controls or "+", or the key is not acceptable.
    """

    name: str
    """Key name; a ledger's is its origin."""
    signature_type: SignatureType
    """What its signatures cover."""
    public_key: bytes
    """Ed25519 public key, 32 bytes."""
    key_id: bytes = field(init=False)
    """SHA-256(name ‖ 0x0A ‖ type ‖ key)[:4]."""

    def __post_init__(self) -> None:
        check_key_name(self.name)
        keys.did_from_key(self.public_key)
        labelled = self.name.encode() + b"\n" + bytes((self.signature_type,)) + self.public_key
        object.__setattr__(self, "key_id", sha256(labelled).digest()[:KEY_ID_BYTES])


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line; not verified."""

    name: str
    """Key name."""
    key_id: bytes
    """Four bytes that, with the name, choose the key."""
    signature: bytes
    """What follows the key id: for type 0x04 a time and a signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedNote:
    """A text and the signature lines under it; not verified."""

    text: bytes
    """The text with its final newline, without the blank line."""
    signatures: tuple[NoteSignature, ...]
    """At least one, in the order of the lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSignature:
    """A signature that verified."""

    key: VerifierKey
    """The key that made it."""
    time: int | None
    """Seconds since the epoch, for a cosignature."""


def check_key_name(name: str) -> str:
    """Return a key name that may stand in a signature line.

    Raises:
        MalformedError: empty, or with Unicode spaces, control characters, "+" or a lone surrogate.
    """
    if not name or "+" in name or any(letter.isspace() for letter in name) or _CONTROL.search(name):
        raise _malformed("a key name is not empty and has no spaces, controls or plus signs")
    _encode(name)
    return name


def parse_vkey(text: str) -> VerifierKey:
    """Parse a verifier key, `name+hex(key id)+base64(type ‖ key)`.

    Raises:
        MalformedError: not of this form, an unknown type, or a key id that does not fit.
    """
    match = _VKEY.fullmatch(text)
    if match is None:
        raise _malformed("a verifier key is name+keyid+key", "vkey.form")
    material = decode_base64(match[3])
    if material[0] not in list(SignatureType):
        raise _malformed(f"unknown signature type {material[0]:#04x}", "vkey.form")
    key = VerifierKey(
        name=match[1], signature_type=SignatureType(material[0]), public_key=bytes(material[1:])
    )
    if key.key_id.hex() != match[2]:
        raise _malformed("the key id does not belong to this name and key", "vkey.form")
    return key


def format_vkey(key: VerifierKey) -> str:
    """Return the verifier key as text; the inverse of `parse_vkey`."""
    material = bytes((key.signature_type,)) + key.public_key
    return f"{key.name}+{key.key_id.hex()}+{b64encode(material).decode()}"


def parse_note(raw: bytes) -> SignedNote:
    """Parse a signed note; signatures are not verified.

    The text ends at the last blank line. What is parsed is formatted to the same bytes again.

    Raises:
        MalformedError: too long, not UTF-8, control characters, no blank line, or a signature line that is
            not of its form.
    """
    if len(raw) > NOTE_BYTES_MAX:
        raise _malformed(f"a note has at most {NOTE_BYTES_MAX} bytes")
    end = raw.rfind(b"\n\n")
    if end < 0:
        raise _malformed("no blank line before the signatures")
    text = raw[: end + 1]
    _check_text(text)
    return SignedNote(text=text, signatures=parse_signatures(raw[end + 2 :]))


def format_note(note: SignedNote) -> bytes:
    """Return the bytes of a note; the inverse of `parse_note`.

    Raises:
        MalformedError: a part is not of a form that `parse_note` accepts.
    """
    raw = note.text + b"\n" + format_signatures(note.signatures)
    if parse_note(raw) != note:
        raise _malformed("text or signatures cannot stand in a note")
    return raw


def parse_signatures(raw: bytes) -> tuple[NoteSignature, ...]:
    """Parse signature lines alone, as a witness returns them.

    Raises:
        MalformedError: none, too many, or a line that is not of its form.
    """
    lines = raw.split(b"\n", SIGNATURES_MAX + 1)
    if lines.pop() or not 1 <= len(lines) <= SIGNATURES_MAX:
        raise _malformed(f"a note has 1 to {SIGNATURES_MAX} signature lines, each ended by a newline")
    return tuple(_parse_signature(line) for line in lines)


def format_signatures(signatures: Iterable[NoteSignature]) -> bytes:
    """Return signature lines; the inverse of `parse_signatures`."""
    return b"".join(
        _DASH + _encode(line.name) + b" " + b64encode(line.key_id + line.signature) + b"\n"
        for line in signatures
    )


def sign_text(signer: keys.Signer, name: str, text: bytes) -> NoteSignature:
    """Sign a text as a note, type 0x01.

    Raises:
        MalformedError: text or name cannot stand in a note.
    """
    _check_text(text)
    key = VerifierKey(name=name, signature_type=SignatureType.ED25519, public_key=signer.public_key)
    return NoteSignature(name=name, key_id=key.key_id, signature=signer.sign(text))


def cosign_text(signer: keys.Signer, name: str, text: bytes, time: int) -> NoteSignature:
    """Sign a checkpoint's text with a time, type 0x04.

    Raises:
        MalformedError: text or name cannot stand in a note, or the time is out of range.
    """
    _check_text(text)
    if not 0 <= time <= TIME_MAX:
        raise _malformed("the time of a cosignature lies between 0 and 2^63 - 1")
    key = VerifierKey(name=name, signature_type=SignatureType.COSIGNATURE, public_key=signer.public_key)
    signature = time.to_bytes(8) + signer.sign(_cosigned(text, time))
    return NoteSignature(name=name, key_id=key.key_id, signature=signature)


def cosignature_time(line: NoteSignature) -> int | None:
    """Return the time that an Ed25519 cosignature claims, None for a line of another length; nothing is verified."""
    return int.from_bytes(line.signature[:8]) if len(line.signature) == 8 + keys.SIGNATURE_BYTES else None


def verify_note(note: SignedNote, known: Sequence[VerifierKey]) -> tuple[VerifiedSignature, ...]:
    """Check every signature by a known key, and return them in the order of their lines.

    Lines of unknown keys are ignored. Each line of a known key is checked; of several by one key the first
    is returned.

    Raises:
        InvalidSignature: a known key's signature does not verify, or no known key signed.
        MalformedError: two of the known keys share name and key id.
    """
    by_line = {(key.name, key.key_id): key for key in known}
    if len(by_line) != len(set(known)):
        raise _malformed("two known keys share name and key id", "vkey_ambiguous")
    verified: dict[VerifierKey, VerifiedSignature] = {}
    for line in note.signatures:
        key = by_line.get((line.name, line.key_id))
        if key is not None:
            time = _verify_line(note.text, line, key)
            verified.setdefault(key, VerifiedSignature(key=key, time=time))
    if not verified:
        raise InvalidSignature("the note is not signed by any of the known keys")
    return tuple(verified.values())


def decode_base64(text: str | bytes) -> bytes:
    """Decode standard base64 in its one canonical spelling (RFC 4648 §4, §3.5).

    Raises:
        MalformedError: other letters, missing or extra padding, or stray bits.
    """
    try:
        decoded = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed("not base64") from None
    if b64encode(decoded) != (text.encode("ascii") if isinstance(text, str) else text):
        raise _malformed("not canonical base64")
    return decoded


def _verify_line(text: bytes, line: NoteSignature, key: VerifierKey) -> int | None:
    """Check one signature line and return its time, if it has one."""
    signature, message, time = line.signature, text, None
    if key.signature_type is SignatureType.COSIGNATURE:
        if len(signature) != 8 + keys.SIGNATURE_BYTES:
            raise InvalidSignature(f"the cosignature of {key.name} does not have 72 bytes")
        time, signature = int.from_bytes(signature[:8]), signature[8:]
        if time > TIME_MAX:
            raise InvalidSignature(f"the cosignature of {key.name} has a time past 2^63 - 1")
        message = _cosigned(text, time)
    try:
        keys.verify(key.public_key, message, signature)
    except InvalidSignature as error:
        raise InvalidSignature(f"the signature of {key.name} does not verify: {error.message}") from None
    return time


def _cosigned(text: bytes, time: int) -> bytes:
    """Return the message of a cosignature, tlog-cosignature "Ed25519 signed message"."""
    return b"cosignature/v1\ntime %d\n%b" % (time, text)


def _parse_signature(line: bytes) -> NoteSignature:
    """Parse one signature line without its newline."""
    name, space, encoded = line.removeprefix(_DASH).partition(b" ")
    if not line.startswith(_DASH) or not space:
        raise _malformed("a signature line is an em dash, a key name and base64")
    decoded = decode_base64(encoded)
    if len(decoded) <= KEY_ID_BYTES:
        raise _malformed("a signature has a key id of four bytes and at least one byte more")
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise _malformed("a note is UTF-8") from None
    return NoteSignature(
        name=check_key_name(text), key_id=decoded[:KEY_ID_BYTES], signature=decoded[KEY_ID_BYTES:]
    )


def _check_text(text: bytes) -> None:
    """Check that a text may stand in a note."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        raise _malformed("a note is UTF-8") from None
    if not decoded.endswith("\n") or _CONTROL.search(decoded):
        raise _malformed("a note's text ends in a newline and has no other control characters")


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise _malformed("a name holds a lone surrogate") from None


def _malformed(message: str, code: str = "note.form") -> MalformedError:
    return MalformedError(message, code=code)
