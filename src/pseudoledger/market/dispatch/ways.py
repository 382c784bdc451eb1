"""Every way in which an offer could meet a demand: which lines, at what price, taking what of which stock.

The conditions are those of `market match` (a test compares them), found quickly: offers are looked up by what
they have, and cheap comparisons come first. On top of them stand those of a dispatch: one currency, the
distance limit of the run, and, where a dispatcher is to sign, a mandate of one side at least.

Where several lines of an offer would do, each is a way of its own. Of one pair of demand and offer at most
`WAYS_MAX` are looked at, in `STEPS_MAX` steps, in the order of the offer's lines; `Ways.cut` counts the pairs
that had more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pseudoledger.market.assignment import STEPS_MAX
from pseudoledger.market.dispatch.distance import Distances, Limit
from pseudoledger.market.dispatch.sides import Listing, Wish
from pseudoledger.market.supply import needs_chips
from pseudoledger.statement.kinds.market import DemandLine, OfferLine
from pseudoledger.statement.values import length_seconds, round_half_even

HOUR_SECONDS = 3600
MICRO_EXPONENT = 6
WAYS_MAX = 64
AMOUNT_MAX = 2**53 - 1
"""No price or ceiling above it is dispatched, so that sums of two fit 64 bits."""

Thing = tuple[str, str | None]
Pair = tuple[DemandLine, OfferLine]


class Way(NamedTuple):
    """One demand met by one offer in one way; a tuple, since there are hundreds of thousands."""

    listing: int
    """Number of the offer among the listings, which stand in the order of their ids."""
    pairs: tuple[Pair, ...]
    hour_micro: int
    fee_minor: int
    price_micro: int
    """For the whole length, rounded half to even."""
    uses: tuple[tuple[int, int], ...]
    """(row of stock, units), by row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What a run is asked for, besides the two sides."""

    currency: str
    fee_micro: int
    """Millionths of one minor unit of the currency."""
    limits: Mapping[str, Limit] = field(default_factory=dict)
    """By demand id; without one a demand may go anywhere it allows."""
    dispatcher: str | None = None
    """Who is to sign the matches, by the first key of its chain; None where nobody does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One stock that ways draw on: a line of a pool, or of an offer that gives less than its pool has."""

    name: str
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A demand with its values read once."""

    lines: tuple[tuple[DemandLine, tuple[Thing, ...], bool], ...]
    """Each line, what would do for it, and whether that is chips."""
    chips: bool
    seconds: int
    start: int
    until: int
    countries: frozenset[str] | None
    """What places and every residency rule allow; None for anywhere."""
    ceiling: int | None
    """Most for the whole length, in 3600ths of a millionth; -1 where it is in another currency."""
    near: Limit | None
    """The demand's own distance limit."""

    @classmethod
    def of(cls, wish: Wish, brief: Brief) -> _Asked:
        need = wish.need
        seconds = length_seconds(need.length)
        rules = [frozenset(rule.countries) for rule in need.residency]
        if need.places:
            rules.append(frozenset(need.places))
        ceiling = None
        if need.ceiling is not None:
            same = need.ceiling.currency == brief.currency
            ceiling = need.ceiling.hour_micro * seconds if same else -1
        lines = tuple(
            (
                line,
                tuple(dict.fromkeys((resource.resource, resource.chip) for resource in line.alternatives)),
                needs_chips(line),
            )
            for line in need.lines
        )
        return cls(
            lines=lines,
            chips=any(chip for _, _, chip in lines),
            seconds=seconds,
            start=need.window.start_seconds,
            until=need.window.until_seconds,
            countries=frozenset.intersection(*rules) if rules else None,
            ceiling=ceiling,
            near=Limit(near=need.near.place, km_max=need.near.km_max) if need.near else None,
        )


@dataclass(slots=True)
class _Ready:
    """An offer with its values read once."""

    number: int
    listing: Listing
    start: int
    until: int
    length_min: int
    length_max: int
    things: dict[Thing, list[OfferLine]]
    rows: dict[str, tuple[int, ...]]
    rates: dict[str, tuple[int, int]]
    """Price of an hour and fee of each line."""
    resources: frozenset[str]


