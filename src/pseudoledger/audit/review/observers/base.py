"""What an observer is, and what observers of leases have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

from pseudoledger.audit.review.facts import Cited, Fact, FactValue, Observation, Opened, Shown, Sort, Table
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight, cited
from pseudoledger.contract.things import Lease, TermsInForce
from pseudoledger.statement.kinds.lease import Terms

UNKNOWN_COUNTRY = "ZZ"


class Observer(Protocol):
    """Reads entries of some kinds in ledger order and says what it sees; one serves one review."""

    tables: ClassVar[tuple[Table, ...]]
    """What it observes."""
    reads: ClassVar[frozenset[str]]
    """Kinds of statements it is given."""

    def read(self, entry: Read, sight: Sight, /) -> Iterator[Observation]:
        """Take one entry and yield what it shows."""
        ...

    def finish(self, sight: Sight, at: int, /) -> Iterator[Observation]:
        """Yield what only the end of the ledger shows; `at` is the time of its last block."""
        ...


class Silent:
    """An observer's `finish` where the end of the ledger shows nothing more."""

    def finish(self, _sight: Sight, _at: int) -> Iterator[Observation]:
        """Yield nothing."""
        yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedLease:
    """A lease at the moment of its signature, with the terms that were signed."""

    id: str
    lease: Lease
    terms: Terms
    cites: tuple[Cited, ...]
    lessor: str
    """First key of the lessor's identity."""
    lessee: str

    @property
    def parties(self) -> tuple[tuple[str, str], ...]:
        """The parties, as findings name them."""
        return (("lessor", self.lessor), ("lessee", self.lessee))

    @property
    def seconds(self) -> int:
        """Length of its period."""
        return self.terms.period.seconds


def signed_lease(entry: Read, sight: Sight) -> SignedLease | None:
    """Return the lease that a `lease.signed` entry makes binding; None where the book does not hold it."""
    return lease_of(entry.statement.sub, sight, cited(entry, "signature"))


def lease_of(ref: str, sight: Sight, *signature: Cited) -> SignedLease | None:
    """Return a lease with the terms of its proposal, which its signature accepted; None as `signed_lease`."""
    lease, first = sight.get(Lease, ref), sight.get(TermsInForce, ref)
    if lease is None or first is None:
        return None
    return SignedLease(
        id=ref,
        lease=lease,
        terms=first.payload,
        cites=(sight.cite(first.entry, "terms"), *signature),
        lessor=sight.root(first.payload.lessor),
        lessee=sight.root(first.payload.lessee),
    )


def country_facts(country: str) -> dict[str, FactValue]:
    """Return the fact of a place; ZZ is a country that is not known."""
    return {} if country == UNKNOWN_COUNTRY else {"country": country}


COUNTRY = Fact(
    name="country",
    sort=Sort.TEXT,
    says="Country of the facility (ISO 3166-1 alpha-2)",
    missing="the facility's country is given as ZZ: unknown",
)


def shown_text(clear: str | None, opened: Opened | None) -> tuple[str | None, Shown | None]:
    """Return a sealable text as it stands in the clear, and as a disclosure shows it."""
    if clear is not None:
        return clear, None
    return None, None if opened is None else Shown(value=opened.value, opened=opened)
