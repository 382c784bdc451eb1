"""What a node counts, for Prometheus. No name of a party, no payload and no secret is ever a label."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pseudoledger.node.submission import Outcome, Receipted

_COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    """The metrics of one node, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "pseudoledger_requests",
            "HTTP requests answered, by method and status class",
            ("method", "status"),
            registry=self._registry,
        )
        self.statements = Counter(
            "pseudoledger_statements",
            "Statements answered: registered, known already, refused",
            ("outcome",),
            registry=self._registry,
        )
        self.turned_away = Counter(
            "pseudoledger_turned_away", "Requests turned away with 429", registry=self._registry
        )
        self.commit_seconds = Histogram(
            "pseudoledger_commit_seconds",
            "Time to judge, seal and store one batch",
            buckets=_COMMIT_BUCKETS,
            registry=self._registry,
        )
        self.batch_statements = Histogram(
            "pseudoledger_batch_statements",
            "Statements in one batch",
            buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000),
            registry=self._registry,
        )
        self.size = Gauge("pseudoledger_ledger_entries", "Entries of the ledger", registry=self._registry)
        self._registered = self.statements.labels("registered")
        self._known = self.statements.labels("known")
        self._refused = self.statements.labels("refused")

    def count(self, outcomes: Sequence[Outcome]) -> None:
        """Count the outcomes of one batch."""
        receipted = [outcome for outcome in outcomes if isinstance(outcome, Receipted)]
        known = sum(outcome.known for outcome in receipted)
        self._registered.inc(len(receipted) - known)
        self._known.inc(known)
        self._refused.inc(len(outcomes) - len(receipted))
        self.batch_statements.observe(len(outcomes))

    def text(self) -> bytes:
        """Return the exposition."""
        return generate_latest(self._registry)


def routes(metrics: Metrics) -> list[BaseRoute]:
    """Serve the metrics at /metrics."""

    def show(_request: Request) -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", show)]
