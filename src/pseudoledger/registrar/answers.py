"""What the registrar answers, and a statement on its way to an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pseudoledger.errors import Finding, MalformedError, StoreError
from pseudoledger.identity.keys import Signed, verify_many
from pseudoledger.ledger.receipt import build
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.transparent import detach
from pseudoledger.ledger.tree import inclusion_proof
from pseudoledger.statement import envelope
from pseudoledger.statement.envelope import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A statement that stands on the ledger; `known` if it did before this call."""

    id: str
    index: int
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A statement that was refused, with every reason.

    `stored` is the index of a known statement that has the same id under another signature.
    """

    id: str | None
    findings: tuple[Finding, ...]
    stored: int | None = None


Answer = Registered | Refused


@dataclass(slots=True)
class Waiting:
    """A statement on its way in."""

    statement: Statement | None = None
    answer: Answer | None = None


def read(raw: bytes) -> Waiting:
    """Take bytes apart; receipts that come along in label 394 are left behind."""
    try:
        try:
            return Waiting(statement=envelope.decode(raw))
        except MalformedError as error:
            if error.code not in {"statement.unprotected", "statement.size"}:
                raise
            return Waiting(statement=envelope.decode(detach(raw).statement))
    except MalformedError as error:
        return Waiting(answer=Refused(id=None, findings=error.findings))


def verify(waiting: Sequence[Waiting]) -> None:
    """Verify every signature over the received bytes, before any payload is read."""
    pending = [item for item in waiting if item.statement is not None]
    signed = [Signed(s.iss, s.signed_bytes, s.signature) for item in pending if (s := item.statement)]
    for item, error in zip(pending, verify_many(signed), strict=True):
        if error is not None and item.statement is not None:
            finding = Finding(code="statement.signature", message=str(error))
            item.answer = Refused(id=item.statement.id, findings=(finding,))


def receipt_of(store: Store, origin: str, index: int) -> bytes:
    """Build the receipt of an entry from a store, under the block that seals it; raise StoreError if none."""
    block = store.block_of(index)
    if block is None:
        raise StoreError(f"entry {index} is not on this ledger")
    path = inclusion_proof(index, block.index + 1, store.hashes)
    return build(block.head(origin), index, path)
