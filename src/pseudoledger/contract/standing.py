"""What the book remembers of the ledger itself, of identities, and of what may be used once.

Times are Unix seconds (block time rounded down) unless the name says otherwise.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pseudoledger.statement.kinds.ledger import Policy
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

    @property
    def own_keys(self) -> frozenset[str]:
        """Every key that the ledger itself uses, used or is about to use: none of them may be a party's."""
        named = (self.founder, self.ledger_key, self.pending_key or self.ledger_key)
        return frozenset((*named, *(key for key, _ in self.retired)))


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
    earlier: tuple[tuple[str, int], ...] = ()
    """Recovery keys from before rotations, oldest first, each with the time until which it overrides them."""
    entry: int


class Owner(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """Which identity a key belongs to, by the first key of its chain."""

    root: str


class OpenPapers(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """An identity's proposals, bids and offers that wait, each with the time it lapses."""

    until: dict[str, int]


class Taken(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """Something that may be used once: a number, digest or payment reference, and by which statement."""

    by: str
    entry: int
