"""Lease templates: ready clauses in `contracts/templates/` from which whole terms are drafted.

A template fixes the clauses; lines, prices, place and parties come from the offers that the lease takes up.
What comes out is a draft like any other: the rules judge it when it is proposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from pseudoledger.contract.tables import contracts_dir, shipped
from pseudoledger.contract.things import Offer
from pseudoledger.errors import MalformedError
from pseudoledger.statement.kinds.lease import EarlyEnd, ServiceLevel, Silence
from pseudoledger.statement.kinds.market import Basis, Purpose
from pseudoledger.statement.values import Length, Period, Slug, Text, Value

WHOLE_PPM = 1_000_000
"""Equivalence of a line that counts as itself."""


class Template(Value):
    """The clauses of one template."""

    name: Slug
    title: Text
    summary: Text
    basis: Basis
    service_level: ServiceLevel
    notice: Length | None = None
    early_end: EarlyEnd
    accept_within: Silence
    dispute_within: Length
    final_within: Length
    due_days: int
    grace_days: int
    answer_within: Length
    decide_within: Length
    sublease_allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One line of a lease to be: so many units of one line of an offer."""

    offer_id: str
    offer: Offer
    offer_line: str
    count: int
    purpose: Purpose = "other"
    equivalence_ppm: int = WHOLE_PPM
    line_id: str = ""
    """Name of the line in the lease; the offer's line id where empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """What a template does not fix: parties, lines, time, and what the parties add."""

    lessor: str
    lessee: str
    choices: Sequence[Choice]
    period: Period
    tax: dict[str, Any] = field(default_factory=lambda: {"category": "O", "rate_bps": 0})
    payment_means: Sequence[dict[str, Any]] = ({"code": "30"},)
    residency: Sequence[dict[str, Any]] = ()
    assets: Sequence[str] = ()
    mandates: Sequence[dict[str, Any]] = ()
    policies: Sequence[str] = ()
    arbiter: str | None = None
    sealed: dict[str, str] = field(default_factory=dict)
    """Sealable texts of the terms: lessor_name, lessee_name, workload."""


def names() -> tuple[str, ...]:
    """Return the names of the shipped templates."""
    return tuple(sorted(path.stem for path in (contracts_dir() / "templates").glob("*.json")))


def load(name: str) -> Template:
    """Return a shipped template; raise MalformedError if there is none of that name or it is broken."""
    if name not in names():
        raise MalformedError(
            f"there is no template {name!r}",
            code="template.unknown",
            hint=f"choose one of: {', '.join(names())}",
        )
    return read(shipped(f"templates/{name}.json"))


def read(raw: bytes) -> Template:
    """Read a template from its bytes; raise MalformedError saying what is wrong."""
    try:
        return Template.model_validate_json(raw)
    except ValidationError as error:
        problems = "; ".join(f"/{'/'.join(map(str, p['loc']))} {p['msg']}" for p in error.errors()[:8])
        raise MalformedError(f"not a lease template: {problems}", code="template.form") from None


def draft_terms(template: Template, deal: Deal) -> dict[str, Any]:
    """Draft whole terms, in the clear, from a template and what it leaves open.

    Raises MalformedError if the offers differ in currency or country, a line is not in its offer, or the
    offer's price is not of the template's basis.
    """
    lines, rates = [], []
    offers = [choice.offer.payload for choice in deal.choices]
    if not offers:
        raise MalformedError("a lease needs at least one line", code="template.lines")
    if (
        len({offer.tariff.currency for offer in offers}) > 1
        or len({offer.facility.country for offer in offers}) > 1
    ):
        raise MalformedError(
            "the offers differ in currency or country", code="template.offers", hint="make one lease for each"
        )
    for choice in deal.choices:
        offered = next((line for line in choice.offer.payload.lines if line.id == choice.offer_line), None)
        rate = next(
            (rate for rate in choice.offer.payload.tariff.lines if rate.line == choice.offer_line), None
        )
        if offered is None or rate is None:
            raise MalformedError(f"the offer has no line {choice.offer_line!r}", code="template.lines")
        if rate.basis not in {template.basis, "once"}:
            raise MalformedError(
                f"the offer's line {choice.offer_line!r} is priced {rate.basis}, the template is {template.basis}",
                code="template.basis",
                hint="choose a template of the offer's basis",
            )
        line_id = choice.line_id or choice.offer_line
        lines.append(
            {
                **offered.model_dump(mode="json", include={"resource", "chip"}, exclude_none=True),
                "id": line_id,
                "count": choice.count,
                "offer": choice.offer_id,
                "offer_line": choice.offer_line,
                "purpose": choice.purpose,
                "equivalence_ppm": choice.equivalence_ppm,
            }
        )
        rates.append({**rate.model_dump(mode="json", exclude_none=True), "line": line_id})
    facility = offers[0].facility.model_dump(
        mode="json", include={"country", "subdivision"}, exclude_none=True
    )
    clauses = template.model_dump(
        mode="json", exclude_none=True, exclude={"name", "title", "summary", "basis"}
    )
    return {
        **clauses,
        "lessor": deal.lessor,
        "lessee": deal.lessee,
        "lines": lines,
        "facility": facility,
        "period": deal.period.model_dump(mode="json"),
        "tariff": {"currency": offers[0].tariff.currency, "lines": rates},
        "residency": list(deal.residency),
        "tax": deal.tax,
        "payment_means": list(deal.payment_means),
        "assets": list(deal.assets),
        "mandates": list(deal.mandates),
        "policies": list(deal.policies),
        **({"arbiter": deal.arbiter} if deal.arbiter else {}),
        **deal.sealed,
    }
