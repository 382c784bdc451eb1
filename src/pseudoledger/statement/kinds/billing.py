"""Kinds of the family *billing*: invoices, credit notes and payment references (design §3)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pseudoledger.statement.kinds.lease import PaymentMeans
from pseudoledger.statement.kinds.market import LINES_MAX, REFS_MAX
from pseudoledger.statement.values import (
    AssetType,
    BaseUnits,
    Currency,
    Date,
    Did,
    LineId,
    Micro,
    Minor,
    Number,
    Period,
    PositiveMinor,
    Ref,
    Reference,
    Sealable,
    Seconds,
    Tax,
    Text,
    Value,
    note,
)


class InvoiceLine(Value):
    """One amount, and the usage reports or the part of the tariff that it bills."""

    id: LineId = note("Stable name of the line")
    lease_line: LineId | None = note("Line of the lease; none for fees and commission", default=None)
    reports: Annotated[tuple[Ref, ...], Field(min_length=1, max_length=REFS_MAX)] | None = note(
        "Usage reports that it bills", reveals="reference", default=None
    )
    part: Literal["once", "early_end", "commission"] | None = note(
        "Part of the tariff that it bills", reveals="money", default=None
    )
    quantity: Seconds = note("How much", unit="chip_second for usage, C62 for a part", reveals="hardware")
    price_micro: Micro = note(
        "Price per unit and hour for usage, the whole amount for a part",
        unit="millionths of the currency's major unit",
        reveals="money",
    )
    net_minor: Minor = note(
        "Amount without tax, rounded half to even once", unit="minor unit", reveals="money"
    )
    tax: Tax = note("Tax of the line", reveals="money")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.reports is None) == (self.part is None):
            raise ValueError("an invoice line cites either reports or a part of the tariff")
        if (self.lease_line is None) != (self.part in {"early_end", "commission"}):
            raise ValueError("lines for usage and fees at delivery name their lease line, the others do not")
        return self


class TaxSubtotal(Value):
    """Sum of all lines of one category and rate (EN 16931 BG-23)."""

    category: Literal["S", "Z", "E", "AE", "K", "G", "O"] = note(
        "VAT category code (UNCL 5305)", reveals="money"
    )
    rate_bps: Annotated[int, Field(ge=0, le=10_000)] = note("Rate", unit="bps", reveals="money")
    taxable_minor: Minor = note("Sum of the lines", unit="minor unit", reveals="money")
    tax_minor: Minor = note("Tax on it, rounded half to even", unit="minor unit", reveals="money")


class Commission(Value):
    """What a broker's invoice is for."""

    mandate: Ref = note("The mandate, as shown in the terms", reveals="counterparty")
    invoice: Ref = note("The lessor's invoice on which commission falls due", reveals="reference")


class _Sums(Sealable):
    currency: Currency = note("ISO 4217", reveals="money")
    tax_subtotals: Annotated[tuple[TaxSubtotal, ...], Field(min_length=1, max_length=16)] = note(
        "Tax by category and rate, sorted", reveals="money"
    )
    net_minor: Minor = note("Sum of the lines", unit="minor unit", reveals="money")
    tax_minor: Minor = note("Sum of the tax", unit="minor unit", reveals="money")
    total_minor: Minor = note("Net and tax", unit="minor unit", reveals="money")


