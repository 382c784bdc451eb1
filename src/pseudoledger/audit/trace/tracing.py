"""Tracing: from what one vantage point sees to links and clusters.

    observations ──► features ──► candidates ──► model ──► links ──► clusters
              └────► hard links ──────────────────┴───────────────────┘

Known owners are not read here; what is made of the links for one identity is `audit.trace.report`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pseudoledger.audit.trace.candidates import Candidates, candidates
from pseudoledger.audit.trace.clusters import THRESHOLD_BITS, Clusters, cluster
from pseudoledger.audit.trace.compare import comparisons
from pseudoledger.audit.trace.engine import DUCKDB, Engine
from pseudoledger.audit.trace.features import Features, Integers, features
from pseudoledger.audit.trace.hard import CAP, HardLinks, HardPair, hard_links
from pseudoledger.audit.trace.model import TrainedModel, train
from pseudoledger.audit.trace.observations import Observations
from pseudoledger.audit.trace.predict import Links, predict, predict_around

LEARN_HELD = 3
"""Identities that may hold a value for its pairs to be learnt from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """All that one run leaves behind; the tables `candidates` and `links` stand in the connection."""

    observations: Observations
    features: Features
    hard: HardLinks
    hard_pairs: tuple[Integers, Integers]
    """Pairs a < b that evidence joins, each once."""
    candidates: Candidates
    model: TrainedModel
    links: Links
    clusters: Clusters


def trace(
    observations: Observations,
    *,
    seed: int,
    threshold_bits: float = THRESHOLD_BITS,
    cap: int = CAP,
    keep_bits: float | None = None,
    around: Integers | None = None,
    engine: Engine = DUCKDB,
) -> Traced:
    """Trace all identities of some observations; links of `keep_bits` and more are kept, all without.

    With `around` the clusters of these identities are found, and all links of theirs; those of others may be missing.
    The engine makes features, candidates and links; the model is learnt on DuckDB whatever it is.
    """
    hard = hard_links(observations, cap=cap)
    pairs = _pairs([pair for pair in hard.pairs if pair.joins])
    with engine.over(observations.connection) as work:
        found = features(observations, work)
        with work.on_all_cores():
            made = candidates(found)
        model = train(found, comparisons(found, seed=seed), hard=_surest(hard), seed=seed)
        if around is None:
            links = predict(found, model, keep_bits=keep_bits)
        else:
            links = predict_around(
                found, model, around, component=hard.component.astype(np.int64), threshold_bits=threshold_bits
            )
    clusters = cluster(found, model, pairs, threshold_bits=threshold_bits)
    return Traced(
        observations=observations,
        features=found,
        hard=hard,
        hard_pairs=pairs,
        candidates=made,
        model=model,
        links=links,
        clusters=clusters,
    )


def _pairs(chosen: Sequence[HardPair]) -> tuple[Integers, Integers]:
    joined = np.array([(pair.a, pair.b) for pair in chosen], np.int64).reshape(-1, 2)
    joined = np.unique(joined, axis=0)
    return joined[:, 0], joined[:, 1]


def _surest(hard: HardLinks) -> tuple[Integers, Integers]:
    """Return the pairs from which the model learns: those of edges, and of values that few hold.

    A value that many hold is more often shared by chance, and wrong pairs would teach that strangers are alike.
    """
    joining = [pair for pair in hard.pairs if pair.joins]
    ties = Counter((pair.kind, pair.value) for pair in joining)
    most = LEARN_HELD * (LEARN_HELD - 1) // 2
    return _pairs([pair for pair in joining if not pair.value or ties[pair.kind, pair.value] <= most])
