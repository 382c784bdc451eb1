"""One node: everything that it serves, put together.

Each room brings its own routes; this module gives them what they share and adds nothing to any answer.
"""

from __future__ import annotations

from fastapi import FastAPI

from pseudoledger.node.node import Node


def create_app(node: Node) -> FastAPI:
    """Build the application of a node."""
    app = FastAPI(title="pseudoledger", openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None)
    app.state.node = node
    return app
