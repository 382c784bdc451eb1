"""Timelines: what happened when under a lease, as lanes of a chart and as a list; a machine's is made likewise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pseudoledger.contract.derive import delivery_answer, invoice_status, usage_answer
from pseudoledger.contract.things import Delivery, Invoice, Lease, Payment, Usage
from pseudoledger.node.pages import show
from pseudoledger.node.pages.lists import read_all
from pseudoledger.node.pages.site import Ask
from pseudoledger.node.reading import View

LANES = ("term", "delivery", "usage", "invoice", "payment")
_TICKS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened at a time, or lasted."""

    lane: str
    start: int
    until: int
    """Same as start for what happened at once."""
    id: str
    status: str
    """Key of a word below `status.`, "" for none."""
    figure: str = ""
    """Amount or quantity, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All events of a lease, oldest first, and the time that they span."""

    events: Sequence[Event]
    start: int
    until: int
    now: int
    lanes: Sequence[str] = LANES

    def place(self, seconds: int) -> float:
        """Return where a time lies between start and end, in percent with two decimals."""
        part = (seconds - self.start) / (self.until - self.start)
        return round(100 * min(1.0, max(0.0, part)), 2)

    @property
    def ticks(self) -> Sequence[int]:
        """Midnights to mark, at even distances."""
        days = max(1, -(-(self.until - self.start) // 86_400 // _TICKS))
        first = -(-self.start // 86_400) * 86_400
        return range(first, self.until, days * 86_400)


def timeline(view: View, lease_id: str, lease: Lease, ask: Ask) -> Timeline:
    """Gather everything that happened under a lease."""
    end = lease.until if lease.ended_at is None else lease.ended_at
    events = [
        Event(lane="term", start=lease.start, until=max(end, lease.start), id=lease_id, status=""),
        *_deliveries(view, lease_id, ask.now),
        *_usage(view, lease_id, ask.now),
        *_money(view, lease_id, ask),
    ]
    return span_of(events, ask.now)


def span_of(events: Iterable[Event], now: int, lanes: Sequence[str] = LANES) -> Timeline:
    """Put events in order, with a margin on both sides."""
    events = sorted(events, key=lambda event: (event.start, lanes.index(event.lane)))
    start, until = min(event.start for event in events), max(event.until for event in events)
    margin = max(43_200, (until - start) // 50)
    return Timeline(events=events, start=start - margin, until=until + margin, now=now, lanes=lanes)


def _deliveries(view: View, lease_id: str, now: int) -> Iterator[Event]:
    for key, item in read_all(view, Delivery).things:
        if item.lease == lease_id:
            count = sum(units for _, units in item.lines)
            yield Event(
                lane="delivery",
                start=item.offered_at,
                until=item.offered_at,
                id=key,
                status=delivery_answer(item, now),
                figure=show.number(count),
            )


def _usage(view: View, lease_id: str, now: int) -> Iterator[Event]:
    for key, item in read_all(view, Usage).things:
        answer = usage_answer(item, now)
        if item.lease == lease_id and answer != "gone":
            yield Event(
                lane="usage",
                start=item.start,
                until=item.until,
                id=key,
                status=answer,
                figure=f"{show.hours(item.chip_seconds)} h",
            )


def _money(view: View, lease_id: str, ask: Ask) -> Iterator[Event]:
    own = set()
    for key, item in read_all(view, Invoice).things:
        if item.lease == lease_id:
            own.add(key)
            yield Event(
                lane="invoice",
                start=item.issued_at,
                until=item.issued_at,
                id=key,
                status=invoice_status(item, ask.now).replace(" ", "_"),
                figure=show.money(item.total_minor, item.currency, ask.exponents),
            )
    for key, payment in read_all(view, Payment).things:
        amounts = [amount for _, target, amount in payment.settles if target in own or target == lease_id]
        if amounts:
            yield Event(
                lane="payment",
                start=payment.declared_at,
                until=payment.declared_at,
                id=key,
                status=payment.state,
                figure=show.money(sum(amounts), payment.currency, ask.exponents),
            )
