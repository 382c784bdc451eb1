"""What every request passes first: the hot paths, security headers, counting, and one line of log.

A bare ASGI application around the others. Logs hold method, path, status and time: no query, no body, no
header, no address unless asked for.
"""

from __future__ import annotations

import logging
import time

from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send

from pseudoledger.node.answering import Answer
from pseudoledger.node.bodies import header
from pseudoledger.node.metrics import Metrics
from pseudoledger.node.scrapi import Entries

_log = logging.getLogger("pseudoledger.node.requests")


class Front:
    """The outermost application of a node."""

    def __init__(self, app: ASGIApp, entries: Entries, checkpoint: ASGIApp, metrics: Metrics) -> None:
        self._app, self._entries, self._checkpoint, self._metrics = app, entries, checkpoint, metrics
        self._counters: dict[tuple[str, int], Counter] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter() if _log.isEnabledFor(logging.INFO) else 0.0
        answered = Answer(send)
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
        method = scope["method"] if scope["method"] in {"GET", "HEAD", "POST"} else "other"
        counter = self._counters.get((method, status))
        if counter is None:
            counter = self._metrics.requests.labels(method, f"{status // 100}xx")
            self._counters[method, status] = counter
        counter.inc()
