"""The report of a run: who got what and why, who got nothing and why, what is left, and how good that is.

The file's bytes are the record: the first `RUN_DIGITS` hex digits of their SHA-256 name the run, and stand in
the number of every match that is proposed from it (`match_of`); the whole hash stands beside it from version 2 of
the kind on. Whoever is given the report can compare.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from pseudoledger.market.dispatch.distance import Distances
from pseudoledger.market.dispatch.plan import Plan
from pseudoledger.market.dispatch.reasons import Reason, why_met, why_not
from pseudoledger.market.dispatch.ways import Way
from pseudoledger.market.drafts import PayloadDraft
from pseudoledger.statement.values import Period, length_seconds

RUN_DIGITS = 32


def make_report(
    plan: Plan, distances: Distances, exponents: Mapping[str, int], *, ledger: str, as_of: str
) -> dict[str, Any]:
    """Return the report as JSON; the same plan gives the same report."""
    numbers = range(len(plan.wishes))
    chosen = plan.filling.chosen
    return {
        "report": "pseudoledger/dispatch/1",
        "ledger": ledger,
        "as_of": as_of,
        "dispatcher": plan.brief.dispatcher,
        "currency": plan.brief.currency,
        "limits": {demand: asdict(limit) for demand, limit in sorted(plan.brief.limits.items())},
        "demands": len(plan.wishes),
        "met": len(chosen),
        "offers": len(plan.listings),
        "ways": len(plan.problem.ways),
        "pairs_cut": plan.ways.cut,
        "price_micro": sum(plan.problem.ways[way].price_micro for way in chosen.values()),
        "value_micro": plan.value,
        "bound_micro": plan.bound,
        "bound_by": plan.bound_by,
        "gap_ppm": plan.gap_ppm,
        "assigned": [_assigned(plan, number, distances) for number in numbers if number in chosen],
        "unassigned": [
            {"demand": plan.wishes[number].need.id, "lessee": plan.wishes[number].lessee}
            | _reason(why_not(plan, number, exponents))
            for number in numbers
            if number not in chosen
        ],
        "clusters": _clusters(plan),
        "stock": [
            {"line": row.name, "free": row.free, "left": left, "one_more_micro": price}
            for row, left, price in zip(plan.problem.rows, plan.filling.free, plan.prices, strict=True)
        ],
    }


def report_bytes(report: Mapping[str, Any]) -> bytes:
    """Return the bytes of a report's file."""
    return (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run as its matches name it: the hash and the size of its report's bytes."""

    sha256: str
    size: int

    @classmethod
    def of(cls, raw: bytes) -> Run:
        """Name the run whose report has these bytes."""
        return cls(sha256=sha256(raw).hexdigest(), size=len(raw))

    @property
    def name(self) -> str:
        """The run's name, for people: the first digits of the hash."""
        return f"D-{self.sha256[:RUN_DIGITS]}"


def match_of(plan: Plan, demand: int, *, run: Run, place: int, valid_to: str, v: int) -> PayloadDraft:
    """Draft the `match.proposed` of a demand that was met; its subject is the demand.

    `place` is where the report has it in `assigned`, from 1: its number then names the report and the row.
    From version 2 of the kind on it also carries why these two, and the whole hash of the report.
    """
    way = plan.problem.ways[plan.filling.chosen[demand]]
    listing = plan.listings[way.listing]
    draft: PayloadDraft = {
        "type": "match.proposed",
        "v": v,
        "number": f"{run.name}/{place}",
        "offer": listing.supply.id,
        "lines": _lines(way),
        "mandates": [*listing.mandates, *plan.wishes[demand].mandates],
        "valid_to": valid_to,
    }
    if v == 1:
        return draft
    why = why_met(plan, demand).code.removeprefix("dispatch.")
    report = {"sha256": run.sha256, "media_type": "application/json", "bytes": run.size}
    return draft | {"reason": why, "report": report}


def _lines(way: Way) -> list[dict[str, Any]]:
    return [
        {"demand_line": wanted.id, "offer_line": offer.id, "count": wanted.count}
        for wanted, offer in way.pairs
    ]


def _assigned(plan: Plan, demand: int, distances: Distances) -> dict[str, Any]:
    number = plan.filling.chosen[demand]
    way = plan.problem.ways[number]
    wish, listing = plan.wishes[demand], plan.listings[way.listing]
    limit, own = plan.brief.limits.get(wish.need.id), wish.need.near
    near = limit.near if limit is not None else own.place if own is not None else None
    start = max(wish.need.window.start_seconds, listing.supply.available.start_seconds)
    period = Period.between(start, start + length_seconds(wish.need.length))
    return {
        "demand": wish.need.id,
        "lessee": wish.lessee,
        "offer": listing.supply.id,
        "lessor": listing.lessor,
        "place": listing.place,
        "distance_km": None if near is None else distances.km(near, listing.place),
        "lines": _lines(way),
        "period": period.model_dump(mode="json"),
        "hour_micro": way.hour_micro,
        "fee_minor": way.fee_minor,
        "price_micro": way.price_micro,
        "worth_micro": plan.problem.worth[demand],
        "ways": len(plan.problem.of(demand)),
        "mandates": [*listing.mandates, *wish.mandates],
    } | _reason(why_met(plan, demand))


def _reason(reason: Reason) -> dict[str, Any]:
    offers = {"offers": dict(reason.offers)} if reason.offers else {}
    return {"reason": reason.code, "why": reason.message} | offers


def _clusters(plan: Plan) -> list[dict[str, Any]]:
    """Return what each cluster was given: demands, and units of each chip or other resource."""
    demands: Counter[Any] = Counter()
    prices: Counter[Any] = Counter()
    units: dict[Any, Counter[str]] = {}
    for way in (plan.problem.ways[number] for number in plan.filling.chosen.values()):
        cluster = plan.listings[way.listing].cluster
        demands[cluster] += 1
        prices[cluster] += way.price_micro
        given = units.setdefault(cluster, Counter())
        for wanted, offer in way.pairs:
            given[offer.chip or offer.resource] += wanted.count
    return [
        {
            "lessor": cluster.lessor,
            "place": cluster.place,
            "demands": demands[cluster],
            "units": dict(sorted(units.get(cluster, Counter()).items())),
            "price_micro": prices[cluster],
        }
        for cluster in sorted(
            {listing.cluster for listing in plan.listings},
            key=lambda cluster: (cluster.place, cluster.lessor),
        )
    ]
