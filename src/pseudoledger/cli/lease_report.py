"""`lease endings|concentration`: what the leases of a ledger or of a party amount to, taken together."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from typing import Annotated, Any, get_args

import typer

from pseudoledger.cli.command import reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.find import did_of, party_name
from pseudoledger.cli.lease import app
from pseudoledger.cli.listing import (
    LIMIT,
    LimitOption,
    MineOption,
    amount,
    cut,
    id_column,
    party,
    text,
    time,
)
from pseudoledger.cli.show import Column, Facts, Sheet, hours, when
from pseudoledger.cli.values import choice, instant
from pseudoledger.contract.concentration import Basis, Concentration, Index, concentration
from pseudoledger.contract.endings import causes, endings
from pseudoledger.contract.things import Lease
from pseudoledger.market.tables import load_tables

APPS = ()

END_OF_TIME = 253_402_300_799
"""Last second of the year 9999."""
DIGITS = 6
"""Decimals with which people are shown a fraction."""


@reading(app, "endings", examples=("pl lease endings", "pl lease endings --of alice --json"))
def show_endings(desk: Desk, of: MineOption = None, limit: LimitOption = LIMIT) -> Facts:
    """Show which leases ended early or are about to, by whose doing and for what reason, newest first."""
    who = desk.book.root_of(did_of(desk, of, "--of")) if of is not None else None
    found = [
        item
        for item in endings(desk.book, desk.now)
        if who is None or who in {desk.book.root_of(item.lessor), desk.book.root_of(item.lessee)}
    ]
    counted = [asdict(item) for item in causes(found)]
    rows = [{"id": item.lease, **asdict(item)} for item in found]
    columns = (
        id_column(),
        text("number", "number"),
        party(desk, "lessor"),
        party(desk, "lessee"),
        Column(title="by", form=lambda row: row["role"] + (" (notice runs)" if row["announced"] else "")),
        Column(title="code", form=lambda row: str(row["code"]), right=True),
        text("reason", "reason"),
        time("at", "at"),
        time("instead of", "until"),
        Column(title="chip-hours left", form=lambda row: hours(row["chip_seconds"]), right=True),
        amount(desk, "fee", "fee_minor"),
    )
    by_reason = (
        text("by", "role"),
        Column(title="code", form=lambda row: str(row["code"]), right=True),
        text("reason", "reason"),
        Column(title="leases", form=lambda row: str(row["count"]), right=True),
        Column(title="chip-hours left", form=lambda row: hours(row["chip_seconds"]), right=True),
    )
    return Facts(
        title=f"Early endings as of {when(desk.now)} UTC",
        facts=[
            ("ended", str(sum(not item.announced for item in found))),
            ("notice runs", str(sum(item.announced for item in found))),
        ],
        value={"as_of": desk.now, "causes": counted, "endings": rows},
        sheets=(
            Sheet(title="By reason", columns=by_reason, rows=counted, empty="none"),
            cut("Leases", columns, rows, limit, empty="none"),
        ),
    )


@reading(
    app,
    "concentration",
    examples=(
        "pl lease concentration",
        "pl lease concentration --of bob --by used --from 2026-03-01 --until 2026-04-01 --json",
    ),
)
def show_concentration(
    desk: Desk,
    of: MineOption = None,
    by: Annotated[str, typer.Option("--by", help="leased: what was agreed; used: agreed usage.")] = "leased",
    start: Annotated[str | None, typer.Option("--from", help="Start of the time that counts.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="End of it.")] = None,
) -> Facts:
    """Show how much chip-time hangs on few vendors and countries of origin: the Herfindahl index, exactly."""
    who = desk.book.root_of(did_of(desk, of, "--of")) if of is not None else None
    basis: Basis = "used" if choice(by, "--by", get_args(Basis)) == "used" else "leased"
    leases = [
        (ref, lease)
        for ref, lease in desk.book.all(Lease)
        if lease.signed_at is not None
        and (who is None or who in {desk.book.root_of(lease.lessor), desk.book.root_of(lease.lessee)})
    ]
    found = concentration(
        desk.book,
        {chip.id: chip.vendor for chip in load_tables().chips.values()},
        leases,
        basis=basis,
        start=instant(start, "--from") if start else 0,
        until=instant(until, "--until") if until else END_OF_TIME,
        now=desk.now,
    )
    facts = [
        ("of", party_name(desk, who) if who else "all leases of the ledger"),
        ("leases", str(found.leases)),
        ("chip-time", f"{hours(int(found.chip_seconds))} of the reference chip, {basis}"),
        ("by vendor", _bounds(found.by_vendor)),
        ("by origin", _bounds(found.by_origin)),
    ]
    return Facts(
        title=f"Concentration as of {when(desk.now)} UTC",
        facts=facts,
        value=_json(found, who, desk.now),
        sheets=(_shares("Vendors", found.by_vendor), _shares("Countries of origin", found.by_origin)),
        note="Origins are those that claims of the type chip_inventory tell of a pool; the rest is unknown.",
    )


def decimal(value: Fraction) -> str:
    """Write a fraction from 0 to 1 with six decimals, rounded half to even; JSON has it exactly."""
    scaled = round(value * 10**DIGITS)
    return f"{scaled // 10**DIGITS}.{scaled % 10**DIGITS:0{DIGITS}}"


def _bounds(index: Index) -> str:
    if not index.shares:
        return "no chip-time"
    if index.least == index.most:
        return decimal(index.least)
    return f"{decimal(index.least)} to {decimal(index.most)}: a part is unknown"


def _exact(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


def _index(index: Index) -> dict[str, Any]:
    shares = [
        {"name": item.name or None, "chip_seconds": _exact(item.chip_seconds), "share": _exact(item.share)}
        for item in index.shares
    ]
    return {"least": _exact(index.least), "most": _exact(index.most), "shares": shares}


def _json(found: Concentration, who: str | None, now: int) -> dict[str, Any]:
    return {
        "of": who,
        "as_of": now,
        "basis": found.basis,
        "from": found.start or None,
        "until": found.until if found.until != END_OF_TIME else None,
        "leases": found.leases,
        "chip_seconds": _exact(found.chip_seconds),
        "by_vendor": _index(found.by_vendor),
        "by_origin": _index(found.by_origin),
    }


def _shares(title: str, index: Index) -> Sheet:
    rows = [
        {"name": item.name or "unknown", "hours": int(item.chip_seconds), "share": decimal(item.share)}
        for item in index.shares
    ]
    columns = (
        text("name", "name"),
        Column(title="chip-hours", form=lambda row: hours(row["hours"]), right=True),
        Column(title="share", form=lambda row: row["share"], right=True),
    )
    return Sheet(title=title, columns=columns, rows=rows, empty="none")
