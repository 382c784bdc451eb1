"""What a party has committed to by its leases, and how its budgets stand against that.

A commitment is what the agreed units would come to if they ran for the whole time that lies in the window:
unit-seconds of chips, and money at the agreed prices, rounded half to even once for each line and version of the
terms. A lease that ended commits to nothing past its end. What was really used is another figure, and usually a
lower one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pseudoledger.contract.amounts import usage_net
from pseudoledger.contract.book import Book
from pseudoledger.contract.tables import Tables
from pseudoledger.contract.things import Lease, TermsInForce
from pseudoledger.contract.things.capital import Draw, Quota
from pseudoledger.statement.kinds.lease import Terms, TermsLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A line of a lease under one version of its terms, for a stretch of time."""

    line: TermsLine
    terms: Terms
    seconds: int

    @property
    def unit_seconds(self) -> int:
        """Its units for the whole time."""
        return self.line.count * self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """One lease beside what was drawn for it, in the measure of a quota."""

    lease: str
    number: str
    drawn: int
    committed: int

    @property
    def uncovered(self) -> int:
        """Committed beyond what was drawn."""
        return max(0, self.committed - self.drawn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A quota beside the leases that draw on it."""

    quota: str
    number: str
    organisation: str
    start: int
    until: int
    currency: str | None
    limit: int
    drawn: int
    leases: tuple[Committed, ...]

    @property
    def committed(self) -> int:
        """What the leases that draw on it come to within its time."""
        return sum(item.committed for item in self.leases)

    @property
    def left(self) -> int:
        """What can still be drawn."""
        return self.limit - self.drawn

    @property
    def beyond(self) -> int:
        """Committed beyond the whole quota."""
        return max(0, self.committed - self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loose:
    """A lease that runs or is to run and draws on no quota."""

    lease: str
    number: str
    lessee: str
    currency: str
    chip_seconds: int
    amount_minor: int


def stretches(book: Book, lease: Lease, start: int, until: int) -> Iterator[Stretch]:
    """Yield what a signed lease has agreed to within [start, until), by line and version of the terms."""
    if lease.signed_at is None:
        return
    over = min(until, lease.until if lease.ended_at is None else lease.ended_at)
    ends = (*(version.start for version in lease.versions[1:]), over)
    for version, end in zip(lease.versions, ends, strict=True):
        first, last = max(start, lease.start, version.start), min(end, over)
        held = book.get(TermsInForce, version.terms)
        assert held is not None, "a lease names only terms that the book holds"
        for line in held.payload.lines if first < last else ():
            yield Stretch(line=line, terms=held.payload, seconds=last - first)


def committed_seconds(book: Book, lease: Lease, start: int, until: int) -> int:
    """Return the unit-seconds of chips that a lease has agreed to within a time."""
    found = stretches(book, lease, start, until)
    return sum(item.unit_seconds for item in found if item.line.resource == "chip")


def committed_minor(book: Book, tables: Tables, lease: Lease, start: int, until: int) -> int:
    """Return what a lease would cost within a time, without tax; a fee at delivery counts where it begins there."""
    total, fees = 0, set[str]()
    for item in stretches(book, lease, start, until):
        rate = next(rate for rate in item.terms.tariff.lines if rate.line == item.line.id)
        if rate.price_micro is not None:
            micro = tables.micro_per_minor(item.terms.tariff.currency)
            total += usage_net(rate.price_micro, item.unit_seconds, micro)
        elif rate.fee_minor is not None and start <= lease.start and item.line.id not in fees:
            fees.add(item.line.id)
            total += rate.fee_minor
    return total


def budgets(book: Book, tables: Tables, party: str | None) -> list[Budget]:
    """Return every quota, or those of one organisation, beside the leases that draw on it; oldest first."""
    draws: dict[str, dict[str, int]] = {}
    for _, draw in book.all(Draw):
        of_quota = draws.setdefault(draw.quota, {})
        of_quota[draw.lease] = of_quota.get(draw.lease, 0) + draw.amount
    quotas = [
        (ref, quota)
        for ref, quota in book.all(Quota)
        if party is None or book.root_of(quota.organisation) == party
    ]
    return [
        Budget(
            quota=ref,
            number=quota.number,
            organisation=quota.organisation,
            start=quota.start,
            until=quota.until,
            currency=quota.currency,
            limit=quota.limit,
            drawn=quota.drawn,
            leases=tuple(_committed(book, tables, quota, draws.get(ref, {}))),
        )
        for ref, quota in sorted(quotas, key=lambda item: item[1].entry)
    ]


def _committed(book: Book, tables: Tables, quota: Quota, drawn: dict[str, int]) -> Iterator[Committed]:
    for ref, amount in sorted(drawn.items()):
        lease = book.get(Lease, ref)
        assert lease is not None, "a draw names a lease of the book"
        committed = (
            committed_seconds(book, lease, quota.start, quota.until)
            if quota.currency is None
            else committed_minor(book, tables, lease, quota.start, quota.until)
        )
        yield Committed(lease=ref, number=lease.number, drawn=amount, committed=committed)


def loose(book: Book, tables: Tables, party: str, now: int) -> list[Loose]:
    """Return the open leases of a lessee, or of whom its quotas name, that draw on no quota; oldest first."""
    drawn = {draw.lease for _, draw in book.all(Draw)}
    parties = {party} | {
        book.root_of(quota.drawer)
        for _, quota in book.all(Quota)
        if quota.drawer is not None and book.root_of(quota.organisation) == party
    }
    open_leases = [
        (ref, lease)
        for ref, lease in book.all(Lease)
        if lease.state == "signed" and lease.until > now and book.root_of(lease.lessee) in parties
    ]
    return [
        Loose(
            lease=ref,
            number=lease.number,
            lessee=lease.lessee,
            currency=lease.currency,
            chip_seconds=committed_seconds(book, lease, lease.start, lease.until),
            amount_minor=committed_minor(book, tables, lease, lease.start, lease.until),
        )
        for ref, lease in sorted(open_leases, key=lambda item: item[1].entry)
        if ref not in drawn
    ]
