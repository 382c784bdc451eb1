"""A copy of a ledger with one byte of one invoice changed, for all to see that it is noticed."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pseudoledger.ledger.database import DATABASE


@dataclass(frozen=True, slots=True, kw_only=True)
class Tampered:
    """Where the copy is, and what was done to it."""

    directory: Path
    entry: int
    offset: int


def tamper(ledger: Path, target: Path) -> Tampered:
    """Copy a closed ledger to `target` and raise one digit of its first invoice."""
    shutil.copytree(ledger, target)
    with closing(sqlite3.connect(target / DATABASE)) as database:
        index, raw = database.execute(
            "SELECT idx, statement FROM entries WHERE type = 'invoice.issued' ORDER BY idx LIMIT 1"
        ).fetchone()
        offset = raw.index(b'"total_minor":') + len(b'"total_minor":')
        digit = bytes([(raw[offset] - 48 + 1) % 9 + 49])
        changed = raw[:offset] + digit + raw[offset + 1 :]
        database.execute("UPDATE entries SET statement = ? WHERE idx = ?", (changed, index))
        database.commit()
    return Tampered(directory=target, entry=index, offset=offset)
