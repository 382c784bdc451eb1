"""How much a portfolio of leases hangs on few vendors or few countries of origin: the Herfindahl index.

The index is the sum of the squares of the shares, from near 0 (many equal ones) to 1 (one alone). Shares are of
chip-time, each line weighted by the equivalence factor of its terms, so that mixed chips can be added up. All
figures are exact fractions.

The vendor stands in the chip table. The country of origin does not: it is what claims of the type chip_inventory
say of the pool that a line is taken from. Of the claims about a pool the one with the strongest tier counts, of
these the newest; chips of the pool that it says nothing about have an unknown origin. What is unknown gets no
share of its own: the index is then known only between two bounds, the one as if the unknown part were spread
over very many countries, the other as if all of it were of the one that leads already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from pseudoledger.contract.book import Book
from pseudoledger.contract.case import terms_id_at
from pseudoledger.contract.claims import IN_FORCE, standing
from pseudoledger.contract.commitment import stretches
from pseudoledger.contract.derive import usage_answer
from pseudoledger.contract.things import Lease, Offer, Pool, TermsInForce, Usage
from pseudoledger.contract.things.claim import Claim
from pseudoledger.statement.kinds.claim import Tier
from pseudoledger.statement.kinds.lease import TermsLine

Basis = Literal["leased", "used"]
UNKNOWN = ""
"""Name of the share about which nothing is known."""
DEPTH_MAX = 8
"""Most head leases above one (design §3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One vendor's or country's share of the whole."""

    name: str
    chip_seconds: Fraction
    """Weighted unit-seconds; a fraction where a factor, or a claim about part of a pool, makes one."""
    share: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The Herfindahl index over some shares, exact, or between two bounds where a part is unknown."""

    shares: tuple[Share, ...]
    """Largest first; the unknown part, if there is one, last and without a name."""
    least: Fraction
    most: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Concentration:
    """The index of a portfolio by vendor and by country of origin."""

    basis: Basis
    start: int
    until: int
    leases: int
    chip_seconds: Fraction
    """Weighted unit-seconds of all lines with chips."""
    by_vendor: Index
    by_origin: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighed:
    line: TermsLine
    weight: Fraction


def concentration(
    book: Book,
    vendors: Mapping[str, str],
    leases: Iterable[tuple[str, Lease]],
    *,
    basis: Basis,
    start: int,
    until: int,
    now: int,
) -> Concentration:
    """Work out how concentrated a portfolio is; `vendors` are those of the chips, by id.

    `leased` counts what was agreed within the time; `used` the agreed usage of reports that lie in it.
    """
    portfolio = list(leases)
    by_vendor: dict[str, Fraction] = defaultdict(Fraction)
    by_origin: dict[str, Fraction] = defaultdict(Fraction)
    measured = (
        _leased(book, portfolio, start, until)
        if basis == "leased"
        else _used(book, dict(portfolio), start, until, now)
    )
    origins: dict[tuple[str, str], Mapping[str, Fraction]] = {}
    for item in measured:
        chip = item.line.chip or ""
        by_vendor[vendors.get(chip, UNKNOWN)] += item.weight
        key = (_pool_of(book, item.line), chip)
        if key not in origins:
            origins[key] = _origins(book, *key, now)
        for country, part in origins[key].items():
            by_origin[country] += item.weight * part
    return Concentration(
        basis=basis,
        start=start,
        until=until,
        leases=len(portfolio),
        chip_seconds=sum(by_vendor.values(), Fraction(0)),
        by_vendor=herfindahl(by_vendor),
        by_origin=herfindahl(by_origin),
    )


def herfindahl(weights: Mapping[str, Fraction]) -> Index:
    """Return the index over weights by name; the name UNKNOWN stands for what is not known."""
    whole = sum(weights.values(), Fraction(0))
    if not whole:
        return Index(shares=(), least=Fraction(0), most=Fraction(0))
    known = sorted(
        ((name, weight) for name, weight in weights.items() if name != UNKNOWN and weight),
        key=lambda item: (-item[1], item[0]),
    )
    missing = weights.get(UNKNOWN, Fraction(0))
    rows = [*known, *([(UNKNOWN, missing)] if missing else [])]
    shares = tuple(Share(name=name, chip_seconds=weight, share=weight / whole) for name, weight in rows)
    least = sum(((weight / whole) ** 2 for _, weight in known), Fraction(0))
    first = known[0][1] / whole if known else Fraction(0)
    most = least - first**2 + (first + missing / whole) ** 2
    return Index(shares=shares, least=least, most=most)


def _weigh(line: TermsLine, unit_seconds: int) -> _Weighed:
    return _Weighed(line=line, weight=Fraction(unit_seconds * line.equivalence_ppm, 1_000_000))


def _leased(book: Book, portfolio: Iterable[tuple[str, Lease]], start: int, until: int) -> Iterator[_Weighed]:
    for _, lease in portfolio:
        for stretch in stretches(book, lease, start, until):
            if stretch.line.resource == "chip":
                yield _weigh(stretch.line, stretch.unit_seconds)


def _used(book: Book, portfolio: Mapping[str, Lease], start: int, until: int, now: int) -> Iterator[_Weighed]:
    for _, usage in book.all(Usage):
        lease = portfolio.get(usage.lease)
        if lease is None or usage.start < start or usage.until > until:
            continue
        held = book.get(TermsInForce, terms_id_at(lease, usage.start))
        assert held is not None, "a lease names only terms that the book holds"
        line = next(item for item in held.payload.lines if item.id == usage.line)
        answer = usage_answer(usage, now)
        agreed = usage.agreed_chip_seconds if answer == "part" else usage.chip_seconds
        if line.resource == "chip" and answer in {"agreed", "deemed", "part"}:
            yield _weigh(line, agreed)


def _pool_of(book: Book, line: TermsLine) -> str:
    """Return the pool that a line is taken from, in the end; "" where it cannot be told."""
    for _ in range(DEPTH_MAX + 1):
        if line.offer:
            offer = book.get(Offer, line.offer)
            return offer.payload.pool if offer else ""
        head = book.get(Lease, line.head_lease or "")
        held = book.get(TermsInForce, head.versions[-1].terms) if head else None
        above = [item for item in held.payload.lines if item.id == line.head_line] if held else []
        if not above:
            return ""
        line = above[0]
    return ""


def _origins(book: Book, pool: str, chip: str, now: int) -> Mapping[str, Fraction]:
    """Return which parts of a pool's chips are from where; what no claim tells is UNKNOWN."""
    about = [
        claim
        for _, claim in book.all(Claim)
        if claim.payload.about == pool and claim.payload.chips and standing(book, claim, now) == IN_FORCE
    ]
    counts: dict[str, int] = defaultdict(int)
    if about:
        best = max(about, key=lambda claim: (get_args(Tier).index(claim.payload.tier), claim.entry))
        for chips in best.payload.chips or ():
            if chips.chip == chip and chips.origin is not None:
                counts[chips.origin] += chips.count
    stock = book.get(Pool, pool) if pool else None
    held = sum(line.count for line in stock.lines.values() if line.chip == chip) if stock else 0
    whole = max(held, sum(counts.values()), 1)
    found = {country: Fraction(count, whole) for country, count in sorted(counts.items())}
    rest = 1 - sum(found.values(), Fraction(0))
    return {**found, **({UNKNOWN: rest} if rest else {})}
