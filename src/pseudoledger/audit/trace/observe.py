"""Observations of a ledger from a vantage point: one pass over its entries, read only.

Who is an identity here: every key that signed a statement, and every key that a token or edge belongs to (a
holder of a claim, a new key). Keys stay apart, although a rotation ties them for certain; the parties of a deal
stand under the first key of their identity. What the ledger issues itself is no act of a party: kinds of the
family *ledger* make no record, so its key is no identity, and the founder is one only if it also acts as a party.

Nothing is verified here: the caller says whether it was. Statements that cannot be read are counted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from pseudoledger.audit.review.dossier import DisclosureUsed
from pseudoledger.audit.review.reading import Progress, Reading, founding_of
from pseudoledger.audit.trace.columns import LEDGER, all_columns
from pseudoledger.audit.trace.observations import Observations, Resources, Source
from pseudoledger.audit.trace.past import Past
from pseudoledger.audit.trace.vantage import PUBLIC, Eyes, Vantage
from pseudoledger.audit.trace.watch import Watcher, in_the_clear
from pseudoledger.errors import MalformedError
from pseudoledger.ledger.store import Store
from pseudoledger.statement.kinds import KINDS
from pseudoledger.statement.kinds.claim import DisclosureShown
from pseudoledger.statement.kinds.identity import IdentityAdopted
from pseudoledger.statement.references import is_id

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
    MalformedError if it holds no act of any party, or does not know the identity or lease of a vantage point.
    """
    (found,) = observe_all(
        directory,
        (vantage,),
        disclosures=disclosures,
        verified=verified,
        size=size,
        resources=resources,
        progress=progress,
    )
    return found


def observe_all(
    directory: Path,
    vantages: Sequence[Vantage],
    *,
    disclosures: Mapping[str, tuple[str, ...]] | None = None,
    verified: bool,
    size: int | None = None,
    resources: Resources | None = None,
    progress: Progress | None = None,
) -> tuple[Observed, ...]:
    """Return what each of some vantage points sees, in one pass over the entries; otherwise as `observe`."""
    texts = disclosures or {}
    with ExitStack() as held:
        store = held.enter_context(closing(Store.open_reader(directory)))
        made = held.enter_context(ExitStack())
        size = store.size if size is None else size
        reading, ahead = Reading(store, size), _ahead(store, size)
        watchers = []
        for vantage in vantages:
            observations = Observations(
                fields=[column.field for column in all_columns()],
                source=_source(store, size, vantage, verified=verified),
                resources=resources,
            )
            made.callback(observations.close)
            eyes = Eyes(vantage, roots=ahead.roots, shown=ahead.shown)
            watchers.append(Watcher(eyes, observations, texts))
        past = Past(ahead.roots)
        met = {reader for readers in ahead.shown.values() for reader in readers}
        for entry in reading.entries(ACTS, frozenset(), progress):
            clear = in_the_clear(entry, past)
            met |= clear.place.named
            for watcher in watchers:
                watcher.take(clear)
        for watcher in watchers:
            _known(
                watcher.observations.source, [ahead.roots.get(one, one) for one in watcher.vantage.of], met
            )
        found = []
        for watcher in watchers:
            watcher.finish()
            _somebody(watcher.observations)
            found.append(
                Observed(
                    observations=watcher.observations,
                    disclosures=watcher.used(),
                    unreadable=reading.unreadable,
                )
            )
        # From here on they are the caller's to close.
        made.pop_all()
        return tuple(found)


def _somebody(observations: Observations) -> None:
    if not observations.count:
        raise MalformedError(
            f"the ledger of {observations.source.name} holds no act of any party",
            code="trace.empty",
            hint="there is nobody to trace before somebody registers a statement",
        )


def _known(source: Source, whose: Sequence[str], met: Collection[str]) -> None:
    """Refuse the place of an identity or lease that the ledger does not know: it would see what everybody sees."""
    for of in whose:
        if of not in met:
            raise MalformedError(
                f"{source.name} knows no {'lease' if is_id(of) else 'identity'} {of}, so nothing is seen from its place",
                code="trace.vantage",
                hint="check the spelling behind the vantage point; a lease goes by the id of its proposal",
            )


def _source(store: Store, size: int, vantage: Vantage, *, verified: bool) -> Source:
    block = store.block_of(size - 1) if size else None
    founded = founding_of(store)
    return Source(
        name=founded.origin if founded else "a ledger without a readable founding",
        vantage=vantage.name,
        digest="" if block is None else block.root.hex(),
        verified=verified,
        note=NOTE,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ahead:
    """What later entries say about keys and readers."""

    roots: Mapping[str, str]
    """First keys of identities, by key."""
    shown: Mapping[str, Mapping[str, frozenset[str]]]
    """Digests that were opened, by statement and reader."""


def _ahead(store: Store, size: int) -> _Ahead:
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
    rooted: dict[str, dict[str, frozenset[str]]] = {}
    for ref, readers in shown.items():
        under = rooted.setdefault(ref, {})
        for did, digests in readers.items():
            root = roots.get(did, did)
            under[root] = under.get(root, frozenset()) | digests
    return _Ahead(roots=roots, shown=rooted)
