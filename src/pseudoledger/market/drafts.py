"""Drafts of market statements: what an importer makes of a foreign file, before sealing and signing.

A draft's `payload()` is a JSON object of the kind without `_sd`: sealable fields stand in the clear or are
absent, and sealing adds their digests. The version is that of the newest rule set; whoever signs for a ledger
under an older one leaves it out, and takes the one that is in force there. Everything else is checked against the payload models here, so what
an importer hands on can be signed as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pseudoledger.contract.ruleset import newest
from pseudoledger.statement.kinds.market import (
    Ceiling,
    DemandLine,
    OfferLine,
    Purpose,
    Residency,
    ResourceLine,
    Tariff,
)
from pseudoledger.statement.values import Period

PayloadDraft = dict[str, Any]
"""A JSON object, ready to be sealed and signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolDraft:
    """A draft of `pool.declared`."""

    number: str
    lines: tuple[ResourceLine, ...]
    label: str | None

    def payload(self) -> PayloadDraft:
        """Return the payload without digests."""
        fields: dict[str, object] = {"number": self.number, "lines": self.lines, "label": self.label}
        return _payload("pool.declared", fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityDraft:
    """Where an offer's machines stand, as far as a foreign file says; `site` is sealable."""

    country: str
    subdivision: str | None = None
    site: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDraft:
    """A draft of `offer.published` for the pool that is signed before it."""

    number: str
    lines: tuple[OfferLine, ...]
    facility: FacilityDraft
    tariff: Tariff
    length_min: str
    length_max: str
    available: Period

    def payload(self, pool: str) -> PayloadDraft:
        """Return the payload without digests; `pool` is the statement id of the pool."""
        site = {"site": self.facility.site}
        facility = {"country": self.facility.country, "subdivision": self.facility.subdivision, **site}
        return _payload(
            "offer.published",
            {
                "number": self.number,
                "pool": pool,
                "lines": self.lines,
                "facility": {name: value for name, value in facility.items() if value is not None},
                "tariff": self.tariff,
                "length_min": self.length_min,
                "length_max": self.length_max,
                "available": self.available,
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandDraft:
    """A draft of `demand.published`."""

    number: str
    lines: tuple[DemandLine, ...]
    ceiling: Ceiling | None
    window: Period
    length: str
    purpose: Purpose
    places: tuple[str, ...]
    residency: tuple[Residency, ...]
    label: str | None

    def payload(self) -> PayloadDraft:
        """Return the payload without digests."""
        return _payload(
            "demand.published",
            {
                "number": self.number,
                "lines": self.lines,
                "ceiling": self.ceiling,
                "window": self.window,
                "length": self.length,
                "purpose": self.purpose,
                "places": self.places,
                "residency": self.residency,
                "label": self.label,
            },
        )


def _payload(kind: str, fields: Mapping[str, object]) -> PayloadDraft:
    given = {name: _json(value) for name, value in fields.items() if value is not None}
    return {"type": kind, "v": newest().version_of(kind), **given}


def _json(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    return value
