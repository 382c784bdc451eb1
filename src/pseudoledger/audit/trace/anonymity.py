"""How well one identity is hidden: the posterior over who else is its party, and what follows from it.

Input is one number per candidate: its *bits*, log2 of the odds that it and the identity are one party, with the
prior in them and after calibration. Each candidate is a sibling (another identity of the same party) with chance
p = odds / (1 + odds), taken as independent of the others; an identity may have none, one or several siblings. The
outcome X is the sibling that somebody finds first who tries the candidates from the most bits down (equal bits in
random order), or "nobody" where there is none to find:

    P(X = j)    = p_j * prod over candidates i tried before j of (1 - p_i)
    P(nobody)   = prod over all i of (1 - p_i)

These sum to 1. Where at most one candidate can be a sibling this is the usual posterior, shares in proportion to
the odds beside 1 for nobody; where there are several siblings, finding two does not make an identity look better
hidden than finding one. `docs/reference/trace-anonymity.md` lists every figure with formula, unit and source.
What makes the bits (`scan`, blocked links) and what explains them (`explain`) lies elsewhere. Logarithms are of
base 2 unless they say so; nothing here is random.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from pseudoledger.errors import MalformedError

Reals: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Steps: TypeAlias = npt.NDArray[np.int32]
"""Bits as whole numbers of steps."""

STEP = 1e6
"""Steps in a bit."""
NEVER = int(np.iinfo(np.int32).min)
"""Minus infinity in steps."""
Number = TypeVar("Number", np.float64, np.int32)

CREDIBLE = 0.9
"""Share of the mass outside "nobody" that a credible set holds."""
LEADING = 10
"""How many of the best candidates are listed."""
BAND_BITS = 2.0
"""Half-width of the band: the prior odds divided and multiplied by 2^2."""

_LN2 = float(np.log(2.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Candidates that were not scored one by one: how many, and how many siblings are expected among them."""

    count: int = 0
    expected: float = 0.0


