"""`market dispatch`: all open demands divided among all open offers at once, and proposed as matches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pseudoledger.cli.command import Act, Acting, DryRunOption, JsonOption, LedgerOption, plain, settle
from pseudoledger.cli.desk import Desk, Signed, read_file, write_file
from pseudoledger.cli.failure import CHECK_FAILED, WrongUse
from pseudoledger.cli.find import find, party_name
from pseudoledger.cli.listing import WEEK_SECONDS, LimitOption, cut
from pseudoledger.cli.market import OptionalAs, app
from pseudoledger.cli.nodes import NodeKeyOption, NodeOption, place_of
from pseudoledger.cli.show import Column, Facts, Row, errors, listed, present, price, progress, short
from pseudoledger.cli.values import currency_code, instant_text
from pseudoledger.contract.things import Demand, Offer
from pseudoledger.errors import MalformedError
from pseudoledger.market.board import open_needs, open_supplies
from pseudoledger.market.dispatch.distance import Limit, load_distances, parse_limit, parse_limits
from pseudoledger.statement.values import format_instant

if TYPE_CHECKING:
    from pseudoledger.market.dispatch.plan import Plan

APPS = ()

SHOWN = 20
BATCH = 500
"""Matches that are signed and registered together."""


@plain(
    app,
    "dispatch",
    examples=(
        "pl market dispatch --currency USD",
        "pl market dispatch --currency USD --limits limits.csv --out report.json --as carol --dry-run",
        "pl market dispatch --currency USD --near FI --max-km 1500 --out report.json --as carol",
    ),
)
def dispatch(
    *,
    as_: OptionalAs = None,
    ledger: LedgerOption = None,
    node: NodeOption = None,
    node_key: NodeKeyOption = None,
    currency: Annotated[
        str | None,
        typer.Option("--currency", help="Currency of the run; the only one on the board where not said."),
    ] = None,
    near: Annotated[
        str | None, typer.Option("--near", help="Place from which --max-km counts, for every demand.")
    ] = None,
    max_km: Annotated[str | None, typer.Option("--max-km", help="Farthest distance, in km.")] = None,
    limits: Annotated[
        Path | None,
        typer.Option("--limits", help="CSV of distance limits: demand, near, km_max.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write the report to this file.", show_default=False)
    ] = None,
    valid_to: Annotated[
        str | None, typer.Option("--valid-to", help="When the matches lapse; in 7 days where not said.")
    ] = None,
    limit: LimitOption = SHOWN,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Divide what all offers have free among all demands: who gets what, at what price, and why.

    With --as it counts only what your mandates cover, and proposes a match for each demand that is met; the
    number of each match names the report. Nothing is reserved: either side may take a match up, or not.
    """
    if as_ is not None and out is None and not dry_run:
        raise WrongUse("the matches name the report of the run", hint="add --out FILE, and keep that file")
    with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
        actor = None if as_ is None else Acting(desk=desk, name=as_)
        allowed = _limits(desk, near, max_km, limits)
        run = _Run(desk, actor, _currency(desk, currency), allowed)
        if out is not None and not dry_run:
            write_file(out, run.raw)
        lapses = instant_text(valid_to, "--valid-to") if valid_to else format_instant(desk.now + WEEK_SECONDS)
        results = [] if actor is None else run.propose(actor, lapses, dry_run=dry_run)
        run.show(results, limit, dry_run=dry_run, as_json=as_json)


