"""Training: how many operations leases for training allow, and how many were metered so far for one lessee."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from pseudoledger.audit.review.facts import Cited, Fact, FactValue, Observation, Sort, Table, table
from pseudoledger.audit.review.observers.base import (
    COUNTRY,
    SignedLease,
    Silent,
    country_facts,
    lease_of,
    signed_lease,
)
from pseudoledger.audit.review.observers.customer import KINDS as CLAIMS
from pseudoledger.audit.review.observers.customer import customer_facts, note_country
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight, cited
from pseudoledger.contract.things import TermsInForce
from pseudoledger.statement.kinds.claim import ClaimAttested, ClaimRevoked
from pseudoledger.statement.kinds.lease import AmendmentSigned, Terms, TermsLine
from pseudoledger.statement.kinds.usage import UsageReported

_FORM = "at the dense speed of the chip table, every second in use"

TRAINING = table(
    "training",
    "Operations that one lessee's leases for training allow (when one is signed) or have metered (when usage is"
    " reported). They are estimates from above: chip-seconds times the dense speed of the chip, as if never idle.",
    reads=("lease.signed", "amendment.signed", "usage.reported", *CLAIMS),
    facts=(
        COUNTRY,
        Fact(
            name="basis",
            sort=Sort.TEXT,
            says="committed: count times period of one lease; metered: usage of all leases of the lessee so far",
        ),
        Fact(name="lessee", sort=Sort.TEXT, says="First key of the lessee's identity"),
        Fact(name="number", sort=Sort.TEXT, says="The proposer's number of the lease"),
        Fact(name="lessee_declared", sort=Sort.TRUTH, says="Whether the lessee has declared its identity"),
        Fact(
            name="customer_country",
            sort=Sort.TEXT,
            says="Country of the lessee",
            missing="no attestation of the lessee's country is on the ledger",
        ),
        Fact(name="chip_seconds", sort=Sort.INTEGER, says="Chip-seconds for training", unit="chip_second"),
        Fact(
            name="operations_most",
            sort=Sort.RATIO,
            says=f"Operations at the faster of 16 and 8 bits, {_FORM}",
            unit="operation",
            missing="the speed of some of the chips is unknown",
        ),
        Fact(
            name="operations_fp16",
            sort=Sort.RATIO,
            says=f"Operations at 16 bits, {_FORM}",
            unit="operation",
            missing="the speed of some of the chips is unknown",
        ),
        Fact(
            name="operations_known",
            sort=Sort.RATIO,
            says="Operations at the faster of 16 and 8 bits, of the chips whose speed is known alone",
            unit="operation",
        ),
        Fact(
            name="speed_known_fp16",
            sort=Sort.RATIO,
            says="Dense operations a second at 16 bits of all chips of the lease for training",
            unit="operation/s",
            missing="the speed of some of the chips is unknown, or the observation is of usage",
        ),
    ),
)


class Training(Silent):
    """Adds up chip-seconds of training lines; what it remembers of leases and lessees is on disk."""

    tables: ClassVar[tuple[Table, ...]] = (TRAINING,)
    reads: ClassVar[frozenset[str]] = frozenset(TRAINING.reads)

    def read(self, entry: Read, sight: Sight) -> Iterator[Observation]:
        """Yield one observation for a signed lease with training lines, and for each report on one."""
        match entry.payload:
            case ClaimAttested() | ClaimRevoked():
                note_country(entry, sight)
            case UsageReported() as report:
                yield from self._metered(entry, report, sight)
            case AmendmentSigned() as amended:
                _amend(sight, entry.statement.sub, amended.amendment)
            case _:
                yield from self._committed(entry, sight)

    def _committed(self, entry: Read, sight: Sight) -> Iterator[Observation]:
        signed = signed_lease(entry, sight)
        lines = [] if signed is None else _training(signed.terms)
        if signed is None or not lines:
            return
        _Kept.of(signed, _chips(signed.terms)).put(sight)
        parts = [(str(line.chip), line.count * signed.seconds) for line in lines]
        facts = _operations(sight, parts)
        speeds = [sight.chip(str(line.chip)).fp16_per_second for line in lines]
        if None not in speeds:
            facts["speed_known_fp16"] = sum(
                (speed * line.count for speed, line in zip(speeds, lines, strict=True) if speed is not None),
                Fraction(0),
            )
        declared = sight.declared_at(signed.lessee)
        based, claim = customer_facts(signed.lessee, entry.at, sight)
        yield Observation(
            table=TRAINING,
            at=entry.at,
            subject=f"{signed.id}/training",
            facts={
                **facts,
                **based,
                **country_facts(signed.terms.facility.country),
                "basis": "committed",
                "lessee": signed.lessee,
                "number": signed.lease.number,
                "lessee_declared": declared is not None and declared <= entry.at,
            },
            cites=(*claim, *signed.cites),
            parties=signed.parties,
        )

    def _metered(self, entry: Read, report: UsageReported, sight: Sight) -> Iterator[Observation]:
        book, ref = sight.notebook, entry.statement.sub
        kept = _Kept.get(sight, ref)
        chip = None if kept is None else kept.chips.get(report.line)
        if kept is None or chip is None:
            return
        place = f"{ref}/{report.line}"
        fresh = report.chip_seconds - (book.get("training read", place) or 0)
        book.put("training read", place, report.chip_seconds)
        note = book.get("training total", kept.lessee)
        declared: int | None = sight.declared_at(kept.lessee) if note is None else note[0]
        totals: dict[str, int] = {} if note is None else note[1]
        totals = {**totals, chip: totals.get(chip, 0) + fresh}
        book.put("training total", kept.lessee, (declared, totals))
        based, claim = customer_facts(kept.lessee, entry.at, sight)
        yield Observation(
            table=TRAINING,
            at=entry.at,
            subject=f"{kept.lessee}/training",
            facts={
                **_operations(sight, sorted(totals.items())),
                **based,
                **country_facts(kept.country),
                "basis": "metered",
                "lessee": kept.lessee,
                "number": kept.number,
                "lessee_declared": declared is not None and declared <= entry.at,
            },
            cites=(*claim, kept.terms, cited(entry, "usage")),
            parties=(("lessor", kept.lessor), ("lessee", kept.lessee)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What has to be known of a lease at each of its reports: the book would be asked four times for each."""

    lease: str
    lessor: str
    lessee: str
    number: str
    country: str
    terms: Cited
    chips: Mapping[str, str]
    """Chip by line, for lines that train."""

    @classmethod
    def of(cls, signed: SignedLease, chips: Mapping[str, str]) -> _Kept:
        """Make it from a signed lease."""
        return cls(
            lease=signed.id,
            lessor=signed.lessor,
            lessee=signed.lessee,
            number=signed.lease.number,
            country=signed.terms.facility.country,
            terms=signed.cites[0],
            chips=chips,
        )

    @classmethod
    def get(cls, sight: Sight, lease: str) -> _Kept | None:
        """Return what was put down for a lease."""
        note = sight.notebook.get("training lease", lease)
        if note is None:
            return None
        lessor, lessee, number, country, cite, chips = note
        index, ref, kind, role = cite
        return cls(
            lease=lease,
            lessor=lessor,
            lessee=lessee,
            number=number,
            country=country,
            terms=Cited(index=index, id=ref, kind=kind, role=role),
            chips=chips,
        )

    def put(self, sight: Sight) -> None:
        """Put it down."""
        cite = (self.terms.index, self.terms.id, self.terms.kind, self.terms.role)
        note = (self.lessor, self.lessee, self.number, self.country, cite, dict(self.chips))
        sight.notebook.put("training lease", self.lease, note)


