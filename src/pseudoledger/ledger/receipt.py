"""COSE Receipts: inclusion, or growth, under a signature of the ledger (RFC 9942, RFC9162_SHA256).

    18([ << {1: -8, 4: kid, 15: {1: iss, 2: sub}, 395: 1} >>,
         {396: {-1: [ << [tree_size, leaf_index, [*hash]] >> ]}},
         nil,
         signature ])

The signature covers the 32-byte root as a detached payload (RFC 9052 §4.4: ["Signature1", protected, h'',
root]) and so says nothing about size or index by itself. Therefore iss is the ledger's did:key, kid its
ASCII bytes, and sub is origin ‖ "#" ‖ tree_size; a verifier requires that size in the proof, and size and
root together fix which leaf stands at an index. As nothing in the signed part names an entry, all receipts
of one tree share one signature: `sign_head` once, `build` for each entry.

The form is rigid: the labels above, in this order, in deterministic CBOR (RFC 8949 §4.2.1). Decoders decode,
encode anew and compare. Receipts inside a statement are the affair of `transparent`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import msgspec

from pseudoledger.errors import InvalidProof, InvalidSignature, MalformedError
from pseudoledger.identity import keys
from pseudoledger.ledger.cbor import (
    encode_array_head,
    encode_bytes,
    encode_text,
    encode_uint,
    load,
    load_sign1,
)
from pseudoledger.ledger.checkpoint import SIZE_MAX, check_origin
from pseudoledger.ledger.tree import HASH_BYTES, hash_leaf, root_from_inclusion, roots_from_nodes

PATH_MAX = 63
"""Most hashes in a path: the height of a tree of 2^63 - 1 leaves."""

RECEIPT_BYTES_MAX = 4096
"""Longest receipt read: the longest path takes 2,142 bytes, the rest stays below 600."""

_TAG_SIGN1 = b"\xd2\x84"  # tag 18, array of four
_INCLUSION = b"\xa1\x19\x01\x8c\xa1\x20\x81"  # {396: {-1: [
_CONSISTENCY = b"\xa1\x19\x01\x8c\xa1\x21\x81"  # {396: {-2: [


class SignedHead(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A tree head and the ledger's signature over it, from which every receipt of this tree is built."""

    ledger: str
    """did:key of the ledger key."""
    origin: str
    """Name of the ledger."""
    tree_size: int
    """Leaves of the tree: the index of the sealing block plus one."""
    root: bytes
    """Root of the tree."""
    signature: bytes
    """Signature over Sig_structure with the root as payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A decoded inclusion receipt; nothing in it is verified."""

    ledger: str
    """did:key that the receipt names as its issuer."""
    origin: str
    """Name of the ledger, from sub."""
    tree_size: int
    """Size of the tree, in sub and in the proof alike."""
    leaf_index: int
    """Index of the entry."""
    path: tuple[bytes, ...]
    """Inclusion path, lowest sibling first."""
    signature: bytes
    """Signature over the root that the path leads to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyReceipt:
    """A decoded consistency receipt; nothing in it is verified."""

    ledger: str
    """did:key that the receipt names as its issuer."""
    origin: str
    """Name of the ledger, from sub."""
    tree_size_1: int
    """Size of the older tree."""
    tree_size_2: int
    """Size of the newer tree, in sub and in the proof alike."""
    path: tuple[bytes, ...]
    """Consistency path, RFC 9162 §2.1.4.1."""
    signature: bytes
    """Signature over the newer root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedReceipt:
    """What a verified receipt proves: the entry stands at `leaf_index` of the tree that the ledger signed."""

    tree_size: int
    leaf_index: int
    root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedGrowth:
    """What a verified consistency receipt proves: the ledger signed a tree that extends the older one."""

    tree_size: int
    root: bytes


def sign_head(signer: keys.Signer, origin: str, tree_size: int, root: bytes) -> SignedHead:
    """Sign a tree head for all receipts of this tree.

    The caller holds the rule that no two histories are ever signed.

    Raises:
        MalformedError: origin, size or root is not of its form.
    """
    _check_head(origin, tree_size, root)
    signature = signer.sign(_to_be_signed(_protected(signer.did, origin, tree_size), root))
    return SignedHead(ledger=signer.did, origin=origin, tree_size=tree_size, root=root, signature=signature)


def build(head: SignedHead, leaf_index: int, path: Sequence[bytes]) -> bytes:
    """Return the receipt of the entry at `leaf_index` under a signed head."""
    protected = _protected(head.ledger, head.origin, head.tree_size)
    return _encode(protected, _INCLUSION, (head.tree_size, leaf_index), path, head.signature)


def build_consistency(head: SignedHead, tree_size_1: int, path: Sequence[bytes]) -> bytes:
    """Return the receipt that the tree of a signed head extends the tree of `tree_size_1` leaves."""
    protected = _protected(head.ledger, head.origin, head.tree_size)
    return _encode(protected, _CONSISTENCY, (tree_size_1, head.tree_size), path, head.signature)


