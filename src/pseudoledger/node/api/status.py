"""How the ledger and its node stand; whether the process lives, and whether it can do its work."""

from __future__ import annotations

from dataclasses import asdict

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pseudoledger.errors import PeerError, StoreError
from pseudoledger.ledger import query
from pseudoledger.node.api.failures import BAD_PARAMETERS, ApiRoute, unreadable
from pseudoledger.node.api.models import Counts, Health, StandingItem, Status
from pseudoledger.node.node import Node, Role
from pseudoledger.statement.values import format_block_time

_NO_STORE = {"Cache-Control": "no-store"}


def router(node: Node) -> APIRouter:
    """Return the routes of the status."""
    routes = APIRouter(route_class=ApiRoute, responses={503: BAD_PARAMETERS[503]})

    @routes.get("/status", tags=["ledger"], summary="The ledger and this node")
    def status() -> Status:
        """Return what the ledger is, how far it is, and how its node stands."""
        return _status(node)

    @routes.get("/counts", tags=["ledger"], summary="Entries of each kind")
    def counts() -> Counts:
        """Return how many entries of each kind there are."""
        with node.reader.view() as view:
            return Counts(kinds=query.kind_counts(view.store))

    return routes


def _status(node: Node) -> Status:
    with node.reader.view() as view:
        state, checkpoint = view.state, view.store.checkpoint()
        block = view.store.last_block()
        if block is None:
            raise StoreError("the ledger has no block")
        policy = state.pins.read_policy()
        return Status(
            origin=state.origin,
            ledger=state.id,
            founder=state.founder,
            ledger_key=state.ledger_key,
            size=view.store.size,
            height=state.height,
            root=block.root.hex(),
            time=format_block_time(state.time_ms),
            time_ms=state.time_ms,
            as_of=node.now(),
            clock=policy.clock,
            checkpoint=None if checkpoint is None else checkpoint.decode("utf-8"),
            rules=list(state.pins.rules),
            tables=[list(pin) for pin in state.pins.tables],
            policy=policy.model_dump(mode="json"),
            role=node.role.value,
            standing=StandingItem.model_validate(asdict(node.standing())),
        )


def health_router(node: Node) -> APIRouter:
    """Return `/health` and `/ready`, which stand at the root for whatever watches the process."""
    routes = APIRouter(route_class=ApiRoute, tags=["health"])

    @routes.get("/health", summary="The process lives")
    async def health() -> Health:
        """Answer; nothing is asked of the ledger."""
        return Health(status="ok")

    @routes.get(
        "/ready",
        summary="The node can do its work",
        response_model=Health,
        responses={503: BAD_PARAMETERS[503]},
    )
    async def ready(request: Request) -> Response:
        """Answer 200 if the ledger can be read and, on the founder's node, written; 503 if not."""
        try:
            await anyio.to_thread.run_sync(_read, node)
            if node.role is Role.FOUNDER:
                # Handing in nothing registers nothing, and fails as handing in something would.
                await node.submitter.submit(())
        except (StoreError, PeerError) as error:
            return unreadable(request, error)
        return JSONResponse({"status": "ok"}, headers=_NO_STORE)

    return routes


def _read(node: Node) -> int:
    with node.reader.view() as view:
        return view.state.size
