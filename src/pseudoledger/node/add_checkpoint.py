"""The request to cosign a checkpoint, C2SP tlog-witness v1.0.0 "add-checkpoint", written and read.

old 20852014                                        size that the witness is believed to have cosigned last
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=         consistency proof from there, at most 63 lines

example.com/behind-the-sofa                         the checkpoint, signed by the log
...
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass

from pseudoledger.errors import MalformedError
from pseudoledger.ledger.checkpoint import Checkpoint, parse_claim
from pseudoledger.ledger.note import NOTE_BYTES_MAX, SignedNote, decode_base64, format_note, parse_note
from pseudoledger.ledger.tree import HASH_BYTES

PROOF_LINES_MAX = 63
"""Most lines of a consistency proof."""

REQUEST_BYTES_MAX = NOTE_BYTES_MAX + 64 * 46
"""Longest request read: a note, and 64 lines of at most 46 bytes before it."""

_OLD = re.compile(rb"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A request to cosign; nothing in it is verified."""

    old: int
    """Size that the sender believes was cosigned last."""
    proof: tuple[bytes, ...]
    """Consistency proof from there."""
    note: SignedNote
    """The checkpoint."""

    @property
    def claim(self) -> Checkpoint:
        """What the text of the note says."""
        return parse_claim(self.note.text)


def parse_submission(body: bytes) -> Submission:
    """Parse a request; raise MalformedError if it is not of its form."""
    head, blank, rest = body.partition(b"\n\n")
    if not blank:
        raise _malformed("no blank line before the checkpoint")
    first, *lines = head.split(b"\n")
    match = _OLD.fullmatch(first)
    if match is None or int(match[1]) >= 2**63:
        raise _malformed("the first line is `old` and a size without leading zeros")
    if len(lines) > PROOF_LINES_MAX:
        raise _malformed(f"a proof has at most {PROOF_LINES_MAX} lines")
    proof = tuple(decode_base64(line) for line in lines)
    if any(len(item) != HASH_BYTES for item in proof):
        raise _malformed("a line of the proof is one hash of 32 bytes")
    note = parse_note(rest)
    parse_claim(note.text)
    return Submission(old=int(match[1]), proof=proof, note=note)


def format_submission(submission: Submission) -> bytes:
    """Return the bytes of a request; the inverse of `parse_submission`."""
    lines = (b"old %d" % submission.old, *map(b64encode, submission.proof))
    return b"".join(line + b"\n" for line in lines) + b"\n" + format_note(submission.note)


def _malformed(message: str) -> MalformedError:
    return MalformedError(message, code="witness.form")
