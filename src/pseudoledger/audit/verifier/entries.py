"""Checks of entries by themselves, a chunk at a time.

A chunk is 1,024 entries from a multiple of 1,024 on, so it is a complete subtree of the tree and its part of
the stored hashes can be recomputed without the entries before it. What depends on what came before (links,
keys in force, rules) is left to the caller, who is told where the ledger's own statements stand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pseudoledger.audit.verifier.report import Fault, at_entry
from pseudoledger.audit.verifier.stored import integrity_faults
from pseudoledger.errors import InvalidSignature, MalformedError, PseudoledgerError
from pseudoledger.identity.keys import Signed
from pseudoledger.ledger.database import explained, open_readonly
from pseudoledger.ledger.receipt import SignedHead, verify_head
from pseudoledger.ledger.tree import HASH_BYTES, Frontier, hash_leaf, node_at, stored_count
from pseudoledger.statement.envelope import Statement, decode
from pseudoledger.statement.payload import canonical_kind

CHUNK = 1_024
"""Entries of a chunk, a power of two."""

_EntryRow = tuple[int, object, object, object, object]
_BlockRow = tuple[Any, ...]
JudgeSignatures = Callable[[Sequence[Signed]], list[InvalidSignature | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What every check of an entry needs to know."""

    path: Path
    """The database."""
    origin: str
    ledger: str
    """Ledger id."""
    rules: bool = True
    """Whether the tables of the book count."""


