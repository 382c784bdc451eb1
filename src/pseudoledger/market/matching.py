"""Pairs demands with offers, and says why each offer that does not fit was rejected.

A pure function: the same demands and offers give the same answer in whatever order they come. One offer meets
a demand alone; it must hold all its chips. Cores, memory and storage of a demand with chips are checked where
the offer lists them and noted as unstated where it does not, since chip offers often leave them out. A demand
without chips must find everything it asks for, in an offer without chips. Nothing is reserved: two demands
may be shown the same stock, and whoever signs first takes it (design §3).

Acceptable offers stand in the order of their price for the whole length, then of the bytes of their ids;
prices in different currencies are not compared, their codes come first. Every check is a function of its own
that returns its reasons; the codes are stable:

    match.resource         the offer has nothing of this kind
    match.chips_unwanted   the demand asks for no chips and the offer comes with some
    match.alternative      it has other chips than those that would do
    match.count            it has fewer than needed
    match.stock            it has enough, but too few are free
    match.currency         it is priced in another currency than the ceiling, or one that we do not know
    match.ceiling          it costs more than the ceiling
    match.place            it stands in a country that is not allowed, or in none that is known
    match.residency        the same, for a data set
    match.distance         it stands farther away than the demand allows, or at an unknown distance
    match.period           it is not available for long enough within the window
    match.length           the lease would be shorter or longer than it allows
    match.host_unstated    (a note) it does not say whether the host has this
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pseudoledger.errors import Finding
from pseudoledger.market.assignment import Assigned, Cost, assign
from pseudoledger.market.dispatch.distance import Limit, load_distances
from pseudoledger.market.supply import DemandId, Need, OfferId, Supply, meets, needs_chips
from pseudoledger.market.tables import UNKNOWN_COUNTRY
from pseudoledger.statement.kinds.market import DemandLine, MatchLine
from pseudoledger.statement.values import Period, format_length, length_seconds, round_half_even, say_length

HOUR_SECONDS = 3600
MICRO_EXPONENT = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptable:
    """An offer that meets a demand: which lines, when, and for how much over the whole length."""

    offer: OfferId
    lines: tuple[MatchLine, ...]
    period: Period
    currency: str
    hour_micro: int
    fee_minor: int
    total_micro: int
    notes: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """An offer that does not meet a demand, with every reason."""

    offer: OfferId
    reasons: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What matching found for one demand: acceptable offers best first, the others by id."""

    demand: DemandId
    acceptable: tuple[Acceptable, ...]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """One demand and one offer under comparison; `required` are the lines that the offer must cover."""

    need: Need
    supply: Supply
    required: tuple[tuple[int, DemandLine], ...]
    seconds: int
    fee_micro: int | None

    def assigned(self, free: Mapping[str, int]) -> Assigned | None:
        return assign(
            [line for _, line in self.required],
            self.supply.lines,
            self.supply.rates,
            free,
            seconds=self.seconds,
            fee_micro=self.fee_micro or 0,
        )


def match(
    needs: Iterable[Need], supplies: Iterable[Supply], *, exponents: Mapping[str, int]
) -> tuple[Matched, ...]:
    """Pair every demand with every offer; `exponents` are the minor units of the known currencies."""
    offers = sorted(supplies, key=lambda supply: supply.id)
    return tuple(_matched(need, offers, exponents) for need in sorted(needs, key=lambda need: need.id))


def _matched(need: Need, offers: Iterable[Supply], exponents: Mapping[str, int]) -> Matched:
    ranked: list[tuple[tuple[str, int, str], Acceptable]] = []
    rejected: list[Rejected] = []
    for supply in offers:
        pair = _pair(need, supply, exponents)
        reasons, assigned = _judge(pair)
        if reasons or assigned is None:
            rejected.append(Rejected(offer=supply.id, reasons=reasons))
            continue
        rank = (supply.currency, _exact_price(assigned.cost, pair), supply.id)
        ranked.append((rank, _acceptable(pair, assigned)))
    ranked.sort(key=lambda entry: entry[0])
    return Matched(demand=need.id, acceptable=tuple(entry for _, entry in ranked), rejected=tuple(rejected))


def _pair(need: Need, supply: Supply, exponents: Mapping[str, int]) -> _Pair:
    lines = tuple(enumerate(need.lines))
    if any(needs_chips(line) for line in need.lines):
        lines = tuple((index, line) for index, line in lines if not _host_unstated(line, supply))
    exponent = exponents.get(supply.currency)
    return _Pair(
        need=need,
        supply=supply,
        required=lines,
        seconds=length_seconds(need.length),
        fee_micro=None if exponent is None else 10 ** (MICRO_EXPONENT - exponent),
    )


