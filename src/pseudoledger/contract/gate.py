"""A party's own gate: which claims it wants to see about a counterparty before it signs.

The gate is nobody else's business and no rule: it reads what is attested and answers allow, warn or refuse, with
the claim that met each requirement or what is missing. Its file is the party's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import Field, ValidationError, model_validator

from pseudoledger.contract.book import Book
from pseudoledger.contract.claims import IN_FORCE, Standing, claims_about, same_place, standing
from pseudoledger.contract.things.claim import Claim
from pseudoledger.errors import MalformedError
from pseudoledger.statement.kinds.claim import ClaimType, Tier
from pseudoledger.statement.kinds.market import Facility
from pseudoledger.statement.values import Country, Currency, Did, Minor, Sha256, Slug, Value, format_instant

Verdict = Literal["allow", "warn", "refuse"]
_TIERS: MappingProxyType[str, int] = MappingProxyType({"declared": 0, "documented": 1, "inspected": 2})
_WEIGHT: MappingProxyType[str, int] = MappingProxyType({"allow": 0, "warn": 1, "refuse": 2})


class Requirement(Value):
    """One claim that has to be in force, and what follows where it is not."""

    claim: ClaimType
    otherwise: Literal["warn", "refuse"] = "refuse"
    attestors: tuple[Did, ...] = ()
    """Whose word counts; anybody's where none is named, the subject's own only at the tier declared."""
    tier: Tier = "documented"
    """The weakest tier that will do."""
    countries: tuple[Country, ...] = ()
    """Where the subject or the facility has to be."""
    classes: tuple[Slug, ...] = ()
    """Which classes of facility will do."""
    digests: tuple[Sha256, ...] = ()
    """Which projects, models, owners, parents or groups will do."""
    currency: Currency | None = None
    at_least_minor: Minor | None = None
    """The lowest threshold of revenue that will do."""
    throughout: bool = False
    """Whether the claim has to last until the lease ends."""

    @model_validator(mode="after")
    def _threshold_whole(self) -> Self:
        if (self.currency is None) != (self.at_least_minor is None):
            raise ValueError("currency and at_least_minor go together")
        return self


class GatePolicy(Value):
    """The requirements of one party."""

    name: Slug = "gate"
    require: Annotated[tuple[Requirement, ...], Field(min_length=1, max_length=64)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What the counterparty is checked for: as of when, until when, and at which place."""

    now: int
    until: int | None = None
    facility: Facility | None = None
    """The place that the terms name: a facility claim has to be about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A claim about the counterparty, and how it stands."""

    id: str
    claim: Claim
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One requirement: what follows, the claim that meets it, or what is missing."""

    requirement: Requirement
    verdict: Verdict
    met_by: Found | None
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """What is attested about a counterparty, and what the gate says to it."""

    subject: str
    verdict: Verdict
    checks: tuple[Checked, ...]
    found: tuple[Found, ...]


def read_policy(tree: Any) -> GatePolicy:
    """Read the file of a gate, already parsed; raise MalformedError saying what is wrong with it."""
    try:
        return GatePolicy.model_validate_json(orjson.dumps(tree))
    except (ValidationError, TypeError) as error:
        problems = error.errors(include_url=False) if isinstance(error, ValidationError) else []
        places = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in problems]
        raise MalformedError(
            f"not the policy of a gate: {'; '.join(places) or error}",
            code="gate.form",
            hint='[[require]] with claim = "kyc" is the shortest one; docs/how-to/check-a-counterparty.md',
        ) from None


def check(book: Book, policy: GatePolicy | None, subject: str, occasion: Occasion) -> GateReport:
    """Hold a counterparty against the requirements of a gate; without one, say what is attested and allow all."""
    root = book.root_of(subject)
    found = tuple(
        Found(id=ref, claim=claim, standing=standing(book, claim, occasion.now))
        for ref, claim in claims_about(book, root)
    )
    required = policy.require if policy is not None else ()
    checks = tuple(_checked(book, item, found, occasion) for item in required)
    verdict: Verdict = max((item.verdict for item in checks), key=lambda word: _WEIGHT[word], default="allow")
    return GateReport(subject=root, verdict=verdict, checks=checks, found=found)


def _checked(book: Book, wanted: Requirement, found: Sequence[Found], occasion: Occasion) -> Checked:
    candidates = sorted(
        (item for item in found if item.claim.payload.claim == wanted.claim),
        key=lambda item: -item.claim.payload.valid.until_seconds,
    )
    missing: list[str] = []
    for item in candidates:
        reasons = list(_short_of(book, wanted, item, occasion))
        if not reasons:
            return Checked(requirement=wanted, verdict="allow", met_by=item, missing=())
        missing.append(f"claim {item.claim.payload.number} {', '.join(reasons)}")
    if not candidates:
        missing.append(f"nobody attests {wanted.claim}")
    return Checked(requirement=wanted, verdict=wanted.otherwise, met_by=None, missing=tuple(missing))


def _short_of(book: Book, wanted: Requirement, item: Found, occasion: Occasion) -> Iterator[str]:
    """Yield in what a claim falls short of a requirement."""
    said, claim = item.claim.payload, item.claim
    if item.standing != IN_FORCE:
        yield f"is {item.standing.word}: {item.standing.why}"
    if wanted.attestors and not any(book.same_party(claim.attestor, did) for did in wanted.attestors):
        yield "is by an attestor that is not listed"
    if _TIERS[said.tier] < _TIERS[wanted.tier]:
        yield f"is {said.tier} only"
    country = said.country or (said.facility.country if said.facility else None)
    if wanted.countries and country not in wanted.countries:
        yield f"says {country or 'no country'}, not {' or '.join(wanted.countries)}"
    if wanted.classes and (said.facility is None or said.facility.facility_class not in wanted.classes):
        yield f"is about no facility of class {' or '.join(wanted.classes)}"
    if wanted.digests and (said.digest or said.subject_group) not in wanted.digests:
        yield "is about another one than those listed"
    if wanted.at_least_minor is not None and (
        said.at_least is None
        or said.at_least.currency != wanted.currency
        or said.at_least.amount_minor < wanted.at_least_minor
    ):
        yield "attests a lower threshold, or one in another currency"
    if wanted.throughout and occasion.until is not None and said.valid.until_seconds < occasion.until:
        yield f"ends at {said.valid.until}, before {format_instant(occasion.until)}"
    if said.facility and occasion.facility and not same_place(said.facility, occasion.facility):
        yield f"is about a place in {said.facility.subdivision or said.facility.country}"
