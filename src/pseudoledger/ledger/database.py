"""The SQLite file of a ledger: opening it to write, opening it to read only, and its errors in our words."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pseudoledger.errors import Explained, PeerUnreachable, StoreBusy, StoreCorrupt, StoreError
from pseudoledger.ledger.schema import MIGRATIONS, OLDEST_READ

DATABASE = "ledger.db"
BUSY_SECONDS = 5

_NO_LOG = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PROTOCOL")
"""What SQLite says where it can neither open the write-ahead log nor make what it needs beside it."""


def explained(path: Path) -> Explained[sqlite3.DatabaseError]:
    """Turn SQLite's errors into ours, with what to do next."""
    return Explained(path, sqlite3.DatabaseError, _ours)


def _ours(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    text = str(error)
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL"):
        return StoreError(
            f"{path}: the disk is full; nothing was written", hint="free some space and try again"
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return StoreError(f"{path}: cannot be used ({text})", hint="check the permissions of its directory")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreBusy(f"{path}: another program holds the database", hint="wait for it, or stop it")
    if name.startswith("SQLITE_IOERR"):
        return StoreError(f"{path}: the disk failed ({text})", hint="check the disk; then run verify")
    return StoreCorrupt(
        f"{path}: not a sound ledger database ({text})", hint="restore a backup, then run verify"
    )


def existing(directory: Path) -> Path:
    """Return the path of a directory's database; raise PeerUnreachable if there is none."""
    path = directory / DATABASE
    if not path.is_file():
        raise PeerUnreachable(
            f"{directory}: there is no ledger here ({DATABASE} is missing)",
            hint="pseudoledger init DIR --origin NAME founds one; --ledger DIR says where it is",
        )
    for suffix in ("-journal", "-wal", "-shm"):
        beside = path.with_name(f"{path.name}{suffix}")
        if beside.exists() and not beside.is_file():
            # SQLite would wait for what never comes.
            raise StoreCorrupt(
                f"{beside} is no regular file", hint="copy the ledger without it, then run verify"
            )
    return path


def open_writable(path: Path) -> sqlite3.Connection:
    """Open or make a database for its one writer, bringing an older schema up to date.

    Raises StoreError, for a schema newer than this program knows too.
    """
    with explained(path):
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS
        )
        try:
            _check_version(connection, path, exact=False)
            _write_ahead(connection, path)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA cache_size = -65536")
            connection.execute("PRAGMA wal_autocheckpoint = 16384")
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _write_ahead(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(
            f"{path}: this file system allows no write-ahead log", hint="keep the ledger on a local disk"
        )


def open_readonly(path: Path) -> sqlite3.Connection:
    """Open a database without any right to change it, also on a read-only disk. Raises StoreError."""
    with explained(path):
        connection = _connect_readonly(path)
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            _check_version(connection, path, exact=True)
        except BaseException:
            connection.close()
            raise
    return connection


def _connect_readonly(path: Path) -> sqlite3.Connection:
    log = path.with_name(f"{path.name}-wal")
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_SECONDS,
        )
        try:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except sqlite3.OperationalError as error:
            connection.close()
            # Without a write-ahead log and no right to make one, the file itself is all there is.
            if "immutable" in mode or not error.sqlite_errorname.startswith(_NO_LOG):
                raise
            if log.exists() and log.stat().st_size:
                raise StoreError(
                    f"{path}: its last blocks stand in {log.name}, which cannot be read on a read-only disk",
                    hint="copy the directory to a place where you may write",
                ) from error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise AssertionError("the last mode returns or raises")


def _check_version(connection: sqlite3.Connection, path: Path, *, exact: bool) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path}: schema {version} is newer than this program knows ({len(MIGRATIONS)})",
            hint="use a newer pseudoledger",
        )
    if exact and version < OLDEST_READ:
        raise StoreError(
            f"{path}: schema {version} is older than this program reads ({OLDEST_READ})",
            hint="let the ledger's own writer open it once",
        )
    return version


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    for number in range(_check_version(connection, path, exact=False), len(MIGRATIONS)):
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{MIGRATIONS[number]}\nPRAGMA user_version = {number + 1};\nCOMMIT;"
        )
