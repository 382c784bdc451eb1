"""`quota`: what an organisation allots itself, what was drawn, and what it has committed to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import Act, Acting, acting, group, reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import did_of, find, party_name
from pseudoledger.cli.listing import (
    LIMIT,
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
from pseudoledger.cli.listing import (
    amount as money_column,
)
from pseudoledger.cli.show import Column, Facts, Sheet, hours, money, when
from pseudoledger.cli.values import amount, period, unit_seconds
from pseudoledger.contract.commitment import Budget, budgets, loose
from pseudoledger.contract.things import Lease
from pseudoledger.contract.things.capital import Draw, Quota

app = group("quota", "Quotas: what an organisation allots itself, and what was drawn on it.")
APPS = (app,)

HoursOption = Annotated[
    str | None, typer.Option("--hours", help="In unit-hours of chips.", show_default=False)
]
MoneyOption = Annotated[
    str | None, typer.Option("--money", help="In money, e.g. '20000 EUR'.", show_default=False)
]


def _measured(desk: Desk, said_hours: str | None, said_money: str | None) -> dict[str, Any]:
    if (said_hours is None) == (said_money is None):
        raise WrongUse("a quota is either in hours or in money", hint="give --hours or --money")
    if said_hours is not None:
        return {"chip_seconds": unit_seconds(said_hours, "--hours")}
    found = amount(said_money or "", "--money", desk.tables.exponents)
    return {"currency": found.currency, "amount_minor": found.minor}


@acting(
    app,
    "set",
    examples=(
        "pl quota set Q1 --hours 5000 --from 2026-03-01 --until 2026-06-01 --label 'vision team' --as lab",
        "pl quota set Q2 --money '20000 EUR' --drawer vision --from 2026-03-01 --length 30d --as lab",
    ),
)
def set_quota(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of the quota.", show_default=False)],
    start: Annotated[str, typer.Option("--from", help="Start.", show_default=False)],
    until: Annotated[str | None, typer.Option("--until", help="End.", show_default=False)] = None,
    lasting: Annotated[str | None, typer.Option("--length", help="Length, instead of --until.")] = None,
    said_hours: HoursOption = None,
    said_money: MoneyOption = None,
    drawer: Annotated[
        str | None, typer.Option("--drawer", help="Who else may draw: key name, did or label.")
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", help="What it is for; sealed.", show_default=False)
    ] = None,
) -> Act:
    """Allot so much of compute or money for a time; what needs more is another quota."""
    desk = acting.desk
    tree = {"type": "quota.set", "number": number, "period": period(start, until, lasting)}
    tree |= _measured(desk, said_hours, said_money)
    tree |= {"drawer": did_of(desk, drawer, "--drawer")} if drawer else {}
    tree |= {"label": label} if label else {}
    return Act(tree=tree, title=number, then=f"pl quota draw {number} NUMBER --lease LEASE …")


@acting(
    app,
    "draw",
    examples=(
        "pl quota draw Q1 D1 --lease L1 --hours 1440 --as lab",
        "pl quota draw Q2 D2 --lease L1 --money '3218.40 EUR' --as vision",
    ),
)
def draw(
    acting: Acting,
    *,
    quota: Annotated[str, typer.Argument(help="Quota: id, prefix or number.", show_default=False)],
    number: Annotated[str, typer.Argument(help="Your number of the draw.", show_default=False)],
    lease: Annotated[str, typer.Option("--lease", help="Lease that it is for.", show_default=False)],
    said_hours: HoursOption = None,
    said_money: MoneyOption = None,
) -> Act:
    """Put a part of a quota to a lease; refused beyond what is left."""
    desk = acting.desk
    ref, found = find(desk, Quota, quota, party=acting.party)
    drawn = _measured(desk, said_hours, said_money)
    tree = {"type": "quota.drawn", "number": number, **drawn}
    tree["lease"] = find(desk, Lease, lease, party=acting.party)[0]
    left = found.left - (drawn.get("chip_seconds", drawn.get("amount_minor", 0)))
    then = f"{measure(desk, left, found.currency)} of {measure(desk, found.limit, found.currency)} are left"
    return Act(tree=tree, sub=ref, title=number, then=then)


def measure(desk: Desk, value: int, currency: str | None) -> str:
    """Write an amount in the measure of a quota: hours of chips, or money."""
    return hours(value) if currency is None else money(value, currency, desk.tables.exponents)


@reading(app, "list", examples=("pl quota list", "pl quota list --of lab --all --json"))
def list_quotas(
    desk: Desk, of: MineOption = None, closed: AllOption = False, limit: LimitOption = LIMIT
) -> Sheet:
    """List quotas whose time is not over, newest first, with what was drawn and what is left."""
    draws: dict[str, list[dict[str, Any]]] = {}
    for key, item in sorted(desk.book.all(Draw), key=lambda found: found[1].entry):
        draws.setdefault(item.quota, []).append(row_of(key, item))
    rows = [
        row_of(key, quota, left=quota.left, draws=draws.get(key, []))
        for key, quota in things_of(desk, Quota, of=of)
        if closed or quota.until > desk.now
    ]

    def measured(title: str, name: str) -> Column:
        return Column(title=title, form=lambda row: measure(desk, row[name], row["currency"]), right=True)

    columns = (
        id_column(),
        text("number", "number"),
        party(desk, "organisation"),
        Column(title="drawer", form=lambda row: party_name(desk, row["drawer"]) if row["drawer"] else "-"),
        time("from", "start"),
        time("until", "until"),
        measured("quota", "limit"),
        measured("drawn", "drawn"),
        measured("left", "left"),
        Column(title="draws", form=lambda row: str(len(row["draws"])), right=True),
    )
    return cut("Quotas", columns, rows, limit, empty="none; pl quota set makes one")


@reading(app, "budget", examples=("pl quota budget lab", "pl quota budget lab --json"))
def budget(
    desk: Desk,
    who: Annotated[
        str,
        typer.Argument(metavar="ORGANISATION", help="Key name, did or label.", show_default=False),
    ],
) -> Facts:
    """Put an organisation's quotas beside what its leases commit it to, and name leases that draw on none."""
    root = desk.book.root_of(did_of(desk, who, "ORGANISATION"))
    found = budgets(desk.book, desk.tables, root)
    others = [asdict(item) for item in loose(desk.book, desk.tables, root, desk.now)]
    rows = [_budget(item) for item in found]
    value = {"organisation": root, "as_of": desk.now, "quotas": rows, "without_quota": others}
    facts = [
        ("organisation", party_name(desk, root)),
        ("as of", f"{when(desk.now)} UTC"),
        ("quotas", str(len(rows))),
        ("too small", f"{sum(item.beyond > 0 for item in found)} of them, for what their leases come to"),
        ("without", f"{len(others)} open leases draw on no quota"),
    ]
    return Facts(
        title="Budgets against commitments",
        facts=facts,
        value=value,
        sheets=(_budget_sheet(desk, rows), _loose_sheet(desk, others)),
    )


