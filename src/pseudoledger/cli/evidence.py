"""Documents that travel apart: named in a payload by hash, type and size."""

from __future__ import annotations

import mimetypes
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.cli.desk import read_file

EvidenceOption = Annotated[
    Path | None,
    typer.Option("--evidence", help="File that travels apart; its hash, type and size are stated."),
]


def document(path: Path) -> dict[str, Any]:
    """Name a file by its hash, type and size."""
    content = read_file(path)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return {"sha256": sha256(content).hexdigest(), "media_type": kind, "bytes": len(content)}
