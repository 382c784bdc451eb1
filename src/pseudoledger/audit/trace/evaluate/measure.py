"""Measure: run the whole tracer over observations with known owners and score it.

    observations ──► features ──► candidates ──► model ──► links ──► clusters ──► Figures
              └────► hard links ──────────────────┴───────────────────┘

`truth` is read after everything is decided, and only to score. It keeps no time: `bench` does.
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
NOTICEABLE = 0.05
"""Calibration is also given over the pairs with at least this probability: nearly all others are hopeless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How well a run agrees with the known owners."""

    identities: int
    true_pairs: int
    hard: Agreement
    """Pairs of the components of hard links alone."""
    links: Agreement
    """Candidate pairs of the threshold and more, without clustering."""
    pairs: Agreement
    """Pairs of the clusters: hard and behavioural links."""
    b_cubed: Agreement
    auc: float
    """Over the scored pairs."""
    calibration: Calibration
    """Over the scored pairs."""
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
    """Score a run; raise MalformedError if the owners are not known of every identity."""
    owner = owners(observations)
    count = len(owner)
    got = observations.connection.execute("SELECT a, b, bits FROM links ORDER BY a, b").fetchnumpy()
    a, b, bits = got["a"].astype(np.int64), got["b"].astype(np.int64), got["bits"].astype(np.float64)
    true = owner[a] == owner[b]
    chance = probability(bits)
    over = bits >= traced.clusters.threshold_bits
    total = true_pairs(owner)
    noticed = chance >= NOTICEABLE
    return Figures(
        identities=count,
        true_pairs=total,
        hard=pairwise(components(count, *traced.hard_pairs), owner),
        links=agreement(int(true[over].sum()), int(over.sum()), total),
        pairs=pairwise(traced.clusters.label, owner),
        b_cubed=b_cubed(traced.clusters.label, owner),
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
    rows = observations.connection.execute("SELECT truth FROM identities ORDER BY id").fetchall()
    if not rows or any(truth is None for (truth,) in rows):
        raise MalformedError(
            f"{observations.source.name} does not name the owner of every identity, so nothing can be scored",
            code="trace.truth",
            hint="give a group for each identity, or trace without scoring",
        )
    return np.unique(np.array([truth for (truth,) in rows]), return_inverse=True)[1].astype(np.int64)
