"""Rules of usage: contiguous periods, bounded totals, answers, and corrections by replacement (design §3)."""

from __future__ import annotations

from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.derive import capacity, first_delivery, reserved_seconds, usage_answer
from pseudoledger.contract.rules import freezes
from pseudoledger.contract.rules.common import Fold
from pseudoledger.contract.rules.lease import end_of, final_at, lessee_signs, lessor_signs
from pseudoledger.contract.things import Lease, MeteredLine, Usage
from pseudoledger.statement.values import format_instant, length_seconds


def lease_was_signed(case: Case) -> Findings:
    """Usage belongs to a lease that was signed, until its final time is over."""
    lease: Lease = case.lease
    if lease.state not in {"signed", "ended"}:
        yield refuse("lease.not_running", f"the lease is {lease.state}", entry=lease.entry)
    elif case.now > final_at(case, lease):
        yield refuse(
            "lease.final", f"everything was due by {format_instant(final_at(case, lease))}", entry=lease.entry
        )


def line_was_delivered(case: Case) -> Findings:
    """The line stands in the terms of its time and has units that were delivered."""
    if case.leased_line is None:
        yield refuse(
            "usage.unknown_line", f"the terms of that time have no line {case.payload.line!r}", field="/line"
        )
    elif case.lease.signed_at is not None and first_delivery(case.metered, case.now) is None:
        yield refuse("usage.not_delivered", "no delivery of the line was accepted", field="/line")


def period_fits(case: Case) -> Findings:
    """A period lies in the lease and the past, and does not straddle a change of terms."""
    lease, period = case.lease, case.payload.period
    if period.until_seconds > case.now:
        yield refuse(
            "usage.future",
            f"the period ends after block time {format_instant(case.now)}",
            field="/period/until",
        )
    if period.start_seconds < lease.start or period.until_seconds > end_of(lease):
        yield refuse(
            "usage.outside_lease",
            f"the lease runs from {format_instant(lease.start)} until {format_instant(end_of(lease))}",
            field="/period",
            entry=lease.entry,
        )
    for version in lease.versions:
        if period.start_seconds < version.start < period.until_seconds:
            yield refuse(
                "usage.straddles",
                f"the terms change at {format_instant(version.start)}: report up to it and from it apart",
                field="/period",
            )


def period_follows(case: Case) -> Findings:
    """A new report starts where the line's last one ended; the first one not before delivery."""
    if case.payload.replaces is not None:
        return
    line, start = case.metered, case.payload.period.start_seconds
    if line.reported_until is not None and start != line.reported_until:
        follows = _leased_again(case, line.reported_until)
        if start != follows:
            yield refuse(
                "usage.not_contiguous",
                f"the line is reported until {format_instant(line.reported_until)}: start at {format_instant(follows)}",
                field="/period/from",
            )
    delivered = first_delivery(line, case.now)
    if line.reported_until is None and delivered is not None and start < delivered:
        yield refuse(
            "usage.before_delivery",
            f"the line was delivered at {format_instant(delivered)}",
            field="/period/from",
        )


def _leased_again(case: Case, reported_until: int) -> int:
    """Return when the next period of a line starts: later than its last one only if the terms lacked it."""
    for version in case.lease.versions:
        terms = case.terms_at(case.lease, reported_until)
        if any(line.id == case.payload.line for line in terms.lines):
            break
        reported_until = max(reported_until, version.start)
    return reported_until


def replaced_may_change(case: Case) -> Findings:
    """Only a contested, or unanswered and unbilled, report of the same period is replaced."""
    if case.payload.replaces is None:
        return
    old = case.book.get(Usage, case.payload.replaces)
    period = case.payload.period
    if old is None or (old.lease, old.line) != (case.sub, case.payload.line):
        yield refuse("usage.unknown_report", "the line has no such report", field="/replaces")
        return
    if (old.start, old.until) != (period.start_seconds, period.until_seconds):
        yield refuse(
            "usage.other_period", "a correction is of the same period", field="/period", entry=old.entry
        )
    answer = usage_answer(old, case.now)
    if answer in {"agreed", "deemed"}:
        yield refuse(
            "usage.confirmed",
            "confirmed usage is corrected by a credit note only",
            field="/replaces",
            entry=old.entry,
        )
    elif answer == "gone":
        yield refuse("usage.replaced", "the report was replaced already", field="/replaces", entry=old.entry)
    if _would_bill(case) < _billed(old):
        yield refuse(
            "usage.below_billed",
            "less than was billed for the period",
            field="/chip_seconds",
            entry=old.entry,
        )


