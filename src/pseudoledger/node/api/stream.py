"""The stream of new entries: server-sent events, one JSON object each, resumed from wherever a client stopped.

One watcher looks whether the ledger grew, however many clients listen, and sleeps while nobody does. A client
that reads too slowly is cut off; it comes back with Last-Event-ID and misses nothing, as the events come from
the ledger and not from a queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, Header, Query, Request, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from pseudoledger.errors import PseudoledgerError, StoreError
from pseudoledger.ledger import query
from pseudoledger.ledger.query import INDEX_MAX
from pseudoledger.node.api.entries import Sealing
from pseudoledger.node.api.failures import BAD_PARAMETERS, ApiRoute, unreadable
from pseudoledger.node.api.models import NewEntry
from pseudoledger.node.node import Node

STREAMS_MAX = 1_000
"""Clients that may listen at a time."""
CHUNK = 200
"""Entries read from the ledger at a time for one client."""
LOOK_S = 0.25
"""How often the watcher looks."""
PING_S = 15
STOP_S = 2.0
"""How long a stream may take to end when the node stops."""
SEND_TIMEOUT_S = 20.0
"""A client that takes nothing for so long is cut off."""

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events without end, each with the index as its id and a NewEntry as its data.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    **BAD_PARAMETERS,
}


class Feed:
    """How far the ledger is, for all that wait for it to grow. Belongs to one event loop."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._grown = asyncio.Event()
        self._size = 0
        self._watcher: asyncio.Task[None] | None = None
        self.listening = 0

    async def size(self) -> int:
        """Return the number of entries now."""
        return await anyio.to_thread.run_sync(self._count)

    async def beyond(self, size: int, stop: anyio.Event) -> None:
        """Wait until there are more entries than `size`, or the node stops."""
        while self._size <= size and not stop.is_set():
            if self._watcher is None or self._watcher.done():
                self._watcher = asyncio.create_task(self._watch())
            waiting = [asyncio.create_task(event.wait()) for event in (self._grown, stop)]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waiting:
                    task.cancel()

    def _count(self) -> int:
        with self._node.reader.view() as view:
            return view.store.size

    async def _watch(self) -> None:
        """Look until nobody listens any more."""
        while self.listening:
            try:
                size = await self.size()
            except StoreError:
                # Whoever waits goes on waiting: a disk that failed once may read again.
                size = self._size
            if size > self._size:
                self._size = size
                grown, self._grown = self._grown, asyncio.Event()
                grown.set()
            await asyncio.sleep(LOOK_S)

    async def events(
        self, start: int | None, limit: int | None, stop: anyio.Event
    ) -> AsyncIterator[ServerSentEvent]:
        """Yield the entries from `start` on, or the new ones, as events; at most `limit`, and until `stop`."""
        self.listening += 1
        try:
            place = await self.size() if start is None else start
            left = INDEX_MAX if limit is None else limit
            while left and not stop.is_set():
                chunk = await anyio.to_thread.run_sync(self._read, place, min(CHUNK, left))
                for entry in chunk:
                    yield ServerSentEvent(data=entry.model_dump_json(), id=str(entry.index))
                place += len(chunk)
                left -= len(chunk)
                if not chunk:
                    await self.beyond(place, stop)
        except PseudoledgerError:
            # The stream ends; the client comes back with the last index it saw.
            return
        finally:
            self.listening -= 1

    def _read(self, start: int, limit: int) -> list[NewEntry]:
        with self._node.reader.view() as view:
            sealing, found = Sealing(view.store), []
            for row in query.entries(view.store, after=start - 1, limit=limit):
                block = sealing.of(row.index)
                assert block is not None, "a view holds whole blocks"
                found.append(
                    NewEntry(
                        index=row.index,
                        id=row.id,
                        kind=row.type,
                        issuer=row.issuer,
                        block=block.height,
                        block_time_ms=block.time_ms,
                    )
                )
            return found


def router(node: Node) -> APIRouter:
    """Return the route of the stream."""
    routes = APIRouter(route_class=ApiRoute)
    feed = Feed(node)

    @routes.get(
        "/entries/stream",
        tags=["statements"],
        summary="New entries as they are sealed",
        response_class=Response,
        responses=_STREAM,
    )
    async def stream(
        request: Request,
        start: Annotated[
            int | None,
            Query(alias="from", ge=0, le=INDEX_MAX, description="First index; only new entries if not said."),
        ] = None,
        limit: Annotated[
            int | None, Query(ge=1, le=1_000_000, description="End after so many entries.")
        ] = None,
        last_event_id: Annotated[
            str | None,
            Header(
                pattern=r"^[0-9]{1,19}$",
                description="Index of the last event that was seen; goes before `from`.",
            ),
        ] = None,
    ) -> Response:
        """Stream entries by server-sent events, each block at once, until the client or the node ends it."""
        if feed.listening >= STREAMS_MAX:
            return unreadable(request, StoreError("too many clients listen"))
        if last_event_id is not None:
            start = min(int(last_event_id) + 1, INDEX_MAX)
        stop = anyio.Event()
        return EventSourceResponse(
            feed.events(start, limit, stop),
            shutdown_event=stop,
            shutdown_grace_period=STOP_S,
            ping=PING_S,
            send_timeout=SEND_TIMEOUT_S,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes
