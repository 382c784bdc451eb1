"""One statement before the book: what rules are given, and how they answer.

A rule is a small named function of a Case that yields findings. It reads the book, never the clock, files,
network or randomness, so that every verifier reaches the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from pseudoledger.contract.book import Book
from pseudoledger.contract.tables import Tables
from pseudoledger.contract.things import (
    Bid,
    Demand,
    Invoice,
    Lease,
    Mandate,
    MeteredLine,
    Offer,
    Payment,
    TermsInForce,
    Thing,
)
from pseudoledger.contract.things.voucher import Programme, Voucher
from pseudoledger.errors import Finding
from pseudoledger.statement.envelope import Statement
from pseudoledger.statement.kinds.lease import Terms, TermsLine
from pseudoledger.statement.kinds.ledger import Policy

T = TypeVar("T", bound=Thing)
V = TypeVar("V")
Findings: TypeAlias = Iterator[Finding]
Rule: TypeAlias = Callable[["Case"], Findings]


class lazy(Generic[V]):  # noqa: N801 - used as a decorator, like property
    """A property that is computed once; functools.cached_property takes a lock, which a case never needs."""

    def __init__(self, compute: Callable[[Any], V]) -> None:
        self._compute, self._name, self.__doc__ = compute, compute.__name__, compute.__doc__

    def __get__(self, case: Any, _owner: type) -> V:
        value = self._compute(case)
        case.__dict__[self._name] = value
        return value


class Case(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A verified statement, its payload, the block time and the book it is judged against.

    `now` is the block time in whole seconds, `index` the entry index the statement will have.
    """

    book: Book
    statement: Statement
    payload: Any
    now: int
    index: int
    tables: Tables
    policy: Policy

    @property
    def id(self) -> str:
        """Statement id."""
        return self.statement.id

    @property
    def iss(self) -> str:
        """The key that signed."""
        return self.statement.iss

    @property
    def sub(self) -> str:
        """What the statement is about."""
        return self.statement.sub

    @lazy
    def party(self) -> str:
        """The identity that signed, by the first key of its chain."""
        return self.book.root_of(self.statement.iss)

    def is_party(self, did: str) -> bool:
        """Tell whether the signer is the party of this key."""
        return self.book.root_of(did) == self.party

    # What the subject names. Rules that run after `subject_exists` may rely on it.

    @lazy
    def lease(self) -> Lease:
        """The lease that the statement is about."""
        return self._subject(Lease)

    @lazy
    def offer(self) -> Offer:
        """The offer that the statement is about."""
        return self._subject(Offer)

    @lazy
    def demand(self) -> Demand:
        """The demand that the statement is about."""
        return self._subject(Demand)

    @lazy
    def mandate(self) -> Mandate:
        """The mandate that the statement is about."""
        return self._subject(Mandate)

    @lazy
    def bid(self) -> Bid:
        """The bid that the statement is about."""
        return self._subject(Bid)

    @lazy
    def invoice(self) -> Invoice:
        """The invoice that the statement is about."""
        return self._subject(Invoice)

    @lazy
    def payment(self) -> Payment:
        """The payment that the statement is about."""
        return self._subject(Payment)

    @lazy
    def programme(self) -> Programme:
        """The programme that the statement is about."""
        return self._subject(Programme)

    @lazy
    def voucher(self) -> Voucher:
        """The voucher that the statement is about."""
        return self._subject(Voucher)

    # What a report of usage is held against, as it was before the report.

    @lazy
    def metered(self) -> MeteredLine:
        """The readings of the line that a report is about."""
        return self.book.get(MeteredLine, f"{self.sub}/{self.payload.line}") or MeteredLine()

    @lazy
    def leased_line(self) -> TermsLine | None:
        """The line in the terms in force at the start of the reported period."""
        terms = self.terms_at(self.lease, self.payload.period.start_seconds)
        return next((line for line in terms.lines if line.id == self.payload.line), None)

    def terms_at(self, lease: Lease, when: int) -> Terms:
        """Return the terms of a lease in force at a time; before the first version, the first."""
        return self.terms(terms_id_at(lease, when))

    def terms(self, terms_id: str) -> Terms:
        """Return terms by the id of the statement that carries them."""
        thing = self.book.get(TermsInForce, terms_id)
        assert thing is not None, "the book names only terms that it holds"
        return thing.payload

    def _subject(self, cls: type[T]) -> T:
        thing = self.book.get(cls, self.sub)
        assert thing is not None, "subject_exists ran before"
        return thing


def terms_id_at(lease: Lease, when: int) -> str:
    """Return the id of the terms in force at a time."""
    chosen = lease.versions[0].terms
    for version in lease.versions:
        if version.start <= when:
            chosen = version.terms
    return chosen


def refuse(code: str, message: str, *, field: str = "", entry: int | None = None) -> Finding:
    """Build the finding of a rule that refuses."""
    return Finding(code=code, message=message, field=field, entry=entry)
