"""Why each demand got what it got, or nothing: true of the plan as it stands, and checked by tests.

    dispatch.cheapest       (met) it got the cheapest offer that fits it
    dispatch.next_cheapest  (met) of every cheaper way too little stock is left
    dispatch.stock_taken    offers fit it, and of each of them others got so much that too little is left
    dispatch.no_offer       no open offer fits it; the reasons are counted over the offers

Reasons for one offer, besides those of `market match`:

    dispatch.currency       it is priced in another currency than the run
    dispatch.distance       it stands farther away than the limit of the run, or at an unknown distance
    dispatch.same_party     lessor and lessee are one party
    dispatch.own            the dispatcher itself is one of the two, and may not broker for itself
    dispatch.mandate        neither side has mandated the dispatcher to propose
    dispatch.booked         leases signed earlier hold too much of this offer's own lines
    dispatch.amount         its price is above what a dispatch can add up
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pseudoledger.market.dispatch.plan import Plan
from pseudoledger.market.dispatch.ways import AMOUNT_MAX
from pseudoledger.market.matching import match


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why one demand was met as it was, or not."""

    code: str
    message: str
    offers: tuple[tuple[str, int], ...] = ()
    """For `dispatch.no_offer`: each code, and of how many offers it is true."""


def why_met(plan: Plan, demand: int) -> Reason:
    """Say why a demand got its way."""
    way = plan.filling.chosen[demand]
    ways = plan.problem.of(demand)
    place = way - ways.start
    if plan.problem.ways[way].price_micro == plan.problem.ways[ways.start].price_micro:
        return Reason(code="dispatch.cheapest", message=f"the cheapest of {_some(len(ways), 'way')} that fit")
    return Reason(
        code="dispatch.next_cheapest",
        message=f"of {_some(place, 'cheaper way')}, out of {len(ways)} that fit, too little stock is left",
    )


def why_not(plan: Plan, demand: int, exponents: Mapping[str, int]) -> Reason:
    """Say why a demand got nothing."""
    ways = plan.problem.of(demand)
    if not len(ways):
        return _no_offer(plan, demand, exponents)
    offers = {plan.problem.ways[way].listing for way in ways}
    row, units = plan.filling.short(ways.start)[0]
    return Reason(
        code="dispatch.stock_taken",
        message=(
            f"of {_some(len(offers), 'offer')} that would fit too little is left;"
            f" it needs {units} of the cheapest, of which {plan.filling.free[row]} are left"
        ),
    )


def _no_offer(plan: Plan, demand: int, exponents: Mapping[str, int]) -> Reason:
    wish = plan.wishes[demand]
    supplies = [listing.supply for listing in plan.listings]
    (matched,) = match([wish.need], supplies, exponents=exponents)
    codes: dict[str, set[str]] = {
        rejected.offer: {reason.code for reason in rejected.reasons} for rejected in matched.rejected
    }
    for acceptable in matched.acceptable:
        codes[acceptable.offer] = {"dispatch.amount"} if acceptable.total_micro > AMOUNT_MAX else set()
    for listing in plan.listings:
        own = codes[listing.supply.id]
        own.update(code for code, _ in plan.ways.beyond(wish, listing))
        if not own:
            own.add("dispatch.booked")
    counted = Counter(code for own in codes.values() for code in own)
    offers = tuple(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
    said = ", ".join(f"{code} ({count})" for code, count in offers) or "none is open"
    return Reason(
        code="dispatch.no_offer",
        message=f"none of {_some(len(codes), 'open offer')} fits: {said}",
        offers=offers,
    )


def _some(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
