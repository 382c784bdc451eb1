"""The static read path, C2SP tlog-tiles v0.1.0: paths, tiles of hashes, bundles of entries, and back.

    tile/<L>/<N>[.p/<W>]          up to 256 hashes of level 8·L, from index 256·N on
    tile/entries/<N>[.p/<W>]      the entries below tile 0/N: uint16 big-endian length ‖ entry, repeated

N is written in groups of three digits, all but the last with an x: 1234067 is x001/x234/067. W, from 1 to
255, is the width of a tile at the right edge: floor(size / 256^L) mod 256. Full tiles never change.

`TileHashes` turns tiles that anybody serves into a `ReadHashes`: the tiles at the right edge must hash to the
root of a checkpoint, and each tile below must hash to its place in the tile above, before one hash of it is
used. Which tiles are stored where, and how they are fetched, is the caller's affair.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pseudoledger.errors import InconsistentCheckpoint, MalformedError
from pseudoledger.ledger.tree import (
    EMPTY_ROOT,
    HASH_BYTES,
    Frontier,
    ReadHashes,
    hash_leaf,
    node_at,
    position_of,
    stored_count,
)

TILE_WIDTH = 256
"""Hashes in a full tile, entries in a full bundle."""

LEVEL_MAX = 63
"""Highest level that a path may name."""

ENTRY_BYTES_MAX = 65_535
"""Longest entry in a bundle."""

INDEX_MAX = 2**63 - 1
"""Largest tile index that a path may name."""

CACHED_TILES_MAX = 256
"""Full tiles that a reader keeps, about 33 KB each with their inner nodes."""

_PATH = re.compile(
    r"tile/(?:(?P<level>0|[1-9][0-9]?)|entries)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class Tile:
    """Up to 256 hashes of one level."""

    level: int
    """Tile level L: its hashes are nodes of tree level 8·L."""
    index: int
    """Index N of the tile within its level."""
    width: int = TILE_WIDTH
    """Number of hashes: 256 in a full tile."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The entries below one tile of level 0."""

    index: int
    """Index N of the bundle."""
    width: int = TILE_WIDTH
    """Number of entries: 256 in a full bundle."""


FetchTiles = Callable[[Sequence[Tile]], Sequence[bytes]]
"""Fetches tiles: `fetch(tiles)` returns the bytes of each, in the order asked, unverified.

Asked for a partial tile, it may cut the full one to that width. A tile that cannot be had is the fetcher's
error to raise.
"""


def format_path(resource: Tile | Bundle) -> str:
    """Return the path of a tile or bundle, without a leading slash."""
    groups, rest = [f"{resource.index % 1000:03d}"], resource.index // 1000
    while rest:
        groups.append(f"x{rest % 1000:03d}")
        rest //= 1000
    level = resource.level if isinstance(resource, Tile) else "entries"
    partial = f".p/{resource.width}" if resource.width != TILE_WIDTH else ""
    return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"


def parse_path(path: str) -> Tile | Bundle:
    """Parse a path without a leading slash; the inverse of `format_path`.

    Raises:
        MalformedError: not the one spelling of a path of a tile or bundle.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise _malformed("not a path of a tile or bundle")
    index = int(match["index"].replace("x", "").replace("/", ""))
    width = int(match["width"]) if match["width"] else TILE_WIDTH
    resource = Bundle(index, width) if match["level"] is None else Tile(int(match["level"]), index, width)
    if index > INDEX_MAX or width > TILE_WIDTH or format_path(resource) != path:
        raise _malformed("not the one spelling of this path")
    if isinstance(resource, Tile) and resource.level > LEVEL_MAX:
        raise _malformed(f"a tile level is at most {LEVEL_MAX}")
    return resource


def width_at(level: int, index: int, size: int) -> int:
    """Return how many hashes tile `index` of `level` has in a tree of `size` leaves, 0 if there is none."""
    return max(0, min(TILE_WIDTH, (size >> 8 * level) - index * TILE_WIDTH))


def tiles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """Yield the tiles of a tree of `size` leaves which the tree of `since` leaves has not, level by level."""
    level = 0
    while size >> 8 * level:
        for index, width in _pieces(size >> 8 * level, since >> 8 * level):
            yield Tile(level, index, width)
        level += 1


def bundles_of(size: int, since: int = 0) -> Iterator[Bundle]:
    """Yield the bundles of a tree of `size` leaves which the tree of `since` leaves has not."""
    for index, width in _pieces(size, since):
        yield Bundle(index, width)


def tile_positions(tile: Tile) -> list[int]:
    """Return the positions of a tile's hashes in the stored sequence."""
    first = tile.index * TILE_WIDTH
    return [position_of(8 * tile.level, first + number) for number in range(tile.width)]


