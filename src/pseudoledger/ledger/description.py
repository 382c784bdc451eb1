"""`ledger.json`: what others need to check a ledger, beside its database."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pseudoledger.errors import StoreError
from pseudoledger.ledger.files import write_durably

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
        try:
            if not path.is_file() or path.read_bytes() != self.text():
                write_durably(path, self.text())
        except OSError as error:
            raise StoreError(
                f"{path}: {error.strerror}",
                hint="check disk space and permissions; opening the ledger writes it",
            ) from error
