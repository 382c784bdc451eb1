"""Every write of a registration fails, or fails although it was applied; nothing is lost and a retry is answered."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from small_ledger import LEDGER, NEXT_LEDGER, FaultyDatabase, accepted, key_change

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.bench.workload import ORIGIN, START, Load, _signer
from pseudoledger.errors import ConflictError, StoreBusy, StoreCorrupt, StoreError
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.ledger.description import Description
from pseudoledger.ledger.receipt import verify_receipt
from pseudoledger.ledger.store import Store
from pseudoledger.registrar import Registrar
from pseudoledger.statement.kinds.ledger import Policy

CHILD = Path(__file__).with_name("crash_child.py")
STEPS = (
    "BEGIN",
    "INSERT INTO entries",
    "INSERT INTO hashes",
    "INSERT INTO blocks",
    "INSERT INTO things",
    "COMMIT",
)
MODES = ("failed", "failed but applied")


def fail_once(monkeypatch, owner, name, mode, *, call=1):
    """Let one call of a method fail, before or after it did its work."""
    original, calls = getattr(owner, name), iter(range(1, 100))

    def faulty(self, *values, **named):
        if next(calls) != call:
            return original(self, *values, **named)
        if mode == "failed but applied":
            original(self, *values, **named)
        raise StoreError("the disk failed")

    monkeypatch.setattr(owner, name, faulty)


@pytest.fixture
def load(tmp_path):
    return Load(tmp_path / "it", leases=1)


def reopen(load, signer=LEDGER, record="ledger.last-signed"):
    last_signed = LastSigned(load.directory / "keys" / record)
    try:
        return Registrar.open(
            load.directory / "ledger", signer=signer, last_signed=last_signed, clock=lambda: load.now * 1000
        )
    except (StoreError, ConflictError):
        last_signed.close()
        raise


def retry_until_answered(load, statements):
    """Register again as a careful client does: on the same registrar, then on one opened anew."""
    try:
        answers = load.registrar.register(statements)
    except StoreError:
        load.registrar.close()
        load.registrar = reopen(load)
        answers = load.registrar.register(statements)
    return accepted(answers)


def check_all(load, statements, answers):
    """Everything is there once, under one receipt that verifies, the ledger is sound and goes on."""
    registrar = load.registrar
    for raw, answer in zip(statements, answers, strict=True):
        receipt = registrar.receipt(answer.index)
        verify_receipt(receipt, raw, registrar.state.ledger_key, ORIGIN)
        (again,) = registrar.register([raw])
        assert (again.known, again.index) == (True, answer.index)
        assert registrar.receipt(again.index) == receipt
    accepted(registrar.register(load.statements(2)))
    registrar.close()
    report = verify(load.directory / "ledger")
    assert report.verdict is Verdict.VALID, report.faults


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", STEPS)
def test_a_statement_of_the_transaction_fails(load, step, mode):
    statements = load.statements(4)
    size = load.registrar.store.size
    load.registrar._store._db = FaultyDatabase(load.registrar._store._db, step, mode)
    with pytest.raises(StoreError, match="disk failed"):
        load.registrar.register(statements)
    stored = (step, mode) == ("COMMIT", "failed but applied")
    assert load.registrar.store.size == size + (5 if stored else 0)
    answers = accepted(load.registrar.register(statements))
    assert {answer.known for answer in answers} == {stored}
    check_all(load, statements, answers)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("owner", "name"), [(LastSigned, "sync"), (Store, "keep_signed")])
def test_what_comes_after_the_commit_fails(load, monkeypatch, owner, name, mode):
    """The block is stored, its head neither shown nor, at first, signed: the next start or retry makes good."""
    statements = load.statements(4)
    with monkeypatch.context() as patched:
        fail_once(patched, owner, name, mode)
        with pytest.raises(StoreError, match="disk failed"):
            load.registrar.register(statements)
    answers = retry_until_answered(load, statements)
    # A small block is recorded before it is committed.
    assert {answer.known for answer in answers} == {name != "sync"}
    check_all(load, statements, answers)


def test_a_tree_of_two_blocks_that_the_record_does_not_know_signs_nothing(load):
    path = load.directory / "keys" / "ledger.last-signed"
    old = path.read_bytes()
    for raw in load.statements(2):
        accepted(load.registrar.register([raw]))
    load.registrar.close()
    path.write_bytes(old)
    with pytest.raises(ConflictError, match="elsewhere"):
        reopen(load)


def test_a_broken_record_signs_nothing_until_it_is_opened_anew(load):
    statements = load.statements(4)
    load.registrar._sealer.last_signed._broken = True
    for _ in range(2):
        with pytest.raises(StoreError, match="nothing is signed"):
            load.registrar.register(statements)
    check_all(load, statements, retry_until_answered(load, statements))


def test_after_a_failure_that_cannot_be_undone_nothing_is_signed(load, monkeypatch):
    """The store fails while it is asked what it holds: the tree at hand was never stored."""
    accepted(load.registrar.register(load.statements(2)))
    statements = load.statements(4)
    before = load.registrar.store.checkpoint()
    with monkeypatch.context() as patched:
        load.registrar._store._db = FaultyDatabase(load.registrar._store._db, "COMMIT", "failed")
        fail_once(patched, type(load.registrar.store), "reload", "failed")
        with pytest.raises(StoreError):
            load.registrar.register(statements)
    with pytest.raises(StoreError, match="left the state of the store unknown"):
        load.registrar.register(statements)
    load.registrar.close()
    load.registrar = reopen(load)
    assert load.registrar.store.checkpoint() == before
    check_all(load, statements, accepted(load.registrar.register(statements)))


@pytest.mark.parametrize("mode", MODES)
def test_publishing_on_closing_fails(load, monkeypatch, mode):
    statements = load.statements(4)
    # Two blocks within a second: the checkpoint of the second waits for the closing.
    answers = [accepted(load.registrar.register([raw]))[0] for raw in statements]
    with monkeypatch.context() as patched:
        fail_once(patched, type(load.registrar.store), "publish", mode)
        with pytest.raises(StoreError):
            load.registrar.close()
    load.registrar = reopen(load)
    check_all(load, statements, answers)


@pytest.mark.parametrize("mode", MODES)
def test_describing_the_ledger_fails_after_a_key_change(load, monkeypatch, mode):
    record = LastSigned.create(load.directory / "keys" / "second.last-signed")
    change = key_change(load.registrar.state, number=1, key=NEXT_LEDGER, iat=load.now)
    with monkeypatch.context() as patched:
        fail_once(patched, Description, "write", mode)
        with pytest.raises(StoreError):
            load.registrar.change_key(change, signer=NEXT_LEDGER, last_signed=record)
    load.registrar.close()
    load.registrar = reopen(load, NEXT_LEDGER, "second.last-signed")
    check_all(load, [], [])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", ["BEGIN", "COMMIT"])
def test_a_key_change_fails_and_is_tried_again(load, step, mode):
    registrar, now = load.registrar, load.now
    record = LastSigned.create(load.directory / "keys" / "second.last-signed")
    change = key_change(registrar.state, number=1, key=NEXT_LEDGER, iat=now)
    registrar._store._db = FaultyDatabase(registrar._store._db, step, mode)
    with pytest.raises(StoreError):
        registrar.change_key(change, signer=NEXT_LEDGER, last_signed=record)
    stored = (step, mode) == ("COMMIT", "failed but applied")
    assert registrar.state.ledger_key == (NEXT_LEDGER if stored else LEDGER).did
    # The key in force goes on signing, whichever it is.
    accepted(registrar.register(load.statements(2)))
    if not stored:
        accepted([registrar.change_key(change, signer=NEXT_LEDGER, last_signed=record)])
    registrar.close()
    load.registrar = reopen(load, NEXT_LEDGER, "second.last-signed")
    check_all(load, [], [])


def test_a_key_change_begun_before_a_crash_is_tried_again_later(load):
    """The new key's record holds the head before the change, and the ledger has grown since."""
    registrar = load.registrar
    path = load.directory / "keys" / "second.last-signed"
    record = LastSigned.create(path)
    record.record(registrar.store.size, registrar._sealer._frontier.root())
    record.close()
    accepted(registrar.register(load.statements(1)))
    change = key_change(registrar.state, number=1, key=NEXT_LEDGER, iat=load.now)
    accepted([registrar.change_key(change, signer=NEXT_LEDGER, last_signed=LastSigned(path))])
    check_all(load, [], [])


