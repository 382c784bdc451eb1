"""Freeze the golden ledger of the newest rule set: the demo month of seed 1, as tests replay it for ever.

Run it once, when a rule set is released. A released set never changes behaviour, so its golden ledger never
changes either; a fix is a new set with a golden ledger of its own.
"""

from __future__ import annotations

import json
import lzma
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.contract.ruleset import newest
from pseudoledger.demo.play import play

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "vectors" / "golden"
SEED = 1


def freeze(target: Path) -> None:
    """Write `ledger.db.xz` and `golden.json` of the newest rule set into its folder under `target`."""
    with tempfile.TemporaryDirectory() as folder:
        stage = play(Path(folder) / "demo", seed=SEED, tell=lambda _scene: None)
        key = stage.did("ledger")
        stage.registrar.close()
        ledger = Path(folder) / "demo" / "ledger"
        report = verify(ledger, ledger_key=key)
        if report.verdict is not Verdict.VALID:
            sys.exit(f"the demo's ledger is {report.verdict.value}: {report.first}")
        whole = Path(folder) / "whole.db"
        with closing(sqlite3.connect(ledger / "ledger.db")) as database:
            database.execute("VACUUM INTO ?", (str(whole),))
        place = target / newest().name
        place.mkdir(parents=True, exist_ok=True)
        (place / "ledger.db.xz").write_bytes(lzma.compress(whole.read_bytes(), preset=9))
        (place / "ledger.json").write_bytes((ledger / "ledger.json").read_bytes())
        facts = {"rules": newest().sha256, "ledger_key": key, "entries": report.entries, "keep": report.keep}
        (place / "golden.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    freeze(GOLDEN)
