"""The ledger on disk: one SQLite database, appended to by one writer, read by anybody.

Write-ahead logging with synchronous=FULL: what `append` returned from is on disk. The store keeps bytes,
hashes and whatever the book wants remembered; it knows no meaning and checks no signature.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlite_utils

from pseudoledger.errors import PeerUnreachable, StoreBusy, StoreCorrupt, StoreError
from pseudoledger.ledger.receipt import SignedHead
from pseudoledger.ledger.schema import MIGRATIONS
from pseudoledger.ledger.tree import Frontier, stored_count

DATABASE = "ledger.db"
LOCK = "ledger.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """One entry as it is stored."""

    index: int
    statement: bytes
    id: str
    type: str
    issuer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRow:
    """What is kept of a block: where it stands, its time, and the signed head that ends with it."""

    height: int
    index: int
    time_ms: int
    root: bytes
    ledger_key: str
    signature: bytes

    def head(self, origin: str) -> SignedHead:
        """Return the signed head from which receipts are built."""
        return SignedHead(
            ledger=self.ledger_key,
            origin=origin,
            tree_size=self.index + 1,
            root=self.root,
            signature=self.signature,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Everything that one block adds; stored in one transaction or not at all."""

    entries: Sequence[EntryRow]
    hashes: Sequence[bytes]
    block: BlockRow
    things: Sequence[tuple[str, str, bytes]]
    checkpoint: bytes | None
    """The note to publish with it, where one is due."""


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with what to do next."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "full" in text:
            raise StoreError(
                f"{path}: the disk is full; nothing was written", hint="free some space and try again"
            ) from error
        if "readonly" in text or "unable to open" in text:
            raise StoreError(
                f"{path}: cannot be written ({text})", hint="check the directory's permissions"
            ) from error
        if "locked" in text or "busy" in text:
            raise StoreBusy(
                f"{path}: another program holds the database", hint="wait for it, or stop it"
            ) from error
        if isinstance(error, sqlite3.OperationalError) and "disk I/O" in text:
            raise StoreError(
                f"{path}: the disk failed ({text})", hint="check the disk; then run verify"
            ) from error
        raise StoreCorrupt(
            f"{path}: not a sound ledger database ({text})", hint="restore a backup, then run verify"
        ) from error


