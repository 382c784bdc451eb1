"""`usage`: cumulative meter reports, confirmed or contested."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pseudoledger.cli.command import Act, Acting, acting, group, reading
from pseudoledger.cli.delivery import lease_number, newest_terms
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.evidence import EvidenceOption, document
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import find
from pseudoledger.cli.lease import LeaseArgument
from pseudoledger.cli.listing import (
    LIMIT,
    AllOption,
    LimitOption,
    MineOption,
    cut,
    id_column,
    row_of,
    things_of,
    time,
)
from pseudoledger.cli.show import Column, Sheet, hours
from pseudoledger.cli.values import choice, instant, seconds, unit_seconds
from pseudoledger.contract.derive import capacity, delivered_count, first_delivery, usage_answer
from pseudoledger.contract.things import Lease, MeteredLine, Usage
from pseudoledger.statement.values import format_instant, say_length

app = group("usage", "Usage: meter reports and the lessee's answer.")
APPS = (app,)

REASONS = ("quantity", "downtime", "not_delivered", "other")
ReportArgument = Annotated[
    str,
    typer.Argument(help="Report: id or prefix, or LEASE/LINE for the line's last one.", show_default=False),
]


@acting(
    app,
    "report",
    examples=(
        "pl usage report L1 --line h100 --until 2026-03-08 --full --as alice",
        "pl usage report L1 --line h100 --until 2026-03-15 --hours 1310.5 --downtime 2h --as alice",
        "pl usage report L1 --line h100 --until 2026-03-15 --hours 1300 --replaces L1/h100 --as alice",
    ),
)
def report(
    acting: Acting,
    *,
    lease: LeaseArgument,
    line: Annotated[str, typer.Option("--line", help="Line of the lease.", show_default=False)],
    until: Annotated[str, typer.Option("--until", help="End of the period.", show_default=False)],
    start: Annotated[
        str | None, typer.Option("--from", help="Its start; where the last report ended if not said.")
    ] = None,
    used: Annotated[
        str | None, typer.Option("--hours", help="Unit-hours of this period.", show_default=False)
    ] = None,
    reading_s: Annotated[
        int | None, typer.Option("--reading", help="Cumulative unit-seconds since delivery, instead.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="All delivered units for the whole period, less --downtime.")
    ] = False,
    downtime: Annotated[str, typer.Option("--downtime", help="Time that the line was down.")] = "0",
    replaces: Annotated[
        str | None,
        typer.Option("--replaces", help="Report of the same period to correct: id, or LEASE/LINE."),
    ] = None,
    evidence: EvidenceOption = None,
) -> Act:
    """Report, as the lessor, what the meter of one line says."""
    desk = acting.desk
    lease_id, thing = find(desk, Lease, lease, party=acting.party)
    metered = desk.book.get(MeteredLine, f"{lease_id}/{line}") or MeteredLine()
    old_id, old = _find_report(acting, replaces) if replaces is not None else (None, None)
    first = _start(desk, metered, thing, start, old)
    last = instant(until, "--until")
    if last <= first:
        raise WrongUse(f"--until lies before the period's start, {format_instant(first)}")
    down = seconds(downtime, "--downtime")
    base = old.base if old is not None else metered.chip_seconds
    if [used is not None, reading_s is not None, full].count(True) != 1:
        raise WrongUse("give one of --hours, --reading or --full", hint="for example --hours 671.5")
    if reading_s is None:
        reading_s = base + (
            _whole(desk, thing, (lease_id, line), (first, last), down)
            if used is None
            else unit_seconds(used, "--hours")
        )
    tree: dict[str, Any] = {
        "type": "usage.reported",
        "line": line,
        "period": {"from": format_instant(first), "until": format_instant(last)},
        "chip_seconds": reading_s,
        "downtime_s": down,
    }
    tree |= {"replaces": old_id} if old_id is not None else {}
    tree |= {"evidence": document(evidence)} if evidence is not None else {}
    terms = newest_terms(desk, thing)
    then = f"the lessee has {say_length(terms.accept_within.usage)} to answer; silence counts as confirmation"
    return Act(tree=tree, sub=lease_id, title=f"{thing.number}/{line}", then=then)


def _start(desk: Desk, metered: MeteredLine, lease: Lease, said: str | None, old: Usage | None) -> int:
    if said is not None:
        return instant(said, "--from")
    if old is not None:
        return old.start
    delivered = first_delivery(metered, desk.now)
    return metered.reported_until or max(lease.start, delivered or lease.start)


def _whole(desk: Desk, lease: Lease, place: tuple[str, str], period: tuple[int, int], down: int) -> int:
    """Return the unit-seconds of all delivered units of a line over a period, less its downtime."""
    metered = desk.book.get(MeteredLine, "/".join(place)) or MeteredLine()
    count = {item.id: item.count for item in newest_terms(desk, lease).lines}.get(place[1], 0)
    most = capacity(metered, count, *period, desk.now)
    return max(0, most - down * delivered_count(metered, period[1], desk.now))


def _find_report(acting: Acting, text_said: str) -> tuple[str, Usage]:
    """Resolve a report by its id, or as the last one of LEASE/LINE."""
    desk = acting.desk
    lease, slash, line = text_said.rpartition("/")
    if not slash:
        return find(desk, Usage, text_said, party=acting.party)
    lease_id, thing = find(desk, Lease, lease, party=acting.party)
    metered = desk.book.get(MeteredLine, f"{lease_id}/{line}")
    if metered is None or metered.last_report is None:
        raise WrongUse(
            f"line {line!r} of lease {thing.number} has no report", hint=f"pl lease statement {lease}"
        )
    return find(desk, Usage, metered.last_report)


@acting(app, "confirm", examples=("pl usage confirm L1/h100 --as bob", "pl usage confirm 3f9ac2d1 --as bob"))
def confirm(acting: Acting, report: ReportArgument) -> Act:
    """Agree, as the lessee, with a report."""
    report_id, thing = _find_report(acting, report)
    tree = {"type": "usage.confirmed", "report": report_id}
    return Act(tree=tree, sub=thing.lease, title=report, then="the lessor may bill it: pl invoice run")


@acting(
    app,
    "contest",
    examples=(
        "pl usage contest L1/h100 --agreed-hours 600 --reason downtime --remark 'down on 9 March' --as bob",
    ),
)
def contest(
    acting: Acting,
    *,
    report: ReportArgument,
    agreed: Annotated[
        str, typer.Option("--agreed-hours", help="Unit-hours that you agree with.", show_default=False)
    ],
    reason: Annotated[str, typer.Option("--reason", help=", ".join(REASONS) + ".", show_default=False)],
    downtime: Annotated[str, typer.Option("--agreed-downtime", help="Downtime that you count.")] = "0",
    remark: Annotated[
        str | None, typer.Option("--remark", help="Why, in words; sealed.", show_default=False)
    ] = None,
) -> Act:
    """Disagree, as the lessee; the part that you agree with may be billed at once."""
    report_id, thing = _find_report(acting, report)
    tree: dict[str, Any] = {
        "type": "usage.contested",
        "report": report_id,
        "reason": choice(reason, "--reason", REASONS),
        "agreed_chip_seconds": unit_seconds(agreed, "--agreed-hours"),
        "agreed_downtime_s": seconds(downtime, "--agreed-downtime"),
    }
    tree |= {"remark": remark} if remark else {}
    then = "the lessor corrects with: pl usage report --replaces, or bills the agreed part"
    return Act(tree=tree, sub=thing.lease, title=report, then=then)


@reading(app, "list", examples=("pl usage list", "pl usage list --of bob --all --json"))
def list_usage(
    desk: Desk, of: MineOption = None, closed: AllOption = False, limit: LimitOption = LIMIT
) -> Sheet:
    """List the reports that wait for an answer or a bill, newest first."""
    now = desk.now
    rows = []
    for key, item in things_of(desk, Usage, of=of):
        answer = usage_answer(item, now)
        if closed or answer == "waiting" or (item.billed_by is None and answer != "gone"):
            rows.append(row_of(key, item, answer=answer, lease_number=lease_number(desk, item.lease)))
    columns = (
        id_column(),
        Column(title="of", form=lambda row: f"{row['lease_number']}/{row['line']}"),
        time("from", "start"),
        time("until", "until"),
        Column(title="used", form=lambda row: hours(row["chip_seconds"]), right=True),
        time("answer by", "accept_by"),
        Column(title="answer", form=lambda row: row["answer"] + (", billed" if row["billed_by"] else "")),
    )
    return cut("Usage, in unit-hours", columns, rows, limit, empty="none waits")
