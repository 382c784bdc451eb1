"""The JSON that a node speaks, as far as a client reads it: what it does not know of, it leaves alone."""

from __future__ import annotations

import msgspec


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a node says of its ledger and itself; nothing of it is proved."""

    origin: str
    ledger: str
    founder: str
    ledger_key: str
    size: int
    height: int
    root: str
    time_ms: int
    as_of: int
    clock: str
    role: str
    checkpoint: str | None


class Reason(msgspec.Struct, frozen=True):
    """One reason of a refusal."""

    code: str
    message: str
    field: str = ""
    entry: int | None = None


class Said(msgspec.Struct, frozen=True):
    """One answer of a batch."""

    id: str | None = None
    index: int | None = None
    known: bool = False
    receipt: str = ""
    findings: tuple[Reason, ...] = ()
    stored: int | None = None


class Listed(msgspec.Struct, frozen=True):
    """A statement of a list."""

    id: str


class Page(msgspec.Struct, frozen=True):
    """A page of statements."""

    items: tuple[Listed, ...]
    next: str | None


class Thing(msgspec.Struct, frozen=True):
    """One thing of the book."""

    key: str
    value: msgspec.Raw


class ThingsPage(msgspec.Struct, frozen=True):
    """A page of things."""

    items: tuple[Thing, ...]
    next: str | None


class Named(msgspec.Struct, frozen=True):
    """A statement as the API lists it, as far as it is used here."""

    index: int
    id: str
    kind: str
    issuer: str


class Sealed(msgspec.Struct, frozen=True):
    """The block of an entry."""

    height: int
    time_ms: int


class Names(msgspec.Struct, frozen=True):
    """Ids or numbers."""

    items: list[str]


class Counts(msgspec.Struct, frozen=True):
    """Entries by kind."""

    kinds: dict[str, int]
