"""Anonymity of all identities at once: exactly, or from blocked links with the rest as one estimated mass.

Exact is one scan per identity, N^2 in all: for ten thousand. For a large ledger only the links that blocking found are
at hand, and the ties of evidence; of all other candidates only their number is known, and how they are spread. That is
measured: a seeded sample of identities is scanned exactly, the candidates outside the links there are counted by their
bits, and the difference between both ways, over the same sample, is stated as the error.
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
    tally_of_steps,
)
from pseudoledger.audit.trace.features import Booleans
from pseudoledger.audit.trace.scan import Scanner

SAMPLE = 500
"""Identities that are scanned exactly beside the blocked estimate."""
REST_EDGES = np.array([-np.inf, -12.0, -8.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0, 8.0, np.inf])
"""Bits between which candidates of the rest are taken together."""
JOINED_MAX = 1_000
"""Members of a component by evidence up to which each is tied to each; the pairs of larger ones stay in the rest."""


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
    credible_held: Reals
    credible_last: Reals
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
class Spread:
    """How the candidates of the rest are spread, by falling bits; the same for every identity."""

    shares: Reals
    """float64[K]: shares of their number; they sum to 1."""
    chances: Reals
    """float64[K]: the mean chance that one of them is a sibling."""


AT_ONCE = 10_000
"""Identities whose figures are made at a time: what bounds memory."""
NO_SPREAD = Spread(shares=np.ones(1), chances=np.zeros(1))


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
        measures(posterior(tally_of_steps(scanner.steps(identity))), identities=scanner.count)
        for identity in asked
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


def links_of(scanner: Scanner, a: Integers, b: Integers, raw_bits: Reals) -> Linked:
    """Lay out scored pairs with the bits that a scan would give them, and the pairs that evidence joins."""
    bits = scanner.bits_of(raw_bits)
    component = scanner.component
    if component is None:
        return linked(a, b, bits, count=scanner.count)
    one, other = _joined(component)
    code = np.concatenate((a.astype(np.int64) * scanner.count + b, one * scanner.count + other))
    least = np.full(one.size, scanner.hard_bits)
    order = np.lexsort((-np.concatenate((bits, least)), code))
    code, bits = code[order], np.concatenate((bits, least))[order]
    first = np.ones(code.size, dtype=np.bool_)
    first[1:] = code[1:] != code[:-1]
    return linked(code[first] // scanner.count, code[first] % scanner.count, bits[first], count=scanner.count)


def _joined(component: npt.NDArray[np.integer]) -> tuple[Integers, Integers]:
    """Return the pairs a < b of identities in one component, without those of components that are too large."""
    order = np.argsort(component, kind="stable")
    starts = np.flatnonzero(np.diff(component[order], prepend=-1))
    sizes = np.diff(np.append(starts, order.size))
    a, b = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
        if 1 < size <= JOINED_MAX:
            one, other = np.triu_indices(size, 1)
            a.append(order[start + one])
            b.append(order[start + other])
    return np.concatenate(a), np.concatenate(b)


def estimate(scanner: Scanner, links: Linked, *, seed: int, size: int = SAMPLE) -> Estimate:
    """Return the figures of all identities from blocked links, with the error on a sample scanned exactly."""
    count = scanner.count
    sample = np.sort(np.random.default_rng([seed, 3]).choice(count, min(size, count), replace=False))
    numbers, expected = np.zeros((2, REST_EDGES.size - 1))
    found = []
    for identity, bits in zip(sample, scanner.scans(sample.tolist()), strict=True):
        found.append(measures(posterior(tally(bits)), identities=count))
        bits[links.others[links.starts[identity] : links.starts[identity + 1]]] = -np.inf
        rest = bits[np.isfinite(bits)]
        numbers += np.histogram(rest, REST_EDGES)[0]
        expected += np.histogram(rest, REST_EDGES, weights=1.0 / (1.0 + np.exp2(-rest)))[0]
    figures = blocked_figures(links, rest=_spread(numbers, expected))
    exact = _table(sample, found)
    return Estimate(
        figures=figures,
        rest_expected=float(expected.sum()) / max(1, sample.size),
        sample=sample,
        exact=exact,
        deviations=tuple(
            _deviation(name, getattr(figures, name)[sample] - getattr(exact, name))
            for name in ("entropy_bits", "nobody", "guess_1", "guess_10", "expected_siblings")
        ),
    )


def _spread(numbers: Reals, expected: Reals) -> Spread:
    """Put together what was counted between the edges, the most bits first."""
    held = np.flatnonzero(numbers)[::-1]
    if not held.size:
        return NO_SPREAD
    return Spread(shares=numbers[held] / numbers.sum(), chances=expected[held] / numbers[held])


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
    counts: Reals
    """Of the rest also parts of a candidate: with that chance there is one."""
    tried: Reals
    """Candidates to try until the group is done with: the counts, 1 at least."""
    each: Reals
    """Natural log of the chance that one of those to try is no sibling."""
    expected: Reals
    """Siblings in the group."""
    missed: Reals
    """Natural log of the chance that no group of the identity down to this one holds a sibling."""


def blocked_figures(links: Linked, *, rest: Spread = NO_SPREAD) -> Figures:
    """Return the figures of all identities, the candidates without a link being spread as `rest` says.

    The same sums as `anonymity.measures` over `anonymity.tally(bits, rest=...)` (tested), for many at once.
    """
    count = links.starts.size - 1
    parts = [
        _figures(links, rest, range(start, min(start + AT_ONCE, count))) for start in range(0, count, AT_ONCE)
    ]
    return Figures(
        **{
            item.name: np.concatenate([getattr(part, item.name) for part in parts])
            for item in fields(Figures)
        }
    )


def _figures(links: Linked, rest: Spread, identities: range) -> Figures:
    count = links.starts.size - 1
    groups = _groups(links, rest, identities)
    each = groups.each
    group = groups.tried * each
    starts, ends = groups.starts[:-1], groups.starts[1:] - 1
    before = groups.missed - group
    masses = np.exp(before) * -np.expm1(group)
    nobody = np.exp(groups.missed[ends])
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(masses > 0.0, masses * np.log2(masses / groups.counts), 0.0)
        own = np.where(nobody > 0.0, nobody * np.log2(nobody), 0.0)
    entropy = np.maximum(0.0, -(np.add.reduceat(terms, starts) + own))
    largest = np.maximum(np.maximum.reduceat(masses / groups.tried, starts), nobody)
    wide = np.diff(groups.starts)
    # Outcomes that are likelier than nobody come before it in the smallest set.
    above = masses > np.repeat(nobody, wide) * groups.tried
    held = np.add.reduceat(np.where(above, masses, 0.0), starts)
    alone = held >= CREDIBLE
    likely = _least(groups, before, np.where(alone, CREDIBLE, CREDIBLE - nobody))
    taken = np.where(alone, 0, np.add.reduceat(np.where(above, groups.tried, 0), starts)).astype(np.int64)
    credible, credible_held, credible_last = _credible(groups, before)
    return Figures(
        identities=np.array(identities),
        nobody=nobody,
        expected_siblings=np.add.reduceat(groups.expected, starts),
        entropy_bits=entropy,
        effective=np.exp2(entropy),
        degree=np.minimum(1.0, entropy / np.log2(count)) if count > 1 else np.zeros(len(identities)),
        min_entropy_bits=np.maximum(0.0, -np.log2(largest)),
        guess_1=_guesses(groups, np.ones_like(starts)),
        guess_10=_guesses(groups, np.full_like(starts, 10)),
        credible=credible,
        credible_held=credible_held,
        credible_last=credible_last,
        likely=np.maximum(likely, taken),
        likely_nobody=~alone,
    )


def _groups(links: Linked, rest: Spread, identities: range) -> _Groups:
    """Put the rest of each of these identities among its links, by bits, and join links of equal bits."""
    count = len(identities)
    bounds = links.starts[identities.start : identities.stop + 1]
    own = np.repeat(np.arange(count), np.diff(bounds))
    others = np.maximum(links.starts.size - 2 - np.diff(bounds), 0)
    with np.errstate(divide="ignore"):
        spread_bits = np.log2(rest.chances) - np.log2(1.0 - rest.chances)
    owners = np.concatenate((own, np.repeat(np.arange(count), rest.shares.size)))
    bits = np.concatenate((links.bits[bounds[0] : bounds[-1]], np.tile(spread_bits, count)))
    counts = np.concatenate((np.ones(own.size), np.outer(others, rest.shares).ravel()))
    order = np.lexsort((-bits, owners))
    owners, bits, counts = owners[order], bits[order], counts[order]
    first = np.ones(owners.size, dtype=np.bool_)
    first[1:] = (owners[1:] != owners[:-1]) | (bits[1:] != bits[:-1])
    places = np.flatnonzero(first)
    owners, bits, counts = owners[places], bits[places], np.add.reduceat(counts, places)
    # One candidate more or less, of which nothing is known, stands where there is none at all.
    bits, counts = np.where(counts > 0.0, bits, -np.inf), np.where(counts > 0.0, counts, 1.0)
    with np.errstate(over="ignore"):
        chances = 1.0 / (1.0 + np.exp2(-bits))
    # A chance of 1 would be minus infinity, of which no difference can be taken.
    chances = np.minimum(chances, 1.0 - 2.0**-53)
    each = np.log1p(-chances * np.minimum(counts, 1.0))
    tried = np.maximum(counts, 1.0)
    starts = np.searchsorted(owners, np.arange(count + 1))
    return _Groups(
        starts=starts,
        counts=counts,
        tried=tried,
        each=each,
        expected=counts * chances,
        missed=_running(tried * each, starts),
    )


def _running(values: Reals, starts: Integers) -> Reals:
    """Return the cumulative sums of each stretch, taken by stretch so that digits of others are not lost."""
    sums: Reals = np.cumsum(values)
    offset = np.concatenate(([0.0], sums))[starts[:-1]]
    running: Reals = sums - np.repeat(offset, np.diff(starts))
    return running


def _guesses(groups: _Groups, tries: Integers) -> Reals:
    """Return, per identity, the chance that a sibling is among so many best candidates."""
    done = _running(groups.tried, groups.starts)
    each = np.repeat(tries, np.diff(groups.starts))
    tried = np.clip(each - (done - groups.tried), 0.0, groups.tried)
    found: Reals = -np.expm1(np.add.reduceat(tried * groups.each, groups.starts[:-1]))
    return found


def _credible(groups: _Groups, before: Reals) -> tuple[Integers, Reals, Reals]:
    """Return, per identity, what `anonymity.credible` does: size, what it holds whole, and the degree of its last."""
    somebody = -np.expm1(groups.missed[groups.starts[1:] - 1])
    size = _least(groups, before, CREDIBLE * somebody)
    with np.errstate(divide="ignore", invalid="ignore"):
        held = np.where(size > 0, _guesses(groups, size) / somebody, 0.0)
        without = np.where(size > 0, _guesses(groups, size - 1) / somebody, 0.0)
        last = np.where(held > without, (CREDIBLE - without) / (held - without), np.where(size > 0, 1.0, 0.0))
    return size, held, np.clip(last, 0.0, 1.0)


def _least(groups: _Groups, before: Reals, mass: Reals) -> Integers:
    """Return, per identity, the least number of best candidates that hold the mass."""
    # log1p(-mass) is positive for a mass below zero: then nothing is needed.
    wanted = np.repeat(np.log1p(-mass) * (1.0 - 1e-12), np.diff(groups.starts))
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.ceil((wanted - before) / groups.each)
    needed = np.clip(np.nan_to_num(needed, nan=0.0), 0.0, groups.tried)
    return np.ceil(np.add.reduceat(needed, groups.starts[:-1])).astype(np.int64)
