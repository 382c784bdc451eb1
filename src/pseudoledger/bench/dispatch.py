"""A seeded market of any size for the dispatcher, and how long it takes and how good its answer is.

Clusters of two kinds of chips and a host each stand in 24 places; demands take one to three alternatives,
counts from 1 to 64, lengths from a week to three months, most of them with a ceiling, some with countries, a
residency rule or a distance limit. About a fifth more is wanted than there is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random

from pseudoledger.bench.measure import Figure, at_most
from pseudoledger.market.dispatch.distance import Limit, load_distances
from pseudoledger.market.dispatch.plan import dispatch
from pseudoledger.market.dispatch.problem import make_problem
from pseudoledger.market.dispatch.sides import Listing, Wish
from pseudoledger.market.dispatch.solver import relax
from pseudoledger.market.dispatch.ways import Brief, Ways
from pseudoledger.market.supply import DemandId, Need, OfferId, Supply
from pseudoledger.statement.kinds.market import Ceiling, DemandLine, OfferLine, Rate, Residency, Resource
from pseudoledger.statement.values import Period, format_length

DAY = 86_400
DEMANDS_PER_CLUSTER = 50
CHIPS = tuple(
    (f"bench-chip-{number}", price)
    for number, price in enumerate(
        (350_000, 700_000, 1_100_000, 1_600_000, 2_200_000, 2_900_000, 3_700_000, 4_800_000)
    )
)
PLACES = (
    "FI", "SE", "NO", "DE", "FR", "NL", "GB", "IE", "PL", "ES", "IT", "US-VA", "US-TX", "US-OR", "US-OH", "CA-QC",
    "BR-SP", "JP", "KR", "SG", "IN", "AU-NSW", "AE", "ZA",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """A seeded market."""

    wishes: tuple[Wish, ...]
    listings: tuple[Listing, ...]
    brief: Brief


def make_market(*, demands: int, clusters: int, seed: int = 1) -> Market:
    """Make a market; the same numbers give the same one."""
    dice = Random(seed)  # noqa: S311 - a repeatable market, nothing secret
    listings = tuple(_listing(dice, number, demands / clusters) for number in range(clusters))
    wishes = tuple(_wish(dice, number) for number in range(demands))
    limits: dict[str, Limit] = {
        wish.need.id: Limit(near=dice.choice(PLACES), km_max=dice.choice((1_500, 3_000, 6_000)))
        for wish in wishes
        if not wish.need.places and dice.random() < 0.2
    }
    return Market(
        wishes=wishes,
        listings=listings,
        brief=Brief(currency="USD", fee_micro=10_000, limits=limits),
    )


def _id(*parts: object) -> str:
    return sha256("\0".join(map(str, ("pseudoledger/bench/dispatch", *parts))).encode()).hexdigest()


def _listing(dice: Random, number: int, share: float) -> Listing:
    place = PLACES[number % len(PLACES)]
    stock = [(f"c{at}", *chip) for at, chip in enumerate(sorted(dice.sample(CHIPS, 2)))]
    lines = [
        OfferLine(
            id=name,
            resource="chip",
            chip=chip,
            pool_line=name,
            count=8 * max(1, round(dice.uniform(0.5, 1.5) * share * 0.9)),
        )
        for name, chip, _ in stock
    ]
    lines.append(
        OfferLine(
            id="cpu", resource="cpu_core", pool_line="cpu", count=16 * sum(line.count for line in lines)
        )
    )
    # Prices end in odd figures, so that hardly two offers cost the same.
    rates = {
        name: Rate(line=name, basis="reserved", price_micro=round(price * dice.uniform(0.75, 1.35)))
        for name, _, price in stock
    }
    rates["cpu"] = Rate(line="cpu", basis="reserved", price_micro=dice.randrange(5_000, 15_000))
    supply = Supply(
        id=OfferId(_id("offer", number)),
        lines=tuple(lines),
        rates=rates,
        currency="USD",
        country=place[:2],
        length_min="P1D",
        length_max=format_length(dice.choice((30, 60, 120)) * DAY),
        available=Period.between(0, 180 * DAY),
        free={line.pool_line: line.count for line in lines},
    )
    return Listing(
        supply=supply,
        lessor=f"lessor {number}",
        pool=_id("pool", number),
        place=place,
        own_free={line.id: line.count for line in lines},
    )


def _wish(dice: Random, number: int) -> Wish:
    chips = dice.sample(CHIPS, dice.choice((1, 1, 2, 3)))
    count = dice.choice((1, 1, 2, 2, 4, 4, 8, 8, 8, 16, 32, 64))
    lines = [
        DemandLine(
            id="chip",
            count=count,
            alternatives=tuple(Resource(resource="chip", chip=chip) for chip, _ in chips),
        )
    ]
    if dice.random() < 0.5:
        lines.append(DemandLine(id="cpu", count=8 * count, alternatives=(Resource(resource="cpu_core"),)))
    ceiling = round(max(price for _, price in chips) * count * dice.uniform(1.0, 1.6)) + 200_000 * count
    countries = tuple(sorted({place[:2] for place in dice.sample(PLACES, 6)}))
    need = Need(
        id=DemandId(_id("demand", number)),
        lines=tuple(lines),
        ceiling=Ceiling(currency="USD", hour_micro=ceiling) if dice.random() < 0.9 else None,
        window=Period.between(0, 180 * DAY),
        length=format_length(dice.randrange(7, 91) * DAY),
        places=countries if dice.random() < 0.3 else (),
        residency=(Residency(data_set="x", countries=countries),) if dice.random() < 0.1 else (),
    )
    return Wish(need=need, lessee=f"lessee {number}")


def bench_dispatch(directory: Path, *, entries: int) -> Iterator[Figure]:  # noqa: ARG001 - nothing is written
    """Measure one dispatch of `entries` demands over a fiftieth as many clusters."""
    market = make_market(demands=entries, clusters=max(1, entries // DEMANDS_PER_CLUSTER))
    distances = load_distances()
    started, worked = time.perf_counter(), time.process_time()
    plan = dispatch(market.wishes, market.listings, market.brief, distances)
    whole, worked = time.perf_counter() - started, time.process_time() - worked
    alone = _relaxation_alone(market)
    yield Figure(
        name=f"dispatch, {entries:,} demands x {len(market.listings)} clusters",
        value=whole,
        unit="s",
        goal="≤ 60",
        met=whole <= 60,
        limit="the relaxation alone",
        limit_value=alone,
    )
    # On a machine that others use too, this is the one that says how much work it was.
    yield Figure(name="dispatch, processor time", value=worked, unit="s")
    yield at_most("dispatch, gap to the bound", plan.gap_ppm / 10_000, "%", 1)
    yield Figure(name="dispatch, ways looked at", value=len(plan.problem.ways), unit="ways")
    yield Figure(name="dispatch, demands met", value=len(plan.filling.chosen), unit="demands")


def _relaxation_alone(market: Market) -> float:
    wishes = sorted(market.wishes, key=lambda wish: wish.need.id)
    ways = Ways(sorted(market.listings, key=lambda item: item.supply.id), market.brief, load_distances())
    problem = make_problem(wishes, [ways.of(wish) for wish in wishes], ways.rows)
    started = time.perf_counter()
    relax(problem)
    return time.perf_counter() - started