def found(directory):
    policy = {
        "admission": "open", "attestors": (), "open_max": 10, "commission_cap_bps": 500,
        "max_age_seconds": 86_400, "clock": "simulated",
    }  # fmt: skip
    path = directory / "keys" / "ledger.last-signed"
    record = LastSigned(path) if path.exists() else LastSigned.create(path)
    try:
        return Registrar.found(
            directory / "ledger", origin=ORIGIN, founder=_signer("founder"), signer=LEDGER,
            last_signed=record, clock=lambda: 1_800_000_000_000, policy=Policy(**policy), nonce=bytes(32),
        )  # fmt: skip
    except StoreError:
        record.close()
        raise


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", ["append", "record", "sign", "describe"])
def test_a_founding_fails_and_is_tried_again(tmp_path, monkeypatch, step, mode):
    owner, name, call = {
        "append": (Store, "append", 1),
        "record": (LastSigned, "_put", 2),
        "sign": (Store, "keep_signed", 1),
        "describe": (Description, "write", 1),
    }[step]
    (tmp_path / "ledger").mkdir()
    with monkeypatch.context() as patched:
        fail_once(patched, owner, name, mode, call=call)
        with pytest.raises(StoreError):
            found(tmp_path)
    stored = step != "append" or (step, mode) == ("append", "failed but applied")
    if stored:
        with pytest.raises(StoreError, match="holds a ledger already"):
            found(tmp_path)
        record = LastSigned(tmp_path / "keys" / "ledger.last-signed")
        registrar = Registrar.open(
            tmp_path / "ledger", signer=LEDGER, last_signed=record, clock=lambda: 1_800_000_000_000
        )
    else:
        registrar = found(tmp_path)
    registrar.close()
    assert verify(tmp_path / "ledger").verdict is Verdict.VALID


