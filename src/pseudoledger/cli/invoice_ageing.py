"""`invoice ageing`: what others owe a party, by days past the due date."""

from __future__ import annotations

from dataclasses import asdict
from types import MappingProxyType
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.find import did_of, party_name
from pseudoledger.cli.invoice import app
from pseudoledger.cli.show import Column, Facts, Row, Sheet, money, when
from pseudoledger.contract.ageing import Age, Ageing, aged, receivable
from pseudoledger.contract.things import Invoice

APPS = ()

_TITLES: MappingProxyType[Age, str] = MappingProxyType(
    {
        "current": "not yet due",
        "1-30": "1-30 days",
        "31-60": "31-60 days",
        "61-90": "61-90 days",
        "91-": "over 90 days",
    }
)
"""How an age is headed: days past the due date."""


@reading(app, "ageing", examples=("pl invoice ageing --as alice", "pl invoice ageing --as alice --json"))
def ageing(
    desk: Desk,
    who: Annotated[
        str, typer.Option("--as", help="Key name, did or label.", show_default=False, metavar="NAME")
    ],
) -> Facts:
    """Say what is owed to you and since when, by currency and debtor; disputed amounts stand apart."""
    party, now = desk.book.root_of(did_of(desk, who, "--as")), desk.now
    found = [
        item
        for key, invoice in desk.book.all(Invoice)
        if invoice.issuer == party and (item := receivable(key, invoice, now)) is not None
    ]
    whole = aged(found, lambda item: item.currency)
    apart = aged(found, lambda item: (item.currency, item.debtor))
    currencies: list[dict[str, Any]] = []
    for currency, sums in sorted(whole.items()):
        debtors = [
            {"debtor": debtor, **_row(own)} for (of, debtor), own in sorted(apart.items()) if of == currency
        ]
        currencies.append({"currency": currency, **_row(sums), "debtors": debtors})
    invoices = sorted((asdict(item) for item in found), key=lambda row: (-row["days"], row["id"]))
    value = {"party": party, "as_of": now, "currencies": currencies, "invoices": invoices}
    facts = [
        ("as of", f"{when(now)} UTC"),
        ("invoices", str(len(found))),
        *(
            ("due", money(sums.due_minor, currency, desk.tables.exponents))
            for currency, sums in sorted(whole.items())
        ),
    ]
    return Facts(
        title=f"Owed to {party_name(desk, party)}, by days past the due date",
        facts=facts,
        value=value,
        sheets=[_sheet(desk, item) for item in currencies],
    )


def _row(sums: Ageing) -> dict[str, Any]:
    return {
        "ages": [asdict(bucket) for bucket in sums.buckets],
        "due_minor": sums.due_minor,
        "disputed_count": sums.disputed_count,
        "disputed_minor": sums.disputed_minor,
    }


def _sheet(desk: Desk, item: dict[str, Any]) -> Sheet:
    currency = item["currency"]

    def sum_of(minor: int) -> str:
        return money(minor, currency, desk.tables.exponents) if minor else "-"

    def at(place: int) -> Column:
        bucket = item["ages"][place]
        return Column(
            title=_TITLES[bucket["age"]], form=lambda row: sum_of(row["ages"][place]["due_minor"]), right=True
        )

    def debtor(row: Row) -> str:
        return party_name(desk, row["debtor"]) if "debtor" in row else "all"

    columns = (
        Column(title="debtor", form=debtor),
        *(at(place) for place in range(len(item["ages"]))),
        Column(title="due in all", form=lambda row: sum_of(row["due_minor"]), right=True),
        Column(title="disputed", form=lambda row: sum_of(row["disputed_minor"]), right=True),
    )
    return Sheet(title=f"In {currency}", columns=columns, rows=[*item["debtors"], item])
