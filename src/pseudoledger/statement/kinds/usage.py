"""Kinds of the family *usage*: cumulative meter reports and the lessee's answer (design §3)."""

from __future__ import annotations

from typing import Literal

from pseudoledger.statement.values import (
    Document,
    LineId,
    Period,
    Ref,
    Sealable,
    Seconds,
    Text,
    Value,
    note,
)


class UsageReported(Value):
    """The lessor's meter of one line: total unit-seconds since delivery, up to the end of a period."""

    type: Literal["usage.reported"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    line: LineId = note("Line of the lease")
    period: Period = note("Period that is reported; starts where the line's last one ended", reveals="time")
    chip_seconds: Seconds = note(
        "Cumulative count times seconds of the line's units, from delivery to the end of the period",
        unit="chip_second",
        reveals="hardware",
    )
    downtime_s: Seconds = note(
        "Seconds of the period in which the line was down", unit="SEC", reveals="hardware"
    )
    evidence: Document | None = note("Meter record, by hash", reveals="reference", default=None)
    replaces: Ref | None = note(
        "Contested, or unanswered and unbilled, report of the same period that this one corrects",
        reveals="reference",
        default=None,
    )


class UsageConfirmed(Value):
    """The lessee agrees with a report."""

    type: Literal["usage.confirmed"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    report: Ref = note("The report", reveals="reference")


class UsageContested(Sealable):
    """The lessee disagrees; the agreed part may be billed at once."""

    type: Literal["usage.contested"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    report: Ref = note("The report", reveals="reference")
    reason: Literal["quantity", "downtime", "not_delivered", "other"] = note(
        "What is contested", reveals="hardware"
    )
    agreed_chip_seconds: Seconds = note(
        "Part of the period's unit-seconds that is agreed", unit="chip_second", reveals="hardware"
    )
    agreed_downtime_s: Seconds = note("Downtime that the lessee counts", unit="SEC", reveals="hardware")
    remark: Text | None = note("Why, in words", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)
