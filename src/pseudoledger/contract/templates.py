"""Lease templates: ready clauses in `contracts/templates/` from which whole terms are drafted.

A template fixes the clauses; lines, prices, place and parties come from the offers that the lease takes up, or, for
a sublease, from the terms of the head lease. What comes out is a draft like any other: the rules judge it when it is proposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from pseudoledger.contract.tables import contracts_dir, shipped
from pseudoledger.contract.things import Offer
from pseudoledger.errors import MalformedError
from pseudoledger.statement.kinds.lease import EarlyEnd, ServiceLevel, Silence, Terms
from pseudoledger.statement.kinds.market import Basis, Facility, Purpose
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
class Sublet:
    """One line of a sublease to be: so many units of one line of a head lease, at a price of its own."""

    head_id: str
    head: Terms
    """The newest terms of the head lease: place, currency and residency are theirs."""
    head_line: str
    count: int
    price_micro: int
    purpose: Purpose = "other"
    equivalence_ppm: int = WHOLE_PPM


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """What a template does not fix: parties, lines, time, and what the parties add."""

    lessor: str
    lessee: str
    choices: Sequence[Choice | Sublet]
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
    facility: dict[str, str] = field(default_factory=dict)
    """Sealable texts of the facility: site, and who owns and who operates it."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drafted:
    """One line as terms have it, its rate, and what all lines of a lease have in common."""

    line: dict[str, Any]
    rate: dict[str, Any]
    currency: str
    facility: Facility


def draft_terms(template: Template, deal: Deal) -> dict[str, Any]:
    """Draft whole terms, in the clear, from a template and what it leaves open.

    Raises MalformedError if the offers or head leases differ in currency or country, a line is not in its offer
    or head lease, or the offer's price is not of the template's basis.
    """
    drafted = [
        _offered(item, template) if isinstance(item, Choice) else _sublet(item, template)
        for item in deal.choices
    ]
    if not drafted:
        raise MalformedError("a lease needs at least one line", code="template.lines")
    if len({(item.currency, item.facility.country) for item in drafted}) > 1:
        raise MalformedError(
            "the offers differ in currency or country", code="template.offers", hint="make one lease for each"
        )
    facility = drafted[0].facility.model_dump(
        mode="json", include={"country", "subdivision"}, exclude_none=True
    )
    clauses = template.model_dump(
        mode="json", exclude_none=True, exclude={"name", "title", "summary", "basis"}
    )
    return {
        **clauses,
        "lessor": deal.lessor,
        "lessee": deal.lessee,
        "lines": [item.line for item in drafted],
        "facility": facility | deal.facility,
        "period": deal.period.model_dump(mode="json"),
        "tariff": {"currency": drafted[0].currency, "lines": [item.rate for item in drafted]},
        "residency": _residency(deal),
        "tax": deal.tax,
        "payment_means": list(deal.payment_means),
        "assets": list(deal.assets),
        "mandates": list(deal.mandates),
        "policies": list(deal.policies),
        **({"arbiter": deal.arbiter} if deal.arbiter else {}),
        **deal.sealed,
    }


def _offered(choice: Choice, template: Template) -> _Drafted:
    """Draft a line that an offer serves, at the offer's price."""
    offer = choice.offer.payload
    offered = next((line for line in offer.lines if line.id == choice.offer_line), None)
    rate = next((rate for rate in offer.tariff.lines if rate.line == choice.offer_line), None)
    if offered is None or rate is None:
        raise MalformedError(
            f"the offer has no line {choice.offer_line!r}",
            code="template.lines",
            hint=f"its lines are {', '.join(line.id for line in offer.lines)}",
        )
    if rate.basis not in {template.basis, "once"}:
        raise MalformedError(
            f"the offer's line {choice.offer_line!r} is priced {rate.basis}, the template is {template.basis}",
            code="template.basis",
            hint="choose a template of the offer's basis",
        )
    line_id = choice.line_id or choice.offer_line
    line = {
        **offered.model_dump(mode="json", include={"resource", "chip"}, exclude_none=True),
        "id": line_id,
        "count": choice.count,
        "offer": choice.offer_id,
        "offer_line": choice.offer_line,
        "purpose": choice.purpose,
        "equivalence_ppm": choice.equivalence_ppm,
    }
    priced = {**rate.model_dump(mode="json", exclude_none=True), "line": line_id}
    return _Drafted(line=line, rate=priced, currency=offer.tariff.currency, facility=offer.facility)


def _sublet(item: Sublet, template: Template) -> _Drafted:
    """Draft a line that a head lease serves; the template says how its price is reckoned."""
    above = next((line for line in item.head.lines if line.id == item.head_line), None)
    if above is None:
        raise MalformedError(
            f"the head lease has no line {item.head_line!r}",
            code="template.lines",
            hint=f"its lines are {', '.join(line.id for line in item.head.lines)}",
        )
    line = {
        **above.model_dump(mode="json", include={"resource", "chip"}, exclude_none=True),
        "id": item.head_line,
        "count": item.count,
        "head_lease": item.head_id,
        "head_line": item.head_line,
        "purpose": item.purpose,
        "equivalence_ppm": item.equivalence_ppm,
    }
    rate = {"line": item.head_line, "basis": template.basis, "price_micro": item.price_micro}
    return _Drafted(line=line, rate=rate, currency=item.head.tariff.currency, facility=item.head.facility)


def _residency(deal: Deal) -> list[dict[str, Any]]:
    """Return where data sets may be: what the deal says, and what a head lease says of others; it binds below too."""
    rules = list(deal.residency)
    for item in deal.choices:
        for rule in item.head.residency if isinstance(item, Sublet) else ():
            if rule.data_set not in {said["data_set"] for said in rules}:
                rules.append(rule.model_dump(mode="json"))
    return rules
