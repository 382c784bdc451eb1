"""Where a sync reads from when that is no server: a directory of exported tiles, or a ledger directory.

As with `upstream`, nothing that is read here is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pseudoledger.errors import PeerUnreachable
from pseudoledger.ledger.database import DATABASE
from pseudoledger.ledger.export import CHECKPOINT, content_of
from pseudoledger.ledger.note import NOTE_BYTES_MAX
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tiles import Bundle, Tile
from pseudoledger.node.upstream import NotThere, Upstream, read_resource


class ExportedTiles:
    """A directory that `tiles export` wrote, or a copy of one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def close(self) -> None:
        """Nothing is held."""

    def checkpoint(self) -> bytes:
        """Read the checkpoint. Raises PeerUnreachable."""
        return self._read(CHECKPOINT, NOTE_BYTES_MAX)

    def receipt(self, statement_id: str) -> bytes:
        """Raise NotThere: files have no receipts."""
        raise NotThere(f"{self._directory} has no receipt of {statement_id}")

    def prefetch(self, _resources: Sequence[Tile | Bundle]) -> None:
        """Do nothing: files are near."""

    def fetch(self, resources: Sequence[Tile | Bundle]) -> list[bytes]:
        """Read tiles or bundles. Raises PeerUnreachable."""
        return [read_resource(resource, self._read) for resource in resources]

    def forget(self) -> None:
        """Nothing is ahead."""

    def _read(self, path: str, limit: int) -> bytes:
        try:
            with (self._directory / path).open("rb") as file:
                raw = file.read(limit + 1)
        except FileNotFoundError:
            raise NotThere(
                f"{self._directory} has no {path}", hint="is it what `pl tiles export` wrote, and all of it?"
            ) from None
        except OSError as error:
            raise PeerUnreachable(f"{self._directory / path}: {error.strerror}") from error
        if len(raw) > limit:
            raise PeerUnreachable(f"{self._directory / path} is larger than {limit} bytes")
        return raw


class LedgerFiles:
    """A ledger directory of somebody else, read up to its published checkpoint."""

    def __init__(self, directory: Path) -> None:
        """Open its store to read. Raises as `Store.open_reader`."""
        self._store = Store.open_reader(directory)

    def close(self) -> None:
        """Let the store go."""
        self._store.close()

    def checkpoint(self) -> bytes:
        """Read the published checkpoint. Raises PeerUnreachable where there is none."""
        found = self._store.checkpoint()
        if found is None:
            raise PeerUnreachable(f"{self._store.path} has published no checkpoint")
        return found

    def receipt(self, statement_id: str) -> bytes:
        """Raise NotThere: receipts are asked of a node."""
        raise NotThere(f"{self._store.path} gives no receipt of {statement_id}")

    def prefetch(self, _resources: Sequence[Tile | Bundle]) -> None:
        """Do nothing: files are near."""

    def fetch(self, resources: Sequence[Tile | Bundle]) -> list[bytes]:
        """Make tiles or bundles of what is stored."""
        return [content_of(self._store, resource) for resource in resources]

    def forget(self) -> None:
        """Nothing is ahead."""


AnySource = ExportedTiles | LedgerFiles | Upstream


def open_source(where: str) -> AnySource:
    """Open a URL, a ledger directory or a directory of tiles; raise PeerUnreachable if it is none of them."""
    if where.startswith(("http://", "https://")):
        return Upstream(where)
    directory = Path(where)
    if (directory / DATABASE).is_file():
        return LedgerFiles(directory)
    if (directory / CHECKPOINT).is_file():
        return ExportedTiles(directory)
    raise PeerUnreachable(
        f"{where} is no ledger directory, no exported tiles and no URL",
        hint="give a directory with ledger.db or checkpoint in it, or a URL",
    )
