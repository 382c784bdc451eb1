"""Verdicts: a closed set of plain answers to "how far can this identity be traced?", with the thresholds behind them.

A verdict speaks of evidence seen from one vantage point, never of guilt, and never of a person.
"""

from __future__ import annotations

from enum import StrEnum

POSSIBLE = 0.2
"""Chance of the best guess from which an identity is not simply "one among many"."""


class Verdict(StrEnum):
    """What the evidence amounts to; the first that fits, in this order."""

    LINKED = "linked"
    """Evidence that only one party can give joins it to another identity."""
    PROBABLE = "probable"
    """Behaviour joins it to another identity: 4 bits or more, odds of 16 to 1."""
    POSSIBLE = "possible"
    """Its best candidate is a sibling with a chance of 20 % or more; no cluster holds it."""
    HIDDEN = "hidden"
    """It cannot be told apart from others."""
    UNWEIGHED = "unweighed"
    """No evidence joins it, and nothing was there to learn from what behaviour is worth."""


def verdict_of(*, linked: bool, clustered: bool, learnt: bool, guess_1: float) -> Verdict:
    """Return the verdict; `learnt` tells whether the model knows what behaviour is worth."""
    if linked:
        return Verdict.LINKED
    if clustered:
        return Verdict.PROBABLE
    if not learnt:
        return Verdict.UNWEIGHED
    return Verdict.POSSIBLE if guess_1 >= POSSIBLE else Verdict.HIDDEN