def _budget(item: Budget) -> dict[str, Any]:
    leases = [asdict(lease) | {"uncovered": lease.uncovered} for lease in item.leases]
    more = {"committed": item.committed, "left": item.left, "beyond": item.beyond, "leases": leases}
    return {**{name: value for name, value in asdict(item).items() if name != "leases"}, **more}


def _budget_sheet(desk: Desk, rows: list[dict[str, Any]]) -> Sheet:
    def measured(title: str, name: str) -> Column:
        return Column(title=title, form=lambda row: measure(desk, row[name], row["currency"]), right=True)

    columns = (
        text("quota", "number"),
        time("from", "start"),
        time("until", "until"),
        measured("quota", "limit"),
        measured("drawn", "drawn"),
        measured("left", "left"),
        measured("committed", "committed"),
        measured("beyond", "beyond"),
        Column(title="leases", form=lambda row: ", ".join(item["number"] for item in row["leases"]) or "-"),
    )
    return Sheet(title="Quotas", columns=columns, rows=rows, empty="none set")


def _loose_sheet(desk: Desk, rows: list[dict[str, Any]]) -> Sheet:
    columns = (
        text("lease", "number"),
        party(desk, "lessee"),
        Column(title="chip-hours", form=lambda row: hours(row["chip_seconds"]), right=True),
        money_column(desk, "whole price", "amount_minor"),
    )
    return Sheet(title="Open leases without a quota", columns=columns, rows=rows, empty="none")
