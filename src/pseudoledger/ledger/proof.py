"""Offline proof files, `c2sp.org/tlog-proof@v1`: an entry's place in a log under one cosigned checkpoint.

    c2sp.org/tlog-proof@v1
    extra YWdlLXYx                                    optional, opaque, vouched for by nobody
    index 73894
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=      inclusion path, RFC 9162 §2.1.3, lowest sibling first

    example.com/fancylog                              the checkpoint, byte for byte
    109482
    sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

    — example.com/fancylog hI2DJw...

What a receipt says with one signature of the ledger, this says with those of its witnesses too. It is as good
as the policy that it is checked with, and it names no entry: the caller has the entry's bytes.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from pseudoledger.errors import MalformedError
from pseudoledger.ledger.checkpoint import SIZE_MAX, VerifiedCheckpoint, parse_checkpoint
from pseudoledger.ledger.note import NOTE_BYTES_MAX, VerifierKey, decode_base64, parse_note
from pseudoledger.ledger.policy import TrustPolicy, verify_with_policy
from pseudoledger.ledger.tree import HASH_BYTES, verify_inclusion

FIRST_LINE = b"c2sp.org/tlog-proof@v1\n"

PATH_MAX = 63
"""Most hashes in a path."""

EXTRA_BYTES_MAX = 65_536
"""Most bytes of extra data."""

PROOF_BYTES_MAX = NOTE_BYTES_MAX + 2 * EXTRA_BYTES_MAX
"""Longest proof file read."""

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProof:
    """What a proof file holds; nothing in it is verified."""

    index: int
    """Index of the entry."""
    path: tuple[bytes, ...]
    """Inclusion path, lowest sibling first."""
    checkpoint: bytes
    """The signed checkpoint."""
    extra: bytes = b""
    """Opaque data; empty where there is none. Never to be trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedProof:
    """What a verified proof shows: the entry stands at `index` of the tree of the checkpoint."""

    index: int
    checkpoint: VerifiedCheckpoint


def is_proof(raw: bytes) -> bool:
    """Tell whether the bytes begin as a proof file does."""
    return raw.startswith(FIRST_LINE)


def format_proof(proof: LogProof) -> bytes:
    """Return the bytes of a proof file; the inverse of `parse_proof`.

    Raises:
        MalformedError: a part cannot stand in a proof file.
    """
    lines = [b"extra " + b64encode(proof.extra)] if proof.extra else []
    lines += [b"index %d" % proof.index, *map(b64encode, proof.path)]
    raw = FIRST_LINE + b"".join(line + b"\n" for line in lines) + b"\n" + proof.checkpoint
    if parse_proof(raw) != proof:
        raise _malformed("the parts do not make a proof file")
    return raw


def parse_proof(raw: bytes) -> LogProof:
    """Parse a proof file; neither the path nor a signature is checked.

    Raises:
        MalformedError: not of its form.
    """
    if len(raw) > PROOF_BYTES_MAX:
        raise _malformed(f"a proof has at most {PROOF_BYTES_MAX} bytes")
    if not is_proof(raw):
        raise _malformed("a proof begins with the line c2sp.org/tlog-proof@v1")
    head, blank, checkpoint = raw.removeprefix(FIRST_LINE).partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise _malformed("the lines before the checkpoint are ASCII") from None
    if not blank:
        raise _malformed("no blank line before the checkpoint")
    extra = _extra(lines.pop(0)) if lines[0].startswith("extra ") else b""
    word, _, number = lines.pop(0).partition(" ") if lines else ("", "", "")
    if word != "index" or _NUMBER.fullmatch(number) is None or int(number) > SIZE_MAX:
        raise _malformed("the index line is `index` and a decimal number without leading zeros")
    path = tuple(decode_base64(line) for line in lines[: PATH_MAX + 1])
    if len(path) > PATH_MAX or any(len(item) != HASH_BYTES for item in path):
        raise _malformed(f"a path has at most {PATH_MAX} hashes of 32 bytes")
    parse_checkpoint(parse_note(checkpoint).text)
    return LogProof(index=int(number), path=path, checkpoint=checkpoint, extra=extra)


def verify_proof(
    proof: LogProof, leaf_hash: bytes, policy: TrustPolicy, *, log_keys: Sequence[VerifierKey] = ()
) -> VerifiedProof:
    """Check a proof of the entry with this leaf hash, as C2SP tlog-proof "Verifying" orders it.

    Raises:
        MalformedError, InvalidSignature, QuorumNotMet: as `verify_with_policy`.
        InvalidProof: the path does not lead from the entry to the root of the checkpoint.
    """
    verified = verify_with_policy(proof.checkpoint, policy, log_keys=log_keys)
    said = verified.checkpoint
    verify_inclusion(leaf_hash, proof.index, said.size, proof.path, said.root)
    return VerifiedProof(index=proof.index, checkpoint=verified)


def _extra(line: str) -> bytes:
    decoded = decode_base64(line.removeprefix("extra "))
    if not 1 <= len(decoded) <= EXTRA_BYTES_MAX:
        raise _malformed(f"extra data has 1 to {EXTRA_BYTES_MAX} bytes, or its line is left out")
    return decoded


def _malformed(message: str) -> MalformedError:
    return MalformedError(message, code="proof.form")
