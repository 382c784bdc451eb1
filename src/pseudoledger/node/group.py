"""Group commit: whatever waits becomes one batch, one block, one transaction; then everybody is answered.

One thread talks to the registrar and takes from a bounded queue, batch after batch. What does not fit is turned
away at once, so that nobody waits for an answer that cannot come in time.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from pseudoledger.errors import PseudoledgerError
from pseudoledger.node.metrics import Metrics
from pseudoledger.node.registering import LineLost, RemoteRegistrar
from pseudoledger.node.submission import Outcome, Overloaded, Unavailable
from pseudoledger.registrar import Answer

T = TypeVar("T")

BATCH_MAX = 1_000
"""Most statements of one block; a request may bring as many."""
BESIDE_LEAST = 72
"""Requests that have to wait for a second batch to be begun beside the one under way."""
_BEGUN_MAX = 2
WAITING_MAX = 8_192
"""Statements that may wait, those included that are being registered."""
WAITING_BYTES_MAX = 64 * 1024 * 1024
"""Their bytes, together."""
TICK_S = 1.0
"""How often an idle node looks whether a checkpoint is to be published."""

_log = logging.getLogger("pseudoledger.node")


@dataclass(frozen=True, slots=True)
class _Waiting:
    statements: Sequence[bytes]
    size: int
    """Their bytes, together."""
    outcomes: asyncio.Future[Sequence[Outcome]]


class GroupCommit:
    """The founder's way in. Make it, `start` it in the event loop that uses it, `stop` it in the same."""

    def __init__(self, registrar: RemoteRegistrar, metrics: Metrics) -> None:
        self._registrar, self._metrics = registrar, metrics
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="registrar")
        self._queue: deque[_Waiting] = deque()
        self._count = self._bytes = 0
        """Of all that wait for an answer, those included that are being registered."""
        self._others = 0
        """How many wait for the registrar's thread to do something else."""
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin to register what is submitted."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="group commit")
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Let nobody wait for a loop that is over; a fault of ours ends the node, so that it is seen."""
        failed = not task.cancelled() and task.exception() is not None
        _fail(self._queue, Unavailable("the node is stopping"))
        self._stopping = True
        if failed:
            _log.critical("the queue before the registrar failed", exc_info=task.exception())
            signal.raise_signal(signal.SIGTERM)

    async def stop(self) -> None:
        """Register what waits, take nothing more, publish the newest checkpoint and let the ledger go."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task])
        await self._here(self._registrar.close)
        self._thread.shutdown()

    async def submit(self, statements: Sequence[bytes]) -> Sequence[Outcome]:
        """Register statements with whatever else waits; see `Submitter`."""
        size = sum(map(len, statements))
        if self._stopping:
            raise Unavailable("the node is stopping", hint="send it again in a moment")
        if self._count + len(statements) > WAITING_MAX or self._bytes + size > WAITING_BYTES_MAX:
            self._metrics.turned_away.inc()
            raise Overloaded(f"{self._count} statements wait already", hint="send it again in a second")
        waiting = _Waiting(statements, size, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._count += len(statements)
        self._bytes += size
        self._wake.set()
        if len(self._queue) == BESIDE_LEAST:
            self._registrar.ring()
        return await waiting.outcomes

    async def try_out(self, statements: Sequence[bytes]) -> list[Answer]:
        """Say what would be answered now; nothing is written."""
        try:
            return await self._here(lambda: self._registrar.try_out(statements))
        except PseudoledgerError as error:
            raise Unavailable(error.message, hint=error.hint) from error

    async def publish_cosigned(self, note: bytes) -> bool:
        """Publish a checkpoint with cosignatures, if it is still the newest."""
        return await self._here(lambda: self._registrar.publish_cosigned(note))

    async def _here(self, work: Callable[[], T]) -> T:
        """Run something in the registrar's thread."""
        self._others += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._others -= 1

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue or not self._stopping:
            if self._queue:
                await loop.run_in_executor(self._thread, self._drain, loop)
            else:
                await self._idle()

    async def _idle(self) -> None:
        self._wake.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), TICK_S)
        if not self._queue and not self._stopping:
            try:
                await self._here(self._registrar.publish)
            except PseudoledgerError as error:
                _log.error("no checkpoint was published", extra={"reason": error.message})

    def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        """Register batch after batch while something waits, or until something else waits for this thread.

        Runs in the registrar's thread. The event loop is told of each batch; to go through it for the next one
        would leave the registrar idle for as long as the loop is busy with requests.
        """
        begun: deque[list[_Waiting]] = deque()
        reason = Unavailable("registering failed", hint="send it again in a moment")
        try:
            self._register(begun, loop)
        except PseudoledgerError as error:
            reason = _reason(error)
        finally:
            for batch in begun:
                loop.call_soon_threadsafe(self._answer, batch, None, reason)

    def _register(self, begun: deque[list[_Waiting]], loop: asyncio.AbstractEventLoop) -> None:
        """Keep one batch or two under way; those that were begun and not answered stay in `begun`."""
        more = True
        since = time.perf_counter()
        """When the batch that is to be finished next had the registrar for itself."""
        while True:
            if more and (batch := self._take(beside=bool(begun))):
                begun.append(batch)
                self._registrar.begin([statement for waiting in batch for statement in waiting.statements])
            if not begun:
                return
            more = not self._others
            if more and len(begun) < _BEGUN_MAX and not self._registrar.finished():
                continue
            outcomes, reason = self._finish()
            now = time.perf_counter()
            self._metrics.commit_seconds.observe(now - since)
            since = now
            loop.call_soon_threadsafe(self._answer, begun.popleft(), outcomes, reason)

    def _finish(self) -> tuple[list[Outcome] | None, Unavailable | None]:
        """Take the answer to the batch begun first, or why it failed; one begun after it has an answer of its own.

        Raises LineLost.
        """
        try:
            return self._registrar.finish(), None
        except LineLost:
            raise
        except PseudoledgerError as error:
            return None, _reason(error)

    def _take(self, *, beside: bool) -> list[_Waiting]:
        """Take what becomes one block: requests in order, whole ones. Only the registrar's thread takes.

        A batch beside another is taken when it is worth it, and is no larger than the line to the registrar.
        """
        if beside and len(self._queue) < BESIDE_LEAST:
            return []
        room = self._registrar.room if beside else WAITING_BYTES_MAX
        batch: list[_Waiting] = []
        count = 0
        while (
            self._queue
            and (not batch or count + len(self._queue[0].statements) <= BATCH_MAX)
            and self._queue[0].size <= room
        ):
            batch.append(self._queue.popleft())
            count += len(batch[-1].statements)
            room -= batch[-1].size
        return batch

    def _answer(
        self, batch: Sequence[_Waiting], outcomes: Sequence[Outcome] | None, reason: Unavailable | None
    ) -> None:
        """Answer everybody in a batch, or say why nothing of it was registered."""
        self._count -= sum(len(waiting.statements) for waiting in batch)
        self._bytes -= sum(waiting.size for waiting in batch)
        if outcomes is None:
            assert reason is not None, "there are outcomes, or a reason why not"
            _fail(batch, reason)
            return
        self._metrics.count(outcomes)
        at = 0
        for waiting in batch:
            if not waiting.outcomes.done():
                waiting.outcomes.set_result(outcomes[at : at + len(waiting.statements)])
            at += len(waiting.statements)


def _reason(error: PseudoledgerError) -> Unavailable:
    """Say in the log, and to those who wait, why something was not registered."""
    _log.error("nothing was registered", extra={"reason": error.message})
    return Unavailable(error.message, hint=error.hint)


def _fail(batch: Iterable[_Waiting], error: Unavailable) -> None:
    """Answer everybody who waits that nothing was registered."""
    for waiting in batch:
        if not waiting.outcomes.done():
            waiting.outcomes.set_exception(error)
