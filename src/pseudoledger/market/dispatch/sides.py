"""The two sides of a dispatch, with what matching does not look at: who they are, and what else they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pseudoledger.contract.book import Book
from pseudoledger.contract.stock import peak
from pseudoledger.contract.things import Bookings, Demand, Mandate, Offer
from pseudoledger.market.board import open_needs, open_supplies
from pseudoledger.market.supply import Need, Supply


class Cluster(NamedTuple):
    """What one lessor offers in one place."""

    lessor: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """An offer, the cluster and pool that it belongs to, and what of its own lines is free."""

    supply: Supply
    lessor: str
    pool: str
    place: str
    """Subdivision where it is named, else the country."""
    own_free: Mapping[str, int]
    """Free units of each of its lines, however many its pool still has."""
    mandates: tuple[str, ...] = ()
    """Mandates under which the dispatcher may propose for the lessor."""

    @property
    def cluster(self) -> Cluster:
        """The cluster that it belongs to."""
        return Cluster(self.lessor, self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A demand, and who wants it."""

    need: Need
    lessee: str
    mandates: tuple[str, ...] = ()
    """Mandates under which the dispatcher may propose for the lessee."""


def listings(book: Book, now: int, *, dispatcher: str | None = None) -> list[Listing]:
    """Return every offer that stands; with the mandates of a dispatcher where one is named."""
    mandates = _mandates(book, now, dispatcher)
    found = []
    for supply in open_supplies(book, now):
        offer = book.get(Offer, supply.id)
        assert offer is not None, "the board holds what the book holds"
        facility = offer.payload.facility
        found.append(
            Listing(
                supply=supply,
                lessor=offer.lessor,
                pool=offer.payload.pool,
                place=facility.subdivision or facility.country,
                own_free=_own_free(book, supply.id, offer, now),
                mandates=mandates.get(offer.lessor, ()),
            )
        )
    return found


def wishes(book: Book, now: int, *, dispatcher: str | None = None) -> list[Wish]:
    """Return every demand that stands; with the mandates of a dispatcher where one is named."""
    mandates = _mandates(book, now, dispatcher)
    found = []
    for need in open_needs(book, now):
        demand = book.get(Demand, need.id)
        assert demand is not None, "the board holds what the book holds"
        found.append(Wish(need=need, lessee=demand.lessee, mandates=mandates.get(demand.lessee, ())))
    return found


def _own_free(book: Book, offer_id: str, offer: Offer, now: int) -> dict[str, int]:
    free = {}
    for line in offer.payload.lines:
        bookings = book.get(Bookings, f"{offer.payload.pool}/{line.pool_line}")
        own = [item for item in bookings.taken if item.source == f"{offer_id}/{line.id}"] if bookings else []
        free[line.id] = max(0, line.count - peak(own, now, offer.payload.available.until_seconds))
    return free


def _mandates(book: Book, now: int, dispatcher: str | None) -> dict[str, tuple[str, ...]]:
    """Return the mandates in force under which an identity may propose matches, by principal."""
    found: dict[str, tuple[str, ...]] = {}
    if dispatcher is None:
        return found
    for mandate_id, mandate in book.all(Mandate):
        if (
            "propose" in mandate.scope
            and mandate.released_at is None
            and mandate.until > now
            and book.same_party(mandate.broker, dispatcher)
        ):
            principal = book.root_of(mandate.principal)
            # The one with the smallest id: commission is due once, under whichever is named.
            found[principal] = (min(mandate_id, *found.get(principal, (mandate_id,))),)
    return found
