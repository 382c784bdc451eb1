"""`asset`: machines by their serial numbers, who holds them, where they went, and how many there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import Act, Acting, acting, group, reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.evidence import EvidenceOption, document
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import did_of, find, party_name
from pseudoledger.cli.listing import (
    LIMIT,
    AllOption,
    LimitOption,
    MineOption,
    cut,
    id_column,
    row_of,
    text,
    things_of,
)
from pseudoledger.cli.machine_files import Line, digests, read_machines
from pseudoledger.cli.show import Column, Facts, Row, Sheet, short, when
from pseudoledger.cli.values import choice, pair
from pseudoledger.cli.values import country as country_code
from pseudoledger.contract.census import census
from pseudoledger.contract.custody import custody_chain
from pseudoledger.contract.things.asset import Asset

app = group("asset", "Machines: serials, custody, and a census.")
APPS = (app,)

REASONS = ("sale", "lease", "repair", "relocation", "return", "storage", "other")
CONDITIONS = ("intact", "opened", "damaged")
COLUMNS = ("number", "maker", "serial", "chip", "count", "country")
"""Columns that a list of machines has to have; `subdivision` and `site` may stand beside."""
MOVED = ("machine", "number")
RECEIVED = ("machine", "country")
"""The same of machines that are sent on, and signed for; `condition` may stand beside these too."""

AssetArgument = Annotated[str, typer.Argument(help="Machine: id, prefix or number.", show_default=False)]
OneAssetArgument = Annotated[
    str | None, typer.Argument(help="Machine: id, prefix or number.", show_default=False)
]
CountryOption = Annotated[
    str | None, typer.Option("--country", help="Where it is, ISO 3166-1 alpha-2.", show_default=False)
]
SubdivisionOption = Annotated[
    str | None, typer.Option("--subdivision", help="The same, closer, ISO 3166-2.", show_default=False)
]
SiteOption = Annotated[
    str | None, typer.Option("--site", help="Name or address of the site; sealed.", show_default=False)
]


@acting(
    app,
    "register",
    examples=(
        (
            "pl asset register S1 --serial nvidia=1650123456789 --chip nvidia-h100-sxm5-80gb --count 8"
            " --country DE --as alice"
        ),
        "pl asset register --csv machines.csv --as alice",
    ),
)
def register(
    acting: Acting,
    *,
    number: Annotated[
        str | None, typer.Argument(help="Your number of the machine.", show_default=False)
    ] = None,
    serial: Annotated[
        str | None,
        typer.Option("--serial", help="MAKER=SERIAL of the machine: only its slow hash is published."),
    ] = None,
    chip: Annotated[
        str | None,
        typer.Option("--chip", help="The chips in it: a row of the chip table.", show_default=False),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="How many chips are in it.")] = 1,
    country: CountryOption = None,
    part: Annotated[
        list[str] | None, typer.Option("--part", help="MAKER=SERIAL of a chip in it; may be repeated.")
    ] = None,
    subdivision: SubdivisionOption = None,
    site: SiteOption = None,
    evidence: EvidenceOption = None,
    table: Annotated[
        Path | None,
        typer.Option("--csv", help=f"Instead, a file of machines with the columns {', '.join(COLUMNS)}."),
    ] = None,
) -> list[Act]:
    """Name your machines, so that each is leased, moved and counted once."""
    ledger = acting.desk.state.id
    if table is not None:
        lines = read_machines(table, COLUMNS)
        named = digests(ledger, [(line["maker"], line["serial"]) for line in lines])
        return [_registered(line, digest, (), None) for line, digest in zip(lines, named, strict=True)]
    _need({"number": number, "--serial": serial, "--chip": chip, "--country": country})
    (digest,) = digests(ledger, [pair(serial or "", "--serial", "nvidia=1650123456789")])
    line = {
        "number": number or "",
        "chip": chip or "",
        "count": str(count),
        "country": country or "",
        "subdivision": subdivision or "",
        "site": site or "",
    }
    parts = digests(ledger, [pair(item, "--part", "nvidia=1323") for item in part or ()])
    return [_registered(line, digest, parts, evidence)]


def _need(said: dict[str, str | None]) -> None:
    missing = [name for name, value in said.items() if not value]
    if missing:
        raise WrongUse(f"say {', '.join(missing)}", hint="or give a file of machines: --csv machines.csv")


def _place(row: Line) -> dict[str, str]:
    """Return where a machine is: what was typed, or stands in a file."""
    said = {"country": country_code(row["country"], "country")}
    if row.get("subdivision"):
        said["subdivision"] = row["subdivision"].upper()
    return {**said, "site": row["site"]} if row.get("site") else said


def _registered(row: Line, digest: str, parts: Iterable[str], evidence: Path | None) -> Act:
    if not row["count"].isdecimal():
        raise WrongUse(f"machine {row['number']}: {row['count']!r} is no count of chips")
    tree: dict[str, Any] = {
        "type": "asset.registered",
        "number": row["number"],
        "serial": digest,
        "chip": row["chip"],
        "count": int(row["count"]),
        "parts": sorted(parts),
        **_place(row),
        **({"evidence": document(evidence)} if evidence is not None else {}),
    }
    return Act(tree=tree, title=row["number"], then=f"pl asset show {row['number']}")


@acting(
    app,
    "move",
    examples=(
        "pl asset move S1 W1 --to bob --reason lease --as alice",
        "pl asset move S1 W2 --to carol --reason sale --evidence contract.pdf --as alice",
        "pl asset move --csv sold.csv --to carol --reason sale --as alice",
    ),
)
def move(
    acting: Acting,
    *,
    asset: OneAssetArgument = None,
    number: Annotated[str | None, typer.Argument(help="Your number of the move.", show_default=False)] = None,
    to: Annotated[
        str, typer.Option("--to", help="Who receives it: key name, did or label.", show_default=False)
    ],
    reason: Annotated[str, typer.Option("--reason", help=", ".join(REASONS) + ".", show_default=False)],
    evidence: EvidenceOption = None,
    table: Annotated[
        Path | None,
        typer.Option("--csv", help=f"Instead, a file of machines with the columns {', '.join(MOVED)}."),
    ] = None,
) -> list[Act]:
    """Send machines on, as their holder; you hold each until the receiver has signed for it."""
    tree: dict[str, Any] = {
        "type": "asset.moved",
        "to": did_of(acting.desk, to, "--to"),
        "reason": choice(reason, "--reason", REASONS),
        **({"evidence": document(evidence)} if evidence is not None else {}),
    }
    if table is None:
        _need({"the machine": asset, "the number of the move": number})
        lines = [{"machine": asset or "", "number": number or ""}]
    else:
        lines = read_machines(table, MOVED)
    return [_moved(acting, tree, line) for line in lines]


def _moved(acting: Acting, tree: dict[str, Any], line: Line) -> Act:
    asset_id, thing = find(acting.desk, Asset, line["machine"], party=acting.party)
    then = f"the receiver signs: pl asset receive {thing.number} --country COUNTRY"
    return Act(tree={**tree, "number": line["number"]}, sub=asset_id, title=line["number"], then=then)


@acting(
    app,
    "receive",
    examples=(
        "pl asset receive S1 --country FR --as bob",
        "pl asset receive S1 --country FR --condition damaged --site 'hall 4' --as bob",
        "pl asset receive --csv arrived.csv --as bob",
    ),
)
def receive(
    acting: Acting,
    *,
    asset: OneAssetArgument = None,
    country: CountryOption = None,
    subdivision: SubdivisionOption = None,
    condition: Annotated[str, typer.Option("--condition", help=", ".join(CONDITIONS) + ".")] = "intact",
    site: SiteOption = None,
    evidence: EvidenceOption = None,
    table: Annotated[
        Path | None,
        typer.Option("--csv", help=f"Instead, a file of machines with the columns {', '.join(RECEIVED)}."),
    ] = None,
) -> list[Act]:
    """Sign for machines that were sent to you, and say where they are now."""
    common: Line = {"condition": condition, "subdivision": subdivision or "", "site": site or ""}
    if table is None:
        _need({"the machine": asset, "--country": country})
        lines = [{"machine": asset or "", "country": country or ""}]
    else:
        lines = read_machines(table, RECEIVED)
    said = [{**common, **{name: value for name, value in line.items() if value}} for line in lines]
    return [_received(acting, line, evidence) for line in said]


def _received(acting: Acting, line: Line, evidence: Path | None) -> Act:
    asset_id, thing = find(acting.desk, Asset, line["machine"], party=acting.party)
    if thing.waiting is None:
        raise WrongUse(f"machine {thing.number} is not on its way", hint=f"pl asset show {thing.number}")
    tree: dict[str, Any] = {
        "type": "asset.received",
        "move": thing.waiting.id,
        **_place(line),
        "condition": choice(line["condition"], "condition", CONDITIONS),
        **({"evidence": document(evidence)} if evidence is not None else {}),
    }
    return Act(tree=tree, sub=asset_id, title=thing.number, then=f"pl asset show {thing.number}")


def _who(desk: Desk, title: str, name: str) -> Column:
    return Column(title=title, form=lambda row: party_name(desk, row[name]))


@reading(app, "list", examples=("pl asset list", "pl asset list --of bob --all --json"))
def list_assets(
    desk: Desk, of: MineOption = None, closed: AllOption = False, limit: LimitOption = LIMIT
) -> Sheet:
    """List machines that somebody holds or sends, newest first; with --all also those that `of` gave away."""
    root = desk.book.root_of(did_of(desk, of, "--of")) if of is not None else None
    rows = [
        row_of(key, item, on_its_way=item.waiting is not None)
        for key, item in things_of(desk, Asset, of=of)
        if closed or root in {None, item.held_by, item.owned_by} or _goes_to(item) == root
    ]
    columns = (
        id_column(),
        text("number", "number"),
        Column(title="chips", form=lambda row: f"{row['count']} x {row['chip']}", wide=True),
        _who(desk, "owner", "owned_by"),
        _who(desk, "holder", "held_by"),
        text("country", "country"),
        Column(title="on its way", form=lambda row: _way(desk, row)),
    )
    return cut("Machines", columns, rows, limit, empty="none registered")


def _goes_to(asset: Asset) -> str | None:
    return asset.waiting.to if asset.waiting else None


def _way(desk: Desk, row: Row) -> str:
    return f"to {party_name(desk, row['waiting']['to'])}" if row["waiting"] else "-"


@reading(app, "show", examples=("pl asset show S1", "pl asset show S1 --json"))
def show(desk: Desk, asset: AssetArgument) -> Facts:
    """Show a machine: its custody chain, the countries it passed, its gaps and the leases it is under."""
    asset_id, _ = find(desk, Asset, asset)
    chain = custody_chain(desk.book, asset_id, desk.now)
    facts = [
        ("id", asset_id),
        ("chips", f"{chain.count} x {chain.chip}"),
        ("owner", party_name(desk, chain.owned_by)),
        ("holder", party_name(desk, chain.held_by)),
        ("countries", " > ".join(chain.countries)),
        ("returns", str(chain.returns)),
        ("delivered", ", ".join(map(short, chain.leases)) or "under no lease"),
    ]
    steps = Sheet(
        title="Custody",
        columns=(
            Column(title="step", form=lambda row: str(row["number"]), right=True),
            _who(desk, "holder", "held_by"),
            text("country", "country"),
            Column(title="sent", form=lambda row: when(row["moved_at"])),
            Column(title="since", form=lambda row: when(row["since"])),
            Column(title="until", form=lambda row: when(row["until"])),
            text("reason", "reason"),
            text("condition", "condition"),
            Column(title="", form=lambda row: "returned" if row["returned"] else ""),
        ),
        rows=[asdict(step) for step in chain.steps],
    )
    gaps = Sheet(
        title="Gaps",
        columns=(
            text("gap", "sort"),
            Column(title="from", form=lambda row: when(row["since"])),
            Column(title="until", form=lambda row: when(row["until"])),
            Column(title="times", form=lambda row: str(row["count"]), right=True),
            Column(title="what is known", form=lambda row: row["said"], wide=True),
        ),
        rows=[asdict(gap) for gap in chain.gaps],
        empty="none",
    )
    return Facts(title=f"Machine {chain.number}", facts=facts, value=asdict(chain), sheets=(steps, gaps))


@reading(app, "census", examples=("pl asset census", "pl asset census --of alice --json"))
def count(desk: Desk, of: MineOption = None, limit: LimitOption = LIMIT) -> Sheet:
    """Count the declared inventory, every chip once, by the strongest word there is for it."""
    root = desk.book.root_of(did_of(desk, of, "--of")) if of is not None else None
    rows = [asdict(item) for item in census(desk.book, desk.now) if root in {None, item.party}]
    totals: dict[str, int] = defaultdict(int)
    for row in rows:
        totals[row["chip"]] += row["total"]

    def figure(title: str) -> Column:
        return Column(title=title, form=lambda row: f"{row[title]:,}", right=True)

    columns = (
        _who(desk, "party", "party"),
        text("chip", "chip"),
        *map(
            figure,
            ("total", "attested", "delivered", "declared", "registered", "elsewhere", "gone", "beyond"),
        ),
    )
    sheet = cut(f"Census as of {when(desk.now)} UTC", columns, rows, limit, empty="no chips are declared")
    said = "; ".join(f"{chip} {total:,}" for chip, total in sorted(totals.items()))
    note = f"in all: {said}" if said else ""
    return Sheet(
        title=sheet.title,
        columns=columns,
        rows=sheet.rows,
        note="; ".join(part for part in (note, sheet.note) if part),
        empty=sheet.empty,
    )
