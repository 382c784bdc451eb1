"""Which ledger key counts for the tree of a checkpoint, and whether it has signed it."""

from __future__ import annotations

from pseudoledger.contract.things import LedgerState
from pseudoledger.errors import MalformedError, VerificationError
from pseudoledger.identity.keys import did_from_key, key_from_did
from pseudoledger.ledger.checkpoint import log_key, verify_checkpoint


def key_at(state: LedgerState, size: int) -> str:
    """Return the ledger key that counts for a tree size."""
    return next((key for key, last in state.retired if size <= last), state.ledger_key)


def signed_by(note: bytes, origin: str, ledger_key: str) -> bool:
    """Tell whether a checkpoint of this origin is signed by a ledger key."""
    try:
        found = verify_checkpoint(note, origin, [log_key(origin, key_from_did(ledger_key))])
    except (VerificationError, MalformedError):
        return False
    return did_from_key(found.log_keys[0].public_key) == ledger_key
