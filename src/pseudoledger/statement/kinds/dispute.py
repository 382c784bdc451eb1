"""Kinds of the family *dispute*: objections, answers and the decision of the arbiter (design §3 "Disputes")."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pseudoledger.statement.kinds.kind import Kind, Subject, kinds
from pseudoledger.statement.values import (
    INTEGER_MAX,
    Count,
    Document,
    Number,
    PositiveMinor,
    Ref,
    Sealable,
    Seconds,
    Text,
    Value,
    note,
)

Sort = Literal["delivery", "usage", "invoice"]
"""What can be disputed."""


class Matter(Value):
    """What is disputed: one delivery, usage report or invoice, and how much of it."""

    delivery: Ref | None = note("A delivery that waits for its answer", reveals="reference", default=None)
    count: Count | None = note(
        "Its units, all of them: a delivery is disputed whole", unit="C62", reveals="hardware", default=None
    )
    usage: Ref | None = note("A usage report", reveals="reference", default=None)
    chip_seconds: Annotated[int, Field(ge=1, le=INTEGER_MAX)] | None = note(
        "How much of the report is disputed", unit="chip_second", reveals="hardware", default=None
    )
    invoice: Ref | None = note("An invoice", reveals="reference", default=None)
    amount_minor: PositiveMinor | None = note(
        "How much of the invoice's total is disputed", unit="minor unit", reveals="money", default=None
    )

    @model_validator(mode="after")
    def _one_matter(self) -> Self:
        pairs = (
            (self.delivery, self.count),
            (self.usage, self.chip_seconds),
            (self.invoice, self.amount_minor),
        )
        named = [(ref is not None, amount is not None) for ref, amount in pairs]
        if sorted(named) != [(False, False), (False, False), (True, True)]:
            raise ValueError("name one delivery, usage report or invoice, and how much of it")
        return self

    @property
    def sort(self) -> Sort:
        """Which sort of thing is disputed."""
        if self.delivery is not None:
            return "delivery"
        return "usage" if self.usage is not None else "invoice"

    @property
    def ref(self) -> str:
        """The thing that is disputed."""
        return self.delivery or self.usage or self.invoice or ""

    @property
    def amount(self) -> int:
        """How much of it: units, unit-seconds or minor units."""
        return self.count or self.chip_seconds or self.amount_minor or 0


class DisputeOpened(Sealable):
    """A party objects; with an arbiter in the terms, the disputed amount is frozen until it is decided."""

    type: Literal["dispute.opened"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The party's number of the dispute")
    matter: Matter = note("What is disputed, and how much of it")
    reason: Literal[
        "quantity", "downtime", "price", "tax", "quality", "not_delivered", "duplicate", "other"
    ] = note("Why", reveals="money")
    evidence: Document | None = note("What shows it, by hash", reveals="reference", default=None)
    remark: Text | None = note("Why, in words", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class DisputeAnswered(Sealable):
    """The other party answers; what it admits binds at once, the rest is for the arbiter."""

    type: Literal["dispute.answered"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    admitted: Seconds = note(
        "How much of the disputed amount it gives to the party that opened the dispute, in the unit of the matter",
        unit="C62, chip_second or minor unit",
        reveals="money",
    )
    evidence: Document | None = note("What shows it, by hash", reveals="reference", default=None)
    remark: Text | None = note("Why, in words", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class DisputeDecided(Sealable):
    """The arbiter of the terms decides; the decision binds the book."""

    type: Literal["dispute.decided"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    awarded: Seconds = note(
        "How much of what was not admitted goes to the party that opened the dispute, in the unit of the matter",
        unit="C62, chip_second or minor unit",
        reveals="money",
    )
    reasoning: Document | None = note("The reasoned decision, by hash", reveals="reference", default=None)
    remark: Text | None = note("Why, in words", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


KINDS: tuple[Kind, ...] = (
    *kinds("dispute", Subject.LEASE, DisputeOpened, since=2),
    *kinds("dispute", Subject.DISPUTE, DisputeAnswered, DisputeDecided, since=2),
)
"""Kinds of this family, for the registry."""
