"""`demo`: one market month on a simulated clock, verified, and a tampered copy being caught."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.audit.verifier import Report, Verdict, verify
from pseudoledger.cli.command import JsonOption, plain
from pseudoledger.cli.failure import CHECK_FAILED
from pseudoledger.cli.show import errors, print_json, say
from pseudoledger.demo.bundled import hand_over
from pseudoledger.demo.play import play
from pseudoledger.demo.stage import Scene
from pseudoledger.demo.tamper import Tampered, tamper
from pseudoledger.errors import PeerUnreachable, StoreError

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
    """Play one market month: offers, leases, usage, invoices, payments, and what the rules refuse.

    Writes DIR/ledger, DIR/keys (without passphrases, for this demo alone) and DIR/out, then verifies the
    ledger and shows a tampered copy being caught.
    """
    scenes: list[Scene] = []
    _make(directory)

    def tell(scene: Scene) -> None:
        scenes.append(scene)
        if not as_json:
            _tell(scene)

    if not as_json:
        say(
            "One month of a market for compute, on a simulated clock. Every line is one or more signed statements.\n"
        )
    stage = play(directory, seed=seed, tell=tell)
    stage.registrar.close()
    ledger = directory / "ledger"
    report = verify(ledger, ledger_key=stage.did("ledger"))
    bundle = hand_over(ledger, directory / "out", key=stage.did("ledger"))
    tampered = tamper(ledger, directory / "out" / "tampered")
    caught = verify(tampered.directory, ledger_key=stage.did("ledger"))
    (directory / "out" / "checkpoint").write_text(report.keep + "\n", encoding="utf-8")
    if as_json:
        print_json(_data(directory, scenes, report, caught))
    else:
        _conclude(directory, report, tampered, caught, bundle)
    if report.verdict is not Verdict.VALID or caught.verdict is not Verdict.BROKEN:
        errors("error: the demo's ledger did not verify as it should; please report this")
        raise typer.Exit(CHECK_FAILED)


def _make(directory: Path) -> None:
    if directory.exists() and any(directory.iterdir()):
        raise StoreError(f"{directory} is not empty", hint="name a new directory")
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


def _conclude(directory: Path, report: Report, tampered: Tampered, caught: Report, bundle: Path) -> None:
    say(f"\nThe ledger holds {report.entries} entries in {report.blocks} blocks.")
    say(
        f"verify {directory / 'ledger'}: {report.verdict.value} - every signature, block, hash and rule again,"
        " from the bytes of the entries alone",
        style="green" if report.verdict is Verdict.VALID else "red",
    )
    say(
        f"\nNow one digit of one invoice is changed in a copy (entry {tampered.entry}, byte {tampered.offset})."
    )
    first = caught.first
    say(f"verify {tampered.directory}: {caught.verdict.value} - {first}", style="red" if first else "")
    say(f"\nOne lease with its proofs, to hand over: {bundle}; {bundle.with_suffix('.html')} shows it.")
    ledger = directory / "ledger"
    say("\nThree commands to try next:")
    for command in (
        f"pl verify {ledger}",
        f"pl lease statement L-long-context --ledger {ledger}",
        f"pl lease show L-train-and-serve --ledger {ledger}",
    ):
        say(f"  {command}")


def _data(directory: Path, scenes: list[Scene], report: Report, caught: Report) -> dict[str, Any]:
    return {
        "directory": str(directory),
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
    }


APPS = (app,)
