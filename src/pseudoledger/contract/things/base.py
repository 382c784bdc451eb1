"""What every thing of the book is, and the one that fits no family."""

from __future__ import annotations

import msgspec


class Thing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of everything that the book remembers; nothing in it points back, so the collector may leave it out."""


class Taken(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """Something that may be used once: a number, digest or payment reference, and by which statement."""

    by: str
    entry: int