def _billed(usage: Usage) -> int:
    """Return the unit-seconds billed for a period so far: the agreed part includes what was billed before."""
    return usage.agreed_chip_seconds if usage.billed_by else usage.billed_before


def _would_bill(case: Case) -> int:
    """Return what the period comes to once the correction is confirmed, as `derive.billable` has it."""
    said, leased = case.payload, case.leased_line
    terms = case.terms_at(case.lease, said.period.start_seconds)
    rate = next((rate for rate in terms.tariff.lines if rate.line == said.line), None)
    if leased is None or rate is None or rate.basis != "reserved":
        return int(said.chip_seconds - _base(case))
    start, until = said.period.start_seconds, said.period.until_seconds
    return reserved_seconds(
        case.metered, leased.count, start, until, downtime_s=said.downtime_s, now=case.now
    )


def _base(case: Case) -> int:
    old = case.book.get(Usage, case.payload.replaces) if case.payload.replaces else None
    return old.base if old is not None else case.metered.chip_seconds


def totals_bounded(case: Case) -> Findings:
    """The cumulative reading never falls, and never outruns delivered units times time."""
    said, leased = case.payload, case.leased_line
    if leased is None:
        return
    quantity = said.chip_seconds - _base(case)
    if quantity < 0:
        yield refuse("usage.falls", f"the cumulative reading was {_base(case)} before", field="/chip_seconds")
    most = capacity(
        case.metered, leased.count, said.period.start_seconds, said.period.until_seconds, case.now
    )
    if quantity > most:
        yield refuse(
            "usage.beyond_capacity", f"at most {most} unit-seconds fit into the period", field="/chip_seconds"
        )
    if said.downtime_s > said.period.seconds:
        yield refuse("usage.downtime", "downtime is longer than the period", field="/downtime_s")


def report_waits(case: Case) -> Findings:
    """Only a report of this lease that waits can be answered; silence may have answered already."""
    usage = case.book.get(Usage, case.payload.report)
    if usage is None or usage.lease != case.sub:
        yield refuse("usage.unknown_report", "the lease has no such report", field="/report")
    elif usage_answer(usage, case.now) == "deemed":
        yield refuse(
            "usage.deemed",
            f"silence confirmed it at {format_instant(usage.accept_by)}",
            field="/report",
            entry=usage.entry,
        )
    elif usage.state != "reported":
        yield refuse("usage.answered", f"the report was {usage.state}", field="/report", entry=usage.entry)


def agreed_part_fits(case: Case) -> Findings:
    """The agreed part is at most what the period could hold, and not less than was billed."""
    usage = case.book.get(Usage, case.payload.report)
    if usage is None or usage.lease != case.sub:
        return
    terms = case.terms_at(case.lease, usage.start)
    basis = {rate.line: rate.basis for rate in terms.tariff.lines}[usage.line]
    count = {line.id: line.count for line in terms.lines}[usage.line]
    metered = case.book.get(MeteredLine, f"{case.sub}/{usage.line}") or MeteredLine()
    most = usage.chip_seconds
    if basis == "reserved":
        most = capacity(metered, count, usage.start, usage.until, case.now)
    if case.payload.agreed_chip_seconds > most:
        yield refuse(
            "usage.agreed_too_much", f"the period has {most}", field="/agreed_chip_seconds", entry=usage.entry
        )
    if case.payload.agreed_chip_seconds < usage.billed_before:
        yield refuse(
            "usage.below_billed",
            "less than was agreed and billed before",
            field="/agreed_chip_seconds",
            entry=usage.entry,
        )
    if case.payload.agreed_downtime_s > usage.until - usage.start:
        yield refuse("usage.downtime", "downtime is longer than the period", field="/agreed_downtime_s")


