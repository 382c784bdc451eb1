"""The ledger on disk: one SQLite database, appended to by one writer, read by anybody.

Write-ahead logging with synchronous=FULL: what `append` returned from is on disk, but for a batch that the caller
has on disk elsewhere. The store keeps bytes, hashes and whatever the book wants remembered; it knows no meaning and
checks no signature.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pseudoledger.errors import StoreBusy, StoreCorrupt, StoreError
from pseudoledger.ledger.database import DATABASE, existing, explained, open_readonly, open_writable
from pseudoledger.ledger.flusher import Flusher
from pseudoledger.ledger.rows import Batch, BlockRow, EntryRow, entry_of
from pseudoledger.ledger.tree import Frontier, stored_count

if TYPE_CHECKING:
    import sqlite_utils

_IDS_MAX = 500
"""Most ids asked for in one query."""


class Store:
    """An open ledger database. One thread at a time uses one Store."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection
        self._log = path.absolute().with_name(f"{path.name}-wal")
        self._flusher = Flusher(self._log)
        self._doubtful = False
        """Whether a write has failed since everything was made durable."""
        self._waits: bool | None = None
        """Whether COMMIT waits for the disk; None where that is not known."""
        self._size = self._count()

    def _count(self) -> int:
        row = self._one("SELECT max(idx) FROM entries")
        return 0 if row is None or row[0] is None else int(row[0]) + 1

    def reload(self) -> None:
        """Count the entries anew after a failed `append`, which may have been stored all the same."""
        with explained(self.path):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        self._size = self._count()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read one state of the ledger, whatever is written meanwhile."""
        with explained(self.path):
            self._db.execute("BEGIN")
        try:
            self._size = self._count()
            yield
        finally:
            with explained(self.path):
                self._db.execute("ROLLBACK")

    @classmethod
    def create(cls, directory: Path) -> Store:
        """Make an empty database in a directory, or take one that holds nothing yet.

        Raises StoreError if there are entries already.
        """
        path = directory / DATABASE
        store = cls(path, open_writable(path))
        if store.size:
            store.close()
            raise StoreError(f"{path} holds a ledger already", hint="choose another directory")
        return store

    @classmethod
    def open_writer(cls, directory: Path) -> Store:
        """Open for appending, bringing an older schema up to date. Hold a WriterLock before."""
        path = existing(directory)
        return cls(path, open_writable(path))

    @classmethod
    def open_reader(cls, directory: Path) -> Store:
        """Open without any right to change it, also on a read-only disk."""
        path = existing(directory)
        return cls(path, open_readonly(path))

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._size

    @property
    def tables(self) -> sqlite_utils.Database:
        """The database as sqlite-utils sees it, for reports and people."""
        # It brings numpy along where that is installed: a quarter of the start of every process, for a few pages.
        import sqlite_utils  # noqa: PLC0415 - only here

        return sqlite_utils.Database(self._db)

    def close(self) -> None:
        """Close the database."""
        self._flusher.close()
        self._db.close()

    def append(self, *batches: Batch, carry: Callable[[], object] | None = None) -> None:
        """Store some blocks, one after the other, and everything that they seal, or nothing of it.

        Durably, and all that was stored before. Or else without waiting for the disk, after `carry` has put these
        batches on disk elsewhere: there they have to stay until `sync` or an `append` without it. Others see them
        when they are on disk and not before, as what was seen and lost could be followed by something else.
        """
        if self._doubtful or self._flusher.failed:
            # SQLite's next sync would make durable what it writes now, and not what was to be on disk before.
            self.sync()
        db, size = self._db, self._size
        with explained(self.path):
            self._wait_for_disk(waits=carry is None)
            db.execute("BEGIN IMMEDIATE")
            try:
                for batch in batches:
                    self._insert(batch, stored_count(size))
                    size += len(batch.entries)
                if carry is not None:
                    carry()
                # What COMMIT left behind where it failed may stand on disk, or not, or come back.
                doubtful, self._doubtful = self._doubtful, True
                db.execute("COMMIT")
                self._doubtful = doubtful
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        self._size = size
        if carry is not None:
            self._flusher.count()

    def _wait_for_disk(self, *, waits: bool) -> None:
        if waits is not self._waits:
            self._waits = None
            self._db.execute(f"PRAGMA synchronous = {'FULL' if waits else 'NORMAL'}")
            self._waits = waits

    def sync(self) -> None:
        """Make everything durable that was stored without waiting for the disk.

        It is written again, into the database file: after a failed write a system may take for clean what never
        reached the disk, so that syncing it once more proves nothing. Where readers are in the way of that and no
        write has failed, the log is synced. Raises StoreError.
        """
        with explained(self.path):
            self._wait_for_disk(waits=True)
            busy, _, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            self._doubtful = self._flusher.failed = False
        elif self._doubtful or self._flusher.failed:
            raise StoreBusy(
                f"{self.path}: a write has failed, and readers are in the way of doing it again",
                hint="check the disk, stop what reads this ledger, and open it anew",
            )
        else:
            self._sync_log()

    def _sync_log(self) -> None:
        log = self._log
        try:
            # What stands in the database file itself was synced when it was moved there.
            descriptor = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"{log}: {error.strerror}", hint="check the disk") from error
        try:
            os.fsync(descriptor)
        except OSError as error:
            raise StoreError(f"{log}: {error.strerror}", hint="check the disk; then run verify") from error
        finally:
            os.close(descriptor)

    def _insert(self, batch: Batch, first: int) -> None:
        """Write one block; its hashes stand from position `first` on."""
        db, block = self._db, batch.block
        if batch.kept is not None:
            self._keep(*batch.kept)
        db.executemany(
            "INSERT INTO entries (idx, statement, id, type, issuer) VALUES (?, ?, ?, ?, ?)",
            ((e.index, e.statement, bytes.fromhex(e.id), e.type, e.issuer) for e in batch.entries),
        )
        db.executemany("INSERT INTO hashes (pos, hash) VALUES (?, ?)", enumerate(batch.hashes, first))
        db.execute(
            "INSERT INTO blocks (height, idx, time_ms, root, ledger_key, signature) VALUES (?, ?, ?, ?, ?, ?)",
            (block.height, block.index, block.time_ms, block.root, block.ledger_key, block.signature),
        )
        self._write_things(batch.things)
        if batch.checkpoint is not None:
            self._write_meta("checkpoint", batch.checkpoint)

    def keep_head(self, index: int, signature: bytes) -> None:
        """Store the ledger's signature over the head that ends with the block at an index, verified before."""
        with explained(self.path):
            self._wait_for_disk(waits=True)
            self._keep(index, signature)

    def keep_signed(self, index: int, signature: bytes, checkpoint: bytes | None) -> None:
        """Store what the ledger key signed over its last block, and the checkpoint to publish where there is one.

        Without waiting for the disk: whoever holds the key can make the same signatures again.
        """
        with explained(self.path):
            self._wait_for_disk(waits=False)
            self._keep(index, signature)
            if checkpoint is not None:
                self._write_meta("checkpoint", checkpoint)

    def _keep(self, index: int, signature: bytes) -> None:
        self._db.execute("UPDATE blocks SET signature = ? WHERE idx = ?", (signature, index))

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
            self._wait_for_disk(waits=True)
            self._write_meta("checkpoint", checkpoint)

    def checkpoint(self) -> bytes | None:
        """Return the newest published checkpoint."""
        return self._read_meta("checkpoint")

    def keep_cosigned(self, checkpoint: bytes) -> None:
        """Store the newest checkpoint that carries cosignatures."""
        with explained(self.path):
            self._wait_for_disk(waits=True)
            self._write_meta("cosigned", checkpoint)

    def cosigned(self) -> bytes | None:
        """Return the newest checkpoint that carries cosignatures, None if there never was one."""
        return self._read_meta("cosigned")

    def _read_meta(self, name: str) -> bytes | None:
        (value,) = self._one("SELECT value FROM meta WHERE name = ?", name) or (None,)
        if not isinstance(value, bytes | None):
            raise StoreCorrupt(f"{self.path}: the {name} is not stored as bytes", hint="run verify")
        return value

    # Reading

    def read(self, sort: str, key: str) -> bytes | None:
        """Return the stored JSON of one thing of the book: the book's shelf."""
        row = self._one("SELECT value FROM things WHERE sort = ? AND key = ?", sort, key)
        return None if row is None else self._json(key, row[0])

    def things(self, sort: str) -> Iterator[tuple[str, bytes]]:
        """Yield (key, JSON) of all things of one sort, by key."""
        with explained(self.path):
            rows = self._db.execute("SELECT key, value FROM things WHERE sort = ? ORDER BY key", (sort,))
            for key, value in rows:
                yield key, self._json(key, value)

    def _json(self, key: str, value: object) -> bytes:
        if not isinstance(value, str):
            raise StoreCorrupt(f"{self.path}: the thing {key} is not stored as text", hint="run verify")
        return value.encode("utf-8")

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
        return None if row is None else entry_of(row)

    def entry_by_id(self, statement_id: str) -> EntryRow | None:
        """Return the entry of a statement id, or None."""
        try:
            key = bytes.fromhex(statement_id)
        except ValueError:
            return None
        row = self._one("SELECT idx, statement, id, type, issuer FROM entries WHERE id = ?", key)
        return None if row is None else entry_of(row)

    def known(self, ids: Sequence[str]) -> set[str]:
        """Return which of these statement ids are stored."""
        found: set[str] = set()
        with explained(self.path):
            for start in range(0, len(ids), _IDS_MAX):
                part = [bytes.fromhex(item) for item in ids[start : start + _IDS_MAX]]
                rows = self._db.execute(
                    f"SELECT id FROM entries WHERE id IN ({','.join('?' * len(part))})", part
                )
                found.update(row[0].hex() for row in rows)
        return found

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[EntryRow]:
        """Yield entries in order."""
        with explained(self.path):
            rows = self._db.execute(
                "SELECT idx, statement, id, type, issuer FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx",
                (start, self._size if stop is None else stop),
            )
            for row in rows:
                yield entry_of(row)

    def rows(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Yield what a query of `pseudoledger.ledger.query` finds; every one of them has a limit."""
        with explained(self.path), contextlib.closing(self._db.execute(query, values)) as found:
            yield from found

    def block_of(self, index: int) -> BlockRow | None:
        """Return the block that seals an entry (a block is sealed by itself), or None beyond the end."""
        return self._block("WHERE idx >= ? ORDER BY idx LIMIT 1", index)

    def headed_block_of(self, index: int) -> BlockRow | None:
        """Return the first block at or after an entry whose signed head is kept, or None.

        For the ledger's own store it is the block that seals the entry.
        """
        return self._block("WHERE idx >= ? AND length(signature) > 0 ORDER BY idx LIMIT 1", index)

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
