"""The fourth act: a spot market for spare cores, in which a crowd of accounts trades for five weeks.

Who is behind which account stands in `owners`, and afterwards in OWNERS_FILE beside the ledger, so that what a trace
says can be compared. Nobody on the ledger reads it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import permutations

from pseudoledger.demo.owners import EVERY_DAY, LESSEES, LESSORS, OWNERS, Dice, Habit, Owner, Tie
from pseudoledger.demo.spot import BLOCK_SECONDS, CURRENCY, DAY, Order, Step, Stock, order, steps
from pseudoledger.demo.stage import Stage
from pseudoledger.statement.kinds.market import ResourceName
from pseudoledger.statement.values import instant_seconds

OWNERS_FILE = "owners.csv"
OPENS, CLOSES = "2026-07-24T00:00:00Z", "2026-08-28T00:00:00Z"
LEASES = 10
"""Leases that an account takes in these weeks."""
LABELS = ("{0}", "{0}-{1}", "{0}{1}", "{0}.{1}")
"""How accounts are called; it says nothing of their owners."""
PLACES = (("PT-11", "PT-13"), ("AT-9", "AT-6"), ("IE-D", "IE-CO"), ("EE-37", "EE-79"))
"""Of each lessor: two places."""
ASKED: dict[ResourceName, int] = {"cpu_core": 21_000, "memory_gib": 3_400, "storage_gib": 160}
"""Price of one unit for an hour, in millionths of a dollar."""


@dataclass(slots=True)
class Crowd:
    """What the scenes of the fourth act remember."""

    habits: dict[str, Habit] = field(default_factory=dict)
    stock: list[Stock] = field(default_factory=list)
    declared: dict[str, str] = field(default_factory=dict)
    """Declarations, by account."""
    orders: list[Order] = field(default_factory=list)
    numbers: set[int] = field(default_factory=set)


def declare(stage: Stage, crowd: Crowd) -> None:
    """Accounts say how they want to be called; how they may be reached is sealed."""
    dice = Dice(random=stage.random)
    for owner in OWNERS:
        habit = Habit.drawn(dice)
        for place, account in enumerate(owner.accounts):
            crowd.habits[account] = _habit_of(dice, owner, habit, place)
            if owner.tie is Tie.ROTATION and place == 1:
                continue
            shared = owner.tie is Tie.CONTACT and place < owner.tied
            tree = {
                "type": "identity.declared",
                "label": dice.pick(LABELS).format(account, 2 + dice.below(98)),
                "contact": f"desk@{owner.name if shared else account}.example",
            }
            if owner.tie is Tie.RECOVERY and place < owner.tied:
                tree["recovery"] = stage.did(f"{owner.name}-safe")
            crowd.declared[account] = stage.write(account, tree)
    stage.deliver()
    lessors, lessees = (sum(len(one.accounts) for one in side) for side in (LESSORS, LESSEES))
    stage.note(
        "everybody",
        f"{lessors} lessors of spare cores and {lessees} accounts joined; whose they are, nobody says",
    )


def _habit_of(dice: Dice, owner: Owner, habit: Habit, place: int) -> Habit:
    if owner in LESSORS:
        # They answer every day, each in hours of its own.
        return replace(habit, days=EVERY_DAY)
    if owner.careful:
        return Habit.drawn(dice)
    return habit.with_quirks(dice) if place else habit


def offer(stage: Stage, crowd: Crowd) -> None:
    """Every lessor offers spare cores, memory and storage in two places."""
    dice = Dice(random=stage.random)
    lessors = [account for owner in LESSORS for account in owner.accounts]
    for lessor, places in zip(lessors, PLACES, strict=True):
        lines = [{"id": _line(name), "resource": name, "count": 100_000} for name in ASKED]
        pool = stage.write(lessor, {"type": "pool.declared", "number": "P-1", "lines": lines})
        percent, template = 90 + dice.below(21), dice.pick(("on-demand", "interruptible"))
        for number, place in enumerate(places):
            prices = {name: ASKED[name] * percent // 100 for name in ASKED}
            tree = {
                "type": "offer.published",
                "number": f"O-{number + 1}",
                "pool": pool,
                "lines": [{**line, "pool_line": line["id"]} for line in lines],
                "facility": {"country": place[:2], "subdivision": place},
                "tariff": {
                    "currency": CURRENCY,
                    "lines": [
                        {"line": _line(name), "basis": "metered", "price_micro": price}
                        for name, price in prices.items()
                    ],
                },
                "length_min": "PT1H",
                "length_max": "P7D",
                "available": {"from": OPENS, "until": "2026-12-01T00:00:00Z"},
            }
            ref = stage.write(lessor, tree)
            crowd.stock.extend(
                Stock(
                    id=ref,
                    lessor=lessor,
                    line=_line(name),
                    resource=name,
                    place=number,
                    price_micro=price,
                    template=template,
                )
                for name, price in prices.items()
            )
    stage.deliver()


def _line(resource: str) -> str:
    return resource.replace("_", "-")


def trade(stage: Stage, crowd: Crowd) -> None:
    """Everybody takes leases by its habits; the steps of all follow each other in time."""
    dice = Dice(random=stage.random)
    for owner in LESSEES:
        _plan(dice, crowd, owner)
    for owner in LESSORS:
        if owner.tie is Tie.BANK:
            _bank(crowd, owner)
    planned = [step for made in crowd.orders for step in steps(made)]
    planned.extend(step for owner in LESSEES for step in _ties(crowd, owner))
    first = 0
    for step in sorted(planned, key=lambda step: step.at):
        if first and step.at > first + BLOCK_SECONDS:
            stage.deliver()
            first = 0
        stage.now = step.at
        first = first or step.at
        step.does(stage)
    stage.deliver()
    stage.note(
        "everybody",
        f"five weeks on the spot market: {len(crowd.orders)} short leases, asked for, taken and paid by habit",
    )


def _plan(dice: Dice, crowd: Crowd, owner: Owner) -> None:
    opens, closes = instant_seconds(OPENS), instant_seconds(CLOSES)
    before = 0
    for place, account in enumerate(owner.accounts):
        follows = owner.tie is Tie.ROTATION and place == 1
        start = before if follows else opens
        span = (closes - opens) // 2 if owner.tie is Tie.ROTATION and place < owner.tied else closes - start
        orders = [
            _order(dice, crowd, account, serial=serial, earliest=start + dice.below(span))
            for serial in sorted(_unused(dice, crowd) for _ in range(LEASES))
        ]
        crowd.orders.extend(orders)
        before = max(made.confirms_at for made in orders) + DAY
        if owner.tie is Tie.NAME and place < owner.tied:
            min(orders, key=lambda made: made.proposes_at).sealed["lessee_name"] = f"{owner.name} limited"


def _unused(dice: Dice, crowd: Crowd) -> int:
    """Draw a number that no lease has: a payment reference is used once on a ledger."""
    while (number := 1_000 + dice.below(9_000)) in crowd.numbers:
        pass
    crowd.numbers.add(number)
    return number


def _order(dice: Dice, crowd: Crowd, account: str, *, serial: int, earliest: int) -> Order:
    habit = crowd.habits[account]
    lessors = [one for owner in LESSORS for one in owner.accounts]
    lessor = lessors[habit.lessors[0 if dice.below(10) < 7 else 1]]
    place = habit.place if dice.below(10) < 8 else 1 - habit.place
    (stock,) = [
        one for one in crowd.stock if (one.lessor, one.resource, one.place) == (lessor, habit.resource, place)
    ]
    return order(dice, account, habit, stock, answers=crowd.habits[lessor], serial=serial, earliest=earliest)


def _bank(crowd: Crowd, owner: Owner) -> None:
    """Let the first lease of each of an owner's lessors name the one account on which they are paid."""
    for lessor in owner.accounts[: owner.tied]:
        first = min(
            (made for made in crowd.orders if made.stock.lessor == lessor), key=lambda made: made.proposes_at
        )
        first.bank_account = f"ZZ00 MADE UP {owner.name.upper()}"


