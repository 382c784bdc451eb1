"""Lead times: how long it took from the offer of a batch to its acceptance, and on to the first work on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pseudoledger.contract.book import Book
from pseudoledger.contract.derive import Answer, batch_since, capacity, delivery_answer
from pseudoledger.contract.things import Delivery, Lease, MeteredLine, TermsInForce, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadTime:
    """One batch. Usage is metered by line, so that a later batch is in use where earlier ones are not enough."""

    delivery: str
    lease: str
    lines: tuple[tuple[str, int], ...]
    answer: Answer
    offered_at: int
    accepted_at: int | None
    """When it was accepted, by silence too."""
    first_usage_at: int | None
    """Start of the first period whose reported use needs units of this batch, not before its acceptance."""
    to_acceptance_s: int | None
    to_usage_s: int | None
    """From the offer to the first use."""


def lead_times(book: Book, now: int, lease_id: str | None = None) -> list[LeadTime]:
    """Return every batch of a lease, or of all, the oldest first."""
    reports: dict[tuple[str, str], list[Usage]] = {}
    for _, usage in book.all(Usage):
        if usage.state != "replaced":
            reports.setdefault((usage.lease, usage.line), []).append(usage)
    found = [
        (delivery.entry, _lead_time(book, key, delivery, reports, now))
        for key, delivery in book.all(Delivery)
        if lease_id in {None, delivery.lease}
    ]
    return [item for _, item in sorted(found, key=lambda pair: pair[0])]


def _lead_time(
    book: Book, key: str, delivery: Delivery, reports: dict[tuple[str, str], list[Usage]], now: int
) -> LeadTime:
    answer = delivery_answer(delivery, now)
    accepted: int | None = None
    used: list[int] = []
    for line_id, _ in delivery.lines:
        metered = book.get(MeteredLine, f"{delivery.lease}/{line_id}") or MeteredLine()
        own = next((batch for batch in metered.batches if batch.delivery == key), None)
        since = batch_since(own, now) if own is not None else None
        if own is None or since is None:
            continue
        accepted = since
        earlier = MeteredLine(batches=metered.batches[: metered.batches.index(own)])
        first = _first_use(
            reports.get((delivery.lease, line_id), ()),
            earlier,
            _leased(book, delivery.lease, line_id),
            since,
            now,
        )
        used += [first] if first is not None else []
    first_usage = min(used, default=None)
    return LeadTime(
        delivery=key,
        lease=delivery.lease,
        lines=delivery.lines,
        answer=answer,
        offered_at=delivery.offered_at,
        accepted_at=accepted,
        first_usage_at=first_usage,
        to_acceptance_s=None if accepted is None else accepted - delivery.offered_at,
        to_usage_s=None if first_usage is None else first_usage - delivery.offered_at,
    )


def _first_use(
    reports: Iterable[Usage], earlier: MeteredLine, count: int, since: int, now: int
) -> int | None:
    """Return the start of the first period whose use the earlier batches could not have given."""
    starts = [
        max(usage.start, since)
        for usage in reports
        if usage.until > since
        and usage.chip_seconds > capacity(earlier, count, usage.start, usage.until, now)
    ]
    return min(starts, default=None)


def _leased(book: Book, lease_id: str, line_id: str) -> int:
    lease = book.get(Lease, lease_id)
    held = book.get(TermsInForce, lease.versions[-1].terms) if lease else None
    return next((line.count for line in held.payload.lines if line.id == line_id), 0) if held else 0
