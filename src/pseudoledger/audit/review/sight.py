"""What observers can see beside the entry before them: the book, chips, registered files, disclosed fields, notes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pseudoledger.audit.review.chips import Chip, chip_of
from pseudoledger.audit.review.dossier import DisclosureUsed
from pseudoledger.audit.review.facts import Cited, Opened
from pseudoledger.audit.review.notebook import Notebook
from pseudoledger.audit.review.reading import Read
from pseudoledger.contract.book import decode, sort_name
from pseudoledger.contract.things import Chain, Owner, Thing
from pseudoledger.errors import MalformedError, PeerUnreachable, StoreCorrupt
from pseudoledger.ledger.store import Store
from pseudoledger.statement.envelope import decode as decode_statement
from pseudoledger.statement.payload import parse
from pseudoledger.statement.sealed import OpenedField, open_fields
from pseudoledger.statement.values import Value

FILES_MAX = 10_000
"""Files of disclosures that one folder may hold."""
ENDING = ".disclosures.json"
THINGS_MAX = 4_096
"""Things of the book that are kept in memory at a time."""

T = TypeVar("T", bound=Thing)
P = TypeVar("P", bound=Value)


def read_disclosures(paths: Iterable[Path]) -> dict[str, tuple[str, ...]]:
    """Return the disclosures of files, and of folders of such files, by statement id.

    Raises PeerUnreachable for files that cannot be read, MalformedError for those that hold something else.
    """
    found: dict[str, tuple[str, ...]] = {}
    for path in paths:
        files = sorted(path.glob(f"*{ENDING}"))[:FILES_MAX] if path.is_dir() else [path]
        for file in files:
            statement, disclosures = _read_file(file)
            found[statement] = tuple(dict.fromkeys((*found.get(statement, ()), *disclosures)))
    return found


def _read_file(path: Path) -> tuple[str, list[str]]:
    try:
        tree: Any = json.loads(path.read_bytes())
    except OSError as error:
        raise PeerUnreachable(
            f"{path}: {error.strerror}", hint=f"name a {ENDING} file or a folder of them"
        ) from error
    except (ValueError, RecursionError):
        tree = None
    match tree:
        case {"statement": str(statement), "disclosures": [*texts]} if all(
            isinstance(text, str) for text in texts
        ):
            return statement, texts
    raise MalformedError(
        f"{path.name} is no disclosure file",
        code="disclosure.file",
        hint='its form is {"statement": id, "disclosures": [text, …]}',
    )


@dataclass(slots=True)
class Disclosures:
    """The disclosures given to a review, opened as their statements come by."""

    texts: Mapping[str, tuple[str, ...]]
    opened: dict[tuple[str, str], Opened] = field(default_factory=dict)
    """By statement id and JSON Pointer."""
    used: list[DisclosureUsed] = field(default_factory=list)
    _met: set[str] = field(default_factory=set)

    def open(self, entry: Read) -> list[Opened]:
        """Open what was given for a statement."""
        fresh = []
        if entry.id in self.texts:
            self._met.add(entry.id)
        for one in open_fields(entry.statement, self.texts.get(entry.id, ())):
            if not isinstance(one, OpenedField):
                self._note(entry.id, entry.index, "", sound=False, problem=one.message)
                continue
            value = one.value if isinstance(one.value, str) else json.dumps(one.value, ensure_ascii=False)
            made = Opened(
                statement=entry.id,
                entry=entry.index,
                kind=entry.kind,
                pointer=one.pointer,
                value=value,
                problem=one.problem,
            )
            self.opened[entry.id, one.pointer] = made
            self._note(entry.id, entry.index, one.pointer, sound=True, problem=one.problem)
            fresh.append(made)
        return fresh

    def finish(self) -> tuple[DisclosureUsed, ...]:
        """Return what came of every disclosure, those for unknown statements last."""
        for statement in sorted(set(self.texts) - self._met):
            self._note(statement, -1, "", sound=False, problem="the ledger holds no such statement")
        return tuple(self.used)

    def _note(self, statement: str, entry: int, pointer: str, *, sound: bool, problem: str) -> None:
        self.used.append(
            DisclosureUsed(statement=statement, entry=entry, pointer=pointer, sound=sound, problem=problem)
        )


class Sight:
    """Everything that observers may ask. The book is read only, as it stands at the end of what is reviewed."""

    def __init__(self, store: Store, notebook: Notebook, disclosures: Disclosures) -> None:
        self.store, self.notebook, self.disclosures = store, notebook, disclosures
        self.chips_seen: set[str] = set()
        self.files: dict[str, str] = {}
        """Names of registered files, by hash."""
        self._thing = lru_cache(maxsize=THINGS_MAX)(self._read_thing)

    def opened(self, statement: str, pointer: str) -> Opened | None:
        """Return a disclosed field."""
        return self.disclosures.opened.get((statement, pointer))

    def get(self, cls: type[T], key: str) -> T | None:
        """Return a thing of the book; None where there is none, or it cannot be read."""
        thing = self._thing(cls, key)
        return thing if isinstance(thing, cls) else None

    def root(self, did: str) -> str:
        """Return the first key of the identity that a key belongs to."""
        owner = self.get(Owner, did)
        return did if owner is None else owner.root

    def declared_at(self, did: str) -> int | None:
        """Return when the identity of a key declared itself, in seconds; None if it never did."""
        chain = self.get(Chain, self.root(did))
        return None if chain is None else self.time_of(chain.entry)

    def time_of(self, index: int) -> int | None:
        """Return the block time of an entry, in seconds."""
        block = self.store.block_of(index)
        return None if block is None else block.time_ms // 1000

    def chip(self, name: str) -> Chip:
        """Return a chip, and remember that the ledger names it."""
        self.chips_seen.add(name)
        return chip_of(name)

    def cite(self, index: int, role: str) -> Cited:
        """Cite an entry that was not read in this moment."""
        row = self.store.entry(index)
        if row is None:
            return Cited(index=index, id="", kind="", role=role)
        return Cited(index=index, id=row.id, kind=row.type, role=role)

    def payload(self, raw: bytes, model: type[P]) -> P | None:
        """Return the payload of stored bytes, if it is of a model."""
        try:
            found = parse(decode_statement(raw).payload)
        except MalformedError:
            return None
        return found if isinstance(found, model) else None

    def _read_thing(self, cls: type[Thing], key: str) -> Thing | None:
        try:
            raw = self.store.read(sort_name(cls), key)
            return None if raw is None else decode(cls, key, raw)
        except StoreCorrupt:
            # Only a ledger that was not verified can hold such things; what they would say is unknown.
            return None


def cited(entry: Read, role: str) -> Cited:
    """Cite the entry that was just read."""
    return Cited(index=entry.index, id=entry.id, kind=entry.kind, role=role)
