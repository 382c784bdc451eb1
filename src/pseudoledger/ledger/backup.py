"""Backup: a whole copy of a ledger directory, taken while its writer goes on. No secret lies in it.

The copy is SQLite's online backup, one state of the database in one file, and `ledger.json` beside it. A backup
that is put back into service is older than what the ledger key has signed; the record of that key says so and
refuses to sign a second history (docs/spec/identity.md, section 5).
"""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

from pseudoledger.errors import StoreError
from pseudoledger.identity.files import sync_directory
from pseudoledger.ledger.database import DATABASE
from pseudoledger.ledger.description import DESCRIPTION
from pseudoledger.ledger.store import Store


def backup(directory: Path, target: Path) -> int:
    """Copy the ledger in `directory` to `target` and return its number of entries. Verify the copy afterwards.

    Raises PeerUnreachable if there is no ledger, StoreError if `target` holds one or cannot be written.
    """
    copy = target / DATABASE
    if copy.exists():
        raise StoreError(f"{target} holds a ledger already", hint="back up to a new directory")
    with closing(Store.open_reader(directory)) as store:
        part = target / f"{DATABASE}.part"
        try:
            target.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            store.backup_to(part)
            (target / DESCRIPTION).write_bytes((directory / DESCRIPTION).read_bytes())
            part.replace(copy)
            sync_directory(target)
        except OSError as error:
            _remove(part)
            raise StoreError(
                f"{error.filename or target}: {error.strerror}", hint="check disk space and permissions"
            ) from error
        except StoreError:
            _remove(part)
            raise
    with closing(Store.open_reader(target)) as stored:
        return stored.size


def _remove(part: Path) -> None:
    with suppress(OSError):
        part.unlink()
