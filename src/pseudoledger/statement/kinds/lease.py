"""Kinds of the family *lease*: terms, proposals, signatures, amendments, reclaim and ending (design §3)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pseudoledger.statement.kinds.market import (
    LINES_MAX,
    REFS_MAX,
    Facility,
    Purpose,
    Residency,
    ResourceLine,
    Tariff,
)
from pseudoledger.statement.values import (
    Account,
    AssetType,
    Bps,
    Did,
    Instant,
    Length,
    LineId,
    Minor,
    Number,
    Period,
    Ref,
    Sealable,
    Sha256,
    Tax,
    Text,
    Value,
    note,
)

Role = Literal["lessor", "lessee"]


class TermsLine(ResourceLine):
    """One leased line; it cites an offer's line or, for a sublease, a line of the head lease."""

    offer: Ref | None = note("Offer it is taken from", reveals="reference", default=None)
    offer_line: LineId | None = note("Line of that offer", default=None)
    head_lease: Ref | None = note("Head lease it is sublet from", reveals="reference", default=None)
    head_line: LineId | None = note("Line of that head lease", default=None)
    purpose: Purpose = note("What the line is used for", reveals="identity")
    equivalence_ppm: Annotated[int, Field(ge=1, le=10**9)] = note(
        "Worth of one unit against the lease's reference chip, for totals over mixed chips",
        unit="millionths",
        reveals="hardware",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        offer = (self.offer is not None, self.offer_line is not None)
        head = (self.head_lease is not None, self.head_line is not None)
        if {offer, head} != {(True, True), (False, False)}:
            raise ValueError("a line cites either offer and offer_line, or head_lease and head_line")
        return self


class ServiceLevel(Value):
    """What is owed where machines are down."""

    uptime_ppm: Annotated[int, Field(ge=0, le=1_000_000)] = note("Promised uptime", unit="millionths")
    credit_bps: Bps = note("Share of a period's price credited below it", unit="bps", reveals="money")


class Silence(Value):
    """How long a party may stay silent before that counts as acceptance."""

    delivery: Length = note("For a delivery", reveals="time")
    usage: Length = note("For a usage report", reveals="time")
    invoice: Length = note("For an invoice", reveals="time")


class EarlyEnd(Value):
    """Fee owed by a role that ends the lease before its period is over, without a named cause."""

    lessor_fee_minor: Minor = note("Owed by the lessor", unit="minor unit", reveals="money")
    lessee_fee_minor: Minor = note("Owed by the lessee", unit="minor unit", reveals="money")


class PaymentMeans(Sealable):
    """How invoices may be paid: a reference for people, never an instruction to move money."""

    code: Literal["30", "42", "57", "58", "59", "ZZZ"] = note(
        "Payment means code (UNCL 4461)", reveals="money"
    )
    account: Account | None = note("Account on a public chain (CAIP-10)", reveals="identity", default=None)
    bank_account: Text | None = note("Bank account", reveals="identity", sealable=True)


class ShownMandate(Value):
    """A broker's mandate that both parties see in the terms."""

    mandate: Ref = note("The mandate", reveals="counterparty")
    broker: Did = note("The broker", reveals="counterparty")
    commission_bps: Bps = note("Its commission", unit="bps", reveals="money")


class Terms(Sealable):
    """The whole agreement; the id of the statement that carries it is the terms hash."""

    lessor: Did = note("Who leases out", reveals="identity")
    lessee: Did = note("Who leases", reveals="identity")
    lines: Annotated[tuple[TermsLine, ...], Field(min_length=1, max_length=LINES_MAX)] = note(
        "What is leased", reveals="hardware"
    )
    facility: Facility = note("Where", reveals="place")
    period: Period = note("When", reveals="time")
    tariff: Tariff = note("At what price", reveals="money")
    service_level: ServiceLevel = note("Promised uptime and credit")
    residency: Annotated[tuple[Residency, ...], Field(max_length=REFS_MAX)] = note(
        "Where each data set may be", reveals="place"
    )
    notice: Length | None = note(
        "Notice the lessor gives to reclaim; none where it may not", reveals="time", default=None
    )
    early_end: EarlyEnd = note("Fees for ending early", reveals="money")
    accept_within: Silence = note("When silence counts as acceptance", reveals="time")
    dispute_within: Length = note("How long after an answer a dispute may be opened", reveals="time")
    final_within: Length = note("How long after the end the last invoice may be issued", reveals="time")
    due_days: Annotated[int, Field(ge=0, le=366)] = note(
        "Days from invoice to due date", unit="day", reveals="money"
    )
    grace_days: Annotated[int, Field(ge=0, le=366)] = note(
        "Days past due before the lease may be ended", unit="day", reveals="money"
    )
    tax: Tax = note("Tax on every line", reveals="money")
    payment_means: Annotated[tuple[PaymentMeans, ...], Field(min_length=1, max_length=8)] = note(
        "How invoices are paid", reveals="money"
    )
    assets: Annotated[tuple[AssetType, ...], Field(max_length=8)] = note(
        "Tokens accepted in payment (CAIP-19)", reveals="money"
    )
    arbiter: Did | None = note("Who decides disputes", reveals="counterparty", default=None)
    answer_within: Length = note("Time to answer a dispute", reveals="time")
    decide_within: Length = note("Time to decide a dispute", reveals="time")
    sublease_allowed: bool = note("Whether the lessee may sublet")
    mandates: Annotated[tuple[ShownMandate, ...], Field(max_length=8)] = note(
        "Every broker's mandate", reveals="counterparty"
    )
    policies: Annotated[tuple[Sha256, ...], Field(max_length=REFS_MAX)] = note(
        "Registered policies that apply, by hash", reveals="reference"
    )
    lessor_name: Text | None = note(
        "Registered name of the lessor (BT-27)", reveals="identity", sealable=True
    )
    lessee_name: Text | None = note(
        "Registered name of the lessee (BT-44)", reveals="identity", sealable=True
    )
    workload: Text | None = note("What will run, in words", reveals="free_text", sealable=True)


class LeaseProposed(Value):
    """One party puts the whole terms to the other, answering an offer or demand of that other."""

    type: Literal["lease.proposed"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The proposer's number of the lease")
    answers: Ref = note("Offer, demand, match or bid of the other party", reveals="reference")
    valid_to: Instant = note("When the proposal lapses", reveals="time")
    terms: Terms = note("The whole terms")
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class LeaseSigned(Value):
    """The other party consents; the lease starts to bind here and its stock is taken."""

    type: Literal["lease.signed"] = note("Kind")
    v: Literal[1] = note("Version of the kind")


class LeaseRejected(Value):
    """The other party declines a proposal."""

    type: Literal["lease.rejected"] = note("Kind")
    v: Literal[1] = note("Version of the kind")


class LeaseCancelled(Value):
    """The proposer takes a proposal back before it is signed."""

    type: Literal["lease.cancelled"] = note("Kind")
    v: Literal[1] = note("Version of the kind")


class AmendmentProposed(Value):
    """One party puts changed terms, whole, to the other."""

    type: Literal["amendment.proposed"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The proposer's number of the amendment")
    replaces: Ref = note("Terms that it changes: refused if others came between", reveals="reference")
    effective_from: Instant = note("When the new terms start", reveals="time")
    valid_to: Instant = note("When the proposal lapses", reveals="time")
    terms: Terms = note("The whole new terms")
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class AmendmentSigned(Value):
    """The other party consents to an amendment."""

    type: Literal["amendment.signed"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    amendment: Ref = note("The proposal that is signed", reveals="reference")


class ReclaimStarted(Value):
    """The lessor gives notice that it takes the machines back."""

    type: Literal["reclaim.started"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The lessor's number of the notice")
    effective_at: Instant = note("When the machines go back; after the notice of the terms", reveals="time")
    code: Annotated[int, Field(ge=10_000, le=19_999)] = note("Reason code of the lessor", reveals="identity")


class LeaseEnded(Value):
    """A lease ends: at the end of its period, by notice, or early by a coded reason."""

    type: Literal["lease.ended"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    code: Annotated[int, Field(ge=0, le=29_999)] = note(
        "0 period over; 1-9999 lessee; 10000-19999 lessor, after notice; 20000 unpaid invoice past grace;"
        " 20001 voucher revoked; 20002 a policy entry; 20003 key revoked; 20004 head lease ended",
        reveals="identity",
    )
    entry: Ref | None = note(
        "What shows the condition of a code from 20000: the id of the invoice, voucher, revocation or end of"
        " the head lease; for 20002 the SHA-256 of the registered file",
        reveals="reference",
        default=None,
    )
