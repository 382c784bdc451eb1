"""The bundle of one contract: statements, their proofs, a checkpoint, pinned files and disclosures in one file.

    [ "pseudoledger-bundle/1",
      lease,                                      # bstr, the statement id of the proposal
      checkpoint,                                 # bstr, the signed note with its cosignatures
      [ [index, statement, [*hash]], ... ],       # by index; inclusion paths under that checkpoint
      [ file, ... ],                              # bstr, by SHA-256
      [ [statement id, [disclosure, ...]], ... ], # by id; disclosures as ASCII in bstr, sorted
      digest ]                                    # SHA-256 of every byte before this item

One item of deterministic CBOR (RFC 8949 §4.2.1), docs/spec/bundle.md. `decode_bundle` takes exactly what
`encode_bundle` writes and nothing above the bounds below. The digest finds what was damaged on the way; it is
no proof, for whoever forges a file writes a new one. What a bundle proves is for `bundle_proof` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Any, TypeVar

from pseudoledger.errors import MalformedError
from pseudoledger.ledger.cbor import encode_array_head, encode_bytes, encode_uint
from pseudoledger.ledger.checkpoint import SIZE_MAX
from pseudoledger.ledger.note import NOTE_BYTES_MAX
from pseudoledger.ledger.proof import PATH_MAX
from pseudoledger.ledger.tree import HASH_BYTES
from pseudoledger.statement.envelope import STATEMENT_MAX
from pseudoledger.statement.sealed import DISCLOSURE_MAX

FORMAT = "pseudoledger-bundle/1"

BUNDLE_BYTES_MAX = 64 * 1024 * 1024
"""Longest bundle read or written."""

ENTRIES_MAX = 65_536
"""Most entries, blocks counted in."""

FILES_MAX = 64
"""Most pinned files."""

FILE_BYTES_MAX = 1024 * 1024
"""Longest pinned file."""

DISCLOSURES_MAX = 1_024
"""Most disclosures of one statement, and most statements that have any."""

_START = b"\x87\x75" + FORMAT.encode("ascii")  # array of seven, text of 21
_DIGEST_HEAD = b"\x58\x20"
_UINT, _BYTES, _ARRAY = 0, 2, 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledEntry:
    """One entry of the ledger and its inclusion path; nothing is verified."""

    index: int
    statement: bytes
    """Its exact bytes."""
    path: tuple[bytes, ...]
    """Inclusion path under the bundle's checkpoint, lowest sibling first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledDisclosures:
    """What opens sealed fields of one statement."""

    statement: str
    """Statement id, hex."""
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractBundle:
    """What a bundle holds; nothing is verified."""

    lease: str
    """Statement id of the lease's proposal, hex: which contract this is about."""
    checkpoint: bytes
    entries: tuple[BundledEntry, ...]
    files: tuple[bytes, ...] = ()
    disclosures: tuple[BundledDisclosures, ...] = ()


def encode_bundle(bundle: ContractBundle) -> bytes:
    """Return the bytes of a bundle; the inverse of `decode_bundle`.

    Raises:
        MalformedError: a part is out of order, not of its form, or over its bound.
    """
    _check(bundle)
    body = b"".join(
        (
            _START,
            encode_bytes(bytes.fromhex(bundle.lease)),
            encode_bytes(bundle.checkpoint),
            _array(bundle.entries, _entry),
            _array(bundle.files, encode_bytes),
            _array(bundle.disclosures, _disclosed),
        )
    )
    raw = body + _DIGEST_HEAD + sha256(body).digest()
    if len(raw) > BUNDLE_BYTES_MAX:
        raise _malformed(f"a bundle has at most {BUNDLE_BYTES_MAX} bytes", "bundle.size")
    return raw


def decode_bundle(raw: bytes) -> ContractBundle:
    """Read a bundle in its one encoding; no signature, proof or disclosure is checked.

    Raises:
        MalformedError: the bytes are not exactly what `encode_bundle` writes.
    """
    if len(raw) > BUNDLE_BYTES_MAX:
        raise _malformed(f"a bundle has at most {BUNDLE_BYTES_MAX} bytes", "bundle.size")
    if not raw.startswith(_START):
        raise _malformed(f"not a bundle: it does not begin as {FORMAT} does")
    body, tail = raw[: -len(_DIGEST_HEAD) - HASH_BYTES], raw[-len(_DIGEST_HEAD) - HASH_BYTES :]
    if tail != _DIGEST_HEAD + sha256(body).digest():
        raise _malformed(
            "the digest at the end is not that of the bytes before it: the file was damaged or changed",
            "bundle.digest",
            hint="get the file again from whoever made it",
        )
    reader = _Reader(body, len(_START))
    bundle = ContractBundle(
        lease=reader.exactly(HASH_BYTES).hex(),
        checkpoint=reader.string(NOTE_BYTES_MAX),
        entries=reader.array(ENTRIES_MAX, _read_entry),
        files=reader.array(FILES_MAX, lambda item: item.string(FILE_BYTES_MAX)),
        disclosures=reader.array(DISCLOSURES_MAX, _read_disclosed),
    )
    reader.end()
    _check(bundle)
    return bundle


def _array(items: Sequence[T], encode: Callable[[T], bytes]) -> bytes:
    return encode_array_head(len(items)) + b"".join(map(encode, items))


