"""The witness: each status code in its order, races, crashes, and what it keeps of a log that lies."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from witness_log import ORIGIN, Log

from pseudoledger.errors import ConflictError, StoreError
from pseudoledger.identity.keys import Signer
from pseudoledger.ledger import checkpoint, fork, note
from pseudoledger.ledger.policy import parse_policy
from pseudoledger.node.add_checkpoint import (
    REQUEST_BYTES_MAX,
    Submission,
    format_submission,
    parse_submission,
)
from pseudoledger.node.witness import Witness, create_witness
from pseudoledger.node.witness_record import Owner, WitnessRecord, owner_of

PL = str(Path(sys.executable).with_name("pl"))
NAME = "witness.example/w1"
SIGNER = Signer.from_seed(bytes([9]) * 32)
KEY = checkpoint.cosigner_key(NAME, SIGNER.public_key)
OWNER = Owner(name=NAME, did=SIGNER.did)


class Clock:
    now = 1_700_000_000

    def __call__(self):
        return self.now


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def record(tmp_path):
    opened = WitnessRecord(tmp_path / "w", OWNER)
    yield opened
    opened.close()


def witness_of(record, log, clock, tmp_path, more=""):
    policy = parse_policy(f"{log.line}{more}quorum none\n".encode())
    return Witness(
        record=record, signer=SIGNER, name=NAME, policy=policy, clock=clock, forks=tmp_path / "forks"
    )


@pytest.fixture
def witness(record, log, clock, tmp_path):
    return witness_of(record, log, clock, tmp_path)


def ask(witness, *requests):
    """Answers of the application, each request (method, path, content)."""

    async def run():
        transport = httpx.ASGITransport(app=create_witness(witness))
        async with httpx.AsyncClient(transport=transport, base_url="http://witness.test") as client:
            return [await client.request(method, path, content=body) for method, path, body in requests]

    return asyncio.run(run())


def add(witness, body):
    (answer,) = ask(witness, ("POST", "/add-checkpoint", body))
    return answer


def latest(witness, origin=ORIGIN):
    (answer,) = ask(witness, ("GET", f"/{sha256(origin.encode()).hexdigest()}/checkpoint", None))
    return answer


def verified(answer, log, size):
    """The cosignature in a 200, which is good for the log's checkpoint of this size."""
    assert answer.status_code == 200, answer.text
    said = note.parse_note(log.sign(size))
    whole = note.format_note(checkpoint.add_signatures(said, note.parse_signatures(answer.content)))
    return checkpoint.verify_checkpoint(whole, log.origin, [log.key], [KEY]).cosignatures[0]


# Growing


@pytest.mark.parametrize(("old", "size"), [(0, 0), (0, 7), (5, 7), (7, 7), (5, 64)])
def test_reading_a_request_is_the_inverse_of_writing(log, old, size):
    raw = log.request(old, size)
    found = parse_submission(raw)
    assert found == Submission(old=old, proof=log.proof(old, size), note=note.parse_note(log.sign(size)))
    assert found.claim.size == size
    assert format_submission(found) == raw


def test_every_pair_of_sizes(log, clock, tmp_path):
    for old in range(1, 12):
        for size in range(old, 12):
            fresh = WitnessRecord(tmp_path / f"{old}-{size}", OWNER)
            witness = witness_of(fresh, log, clock, tmp_path)
            verified(add(witness, log.request(0, old)), log, old)
            verified(add(witness, log.request(old, size)), log, size)
            fresh.close()


def test_the_last_checkpoint_is_served_with_both_signatures(witness, log):
    assert latest(witness).status_code == 404
    for old, size in ((0, 0), (0, 7), (7, 7), (7, 64)):
        cosignature = verified(add(witness, log.request(old, size)), log, size)
        answer = latest(witness)
        assert answer.status_code == 200
        found = checkpoint.verify_checkpoint(answer.content, ORIGIN, [log.key], [KEY])
        assert found.checkpoint.size == size
        assert found.cosignatures == (cosignature,)
    assert latest(witness, "log.example/two").status_code == 404
    assert latest(witness, "../policy").status_code == 404


def test_the_time_of_a_cosignature_never_falls(witness, log, clock):
    first = verified(add(witness, log.request(0, 5)), log, 5)
    clock.now -= 1_000
    second = verified(add(witness, log.request(5, 6)), log, 6)
    clock.now += 5_000
    third = verified(add(witness, log.request(6, 6)), log, 6)
    assert (first.time, second.time, third.time) == (1_700_000_000, 1_700_000_000, 1_700_004_000)


