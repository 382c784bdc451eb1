"""`ledger.json`: what others need to check a ledger, beside its database."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from pseudoledger.errors import StoreError

DESCRIPTION = "ledger.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Origin, ledger id and the public keys in force as did:key."""

    origin: str
    ledger: str
    founder: str
    ledger_key: str

    def text(self) -> bytes:
        """Return the file's bytes."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode("utf-8")

    def write(self, directory: Path) -> None:
        """Write `ledger.json` whole and durably, unless it says so already; raise StoreError if it fails."""
        path = directory / DESCRIPTION
        part = path.with_name(f"{DESCRIPTION}.part")
        try:
            if path.is_file() and path.read_bytes() == self.text():
                return
            with part.open("wb") as file:
                file.write(self.text())
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            sync_directory(directory)
        except OSError as error:
            raise StoreError(
                f"{path}: {error.strerror}",
                hint="check disk space and permissions; opening the ledger writes it",
            ) from error


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
