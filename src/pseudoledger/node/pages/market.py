"""The boards: offers and demands that stand, with search and paging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from pseudoledger.contract.stock import peak
from pseudoledger.contract.things import Bookings, Demand, Offer, Pool
from pseudoledger.node.pages.lists import Listed, paged, read_all
from pseudoledger.node.pages.site import Ask, Names, Page
from pseudoledger.node.reading import View
from pseudoledger.statement.kinds.market import OfferLine, Rate

_MICRO = 1_000_000
_PRICE_MAX = Decimal(10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an offer with its price and what is free of it until the offer ends."""

    line: OfferLine
    rate: Rate
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRow:
    """One offer of the board."""

    id: str
    offer: Offer
    lines: Sequence[Line]

    @property
    def lowest_micro(self) -> int | None:
        """The lowest price per unit and hour among its lines."""
        prices = [line.rate.price_micro for line in self.lines if line.rate.price_micro is not None]
        return min(prices, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What the form above the offers asks for; "" asks for nothing."""

    chip: str
    country: str
    price: str
    """Most per unit and hour, as it was typed."""
    q: str
    price_micro: int | None
    """The same in micro-units; None where nothing, or no price, was typed."""

    @property
    def price_unread(self) -> bool:
        """Whether what was typed as price is none."""
        return bool(self.price) and self.price_micro is None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferBoard:
    """The page of offers."""

    list: Listed[OfferRow]
    search: Search
    chips: Sequence[str]
    countries: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandBoard:
    """The page of demands."""

    list: Listed[tuple[str, Demand]]


def make_offers(view: View, ask: Ask) -> Page | None:
    """List the offers that stand and fit what was asked for, the cheapest first."""
    read = read_all(view, Offer)
    standing = [
        (key, offer)
        for key, offer in read.things
        if offer.withdrawn_at is None and offer.payload.available.until_seconds > ask.now
    ]
    search, names = _search(ask), Names(view.book)
    rows = [
        OfferRow(id=key, offer=offer, lines=lines)
        for key, offer in standing
        if (lines := _lines(view, offer, search, ask.now)) and _fits(offer, key, search, names)
    ]
    rows.sort(key=lambda row: (row.lowest_micro is None, row.lowest_micro or 0, row.offer.entry))
    board = OfferBoard(
        list=paged(rows, ask, cut=read.cut),
        search=search,
        chips=sorted({line.chip for _, offer in standing for line in offer.payload.lines if line.chip}),
        countries=sorted({offer.payload.facility.country for _, offer in standing}),
    )
    return Page(template="offers.html", title="offers.title", about=board)


def _search(ask: Ask) -> Search:
    text = ask.text("price")
    try:
        price = Decimal(text) if text else None
    except InvalidOperation:
        price = None
    valid = price is not None and price.is_finite() and 0 <= price <= _PRICE_MAX
    return Search(
        chip=ask.text("chip"),
        country=ask.text("country").upper(),
        price=text,
        q=ask.text("q"),
        price_micro=int(price * _MICRO) if valid and price is not None else None,
    )


def _lines(view: View, offer: Offer, search: Search, now: int) -> list[Line]:
    """Return the lines of an offer that fit chip and price; a fee once is no price per hour."""
    rates = {rate.line: rate for rate in offer.payload.tariff.lines}
    pool = view.book.get(Pool, offer.payload.pool)
    found = []
    for line in offer.payload.lines:
        rate = rates[line.id]
        if search.chip and line.chip != search.chip:
            continue
        if search.price_micro is not None and (
            rate.price_micro is None or rate.price_micro > search.price_micro
        ):
            continue
        bookings = view.book.get(Bookings, f"{offer.payload.pool}/{line.pool_line}")
        taken = peak(bookings.taken, now, offer.payload.available.until_seconds) if bookings else 0
        stock = pool.lines[line.pool_line].count if pool else 0
        found.append(Line(line=line, rate=rate, free=min(line.count, max(0, stock - taken))))
    return found


def _fits(offer: Offer, key: str, search: Search, names: Names) -> bool:
    facility = offer.payload.facility
    if search.country and search.country not in {facility.country, facility.subdivision}:
        return False
    wanted = search.q.casefold()
    texts = (
        key,
        offer.payload.number,
        offer.lessor,
        names.label(offer.lessor),
        *(line.chip or line.resource for line in offer.payload.lines),
    )
    return not wanted or any(wanted in text.casefold() for text in texts)


def make_demands(view: View, ask: Ask) -> Page | None:
    """List the demands that stand, newest first."""
    read = read_all(view, Demand)
    rows = [
        (key, demand)
        for key, demand in read.things
        if demand.closed_at is None and demand.payload.window.until_seconds > ask.now
    ]
    rows.sort(key=lambda row: -row[1].entry)
    board = DemandBoard(list=paged(rows, ask, cut=read.cut))
    return Page(template="demands.html", title="demands.title", about=board)
