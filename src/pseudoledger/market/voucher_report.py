"""What a programme has come to: budget, vouchers, redemptions by centre, and where vouchers could be used.

A voucher lowers a price; it makes no machine free. The report therefore sets what is out in vouchers against what
the free offers of facilities that have a class could take in until the programme ends: by the programme's list, or by
an attestor that it names. Offers that share the stock of a pool share it here too, the best paid first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from pseudoledger.contract.amounts import SECONDS_PER_HOUR
from pseudoledger.contract.book import Book
from pseudoledger.contract.claims import in_force, same_place
from pseudoledger.contract.stock import peak
from pseudoledger.contract.tables import Tables
from pseudoledger.contract.things import Booking, Offer
from pseudoledger.contract.things.voucher import Presentation, Programme, Voucher
from pseudoledger.contract.vouchers import parts_of
from pseudoledger.market.board import open_supplies


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """What one lessor's facilities of one class have redeemed."""

    lessor: str
    facility_class: str
    name: str
    redemptions: int
    redeemed_minor: int
    settled_minor: int
    unsettled_minor: int
    due_back_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeReport:
    """A programme as of a time, in minor units of its currency."""

    programme: str
    number: str
    title: str
    issuer: str
    currency: str
    as_of: int
    budget_minor: int
    left_minor: int
    vouchers: int
    holders: int
    issued_minor: int
    free_minor: int
    reserved_minor: int
    presented_minor: int
    redeemed_minor: int
    lapsed_minor: int
    withdrawn_minor: int
    ended_vouchers: int
    unspent_minor: int
    """Of vouchers whose period is over: what was neither redeemed nor withdrawn."""
    credited_back_minor: int
    clawed_back_minor: int
    settled_minor: int
    unsettled_minor: int
    due_back_minor: int
    out_minor: int
    """What holders could still use: free, reserved and presented."""
    capacity_minor: int
    """What the free offers of facilities with a class could take in until they or the programme end."""
    centres: tuple[Centre, ...]

    @property
    def short_minor(self) -> int:
        """What is out beyond what could be redeemed: vouchers help with cost, not with scarcity."""
        return max(0, self.out_minor - self.capacity_minor)


def programme_report(book: Book, tables: Tables, programme_id: str, now: int) -> ProgrammeReport:
    """Draw up the report of a programme as of a time."""
    programme = book.get(Programme, programme_id)
    assert programme is not None, "the caller found the programme"
    held = [voucher for _, voucher in book.all(Voucher) if voucher.programme == programme_id]
    presented = [item for _, item in book.all(Presentation) if item.programme == programme_id]
    parts = [parts_of(voucher, now) for voucher in held]
    ended = [voucher for voucher in held if voucher.until <= now]
    free = sum(part.free_minor for part in parts)
    reserved = sum(part.reserved_minor for part in parts)
    waiting = sum(part.presented_minor for part in parts)
    return ProgrammeReport(
        programme=programme_id,
        number=programme.payload.number,
        title=programme.payload.title,
        issuer=programme.issuer,
        currency=programme.payload.currency,
        as_of=now,
        budget_minor=programme.payload.budget_minor,
        left_minor=programme.left_minor,
        vouchers=len(held),
        holders=len({voucher.holder for voucher in held}),
        issued_minor=programme.issued_minor,
        free_minor=free,
        reserved_minor=reserved,
        presented_minor=waiting,
        redeemed_minor=programme.redeemed_minor,
        lapsed_minor=sum(part.lapsed_minor for part in parts),
        withdrawn_minor=programme.withdrawn_minor,
        ended_vouchers=len(ended),
        unspent_minor=sum(item.face_minor - item.redeemed_minor - item.withdrawn_minor for item in ended),
        credited_back_minor=sum(item.credited_minor for item in presented),
        clawed_back_minor=sum(item.clawed_back_minor for item in presented),
        settled_minor=sum(item.settled_minor for item in presented),
        unsettled_minor=sum(item.unsettled_minor for item in presented),
        due_back_minor=sum(item.due_back_minor for item in presented),
        out_minor=free + reserved + waiting,
        capacity_minor=_capacity(book, tables, programme, now),
        centres=centres_of(programme, presented),
    )


