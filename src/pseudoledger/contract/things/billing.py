"""What the book remembers of billing: invoices with everything that happened to them, payments."""

from __future__ import annotations

from typing import Literal

import msgspec

from pseudoledger.contract.things.base import Thing
from pseudoledger.contract.things.dispute import Freeze


class BilledLine(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A line of an invoice, and how much of it was credited."""

    net_minor: int
    category: str
    rate_bps: int
    credited_minor: int = 0


class Invoice(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """An invoice and all that happened to it. open = total - credited - voucher - declared payments + refunds."""

    lease: str
    contract: str
    """Terms under which it was issued."""
    number: str
    issuer: str
    payer: str
    currency: str
    net_minor: int
    total_minor: int
    lines: dict[str, BilledLine]
    reports: tuple[str, ...] = ()
    once_lines: tuple[str, ...] = ()
    early_end: bool = False
    commission: tuple[str, str] | None = None
    """(mandate, invoice) that a broker's commission is for."""
    period: tuple[int, int] | None = None
    """Billed period; kept from the second rule set on."""
    issued_at: int
    accept_by: int
    due_at: int
    state: Literal["issued", "accepted", "rejected", "cancelled"] = "issued"
    accepted_minor: int = 0
    credited_net_minor: int = 0
    credited_tax: dict[str, int] = msgspec.field(default_factory=dict)
    credited_minor: int = 0
    paid_minor: int = 0
    """Payments declared and not denied, less refunds declared and not denied."""
    confirmed_minor: int = 0
    """The same, confirmed."""
    answered_at: int | None = None
    """When it was accepted or rejected; None where it was not, or under the first rule set."""
    freezes: tuple[Freeze, ...] = ()
    """What disputes stop; those past their time stay."""
    upheld_minor: int = 0
    """Of what was disputed, what was decided for the issuer."""
    owed_credit_minor: int = 0
    """Of what was decided for the payer, what no credit note has given back yet."""
    vouchers: tuple[str, ...] = ()
    """What was presented for it and not taken back, oldest first."""
    voucher_minor: int = 0
    """What vouchers cover: redeemed, and neither credited nor clawed back."""
    voucher_share_bps: int = 0
    """Most that they may cover of its net less credits, as judged when one was last redeemed."""
    entry: int

    @property
    def open_minor(self) -> int:
        """What is still to be paid; negative where a refund is due."""
        return self.total_minor - self.credited_minor - self.voucher_minor - self.paid_minor


class Payment(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A declared payment and the payee's answer."""

    payer: str
    payee: str
    currency: str
    settles: tuple[tuple[str, str, int], ...]
    """("invoice" or "lease", id, signed amount: negative for a refund)."""
    references: tuple[str, ...]
    state: Literal["declared", "confirmed", "denied"] = "declared"
    declared_at: int
    entry: int
