"""What is open on the board, and which of it a search asks for: one answer for command line, pages and API.

An offer or demand is open as of a block time where `contract.derive` says so. A search narrows the lines of an
offer by chip and price; an offer with no line left does not fit. Of a demand, a chip counts where a line
would take it, and a country where the demand would go there. A price ceiling is for offers alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pseudoledger.contract.book import Book
from pseudoledger.contract.derive import demand_status, offer_status
from pseudoledger.contract.stock import peak
from pseudoledger.contract.things import Bookings, Demand, Offer, Pool
from pseudoledger.statement.kinds.market import OfferLine, Rate

Sort = Literal["price", "newest", "ends"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is asked for; "" and None ask for nothing."""

    chip: str = ""
    country: str = ""
    """A country or subdivision."""
    currency: str = ""
    price_micro: int | None = None
    """Most for one unit and hour."""
    text: str = ""
    """Part of an id, number, did, label or resource, in any case."""


EVERYTHING = Search()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedLine:
    """One line of an offer with its price."""

    line: OfferLine
    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOffer:
    """One offer that is open and fits, with the lines that do."""

    id: str
    offer: Offer
    lines: Sequence[ListedLine]

    @property
    def lowest_micro(self) -> int | None:
        """The lowest price per unit and hour of its chips, or of all lines where none fits; a fee once is none.

        What comes with chips is often free: its price says nothing of the offer's.
        """
        chips = [line for line in self.lines if line.line.chip is not None]
        prices = [line.rate.price_micro for line in chips or self.lines if line.rate.price_micro is not None]
        return min(prices, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDemand:
    """One demand that is open and fits."""

    id: str
    demand: Demand


def fitting_lines(book: Book, key: str, offer: Offer, search: Search) -> list[ListedLine]:
    """Return the lines of an offer that fit a search; none where the offer as a whole does not."""
    facility, tariff = offer.payload.facility, offer.payload.tariff
    if search.country and search.country not in {facility.country, facility.subdivision}:
        return []
    if search.currency and search.currency != tariff.currency:
        return []
    said = [line.chip or line.resource for line in offer.payload.lines]
    if not _says(search, (key, offer.payload.number, offer.lessor, _label(book, offer.lessor), *said)):
        return []
    rates = {rate.line: rate for rate in tariff.lines}
    found = [
        ListedLine(line=line, rate=rates[line.id])
        for line in offer.payload.lines
        if (not search.chip or line.chip == search.chip) and _within(rates[line.id], search.price_micro)
    ]
    # An offer of chips is as dear as its chips are, however cheap the cores and the memory beside them.
    of_chips = any(line.chip is not None for line in offer.payload.lines)
    return found if not of_chips or any(item.line.chip is not None for item in found) else []


def demand_fits(book: Book, key: str, demand: Demand, search: Search) -> bool:
    """Tell whether a demand fits a search."""
    payload = demand.payload
    wanted = {item.chip or item.resource for line in payload.lines for item in line.alternatives}
    if search.chip and search.chip not in wanted:
        return False
    if search.country and payload.places and search.country[:2] not in payload.places:
        return False
    if search.currency and (payload.ceiling is None or payload.ceiling.currency != search.currency):
        return False
    return _says(search, (key, payload.number, demand.lessee, _label(book, demand.lessee), *sorted(wanted)))


def list_offers(
    book: Book,
    now: int,
    search: Search = EVERYTHING,
    *,
    sort: Sort = "price",
    among: Iterable[tuple[str, Offer]] | None = None,
) -> list[ListedOffer]:
    """Return the offers that are open and fit, of the whole book or among some."""
    found = [
        ListedOffer(id=key, offer=offer, lines=lines)
        for key, offer in (book.all(Offer) if among is None else among)
        if offer_status(offer, now) == "open" and (lines := fitting_lines(book, key, offer, search))
    ]
    match sort:
        case "price":
            found.sort(key=lambda row: (row.lowest_micro is None, row.lowest_micro or 0, row.offer.entry))
        case "newest":
            found.sort(key=lambda row: -row.offer.entry)
        case "ends":
            found.sort(key=lambda row: (row.offer.payload.available.until_seconds, row.offer.entry))
    return found


def list_demands(
    book: Book,
    now: int,
    search: Search = EVERYTHING,
    *,
    sort: Sort = "newest",
    among: Iterable[tuple[str, Demand]] | None = None,
) -> list[ListedDemand]:
    """Return the demands that are open and fit; they have no price to be sorted by."""
    found = [
        ListedDemand(id=key, demand=demand)
        for key, demand in (book.all(Demand) if among is None else among)
        if demand_status(demand, now) == "open" and demand_fits(book, key, demand, search)
    ]
    if sort == "ends":
        found.sort(key=lambda row: (row.demand.payload.window.until_seconds, row.demand.entry))
    else:
        found.sort(key=lambda row: -row.demand.entry)
    return found


def free_of(book: Book, offer: Offer, line: OfferLine, now: int) -> int:
    """Return how many units of an offer's line its pool has free at all times until the offer ends."""
    pool = book.get(Pool, offer.payload.pool)
    bookings = book.get(Bookings, f"{offer.payload.pool}/{line.pool_line}")
    taken = peak(bookings.taken, now, offer.payload.available.until_seconds) if bookings else 0
    stock = pool.lines[line.pool_line].count if pool else 0
    return min(line.count, max(0, stock - taken))


def _within(rate: Rate, most: int | None) -> bool:
    return most is None or (rate.price_micro is not None and rate.price_micro <= most)


def _label(book: Book, did: str) -> str:
    chain = book.chain_of(did)
    return chain.label if chain else ""


def _says(search: Search, texts: Iterable[str]) -> bool:
    wanted = search.text.casefold()
    return not wanted or any(wanted in text.casefold() for text in texts)
