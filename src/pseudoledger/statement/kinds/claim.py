"""Kinds of the family *claim*: what attestors say about identities, and who was shown what (design §3 "Identity").

A claim has one value, in the fields of its type. Names are sealed; what rules and programmes read (a country, a
group, a threshold, a class of facility) stands in the clear. A threshold claim says that a figure is reached and
has no place for the figure.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pseudoledger.statement.kinds.kind import Kind, Subject, kinds
from pseudoledger.statement.kinds.market import REFS_MAX
from pseudoledger.statement.values import (
    ChipId,
    Count,
    Country,
    Currency,
    Did,
    Digest,
    Document,
    Minor,
    Number,
    Period,
    Ref,
    Sealable,
    Sha256,
    Slug,
    Subdivision,
    Text,
    Value,
    note,
)

ClaimType = Literal[
    "kyc",
    "country",
    "ultimate_parent",
    "beneficial_owner",
    "affiliate_of",
    "facility",
    "chip_inventory",
    "revenue_at_least",
    "research_project",
    "approved_model",
]
Tier = Literal["declared", "documented", "inspected"]
"""How far an attestor has looked: its own word about itself, documents, or the thing itself; weakest first."""

_NEEDED = MappingProxyType(
    {
        "kyc": "subject_group",
        "country": "country",
        "affiliate_of": "party",
        "facility": "facility",
        "chip_inventory": "chips",
        "revenue_at_least": "at_least",
    }
)
"""The field without which a claim of a type says nothing."""
_ALLOWED = MappingProxyType(
    {
        "ultimate_parent": frozenset({"party", "digest"}),
        "beneficial_owner": frozenset({"digest"}),
        "research_project": frozenset({"digest"}),
        "approved_model": frozenset({"digest"}),
        "facility": frozenset({"about"}),
        "chip_inventory": frozenset({"about"}),
    }
)
"""Fields that a claim of a type may have beside."""
_VALUES = frozenset(_NEEDED.values()).union(*_ALLOWED.values())


class AttestedFacility(Sealable):
    """Where machines stand and what sort of place it is, by an attestor's word."""

    country: Country = note("ISO 3166-1 alpha-2", reveals="place")
    subdivision: Subdivision | None = note("ISO 3166-2", reveals="place", default=None)
    facility_class: Slug | None = note(
        "Class of the facility, e.g. state-run, as programmes name it", reveals="identity", default=None
    )
    site: Text | None = note("Name or address of the site", reveals="place", sealable=True)


class AttestedChips(Value):
    """So many chips of one sort, seen by an attestor."""

    chip: ChipId = note("Row of the chip table", reveals="hardware")
    count: Count = note("How many", unit="C62", reveals="hardware")
    origin: Country | None = note("Country where they were made", reveals="hardware", default=None)


class Threshold(Value):
    """An amount that is reached; by how much is not said."""

    currency: Currency = note("ISO 4217", reveals="money")
    amount_minor: Minor = note("The threshold", unit="minor unit", reveals="money")


class ClaimAttested(Sealable):
    """An attestor says something about an identity, for a time."""

    type: Literal["claim.attested"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The attestor's number of the claim")
    claim: ClaimType = note("What is attested", reveals="identity")
    tier: Tier = note(
        "How far the attestor has looked: its own word about itself, documents, or the thing itself",
        reveals="identity",
    )
    valid: Period = note("Time for which the claim is made", reveals="time")
    subject_group: Sha256 | None = note(
        "kyc: keyed digest of the registered person, the same for all its pseudonyms",
        reveals="identity",
        default=None,
    )
    country: Country | None = note("country: where the subject is established", reveals="place", default=None)
    party: Did | None = note(
        "affiliate_of, ultimate_parent: the other identity", reveals="counterparty", default=None
    )
    digest: Sha256 | None = note(
        "Keyed digest of the parent, owner, project or model, the same wherever the attestor means it",
        reveals="identity",
        default=None,
    )
    facility: AttestedFacility | None = note("facility: the place", reveals="place", default=None)
    chips: Annotated[tuple[AttestedChips, ...], Field(min_length=1, max_length=REFS_MAX)] | None = note(
        "chip_inventory: chips that were seen", reveals="hardware", default=None
    )
    at_least: Threshold | None = note("revenue_at_least: the threshold", reveals="money", default=None)
    about: Ref | None = note(
        "facility: the offer or lease whose place it is; chip_inventory: the pool",
        reveals="reference",
        default=None,
    )
    subject_name: Text | None = note(
        "Registered name of the person, parent, owner, project or model", reveals="identity", sealable=True
    )
    evidence: Document | None = note("Document that it rests on", reveals="reference", default=None)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)

    @model_validator(mode="after")
    def _value_of_its_type(self) -> Self:
        said = {name for name in _VALUES if getattr(self, name) is not None}
        needed = _NEEDED.get(self.claim)
        if needed is not None and needed not in said:
            raise ValueError("the field that holds the value of this type of claim is missing")
        if said - _ALLOWED.get(self.claim, frozenset()) - {needed}:
            raise ValueError("a field holds the value of another type of claim")
        return self


class ClaimRevoked(Value):
    """The attestor takes a claim back; it counts no more from here on."""

    type: Literal["claim.revoked"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    claim: Ref = note("The claim that is taken back", reveals="reference")
    reason: Literal["changed", "mistaken", "requested", "superseded"] = note("Why", reveals="identity")


class DisclosureShown(Sealable):
    """Somebody has opened sealed fields of a statement to a named reader, and says so."""

    type: Literal["disclosure.shown"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The discloser's number of this act")
    statement: Ref = note("Statement whose fields were opened", reveals="reference")
    reader: Did = note("To whom", reveals="counterparty")
    opened: Annotated[tuple[Digest, ...], Field(min_length=1, max_length=REFS_MAX)] = note(
        "Digests of the opened fields, sorted", reveals="reference"
    )
    remark: Text | None = note("What the reader wanted it for", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)

    @model_validator(mode="after")
    def _sorted(self) -> Self:
        if list(self.opened) != sorted(set(self.opened)):
            raise ValueError("opened must be sorted without duplicates")
        return self


KINDS: tuple[Kind, ...] = (
    *kinds("claim", Subject.IDENTITY, ClaimAttested, ClaimRevoked, since=2),
    *kinds("claim", Subject.ISSUER, DisclosureShown, since=2),
)
"""Kinds of this family, for the registry."""
