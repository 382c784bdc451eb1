"""The vantage matrix: how well one identity is hidden from each of several vantage points.

Each vantage point has its own observations, features and model, and may number identities differently. They are to be
held to one account: make their scanners by `beside`. It is exact: one scan per vantage point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pseudoledger.audit.trace.anonymity import (
    STEP,
    Candidate,
    Measures,
    measures,
    posterior,
    tally_of_steps,
)
from pseudoledger.audit.trace.scan import Scanner


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One identity at one vantage point."""

    vantage: str
    scanner: Scanner
    identity: int
    """Its id there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one vantage point makes of the identity."""

    vantage: str
    identities: int
    measures: Measures
    best: Candidate | None
    """The best candidate, with its id at this vantage point; None if there is none."""
    told_bits: float
    """H of the row above minus H of this one: what seeing this more (or other) has told; 0 in the first row."""


def vantage_matrix(views: Sequence[View]) -> tuple[Row, ...]:
    """Return a row per view, in the order given: usually from who sees least to who sees most."""
    rows: list[Row] = []
    for view in views:
        steps = view.scanner.steps(view.identity)
        outcome = posterior(tally_of_steps(steps))
        found = measures(outcome, identities=view.scanner.count)
        before = rows[-1].measures.entropy_bits if rows else found.entropy_bits
        first = int(np.argmax(steps))
        best = outcome.candidate(first, int(steps[first]) / STEP) if outcome.bits.size else None
        rows.append(
            Row(
                vantage=view.vantage,
                identities=view.scanner.count,
                measures=found,
                best=best,
                told_bits=before - found.entropy_bits,
            )
        )
    return tuple(rows)
