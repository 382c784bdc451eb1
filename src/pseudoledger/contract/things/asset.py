"""What the book remembers of the family *asset*: machines, the moves that wait, and every step of their custody."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pseudoledger.contract.things.base import Thing
from pseudoledger.statement.kinds import Subject


class Move(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A machine on its way: announced by its holder, and not yet received."""

    id: str
    to: str
    reason: str
    moved_at: int


class Asset(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A machine, by its serial digest."""

    number: str
    serial: str
    chip: str
    count: int
    parts: tuple[str, ...] = ()
    owned_by: str
    held_by: str
    before: str | None = None
    """Who held it before."""
    country: str
    subdivision: str | None = None
    waiting: Move | None = None
    unreceived: int = 0
    """Moves announced since it was last received that another one replaced."""
    steps: int = 1
    """Steps of its custody; each is a `Custody` of its own."""
    entry: int


class Custody(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a machine's custody; the key is `asset/number`, from 0 for its registration."""

    asset: str
    held_by: str
    owned_by: str
    country: str
    subdivision: str | None = None
    since: int
    moved_at: int | None = None
    """When the holder before sent it; None for the registration."""
    reason: str = ""
    condition: str = ""
    unreceived: int = 0
    """Moves that were announced before this one and never received."""
    entry: int


THINGS: tuple[type[Thing], ...] = (Asset, Custody)
"""Classes of this family that are stored by a key of their own."""
SUBJECTS: Mapping[Subject, tuple[type[Thing], ...]] = MappingProxyType({Subject.ASSET: (Asset,)})
"""What the subjects of this family's kinds name."""
