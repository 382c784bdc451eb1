"""What the JSON API answers about programmes, vouchers, machines and disputes; read as `models` are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pseudoledger.contract.custody import Gap, Step
from pseudoledger.contract.derive import DisputeStatus
from pseudoledger.contract.vouchers import ProgrammeStatus, VoucherStatus
from pseudoledger.node.api.models import Currency, Did, Entry, Id, Model, Number, Time, Tree

Chip = Annotated[
    str, Field(description="Chip, as the chip table names it.", examples=["nvidia-h200-sxm-141gb"])
]
Country = Annotated[str, Field(description="ISO 3166-1 alpha-2.", examples=["DE"])]
Disputed = Literal["delivery", "usage", "invoice"]


class ProgrammeItem(Model):
    """One programme of vouchers."""

    id: Id
    number: Number
    title: str = Field(description="Its public name.")
    status: ProgrammeStatus = Field(description="early before its period, over after it.")
    issuer: Did
    currency: Currency
    budget_minor: int = Field(description="Most that its vouchers may come to, less what was withdrawn.")
    left_minor: int = Field(description="What the budget still holds for new vouchers.")
    vouchers: int = Field(description="How many vouchers were issued.")
    issued_minor: int = Field(description="Face of all of them.")
    redeemed_minor: int = Field(description="What of it stands redeemed.")
    withdrawn_minor: int = Field(description="What of it was withdrawn, and counts for the budget again.")
    start: Time
    until: Time
    entry: Entry
    payload: Tree


class VoucherItem(Model):
    """One voucher. The face is the sum of its six parts."""

    id: Id
    number: Number
    status: VoucherStatus = Field(description="early before its period; spent where nothing of it is left.")
    programme: Id
    issuer: Did
    holder: Did
    currency: Currency
    face_minor: int = Field(description="What it was issued for.")
    free_minor: int = Field(description="Bound to nothing.")
    reserved_minor: int = Field(description="Set aside for leases.")
    presented_minor: int = Field(description="Offered in payment of invoices, and waiting for the lessor.")
    redeemed_minor: int = Field(description="Redeemed, less what came back.")
    lapsed_minor: int = Field(description="Not redeemed before it lapsed.")
    withdrawn_minor: int = Field(description="Taken back by the issuer.")
    start: Time
    until: Time
    expires_at: Time = Field(description="When everything that is not redeemed lapses.")
    revoked_at: int | None = Field(description="When the issuer revoked it.")
    entry: Entry


class AssetItem(Model):
    """One machine, by the digest of its serial number."""

    id: Id
    number: Number
    serial: str = Field(description="Slow digest of its serial number.")
    parts: list[str] = Field(description="The same of its chips, where they were named.")
    chip: Chip
    count: int = Field(description="How many chips it has.")
    owned_by: Did
    held_by: Did
    country: Country
    subdivision: str | None = Field(description="ISO 3166-2, where it was said.")
    moving_to: str | None = Field(description="Who has yet to sign for it, where it is on its way.")
    moved_at: int | None = Field(description="When it was sent there.")
    steps: int = Field(ge=1, description="Steps of its custody, its registration counted.")
    entry: Entry


class AssetCustody(Model):
    """The custody chain of one machine: who held it where and when, and what nobody signed for."""

    asset: Id
    number: Number
    chip: Chip
    count: int = Field(description="How many chips it has.")
    owned_by: Did
    held_by: Did
    country: Country
    steps: list[Step] = Field(description="Its holders, the first one first.")
    gaps: list[Gap] = Field(description="Times for which nobody but the sender speaks.")
    countries: list[str] = Field(description="Countries that it passed, in order, each time it changed.")
    returns: int = Field(description="How often it came back to somebody who held it before.")
    leases: list[str] = Field(description="Leases under which it or one of its chips was delivered.")
    as_of: Time


class DisputeItem(Model):
    """One dispute. Amounts are units of a delivery, unit-seconds of a usage report, minor units of an invoice."""

    id: Id
    number: Number
    status: DisputeStatus = Field(description="open until it is answered, answered until it is decided.")
    sort: Disputed = Field(description="What is disputed.")
    about: Id = Field(description="The delivery, usage report or invoice.")
    lease: Id
    reason: str = Field(description="Why, in one word.")
    by: Did
    against: Did
    arbiter: str | None = Field(description="Who decides; null where the terms name nobody else.")
    amount: int = Field(description="How much is disputed.")
    admitted: int = Field(description="What of it the other party admitted.")
    awarded: int = Field(description="What the arbiter awarded of the rest.")
    frozen: int = Field(description="What it stops now: silence, ageing and claw-back, for so much.")
    frozen_until: int | None = Field(
        description="When that ends if nobody acts; null where nothing is frozen."
    )
    opened_at: Time
    answer_by: Time
    answered_at: int | None = Field(description="When the other party answered.")
    decide_by: int | None = Field(description="When the arbiter has to have decided.")
    closed_at: int | None = Field(description="When it was admitted whole, decided, withdrawn or moot.")
    entry: Entry
