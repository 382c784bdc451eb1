"""The board: what the book offers and needs at a time, as matching sees it, and a match as lines of a lease."""

from __future__ import annotations

from pseudoledger.contract.book import Book
from pseudoledger.contract.derive import demand_status, offer_status
from pseudoledger.contract.stock import peak
from pseudoledger.contract.templates import Choice
from pseudoledger.contract.things import Bookings, Demand, Offer, Pool
from pseudoledger.errors import MalformedError
from pseudoledger.market.matching import Acceptable
from pseudoledger.market.supply import Need, Supply


def open_supplies(book: Book, now: int) -> list[Supply]:
    """Return every offer that stands, with what is free of its pool at all times until the offer ends."""
    found = []
    for offer_id, offer in book.all(Offer):
        until = offer.payload.available.until_seconds
        if offer_status(offer, now) == "open":
            found.append(Supply.of(offer_id, offer.payload, _free(book, offer, now, until)))
    return found


def open_needs(book: Book, now: int) -> list[Need]:
    """Return every demand that stands."""
    return [
        Need.of(demand_id, demand.payload)
        for demand_id, demand in book.all(Demand)
        if demand_status(demand, now) == "open"
    ]


def _free(book: Book, offer: Offer, now: int, until: int) -> dict[str, int]:
    pool = book.get(Pool, offer.payload.pool)
    free: dict[str, int] = {}
    for line in offer.payload.lines:
        bookings = book.get(Bookings, f"{offer.payload.pool}/{line.pool_line}")
        taken = peak(bookings.taken, now, until) if bookings else 0
        free[line.pool_line] = max(0, (pool.lines[line.pool_line].count if pool else 0) - taken)
    return free


def choices_of(book: Book, match: Acceptable, demand_id: str) -> tuple[Choice, ...]:
    """Return the lines of a lease that takes up a match; raise MalformedError if offer or demand is gone."""
    offer, demand = book.get(Offer, match.offer), book.get(Demand, demand_id)
    if offer is None or demand is None:
        raise MalformedError("the match names no offer or demand of this ledger", code="match.unknown")
    return tuple(
        Choice(
            offer_id=match.offer,
            offer=offer,
            offer_line=line.offer_line,
            count=line.count,
            purpose=demand.payload.purpose,
            line_id=line.demand_line,
        )
        for line in match.lines
    )
