"""The order of the scenes, on their days."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pseudoledger.demo import billing, month
from pseudoledger.demo.stage import Scene, Stage

START = "2026-03-01T08:00:00Z"


def play(directory: Path, *, seed: int, tell: Callable[[Scene], None]) -> Stage:
    """Play the whole month into `directory` and return the stage, its ledger still open."""
    stage = Stage.build(directory, seed=seed, start=START, tell=tell)
    market = month.Market()
    month.declare(stage)
    month.offer(stage)
    month.demand(stage, market)
    month.mandate(stage, market)
    month.agree(stage, market)
    month.sell_twice(stage, market)
    stage.until("2026-03-02T09:00:00Z")
    month.deliver(stage, market)
    stage.until("2026-03-10T01:00:00Z")
    billing.report(stage, market, "2026-03-10T00:00:00Z")
    stage.until("2026-03-15T09:00:00Z")
    billing.amend(stage, market)
    stage.until("2026-03-17T01:00:00Z")
    billing.report(stage, market, "2026-03-17T00:00:00Z")
    stage.until("2026-03-19T10:00:00Z")
    billing.reclaim(stage, market)
    for week in ("2026-03-24", "2026-03-31"):
        stage.until(f"{week}T01:00:00Z")
        billing.report(stage, market, f"{week}T00:00:00Z")
    stage.until("2026-04-04T09:00:00Z")
    issued = billing.invoice(stage, market)
    stage.until("2026-04-20T09:00:00Z")
    billing.pay(stage, market, issued)
    billing.credit(stage, issued)
    billing.commission(stage, market, issued)
    return stage
