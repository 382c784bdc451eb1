"""What a report says of all identities at one vantage point: figures, verdicts, the model card, and how well it works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from pseudoledger.audit.trace.engine import Engine
from pseudoledger.audit.trace.evaluate.measure import KNOWN_LEAST, measure
from pseudoledger.audit.trace.evaluate.planted import self_test
from pseudoledger.audit.trace.evaluate.scores import Calibration
from pseudoledger.audit.trace.report import card, values
from pseudoledger.audit.trace.report.detail import Place
from pseudoledger.audit.trace.report.values import rounded
from pseudoledger.audit.trace.report.verdict import Verdict, verdict_of
from pseudoledger.audit.trace.tracing import Traced
from pseudoledger.audit.trace.whole import Estimate, Figures, estimate, exact_figures, links_of

EXACT_MAX = 10_000
"""Identities of which every one is scanned exactly."""
LISTED_MAX = 100_000
"""Identities that are listed in a line."""
HUBS_MAX = 100
"""Hubs that are listed."""
SHOWN = 8
"""Identities shown in full where none is asked for."""
OF_EACH = 2
"""Of these, of each verdict at least, where there are as many."""


def figures_of(place: Place, seed: int) -> Figures | Estimate:
    """Scan all identities exactly, or, where they are many, estimate from the links."""
    if place.scanner.count <= EXACT_MAX:
        return exact_figures(place.scanner, range(place.scanner.count))
    got = place.traced.features.connection.execute(
        "SELECT a, b, raw_bits FROM links ORDER BY a, b"
    ).fetchnumpy()
    links = links_of(place.scanner, got["a"], got["b"], got["raw_bits"])
    return estimate(place.scanner, links, seed=seed)


def plain(found: Figures | Estimate) -> Figures:
    """Return the figures of all, however they were found."""
    return found.figures if isinstance(found, Estimate) else found


def short_list(place: Place, figures: Figures) -> tuple[values.Short, ...]:
    """Return every identity in a line, by id."""
    traced, names = place.traced, place.names
    sizes = np.bincount(traced.clusters.label, minlength=len(names))
    alone = np.bincount(traced.hard.component)[traced.hard.component] == 1
    return tuple(
        values.Short(
            name=name,
            label=place.labels.get(at, ""),
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


def furthest(short: Sequence[values.Short]) -> tuple[str, ...]:
    """Return the identities that are traced furthest, one of a cluster, and of each verdict some.

    In the order of verdicts, then of H, ties by name.
    """
    rank = {one.value: place for place, one in enumerate(Verdict)}
    ordered = sorted(short, key=lambda one: (rank[one.verdict], one.entropy_bits, one.name))
    leading: dict[str, values.Short] = {}
    for one in ordered:
        leading.setdefault(one.cluster, one)
    seen: Counter[str] = Counter()
    of_each = []
    for one in leading.values():
        seen[one.verdict] += 1
        if seen[one.verdict] <= OF_EACH:
            of_each.append(one)
    shown = list(dict.fromkeys([*of_each, *leading.values(), *ordered]))[:SHOWN]
    return tuple(one.name for one in ordered if one in shown)


def looker(place: Place, found: Figures | Estimate) -> card.Looker:
    """Return what a vantage point sees, and what that tells."""
    traced, figures = place.traced, plain(found)
    verdicts = Counter(one.verdict for one in short_list(place, figures))
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
            card.Hub(kind=hub.kind, value=hub.value, held_by=hub.held_by)
            for hub in traced.hard.hubs[:HUBS_MAX]
        ),
        hubs_left_out=max(0, len(traced.hard.hubs) - HUBS_MAX),
        hub_cap=traced.hard.cap,
        median_entropy_bits=rounded(np.median(figures.entropy_bits)),
        median_degree=rounded(np.median(figures.degree)),
        verdicts={one.value: verdicts.get(one.value, 0) for one in Verdict},
        clusters=int((sizes > 1).sum()),
        estimated=isinstance(found, Estimate),
        deviation_bits=rounded(error),
        model=model_card(traced),
    )


def model_card(traced: Traced) -> card.Model:
    """Return what the model is and what it was learnt from."""
    model = traced.model
    return card.Model(
        hash=model.hash,
        prior=model.prior,
        learnt_from=model.hard_pairs if model.learnt else 0,
        candidates=traced.candidates.pairs,
        block_cap=traced.candidates.cap,
        blocks_dropped=traced.candidates.dropped,
        threshold_bits=traced.clusters.threshold_bits,
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


def self_tested(traced: Traced, seed: int, engine: Engine) -> card.SelfTest | None:
    """Return how the tracer does on parties planted in a copy of what was seen; None where too few can be planted."""
    found = self_test(
        traced.observations,
        seed=seed,
        threshold_bits=traced.clusters.threshold_bits,
        cap=traced.hard.cap,
        engine=engine,
    )
    if found is None:
        return None
    return card.SelfTest(
        planted=found.planted,
        found=found.found,
        strangers=found.strangers,
        precision=rounded(found.precision) if found.found + found.strangers else None,
        recall=rounded(found.recall),
        f1=rounded(found.f1),
        brier=rounded(found.calibration.brier),
        ece=rounded(found.calibration.ece),
        top_1=rounded(found.top_1),
        reliability=_bins(found.calibration),
    )


def scored(traced: Traced) -> card.Scored | None:
    """Score against known owners; None where fewer than two identities have one."""
    if traced.observations.known_count < KNOWN_LEAST:
        return None
    found = measure(traced.observations, traced)
    return card.Scored(
        known=found.identities,
        true_pairs=found.true_pairs,
        precision=rounded(found.pairs.precision),
        recall=rounded(found.pairs.recall),
        f1=rounded(found.pairs.f1),
        b_cubed_precision=rounded(found.b_cubed.precision),
        b_cubed_recall=rounded(found.b_cubed.recall),
        b_cubed_f1=rounded(found.b_cubed.f1),
        hard_f1=rounded(found.hard.f1),
        auc=_some(found.auc),
        brier=_some(found.calibration.brier),
        ece=_some(found.calibration.ece),
        blocking_recall=rounded(found.blocking_recall),
        reliability=_bins(found.calibration),
    )


def _some(value: float) -> float | None:
    return None if np.isnan(value) else rounded(value)


def _bins(found: Calibration) -> tuple[card.Bin, ...]:
    return tuple(
        card.Bin(said=rounded(one.probability), found=rounded(one.share), count=one.pairs)
        for one in found.bins
    )
