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
    """Where a line takes its units from, and how many there are."""

    key: str
    """Key of the bookings: `pool/line` or `head lease/line`."""
    tag: str
    """The offer's or head lease's line, as bookings note it."""
    count: int
    own_count: int
    """Most that this offer's line alone may give."""


def source_of(book: Book, line: TermsLine) -> Source | None:
    """Find the stock that a line of terms draws on; None if what it cites does not exist."""
    if line.offer is not None:
        return _offer_line(book, line)
    head = book.get(Lease, line.head_lease or "")
    if head is None or head.signed_at is None:
        return None
    terms = book.get(TermsInForce, head.versions[-1].terms)
    counts = {} if terms is None else {item.id: item.count for item in terms.payload.lines}
    if line.head_line not in counts:
        return None
    key = f"{line.head_lease}/{line.head_line}"
    return Source(key=key, tag=key, count=counts[line.head_line], own_count=counts[line.head_line])


def _offer_line(book: Book, line: TermsLine) -> Source | None:
    offer = book.get(Offer, line.offer or "")
    pool = book.get(Pool, offer.payload.pool) if offer else None
    if offer is None or pool is None:
        return None
    for offered in offer.payload.lines:
        if offered.id == line.offer_line:
            return Source(
                key=f"{offer.payload.pool}/{offered.pool_line}",
                tag=f"{line.offer}/{line.offer_line}",
                count=pool.lines[offered.pool_line].count,
                own_count=offered.count,
            )
    return None


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
        source = source_of(book, line)
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


def book_lines(book: Book, lease_id: str, terms: Terms, *, start: int, until: int, now: int) -> None:
    """Take the units of a lease from `start` on; its earlier bookings end there."""
    release(book, lease_id, book.get(Lease, lease_id), start)
    for line in terms.lines:
        source = source_of(book, line)
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
        terms = book.get(TermsInForce, version.terms)
        sources = [source_of(book, line) for line in terms.payload.lines] if terms else []
        keys.update(source.key for source in sources if source is not None)
    for key in sorted(keys):
        changed = tuple(_cut(b, when) if b.lease == lease_id else b for b in _taken(book, key))
        book.put(key, Bookings(taken=tuple(b for b in changed if b.start < b.until)))


def _cut(booking: Booking, when: int) -> Booking:
    return msgspec.structs.replace(booking, until=min(booking.until, when))


def _taken(book: Book, key: str) -> tuple[Booking, ...]:
    bookings = book.get(Bookings, key)
    return bookings.taken if bookings else ()
