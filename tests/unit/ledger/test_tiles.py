import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudoledger.errors import InconsistentCheckpoint, MalformedError
from pseudoledger.ledger import tiles, tree
from pseudoledger.ledger.tiles import Bundle, Tile

COUNT = 70_000
ENTRIES = [b"entry %d" % number for number in range(600)]
LEAVES = [tree.hash_leaf(entry) for entry in ENTRIES]
LEAVES += [hashlib.sha256(number.to_bytes(4)).digest() for number in range(len(LEAVES), COUNT)]
STORED = tree.StoredHashes(tree.Frontier().store(LEAVES))


def fetch_from(size, calls=None, **changes):
    """Serve the tiles of a tree of `size`, with the bytes of some paths replaced."""
    served = set(tiles.tiles_of(size))

    def fetch(wanted):
        if calls is not None:
            calls.append(list(wanted))
        assert set(wanted) <= served
        assert len(set(wanted)) == len(wanted)
        return [changes.get(tiles.format_path(tile), tiles.make_tile(tile, STORED.read)) for tile in wanted]

    return fetch


def reader(size, **kwargs):
    return tiles.TileHashes(size, tree.root(size, STORED.read), fetch_from(size, **kwargs))


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 999), "tile/0/999"),
        (Tile(1, 1000), "tile/1/x001/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(63, 5, 255), "tile/63/005.p/255"),
        (Tile(2, 0, 1), "tile/2/000.p/1"),
        (Bundle(1234067, 12), "tile/entries/x001/x234/067.p/12"),
        (Bundle(0), "tile/entries/000"),
        (Tile(0, tiles.INDEX_MAX), "tile/0/x009/x223/x372/x036/x854/x775/807"),
    ],
)
def test_paths_have_the_published_form(resource, path):
    assert tiles.format_path(resource) == path
    assert tiles.parse_path(path) == resource


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x001",
        "tile/0/x000/001",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/X001/000",
        "tile/00/000",
        "tile/01/000",
        "tile/-1/000",
        "tile/64/000",
        "tile/99/000",
        "tile/100/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/1/2",
        "tile/0/000\n",
        "tile/data/000",
        "tile/entries/x000/000",
        "tile/entries/../000",
        "tile/0/\u0660\u0660\u0660",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/x001/x009/x223/x372/x036/x854/x775/807",
    ],
)
def test_another_path_is_malformed(path):
    with pytest.raises(MalformedError):
        tiles.parse_path(path)


@given(st.integers(0, 63), st.integers(0, tiles.INDEX_MAX), st.integers(1, 256))
def test_paths_round_trip(level, index, width):
    for resource in (Tile(level, index, width), Bundle(index, width)):
        assert tiles.parse_path(tiles.format_path(resource)) == resource


@given(st.one_of(st.text(max_size=30), st.from_regex(r"tile/[0-9]{1,3}/(x?[0-9]{2,4}/?){1,4}(\.p/[0-9]+)?")))
def test_random_paths_are_malformed_or_round_trip(path):
    try:
        resource = tiles.parse_path(path)
    except MalformedError:
        return
    assert tiles.format_path(resource) == path


def test_the_tiles_of_the_standards_examples():
    found = list(tiles.tiles_of(70_000))
    assert found == [
        *(Tile(0, index) for index in range(273)),
        Tile(0, 273, 112),
        Tile(1, 0),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    assert list(tiles.tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles.tiles_of(0)) == list(tiles.bundles_of(0)) == []
    assert list(tiles.bundles_of(600)) == [Bundle(0), Bundle(1), Bundle(2, 88)]


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_growing_lists_add_up(first, second):
    since, size = sorted((first, second))
    for of in (tiles.tiles_of, tiles.bundles_of):
        grown = set(of(since)) | set(of(size, since))
        assert set(of(size)) <= grown
        assert not set(of(size, since)) & set(of(since))
        assert list(of(size, size)) == []
    for tile in tiles.tiles_of(size, since):
        assert tiles.width_at(tile.level, tile.index, size) == tile.width
    assert tiles.width_at(0, (size >> 8) + 1, size) == 0


def test_each_hash_of_a_tile_is_the_root_of_its_leaves():
    for tile in (Tile(0, 2, 17), Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)):
        span = 256**tile.level
        for number, item in enumerate(tiles.parse_tile(tile, tiles.make_tile(tile, STORED.read))):
            first = (tile.index * 256 + number) * span
            frontier = tree.Frontier()
            frontier.extend(LEAVES[first : first + span])
            assert item == frontier.root()


def test_a_tile_has_exactly_its_length():
    raw = tiles.make_tile(Tile(0, 0, 3), STORED.read)
    for bad in (b"", raw[:-1], raw + b"\0", raw + bytes(32)):
        with pytest.raises(MalformedError):
            tiles.parse_tile(Tile(0, 0, 3), bad)


