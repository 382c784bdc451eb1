"""`trace`: from a ledger, or a table of observations, to the whole report.

The ledger is read as it was verified, up to the size that the verifier's report names. Nothing is written there.
The result does not depend on clock, machine load or the order of anything: DuckDB works with one thread, everything
random has the seed.
"""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from pseudoledger.audit.review.dossier import DisclosureUsed
from pseudoledger.audit.review.reading import Progress
from pseudoledger.audit.trace.clusters import THRESHOLD_BITS
from pseudoledger.audit.trace.evaluate.measure import measure
from pseudoledger.audit.trace.evaluate.planted import PLANTED_LEAST, RECORDS_LEAST, self_test
from pseudoledger.audit.trace.evaluate.scores import Calibration
from pseudoledger.audit.trace.fields import PublishedFields
from pseudoledger.audit.trace.foreign import Columns, read_observations
from pseudoledger.audit.trace.hard import CAP
from pseudoledger.audit.trace.observations import Observations, Resources
from pseudoledger.audit.trace.observe import observe_all
from pseudoledger.audit.trace.report import card, values
from pseudoledger.audit.trace.report.cite import cited, refs_of
from pseudoledger.audit.trace.report.detail import Details, Place
from pseudoledger.audit.trace.report.values import rounded
from pseudoledger.audit.trace.report.verdict import Verdict, verdict_of
from pseudoledger.audit.trace.scan import Scanner
from pseudoledger.audit.trace.tracing import Traced, trace
from pseudoledger.audit.trace.vantage import AUDITOR, PUBLIC, Vantage
from pseudoledger.audit.trace.whole import Estimate, Figures, estimate, exact_figures, linked
from pseudoledger.errors import MalformedError
from pseudoledger.ledger.checkpoint import parse_checkpoint
from pseudoledger.ledger.note import parse_note
from pseudoledger.ledger.store import Store
from pseudoledger.statement.envelope import decode
from pseudoledger.statement.kinds.ledger import LedgerFounded
from pseudoledger.statement.payload import parse

ALL_MAX = 10_000
"""Identities of which every one is scanned exactly, and listed in a line."""
SHOWN = 12
"""Identities shown in full where none is asked for."""
ASKED_MAX = 200
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
        made = _report([one.observations for one in seen], asked, looked, seen[-1].disclosures)
        return msgspec.structs.replace(made, entries=tuple(cited(store, size, refs_of(made.identities))))


def trace_table(
    path: Path, asked: Asked, *, columns: Columns, edges: Path | None = None
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
        )
        return _report([seen], asked, looked, ())


def _report(
    seen: Sequence[Observations],
    asked: Asked,
    looked: card.Looked,
    disclosures: Sequence[DisclosureUsed],
) -> values.TraceReport:
    for observations in seen:
        if observations.count < 2:
            raise MalformedError(
                f"{observations.source.name} shows one identity: there is nobody it could be told apart from",
                code="trace.alone",
                hint="trace a ledger, or a vantage point, with two identities or more",
            )
    traced = [trace(one, seed=asked.seed, threshold_bits=asked.threshold_bits, cap=asked.cap) for one in seen]
    main = traced[-1]
    for name in asked.identities[:ASKED_MAX]:
        main.observations.id_of(name)
    places = [_place(one, main.model.prior) for one in traced]
    figures = [_figures(place, asked.seed) for place in places]
    short = _short(places[-1], _all(figures[-1]))
    chosen = asked.identities or _furthest(short)
    details = Details(places)
    return values.TraceReport(
        looked=looked,
        seed=asked.seed,
        asked=asked.identities,
        versions={name: importlib.metadata.version(name) for name in LIBRARIES},
        vantages=tuple(
            _looker(place, found, asked.threshold_bits) for place, found in zip(places, figures, strict=True)
        ),
        identities=tuple(details.describe(name) for name in chosen[:ASKED_MAX]),
        all=short[:ALL_MAX],
        left_out=max(0, len(short) - ALL_MAX),
        disclosures=tuple(
            card.Given(statement=one.statement, pointer=one.pointer, sound=one.sound, problem=one.problem)
            for one in disclosures
        ),
        self_test=_self_test(main.observations, asked),
        scored=_scored(main),
        entries=(),
    )


