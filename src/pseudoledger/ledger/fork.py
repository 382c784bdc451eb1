r"""Fork proofs: that a ledger signed two trees of which neither is a prefix of the other.

    {"first": {"checkpoint": "city.example/compute\n42\n..."},
     "format": "pseudoledger-fork/v1",
     "nodes": [],
     "origin": "city.example/compute",
     "second": {"head": {"ledger": "did:key:z6Mk...", "root": "...", "signature": "...", "tree_size": "42"}}}

Two commitments, each a checkpoint or the signed head of a receipt, with sizes m <= n. If m = n, the roots
differ. If m < n, `nodes` hash to the signed root of n (RFC 9162 §2.1.4.2, the starting node always
included) and thereby to a root of m that is not the signed one. A consistency proof that merely fails proves
nothing. The file is signed by nobody: the two signatures in it are all that counts.

The encoding is JCS (RFC 8785), root, signature and nodes in hex, sizes as decimal text. Which keys were in
force is told by the caller. Blocks, which also commit, are read where statements are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import rfc8785

from pseudoledger.errors import InvalidProof, MalformedError
from pseudoledger.identity import keys
from pseudoledger.ledger import tree
from pseudoledger.ledger.checkpoint import SIZE_MAX, check_origin, log_key, verify_checkpoint
from pseudoledger.ledger.note import NOTE_BYTES_MAX
from pseudoledger.ledger.receipt import SignedHead, verify_head

FORMAT = "pseudoledger-fork/v1"

PROOF_BYTES_MAX = 4 * NOTE_BYTES_MAX
"""Longest proof read: two notes, escaped."""

NODES_MAX = 64
"""Most nodes of a proof: a path of 63 and the node it starts from."""

_HEX = re.compile(r"(?:[0-9a-f]{2})*")

Commitment = bytes | SignedHead
"""What the ledger signed: the bytes of a checkpoint, or the head of its receipts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkProof:
    """Two commitments of one origin, the smaller tree first; not verified."""

    origin: str
    """Name of the ledger."""
    first: Commitment
    """The commitment to the tree of m leaves."""
    second: Commitment
    """The commitment to the tree of n >= m leaves."""
    nodes: tuple[bytes, ...] = ()
    """Nothing if m = n, else what hashes to the signed root of n and to another root of m."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenFork:
    """Two signed trees of one ledger that cannot both be its history."""

    origin: str
    size1: int
    root1: bytes
    size2: int
    root2: bytes


def fork_nodes(size1: int, size2: int, read: tree.ReadHashes) -> tuple[bytes, ...]:
    """Return the nodes of the newer tree that decide the root of the older size.

    Raises:
        InvalidProof: not 1 <= size1 < size2.
    """
    if not 1 <= size1 < size2:
        raise InvalidProof(f"no nodes lead from size {size1} to size {size2}")
    proof = tree.consistency_proof(size1, size2, read)
    return proof if size1 & (size1 - 1) else (tree.root(size1, read), *proof)


def verify_fork(proof: ForkProof, ledger_dids: Collection[str]) -> ProvenFork:
    """Check that the ledger whose keys are `ledger_dids` signed two trees that contradict each other.

    Raises:
        MalformedError: a commitment is not of its form.
        InvalidSignature: a commitment is not signed by one of the keys.
        InconsistentCheckpoint: a checkpoint is of another origin.
        InvalidProof: the commitments do not contradict each other.
    """
    size1, root1 = _verify_commitment(proof.first, proof.origin, ledger_dids)
    size2, root2 = _verify_commitment(proof.second, proof.origin, ledger_dids)
    if size1 == size2:
        if root1 == root2 or proof.nodes:
            raise InvalidProof(
                f"two commitments to size {size1} prove a fork by different roots and no nodes"
            )
    else:
        older, newer = tree.roots_from_nodes(size1, size2, proof.nodes)
        if newer != root2:
            raise InvalidProof(f"the nodes do not hash to the signed root of size {size2}")
        if older == root1:
            raise InvalidProof(f"size {size2} extends size {size1}: there is no fork")
    return ProvenFork(origin=proof.origin, size1=size1, root1=root1, size2=size2, root2=root2)


def format_fork(proof: ForkProof) -> bytes:
    """Return the bytes of a fork proof; the inverse of `parse_fork`.

    Raises:
        MalformedError: a part is not of its form.
    """
    document: dict[str, Any] = {
        "first": _format_commitment(proof.first, proof.origin),
        "format": FORMAT,
        "nodes": [node.hex() for node in proof.nodes],
        "origin": check_origin(proof.origin),
        "second": _format_commitment(proof.second, proof.origin),
    }
    return rfc8785.dumps(document)


def parse_fork(raw: bytes) -> ForkProof:
    """Parse a fork proof; nothing in it is verified.

    Raises:
        MalformedError: too long, or not exactly what `format_fork` writes.
    """
    if len(raw) > PROOF_BYTES_MAX:
        raise _malformed(f"a fork proof has at most {PROOF_BYTES_MAX} bytes")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise _malformed("a fork proof is JSON") from None
    match document:
        case {"origin": str() as origin, "first": first, "second": second, "nodes": list() as nodes}:
            pass
        case _:
            raise _malformed("a fork proof has origin, first, second and nodes")
    if len(nodes) > NODES_MAX:
        raise _malformed(f"a fork proof has at most {NODES_MAX} nodes")
    proof = ForkProof(
        origin=check_origin(origin),
        first=_parse_commitment(first, origin),
        second=_parse_commitment(second, origin),
        nodes=tuple(_unhex(node, tree.HASH_BYTES) for node in nodes),
    )
    if format_fork(proof) != raw:
        raise _malformed("not the one spelling of this fork proof")
    return proof


def _verify_commitment(
    commitment: Commitment, origin: str, ledger_dids: Collection[str]
) -> tuple[int, bytes]:
    """Return size and root of a commitment after checking who signed it."""
    if isinstance(commitment, bytes):
        known = [log_key(origin, keys.key_from_did(did)) for did in ledger_dids]
        checkpoint = verify_checkpoint(commitment, origin, known).checkpoint
        return checkpoint.size, checkpoint.root
    if commitment.ledger not in ledger_dids or commitment.origin != origin:
        raise InvalidProof(f"the head is not by a key of {origin}")
    verify_head(commitment)
    return commitment.tree_size, commitment.root


def _format_commitment(commitment: Commitment, origin: str) -> dict[str, Any]:
    """Return a commitment as JSON."""
    if isinstance(commitment, bytes):
        try:
            return {"checkpoint": commitment.decode()}
        except UnicodeDecodeError:
            raise _malformed("a checkpoint is UTF-8") from None
    if commitment.origin != origin or not 1 <= commitment.tree_size <= SIZE_MAX:
        raise _malformed("the head is of another origin or size")
    return {
        "head": {
            "ledger": commitment.ledger,
            "root": commitment.root.hex(),
            "signature": commitment.signature.hex(),
            "tree_size": str(commitment.tree_size),
        }
    }


def _parse_commitment(value: object, origin: str) -> Commitment:
    """Return a commitment from JSON."""
    match value:
        case {"checkpoint": str() as text}:
            try:
                return text.encode()
            except UnicodeEncodeError:
                raise _malformed("a checkpoint is UTF-8") from None
        case {
            "head": {
                "ledger": str() as ledger,
                "root": root,
                "signature": signature,
                "tree_size": str() as size,
            }
        } if size.isascii() and size.isdigit() and len(size) < 20:
            keys.key_from_did(ledger)
            return SignedHead(
                ledger=ledger,
                origin=origin,
                tree_size=int(size),
                root=_unhex(root, tree.HASH_BYTES),
                signature=_unhex(signature, keys.SIGNATURE_BYTES),
            )
    raise _malformed("a commitment is a checkpoint or a head")


def _unhex(text: object, length: int) -> bytes:
    if not isinstance(text, str) or len(text) != 2 * length or _HEX.fullmatch(text) is None:
        raise _malformed(f"expected {length} bytes in lower-case hex")
    return bytes.fromhex(text)


def _malformed(message: str) -> MalformedError:
    return MalformedError(message, code="fork.form")
