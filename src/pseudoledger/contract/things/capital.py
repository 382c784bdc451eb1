"""What the book remembers of the family *capital*: stakes and quotas (design §3 "Capital and allocation")."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from pseudoledger.contract.things.base import Thing
from pseudoledger.statement.kinds import Subject


class Stake(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A part of what an asset earns, and whose it is; it counts once it is accepted."""

    declarer: str
    holder: str
    number: str
    asset: str
    pool: str
    """The pool in the end: the asset itself, or the one in which the owner's stake is."""
    units: dict[str, int] = msgspec.field(default_factory=dict)
    """Units by line of the pool; none for a share."""
    share_bps: int = 0
    start: int
    until: int
    valid_to: int
    accepted_at: int | None = None
    entry: int

    @property
    def since(self) -> int:
        """From when an accepted stake counts: never back before its acceptance."""
        return self.start if self.accepted_at is None else max(self.start, self.accepted_at)


class Stakes(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """The accepted stakes in one asset that are not over, oldest first; the key is the asset."""

    accepted: tuple[str, ...] = ()


class Quota(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """What an organisation allotted itself for a time, and how much of it is drawn; in one measure."""

    organisation: str
    drawer: str | None = None
    number: str
    start: int
    until: int
    currency: str | None = None
    """None where it is in unit-seconds of chips."""
    limit: int
    drawn: int = 0
    entry: int

    @property
    def left(self) -> int:
        """What can still be drawn."""
        return self.limit - self.drawn


class Draw(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a quota put to a lease, in the measure of the quota."""

    quota: str
    lease: str
    drawer: str
    number: str
    amount: int
    drawn_at: int
    entry: int


THINGS: tuple[type[Thing], ...] = (Stake, Stakes, Quota, Draw)
"""Classes of this family that are stored by a key of their own."""
SUBJECTS: Mapping[Subject, tuple[type[Thing], ...]] = MappingProxyType(
    {Subject.STAKE: (Stake,), Subject.QUOTA: (Quota,)}
)
"""What the subjects of this family's kinds name."""
