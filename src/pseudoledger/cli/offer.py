"""`offer`: standing supply at a price."""

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
from pseudoledger.cli.show import Column, Row, Sheet, money, price
from pseudoledger.cli.values import (
    choice,
    currency_code,
    length,
    period,
    priced_line,
)
from pseudoledger.cli.values import (
    country as country_code,
)
from pseudoledger.contract.derive import offer_status
from pseudoledger.contract.things import Offer, Pool

app = group("offer", "Offers: standing supply at a price.")
APPS = (app,)


@acting(
    app,
    "publish",
    examples=(
        (
            "pl offer publish O1 --pool P1 --line h100=8@2.235/h --currency USD --country DE"
            " --from 2026-03-01 --until 2026-12-31 --as alice"
        ),
        (
            "pl offer publish O2 --pool P1 --line h100=8@1.90/h --basis reserved --currency EUR --country FI"
            " --subdivision FI-18 --min 7d --max 90d --from 2026-03-01 --length 180d --as alice"
        ),
    ),
)
def publish(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of the offer.", show_default=False)],
    pool: Annotated[str, typer.Option("--pool", help="Pool: id, prefix or number.", show_default=False)],
    line: Annotated[
        list[str], typer.Option("--line", help="POOL-LINE=COUNT@PRICE/h, or POOL-LINE=COUNT@FEE once.")
    ],
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217 code.", show_default=False)],
    country: Annotated[
        str, typer.Option("--country", help="ISO 3166-1 code; ZZ unknown.", show_default=False)
    ],
    start: Annotated[str, typer.Option("--from", help="Available from.", show_default=False)],
    until: Annotated[str | None, typer.Option("--until", help="Available until.", show_default=False)] = None,
    lasting: Annotated[
        str | None, typer.Option("--length", help="Available for so long, instead of --until.")
    ] = None,
    basis: Annotated[str, typer.Option("--basis", help="metered or reserved.")] = "metered",
    shortest: Annotated[str, typer.Option("--min", help="Shortest lease.")] = "1h",
    longest: Annotated[str | None, typer.Option("--max", help="Longest lease; 365d where not said.")] = None,
    subdivision: Annotated[
        str | None, typer.Option("--subdivision", help="ISO 3166-2 code.", show_default=False)
    ] = None,
    site: Annotated[str | None, typer.Option("--site", help="Site; sealed.", show_default=False)] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", help="Who owns the facility; sealed.", show_default=False)
    ] = None,
    operator: Annotated[
        str | None, typer.Option("--operator", help="Who operates it; sealed.", show_default=False)
    ] = None,
) -> Act:
    """Publish an offer: lines of a pool at a tariff, at one facility."""
    desk = acting.desk
    choice(basis, "--basis", ("metered", "reserved"))
    code = currency_code(currency, "--currency", desk.tables.exponents)
    pool_id, stock = find(desk, Pool, pool, party=acting.party)
    priced = [priced_line(item, "--line", code, desk.tables.exponents) for item in line]
    facility = {
        "country": country_code(country, "--country"),
        "subdivision": subdivision.upper() if subdivision else None,
        "site": site,
        "owner": owner,
        "operator": operator,
    }
    tree = {
        "type": "offer.published",
        "number": number,
        "pool": pool_id,
        "lines": [_line(stock, item.line, item.count) for item in priced],
        "facility": {name: fact for name, fact in facility.items() if fact is not None},
        "tariff": {"currency": code, "lines": [item.rate(basis) for item in priced]},
        "length_min": length(shortest, "--min"),
        "length_max": length(longest or "365d", "--max"),
        "available": period(start, until, lasting),
    }
    return Act(tree=tree, title=number, then="lessees can bid on it or propose a lease that takes it up")


def _line(pool: Pool, line: str, count: int) -> dict[str, Any]:
    stock = pool.lines.get(line)
    if stock is None:
        raise WrongUse(
            f"--line: the pool has no line {line!r}", hint=f"its lines are {', '.join(pool.lines)}"
        )
    chip = {"chip": stock.chip} if stock.chip else {}
    return {"id": line, "pool_line": line, "count": count, "resource": stock.resource, **chip}


@acting(app, "withdraw", examples=("pl offer withdraw O1 --as alice",))
def withdraw(
    acting: Acting,
    *,
    offer: Annotated[str, typer.Argument(help="Offer: id, prefix or number.", show_default=False)],
) -> Act:
    """Take an offer back; leases under it stand."""
    offer_id, thing = find(acting.desk, Offer, offer, party=acting.party)
    return Act(
        tree={"type": "offer.withdrawn"},
        sub=offer_id,
        title=thing.payload.number,
        then="leases under it stand",
    )


@reading(app, "list", examples=("pl offer list", "pl offer list --of alice --all"))
def list_offers(
    desk: Desk, of: MineOption = None, closed: AllOption = False, limit: LimitOption = LIMIT
) -> Sheet:
    """List the offers that stand, newest first."""
    now = desk.now
    rows = [
        row_of(key, offer, status=offer_status(offer, now))
        for key, offer in things_of(desk, Offer, of=of)
        if closed or offer_status(offer, now) == "open"
    ]
    columns = (
        id_column(),
        Column(title="number", form=lambda row: row["payload"]["number"]),
        party(desk, "lessor"),
        Column(title="offers", form=lambda row: lines_text(row["payload"]["lines"]), wide=True),
        Column(title="price", form=lambda row: _prices(desk, row), right=True),
        Column(title="place", form=_place),
        Column(title="until", form=lambda row: row["payload"]["available"]["until"][:10]),
        *((text("status", "status"),) if closed else ()),
    )
    return cut("Offers", columns, rows, limit, empty="none stand; pl offer publish makes one")


def _prices(desk: Desk, row: Row) -> str:
    """Write the prices that are not zero: what comes with a chip is often free."""
    tariff = row["payload"]["tariff"]
    currency, exponents = tariff["currency"], desk.tables.exponents
    said = [
        f"{money(rate['fee_minor'], currency, exponents)} once"
        if "fee_minor" in rate
        else price(rate["price_micro"], currency)
        for rate in tariff["lines"]
        if rate.get("fee_minor") or rate.get("price_micro")
    ]
    return "\n".join(said) or "free"


def _place(row: Row) -> str:
    facility = row["payload"]["facility"]
    return str(facility.get("subdivision") or facility["country"])
