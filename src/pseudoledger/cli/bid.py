"""`bid`: priced answers to offers and demands."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pseudoledger.cli.command import Act, Acting, acting, group, reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import find, find_any
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
from pseudoledger.cli.values import currency_code, instant_text, period, priced_line
from pseudoledger.contract.things import Bid, Demand, Mandate, Offer
from pseudoledger.statement.values import format_instant

app = group("bid", "Bids: priced answers to offers and demands.")
APPS = (app,)


NumberArgument = Annotated[str, typer.Argument(help="Your number of the bid.", show_default=False)]
LineOption = Annotated[list[str], typer.Option("--line", help="LINE=COUNT@PRICE/h; may be repeated.")]
CurrencyOption = Annotated[str, typer.Option("--currency", help="ISO 4217 code.", show_default=False)]
FromOption = Annotated[str, typer.Option("--from", help="Start of the lease.", show_default=False)]
UntilOption = Annotated[str | None, typer.Option("--until", help="End of the lease.", show_default=False)]
LengthOption = Annotated[str | None, typer.Option("--length", help="Its length, instead of --until.")]
ValidOption = Annotated[
    str | None, typer.Option("--valid-to", help="When the bid lapses; in 7 days where not said.")
]
BidArgument = Annotated[str, typer.Argument(help="Bid: id, prefix or number.", show_default=False)]


def _priced(
    desk: Desk,
    number: str,
    lines: list[str],
    *,
    currency: str,
    runs: dict[str, str],
    valid_to: str | None,
) -> dict[str, Any]:
    code = currency_code(currency, "--currency", desk.tables.exponents)
    priced = [priced_line(item, "--line", code, desk.tables.exponents) for item in lines]
    if any(item.price_micro is None for item in priced):
        raise WrongUse("--line: a bid names prices per hour", hint="for example h100=8@2.10/h")
    return {
        "number": number,
        "currency": code,
        "lines": [
            {"line": item.line, "count": item.count, "price_micro": item.price_micro} for item in priced
        ],
        "period": runs,
        "valid_to": instant_text(valid_to, "--valid-to")
        if valid_to
        else format_instant(desk.now + WEEK_SECONDS),
    }


@acting(
    app,
    "place",
    examples=(
        "pl bid place B1 --on O1 --line h100=4@2.10/h --currency USD --from 2026-03-01 --length 30d --as bob",
    ),
)
def place(
    acting: Acting,
    *,
    number: NumberArgument,
    on: Annotated[
        str, typer.Option("--on", help="Offer or demand: id, prefix or number.", show_default=False)
    ],
    line: LineOption,
    currency: CurrencyOption,
    start: FromOption,
    until: UntilOption = None,
    lasting: LengthOption = None,
    valid_to: ValidOption = None,
    mandate: Annotated[
        str | None, typer.Option("--mandate", help="Mandate under which a broker bids.", show_default=False)
    ] = None,
) -> Act:
    """Name a price for an offer or a demand; it binds nobody."""
    desk = acting.desk
    paper, _ = find_any(desk, on, Offer, Demand)
    runs = period(start, until, lasting)
    tree = {
        "type": "bid.placed",
        **_priced(desk, number, line, currency=currency, runs=runs, valid_to=valid_to),
    }
    if mandate is not None:
        tree["mandate"] = find(desk, Mandate, mandate, party=acting.party)[0]
    return Act(
        tree=tree, sub=paper, title=number, then="the other side counters, rejects, or proposes a lease"
    )


@acting(
    app,
    "counter",
    examples=(
        (
            "pl bid counter B1 --number B1-2 --line h100=4@2.20/h --currency USD --from 2026-03-01 --length 30d"
            " --as alice"
        ),
    ),
)
def counter(
    acting: Acting,
    *,
    bid: BidArgument,
    number: Annotated[str, typer.Option("--number", help="Your number of it.", show_default=False)],
    line: LineOption,
    currency: CurrencyOption,
    start: FromOption,
    until: UntilOption = None,
    lasting: LengthOption = None,
    valid_to: ValidOption = None,
) -> Act:
    """Answer a bid with another price; the turn passes back."""
    bid_id, _ = find(acting.desk, Bid, bid, party=acting.party)
    runs = period(start, until, lasting)
    tree = _priced(acting.desk, number, line, currency=currency, runs=runs, valid_to=valid_to)
    return Act(
        tree={"type": "bid.countered", **tree}, sub=bid_id, title=number, then="the turn is the other side's"
    )


@acting(app, "reject", examples=("pl bid reject B1 --as alice",))
def reject(acting: Acting, bid: BidArgument) -> Act:
    """Decline a bid that waits for you."""
    bid_id, _ = find(acting.desk, Bid, bid, party=acting.party)
    return Act(tree={"type": "bid.rejected"}, sub=bid_id, title=bid)


@acting(app, "withdraw", examples=("pl bid withdraw B1 --as bob",))
def withdraw(acting: Acting, bid: BidArgument) -> Act:
    """Take back the last price that you named."""
    bid_id, _ = find(acting.desk, Bid, bid, party=acting.party)
    return Act(tree={"type": "bid.withdrawn"}, sub=bid_id, title=bid)


@reading(app, "list", examples=("pl bid list", "pl bid list --of bob --all"))
def list_bids(
    desk: Desk, of: MineOption = None, closed: AllOption = False, limit: LimitOption = LIMIT
) -> Sheet:
    """List the bids that are open, newest first."""
    now = desk.now
    rows = []
    for key, bid in things_of(desk, Bid, of=of):
        status = "lapsed" if bid.state == "open" and bid.valid_to <= now else bid.state
        turn = bid.addressee if bid.last == bid.bidder else bid.bidder
        if closed or status == "open":
            rows.append(row_of(key, bid, status=status, turn=turn if status == "open" else ""))
    columns = (
        id_column(),
        Column(title="on", form=lambda row: short(row["on"])),
        party(desk, "bidder"),
        party(desk, "addressee"),
        party(desk, "turn"),
        time("lapses", "valid_to"),
        text("status", "status"),
    )
    return cut("Bids", columns, rows, limit, empty="none open")