# The disk is full


def test_a_full_database_refuses_in_one_line_and_goes_on_with_space(load):
    database, statements = load.registrar.store._db, load.statements(400)
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages + 8}")
    size = load.registrar.store.size
    with pytest.raises(StoreError, match="the disk is full; nothing was written"):
        load.registrar.register(statements)
    assert load.registrar.store.size == size
    database.execute("PRAGMA max_page_count = 1000000")
    check_all(load, statements[:10], accepted(load.registrar.register(statements))[:10])


def test_a_writer_whose_files_may_not_grow_loses_nothing(tmp_path):
    child = run_child(tmp_path, "limit", "900000")
    assert child.returncode == 0, child.stderr
    acknowledged = [line.split() for line in child.stdout.splitlines() if line.startswith("ack ")]
    assert acknowledged
    assert "refused by the disk" in child.stdout
    assert verify(tmp_path / "it" / "ledger").verdict is Verdict.VALID
    load = resume(tmp_path)
    for _, index, raw, _ in acknowledged:
        (answer,) = load.register([bytes.fromhex(raw)])
        assert (answer.known, answer.index) == (True, int(index))
    load.close()


# Crashes at every step


@pytest.mark.parametrize("step", [*STEPS, "record", "sign", "publish"])
def test_a_crash_after_a_step(tmp_path, step):
    child = run_child(tmp_path, "crash", step)
    assert child.returncode == 9, child.stderr
    raws = [bytes.fromhex(line.split()[1]) for line in child.stdout.splitlines() if line.startswith("send ")]
    assert verify(tmp_path / "it" / "ledger").verdict is Verdict.VALID
    registrar = resume(tmp_path)
    answers = accepted(registrar.register(raws))
    # The block was written to the record before the transaction began: what was not acknowledged may be registered.
    stored = {"publish": 4, "BEGIN": 0}.get(step, 2)
    assert [answer.known for answer in answers] == [True] * stored + [False] * (4 - stored)
    registrar.close()
    assert verify(tmp_path / "it" / "ledger").verdict is Verdict.VALID


def run_child(tmp_path, *arguments):
    return subprocess.run(
        [sys.executable, CHILD, tmp_path / "it", *arguments], capture_output=True, text=True, check=False
    )


def resume(tmp_path):
    return Registrar.open(
        tmp_path / "it" / "ledger",
        signer=LEDGER,
        last_signed=LastSigned(tmp_path / "it" / "keys" / "ledger.last-signed"),
        clock=lambda: (START + 301 * 86_400) * 1000,
    )


# Others, backups, clocks


