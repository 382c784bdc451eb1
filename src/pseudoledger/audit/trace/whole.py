"""Anonymity of all identities at once: exactly, or from blocked links with the rest as one estimated mass.

Exact is one scan per identity, N^2 in all: for ten thousand. For a large ledger only the links that blocking found are
at hand; of all other candidates only their number is known, and how many siblings to expect among them. That is
measured: a seeded sample of identities is scanned exactly, what the candidates outside the links hold there is the
mean mass of the rest, and the difference between both ways, over the same sample, is stated as the error.
The figures are those of `anonymity`; here they are arrays over identities.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from pseudoledger.audit.trace.anonymity import (
    CREDIBLE,
    Integers,
    Measures,
    Reals,
    measures,
    posterior,
    tally,
)
from pseudoledger.audit.trace.features import Booleans
from pseudoledger.audit.trace.scan import Scanner

SAMPLE = 500
"""Identities that are scanned exactly beside the blocked estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of `anonymity.Measures`, one entry per identity asked for."""

    identities: Integers
    nobody: Reals
    expected_siblings: Reals
    entropy_bits: Reals
    effective: Reals
    degree: Reals
    min_entropy_bits: Reals
    guess_1: Reals
    guess_10: Reals
    credible: Integers
    likely: Integers
    likely_nobody: Booleans

    def one(self, at: int) -> Measures:
        """Return the figures of one identity, by its place."""
        values = {item.name: getattr(self, item.name)[at].item() for item in fields(Measures)}
        return Measures(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """Blocked links from both sides: of identity i those at `starts[i]` to `starts[i + 1]`."""

    starts: Integers
    """int64[N + 1]."""
    others: npt.NDArray[np.int32]
    bits: Reals


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """How far a blocked figure lies from the exact one, over the sample."""

    name: str
    median: float
    """Of the difference, blocked minus exact."""
    median_abs: float
    ninetieth_abs: float
    """Nine of ten are nearer than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Figures of all identities from blocked links, and what they are worth."""

    figures: Figures
    rest_expected: float
    """Siblings expected per identity among the candidates that were not linked: the mean over the sample."""
    sample: Integers
    """Identities that were scanned exactly, by id."""
    exact: Figures
    """Their figures by the exact scan."""
    deviations: tuple[Deviation, ...]


def exact_figures(scanner: Scanner, identities: Iterable[int]) -> Figures:
    """Scan each of these identities against all others."""
    asked = [int(identity) for identity in identities]
    found = [
        measures(posterior(tally(scanner.scan(identity))), identities=scanner.count) for identity in asked
    ]
    return _table(np.array(asked, dtype=np.int64), found)


def linked(a: npt.NDArray[np.integer], b: npt.NDArray[np.integer], bits: Reals, *, count: int) -> Linked:
    """Lay out links (a < b, each pair once) from both sides; within an identity by falling bits, then id."""
    own = np.concatenate((a, b)).astype(np.int32)
    others = np.concatenate((b, a)).astype(np.int32)
    order = np.lexsort((others, -np.concatenate((bits, bits)), own))
    starts = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(own, minlength=count), out=starts[1:])
    return Linked(starts=starts, others=others[order], bits=np.concatenate((bits, bits))[order])


def estimate(scanner: Scanner, links: Linked, *, seed: int, size: int = SAMPLE) -> Estimate:
    """Return the figures of all identities from blocked links, with the error on a sample scanned exactly."""
    count = scanner.count
    sample = np.sort(np.random.default_rng([seed, 3]).choice(count, min(size, count), replace=False))
    outside, found = [], []
    for identity in sample:
        bits = scanner.scan(int(identity))
        found.append(measures(posterior(tally(bits)), identities=count))
        known = links.others[links.starts[identity] : links.starts[identity + 1]]
        bits[known] = -np.inf
        outside.append(float((1.0 / (1.0 + np.exp2(-bits))).sum()))
    expected = float(np.mean(outside)) if outside else 0.0
    figures = blocked_figures(links, rest_expected=expected)
    exact = _table(sample, found)
    return Estimate(
        figures=figures,
        rest_expected=expected,
        sample=sample,
        exact=exact,
        deviations=tuple(
            _deviation(name, getattr(figures, name)[sample] - getattr(exact, name))
            for name in ("entropy_bits", "nobody", "guess_1", "guess_10", "expected_siblings")
        ),
    )


def _table(identities: Integers, found: list[Measures]) -> Figures:
    columns = {item.name: np.array([getattr(one, item.name) for one in found]) for item in fields(Measures)}
    return Figures(identities=identities, **columns)


def _deviation(name: str, difference: Reals) -> Deviation:
    if not difference.size:
        return Deviation(name=name, median=0.0, median_abs=0.0, ninetieth_abs=0.0)
    return Deviation(
        name=name,
        median=float(np.median(difference)),
        median_abs=float(np.median(np.abs(difference))),
        ninetieth_abs=float(np.quantile(np.abs(difference), 0.9)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Groups:
    """Groups of candidates of equal bits, of all identities one after the other, the most bits first."""

    starts: Integers
    """int64[N + 1]: the groups of identity i; none is empty."""
    counts: Integers
    chances: Reals
    missed: Reals
    """Natural log of the chance that no group of the identity down to this one holds a sibling."""


def blocked_figures(links: Linked, *, rest_expected: float) -> Figures:
    """Return the figures of all identities, the candidates without a link being one rest of this many siblings.

    The same sums as `anonymity.measures` over `anonymity.tally(bits, rest=...)` (tested), for all at once.
    """
    count = links.starts.size - 1
    groups = _groups(links, rest_expected)
    each = np.log1p(-groups.chances)
    group = groups.counts * each
    starts, ends = groups.starts[:-1], groups.starts[1:] - 1
    before = groups.missed - group
    masses = np.exp(before) * -np.expm1(group)
    nobody = np.exp(groups.missed[ends])
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(masses > 0.0, masses * np.log2(masses / groups.counts), 0.0)
        own = np.where(nobody > 0.0, nobody * np.log2(nobody), 0.0)
    entropy = np.maximum(0.0, -(np.add.reduceat(terms, starts) + own))
    largest = np.maximum(np.maximum.reduceat(masses / groups.counts, starts), nobody)
    wide = np.diff(groups.starts)
    # Outcomes that are likelier than nobody come before it in the smallest set.
    above = masses > np.repeat(nobody, wide) * groups.counts
    held = np.add.reduceat(np.where(above, masses, 0.0), starts)
    alone = held >= CREDIBLE
    likely = _least(groups, each, before, np.where(alone, CREDIBLE, CREDIBLE - nobody))
    taken = np.where(alone, 0, np.add.reduceat(np.where(above, groups.counts, 0), starts))
    return Figures(
        identities=np.arange(count),
        nobody=nobody,
        expected_siblings=np.add.reduceat(groups.counts * groups.chances, starts),
        entropy_bits=entropy,
        effective=np.exp2(entropy),
        degree=np.minimum(1.0, entropy / np.log2(count)) if count > 1 else np.zeros(count),
        min_entropy_bits=np.maximum(0.0, -np.log2(largest)),
        guess_1=_guesses(groups, each, 1),
        guess_10=_guesses(groups, each, 10),
        credible=_least(groups, each, before, CREDIBLE * -np.expm1(groups.missed[ends])),
        likely=np.maximum(likely, taken),
        likely_nobody=~alone,
    )


def _groups(links: Linked, rest_expected: float) -> _Groups:
    """Put the rest of each identity among its links, at the place of its chance, and join what is equal."""
    count = links.starts.size - 1
    own = np.repeat(np.arange(count), np.diff(links.starts))
    rest = np.maximum(count - 1 - np.diff(links.starts), 0)
    each = np.where(rest > 0, np.minimum(rest_expected / np.maximum(rest, 1), 0.5), 0.0)
    owners = np.concatenate((own, np.arange(count)))
    with np.errstate(divide="ignore"):
        bits = np.concatenate((links.bits, np.log2(each) - np.log2(1.0 - each)))
    counts = np.concatenate((np.ones(own.size, dtype=np.int64), np.maximum(rest, 1)))
    order = np.lexsort((-bits, owners))
    owners, bits, counts = owners[order], bits[order], counts[order]
    first = np.ones(owners.size, dtype=np.bool_)
    first[1:] = (owners[1:] != owners[:-1]) | (bits[1:] != bits[:-1])
    places = np.flatnonzero(first)
    owners, bits, counts = owners[places], bits[places], np.add.reduceat(counts, places)
    starts = np.searchsorted(owners, np.arange(count + 1))
    with np.errstate(over="ignore"):
        chances = 1.0 / (1.0 + np.exp2(-bits))
    # A chance of 1 would be minus infinity, of which no difference can be taken: 2^-60 is as good.
    chances = np.minimum(chances, 1.0 - 2.0**-53)
    return _Groups(
        starts=starts, counts=counts, chances=chances, missed=_running(counts * np.log1p(-chances), starts)
    )


def _running(values: Reals, starts: Integers) -> Reals:
    """Return the cumulative sums of each stretch, taken by stretch so that digits of others are not lost."""
    sums: Reals = np.cumsum(values)
    offset = np.concatenate(([0.0], sums))[starts[:-1]]
    running: Reals = sums - np.repeat(offset, np.diff(starts))
    return running


def _guesses(groups: _Groups, each: Reals, tries: int) -> Reals:
    done = _running(groups.counts.astype(np.float64), groups.starts)
    tried = np.clip(tries - (done - groups.counts), 0.0, groups.counts)
    found: Reals = -np.expm1(np.add.reduceat(tried * each, groups.starts[:-1]))
    return found


def _least(groups: _Groups, each: Reals, before: Reals, mass: Reals) -> Integers:
    """Return, per identity, the least number of best candidates that hold the mass."""
    # log1p(-mass) is positive for a mass below zero: then nothing is needed.
    wanted = np.repeat(np.log1p(-mass) * (1.0 - 1e-12), np.diff(groups.starts))
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.ceil((wanted - before) / each)
    needed = np.clip(np.nan_to_num(needed, nan=0.0), 0.0, groups.counts)
    return np.add.reduceat(needed, groups.starts[:-1]).astype(np.int64)