def _amend(sight: Sight, lease: str, amendment: str) -> None:
    """Take note of what trains under amended terms."""
    amended, signed = sight.get(TermsInForce, amendment), lease_of(lease, sight)
    if amended is None or signed is None:
        return
    chips = _chips(amended.payload)
    if chips or _Kept.get(sight, lease) is not None:
        _Kept.of(signed, chips).put(sight)


def _training(terms: Terms) -> list[TermsLine]:
    return [line for line in terms.lines if line.chip is not None and line.purpose == "train"]


def _chips(terms: Terms) -> dict[str, str]:
    return {line.id: str(line.chip) for line in _training(terms)}


def _operations(sight: Sight, parts: Iterable[tuple[str, int]]) -> dict[str, FactValue]:
    """Return the facts that follow from chip-seconds by chip."""
    seconds, known, most, fp16 = 0, Fraction(0), Fraction(0), Fraction(0)
    whole = True
    for name, chip_seconds in parts:
        chip = sight.chip(name)
        seconds += chip_seconds
        fastest, half = chip.most_per_second, chip.fp16_per_second
        if fastest is not None:
            known += fastest * chip_seconds
            most += fastest * chip_seconds
        if half is not None:
            fp16 += half * chip_seconds
        whole = whole and fastest is not None and half is not None
    facts: dict[str, FactValue] = {"chip_seconds": seconds, "operations_known": known}
    if whole:
        facts |= {"operations_most": most, "operations_fp16": fp16}
    return facts
