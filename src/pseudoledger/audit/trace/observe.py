"""Observations of a ledger from a vantage point: one pass over its entries, read only.

Who is an identity here: every key that signed a statement, and every key that a token or edge belongs to (a
holder of a claim, a new key). Keys stay apart, although a rotation ties them for certain; the parties of a deal
stand under the first key of their identity. What the ledger issues itself is no act of a party: kinds of the
family *ledger* make no record, so its key is no identity, and the founder is one only if it also acts as a party.

Nothing is verified here: the caller says whether it was. Statements that cannot be read are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pseudoledger.audit.review.dossier import DisclosureUsed
from pseudoledger.audit.review.reading import Progress, Read, Reading
from pseudoledger.audit.trace.columns import LEDGER, Column, all_columns, places_of
from pseudoledger.audit.trace.leaves import leaves
from pseudoledger.audit.trace.observations import Observations, Resources, Source
from pseudoledger.audit.trace.past import Past
from pseudoledger.audit.trace.said import Said, by_name
from pseudoledger.audit.trace.settle import Row, Stage
from pseudoledger.audit.trace.ties import Ties
from pseudoledger.audit.trace.vantage import PUBLIC, Concerned, Eyes, Vantage
from pseudoledger.errors import InvalidProof, MalformedError
from pseudoledger.ledger.store import Store
from pseudoledger.statement.envelope import decode
from pseudoledger.statement.kinds import KINDS
from pseudoledger.statement.kinds.claim import DisclosureShown
from pseudoledger.statement.kinds.identity import IdentityAdopted
from pseudoledger.statement.kinds.ledger import LedgerFounded
from pseudoledger.statement.payload import parse
from pseudoledger.statement.sealed import disclosure_digest, open_field

ACTS = frozenset(kind.name for kind in KINDS.values() if kind.family != LEDGER)
"""Kinds that are acts of a party."""
NOTE = "identities are the keys that signed, or that a token or edge belongs to; the ledger's own statements are none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was seen, and what came of the disclosures that can be seen from there."""

    observations: Observations
    disclosures: tuple[DisclosureUsed, ...]
    """In ledger order; those for statements that the ledger does not hold stand last."""
    unreadable: int
    """Entries that could not be read."""


def observe(
    directory: Path,
    vantage: Vantage = PUBLIC,
    *,
    disclosures: Mapping[str, tuple[str, ...]] | None = None,
    verified: bool,
    size: int | None = None,
    resources: Resources | None = None,
    progress: Progress | None = None,
) -> Observed:
    """Return what a vantage point sees in the ledger of a directory; the caller closes the observations.

    `disclosures` has texts by statement id (`audit.review.sight.read_disclosures`). `size` is the number of
    entries to read, all of them without. Raises PeerUnreachable or StoreError for a ledger that cannot be read,
    MalformedError if it holds no act of any party.
    """
    with closing(Store.open_reader(directory)) as store:
        size = store.size if size is None else size
        source = _source(store, size, vantage, verified=verified)
        columns = all_columns()
        observations = Observations(
            fields=[column.field for column in columns], source=source, resources=resources
        )
        try:
            reading = Reading(store, size)
            eyes, roots = _eyes(store, size, vantage)
            watcher = _Watcher(eyes, roots, columns, Stage(observations), disclosures or {})
            for entry in reading.entries(ACTS, frozenset(), progress):
                watcher.take(entry)
            watcher.finish()
            _somebody(observations)
        except BaseException:
            observations.close()
            raise
        return Observed(observations=observations, disclosures=watcher.used(), unreadable=reading.unreadable)


def _somebody(observations: Observations) -> None:
    if not observations.count:
        raise MalformedError(
            f"the ledger of {observations.source.name} holds no act of any party",
            code="trace.empty",
            hint="there is nobody to trace before somebody registers a statement",
        )


def _source(store: Store, size: int, vantage: Vantage, *, verified: bool) -> Source:
    row, block = store.entry(0), store.block_of(size - 1) if size else None
    founded = None if row is None else parse(decode(row.statement).payload)
    origin = founded.origin if isinstance(founded, LedgerFounded) else "a ledger without founding"
    return Source(
        name=origin,
        vantage=vantage.name,
        digest="" if block is None else block.root.hex(),
        verified=verified,
        note=NOTE,
    )


def _eyes(store: Store, size: int, vantage: Vantage) -> tuple[Eyes, dict[str, str]]:
    """Read ahead what later entries say about keys and readers."""
    roots: dict[str, str] = {}
    shown: dict[str, dict[str, frozenset[str]]] = {}
    kinds = frozenset({"identity.adopted", "disclosure.shown"})
    for entry in Reading(store, size).entries(kinds, frozenset(), None):
        match entry.payload:
            case IdentityAdopted():
                roots[entry.statement.iss] = entry.statement.sub
            case DisclosureShown() as said:
                readers = shown.setdefault(said.statement, {})
                readers[said.reader] = readers.get(said.reader, frozenset()).union(said.opened)
    rooted = {
        ref: {roots.get(did, did): digests for did, digests in readers.items()}
        for ref, readers in shown.items()
    }
    return Eyes(vantage, roots=roots, shown=rooted), roots


class _Watcher:
    """Takes entries in ledger order and stages what is seen of them."""

    def __init__(
        self,
        eyes: Eyes,
        roots: Mapping[str, str],
        columns: tuple[Column, ...],
        stage: Stage,
        disclosures: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._eyes, self._columns, self._stage = eyes, columns, stage
        self._texts = disclosures
        self._past, self._ties = Past(roots), Ties(roots)
        self._met: set[str] = set()
        self._used: list[DisclosureUsed] = []

    def take(self, entry: Read) -> None:
        """Stage one statement."""
        clear = leaves(entry.payload, {})
        place = self._past.take(entry, clear)
        opened = self._open(entry, place.concerned) if entry.id in self._texts else {}
        seen = leaves(entry.payload, opened) if opened else clear
        self._ties.take(entry, seen)
        said = Said(
            kind=entry.kind,
            issuer=place.concerned.issuer,
            iat=entry.statement.iat,
            sealed_at=entry.at,
            leaves=seen,
            others=place.others,
            between=place.between,
            follows=place.follows,
            price=place.price,
            market_micro=place.market_micro,
            by_name=by_name(seen),
        )
        possible = places_of(entry.kind)
        cells = tuple(
            column.derive(said) if place in possible else None for place, column in enumerate(self._columns)
        )
        self._stage.add(Row(name=entry.statement.iss, at=said.iat, ref=entry.index, cells=cells))

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
        for text in self._texts[entry.id]:
            if not self._eyes.sees(concerned, disclosure_digest(text)):
                continue
            pointer, problem, sound = "", "", True
            try:
                field = open_field(entry.statement, text)
            except (InvalidProof, MalformedError) as error:
                problem, sound = error.message, False
            else:
                pointer, problem = field.pointer, field.problem
                if not problem:
                    found[pointer] = field.value
            self._used.append(
                DisclosureUsed(
                    statement=entry.id, entry=entry.index, pointer=pointer, sound=sound, problem=problem
                )
            )
        return found
