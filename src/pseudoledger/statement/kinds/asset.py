"""Kinds of the family *asset*: machines and who holds them (design §3 "Delivery and assets")."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pseudoledger.statement.kinds.delivery import SERIALS_MAX
from pseudoledger.statement.kinds.kind import Kind, Subject, kinds
from pseudoledger.statement.values import (
    ChipId,
    Count,
    Country,
    Did,
    Document,
    Number,
    Ref,
    Sealable,
    Sha256,
    Subdivision,
    Text,
    Value,
    note,
)


class AssetRegistered(Sealable):
    """An owner names a machine by its serial digest, and where it stands; it holds the machine itself."""

    type: Literal["asset.registered"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The owner's number of the machine")
    serial: Sha256 = note(
        "Serial digest (formats §9) of the machine; whoever knows the serial can find it: guessable",
        reveals="hardware",
    )
    chip: ChipId = note("Row of the chip table: the chips in it", reveals="hardware")
    count: Count = note("How many chips are in it", unit="C62", reveals="hardware")
    parts: Annotated[tuple[Sha256, ...], Field(max_length=SERIALS_MAX)] = note(
        "Serial digests of its chips as far as they are known, sorted: guessable", reveals="hardware"
    )
    country: Country = note("Where it stands (ISO 3166-1 alpha-2)", reveals="place")
    subdivision: Subdivision | None = note("The same, closer (ISO 3166-2)", reveals="place", default=None)
    site: Text | None = note("Name or address of the site", reveals="place", sealable=True)
    evidence: Document | None = note(
        "Proof of purchase or inventory record, by hash", reveals="reference", default=None
    )
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class AssetMoved(Value):
    """The holder sends a machine on; it holds it until the receiver has signed for it."""

    type: Literal["asset.moved"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The holder's number of the move")
    to: Did = note(
        "Who is to receive it; the holder itself, where it only changes place", reveals="counterparty"
    )
    reason: Literal["sale", "lease", "repair", "relocation", "return", "storage", "other"] = note(
        "Why; after a sale the receiver is the owner", reveals="hardware"
    )
    evidence: Document | None = note("Waybill or contract, by hash", reveals="reference", default=None)


class AssetReceived(Sealable):
    """The receiver signs for a machine and says where it is now."""

    type: Literal["asset.received"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    move: Ref = note("The move", reveals="reference")
    country: Country = note("Where it stands now (ISO 3166-1 alpha-2)", reveals="place")
    subdivision: Subdivision | None = note("The same, closer (ISO 3166-2)", reveals="place", default=None)
    condition: Literal["intact", "opened", "damaged"] = note("How it arrived", reveals="hardware")
    site: Text | None = note("Name or address of the site", reveals="place", sealable=True)
    evidence: Document | None = note("Proof of delivery, by hash", reveals="reference", default=None)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


KINDS: tuple[Kind, ...] = (
    *kinds("asset", Subject.ISSUER, AssetRegistered, since=2),
    *kinds("asset", Subject.ASSET, AssetMoved, AssetReceived, since=2),
)
"""Kinds of this family, for the registry."""
