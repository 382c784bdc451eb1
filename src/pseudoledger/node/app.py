"""One node: everything that it serves, put together.

Each room brings its own routes; this module gives them what they share and adds nothing to any answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from pseudoledger.errors import PseudoledgerError, StoreError
from pseudoledger.node import api, forks, pages, scrapi, statics
from pseudoledger.node import metrics as counted
from pseudoledger.node.front import Front
from pseudoledger.node.metrics import Metrics
from pseudoledger.node.node import Node
from pseudoledger.node.problems import problem, wants_cbor
from pseudoledger.node.scrapi import Entries, Gate
from pseudoledger.node.statics import Checkpoint

OPENAPI = "/api/v1/openapi.json"
_PATH_SHOWN = 200
_ABOUT = (
    "What a node tells about its ledger of compute leases, as JSON. Amounts are minor units of their currency, times"
    " Unix seconds; an answer that follows from a time says as of when. Lists come in pages: pass `next` on as"
    " `cursor`. It is the node's word: statements, receipts and tiles, served beside this, can be verified."
)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    node: Node,
    *,
    gate: Gate | None = None,
    metrics: Metrics | None = None,
    origins: Sequence[str] = (),
    lifespan: Lifespan | None = None,
) -> Front:
    """Build the application of a node.

    `origins` are the web origins whose scripts may read (CORS); nobody by default.
    """
    measured = metrics or Metrics()
    checkpoint = Checkpoint(node.reader)
    app = FastAPI(
        title="pseudoledger",
        description=_ABOUT,
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        exception_handlers={HTTPException: _http_error, PseudoledgerError: _our_error},
    )
    app.router.routes += [
        *scrapi.routes(node),
        *statics.routes(node, checkpoint),
        *forks.routes(node),
        *counted.routes(measured),
        *pages.routes(node),
    ]
    app.include_router(api.router(node))
    if origins:
        app.add_middleware(CORSMiddleware, allow_origins=list(origins), allow_methods=["GET"])
    return Front(app, Entries(node, gate or Gate()), checkpoint, measured)


def _cbor(request: Request) -> bool:
    return wants_cbor(request.headers.get("accept", ""), request.headers.get("content-type", ""))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for this class"
    if pages.wants_page(request):
        return pages.error_page(request, HTTPStatus(error.status_code))
    title = str(error.detail)
    return problem(
        error.status_code, title, _said(request, error), cbor=_cbor(request), headers=error.headers
    )


def _said(request: Request, error: HTTPException) -> str:
    """Say what an address or method that nobody serves could have been."""
    if error.status_code == HTTPStatus.NOT_FOUND:
        return f"nothing is served at {request.url.path[:_PATH_SHOWN]}; {OPENAPI} describes what is under /api/v1"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("allow") or (error.headers or {}).get("Allow") or "others"
        return f"{request.method} is not answered here; allowed: {allowed}"
    return str(error.detail)


async def _our_error(request: Request, error: Exception) -> Response:
    """Answer what a room did not: the store cannot be read, or a request made no sense."""
    assert isinstance(error, PseudoledgerError), "registered for this class"
    if isinstance(error, StoreError):
        return problem(503, "Service Unavailable", error.message, cbor=_cbor(request))
    return problem(400, "Bad Request", error.message, cbor=_cbor(request))
