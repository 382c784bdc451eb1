"""The form of a rule pack: a TOML file of versions with dates, each with lines, answers and rules.

A pack is data. What it may say is fixed here and refused otherwise; what it means is in `pack` and `engine`.
Pages: docs/reference/packs.md, docs/adr on rule packs.
"""

from __future__ import annotations

import re
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pseudoledger.statement.values import Date


class Status(Enum):
    """How far a version of a rule binds anybody."""

    IN_FORCE = "in_force"
    LETTER = "letter"
    GUIDANCE = "guidance"
    PROPOSED = "proposed"
    NEVER_ENFORCED = "never_enforced"
    HOUSE = "house"


STATUS_SAYS = MappingProxyType(
    {
        Status.IN_FORCE: "published rule, in force at that time",
        Status.LETTER: "told to named companies by letter; the text is not published",
        Status.GUIDANCE: "published guidance: it binds nobody by itself",
        Status.PROPOSED: "proposed rule: it was never in force",
        Status.NEVER_ENFORCED: "published rule that was withdrawn before anybody had to comply",
        Status.HOUSE: "question of this project; no law stands behind it",
    }
)


class Severity(Enum):
    """How soon the question of a finding should be asked."""

    NOTE = "note"
    QUESTION = "question"
    PRIORITY = "priority"


SEVERITY_SAYS = MappingProxyType(
    {
        Severity.PRIORITY: "ask first",
        Severity.QUESTION: "ask in the ordinary course",
        Severity.NOTE: "worth knowing; ask if something else leads here",
    }
)

NOT_BINDING = frozenset({Status.PROPOSED, Status.NEVER_ENFORCED})
"""Versions that may yield notes and questions, never priorities."""

_NAME = r"^[a-z][a-z0-9_]{0,47}$"
_WORDS = re.compile(
    r"\b(violat\w*|illegal\w*|unlawful\w*|fraud\w*|guilt\w*|criminal\w*|offence|offense)\b", re.IGNORECASE
)


def _decimal(text: str) -> str:
    if re.fullmatch(r"-?\d+(\.\d+)?([eE]\d+)?", text) is None:
        raise ValueError(f"{text!r} is not a decimal number")
    Fraction(text)
    return text


def _no_verdict(text: str) -> str:
    found = _WORDS.search(text)
    if found:
        raise ValueError(f"{found[0]!r} is a verdict; a finding is a question with facts for and against")
    return text


Name = Annotated[str, StringConstraints(pattern=_NAME)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
Decimal = Annotated[str, AfterValidator(_decimal)]
"""A decimal number as text, read exactly."""
Prose = Annotated[str, StringConstraints(min_length=1, max_length=600), AfterValidator(_no_verdict)]
"""Text for people; `{fact}` stands for a fact of the observation."""


class Part(BaseModel):
    """Base of every object of a pack: strict, nothing beyond the named fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Line(Part):
    """A threshold. Expressions see it as -1, 0 or 1: the fact is below, at or above the value, exactly."""

    name: Name
    fact: Name
    value: Decimal
    says: Prose = "threshold"


class Choice(Part):
    """One value of an answer, and when it is the value; the first that fits counts."""

    is_: Annotated[str, Field(alias="is", min_length=1, max_length=60)]
    when: str


class Answer(Part):
    """A named text worked out from facts and lines: the class of a chip, for instance."""

    name: Name
    says: Prose
    observes: tuple[Name, ...]
    choices: tuple[Choice, ...]
    otherwise: Annotated[str, Field(min_length=1, max_length=60)] = "none"


class Evidence(Part):
    """One fact for or against, said where `when` holds."""

    says: Prose
    when: str = "true"


class RuleText(Part):
    """One rule: when a question is raised, and which."""

    rule: Slug
    observes: Name
    when: str
    severity: Severity
    unknown: Literal["ask", "silent"] = "ask"
    unknown_severity: Severity = Severity.NOTE
    says: Prose
    asks: Prose
    for_: Annotated[tuple[Evidence, ...], Field(alias="for")] = ()
    against: tuple[Evidence, ...] = ()
    once_per: Name | Literal[""] = ""
    due_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    due_says: Prose = "answer by"


class VersionText(Part):
    """One version of the rules of a pack, and when it counts."""

    version: Slug
    track: Slug = "main"
    start: Annotated[Date, Field(alias="from")]
    until: Date | None = None
    status: Status
    title: Prose
    citation: tuple[Prose, ...]
    doubts: tuple[Prose, ...] = ()
    extends: Slug | None = None
    without: tuple[str, ...] = ()
    """Names of inherited lines, answers and rules that this version does not have."""
    lists: dict[Name, tuple[str, ...]] = {}
    lines: tuple[Line, ...] = ()
    answers: tuple[Answer, ...] = ()
    rules: tuple[RuleText, ...] = ()

    @model_validator(mode="after")
    def _no_priority_without_force(self) -> Self:
        if self.status in NOT_BINDING:
            loud = [rule.rule for rule in self.rules if rule.severity is Severity.PRIORITY]
            if loud:
                raise ValueError(
                    f"{', '.join(loud)}: a version that is {self.status.value} has no priorities"
                )
        return self

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.until is not None and self.until <= self.start:
            raise ValueError(f"version {self.version} ends before it starts")
        return self


class PackText(Part):
    """A whole pack file."""

    pack: Slug
    title: Prose
    about: Annotated[str, StringConstraints(min_length=1, max_length=2_000), AfterValidator(_no_verdict)]
    versions: Annotated[tuple[VersionText, ...], Field(min_length=1, max_length=64)]


class CaseText(Part):
    """One case beside a pack: an observation and the findings it has to give."""

    case: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    observes: Name
    version: Slug
    chip: str | None = None
    """Row of the chip table whose facts are taken first."""
    facts: dict[Name, bool | int | str | tuple[str, ...]] = {}
    """Facts by name; fractions as decimal text; the text "unknown" takes a fact away."""
    shown: dict[Name, bool | int | str | tuple[str, ...]] = {}
    """Facts that a disclosure makes known."""
    answers: dict[Name, str] = {}
    """What answers have to be; "unknown" where they cannot be given."""
    findings: tuple[str, ...] = ()
    """Findings that come out, in order, as `rule state severity`; nothing else may."""
    margins: dict[Name, Decimal] = {}
    """Differences to lines, cut to the decimals that are written here."""


class CasesText(Part):
    """A whole file of cases."""

    pack: Slug
    cases: Annotated[tuple[CaseText, ...], Field(min_length=1)]
