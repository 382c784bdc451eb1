"""Entries of a ledger as observers get them: read once in order, each decoded and parsed once, with its block time.

Only kinds that somebody asks for are parsed. Nothing is verified here: `run` says whether it was before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pseudoledger.errors import MalformedError
from pseudoledger.ledger.store import Store
from pseudoledger.statement.envelope import Statement, decode
from pseudoledger.statement.kinds import Payload
from pseudoledger.statement.kinds.ledger import LedgerFounded
from pseudoledger.statement.payload import parse

STEP = 4_096
"""Entries between two words of progress."""

Progress = Callable[[int, int], None]
"""Told how many entries of how many are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One entry that was read whole."""

    index: int
    at: int
    """Time of its block, in seconds."""
    kind: str
    statement: Statement
    payload: Payload

    @property
    def id(self) -> str:
        """Statement id."""
        return self.statement.id


def founding_of(store: Store) -> LedgerFounded | None:
    """Return what a ledger was founded with; None where that cannot be read: only an unverified one can be so."""
    row = store.entry(0)
    if row is None:
        return None
    try:
        payload = parse(decode(row.statement).payload)
    except MalformedError:
        return None
    return payload if isinstance(payload, LedgerFounded) else None


class Reading:
    """One pass over the entries of a store, up to a size."""

    def __init__(self, store: Store, size: int) -> None:
        self._store, self._size = store, size
        self.unreadable = 0
        """Entries that could not be decoded or parsed, or that no block seals."""
        self.last_block_ms = 0

    def entries(
        self, kinds: frozenset[str], ids: frozenset[str], progress: Progress | None
    ) -> Iterator[Read]:
        """Yield the entries of some kinds, and those with some ids, in order."""
        blocks = self._store.rows("SELECT idx, time_ms FROM blocks ORDER BY idx")
        sealed_by, time_ms = -1, 0
        rows = self._store.rows(
            "SELECT idx, statement, type, lower(hex(id)) FROM entries WHERE idx < ? ORDER BY idx", self._size
        )
        for index, raw, kind, key in rows:
            if progress is not None and index % STEP == 0:
                progress(index, self._size)
            while sealed_by < index:
                block = next(blocks, None)
                if block is None:
                    break
                sealed_by, time_ms = block
            if sealed_by < index:
                self.unreadable += 1
                continue
            self.last_block_ms = max(self.last_block_ms, time_ms)
            if kind not in kinds and key not in ids:
                continue
            try:
                statement = decode(raw)
                payload = parse(statement.payload)
            except (MalformedError, TypeError):
                self.unreadable += 1
                continue
            yield Read(index=index, at=time_ms // 1000, kind=kind, statement=statement, payload=payload)
        if progress is not None:
            progress(self._size, self._size)
