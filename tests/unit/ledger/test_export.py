"""Tiles on disk: complete, checkable by a reader, written in order, gone on with, and never mixed up."""

import shutil

import pytest

from pseudoledger.bench.workload import Load
from pseudoledger.errors import ConflictError, StoreCorrupt, StoreError
from pseudoledger.ledger import export
from pseudoledger.ledger.checkpoint import log_key, parse_checkpoint, sign_checkpoint, verify_checkpoint
from pseudoledger.ledger.export import export_tiles
from pseudoledger.ledger.note import format_note, parse_note
from pseudoledger.ledger.tiles import TileHashes, bundles_of, format_path, verify_bundle


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    load = Load(tmp_path_factory.mktemp("export") / "it", leases=2)
    load.registrar.register(load.statements(500))
    load.now += 1
    load.registrar.register(load.statements(4))
    yield load
    load.registrar.close()


def read_all(target, load):
    """Read an export as a stranger does: checkpoint, tiles, bundles, each checked against the one before."""
    signer = load.registrar._sealer.signer
    raw = (target / "checkpoint").read_bytes()
    key = log_key(load.registrar.state.origin, signer.public_key)
    said = verify_checkpoint(raw, load.registrar.state.origin, [key]).checkpoint
    hashes = TileHashes(
        said.size, said.root, lambda tiles: [(target / format_path(tile)).read_bytes() for tile in tiles]
    )
    entries = []
    for bundle in bundles_of(said.size):
        content = (target / format_path(bundle)).read_bytes()
        entries += verify_bundle(bundle, content, hashes.leaf_hashes(bundle))
    return said.size, entries


def stored(load, size):
    return [row.statement for row in load.registrar.store.entries(0, size)]


def test_an_export_is_read_and_checked_by_a_stranger(load, tmp_path):
    done = export_tiles(load.registrar.store, tmp_path / "out")
    size, entries = read_all(tmp_path / "out", load)
    assert (done.size, done.since) == (size, 0)
    assert size > 512
    assert entries == stored(load, size)
    assert not list((tmp_path / "out").rglob(".*"))


def test_a_second_export_writes_only_what_is_new(load, tmp_path):
    target = tmp_path / "out"
    told = []
    first = export_tiles(load.registrar.store, target, lambda done, of: told.append((done, of)))
    assert told[-1] == (first.files, first.files)
    again = export_tiles(load.registrar.store, target)
    assert (again.since, again.files) == (first.size, 0)
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*") if path.is_file()}
    load.now += 1
    load.registrar.register(load.statements(4))
    grown = export_tiles(load.registrar.store, target)
    assert (grown.since, grown.size) == (first.size, first.size + 5)
    changed = {path for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert changed == {target / "checkpoint"}
    assert read_all(target, load)[1] == stored(load, grown.size)


def test_an_export_cut_short_leaves_the_old_state_whole_and_is_gone_on_with(load, tmp_path, monkeypatch):
    target = tmp_path / "out"
    first = export_tiles(load.registrar.store, target)
    load.now += 1
    load.registrar.register(load.statements(300))
    original, calls = export._write, iter(range(100))

    def failing(path, content):
        if next(calls) == 3:
            raise StoreError("the disk is full")
        original(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(export, "_write", failing)
        with pytest.raises(StoreError):
            export_tiles(load.registrar.store, target)
    assert read_all(target, load)[0] == first.size
    assert export_tiles(load.registrar.store, target).since == first.size
    assert read_all(target, load)[1] == stored(load, load.registrar.store.size)


def test_a_directory_of_something_else_is_left_alone(load, tmp_path):
    store, signer, origin = load.registrar.store, load.registrar._sealer.signer, load.registrar.state.origin
    target = tmp_path / "out"
    export_tiles(store, target)
    said = parse_checkpoint(parse_note((target / "checkpoint").read_bytes()).text)
    for text, message in (
        (
            format_note(sign_checkpoint(signer, "other.example/one", said.size, said.root)),
            "holds the tiles of other",
        ),
        (format_note(sign_checkpoint(signer, origin, said.size + 1, said.root)), "larger tree"),
        (format_note(sign_checkpoint(signer, origin, said.size, bytes(32))), "another history"),
        (b"something else", "is no checkpoint"),
    ):
        (target / "checkpoint").write_bytes(text)
        with pytest.raises(ConflictError, match=message):
            export_tiles(store, target)
        assert (target / "checkpoint").read_bytes() == text


def test_a_place_that_cannot_be_written(load, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StoreError, match="Not a directory"):
        export_tiles(load.registrar.store, tmp_path / "out")


def test_a_store_that_contradicts_its_checkpoint(tmp_path):
    load = Load(tmp_path / "it", leases=1)
    store, origin = load.registrar.store, load.registrar.state.origin
    for note, error, message in (
        (
            format_note(sign_checkpoint(load.registrar._sealer.signer, origin, store.size, bytes(32))),
            StoreCorrupt,
            "not of this",
        ),
        (
            format_note(sign_checkpoint(load.registrar._sealer.signer, origin, 10**9, bytes(32))),
            StoreCorrupt,
            "not of this",
        ),
        (b"nonsense", StoreCorrupt, "cannot be read"),
    ):
        store.publish(note)
        with pytest.raises(error, match=message):
            export_tiles(store, tmp_path / "out")
    store._db.execute("DELETE FROM meta")
    with pytest.raises(StoreError, match="no checkpoint is published"):
        export_tiles(store, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    load.registrar.close()
    shutil.rmtree(tmp_path / "it")