def _place(traced: Traced, prior: float) -> Place:
    observations = traced.observations
    return Place(
        vantage=observations.source.vantage or observations.source.name,
        traced=traced,
        scanner=Scanner(traced.features, traced.model, component=traced.hard.component, prior=prior),
        published=PublishedFields(observations),
        names=observations.names(),
    )


def _figures(place: Place, seed: int) -> Figures | Estimate:
    """Scan all identities exactly, or, where they are many, estimate from the links."""
    if place.scanner.count <= ALL_MAX:
        return exact_figures(place.scanner, range(place.scanner.count))
    got = place.traced.features.connection.execute("SELECT a, b, bits FROM links ORDER BY a, b").fetchnumpy()
    links = linked(got["a"], got["b"], got["bits"], count=place.scanner.count)
    return estimate(place.scanner, links, seed=seed)


def _all(found: Figures | Estimate) -> Figures:
    return found.figures if isinstance(found, Estimate) else found


def _short(place: Place, figures: Figures) -> tuple[values.Short, ...]:
    traced, names = place.traced, place.names
    sizes = np.bincount(traced.clusters.label, minlength=len(names))
    alone = np.bincount(traced.hard.component)[traced.hard.component] == 1
    return tuple(
        values.Short(
            name=name,
            verdict=verdict_of(
                linked=not alone[at],
                clustered=bool(sizes[traced.clusters.label[at]] > 1),
                learnt=traced.model.learnt,
                guess_1=float(figures.guess_1[at]),
            ).value,
            cluster=names[int(traced.clusters.label[at])],
            entropy_bits=rounded(figures.entropy_bits[at]),
            effective=rounded(figures.effective[at]),
            degree=rounded(figures.degree[at]),
            guess_1=rounded(figures.guess_1[at]),
        )
        for at, name in enumerate(names)
    )


def _furthest(short: Sequence[values.Short]) -> tuple[str, ...]:
    """Return the identities that are traced furthest: by verdict, then by H, ties by name."""
    rank = {one.value: place for place, one in enumerate(Verdict)}
    ordered = sorted(short, key=lambda one: (rank[one.verdict], one.entropy_bits, one.name))
    return tuple(one.name for one in ordered[:SHOWN])


def _looker(place: Place, found: Figures | Estimate, threshold_bits: float) -> card.Looker:
    traced, figures = place.traced, _all(found)
    verdicts = Counter(one.verdict for one in _short(place, figures))
    sizes = np.bincount(traced.clusters.label)
    error = 0.0
    if isinstance(found, Estimate):
        error = next(one.median_abs for one in found.deviations if one.name == "entropy_bits")
    return card.Looker(
        vantage=place.vantage,
        identities=len(place.names),
        records=int(traced.features.seen.sum()),
        fields=tuple(one.name for one in traced.observations.fields),
        hard_links=len(traced.hard_pairs[0]),
        hubs=tuple(
            card.Hub(kind=hub.kind, value=hub.value, held_by=hub.held_by) for hub in traced.hard.hubs[:100]
        ),
        hub_cap=traced.hard.cap,
        median_entropy_bits=rounded(np.median(figures.entropy_bits)),
        median_degree=rounded(np.median(figures.degree)),
        verdicts={one.value: verdicts.get(one.value, 0) for one in Verdict},
        clusters=int((sizes > 1).sum()),
        estimated=isinstance(found, Estimate),
        deviation_bits=rounded(error),
        model=_model(traced, threshold_bits),
    )


