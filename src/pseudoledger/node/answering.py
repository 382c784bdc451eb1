"""Sending an answer: its status is remembered, and the security headers that it does not bring are added."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import Message, Send

SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class Answer:
    """What an application of a node sends its answer with (ASGI)."""

    def __init__(self, send: Send) -> None:
        self.bare = send
        """Sends as it is."""
        self.status = 499
        """499 if the client was gone before an answer."""

    async def __call__(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            names = {name for name, _ in headers}
            headers += [pair for pair in SECURITY if pair[0] not in names]
            message["headers"] = headers
        await self.bare(message)


async def send_whole(send: Send, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
    """Send an answer that brings all its headers, at the least cost: the hot paths end here."""
    if isinstance(send, Answer):
        send.status = status
        send = send.bare
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