class _Run:
    """One run: the plan, its report and the report's bytes."""

    def __init__(self, desk: Desk, actor: Acting | None, currency: str, limits: dict[str, Limit]) -> None:
        # Only here, as other commands need not wait for the solver to be imported.
        from pseudoledger.market.dispatch import plan, report, sides, ways  # noqa: PLC0415

        self._desk, self._report = desk, report
        exponents, distances = desk.tables.exponents, load_distances()
        party = None if actor is None else actor.party
        brief = ways.Brief(
            currency=currency,
            fee_micro=10 ** (ways.MICRO_EXPONENT - exponents[currency]),
            limits=limits,
            dispatcher=party,
        )
        wishes = sides.wishes(desk.book, desk.now, dispatcher=party)
        listings = sides.listings(desk.book, desk.now, dispatcher=party)
        with progress(f"{len(wishes)} demands, {len(listings)} offers", None):
            self.plan: Plan = plan.dispatch(wishes, listings, brief, distances)
            self.value = report.make_report(
                self.plan, distances, exponents, ledger=desk.state.id, as_of=format_instant(desk.now)
            )
        self.raw = report.report_bytes(self.value)
        self.run = report.Run.of(self.raw)
        self.name = self.run.name
        self._version = desk.rules.version_of("match.proposed")

    def propose(self, actor: Acting, valid_to: str, *, dry_run: bool) -> list[dict[str, Any]]:
        """Sign and register a match for every demand that is met, in batches."""
        met = list(enumerate(sorted(self.plan.filling.chosen), 1))
        results: list[dict[str, Any]] = []
        for start in range(0, len(met), BATCH):
            batch = met[start : start + BATCH]
            pairs = [self._signed(actor, place, number, valid_to) for place, number in batch]
            results += settle(self._desk, pairs, dry_run=dry_run, as_json=False, quiet=True)
        return results

    def _signed(self, actor: Acting, place: int, number: int, valid_to: str) -> tuple[Act, Signed]:
        tree = self._report.match_of(
            self.plan, number, run=self.run, place=place, valid_to=valid_to, v=self._version
        )
        act = Act(tree=tree, sub=self.plan.wishes[number].need.id, title=tree["number"])
        return act, self._desk.sign(actor.signer, act.tree, sub=act.sub)

    def show(self, results: list[dict[str, Any]], limit: int, *, dry_run: bool, as_json: bool) -> None:
        """Print what came of it; exits 1 where a match was refused."""
        refused = [result for result in results if "reasons" in result]
        desk, said = self._desk, self.value
        facts = [
            ("run", self.name),
            ("demands", f"{said['demands']}, of which {said['met']} are met"),
            ("price", price(said["price_micro"], said["currency"]).removesuffix("/h") + " in all"),
            ("gap", f"at most {said['gap_ppm'] / 10_000:.4f} % below the best ({said['bound_by']})"),
        ]
        if results:
            done = "would be registered" if dry_run else "registered"
            facts.append(("matches", f"{len(results) - len(refused)} {done}, {len(refused)} refused"))
        met, unmet = (_by_number(desk, said[name]) for name in ("assigned", "unassigned"))
        sheets = (
            cut("Met", _met_columns(desk, said["currency"]), met, limit, empty="none"),
            cut("Not met", _unmet_columns(desk), unmet, limit, empty="none"),
            cut("Clusters", _cluster_columns(desk, said["currency"]), said["clusters"], limit, empty="none"),
        )
        value = said | {"run": self.name, "registered": results}
        title = f"Dispatch as of {said['as_of']}"
        present(Facts(title=title, facts=facts, value=value, sheets=sheets), as_json=as_json)
        for result in refused:
            for reason in result["reasons"]:
                errors(f"refused: {result['title']}: {reason}")
        if refused:
            raise typer.Exit(CHECK_FAILED)


def _currency(desk: Desk, said: str | None) -> str:
    if said is not None:
        return currency_code(said, "--currency", desk.tables.exponents)
    known = {supply.currency for supply in open_supplies(desk.book, desk.now)} & desk.tables.exponents.keys()
    if len(known) == 1:
        return known.pop()
    offered = f"open offers are in {listed(sorted(known))}" if known else "no offer is open"
    raise WrongUse(f"a run is in one currency, and {offered}", hint="add --currency CCY")


