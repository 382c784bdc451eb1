"""Rules of subleases: what is sublet is the lessor's to sublet, and no looser than the head lease (design §3)."""

from __future__ import annotations

from collections.abc import Iterator

from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.things import Lease
from pseudoledger.statement.kinds.lease import Terms, TermsLine

DEPTH_MAX = 8
"""Most leases in a chain of subleases."""


def lines_from_head_leases(case: Case) -> Findings:
    """Every sublet line is the lessor's to sublet, and nothing about it is looser than the head lease."""
    yield from _fit(case, case.payload.terms)


def sublet_lines_fit(case: Case, terms: Terms) -> Findings:
    """Check terms proposed earlier against their head leases as they are now."""
    for finding in _fit(case, terms):
        yield refuse(finding.code, finding.message, entry=finding.entry)


def _fit(case: Case, mine: Terms) -> Findings:
    for index, line in enumerate(mine.lines):
        if line.head_lease is None:
            continue
        place = f"/terms/lines/{index}"
        head = case.book.get(Lease, line.head_lease)
        if head is None or head.state != "signed" or head.until <= case.now:
            yield refuse(
                "sublease.no_head",
                "the head lease does not run",
                field=f"{place}/head_lease",
                entry=head.entry if head else None,
            )
            continue
        terms = case.terms(head.versions[-1].terms)
        if not case.book.same_party(terms.lessee, mine.lessor):
            yield refuse(
                "sublease.not_lessee",
                "the lessor is not the lessee of the head lease",
                field=f"{place}/head_lease",
                entry=head.entry,
            )
        if not terms.sublease_allowed:
            yield refuse(
                "sublease.not_allowed",
                "the head lease does not allow subletting",
                field=f"{place}/head_lease",
                entry=head.entry,
            )
        yield from _not_too_deep(case, head, place)
        yield from _no_looser(mine, line, head, terms, place)
        yield from _no_cycle(case, mine.lessee, head, line.head_lease, place)


def _not_too_deep(case: Case, head: Lease, place: str) -> Findings:
    """Hold the length of chains; an amendment never sinks a lease that others may stand under."""
    amended = case.payload.type.startswith("amendment.")
    if head.depth + 1 >= DEPTH_MAX or (amended and head.depth >= case.lease.depth):
        yield refuse(
            "sublease.depth",
            "an amendment stands a lease under no deeper head lease"
            if amended
            else f"a chain has at most {DEPTH_MAX} leases",
            field=f"{place}/head_lease",
            entry=head.entry,
        )


def _no_looser(mine: Terms, line: TermsLine, head: Lease, terms: Terms, place: str) -> Findings:
    above = {item.id: item for item in terms.lines}.get(line.head_line or "")
    if above is None:
        yield refuse(
            "sublease.unknown_line",
            f"the head lease has no line {line.head_line!r}",
            field=f"{place}/head_line",
            entry=head.entry,
        )
        return
    if (above.resource, above.chip) != (line.resource, line.chip) or line.count > above.count:
        yield refuse(
            "sublease.other_resource",
            "the head line is another resource, or smaller",
            field=place,
            entry=head.entry,
        )
    if above.purpose not in {line.purpose, "other"}:
        yield refuse(
            "sublease.purpose",
            f"the head line is for {above.purpose}",
            field=f"{place}/purpose",
            entry=head.entry,
        )
    if mine.period.start < terms.period.start or mine.period.until > terms.period.until:
        yield refuse(
            "sublease.period",
            "the sublease runs beyond the head lease",
            field="/terms/period",
            entry=head.entry,
        )
    stands, named = terms.facility, mine.facility
    if stands.country != named.country or stands.subdivision not in {None, named.subdivision}:
        yield refuse(
            "sublease.place",
            "the machines stand where the head lease says",
            field="/terms/facility",
            entry=head.entry,
        )
    residency = {rule.data_set: set(rule.countries) for rule in mine.residency}
    for rule in terms.residency:
        if rule.data_set not in residency or not residency[rule.data_set] <= set(rule.countries):
            yield refuse(
                "sublease.residency",
                f"looser than the head lease for {rule.data_set!r}",
                field="/terms/residency",
                entry=head.entry,
            )


def _no_cycle(case: Case, lessee: str, head: Lease, head_id: str, place: str) -> Findings:
    """No party leases its own machines back through a chain."""
    for above in (head, *_heads_above(case, head_id)):
        if case.book.same_party(above.lessor, lessee):
            yield refuse(
                "sublease.cycle",
                "the lessee leases these machines out further up",
                field=f"{place}/head_lease",
                entry=above.entry,
            )
            return


def _heads_above(case: Case, lease_id: str) -> Iterator[Lease]:
    for head_id in sorted(head_leases(case, lease_id)):
        head = case.book.get(Lease, head_id)
        if head is not None:
            yield head


def head_leases(case: Case, lease_id: str) -> frozenset[str]:
    """Return every lease above one, through all terms that each ever had; a chain never closes on itself."""
    found: set[str] = set()
    waiting = [lease_id]
    while waiting:
        lease = case.book.get(Lease, waiting.pop())
        for version in lease.versions if lease else ():
            heads = {line.head_lease for line in case.terms(version.terms).lines if line.head_lease}
            waiting.extend(heads - found)
            found |= heads
    return frozenset(found)
