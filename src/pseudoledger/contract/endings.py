"""The register of endings: which leases ended before their period was over, by whose doing, and for what reason.

The role follows from the range of the reason code; a code from 20000 on names a condition that the book shows.
A reclaim whose notice runs stands in the register too, as an ending that is announced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pseudoledger.contract.book import Book
from pseudoledger.contract.case import terms_id_at
from pseudoledger.contract.things import Lease, TermsInForce

Role = Literal["lessee", "lessor", "either"]

CONDITIONS: MappingProxyType[int, tuple[Role, str]] = MappingProxyType(
    {
        20_000: ("lessor", "an invoice unpaid past its grace"),
        20_001: ("either", "a voucher revoked"),
        20_002: ("either", "a policy entry"),
        20_003: ("either", "the other party's key revoked"),
        20_004: ("either", "the head lease ended"),
    }
)
"""Reasons that the book has to show, and whose they can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A lease that ended early, or whose lessor gave notice that it will."""

    lease: str
    number: str
    lessor: str
    lessee: str
    role: Role
    code: int
    reason: str
    announced: bool
    """Whether the notice still runs: the lease has not ended."""
    at: int
    until: int
    """When it would have ended."""
    left_s: int
    chip_seconds: int
    """Unit-seconds of chips that were agreed for the rest."""
    currency: str
    fee_minor: int
    """What the terms have the role pay for it; none for a condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """How often a role ended leases early for a reason, and what was lost by it."""

    role: Role
    code: int
    reason: str
    count: int
    chip_seconds: int


def endings(book: Book, now: int) -> list[Ending]:
    """Return every early ending and every notice that runs, newest first."""
    found = [item for ref, lease in book.all(Lease) for item in _ending(book, ref, lease, now)]
    return sorted(found, key=lambda item: (item.at, item.lease), reverse=True)


def causes(found: Iterable[Ending]) -> tuple[Cause, ...]:
    """Count endings by role and reason, the most frequent first; notices that run are left out."""
    counts, lost = Counter[tuple[Role, int, str]](), Counter[tuple[Role, int, str]]()
    for item in found:
        if not item.announced:
            key = (item.role, item.code, item.reason)
            counts[key] += 1
            lost[key] += item.chip_seconds
    return tuple(
        Cause(role=role, code=code, reason=reason, count=count, chip_seconds=lost[role, code, reason])
        for (role, code, reason), count in sorted(counts.items(), key=lambda item: (-item[1], item[0][1]))
    )


def _ending(book: Book, ref: str, lease: Lease, now: int) -> Iterator[Ending]:
    if lease.state == "ended" and lease.ended_at is not None and lease.end_code is not None:
        code, at, announced = lease.end_code, lease.ended_at, False
    elif lease.state == "signed" and lease.reclaim is not None and now < lease.until:
        code, at, announced = lease.reclaim.code, lease.reclaim.effective_at, True
    else:
        return
    if at >= lease.until:
        return
    held = book.get(TermsInForce, terms_id_at(lease, at))
    assert held is not None, "a lease names only terms that the book holds"
    chips = sum(line.count for line in held.payload.lines if line.resource == "chip")
    role, reason = _cause(code)
    fees = held.payload.early_end
    by_role = {"lessee": fees.lessee_fee_minor, "lessor": fees.lessor_fee_minor}
    left = lease.until - max(at, lease.start)
    yield Ending(
        lease=ref,
        number=lease.number,
        lessor=lease.lessor,
        lessee=lease.lessee,
        role=role,
        code=code,
        reason=reason,
        announced=announced,
        at=at,
        until=lease.until,
        left_s=left,
        chip_seconds=chips * left,
        currency=lease.currency,
        fee_minor=by_role.get(role, 0) if code < min(CONDITIONS) else 0,
    )


def _cause(code: int) -> tuple[Role, str]:
    if code in CONDITIONS:
        return CONDITIONS[code]
    return ("lessee", "the lessee's own") if code < 10_000 else ("lessor", "the lessor's own, after notice")
