"""Rules of the family *market*: pools, offers, demands, mandates, matches and bids (design §3).

What waits for somebody's answer reserves nothing.
"""

from __future__ import annotations

from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.rules.affiliate import broker_no_affiliate, matcher_no_affiliate
from pseudoledger.contract.rules.common import (
    Fold,
    close_paper,
    open_paper,
    within_quota,
)
from pseudoledger.contract.things import Demand, Mandate, Match, Offer, Pool, PoolLine
from pseudoledger.statement.values import instant_seconds, length_seconds


def line_ids_unique(case: Case) -> Findings:
    """Line ids name one line each."""
    seen: set[str] = set()
    for index, line in enumerate(case.payload.lines):
        if line.id in seen:
            yield refuse("line.id_reused", f"line id {line.id!r} stands twice", field=f"/lines/{index}/id")
        seen.add(line.id)


def pool_is_own(case: Case) -> Findings:
    """An offer draws on the lessor's own pool."""
    pool = case.book.get(Pool, case.payload.pool)
    if pool is None:
        yield refuse("offer.unknown_pool", f"no pool {case.payload.pool} is on this ledger", field="/pool")
    elif not case.is_party(pool.lessor):
        yield refuse("offer.not_own_pool", "the pool is another lessor's", field="/pool", entry=pool.entry)


def lines_in_pool(case: Case) -> Findings:
    """Every offered line stands in the pool, as the same resource and not more of it."""
    pool = case.book.get(Pool, case.payload.pool)
    if pool is None:
        return
    for index, line in enumerate(case.payload.lines):
        stock = pool.lines.get(line.pool_line)
        place = f"/lines/{index}"
        if stock is None:
            yield refuse(
                "offer.unknown_pool_line",
                f"the pool has no line {line.pool_line!r}",
                field=f"{place}/pool_line",
            )
        elif (stock.resource, stock.chip) != (line.resource, line.chip):
            yield refuse(
                "offer.other_resource", "the pool's line is another resource", field=place, entry=pool.entry
            )
        elif line.count > stock.count:
            yield refuse(
                "offer.more_than_pool",
                f"the pool has {stock.count}",
                field=f"{place}/count",
                entry=pool.entry,
            )


def tariff_covers_lines(case: Case) -> Findings:
    """Every line has exactly one rate, and every rate a line."""
    lines = [line.id for line in case.payload.lines]
    rated = [rate.line for rate in case.payload.tariff.lines]
    if sorted(lines) != sorted(rated):
        yield refuse("tariff.lines", "the tariff has exactly one rate for each line", field="/tariff/lines")


def lengths_ordered(case: Case) -> Findings:
    """The shortest lease is not longer than the longest."""
    if length_seconds(case.payload.length_min) > length_seconds(case.payload.length_max):
        yield refuse("offer.lengths", "length_min is longer than length_max", field="/length_min")


def subdivision_in_country(case: Case) -> Findings:
    """A subdivision belongs to the facility's country."""
    facility = case.payload.facility
    if facility.subdivision is not None and not facility.subdivision.startswith(f"{facility.country}-"):
        yield refuse(
            "place.subdivision",
            f"{facility.subdivision} is not in {facility.country}",
            field="/facility/subdivision",
        )


def not_over_yet(case: Case) -> Findings:
    """Refuse an offer or demand whose time has passed already."""
    period = getattr(case.payload, "available", None) or case.payload.window
    if period.until_seconds <= case.now:
        yield refuse("market.over", f"its time ended at {period.until}")


def offer_is_own(case: Case) -> Findings:
    """Only the lessor withdraws an offer, and once."""
    if not case.is_party(case.offer.lessor):
        yield refuse("offer.not_lessor", "only its lessor may withdraw an offer", entry=case.offer.entry)
    if case.offer.withdrawn_at is not None:
        yield refuse("offer.withdrawn", "the offer is withdrawn already", entry=case.offer.entry)


def length_fits_window(case: Case) -> Findings:
    """A demand's lease fits into its window."""
    if length_seconds(case.payload.length) > case.payload.window.seconds:
        yield refuse("demand.length", "the length does not fit into the window", field="/length")


def near_in_country(case: Case) -> Findings:
    """A distance is counted from a subdivision of the country that it names, or from the country."""
    near = case.payload.near
    if near is not None and near.subdivision is not None and not near.place.startswith(f"{near.country}-"):
        yield refuse(
            "place.subdivision", f"{near.subdivision} is not in {near.country}", field="/near/subdivision"
        )


def demand_is_own(case: Case) -> Findings:
    """Only the lessee closes a demand, and once."""
    if not case.is_party(case.demand.lessee):
        yield refuse("demand.not_lessee", "only its lessee may close a demand", entry=case.demand.entry)
    if case.demand.closed_at is not None:
        yield refuse("demand.closed", "the demand is closed already", entry=case.demand.entry)


