"""The founder's node: two processes, of which one holds the ledger key and registers, and one speaks HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from fastapi import FastAPI

from pseudoledger.errors import PseudoledgerError, StoreError
from pseudoledger.ledger.policy import TrustPolicy
from pseudoledger.lines import Failure, Line, LineEnded
from pseudoledger.node.app import create_app
from pseudoledger.node.cosigning import Cosigner
from pseudoledger.node.front import Front
from pseudoledger.node.group import GroupCommit
from pseudoledger.node.limits import Buckets, WriteTokens
from pseudoledger.node.metrics import Metrics
from pseudoledger.node.node import Node, Role, Standing
from pseudoledger.node.reading import Reader
from pseudoledger.node.registering import Question, Ready, RemoteRegistrar, answer
from pseudoledger.node.scrapi import Gate
from pseudoledger.node.serving import Listening, serve, set_up_logging
from pseudoledger.node.watching import MirrorWatch
from pseudoledger.registrar import Registrar

_GRACE_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator of a founder's node decided."""

    directory: Path
    origin: str
    listening: Listening = field(default_factory=Listening)
    tokens: WriteTokens | None = None
    rate: float = 10_000
    """Statements a second that one address may send."""
    burst: float = 20_000
    cors_origins: tuple[str, ...] = ()
    simulated_ms: int | None = None
    """The time of a ledger whose clock is simulated; None for the system's."""
    witnesses: TrustPolicy | None = None
    """Whom to ask for cosignatures, and how many are wanted."""
    mirrors: tuple[str, ...] = ()
    """URLs of copies whose checkpoints are looked at and shown."""
    log_requests: bool = False

    def clock(self) -> int:
        """Return the time in milliseconds since 1970."""
        return int(time.time() * 1000) if self.simulated_ms is None else self.simulated_ms


def founder_app(registering: RemoteRegistrar, settings: Settings) -> Front:
    """Build the application before a registrar, which it closes when it stops."""
    metrics = Metrics()
    reader = Reader(settings.directory)
    group = GroupCommit(registering, metrics)
    cosigner = _cosigner(settings, reader, group)
    forks = settings.directory / "forks"
    watch = MirrorWatch(settings.mirrors, reader, forks) if settings.mirrors else None

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        """Register, collect cosignatures and look at the mirrors as long as the application runs."""
        group.start()
        beside = {asyncio.create_task(room.run()) for room in (cosigner, watch) if room is not None}
        try:
            yield
        finally:
            for task in beside:
                task.cancel()
            if beside:
                await asyncio.wait(beside)
            await group.stop()
            reader.close()

    def standing() -> Standing:
        return Standing(
            witnesses=cosigner.witnesses if cosigner else (),
            quorum_met=cosigner.quorum_met if cosigner else None,
            mirrors=watch.mirrors if watch else (),
        )

    def size() -> int:
        with reader.view() as view:
            return view.store.size

    metrics.size.set_function(size)
    node = Node(
        reader=reader,
        submitter=group,
        role=Role.FOUNDER,
        now=now_of(reader, settings.clock),
        forks=forks,
        standing=standing,
    )
    gate = Gate(tokens=settings.tokens, buckets=Buckets(settings.rate, settings.burst))
    return create_app(node, gate=gate, metrics=metrics, origins=settings.cors_origins, lifespan=lifespan)


def _cosigner(settings: Settings, reader: Reader, group: GroupCommit) -> Cosigner | None:
    if settings.witnesses is None:
        return None
    return Cosigner(policy=settings.witnesses, reader=reader, publish=group.publish_cosigned)


def now_of(reader: Reader, clock: Callable[[], int]) -> Callable[[], int]:
    """Return the ledger's present time in seconds: the clock's, but never before the last block."""

    def now() -> int:
        with reader.view() as view:
            return max(clock(), view.state.time_ms) // 1000

    return now


def run(registrar: Registrar, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; returns when everything acknowledged is sealed and published.

    Raises StoreError if the other process cannot listen, or ends by itself.
    """
    ours, theirs = socket.socketpair()
    alive, watched = socket.socketpair()
    with theirs, watched:
        # A session of its own: what the terminal interrupts is this process, which then ends the other in order.
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and words
            [
                *(sys.executable, "-P", "-m", "pseudoledger.node.founder"),
                *(str(theirs.fileno()), str(watched.fileno())),
            ],
            pass_fds=(theirs.fileno(), watched.fileno()),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    line: Line[Question] = Line(ours.detach(), Question)
    asked_to_stop = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked_to_stop
        asked_to_stop = True
        child.terminate()

    with _handled(stop), contextlib.closing(line):
        failure = _first_word(line, settings)
        if failure is None:
            answer(line, registrar)
    registrar.close()
    with alive:
        try:
            child.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if failure is not None:
        raise failure
    if not asked_to_stop:
        raise StoreError(
            "the process that speaks HTTP ended by itself", hint="see its log, and start it again"
        )


def _first_word(line: Line[Question], settings: Settings) -> PseudoledgerError | None:
    """Tell the other process what was decided, and wait until it is set up; return what kept it from that."""
    try:
        line.send_setup(settings)
        word = line.recv()
    except LineEnded:
        word = None
    match word:
        case Ready():
            return None
        case Failure():
            return word.made()
    return StoreError("the process that speaks HTTP did not start", hint="see its messages above")


@contextlib.contextmanager
def _handled(stop: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let two signals stop the node for a while."""
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_with(descriptor: int) -> None:
    """End this process as soon as the one that registers is gone: it answers nothing more, and frees the port."""

    def watch() -> None:
        with socket.socket(fileno=descriptor) as watched:
            watched.recv(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="watch").start()


def _http(descriptor: int, watched: int) -> None:
    """Speak HTTP: what runs in the other process."""
    _end_with(watched)
    registering = RemoteRegistrar(descriptor)
    line = registering.line
    settings: Settings = line.recv_setup()
    set_up_logging(requests=settings.log_requests)
    try:
        application = founder_app(registering, settings)
        serve(
            application,
            settings.listening,
            f"serving {settings.origin}",
            bound=lambda: line.send(Ready()),
        )
    except PseudoledgerError as error:
        with contextlib.suppress(LineEnded):
            line.send(Failure.of(error))
        os._exit(1)


if __name__ == "__main__":
    _http(int(sys.argv[1]), int(sys.argv[2]))