def centres_of(programme: Programme, presented: Iterable[Presentation]) -> tuple[Centre, ...]:
    """Return what was redeemed of a programme by centre, the largest first, of what was presented of it."""
    names = {
        (listed.lessor, listed.facility_class): listed.name or "" for listed in programme.payload.facilities
    }
    by_place: dict[tuple[str, str], list[Presentation]] = {}
    for item in presented:
        if item.state == "redeemed":
            by_place.setdefault((item.lessor, item.facility_class or ""), []).append(item)
    found = (
        Centre(
            lessor=lessor,
            facility_class=facility_class,
            name=names.get((lessor, facility_class), ""),
            redemptions=len(items),
            redeemed_minor=sum(item.redeemed_minor for item in items),
            settled_minor=sum(item.settled_minor for item in items),
            unsettled_minor=sum(item.unsettled_minor for item in items),
            due_back_minor=sum(item.due_back_minor for item in items),
        )
        for (lessor, facility_class), items in by_place.items()
    )
    return tuple(sorted(found, key=lambda centre: (-centre.redeemed_minor, centre.lessor)))


def _capacity(book: Book, tables: Tables, programme: Programme, now: int) -> int:
    """Add up the vouchers' share of what free machines at facilities with a class would cost until they end."""
    terms = programme.payload
    micro = tables.micro_per_minor(terms.currency)
    found: list[tuple[int, Booking, str, int]] = []
    for supply in open_supplies(book, now):
        offer = book.get(Offer, supply.id)
        assert offer is not None, "the board shows offers of the book"
        bps = _share_at(book, programme, supply.id, offer, now)
        start = max(now, supply.available.start_seconds)
        until = min(supply.available.until_seconds, terms.period.until_seconds)
        if bps is None or supply.currency != terms.currency or until <= start:
            continue
        for line in supply.lines:
            price = supply.rates[line.id].price_micro
            if price is not None:
                booking = Booking(
                    lease="", line=line.id, source="", count=line.count, start=start, until=until
                )
                # Millionths for one unit for all of the time, of which vouchers cover a share.
                worth = price * (until - start) * bps
                place = f"{offer.payload.pool}/{line.pool_line}"
                found.append((worth, booking, place, supply.free[line.pool_line]))
    taken: dict[str, list[Booking]] = {}
    total = 0
    for worth, booking, place, free in sorted(found, key=lambda item: -item[0]):
        others = taken.setdefault(place, [])
        count = min(booking.count, free - peak(others, booking.start, booking.until))
        if count > 0:
            others.append(msgspec.structs.replace(booking, count=count))
            total += worth * count // (SECONDS_PER_HOUR * micro * 10_000)
    return total


def _share_at(book: Book, programme: Programme, offer_id: str, offer: Offer, now: int) -> int | None:
    """Return the share that vouchers may cover at the facility of an offer, or None where it has no class.

    The programme's list comes first; of several claims the one with the smallest share counts, as in `place_of`.
    """
    said, at = programme.payload, offer.payload.facility
    shares = {item.facility_class: item.share_bps for item in said.classes}
    for listed in said.facilities:
        there = listed.country in {None, at.country} and listed.subdivision in {None, at.subdivision}
        if there and book.same_party(listed.lessor, offer.lessor):
            return shares[listed.facility_class]
    believed = [did for did in said.facility_attestors if not book.same_party(did, offer.lessor)]
    found = [
        shares[attested.facility_class]
        for _, claim in in_force(book, offer.lessor, believed, now, claim="facility")
        if (attested := claim.payload.facility) is not None
        and attested.facility_class in shares
        and claim.payload.about in {None, offer_id}
        and same_place(attested, at)
    ]
    return min(found, default=None)
