"""Request bodies, bounded in size and in time: what is too large or too slow is cut off."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope

from pseudoledger.errors import PseudoledgerError

BODY_SECONDS = 10
"""How long a client may take to send a body."""


class BodyRefused(PseudoledgerError):
    """A body that is not read: `status` says why."""

    def __init__(self, status: int, title: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status, self.title = status, title


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """Read a body of at most `most` bytes. Raises BodyRefused."""
    length = header(scope, b"content-length")
    if length.isdigit() and int(length) > most:
        raise BodyRefused(413, "Payload Too Large", f"the body has {length} bytes, at most {most} are read")
    task = asyncio.current_task()
    assert task is not None, "a request is answered by a task"
    late = False

    def cut_off() -> None:
        nonlocal late
        late = True
        task.cancel()

    # What asyncio.timeout does, at a third of its cost: a small body is there already, and the timer for nothing.
    timer = asyncio.get_running_loop().call_later(BODY_SECONDS, cut_off)
    try:
        return await _read(receive, most)
    except asyncio.CancelledError:
        if not late or task.uncancel():
            raise
        raise BodyRefused(408, "Request Timeout", f"the body did not come within {BODY_SECONDS} s") from None
    finally:
        timer.cancel()


async def _read(receive: Receive, most: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        parts, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > most:
                break
        body = b"".join(parts)
    if message["type"] == "http.disconnect":
        raise BodyRefused(400, "Bad Request", "the client went away before its body was read")
    if len(body) > most:
        raise BodyRefused(413, "Payload Too Large", f"at most {most} bytes are read")
    return body


def header(scope: Scope, name: bytes) -> str:
    """Return a header's value, "" if there is none; the first where it stands twice."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""
