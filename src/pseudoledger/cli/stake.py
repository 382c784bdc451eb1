"""`stake`: whose machines a pool is made of, who invested in it, and what each earned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import Act, Acting, acting, group, reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.evidence import document
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import did_of, find, find_any, party_name
from pseudoledger.cli.invoice import invoice_lines
from pseudoledger.cli.lease_draft import lapses_at
from pseudoledger.cli.listing import (
    LIMIT,
    AllOption,
    LimitOption,
    MineOption,
    amount,
    cut,
    id_column,
    party,
    row_of,
    text,
    things_of,
    time,
)
from pseudoledger.cli.show import Column, Facts, Sheet, hours, money, when
from pseudoledger.cli.values import pair, percent, period
from pseudoledger.contract.derive import stake_status
from pseudoledger.contract.splits import Part, Split, add_up, split_invoice
from pseudoledger.contract.things import Invoice, Lease, Pool
from pseudoledger.contract.things.capital import Stake

app = group("stake", "Stakes: whose machines a pool is made of, who invested in it, and what each earned.")
APPS = (app,)

StakeArgument = Annotated[str, typer.Argument(help="Stake: id, prefix or number.", show_default=False)]


@acting(
    app,
    "declare",
    examples=(
        "pl stake declare S1 --in P1 --holder dora --units h100=3 --from 2026-03-01 --length 365d --as alice",
        "pl stake declare S2 --in S1 --holder fund --share 40 --from 2026-03-01 --length 365d --as dora",
    ),
)
def declare(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of the stake.", show_default=False)],
    asset: Annotated[
        str, typer.Option("--in", help="Your pool, or your own stake of units in one.", show_default=False)
    ],
    holder: Annotated[
        str, typer.Option("--holder", help="Owner or investor: key name, did or label.", show_default=False)
    ],
    start: Annotated[str, typer.Option("--from", help="Start.", show_default=False)],
    until: Annotated[str | None, typer.Option("--until", help="End.", show_default=False)] = None,
    lasting: Annotated[str | None, typer.Option("--length", help="Length, instead of --until.")] = None,
    units: Annotated[
        list[str] | None,
        typer.Option("--units", help="LINE=COUNT of the pool that belong to the holder; may be repeated."),
    ] = None,
    share: Annotated[
        str | None, typer.Option("--share", help="Share of your own part, in percent.", show_default=False)
    ] = None,
    valid_to: Annotated[
        str | None, typer.Option("--valid-to", help="When it lapses unless accepted; in a week by default.")
    ] = None,
    agreement: Annotated[
        Path | None,
        typer.Option("--agreement", help="Contract behind it; its hash, type and size are stated."),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", help="Your own name for it; sealed.", show_default=False)
    ] = None,
) -> Act:
    """Say what part of your pool is another's: units that they own, or a share of your own part."""
    desk = acting.desk
    if bool(units) == bool(share):
        raise WrongUse("a stake is either units of a pool or a share", hint="give --units or --share")
    tree: dict[str, Any] = {
        "type": "stake.declared",
        "number": number,
        "asset": _asset(acting, asset),
        "holder": did_of(desk, holder, "--holder"),
        "units": [_units(item) for item in units] if units else None,
        "share_bps": percent(share, "--share") if share else None,
        "valid": period(start, until, lasting),
        "valid_to": lapses_at(desk, valid_to),
        "agreement": document(agreement) if agreement else None,
        "label": label,
    }
    tree = {name: value for name, value in tree.items() if value is not None}
    then = f"it counts once {holder} accepts it: pl stake accept {number}, until {tree['valid_to']}"
    return Act(tree=tree, title=number, then=then)


def _asset(acting: Acting, said: str) -> str:
    return find_any(acting.desk, said, Pool, Stake, party=acting.party)[0]


def _units(item: str) -> dict[str, Any]:
    line, count = pair(item, "--units", "h100=3")
    if not count.isdecimal():
        raise WrongUse(f"--units: {item!r} is not LINE=COUNT", hint="for example h100=3")
    return {"line": line, "count": int(count)}


@acting(app, "accept", examples=("pl stake accept S1 --as dora",))
def accept(acting: Acting, stake: StakeArgument) -> Act:
    """Accept, as its holder, a stake as it was declared; it counts from now on."""
    ref, found = find(acting.desk, Stake, stake, party=acting.party)
    then = "pl stake split LEASE shows what it earns"
    return Act(tree={"type": "stake.accepted"}, sub=ref, title=found.number, then=then)


@reading(app, "list", examples=("pl stake list", "pl stake list --of dora --all --json"))
def list_stakes(
    desk: Desk, of: MineOption = None, closed: AllOption = False, limit: LimitOption = LIMIT
) -> Sheet:
    """List the stakes that count, are to begin or wait for their holder, newest first."""
    rows = [
        row_of(key, stake, status=stake_status(stake, desk.now))
        for key, stake in things_of(desk, Stake, of=of)
        if closed or stake_status(stake, desk.now) not in {"over", "lapsed"}
    ]
    columns = (
        id_column(),
        text("number", "number"),
        Column(title="in", form=lambda row: _asset_name(desk, row["asset"])),
        party(desk, "declarer"),
        party(desk, "holder"),
        Column(title="what", form=_what, wide=True),
        time("from", "start"),
        time("until", "until"),
        text("status", "status"),
    )
    return cut("Stakes", columns, rows, limit, empty="none; pl stake declare makes one")


