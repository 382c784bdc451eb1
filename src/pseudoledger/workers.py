"""A process of our own beside this one: started once, asked many times, answering in order.

Python's process pools import the caller's main module again in every child, which runs a script twice that
does not guard against it, and their threads take a third of the interpreter's time when much passes through.
This is a child, two pipes and the pickles of the standard library's Connection; nobody else can write to them.
A pipe rather than a socket because its room is known and can be made larger without any right to do so.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pseudoledger.errors import PseudoledgerError, StoreError
from pseudoledger.lines import Failure, Line, LineEnded

Question = TypeVar("Question")
Reply = TypeVar("Reply")

_GRACE_S = 5
PIPE_WANTED = 1024 * 1024
"""What Linux lets every user have (`fs.pipe-max-size`)."""
PIPE_LEAST = 16 * 1024
"""What a pipe holds at least elsewhere."""


class WorkerEnded(StoreError):
    """The process ended before its work was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(Generic[Question, Reply]):
    """What a worker does. `make` is a function of an importable module, and returns the one that answers questions."""

    make: Callable[..., Callable[[Question], Reply]]
    question: Any
    """Type of every question, as msgspec reads it."""
    reply: Any
    """Type of every reply."""


class Worker(Generic[Question, Reply]):
    """One child process, where `work.make(*args)` runs. It ends when this process does, however that ends."""

    def __init__(self, work: Work[Question, Reply], *args: object) -> None:
        asked, ask = os.pipe()
        answer, answered = os.pipe()
        self.room = min(_widen(ask), _widen(answer))
        """Bytes that a line holds while nobody reads it: as many may be asked without waiting for the child."""
        try:
            # -P: the working directory is nobody's package. What a child that dies has to say is said by
            # whoever asked it.
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and words
                [sys.executable, "-P", "-m", "pseudoledger.workers", str(asked), str(answered)],
                pass_fds=(asked, answered),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        finally:
            os.close(asked)
            os.close(answered)
        self._questions: Line[None] = Line(ask, readable=False)
        self._answers: Line[Reply | Failure] = Line(answer, work.reply | Failure, writable=False)
        self._open = 0
        try:
            self._questions.send_setup((work, args))
        except LineEnded as error:
            raise self._ended() from error

    @property
    def open(self) -> int:
        """Questions that were asked and whose answer was not taken yet."""
        return self._open

    def ended(self) -> bool:
        """Tell whether the child is gone."""
        return self._process.poll() is not None

    def ask(self, question: Question) -> None:
        """Ask; answers come in the order of the questions. Raises WorkerEnded."""
        try:
            self._questions.send(question)
        except LineEnded as error:
            raise self._ended() from error
        self._open += 1

    def answered(self) -> bool:
        """Tell whether `answer` would return at once."""
        return self._answers.poll()

    def answer(self) -> Reply:
        """Wait for the next answer. Raises WorkerEnded, or the error that the question met."""
        try:
            reply = self._answers.recv()
        except LineEnded as error:
            raise self._ended() from error
        self._open -= 1
        if isinstance(reply, Failure):
            raise reply.made()
        return reply

    def close(self) -> None:
        """End the child. Idempotent."""
        self._questions.close()
        self._answers.close()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ended(self) -> WorkerEnded:
        return WorkerEnded(
            "a process that helped with this work ended before it was done",
            hint="make more memory available, then try again",
        )


def _widen(line: int) -> int:
    """Give a pipe as much room as anybody may, and return how much it has, in bytes."""
    if not hasattr(fcntl, "F_SETPIPE_SZ"):
        return PIPE_LEAST
    try:
        return fcntl.fcntl(line, fcntl.F_SETPIPE_SZ, PIPE_WANTED)
    except OSError:
        # The system allows less, or the user's pipes together have reached their limit.
        return fcntl.fcntl(line, fcntl.F_GETPIPE_SZ)


def serve(questions: int, answers: int) -> None:
    """Answer questions until the other end closes; what runs in the child."""
    asked: Line[Any] = Line(questions, writable=False)
    answered: Line[None] = Line(answers, readable=False)
    try:
        work, args = asked.recv_setup()
        asked.hear(work.question)
        handle = work.make(*args)
        while True:
            question = asked.recv()
            try:
                reply = handle(question)
            except PseudoledgerError as error:
                reply = Failure.of(error)
            answered.send(reply)
    except (LineEnded, KeyboardInterrupt):
        # The parent is gone, or the person who watches it wants all of it to end. What the child holds is
        # read-only or in memory: nothing needs to be put away.
        os._exit(0)


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
