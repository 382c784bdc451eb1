"""`market match`: which offers fit a demand, best first, and why the others do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.find import find, party_name, unknown_of
from pseudoledger.cli.listing import LimitOption, MineOption, things_of
from pseudoledger.cli.market import app
from pseudoledger.cli.show import Column, Facts, Row, Sheet, price, short
from pseudoledger.contract.things import Demand, Offer
from pseudoledger.market.board import open_needs, open_supplies
from pseudoledger.market.matching import Acceptable, Matched
from pseudoledger.market.matching import match as pair

APPS = ()

SHOWN = 20


@reading(app, "match", examples=("pl market match D1", "pl market match --of bob --json", "pl market match"))
def match(
    desk: Desk,
    demands: Annotated[
        list[str] | None, typer.Argument(help="Demands: id, prefix or number; all that stand if none.")
    ] = None,
    of: MineOption = None,
    limit: LimitOption = SHOWN,
) -> Facts:
    """Pair demands with offers: what fits, cheapest first, and why every other offer does not."""
    wanted = {find(desk, Demand, text)[0] for text in demands or ()}
    if of is not None:
        mine = {key for key, _ in things_of(desk, Demand, of=of)}
        wanted = wanted & mine if demands else mine
    needs = [
        need
        for need in open_needs(desk.book, desk.now)
        if not (demands or of is not None) or need.id in wanted
    ]
    found = pair(needs, open_supplies(desk.book, desk.now), exponents=desk.tables.exponents)
    sheets = [sheet for item in found for sheet in _sheets(desk, item, limit)]
    value = {"demands": [_value(desk, item) for item in found]}
    fitting = sum(1 for item in found if item.acceptable)
    facts = [("demands", f"{len(found)}, of which {fitting} can be met")]
    return Facts(title="Matching", facts=facts, value=value, sheets=sheets)


def _value(desk: Desk, item: Matched) -> dict[str, Any]:
    demand = desk.book.get(Demand, item.demand)
    return {
        "demand": item.demand,
        "unknown": unknown_of(desk, demand.lessee) if demand is not None else [],
        "acceptable": [
            {
                **asdict(one),
                "lines": [line.model_dump(mode="json") for line in one.lines],
                "period": one.period.model_dump(mode="json"),
                "notes": [asdict(note) for note in one.notes],
                "unknown": _unknown_lessor(desk, one.offer),
            }
            for one in item.acceptable
        ],
        "rejected": [
            {"offer": one.offer, "reasons": [asdict(reason) for reason in one.reasons]}
            for one in item.rejected
        ],
    }


def _unknown_lessor(desk: Desk, offer_id: str) -> list[dict[str, str]]:
    offer = desk.book.get(Offer, offer_id)
    return unknown_of(desk, offer.lessor) if offer is not None else []


def _codes(unknown: Sequence[dict[str, str]]) -> str:
    """Write what is not known in short: the codes without their families."""
    return ", ".join(item["code"].partition(".")[2] for item in unknown)


def _sheets(desk: Desk, item: Matched, limit: int) -> Sequence[Sheet]:
    demand = desk.book.get(Demand, item.demand)
    name = demand.payload.number if demand is not None else short(item.demand)
    by = f" of {party_name(desk, demand.lessee)}" if demand is not None else ""
    silent = _codes(unknown_of(desk, demand.lessee)) if demand is not None else ""
    fits = [
        {
            "id": one.offer,
            "takes": _taken(one),
            "hour": price(one.hour_micro, one.currency),
            "total": price(one.total_micro, one.currency).removesuffix("/h"),
            "notes": "; ".join(note.message for note in one.notes),
            "unknown": _codes(_unknown_lessor(desk, one.offer)),
        }
        for one in item.acceptable
    ]
    others = [
        {"id": one.offer, "why": "\n".join(f"{reason.code}: {reason.message}" for reason in one.reasons)}
        for one in item.rejected
    ]
    return (
        _cut(
            f"Demand {name}{by}: offers that fit",
            _fit_columns(desk),
            fits,
            limit,
            also=f"not known of the lessee: {silent}" if silent else "",
        ),
        _cut(f"Demand {name}: offers that do not", _other_columns(desk), others, limit),
    )


def _taken(one: Acceptable) -> str:
    """Write what is taken of each line of an offer, as `lease propose --line` wants it."""
    counts = Counter[str]()
    for line in one.lines:
        counts[line.offer_line] += line.count
    return ", ".join(f"{line}={count}" for line, count in counts.items())


def _cut(
    title: str, columns: tuple[Column, ...], rows: list[dict[str, Any]], limit: int, *, also: str = ""
) -> Sheet:
    left = len(rows) - limit
    more = f"{left} more; --limit {len(rows)} shows them" if left > 0 else ""
    note = "; ".join(item for item in (more, also) if item)
    return Sheet(title=title, columns=columns, rows=rows[:limit], note=note, empty="none")


def _offer_columns(desk: Desk) -> tuple[Column, ...]:
    def number(row: Row) -> str:
        offer = desk.book.get(Offer, row["id"])
        return offer.payload.number if offer is not None else ""

    def lessor(row: Row) -> str:
        offer = desk.book.get(Offer, row["id"])
        return party_name(desk, offer.lessor) if offer is not None else ""

    return (
        Column(title="id", form=lambda row: short(row["id"])),
        Column(title="offer", form=number),
        Column(title="lessor", form=lessor),
    )


def _fit_columns(desk: Desk) -> tuple[Column, ...]:
    return (
        *_offer_columns(desk),
        Column(title="takes", form=lambda row: row["takes"], wide=True),
        Column(title="an hour", form=lambda row: row["hour"], right=True),
        Column(title="in all", form=lambda row: row["total"], right=True),
        Column(title="unstated", form=lambda row: row["notes"], wide=True),
        Column(title="not known of the lessor", form=lambda row: row["unknown"], wide=True),
    )


def _other_columns(desk: Desk) -> tuple[Column, ...]:
    return (*_offer_columns(desk), Column(title="why not", form=lambda row: row["why"], wide=True))
