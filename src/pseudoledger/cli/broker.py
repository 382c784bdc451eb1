"""`broker`: mandates, and what brokers bring together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from pseudoledger.cli.command import Act, Acting, acting, group, reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.evidence import document
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import did_of, find
from pseudoledger.cli.listing import (
    LIMIT,
    WEEK_SECONDS,
    AllOption,
    LimitOption,
    MineOption,
    cut,
    id_column,
    party,
    row_of,
    text,
    things_of,
    time,
)
from pseudoledger.cli.show import Column, Sheet, short
from pseudoledger.cli.values import choice, instant_text
from pseudoledger.contract.things import Demand, Mandate, Match, Offer
from pseudoledger.market.board import open_needs, open_supplies
from pseudoledger.market.matching import match as pair
from pseudoledger.statement.kinds.market import MatchReason
from pseudoledger.statement.values import format_instant

app = group("broker", "Mandates, and what brokers bring together.")
APPS = (app,)

REASONS = get_args(MatchReason)
WITH_REASON = 2
"""First version of a match that carries why it was made."""
SCOPES = ("bid", "list", "propose")


@acting(
    app,
    "mandate",
    examples=(
        (
            "pl broker mandate M1 --broker carol --scope propose --scope bid --commission 150 --until 2026-12-31"
            " --as alice"
        ),
    ),
)
def mandate(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of the mandate.", show_default=False)],
    broker: Annotated[str, typer.Option("--broker", help="Key name, did or label.", show_default=False)],
    commission: Annotated[
        int, typer.Option("--commission", help="Share of each invoice's accepted net, in 0.01 %.")
    ],
    until: Annotated[str, typer.Option("--until", help="When the mandate ends.", show_default=False)],
    scope: Annotated[list[str], typer.Option("--scope", help="bid, list or propose; may be repeated.")],
) -> Act:
    """Let a broker list, propose or bid for you; it never signs for you."""
    tree = {
        "type": "broker.mandated",
        "number": number,
        "broker": did_of(acting.desk, broker, "--broker"),
        "scope": sorted({choice(word, "--scope", SCOPES) for word in scope}),
        "commission_bps": commission,
        "until": instant_text(until, "--until"),
    }
    return Act(tree=tree, title=number, then="show it in the terms of every lease that it leads to")


@acting(app, "release", examples=("pl broker release M1 --as alice",))
def release(
    acting: Acting,
    *,
    mandate: Annotated[str, typer.Argument(help="Mandate: id, prefix or number.", show_default=False)],
) -> Act:
    """End a mandate, as its principal or broker; commissions earned stay due."""
    mandate_id, _ = find(acting.desk, Mandate, mandate, party=acting.party)
    return Act(
        tree={"type": "broker.released"}, sub=mandate_id, title=mandate, then="commissions earned stay due"
    )


@acting(
    app,
    "match",
    examples=("pl broker match B1 --demand D1 --offer O1 --mandate M1 --reason cheapest --as carol",),
)
def match(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of the match.", show_default=False)],
    demand: Annotated[
        str, typer.Option("--demand", help="Demand: id, prefix or number.", show_default=False)
    ],
    offer: Annotated[str, typer.Option("--offer", help="Offer: id, prefix or number.", show_default=False)],
    mandates: Annotated[
        list[str], typer.Option("--mandate", help="Mandate that you act under; may be repeated.")
    ],
    reason: Annotated[
        str | None,
        typer.Option("--reason", help=f"Why these two: {', '.join(REASONS)}; fits where not said."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Report that compared them; its hash is recorded.", show_default=False),
    ] = None,
    valid_to: Annotated[
        str | None, typer.Option("--valid-to", help="When it lapses; in 7 days where not said.")
    ] = None,
) -> Act:
    """Bring a demand and an offer together, line by line as `pl market match` pairs them."""
    desk = acting.desk
    demand_id, _ = find(desk, Demand, demand)
    offer_id, _ = find(desk, Offer, offer)
    needs = [need for need in open_needs(desk.book, desk.now) if need.id == demand_id]
    supplies = [supply for supply in open_supplies(desk.book, desk.now) if supply.id == offer_id]
    found = pair(needs, supplies, exponents=desk.tables.exponents)
    if not found or not found[0].acceptable:
        reasons = [str(reason) for item in found for rejected in item.rejected for reason in rejected.reasons]
        raise WrongUse(
            f"the offer does not fit the demand: {'; '.join(reasons) or 'one of them is closed'}",
            hint=f"pl market match {demand} shows which offers do",
        )
    lapses = instant_text(valid_to, "--valid-to") if valid_to else format_instant(desk.now + WEEK_SECONDS)
    tree = {
        "type": "match.proposed",
        "number": number,
        "offer": offer_id,
        "lines": [line.model_dump(mode="json") for line in found[0].acceptable[0].lines],
        "mandates": [find(desk, Mandate, item, party=acting.party)[0] for item in mandates],
        "valid_to": lapses,
    }
    tree |= _why(desk, reason, report)
    then = f"either side may propose a lease that answers it, until {lapses}"
    return Act(tree=tree, sub=demand_id, title=number, then=then)


def _why(desk: Desk, reason: str | None, report: Path | None) -> dict[str, Any]:
    """Say why, which matches carry from version 2 on."""
    rules = desk.rules
    if rules.version_of("match.proposed") < WITH_REASON:
        if reason is not None or report is not None:
            raise WrongUse(
                f"matches under rule set {rules.name} carry no reason", hint="leave out --reason and --report"
            )
        return {}
    said = {"reason": choice(reason or "fits", "--reason", REASONS)}
    return said if report is None else {**said, "report": document(report)}


@reading(app, "list", examples=("pl broker list", "pl broker list --of carol --all"))
def list_mandates(
    desk: Desk, of: MineOption = None, closed: AllOption = False, limit: LimitOption = LIMIT
) -> Sheet:
    """List the mandates in force, newest first."""
    now = desk.now
    rows = [
        row_of(key, item, status=_status(item, now))
        for key, item in things_of(desk, Mandate, of=of)
        if closed or _status(item, now) == "in force"
    ]
    columns = (
        id_column(),
        party(desk, "principal"),
        party(desk, "broker"),
        Column(title="scope", form=lambda row: ", ".join(row["scope"])),
        Column(title="commission", form=lambda row: f"{row['commission_bps'] / 100:.2f} %", right=True),
        time("until", "until"),
        text("status", "status"),
    )
    return cut("Mandates", columns, rows, limit, empty="none in force")


def _status(mandate: Mandate, now: int) -> str:
    if mandate.released_at is not None:
        return "released"
    return "in force" if mandate.until > now else "over"


@reading(app, "matches", examples=("pl broker matches",))
def list_matches(desk: Desk, closed: AllOption = False, limit: LimitOption = LIMIT) -> Sheet:
    """List what brokers brought together, newest first."""
    now = desk.now
    rows = [
        row_of(key, item, status="open" if item.valid_to > now else "lapsed")
        for key, item in things_of(desk, Match, keep=lambda _, item: closed or item.valid_to > now)
    ]
    columns = (
        id_column(),
        party(desk, "broker"),
        Column(title="demand", form=lambda row: short(row["demand"])),
        Column(title="offer", form=lambda row: short(row["offer"])),
        Column(title="why", form=lambda row: (row["reason"] or "-").replace("_", " ")),
        Column(title="report", form=lambda row: short(row["report"]) if row["report"] else "-"),
        time("lapses", "valid_to"),
        text("status", "status"),
    )
    return cut("Matches", columns, rows, limit, empty="none")
