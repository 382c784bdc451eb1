"""The store: durable settings, what it returns, views for people, and damage named as such."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pseudoledger.bench.workload import Load
from pseudoledger.errors import PeerUnreachable, StoreBusy, StoreCorrupt, StoreError
from pseudoledger.ledger.lock import WriterLock
from pseudoledger.ledger.schema import MIGRATIONS, VIEWS
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import Frontier, hash_leaf, stored_count
from pseudoledger.registrar.sealing import CARRIED_MAX


@pytest.fixture
def load(tmp_path):
    load = Load(tmp_path / "it", leases=2)
    load.registrar.register(load.statements(8))
    yield load
    load.registrar.close()


def test_the_writer_syncs_every_commit_through_a_log_unless_the_record_carries_it(tmp_path):
    load = Load(tmp_path / "it", leases=2)
    database = load.registrar.store._db
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    waits = []
    for count in (8, CARRIED_MAX, CARRIED_MAX + 1, 1):
        load.registrar.register(load.statements(count))
        waits.append(database.execute("PRAGMA synchronous").fetchone()[0] == 2)
        assert load.registrar._sealer.last_signed.carries is not waits[-1]
    assert waits == [False, False, True, False]
    assert database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    load.registrar.close()


def test_entries_hashes_and_blocks_belong_together(load):
    store = load.registrar.store
    entries = list(store.entries())
    assert [row.index for row in entries] == list(range(store.size))
    hashes = Frontier().store([hash_leaf(row.statement) for row in entries])
    assert list(store.hashes(range(stored_count(store.size)))) == hashes
    assert store.frontier().root() == store.last_block().root
    for row in entries:
        assert store.entry_by_id(row.id) == store.entry(row.index) == row
        block = store.block_of(row.index)
        assert block.index >= row.index
        assert store.block(block.height) == block
    assert store.entry(store.size) is None
    assert store.block_of(store.size) is None
    assert store.entry_by_id("no id") is None
    assert [row.index for row in store.entries(3, 5)] == [3, 4]


def test_a_reader_sees_whole_blocks_and_changes_nothing(load):
    with closing(Store.open_reader(load.directory / "ledger")) as reader:
        size = reader.size
        load.registrar.register(load.statements(4))
        assert reader.size == size
        for sql in ("DELETE FROM entries", "CREATE TABLE x (y)", "PRAGMA user_version = 9"):
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader._db.execute(sql)
        with pytest.raises(StoreError, match="cannot be used"):
            reader.publish(b"a checkpoint")
    with closing(Store.open_reader(load.directory / "ledger")) as reader:
        assert reader.size == size + 5


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_every_view_can_be_read(load, view):
    rows = load.registrar.store._db.execute(f'SELECT * FROM "{view}"').fetchall()
    if view in {"statements", "pools", "offers", "leases", "deliveries", "usage_reports"}:
        assert rows


def test_the_views_say_what_the_ledger_holds(load):
    database, store = load.registrar.store._db, load.registrar.store
    assert database.execute("SELECT count(*) FROM statements").fetchone() == (store.size,)
    states = database.execute("SELECT DISTINCT state FROM leases").fetchall()
    assert states == [("signed",)]
    (block,) = database.execute("SELECT block FROM statements WHERE idx = 2").fetchone()
    assert block == store.block_of(2).height


def test_damage_is_named_and_never_a_bug(load):
    store = load.registrar.store
    store._db.execute("UPDATE entries SET statement = 'text' WHERE idx = 4")
    store._db.execute("UPDATE things SET value = x'00' WHERE sort = 'lease'")
    store._db.execute("DELETE FROM hashes WHERE pos = 5")
    lease = store._db.execute("SELECT key FROM things WHERE sort = 'lease'").fetchone()[0]
    with pytest.raises(StoreCorrupt, match="entry 4 is not stored as bytes"):
        store.entry(4)
    with pytest.raises(StoreCorrupt, match="is not stored as text"):
        store.read("lease", lease)
    with pytest.raises(StoreCorrupt, match="is not stored as text"):
        list(store.things("lease"))
    with pytest.raises(StoreCorrupt, match="the stored hash at position 5 is missing"):
        store.hashes([4, 5])


def test_where_there_is_no_ledger_nothing_is_made(tmp_path):
    for opening in (Store.open_reader, Store.open_writer):
        with pytest.raises(PeerUnreachable, match="there is no ledger here"):
            opening(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_database_is_taken_and_a_filled_one_is_not(load, tmp_path):
    Store.create(tmp_path).close()
    Store.create(tmp_path).close()
    with pytest.raises(StoreError, match="holds a ledger already"):
        Store.create(load.directory / "ledger")


def test_the_lock_is_given_back(tmp_path):
    WriterLock(tmp_path).release()
    lock = WriterLock(tmp_path)
    lock.release()
    lock.release()
    with pytest.raises(StoreError, match="No such file"):
        WriterLock(tmp_path / "nowhere")


def test_sync_syncs_the_log_from_wherever_the_process_has_gone(tmp_path, monkeypatch):
    """A path that was relative when the ledger was opened still names it."""
    monkeypatch.chdir(tmp_path)
    load = Load(Path("it"), leases=1)
    load.registrar.register([load.pool(0, "P-1")])
    monkeypatch.chdir("/")
    synced, genuine = [], os.fsync

    def fsync(descriptor):
        synced.append(os.fstat(descriptor).st_ino)
        genuine(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    store, log = load.registrar.store, tmp_path / "it" / "ledger" / "ledger.db-wal"
    store._db.execute("PRAGMA busy_timeout = 0")
    with closing(Store.open_reader(log.parent)) as reader, reader.snapshot():
        assert reader.size
        store.sync()
        assert synced == [log.stat().st_ino]
        store._flusher.failed = True
        with pytest.raises(StoreBusy, match="readers are in the way"):
            store.sync()
        with pytest.raises(StoreBusy, match="readers are in the way"):
            load.registrar.register([load.pool(0, "P-2")])
    monkeypatch.chdir(tmp_path)
    load.registrar.close()


def test_what_is_in_doubt_is_written_again_and_not_synced_alone(load):
    """A system that failed to write a page may take it for clean: a sync of it after that proves nothing."""
    log = load.directory / "ledger" / "ledger.db-wal"
    load.registrar.register([load.pool(0, "P-1")])
    assert log.stat().st_size
    load.registrar.store.sync()
    assert log.stat().st_size == 0
    for number in range(2, 12):
        load.registrar.register([load.pool(0, f"P-{number}")])
    before = log.stat().st_size
    load.registrar._store._flusher.failed = True
    load.registrar.register([load.pool(0, "P-12")])
    assert log.stat().st_size < before, "what stood there went into the database file first"
    assert not load.registrar._store._flusher.failed
