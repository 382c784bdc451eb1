"""One statement as columns read it: its leaves by name, who else is concerned, and what went before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pseudoledger.audit.trace.leaves import Leaf
from pseudoledger.errors import MalformedError
from pseudoledger.statement.values import date_seconds, instant_seconds, length_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """The price of one line, per unit and hour."""

    micro: float
    """Millionths of the currency's major unit."""
    chip: str
    """"" where the line's chip is not known."""
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One statement of one issuer. Identities stand under their first keys here."""

    kind: str
    issuer: str
    iat: int
    """When it was signed by its own word, in Unix seconds."""
    sealed_at: int
    """Time of its block, in Unix seconds."""
    leaves: tuple[Leaf, ...]
    others: tuple[str, ...]
    """Other identities that it concerns, nearest first."""
    between: tuple[str, ...]
    """Brokers and arbiters of its terms or lease."""
    follows: int | None
    """When the other side last signed something about the same thing; None where it did not."""
    before: str
    """Kind of what the same key registered before; "" for its first."""
    price: Priced | None
    market_micro: float | None
    """Median price of earlier offers of the same chip and currency."""
    by_name: Mapping[str, tuple[Leaf, ...]] = field(default_factory=dict)

    def found(self, name: str, *reveals: str) -> Iterator[Leaf]:
        """Yield leaves by the name of their field, and where given by what it reveals."""
        for leaf in self.by_name.get(name, ()):
            if not reveals or leaf.slot.reveals in reveals:
                yield leaf

    def first(self, name: str, *reveals: str) -> Leaf | None:
        """Return the first of the leaves of a name."""
        leaves = self.by_name.get(name)
        return next(self.found(name, *reveals), None) if leaves else None

    def word(self, name: str, *reveals: str) -> str | None:
        """Return the first value of a name as text."""
        leaf = self.first(name, *reveals)
        return None if leaf is None else str(leaf.value)

    def number(self, *names: str) -> float | None:
        """Return the first number under any of some names, tried in order."""
        for name in names:
            leaf = self.first(name)
            if leaf is not None and isinstance(leaf.value, int):
                return float(leaf.value)
        return None


def by_name(leaves: tuple[Leaf, ...]) -> dict[str, tuple[Leaf, ...]]:
    """Group leaves by the names of their fields, in their order."""
    found: dict[str, list[Leaf]] = {}
    for leaf in leaves:
        found.setdefault(leaf.slot.name, []).append(leaf)
    return {name: tuple(group) for name, group in found.items()}


def parent(leaf: Leaf) -> str:
    """Return the JSON Pointer of the object that a leaf stands in."""
    return leaf.pointer.rpartition("/")[0]


def seconds_of(text: str) -> int | None:
    """Return the Unix time of an instant or date, or the seconds of a length; None for anything else."""
    for read in (instant_seconds, length_seconds, date_seconds):
        try:
            return read(text)
        except MalformedError:
            continue
    return None