def _judge(pair: _Pair) -> tuple[tuple[Finding, ...], Assigned | None]:
    """Run every check; the assignment is that of the free stock, where there is one."""
    reasons = [
        *check_resource(pair.need, pair.supply, pair.required),
        *check_alternatives(pair.supply, pair.required),
        *check_count(pair.supply, pair.required),
    ]
    assigned: Assigned | None = None
    if not reasons:
        if pair.assigned(_boundless(pair.supply)) is None:
            reasons.append(
                Finding(code="match.count", message="it cannot hold all lines of the demand together")
            )
        else:
            assigned = pair.assigned(pair.supply.free)
            reasons.extend(check_stock(pair.supply, assigned))
    reasons.extend(check_currency(pair.need, pair.supply, known=pair.fee_micro is not None))
    if assigned is not None:
        reasons.extend(check_ceiling(pair.need, pair.supply, _exact_price(assigned.cost, pair), pair.seconds))
    reasons.extend(check_place(pair.need, pair.supply))
    reasons.extend(check_residency(pair.need, pair.supply))
    reasons.extend(check_distance(pair.need, pair.supply))
    reasons.extend(check_period(pair.need, pair.supply, pair.seconds))
    reasons.extend(check_length(pair.supply, pair.seconds))
    return tuple(reasons), assigned


def check_resource(
    need: Need, supply: Supply, required: Iterable[tuple[int, DemandLine]]
) -> Iterator[Finding]:
    """Ask for each line whether the offer has anything of its kind, and whether chips are wanted at all."""
    offered = {line.resource for line in supply.lines}
    for index, line in required:
        wanted = sorted({resource.resource for resource in line.alternatives})
        if offered.isdisjoint(wanted):
            message = f"line {line.id} needs {' or '.join(wanted)}, the offer has none"
            yield Finding(code="match.resource", message=message, field=f"/lines/{index}")
    if "chip" in offered and not any(needs_chips(line) for line in need.lines):
        yield Finding(code="match.chips_unwanted", message="the demand asks for no chips, the offer has some")


def check_alternatives(supply: Supply, required: Iterable[tuple[int, DemandLine]]) -> Iterator[Finding]:
    """Ask for each line whether one of its alternatives is offered, where the kind is offered at all."""
    offered = {line.resource for line in supply.lines}
    for index, line in required:
        kinds = {resource.resource for resource in line.alternatives}
        if offered.isdisjoint(kinds) or any(meets(line, offer) for offer in supply.lines):
            continue
        chips = sorted({offer.chip for offer in supply.lines if offer.chip is not None})
        message = f"line {line.id} takes none of {', '.join(chips)}"
        yield Finding(code="match.alternative", message=message, field=f"/lines/{index}")


def check_count(supply: Supply, required: Iterable[tuple[int, DemandLine]]) -> Iterator[Finding]:
    """Ask for each line whether one line of the offer has as many."""
    for index, line in required:
        most = max((offer.count for offer in supply.lines if meets(line, offer)), default=0)
        if 0 < most < line.count:
            message = f"line {line.id} needs {line.count}, the offer has {most}"
            yield Finding(code="match.count", message=message, field=f"/lines/{index}")


def check_stock(supply: Supply, assigned: Assigned | None) -> Iterator[Finding]:
    """Ask whether what is offered is still free."""
    if assigned is None:
        free = ", ".join(f"{supply.free.get(line.pool_line, 0)} of {line.id}" for line in supply.lines)
        yield Finding(code="match.stock", message=f"too few are free: {free}")


def check_currency(need: Need, supply: Supply, *, known: bool) -> Iterator[Finding]:
    """Ask whether the offer is priced in the currency of the ceiling, and in one that the tables know."""
    if not known:
        yield Finding(code="match.currency", message=f"currency {supply.currency} is not in the table")
    elif need.ceiling is not None and need.ceiling.currency != supply.currency:
        message = f"priced in {supply.currency}, the ceiling is in {need.ceiling.currency}"
        yield Finding(code="match.currency", message=message, field="/ceiling/currency")


