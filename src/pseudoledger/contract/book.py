"""The book: every thing by its class and key, read through a shelf, with changes kept apart until committed.

Judging reads the book and never changes it; folding an accepted statement changes it in memory; the writer
then takes the changes and stores them in one transaction with the entries. The book knows no database: a
shelf is anything that returns stored bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from pydantic import BaseModel

from pseudoledger.contract.things import THINGS, Chain, LedgerState, Owner, Thing
from pseudoledger.errors import StoreCorrupt
from pseudoledger.statement.kinds import KINDS

CACHED_MAX = 200_000
"""Things kept in memory by default; beyond it the oldest of the largest class go, and are read again when needed."""

T = TypeVar("T", bound=Thing)

ReadMany = Callable[[str, Sequence[str]], Mapping[str, bytes]]
"""Returns the stored JSON of those things of one sort that there are, by key; reads what the shelf reads."""


class Shelf(Protocol):
    """Where the book finds what it does not hold in memory. Reads see the last committed state."""

    def read(self, sort: str, key: str, /) -> bytes | None:
        """Return the stored JSON of one thing, or None."""

    def things(self, sort: str, /) -> Iterator[tuple[str, bytes]]:
        """Yield (key, JSON) of all stored things of one sort, by key."""


class EmptyShelf:
    """A shelf with nothing on it: the book of a new ledger, or one kept wholly in memory."""

    def read(self, _sort: str, _key: str) -> bytes | None:
        """Return None."""

    def things(self, _sort: str) -> Iterator[tuple[str, bytes]]:
        """Yield nothing."""
        yield from ()


def sort_name(cls: type[Thing]) -> str:
    """Return the name under which a class of things is stored."""
    return cls.__name__.lower()


def _write_model(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    raise TypeError(type(value))


def _read_model(kind: type, value: Any) -> Any:
    if issubclass(kind, BaseModel):
        # A thing that holds a payload holds it in the version in which it was signed.
        signed = KINDS.get((str(value["type"]), int(value["v"]))) if "v" in value else None
        model = signed.model if signed is not None and issubclass(signed.model, kind) else kind
        return model.model_validate_json(msgspec.json.encode(value))
    raise TypeError(kind)


_ENCODER = msgspec.json.Encoder(enc_hook=_write_model)
_DECODERS = {cls: msgspec.json.Decoder(cls, dec_hook=_read_model) for cls in THINGS}
_NAMES = {cls: sort_name(cls) for cls in THINGS}
_PLACES = {cls: place for place, cls in enumerate(THINGS)}


def encode(thing: Thing) -> bytes:
    """Return the JSON of a thing as it is stored."""
    return _ENCODER.encode(thing)


def decode(cls: type[T], key: str, raw: bytes) -> T:
    """Return the thing that stored JSON means; raise StoreCorrupt if it makes no sense."""
    try:
        thing = _DECODERS[cls].decode(raw)
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        raise StoreCorrupt(f"the stored {_NAMES[cls]} {key} cannot be read: {error}") from error
    return thing  # type: ignore[return-value]


class Book:
    """All state that rules read. One book serves one thread."""

    def __init__(self, shelf: Shelf | None = None) -> None:
        self._shelf: Shelf = shelf or EmptyShelf()
        self._cached: dict[type[Thing], dict[str, Thing | None]] = {cls: {} for cls in THINGS}
        self._changed: dict[type[Thing], dict[str, Thing]] = {cls: {} for cls in THINGS}
        self._touched: set[type[Thing]] = set()
        """Classes of which something changed: few of many, where statements come one at a time."""

    def get(self, cls: type[T], key: str) -> T | None:
        """Return a thing, or None where there is none; raise StoreCorrupt if its bytes make no sense."""
        changed = self._changed[cls].get(key)
        if changed is not None:
            return changed  # type: ignore[return-value]
        cached = self._cached[cls]
        if key in cached:
            return cached[key]  # type: ignore[return-value]
        raw = self._shelf.read(_NAMES[cls], key)
        thing = None if raw is None else decode(cls, key, raw)
        cached[key] = thing
        return thing

    def fetch(self, cls: type[T], keys: Iterable[str], read_many: ReadMany) -> None:
        """Read at once what rules are about to ask for one by one; it changes no answer."""
        changed, cached = self._changed[cls], self._cached[cls]
        missing = list({key: None for key in keys if key not in changed and key not in cached})
        if missing:
            found = read_many(_NAMES[cls], missing)
            for key in missing:
                raw = found.get(key)
                cached[key] = None if raw is None else decode(cls, key, raw)

    def all(self, cls: type[T]) -> Iterator[tuple[str, T]]:
        """Yield (key, thing) of every thing of a class, for reports; rules never ask for all."""
        changed = self._changed[cls]
        for key, raw in self._shelf.things(_NAMES[cls]):
            if key not in changed:
                yield key, decode(cls, key, raw)
        yield from sorted(changed.items())  # type: ignore[misc]

    def put(self, key: str, thing: Thing) -> None:
        """Set a thing; it is visible at once and stored with the next commit."""
        cls = type(thing)
        self._changed[cls][key] = thing
        self._touched.add(cls)

    def change(self, key: str, thing: T, **changes: object) -> T:
        """Set a thing to a copy with some fields changed, and return the copy."""
        changed = msgspec.structs.replace(thing, **changes)
        self.put(key, changed)
        return changed

    def changes(self) -> list[tuple[str, str, bytes]]:
        """Return (sort, key, JSON) of everything that changed since the last commit."""
        return [
            (_NAMES[cls], key, _ENCODER.encode(thing))
            for cls in sorted(self._touched, key=_PLACES.__getitem__)
            for key, thing in self._changed[cls].items()
        ]

    def committed(self) -> None:
        """The changes are on the shelf now."""
        for cls in self._touched:
            self._cached[cls].update(self._changed[cls])
        self.discard()
        while sum(map(len, self._cached.values())) > CACHED_MAX:
            # The class that grows is that of things which come and go; leases and terms in use stay.
            largest = max(self._cached.values(), key=len)
            for key in list(largest)[: len(largest) // 2 + 1]:
                del largest[key]

    def discard(self) -> None:
        """Forget the changes, which are stored or will never be."""
        for cls in self._touched:
            self._changed[cls].clear()
        self._touched.clear()

    # The few questions that nearly every rule asks.

    @property
    def ledger(self) -> LedgerState | None:
        """The ledger, once it is founded."""
        return self.get(LedgerState, "")

    def root_of(self, did: str) -> str:
        """Return the first key of the identity that a key belongs to: the key itself if it never rotated."""
        owner = self.get(Owner, did)
        return owner.root if owner else did

    def chain_of(self, did: str) -> Chain | None:
        """Return the identity that a key belongs to, where it ever declared or rotated."""
        return self.get(Chain, self.root_of(did))

    def acting_key(self, did: str) -> str:
        """Return the key in force of the identity that a key belongs to."""
        chain = self.chain_of(did)
        return chain.keys[-1] if chain else did

    def same_party(self, first: str, second: str) -> bool:
        """Tell whether two keys belong to one identity."""
        return first == second or self.root_of(first) == self.root_of(second)
