"""What the book remembers of the ledger itself: keys, pins, registered files."""

from __future__ import annotations

from pseudoledger.contract.things.base import Thing
from pseudoledger.statement.kinds.ledger import Policy
from pseudoledger.statement.values import Pin


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

    def is_own_key(self, did: str) -> bool:
        """Tell whether the ledger itself uses, used or is about to use a key: none of them may be a party's."""
        return did in (self.founder, self.ledger_key, self.pending_key) or any(
            did == key for key, _ in self.retired
        )


class RegisteredFile(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A file named by `ledger.policy_registered`, by its hash."""

    id: str
    name: str
    entry: int
