"""What the book remembers: frozen values folded from statements, one class per thing.

Times are Unix seconds (block time rounded down), money is minor units, references are statement ids.
`entry` is the index of the entry that opened a thing. They are msgspec.Structs because the book encodes
them to JSON for the store and the views read that JSON; nothing is encoded in two ways. The ledger itself,
its identities and what may be used once stand in `standing`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pseudoledger.contract.standing import (
    Chain,
    Handover,
    LedgerState,
    OpenPapers,
    Owner,
    Pins,
    RegisteredFile,
    Taken,
    Thing,
)
from pseudoledger.statement.kinds.lease import Terms
from pseudoledger.statement.kinds.market import DemandPublished, OfferPublished

__all__ = [
    "THINGS",
    "Amendment",
    "Batch",
    "Bid",
    "BilledLine",
    "Booking",
    "Bookings",
    "Chain",
    "Delivery",
    "Demand",
    "Handover",
    "Invoice",
    "Lease",
    "LedgerState",
    "Mandate",
    "Match",
    "MeteredLine",
    "Offer",
    "OpenPapers",
    "Owner",
    "Payment",
    "Pins",
    "Pool",
    "PoolLine",
    "Reclaim",
    "RegisteredFile",
    "Serial",
    "Taken",
    "TermsInForce",
    "Thing",
    "Usage",
    "Version",
]


class Booking(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """Units of one line taken for a time."""

    lease: str
    line: str
    source: str
    """The offer's line as `offer/line`, or the head lease's line as `lease/line`."""
    count: int
    start: int
    until: int


class Bookings(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """Who has taken from one line of a pool or of a head lease; the key is `pool/line` or `lease/line`."""

    taken: tuple[Booking, ...] = ()


class PoolLine(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a pool."""

    resource: str
    chip: str | None = None
    count: int


class Pool(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A lessor's stock."""

    lessor: str
    number: str
    lines: dict[str, PoolLine]
    entry: int


class Offer(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A standing supply; `payload` is the published statement's payload."""

    lessor: str
    payload: OfferPublished
    withdrawn_at: int | None = None
    entry: int


class Demand(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A standing need; `payload` is the published statement's payload."""

    lessee: str
    payload: DemandPublished
    closed_at: int | None = None
    entry: int


class Mandate(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A broker's mandate."""

    principal: str
    broker: str
    scope: tuple[str, ...]
    commission_bps: int
    until: int
    released_at: int | None = None
    entry: int


class Match(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A demand and an offer brought together by a broker."""

    broker: str
    demand: str
    offer: str
    mandates: tuple[str, ...]
    valid_to: int
    entry: int


class Bid(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A price under negotiation; `last` made the last price, the other side has the turn."""

    on: str
    bidder: str
    addressee: str
    """Whose offer or demand it is on."""
    last: str
    placed_by: str
    """The bidder, or the broker that bid for it: its quota counts the bid."""
    mandate: str | None = None
    valid_to: int
    state: Literal["open", "rejected", "withdrawn"] = "open"
    entry: int


class TermsInForce(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """Terms of a lease, by the id of the statement that carries them; never changed."""

    lease: str
    payload: Terms
    entry: int


class Version(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """From when which terms are in force."""

    terms: str
    start: int


class Amendment(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """An amendment that waits or was answered."""

    lease: str
    proposer: str
    replaces: str
    effective_from: int
    valid_to: int
    state: Literal["proposed", "signed"] = "proposed"
    entry: int


class Reclaim(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """The lessor's notice."""

    id: str
    effective_at: int
    code: int


class Lease(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A lease from proposal to end. Its lines, usage and invoices are things of their own."""

    number: str
    proposer: str
    lessor: str
    lessee: str
    answers: str
    valid_to: int
    state: Literal["proposed", "rejected", "cancelled", "signed", "ended"] = "proposed"
    versions: tuple[Version, ...]
    signed_at: int | None = None
    signed_entry: int | None = None
    reclaim: Reclaim | None = None
    ended_at: int | None = None
    end_code: int | None = None
    end_id: str | None = None
    currency: str
    start: int
    until: int
    depth: int = 0
    """How many head leases stand above it."""
    on_account_minor: int = 0
    early_end_billed: bool = False
    entry: int


class Batch(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """Units handed over at one time."""

    delivery: str
    count: int
    offered_at: int
    accept_by: int
    answered_at: int | None = None
    refused: bool = False


class MeteredLine(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a lease: what was handed over and how far it was metered."""

    batches: tuple[Batch, ...] = ()
    reported_until: int | None = None
    chip_seconds: int = 0
    """Sum of the reports in force."""
    last_report: str | None = None
    once_billed: bool = False


class Delivery(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A hand-over and its answer; deemed accepted once `accept_by` is past."""

    lease: str
    lines: tuple[tuple[str, int], ...]
    offered_at: int
    accept_by: int
    state: Literal["offered", "accepted", "refused"] = "offered"
    entry: int


class Serial(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """Where a serial digest was delivered."""

    held: tuple[tuple[str, str], ...]
    """(lease, delivery), in order."""


class Usage(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """One usage report; deemed confirmed once `accept_by` is past without an answer."""

    lease: str
    line: str
    start: int
    until: int
    base: int
    """Cumulative reading at the start of the period, as it stood when the period was first reported."""
    chip_seconds: int
    """Of this period alone."""
    downtime_s: int
    reported_at: int
    accept_by: int
    state: Literal["reported", "confirmed", "contested", "replaced"] = "reported"
    agreed_chip_seconds: int = 0
    agreed_downtime_s: int = 0
    billed_by: str | None = None
    billed_before: int = 0
    """Unit-seconds of the period that an invoice billed under a report that this one replaces."""
    entry: int


class BilledLine(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A line of an invoice, and how much of it was credited."""

    net_minor: int
    category: str
    rate_bps: int
    credited_minor: int = 0


class Invoice(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """An invoice and all that happened to it. open = total - credited - declared payments + refunds."""

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
    entry: int

    @property
    def open_minor(self) -> int:
        """What is still to be paid; negative where a refund is due."""
        return self.total_minor - self.credited_minor - self.paid_minor


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


THINGS: tuple[type[Thing], ...] = (
    LedgerState,
    RegisteredFile,
    Chain,
    Owner,
    OpenPapers,
    Bookings,
    Pool,
    Offer,
    Demand,
    Mandate,
    Match,
    Bid,
    TermsInForce,
    Amendment,
    Lease,
    MeteredLine,
    Delivery,
    Serial,
    Usage,
    Invoice,
    Payment,
    Taken,
)
"""Every class of thing that is stored by a key of its own."""
