r"""Fork proofs: that a ledger signed two trees of which neither is a prefix of the other.

    {"first": {"checkpoint": "city.example/compute\n42\n..."},
     "format": "pseudoledger-fork/v1",
     "nodes": [],
     "origin": "city.example/compute",
     "second": {"head": {"ledger": "did:key:z6Mk...", "root": "...", "signature": "...", "tree_size": "42"}}}

Two commitments, each a checkpoint, the signed head of a receipt, or a block (which commits to the entries before
it), with sizes m <= n. If m = n, the roots differ. If m < n, `nodes` hash to the signed root of n (RFC 9162 §2.1.4.2, the starting node always
included) and thereby to a root of m that is not the signed one. A consistency proof that merely fails proves
nothing. The file is signed by nobody: the two signatures in it are all that counts.

The encoding is JCS (RFC 8785), root, signature, block and nodes in hex, sizes as decimal text. Which keys were
in force is told by the caller.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import rfc8785

from pseudoledger.errors import InconsistentCheckpoint, InvalidProof, InvalidSignature, MalformedError
from pseudoledger.identity import keys
from pseudoledger.ledger import tree
from pseudoledger.ledger.checkpoint import SIZE_MAX, check_origin, log_key, verify_checkpoint
from pseudoledger.ledger.note import NOTE_BYTES_MAX
from pseudoledger.ledger.receipt import SignedHead, verify_head
from pseudoledger.statement.envelope import Statement, decode
from pseudoledger.statement.kinds.ledger import BlockSealed
from pseudoledger.statement.payload import parse

FORMAT = "pseudoledger-fork/v1"

PROOF_BYTES_MAX = 4 * NOTE_BYTES_MAX
"""Longest proof read: two notes, escaped."""

NODES_MAX = 64
"""Most nodes of a proof: a path of 63 and the node it starts from."""

_HEX = re.compile(r"(?:[0-9a-f]{2})*")


@dataclass(frozen=True, slots=True)
class BlockEntry:
    """A block as it stands on the ledger: it commits to the root over the entries before it."""

    raw: bytes
    """The signed statement."""


Commitment = bytes | SignedHead | BlockEntry
"""What the ledger signed: the bytes of a checkpoint, the head of its receipts, or a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What a verified commitment says, and which of the keys signed it."""

    size: int
    root: bytes
    ledger: str


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
    keys: tuple[str, str]
    """did:key of the ledger key that signed each."""


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
    first = verify_commitment(proof.first, proof.origin, ledger_dids)
    second = verify_commitment(proof.second, proof.origin, ledger_dids)
    size1, root1, size2, root2 = first.size, first.root, second.size, second.root
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
    return ProvenFork(
        origin=proof.origin,
        size1=size1,
        root1=root1,
        size2=size2,
        root2=root2,
        keys=(first.ledger, second.ledger),
    )


def format_fork(proof: ForkProof) -> bytes:
    """Return the bytes of a fork proof; the inverse of `parse_fork`.

    Raises:
        MalformedError: a part is not of its form.
    """
    document: dict[str, Any] = {
        "first": format_commitment(proof.first, proof.origin),
        "format": FORMAT,
        "nodes": [node.hex() for node in proof.nodes],
        "origin": check_origin(proof.origin),
        "second": format_commitment(proof.second, proof.origin),
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
        first=parse_commitment(first, origin),
        second=parse_commitment(second, origin),
        nodes=tuple(_unhex(node, tree.HASH_BYTES) for node in nodes),
    )
    if format_fork(proof) != raw:
        raise _malformed("not the one spelling of this fork proof")
    return proof


def verify_commitment(commitment: Commitment, origin: str, ledger_dids: Collection[str]) -> Committed:
    """Check that the ledger whose keys are `ledger_dids` signed a commitment, and return what it says.

    Raises:
        MalformedError: it is not of its form.
        InvalidSignature: it is not signed by one of the keys.
        InconsistentCheckpoint: it is of another origin.
    """
    match commitment:
        case bytes():
            known = [log_key(origin, keys.key_from_did(did)) for did in ledger_dids]
            found = verify_checkpoint(commitment, origin, known)
            ledger = keys.did_from_key(found.log_keys[0].public_key)
            return Committed(size=found.checkpoint.size, root=found.checkpoint.root, ledger=ledger)
        case SignedHead():
            _check_signer(commitment.ledger, commitment.origin, origin, ledger_dids)
            verify_head(commitment)
            return Committed(size=commitment.tree_size, root=commitment.root, ledger=commitment.ledger)
        case BlockEntry():
            statement, block = _read_block(commitment)
            _check_signer(statement.iss, statement.sub, origin, ledger_dids)
            statement.verify()
            return Committed(size=block.size, root=bytes.fromhex(block.root), ledger=statement.iss)


def _read_block(entry: BlockEntry) -> tuple[Statement, BlockSealed]:
    statement = decode(entry.raw)
    block = parse(statement.payload)
    if not isinstance(block, BlockSealed):
        raise _malformed("the statement is no block")
    return statement, block


def _check_signer(signer: str, named: str, origin: str, ledger_dids: Collection[str]) -> None:
    if signer not in ledger_dids:
        raise InvalidSignature(f"the commitment is by {signer}, which is no key of {origin}")
    if named != origin:
        raise InconsistentCheckpoint(f"the commitment is of {named}, not of {origin}")


def format_commitment(commitment: Commitment, origin: str) -> dict[str, Any]:
    """Return a commitment as it stands in a fork proof.

    Raises:
        MalformedError: it cannot stand there.
    """
    if isinstance(commitment, BlockEntry):
        return {"block": commitment.raw.hex()}
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


def parse_commitment(value: object, origin: str) -> Commitment:
    """Read a commitment of a fork proof; nothing in it is verified.

    Raises:
        MalformedError: it is not of its form.
    """
    match value:
        case {"block": str() as block} if _HEX.fullmatch(block):
            return BlockEntry(bytes.fromhex(block))
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
    raise _malformed("a commitment is a checkpoint, a head or a block")


def _unhex(text: object, length: int) -> bytes:
    if not isinstance(text, str) or len(text) != 2 * length or _HEX.fullmatch(text) is None:
        raise _malformed(f"expected {length} bytes in lower-case hex")
    return bytes.fromhex(text)


def _malformed(message: str) -> MalformedError:
    return MalformedError(message, code="fork.form")
