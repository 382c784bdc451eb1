"""The power fails: of what the store wrote some is lost, of the record at most the block that was being written.

What SQLite has not synced is gone after a power failure; what the ledger key's record carries comes back.
"""

import errno
import os
import shutil
from contextlib import closing

import pytest
from small_ledger import LEDGER, NEXT_LEDGER, FaultyDatabase, accepted, key_change

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.bench.workload import Load
from pseudoledger.errors import ConflictError, StoreCorrupt, StoreError
from pseudoledger.identity import last_signed
from pseudoledger.identity.last_signed import LastSigned, read_heads
from pseudoledger.identity.signing_record import Head
from pseudoledger.ledger.rows import decode_batch
from pseudoledger.ledger.store import Store
from pseudoledger.registrar import Registrar
from pseudoledger.registrar.intake import Intake
from pseudoledger.registrar.succession import go_on_after_loss

BLOCKS = 6


@pytest.fixture
def load(tmp_path):
    load = Load(tmp_path / "it", leases=1)
    yield load
    load.registrar.close()


def kept(load, name):
    """Copy the database as the disk would hold it if it had been synced now."""
    copy = load.directory / name
    load.registrar._store.backup_to(copy)
    return copy


def after_failure(load, database, record, *, name="after"):
    """Make a directory that holds what the disk kept."""
    place = load.directory / name
    shutil.rmtree(place, ignore_errors=True)
    (place / "ledger").mkdir(parents=True)
    (place / "keys").mkdir(mode=0o700)
    shutil.copy(database, place / "ledger" / "ledger.db")
    shutil.copy(load.directory / "ledger" / "ledger.json", place / "ledger")
    path = place / "keys" / "ledger.last-signed"
    path.write_bytes(record)
    path.chmod(0o600)
    return place


def open_at(load, place):
    record = LastSigned(place / "keys" / "ledger.last-signed")
    try:
        return Registrar.open(
            place / "ledger", signer=LEDGER, last_signed=record, clock=lambda: load.now * 1000
        )
    except Exception:
        record.close()
        raise


def test_what_was_acknowledged_comes_back_wherever_the_power_failed(load):
    """Every pair of a state of the store and a state of the record that a power failure can leave."""
    path = load.directory / "keys" / "ledger.last-signed"
    databases, records, answers, receipts, raws = [kept(load, "0.db")], [path.read_bytes()], [], [], []
    for number in range(1, BLOCKS + 1):
        raw = load.statements(1)[0]
        answers += accepted(load.registrar.register([raw]))
        raws.append(raw)
        databases.append(kept(load, f"{number}.db"))
        records.append(path.read_bytes())
        receipts.append(load.registrar.receipt(answers[-1].index))
    sizes = [read_heads(path)[-1].size - 2 * (BLOCKS - number) for number in range(BLOCKS + 1)]
    for stored in range(BLOCKS + 1):
        for recorded in range(max(0, stored - 1), BLOCKS + 1):
            place = after_failure(load, databases[stored], records[recorded])
            there = max(stored, recorded)
            with open_at(load, place) as registrar:
                assert registrar.store.size == sizes[there]
                for raw, answer, receipt in zip(raws[:there], answers, receipts, strict=False):
                    assert registrar.store.entry(answer.index).statement == raw
                    assert registrar.receipt(answer.index) == receipt
                again = accepted(registrar.register(raws[there:]))
                assert all(not answer.known for answer in again)
            assert verify(place / "ledger").verdict is Verdict.VALID


def test_nobody_sees_a_block_before_it_is_on_disk(load, monkeypatch):
    """What was seen and lost could be followed by another block, and whoever saw it could prove two histories."""
    seen, genuine = [], last_signed._fdatasync

    def look(descriptor):
        with closing(Store.open_reader(load.directory / "ledger")) as reader:
            seen.append((reader.size, reader.checkpoint()))
        genuine(descriptor)
        disk.append(read_heads(load.directory / "keys" / "ledger.last-signed")[-1].size)

    disk = []
    before, checkpoint = load.registrar.store.size, load.registrar.store.checkpoint()
    with monkeypatch.context() as patched:
        patched.setattr(last_signed, "_fdatasync", look)
        accepted(load.registrar.register(load.statements(1)))
    assert seen == [(before, checkpoint)]
    assert disk == [before + 2]
    assert load.registrar.store.size == before + 2


