"""Running an ASGI application on uvicorn: TLS, limits on connections, a line when it is ready, a graceful stop."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pseudoledger.errors import StoreError

CONNECTIONS_MAX = 2_000
"""Connections beyond which requests are answered 503."""
IDLE_SECONDS = 15
"""How long a connection may stay silent, before its first request too."""
_ALLOCATIONS = 10_000
"""Objects made, and not freed, between two looks of the garbage collector: those of a hundred requests under way."""
STOP_SECONDS = 20
"""How long requests may still run once the node is told to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where to listen and how."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 lets the system choose."""
    certificate: Path | None = None
    key: Path | None = None
    proxies: str = ""
    """Addresses of proxies whose X-Forwarded-For is believed, with commas between."""

    @property
    def scheme(self) -> str:
        """Http or https."""
        return "https" if self.certificate else "http"


class _OneWrite:
    """A transport that sends in one piece what is written in one turn of the loop: an answer's head and body.

    uvloop sends each by itself, which costs a system call, and wakes the client twice.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Hold what is to be sent until the turn ends."""
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)

    def close(self) -> None:
        """Send what is held, then close."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        held, self._held = self._held, []
        if held:
            self._transport.write(b"".join(held))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _ImpatientProtocol(HttpToolsProtocol):
    """Closes a connection that sends no whole request head in time; uvicorn itself waits for ever.

    One timer runs for each connection and looks again where the head that it waited for came: to start and stop
    one with every request would cost more than the request's parsing.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", _OneWrite(transport, self.loop)))
        self._begun: float | None = self.loop.time()
        self._impatience = self.loop.call_later(IDLE_SECONDS, self._look)

    def on_message_begin(self) -> None:
        self._begun = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._begun = None
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._impatience.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Close the connection if a head is overdue, or look again when the one under way would be."""
        waited = 0.0 if self._begun is None else self.loop.time() - self._begun
        if waited >= IDLE_SECONDS:
            self.transport.close()
        else:
            self._impatience = self.loop.call_later(IDLE_SECONDS - waited, self._look)


class _JsonLines(logging.Formatter):
    """One JSON object a line: time, level, what happened, and what was said beside it."""

    _known: ClassVar[frozenset[str]] = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in self._known}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Server(uvicorn.Server):
    """Says on standard output where it listens, once it does."""

    def __init__(self, config: uvicorn.Config, greeting: str, scheme: str) -> None:
        super().__init__(config)
        self._greeting, self._scheme = greeting, scheme

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What stands now stays to the end: going through it again and again took a sixth of the process's time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_ALLOCATIONS)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            sys.stdout.write(f"{self._greeting} at {self._scheme}://{shown}:{port}\n")
            sys.stdout.flush()


def set_up_logging(*, requests: bool) -> None:
    """Send structured lines to standard error; those of single requests only where asked for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    for name, level in (
        ("pseudoledger", logging.INFO),
        ("pseudoledger.node.requests", logging.INFO if requests else logging.WARNING),
        ("uvicorn", logging.WARNING),
    ):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        if "." not in name:
            logger.handlers = [handler]
            logger.propagate = False


def serve(
    app: ASGIApp, listening: Listening, greeting: str, *, bound: Callable[[], None] = lambda: None
) -> None:
    """Serve until SIGTERM or SIGINT; say `greeting at URL` when ready.

    `bound` is called once the port is taken, before anything is served. Raises StoreError if it cannot be.
    """
    try:
        family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((listening.host, listening.port))
    except OSError as error:
        raise StoreError(
            f"cannot listen on {listening.host} port {listening.port}: {error.strerror}",
            hint="choose another --port, or 0 for a free one",
        ) from error
    bound()
    config = uvicorn.Config(
        app,
        http=_ImpatientProtocol,
        loop="uvloop",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        proxy_headers=bool(listening.proxies),
        forwarded_allow_ips=listening.proxies or None,
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.key,
        backlog=2048,
    )
    _Server(config, greeting, listening.scheme).run(sockets=[listener])
