"""Tiles export: the static read path of docs/spec/tiles.md written to a directory that any file server serves.

The size is that of the published checkpoint. Tiles and bundles come first and the checkpoint last, each file
whole or not at all, so that whoever reads meanwhile finds everything that the checkpoint they have needs. What
an earlier export wrote is not written again; full tiles never change and partial ones keep their own names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pseudoledger.errors import ConflictError, MalformedError, StoreCorrupt, StoreError
from pseudoledger.ledger.checkpoint import Checkpoint, parse_checkpoint
from pseudoledger.ledger.files import write_durably
from pseudoledger.ledger.note import NOTE_BYTES_MAX, parse_note
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tiles import (
    TILE_WIDTH,
    Bundle,
    Tile,
    bundles_of,
    format_path,
    make_bundle,
    make_tile,
    tiles_of,
)
from pseudoledger.ledger.tree import root

CHECKPOINT = "checkpoint"
COSIGNED = "checkpoint-cosigned"
"""The newest checkpoint that carries cosignatures, where there is one: the newest of all may carry none yet."""

Progress = Callable[[int, int], None]
"""Told how many files of how many are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export wrote."""

    origin: str
    size: int
    """Entries that the exported checkpoint covers."""
    since: int
    """Entries that an earlier export had covered; 0 for a first one."""
    files: int
    """Tiles and bundles written now."""


def export_tiles(store: Store, target: Path, progress: Progress | None = None) -> Exported:
    """Export a ledger up to its published checkpoint, going on from what stands in `target`.

    Raises ConflictError if `target` holds another ledger, another history or a larger tree, StoreError if it
    cannot be written.
    """
    raw = store.checkpoint()
    if raw is None:
        raise StoreError(
            f"{store.path}: no checkpoint is published yet", hint="let the ledger's writer open and close it"
        )
    try:
        said = _read(raw)
    except MalformedError as error:
        raise StoreCorrupt(
            f"{store.path}: the published checkpoint cannot be read: {error.message}", hint="run verify"
        ) from error
    if said.size > store.size or root(said.size, store.hashes) != said.root:
        raise StoreCorrupt(f"{store.path}: the published checkpoint is not of this tree", hint="run verify")
    since = _since(store, target, said)
    resources: list[Tile | Bundle] = [*tiles_of(said.size, since), *bundles_of(said.size, since)]
    for number, resource in enumerate(resources, 1):
        _write(target / format_path(resource), content_of(store, resource))
        if progress is not None:
            progress(number, len(resources))
    cosigned = store.cosigned()
    if cosigned is not None and _read(cosigned).size <= said.size:
        _write(target / COSIGNED, cosigned)
    _write(target / CHECKPOINT, raw)
    return Exported(origin=said.origin, size=said.size, since=since, files=len(resources))


def _read(raw: bytes) -> Checkpoint:
    return parse_checkpoint(parse_note(raw).text)


def _since(store: Store, target: Path, said: Checkpoint) -> int:
    """Return the size that an earlier export reached, after comparing it with this ledger."""
    path = target / CHECKPOINT
    try:
        with path.open("rb") as file:
            earlier = _read(file.read(NOTE_BYTES_MAX + 1))
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _unusable(path, error) from error
    except MalformedError as error:
        raise ConflictError(
            f"{path} is no checkpoint: {error.message}", hint="export to a directory of its own"
        ) from error
    if earlier.origin != said.origin:
        raise ConflictError(
            f"{target} holds the tiles of {earlier.origin}, not of {said.origin}",
            hint="export to another directory",
        )
    if earlier.size > said.size:
        raise ConflictError(
            f"{target} holds a larger tree, of {earlier.size} entries; this ledger has published {said.size}",
            known=earlier.size,
            hint="this looks like a restored backup: run verify --against the exported checkpoint",
        )
    if root(earlier.size, store.hashes) != earlier.root:
        raise ConflictError(
            f"{target} holds another history of {earlier.origin}: the roots of size {earlier.size} differ",
            known=earlier.size,
            hint="keep both and find out which one others have seen",
        )
    return earlier.size


def content_of(store: Store, resource: Tile | Bundle) -> bytes:
    """Make a tile or bundle of stored entries; raise StoreCorrupt if one that belongs to it is missing."""
    if isinstance(resource, Tile):
        return make_tile(resource, store.hashes)
    first = resource.index * TILE_WIDTH
    entries = [row.statement for row in store.entries(first, first + resource.width)]
    if len(entries) != resource.width:
        raise StoreCorrupt(f"{store.path}: an entry from {first} on is missing", hint="run verify")
    return make_bundle(entries)


def _write(path: Path, content: bytes) -> None:
    """Write a file whole and durably, readable for all."""
    try:
        write_durably(path, content)
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path}: {error.strerror}",
        hint="check disk space and permissions; exporting again goes on from here",
    )
