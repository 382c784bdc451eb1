"""The read path (C2SP tlog-tiles): checkpoints, tiles and entry bundles, cacheable by anybody.

What is served agrees with the published checkpoint: nothing beyond its size. A partial tile of any width up
to that is served, so one of any earlier block too; content under one path never changes.
"""

from __future__ import annotations

from hashlib import sha256

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from pseudoledger.errors import MalformedError
from pseudoledger.ledger.checkpoint import parse_checkpoint
from pseudoledger.ledger.export import CHECKPOINT, COSIGNED, content_of
from pseudoledger.ledger.note import parse_note
from pseudoledger.ledger.tiles import TILE_WIDTH, Bundle, Tile, parse_path
from pseudoledger.node.node import Node
from pseudoledger.node.problems import problem
from pseudoledger.node.reading import View

_FOREVER = "public, max-age=31536000, immutable"
_PARTIAL = "public, max-age=3600"
_CHECKPOINT = "public, max-age=1, must-revalidate"


def routes(node: Node) -> list[BaseRoute]:
    """Serve /checkpoint, /checkpoint-cosigned and /tile/…."""

    def checkpoint(request: Request) -> Response:
        with node.reader.view() as view:
            note = view.store.checkpoint()
        return _note(request, note, "no checkpoint is published yet")

    def cosigned(request: Request) -> Response:
        with node.reader.view() as view:
            note = view.store.cosigned()
        return _note(request, note, "no checkpoint with cosignatures is held here")

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
        Route(f"/{CHECKPOINT}", checkpoint),
        Route(f"/{COSIGNED}", cosigned),
        Route("/tile/{path:path}", tile),
    ]


def _note(request: Request, note: bytes | None, missing: str) -> Response:
    if note is None:
        return problem(404, "Not Found", missing)
    return _cached(request, note, "text/plain; charset=utf-8", _CHECKPOINT)


def _content(view: View, resource: Tile | Bundle) -> bytes | None:
    """Read a tile or bundle, None beyond the published checkpoint."""
    note = view.store.checkpoint()
    size = 0 if note is None else parse_checkpoint(parse_note(note).text).size
    level = resource.level if isinstance(resource, Tile) else 0
    reaches = (resource.index * TILE_WIDTH + resource.width) << (8 * level)
    return content_of(view.store, resource) if reaches <= size else None


def _cached(request: Request, content: bytes, media_type: str, lasting: str) -> Response:
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": lasting}
    known = {tag.strip() for tag in request.headers.get("if-none-match", "").split(",")}
    if known & {etag, "*"}:
        return PlainTextResponse("", 304, headers)
    return Response(content, media_type=media_type, headers=headers)