def _model(traced: Traced, threshold_bits: float) -> card.Model:
    model = traced.model
    return card.Model(
        hash=model.hash,
        prior=model.prior,
        learnt_from=model.hard_pairs if model.learnt else 0,
        candidates=traced.candidates.pairs,
        block_cap=traced.candidates.cap,
        blocks_dropped=traced.candidates.dropped,
        threshold_bits=threshold_bits,
        size_max=traced.clusters.size_max,
        comparisons=tuple(
            card.Weighed(
                name=one.comparison.name,
                label=one.comparison.label,
                reveals=one.comparison.reveals,
                shape=one.comparison.shape.value,
                thresholds=one.comparison.thresholds,
                weight=rounded(one.weight),
                levels=tuple(
                    card.Level(m=rounded(m), u=rounded(u), bits=rounded(bits))
                    for m, u, bits in zip(one.m, one.u, one.bits, strict=True)
                ),
            )
            for one in model.comparisons
        ),
        curve=tuple(zip(model.curve.knots, model.curve.values, strict=True)),
    )


def _self_test(observations: Observations, asked: Asked) -> card.SelfTest:
    found = self_test(observations, seed=asked.seed, threshold_bits=asked.threshold_bits, cap=asked.cap)
    if found is None:
        words = (
            f"not done: fewer than {PLANTED_LEAST} identities have {RECORDS_LEAST} records or more with times"
        )
        return card.SelfTest(
            words=words,
            planted=0,
            found=0,
            strangers=0,
            precision=0.0,
            recall=0.0,
            f1=0.0,
            brier=0.0,
            ece=0.0,
            top_1=0.0,
            reliability=(),
        )
    return card.SelfTest(
        words=f"{found.planted} identities were split in two in a copy of what was seen, and traced again",
        planted=found.planted,
        found=found.found,
        strangers=found.strangers,
        precision=rounded(found.precision),
        recall=rounded(found.recall),
        f1=rounded(found.f1),
        brier=rounded(found.calibration.brier),
        ece=rounded(found.calibration.ece),
        top_1=rounded(found.top_1),
        reliability=_bins(found.calibration),
    )


def _scored(traced: Traced) -> card.Scored | None:
    """Score against known groups, where every identity has one."""
    known = traced.observations.connection.execute("SELECT count(truth) FROM identities").fetchall()[0][0]
    if known < traced.observations.count:
        return None
    found = measure(traced.observations, traced)
    return card.Scored(
        precision=rounded(found.pairs.precision),
        recall=rounded(found.pairs.recall),
        f1=rounded(found.pairs.f1),
        b_cubed_precision=rounded(found.b_cubed.precision),
        b_cubed_recall=rounded(found.b_cubed.recall),
        b_cubed_f1=rounded(found.b_cubed.f1),
        hard_f1=rounded(found.hard.f1),
        auc=0.0 if np.isnan(found.auc) else rounded(found.auc),
        brier=rounded(found.calibration.brier),
        ece=rounded(found.calibration.ece),
        blocking_recall=rounded(found.blocking_recall),
        reliability=_bins(found.calibration),
    )


def _bins(found: Calibration) -> tuple[card.Bin, ...]:
    return tuple(
        card.Bin(said=rounded(one.probability), found=rounded(one.share), count=one.pairs)
        for one in found.bins
    )


def _looked(store: Store, size: int, seen: Observations, note: bytes | None) -> card.Looked:
    """Say what was read, by what stands at that size alone: the ledger may have grown since."""
    first, last = _span(seen)
    block = store.block_of(size - 1) if size else None
    fits = note is not None and _size(note) == size
    verified = seen.source.verified
    return card.Looked(
        kind="ledger",
        name=seen.source.name,
        digest=seen.source.digest,
        entries=size,
        blocks=0 if block is None else block.height,
        ledger_key="" if block is None else block.ledger_key,
        clock=_clock(store),
        verified=verified,
        verification="every signature, block and rule was verified" if verified else _UNVERIFIED,
        checkpoint=note.decode("utf-8") if note is not None and fits else "",
        first=first,
        last=last,
    )


def _clock(store: Store) -> str:
    row = store.entry(0)
    try:
        founded = None if row is None else parse(decode(row.statement).payload)
    except MalformedError:
        # Only a ledger that was not verified can begin like this.
        founded = None
    return founded.policy.clock if isinstance(founded, LedgerFounded) else ""


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
