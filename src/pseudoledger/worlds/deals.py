"""What is on the board of a world, and what was leased from it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pseudoledger.contract.things import Offer
from pseudoledger.worlds.market import market_micro
from pseudoledger.worlds.plan import Persona, Record

HOUR, DAY = 3_600, 86_400
"""Seconds."""


@dataclass(slots=True, kw_only=True)
class Standing:
    """An offer on the board, and what was taken of it."""

    id: str
    lessor: Persona
    offer: Offer
    chip: int
    place: str
    template: str
    """The lessor's own."""
    count: int
    hours_max: int
    until: int
    taken: list[tuple[int, int, int]] = field(default_factory=list)
    """Start, end and count of each lease under it."""
    withdrawn: bool = False

    def free(self, start: int, until: int) -> int:
        """Return how many units nobody has at any time from `start` to `until`."""
        return self.count - sum(count for a, b, count in self.taken if a < until and start < b)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A lease that was proposed."""

    id: str
    lessor: Persona
    lessee: Persona
    record: Record
    chip: int
    start: int
    until: int
    count: int

    @property
    def price_micro(self) -> int:
        """Price of one chip for one hour."""
        return round(self.record.price * market_micro(self.chip))

    @property
    def amount_minor(self) -> int:
        """The whole lease, in cents, cut off; at least one."""
        return max(1, self.price_micro * self.count * (self.until - self.start) // HOUR // 10_000)
