"""What is owed since when: open invoices by days past the due date, disputed amounts apart.

Command line and pages ask here, so that an age means one thing. A day past due begins with the midnight, UTC,
after the due date: on that first day an invoice is one day late. Amounts of different currencies are never
added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

from pseudoledger.contract.derive import due_minor
from pseudoledger.contract.things import Invoice

Age = Literal["current", "1-30", "31-60", "61-90", "91-"]
AGES: tuple[Age, ...] = ("current", "1-30", "31-60", "61-90", "91-")
"""Not yet due, then days past the due date."""
_LIMITS: tuple[tuple[int, Age], ...] = ((0, "current"), (30, "1-30"), (60, "31-60"), (90, "61-90"))
_DAY = 86_400

K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivable:
    """An invoice of which something is open."""

    id: str
    number: str
    creditor: str
    debtor: str
    currency: str
    age: Age
    days: int
    """Days past the due date; 0 or below before it."""
    due_minor: int
    """What is open and undisputed."""
    disputed_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What is owed at one age."""

    age: Age
    count: int
    due_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ageing:
    """Some receivables of one currency by age, every age in its order; disputed amounts have none."""

    buckets: tuple[Bucket, ...]
    disputed_count: int
    disputed_minor: int

    @property
    def due_minor(self) -> int:
        """All that is open and undisputed."""
        return sum(bucket.due_minor for bucket in self.buckets)


def days_past_due(invoice: Invoice, now: int) -> int:
    """Return the calendar days since the due date; 0 on that day, negative before it."""
    return (now - invoice.due_at) // _DAY + 1


def age_at(days: int) -> Age:
    """Return the age of what is so many days past its due date."""
    return next((age for limit, age in _LIMITS if days <= limit), AGES[-1])


def disputed_minor(invoice: Invoice, now: int) -> int:
    """Return what of the open amount is not due because it is disputed.

    That is all that is open and not due: whatever keeps an amount from being due counts here by itself.
    """
    return max(0, invoice.open_minor - max(0, due_minor(invoice, now))) if invoice.state != "cancelled" else 0


def receivable(key: str, invoice: Invoice, now: int) -> Receivable | None:
    """Return what is owed on an invoice, or None where nothing is: settled, cancelled, or a refund is due."""
    due, disputed = max(0, due_minor(invoice, now)), disputed_minor(invoice, now)
    if not due and not disputed:
        return None
    days = days_past_due(invoice, now)
    return Receivable(
        id=key,
        number=invoice.number,
        creditor=invoice.issuer,
        debtor=invoice.payer,
        currency=invoice.currency,
        age=age_at(days),
        days=days,
        due_minor=due,
        disputed_minor=disputed,
    )


def aged(receivables: Iterable[Receivable], by: Callable[[Receivable], K]) -> dict[K, Ageing]:
    """Add receivables up by age, apart for each value of `by`, which has to keep currencies apart."""
    apart: dict[K, list[Receivable]] = {}
    for item in receivables:
        apart.setdefault(by(item), []).append(item)
    return {key: _ageing(items) for key, items in apart.items()}


def _ageing(items: list[Receivable]) -> Ageing:
    buckets = []
    for age in AGES:
        due = [item.due_minor for item in items if item.age == age and item.due_minor]
        buckets.append(Bucket(age=age, count=len(due), due_minor=sum(due)))
    disputed = [item.disputed_minor for item in items if item.disputed_minor]
    return Ageing(buckets=tuple(buckets), disputed_count=len(disputed), disputed_minor=sum(disputed))