def check_ceiling(need: Need, supply: Supply, exact: int, seconds: int) -> Iterator[Finding]:
    """Ask whether the price per hour, fees spread over the length, stays within the ceiling."""
    ceiling = need.ceiling
    if ceiling is None or ceiling.currency != supply.currency or exact <= ceiling.hour_micro * seconds:
        return
    # Rounded up, so that the message never shows a price equal to the ceiling it exceeds.
    hour = -(-exact // seconds)
    message = f"costs {hour} millionths an hour, the ceiling is {ceiling.hour_micro}"
    yield Finding(code="match.ceiling", message=message, field="/ceiling/hour_micro")


def check_place(need: Need, supply: Supply) -> Iterator[Finding]:
    """Ask whether the offer stands in a country that would do."""
    if need.places and supply.country not in need.places:
        yield Finding(code="match.place", message=_elsewhere(supply.country, need.places), field="/places")


def check_residency(need: Need, supply: Supply) -> Iterator[Finding]:
    """Ask for each data set whether it may be in the offer's country."""
    for index, rule in enumerate(need.residency):
        if supply.country not in rule.countries:
            message = f"data set {rule.data_set}: {_elsewhere(supply.country, rule.countries)}"
            yield Finding(code="match.residency", message=message, field=f"/residency/{index}")


def check_distance(need: Need, supply: Supply) -> Iterator[Finding]:
    """Ask whether the offer stands near enough, where the demand says how far it may."""
    if need.near is not None:
        limit = Limit(near=need.near.place, km_max=need.near.km_max)
        too_far = load_distances().beyond(limit, supply.place)
        if too_far is not None:
            yield Finding(code="match.distance", message=too_far, field="/near/km_max")


def check_period(need: Need, supply: Supply, seconds: int) -> Iterator[Finding]:
    """Ask whether the offer is available for the length somewhere within the window."""
    start = max(need.window.start_seconds, supply.available.start_seconds)
    until = min(need.window.until_seconds, supply.available.until_seconds)
    if until - start < seconds:
        overlap = say_length(format_length(until - start)) if until > start else "no time"
        message = f"window and availability share {overlap}, the demand runs {say_length(need.length)}"
        yield Finding(code="match.period", message=message, field="/window")


def check_length(supply: Supply, seconds: int) -> Iterator[Finding]:
    """Ask whether the offer is leased for so long."""
    if not length_seconds(supply.length_min) <= seconds <= length_seconds(supply.length_max):
        message = f"it is leased for {say_length(supply.length_min)} to {say_length(supply.length_max)}"
        yield Finding(code="match.length", message=message, field="/length")


def _elsewhere(country: str, allowed: Iterable[str]) -> str:
    where = "in no known country" if country == UNKNOWN_COUNTRY else f"in {country}"
    return f"it stands {where}, allowed are {', '.join(sorted(allowed))}"


def _host_unstated(line: DemandLine, supply: Supply) -> bool:
    kinds = {resource.resource for resource in line.alternatives}
    return not needs_chips(line) and kinds.isdisjoint(offer.resource for offer in supply.lines)


def _boundless(supply: Supply) -> dict[str, int]:
    """Return pools that hold all that the offer names."""
    total = sum(line.count for line in supply.lines)
    return {line.pool_line: total for line in supply.lines}


def _exact_price(cost: Cost, pair: _Pair) -> int:
    """Return the price of the whole length in 3600ths of a millionth, so that nothing is rounded."""
    return cost.hour_micro * pair.seconds + cost.fee_minor * (pair.fee_micro or 0) * HOUR_SECONDS


def _acceptable(pair: _Pair, assigned: Assigned) -> Acceptable:
    need, supply = pair.need, pair.supply
    start = max(need.window.start_seconds, supply.available.start_seconds)
    required = {line.id for _, line in pair.required}
    return Acceptable(
        offer=supply.id,
        lines=tuple(
            MatchLine(demand_line=demand.id, offer_line=offer.id, count=demand.count)
            for demand, offer in assigned.pairs
        ),
        period=Period.between(start, start + pair.seconds),
        currency=supply.currency,
        hour_micro=assigned.cost.hour_micro,
        fee_minor=assigned.cost.fee_minor,
        total_micro=round_half_even(_exact_price(assigned.cost, pair), HOUR_SECONDS),
        notes=tuple(
            Finding(
                code="match.host_unstated",
                message=f"the offer does not say whether its host has line {line.id}",
                field=f"/lines/{index}",
            )
            for index, line in enumerate(need.lines)
            if line.id not in required
        ),
    )