def _entry(entry: BundledEntry) -> bytes:
    return (
        encode_array_head(3)
        + encode_uint(entry.index)
        + encode_bytes(entry.statement)
        + _array(entry.path, encode_bytes)
    )


def _disclosed(item: BundledDisclosures) -> bytes:
    return (
        encode_array_head(2)
        + encode_bytes(bytes.fromhex(item.statement))
        + _array(item.texts, lambda text: encode_bytes(text.encode("ascii")))
    )


def _read_entry(reader: _Reader) -> BundledEntry:
    reader.fixed(3)
    return BundledEntry(
        index=reader.uint(SIZE_MAX - 1),
        statement=reader.string(STATEMENT_MAX),
        path=reader.array(PATH_MAX, lambda item: item.exactly(HASH_BYTES)),
    )


def _read_disclosed(reader: _Reader) -> BundledDisclosures:
    reader.fixed(2)
    return BundledDisclosures(
        statement=reader.exactly(HASH_BYTES).hex(),
        texts=reader.array(DISCLOSURES_MAX, lambda item: item.ascii(DISCLOSURE_MAX)),
    )


class _Reader:
    """Reads the three types of CBOR that a bundle has, with the shortest heads alone, and bounds before all."""

    def __init__(self, raw: bytes, at: int) -> None:
        self._raw, self._at = raw, at

    def uint(self, most: int) -> int:
        """Read an unsigned integer."""
        return self._head(_UINT, most)

    def string(self, most: int) -> bytes:
        """Read a byte string."""
        size = self._head(_BYTES, most)
        start, self._at = self._at, self._at + size
        if self._at > len(self._raw):
            raise _malformed("the file ends inside a byte string")
        return self._raw[start : self._at]

    def exactly(self, size: int) -> bytes:
        """Read a byte string of one length."""
        found = self.string(size)
        if len(found) != size:
            raise _malformed(f"a byte string has {len(found)} bytes, not {size}")
        return found

    def ascii(self, most: int) -> str:
        """Read a byte string that holds ASCII."""
        try:
            return self.string(most).decode("ascii")
        except UnicodeDecodeError:
            raise _malformed("a disclosure is ASCII") from None

    def array(self, most: int, read: Callable[[_Reader], T]) -> tuple[T, ...]:
        """Read an array of items."""
        return tuple(read(self) for _ in range(self._head(_ARRAY, most)))

    def fixed(self, size: int) -> None:
        """Read the head of an array of one length."""
        if self._head(_ARRAY, size) != size:
            raise _malformed(f"an array does not have {size} items")

    def end(self) -> None:
        """Check that nothing is left over."""
        if self._at != len(self._raw):
            raise _malformed(f"{len(self._raw) - self._at} bytes stand between the last part and the digest")

    def _head(self, major: int, most: int) -> int:
        """Read a head of one major type in its shortest form, RFC 8949 §3."""
        first = self._raw[self._at : self._at + 1]
        if not first or first[0] >> 5 != major:
            raise _malformed(f"no CBOR item of major type {major} at byte {self._at}")
        low, self._at = first[0] & 0x1F, self._at + 1
        if low < 24:
            value = low
        else:
            width = {24: 1, 25: 2, 26: 4, 27: 8}.get(low, 0)
            value = int.from_bytes(self._raw[self._at : self._at + width])
            self._at += width
            least = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}.get(width)
            if least is None or value < least or self._at > len(self._raw):
                raise _malformed("a length or number is not in its shortest form")
        if value > most:
            raise _malformed(f"a length or number is {value}, at most {most} may stand there", "bundle.size")
        return value


def _check(bundle: ContractBundle) -> None:
    """Check order and bounds."""
    counts = (
        (bundle.entries, ENTRIES_MAX, "entries"),
        (bundle.files, FILES_MAX, "files"),
        (bundle.disclosures, DISCLOSURES_MAX, "statements with disclosures"),
    )
    for items, most, name in counts:
        if len(items) > most:
            raise _malformed(f"a bundle has at most {most} {name}, this one {len(items)}", "bundle.size")
    _check_order("entries", [entry.index for entry in bundle.entries])
    _check_order("files", [sha256(file).digest() for file in bundle.files])
    _check_order("disclosures", [item.statement for item in bundle.disclosures])
    for item in bundle.disclosures:
        _check_order("disclosures of a statement", item.texts)
        if not 1 <= len(item.texts) <= DISCLOSURES_MAX:
            raise _malformed(f"a statement has 1 to {DISCLOSURES_MAX} disclosures, or is left out")
        if any(not text.isascii() or len(text) > DISCLOSURE_MAX for text in item.texts):
            raise _malformed(f"a disclosure is ASCII, at most {DISCLOSURE_MAX} characters")
    for file in bundle.files:
        if len(file) > FILE_BYTES_MAX:
            raise _malformed(f"a pinned file has at most {FILE_BYTES_MAX} bytes", "bundle.size")


def _check_order(name: str, keys: Sequence[Any]) -> None:
    if any(first >= second for first, second in pairwise(keys)):
        raise _malformed(f"the {name} are not sorted, or one stands there twice", "bundle.order")


def _malformed(message: str, code: str = "bundle.form", hint: str = "") -> MalformedError:
    return MalformedError(message, code=code, hint=hint)
