"""What the book remembers of the family *dispute*: objections, answers, decisions, and what they freeze."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pseudoledger.contract.things.base import Thing
from pseudoledger.statement.kinds import Subject

State = Literal["opened", "answered", "admitted", "decided", "withdrawn", "moot"]


class Freeze(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """What a dispute stops for a part of a delivery, usage report or invoice; it stands on that thing."""

    dispute: str
    by_creditor: bool = False
    """Whether the lessor or issuer opened it: it asks for what was refused, which is not due anyway."""
    amount: int
    """Units, unit-seconds or minor units; a credit note meanwhile lowers it."""
    since: int
    until: int
    """When it ends if nobody answers or decides."""
    accept_by: int | None = None
    """When silence would have counted, where the thing still waited for an answer."""


class Dispute(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """One dispute, from opening to decision; past its deadlines it is undecided."""

    number: str
    lease: str
    sort: Literal["delivery", "usage", "invoice"]
    about: str
    """The thing that is disputed."""
    reason: str
    by: str
    against: str
    arbiter: str | None = None
    """None where the terms name nobody that is neither party: then it freezes nothing."""
    amount: int
    """In the unit of the thing: units, unit-seconds or minor units."""
    admitted: int = 0
    awarded: int = 0
    """Of what was not admitted."""
    opened_at: int
    answer_by: int
    decide_within: int
    answered_at: int | None = None
    decide_by: int | None = None
    closed_at: int | None = None
    """When it was admitted whole, decided, withdrawn or became moot."""
    state: State = "opened"
    entry: int

    @property
    def left(self) -> int:
        """What was not admitted."""
        return self.amount - self.admitted


class Disputed(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """How much of a thing a party has disputed so far; the key is `thing party`."""

    latest: str
    """Its last dispute about the thing."""
    amount: int


THINGS: tuple[type[Thing], ...] = (Dispute, Disputed)
"""Classes of this family that are stored by a key of their own."""
SUBJECTS: Mapping[Subject, tuple[type[Thing], ...]] = MappingProxyType({Subject.DISPUTE: (Dispute,)})
"""What the subjects of this family's kinds name."""
