"""Rules of deliveries: batches handed over, accepted, refused or taken by silence (design §3)."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import msgspec

from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.derive import delivery_answer
from pseudoledger.contract.rules import freezes
from pseudoledger.contract.rules.asset import serials_held
from pseudoledger.contract.rules.common import Fold
from pseudoledger.contract.rules.lease import end_of, lease_runs, lessee_signs, lessor_signs, not_over
from pseudoledger.contract.rules.sublease import head_leases
from pseudoledger.contract.things import Batch, Delivery, Lease, MeteredLine, Serial
from pseudoledger.statement.values import format_instant, length_seconds


def _metered(case: Case, line_id: str) -> MeteredLine:
    return case.book.get(MeteredLine, f"{case.sub}/{line_id}") or MeteredLine()


def delivered_lines_fit(case: Case) -> Findings:
    """Delivered lines stand in the newest terms, once, and never add up to more than their count."""
    counts = {line.id: line.count for line in case.terms(case.lease.versions[-1].terms).lines}
    seen: set[str] = set()
    for index, line in enumerate(case.payload.lines):
        place = f"/lines/{index}"
        if line.line not in counts:
            yield refuse(
                "delivery.unknown_line",
                f"the lease has no line {line.line!r}",
                field=f"{place}/line",
                entry=case.lease.entry,
            )
            continue
        offered = sum(batch.count for batch in _metered(case, line.line).batches if not batch.refused)
        if offered + line.count > counts[line.line]:
            yield refuse(
                "delivery.more_than_leased",
                f"{counts[line.line]} are leased and {offered} were handed over before",
                field=f"{place}/count",
                entry=case.lease.entry,
            )
        if line.line in seen:
            yield refuse("line.id_reused", f"line {line.line!r} stands twice", field=f"{place}/line")
        seen.add(line.line)


def serials_listed(case: Case) -> Findings:
    """Serial digests are sorted, name nothing twice, and are not more than the units."""
    serials = case.payload.serials
    if list(serials) != sorted(set(serials)):
        yield refuse("delivery.serials", "serial digests are sorted, without repetition", field="/serials")
    if len(serials) > sum(line.count for line in case.payload.lines):
        yield refuse("delivery.serials", "there are more serial digests than units", field="/serials")


def serials_free(case: Case) -> Findings:
    """One machine is not in two leases at a time."""
    for index, digest in enumerate(case.payload.serials):
        serial = case.book.get(Serial, digest)
        for lease_id, delivery_id in serial.held if serial else ():
            other = case.book.get(Lease, lease_id)
            delivery = case.book.get(Delivery, delivery_id)
            if other is None or delivery is None or delivery.state == "refused":
                continue
            overlap = other.start < case.lease.until and end_of(other) > case.lease.start
            if overlap and lease_id not in head_leases(case, case.sub):
                yield refuse(
                    "serial.leased_twice",
                    "this machine is delivered under another lease of the same time",
                    field=f"/serials/{index}",
                    entry=delivery.entry,
                )
                break


def delivery_waits(case: Case) -> Findings:
    """Only a delivery of this lease that waits can be answered; silence may have answered already."""
    delivery = case.book.get(Delivery, case.payload.delivery)
    if delivery is None or delivery.lease != case.sub:
        yield refuse("delivery.unknown", "the lease has no such delivery", field="/delivery")
    elif delivery_answer(delivery, case.now) == "deemed":
        yield refuse(
            "delivery.deemed",
            f"silence accepted the delivery at {format_instant(delivery.accept_by)}",
            field="/delivery",
            entry=delivery.entry,
        )
    elif delivery.state != "offered":
        yield refuse(
            "delivery.answered", f"the delivery was {delivery.state}", field="/delivery", entry=delivery.entry
        )


def fold_offered(case: Case) -> None:
    """Let the delivery wait."""
    said = case.payload
    accept_by = case.now + length_seconds(case.terms_at(case.lease, case.now).accept_within.delivery)
    lines = tuple((line.line, line.count) for line in said.lines)
    case.book.put(
        case.id,
        Delivery(lease=case.sub, lines=lines, offered_at=case.now, accept_by=accept_by, entry=case.index),
    )
    for line_id, count in lines:
        metered = _metered(case, line_id)
        batch = Batch(delivery=case.id, count=count, offered_at=case.now, accept_by=accept_by)
        case.book.change(f"{case.sub}/{line_id}", metered, batches=(*metered.batches, batch))
    for digest in said.serials:
        serial = case.book.get(Serial, digest) or Serial(held=())
        case.book.put(digest, Serial(held=(*serial.held, (case.sub, case.id))))


def _answer(case: Case, state: str, **change: Any) -> None:
    delivery = case.book.get(Delivery, case.payload.delivery)
    assert delivery is not None, "delivery_waits saw it"
    case.book.change(case.payload.delivery, delivery, state=state)
    for line_id, _ in delivery.lines:
        metered = _metered(case, line_id)
        batches = tuple(
            msgspec.structs.replace(batch, **change) if batch.delivery == case.payload.delivery else batch
            for batch in metered.batches
        )
        case.book.change(f"{case.sub}/{line_id}", metered, batches=batches)


def fold_accepted(case: Case) -> None:
    """The units count as delivered from now."""
    _answer(case, "accepted", answered_at=case.now)


def fold_refused(case: Case) -> None:
    """The units were not delivered."""
    _answer(case, "refused", refused=True)


RULES = MappingProxyType(
    {
        "delivery.offered": (
            lease_runs,
            lessor_signs,
            not_over,
            delivered_lines_fit,
            serials_listed,
            serials_free,
        ),
        "delivery.accepted": (lessee_signs, delivery_waits),
        "delivery.refused": (lessee_signs, delivery_waits),
    }
)
FOLDS: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "delivery.offered": fold_offered,
        "delivery.accepted": fold_accepted,
        "delivery.refused": fold_refused,
    }
)


def _kept(fold: Fold) -> Fold:
    """Make a fold that takes back, with the lessee's answer, what it disputes."""

    def folded(case: Case) -> None:
        """The same, and what the lessee disputes of it is taken back."""
        before = case.book.get(Delivery, case.payload.delivery)
        assert before is not None, "delivery_waits saw it"
        fold(case)
        freezes.answered(case, case.payload.delivery, before)

    return folded


RULES_2 = MappingProxyType({"delivery.offered": (*RULES["delivery.offered"], serials_held)})
FOLDS_2: MappingProxyType[str, Fold] = MappingProxyType(
    {"delivery.accepted": _kept(fold_accepted), "delivery.refused": _kept(fold_refused)}
)
