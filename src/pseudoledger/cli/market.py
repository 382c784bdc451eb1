"""`market import-catalogue|import-sdl`: other people's files, made into pools, offers and demands."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from pseudoledger.cli.command import Act, Acting, DryRunOption, JsonOption, LedgerOption, group, plain, settle
from pseudoledger.cli.desk import Desk, Signed, read_file
from pseudoledger.cli.failure import CHECK_FAILED, WrongUse
from pseudoledger.cli.nodes import NodeKeyOption, NodeOption, place_of
from pseudoledger.cli.show import Facts, errors, present
from pseudoledger.cli.values import choice, instant, length, residency
from pseudoledger.errors import MalformedError
from pseudoledger.market.catalogue_offer import CatalogueImport, OfferTerms, import_catalogue
from pseudoledger.market.drafts import OfferDraft, PayloadDraft
from pseudoledger.market.report import Note
from pseudoledger.market.sdl_demand import DemandTerms, DenomRate, SdlImport, block_time, import_sdl
from pseudoledger.market.tables import load_tables
from pseudoledger.statement.kinds.market import Residency
from pseudoledger.statement.values import Period, format_instant

app = group("market", "Importing catalogues and deployment files, and matching.")
APPS = (app,)

T = TypeVar("T")

DAY = 86_400
BASES = {"metered": "metered", "reserved": "reserved"}

OptionalAs = Annotated[
    str | None,
    typer.Option("--as", help="Sign and register as this key; only show where not said.", metavar="NAME"),
]
FromOption = Annotated[str | None, typer.Option("--from", help="First moment; today where not said.")]


def _span(desk: Desk, start: str | None, until: str | None, days: int) -> Period:
    """Read a stretch of time whose ends may be left out: from today on, for some days."""
    now = desk.now if desk.named else int(time.time())
    first = now // DAY * DAY if start is None else instant(start, "--from")
    last = first + days * DAY if until is None else instant(until, "--until")
    if last <= first:
        raise WrongUse(
            f"--until does not lie after the start, {format_instant(first)}",
            hint="give an earlier --from, or a later --until",
        )
    return Period.between(first, last)


def _rates(said: Sequence[str]) -> tuple[DenomRate, ...]:
    rates = tuple(_read(DenomRate.parse, item, "--rate") for item in said)
    for place, one in enumerate(rates):
        if any(one.denom == other.denom for other in rates[:place]):
            raise WrongUse(f"--rate: {one.denom} is given twice", hint="give one rate for each denomination")
    return rates


@plain(
    app,
    "import-catalogue",
    examples=(
        "pl market import-catalogue prices.csv",
        "pl market import-catalogue prices.csv --from 2026-03-01 --until 2026-12-31 --as alice",
    ),
)
def catalogue(
    file: Annotated[Path, typer.Argument(help="Price catalogue, CSV.", show_default=False)],
    *,
    as_: OptionalAs = None,
    ledger: LedgerOption = None,
    node: NodeOption = None,
    node_key: NodeKeyOption = None,
    start: FromOption = None,
    until: Annotated[str | None, typer.Option("--until", help="Last; a year later where not said.")] = None,
    shortest: Annotated[str, typer.Option("--min", help="Shortest lease.")] = "1h",
    longest: Annotated[str, typer.Option("--max", help="Longest lease.")] = "365d",
    basis: Annotated[str, typer.Option("--basis", help="metered or reserved.")] = "metered",
    instances: Annotated[int, typer.Option("--instances", min=1, help="Instances of each row.")] = 1,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make pools and offers of a price catalogue; what cannot be expressed is reported by name."""
    with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
        choice(basis, "--basis", BASES)
        terms = OfferTerms(
            length_min=length(shortest, "--min"),
            length_max=length(longest, "--max"),
            available=_span(desk, start, until, 365),
            basis="reserved" if basis == "reserved" else "metered",
            instances=instances,
        )
        found = import_catalogue(read_file(file), name=file.stem, terms=terms, tables=load_tables())
        results: list[dict[str, Any]] = []
        if as_ is not None:
            actor = Acting(desk=desk, name=as_)
            results = settle(
                desk, _catalogue_acts(actor, found), dry_run=dry_run, as_json=as_json, quiet=True
            )
        made = [
            {"pool": dict(item.pool.payload()), "offers": [_without_pool(draft) for draft in item.offers]}
            for item in found.listings
        ]
        left_out = [f"line {line}" for line in found.left_out]
        _report(_Imported(str(file), made, left_out, found.notes, "listings"), results, as_json=as_json)


def _without_pool(draft: OfferDraft) -> dict[str, Any]:
    """Return an offer's payload; its pool has no id before it is signed."""
    return {name: value for name, value in draft.payload("0" * 64).items() if name != "pool"}


def _catalogue_acts(actor: Acting, found: CatalogueImport) -> list[tuple[Act, Signed]]:
    """Sign every pool and, since they name it by its id, then its offers."""
    pairs = []
    for listing in found.listings:
        pool = _signed(actor, listing.pool.payload(), listing.pool.number)
        pairs.append(pool)
        pairs += [_signed(actor, draft.payload(pool[1].id), draft.number) for draft in listing.offers]
    return pairs


