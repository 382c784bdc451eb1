"""What every request passes first: the hot paths, security headers, counting, and one line of log.

A bare ASGI application around the others. Logs hold method, path, status and time: no query, no body, no
header, no address unless asked for.
"""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pseudoledger.node.bodies import header
from pseudoledger.node.metrics import Metrics
from pseudoledger.node.scrapi import Entries

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_NO_CONTENT = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")

_log = logging.getLogger("pseudoledger.node.requests")


class Front:
    """The outermost application of a node."""

    def __init__(self, app: ASGIApp, entries: Entries, checkpoint: ASGIApp, metrics: Metrics) -> None:
        self._app, self._entries, self._checkpoint, self._metrics = app, entries, checkpoint, metrics
        self._created = metrics.requests.labels("POST", "2xx")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter() if _log.isEnabledFor(logging.INFO) else 0.0
        answered = _Answer(send)
        try:
            await self._handler(scope)(scope, receive, answered)
        finally:
            self._count(scope, answered.status)
            if start:
                _log.info(
                    "request",
                    extra={
                        "method": scope["method"],
                        "path": scope["path"],
                        "status": answered.status,
                        "milliseconds": round((time.perf_counter() - start) * 1000, 3),
                    },
                )

    def _handler(self, scope: Scope) -> ASGIApp:
        if scope["method"] == "POST":
            if scope["path"] == "/entries":
                return self._entries.post_entry
            if scope["path"] == "/api/v1/batch":
                return self._entries.post_batch
        elif scope["method"] == "GET" and scope["path"] == "/checkpoint" and not header(scope, b"origin"):
            # What a script of another origin asks for is for the application to allow (CORS).
            return self._checkpoint
        return self._app

    def _count(self, scope: Scope, status: int) -> None:
        if status == 201:
            self._created.inc()
        else:
            method = scope["method"] if scope["method"] in {"GET", "HEAD", "POST"} else "other"
            self._metrics.requests.labels(method, f"{status // 100}xx").inc()


class _Answer:
    """Adds the security headers that an answer does not bring itself, and remembers its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 499
        """499 if the client was gone before an answer."""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.status != 201:
                headers = list(message.get("headers", ()))
                names = {name for name, _ in headers}
                headers += [pair for pair in (*_HEADERS, _NO_CONTENT) if pair[0] not in names]
                message["headers"] = headers
        await self._send(message)