def encode_receipt(receipt: Receipt) -> bytes:
    """Return the bytes of an inclusion receipt; the inverse of `decode_receipt`."""
    protected = _protected(receipt.ledger, receipt.origin, receipt.tree_size)
    return _encode(
        protected, _INCLUSION, (receipt.tree_size, receipt.leaf_index), receipt.path, receipt.signature
    )


def encode_consistency_receipt(receipt: ConsistencyReceipt) -> bytes:
    """Return the bytes of a consistency receipt; the inverse of `decode_consistency_receipt`."""
    protected = _protected(receipt.ledger, receipt.origin, receipt.tree_size_2)
    return _encode(
        protected, _CONSISTENCY, (receipt.tree_size_1, receipt.tree_size_2), receipt.path, receipt.signature
    )


def decode_receipt(raw: bytes) -> Receipt:
    """Decode an inclusion receipt; the signature and the proof are not checked.

    Raises:
        MalformedError: the bytes are not exactly what `encode_receipt` writes.
    """
    parts = _decode(raw, -1)
    receipt = Receipt(
        ledger=parts.ledger,
        origin=parts.origin,
        tree_size=parts.first,
        leaf_index=parts.second,
        path=parts.path,
        signature=parts.signature,
    )
    if receipt.leaf_index >= receipt.tree_size:
        raise _malformed("leaf_index is not below tree_size")
    if encode_receipt(receipt) != raw:
        raise _malformed("the encoding is not the one form of a receipt, or sub names another tree_size")
    return receipt


def decode_consistency_receipt(raw: bytes) -> ConsistencyReceipt:
    """Decode a consistency receipt; the signature and the proof are not checked.

    Raises:
        MalformedError: the bytes are not exactly what `encode_consistency_receipt` writes.
    """
    parts = _decode(raw, -2)
    receipt = ConsistencyReceipt(
        ledger=parts.ledger,
        origin=parts.origin,
        tree_size_1=parts.first,
        tree_size_2=parts.second,
        path=parts.path,
        signature=parts.signature,
    )
    if not 1 <= receipt.tree_size_1 < receipt.tree_size_2:
        raise _malformed("the sizes of a consistency receipt must grow, from 1 or more")
    if encode_consistency_receipt(receipt) != raw:
        raise _malformed("the encoding is not the one form of a receipt, or sub names another tree_size")
    return receipt


def verify_receipt(
    receipt_bytes: bytes, statement_bytes: bytes, ledger_did: str, origin: str
) -> VerifiedReceipt:
    """Check that the ledger signed a tree with this statement in it.

    `statement_bytes` is the statement with an empty unprotected map: see `detach`.

    Raises:
        MalformedError: the receipt is not of its form.
        InvalidProof: the receipt is of another ledger, or index and path do not fit the size.
        InvalidSignature: the ledger did not sign the root to which the path leads from this statement.
    """
    receipt = decode_receipt(receipt_bytes)
    _check_ledger(receipt, ledger_did, origin)
    root = root_from_inclusion(
        hash_leaf(statement_bytes), receipt.leaf_index, receipt.tree_size, receipt.path
    )
    _verify_root(receipt.ledger, receipt.origin, receipt.tree_size, root, receipt.signature)
    return VerifiedReceipt(tree_size=receipt.tree_size, leaf_index=receipt.leaf_index, root=root)


def verify_consistency_receipt(
    receipt_bytes: bytes, tree_size_1: int, root_1: bytes, ledger_did: str, origin: str
) -> VerifiedGrowth:
    """Check that the ledger signed a tree that extends the one of `tree_size_1` leaves with `root_1`.

    Raises:
        MalformedError: the receipt is not of its form.
        InvalidProof: the receipt is of another ledger or older tree, or its path does not lead to `root_1`.
        InvalidSignature: the ledger did not sign the newer root to which the path leads.
    """
    receipt = decode_consistency_receipt(receipt_bytes)
    _check_ledger(receipt, ledger_did, origin)
    if receipt.tree_size_1 != tree_size_1:
        raise InvalidProof(f"the receipt starts from size {receipt.tree_size_1}, not from {tree_size_1}")
    whole = tree_size_1 & (tree_size_1 - 1) == 0
    nodes = (root_1, *receipt.path) if whole else receipt.path
    older, newer = roots_from_nodes(tree_size_1, receipt.tree_size_2, nodes)
    if older != root_1:
        raise InvalidProof(f"the path does not lead to the root of size {tree_size_1}")
    _verify_root(receipt.ledger, receipt.origin, receipt.tree_size_2, newer, receipt.signature)
    return VerifiedGrowth(tree_size=receipt.tree_size_2, root=newer)


