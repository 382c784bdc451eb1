"""The custody chain of a machine: who held it where and when, what was announced and never received, returns.

Nothing of it is stored beyond the steps; a gap is a time for which nobody but the sender speaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pseudoledger.contract.book import Book
from pseudoledger.contract.things import Delivery, Lease, Serial
from pseudoledger.contract.things.asset import Asset, Custody
from pseudoledger.errors import MalformedError

GapSort = Literal["in transit", "on its way", "never received"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One holder of a machine; `until` is None for the present one."""

    number: int
    """Which step it is: 0 is the registration."""
    held_by: str
    """Who held the machine."""
    owned_by: str
    """Whose it was."""
    country: str
    """Where, ISO 3166-1."""
    subdivision: str | None
    """Where in it, ISO 3166-2."""
    since: int
    """Since when, Unix seconds."""
    until: int | None
    """When the next holder received it."""
    moved_at: int | None
    """When the holder before sent it; null for the registration."""
    reason: str
    """Why it was sent here."""
    condition: str
    """In what condition it arrived."""
    returned: bool
    """Whether this party held it before."""
    entry: int
    """Entry that says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time between a sending and its receipt, or sendings that nobody ever signed for."""

    sort: GapSort
    """What kind of gap."""
    since: int | None
    """From when, Unix seconds; null where nothing says."""
    until: int | None
    """Until when; null where nothing says."""
    count: int
    """How many sendings."""
    said: str
    """The gap in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """All that is on record about one machine."""

    asset: str
    number: str
    chip: str
    count: int
    owned_by: str
    held_by: str
    country: str
    steps: tuple[Step, ...]
    gaps: tuple[Gap, ...]
    countries: tuple[str, ...]
    """Countries that it passed, in order, each time it changed."""
    returns: int
    leases: tuple[str, ...]
    """Leases under which it or one of its chips was delivered and not refused."""


def custody_chain(book: Book, asset_id: str, now: int) -> Chain:
    """Draw up the chain of a machine; raise MalformedError if there is no such machine."""
    asset = book.get(Asset, asset_id)
    if asset is None:
        raise MalformedError(f"no machine {asset_id} is on this ledger", code="asset.unknown")
    held = [_held(book, asset_id, number) for number in range(asset.steps)]
    steps = tuple(_steps(book, held))
    return Chain(
        asset=asset_id,
        number=asset.number,
        chip=asset.chip,
        count=asset.count,
        owned_by=asset.owned_by,
        held_by=asset.held_by,
        country=asset.country,
        steps=steps,
        gaps=tuple(_gaps(asset, held, now)),
        countries=_countries(held),
        returns=sum(step.returned for step in steps),
        leases=tuple(_leases(book, asset)),
    )


def _held(book: Book, asset_id: str, number: int) -> Custody:
    step = book.get(Custody, f"{asset_id}/{number:06}")
    assert step is not None, "the book has every step of a machine"
    return step


def _steps(book: Book, held: list[Custody]) -> Iterator[Step]:
    for number, step in enumerate(held):
        earlier = held[: max(0, number - 1)]
        moved = number > 0 and not book.same_party(held[number - 1].held_by, step.held_by)
        yield Step(
            number=number,
            held_by=step.held_by,
            owned_by=step.owned_by,
            country=step.country,
            subdivision=step.subdivision,
            since=step.since,
            until=held[number + 1].since if number + 1 < len(held) else None,
            moved_at=step.moved_at,
            reason=step.reason,
            condition=step.condition,
            returned=moved and any(book.same_party(item.held_by, step.held_by) for item in earlier),
            entry=step.entry,
        )


def _gaps(asset: Asset, held: list[Custody], now: int) -> Iterator[Gap]:
    for step in held:
        if step.unreceived:
            yield _never(step.unreceived)
        if step.moved_at is not None and step.since > step.moved_at:
            yield Gap(
                sort="in transit",
                since=step.moved_at,
                until=step.since,
                count=1,
                said="sent and received; nobody else speaks for the time between",
            )
    if asset.unreceived:
        yield _never(asset.unreceived)
    if asset.waiting is not None:
        yield Gap(
            sort="on its way",
            since=asset.waiting.moved_at,
            until=now,
            count=1,
            said=f"sent to {asset.waiting.to}, who has not signed for it",
        )


def _never(count: int) -> Gap:
    return Gap(
        sort="never received",
        since=None,
        until=None,
        count=count,
        said="announced, and replaced by another move before anybody signed for it",
    )


def _countries(held: list[Custody]) -> tuple[str, ...]:
    passed: list[str] = []
    for step in held:
        if not passed or passed[-1] != step.country:
            passed.append(step.country)
    return tuple(passed)


def _leases(book: Book, asset: Asset) -> Iterator[str]:
    found: dict[str, None] = {}
    for digest in (asset.serial, *asset.parts):
        serial = book.get(Serial, digest)
        for lease_id, delivery_id in serial.held if serial else ():
            delivery = book.get(Delivery, delivery_id)
            if delivery is not None and delivery.state != "refused" and book.get(Lease, lease_id) is not None:
                found[lease_id] = None
    yield from found
