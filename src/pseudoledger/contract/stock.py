"""Stock: units of a pool's or head lease's line are taken by signed leases, first by index.

A booking holds for its stretch of time; what counts is the highest sum at any moment of the stretch asked
for. Offers of one pool share its stock; an offer also never gives more than its own line says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from pseudoledger.contract.book import Book
from pseudoledger.contract.things import Booking, Bookings, Lease, Offer, Pool, TermsInForce
from pseudoledger.statement.kinds.lease import Terms, TermsLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a line takes its units from, and how many there are at every moment of a stretch of time."""

    key: str
    """Key of the bookings: `pool/line` or `head lease/line`."""
    tag: str
    """The offer's or head lease's line, as bookings note it."""
    count: int
    own_count: int
    """Most that this offer's line alone may give."""


def source_of(book: Book, line: TermsLine, start: int, until: int) -> Source | None:
    """Find the stock that a line of terms draws on in [start, until); None if what it cites does not exist."""
    key = _key_of(book, line)
    if key is None:
        return None
    if line.head_lease is not None:
        count = _least_leased(book, line.head_lease, line.head_line or "", start, until)
        return Source(key=key, tag=key, count=count, own_count=count)
    offer = book.get(Offer, line.offer or "")
    pool = book.get(Pool, offer.payload.pool) if offer else None
    assert offer is not None, "the key was found through the offer"
    assert pool is not None, "the key was found through the pool"
    offered = next(item for item in offer.payload.lines if item.id == line.offer_line)
    return Source(
        key=key,
        tag=f"{line.offer}/{line.offer_line}",
        count=pool.lines[offered.pool_line].count,
        own_count=offered.count,
    )


def _key_of(book: Book, line: TermsLine) -> str | None:
    """Return the key of the bookings of what a line cites."""
    if line.head_lease is not None:
        head = book.get(Lease, line.head_lease)
        return None if head is None or head.signed_at is None else f"{line.head_lease}/{line.head_line}"
    offer = book.get(Offer, line.offer or "")
    lines = offer.payload.lines if offer else ()
    offered = next((item for item in lines if item.id == line.offer_line), None)
    return f"{offer.payload.pool}/{offered.pool_line}" if offer and offered else None


def _least_leased(book: Book, lease_id: str, line_id: str, start: int, until: int) -> int:
    """Return the fewest units that a line of a lease has at any moment of [start, until)."""
    lease = book.get(Lease, lease_id)
    versions = lease.versions if lease else ()
    ends = (*(version.start for version in versions[1:]), until)
    counts = [
        _count_in(book, version.terms, line_id)
        for version, end in zip(versions, ends, strict=True)
        if version.start < until and (end > start or version is versions[-1])
    ]
    return min(counts, default=0)


def _count_in(book: Book, terms_id: str, line_id: str) -> int:
    terms = book.get(TermsInForce, terms_id)
    return next((item.count for item in terms.payload.lines if item.id == line_id), 0) if terms else 0


def peak(bookings: Iterable[Booking], start: int, until: int) -> int:
    """Return the highest sum of counts at any moment of [start, until)."""
    events: list[tuple[int, int]] = []
    for booking in bookings:
        first, last = max(booking.start, start), min(booking.until, until)
        if first < last:
            events.append((first, booking.count))
            events.append((last, -booking.count))
    highest = current = 0
    for _, change in sorted(events):
        current += change
        highest = max(highest, current)
    return highest


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """A line that cannot be served: so many are free of so many, and which booking came first."""

    line: int
    wanted: int
    free: int
    taken_by: str


def shortages(book: Book, lease_id: str, terms: Terms, start: int, until: int) -> Iterator[Shortage]:
    """Find the lines of terms whose units others have taken for a part of [start, until)."""
    mine: Counter[tuple[str, str]] = Counter()
    for index, line in enumerate(terms.lines):
        source = source_of(book, line, start, until)
        if source is None:
            continue
        taken = [b for b in _taken(book, source.key) if b.lease != lease_id]
        free = min(
            source.count - peak(taken, start, until) - mine["stock", source.key],
            source.own_count
            - peak((b for b in taken if b.source == source.tag), start, until)
            - mine["source", source.tag],
        )
        if line.count > free:
            holders = [b.lease for b in taken if b.start < until and b.until > start]
            yield Shortage(
                line=index, wanted=line.count, free=max(free, 0), taken_by=holders[-1] if holders else ""
            )
        mine["stock", source.key] += line.count
        mine["source", source.tag] += line.count


def sublet_beyond(book: Book, lease: Lease, lease_id: str, terms: Terms, start: int) -> Iterator[str]:
    """Yield the lines of which more is sublet from `start` on, or for longer, than new terms would have."""
    counts = {line.id: line.count for line in terms.lines}
    until = terms.period.until_seconds
    held = {line.id for version in lease.versions for line in _lines_of(book, version.terms)}
    for line_id in sorted(held):
        taken = _taken(book, f"{lease_id}/{line_id}")
        if any(b.until > until for b in taken) or peak(taken, start, until) > counts.get(line_id, 0):
            yield line_id


def book_lines(book: Book, lease_id: str, terms: Terms, *, start: int, until: int, now: int) -> None:
    """Take the units of a lease from `start` on; its earlier bookings end there."""
    release(book, lease_id, book.get(Lease, lease_id), start)
    for line in terms.lines:
        source = source_of(book, line, start, until)
        assert source is not None, "a rule saw the source of every line"
        booking = Booking(
            lease=lease_id, line=line.id, source=source.tag, count=line.count, start=start, until=until
        )
        kept = tuple(b for b in _taken(book, source.key) if b.until > now)
        book.put(source.key, Bookings(taken=(*kept, booking)))


def release(book: Book, lease_id: str, lease: Lease | None, when: int) -> None:
    """End every booking of a lease at a time."""
    keys: set[str] = set()
    for version in lease.versions if lease else ():
        found = (_key_of(book, line) for line in _lines_of(book, version.terms))
        keys.update(key for key in found if key is not None)
    for key in sorted(keys):
        changed = tuple(_cut(b, when) if b.lease == lease_id else b for b in _taken(book, key))
        book.put(key, Bookings(taken=tuple(b for b in changed if b.start < b.until)))


def _lines_of(book: Book, terms_id: str) -> tuple[TermsLine, ...]:
    terms = book.get(TermsInForce, terms_id)
    return terms.payload.lines if terms else ()


def _cut(booking: Booking, when: int) -> Booking:
    return msgspec.structs.replace(booking, until=min(booking.until, when))


def _taken(book: Book, key: str) -> tuple[Booking, ...]:
    bookings = book.get(Bookings, key)
    return bookings.taken if bookings else ()