def verify_head(head: SignedHead) -> None:
    """Check the ledger's signature over a tree head.

    Raises:
        MalformedError: origin, size or root is not of its form.
        InvalidSignature: the ledger did not sign this head.
    """
    _check_head(head.origin, head.tree_size, head.root)
    _verify_root(head.ledger, head.origin, head.tree_size, head.root, head.signature)


class _Parts(NamedTuple):
    """What stands in a receipt, before its form is checked to the last byte."""

    ledger: str
    origin: str
    first: int
    second: int
    path: tuple[bytes, ...]
    signature: bytes


def _decode(raw: bytes, label: int) -> _Parts:
    """Take a receipt apart; `label` is -1 for inclusion, -2 for consistency (RFC 9942 §5)."""
    if len(raw) > RECEIPT_BYTES_MAX:
        raise _malformed(f"a receipt has at most {RECEIPT_BYTES_MAX} bytes")
    protected, unprotected, _, signature = load_sign1(raw)
    match load(protected):
        case {15: {1: str() as issuer, 2: str() as subject}}:
            keys.key_from_did(issuer)
            origin = check_origin(subject.rpartition("#")[0])
        case _:
            raise _malformed("the protected header has no iss and sub")
    match unprotected:
        case {396: proofs}:
            pass
        case _:
            raise _malformed("the unprotected header has no proof")
    match proofs:
        case {-1: (bytes() as proof,)} if label == -1:
            pass
        case {-2: (bytes() as proof,)} if label == -2:
            pass
        case _:
            raise _malformed(f"the receipt does not hold one proof under label {label}")
    match load(proof):
        case (int() as first, int() as second, tuple() as items):
            pass
        case _:
            raise _malformed("a proof is two numbers and a path")
    path = tuple(item for item in items if isinstance(item, bytes) and len(item) == HASH_BYTES)
    if len(path) != len(items) or len(path) > PATH_MAX:
        raise _malformed(f"a path has at most {PATH_MAX} hashes of 32 bytes")
    if not (0 <= first <= SIZE_MAX and 0 <= second <= SIZE_MAX):
        raise _malformed("size and index lie between 0 and 2^63 - 1")
    return _Parts(issuer, origin, first, second, path, signature)


def _encode(
    protected: bytes, opening: bytes, numbers: tuple[int, int], path: Sequence[bytes], signature: bytes
) -> bytes:
    """Return the one encoding of a receipt."""
    hashes = b"\x58\x20" + b"\x58\x20".join(path) if path else b""
    proof = (
        b"\x83" + encode_uint(numbers[0]) + encode_uint(numbers[1]) + encode_array_head(len(path)) + hashes
    )
    return b"".join(
        (_TAG_SIGN1, encode_bytes(protected), opening, encode_bytes(proof), b"\xf6", encode_bytes(signature))
    )


@lru_cache(maxsize=256)
def _protected(ledger: str, origin: str, tree_size: int) -> bytes:
    """Return the protected header {1: -8, 4: kid, 15: {1: iss, 2: sub}, 395: 1}; all receipts of a tree have it."""
    subject = f"{origin}#{tree_size}"
    return b"".join(
        (
            b"\xa4\x01\x27\x04",
            encode_bytes(ledger.encode()),
            b"\x0f\xa2\x01",
            encode_text(ledger),
            b"\x02",
            encode_text(subject),
            b"\x19\x01\x8b\x01",
        )
    )


def _to_be_signed(protected: bytes, root: bytes) -> bytes:
    """Return Sig_structure over the detached root, RFC 9052 §4.4."""
    return b"\x84\x6aSignature1" + encode_bytes(protected) + b"\x40" + encode_bytes(root)


def _verify_root(ledger: str, origin: str, tree_size: int, root: bytes, signature: bytes) -> None:
    """Check the ledger's signature over a root."""
    try:
        keys.verify(ledger, _to_be_signed(_protected(ledger, origin, tree_size), root), signature)
    except InvalidSignature as error:
        raise InvalidSignature(
            f"the ledger did not sign the root of size {tree_size} that follows: {error.message}",
            hint="entry, proof or signature is not what the ledger registered",
        ) from None


def _check_ledger(receipt: Receipt | ConsistencyReceipt, ledger: str, origin: str) -> None:
    """Check that a receipt is of the ledger at hand."""
    if receipt.ledger != ledger:
        raise InvalidProof(f"the receipt is by {receipt.ledger}, not by {ledger}")
    if receipt.origin != origin:
        raise InvalidProof(f"the receipt is of {receipt.origin}, not of {origin}")


def _check_head(origin: str, tree_size: int, root: bytes) -> None:
    """Check that a head can be signed."""
    check_origin(origin)
    if not 1 <= tree_size <= SIZE_MAX or len(root) != HASH_BYTES:
        raise _malformed("a head has a size from 1 to 2^63 - 1 and a root of 32 bytes")


def _malformed(message: str) -> MalformedError:
    return MalformedError(message, code="receipt.form")
