"""What a client knows a ledger by, and how a change of its key is explained.

The ledger id is the statement id of the founding, which names founder, origin and first key. The founder's
own `ledger.key_changed` statements lead from key to key. Each key has signed a tree in which the statement
that brought it stands: without that, anybody could write a founding that names somebody else's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pseudoledger.errors import VerificationError
from pseudoledger.ledger.receipt import VerifiedReceipt, decode_receipt, verify_receipt
from pseudoledger.statement import envelope
from pseudoledger.statement.envelope import Statement
from pseudoledger.statement.kinds.ledger import LedgerFounded, LedgerKeyChanged
from pseudoledger.statement.payload import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLedger:
    """A ledger as a client remembers it from one contact to the next."""

    origin: str
    """Name of the ledger."""
    ledger: str
    """Ledger id."""
    ledger_key: str
    """did:key that signed its receipts when it was last met."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A statement that brought a ledger key, with its receipt."""

    statement: bytes
    receipt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHistory:
    """The keys of a ledger from its founding on; made by `read_history`, which checks every step."""

    origin: str
    ledger: str
    founder: str
    keys: tuple[str, ...]
    since: tuple[int, ...]
    """Index of the statement that brought each key; the key before signs no larger tree."""

    def check(self, receipt: bytes, statement: bytes) -> VerifiedReceipt:
        """Verify a receipt under whichever key of the ledger it names, as far as that key counts.

        Raises VerificationError or MalformedError.
        """
        said = decode_receipt(receipt)
        if said.ledger not in self.keys:
            raise VerificationError(f"the receipt is by {said.ledger}, which never was a key of this ledger")
        place = self.keys.index(said.ledger)
        if place + 1 < len(self.keys) and said.tree_size > self.since[place + 1]:
            raise VerificationError(
                f"the receipt is by {said.ledger}, whose trees count up to size {self.since[place + 1]}"
            )
        return verify_receipt(receipt, statement, said.ledger, self.origin)


def read_history(ledger: str, founding: Brought, changes: Sequence[Brought]) -> KeyHistory:
    """Check that some statements lead from the founding of a ledger to its present key.

    Raises VerificationError if one of them is not what it has to be, MalformedError if it cannot be read.
    """
    statement = _signed(founding)
    founded = parse(statement.payload)
    if statement.id != ledger or not isinstance(founded, LedgerFounded):
        raise VerificationError(f"what the node gives as its founding is not statement {ledger}")
    keys, since = [founded.ledger_key], [_acknowledged(founding, founded.ledger_key, founded.origin)]
    if since != [0]:
        raise VerificationError(f"the founding stands at index {since[0]}, not at 0")
    for number, brought in enumerate(changes, 1):
        change = _signed(brought)
        payload = parse(change.payload)
        if not isinstance(payload, LedgerKeyChanged) or payload.number != number:
            raise VerificationError(f"statement {change.id} is not key change number {number}")
        if change.iss != statement.iss or change.aud != ledger:
            raise VerificationError(f"key change {number} is not signed by the founder for this ledger")
        index = _acknowledged(brought, payload.ledger_key, founded.origin)
        if index <= since[-1] or payload.ledger_key in keys:
            raise VerificationError(f"key change {number} does not come after the one before")
        keys.append(payload.ledger_key)
        since.append(index)
    return KeyHistory(
        origin=founded.origin, ledger=ledger, founder=statement.iss, keys=tuple(keys), since=tuple(since)
    )


def _signed(brought: Brought) -> Statement:
    statement = envelope.decode(brought.statement)
    statement.verify()
    return statement


def _acknowledged(brought: Brought, key: str, origin: str) -> int:
    """Return the index at which the key itself says that the statement stands."""
    return verify_receipt(brought.receipt, brought.statement, key, origin).leaf_index
