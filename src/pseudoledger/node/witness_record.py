"""What a witness keeps: for each log the last checkpoint that it cosigned, in one SQLite file of its own.

A decision about a log reads and writes in one transaction that no other may enter (`deciding`), and it is on
disk when that ends. So of two checkpoints that both go on from the same size one is kept, whatever threads or
processes ask, and a cosignature that was handed out is never forgotten in a crash.

The record belongs to one key under one name. It must never be restored from a backup: a witness that forgot
what it cosigned can be made to cosign another history.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pseudoledger.errors import ConflictError, StoreError
from pseudoledger.ledger.database import explained

RECORD = "witness.db"
VERSION = 1

_TABLES = """
CREATE TABLE witness (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT NOT NULL,
    did TEXT NOT NULL
) STRICT;
CREATE TABLE checkpoints (
    origin TEXT PRIMARY KEY,
    origin_sha256 TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    time INTEGER NOT NULL,
    note BLOB NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """The last checkpoint of one log that this witness cosigned."""

    size: int
    root: bytes
    time: int
    """Time of the cosignature, in seconds since 1970; it never falls."""
    note: bytes
    """The checkpoint with the log's signatures and the witness's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose record this is."""

    name: str
    """The key name in its signature lines."""
    did: str
    """did:key of its key."""


class Turn:
    """One decision about one log, which nobody else decides about meanwhile."""

    def __init__(self, connection: sqlite3.Connection, origin: str) -> None:
        self._db, self._origin = connection, origin
        row = connection.execute(
            "SELECT size, root, time, note FROM checkpoints WHERE origin = ?", (origin,)
        ).fetchone()
        self.last = None if row is None else Cosigned(size=row[0], root=row[1], time=row[2], note=row[3])
        """What was cosigned last, None if nothing ever was."""

    def keep(self, cosigned: Cosigned) -> None:
        """Replace what was cosigned last; it is on disk when the decision ends."""
        self._db.execute(
            "INSERT OR REPLACE INTO checkpoints (origin, origin_sha256, size, root, time, note)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                self._origin,
                sha256(self._origin.encode()).hexdigest(),
                cosigned.size,
                cosigned.root,
                cosigned.time,
                cosigned.note,
            ),
        )


class WitnessRecord:
    """The record of one witness. Any number of threads may use it."""

    def __init__(self, directory: Path, owner: Owner) -> None:
        """Open the record in a directory, or begin one.

        Raises ConflictError if it belongs to another key or name, StoreError if it cannot be used.
        """
        self._path = directory / RECORD
        self._lock = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{directory}: {error.strerror}", hint="choose another directory") from error
        with explained(self._path):
            self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=5)
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                self._begin(owner)
            except BaseException:
                self._db.close()
                raise

    def _begin(self, owner: Owner) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _TABLES.split(";"):
                self._db.execute(statement)
            self._db.execute("INSERT INTO witness VALUES (1, ?, ?)", (owner.name, owner.did))
            self._db.execute(f"PRAGMA user_version = {VERSION}")
        self._db.execute("COMMIT")
        if version > VERSION:
            raise StoreError(f"{self._path}: of a newer pseudoledger", hint="use that one")
        found = _owner(self._db)
        if found != owner:
            raise ConflictError(
                f"{self._path} is the record of {found.name} ({found.did}), not of {owner.name} ({owner.did})",
                hint="a witness has one key, one name and one record: give this one a directory of its own",
            )

    def close(self) -> None:
        """Close the record."""
        with self._lock:
            self._db.close()

    @contextmanager
    def deciding(self, origin: str) -> Iterator[Turn]:
        """Decide about one log; what `Turn.keep` was told is stored when this ends, unless it raises.

        Raises StoreError if that fails; then it may have been stored all the same.
        """
        with self._lock, explained(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield Turn(self._db, origin)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def checkpoint(self, origin_sha256: str) -> bytes | None:
        """Return the last cosigned checkpoint of the log whose origin has this SHA-256 in hex, or None."""
        with self._lock, explained(self._path):
            row = self._db.execute(
                "SELECT note FROM checkpoints WHERE origin_sha256 = ?", (origin_sha256,)
            ).fetchone()
        return None if row is None else bytes(row[0])


def owner_of(directory: Path) -> Owner | None:
    """Return whose record a directory holds, None if it holds none; raise StoreError if it cannot be read."""
    path = directory / RECORD
    if not path.is_file():
        return None
    with explained(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        return _owner(db)


def _owner(connection: sqlite3.Connection) -> Owner:
    name, did = connection.execute("SELECT name, did FROM witness").fetchone()
    return Owner(name=name, did=did)