class Watched:
    """A connection that notes how each of its transactions was committed."""

    def __init__(self, connection, events):
        self._connection, self._events = connection, events

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def execute(self, sql, *values):
        result = self._connection.execute(sql, *values)
        if sql == "COMMIT":
            full = self._connection.execute("PRAGMA synchronous").fetchone() == (2,)
            self._events.append("durable" if full else "stored")
        return result


def test_a_slot_is_written_when_everything_before_is_durable_and_a_block_before_it_is_stored(
    load, monkeypatch
):
    """The order in which the disk is asked, over small and large blocks, a full record, and the closing."""
    events, put, carry, sync = [], LastSigned._put, LastSigned.sync, Store.sync

    def noted(record, raw, place):
        put(record, raw, place)
        events.append("slot")

    def carried(record):
        carry(record)
        events.append("carried")

    def synced(store):
        sync(store)
        events.append("durable")

    monkeypatch.setattr(LastSigned, "_put", noted)
    monkeypatch.setattr(LastSigned, "sync", carried)
    monkeypatch.setattr(Store, "sync", synced)
    load.registrar._store._db = Watched(load.registrar._store._db, events)
    raws = load.statements(800)
    for start, stop in [(number, number + 1) for number in range(400)] + [(400, 600), (600, 601), (601, 800)]:
        accepted(load.registrar.register(raws[start:stop]))
    load.registrar.close()
    assert events.count("slot") >= 3
    assert events.count("carried") >= 390
    for place, event in enumerate(events):
        if event == "slot":
            assert events[place - 1] == "durable"
        elif event == "stored":
            assert events[place - 1] == "carried"
    assert events[-1] == "slot"


def test_an_interruption_leaves_no_doubt_whether_commits_are_durable(load):
    """Ctrl-C after the setting was carried out and before that was noted."""
    connection = load.registrar._store._db

    class Interrupted:
        once = True

        def __getattr__(self, name):
            return getattr(connection, name)

        def execute(self, sql, *values):
            result = connection.execute(sql, *values)
            if sql == "PRAGMA synchronous = NORMAL" and self.once:
                self.once = False
                raise KeyboardInterrupt
            return result

    accepted(load.registrar.register(load.statements(40)))
    load.registrar._store._wait_for_disk(waits=True)
    load.registrar._store._db = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        load.registrar.register([load.pool(0, "P-1")])
    accepted(load.registrar.register([load.pool(0, f"many-{number}") for number in range(40)]))
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert not load.registrar._sealer.last_signed.carries


