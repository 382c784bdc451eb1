"""What the book remembers of the market: stock and who took it, offers, demands, mandates, bids."""

from __future__ import annotations

from typing import Literal

from pseudoledger.contract.things.base import Thing
from pseudoledger.statement.kinds.market import DemandPublished, OfferPublished


class OpenPapers(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """An identity's proposals, bids and offers that wait, each with the time it lapses."""

    until: dict[str, int]


class Booking(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """Units of one line taken for a time."""

    lease: str
    line: str
    source: str
    """The offer's line as `offer/line`, or the head lease's line as `lease/line`."""
    count: int
    start: int
    until: int


class Bookings(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """Who has taken from one line of a pool or of a head lease; the key is `pool/line` or `lease/line`."""

    taken: tuple[Booking, ...] = ()


class PoolLine(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a pool."""

    resource: str
    chip: str | None = None
    count: int


class Pool(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A lessor's stock."""

    lessor: str
    number: str
    lines: dict[str, PoolLine]
    entry: int


class Offer(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A standing supply; `payload` is the published statement's payload."""

    lessor: str
    payload: OfferPublished
    withdrawn_at: int | None = None
    entry: int


class Demand(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A standing need; `payload` is the published statement's payload."""

    lessee: str
    payload: DemandPublished
    closed_at: int | None = None
    entry: int


class Mandate(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A broker's mandate."""

    principal: str
    broker: str
    scope: tuple[str, ...]
    commission_bps: int
    until: int
    released_at: int | None = None
    entry: int


class Match(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A demand and an offer brought together by a broker."""

    broker: str
    demand: str
    offer: str
    mandates: tuple[str, ...]
    valid_to: int
    reason: str | None = None
    """Why these two; none in the first version of the kind."""
    report: str | None = None
    """SHA-256 of the report of the run, where there was one."""
    entry: int


class Bid(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A price under negotiation; `last` made the last price, the other side has the turn."""

    on: str
    bidder: str
    addressee: str
    """Whose offer or demand it is on."""
    last: str
    placed_by: str
    """The bidder, or the broker that bid for it: its quota counts the bid."""
    mandate: str | None = None
    valid_to: int
    state: Literal["open", "rejected", "withdrawn"] = "open"
    entry: int