def _asset_name(desk: Desk, ref: str) -> str:
    asset = desk.book.get(Pool, ref) or desk.book.get(Stake, ref)
    assert asset is not None, "a stake is in something that the book holds"
    return f"{'pool' if isinstance(asset, Pool) else 'stake'} {asset.number}"


def _what(row: Any) -> str:
    if row["share_bps"]:
        return f"{_percent(row['share_bps'])} of the declarer's part"
    return ", ".join(f"{count} of {line}" for line, count in row["units"].items())


def _percent(bps: int) -> str:
    return f"{bps // 100}.{bps % 100:02}".rstrip("0").rstrip(".") + " %"


@reading(
    app,
    "split",
    examples=("pl stake split INV-1", "pl stake split L1", "pl stake split L1 --json > split.json"),
)
def split(
    desk: Desk,
    what: Annotated[
        str, typer.Argument(metavar="INVOICE|LEASE", help="Invoice or lease: id, prefix or number.")
    ],
) -> Facts:
    """Split an invoice, or all invoices of a lease, among owners and investors; every part to the minor unit."""
    ref, thing = find_any(desk, what, Invoice, Lease)
    if isinstance(thing, Invoice):
        return _invoice_facts(desk, _split(desk, ref))
    assert isinstance(thing, Lease), "it is one of the two"
    invoices = sorted(
        ((key, item) for key, item in desk.book.all(Invoice) if item.lease == ref and not item.commission),
        key=lambda item: item[1].entry,
    )
    splits = [_split(desk, key) for key, item in invoices if item.state != "cancelled"]
    return _lease_facts(desk, ref, thing, splits)


def _split(desk: Desk, invoice_id: str) -> Split:
    return split_invoice(desk.book, invoice_id, invoice_lines(desk, invoice_id), desk.now)


def _json(split: Split) -> dict[str, Any]:
    """Return a split as JSON: exact parts as fractions in lowest terms."""
    names = (
        "invoice", "number", "lease", "currency", "status", "settled", "amount_minor", "chip_seconds",
    )  # fmt: skip
    return {name: getattr(split, name) for name in names} | {"parts": [_part(part) for part in split.parts]}


def _part(part: Part) -> dict[str, Any]:
    return {
        "party": part.party,
        "roles": list(part.roles),
        "stakes": list(part.stakes),
        "chip_seconds": part.chip_seconds,
        "exact": f"{part.exact.numerator}/{part.exact.denominator}",
        "amount_minor": part.amount_minor,
    }


def _invoice_facts(desk: Desk, found: Split) -> Facts:
    value = _json(found)
    columns = (
        party(desk, "party"),
        Column(title="as", form=lambda row: ", ".join(row["roles"])),
        Column(title="contributed", form=lambda row: hours(row["chip_seconds"]), right=True),
        amount(desk, "earned", "amount_minor"),
        Column(title="exact, minor units", form=lambda row: row["exact"], right=True),
    )
    rows = [part | {"currency": found.currency} for part in value["parts"]]
    facts = [
        ("invoice", found.invoice),
        ("lease", found.lease),
        (
            "split",
            f"{money(found.amount_minor, found.currency, desk.tables.exponents)}, net of tax and credits",
        ),
        ("status", f"{found.status}, as of {when(desk.now)} UTC" + _not_yet(settled=found.settled)),
    ]
    sheets = (Sheet(title="Parts", columns=columns, rows=rows),)
    return Facts(title=f"Split of invoice {found.number}", facts=facts, value=value, sheets=sheets)


def _not_yet(*, settled: bool) -> str:
    return "" if settled else ": the split is what it would be once it is settled"


def _lease_facts(desk: Desk, ref: str, lease: Lease, splits: list[Split]) -> Facts:
    earned = add_up(splits)
    rows = [
        {
            "party": item.party,
            "roles": list(item.roles),
            "chip_seconds": item.chip_seconds,
            "settled_minor": item.settled_minor,
            "waiting_minor": item.waiting_minor,
            "currency": lease.currency,
        }
        for item in earned
    ]
    settled = sum(item.amount_minor for item in splits if item.settled)
    waiting = sum(item.amount_minor for item in splits if not item.settled)
    value = {
        "lease": ref,
        "number": lease.number,
        "currency": lease.currency,
        "settled_minor": settled,
        "waiting_minor": waiting,
        "parties": [{name: item for name, item in row.items() if name != "currency"} for row in rows],
        "invoices": [_json(item) for item in splits],
    }
    columns = (
        party(desk, "party"),
        Column(title="as", form=lambda row: ", ".join(row["roles"])),
        Column(title="contributed", form=lambda row: hours(row["chip_seconds"]), right=True),
        amount(desk, "earned", "settled_minor"),
        amount(desk, "not settled yet", "waiting_minor"),
    )
    facts = [
        ("lease", ref),
        ("lessor", party_name(desk, lease.lessor)),
        ("invoices", f"{len(splits)}, of which settled {sum(item.settled for item in splits)}"),
        ("settled", money(settled, lease.currency, desk.tables.exponents)),
        ("not settled", money(waiting, lease.currency, desk.tables.exponents)),
    ]
    sheets = (Sheet(title="Parts", columns=columns, rows=rows, empty="no invoice yet"),)
    return Facts(title=f"Split of lease {lease.number}", facts=facts, value=value, sheets=sheets)