def broker_is_another(case: Case) -> Findings:
    """Nobody brokers for itself."""
    if case.is_party(case.payload.broker):
        yield refuse("mandate.own_broker", "the broker is the principal itself", field="/broker")


def mandate_shape(case: Case) -> Findings:
    """Scope is sorted, the end lies ahead, and one commission alone stays within the cap."""
    said = case.payload
    if list(said.scope) != sorted(set(said.scope)):
        yield refuse("mandate.scope", "the scope is sorted and names nothing twice", field="/scope")
    if instant_seconds(said.until) <= case.now:
        yield refuse("market.over", f"the mandate would have ended at {said.until}", field="/until")
    if said.commission_bps > case.policy.commission_cap_bps:
        yield refuse(
            "mandate.commission_cap",
            f"the policy caps commission at {case.policy.commission_cap_bps} bps",
            field="/commission_bps",
        )


def mandate_is_own(case: Case) -> Findings:
    """Principal or broker release a mandate, and once."""
    if not (case.is_party(case.mandate.principal) or case.is_party(case.mandate.broker)):
        yield refuse(
            "mandate.not_party",
            "only its principal or broker may release a mandate",
            entry=case.mandate.entry,
        )
    if case.mandate.released_at is not None:
        yield refuse("mandate.released", "the mandate is released already", entry=case.mandate.entry)


def mandate_in_force(case: Case, mandate_id: str, scope: str, field: str) -> Findings:
    """Check that the signer holds a mandate that covers the act now."""
    mandate = case.book.get(Mandate, mandate_id)
    if mandate is None:
        yield refuse("mandate.unknown", f"no mandate {mandate_id} is on this ledger", field=field)
        return
    if not case.is_party(mandate.broker):
        yield refuse(
            "mandate.not_broker", "the mandate is another broker's", field=field, entry=mandate.entry
        )
    if scope not in mandate.scope:
        yield refuse(
            "mandate.scope", f"the mandate does not cover {scope!r}", field=field, entry=mandate.entry
        )
    if mandate.released_at is not None or mandate.until <= case.now:
        yield refuse("mandate.over", "the mandate has ended", field=field, entry=mandate.entry)


def match_under_mandates(case: Case) -> Findings:
    """A match is proposed under mandates of the lessor or the lessee it brings together."""
    offer = case.book.get(Offer, case.payload.offer)
    sides = [case.demand.lessee] + ([offer.lessor] if offer else [])
    for index, mandate_id in enumerate(case.payload.mandates):
        field = f"/mandates/{index}"
        yield from mandate_in_force(case, mandate_id, "propose", field)
        mandate = case.book.get(Mandate, mandate_id)
        if mandate and not any(case.book.same_party(mandate.principal, side) for side in sides):
            yield refuse(
                "match.not_side",
                "the principal is neither lessor nor lessee here",
                field=field,
                entry=mandate.entry,
            )
    if any(case.is_party(side) for side in sides):
        yield refuse("broker.is_party", "a broker that is itself lessor or lessee brokers nothing")


def match_stands(case: Case) -> Findings:
    """Offer and demand are open, lines exist and fit each other."""
    offer = case.book.get(Offer, case.payload.offer)
    if offer is None:
        yield refuse("offer.unknown", f"no offer {case.payload.offer} is on this ledger", field="/offer")
        return
    yield from offer_open(case, offer, "/offer")
    yield from demand_open(case, case.demand, "")
    offered = {line.id: line for line in offer.payload.lines}
    wanted = {line.id: line for line in case.demand.payload.lines}
    for index, line in enumerate(case.payload.lines):
        place = f"/lines/{index}"
        if line.demand_line not in wanted or line.offer_line not in offered:
            yield refuse("match.unknown_line", "demand or offer has no such line", field=place)
        elif line.count > min(offered[line.offer_line].count, wanted[line.demand_line].count):
            yield refuse(
                "match.more_than_listed",
                f"the offer has {offered[line.offer_line].count},"
                f" the demand wants {wanted[line.demand_line].count}",
                field=f"{place}/count",
            )
        elif not any(
            (resource.resource, resource.chip)
            == (offered[line.offer_line].resource, offered[line.offer_line].chip)
            for resource in wanted[line.demand_line].alternatives
        ):
            yield refuse("match.other_resource", "the demand's line does not name this resource", field=place)


def offer_open(case: Case, offer: Offer, field: str) -> Findings:
    """Refuse an offer that was withdrawn or whose time is over."""
    if offer.withdrawn_at is not None:
        yield refuse("offer.withdrawn", "the offer was withdrawn", field=field, entry=offer.entry)
    elif offer.payload.available.until_seconds <= case.now:
        yield refuse(
            "market.over",
            f"the offer ended at {offer.payload.available.until}",
            field=field,
            entry=offer.entry,
        )


