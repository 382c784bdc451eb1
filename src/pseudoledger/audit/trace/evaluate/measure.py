"""Measure: run the whole tracer over observations with known owners and score it.

    observations ──► features ──► candidates ──► model ──► links ──► clusters ──► Figures
              └────► hard links ──────────────────┴───────────────────┘

`truth` is read after everything is decided, and only to score. Where the owners of some identities are known, these
are scored among themselves: pairs of two known ones, and clusters and owners without the others. It keeps no time:
`bench` does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pseudoledger.audit.trace.clusters import THRESHOLD_BITS, components
from pseudoledger.audit.trace.evaluate.scores import (
    Agreement,
    Calibration,
    agreement,
    auc,
    b_cubed,
    calibration,
    pairwise,
    probability,
    true_pairs,
)
from pseudoledger.audit.trace.observations import Observations
from pseudoledger.audit.trace.tracing import Traced, trace
from pseudoledger.errors import MalformedError

Integers = npt.NDArray[np.int64]

CAP = 8
"""Most identities of a generated world that may hold one token: no owner has more pseudonyms."""
KNOWN_LEAST = 2
"""With fewer identities whose owners are known there is no pair to score."""
NOTICEABLE = 0.05
"""Calibration is also given over the pairs with at least this probability: nearly all others are hopeless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How well a run agrees with the known owners."""

    identities: int
    """Those with a known owner."""
    true_pairs: int
    hard: Agreement
    """Pairs of the components of hard links alone."""
    links: Agreement
    """Candidate pairs of the threshold and more, without clustering."""
    pairs: Agreement
    """Pairs of the clusters: hard and behavioural links."""
    b_cubed: Agreement
    auc: float
    """Over the scored pairs; nan without a pair of either sort."""
    calibration: Calibration
    """Over the scored pairs; without bins, and nan, if there is none."""
    noticeable: Calibration | None
    """Over the scored pairs with a probability of NOTICEABLE or more; None if there is none."""
    blocking_recall: float
    scored: int
    prior: float
    """As estimated, and as it is."""
    true_prior: float
    model: str
    """Hash of the model."""


def run(
    observations: Observations, *, seed: int, threshold_bits: float = THRESHOLD_BITS, cap: int = CAP
) -> Traced:
    """Trace a generated world; keep the bits of every candidate pair."""
    return trace(observations, seed=seed, threshold_bits=threshold_bits, cap=cap)


def measure(observations: Observations, traced: Traced) -> Figures:
    """Score a run; raise MalformedError if fewer than two identities have a known owner."""
    everyone = known_owners(observations)
    known = everyone >= 0
    owner = everyone[known]
    count = len(owner)
    if count < KNOWN_LEAST:
        raise MalformedError(
            f"{observations.source.name} does not name the owners of {KNOWN_LEAST} identities, so nothing can be scored",
            code="trace.truth",
            hint=f"give a group for {KNOWN_LEAST} identities or more, or trace without scoring",
        )
    got = observations.connection.execute("SELECT a, b, bits FROM links ORDER BY a, b").fetchnumpy()
    a, b, bits = got["a"].astype(np.int64), got["b"].astype(np.int64), got["bits"].astype(np.float64)
    both = known[a] & known[b]
    a, b, bits = a[both], b[both], bits[both]
    true = everyone[a] == everyone[b]
    chance = probability(bits)
    over = bits >= traced.clusters.threshold_bits
    total = true_pairs(owner)
    noticed = chance >= NOTICEABLE
    return Figures(
        identities=count,
        true_pairs=total,
        hard=pairwise(components(len(known), *traced.hard_pairs)[known], owner),
        links=agreement(int(true[over].sum()), int(over.sum()), total),
        pairs=pairwise(traced.clusters.label[known], owner),
        b_cubed=b_cubed(traced.clusters.label[known], owner),
        auc=auc(bits, true),
        calibration=calibration(chance, true),
        noticeable=calibration(chance[noticed], true[noticed]) if noticed.any() else None,
        blocking_recall=agreement(int(true.sum()), len(true), total).recall,
        scored=len(true),
        prior=traced.model.prior,
        true_prior=2 * total / max(count * (count - 1), 1),
        model=traced.model.hash,
    )


def owners(observations: Observations) -> Integers:
    """Return the owner of each identity, by its number; raise MalformedError if one is not known."""
    found = known_owners(observations)
    if not len(found) or (found < 0).any():
        raise MalformedError(
            f"{observations.source.name} does not name the owner of every identity, so nothing can be scored",
            code="trace.truth",
            hint="give a group for each identity, or trace without scoring",
        )
    return found


def known_owners(observations: Observations) -> Integers:
    """Return the owner of each identity, by its number; -1 where it is not known."""
    rows = observations.connection.execute("SELECT truth FROM identities ORDER BY id").fetchall()
    names = sorted({truth for (truth,) in rows if truth is not None})
    number = {name: place for place, name in enumerate(names)}
    return np.array([-1 if truth is None else number[truth] for (truth,) in rows], np.int64)
