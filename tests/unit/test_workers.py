"""A process beside this one: answers in order, ends with its work, and its death is an error, not a wait."""

import os
import select
import signal
import subprocess
import sys
import textwrap

import pytest

from pseudoledger.errors import MalformedError
from pseudoledger.identity.keys import Signer
from pseudoledger.registrar import intake
from pseudoledger.registrar.answers import Refused
from pseudoledger.registrar.intake import Intake
from pseudoledger.statement import envelope
from pseudoledger.workers import Work, Worker, WorkerEnded


def doubling():
    def double(number):
        if number == 1300:
            raise MalformedError("thirteen hundred", code="test.question")
        if number == 666:
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * number

    return double


@pytest.fixture
def worker(monkeypatch):
    # The child finds the functions of this file where this process found them.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    made = Worker(Work(make=doubling, question=int, reply=int))
    yield made
    made.close()


def test_answers_come_in_the_order_of_the_questions(worker):
    for number in range(100):
        worker.ask(number)
    assert worker.open == 100
    assert [worker.answer() for _ in range(100)] == [2 * number for number in range(100)]
    assert worker.open == 0


def test_an_error_of_ours_is_raised_here_and_the_next_question_is_answered(worker):
    worker.ask(1300)
    worker.ask(1)
    with pytest.raises(MalformedError, match="thirteen hundred"):
        worker.answer()
    assert worker.answer() == 2


def test_a_child_that_dies_is_an_error(worker):
    worker.ask(666)
    with pytest.raises(WorkerEnded):
        worker.answer()


def test_closing_ends_the_child(worker):
    worker.ask(1)
    worker.answer()
    worker.close()
    assert worker.ended()
    worker.close()


def test_the_child_ends_with_its_parent():
    script = """
        import sys
        from pseudoledger.registrar.intake import READING
        from pseudoledger.workers import Worker
        worker = Worker(READING)
        worker.ask([])
        worker.answer()
        print(worker._process.pid, flush=True)
        sys.stdin.read()
        """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        try:
            ended = os.pidfd_open(child)
        except ProcessLookupError:
            return
        assert select.select([ended], [], [], 30)[0], "the child goes on"
        os.close(ended)


# The intake, with the second process


@pytest.fixture
def statements():
    signer = Signer.from_seed(bytes(32))
    raws = [
        envelope.sign_bytes(signer, b'{"n":%d}' % number, sub=signer.did, aud="0" * 64, iat=1_700_000_000)
        for number in range(1_000)
    ]
    bad = bytearray(raws[700])
    bad[-1] ^= 1
    raws[700], raws[3] = bytes(bad), b"nothing"
    return raws


@pytest.fixture
def reader(monkeypatch):
    monkeypatch.setattr(intake, "WARM_AFTER", 0)
    monkeypatch.setattr(intake, "cores", lambda: 2)
    made = Intake()
    yield made
    made.close()


def codes(taken):
    return [item.findings[0].code if isinstance(item, Refused) else "" for item in taken]


EXPECTED = ["statement.cbor" if n == 3 else "statement.signature" if n == 700 else "" for n in range(1_000)]


def test_thousands_are_verified_beside_and_come_out_in_order(reader, statements):
    for _ in range(3):
        taken = [item for part in reader.begin(statements) for item in part]
        assert codes(taken) == EXPECTED
        assert [item.raw for item in taken if not isinstance(item, Refused)] == [
            raw for raw, code in zip(statements, EXPECTED, strict=True) if not code
        ]
    assert reader._second is not None, "the second process took part"


def test_a_second_process_that_dies_half_way_changes_no_answer(reader, statements):
    parts = reader.begin(statements)
    taken = list(next(parts))
    os.kill(reader._second._process.pid, signal.SIGKILL)
    taken += [item for part in parts for item in part]
    assert codes(taken) == EXPECTED
    again = [item for part in reader.begin(statements) for item in part]
    assert codes(again) == EXPECTED


def test_a_call_left_half_way_does_not_answer_the_next(reader, statements):
    parts = reader.begin(statements)
    next(parts)
    parts.close()
    assert codes([item for part in reader.begin(statements[::-1]) for item in part]) == EXPECTED[::-1]


def test_large_statements_fill_no_line_in_both_directions(reader):
    signer = Signer.from_seed(bytes(32))
    raws = [
        envelope.sign_bytes(
            signer, b'{"n":%d,"x":"%s"}' % (n, b"x" * size), sub=signer.did, aud="0" * 64, iat=1_700_000_000
        )
        for n, size in enumerate([60_000, 10, 9_000, 20_000] * 75)
    ]
    taken = [item for part in reader.begin(raws) for item in part]
    assert [item.raw for item in taken] == raws
    assert reader._second is not None, "the second process took part"


def test_a_script_without_a_main_guard_is_not_run_twice(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            from pseudoledger.registrar.intake import READING
            from pseudoledger.workers import Worker
            print("once")
            worker = Worker(READING)
            worker.ask([b"nothing"])
            print(type(worker.answer()[0]).__name__)
            worker.close()
            """
        )
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["once", "Refused"]
