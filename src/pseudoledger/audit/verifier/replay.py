"""The book, replayed from the entries: policy and every rule again, in bounded memory (design §5).

What the book remembers lies in a temporary database, written in batches; only a bounded part is in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pseudoledger.audit.verifier.report import FAULTS_MAX, Fault, LateByLedger, at_entry
from pseudoledger.contract.book import Book
from pseudoledger.contract.derive import passed_due_dates
from pseudoledger.contract.ruleset import Court
from pseudoledger.contract.things import Pins
from pseudoledger.errors import Finding, MalformedError
from pseudoledger.ledger.database import explained
from pseudoledger.statement.envelope import Statement, decode
from pseudoledger.statement.kinds.billing import PaymentDeclared
from pseudoledger.statement.kinds.ledger import BlockSealed, LedgerFounded
from pseudoledger.statement.payload import parse
from pseudoledger.statement.values import block_time_ms, format_instant

BATCH = 4_096
"""Entries between two writes of what changed."""

_CACHE_KIB = 32_768


class ReplayShelf:
    """Where the replayed book keeps its things: a temporary database that needs to survive nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with explained(path):
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = OFF")
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._db.execute(
                "CREATE TABLE things (sort TEXT, key TEXT, value TEXT, PRIMARY KEY (sort, key)) WITHOUT ROWID"
            )

    def close(self) -> None:
        """Close the database; its directory is the caller's to remove."""
        self._db.close()

    def read(self, sort: str, key: str) -> bytes | None:
        """Return the JSON of one thing, or None."""
        with explained(self._path):
            row = self._db.execute(
                "SELECT value FROM things WHERE sort = ? AND key = ?", (sort, key)
            ).fetchone()
        return None if row is None else row[0].encode("utf-8")

    def write(self, things: list[tuple[str, str, bytes]]) -> None:
        """Store things, new or changed."""
        with explained(self._path):
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT OR REPLACE INTO things VALUES (?, ?, ?)",
                ((sort, key, value.decode("utf-8")) for sort, key, value in things),
            )
            self._db.execute("COMMIT")

    def things(self, sort: str) -> Iterator[tuple[str, bytes]]:
        """Yield (key, JSON) of all things of one sort, by key."""
        with explained(self._path):
            rows = self._db.execute("SELECT key, value FROM things WHERE sort = ? ORDER BY key", (sort,))
            for key, value in rows:
                yield key, value.encode("utf-8")

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield (sort, key, JSON) of all things in order."""
        yield from self._db.execute("SELECT sort, key, value FROM things ORDER BY sort, key")


class Replay:
    """The book of the verifier. `CannotJudge` passes through to the caller."""

    def __init__(self, shelf: ReplayShelf) -> None:
        self._shelf = shelf
        self._book = Book(shelf)
        self._since = 0
        self.late: list[LateByLedger] = []
        """Deadlines missed only by sealing, up to `FAULTS_MAX`."""

    def judge(self, rows: Iterator[tuple[int, bytes]], now: int) -> Iterator[Fault]:
        """Judge the entries of one block at its time in seconds, and fold what nothing speaks against."""
        ledger = self._book.ledger
        court = None if ledger is None else Court.sitting(self._book, ledger.pins, now)
        for index, raw in rows:
            try:
                statement = decode(raw)
                payload = parse(statement.payload) if court is None else court.read(statement.payload)
            except MalformedError as error:
                yield at_entry(index, error.code, error.message)
                continue
            if isinstance(payload, BlockSealed):
                yield at_entry(index, "block.misplaced", "is a block that seals nothing of this ledger")
                continue
            if court is None:
                if not isinstance(payload, LedgerFounded):
                    yield at_entry(index, "ledger.not_founded", "stands before the founding")
                    continue
                pins = Pins.of(payload.rules, payload.tables, payload.policy)
                court = Court.sitting(self._book, pins, now)
            for finding in court.admit(statement, payload, index):
                yield _fault(index, finding)
            if isinstance(payload, PaymentDeclared):
                self._note_late(statement, payload, index, now)
            self._count()

    def _note_late(self, statement: Statement, payment: PaymentDeclared, index: int, now: int) -> None:
        for invoice in passed_due_dates(self._book, payment, statement.iat, now):
            if len(self.late) < FAULTS_MAX:
                self.late.append(
                    LateByLedger(
                        entry=index,
                        deadline=f"the due date of invoice {invoice.number} ({format_instant(invoice.due_at)})",
                        issued=format_instant(statement.iat),
                        sealed=format_instant(now),
                    )
                )

    def seal(self, statement: Statement, block: BlockSealed, index: int) -> None:
        """Fold a block: what was pending is in force from the next entry on."""
        ledger = self._book.ledger
        if ledger is not None:
            now = block_time_ms(block.time) // 1000
            Court.sitting(self._book, ledger.pins, now).fold(statement, block, index)
            self._count()

    def differences(self, stored: Iterator[tuple[object, object, object]]) -> Iterator[Fault]:
        """Compare the stored table of things, ordered by sort and key, with the replayed one."""
        self.flush()
        replayed = self._shelf.rows()
        ours, theirs = next(replayed, None), next(stored, None)
        while ours is not None or theirs is not None:
            if ours == theirs:
                ours, theirs = next(replayed, None), next(stored, None)
            elif theirs is None or (ours is not None and ours[:2] < _order(theirs)):
                assert ours is not None, "one of the two is there"
                yield _thing(ours[0], ours[1], "is missing; the entries yield it")
                ours = next(replayed, None)
            elif ours is None or _order(theirs) < ours[:2]:
                yield _thing(theirs[0], theirs[1], "is not what the entries yield: there is no such thing")
                theirs = next(stored, None)
            else:
                yield _thing(theirs[0], theirs[1], "is not what the entries yield")
                ours, theirs = next(replayed, None), next(stored, None)

    def flush(self) -> None:
        """Write what changed to the shelf."""
        self._shelf.write(self._book.changes())
        self._book.committed()
        self._since = 0

    def _count(self) -> None:
        self._since += 1
        if self._since >= BATCH:
            self.flush()


def _order(row: tuple[object, object, object]) -> tuple[str, str]:
    return str(row[0]), str(row[1])


def _thing(sort: object, key: object, message: str) -> Fault:
    return Fault(code="stored.thing", place=f"table things, {sort} {key}", message=message)


def _fault(index: int, finding: Finding) -> Fault:
    where = f" at {finding.field}" if finding.field else ""
    against = f" (entry {finding.entry})" if finding.entry is not None else ""
    return at_entry(index, finding.code, f"the rules refuse it{where}: {finding.message}{against}")
