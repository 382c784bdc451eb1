"""The two sides that matching compares, taken from payloads of the ledger or from drafts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NewType

from pseudoledger.market.drafts import DemandDraft, OfferDraft
from pseudoledger.statement.kinds.market import (
    Ceiling,
    DemandLine,
    DemandPublished,
    DemandPublished2,
    Near,
    OfferLine,
    OfferPublished,
    Rate,
    Residency,
)
from pseudoledger.statement.values import Period

OfferId = NewType("OfferId", str)
DemandId = NewType("DemandId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """An offer as matching sees it; `free` is the pool's free stock for each line of the offer."""

    id: OfferId
    lines: tuple[OfferLine, ...]
    rates: Mapping[str, Rate]
    currency: str
    country: str
    length_min: str
    length_max: str
    available: Period
    free: Mapping[str, int]
    subdivision: str | None = None

    @property
    def place(self) -> str:
        """The subdivision where it is named, else the country."""
        return self.subdivision or self.country

    @classmethod
    def of(
        cls, offer_id: str, offer: OfferPublished | OfferDraft, free: Mapping[str, int] | None = None
    ) -> Supply:
        """Take an offer; `free` counts by pool line, without it the whole offer is taken to be free."""
        lines = offer.lines
        whole: dict[str, int] = {}
        for line in lines:
            whole[line.pool_line] = whole.get(line.pool_line, 0) + line.count
        return cls(
            id=OfferId(offer_id),
            lines=lines,
            rates={rate.line: rate for rate in offer.tariff.lines},
            currency=offer.tariff.currency,
            country=offer.facility.country,
            subdivision=offer.facility.subdivision,
            length_min=offer.length_min,
            length_max=offer.length_max,
            available=offer.available,
            free=whole if free is None else free,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A demand as matching sees it."""

    id: DemandId
    lines: tuple[DemandLine, ...]
    ceiling: Ceiling | None
    window: Period
    length: str
    places: tuple[str, ...]
    residency: tuple[Residency, ...]
    near: Near | None = None
    """How far away the machines may stand, where it says."""

    @classmethod
    def of(cls, demand_id: str, demand: DemandPublished | DemandDraft) -> Need:
        """Take a demand."""
        return cls(
            id=DemandId(demand_id),
            lines=demand.lines,
            ceiling=demand.ceiling,
            window=demand.window,
            length=demand.length,
            places=demand.places,
            residency=demand.residency,
            near=demand.near if isinstance(demand, DemandPublished2) else None,
        )


def needs_chips(line: DemandLine) -> bool:
    """Tell whether chips are among a line's alternatives; every other line asks for host resources."""
    return any(resource.resource == "chip" for resource in line.alternatives)


def meets(demand_line: DemandLine, offer_line: OfferLine) -> bool:
    """Tell whether an offer's line is one of the alternatives of a demand's line."""
    return any(
        resource.resource == offer_line.resource and resource.chip == offer_line.chip
        for resource in demand_line.alternatives
    )