class Ways:
    """Finds the ways of one demand after the other."""

    def __init__(self, offers: Sequence[Listing], brief: Brief, distances: Distances) -> None:
        """Read the offers; `offers` stand in the order of their ids."""
        self._brief, self._distances = brief, distances
        self.rows: list[Row] = []
        self.cut = 0
        self._by_thing: dict[Thing, list[int]] = {}
        numbers: dict[str, int] = {}
        self._ready = [self._read(number, offer, numbers) for number, offer in enumerate(offers)]
        for ready in self._ready:
            for thing in ready.things:
                self._by_thing.setdefault(thing, []).append(ready.number)

    def _read(self, number: int, listing: Listing, numbers: dict[str, int]) -> _Ready:
        supply = listing.supply
        things: dict[Thing, list[OfferLine]] = {}
        rows: dict[str, tuple[int, ...]] = {}
        for line in sorted(supply.lines, key=lambda line: line.id):
            things.setdefault((line.resource, line.chip), []).append(line)
            pool = f"{listing.pool}/{line.pool_line}"
            free = supply.free.get(line.pool_line, 0)
            if pool not in numbers:
                numbers[pool] = len(self.rows)
                self.rows.append(Row(name=pool, free=free))
            row = numbers[pool]
            if self.rows[row].free > free:
                # Offers of one pool end at different times, and what is free until then differs.
                self.rows[row] = Row(name=pool, free=free)
            rows[line.id] = (row,)
            if listing.own_free[line.id] < free:
                rows[line.id] = (row, len(self.rows))
                self.rows.append(Row(name=f"{supply.id}/{line.id}", free=listing.own_free[line.id]))
        return _Ready(
            number=number,
            listing=listing,
            start=supply.available.start_seconds,
            until=supply.available.until_seconds,
            length_min=length_seconds(supply.length_min),
            length_max=length_seconds(supply.length_max),
            things=things,
            rows=rows,
            rates={line: (rate.price_micro or 0, rate.fee_minor or 0) for line, rate in supply.rates.items()},
            resources=frozenset(line.resource for line in supply.lines),
        )

    def of(self, wish: Wish) -> list[Way]:
        """Return the ways of a demand, cheapest first, then by offer and lines."""
        asked = _Asked.of(wish, self._brief)
        found: list[Way] = []
        for number in self._candidates(asked):
            ready = self._ready[number]
            if (
                ready.length_min <= asked.seconds <= ready.length_max
                and min(asked.until, ready.until) - max(asked.start, ready.start) >= asked.seconds
                and (asked.countries is None or ready.listing.supply.country in asked.countries)
                and (asked.chips or "chip" not in ready.resources)
                and (asked.near is None or self._distances.beyond(asked.near, ready.listing.place) is None)
                and not any(True for _ in self.beyond(wish, ready.listing))
            ):
                found += self._met(asked, ready)
        found.sort(key=lambda way: (way.price_micro, way.listing, [offer.id for _, offer in way.pairs]))
        return found

    def beyond(self, wish: Wish, listing: Listing) -> Iterator[tuple[str, str]]:
        """Yield why a dispatch may not bring a pair together that matching would: code and message."""
        supply = listing.supply
        if supply.currency != self._brief.currency:
            yield "dispatch.currency", f"priced in {supply.currency}, this run is in {self._brief.currency}"
        limit = self._brief.limits.get(wish.need.id)
        if limit is not None and (too_far := self._distances.beyond(limit, listing.place)) is not None:
            yield "dispatch.distance", too_far
        if wish.lessee == listing.lessor:
            yield "dispatch.same_party", "lessor and lessee are the same party"
        dispatcher = self._brief.dispatcher
        if dispatcher is None:
            return
        if dispatcher in (wish.lessee, listing.lessor):
            yield "dispatch.own", "the dispatcher is itself lessor or lessee"
        elif not (wish.mandates or listing.mandates):
            yield "dispatch.mandate", "neither side has mandated the dispatcher to propose"

    def _candidates(self, asked: _Asked) -> Sequence[int]:
        """Return the offers that have something for the scarcest line."""
        lines = [things for _, things, chip in asked.lines if chip or not asked.chips]
        sets = [{number for thing in things for number in self._by_thing.get(thing, ())} for things in lines]
        fewest: set[int] = min(sets, key=len)
        return sorted(fewest)

    def _met(self, asked: _Asked, ready: _Ready) -> Iterator[Way]:
        lines, choices = [], []
        for line, things, chip in asked.lines:
            if asked.chips and not chip and ready.resources.isdisjoint(name for name, _ in things):
                continue
            fitting = [
                offer
                for thing in things
                for offer in ready.things.get(thing, ())
                if offer.count >= line.count
            ]
            if not fitting:
                return
            lines.append(line)
            choices.append(fitting)
        for number, (pairs, uses) in enumerate(self._laid(lines, choices, ready)):
            if number == WAYS_MAX:
                self.cut += 1
                return
            hour, fee = _cost(pairs, ready.rates)
            exact = hour * asked.seconds + fee * self._brief.fee_micro * HOUR_SECONDS
            if asked.ceiling is not None and exact > asked.ceiling:
                continue
            price = round_half_even(exact, HOUR_SECONDS)
            if price <= AMOUNT_MAX:
                yield Way(ready.number, pairs, hour, fee, price, uses)

    def _laid(
        self, lines: Sequence[DemandLine], choices: Sequence[Sequence[OfferLine]], ready: _Ready
    ) -> Iterator[tuple[tuple[Pair, ...], tuple[tuple[int, int], ...]]]:
        """Lay the lines of a demand on lines of an offer in every way that its free stock holds."""
        if len(lines) == 1:
            units = lines[0].count
            for offer in choices[0]:
                rows = ready.rows[offer.id]
                if all(self.rows[row].free >= units for row in rows):
                    yield ((lines[0], offer),), tuple((row, units) for row in rows)
            return
        used: dict[int, int] = {}
        given: dict[str, int] = {}
        chosen: list[Pair] = []
        steps = 0

        def lay(index: int) -> Iterator[tuple[tuple[Pair, ...], tuple[tuple[int, int], ...]]]:
            if index == len(lines):
                yield tuple(chosen), tuple(sorted((row, units) for row, units in used.items() if units))
                return
            nonlocal steps
            line = lines[index]
            for offer in choices[index]:
                steps += 1
                if steps > STEPS_MAX:
                    self.cut += steps == STEPS_MAX + 1
                    return
                rows, units = ready.rows[offer.id], line.count
                if given.get(offer.id, 0) + units > offer.count:
                    continue
                if any(used.get(row, 0) + units > self.rows[row].free for row in rows):
                    continue
                for row in rows:
                    used[row] = used.get(row, 0) + units
                given[offer.id] = given.get(offer.id, 0) + units
                chosen.append((line, offer))
                yield from lay(index + 1)
                chosen.pop()
                given[offer.id] -= units
                for row in rows:
                    used[row] -= units

        yield from lay(0)


def _cost(pairs: Sequence[Pair], rates: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """Return the price of an hour and the fees; a fee is owed once for a line of the offer."""
    hour = fee = 0
    for number, (wanted, offer) in enumerate(pairs):
        price, once = rates[offer.id]
        hour += price * wanted.count
        if once and all(other is not offer for _, other in pairs[:number]):
            fee += once
    return hour, fee
