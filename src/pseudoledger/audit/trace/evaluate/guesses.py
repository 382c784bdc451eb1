"""Guesses: how often the best candidate is a sibling, and the credible set holds one, over identities that have one.

Every identity asked is scanned against all others. Candidates of equal bits stand in random order, so what is counted
is the chance over these orders. Owners are read to score, and for nothing else.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import numpy as np

from pseudoledger.audit.trace.anonymity import Reals, credible, posterior, tally
from pseudoledger.audit.trace.beside import scanner_of
from pseudoledger.audit.trace.evaluate.measure import owners
from pseudoledger.audit.trace.tracing import Traced

EVERY = 5
"""One in so many identities with a sibling is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesses:
    """Shares of the identities asked, all from 0 to 1."""

    first: float
    """Their best candidate is a sibling."""
    covered: float
    """A sibling is in the credible set; where it is the last candidate, it counts by the degree of that one."""
    covered_whole: float
    """The same with the last candidate counted whole."""
    held: float
    """What the tracer says of `covered_whole`: the mean of `Credible.held`. Near it if the tracer can be believed."""
    single: float
    """Their set is one candidate, to whatever degree."""


def guesses(traced: Traced, *, seed: int, every: int = EVERY) -> Guesses:
    """Score a run; raise MalformedError if an owner is not known, or no identity has a sibling."""
    owner = owners(traced.observations)
    having = np.flatnonzero(np.bincount(owner)[owner] > 1)
    asked = np.random.default_rng(seed).permutation(having)[::every]
    scanner = scanner_of(traced)
    found = [_one(scanner.scan(identity), owner == owner[identity]) for identity in asked.tolist()]
    return Guesses(
        first=statistics.fmean(one.first for one in found),
        covered=statistics.fmean(one.covered for one in found),
        covered_whole=statistics.fmean(one.covered_whole for one in found),
        held=statistics.fmean(one.held for one in found),
        single=statistics.fmean(one.single for one in found),
    )


def _one(bits: Reals, same: np.ndarray) -> Guesses:
    """Score one identity, whose own bits are minus infinity."""
    siblings = bits[same & (bits > -np.inf)]
    held = credible(posterior(tally(bits)))
    whole, without = hit(bits, siblings, held.size), hit(bits, siblings, held.size - 1)
    return Guesses(
        first=hit(bits, siblings, 1),
        covered=without + held.last * (whole - without),
        covered_whole=whole,
        held=held.held,
        single=float(held.size == 1),
    )


def hit(bits: Reals, siblings: Reals, places: int) -> float:
    """Return the chance that one of the best `places` is a sibling, equal bits in random order."""
    if places <= 0:
        return 0.0
    bound = np.partition(bits, bits.size - places)[bits.size - places]
    if (siblings > bound).any():
        return 1.0
    tied, open_ = int((bits == bound).sum()), places - int((bits > bound).sum())
    true = int((siblings == bound).sum())
    missed = 1.0
    for taken in range(open_):
        missed *= max(0.0, (tied - true - taken) / (tied - taken))
    return 1.0 - missed