def test_a_clock_at_its_beginning_gives_no_empty_time(witness, log, clock):
    """The time of a cosignature must not be zero (C2SP tlog-witness)."""
    clock.now = 0
    assert verified(add(witness, log.request(0, 5)), log, 5).time == 1


def test_logs_are_kept_apart_and_need_no_grammar_of_ours(record, log, clock, tmp_path):
    other = Log(seed=3, origin="other.example", salt=b"other")
    witness = witness_of(record, log, clock, tmp_path, other.line)
    verified(add(witness, log.request(0, 40)), log, 40)
    verified(add(witness, other.request(0, 3)), other, 3)
    verified(add(witness, other.request(3, 4)), other, 4)
    extended = other.sign(9, extensions=("a line of theirs", "\u00e9"))
    answer = add(witness, other.request(4, 9, note=extended))
    assert answer.status_code == 200
    kept = latest(witness, other.origin).content
    assert kept.startswith(extended[: extended.rindex(b"\n\n")])
    assert checkpoint.verify_checkpoint(kept, other.origin, [other.key], [KEY]).cosignatures


def test_signatures_of_others_are_ignored_and_not_passed_on(witness, log):
    said = note.parse_note(log.sign(5))
    stranger = Signer.from_seed(bytes([77]) * 32)
    lines = [
        note.sign_text(stranger, "stranger.example", said.text),
        note.cosign_text(stranger, "s", said.text, 1),
    ]
    raw = note.format_note(checkpoint.add_signatures(said, lines))
    verified(add(witness, log.request(0, 5, note=raw)), log, 5)
    assert b"stranger" not in latest(witness).content


# Refusing, in order


def test_what_cannot_be_read_is_400(witness, log):
    good = log.request(0, 5)
    line = b"A" * 43 + b"=\n"
    for body in (
        b"",
        b"\n",
        good.replace(b"old 0", b"old 00"),
        good.replace(b"old 0", b"old -1"),
        good.replace(b"old 0", b"old"),
        good.replace(b"old 0", b"size 0"),
        good.replace(b"old 0", b"old %d" % 2**63),
        good.replace(b"old 0\n", b"old 0\nAAAA\n"),
        good.replace(b"old 0\n", b"old 0\nnot base64\n"),
        good.replace(b"old 0\n", b"old 0\n" + line[:-3] + b"B=\n"),
        good.replace(b"old 0\n", b"old 0\n" + line * 64),
        good.replace(b"old 0\n", b"old 0\r\n"),
        good.removeprefix(b"old 0\n\n"),
        good[:-1],
        good.replace(b"\n5\n", b"\n05\n"),
        good.replace(b"\n5\n", b"\nfive\n"),
        b"old 0\n\n" + log.sign(5).split(b"\n\n")[0] + b"\n",
        b"old 0\n\n\xff\xfe\n",
    ):
        answer = add(witness, body)
        assert answer.status_code == 400, body
        assert answer.text.count("\n") == 1
    assert add(witness, good).status_code == 200


def test_an_unknown_origin_is_404(witness):
    other = Log(origin="log.example/two")
    assert add(witness, other.request(0, 5)).status_code == 404
    assert add(witness, other.request(5, 3)).status_code == 404


def test_a_wrong_signature_is_403(witness, log):
    thief = Log(seed=2)
    assert add(witness, thief.request(0, 5)).status_code == 403
    said = note.parse_note(log.sign(5))
    (line,) = said.signatures
    spoilt = note.NoteSignature(name=line.name, key_id=line.key_id, signature=bytes(64))
    for lines in ((spoilt,), (line, spoilt), (spoilt, line)):
        raw = note.format_note(note.SignedNote(text=said.text, signatures=lines))
        assert add(witness, log.request(0, 5, note=raw)).status_code == 403
    cosigned = note.cosign_text(log.signer, ORIGIN, said.text, 1)
    raw = note.format_note(note.SignedNote(text=said.text, signatures=(cosigned,)))
    assert add(witness, log.request(0, 5, note=raw)).status_code == 403
    assert latest(witness).status_code == 404


def test_an_old_size_above_the_new_one_is_400(witness, log):
    verified(add(witness, log.request(0, 9)), log, 9)
    assert add(witness, log.request(9, 8, proof=())).status_code == 400
    thief = Log(seed=2)
    assert add(witness, thief.request(9, 8, proof=())).status_code == 403, "signatures come first"