@given(st.lists(st.binary(max_size=400), min_size=1, max_size=256))
def test_bundles_round_trip(entries):
    bundle = Bundle(7, len(entries))
    raw = tiles.make_bundle(entries)
    assert list(tiles.parse_bundle(bundle, raw)) == entries
    for bad in (raw[:-1], raw + b"\0", raw[1:]):
        with pytest.raises(MalformedError):
            tiles.parse_bundle(bundle, bad)
    if len(entries) < 256:
        with pytest.raises(MalformedError):
            tiles.parse_bundle(Bundle(7, len(entries) + 1), raw)
    if len(entries) > 1:
        with pytest.raises(MalformedError):
            tiles.parse_bundle(Bundle(7, len(entries) - 1), raw)


@given(st.binary(max_size=60), st.integers(1, 256))
def test_random_bytes_are_malformed_bundles_or_round_trip(raw, width):
    try:
        entries = tiles.parse_bundle(Bundle(0, width), raw)
    except MalformedError:
        return
    assert tiles.make_bundle(entries) == raw


@pytest.mark.parametrize("entries", [[], [b"x"] * 257, [b"x" * 65_536]])
def test_what_could_not_be_read_is_not_written(entries):
    with pytest.raises(MalformedError):
        tiles.make_bundle(entries)


def test_a_bundle_is_checked_against_the_tree():
    for bundle in tiles.bundles_of(600):
        entries = ENTRIES[bundle.index * 256 :][: bundle.width]
        raw = tiles.make_bundle(entries)
        leaf_hashes = reader(600).leaf_hashes(bundle)
        assert list(tiles.verify_bundle(bundle, raw, leaf_hashes)) == entries
        with pytest.raises(InconsistentCheckpoint, match=f"entry {bundle.index * 256 + 1} "):
            tiles.verify_bundle(bundle, raw.replace(entries[1], entries[1].upper()), leaf_hashes)


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 511, 512, 600, 65_535, 65_536, 65_537, COUNT])
def test_proofs_are_made_from_tiles(size):
    root = tree.root(size, STORED.read)
    source = reader(size)
    assert tree.root(size, source.read) == root
    for index in {0, 1, size // 2, size // 3, size - 2, size - 1} & set(range(size)):
        proof = tree.inclusion_proof(index, size, source.read)
        assert proof == tree.inclusion_proof(index, size, STORED.read)
        tree.verify_inclusion(LEAVES[index], index, size, proof, root)
        older = tree.consistency_proof(index + 1, size, source.read)
        assert older == tree.consistency_proof(index + 1, size, STORED.read)


def test_every_stored_hash_is_read_from_tiles():
    for size in (1, 300, 513):
        positions = range(tree.stored_count(size))
        assert reader(size).read(positions) == STORED.read(positions)
        assert reader(size).read([]) == []
        for outside in (tree.stored_count(size), -1):
            with pytest.raises(IndexError):
                reader(size).read([outside])


def test_one_proof_takes_one_fetch_after_the_edge():
    calls = []
    source = reader(COUNT, calls=calls)
    tree.inclusion_proof(300, COUNT, source.read)
    assert calls == [[Tile(2, 0, 1), Tile(1, 1, 17), Tile(0, 273, 112)], [Tile(1, 0), Tile(0, 1)]]
    tree.inclusion_proof(301, COUNT, source.read)
    assert len(calls) == 2
    tree.inclusion_proof(600, COUNT, source.read)
    assert calls[2:] == [[Tile(0, 2)]]


def test_a_reader_keeps_a_bounded_number_of_tiles(monkeypatch):
    monkeypatch.setattr(tiles, "CACHED_TILES_MAX", 3)
    source = reader(COUNT)
    for index in range(0, COUNT, 1000):
        proof = tree.inclusion_proof(index, COUNT, source.read)
        assert proof == tree.inclusion_proof(index, COUNT, STORED.read)
        assert len(source._full) <= 3


@pytest.mark.parametrize(
    "path", ["tile/2/000.p/1", "tile/1/001.p/17", "tile/0/273.p/112", "tile/1/000", "tile/0/001"]
)
def test_every_tile_on_the_way_is_verified(path):
    tile = tiles.parse_path(path)
    raw = bytearray(tiles.make_tile(tile, STORED.read))
    for at in (0, len(raw) // 2, len(raw) - 1):
        changed = raw.copy()
        changed[at] ^= 1
        with pytest.raises(InconsistentCheckpoint):
            tree.inclusion_proof(300, COUNT, reader(COUNT, **{path: bytes(changed)}).read)
    for bad in (raw[:-1], b"", raw + b"\0"):
        with pytest.raises(MalformedError):
            tree.inclusion_proof(300, COUNT, reader(COUNT, **{path: bytes(bad)}).read)


def test_tiles_of_another_root_are_refused():
    for size in (1, 256, 600):
        with pytest.raises(InconsistentCheckpoint):
            tiles.TileHashes(size, bytes(32), fetch_from(size)).read([0])
    assert tiles.TileHashes(0, tree.EMPTY_ROOT, fetch_from(0)).read([]) == []
    with pytest.raises(InconsistentCheckpoint):
        tiles.TileHashes(0, bytes(32), fetch_from(0)).read([])
