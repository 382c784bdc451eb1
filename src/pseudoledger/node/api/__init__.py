"""The JSON API of a node under `/api/v1`, and `/health` and `/ready` beside it.

Read only: statements come in through SCRAPI. Every parameter has its bounds, every list comes in pages, and
every answer that follows from a time says as of when. The OpenAPI document is `/api/v1/openapi.json`.
"""

from __future__ import annotations

from fastapi import APIRouter

from pseudoledger.node.api import assets, disputes, entries, foreign, lists, status, stream, things, vouchers
from pseudoledger.node.node import Node

PREFIX = "/api/v1"


def router(node: Node) -> APIRouter:
    """Return all routes of the API of one node."""
    routes = APIRouter()
    # The stream goes before /entries/{index}, which would take its name for an index.
    for room in (status, stream, lists, vouchers, assets, disputes, foreign, entries, things):
        routes.include_router(room.router(node), prefix=PREFIX)
    routes.include_router(status.health_router(node))
    return routes
