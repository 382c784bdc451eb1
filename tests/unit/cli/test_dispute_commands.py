"""A dispute by the command line, with a thousand statements of others around it; the how-to page runs as it stands."""

import json
import os
import re
from datetime import datetime
from pathlib import Path

import pytest
from crowd import commands, crowd, do, found, verified

from pseudoledger.cli.main import run

DAY = 86_400


@pytest.fixture
def billed(tmp_path, monkeypatch):
    """A week of eight chips is billed; its terms name judy as the arbiter."""
    found(tmp_path, monkeypatch)
    crowd()
    do(
        "pl pool declare P1 --line h100=8xnvidia-h100-sxm5-80gb --as alice",
        "pl offer publish O1 --pool P1 --line h100=8@2.235/h --currency USD --country DE --from 2026-03-01"
        " --until 2026-12-31 --as alice",
        "pl lease propose L1 --line O1/h100=8 --from 2026-03-01 --length 30d --arbiter judy --as bob",
        "pl lease sign L1 --as alice",
    )
    monkeypatch.setenv("PSEUDOLEDGER_NOW", "2026-03-01T00:00:00Z")
    do("pl delivery offer L1 B1 --as alice", "pl delivery accept B1 --as bob")
    monkeypatch.setenv("PSEUDOLEDGER_NOW", "2026-03-08T00:00:00Z")
    do("pl usage report L1 --line h100 --until 2026-03-08 --full --as alice")
    return tmp_path


def shown(capsys, line):
    capsys.readouterr()
    do(line)
    return json.loads(capsys.readouterr().out)


def whole_dispute(dispute, report):
    """Everything that `dispute show` says as JSON of a dispute that was decided whole for the lessee."""
    ids = {"id": dispute["id"], "lease": report["lease"], "about": report["id"]}
    parties = {side: dispute[side] for side in ("by", "against", "arbiter")}
    assert all(re.fullmatch(r"did:key:z6Mk\w+", did) for did in parties.values())
    assert len(set(parties.values())) == 3
    assert re.fullmatch(r"[0-9a-f]{64}", dispute["id"])
    now = int(datetime.fromisoformat(os.environ["PSEUDOLEDGER_NOW"]).timestamp())
    return {
        **ids,
        **parties,
        "number": "D-1",
        "sort": "usage",
        "reason": "downtime",
        "amount": 7_200,
        "admitted": 0,
        "awarded": 7_200,
        "status": "decided",
        "state": "decided",
        "opened_at": now,
        "answer_by": now + 7 * DAY,
        "decide_within": 21 * DAY,
        "answered_at": now,
        "decide_by": now + 21 * DAY,
        "closed_at": now,
        "until": None,
        "entry": dispute["entry"],
    }


def confirm_and_bill(capsys):
    (report,) = shown(capsys, "pl usage list --json")
    do(f"pl usage confirm {report['id']} --as bob", "pl invoice issue L1 INV-1 --as alice")


def test_the_how_to_page_runs_and_the_ledger_verifies(billed, capsys):
    confirm_and_bill(capsys)
    for name in ("meter.pdf", "decision.pdf"):
        Path(name).write_bytes(b"%PDF-1.7\n")
    total = shown(capsys, "pl invoice show INV-1 --json")["total_minor"]
    first, *others = commands("settle-a-dispute.md")
    do(first)
    assert shown(capsys, "pl invoice show INV-1 --json")["due_minor"] == total - 50_000
    assert "dispute.answered" in shown(capsys, "pl todo --as alice --json")[0]["answers"]
    do(others[0])
    assert "dispute.decided" in shown(capsys, "pl todo --as judy --json")[0]["answers"]
    crowd(20)
    do(others[1])
    account = shown(capsys, "pl lease statement L1 --json")
    assert account["owed_credit_minor"] == account["disputed_minor"] == 35_000
    assert account["disputes"][0]["status"] == "decided"
    assert any("credit.issued" in task["answers"] for task in shown(capsys, "pl todo --as alice --json"))
    capsys.readouterr()
    do("pl todo --as alice")
    assert "a credit note on invoice INV-1 is owed: 350.00 USD" in capsys.readouterr().out
    do(*others[2:])
    capsys.readouterr()
    do("pl lease statement L1", "pl dispute show D-1", "pl dispute list --all")
    said = capsys.readouterr().out
    assert "350.00 USD" in said
    assert "decided" in said
    do("pl invoice credit INV-1 CN-1 --line h100='350.00 USD' --reason dispute --as alice")
    assert shown(capsys, "pl lease statement L1 --json")["disputed_minor"] == 0
    verified()


def test_usage_and_deliveries_are_disputed_too(billed, capsys):
    (report,) = shown(capsys, "pl usage list --json")
    do(
        f"pl dispute open D-1 --usage {report['id'][:12]}=7200 --reason downtime --as bob",
        "pl dispute answer D-1 --admit none --as alice",
        "pl dispute decide D-1 --award all --as judy",
        "pl invoice issue L1 INV-1 --as alice",
    )
    account = shown(capsys, "pl lease statement L1 --json")
    assert account["lines"][0]["billed_seconds"] == 8 * 7 * 86_400 - 7_200
    capsys.readouterr()
    (row,) = shown(capsys, "pl dispute list --all --json")
    assert row.keys() == {
        *("id", "number", "sort", "about", "by", "against", "arbiter"),
        *("amount", "admitted", "awarded", "status", "until"),
    }
    dispute = shown(capsys, "pl dispute show D-1 --json")
    assert {name: dispute[name] for name in row} == row
    assert dispute == whole_dispute(dispute, report)
    do("pl dispute show D-1")
    assert "7,200 unit-seconds" in capsys.readouterr().out
    assert run(["dispute", "open", "D-2", "--delivery", "B1", "--reason", "quality", "--as", "bob"]) == 1
    assert "dispute.no_matter" in capsys.readouterr().err
    verified()


@pytest.mark.parametrize(
    "words",
    [
        "--reason quality",
        "--invoice INV-1=1 --delivery B1 --reason quality",
        "--usage nothing=7200 --reason quality",
        "--delivery B1 --reason boredom",
    ],
)
def test_what_makes_no_sense_is_wrong_use(billed, capsys, words):
    assert run(["dispute", "open", "D-1", *words.split(), "--as", "bob"]) == 2
    assert "wrong use" in capsys.readouterr().err