NO_REST = Rest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Candidates by their bits, the most first: int64[L] `counts` of them have float64[L] `bits`."""

    bits: Reals
    counts: Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One of the best candidates."""

    id: int
    bits: float
    chance: float
    """That it is a sibling, whoever else is."""
    share: float
    """P(X = it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """The distribution of X under one prior, by groups of equal bits, the most first."""

    bits: Reals
    """float64[L], as in the tally: without the shift."""
    counts: Integers
    chances: Reals
    """float64[L]: that one candidate of the group is a sibling."""
    masses: Reals
    """float64[L]: P(X is in the group); with `nobody` they sum to 1."""
    missed: Reals
    """float64[L]: natural log of the chance that no group down to this one holds a sibling."""
    nobody: float

    def share(self, bits: float) -> float:
        """Return P(X = j) of one candidate with these bits; 0 if there is none with them."""
        at = int(np.searchsorted(-self.bits, -bits))
        if at == self.bits.size or self.bits[at] != bits:
            return 0.0
        return float(self.masses[at] / self.counts[at])

    def candidate(self, identity: int, bits: float) -> Candidate:
        """Return one that was counted with these bits, with its chance and share."""
        at = int(np.searchsorted(-self.bits, -bits))
        return Candidate(id=identity, bits=bits, chance=float(self.chances[at]), share=self.share(bits))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The figures of one posterior, under one prior."""

    nobody: float
    """Chance that the identity has no sibling."""
    expected_siblings: float
    """Sum of the chances."""
    entropy_bits: float
    """H = - sum of P(x) log2 P(x) over all outcomes (Serjantov and Danezis 2002)."""
    effective: float
    """2^H: the size of a set of equally likely outcomes with the same H."""
    degree: float
    """H / log2 N, from 0 to 1 (Diaz, Seys, Claessens and Preneel 2002); N outcomes: N - 1 others and nobody."""
    min_entropy_bits: float
    """- log2 of the likeliest outcome's probability."""
    guess_1: float
    """Chance that the best candidate is a sibling."""
    guess_10: float
    """Chance that at least one of the ten best is a sibling."""
    credible: int
    """Candidates in the 90 % credible set, the last of them to its degree (`Credible.size`)."""
    credible_held: float
    """Chance that one of these is a sibling, given that there is one, if the last counts whole (`Credible.held`)."""
    credible_last: float
    """Degree to which the last of them belongs to the set, 0 to 1 (`Credible.last`)."""
    likely: int
    """How many candidates are in the smallest set of outcomes, nobody among them, that holds 0.9."""
    likely_nobody: bool
    """Whether nobody is in that set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anonymity:
    """How well one identity is hidden from one vantage point."""

    identity: int
    identities: int
    """N, with the identity itself."""
    measures: Measures
    low: Measures
    """The same with the prior odds divided by 4."""
    high: Measures
    """The same with the prior odds multiplied by 4."""
    leading: tuple[Candidate, ...]
    """The best candidates, best first, ties by id; none whose bits are minus infinity."""


def tally(bits: Reals, *, rest: Rest = NO_REST) -> Tally:
    """Group candidates by their bits (float64[M], any order; minus infinity: cannot be a sibling).

    The rest goes in as one group, each with the same chance. Raise MalformedError for a NaN.
    """
    rising = np.sort(bits)  # A NaN comes last.
    if rising.size and np.isnan(rising[-1]):
        raise MalformedError(
            "the bits of a candidate are not a number", hint="score it again or leave it out"
        )
    values, counts = _grouped(rising[int(np.searchsorted(rising, -np.inf, side="right")) :])
    if rest.count > 0 and rest.expected > 0.0:
        each = min(rest.expected / rest.count, 0.5)
        at_rest = float(np.log2(each) - np.log1p(-each) / _LN2)
        place = int(np.searchsorted(-values, -at_rest))
        values, counts = np.insert(values, place, at_rest), np.insert(counts, place, rest.count)
    return Tally(bits=values, counts=counts)


def tally_of_steps(steps: Steps) -> Tally:
    """Group candidates by their bits, given in steps (int32[M], any order); the same, and sorted in half the time."""
    rising = np.sort(steps)
    values, counts = _grouped(rising[int(np.searchsorted(rising, NEVER, side="right")) :])
    return Tally(bits=values / STEP, counts=counts)


def _grouped(rising: npt.NDArray[Number]) -> tuple[npt.NDArray[Number], Integers]:
    """Return the different values, falling, and how often each stands in a rising array."""
    falling = rising[::-1]
    first = np.ones(falling.size, dtype=np.bool_)
    np.not_equal(falling[1:], falling[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    counts = np.empty_like(starts)
    np.subtract(starts[1:], starts[:-1], out=counts[:-1])
    counts[-1:] = falling.size - starts[-1:]
    return falling[starts], counts


def posterior(candidates: Tally, *, shift: float = 0.0) -> Posterior:
    """Return the distribution of X; `shift` is added to all bits: another prior.

    log(1 - p) is taken as -log(1 + 2^bits), which keeps its digits at both ends.
    """
    with np.errstate(over="ignore"):
        odds = np.exp2(candidates.bits + shift)
    each: Reals = -np.log1p(odds)
    with np.errstate(divide="ignore"):
        chances = 1.0 / (1.0 + 1.0 / odds)
    group: Reals = candidates.counts * each
    missed: Reals = np.cumsum(group)
    before = np.ones_like(missed)
    np.exp(missed[:-1], out=before[1:])
    masses = before * chances
    several = np.flatnonzero(candidates.counts > 1)
    masses[several] = before[several] * -np.expm1(group[several])
    return Posterior(
        bits=candidates.bits,
        counts=candidates.counts,
        chances=chances,
        masses=masses,
        missed=missed,
        nobody=float(np.exp(missed[-1])) if missed.size else 1.0,
    )


def measures(outcome: Posterior, *, identities: int) -> Measures:
    """Return the figures of a posterior among N `identities`, the identity itself with them."""
    shares = outcome.masses / outcome.counts
    entropy = _entropy(outcome, shares)
    largest = max(float(shares.max(initial=0.0)), outcome.nobody)
    likely, likely_nobody = _likely(outcome)
    held = credible(outcome)
    return Measures(
        nobody=outcome.nobody,
        expected_siblings=float((outcome.counts * outcome.chances).sum()),
        entropy_bits=entropy,
        effective=2.0**entropy,
        degree=min(1.0, entropy / float(np.log2(identities))) if identities > 1 else 0.0,
        min_entropy_bits=max(0.0, -float(np.log2(largest))),
        guess_1=_guess(outcome, 1),
        guess_10=_guess(outcome, 10),
        credible=held.size,
        credible_held=held.held,
        credible_last=held.last,
        likely=likely,
        likely_nobody=likely_nobody,
    )


def _entropy(outcome: Posterior, shares: Reals) -> float:
    """Return H; an outcome without mass adds nothing (p log p goes to 0 with p)."""
    masses = outcome.masses
    if not masses.all():
        some = masses > 0.0
        masses, shares = masses[some], shares[some]
    terms = np.log2(shares)
    terms *= masses
    total = -float(terms.sum())
    if outcome.nobody > 0.0:
        total -= outcome.nobody * float(np.log2(outcome.nobody))
    return max(0.0, total)


def _guess(outcome: Posterior, tries: int) -> float:
    """Return the chance that a sibling is among the `tries` best."""
    done = np.cumsum(outcome.counts[:tries])  # No group is empty, so no more of them are tried.
    at = int(np.searchsorted(done, tries))
    if at == done.size:
        return float(outcome.masses.sum())
    before = float(outcome.missed[at - 1]) if at else 0.0
    in_group = tries - (int(done[at - 1]) if at else 0)
    with np.errstate(divide="ignore"):
        return float(-np.expm1(before + in_group * np.log1p(-outcome.chances[at])))


def _likely(outcome: Posterior) -> tuple[int, bool]:
    """Return the smallest set of outcomes that holds 0.9: its candidates, and whether nobody is in it."""
    above = int(np.count_nonzero(outcome.masses > outcome.nobody * outcome.counts))
    held = -float(np.expm1(outcome.missed[above - 1])) if above else 0.0
    if held >= CREDIBLE:
        return _least(outcome, CREDIBLE), False
    return max(int(outcome.counts[:above].sum()), _least(outcome, CREDIBLE - outcome.nobody)), True


def _least(outcome: Posterior, mass: float) -> int:
    """Return the least k such that the k best hold this mass; 0 for no mass, all where they hold less."""
    if mass <= 0.0 or not outcome.missed.size:
        return 0
    at, tries = _place(outcome, mass)
    return int(outcome.counts[:at].sum()) + tries


def _place(outcome: Posterior, mass: float) -> tuple[int, int]:
    """Return the group in which the k best that hold this mass end, and how many of its candidates they take, 1 at least."""
    # A hair of slack: a set that lacks the last digit is not made larger for it.
    wanted = float(np.log1p(-mass)) * (1.0 - 1e-12)
    at = min(int(np.searchsorted(-outcome.missed, -wanted)), outcome.missed.size - 1)
    before = float(outcome.missed[at - 1]) if at else 0.0
    with np.errstate(divide="ignore"):
        in_group = (wanted - before) / float(np.log1p(-outcome.chances[at]))
    return at, min(int(outcome.counts[at]), max(1, int(np.ceil(in_group))))


def rank(ids: Integers, bits: Reals, count: int) -> npt.NDArray[np.intp]:
    """Return the positions of the `count` best candidates, best first, ties by id; none at minus infinity."""
    count = min(count, bits.size)
    if not count:
        return np.empty(0, dtype=np.intp)
    bound = np.partition(bits, bits.size - count)[bits.size - count]
    near = np.flatnonzero(bits >= bound)
    order = near[np.lexsort((ids[near], -bits[near]))][:count]
    return order[bits[order] > -np.inf]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credible:
    """The 90 % credible set: the best candidates, the last of them to the degree that makes the set hold 0.9.

    Candidates are whole, so a set of them rarely holds 0.9: one that is nearly sure holds 0.99 alone. Here the last is a
    member to a degree (the exact set of Song and Li, arXiv:2308.11037, 2023; a fuzzy set of Geyer and Meeden, Statistical
    Science 20, 2005). Nothing is drawn: the degree is said. Where the posterior is right, of the identities that have a
    sibling 0.9 have one in it; with the last left out, fewer, and with the last whole, more. ADR 25 has what was measured.
    """

    size: int
    """The fewest best candidates of which one is a sibling with chance 0.9, given that there is a sibling; ties by id."""
    held: float
    """That chance with the last counted whole: from 0.9 to 1; 0 for the empty set."""
    last: float
    """Degree of the last: (0.9 - h) / (held - h), h being the chance of the set without it; from 0 to 1."""


def credible(outcome: Posterior) -> Credible:
    """Return the credible set of a posterior; empty, and holding nothing, where nobody is sure."""
    somebody = float(outcome.masses.sum())
    if somebody <= 0.0:
        return Credible(size=0, held=0.0, last=0.0)
    at, tries = _place(outcome, CREDIBLE * somebody)
    missed = float(outcome.missed[at - 1]) if at else 0.0
    if tries > 1:
        missed += (tries - 1) * float(np.log1p(-outcome.chances[at]))
    without = -math.expm1(missed) / somebody
    # What is left after the others, times the chance of the last.
    added = math.exp(missed) * float(outcome.chances[at]) / somebody
    last = (CREDIBLE - without) / added if added > 0.0 else 1.0
    return Credible(
        size=int(outcome.counts[:at].sum()) + tries,
        held=min(1.0, without + added),
        last=min(1.0, max(0.0, last)),
    )


def credible_set(bits: Reals, *, ids: Integers | None = None) -> Integers:
    """Return the ids of the 90 % credible set, best first, ties by id; the last belongs to it to its degree."""
    labels = np.arange(bits.size, dtype=np.int64) if ids is None else ids
    size = credible(posterior(tally(bits))).size
    return labels[rank(labels, bits, size)]


def anonymity(
    identity: int, bits: Reals, *, identities: int, ids: Integers | None = None, rest: Rest = NO_REST
) -> Anonymity:
    """Return how well `identity` is hidden among N `identities`.

    `bits` is float64[M] over the candidates `ids` (int64[M]; without it, candidate j has id j), the identity
    itself at minus infinity or left out. Raise MalformedError for a NaN, or if the identity is its own candidate.
    """
    labels = np.arange(bits.size, dtype=np.int64) if ids is None else ids
    if (bits[labels == identity] > -np.inf).any():
        raise MalformedError(
            f"identity {identity} is a candidate for itself", hint="set its own bits to minus infinity"
        )
    candidates = tally(bits, rest=rest)
    middle = posterior(candidates)
    return Anonymity(
        identity=identity,
        identities=identities,
        measures=measures(middle, identities=identities),
        low=measures(posterior(candidates, shift=-BAND_BITS), identities=identities),
        high=measures(posterior(candidates, shift=BAND_BITS), identities=identities),
        leading=tuple(
            middle.candidate(int(labels[at]), float(bits[at])) for at in rank(labels, bits, LEADING)
        ),
    )
