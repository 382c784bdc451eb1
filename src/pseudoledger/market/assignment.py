"""Lays the lines of one demand on the lines of one offer, as cheaply as capacity allows.

A line of the demand goes to one line of the offer whole, because chips of one line are meant to work
together; several lines may share a line of the offer. The cheapest assignment is found by depth-first search
with a bound; equally cheap ones are decided by the offer's line ids in the demand's order. The search is cut
after `STEPS_MAX` steps: no offer of a real catalogue comes near it, and a hostile one costs no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pseudoledger.market.supply import meets
from pseudoledger.statement.kinds.market import DemandLine, OfferLine, Rate

STEPS_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What something costs: millionths per hour, and fees once in minor units."""

    hour_micro: int = 0
    fee_minor: int = 0

    def plus(self, rate: Rate | None, count: int) -> Cost:
        """Add one line's rate; a fee is owed once for its line however many units it has."""
        if rate is None:
            return self
        return Cost(
            hour_micro=self.hour_micro + (rate.price_micro or 0) * count,
            fee_minor=self.fee_minor + (rate.fee_minor or 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """Which line of the offer meets which line of the demand, in the demand's order, and what all cost."""

    pairs: tuple[tuple[DemandLine, OfferLine], ...]
    cost: Cost


@dataclass(slots=True)
class _Search:
    """One depth-first search; `order` turns a cost into the integer that is minimised."""

    lines: Sequence[DemandLine]
    choices: Sequence[Sequence[OfferLine]]
    rates: Mapping[str, Rate]
    seconds: int
    fee_micro: int
    room: dict[str, int]
    pool_room: dict[str, int]
    best: tuple[OfferLine, ...] | None = None
    best_order: int = 0
    steps: int = 0
    chosen: list[OfferLine] = field(default_factory=list)

    def order(self, cost: Cost) -> int:
        return cost.hour_micro * self.seconds + cost.fee_minor * self.fee_micro * 3600

    def run(self, index: int, cost: Cost) -> None:
        self.steps += 1
        if self.steps > STEPS_MAX:
            return
        if self.best is not None and self.order(cost) >= self.best_order:
            return
        if index == len(self.lines):
            self.best, self.best_order = tuple(self.chosen), self.order(cost)
            return
        count = self.lines[index].count
        for line in self.choices[index]:
            if self.room[line.id] < count or self.pool_room.get(line.pool_line, 0) < count:
                continue
            self.take(line, count)
            first = self.chosen.count(line) == 1
            rate = self.rates.get(line.id)
            # A fee is owed once for a line of the offer, also where several lines of the demand share it.
            paid = rate if first or rate is None or rate.fee_minor is None else None
            self.run(index + 1, cost.plus(paid, count))
            self.give_back(line, count)

    def take(self, line: OfferLine, count: int) -> None:
        self.room[line.id] -= count
        self.pool_room[line.pool_line] -= count
        self.chosen.append(line)

    def give_back(self, line: OfferLine, count: int) -> None:
        self.room[line.id] += count
        self.pool_room[line.pool_line] += count
        self.chosen.pop()


def assign(
    demand_lines: Sequence[DemandLine],
    offer_lines: Sequence[OfferLine],
    rates: Mapping[str, Rate],
    free: Mapping[str, int],
    *,
    seconds: int,
    fee_micro: int,
) -> Assigned | None:
    """Find the cheapest assignment within counts and free stock; None where there is none.

    `seconds` is the length of the lease and `fee_micro` the millionths of one minor unit, so that fees and
    hourly prices can be added.
    """
    # The hardest lines first: fewest choices, then the largest count.
    choices = {
        line.id: sorted(
            (offer for offer in offer_lines if meets(line, offer)),
            key=lambda offer: (_price(rates.get(offer.id)), offer.id),
        )
        for line in demand_lines
    }
    lines = sorted(demand_lines, key=lambda line: (len(choices[line.id]), -line.count, line.id))
    search = _Search(
        lines=lines,
        choices=[choices[line.id] for line in lines],
        rates=rates,
        seconds=seconds,
        fee_micro=fee_micro,
        room={line.id: line.count for line in offer_lines},
        pool_room=dict(free),
    )
    search.run(0, Cost())
    if search.best is None:
        return None
    met = {line.id: offer for line, offer in zip(lines, search.best, strict=True)}
    pairs = tuple((line, met[line.id]) for line in demand_lines)
    return Assigned(pairs=pairs, cost=cost_of(pairs, rates))


def cost_of(pairs: Sequence[tuple[DemandLine, OfferLine]], rates: Mapping[str, Rate]) -> Cost:
    """Add up what an assignment costs."""
    cost, fees = Cost(), set[str]()
    for demand_line, offer_line in pairs:
        rate = rates.get(offer_line.id)
        if rate is not None and rate.fee_minor is not None:
            if offer_line.id in fees:
                continue
            fees.add(offer_line.id)
        cost = cost.plus(rate, demand_line.count)
    return cost


def _price(rate: Rate | None) -> tuple[int, int]:
    return (0, 0) if rate is None else (rate.price_micro or 0, rate.fee_minor or 0)