def test_a_second_writer_is_told_who_the_first_is(load, tmp_path):
    other = LastSigned.create(tmp_path / "other" / "record")
    with pytest.raises(StoreBusy, match=r"process \d+ is writing this ledger"):
        Registrar.open(load.directory / "ledger", signer=LEDGER, last_signed=other, clock=lambda: 0)
    with pytest.raises(StoreBusy, match="another process signs with this key"):
        LastSigned(load.directory / "keys" / "ledger.last-signed")
    # The first is not disturbed.
    check_all(load, [], [])


def test_another_program_that_holds_the_database(load):
    statements = load.statements(2)
    load.registrar.store._db.execute("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(load.directory / "ledger" / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="another program holds the database"):
        load.registrar.register(statements)
    other.execute("ROLLBACK")
    other.close()
    check_all(load, statements, accepted(load.registrar.register(statements)))


def test_after_a_failed_commit_nothing_is_written_over_what_it_left(load, monkeypatch):
    store, done = load.registrar._store, []
    genuine = store._db
    store._db = FaultyDatabase(genuine, "COMMIT", "failed but applied", name="SQLITE_IOERR_FSYNC")
    monkeypatch.setattr(
        Store, "sync", lambda self, sync=Store.sync: (done.append(self._doubtful), sync(self))
    )
    raws = [load.pool(0, f"P-{number}") for number in range(40)]
    with pytest.raises(StoreError):
        load.registrar.register(raws)
    assert done[:1] == [True]
    assert not store._doubtful
    (answer,) = load.registrar.register(raws[:1])
    assert answer.known, "it was stored all the same"


def test_a_key_that_was_changed_signs_no_copy_from_before(load, tmp_path):
    """Nor one that ends exactly where the key was last used, which its record would have fitted."""
    accepted(load.registrar.register(load.statements(2)))
    load.registrar.close()
    shutil.copytree(load.directory / "ledger", tmp_path / "old")
    load.registrar = reopen(load)
    change = key_change(load.registrar.state, number=1, key=NEXT_LEDGER, iat=load.now)
    record = LastSigned.create(load.directory / "keys" / "second.last-signed")
    accepted([load.registrar.change_key(change, signer=NEXT_LEDGER, last_signed=record)])
    load.registrar.close()
    shutil.rmtree(load.directory / "ledger")
    shutil.copytree(tmp_path / "old", load.directory / "ledger")
    with pytest.raises(ConflictError, match="looks like a restored backup"):
        reopen(load)


def test_a_restored_backup_is_refused(load, tmp_path):
    target = tmp_path / "old.db"
    load.registrar.store.backup_to(target)
    accepted(load.registrar.register(load.statements(2)))
    load.registrar.close()
    target.replace(load.directory / "ledger" / "ledger.db")
    assert verify(load.directory / "ledger").verdict is Verdict.VALID  # in itself nothing is wrong with it
    with pytest.raises(ConflictError, match="looks like a restored backup"):
        reopen(load)
    # Refused before anything was written, and the lock is free.
    with pytest.raises(ConflictError, match="looks like a restored backup"):
        reopen(load)


def test_a_clock_that_steps_back_leaves_block_times_in_order(load):
    accepted(load.registrar.register(load.statements(1)))
    first = load.registrar.state.time_ms
    load.now -= 59
    accepted(load.registrar.register(load.statements(1)))
    assert load.registrar.state.time_ms == first
    load.now -= 2
    late = load.statements(2)
    with pytest.raises(StoreError, match="61 s ahead of the clock: nothing is admitted"):
        load.registrar.register(late)
    load.now += 61
    check_all(load, late, accepted(load.registrar.register(late)))


def test_ledger_json_is_written_again_on_opening(load):
    load.registrar.close()
    path = load.directory / "ledger" / "ledger.json"
    text = path.read_bytes()
    for change in (path.unlink, lambda: path.write_bytes(text[:40])):
        change()
        assert verify(load.directory / "ledger").first.place == "ledger.json"
        reopen(load).close()
        assert path.read_bytes() == text
        assert verify(load.directory / "ledger").verdict is Verdict.VALID


def test_a_newer_schema_is_left_alone(load):
    load.registrar.close()
    path = load.directory / "ledger" / "ledger.db"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="schema 99 is newer than this program knows"):
        reopen(load)
    assert path.read_bytes() == before


def test_a_damaged_database_is_named_as_such(load):
    load.registrar.close()
    (load.directory / "ledger" / "ledger.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreCorrupt, match="not a sound ledger database"):
        reopen(load)
