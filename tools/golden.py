"""Freeze the golden ledger of the newest rule set: the demo of seed 1 and more, as tests replay it for ever.

What the demo leaves out of the newer kinds follows it: stakes, quotas, a demand with a distance, a claim taken
back, and a voucher that is set aside, taken back and revoked after a part of another was clawed back.

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
from pseudoledger.contract.things import Lease, Pool
from pseudoledger.contract.things.claim import Claim
from pseudoledger.contract.things.voucher import Presentation, Voucher
from pseudoledger.demo import city as city_scenes
from pseudoledger.demo import handover
from pseudoledger.demo.month import LESSORS
from pseudoledger.demo.play import play
from pseudoledger.demo.stage import Stage

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "vectors" / "golden"
SEED = 1


def freeze(target: Path) -> None:
    """Write `ledger.db.xz` and `golden.json` of the newest rule set into its folder under `target`."""
    with tempfile.TemporaryDirectory() as folder:
        stage = play(Path(folder) / "demo", seed=SEED, tell=lambda _scene: None)
        _more(stage)
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


def _more(stage: Stage) -> None:
    """Register what the demo leaves out of the kinds of the second rule set."""
    owner, city, lab = "fund", city_scenes.CITY, handover.NEW_KEY
    first = stage.did(city_scenes.LAB)
    lease_id = next(ref for ref, lease in stage.book.all(Lease) if lease.lessee == first)
    voucher_id, voucher = next(iter(stage.book.all(Voucher)))
    presentation_id, _ = next(iter(stage.book.all(Presentation)))
    pool_id, pool = next(
        (ref, pool) for ref, pool in stage.book.all(Pool) if pool.lessor == stage.did(LESSORS[0])
    )
    claim_id, claim = next(iter(stage.book.all(Claim)))
    time = {"from": "2026-07-01T00:00:00Z", "until": "2026-12-31T00:00:00Z"}
    part = {"type": "stake.declared", "number": "K-1", "asset": pool_id, "holder": stage.did(owner)}
    units = [{"line": min(pool.lines), "count": 1}]
    for number, more in (("K-1", {"units": units}), ("K-2", {"share_bps": 1_500})):
        waits = {"valid": time, "valid_to": "2026-07-30T00:00:00Z"}
        stake = stage.act(LESSORS[0], {**part, **more, **waits, "number": number})
        stage.act(owner, {"type": "stake.accepted"}, stake)
    spring = {"from": "2026-05-01T00:00:00Z", "until": "2026-12-31T00:00:00Z"}
    quota = stage.act(lab, {"type": "quota.set", "number": "Q-1", "chip_seconds": 3_600, "period": spring})
    stage.act(lab, {"type": "quota.drawn", "number": "D-1", "lease": lease_id, "chip_seconds": 60}, quota)
    demand = {
        "type": "demand.published",
        "number": "NEAR-1",
        "lines": [{"id": "cores", "count": 4, "alternatives": [{"resource": "cpu_core"}]}],
        "window": time,
        "length": "P7D",
        "purpose": "infer",
        "places": [],
        "residency": [],
        "near": {"country": "FI", "subdivision": "FI-18", "km_max": 1_500},
    }
    stage.act(lab, {"type": "demand.closed"}, stage.act(lab, demand))
    back = {"type": "voucher.clawed_back", "number": "CB-1", "reason": "error", "amount_minor": 1}
    stage.act(city, {**back, "presentation": presentation_id}, voucher_id)
    issued = {
        "type": "voucher.issued",
        "number": "V-2",
        "holder": stage.did(lab),
        "face_minor": voucher.face_minor // 2,
        "period": {"from": "2026-05-01T00:00:00Z", "until": "2026-12-31T00:00:00Z"},
    }
    second = stage.act(city, issued, voucher.programme)
    held = {"lease": lease_id, "amount_minor": 100}
    stage.act(lab, {"type": "voucher.reserved", "number": "R-2", **held}, second)
    stage.act(lab, {"type": "voucher.released", "number": "F-1", "reserved": held}, second)
    stage.act(city, {"type": "voucher.revoked", "reason": "programme"}, second)
    taken = {"type": "claim.revoked", "claim": claim_id, "reason": "superseded"}
    stage.act(city_scenes.NOTARY, taken, claim.subject)


if __name__ == "__main__":
    freeze(GOLDEN)
