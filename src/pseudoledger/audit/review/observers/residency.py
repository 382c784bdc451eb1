"""Residency: what a lessee asked for its data sets, and what the terms it signed allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from pseudoledger.audit.review.facts import Cited, Fact, FactValue, Observation, Sort, Table, table
from pseudoledger.audit.review.observers.base import COUNTRY, Silent, country_facts, signed_lease
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight, cited
from pseudoledger.contract.things import Bid, Demand, Lease, Match, TermsInForce
from pseudoledger.statement.kinds.lease import AmendmentProposed, AmendmentSigned, Terms
from pseudoledger.statement.kinds.market import Residency

RESIDENCY = table(
    "residency",
    "Residency of a lease: its terms beside the demand that they answer, or an amendment beside the terms that it"
    " replaces.",
    reads=("lease.signed", "amendment.signed"),
    facts=(
        COUNTRY,
        Fact(
            name="basis", sort=Sort.TEXT, says="demand, amendment, or terms where there is nothing to compare"
        ),
        Fact(name="number", sort=Sort.TEXT, says="The proposer's number of the lease"),
        Fact(name="lists", sort=Sort.INTEGER, says="Data sets with an allow-list in the terms", unit="C62"),
        Fact(name="asked", sort=Sort.INTEGER, says="Data sets with an allow-list before", unit="C62"),
        Fact(
            name="dropped", sort=Sort.TEXTS, says="Data sets that had an allow-list before and have none now"
        ),
        Fact(
            name="widened",
            sort=Sort.TEXTS,
            says="Data sets whose list allows a country that it did not allow before, as data_set+country",
        ),
        Fact(
            name="outside_before",
            sort=Sort.TEXTS,
            says="Data sets whose list before does not allow the country of the facility",
        ),
        Fact(name="trains", sort=Sort.TRUTH, says="Whether a line of the lease is used for training"),
    ),
)


class Residencies(Silent):
    """Reads signatures of leases and amendments."""

    tables: ClassVar[tuple[Table, ...]] = (RESIDENCY,)
    reads: ClassVar[frozenset[str]] = frozenset(RESIDENCY.reads)

    def read(self, entry: Read, sight: Sight) -> Iterator[Observation]:
        """Yield one observation for each signature."""
        if isinstance(entry.payload, AmendmentSigned):
            yield from self._amended(entry, entry.payload, sight)
            return
        signed = signed_lease(entry, sight)
        if signed is None:
            return
        demand = _demand(signed.lease, sight)
        before: Sequence[Residency] = () if demand is None else demand.payload.residency
        cites = signed.cites
        if demand is not None:
            cites = (sight.cite(demand.entry, "demand"), *cites)
        yield Observation(
            table=RESIDENCY,
            at=entry.at,
            subject=f"{signed.id}/residency",
            facts=_compared(signed.terms, before, "terms" if demand is None else "demand")
            | {"number": signed.lease.number},
            cites=cites,
            parties=signed.parties,
        )

    def _amended(self, entry: Read, amended: AmendmentSigned, sight: Sight) -> Iterator[Observation]:
        lease, new = sight.get(Lease, entry.statement.sub), sight.get(TermsInForce, amended.amendment)
        row = None if new is None else sight.store.entry(new.entry)
        if lease is None or new is None or row is None:
            return
        proposal = sight.payload(row.statement, AmendmentProposed)
        old = None if proposal is None else sight.get(TermsInForce, proposal.replaces)
        if old is None:
            return
        cites: tuple[Cited, ...] = (
            sight.cite(old.entry, "terms before"),
            sight.cite(new.entry, "amendment"),
            cited(entry, "signature"),
        )
        yield Observation(
            table=RESIDENCY,
            at=entry.at,
            subject=f"{amended.amendment}/residency",
            facts=_compared(new.payload, old.payload.residency, "amendment") | {"number": lease.number},
            cites=cites,
            parties=(("lessor", sight.root(lease.lessor)), ("lessee", sight.root(lease.lessee))),
        )


def _compared(terms: Terms, before: Sequence[Residency], basis: str) -> dict[str, FactValue]:
    now = {rule.data_set: frozenset(rule.countries) for rule in terms.residency}
    then = {rule.data_set: frozenset(rule.countries) for rule in before}
    widened = sorted(
        f"{name}+{country}" for name, old in then.items() for country in now.get(name, old) - old
    )
    return {
        **country_facts(terms.facility.country),
        "basis": basis,
        "lists": len(now),
        "asked": len(then),
        "dropped": tuple(sorted(set(then) - set(now))),
        "widened": tuple(widened),
        "outside_before": tuple(
            sorted(name for name, old in then.items() if terms.facility.country not in old)
        ),
        "trains": any(line.purpose == "train" for line in terms.lines),
    }


def _demand(lease: Lease, sight: Sight) -> Demand | None:
    """Return the demand that a lease answers, itself or by way of a match or bid."""
    match = sight.get(Match, lease.answers)
    bid = sight.get(Bid, lease.answers)
    ref = match.demand if match is not None else bid.on if bid is not None else lease.answers
    return sight.get(Demand, ref)