def fold_reported(case: Case) -> None:
    """Let the report wait; a replacement takes the place of the old one."""
    said, metered, base = case.payload, case.metered, _base(case)
    quantity = said.chip_seconds - base
    old = case.book.get(Usage, said.replaces) if said.replaces else None
    terms = case.terms_at(case.lease, said.period.start_seconds)
    usage = Usage(
        lease=case.sub,
        line=said.line,
        start=said.period.start_seconds,
        until=said.period.until_seconds,
        base=base,
        chip_seconds=quantity,
        downtime_s=said.downtime_s,
        reported_at=case.now,
        accept_by=case.now + length_seconds(terms.accept_within.usage),
        billed_before=_billed(old) if old else 0,
        entry=case.index,
    )
    case.book.put(case.id, usage)
    if old is not None:
        case.book.change(said.replaces, old, state="replaced")
    last = old is not None and metered.last_report != said.replaces
    case.book.change(
        f"{case.sub}/{said.line}",
        metered,
        reported_until=max(metered.reported_until or 0, usage.until),
        chip_seconds=metered.chip_seconds + quantity - (old.chip_seconds if old else 0),
        last_report=metered.last_report if last else case.id,
    )


def fold_confirmed(case: Case) -> None:
    """The report stands."""
    usage = case.book.get(Usage, case.payload.report)
    assert usage is not None, "report_waits saw it"
    case.book.change(case.payload.report, usage, state="confirmed")


def fold_contested(case: Case) -> None:
    """The agreed part may be billed; the rest waits for a correction."""
    usage = case.book.get(Usage, case.payload.report)
    assert usage is not None, "report_waits saw it"
    case.book.change(
        case.payload.report,
        usage,
        state="contested",
        agreed_chip_seconds=case.payload.agreed_chip_seconds,
        agreed_downtime_s=case.payload.agreed_downtime_s,
    )


RULES = MappingProxyType(
    {
        "usage.reported": (
            lease_was_signed,
            lessor_signs,
            line_was_delivered,
            period_fits,
            period_follows,
            replaced_may_change,
            totals_bounded,
        ),
        "usage.confirmed": (lessee_signs, report_waits),
        "usage.contested": (lessee_signs, report_waits, agreed_part_fits),
    }
)
FOLDS: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "usage.reported": fold_reported,
        "usage.confirmed": fold_confirmed,
        "usage.contested": fold_contested,
    }
)


def decided_stays(case: Case) -> Findings:
    """What an arbiter decided about a report is not reported anew."""
    old = case.book.get(Usage, case.payload.replaces) if case.payload.replaces else None
    if old is not None and (old.struck or old.upheld):
        yield refuse(
            "usage.decided",
            "a dispute about the report was decided: it is corrected by a credit note only",
            field="/replaces",
            entry=old.entry,
        )


def _kept(fold: Fold) -> Fold:
    """Make a fold that takes back, with the lessee's answer, what it disputes."""

    def folded(case: Case) -> None:
        """The same, and what the lessee disputes of it is taken back."""
        before = case.book.get(Usage, case.payload.report)
        assert before is not None, "report_waits saw it"
        fold(case)
        freezes.answered(case, case.payload.report, before)

    return folded


def fold_replaced(case: Case) -> None:
    """Let the report wait; disputes about the one that it replaces have lost their matter."""
    old = case.book.get(Usage, case.payload.replaces) if case.payload.replaces else None
    fold_reported(case)
    if old is not None:
        freezes.gone(case, case.payload.replaces, old)


RULES_2 = MappingProxyType({"usage.reported": (*RULES["usage.reported"], decided_stays)})
FOLDS_2: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "usage.reported": fold_replaced,
        "usage.confirmed": _kept(fold_confirmed),
        "usage.contested": _kept(fold_contested),
    }
)
