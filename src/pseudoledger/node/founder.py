"""The founder's node: the one that holds the ledger key and registers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from pseudoledger.node.app import create_app
from pseudoledger.node.front import Front
from pseudoledger.node.group import GroupCommit
from pseudoledger.node.metrics import Metrics
from pseudoledger.node.node import Node, Role
from pseudoledger.node.reading import Reader
from pseudoledger.node.scrapi import Gate
from pseudoledger.registrar import Registrar


def founder_app(
    registrar: Registrar,
    directory: Path,
    clock: Callable[[], int],
    *,
    gate: Gate | None = None,
    origins: Sequence[str] = (),
) -> Front:
    """Build the application around an open registrar, which it closes when it stops.

    `clock` gives milliseconds since 1970 and reads nothing else.
    """
    metrics = Metrics()
    reader = Reader(directory)
    group = GroupCommit(registrar, metrics)

    def now() -> int:
        with reader.view() as view:
            return max(clock(), view.state.time_ms) // 1000

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        group.start()
        try:
            yield
        finally:
            await group.stop()
            reader.close()

    metrics.size.set_function(lambda: registrar.store.size)
    node = Node(reader=reader, submitter=group, role=Role.FOUNDER, now=now, forks=directory / "forks")
    return create_app(node, gate=gate, metrics=metrics, origins=origins, lifespan=lifespan)
