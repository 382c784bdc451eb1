"""Leased lines: what was leased to whom, where, for which purpose and with which papers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pseudoledger.audit.review.chips import Chip
from pseudoledger.audit.review.facts import (
    CHIP_FACTS,
    Fact,
    FactValue,
    Observation,
    Shown,
    Sort,
    Table,
    table,
)
from pseudoledger.audit.review.observers.base import (
    COUNTRY,
    SignedLease,
    Silent,
    country_facts,
    shown_text,
    signed_lease,
)
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight
from pseudoledger.statement.kinds.lease import TermsLine
from pseudoledger.statement.kinds.ledger import LedgerPolicyRegistered

LEASED = table(
    "leased_line",
    "One line of chips of a lease, when the lease is signed.",
    reads=("lease.signed", "ledger.policy_registered"),
    facts=(
        *CHIP_FACTS,
        COUNTRY,
        Fact(name="count", sort=Sort.INTEGER, says="Chips leased", unit="C62"),
        Fact(name="number", sort=Sort.TEXT, says="The proposer's number of the lease"),
        Fact(name="lessee", sort=Sort.TEXT, says="First key of the lessee's identity"),
        Fact(name="purpose", sort=Sort.TEXT, says="What the line is used for: train, infer or other"),
        Fact(name="period_s", sort=Sort.INTEGER, says="Length of the lease", unit="s"),
        Fact(
            name="tpp_leased",
            sort=Sort.RATIO,
            says="TPP of all chips of the line",
            unit="TOPS x bit",
            missing="TPP of the chip is unknown",
        ),
        Fact(name="lessor_declared", sort=Sort.TRUTH, says="Whether the lessor has declared its identity"),
        Fact(name="lessee_declared", sort=Sort.TRUTH, says="Whether the lessee has declared its identity"),
        Fact(
            name="lessee_age_s",
            sort=Sort.INTEGER,
            says="Time from the lessee's declaration to the signature",
            unit="s",
            missing="the lessee never declared its identity",
        ),
        Fact(
            name="lessee_named",
            sort=Sort.TRUTH,
            says="Whether the registered name of the lessee can be read",
        ),
        Fact(
            name="lessee_name",
            sort=Sort.TEXT,
            says="Registered name of the lessee",
            missing="it is sealed, or was not given",
        ),
        Fact(name="workload_told", sort=Sort.TRUTH, says="Whether the words on what will run can be read"),
        Fact(
            name="workload",
            sort=Sort.TEXT,
            says="What will run, in words",
            missing="it is sealed, or was not given",
        ),
        Fact(name="sublet", sort=Sort.TRUTH, says="Whether the line is sublet from a head lease"),
        Fact(name="brokers", sort=Sort.INTEGER, says="Mandates shown in the terms", unit="C62"),
        Fact(name="papers", sort=Sort.TEXTS, says="Names of the registered files that the terms pin"),
        Fact(name="residency_lists", sort=Sort.INTEGER, says="Data sets with an allow-list", unit="C62"),
    ),
)


class LeasedLines(Silent):
    """Reads signatures of leases, and the files that terms may pin."""

    tables: ClassVar[tuple[Table, ...]] = (LEASED,)
    reads: ClassVar[frozenset[str]] = frozenset(LEASED.reads)

    def read(self, entry: Read, sight: Sight) -> Iterator[Observation]:
        """Yield one observation for each line of chips of a lease."""
        if isinstance(entry.payload, LedgerPolicyRegistered):
            sight.files[entry.payload.sha256] = entry.payload.name
            return
        signed = signed_lease(entry, sight)
        if signed is None:
            return
        common, shown = _common(signed, entry, sight)
        for line in signed.terms.lines:
            if line.chip is not None:
                yield _observed(signed, line, sight.chip(line.chip), entry, facts=common, shown=shown)


def _observed(
    signed: SignedLease,
    line: TermsLine,
    chip: Chip,
    entry: Read,
    *,
    facts: dict[str, FactValue],
    shown: dict[str, Shown],
) -> Observation:
    facts = {
        **chip.facts(),
        **facts,
        "count": line.count,
        "purpose": line.purpose,
        "sublet": line.head_lease is not None,
    }
    if chip.tpp is not None:
        facts["tpp_leased"] = chip.tpp * line.count
    return Observation(
        table=LEASED,
        at=entry.at,
        subject=f"{signed.id}/{line.id}",
        facts=facts,
        cites=signed.cites,
        parties=signed.parties,
        reasons=chip.reasons(),
        shown=shown,
    )


def _common(signed: SignedLease, entry: Read, sight: Sight) -> tuple[dict[str, FactValue], dict[str, Shown]]:
    """Return what all lines of a lease have in common, and what disclosures add."""
    terms, declared = signed.terms, sight.declared_at(signed.lessee)
    facts: dict[str, FactValue] = {
        **country_facts(terms.facility.country),
        "number": signed.lease.number,
        "lessee": signed.lessee,
        "period_s": signed.seconds,
        "lessor_declared": sight.declared_at(signed.lessor) is not None,
        "lessee_declared": declared is not None and declared <= entry.at,
        "brokers": len(terms.mandates),
        "papers": tuple(sorted(sight.files[ref] for ref in terms.policies if ref in sight.files)),
        "residency_lists": len(terms.residency),
    }
    if declared is not None and declared <= entry.at:
        facts["lessee_age_s"] = entry.at - declared
    shown: dict[str, Shown] = {}
    for clear, name, told in (
        (terms.lessee_name, "lessee_name", "lessee_named"),
        (terms.workload, "workload", "workload_told"),
    ):
        text, opened = shown_text(clear, sight.opened(signed.id, f"/terms/{name}"))
        facts[told] = text is not None
        if text is not None:
            facts[name] = text
        if opened is not None:
            shown[name] = opened
            shown[told] = Shown(value=True, opened=opened.opened)
    return facts, shown
