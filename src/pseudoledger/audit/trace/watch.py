"""One vantage point while a ledger is read: what it opens, and what it stages of every statement.

What everybody sees of a statement is worked out once (`in_the_clear`), however many vantage points watch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pseudoledger.audit.review.dossier import DisclosureUsed
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.trace.columns import all_columns, places_of
from pseudoledger.audit.trace.derived import Cell
from pseudoledger.audit.trace.leaves import Leaf, leaves
from pseudoledger.audit.trace.observations import Observations
from pseudoledger.audit.trace.past import Past, Place
from pseudoledger.audit.trace.said import Said, by_name
from pseudoledger.audit.trace.settle import Row, Stage
from pseudoledger.audit.trace.ties import Ties
from pseudoledger.audit.trace.vantage import Concerned, Eyes
from pseudoledger.statement.sealed import OpenedField, disclosure_digest, open_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    """One statement as everybody sees it."""

    entry: Read
    leaves: tuple[Leaf, ...]
    place: Place
    row: Row


def in_the_clear(entry: Read, past: Past) -> Clear:
    """Return what everybody sees of a statement, and remember it."""
    found = leaves(entry.payload, {})
    place = past.take(entry, found)
    return Clear(entry=entry, leaves=found, place=place, row=_row(entry, place, found))


class Watcher:
    """Takes statements in ledger order and stages what is seen of them."""

    def __init__(
        self, eyes: Eyes, observations: Observations, disclosures: Mapping[str, tuple[str, ...]]
    ) -> None:
        """Take the eyes of a vantage point, empty observations, and disclosures by statement id."""
        self.observations, self.vantage = observations, eyes.vantage
        self._eyes, self._texts = eyes, disclosures
        self._stage, self._ties = Stage(observations), Ties(eyes.root)
        self._met: set[str] = set()
        self._used: list[DisclosureUsed] = []

    def take(self, clear: Clear) -> None:
        """Stage one statement."""
        entry, seen, row = clear.entry, clear.leaves, clear.row
        opened = self._open(entry, clear.place.concerned) if entry.id in self._texts else {}
        if opened:
            seen = leaves(entry.payload, opened)
            row = _row(entry, clear.place, seen)
        self._ties.take(entry, seen)
        self._stage.add(row)

    def finish(self) -> None:
        """Stage the ties and fill the tables."""
        self._stage.add_tokens((item.did, item.kind, item.value, item.ref) for item in self._ties.tokens())
        self._stage.add_edges((item.first, item.second, item.kind, item.ref) for item in self._ties.edges())
        self._stage.settle()

    def used(self) -> tuple[DisclosureUsed, ...]:
        """Return what came of the disclosures that are seen from here."""
        nowhere = Concerned(id="", issuer="", subject="", lease="", parties=frozenset(), brokers=frozenset())
        strays = sorted(set(self._texts) - self._met) if self._eyes.sees(nowhere) else []
        missing = [
            DisclosureUsed(
                statement=ref, entry=-1, pointer="", sound=False, problem="the ledger holds no such statement"
            )
            for ref in strays
        ]
        return (*self._used, *missing)

    def _open(self, entry: Read, concerned: Concerned) -> dict[str, Any]:
        self._met.add(entry.id)
        found: dict[str, Any] = {}
        seen = [text for text in self._texts[entry.id] if self._eyes.sees(concerned, disclosure_digest(text))]
        for field in open_fields(entry.statement, seen):
            if isinstance(field, OpenedField):
                pointer, problem, sound = field.pointer, field.problem, True
                if not problem:
                    found[pointer] = field.value
            else:
                pointer, problem, sound = "", field.message, False
            self._used.append(
                DisclosureUsed(
                    statement=entry.id, entry=entry.index, pointer=pointer, sound=sound, problem=problem
                )
            )
        return found


def _row(entry: Read, place: Place, seen: tuple[Leaf, ...]) -> Row:
    said = Said(
        kind=entry.kind,
        issuer=place.concerned.issuer,
        iat=entry.statement.iat,
        sealed_at=entry.at,
        leaves=seen,
        others=place.others,
        between=place.between,
        follows=place.follows,
        before=place.before,
        price=place.price,
        market_micro=place.market_micro,
        by_name=by_name(seen),
    )
    possible = places_of(entry.kind)
    cells: tuple[Cell, ...] = tuple(
        column.derive(said) if number in possible else None for number, column in enumerate(all_columns())
    )
    return Row(name=entry.statement.iss, at=said.iat, ref=entry.index, cells=cells)
