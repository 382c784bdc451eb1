"""Spot leases of the fourth act: what an account asks for, takes and pays, and when, by its habits.

    Habit ──► Order: one lease to be, with the times of its steps ──► steps, each a signed statement

A lease is paid ahead, on account; what is metered and billed later is not played.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pseudoledger.contract.templates import Choice, Deal, draft_terms, load
from pseudoledger.contract.things import Offer
from pseudoledger.demo.owners import Dice, Habit
from pseudoledger.demo.stage import Stage
from pseudoledger.statement.kinds.market import ResourceName
from pseudoledger.statement.values import Period, format_instant, format_length

MINUTE, HOUR, DAY = 60, 3_600, 86_400
BLOCK_SECONDS = 4 * HOUR
"""What is signed within so many seconds is sealed in one block."""
CURRENCY = "USD"
_EPOCH_WEEKDAY = 3
"""1 January 1970 was a Thursday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """One standing offer of a lessor, of one resource in one place."""

    id: str
    lessor: str
    line: str
    resource: ResourceName
    place: int
    price_micro: int
    template: str


@dataclass(slots=True, kw_only=True)
class Order:
    """One lease to be: what, of whom, and when each step of it is taken."""

    account: str
    habit: Habit
    stock: Stock
    serial: int
    """The account's running number."""
    count: int
    hours: int
    asks: bool
    asks_at: int
    proposes_at: int
    signs_at: int
    starts_at: int
    pays_at: int
    confirms_at: int
    sealed: dict[str, str] = field(default_factory=dict)
    """Names that are sealed in the terms."""
    bank_account: str = ""
    """On which the lessor is paid: sealed in the terms."""
    lease: str = ""
    payment: str = ""

    @property
    def until(self) -> int:
        """When the lease ends."""
        return self.starts_at + self.hours * HOUR

    @property
    def price_micro(self) -> int:
        """Price of one unit for one hour."""
        return self.stock.price_micro * self.habit.price_percent // 100

    @property
    def amount_minor(self) -> int:
        """The whole lease in cents, cut off; at least one."""
        return max(1, self.price_micro * self.count * self.hours // 10_000)


def own_time(dice: Dice, habit: Habit, earliest: int) -> int:
    """Return the next moment of somebody's day, at random within it, that is not earlier."""
    day = earliest // DAY - 1
    while True:
        at = day * DAY + habit.hour * HOUR + dice.below(habit.hours * HOUR)
        if at >= earliest and (day + _EPOCH_WEEKDAY) % 7 in habit.days:
            return at
        day += 1


def order(
    dice: Dice, account: str, habit: Habit, stock: Stock, *, answers: Habit, serial: int, earliest: int
) -> Order:
    """Plan one lease; `answers` are the habits of the lessor."""
    asks_at = own_time(dice, habit, earliest)
    proposes_at = asks_at + (3 + dice.below(25)) * MINUTE + dice.below(60)
    signs_at = own_time(dice, answers, proposes_at + 5 * MINUTE)
    starts_at = ((signs_at + BLOCK_SECONDS) // HOUR + 1 + habit.lead_hours) * HOUR
    pays_at = own_time(dice, habit, signs_at + BLOCK_SECONDS)
    return Order(
        account=account,
        habit=habit,
        stock=stock,
        serial=serial,
        count=max(1, habit.count + dice.below(habit.count // 4) - habit.count // 8),
        hours=max(1, habit.length_hours + dice.below(3) - 1),
        asks=dice.below(100) < habit.asks_percent,
        asks_at=asks_at,
        proposes_at=proposes_at,
        signs_at=signs_at,
        starts_at=starts_at,
        pays_at=pays_at,
        confirms_at=own_time(dice, answers, pays_at + MINUTE),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that somebody does at a time."""

    at: int
    who: str
    does: Callable[[Stage], None]


def steps(made: Order) -> Iterator[Step]:
    """Yield the steps of one lease, in time."""
    if made.asks:
        yield Step(at=made.asks_at, who=made.account, does=lambda stage: _ask(stage, made))
    yield Step(at=made.proposes_at, who=made.account, does=lambda stage: _propose(stage, made))
    yield Step(at=made.signs_at, who=made.stock.lessor, does=lambda stage: _sign(stage, made))
    yield Step(at=made.pays_at, who=made.account, does=lambda stage: _pay(stage, made))
    yield Step(at=made.confirms_at, who=made.stock.lessor, does=lambda stage: _confirm(stage, made))


def _ask(stage: Stage, made: Order) -> None:
    habit = made.habit
    need = {"resource": made.stock.resource}
    tree = {
        "type": "demand.published",
        "number": _number(made, "d"),
        "lines": [{"id": habit.line, "count": made.count, "alternatives": [need]}],
        "ceiling": {"currency": CURRENCY, "hour_micro": made.price_micro * made.count},
        "window": Period.between(stage.now, stage.now + 4 * DAY + made.hours * HOUR).model_dump(mode="json"),
        "length": format_length(made.hours * HOUR),
        "purpose": habit.purpose,
        "places": [_offered(stage, made).payload.facility.country],
        "residency": [],
    }
    stage.write(made.account, tree)


def _propose(stage: Stage, made: Order) -> None:
    habit = made.habit
    means: dict[str, Any] = {"code": "58"}
    if made.bank_account:
        means["bank_account"] = made.bank_account
    choice = Choice(
        offer_id=made.stock.id,
        offer=_offered(stage, made),
        offer_line=made.stock.line,
        count=made.count,
        purpose=habit.purpose,
        line_id=habit.line,
    )
    deal = Deal(
        lessor=stage.did(made.stock.lessor),
        lessee=stage.did(made.account),
        choices=(choice,),
        period=Period.between(made.starts_at, made.until),
        payment_means=[means],
        sealed=made.sealed,
    )
    terms = draft_terms(load(made.stock.template), deal)
    terms["due_days"] = habit.due_days
    (rate,) = terms["tariff"]["lines"]
    rate["price_micro"] = made.price_micro
    tree = {
        "type": "lease.proposed",
        "number": _number(made),
        "answers": made.stock.id,
        "valid_to": format_instant(stage.now + habit.stands_days * DAY),
        "terms": terms,
    }
    made.lease = stage.write(made.account, tree)


def _sign(stage: Stage, made: Order) -> None:
    stage.write(made.stock.lessor, {"type": "lease.signed"}, made.lease)


def _pay(stage: Stage, made: Order) -> None:
    tree = {
        "type": "payment.declared",
        "number": _number(made, "p"),
        "payee": stage.did(made.stock.lessor),
        "currency": CURRENCY,
        "settles": [{"lease": made.lease, "amount_minor": made.amount_minor}],
        "paid": {"currency": CURRENCY, "amount_minor": made.amount_minor},
        "references": [{"scheme": "SEPA", "value": made.habit.reference.format(made.serial)}],
    }
    made.payment = stage.write(made.account, tree)


def _confirm(stage: Stage, made: Order) -> None:
    stage.write(made.stock.lessor, {"type": "payment.confirmed"}, made.payment)


def _offered(stage: Stage, made: Order) -> Offer:
    found = stage.book.get(Offer, made.stock.id)
    assert found is not None, "it was published before anybody asked"
    return found


def _number(made: Order, ending: str = "") -> str:
    return made.habit.number.format(made.serial) + ending
