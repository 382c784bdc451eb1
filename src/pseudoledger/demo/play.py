"""The order of the scenes, on their days."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pseudoledger.demo import (
    billing,
    city,
    crowd,
    ferry,
    grant,
    hall,
    handover,
    month,
    neighbour,
    papers,
    quarrel,
)
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
    _second_act(stage, market)
    _third_act(stage)
    _fourth_act(stage)
    return stage


def _second_act(stage: Stage, market: month.Market) -> None:
    """A city's programme: a machine, a lease under a voucher, a dispute, and what an auditor is shown."""
    stage.until("2026-04-21T09:00:00Z")
    town = city.City()
    city.declare(stage)
    city.attest(stage, town)
    city.promise(stage, town)
    stage.until("2026-04-22T09:00:00Z")
    city.sell(stage, town, market)
    city.hand_over(stage, town)
    grant.lease(stage, town)
    stage.until("2026-04-30T09:00:00Z")
    grant.deliver(stage, town)
    stage.until("2026-05-31T01:00:00Z")
    grant.bill(stage, town)
    grant.redeem(stage, town)
    papers.write_invoice(stage, town)
    stage.until("2026-06-03T09:00:00Z")
    quarrel.dispute(stage, town)
    quarrel.credit(stage, town)
    stage.until("2026-06-12T09:00:00Z")
    quarrel.pay(stage, town)
    stage.until("2026-06-15T09:00:00Z")
    quarrel.disclose(stage, town)
    stage.until("2026-06-16T09:00:00Z")
    handover.hand_over(stage)


def _third_act(stage: Stage) -> None:
    """A hall of many owners, let in part on; a dispatcher; another ledger's listings."""
    stage.until("2026-06-18T09:00:00Z")
    owned = hall.Hall()
    hall.declare(stage)
    hall.share(stage, owned)
    stage.until("2026-06-19T09:00:00Z")
    hall.lease(stage, owned)
    hall.sublet(stage, owned)
    stage.until("2026-06-20T09:00:00Z")
    hall.run(stage, owned)
    hall.divide(stage, owned)
    stage.until("2026-07-22T09:00:00Z")
    ferry.gather(stage)
    ferry.divide(stage)
    stage.until("2026-07-23T09:00:00Z")
    neighbour.federate(stage, neighbour.publish(stage))


def _fourth_act(stage: Stage) -> None:
    """A crowd of accounts on a spot market, of fewer owners."""
    stage.until("2026-07-24T00:00:00Z")
    many = crowd.Crowd()
    crowd.declare(stage, many)
    crowd.offer(stage, many)
    crowd.trade(stage, many)
    crowd.disclose(stage, many)
    crowd.write_owners(stage)
