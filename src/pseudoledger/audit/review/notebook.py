"""What observers have to remember of a long ledger: small values by key, the recent ones in memory, all on disk."""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from pseudoledger.ledger.database import explained

IN_MEMORY_MAX = 50_000
"""Values kept in memory; beyond it they are written out and forgotten here."""
_CACHE_KIB = 16_384


class Notebook:
    """Values by page and key. The file is the caller's to remove; it needs to survive nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._recent: dict[bytes, Any] = {}
        self._written = False
        with explained(path):
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = OFF")
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._db.execute("CREATE TABLE notes (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def get(self, page: str, key: str) -> Any:
        """Return a value as it was put, with lists for tuples; None where there is none."""
        short = _short(page, key)
        if short in self._recent:
            return self._recent[short]
        if not self._written:
            return None
        with explained(self._path):
            row = self._db.execute("SELECT value FROM notes WHERE key = ?", (short,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0])

    def put(self, page: str, key: str, value: Any) -> None:
        """Remember a JSON value."""
        self._recent[_short(page, key)] = value
        if len(self._recent) > IN_MEMORY_MAX:
            self._write_out()

    def seen(self, page: str, key: str) -> bool:
        """Tell whether a key was seen on this page before, and remember it."""
        if self.get(page, key) is not None:
            return True
        self.put(page, key, 1)
        return False

    def _write_out(self) -> None:
        with explained(self._path):
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT OR REPLACE INTO notes VALUES (?, ?)",
                ((key, msgspec.json.encode(value)) for key, value in self._recent.items()),
            )
            self._db.execute("COMMIT")
        self._recent.clear()
        self._written = True


def _short(page: str, key: str) -> bytes:
    return blake2b(f"{page}\0{key}".encode(), digest_size=16).digest()
