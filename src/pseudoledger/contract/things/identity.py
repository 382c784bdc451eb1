"""What the book remembers of identities: chains of keys and the handovers that wait."""

from __future__ import annotations

from typing import Literal

from pseudoledger.contract.things.base import Thing


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
