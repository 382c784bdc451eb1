"""Checkpoints: the signed size and root of a ledger, C2SP tlog-checkpoint v1.0.0, and their cosignatures.

    city.example/compute                             origin
    20852163                                         tree size
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=     root

    — city.example/compute Az3grl...                 the ledger key, type 0x01, under the origin's name
    — witness.example/w1 jWbPPw...                   witnesses, type 0x04, each with a time

We write no extension lines. As a witness for other logs we keep and cosign theirs, and do not demand our
own grammar of their origin. Whether two checkpoints agree is shown by `tree.verify_consistency`; who may
sign, and how many witnesses suffice, is the caller's policy.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pseudoledger.errors import InconsistentCheckpoint, InvalidSignature, MalformedError
from pseudoledger.identity import keys
from pseudoledger.ledger.note import (
    NoteSignature,
    SignatureType,
    SignedNote,
    VerifiedSignature,
    VerifierKey,
    cosign_text,
    decode_base64,
    parse_note,
    sign_text,
    verify_note,
)
from pseudoledger.ledger.tree import EMPTY_ROOT, HASH_BYTES

SIZE_MAX = 2**63 - 1
"""Largest tree size read or written."""

ORIGIN_BYTES_MAX = 120
"""Longest origin of a ledger of ours."""

_ORIGIN = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[A-Za-z0-9._~-]+)*")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_FOREIGN_LINE = re.compile(r"[^\x00-\x1f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a checkpoint's text says; not signed by itself."""

    origin: str
    """Name of the log."""
    size: int
    """Leaves of the tree."""
    root: bytes
    """Root of the tree, 32 bytes."""
    extensions: tuple[str, ...] = ()
    """Extension lines of other logs; ours have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCheckpoint:
    """A checkpoint whose log signature verified, and the cosignatures that did."""

    checkpoint: Checkpoint
    """What the text says."""
    note: SignedNote
    """The note it was read from, with all its signature lines."""
    log_keys: tuple[VerifierKey, ...]
    """The log keys that signed it, at least one."""
    cosignatures: tuple[VerifiedSignature, ...]
    """Signatures of the given cosigners, one for each that signed."""


@lru_cache(maxsize=256)
def check_origin(origin: str) -> str:
    """Return the origin if it may name a ledger of ours.

    Raises:
        MalformedError: not `host[/path]` in the letters of docs/spec/checkpoint.md, or over 120 bytes.
    """
    if len(origin) > ORIGIN_BYTES_MAX or _ORIGIN.fullmatch(origin) is None:
        raise _malformed("an origin is a lower-case name and path of at most 120 bytes", "origin.form")
    return origin


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Parse the text of a checkpoint, whoever's it is. Parse only what was verified, or say that it was not.

    Raises:
        MalformedError: not of the form of a checkpoint.
    """
    checkpoint = parse_claim(text)
    _check_empty(checkpoint)
    return checkpoint


def parse_claim(text: bytes) -> Checkpoint:
    """Parse as `parse_checkpoint` does, but take any root for size 0: a witness answers that apart.

    Raises:
        MalformedError: not of the form of a checkpoint.
    """
    try:
        lines = text.decode().split("\n")
    except UnicodeDecodeError:
        raise _malformed("a checkpoint is UTF-8") from None
    if lines.pop() or len(lines) < 3:
        raise _malformed("a checkpoint has three lines or more, each ended by a newline")
    origin, size, root, *extensions = lines
    if _SIZE.fullmatch(size) is None:
        raise _malformed("the size is a decimal number without leading zeros")
    checkpoint = Checkpoint(
        origin=origin, size=int(size), root=decode_base64(_ascii(root)), extensions=tuple(extensions)
    )
    _check(checkpoint)
    return checkpoint