class Mark(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A statement of the ledger itself, with the tree around it."""

    statement: Statement
    kind: str
    index: int
    sound: bool
    """Whether its form and signature are."""
    before: tuple[bytes, ...]
    """Subtrees of the chunk up to the entry before it, largest first."""
    after: tuple[bytes, ...]
    """The same with it."""
    row: _BlockRow | None
    """The row of the blocks table that names it: height, idx, time_ms, root, ledger_key, signature."""


class Chunk(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What was found in the entries from `start` to `stop`."""

    start: int
    stop: int
    faults: tuple[Fault, ...]
    marks: tuple[Mark, ...]
    issued: tuple[int, ...]
    """The iat of every entry; -1 where it cannot be read."""
    subtrees: tuple[bytes, ...]
    """Subtrees of the chunk, largest first: its root if the chunk is full."""
    above: tuple[Any, ...]
    """Stored hashes of the nodes above the chunk which its last entry completes."""


class EntryReader:
    """Reads and checks chunks of one ledger. One thread uses it."""

    def __init__(self, basis: Basis, judge: JudgeSignatures) -> None:
        self._basis, self._judge = basis, judge
        self._db = open_readonly(basis.path)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def check(self, start: int, stop: int) -> Chunk:
        """Check the entries from `start` to `stop`, which lie in one chunk."""
        with explained(self._basis.path):
            rows = self._rows(
                "SELECT idx, statement, id, type, issuer FROM entries WHERE idx >= ? AND idx < ?"
                " ORDER BY idx",
                start,
                stop,
            )
            hashes = dict(
                self._rows(
                    "SELECT pos, hash FROM hashes WHERE pos >= ? AND pos < ?",
                    stored_count(start),
                    stored_count(stop),
                )
            )
            blocks = {
                row[1]: row
                for row in self._rows(
                    "SELECT height, idx, time_ms, root, ledger_key, signature FROM blocks WHERE idx >= ? AND idx < ?",
                    start,
                    stop,
                )
            }
        return _ChunkCheck(self._basis, start, stop, hashes, blocks).run(rows, self._judge)

    def integrity(self) -> tuple[str, ...]:
        """Let SQLite check the file, without the tables of the book where rules are left out."""
        with explained(self._basis.path):
            return integrity_faults(self._db, book=self._basis.rules)

    def _rows(self, query: str, *values: int) -> list[Any]:
        return self._db.execute(query, values).fetchall()


class _ChunkCheck:
    """The work on one chunk."""

    def __init__(
        self, basis: Basis, start: int, stop: int, hashes: dict[int, object], blocks: dict[object, _BlockRow]
    ) -> None:
        self._basis, self._start, self._stop = basis, start, stop
        self._hashes, self._blocks = hashes, blocks
        self._faults: list[Fault] = []
        self._unsound: set[int] = set()

    def run(self, rows: Sequence[_EntryRow], judge: JudgeSignatures) -> Chunk:
        """Check form and signature of every row, then hashes and blocks."""
        found = {row[0]: row for row in rows}
        statements: list[Statement | None] = []
        leaves: list[bytes] = []
        for index in range(self._start, self._stop):
            row = found.get(index)
            raw = row[1] if row else None
            if row is not None and isinstance(raw, bytes):
                leaves.append(hash_leaf(raw))
                statements.append(self._decode(index, raw))
            else:
                # Its hash stands in for a missing entry, so that what follows is not blamed for it.
                self._break(index, "entry.missing", "is missing" if row is None else "is not stored as bytes")
                leaves.append(self._stored(stored_count(index)))
                statements.append(None)
        self._verify(statements, judge)
        kinds = [
            self._kind(index, statement, found) for index, statement in enumerate(statements, self._start)
        ]
        frontier = Frontier()
        marks = []
        at = 0
        nodes: list[bytes] = []
        for number, (statement, kind) in enumerate(zip(statements, kinds, strict=True)):
            if statement is None or not kind.startswith(("block.", "ledger.")):
                continue
            nodes += frontier.store(leaves[at:number])
            before = frontier.subtrees
            nodes += frontier.store(leaves[number : number + 1])
            at = number + 1
            marks.append(self._mark(statement, kind, self._start + number, before, frontier.subtrees))
        nodes += frontier.store(leaves[at:])
        self._compare(nodes)
        self._no_block_elsewhere({mark.index for mark in marks if mark.kind == "block.sealed"})
        first = stored_count(self._start)
        above = range(first + len(nodes), stored_count(self._stop))
        return Chunk(
            start=self._start,
            stop=self._stop,
            faults=tuple(self._faults),
            marks=tuple(marks),
            issued=tuple(-1 if statement is None else statement.iat for statement in statements),
            subtrees=frontier.subtrees,
            above=tuple(self._hashes.get(position) for position in above),
        )

    def _break(self, index: int, code: str, message: str) -> None:
        self._unsound.add(index)
        self._faults.append(at_entry(index, code, message))

    def _stored(self, position: int) -> bytes:
        stored = self._hashes.get(position)
        return stored if isinstance(stored, bytes) and len(stored) == HASH_BYTES else bytes(HASH_BYTES)

    def _decode(self, index: int, raw: bytes) -> Statement | None:
        try:
            return decode(raw)
        except MalformedError as error:
            self._break(index, error.code, error.message)
            return None

    def _verify(self, statements: Sequence[Statement | None], judge: JudgeSignatures) -> None:
        read = [s for s in statements if s is not None]
        verdicts = judge([Signed(s.iss, s.signed_bytes, s.signature) for s in read])
        # Nearly every chunk has nothing wrong, which is seen at once.
        if (
            verdicts.count(None) == len(read)
            and self._start
            and {s.aud for s in read} <= {self._basis.ledger}
        ):
            return
        pending = [(index, s) for index, s in enumerate(statements, self._start) if s is not None]
        for (index, statement), error in zip(pending, verdicts, strict=True):
            if error is not None:
                self._break(index, "statement.signature", error.message)
            if index and statement.aud != self._basis.ledger:
                self._break(
                    index, "statement.aud", f"is for ledger {statement.aud}, this is {self._basis.ledger}"
                )

    def _kind(self, index: int, statement: Statement | None, found: dict[int, _EntryRow]) -> str:
        if statement is None:
            return ""
        try:
            kind = canonical_kind(statement.payload).name
        except MalformedError as error:
            self._break(index, error.code, error.message)
            kind = ""
        row = found[index]
        computed_id = bytes.fromhex(statement.id)
        if row[2:] == (computed_id, kind, statement.iss):
            return kind
        _, _, stored_id, stored_kind, issuer = row
        for name, stored, computed in (
            ("id", stored_id, computed_id),
            ("type", stored_kind, kind),
            ("issuer", issuer, statement.iss),
        ):
            if stored != computed and (kind or name != "type"):
                self._faults.append(
                    Fault(
                        code=f"stored.{name}",
                        place=f"table entries, row {index}, column {name}",
                        message="is not what the entry says",
                        entry=index,
                    )
                )
        return kind

    def _mark(
        self,
        statement: Statement,
        kind: str,
        index: int,
        before: tuple[bytes, ...],
        after: tuple[bytes, ...],
    ) -> Mark:
        row = self._blocks.get(index) if kind == "block.sealed" else None
        if row is not None:
            self._check_head(row, index)
        elif kind == "block.sealed":
            self._block_row(index, "the block at this entry has no row")
        return Mark(
            statement=statement,
            kind=kind,
            index=index,
            sound=index not in self._unsound,
            before=before,
            after=after,
            row=row,
        )

    def _check_head(self, row: _BlockRow, index: int) -> None:
        """Verify the ledger's signature over the head that ends with a block; the chain counts the missing ones."""
        match row:
            case (_, _, _, _, _, b""):
                return
            case (int(), int(), int(), bytes() as root, str() as key, bytes() as signature):
                head = SignedHead(
                    ledger=key, origin=self._basis.origin, tree_size=index + 1, root=root, signature=signature
                )
            case _:
                self._block_row(index, "a column is not of its type")
                return
        try:
            verify_head(head)
        except PseudoledgerError as error:
            self._block_row(index, error.message)

    def _block_row(self, index: int, message: str) -> None:
        self._faults.append(
            Fault(
                code="stored.block", place=f"table blocks, row of entry {index}", message=message, entry=index
            )
        )

    def _no_block_elsewhere(self, blocks: set[int]) -> None:
        for index in self._blocks:
            if isinstance(index, int) and index not in blocks:
                self._block_row(index, "this entry is no block")

    def _compare(self, nodes: list[bytes]) -> None:
        """Compare the stored hashes of the chunk's own nodes with the recomputed ones."""
        first = stored_count(self._start)
        stored = list(map(self._hashes.get, range(first, first + len(nodes))))
        if stored == nodes:
            return
        for position, (found, node) in enumerate(zip(stored, nodes, strict=True), first):
            if found != node:
                self._faults.append(wrong_hash(position))


def wrong_hash(position: int) -> Fault:
    """Make the fault of a stored hash that is not the one the entries yield."""
    level, number = node_at(position)
    last = ((number + 1) << level) - 1
    what = f"leaf hash of entry {last}" if level == 0 else f"node over entries {number << level} to {last}"
    return Fault(
        code="stored.hash",
        place=f"table hashes, position {position}",
        message=f"the {what} is not the one that the entries yield",
        entry=last,
    )


def read_raw(connection: sqlite3.Connection, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
    """Yield index and bytes of stored entries; those that are not bytes are left out."""
    rows = connection.execute(
        "SELECT idx, statement FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx", (start, stop)
    )
    for index, raw in rows:
        if isinstance(raw, bytes):
            yield index, raw