def _signed(actor: Acting, draft: PayloadDraft, title: str) -> tuple[Act, Signed]:
    # The version of a kind is that of the ledger's rule set, which signing puts in.
    act = Act(tree={name: value for name, value in draft.items() if name != "v"}, title=title)
    return act, actor.desk.sign(actor.signer, act.tree, sub=act.sub)


@plain(
    app,
    "import-sdl",
    examples=(
        "pl market import-sdl deploy.yaml",
        "pl market import-sdl deploy.yaml --rate uact=0.000001/USD --block-seconds 6.1 --length 14d --as bob",
    ),
)
def sdl(
    files: Annotated[list[Path], typer.Argument(help="Akash SDL files.", show_default=False)],
    *,
    as_: OptionalAs = None,
    ledger: LedgerOption = None,
    node: NodeOption = None,
    node_key: NodeKeyOption = None,
    rate: Annotated[
        list[str] | None, typer.Option("--rate", help="DENOM=AMOUNT/CCY: what a chain denomination is worth.")
    ] = None,
    block_seconds: Annotated[
        str | None, typer.Option("--block-seconds", help="Seconds of one block, for prices per block.")
    ] = None,
    start: FromOption = None,
    until: Annotated[str | None, typer.Option("--until", help="Last; 90 days later if not said.")] = None,
    lasting: Annotated[str, typer.Option("--length", help="How long the lease runs.")] = "30d",
    purpose: Annotated[str, typer.Option("--purpose", help="train, infer or other.")] = "other",
    place: Annotated[
        list[str] | None, typer.Option("--place", help="Country that would do; anywhere if not said.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option("--residency", help="DATASET=DE,FR: where a data set may be.")
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make demands of Akash SDL files; what cannot be expressed is reported by name."""
    with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
        word = choice(purpose, "--purpose", ("train", "infer", "other"))
        terms = DemandTerms(
            window=_span(desk, start, until, 90),
            length=length(lasting, "--length"),
            purpose="train" if word == "train" else "infer" if word == "infer" else "other",
            places=tuple(code.upper() for code in place or ()),
            residency=tuple(_residency(item) for item in where or ()),
            rates=_rates(rate or ()),
            block_seconds=_read(block_time, block_seconds, "--block-seconds") if block_seconds else None,
        )
        found = [(file, _read_sdl(file, terms)) for file in files]
        results: list[dict[str, Any]] = []
        if as_ is not None:
            actor = Acting(desk=desk, name=as_)
            pairs = [
                _signed(actor, draft.payload(), draft.number) for _, item in found for draft in item.demands
            ]
            results = settle(desk, pairs, dry_run=dry_run, as_json=as_json, quiet=True)
        made = [dict(draft.payload()) for _, item in found for draft in item.demands]
        left_out = [f"{file}: placement {name}" for file, item in found for name in item.left_out]
        notes = tuple(note for _, item in found for note in item.notes)
        name = ", ".join(str(file) for file in files)
        _report(_Imported(name, made, left_out, notes, "demands"), results, as_json=as_json)


def _read_sdl(file: Path, terms: DemandTerms) -> SdlImport:
    try:
        return import_sdl(read_file(file), name=file.stem, terms=terms, tables=load_tables())
    except MalformedError as error:
        raise MalformedError(f"{file}: {error.message}", code=error.code, hint=error.hint) from None


def _read(parse: Callable[[str], T], text: str, option: str) -> T:
    """Read an option by the importer's own reader."""
    try:
        return parse(text)
    except MalformedError as error:
        raise WrongUse(f"{option}: {error.message}", hint=error.hint) from None


def _residency(text: str) -> Residency:
    said = residency(text, "--residency")
    try:
        return Residency(data_set=said["data_set"], countries=tuple(said["countries"]))
    except ValueError:
        raise WrongUse(f"--residency: {text!r} is not DATASET=DE,FR") from None


@dataclass(frozen=True, slots=True)
class _Imported:
    """What became of foreign files, before and after registering."""

    name: str
    made: list[dict[str, Any]]
    left_out: list[str]
    notes: tuple[Note, ...]
    what: str


def _report(found: _Imported, results: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print what an import made, what it could not express, and what was refused; exits 1 after a refusal."""
    refused = [result for result in results if not result["registered"] and "reasons" in result]
    value = {
        "file": found.name,
        found.what: found.made,
        "left_out": found.left_out,
        "notes": [asdict(note) for note in found.notes],
        "registered": results,
    }
    accepted = [result for result in results if "index" in result]
    if results:
        state = "registered" if accepted and accepted[0]["registered"] else "would be registered"
        done = f"{len(accepted)} statements {state}, {len(refused)} refused"
    else:
        done = "nothing was signed; add --as NAME to register them"
    facts = [(found.what, str(len(found.made))), ("done", done)]
    facts += [("left out", item) for item in found.left_out]
    facts += [("not carried", str(note)) for note in found.notes]
    present(Facts(title=f"Imported {found.name}", facts=facts, value=value), as_json=as_json)
    for result in refused:
        for reason in result["reasons"]:
            errors(f"refused: {result['kind']} {result['title']}: {reason}")
    if refused:
        raise typer.Exit(CHECK_FAILED)
