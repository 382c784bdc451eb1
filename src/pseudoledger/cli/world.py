"""`world`: ledgers of made-up owners who are known, and how well a trace finds them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pseudoledger.audit.verifier import Verdict
from pseudoledger.cli.command import JsonOption, group, plain
from pseudoledger.cli.show import Column, Facts, Row, Sheet, present, progress
from pseudoledger.cli.trace import need_extra
from pseudoledger.cli.verify import run_check, stop_unverified

if TYPE_CHECKING:
    from pseudoledger.worlds.ledger import Made
    from pseudoledger.worlds.scoring import Scored

app = group("world", "Ledgers whose owners are known: to judge how well a trace finds them.")
APPS = (app,)

DirectoryArgument = Annotated[
    Path, typer.Argument(help="Directory of the world.", show_default=False, metavar="DIR")
]


@plain(app, "make", examples=("pl world make town", "pl world make town --identities 1000 --seed 7 --json"))
def make_world(
    directory: DirectoryArgument,
    *,
    identities: Annotated[
        int, typer.Option("--identities", min=20, max=20_000, help="Pseudonyms; about ten records each.")
    ] = 300,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="The same seed gives the same ledger, byte for byte.")
    ] = 1,
    as_json: JsonOption = False,
) -> None:
    """Let made-up owners act out their habits as signed statements in a real ledger.

    Owners hold 1 to 8 pseudonyms, more or less carefully: habits go on, accounts, sites, machines and contacts are
    used again, keys are handed over in the open. Writes DIR/ledger, DIR/disclosures and DIR/owners.csv, which names
    the owner of every key. The keys follow from the seed: a world is good for judging a trace and for nothing else.
    """
    need_extra()
    from pseudoledger.audit.trace.evaluate.world import World
    from pseudoledger.worlds.ledger import make

    with progress("acting out", None) as meter:
        made = make(directory, World(seed=seed, identities=identities), progress=meter.advance)
    present(_made(made), as_json=as_json)


@plain(app, "score", examples=("pl world score town", "pl world score town --cap 6 --json"))
def score_world(
    directory: DirectoryArgument,
    *,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all that the trace draws at random.")] = 1,
    threshold: Annotated[
        float, typer.Option("--threshold", min=0.0, max=60.0, help="Bits from which behaviour joins two.")
    ] = 4.0,
    cap: Annotated[
        int, typer.Option("--cap", min=2, max=10_000, help="Most identities that one value may join.")
    ] = 8,
    as_json: JsonOption = False,
) -> None:
    """Verify a world's ledger, trace it from three places, and score each against the owners.

    The places are the public's, that of the counterparty with most leases, and an auditor's who was given every
    disclosure. Precision, recall and F1 are over pairs of pseudonyms; AUC and ECE over the pairs that were scored.
    """
    need_extra()
    from pseudoledger.worlds.ledger import LEDGER, OWNERS, disclosure_folders
    from pseudoledger.worlds.scoring import read_owners, score

    known = read_owners(directory / OWNERS)
    report = run_check(directory / LEDGER)
    if report.verdict is not Verdict.VALID:
        stop_unverified(directory / LEDGER, report, done="traced")
    with progress("tracing", None) as meter:
        found = score(
            directory / LEDGER,
            known,
            disclosure_folders(directory),
            seed=seed,
            threshold_bits=threshold,
            cap=cap,
            verified=True,
            progress=meter.advance,
        )
    present(_scores(found), as_json=as_json)


def _made(made: Made) -> Facts:
    opened = "".join(f" --disclosures {folder}" for folder in made.disclosures)
    facts = [
        ("pseudonyms", f"{made.identities:,} of {made.owners:,} owners; {made.handovers:,} keys handed over"),
        ("ledger", f"{made.ledger}: {made.entries:,} entries, {made.blocks:,} blocks"),
        ("root", made.root),
        ("owners", str(made.owners_file)),
        ("score it", f"pl world score {made.directory}"),
        ("trace it", f"pl trace {made.ledger}{opened} --out {made.directory / 'trace'}"),
    ]
    value: dict[str, Any] = {
        "directory": str(made.directory),
        "ledger": str(made.ledger),
        "owners_file": str(made.owners_file),
        "disclosures": [str(folder) for folder in made.disclosures],
        "identities": made.identities,
        "owners": made.owners,
        "handovers": made.handovers,
        "statements": made.statements,
        "entries": made.entries,
        "blocks": made.blocks,
        "root": made.root,
        "ledger_key": made.ledger_key,
    }
    return Facts(title=f"A world in {made.directory}", facts=facts, value=value)


def _scores(found: tuple[Scored, ...]) -> Sheet:
    rows: list[Row] = [
        {
            "vantage": one.vantage,
            "identities": one.figures.identities,
            "records": one.records,
            "true_pairs": one.figures.true_pairs,
            "hard": {item.kind: {"pairs": item.pairs, "right": item.right} for item in one.hard},
            "hard_precision": one.figures.hard.precision,
            "hard_recall": one.figures.hard.recall,
            "precision": one.figures.pairs.precision,
            "recall": one.figures.pairs.recall,
            "f1": one.figures.pairs.f1,
            "auc": _some(one.figures.auc),
            "ece": _some(one.figures.calibration.ece),
            "scored": one.figures.scored,
            "learnt": one.learnt,
            "model": one.figures.model,
        }
        for one in found
    ]
    return Sheet(
        title="The trace against the owners",
        columns=_COLUMNS,
        rows=rows,
        note=f"{rows[0]['identities']:,} pseudonyms, {rows[0]['true_pairs']:,} pairs of one owner"
        + _unlearnt(found),
    )


def _some(value: float) -> float | None:
    """Return a score, None where no pair was there to score."""
    return None if math.isnan(value) else value


def _unlearnt(found: tuple[Scored, ...]) -> str:
    """Say from where likenesses weigh nothing: the other figures are those of evidence alone there."""
    places = [one.vantage.partition(":")[0] for one in found if not one.learnt]
    if not places:
        return ""
    return (
        f"\nToo little evidence to learn from, seen as {', '.join(places)}: likenesses weigh nothing there,"
        " and AUC is 0.5. A larger world has more."
    )


def _hard(row: Row) -> str:
    return ", ".join(f"{kind} {one['right']}/{one['pairs']}" for kind, one in row["hard"].items()) or "-"


_COLUMNS = (
    Column(title="seen from", form=lambda row: str(row["vantage"]).partition(":")[0]),
    Column(title="precision", form=lambda row: f"{row['precision']:.3f}", right=True),
    Column(title="recall", form=lambda row: f"{row['recall']:.3f}", right=True),
    Column(title="F1", form=lambda row: f"{row['f1']:.3f}", right=True),
    Column(title="AUC", form=lambda row: "-" if row["auc"] is None else f"{row['auc']:.3f}", right=True),
    Column(title="ECE", form=lambda row: "-" if row["ece"] is None else f"{row['ece']:.4f}", right=True),
    Column(title="hard links, right of all", form=_hard, wide=True),
)
