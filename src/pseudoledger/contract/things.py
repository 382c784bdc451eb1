"""What the book remembers: frozen values folded from statements, one class per thing.

Times are Unix seconds (block time rounded down), money is minor units, references are statement ids.
`entry` is the index of the entry that opened a thing. They are msgspec.Structs because the book encodes
them to JSON for the store and the views read that JSON; nothing is encoded in two ways.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pseudoledger.statement.kinds.lease import Terms
from pseudoledger.statement.kinds.ledger import Policy
from pseudoledger.statement.kinds.market import DemandPublished, OfferPublished
from pseudoledger.statement.values import Pin


class Thing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of everything that the book remembers."""


class Pins(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """What a ledger has in force: rule set, tables and policy, each pinned by hash."""

    rules: tuple[str, str]
    tables: tuple[tuple[str, str], ...]
    policy: str
    """The policy as canonical JSON."""

    def read_policy(self) -> Policy:
        """Return the policy as its payload model."""
        return Policy.model_validate_json(self.policy)

    @classmethod
    def of(cls, rules: Pin, tables: tuple[Pin, ...], policy: Policy) -> Pins:
        """Build the pins from the fields of a founding or a change."""
        return cls(
            rules=(rules.name, rules.sha256),
            tables=tuple((pin.name, pin.sha256) for pin in tables),
            policy=policy.model_dump_json(),
        )


class LedgerState(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """The ledger itself: keys, pins in force and pending, the last block."""

    id: str
    origin: str
    founder: str
    ledger_key: str
    pins: Pins
    pending_pins: Pins | None = None
    pending_key: str | None = None
    retired: tuple[tuple[str, int], ...] = ()
    """Earlier ledger keys, each with the tree size up to which it counts."""
    policy_number: int = 0
    key_number: int = 0
    height: int = 0
    last_block: str
    time_ms: int = 0
    size: int = 0
    """Entries up to and with the last block."""


class RegisteredFile(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A file named by `ledger.policy_registered`, by its hash."""

    id: str
    name: str
    entry: int


class Handover(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A rotation or recovery that waits for the new key."""

    id: str
    to: str
    sort: Literal["rotated", "recovered"]
    entry: int


class Chain(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """One identity: the keys it has had, in order; the last one acts for all."""

    keys: tuple[str, ...]
    label: str = ""
    next: str | None = None
    recovery: str | None = None
    handover: Handover | None = None
    revoked_by: str | None = None
    """Statement that took the key out of force, by revocation or pending recovery."""
    earlier_recovery: str | None = None
    rotated_at: int = 0
    """When the last rotation took effect: for 14 days the earlier recovery key overrides it."""
    entry: int


class Owner(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """Which identity a key belongs to, by the first key of its chain."""

    root: str


class OpenPapers(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """An identity's proposals, bids and offers that wait, each with the time it lapses."""

    until: dict[str, int]


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
    owner: str
    last: str
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
    credited_tax: dict[str, int] = {}
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


class Taken(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """Something that may be used once: a number, digest or payment reference, and by which statement."""

    by: str
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