class InvoiceIssued(_Sums):
    """A demand for payment by the lessor, or by a broker for its commission."""

    type: Literal["invoice.issued"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("Invoice number (BT-1), never used twice by one issuer", reveals="reference")
    period: Period = note("Period that is billed (BG-14)", reveals="time")
    due_date: Date = note("Payment is due by the end of this day, UTC (BT-9)", reveals="time")
    contract: Ref = note("Terms under which it is issued (BT-12)", reveals="reference")
    preceding: Ref | None = note(
        "Cancelled invoice that it replaces (BT-25)", reveals="reference", default=None
    )
    commission: Commission | None = note("For a broker's invoice", reveals="counterparty", default=None)
    payment_means: PaymentMeans = note("How to pay (BG-16)", reveals="money")
    lines: Annotated[tuple[InvoiceLine, ...], Field(min_length=1, max_length=LINES_MAX)] = note(
        "Lines (BG-25)", reveals="money"
    )
    seller_name: Text | None = note(
        "Registered name of the seller (BT-27)", reveals="identity", sealable=True
    )
    buyer_name: Text | None = note("Registered name of the buyer (BT-44)", reveals="identity", sealable=True)
    buyer_reference: Text | None = note(
        "The buyer's own reference (BT-10)", reveals="reference", sealable=True
    )
    remark: Text | None = note("Note to the buyer (BT-22)", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class InvoiceAccepted(Value):
    """The buyer agrees with an invoice."""

    type: Literal["invoice.accepted"] = note("Kind")
    v: Literal[1] = note("Version of the kind")


class InvoiceRejected(Sealable):
    """The buyer disagrees; the accepted part is due at once, the rest is in dispute."""

    type: Literal["invoice.rejected"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    reason: Literal["quantity", "price", "tax", "duplicate", "not_delivered", "other"] = note(
        "What is rejected", reveals="money"
    )
    accepted_minor: Minor = note("Part of the total that is accepted", unit="minor unit", reveals="money")
    remark: Text | None = note("Why, in words", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class InvoiceCancelled(Value):
    """The issuer takes back an invoice that nobody accepted or paid: frees its usage, never its number."""

    type: Literal["invoice.cancelled"] = note("Kind")
    v: Literal[1] = note("Version of the kind")


class CreditLine(Value):
    """How much of one invoice line is given back."""

    invoice_line: LineId = note("Line of the invoice")
    net_minor: PositiveMinor = note("Amount without tax", unit="minor unit", reveals="money")


class CreditIssued(_Sums):
    """A credit note: lowers an earlier invoice, never edits it."""

    type: Literal["credit.issued"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("Number of the credit note, never used twice by one issuer", reveals="reference")
    reason: Literal["usage", "price", "tax", "service_level", "goodwill", "dispute", "other"] = note(
        "Why", reveals="money"
    )
    lines: Annotated[tuple[CreditLine, ...], Field(min_length=1, max_length=LINES_MAX)] = note(
        "What is given back", reveals="money"
    )
    remark: Text | None = note("Why, in words", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class Settled(Value):
    """What a payment is for: an invoice, or a lease on account."""

    invoice: Ref | None = note("Invoice that is paid", reveals="reference", default=None)
    lease: Ref | None = note("Lease that is paid on account", reveals="reference", default=None)
    amount_minor: PositiveMinor = note("How much of the payment", unit="minor unit", reveals="money")

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.invoice is None) == (self.lease is None):
            raise ValueError("a payment settles either an invoice or a lease on account")
        return self


class Paid(Value):
    """What left the payer: money of a currency, or a token amount."""

    currency: Currency | None = note("ISO 4217", reveals="money", default=None)
    amount_minor: PositiveMinor | None = note("Money", unit="minor unit", reveals="money", default=None)
    asset: AssetType | None = note("Token (CAIP-19)", reveals="money", default=None)
    amount: BaseUnits | None = note("Token amount", unit="base unit", reveals="money", default=None)

    @model_validator(mode="after")
    def _money_or_token(self) -> Self:
        money = (self.currency is not None, self.amount_minor is not None)
        token = (self.asset is not None, self.amount is not None)
        if {money, token} != {(True, True), (False, False)}:
            raise ValueError("a payment is currency and amount_minor, or asset and amount")
        return self


class ExchangeRate(Value):
    """So much of what was paid counts for so much of the invoice's currency; confirming accepts it."""

    paid: BaseUnits = note("Minor or base units of what was paid", unit="base unit", reveals="money")
    settles_minor: PositiveMinor = note("What they count for", unit="minor unit", reveals="money")


class PaymentDeclared(Value):
    """The payer says that a sum was paid elsewhere, by reference."""

    type: Literal["payment.declared"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The payer's number of the payment")
    payee: Did = note("Who was paid", reveals="counterparty")
    currency: Currency = note("Currency of what it settles", reveals="money")
    settles: Annotated[tuple[Settled, ...], Field(min_length=1, max_length=REFS_MAX)] = note(
        "What it is for", reveals="money"
    )
    paid: Paid = note("What was paid", reveals="money")
    rate: ExchangeRate | None = note(
        "Rate, where it was paid in something else", reveals="money", default=None
    )
    references: Annotated[tuple[Reference, ...], Field(min_length=1, max_length=8)] = note(
        "Where the payment can be seen", reveals="reference"
    )


class PaymentConfirmed(Value):
    """The payee has the money, and accepts the rate."""

    type: Literal["payment.confirmed"] = note("Kind")
    v: Literal[1] = note("Version of the kind")


class PaymentDenied(Value):
    """The payee does not have the money; its references may be used again."""

    type: Literal["payment.denied"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    reason: Literal["not_received", "wrong_amount", "wrong_reference", "other"] = note("Why", reveals="money")
