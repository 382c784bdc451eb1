"""What `receipt verify` checks: a receipt or a proof file, by the ledger's key, by a policy, or by both."""

from __future__ import annotations

from dataclasses import dataclass

from pseudoledger.cli.failure import WrongUse
from pseudoledger.errors import InconsistentCheckpoint, InvalidProof, InvalidSignature, QuorumNotMet
from pseudoledger.identity.keys import did_from_key, key_from_did
from pseudoledger.ledger.checkpoint import VerifiedCheckpoint, log_key, parse_checkpoint
from pseudoledger.ledger.note import parse_note
from pseudoledger.ledger.policy import NO_QUORUM, TrustPolicy, verify_with_policy
from pseudoledger.ledger.proof import parse_proof, verify_proof
from pseudoledger.ledger.receipt import decode_receipt, verify_receipt
from pseudoledger.ledger.tree import hash_leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """Where a statement stands, and who vouches for that."""

    origin: str
    index: int
    tree_size: int
    root: bytes
    cosigned: tuple[tuple[str, int], ...] = ()
    """Witnesses by their names in the policy, each with the time of its cosignature."""


def check_proof(
    raw: bytes, statement: bytes, *, key: str | None, policy: TrustPolicy | None, origin: str | None
) -> Proved:
    """Check a proof file of a statement by the ledger key `key`, by a policy, or by both.

    Raises MalformedError or VerificationError.
    """
    found = parse_proof(raw)
    named = parse_checkpoint(parse_note(found.checkpoint).text).origin
    _check_origin(named, origin)
    known = [] if key is None else [log_key(named, key_from_did(key))]
    trusted = TrustPolicy() if policy is None else policy
    verified = verify_proof(found, hash_leaf(statement), trusted, log_keys=known).checkpoint
    _check_key(verified, key)
    return _proved(found.index, verified, trusted)


def check_receipt(
    raw: bytes,
    statement: bytes,
    *,
    key: str | None,
    policy: TrustPolicy | None,
    origin: str | None,
    checkpoint: bytes | None,
) -> Proved:
    """Check a receipt of a statement by the ledger key `key`, by a policy, or by both.

    A receipt carries no cosignatures: where the policy asks for some, `checkpoint` is the cosigned checkpoint of
    the same tree. Raises MalformedError or VerificationError.
    """
    said = decode_receipt(raw)
    dids = [key] if key is not None else _ledger_dids(policy, origin or said.origin)
    if said.ledger not in dids:
        raise InvalidProof(f"the receipt is by {said.ledger}, which is not a key that you named")
    proved = verify_receipt(raw, statement, said.ledger, origin or said.origin)
    if policy is None:
        if checkpoint is not None:
            raise WrongUse("a checkpoint is judged by a policy", hint="add --policy FILE")
        return Proved(
            origin=said.origin, index=proved.leaf_index, tree_size=proved.tree_size, root=proved.root
        )
    known = (log_key(said.origin, key_from_did(said.ledger)),)
    if checkpoint is None:
        if policy.quorum != NO_QUORUM:
            raise QuorumNotMet(
                f"the policy asks for the quorum {policy.quorum}, and a receipt carries no cosignatures",
                hint="add --checkpoint FILE of the same tree, or take a proof file: pl receipt proof",
            )
        return Proved(
            origin=said.origin, index=proved.leaf_index, tree_size=proved.tree_size, root=proved.root
        )
    verified = verify_with_policy(checkpoint, policy, log_keys=known)
    other = verified.checkpoint
    if (other.origin, other.size) != (said.origin, proved.tree_size):
        raise InvalidProof(
            f"the checkpoint is of {other.origin} with {other.size} entries, the receipt of {said.origin} with"
            f" {proved.tree_size}",
            hint="take a proof file instead, which is made for its checkpoint: pl receipt proof",
        )
    if other.root != proved.root:
        raise InconsistentCheckpoint(
            f"receipt and checkpoint name different roots of {other.size} entries: two histories were signed",
            hint="keep both files: together they prove it",
        )
    return _proved(proved.leaf_index, verified, policy)


def _ledger_dids(policy: TrustPolicy | None, origin: str) -> list[str]:
    return [] if policy is None else [did_from_key(item.public_key) for item in policy.log_keys(origin)]


def _check_origin(found: str, wanted: str | None) -> None:
    if wanted is not None and found != wanted:
        raise InconsistentCheckpoint(f"the checkpoint is of {found}, not of {wanted}")


def _check_key(verified: VerifiedCheckpoint, key: str | None) -> None:
    """Check that the key that was named signed, where a policy knows others too."""
    if key is not None and key_from_did(key) not in {item.public_key for item in verified.log_keys}:
        raise InvalidSignature(f"the checkpoint is not signed by {key}")


def _proved(index: int, verified: VerifiedCheckpoint, policy: TrustPolicy) -> Proved:
    names = {item.key: item.name for item in policy.witnesses}
    said = verified.checkpoint
    return Proved(
        origin=said.origin,
        index=index,
        tree_size=said.size,
        root=said.root,
        cosigned=tuple((names[item.key], item.time or 0) for item in verified.cosignatures),
    )
