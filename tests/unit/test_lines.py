"""Lines between processes: a message that is due arrives, and nothing else is looked at, let alone run."""

import os
import pickle
import socket
from multiprocessing.connection import Connection

import msgspec
import pytest

from pseudoledger import lines
from pseudoledger.bench.workload import Load
from pseudoledger.errors import ConflictError, MalformedError, PeerUnreachable, StoreBusy, StoreError
from pseudoledger.lines import Failure, Line, LineEnded
from pseudoledger.node.registering import Question as RegistrarQuestion
from pseudoledger.node.registering import Ready, Register, TryOut, _reply, answer
from pseudoledger.registrar import Refused, Registered


class Runs:
    """What unpickling would run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    line, other = Line(ours.detach(), int | str), Connection(theirs.detach())
    yield line, other
    line.close()
    other.close()


def test_messages_of_the_declared_type_arrive(ends):
    line, other = ends
    for value in (7, "seven"):
        other.send_bytes(msgspec.msgpack.encode(value))
        assert line.poll()
        assert line.recv() == value
    line.send([1, b"two"])
    assert msgspec.msgpack.decode(other.recv_bytes()) == [1, b"two"]


@pytest.mark.parametrize("raw", [b"", b"\xc1", msgspec.msgpack.encode([1]), b"\xc4\xff"])
def test_what_is_not_due_ends_the_line(ends, raw):
    line, other = ends
    other.send_bytes(raw)
    with pytest.raises(LineEnded):
        line.recv()


def test_a_pickle_is_not_run(ends, tmp_path):
    line, other = ends
    trap = tmp_path / "run"
    other.send(Runs(trap))
    with pytest.raises(LineEnded):
        line.recv()
    assert not trap.exists()
    pickle.loads(pickle.dumps(Runs(trap)))  # noqa: S301 - our own
    assert trap.exists(), "the trap works"


def test_a_message_that_is_too_long_is_not_read(ends, monkeypatch):
    line, other = ends
    monkeypatch.setattr(lines, "MESSAGE_BYTES_MAX", 100)
    other.send_bytes(msgspec.msgpack.encode("x" * 200))
    with pytest.raises(LineEnded):
        line.recv()


def test_the_end_of_the_other_end_is_told(ends):
    line, other = ends
    other.close()
    assert line.poll()
    with pytest.raises(LineEnded):
        line.recv()
    with pytest.raises(LineEnded):
        line.send("x")


class Ours(StoreBusy):
    """An error that cannot be made from a message and a hint alone."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}", hint="choose")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StoreError("a", hint="b"), StoreError),
        (MalformedError("a", code="x"), MalformedError),
        (ConflictError("a", known=7), ConflictError),
        (PeerUnreachable("a"), PeerUnreachable),
        (Ours(1, 2), StoreBusy),
    ],
)
def test_an_error_comes_out_as_it_went_in_or_as_the_nearest_above(error, kind):
    made = Failure.of(error).made()
    assert type(made) is kind
    assert (made.message, made.hint) == (error.message, error.hint)


def test_a_name_that_is_no_error_of_ours_is_one_of_ours_all_the_same():
    assert str(Failure(error="SystemExit", message="end", hint="").made()) == "end"


# The registrar's line


@pytest.fixture
def load(tmp_path):
    made = Load(tmp_path / "load", leases=1)
    yield made
    made.registrar.close()


def said(registrar, raw):
    """Let the registrar hear a message, then the end of the line; return what it sent."""
    ours, theirs = socket.socketpair()
    with theirs:
        Connection(os.dup(theirs.fileno())).send_bytes(raw)
        theirs.shutdown(socket.SHUT_WR)
        line = Line(ours.detach(), RegistrarQuestion)
        answer(line, registrar)
        line.close()
        return theirs.recv(1_000_000)


def test_what_the_http_process_may_not_say_registers_nothing(load, tmp_path):
    trap, size = tmp_path / "run", load.registrar.store.size
    encode = msgspec.msgpack.encode
    for raw in (
        pickle.dumps(("register", ([load.pool(0, "P-9")],))),
        pickle.dumps(Runs(trap)),
        encode({"type": "Govern", "statements": [load.pool(0, "P-9")]}),
        encode({"type": "Register", "statements": ["text"]}),
        encode(Register([load.pool(0, "P-9")]))[:-3],
        encode(Ready()),
    ):
        assert said(load.registrar, raw) == b""
    assert not trap.exists()
    assert load.registrar.store.size == size


def test_what_it_may_say_is_answered(load):
    raw = load.pool(0, "P-9")
    (answered,) = _reply(TryOut([raw]), load.registrar).answers
    assert isinstance(answered, Registered)
    (refused,) = _reply(TryOut([b"nothing"]), load.registrar).answers
    assert isinstance(refused, Refused)
