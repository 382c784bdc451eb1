"""Machines: papers of the family asset, and a machine that somebody owns."""

from __future__ import annotations

from typing import Any

from play import papers
from play.deal import Deal
from play.papers import H100, Tree

SERIAL, CHIP_A, CHIP_B = "aa" * 32, "b1" * 32, "b2" * 32


def registered(serial: str = SERIAL, **changes: Any) -> Tree:
    tree = papers.simple(
        "asset.registered",
        number="S1",
        serial=serial,
        chip=H100,
        count=8,
        parts=[],
        country="DE",
        site="hall one",
    )
    return {**tree, **changes}


def moved(to: str, reason: str = "lease", number: str = "W1") -> Tree:
    return papers.simple("asset.moved", number=number, to=to, reason=reason)


def received(move: str, country: str = "FR", **changes: Any) -> Tree:
    tree = papers.simple("asset.received", move=move, country=country, condition="intact", site="hall two")
    return {**tree, **changes}


def owned(deal: Deal | None = None, **changes: Any) -> Deal:
    """A machine stands on the ledger, the lessor's."""
    deal = deal or Deal()
    deal.asset = deal.table.act(deal.lessor, registered(**changes))
    deal.move = papers.NOWHERE
    return deal


def send(deal: Deal, to, reason: str = "lease", who=None) -> Deal:
    deal.move = deal.table.act(who or deal.lessor, moved(to.did, reason), deal.asset)
    return deal


def hand_over(deal: Deal, to, reason: str = "lease", who=None, country: str = "FR") -> Deal:
    send(deal, to, reason, who)
    deal.table.act(to, received(deal.move, country), deal.asset)
    return deal
