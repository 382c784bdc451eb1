"""The third act ends: another ledger's export is verified and its offers listed here, as foreign."""

from __future__ import annotations

from contextlib import closing

from pseudoledger.demo.hall import chips_offer
from pseudoledger.demo.stage import Stage
from pseudoledger.ledger.export import export_tiles
from pseudoledger.ledger.store import Store
from pseudoledger.market.search import list_offers
from pseudoledger.node import federation

ORIGIN = "isle.pseudoledger.example/board"
FOLDER = "isle"
"""Folder of the other ledger in the demo's: its own ledger, keys and tiles."""
LESSOR = "isle-hall"


def publish(stage: Stage) -> Stage:
    """Found another ledger with an offer on it, and export its tiles, as its operator would."""
    other = Stage.build(
        stage.directory / FOLDER,
        seed=stage.seed,
        start=stage.time,
        tell=lambda _scene: None,
        origin=ORIGIN,
    )
    with closing(other.registrar):
        other.introduce(LESSOR)
        chips_offer(
            other,
            LESSOR,
            place={"country": "NO", "subdivision": "NO-03"},
            price_micro=1_900_000,
            count=16,
        )
    with closing(Store.open_reader(other.directory / "ledger")) as store:
        done = export_tiles(store, other.directory / "tiles")
    stage.note(LESSOR, f"trades on another ledger, {ORIGIN}, which exports its {done.size} entries as files")
    return other


def federate(stage: Stage, other: Stage) -> None:
    """Verify the export, and list its offers beside ours."""
    found = federation.federate(
        stage.directory / "ledger",
        str(other.directory / "tiles"),
        key=other.did("ledger"),
        clock=lambda: stage.now * 1000,
        own=stage.ledger_id,
    )
    with federation.view_of(found) as view:
        (listed,) = list_offers(view.book, stage.now)
    count = listed.offer.payload.lines[0].count
    stage.note(
        "the board",
        f"every signature, block and rule there holds: {LESSOR}'s offer of {count} chips is listed as foreign,"
        " and nothing of it enters our book",
    )