def demand_open(case: Case, demand: Demand, field: str) -> Findings:
    """Refuse a demand that was closed or whose window is over."""
    if demand.closed_at is not None:
        yield refuse("demand.closed", "the demand was closed", field=field, entry=demand.entry)
    elif demand.payload.window.until_seconds <= case.now:
        yield refuse(
            "market.over",
            f"the demand ended at {demand.payload.window.until}",
            field=field,
            entry=demand.entry,
        )


def still_valid(case: Case) -> Findings:
    """Refuse a paper that would have lapsed already."""
    if instant_seconds(case.payload.valid_to) <= case.now:
        yield refuse("paper.lapsed", f"valid_to {case.payload.valid_to} is past", field="/valid_to")


def fold_pool(case: Case) -> None:
    """Take the stock into the book."""
    lines = {
        line.id: PoolLine(resource=line.resource, chip=line.chip, count=line.count)
        for line in case.payload.lines
    }
    case.book.put(case.id, Pool(lessor=case.party, number=case.payload.number, lines=lines, entry=case.index))


def fold_offer(case: Case) -> None:
    """Put the offer on the board."""
    case.book.put(case.id, Offer(lessor=case.party, payload=case.payload, entry=case.index))
    open_paper(case, case.party, case.id, case.payload.available.until_seconds)


def fold_offer_withdrawn(case: Case) -> None:
    """Take the offer off the board."""
    close_paper(case, case.offer.lessor, case.sub)
    case.book.change(case.sub, case.offer, withdrawn_at=case.now)


def fold_demand(case: Case) -> None:
    """Put the demand on the board."""
    case.book.put(case.id, Demand(lessee=case.party, payload=case.payload, entry=case.index))


def fold_demand_closed(case: Case) -> None:
    """Take the demand off the board."""
    case.book.change(case.sub, case.demand, closed_at=case.now)


def fold_mandated(case: Case) -> None:
    """Let the broker act."""
    said = case.payload
    mandate = Mandate(
        principal=case.party,
        broker=case.book.root_of(said.broker),
        scope=said.scope,
        commission_bps=said.commission_bps,
        until=instant_seconds(said.until),
        entry=case.index,
    )
    case.book.put(case.id, mandate)


def fold_released(case: Case) -> None:
    """End the mandate."""
    case.book.change(case.sub, case.mandate, released_at=case.now)


def fold_match(case: Case) -> None:
    """Remember the match, so that a lease may answer it."""
    _remember_match(case, reason=None, report=None)


def fold_match_2(case: Case) -> None:
    """Remember the match and why it was made, so that a lease may answer it."""
    said = case.payload
    _remember_match(case, reason=said.reason, report=said.report.sha256 if said.report else None)


def _remember_match(case: Case, *, reason: str | None, report: str | None) -> None:
    said = case.payload
    valid_to = instant_seconds(said.valid_to)
    match = Match(
        broker=case.party,
        demand=case.sub,
        offer=said.offer,
        mandates=said.mandates,
        valid_to=valid_to,
        reason=reason,
        report=report,
        entry=case.index,
    )
    case.book.put(case.id, match)
    open_paper(case, case.party, case.id, valid_to)


RULES = MappingProxyType(
    {
        "pool.declared": (line_ids_unique,),
        "offer.published": (
            line_ids_unique,
            pool_is_own,
            lines_in_pool,
            tariff_covers_lines,
            lengths_ordered,
            subdivision_in_country,
            not_over_yet,
            within_quota,
        ),
        "offer.withdrawn": (offer_is_own,),
        "demand.published": (line_ids_unique, length_fits_window, not_over_yet),
        "demand.closed": (demand_is_own,),
        "broker.mandated": (broker_is_another, mandate_shape),
        "broker.released": (mandate_is_own,),
        "match.proposed": (match_under_mandates, match_stands, still_valid, within_quota),
    }
)
RULES_2 = MappingProxyType(
    {
        "demand.published": (*RULES["demand.published"], near_in_country),
        "broker.mandated": (*RULES["broker.mandated"], broker_no_affiliate),
        "match.proposed": (*RULES["match.proposed"], matcher_no_affiliate),
    }
)
FOLDS: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "pool.declared": fold_pool,
        "offer.published": fold_offer,
        "offer.withdrawn": fold_offer_withdrawn,
        "demand.published": fold_demand,
        "demand.closed": fold_demand_closed,
        "broker.mandated": fold_mandated,
        "broker.released": fold_released,
        "match.proposed": fold_match,
    }
)
FOLDS_2: MappingProxyType[str, Fold] = MappingProxyType({"match.proposed": fold_match_2})
