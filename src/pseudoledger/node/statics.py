"""The read path (C2SP tlog-tiles): checkpoints, tiles and entry bundles, cacheable by anybody.

What is served agrees with the published checkpoint: nothing beyond its size. A partial tile of any width up
to that is served, so one of any earlier block too; content under one path never changes.
"""

from __future__ import annotations

from hashlib import sha256

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from pseudoledger.errors import MalformedError, StoreError
from pseudoledger.ledger.checkpoint import parse_checkpoint
from pseudoledger.ledger.export import CHECKPOINT, COSIGNED, content_of
from pseudoledger.ledger.note import parse_note
from pseudoledger.ledger.tiles import TILE_WIDTH, Bundle, Tile, parse_path
from pseudoledger.node.answering import SECURITY, send_whole
from pseudoledger.node.bodies import header
from pseudoledger.node.node import Node
from pseudoledger.node.problems import problem
from pseudoledger.node.reading import Reader, View

_FOREVER = "public, max-age=31536000, immutable"
_PARTIAL = "public, max-age=3600"
_CHECKPOINT = "public, max-age=1, must-revalidate"


class Checkpoint:
    """The newest checkpoint, as a bare ASGI application: what every reader polls.

    Headers are made once for each checkpoint.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._note, self._etag = b"", ""
        self._headers: tuple[tuple[bytes, bytes], ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            note = self._reader.checkpoint()
        except StoreError as error:
            await problem(503, "Service Unavailable", error.message)(scope, receive, send)
            return
        if note is None:
            await problem(404, "Not Found", "no checkpoint is published yet")(scope, receive, send)
            return
        if note != self._note:
            self._keep(note)
        asked = header(scope, b"if-none-match")
        if asked and _knows(asked, self._etag):
            await send_whole(send, 304, self._headers, b"")
        else:
            length = (b"content-length", b"%d" % len(note))
            await send_whole(send, 200, (length, *self._headers), note)

    def _keep(self, note: bytes) -> None:
        self._note, self._etag = note, _etag(note)
        self._headers = (
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"etag", self._etag.encode()),
            (b"cache-control", _CHECKPOINT.encode()),
            *SECURITY,
        )


def routes(node: Node, checkpoint: Checkpoint) -> list[BaseRoute]:
    """Serve /checkpoint, /checkpoint-cosigned and /tile/…."""

    def cosigned(request: Request) -> Response:
        with node.reader.view() as view:
            note = view.store.cosigned()
        if note is None:
            return problem(404, "Not Found", "no checkpoint with cosignatures is held here")
        return _cached(request, note, "text/plain; charset=utf-8", _CHECKPOINT)

    def tile(request: Request) -> Response:
        try:
            resource = parse_path(f"tile/{request.path_params['path']}")
        except MalformedError as error:
            return problem(404, "Not Found", error.message)
        with node.reader.view() as view:
            content = _content(view, resource)
        if content is None:
            return problem(404, "Not Found", "the published checkpoint does not reach that far")
        lasting = _FOREVER if resource.width == TILE_WIDTH else _PARTIAL
        return _cached(request, content, "application/octet-stream", lasting)

    return [
        Route(f"/{CHECKPOINT}", checkpoint, methods=["GET"]),
        Route(f"/{COSIGNED}", cosigned),
        Route("/tile/{path:path}", tile),
    ]


def _content(view: View, resource: Tile | Bundle) -> bytes | None:
    """Read a tile or bundle, None beyond the published checkpoint."""
    note = view.store.checkpoint()
    size = 0 if note is None else parse_checkpoint(parse_note(note).text).size
    level = resource.level if isinstance(resource, Tile) else 0
    reaches = (resource.index * TILE_WIDTH + resource.width) << (8 * level)
    return content_of(view.store, resource) if reaches <= size else None


def _cached(request: Request, content: bytes, media_type: str, lasting: str) -> Response:
    headers = {"ETag": _etag(content), "Cache-Control": lasting}
    if _knows(request.headers.get("if-none-match", ""), headers["ETag"]):
        return PlainTextResponse("", 304, headers)
    return Response(content, media_type=media_type, headers=headers)


def _etag(content: bytes) -> str:
    return f'"{sha256(content).hexdigest()[:32]}"'


def _knows(asked: str, etag: str) -> bool:
    """Tell whether an If-None-Match header names this content."""
    return not {etag, "*"}.isdisjoint(tag.strip() for tag in asked.split(","))
