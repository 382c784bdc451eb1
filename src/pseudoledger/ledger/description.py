"""`ledger.json`: what others need to know of a ledger directory before they open its database.

Origin, ledger id and public keys as did:key, for other programs to rely on. It proves nothing: a verifier
takes the same facts from the entries.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from pseudoledger.errors import StoreError

FILE = "ledger.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The fields of `ledger.json`, in order."""

    origin: str
    ledger: str
    founder: str
    ledger_key: str

    def write(self, directory: Path) -> None:
        """Write the file whole and durably; raise StoreError if the directory does not take it."""
        path = directory / FILE
        part = directory / f"{FILE}.part"
        try:
            with part.open("w", encoding="utf-8") as file:
                file.write(json.dumps(asdict(self), indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}", hint="check the directory's permissions") from error
