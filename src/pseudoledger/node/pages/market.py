"""The boards: offers and demands that stand, with search and paging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from pseudoledger.contract.things import Demand, Offer
from pseudoledger.market.search import ListedDemand, ListedOffer, Search, free_of, list_demands, list_offers
from pseudoledger.node.pages.foreign import ForeignBoard, foreign_demands, foreign_offers
from pseudoledger.node.pages.lists import Listed, paged, read_all
from pseudoledger.node.pages.site import Ask, Page
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
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
    search: Form
    chips: Sequence[str]
    countries: Sequence[str]
    foreign: Sequence[ForeignBoard[ListedOffer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandBoard:
    """The page of demands."""

    list: Listed[tuple[str, Demand]]
    foreign: Sequence[ForeignBoard[ListedDemand]]


def make_offers(view: View, ask: Ask) -> Page | None:
    """List the offers that stand and fit what was asked for, the cheapest first."""
    read = read_all(view, Offer)
    form = _form(ask)
    search = Search(chip=form.chip, country=form.country, price_micro=form.price_micro, text=form.q)
    standing = list_offers(view.book, ask.now, among=read.things)
    found = list_offers(view.book, ask.now, search, among=[(row.id, row.offer) for row in standing])
    board = OfferBoard(
        list=paged([_row(view, row, ask.now) for row in found], ask, cut=read.cut),
        search=form,
        chips=sorted({item.line.chip for row in standing for item in row.lines if item.line.chip}),
        countries=sorted({row.offer.payload.facility.country for row in standing}),
        foreign=foreign_offers(view, ask.now, search),
    )
    return Page(template="offers.html", title="offers.title", about=board)


def _row(view: View, listed: ListedOffer, now: int) -> OfferRow:
    lines = [
        Line(line=item.line, rate=item.rate, free=free_of(view.book, listed.offer, item.line, now))
        for item in listed.lines
    ]
    return OfferRow(id=listed.id, offer=listed.offer, lines=lines)


def _form(ask: Ask) -> Form:
    text = ask.text("price")
    try:
        price = Decimal(text) if text else None
    except InvalidOperation:
        price = None
    valid = price is not None and price.is_finite() and 0 <= price <= _PRICE_MAX
    return Form(
        chip=ask.text("chip"),
        country=ask.text("country").upper(),
        price=text,
        q=ask.text("q"),
        price_micro=int(price * _MICRO) if valid and price is not None else None,
    )


def make_demands(view: View, ask: Ask) -> Page | None:
    """List the demands that stand, newest first."""
    read = read_all(view, Demand)
    rows = [(row.id, row.demand) for row in list_demands(view.book, ask.now, among=read.things)]
    board = DemandBoard(list=paged(rows, ask, cut=read.cut), foreign=foreign_demands(view, ask.now))
    return Page(template="demands.html", title="demands.title", about=board)
