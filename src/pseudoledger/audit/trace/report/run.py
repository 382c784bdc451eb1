"""`trace`: from a ledger, or a table of observations, to the whole report.

The ledger is read as it was verified, up to the size that the verifier's report names. Nothing is written there.
The result does not depend on clock, machine load or the order of anything: DuckDB works with one thread, everything
random has the seed; pairs alone are proposed and scored on all cores, each by itself.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pseudoledger.audit.review.dossier import DisclosureUsed
from pseudoledger.audit.review.reading import Progress, founding_of
from pseudoledger.audit.trace.beside import scanner_beside
from pseudoledger.audit.trace.clusters import THRESHOLD_BITS
from pseudoledger.audit.trace.engine import DUCKDB, Engine
from pseudoledger.audit.trace.fields import PublishedFields
from pseudoledger.audit.trace.foreign import read_observations
from pseudoledger.audit.trace.hard import CAP
from pseudoledger.audit.trace.observations import Observations, Resources
from pseudoledger.audit.trace.observe import observe, observe_all
from pseudoledger.audit.trace.report import card, values
from pseudoledger.audit.trace.report.cite import cited, refs_of
from pseudoledger.audit.trace.report.detail import Details, Place
from pseudoledger.audit.trace.report.overall import (
    LISTED_MAX,
    figures_of,
    furthest,
    looker,
    plain,
    scored,
    self_tested,
    short_list,
)
from pseudoledger.audit.trace.report.told import entropies
from pseudoledger.audit.trace.roles import Columns
from pseudoledger.audit.trace.tracing import Traced, trace
from pseudoledger.audit.trace.vantage import AUDITOR, PUBLIC, Vantage
from pseudoledger.errors import MalformedError
from pseudoledger.ledger.checkpoint import parse_checkpoint
from pseudoledger.ledger.note import parse_note
from pseudoledger.ledger.store import Store

WORKED = ("links", "candidates", "published", "published_by", "published_typical")
"""Tables from which everything is taken before the self-test."""
ASKED_MAX = 200
"""Identities that are shown in full at most."""
WEIGHED_RECORDS = 50_000
"""Entries that are read again at most to see what disclosures have told, unless more is asked for."""
_UNVERIFIED = "not verified: what is said here rests on an unchecked copy"
LIBRARIES = ("pseudoledger", "duckdb", "numpy", "pyarrow", "scipy", "splink")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a trace is asked for, beside what it reads."""

    identities: tuple[str, ...] = ()
    """Dids, or names of the table; those traced furthest without."""
    vantages: tuple[Vantage, ...] = ()
    """From who sees least to who sees most; public without, and the auditor where disclosures are given."""
    disclosures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seed: int = 1
    threshold_bits: float = THRESHOLD_BITS
    cap: int = CAP
    memory_limit: str = ""
    weigh: int | None = None
    """Opened statements, in ledger order, of which is worked out what each has told; as many as are quick without."""

    def points(self) -> tuple[Vantage, ...]:
        """Return the vantage points that are looked from."""
        return self.vantages or ((PUBLIC, AUDITOR) if self.disclosures else (PUBLIC,))


def trace_ledger(
    directory: Path,
    asked: Asked,
    *,
    verified: bool,
    size: int | None = None,
    note: bytes | None = None,
    progress: Progress | None = None,
    engine: Engine = DUCKDB,
) -> values.TraceReport:
    """Trace the ledger of a directory, up to `size` entries; `verified` says whether somebody verified it.

    `note` stands in for the checkpoint that the ledger holds: that of an earlier report. Raises MalformedError for an
    identity that was not seen, a ledger without acts or with one identity; StoreError or PeerUnreachable for a
    ledger that cannot be read.
    """
    with ExitStack() as held:
        store = held.enter_context(closing(Store.open_reader(directory)))
        size = store.size if size is None else size
        seen = observe_all(
            directory,
            asked.points(),
            disclosures=asked.disclosures,
            verified=verified,
            size=size,
            resources=Resources(threads=1, memory_limit=asked.memory_limit),
            progress=progress,
        )
        for one in seen:
            held.callback(one.observations.close)
        looked = _looked(store, size, seen[-1].observations, note or store.checkpoint())
        weighed = _weighed(seen[-1].disclosures, asked, size)
        without = _without(directory, asked, weighed, verified=verified, size=size, progress=progress)
        made = _report(
            [one.observations for one in seen], asked, looked, seen[-1].disclosures, without, engine
        )
        return msgspec.structs.replace(
            made, weighed=len(weighed), entries=tuple(cited(store, size, refs_of(made.identities)))
        )