def make_tile(tile: Tile, read: ReadHashes) -> bytes:
    """Return the bytes of a tile."""
    return b"".join(read(tile_positions(tile)))


def parse_tile(tile: Tile, raw: bytes) -> tuple[bytes, ...]:
    """Return the hashes of a tile.

    Raises:
        MalformedError: the bytes are not `tile.width` hashes.
    """
    if len(raw) != tile.width * HASH_BYTES:
        raise _malformed(f"tile {format_path(tile)} has {len(raw)} bytes, not {tile.width * HASH_BYTES}")
    return tuple(raw[start : start + HASH_BYTES] for start in range(0, len(raw), HASH_BYTES))


def make_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the bytes of a bundle.

    Raises:
        MalformedError: none or more than 256 entries, or one longer than 65,535 bytes.
    """
    if not 1 <= len(entries) <= TILE_WIDTH or max(map(len, entries)) > ENTRY_BYTES_MAX:
        raise _malformed("a bundle holds 1 to 256 entries of at most 65,535 bytes")
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def parse_bundle(bundle: Bundle, raw: bytes) -> tuple[bytes, ...]:
    """Return the entries of a bundle; their hashes are not checked.

    Raises:
        MalformedError: the bytes are not `bundle.width` entries, each after its length.
    """
    entries = []
    at = 0
    for _ in range(bundle.width):
        start = at + 2
        at = start + int.from_bytes(raw[at:start])
        entries.append(raw[start:at])
        if len(raw) < max(start, at):
            raise _malformed(f"bundle {format_path(bundle)} ends before its {bundle.width} entries do")
    if at != len(raw):
        raise _malformed(f"bundle {format_path(bundle)} goes on after its {bundle.width} entries")
    return tuple(entries)


def verify_bundle(bundle: Bundle, raw: bytes, leaf_hashes: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the entries of a bundle after comparing them with verified leaf hashes.

    Raises:
        MalformedError: as `parse_bundle`.
        InconsistentCheckpoint: an entry does not hash to its leaf.
    """
    entries = parse_bundle(bundle, raw)
    for number, (entry, leaf_hash) in enumerate(zip(entries, leaf_hashes, strict=True)):
        if hash_leaf(entry) != leaf_hash:
            raise InconsistentCheckpoint(f"entry {bundle.index * TILE_WIDTH + number} is not the one signed")
    return entries


