"""Kinds of the family *capital*: stakes in assets, and quotas within an organisation (design §3 "Capital and allocation").

A stake has one of two forms. Units of a pool's lines belong to their owner, who brings them in: what the pool
earns is split by the units that each has in it. A share takes so many basis points of the part of whoever
declares it: of the lessor's own part of a pool, or of an owner's part. What it comes to is computed from the
book, never stated.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pseudoledger.statement.kinds.kind import Kind, Subject, kinds
from pseudoledger.statement.kinds.market import LINES_MAX
from pseudoledger.statement.values import (
    INTEGER_MAX,
    Count,
    Currency,
    Did,
    Document,
    Instant,
    LineId,
    Number,
    Period,
    PositiveMinor,
    Ref,
    Sealable,
    Text,
    Value,
    note,
)


class OwnedUnits(Value):
    """So many units of one line of a pool that belong to the holder of the stake."""

    line: LineId = note("Line of the pool")
    count: Count = note("How many of its units", unit="C62", reveals="hardware")


class StakeDeclared(Sealable):
    """Who holds a pool says what part of it is another's: units that they bring in, or a share of its own part."""

    type: Literal["stake.declared"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The declarer's number of the stake")
    asset: Ref = note(
        "What the stake is in: a pool, or, for a share, also an owner's stake in one", reveals="reference"
    )
    holder: Did = note("Owner of the units, or investor; has to accept", reveals="counterparty")
    units: Annotated[tuple[OwnedUnits, ...], Field(min_length=1, max_length=LINES_MAX)] | None = note(
        "Units of the pool that the holder owns", reveals="hardware", default=None
    )
    share_bps: Annotated[int, Field(ge=1, le=10_000)] | None = note(
        "Share of the declarer's own part of what the asset earns", unit="bps", reveals="money", default=None
    )
    valid: Period = note("Time for which it counts, at the earliest from its acceptance", reveals="time")
    valid_to: Instant = note("When the declaration lapses if nobody accepted it", reveals="time")
    agreement: Document | None = note("Contract behind it, by hash", reveals="reference", default=None)
    label: Text | None = note("The declarer's own name for it", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.units is None) == (self.share_bps is None):
            raise ValueError("a stake is either units of a pool or share_bps")
        names = [item.line for item in self.units or ()]
        if len(names) != len(set(names)):
            raise ValueError("a line of the pool stands twice among the units")
        return self


class StakeAccepted(Value):
    """The owner or investor consents to the stake as it was declared; it counts from here on."""

    type: Literal["stake.accepted"] = note("Kind")
    v: Literal[1] = note("Version of the kind")


class _Rationed(Value):
    chip_seconds: Annotated[int, Field(ge=1, le=INTEGER_MAX)] | None = note(
        "In unit-seconds of chips", unit="chip_second", reveals="hardware", default=None
    )
    currency: Currency | None = note("In money: ISO 4217", reveals="money", default=None)
    amount_minor: PositiveMinor | None = note(
        "In money: how much", unit="minor unit", reveals="money", default=None
    )

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        money = (self.currency is not None, self.amount_minor is not None)
        if money not in {(True, True), (False, False)} or (self.chip_seconds is None) != money[0]:
            raise ValueError("it is either chip_seconds, or currency and amount_minor")
        return self


class QuotaSet(_Rationed, Sealable):
    """An organisation allots itself so much of compute or money for a time; what needs more is another quota."""

    type: Literal["quota.set"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The organisation's number of the quota")
    drawer: Did | None = note(
        "Who else may draw on it, such as a department with a key of its own",
        reveals="counterparty",
        default=None,
    )
    period: Period = note("Time for which it is allotted", reveals="time")
    label: Text | None = note("What it is for, in words", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class QuotaDrawn(_Rationed):
    """A part of a quota is put to a lease; never more than is left."""

    type: Literal["quota.drawn"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The drawer's number of the draw")
    lease: Ref = note("Lease that it is for", reveals="reference")


KINDS: tuple[Kind, ...] = (
    *kinds("capital", Subject.ISSUER, StakeDeclared, since=2),
    *kinds("capital", Subject.STAKE, StakeAccepted, since=2),
    *kinds("capital", Subject.ISSUER, QuotaSet, since=2),
    *kinds("capital", Subject.QUOTA, QuotaDrawn, since=2),
)
"""Kinds of this family, for the registry."""
