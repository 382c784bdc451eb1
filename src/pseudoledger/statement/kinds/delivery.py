"""Kinds of the family *delivery*: machines handed over, accepted or refused (design §3)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pseudoledger.statement.kinds.market import LINES_MAX
from pseudoledger.statement.values import (
    Count,
    Document,
    LineId,
    Number,
    Ref,
    Sealable,
    Sha256,
    Text,
    Value,
    note,
)

SERIALS_MAX = 64
"""Most serial digests of one delivery (formats §8)."""


class DeliveredLine(Value):
    """So many units of one lease line."""

    line: LineId = note("Line of the lease")
    count: Count = note("How many were handed over", unit="C62", reveals="hardware")


class DeliveryOffered(Value):
    """The lessor says that machines are ready; the lessee accepts, refuses or stays silent."""

    type: Literal["delivery.offered"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The lessor's number of the batch")
    lines: Annotated[tuple[DeliveredLine, ...], Field(min_length=1, max_length=LINES_MAX)] = note(
        "What is handed over", reveals="hardware"
    )
    evidence: Document | None = note("Hand-over record, by hash", reveals="reference", default=None)
    serials: Annotated[tuple[Sha256, ...], Field(max_length=SERIALS_MAX)] = note(
        "Serial digests (formats §9), sorted; whoever knows a serial can find it: guessable",
        reveals="hardware",
    )


class DeliveryAccepted(Value):
    """The lessee has the machines; usage of the lines may be metered from here."""

    type: Literal["delivery.accepted"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    delivery: Ref = note("The delivery", reveals="reference")


class DeliveryRefused(Sealable):
    """The lessee does not take the machines."""

    type: Literal["delivery.refused"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    delivery: Ref = note("The delivery", reveals="reference")
    reason: Literal["not_reachable", "wrong_hardware", "wrong_count", "below_spec", "other"] = note(
        "Why", reveals="hardware"
    )
    remark: Text | None = note("Why, in words", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)
