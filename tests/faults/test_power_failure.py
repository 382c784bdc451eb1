"""The power fails: of what the store wrote some is lost, of the record at most the block that was being written.

What SQLite has not synced is gone after a power failure; what the ledger key's record carries comes back.
"""

import shutil
import sqlite3

import pytest
from small_ledger import LEDGER, NEXT_LEDGER, accepted, key_change

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.bench.workload import Load
from pseudoledger.errors import ConflictError, StoreCorrupt, StoreError
from pseudoledger.identity.last_signed import LastSigned, read_record
from pseudoledger.identity.signing_record import Head
from pseudoledger.ledger.rows import decode_batch
from pseudoledger.registrar import Registrar

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
    sizes = [read_record(path).size - 2 * (BLOCKS - number) for number in range(BLOCKS + 1)]
    for stored in range(BLOCKS + 1):
        for recorded in range(max(0, stored - 1), BLOCKS + 1):
            place = after_failure(load, databases[stored], records[recorded])
            there = max(stored, recorded)
            with open_at(load, place) as registrar:
                assert registrar.store.size == sizes[there]
                for raw, answer, receipt in zip(raws[:there], answers, receipts, strict=False):
                    assert registrar.store.entry(answer.index).statement == raw
                    assert registrar.receipt(answer.index) == receipt
                # The same statements as before, whose blocks are the same: no history beside the first is made.
                again = accepted(registrar.register(raws[there:]))
                assert all(not answer.known for answer in again)
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
    """Let SQLite refuse one statement of some kind."""

    class Refusing:
        def __init__(self, connection):
            self._connection, self._step = connection, step

        def __getattr__(self, name):
            return getattr(self._connection, name)

        def execute(self, sql, *values):
            if sql == self._step:
                self._step = None
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorname = "SQLITE_FULL"
                raise error
            return self._connection.execute(sql, *values)

    load.registrar._store._db = Refusing(load.registrar._store._db)


def test_a_block_that_the_store_refuses_is_carried_no_more(load):
    path = load.directory / "keys" / "ledger.last-signed"
    raws = load.statements(2)
    accepted(load.registrar.register(raws[:1]))
    before = read_record(path)
    refuse_once(load, "COMMIT")
    with pytest.raises(StoreError, match="the disk is full; nothing was written"):
        load.registrar.register(raws[1:])
    assert read_record(path) == before
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
        patched.setattr(LastSigned, "take_back", lambda _: fail(StoreError("the disk failed")))
        with pytest.raises(StoreError, match="the disk failed"):
            load.registrar.register(raws[1:])
    with pytest.raises(StoreError, match="state of the store unknown"):
        load.registrar.register(raws[1:])
    assert read_record(path).size == before + 2
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