class WriterLock:
    """Held by the one writer of a ledger directory; the second is told who the first is."""

    def __init__(self, directory: Path) -> None:
        path = directory / LOCK
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}", hint="check the directory's permissions") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise StoreBusy(
                f"{directory}: process {holder or 'unknown'} is writing this ledger",
                hint="wait until it is done, or send statements to it with --node",
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Give the lock up. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Store:
    """An open ledger database. One thread at a time uses one Store."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection
        with explained(path):
            row = connection.execute("SELECT max(idx) FROM entries").fetchone()
        self._size: int = 0 if row[0] is None else row[0] + 1

    @classmethod
    def create(cls, directory: Path) -> Store:
        """Make an empty database in a directory; raise StoreError if there is one already."""
        path = directory / DATABASE
        if path.exists():
            raise StoreError(f"{path} exists already", hint="choose another directory")
        return cls._writable(path)

    @classmethod
    def open_writer(cls, directory: Path) -> Store:
        """Open for appending, bringing an older schema up to date. Hold a WriterLock before."""
        path = _existing(directory)
        return cls._writable(path)

    @classmethod
    def _writable(cls, path: Path) -> Store:
        with explained(path):
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _migrate(connection, path)
        return cls(path, connection)

    @classmethod
    def open_reader(cls, directory: Path) -> Store:
        """Open without any right to change it, also on a read-only disk."""
        path = _existing(directory)
        with explained(path):
            for mode in ("mode=ro", "mode=ro&immutable=1"):
                connection = sqlite3.connect(
                    f"{path.absolute().as_uri()}?{mode}",
                    uri=True,
                    isolation_level=None,
                    check_same_thread=False,
                )
                try:
                    connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
                except sqlite3.OperationalError:
                    # Without its write-ahead log and no right to make one, the file itself is all there is.
                    connection.close()
                    if path.with_name(f"{DATABASE}-wal").exists() or "immutable" in mode:
                        raise
                    continue
                break
            _check_version(connection, path, exact=True)
        return cls(path, connection)

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._size

    @property
    def tables(self) -> sqlite_utils.Database:
        """The database as sqlite-utils sees it, for reports and people."""
        return sqlite_utils.Database(self._db)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def append(self, batch: Batch) -> None:
        """Store one block and everything that it seals, durably, or nothing of it."""
        db, first = self._db, stored_count(self._size)
        with explained(self.path):
            db.execute("BEGIN IMMEDIATE")
            try:
                db.executemany(
                    "INSERT INTO entries (idx, statement, id, type, issuer) VALUES (?, ?, ?, ?, ?)",
                    ((e.index, e.statement, bytes.fromhex(e.id), e.type, e.issuer) for e in batch.entries),
                )
                db.executemany("INSERT INTO hashes (pos, hash) VALUES (?, ?)", enumerate(batch.hashes, first))
                block = batch.block
                db.execute(
                    "INSERT INTO blocks (height, idx, time_ms, root, ledger_key, signature) VALUES (?, ?, ?, ?, ?, ?)",
                    (block.height, block.index, block.time_ms, block.root, block.ledger_key, block.signature),
                )
                self._write_things(batch.things)
                if batch.checkpoint is not None:
                    self._write_meta("checkpoint", batch.checkpoint)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        self._size += len(batch.entries)

    def _write_things(self, things: Iterable[tuple[str, str, bytes]]) -> None:
        self._db.executemany(
            "INSERT INTO things (sort, key, value) VALUES (?, ?, ?)"
            " ON CONFLICT (sort, key) DO UPDATE SET value = excluded.value",
            ((sort, key, value.decode("utf-8")) for sort, key, value in things),
        )

    def _write_meta(self, name: str, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))

    def publish(self, checkpoint: bytes) -> None:
        """Store the newest checkpoint."""
        with explained(self.path):
            self._write_meta("checkpoint", checkpoint)

    def checkpoint(self) -> bytes | None:
        """Return the newest published checkpoint."""
        row = self._one("SELECT value FROM meta WHERE name = 'checkpoint'")
        return None if row is None else bytes(row[0])

    # Reading

    def read(self, sort: str, key: str) -> bytes | None:
        """Return the stored JSON of one thing of the book: the book's shelf."""
        row = self._one("SELECT value FROM things WHERE sort = ? AND key = ?", sort, key)
        return None if row is None else row[0].encode("utf-8")

    def things(self, sort: str) -> Iterator[tuple[str, bytes]]:
        """Yield (key, JSON) of all things of one sort, by key."""
        with explained(self.path):
            rows = self._db.execute("SELECT key, value FROM things WHERE sort = ? ORDER BY key", (sort,))
            for key, value in rows:
                yield key, value.encode("utf-8")

    def hashes(self, positions: Sequence[int]) -> Sequence[bytes]:
        """Return stored hashes by position (`tree.ReadHashes`); raise StoreCorrupt if one is missing."""
        with explained(self.path):
            found: dict[int, bytes] = dict(
                self._db.execute(
                    "SELECT pos, hash FROM hashes WHERE pos IN (SELECT value FROM json_each(?))",
                    (json.dumps(list(positions)),),
                )
            )
        try:
            return [found[position] for position in positions]
        except KeyError as error:
            raise StoreCorrupt(f"{self.path}: the stored hash at position {error} is missing") from None

    def frontier(self) -> Frontier:
        """Return the right edge of the stored tree."""
        return Frontier.read(self._size, self.hashes)

    def entry(self, index: int) -> EntryRow | None:
        """Return one entry, or None beyond the end."""
        row = self._one("SELECT idx, statement, id, type, issuer FROM entries WHERE idx = ?", index)
        return None if row is None else _entry(row)

    def entry_by_id(self, statement_id: str) -> EntryRow | None:
        """Return the entry of a statement id, or None."""
        try:
            key = bytes.fromhex(statement_id)
        except ValueError:
            return None
        row = self._one("SELECT idx, statement, id, type, issuer FROM entries WHERE id = ?", key)
        return None if row is None else _entry(row)

    def holds(self, statement_id: str) -> bool:
        """Tell whether a statement is stored."""
        return self._one("SELECT 1 FROM entries WHERE id = ?", bytes.fromhex(statement_id)) is not None

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[EntryRow]:
        """Yield entries in order."""
        end = self._size if stop is None else stop
        with explained(self.path):
            rows = self._db.execute(
                "SELECT idx, statement, id, type, issuer FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx",
                (start, end),
            )
            for row in rows:
                yield _entry(row)

    def block_of(self, index: int) -> BlockRow | None:
        """Return the block that seals an entry (a block is sealed by itself), or None beyond the end."""
        return self._block("WHERE idx >= ? ORDER BY idx LIMIT 1", index)

    def last_block(self) -> BlockRow | None:
        """Return the newest block."""
        return self._block("ORDER BY height DESC LIMIT 1")

    def block(self, height: int) -> BlockRow | None:
        """Return a block by its height."""
        return self._block("WHERE height = ?", height)

    def _block(self, clause: str, *values: int) -> BlockRow | None:
        row = self._one(
            f"SELECT height, idx, time_ms, root, ledger_key, signature FROM blocks {clause}", *values
        )
        if row is None:
            return None
        return BlockRow(
            height=row[0], index=row[1], time_ms=row[2], root=row[3], ledger_key=row[4], signature=row[5]
        )

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        with explained(self.path):
            row: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
        return row

    def backup_to(self, target: Path) -> None:
        """Copy the database with SQLite's online backup, which takes a whole state while writing goes on."""
        with explained(target), contextlib.closing(sqlite3.connect(target)) as copy:
            self._db.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")


def _entry(row: tuple[Any, ...]) -> EntryRow:
    index, statement, key, kind, issuer = row
    return EntryRow(index=index, statement=statement, id=key.hex(), type=kind, issuer=issuer)


def _existing(directory: Path) -> Path:
    path = directory / DATABASE
    if not path.is_file():
        raise PeerUnreachable(
            f"{directory}: there is no ledger here ({DATABASE} is missing)",
            hint="pseudoledger init DIR --origin NAME founds one; --ledger DIR says where it is",
        )
    return path


def _check_version(connection: sqlite3.Connection, path: Path, *, exact: bool) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path}: schema {version} is newer than this program knows ({len(MIGRATIONS)})",
            hint="use a newer pseudoledger",
        )
    if exact and version < len(MIGRATIONS):
        raise StoreError(
            f"{path}: schema {version} is older than this program reads ({len(MIGRATIONS)})",
            hint="let the ledger's own writer open it once",
        )
    return version


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    for number in range(_check_version(connection, path, exact=False), len(MIGRATIONS)):
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{MIGRATIONS[number]}\nPRAGMA user_version = {number + 1};\nCOMMIT;"
        )
