"""The third act goes on: a dispatcher divides what two halls have among four who ask, and says why."""

from __future__ import annotations

from typing import Any

from pseudoledger.contract.ruleset import tables_for
from pseudoledger.contract.things import Demand, Offer
from pseudoledger.demo.hall import HALL, STUDIO, TENANT, chips_offer, demand_tree
from pseudoledger.demo.stage import Stage
from pseudoledger.market.dispatch import plan, report, sides, ways
from pseudoledger.market.dispatch.distance import load_distances
from pseudoledger.statement.values import format_instant

DISPATCHER, OTHER_HALL, REPORT = "ferry-dispatch", "gull-hall", "dispatch.json"
HALLS = (HALL, OTHER_HALL)
ASKED = {TENANT: 8, STUDIO: 4, "kelp-lab": 8, "moss-lab": 16}
"""Who asks for how many chips; the two halls have twenty, in two places."""
NEAR = {STUDIO: {"near": {"country": "EE", "km_max": 200}}}
"""Who asks for machines that stand no farther from a place."""
WINDOW = {"from": "2026-08-01T00:00:00Z", "until": "2026-09-01T00:00:00Z"}


def gather(stage: Stage) -> None:
    """Another hall and two laboratories join; four ask for chips, and both halls mandate the dispatcher."""
    stage.introduce(DISPATCHER, OTHER_HALL, "kelp-lab", "moss-lab")
    chips_offer(
        stage,
        OTHER_HALL,
        place={"country": "SE", "subdivision": "SE-AB"},
        price_micro=1_950_000,
        count=8,
    )
    for who in HALLS:
        tree = {
            "type": "broker.mandated",
            "number": "M-1",
            "broker": stage.did(DISPATCHER),
            "scope": ["propose"],
            "commission_bps": 50,
            "until": "2026-10-01T00:00:00Z",
        }
        stage.act(who, tree)
    for who, count in ASKED.items():
        stage.act(who, {**demand_tree("august", count, WINDOW), **NEAR.get(who, {})})
    stage.note(
        "everybody",
        f"two halls mandate {DISPATCHER}; four ask for {sum(ASKED.values())} chips, where they have 20",
    )


def divide(stage: Stage) -> dict[str, Any]:
    """Solve who gets what, write the report, and propose a match for everybody who is met."""
    party, book = stage.did(DISPATCHER), stage.book
    exponents, distances = tables_for(stage.registrar.state.pins).exponents, load_distances()
    brief = ways.Brief(
        currency="USD", fee_micro=10 ** (ways.MICRO_EXPONENT - exponents["USD"]), dispatcher=party
    )
    wishes = sides.wishes(book, stage.now, dispatcher=party)
    listings = sides.listings(book, stage.now, dispatcher=party)
    found = plan.dispatch(wishes, listings, brief, distances)
    value = report.make_report(
        found, distances, exponents, ledger=stage.ledger_id, as_of=format_instant(stage.now)
    )
    raw = report.report_bytes(value)
    (stage.directory / "out" / REPORT).write_bytes(raw)
    gap = (
        f"at most {value['gap_ppm'] / 10_000:.4f} % below the best" if value["gap_ppm"] else "none is better"
    )
    stage.note(
        DISPATCHER, f"divides {value['offers']} offers among {value['demands']} demands; by the bound, {gap}"
    )
    _propose(stage, found, report.Run.of(raw))
    for row in value["assigned"]:
        offer = book.get(Offer, row["offer"])
        assert offer is not None, "the report names offers of the book"
        far = "" if row["distance_km"] is None else f", {row['distance_km']} km away"
        stage.note(
            DISPATCHER,
            f"{_asked(stage, row)} goes to {stage.name(offer.lessor)}{far}: {row['why']}",
        )
    for row in value["unassigned"]:
        stage.note(DISPATCHER, f"{_asked(stage, row)} goes nowhere: {row['why']}")
    return value


def _propose(stage: Stage, found: plan.Plan, run: report.Run) -> None:
    for place, number in enumerate(sorted(found.filling.chosen), 1):
        tree = report.match_of(
            found, number, run=run, place=place, valid_to=format_instant(stage.now + 7 * 86_400), v=2
        )
        stage.act(DISPATCHER, dict(tree), found.wishes[number].need.id)


def _asked(stage: Stage, row: dict[str, Any]) -> str:
    demand = stage.book.get(Demand, row["demand"])
    assert demand is not None, "the report names demands of the book"
    return f"{stage.name(demand.lessee)} with {demand.payload.lines[0].count} chips"
