"""`demand`: standing need."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pseudoledger.cli.command import Act, Acting, acting, group, reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import find
from pseudoledger.cli.listing import (
    LIMIT,
    AllOption,
    LimitOption,
    MineOption,
    cut,
    id_column,
    lines_text,
    party,
    row_of,
    text,
    things_of,
)
from pseudoledger.cli.show import Column, Row, Sheet, price
from pseudoledger.cli.values import choice, currency_code, demand_line, length, period, residency
from pseudoledger.cli.values import price as read_price
from pseudoledger.contract.derive import demand_status
from pseudoledger.contract.things import Demand
from pseudoledger.market.dispatch.distance import load_distances
from pseudoledger.statement.kinds.market import KM_MAX
from pseudoledger.statement.values import say_length

app = group("demand", "Demands: standing need.")
APPS = (app,)

WITH_NEAR = 2
"""First version of a demand that may carry a distance limit."""
PURPOSES = ("train", "infer", "other")


@acting(
    app,
    "publish",
    examples=(
        (
            "pl demand publish D1 --line 'gpu=8xnvidia-h100-sxm5-80gb|nvidia-h200-sxm-141gb' --length 30d"
            " --from 2026-03-01 --until 2026-06-01 --ceiling '20.00 USD/h' --purpose train --as bob"
        ),
        (
            "pl demand publish D3 --line gpu=4xnvidia-h200-sxm-141gb --length 14d --from 2026-03-01"
            " --until 2026-04-01 --near FI --max-km 1500 --as bob"
        ),
        (
            "pl demand publish D2 --line cpu=16xcpu_core --line ram=64xmemory_gib --length 7d --from 2026-03-01"
            " --until 2026-04-01 --place DE --place FR --residency patients=DE --as bob"
        ),
    ),
)
def publish(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of the demand.", show_default=False)],
    line: Annotated[
        list[str], typer.Option("--line", help="ID=COUNTxRESOURCE; alternatives are set apart by |.")
    ],
    lasting: Annotated[str, typer.Option("--length", help="How long the lease runs.", show_default=False)],
    start: Annotated[str, typer.Option("--from", help="Earliest start.", show_default=False)],
    until: Annotated[str, typer.Option("--until", help="Latest end.", show_default=False)],
    ceiling: Annotated[
        str | None,
        typer.Option("--ceiling", help="Most for one hour of all lines, e.g. '20.00 USD/h'."),
    ] = None,
    purpose: Annotated[str, typer.Option("--purpose", help="train, infer or other.")] = "other",
    place: Annotated[
        list[str] | None, typer.Option("--place", help="Country that would do; anywhere where not said.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option("--residency", help="DATASET=DE,FR: where a data set may be.")
    ] = None,
    near: Annotated[
        str | None, typer.Option("--near", help="Place from which --max-km counts, such as FI or US-VA.")
    ] = None,
    max_km: Annotated[
        int | None, typer.Option("--max-km", min=0, max=KM_MAX, help="Farthest distance, in km.")
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", help="Your own name for it; sealed.", show_default=False)
    ] = None,
) -> Act:
    """Publish a demand: so many of any of some alternatives, within a window."""
    choice(purpose, "--purpose", PURPOSES)
    tables = acting.desk.tables
    tree: dict[str, Any] = {
        "type": "demand.published",
        "number": number,
        "lines": [demand_line(item, at, "--line", tables) for at, item in enumerate(line, 1)],
        "window": period(start, until, None),
        "length": length(lasting, "--length"),
        "purpose": purpose,
        "places": [code.upper() for code in place or ()],
        "residency": [residency(item, "--residency") for item in where or ()],
    }
    if ceiling is not None:
        micro, code = read_price(ceiling, "--ceiling")
        if code is None:
            raise WrongUse("--ceiling: say the currency too", hint="for example '20.00 USD/h'")
        currency_code(code, "--ceiling", tables.exponents)
        tree["ceiling"] = {"currency": code, "hour_micro": micro}
    if near is not None or max_km is not None:
        tree["near"] = _near(acting.desk, near, max_km)
    if label:
        tree["label"] = label
    return Act(tree=tree, title=number, then=f"pl market match {number} shows which offers fit")


def _near(desk: Desk, near: str | None, max_km: int | None) -> dict[str, Any]:
    """Read a distance limit, which demands carry from version 2 on."""
    if near is None or max_km is None:
        raise WrongUse("--near and --max-km belong together")
    rules = desk.rules
    if rules.version_of("demand.published") < WITH_NEAR:
        raise WrongUse(
            f"demands under rule set {rules.name} carry no distance",
            hint="leave out --near and --max-km; a dispatcher can set limits with pl market dispatch --limits",
        )
    place = near.strip().upper()
    if not load_distances().knows(place):
        raise WrongUse(
            f"--near: {near!r} is no place that the table of coordinates knows",
            hint="name a country such as FI or a subdivision such as US-VA",
        )
    return {"country": place[:2], **({"subdivision": place} if "-" in place else {}), "km_max": max_km}


@acting(app, "close", examples=("pl demand close D1 --as bob",))
def close(
    acting: Acting,
    *,
    demand: Annotated[str, typer.Argument(help="Demand: id, prefix or number.", show_default=False)],
) -> Act:
    """Say that you no longer look."""
    demand_id, thing = find(acting.desk, Demand, demand, party=acting.party)
    return Act(tree={"type": "demand.closed"}, sub=demand_id, title=thing.payload.number)


@reading(app, "list", examples=("pl demand list", "pl demand list --of bob --all"))
def list_demands(
    desk: Desk, of: MineOption = None, closed: AllOption = False, limit: LimitOption = LIMIT
) -> Sheet:
    """List the demands that stand, newest first."""
    now = desk.now
    rows = [
        row_of(key, demand, status=demand_status(demand, now))
        for key, demand in things_of(desk, Demand, of=of)
        if closed or demand_status(demand, now) == "open"
    ]
    columns = (
        id_column(),
        Column(title="number", form=lambda row: row["payload"]["number"]),
        party(desk, "lessee"),
        Column(title="needs", form=lambda row: lines_text(row["payload"]["lines"]), wide=True),
        Column(title="ceiling", form=_ceiling, right=True),
        Column(title="length", form=lambda row: say_length(row["payload"]["length"])),
        *((Column(title="near", form=_near_text),) if any("near" in row["payload"] for row in rows) else ()),
        Column(title="until", form=lambda row: row["payload"]["window"]["until"][:10]),
        *((text("status", "status"),) if closed else ()),
    )
    return cut("Demands", columns, rows, limit, empty="none stand; pl demand publish makes one")


def _ceiling(row: Row) -> str:
    ceiling = row["payload"].get("ceiling")
    return price(ceiling["hour_micro"], ceiling["currency"]) if ceiling else "-"


def _near_text(row: Row) -> str:
    near = row["payload"].get("near")
    return f"{near.get('subdivision') or near['country']} +{near['km_max']} km" if near else "-"
