"""`demo`: a market in four acts on a simulated clock, verified, reviewed, and a copy tampered with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.audit.verifier import Report, Verdict, verify
from pseudoledger.cli.command import JsonOption, plain
from pseudoledger.cli.failure import CHECK_FAILED, WrongUse
from pseudoledger.cli.show import errors, print_json, say
from pseudoledger.demo.bundled import hand_over
from pseudoledger.demo.crowd import OWNERS_FILE
from pseudoledger.demo.ferry import REPORT
from pseudoledger.demo.papers import INVOICE, TABLES, write_tables
from pseudoledger.demo.play import play
from pseudoledger.demo.questions import Reviewed, ask
from pseudoledger.demo.stage import DISCLOSURES, Scene
from pseudoledger.demo.tamper import Tampered, tamper
from pseudoledger.errors import PeerUnreachable

app = typer.Typer()

_WHO_WIDTH = 16


@plain(app, "demo", examples=("pl demo demo-run", "pl demo /tmp/month --seed 7 --json"))
def demo(
    directory: Annotated[Path, typer.Argument(help="New directory to play in.", show_default=False)],
    *,
    seed: Annotated[
        int, typer.Option("--seed", help="The same seed gives the same ledger, byte for byte.")
    ] = 1,
    as_json: JsonOption = False,
) -> None:
    """Play a market month, a city's programme, a hall of many owners and a spot market, with what the rules refuse.

    Leases, invoices and payments; a voucher, a machine's custody and a dispute; stakes and their split, a
    sublease, a quota, a dispatch and another ledger's listings; a crowd of accounts of fewer owners, to trace.
    Writes DIR/ledger, DIR/keys (without passphrases, for this demo alone), DIR/isle (the other ledger) and
    DIR/out, where owners.csv says who is behind which account of the crowd. Then it verifies the ledger, shows
    a tampered copy being caught, and reviews the ledger without and with the disclosures that its
    parties have made.
    """
    scenes: list[Scene] = []
    _make(directory)

    def tell(scene: Scene) -> None:
        scenes.append(scene)
        if not as_json:
            _tell(scene)

    if not as_json:
        say(
            "A market for compute, on a simulated clock: one month, then a city's programme of vouchers, then a"
            " hall of many owners, then a spot market. Every line is one or more signed statements, or follows from them.\n"
        )
    stage = play(directory, seed=seed, tell=tell)
    stage.registrar.close()
    ledger = directory / "ledger"
    report = verify(ledger, ledger_key=stage.did("ledger"))
    bundle = hand_over(ledger, directory / "out", key=stage.did("ledger"))
    tables = write_tables(ledger, directory / "out")
    tampered = tamper(ledger, directory / "out" / "tampered")
    caught = verify(tampered.directory, ledger_key=stage.did("ledger"))
    (directory / "out" / "checkpoint").write_text(report.keep + "\n", encoding="utf-8")
    asked: tuple[Reviewed, ...] = ()
    if report.verdict is Verdict.VALID:
        asked = ask(ledger, directory / "out", stage.handed, report=report)
    if as_json:
        print_json(_data(directory, scenes, report, caught, asked))
    else:
        _conclude(report, ledger, tampered, caught)
        _tell_review(asked)
        _tell_files(directory / "out", bundle, tables)
        _name_commands(directory)
    if report.verdict is not Verdict.VALID or caught.verdict is not Verdict.BROKEN:
        errors("error: the demo's ledger did not verify as it should; please report this")
        raise typer.Exit(CHECK_FAILED)


def _make(directory: Path) -> None:
    if directory.exists() and any(directory.iterdir()):
        raise WrongUse(f"{directory} is not empty", hint="name a new directory")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PeerUnreachable(
            f"{directory}: {error.strerror}", hint="name a directory that you may write"
        ) from error


def _tell(scene: Scene) -> None:
    day, hour = scene.at[:10], scene.at[11:16]
    say(f"{day} {hour}  {scene.who:<{_WHO_WIDTH}} {scene.what}")
    for finding in scene.refused:
        say(f"{'':18}{'':<{_WHO_WIDTH}} refused: {finding}", style="red")


def _conclude(report: Report, ledger: Path, tampered: Tampered, caught: Report) -> None:
    say(f"\nThe ledger holds {report.entries} entries in {report.blocks} blocks.")
    say(
        f"verify {ledger}: {report.verdict.value} - every signature, block, hash and rule again,"
        " from the bytes of the entries alone",
        style="green" if report.verdict is Verdict.VALID else "red",
    )
    say(
        f"\nNow one digit of one invoice is changed in a copy (entry {tampered.entry}, byte {tampered.offset})."
    )
    first = caught.first
    say(f"verify {tampered.directory}: {caught.verdict.value} - {first}", style="red" if first else "")


def _tell_review(asked: tuple[Reviewed, ...]) -> None:
    """Say what an auditor would ask, without and with what was opened to it."""
    if not asked:
        return
    say("\nAn auditor asks, by dated rules. A finding is a question, never a verdict.")
    for reviewed, what in zip(asked, ("without disclosures", "with what was opened to it"), strict=True):
        counts = ", ".join(f"{severity} {count}" for severity, count in reviewed.raised().items())
        answered = f"; answered by a disclosure {reviewed.resolved()}" if reviewed.resolved() else ""
        say(f"review {what}: {counts}{answered} - {reviewed.html}")
    says, asks = asked[0].foremost()
    say(f"Its first: {says}. {asks}")


def _tell_files(out: Path, bundle: Path, tables: int) -> None:
    """Say what was written to look at beside the dossiers."""
    say(f"One lease with its proofs, to hand over: {bundle}; {bundle.with_suffix('.html')} shows it.")
    say(f"The laboratory's invoice as UBL and to print: {out / INVOICE}.xml, {out / INVOICE}.html")
    say(f"Who got which chips and why: {out / REPORT}. Everything as {tables} CSV tables: {out / TABLES}")
    say(
        f"Who is behind the accounts of the spot market: {out / OWNERS_FILE}, which is on no ledger."
        " Compare it with what the trace finds (the last command below)."
    )


def _name_commands(directory: Path) -> None:
    ledger = directory / "ledger"
    say("\nSix commands to try next:")
    for command in (
        f"pl verify {ledger}",
        f"pl lease statement L-river-lab --ledger {ledger}",
        f"pl stake split L-dune-research --ledger {ledger}",
        f"pl market board --ledger {ledger}",
        f"pl review {ledger} --disclosures {directory / DISCLOSURES} --out {directory / 'out' / 'dossier'}",
        f"pl trace {ledger} --disclosures {directory / DISCLOSURES} --out {directory / 'out' / 'trace'}",
    ):
        say(f"  {command}")


def _data(
    directory: Path, scenes: list[Scene], report: Report, caught: Report, asked: tuple[Reviewed, ...]
) -> dict[str, Any]:
    return {
        "directory": str(directory),
        "files": [str(path) for path in sorted((directory / "out").iterdir())],
        "scenes": [
            {
                "at": scene.at,
                "who": scene.who,
                "what": scene.what,
                "refused": [str(item) for item in scene.refused],
            }
            for scene in scenes
        ],
        "entries": report.entries,
        "blocks": report.blocks,
        "verdict": report.verdict.value,
        "keep": report.keep,
        "tampered": {"verdict": caught.verdict.value, "first": str(caught.first)},
        "reviews": [
            {
                "json": str(reviewed.json),
                "html": str(reviewed.html),
                "raised": reviewed.raised(),
                "resolved": reviewed.resolved(),
            }
            for reviewed in asked
        ],
    }


APPS = (app,)
