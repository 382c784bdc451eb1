"""Ledgers founded under a released rule set go on verifying under it (tests/vectors/golden)."""

import json
import lzma
from pathlib import Path

import pytest

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.contract.ruleset import IN_PREPARATION, NAMES, describe, named, released
from pseudoledger.contract.tables import shipped

GOLDEN = Path(__file__).parent / "vectors" / "golden"
SETS = sorted(path.parent for path in GOLDEN.glob("*/golden.json"))


def test_every_released_rule_set_has_a_golden_ledger():
    """A set in preparation has none yet: what it lists may still change."""
    wanted = {rule_set.sha256 for rule_set in released().values() if rule_set.name not in IN_PREPARATION}
    assert {json.loads((place / "golden.json").read_text())["rules"] for place in SETS} == wanted
    assert {place.name for place in SETS} == set(NAMES) - IN_PREPARATION
    assert NAMES[0] not in IN_PREPARATION


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_set_is_what_its_file_says(name):
    assert describe(named(name).number) == shipped(f"rules/{name}.json")
    assert name.endswith(f"-{named(name).number}")


@pytest.mark.parametrize("place", SETS, ids=lambda place: place.name)
def test_the_golden_ledger_verifies_against_its_checkpoint(place, tmp_path):
    facts = json.loads((place / "golden.json").read_text())
    (tmp_path / "ledger.db").write_bytes(lzma.decompress((place / "ledger.db.xz").read_bytes()))
    (tmp_path / "ledger.json").write_bytes((place / "ledger.json").read_bytes())
    report = verify(tmp_path, ledger_key=facts["ledger_key"], against=[facts["keep"].encode()])
    assert report.verdict is Verdict.VALID, report.first
    assert report.entries == facts["entries"]
    assert report.keep == facts["keep"]
