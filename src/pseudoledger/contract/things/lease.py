"""What the book remembers of leases: terms and their versions, deliveries, metered lines, usage."""

from __future__ import annotations

from typing import Literal

from pseudoledger.contract.things.base import Thing
from pseudoledger.contract.things.dispute import Freeze
from pseudoledger.statement.kinds.lease import Terms


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
    freezes: tuple[Freeze, ...] = ()
    """What disputes stop; those past their time stay."""
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
    """Unit-seconds of the period that an invoice billed under a report that this one replaces, or apart from
    what was disputed."""
    answered_at: int | None = None
    """When it was confirmed or contested; None where it was not, or under the first rule set."""
    freezes: tuple[Freeze, ...] = ()
    """What disputes stop; those past their time stay."""
    struck: int = 0
    """Unit-seconds that were disputed and decided for the lessee."""
    upheld: int = 0
    """Unit-seconds that were disputed and decided for the lessor."""
    entry: int