def test_another_old_size_is_409_with_the_known_one(witness, log):
    for known in (0, 6, 64):
        for old in (5, 7):
            answer = add(witness, log.request(old, 64))
            assert answer.status_code == 409
            assert answer.content == b"%d\n" % known
            assert answer.headers["content-type"] == "text/x.tlog.size"
        add(witness, log.request(known, {0: 6, 6: 64, 64: 64}[known]))
    wrong = add(witness, log.request(5, 64, proof=(bytes(32),)))
    assert wrong.status_code == 409, "sizes come before proofs"


def test_a_smaller_checkpoint_is_refused(witness, log):
    """A log restored from a backup: it may not go back, whatever size it names."""
    verified(add(witness, log.request(0, 20)), log, 20)
    for old in (0, 7, 15):
        answer = add(witness, log.request(old, 15))
        assert (answer.status_code, answer.content) == (409, b"20\n")
    assert add(witness, log.request(20, 15, proof=())).status_code == 400
    found = checkpoint.parse_checkpoint(note.parse_note(latest(witness).content).text)
    assert found.size == 20


def test_a_proof_that_fails_is_422(witness, log):
    liar = Log(salt=b"other")
    for proof in ((bytes(32),), log.proof(5, 9)):
        assert add(witness, log.request(0, 9, proof=proof)).status_code == 422
    assert add(witness, log.request(0, 0, note=log.sign(0, bytes(32)))).status_code == 422
    verified(add(witness, log.request(0, 6)), log, 6)
    good = log.proof(6, 9)
    for proof in ((), good[:-1], (*good, bytes(32)), good[::-1], (bytes(32), *good[1:]), log.proof(5, 9)):
        assert add(witness, log.request(6, 9, proof=proof)).status_code == 422
    assert add(witness, liar.request(6, 9)).status_code == 422
    assert add(witness, liar.request(6, 6)).status_code == 422
    assert add(witness, log.request(6, 6, proof=(bytes(32),))).status_code == 422
    verified(add(witness, log.request(6, 9)), log, 9)


def test_bodies_are_bounded(witness, log):
    body = log.request(0, 5) + b"x" * REQUEST_BYTES_MAX
    assert add(witness, body).status_code == 413
    longest = Log(leaves=1)
    wide = log.sign(5, extensions=("y" * 60_000,))
    assert len(wide) < REQUEST_BYTES_MAX
    assert add(witness, log.request(0, 5, note=wide)).status_code == 200
    assert longest.root(1)


def test_other_methods_and_paths_are_refused(witness):
    got, posted, unknown = ask(
        witness,
        ("GET", "/add-checkpoint", None),
        ("POST", f"/{'0' * 64}/checkpoint", b""),
        ("GET", "/", None),
    )
    assert (got.status_code, posted.status_code, unknown.status_code) == (405, 405, 404)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_get_an_answer(witness, log, data):
    whole = bytearray(log.request(0, 5))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    answer = add(witness, bytes(whole))
    assert answer.status_code in {200, 400, 403, 404, 409, 422}
    assert answer.content


# Keeping


