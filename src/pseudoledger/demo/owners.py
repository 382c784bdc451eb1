"""Who is behind the accounts of the fourth act, and how each of them is used to trading; all of it is made up.

An owner's accounts share its habits, and some share a value or an act that only one party can give. Careful owners
share nothing: each of their accounts has habits of its own. Habits are drawn from the seed of the demo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, TypeVar

from pseudoledger.statement.kinds.market import Purpose, ResourceName

T = TypeVar("T")
EVERY_DAY, WORKING_DAYS, WEEKEND = (0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 3, 4), (4, 5, 6)
"""Days of the week, Monday first."""


class Tie(StrEnum):
    """What joins the first accounts of an owner for certain."""

    NOTHING = "nothing"
    CONTACT = "contact"
    """One address, sealed in the declaration of each key, and opened to the auditor."""
    NAME = "name"
    """One registered name, sealed in the terms of a lease of each, and opened to the auditor."""
    BANK = "bank"
    """One bank account on which lessors are paid, sealed in the terms of a lease of each, and opened."""
    ROTATION = "rotation"
    """The first key hands over to the second: everybody sees it."""
    RECOVERY = "recovery"
    """One key that may recover both: everybody sees it."""
    AFFILIATES = "affiliates"
    """Both say that they are affiliates: everybody sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A party, its accounts, and what the first `tied` of them have in common for certain."""

    name: str
    accounts: tuple[str, ...]
    tie: Tie = Tie.NOTHING
    tied: int = 0
    careful: bool = False
    """Whether every account has habits of its own."""


LESSEES = (
    Owner(name="thistle-house", accounts=("agate", "beryl", "calcite", "dolomite"), tie=Tie.RECOVERY, tied=3),
    Owner(name="bramble-house", accounts=("emery", "epidote", "feldspar"), tie=Tie.ROTATION, tied=2),
    Owner(name="clover-house", accounts=("fluorite", "galena", "garnet"), tie=Tie.RECOVERY, tied=3),
    Owner(name="dock-house", accounts=("gypsum", "halite", "heliodor"), tie=Tie.NAME, tied=3),
    Owner(name="elder-house", accounts=("iolite", "jasper", "jet"), tie=Tie.AFFILIATES, tied=3),
    Owner(name="fern-house", accounts=("kunzite", "kyanite"), tie=Tie.ROTATION, tied=2),
    Owner(name="gorse-house", accounts=("lazurite", "limonite"), tie=Tie.AFFILIATES, tied=2),
    Owner(name="heath-house", accounts=("malachite", "mica", "monazite"), tie=Tie.CONTACT, tied=2),
    Owner(name="ivy-house", accounts=("nephrite", "niter")),
    Owner(name="kale-house", accounts=("olivine", "onyx", "opal", "orpiment"), tie=Tie.CONTACT, tied=3),
    Owner(name="juniper-house", accounts=("peridot", "pyrite", "pyrope"), careful=True),
    Owner(name="larch-house", accounts=("quartz", "realgar"), careful=True),
    Owner(name="myrtle-house", accounts=("rutile", "selenite"), careful=True),
    Owner(name="nettle-house", accounts=("siderite",)),
    Owner(name="osier-house", accounts=("sphene",)),
)
LESSORS = (
    Owner(name="reed-house", accounts=("mole-cores", "pier-cores"), tie=Tie.BANK, tied=2),
    Owner(name="sedge-house", accounts=("quay-cores",)),
    Owner(name="tansy-house", accounts=("weir-cores",)),
)
OWNERS = (*LESSEES, *LESSORS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dice:
    """Draws that the seed of the demo alone decides."""

    random: Callable[[int], bytes]
    dealt: dict[str, list[Any]] = field(default_factory=dict)
    """What is left of the packs that are dealt from."""

    def below(self, bound: int) -> int:
        """Draw a number from 0 to below a bound."""
        return int.from_bytes(self.random(8)) % bound

    def pick(self, among: Sequence[T]) -> T:
        """Draw one of some things."""
        return among[self.below(len(among))]

    def deal(self, pack: str, among: Sequence[T]) -> T:
        """Draw one of some things, each once before any comes again."""
        left: list[T] = self.dealt.setdefault(pack, [])
        if not left:
            left.extend(among)
        return left.pop(self.below(len(left)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How somebody is used to trading."""

    hour: int
    """First hour of its day, UTC."""
    hours: int
    """Hours that its day has."""
    days: tuple[int, ...]
    resource: ResourceName
    count: int
    """Units that it leases, more or less."""
    length_hours: int
    lead_hours: int
    """From the signature to the start of a lease, at least."""
    stands_days: int
    """How long its proposals stand."""
    lessors: tuple[int, ...]
    """Places of the lessors that it likes."""
    place: int
    """Which of a lessor's places it likes."""
    price_percent: int
    """What it pays of the price that is asked."""
    asks_percent: int
    """How often it publishes a demand first."""
    due_days: int
    purpose: Purpose
    line: str
    """How it names the line of its leases."""
    number: str
    """How it numbers documents."""
    reference: str
    """How it writes payment references."""

    @classmethod
    def drawn(cls, dice: Dice) -> Habit:
        """Draw habits."""
        first = dice.below(LESSOR_COUNT)
        return cls(
            hour=dice.deal("hour", range(24)),
            hours=dice.pick((1, 2, 3)),
            days=dice.pick((EVERY_DAY, WORKING_DAYS, WORKING_DAYS, WEEKEND)),
            resource=dice.pick(("cpu_core", "cpu_core", "memory_gib", "storage_gib")),
            count=dice.pick((8, 24, 48, 96, 160)),
            length_hours=dice.pick((4, 6, 12, 24, 48)),
            lead_hours=dice.pick((1, 6, 18, 30)),
            stands_days=dice.pick((4, 5, 7, 10)),
            lessors=(first, (first + 1 + dice.below(LESSOR_COUNT - 1)) % LESSOR_COUNT),
            place=dice.below(2),
            price_percent=dice.pick((86, 92, 97, 100, 100, 104)),
            asks_percent=dice.pick((0, 50, 100)),
            due_days=dice.pick((7, 10, 14, 21, 30)),
            purpose=dice.pick(("infer", "other")),
            line=dice.deal("line", _LINES),
            number=dice.deal("number", _NUMBERS),
            reference=dice.deal("reference", _REFERENCES),
        )

    def with_quirks(self, dice: Dice) -> Habit:
        """Return these habits with a few drawn anew: no two accounts are used quite alike."""
        other = self.drawn(dice)
        names = sorted({dice.pick(fields(self)).name for _ in range(QUIRKS)})
        return replace(self, **{name: getattr(other, name) for name in names})


QUIRKS = 2
"""Habits, at most, in which an account of an owner differs from its first."""
LESSOR_COUNT = sum(len(owner.accounts) for owner in LESSORS)
_NUMBERS = (
    *("L-{0}", "26-{0}", "SPOT/{0}", "r{0}", "{0}.26", "Lease-{0}", "job_{0}", "2026-07/{0}", "AB{0}", "{0}"),
    *("n.{0}", "CT/26/{0}", "q-{0}-a", "{0}-26-07", "ORDER.{0}", "lease/{0}", "Z{0}/1", "s_{0}_x"),
)
"""Patterns by which documents are numbered."""
_REFERENCES = (
    *("INV {0}", "{0}/2026", "SPOT {0}", "RF{0}", "PAY-{0}", "COMPUTE {0}", "{0}", "B.{0}", "NR {0}-26"),
    *("X/{0}", "JULY {0}", "RE-{0}/1", "{0} SPOT", "A {0} B", "CORE.{0}", "26.{0}", "DEBIT {0}", "T-{0}-T"),
)
"""Patterns of payment references."""
_LINES = ("cores", "main", "l1", "node", "batch", "spot", "a", "line-1", "work", "run", "slot", "unit")