def _weighed(disclosures: Sequence[DisclosureUsed], asked: Asked, size: int) -> list[str]:
    """Return the statements of which something was opened, in ledger order: the first of them."""
    opened = list(dict.fromkeys(one.statement for one in disclosures if one.sound))
    return opened[: max(1, WEIGHED_RECORDS // max(1, size)) if asked.weigh is None else asked.weigh]


def _without(
    directory: Path,
    asked: Asked,
    weighed: Sequence[str],
    *,
    verified: bool,
    size: int,
    progress: Progress | None,
) -> Iterator[tuple[str, Observations]]:
    """Yield what the last vantage point sees without the disclosures of one statement, for each of some.

    The observations live until the next are asked for.
    """
    for done, statement in enumerate(weighed):
        if progress is not None:
            progress(done, len(weighed))
        kept = {key: texts for key, texts in asked.disclosures.items() if key != statement}
        one = observe(
            directory,
            asked.points()[-1],
            disclosures=kept,
            verified=verified,
            size=size,
            resources=Resources(threads=1, memory_limit=asked.memory_limit),
        )
        with closing(one.observations):
            yield statement, one.observations


def trace_table(
    path: Path, asked: Asked, *, columns: Columns, edges: Path | None = None, engine: Engine = DUCKDB
) -> values.TraceReport:
    """Trace a table of observations; raise MalformedError as `foreign.read_observations` does."""
    resources = Resources(threads=1, memory_limit=asked.memory_limit)
    with closing(read_observations(path, columns=columns, edges=edges, resources=resources)) as seen:
        first, last = _span(seen)
        looked = card.Looked(
            kind="table",
            name=seen.source.name,
            digest=seen.source.digest,
            entries=seen.record_count,
            blocks=0,
            ledger_key="",
            clock="",
            verified=False,
            verification="a table from elsewhere: nothing in it is signed, so nothing was verified",
            checkpoint="",
            first=first,
            last=last,
            table=_reading(seen, columns, edges),
        )
        return _report([seen], asked, looked, (), (), engine)


def _report(  # noqa: PLR0917 - one step of both
    seen: Sequence[Observations],
    asked: Asked,
    looked: card.Looked,
    disclosures: Sequence[DisclosureUsed],
    without: Iterable[tuple[str, Observations]],
    engine: Engine,
) -> values.TraceReport:
    """Trace what was seen; `without` is what the last vantage point sees without the disclosures of one statement."""
    for observations in seen:
        if observations.count < 2:
            raise MalformedError(
                f"{observations.source.name} shows one identity: there is nobody it could be told apart from",
                code="trace.alone",
                hint="trace a ledger, or a vantage point, with two identities or more",
            )
    for name in asked.identities[:ASKED_MAX]:
        seen[-1].id_of(name)

    def traced(one: Observations) -> Traced:
        return trace(one, seed=asked.seed, threshold_bits=asked.threshold_bits, cap=asked.cap, engine=engine)

    found = [traced(one) for one in seen]
    main = found[-1]
    places = [_place(one, main, asked.seed) for one in found]
    figures = [figures_of(place, asked.seed) for place in places]
    short = short_list(places[-1], plain(figures[-1]))
    chosen = (asked.identities or furthest(short))[:ASKED_MAX]
    hidden = [(statement, entropies(one, main, chosen)) for statement, one in without]
    details = Details(places, hidden)
    identities = tuple(details.describe(name) for name in chosen)
    agrees = scored(main)
    # The self-test traces a copy: what is done with is let go before, as both do not fit into memory of large tables.
    for table in WORKED:
        main.observations.connection.execute(f"DROP TABLE IF EXISTS {table}")
    return values.TraceReport(
        looked=looked,
        seed=asked.seed,
        asked=asked.identities,
        versions={name: importlib.metadata.version(name) for name in LIBRARIES},
        vantages=tuple(looker(place, figure) for place, figure in zip(places, figures, strict=True)),
        identities=identities,
        all=short[:LISTED_MAX],
        disclosures=tuple(
            card.Given(statement=one.statement, pointer=one.pointer, sound=one.sound, problem=one.problem)
            for one in disclosures
        ),
        weighed=0,
        self_test=self_tested(main, asked.seed, engine),
        scored=agrees,
        entries=(),
    )


def _place(traced: Traced, main: Traced, seed: int) -> Place:
    observations = traced.observations
    return Place(
        vantage=observations.source.vantage or observations.source.name,
        traced=traced,
        scanner=scanner_beside(traced, main, seed=seed),
        published=PublishedFields(observations),
        names=observations.names(),
        labels=_labels(observations),
    )


def _labels(observations: Observations) -> dict[int, str]:
    """Return what identities call themselves; the last word counts."""
    if not {"kind", "label"} <= {one.name for one in observations.fields}:
        return {}
    rows = observations.connection.execute(
        """SELECT id, max_by(label, ("at", ref)) FROM records WHERE kind = 'identity.declared' AND label IS NOT NULL
        GROUP BY id ORDER BY id"""
    ).fetchall()
    return dict(rows)


def _looked(store: Store, size: int, seen: Observations, note: bytes | None) -> card.Looked:
    """Say what was read, by what stands at that size alone: the ledger may have grown since."""
    first, last = _span(seen)
    block = store.block_of(size - 1) if size else None
    fits = note is not None and _size(note) == size
    founded = founding_of(store)
    verified = seen.source.verified
    return card.Looked(
        kind="ledger",
        name=seen.source.name,
        digest=seen.source.digest,
        entries=size,
        blocks=0 if block is None else block.height,
        ledger_key="" if block is None else block.ledger_key,
        clock=founded.policy.clock if founded else "",
        verified=verified,
        verification="every signature, block and rule was verified" if verified else _UNVERIFIED,
        checkpoint=note.decode("utf-8") if note is not None and fits else "",
        first=first,
        last=last,
        table=None,
    )


def _reading(seen: Observations, columns: Columns, edges: Path | None) -> card.Reading:
    """Say how a table was read, so that it can be traced again."""
    table, *rest = seen.source.files
    return card.Reading(
        digest=table,
        columns=columns,
        edges=None if edges is None else card.Edges(name=edges.name, digest=rest[0]),
    )


def _size(note: bytes) -> int:
    try:
        return parse_checkpoint(parse_note(note).text).size
    except MalformedError:
        # Only a ledger that was not verified can hold such a note.
        return -1


def _span(seen: Observations) -> tuple[int, int]:
    rows = seen.connection.execute(
        'SELECT coalesce(min("at"), 0), coalesce(max("at"), 0) FROM records'
    ).fetchall()
    return int(rows[0][0]), int(rows[0][1])