def test_of_two_checkpoints_from_one_size_exactly_one_wins(witness, log):
    verified(add(witness, log.request(0, 5)), log, 5)
    sizes = range(6, 38)
    ready, outcomes = threading.Barrier(len(sizes)), {}

    def race(size):
        body = log.request(5, size)
        ready.wait()
        try:
            outcomes[size] = witness.add_checkpoint(body)
        except ConflictError as error:
            outcomes[size] = error.known

    threads = [threading.Thread(target=race, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [size for size, outcome in outcomes.items() if isinstance(outcome, bytes)]
    assert {outcome for outcome in outcomes.values() if not isinstance(outcome, bytes)} == {winner}
    assert checkpoint.parse_checkpoint(note.parse_note(latest(witness).content).text).size == winner


def test_two_processes_share_one_record_safely(witness, log, clock, tmp_path):
    """A second witness on the same record decides by the same rows."""
    other = WitnessRecord(tmp_path / "w", OWNER)
    twin = witness_of(other, log, clock, tmp_path)
    witness.add_checkpoint(log.request(0, 5))
    with pytest.raises(ConflictError):
        twin.add_checkpoint(log.request(0, 6))
    twin.add_checkpoint(log.request(5, 9))
    with pytest.raises(ConflictError) as caught:
        witness.add_checkpoint(log.request(5, 8))
    assert caught.value.known == 9
    other.close()


def test_nothing_is_answered_that_is_not_stored(record, log, clock, tmp_path, monkeypatch):
    """Failed, and failed but applied: neither hands out a cosignature, and both can be gone on from."""
    witness = witness_of(record, log, clock, tmp_path)
    witness.add_checkpoint(log.request(0, 5))

    class Failing:
        def __init__(self, connection, *, applied):
            self._connection, self._applied = connection, applied

        def execute(self, sql, *values):
            if sql == "COMMIT":
                if self._applied:
                    self._connection.execute(sql)
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorname = "SQLITE_IOERR"
                raise error
            return self._connection.execute(sql, *values)

        def __getattr__(self, name):
            return getattr(self._connection, name)

    real = record._db
    for applied, known in ((False, 5), (True, 9)):
        monkeypatch.setattr(record, "_db", Failing(real, applied=applied))
        with pytest.raises(StoreError):
            witness.add_checkpoint(log.request(5, 9))
        assert add(witness, log.request(5, 9)).status_code == (409 if applied else 503)
        monkeypatch.setattr(record, "_db", real)
        with pytest.raises(ConflictError) as caught:
            witness.add_checkpoint(log.request(1, 64))
        assert caught.value.known == known
    verified(add(witness, log.request(9, 9)), log, 9)


def test_a_record_belongs_to_one_key_and_name(record, tmp_path):
    assert owner_of(tmp_path / "w") == OWNER
    assert owner_of(tmp_path) is None
    for other in (Owner(name="else.example", did=OWNER.did), Owner(name=NAME, did="did:key:zOther")):
        with pytest.raises(ConflictError, match="is the record of"):
            WitnessRecord(tmp_path / "w", other)


def test_a_damaged_record_is_said(tmp_path):
    (tmp_path / "witness.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    with pytest.raises(StoreError):
        WitnessRecord(tmp_path, OWNER)
    with pytest.raises(StoreError):
        owner_of(tmp_path)


def test_a_log_may_not_sign_with_the_witness_key(record, log, clock, tmp_path):
    own = Log(seed=9, origin="own.example")
    with pytest.raises(ConflictError, match="signs with the key of this witness"):
        witness_of(record, log, clock, tmp_path, own.line)


# A log that lies


def forks(tmp_path):
    folder = tmp_path / "forks"
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.exists() else []


def test_two_roots_of_one_size_leave_a_fork_proof(witness, log, tmp_path):
    liar = Log(salt=b"other")
    verified(add(witness, log.request(0, 6)), log, 6)
    assert add(witness, liar.request(0, 6)).status_code == 409, "also where the old size is stale"
    (raw,) = forks(tmp_path)
    proven = fork.verify_fork(fork.parse_fork(raw), [log.signer.did])
    assert (proven.size1, proven.size2) == (6, 6)
    assert {proven.root1, proven.root2} == {log.root(6), liar.root(6)}
    assert add(witness, liar.request(6, 6)).status_code == 422
    assert forks(tmp_path) == [raw]


def test_a_history_that_was_rewritten_convicts_itself(witness, log, tmp_path):
    """The honest proof within the lie leads to the signed new root, and to another old one."""
    liar = Log(salt=b"other")
    verified(add(witness, log.request(0, 6)), log, 6)
    assert add(witness, liar.request(6, 9)).status_code == 422
    (raw,) = forks(tmp_path)
    proven = fork.verify_fork(fork.parse_fork(raw), [log.signer.did])
    assert (proven.size1, proven.size2, proven.root1) == (6, 9, log.root(6))


def test_a_proof_that_merely_fails_accuses_nobody(witness, log, tmp_path):
    verified(add(witness, log.request(0, 6)), log, 6)
    assert add(witness, log.request(6, 9, proof=(bytes(32),) * 3)).status_code == 422
    assert add(witness, log.request(3, 9)).status_code == 409
    assert add(witness, log.request(6, 6, proof=(bytes(32),))).status_code == 422
    assert forks(tmp_path) == []


# The command


def pl(*words, cwd, **more):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PSEUDOLEDGER_")}
    environ["PSEUDOLEDGER_KEYS"] = str(cwd / "keys")
    return subprocess.run(
        [PL, *words], cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=60, **more
    )


class Running:
    """A `pl witness` process."""

    def __init__(self, cwd, *words):
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PSEUDOLEDGER_")}
        environ["PSEUDOLEDGER_KEYS"] = str(cwd / "keys")
        self.process = subprocess.Popen(
            [PL, "witness", "watch", "--port", "0", *words],
            cwd=cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.greeting = self.process.stdout.readline().strip()
        assert self.greeting, self.process.stderr.read()
        self.url = self.greeting.rpartition(" ")[2]

    def add(self, body):
        return httpx.post(f"{self.url}/add-checkpoint", content=body)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(timeout=30)
        self.process.stdout.close()
        said = self.process.stderr.read()
        self.process.stderr.close()
        return self.process.returncode, said


@pytest.fixture
def watch(tmp_path, log):
    """Starts witness processes, and stops those that a test left running."""
    started = []
    assert pl("id", "new", "w1", "--unsealed", cwd=tmp_path).returncode == 0
    (tmp_path / "logs.policy").write_text(f"{log.line}quorum none\n")

    def start(*words):
        running = Running(tmp_path, "--policy", "logs.policy", *words)
        started.append(running)
        return running

    yield start
    for running in started:
        if running.process.poll() is None:
            running.end(signal.SIGKILL)


def key_of(tmp_path, name=NAME):
    line = pl("policy", "witness", "w1", "--name", name, cwd=tmp_path).stdout
    word, label, vkey = line.split()
    assert (word, label) == ("witness", name)
    return note.parse_vkey(vkey)


def test_killed_and_started_again_it_remembers(watch, tmp_path, log):
    running = watch("--as", "w1", "--name", NAME)
    assert running.greeting == f"witnessing as {NAME} at {running.url}"
    key, known = key_of(tmp_path), 0
    for size in (5, 9, 20):
        answer = running.add(log.request(known, size))
        assert answer.status_code == 200
        lines = note.parse_signatures(answer.content)
        whole = checkpoint.add_signatures(note.parse_note(log.sign(size)), lines)
        assert checkpoint.verify_checkpoint(note.format_note(whole), ORIGIN, [log.key], [key]).cosignatures
        running.end(signal.SIGKILL)
        running = watch()
        known = size
        rolled = running.add(log.request(known - 1, known - 1))
        assert (rolled.status_code, rolled.content) == (409, b"%d\n" % known)
    kept = httpx.get(f"{running.url}/{sha256(ORIGIN.encode()).hexdigest()}/checkpoint")
    assert checkpoint.verify_checkpoint(kept.content, ORIGIN, [log.key], [key]).checkpoint.size == 20


def test_killed_while_requests_run_it_keeps_what_it_answered(watch, log):
    running = watch("--as", "w1")
    answered = []

    def submit(size):
        try:
            if running.add(log.request(0, size)).status_code == 200:
                answered.append(size)
                running.process.kill()
        except httpx.TransportError:
            pass

    threads = [threading.Thread(target=submit, args=(size,)) for size in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running.end(signal.SIGKILL)
    assert len(answered) == 1
    after = watch().add(log.request(64, 64))
    assert (after.status_code, after.content) == (409, b"%d\n" % answered[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told_to(watch, log, number):
    running = watch("--as", "w1")
    assert running.add(log.request(0, 5)).status_code == 200
    assert running.end(number) == (0, "")


def test_wrong_use_is_said_in_a_line(watch, tmp_path, log):
    start = ("witness", "watch", "--port", "0", "--policy", "logs.policy")
    first = pl(*start, cwd=tmp_path)
    assert first.returncode == 2
    assert "say which key" in first.stderr
    assert pl("init", "led", "--origin", "x.example", "--unsealed", cwd=tmp_path).returncode == 0
    ledger_key = pl(*start, "--as", "x.example-ledger", cwd=tmp_path)
    assert ledger_key.returncode == 2
    assert "is the key of a ledger" in ledger_key.stderr
    running = watch("--as", "w1")
    port = running.url.rpartition(":")[2]
    taken = pl("witness", "other", "--port", port, "--policy", "logs.policy", "--as", "w1", cwd=tmp_path)
    assert (taken.returncode, taken.stdout) == (3, "")
    renamed = pl(*start, "--name", "else.example", cwd=tmp_path)
    assert renamed.returncode == 1
    assert "is the record of" in renamed.stderr
    (tmp_path / "empty.policy").write_text("quorum none\n")
    empty = pl("witness", "watch", "--port", "0", "--policy", "empty.policy", cwd=tmp_path)
    assert empty.returncode == 2
    missing = pl("witness", "watch", "--port", "0", cwd=tmp_path)
    assert missing.returncode == 2
    for said in (first, ledger_key, taken, renamed, empty, missing):
        assert "Traceback" not in said.stderr