def test_a_second_interruption_leaves_nothing_to_be_signed(load, monkeypatch):
    """The tree at hand was never stored nor recorded; closing publishes no checkpoint of it."""
    raws = load.statements(2)
    accepted(load.registrar.register(raws[:1]))
    before, record = load.registrar.store.checkpoint(), load.registrar._sealer.last_signed.read()
    with monkeypatch.context() as patched:
        patched.setattr(Store, "append", lambda *_, **__: fail(KeyboardInterrupt()))
        patched.setattr(Intake, "close", lambda _: fail(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            load.registrar.register(raws[1:])
    assert load.registrar._sealer._frontier.size > record.size
    with pytest.raises(StoreError, match="never recorded"):
        load.registrar._sealer.note(load.registrar.state.origin)
    load.registrar.close()
    load.registrar = open_at(load, load.directory)
    # It was written to the record, so the next start has registered it.
    assert load.registrar._sealer.last_signed.read().size == load.registrar.store.size == record.size + 2
    assert (
        load.registrar.store.checkpoint()
        == load.registrar._sealer.note(load.registrar.state.origin)
        != before
    )
    (answer,) = accepted(load.registrar.register(raws[1:]))
    assert answer.known


def test_a_record_that_was_not_synced_is_before_it_is_built_on(load, monkeypatch):
    """A sync fails, the record is opened anew, further blocks follow: what is acknowledged stands on the disk."""
    path = load.directory / "keys" / "ledger.last-signed"
    disk, genuine, failing = {}, last_signed._fdatasync, [False]

    def sync(descriptor):
        if failing[0]:
            failing[0] = False
            # The pages count as clean from now on, and were never written.
            dirty.clear()
            raise OSError(errno.EIO, "input/output error")
        genuine(descriptor)
        disk.update(dirty)
        dirty.clear()

    dirty, pwrite = {}, os.pwrite

    def write(descriptor, raw, place):
        dirty.update(enumerate(raw, place))
        return pwrite(descriptor, raw, place)

    accepted(load.registrar.register(load.statements(1)))
    disk.update(enumerate(path.read_bytes()))
    monkeypatch.setattr(last_signed, "_fdatasync", sync)
    monkeypatch.setattr(os, "pwrite", write)
    raws = load.statements(4)
    failing[0] = True
    with pytest.raises(StoreError, match=r"last-signed .* nothing is signed"):
        load.registrar.register(raws[:1])
    load.registrar.close()
    load.registrar = open_at(load, load.directory)
    for raw in raws:
        accepted(load.registrar.register([raw]))
    whole = path.read_bytes()
    kept_bytes = bytes(disk.get(place, 0) for place in range(len(whole)))
    (load.directory / "kept").write_bytes(kept_bytes)
    (load.directory / "kept").chmod(0o600)
    assert read_heads(load.directory / "kept")[-1] == read_heads(path)[-1]
    assert read_heads(path)[-1].size == load.registrar.store.size


def test_after_a_loss_the_record_still_gives_back_what_it_carries(load):
    """The key is lost, its record is not."""
    path = load.directory / "keys" / "ledger.last-signed"
    database = kept(load, "old.db")
    for raw in load.statements(4):
        accepted(load.registrar.register([raw]))
    size, state = load.registrar.store.size, load.registrar.state
    place = after_failure(load, database, path.read_bytes())
    change = key_change(state, number=1, key=NEXT_LEDGER, iat=load.now)
    record = LastSigned.create(place / "keys" / "second.last-signed")
    with LastSigned(place / "keys" / "ledger.last-signed") as before:
        accepted(
            [
                go_on_after_loss(
                    place / "ledger", change, signer=NEXT_LEDGER, last_signed=record, before=before,
                    clock=lambda: load.now * 1000,
                )
            ]
        )  # fmt: skip
    with closing(Store.open_reader(place / "ledger")) as store:
        assert store.size == size + 2
    assert verify(place / "ledger").verdict is Verdict.VALID


def test_a_torn_record_gives_back_all_before_it(load):
    path = load.directory / "keys" / "ledger.last-signed"
    database = kept(load, "old.db")
    before = load.registrar.store.size
    raws = load.statements(2)
    for raw in raws:
        accepted(load.registrar.register([raw]))
    whole = path.read_bytes()
    start = whole.rindex(b"pl/carried-block")
    for cut in (start, start + 1, start + 100, start + 1_000):
        place = after_failure(load, database, whole[:cut] + bytes(len(whole) - cut))
        with open_at(load, place) as registrar:
            assert registrar.store.size == before + 2
            (answer,) = accepted(registrar.register(raws[1:]))
            assert not answer.known
        assert verify(place / "ledger").verdict is Verdict.VALID


def test_a_store_older_than_anything_that_is_carried_is_refused(load):
    database = kept(load, "old.db")
    load.registrar._sealer.rest()
    accepted(load.registrar.register(load.statements(1)))
    load.registrar._sealer.rest()
    accepted(load.registrar.register(load.statements(1)))
    record = (load.directory / "keys" / "ledger.last-signed").read_bytes()
    place = after_failure(load, database, record)
    with pytest.raises(ConflictError, match="restored backup"):
        open_at(load, place)


def test_after_many_blocks_the_record_begins_anew_and_the_store_is_durable(load):
    """More blocks than the record has room for: whatever it no longer carries, the store has synced."""
    path = load.directory / "keys" / "ledger.last-signed"
    record, durable = load.registrar._sealer.last_signed, []
    database = None
    for raw in load.statements(700):
        accepted(load.registrar.register([raw]))
        if not record.carries:
            durable.append(load.registrar.store.size)
            database = kept(load, "durable.db")
    assert len(durable) >= 2
    size = load.registrar.store.size
    assert size > durable[-1]
    place = after_failure(load, database, path.read_bytes())
    with open_at(load, place) as registrar:
        assert registrar.store.size == size
    assert verify(place / "ledger").verdict is Verdict.VALID


def test_the_block_of_a_new_key_is_durable_before_it_is_signed(load):
    """The key before would otherwise, after a power failure, sign another block in its place."""
    registrar = load.registrar
    accepted(registrar.register(load.statements(1)))
    assert registrar._sealer.last_signed.carries
    old = load.directory / "keys" / "ledger.last-signed"
    record = LastSigned.create(load.directory / "keys" / "second.last-signed")
    change = key_change(registrar.state, number=1, key=NEXT_LEDGER, iat=load.now)
    accepted([registrar.change_key(change, signer=NEXT_LEDGER, last_signed=record)])
    assert not record.carries
    assert record.read() == Head(registrar.store.size, registrar._sealer._frontier.root())
    with LastSigned(old) as closed:
        assert not closed.carries
    accepted(registrar.register(load.statements(1)))
    assert record.carries


def refuse_once(load, step):
    """Let SQLite refuse one statement of some kind: the disk is full."""
    load.registrar._store._db = FaultyDatabase(
        load.registrar._store._db, step, "failed", said="database or disk is full", name="SQLITE_FULL"
    )


def test_a_block_that_the_store_refuses_is_carried_no_more(load):
    path = load.directory / "keys" / "ledger.last-signed"
    raws = load.statements(2)
    accepted(load.registrar.register(raws[:1]))
    before = read_heads(path)[-1]
    refuse_once(load, "COMMIT")
    with pytest.raises(StoreError, match="the disk is full; nothing was written"):
        load.registrar.register(raws[1:])
    assert read_heads(path)[-1] == before
    assert load.registrar.store.size == before.size
    place = after_failure(load, kept(load, "now.db"), path.read_bytes())
    with open_at(load, place) as registrar:
        assert registrar.store.size == before.size
    (answer,) = accepted(load.registrar.register(raws[1:]))
    assert not answer.known


def test_a_block_that_cannot_be_taken_back_is_registered_at_the_next_start(load, monkeypatch):
    path = load.directory / "keys" / "ledger.last-signed"
    raws = load.statements(2)
    accepted(load.registrar.register(raws[:1]))
    before = load.registrar.store.size
    refuse_once(load, "COMMIT")
    with monkeypatch.context() as patched:
        patched.setattr(LastSigned, "take_back", lambda *_: fail(StoreError("the disk failed")))
        with pytest.raises(StoreError, match="the disk failed"):
            load.registrar.register(raws[1:])
    with pytest.raises(StoreError, match="state of the store unknown"):
        load.registrar.register(raws[1:])
    assert read_heads(path)[-1].size == before + 2
    load.registrar.close()
    load.registrar = open_at(load, load.directory)
    (answer,) = accepted(load.registrar.register(raws[1:]))
    assert answer.known
    load.registrar.close()
    assert verify(load.directory / "ledger").verdict is Verdict.VALID


def fail(error):
    raise error


def test_a_closed_ledger_carries_nothing(load):
    accepted(load.registrar.register(load.statements(1)))
    path = load.directory / "keys" / "ledger.last-signed"
    load.registrar.close()
    with LastSigned(path) as record:
        assert not record.carries


def test_a_carried_block_of_another_version_is_named(load):
    with pytest.raises(StoreCorrupt, match="cannot be read") as caught:
        decode_batch(b"\x81\xa1x\x01")
    assert "version" in caught.value.hint
