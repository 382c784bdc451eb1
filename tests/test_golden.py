"""Ledgers founded under a released rule set go on verifying under it (tests/vectors/golden)."""

import json
import lzma
from pathlib import Path

import pytest

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.contract.ruleset import newest, released

GOLDEN = Path(__file__).parent / "vectors" / "golden"
SETS = sorted(path.parent for path in GOLDEN.glob("*/golden.json"))


def test_every_released_rule_set_has_a_golden_ledger():
    assert {json.loads((place / "golden.json").read_text())["rules"] for place in SETS} == set(released())
    assert newest().name in {place.name for place in SETS}


@pytest.mark.parametrize("place", SETS, ids=lambda place: place.name)
def test_the_golden_ledger_verifies_against_its_checkpoint(place, tmp_path):
    facts = json.loads((place / "golden.json").read_text())
    (tmp_path / "ledger.db").write_bytes(lzma.decompress((place / "ledger.db.xz").read_bytes()))
    (tmp_path / "ledger.json").write_bytes((place / "ledger.json").read_bytes())
    report = verify(tmp_path, ledger_key=facts["ledger_key"], against=[facts["keep"].encode()])
    assert report.verdict is Verdict.VALID, report.first
    assert report.entries == facts["entries"]
    assert report.keep == facts["keep"]