def _limits(desk: Desk, near: str | None, max_km: str | None, file: Path | None) -> dict[str, Limit]:
    """Read the distance limits, by demand id; a row of the file goes before --near."""
    if (near is None) != (max_km is None):
        raise WrongUse("--near and --max-km belong together")
    distances = load_distances()
    found: dict[str, Limit] = {}
    try:
        if near is not None and max_km is not None:
            general = parse_limit(near, max_km, distances)
            found = {need.id: general for need in open_needs(desk.book, desk.now)}
    except MalformedError as error:
        raise WrongUse(error.message, hint=error.hint) from None
    if file is not None:
        try:
            rows = parse_limits(read_file(file), distances)
        except MalformedError as error:
            raise MalformedError(f"{file}: {error.message}", code=error.code, hint=error.hint) from None
        found |= _by_id(desk, rows)
    return found


def _by_id(desk: Desk, rows: dict[str, Limit]) -> dict[str, Limit]:
    """Turn what a file calls the demands into their ids; a number that one open demand has is enough."""
    numbers: dict[str, list[str]] = {}
    for need in open_needs(desk.book, desk.now):
        demand = desk.book.get(Demand, need.id)
        if demand is not None:
            numbers.setdefault(demand.payload.number, []).append(need.id)
    return {
        numbers[name][0] if len(numbers.get(name, ())) == 1 else find(desk, Demand, name)[0]: limit
        for name, limit in rows.items()
    }


def _by_number(desk: Desk, rows: list[Row]) -> list[Row]:
    """Return rows in the order of the demands' numbers, as people look for them."""
    return sorted(rows, key=lambda row: (_number(desk, Demand, row["demand"]), row["demand"]))


def _met_columns(desk: Desk, currency: str) -> tuple[Column, ...]:
    return (
        Column(title="demand", form=lambda row: _number(desk, Demand, row["demand"])),
        Column(title="lessee", form=lambda row: party_name(desk, row["lessee"])),
        Column(title="offer", form=lambda row: _number(desk, Offer, row["offer"])),
        Column(title="cluster", form=lambda row: f"{party_name(desk, row['lessor'])} in {row['place']}"),
        Column(title="takes", form=lambda row: _takes(row["lines"]), wide=True),
        Column(title="an hour", form=lambda row: price(row["hour_micro"], currency), right=True),
        Column(
            title="in all",
            form=lambda row: price(row["price_micro"], currency).removesuffix("/h"),
            right=True,
        ),
        Column(title="km", form=lambda row: "" if row["distance_km"] is None else str(row["distance_km"])),
        Column(title="why", form=lambda row: row["why"], wide=True),
    )


def _unmet_columns(desk: Desk) -> tuple[Column, ...]:
    return (
        Column(title="demand", form=lambda row: _number(desk, Demand, row["demand"])),
        Column(title="lessee", form=lambda row: party_name(desk, row["lessee"])),
        Column(title="reason", form=lambda row: row["reason"]),
        Column(title="why", form=lambda row: row["why"], wide=True),
    )


def _cluster_columns(desk: Desk, currency: str) -> tuple[Column, ...]:
    return (
        Column(title="lessor", form=lambda row: party_name(desk, row["lessor"])),
        Column(title="place", form=lambda row: row["place"]),
        Column(title="demands", form=lambda row: str(row["demands"]), right=True),
        Column(
            title="given",
            form=lambda row: ", ".join(f"{count} x {name}" for name, count in row["units"].items()) or "-",
            wide=True,
        ),
        Column(
            title="in all",
            form=lambda row: price(row["price_micro"], currency).removesuffix("/h"),
            right=True,
        ),
    )


def _number(desk: Desk, cls: type[Demand | Offer], key: str) -> str:
    thing = desk.book.get(cls, key)
    return thing.payload.number if thing is not None else short(key)


def _takes(lines: Iterable[Row]) -> str:
    return ", ".join(f"{line['offer_line']}={line['count']}" for line in lines)