def _ties(crowd: Crowd, owner: Owner) -> Iterator[Step]:
    """Yield what the first accounts of an owner do in the open."""
    if owner.tie is Tie.ROTATION:
        old, new = owner.accounts[:2]
        last = max(made.confirms_at for made in crowd.orders if made.account == old)
        yield Step(at=last + 3_600, who=old, does=lambda stage: _rotate(stage, old, new))
    if owner.tie is Tie.AFFILIATES:
        at = instant_seconds(OPENS) + 9 * DAY
        for place, (one, other) in enumerate(permutations(owner.accounts[: owner.tied], 2)):
            yield Step(
                at=at + place * 3_600,
                who=one,
                does=partial(_affiliated, who=one, other=other, number=f"C-{place + 1}"),
            )


def _rotate(stage: Stage, old: str, new: str) -> None:
    rotated = {"type": "identity.rotated", "number": "K-1", "to": stage.did(new)}
    ref = stage.write(old, rotated)
    stage.write(new, {"type": "identity.adopted", "handover": ref}, stage.did(old))


def _affiliated(stage: Stage, *, who: str, other: str, number: str) -> None:
    tree = {
        "type": "claim.attested",
        "number": number,
        "claim": "affiliate_of",
        "tier": "declared",
        "valid": {"from": OPENS, "until": "2027-07-24T00:00:00Z"},
        "party": stage.did(other),
    }
    stage.write(who, tree)


def disclose(stage: Stage, crowd: Crowd) -> None:
    """Open to the auditor what some accounts have sealed."""
    for owner in LESSEES:
        for account in owner.accounts[: owner.tied]:
            if owner.tie is Tie.CONTACT:
                stage.hand_over(crowd.declared[account], ["/contact"])
    for made in crowd.orders:
        if made.sealed:
            stage.hand_over(made.lease, ["/terms/lessee_name"])
        if made.bank_account:
            stage.hand_over(made.lease, ["/terms/payment_means/0/bank_account"])
    stage.note(
        "everybody",
        "some open a sealed contact, name or bank account to the auditor; the careful open nothing",
    )


def write_owners(stage: Stage) -> None:
    """Write who is behind every account of the crowd, for readers to compare."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("identity", "owner"))
    writer.writerows(
        sorted((stage.did(account), owner.name) for owner in OWNERS for account in owner.accounts)
    )
    (stage.directory / "out" / OWNERS_FILE).write_text(text.getvalue(), encoding="utf-8")
