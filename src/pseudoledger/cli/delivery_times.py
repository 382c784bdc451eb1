"""`delivery lead-times`: from the offer of a batch to its acceptance and to the first work on it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from pseudoledger.cli.command import reading
from pseudoledger.cli.delivery import app, lease_number
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.find import find
from pseudoledger.cli.listing import LIMIT, LimitOption, cut, text, time
from pseudoledger.cli.show import Column, Sheet, short, when
from pseudoledger.contract.lead_times import lead_times
from pseudoledger.contract.things import Lease

APPS = ()


@reading(app, "lead-times", examples=("pl delivery lead-times", "pl delivery lead-times L1 --json"))
def times(
    desk: Desk,
    lease: Annotated[
        str | None, typer.Argument(help="Only this lease: id, prefix or number.", show_default=False)
    ] = None,
    limit: LimitOption = LIMIT,
) -> Sheet:
    """Report for every batch when it was offered, accepted and first used, and how long that took."""
    lease_id = find(desk, Lease, lease)[0] if lease is not None else None
    rows = [
        {"id": item.delivery, "lease_number": lease_number(desk, item.lease), **asdict(item)}
        for item in lead_times(desk.book, desk.now, lease_id)
    ]
    columns = (
        Column(title="delivery", form=lambda row: short(row["delivery"])),
        text("lease", "lease_number"),
        Column(
            title="lines",
            form=lambda row: ", ".join(f"{line}={count}" for line, count in row["lines"]),
            wide=True,
        ),
        text("answer", "answer"),
        time("offered", "offered_at"),
        time("accepted", "accepted_at"),
        time("first used", "first_usage_at"),
        Column(title="to acceptance", form=lambda row: _days(row["to_acceptance_s"]), right=True),
        Column(title="to first use", form=lambda row: _days(row["to_usage_s"]), right=True),
    )
    return cut(f"Lead times as of {when(desk.now)} UTC", columns, rows, limit, empty="nothing was delivered")


def _days(seconds: int | None) -> str:
    """Write a length in days with one decimal, cut off."""
    return "-" if seconds is None else f"{seconds // 86_400}.{seconds % 86_400 * 10 // 86_400} d"
