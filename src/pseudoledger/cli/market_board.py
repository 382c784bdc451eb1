"""`market board|federate|federated`: what is open, here and on other ledgers whose exports were verified."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pseudoledger.cli.command import JsonOption, LedgerOption, plain, reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import party_name
from pseudoledger.cli.listing import LIMIT, LimitOption, cut, id_column, lines_text, row_of, text
from pseudoledger.cli.market import app
from pseudoledger.cli.show import Column, Facts, Row, Sheet, money, present, price, progress, short_did, when
from pseudoledger.cli.values import choice, currency_code
from pseudoledger.cli.values import did as did_value
from pseudoledger.cli.values import price as read_price
from pseudoledger.contract.book import Book
from pseudoledger.market.search import Search, Sort, free_of, list_demands, list_offers

if TYPE_CHECKING:
    from pseudoledger.node.federation import Federated

APPS = ()

SORTS: dict[str, Sort] = {"price": "price", "newest": "newest", "ends": "ends"}


@reading(
    app,
    "board",
    examples=(
        "pl market board",
        "pl market board --chip nvidia-h100-sxm5-80gb --country FI --price '2.50 USD/h' --json",
        "pl market board --text north --sort ends --own",
    ),
)
def board(
    desk: Desk,
    *,
    chip: Annotated[str, typer.Option("--chip", help="Only what has or would take this chip.")] = "",
    country: Annotated[str, typer.Option("--country", help="Country or subdivision.")] = "",
    price_max: Annotated[
        str | None, typer.Option("--price", help="Offers at most so dear a unit, e.g. '2.50 USD/h'.")
    ] = None,
    currency: Annotated[str | None, typer.Option("--currency", help="Only what is priced in it.")] = None,
    wanted: Annotated[str, typer.Option("--text", help="Part of an id, number, party or resource.")] = "",
    sort: Annotated[str, typer.Option("--sort", help="Offers by price, newest or ends.")] = "price",
    own: Annotated[bool, typer.Option("--own", help="Leave out the listings of other ledgers.")] = False,
    limit: LimitOption = LIMIT,
) -> Facts:
    """List the offers and demands that are open as of the last block, with those of federated ledgers marked."""
    order = SORTS[choice(sort, "--sort", SORTS)]
    search = _search(desk, price_max, currency, Search(chip=chip, country=country.upper(), text=wanted))
    offers = _offers(desk, desk.book, search, order, None)
    demands = _demands(desk, desk.book, search, order, None)
    others = []
    for item, book in _federated(desk) if not own else ():
        others.append(item)
        offers += _offers(desk, book, search, order, item)
        demands += _demands(desk, book, search, order, item)
    if order == "price":
        # Our own come first where prices are equal; the newest of two ledgers cannot be compared.
        offers.sort(key=lambda row: (row["lowest_micro"] is None, row["lowest_micro"] or 0))
    elif order == "ends":
        offers.sort(key=lambda row: row["payload"]["available"]["until"])
        demands.sort(key=lambda row: row["payload"]["window"]["until"])
    now = desk.now
    value = {
        "as_of": now,
        "offers": offers,
        "demands": demands,
        "ledgers": [_ledger(item) for item in others],
    }
    facts = [("as of", f"{when(now)} UTC"), ("offers", str(len(offers))), ("demands", str(len(demands)))]
    facts += [("foreign", _said(item)) for item in others]
    sheets = (
        cut("Offers", _offer_columns(desk), offers, limit, empty="none that fits is open"),
        cut("Demands", _demand_columns(), demands, limit, empty="none that fits is open"),
    )
    return Facts(title="Board", facts=facts, value=value, sheets=sheets)


def _search(desk: Desk, price_max: str | None, currency: str | None, search: Search) -> Search:
    """Add price and currency to a search; a price says its currency, or --currency does."""
    code = currency_code(currency, "--currency", desk.tables.exponents) if currency else ""
    if price_max is None:
        return replace(search, currency=code)
    micro, said = read_price(price_max, "--price")
    if not (said or code):
        raise WrongUse("--price names no currency", hint="write '2.50 USD/h', or add --currency")
    if said and code and said != code:
        raise WrongUse("--price and --currency name two currencies", hint="leave --currency out")
    return replace(search, price_micro=micro, currency=said or code)


def _federated(desk: Desk) -> Iterator[tuple[Federated, Book]]:
    """Yield the federated ledgers beside ours with their books; none over a node, which shows its own."""
    if desk.place.node is not None:
        return
    # Only here, as other commands need not wait for an HTTP client to be imported.
    from pseudoledger.node import federation  # noqa: PLC0415

    for item in federation.federated(desk.directory):
        with federation.view_of(item) as view:
            yield item, view.book


def _offers(desk: Desk, book: Book, search: Search, order: Sort, foreign: Federated | None) -> list[Row]:
    return [
        row_of(
            item.id,
            item.offer,
            status="open",
            origin=foreign.origin if foreign else None,
            party=_party(desk, book, item.offer.lessor, foreign),
            lowest_micro=item.lowest_micro,
            free={line.line.id: free_of(book, item.offer, line.line, desk.now) for line in item.lines},
        )
        for item in list_offers(book, desk.now, search, sort=order)
    ]


def _demands(desk: Desk, book: Book, search: Search, order: Sort, foreign: Federated | None) -> list[Row]:
    return [
        row_of(
            item.id,
            item.demand,
            status="open",
            origin=foreign.origin if foreign else None,
            party=_party(desk, book, item.demand.lessee, foreign),
        )
        for item in list_demands(book, desk.now, search, sort=order)
    ]


def _party(desk: Desk, book: Book, did: str, foreign: Federated | None) -> str:
    """Name a party; one of another ledger by what it declared there, since keys held here are not its own."""
    if foreign is None:
        return party_name(desk, did)
    chain = book.chain_of(did)
    return f"“{chain.label}”" if chain is not None and chain.label else short_did(did)


def _offer_columns(desk: Desk) -> tuple[Column, ...]:
    def prices(row: Row) -> str:
        tariff = row["payload"]["tariff"]
        if row["lowest_micro"] is not None:
            return f"from {price(row['lowest_micro'], tariff['currency'])}"
        return f"{money(tariff['lines'][0]['fee_minor'], tariff['currency'], desk.tables.exponents)} once"

    def place(row: Row) -> str:
        facility = row["payload"]["facility"]
        return str(facility.get("subdivision") or facility["country"])

    return (
        id_column(),
        Column(title="number", form=lambda row: row["payload"]["number"]),
        text("lessor", "party"),
        Column(title="offers", form=lambda row: lines_text(row["payload"]["lines"]), wide=True),
        Column(title="price", form=prices, right=True),
        Column(title="place", form=place),
        Column(title="until", form=lambda row: row["payload"]["available"]["until"][:10]),
        _ledger_column(),
    )


def _demand_columns() -> tuple[Column, ...]:
    def ceiling(row: Row) -> str:
        said = row["payload"].get("ceiling")
        return price(said["hour_micro"], said["currency"]) if said else "-"

    return (
        id_column(),
        Column(title="number", form=lambda row: row["payload"]["number"]),
        text("lessee", "party"),
        Column(title="needs", form=lambda row: lines_text(row["payload"]["lines"]), wide=True),
        Column(title="ceiling", form=ceiling, right=True),
        Column(title="places", form=lambda row: ", ".join(row["payload"]["places"]) or "anywhere"),
        Column(title="until", form=lambda row: row["payload"]["window"]["until"][:10]),
        _ledger_column(),
    )


def _ledger_column() -> Column:
    return Column(
        title="ledger", form=lambda row: f"foreign: {row['origin']}" if row["origin"] else "this one"
    )


def _ledger(item: Federated) -> dict[str, Any]:
    return {
        "origin": item.origin,
        "ledger": item.ledger,
        "key": item.key,
        "clock": item.clock,
        "size": item.size,
        "time": item.time,
        "source": item.imported.source,
        "imported_at": item.imported.at,
        "rules": "re-run",
        "forks": item.forks,
    }


def _said(item: Federated) -> str:
    simulated = ", simulated clock" if item.clock == "simulated" else ""
    forked = ", HAS SHOWN TWO HISTORIES" if item.forks else ""
    return f"{item.origin}: checkpoint of {item.size} entries, {when(item.time)} UTC{simulated}{forked}"


@plain(
    app,
    "federate",
    examples=(
        "pl market federate ../other/tiles --key did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
        "pl market federate https://other.example --key did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
    ),
)
def federate(
    source: Annotated[
        str,
        typer.Argument(help="Exported tiles, a ledger directory, or a URL.", show_default=False),
    ],
    *,
    key: Annotated[
        str,
        typer.Option("--key", help="did:key of that ledger, from a source you trust.", show_default=False),
    ],
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import another ledger's export: verify all of it, and list its open offers and demands as foreign.

    Nothing of it enters this ledger. Importing again goes on from what is here; an older export, or one of
    another history, is refused.
    """
    did_value(key, "--key")
    with contextlib.closing(Desk(ledger)) as desk:
        from pseudoledger.node import federation  # noqa: PLC0415
        from pseudoledger.node.mirror import system_clock  # noqa: PLC0415

        with progress("importing", None) as meter:
            found = federation.federate(
                desk.directory,
                source,
                key=key,
                clock=system_clock,
                own=desk.state.id,
                progress=meter.advance,
            )
        with federation.view_of(found) as view:
            offers, demands = len(list_offers(view.book, desk.now)), len(list_demands(view.book, desk.now))
        facts = [
            ("ledger", found.origin),
            ("checkpoint", f"{found.size} entries, last block {when(found.time)} UTC"),
            ("verified", "every signature, block and rule, under the key that you named"),
            ("listed", f"{offers} offers and {demands} demands, as foreign"),
            ("next", "pl market board"),
        ]
        value = _ledger(found) | {"offers": offers, "demands": demands}
        present(Facts(title=f"Federated {source}", facts=facts, value=value), as_json=as_json)


@plain(
    app,
    "federated",
    examples=("pl market federated", "pl market federated --forget other.example/board"),
)
def federated(
    *,
    forget: Annotated[
        str | None, typer.Option("--forget", help="Delete the copy of the ledger of this origin.")
    ] = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the ledgers whose listings are shown here, or forget one."""
    with contextlib.closing(Desk(ledger)) as desk:
        from pseudoledger.node import federation  # noqa: PLC0415

        if forget is not None and not federation.forget(desk.directory, forget):
            raise WrongUse(f"no ledger {forget!r} is federated here", hint="pl market federated lists them")
        rows = [_ledger(item) for item in federation.federated(desk.directory)]
        columns = (
            text("origin", "origin"),
            Column(title="entries", form=lambda row: str(row["size"]), right=True),
            Column(title="last block", form=lambda row: when(row["time"])),
            text("clock", "clock"),
            text("rules", "rules"),
            Column(title="fork proofs", form=lambda row: str(row["forks"]), right=True),
            text("imported", "imported_at"),
            text("from", "source"),
        )
        present(Sheet(title="Federated ledgers", columns=columns, rows=rows, empty="none"), as_json=as_json)
