"""Kinds of the family *market*: pools, offers, demands, mandates, matches and bids (design §3)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pseudoledger.statement.values import (
    Bps,
    ChipId,
    Count,
    Country,
    Currency,
    Did,
    Document,
    Instant,
    Length,
    LineId,
    Micro,
    Minor,
    Number,
    Period,
    Ref,
    Sealable,
    Slug,
    Subdivision,
    Text,
    Value,
    note,
)

LINES_MAX = 256
"""Most lines of one document (formats §8, caps of the rule set)."""
REFS_MAX = 64
"""Most references of one list."""

ResourceName = Literal["chip", "cpu_core", "memory_gib", "storage_gib"]
Purpose = Literal["train", "infer", "other"]
Basis = Literal["metered", "reserved", "once"]
KM_MAX = 20_038
"""Half of the way around the Earth along the equator, rounded up: no place is farther from another."""
MatchReason = Literal["requested", "fits", "cheapest", "next_cheapest", "nearest", "other"]


class Resource(Value):
    """A kind of thing that is leased: a chip of the chip table, or cores, memory, storage."""

    resource: ResourceName = note("What is leased", reveals="hardware")
    chip: ChipId | None = note("Row of the chip table, for chips only", reveals="hardware", default=None)

    @model_validator(mode="after")
    def _chip_iff_chip(self) -> Self:
        if (self.resource == "chip") != (self.chip is not None):
            raise ValueError("a chip line names its chip, every other line names none")
        return self


class ResourceLine(Resource):
    """So many of one resource, under a stable line id."""

    id: LineId = note("Stable name of the line")
    count: Count = note("How many", unit="C62", reveals="hardware")


class OfferLine(ResourceLine):
    """One line of an offer, taken from a line of its pool."""

    pool_line: LineId = note("Line of the pool whose stock it shares", reveals="hardware")


class Facility(Sealable):
    """Where the machines stand; who owns and who operates the place are two facts."""

    country: Country = note("ISO 3166-1 alpha-2; ZZ unknown", reveals="place")
    subdivision: Subdivision | None = note("ISO 3166-2", reveals="place", default=None)
    site: Text | None = note("Name or address of the site", reveals="place", sealable=True)
    owner: Text | None = note("Who owns the facility", reveals="identity", sealable=True)
    operator: Text | None = note("Who operates the facility", reveals="identity", sealable=True)


class Rate(Value):
    """The price of one line: per unit and hour, or a fee once at delivery."""

    line: LineId = note("Line that is priced")
    basis: Basis = note(
        "metered: by confirmed usage; reserved: by the clock; once: a fee at delivery", reveals="money"
    )
    price_micro: Micro | None = note(
        "Price of one unit for one hour",
        unit="millionths of the currency's major unit",
        reveals="money",
        default=None,
    )
    fee_minor: Minor | None = note("Fee at delivery", unit="minor unit", reveals="money", default=None)

    @model_validator(mode="after")
    def _price_fits_basis(self) -> Self:
        once = self.basis == "once"
        if once != (self.fee_minor is not None) or once == (self.price_micro is not None):
            raise ValueError("basis once carries fee_minor, metered and reserved carry price_micro")
        return self


class Tariff(Value):
    """Prices of all lines in one currency."""

    currency: Currency = note("ISO 4217", reveals="money")
    lines: Annotated[tuple[Rate, ...], Field(min_length=1, max_length=LINES_MAX)] = note(
        "One rate per line", reveals="money"
    )


class Residency(Value):
    """Where one data set may be kept and worked on."""

    data_set: Slug = note("Name of the data set", reveals="identity")
    countries: Annotated[tuple[Country, ...], Field(min_length=1, max_length=REFS_MAX)] = note(
        "Allowed countries", reveals="place"
    )


class PoolDeclared(Sealable):
    """A lessor's stock of resources; offers of one pool share it."""

    type: Literal["pool.declared"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The lessor's number of the pool")
    lines: Annotated[tuple[ResourceLine, ...], Field(min_length=1, max_length=LINES_MAX)] = note(
        "Stock", reveals="hardware"
    )
    label: Text | None = note("The lessor's own name for the pool", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class OfferPublished(Value):
    """A standing supply: lines of a pool at a tariff, at one facility."""

    type: Literal["offer.published"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The lessor's number of the offer")
    pool: Ref = note("Pool whose stock is offered", reveals="reference")
    lines: Annotated[tuple[OfferLine, ...], Field(min_length=1, max_length=LINES_MAX)] = note(
        "What is offered", reveals="hardware"
    )
    facility: Facility = note("Where", reveals="place")
    tariff: Tariff = note("At what price", reveals="money")
    length_min: Length = note("Shortest lease", reveals="time")
    length_max: Length = note("Longest lease", reveals="time")
    available: Period = note("When leases under it may run", reveals="time")
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class OfferWithdrawn(Value):
    """The lessor takes an offer back; leases under it stand."""

    type: Literal["offer.withdrawn"] = note("Kind")
    v: Literal[1] = note("Version of the kind")


class DemandLine(Value):
    """So many of any of some alternatives."""

    id: LineId = note("Stable name of the line")
    count: Count = note("How many", unit="C62", reveals="hardware")
    alternatives: Annotated[tuple[Resource, ...], Field(min_length=1, max_length=LINES_MAX)] = note(
        "Resources that would do, best first", reveals="hardware"
    )


class Ceiling(Value):
    """The most that a demand pays for one hour of all its lines together."""

    currency: Currency = note("ISO 4217", reveals="money")
    hour_micro: Micro = note(
        "Most for one hour of all lines", unit="millionths of the currency's major unit", reveals="money"
    )


class DemandPublished(Sealable):
    """A standing need."""

    type: Literal["demand.published"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The lessee's number of the demand")
    lines: Annotated[tuple[DemandLine, ...], Field(min_length=1, max_length=LINES_MAX)] = note(
        "What is needed", reveals="hardware"
    )
    ceiling: Ceiling | None = note("Price ceiling, where there is one", reveals="money", default=None)
    window: Period = note("When the lease must run", reveals="time")
    length: Length = note("How long it runs within the window", reveals="time")
    purpose: Purpose = note("What the work is", reveals="identity")
    places: Annotated[tuple[Country, ...], Field(max_length=REFS_MAX)] = note(
        "Countries that would do; empty for anywhere", reveals="place"
    )
    residency: Annotated[tuple[Residency, ...], Field(max_length=REFS_MAX)] = note(
        "Where each data set may be", reveals="place"
    )
    label: Text | None = note("The lessee's own name for the demand", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class Near(Value):
    """How far away from a place the work may run: the great circle between the points where places stand."""

    country: Country = note("ISO 3166-1 alpha-2", reveals="place")
    subdivision: Subdivision | None = note("ISO 3166-2", reveals="place", default=None)
    km_max: Annotated[int, Field(ge=0, le=KM_MAX)] = note(
        "Farthest that would do", unit="KMT", reveals="place"
    )

    @property
    def place(self) -> str:
        """The subdivision where one is named, else the country."""
        return self.subdivision or self.country


class DemandPublished2(DemandPublished):
    """A standing need, which may say how far away the machines may stand."""

    # The fields are those of the first version, and every reader of that one reads this one too.
    v: Literal[2] = note("Version of the kind")  # type: ignore[assignment]
    near: Near | None = note(
        "How far away the machines may stand, where it matters", reveals="place", default=None
    )


class DemandClosed(Value):
    """The lessee no longer looks."""

    type: Literal["demand.closed"] = note("Kind")
    v: Literal[1] = note("Version of the kind")


class BrokerMandated(Value):
    """A principal lets a broker list, propose or bid; a broker never signs for a principal."""

    type: Literal["broker.mandated"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The principal's number of the mandate")
    broker: Did = note("Who is mandated", reveals="counterparty")
    scope: Annotated[tuple[Literal["bid", "list", "propose"], ...], Field(min_length=1, max_length=3)] = note(
        "What the broker may do, sorted"
    )
    commission_bps: Bps = note("Share of the accepted net of each invoice", unit="bps", reveals="money")
    until: Instant = note("When the mandate ends", reveals="time")


class BrokerReleased(Value):
    """The principal or the broker ends a mandate; commissions earned stay due."""

    type: Literal["broker.released"] = note("Kind")
    v: Literal[1] = note("Version of the kind")


class MatchLine(Value):
    """A demand's line met by an offer's line."""

    demand_line: LineId = note("Line of the demand")
    offer_line: LineId = note("Line of the offer")
    count: Count = note("How many", unit="C62", reveals="hardware")


class MatchProposed(Value):
    """A mandated broker brings a demand and an offer together; it binds nobody."""

    type: Literal["match.proposed"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The broker's number of the match")
    offer: Ref = note("Offer that fits", reveals="reference")
    lines: Annotated[tuple[MatchLine, ...], Field(min_length=1, max_length=LINES_MAX)] = note(
        "What meets what", reveals="hardware"
    )
    mandates: Annotated[tuple[Ref, ...], Field(min_length=1, max_length=8)] = note(
        "Mandates under which it is proposed", reveals="counterparty"
    )
    valid_to: Instant = note("When the proposal lapses", reveals="time")


class MatchProposed2(MatchProposed):
    """A mandated broker brings a demand and an offer together and says why these two; it binds nobody."""

    v: Literal[2] = note("Version of the kind")  # type: ignore[assignment]
    reason: MatchReason = note(
        "Why these two: one side asked for the other, it fits, by price, by distance, or otherwise",
        reveals="money",
    )
    report: Document | None = note(
        "Report of the run that compared all of them, kept apart", reveals="reference", default=None
    )


class BidLine(Value):
    """A price for some of one line of the offer or demand that is bid on."""

    line: LineId = note("Line of the offer or demand")
    count: Count = note("How many", unit="C62", reveals="hardware")
    price_micro: Micro = note(
        "Price of one unit for one hour", unit="millionths of the currency's major unit", reveals="money"
    )


class _Priced(Value):
    number: Number = note("The issuer's number of the bid")
    currency: Currency = note("ISO 4217", reveals="money")
    lines: Annotated[tuple[BidLine, ...], Field(min_length=1, max_length=LINES_MAX)] = note(
        "Prices", reveals="money"
    )
    period: Period = note("When the lease would run", reveals="time")
    valid_to: Instant = note("When the bid lapses", reveals="time")


class BidPlaced(_Priced):
    """A priced answer to an offer or a demand; a broker bids under a mandate for its principal."""

    type: Literal["bid.placed"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    mandate: Ref | None = note("Mandate under which a broker bids", reveals="counterparty", default=None)


class BidCountered(_Priced):
    """The other side answers a bid with another price; the turn passes back."""

    type: Literal["bid.countered"] = note("Kind")
    v: Literal[1] = note("Version of the kind")


class BidRejected(Value):
    """The side whose turn it is declines."""

    type: Literal["bid.rejected"] = note("Kind")
    v: Literal[1] = note("Version of the kind")


class BidWithdrawn(Value):
    """The side that made the last price takes it back."""

    type: Literal["bid.withdrawn"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