class TileHashes:
    """The hashes of the tree of one checkpoint, read from tiles and verified before use.

    `read` is a `ReadHashes`. The right edge is fetched and checked on the first read; one proof then takes
    one fetch. Keeps up to `CACHED_TILES_MAX` full tiles. Not for several threads at once.
    """

    def __init__(self, size: int, root: bytes, fetch: FetchTiles) -> None:
        """Read the tree of a verified checkpoint (size, root) through `fetch`."""
        self._size = size
        self._root = root
        self._fetch = fetch
        self._edge: dict[tuple[int, int], list[bytes]] | None = None
        self._full: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()

    def read(self, positions: Sequence[int]) -> list[bytes]:
        """Return the hashes at these positions of the stored sequence, in the order asked.

        Raises:
            MalformedError: a tile does not have its length.
            InconsistentCheckpoint: a tile does not belong to the checkpoint.
        """
        if positions and not 0 <= min(positions) <= max(positions) < stored_count(self._size):
            raise IndexError(f"a position outside a tree of {self._size} leaves")  # a bug of the caller
        edge = self._edge if self._edge is not None else self._read_edge()
        places = [_place(position) for position in positions]
        verified = edge | self._verify({(level, index) for level, index, _ in places} - edge.keys(), edge)
        return [verified[level, index][inner] for level, index, inner in places]

    def leaf_hashes(self, bundle: Bundle) -> list[bytes]:
        """Return the verified leaf hashes of a bundle.

        Raises:
            MalformedError: a tile does not have its length.
            InconsistentCheckpoint: a tile does not belong to the checkpoint.
        """
        return self.read(tile_positions(Tile(0, bundle.index, bundle.width)))

    def _read_edge(self) -> dict[tuple[int, int], list[bytes]]:
        """Fetch the partial tiles, which hold all that the root is made of, and check them against it."""
        tiles = [
            Tile(level, size >> 8, size & 255)
            for level in range(self._size.bit_length() // 8 + 1)
            if (size := self._size >> 8 * level) & 255
        ]
        edge: dict[tuple[int, int], list[bytes]] = {}
        subtrees: list[bytes] = []
        for tile, raw in zip(reversed(tiles), self._fetch(tiles[::-1]) if tiles else (), strict=True):
            frontier = Frontier()
            edge[tile.level, tile.index] = frontier.store(parse_tile(tile, raw))
            subtrees += frontier.subtrees
        root = Frontier(self._size, subtrees).root() if tiles else EMPTY_ROOT
        if root != self._root:
            raise InconsistentCheckpoint(f"the tiles of size {self._size} do not hash to the signed root")
        self._edge = edge
        return edge

    def _verify(
        self, wanted: set[tuple[int, int]], edge: dict[tuple[int, int], list[bytes]]
    ) -> dict[tuple[int, int], list[bytes]]:
        """Return the stored sequences of full tiles, fetching and checking those that are not at hand."""
        known = {}
        missing = set()
        for level, index in wanted:
            place = level, index
            while place not in edge and place not in known and place not in missing:
                if place in self._full:
                    self._full.move_to_end(place)
                    known[place] = self._full[place]
                    break
                missing.add(place)
                place = place[0] + 1, place[1] >> 8
        # From the top down, so that the tile above is verified before the one below is compared with it.
        tiles = [Tile(level, index) for level, index in sorted(missing, reverse=True)]
        for tile, raw in zip(tiles, self._fetch(tiles) if tiles else (), strict=True):
            above = tile.level + 1, tile.index >> 8
            expected = (edge.get(above) or known[above])[position_of(0, tile.index & 255)]
            stored = Frontier().store(parse_tile(tile, raw))
            if stored[-1] != expected:
                raise InconsistentCheckpoint(f"{format_path(tile)} does not belong to the signed root")
            known[tile.level, tile.index] = self._full[tile.level, tile.index] = stored
        while len(self._full) > CACHED_TILES_MAX:
            self._full.popitem(last=False)
        return known


def _pieces(size: int, since: int) -> Iterator[tuple[int, int]]:
    """Yield (index, width) of the pieces of 256 that a row of `size` has and one of `since` had not."""
    if size > since:
        for index in range(since >> 8, size >> 8):
            yield index, TILE_WIDTH
        if size & 255:
            yield size >> 8, size & 255


def _place(position: int) -> tuple[int, int, int]:
    """Return level and index of the tile that yields the node at a position, and its place inside.

    A tile's 256 hashes are the leaves of a tree of their own; the place is the position in that one.
    """
    height, node = node_at(position)
    level, rise = divmod(height, 8)
    index = node >> (8 - rise)
    return level, index, position_of(rise, node - (index << (8 - rise)))


def _malformed(message: str) -> MalformedError:
    return MalformedError(message, code="tile.form")