def format_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the text of a checkpoint; the inverse of `parse_checkpoint`.

    Raises:
        MalformedError: a field cannot stand in a checkpoint.
    """
    _check(checkpoint)
    _check_empty(checkpoint)
    root = b64encode(checkpoint.root).decode()
    lines = (checkpoint.origin, str(checkpoint.size), root, *checkpoint.extensions)
    return "".join(f"{line}\n" for line in lines).encode()


def log_key(origin: str, public_key: bytes) -> VerifierKey:
    """Return the key under which a ledger of this origin signs its checkpoints.

    Raises:
        MalformedError: origin or key is not acceptable.
    """
    return VerifierKey(name=check_origin(origin), signature_type=SignatureType.ED25519, public_key=public_key)


def cosigner_key(name: str, public_key: bytes) -> VerifierKey:
    """Return the key of a cosigner.

    Raises:
        MalformedError: name or key is not acceptable.
    """
    return VerifierKey(name=name, signature_type=SignatureType.COSIGNATURE, public_key=public_key)


def sign_checkpoint(signer: keys.Signer, origin: str, size: int, root: bytes) -> SignedNote:
    """Sign size and root of our ledger, under the origin's name and without extension lines.

    The caller holds the rule that no two histories are ever signed.

    Raises:
        MalformedError: origin, size or root is not of its form.
    """
    check_origin(origin)
    text = format_checkpoint(Checkpoint(origin=origin, size=size, root=root))
    return SignedNote(text=text, signatures=(sign_text(signer, origin, text),))


def cosign(signer: keys.Signer, name: str, note: SignedNote, time: int) -> NoteSignature:
    """Cosign a checkpoint as the witness `name`, as of `time` in seconds since the epoch.

    The caller has verified the note and its consistency, stored both, and never lets time fall.

    Raises:
        MalformedError: the text is no checkpoint, or name or time is not of its form.
    """
    parse_checkpoint(note.text)
    return cosign_text(signer, name, note.text, time)


def add_signatures(note: SignedNote, signatures: Sequence[NoteSignature]) -> SignedNote:
    """Return the note with more signature lines; a line that it has already is not repeated."""
    new = tuple(dict.fromkeys(line for line in signatures if line not in note.signatures))
    return SignedNote(text=note.text, signatures=note.signatures + new)


def verify_checkpoint(
    raw: bytes, origin: str, log_keys: Sequence[VerifierKey], cosigners: Sequence[VerifierKey] = ()
) -> VerifiedCheckpoint:
    """Check that the log signed this checkpoint of `origin`, and check each given cosigner's signature.

    Raises:
        MalformedError: the bytes are no signed checkpoint, or the keys are ambiguous.
        InvalidSignature: none of `log_keys` signed, or a signature by a given key does not verify.
        InconsistentCheckpoint: it is signed, but of another origin.
    """
    note = parse_note(raw)
    verified = verify_note(note, (*log_keys, *cosigners))
    signers = tuple(item.key for item in verified if item.key in log_keys)
    if not signers:
        raise InvalidSignature(f"the checkpoint is not signed by the log {origin}")
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != origin:
        raise InconsistentCheckpoint(f"the checkpoint is of {checkpoint.origin}, not of {origin}")
    cosignatures = tuple(item for item in verified if item.key in cosigners)
    return VerifiedCheckpoint(checkpoint=checkpoint, note=note, log_keys=signers, cosignatures=cosignatures)


def _check(checkpoint: Checkpoint) -> None:
    """Check that the fields may stand in a checkpoint."""
    if len(checkpoint.root) != HASH_BYTES:
        raise _malformed("a root has 32 bytes")
    if not 0 <= checkpoint.size <= SIZE_MAX:
        raise _malformed("a size lies between 0 and 2^63 - 1")
    for line in (checkpoint.origin, *checkpoint.extensions):
        if _FOREIGN_LINE.fullmatch(line) is None:
            raise _malformed("a line is empty or holds control characters")


def _check_empty(checkpoint: Checkpoint) -> None:
    """Check the root of an empty tree."""
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise _malformed("the root of size 0 is SHA-256 of nothing")


def _ascii(text: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError:
        raise _malformed("the root is not base64") from None


def _malformed(message: str, code: str = "checkpoint.form") -> MalformedError:
    return MalformedError(message, code=code)
