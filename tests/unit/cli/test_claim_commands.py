"""Claims, gates and disclosures by the command line, with a thousand statements of others around them."""

import json
from pathlib import Path

import pytest
from crowd import crowd, do, found, told, verified

from pseudoledger.cli.main import run

GATE = """
[[require]]
claim = "kyc"
attestors = ["judy"]
throughout = true

[[require]]
claim = "country"
countries = ["FI", "DE"]
otherwise = "warn"

[[require]]
claim = "revenue_at_least"
currency = "EUR"
at_least_minor = 100000000
"""
YEAR = "--from 2026-02-20 --length 365d"


@pytest.fixture
def asked_for(tmp_path, monkeypatch):
    """Bob wants to lease from alice, who has a gate; judy attests, carol audits."""
    found(tmp_path, monkeypatch)
    crowd()
    do(
        "pl pool declare P1 --line h100=8xnvidia-h100-sxm5-80gb --as alice",
        "pl offer publish O1 --pool P1 --line h100=8@2.235/h --currency USD --country DE --from 2026-03-01"
        " --until 2026-12-31 --as alice",
        "pl lease propose L1 --line O1/h100=4 --from 2026-03-01 --length 30d --as bob",
    )
    Path("gate.toml").write_text(GATE, encoding="utf-8")
    return monkeypatch


def attest(number, said, valid=YEAR):
    do(f"pl claim attest {number} --about bob {said} {valid} --as judy")


def test_a_gate_refuses_warns_and_allows(asked_for, capsys):
    nobody = told(capsys, "pl claim check bob")
    assert (nobody["verdict"], nobody["attested"]) == (None, [])
    assert {item["code"] for item in nobody["unknown"]} >= {
        "identity.undeclared",
        "claim.kyc",
        "claim.country",
    }
    report = told(capsys, "pl claim check bob --policy gate.toml --lease L1", code=1)
    assert [item["verdict"] for item in report["required"]] == ["refuse", "warn", "refuse"]
    assert report["required"][0]["missing"] == ["nobody attests kyc"]
    assert run(["lease", "sign", "L1", "--policy", "gate.toml", "--as", "alice"]) == 1
    assert "gate.refuse" in capsys.readouterr().err

    attest("C1", "--claim kyc --person 'HRB 1234' --name 'Studio GmbH'", "--from 2026-02-20 --length 20d")
    attest("C2", "--claim revenue_at_least --at-least '1000000 EUR'")
    crowd(20)
    report = told(capsys, "pl claim check bob --policy gate.toml --lease L1", code=1)
    assert "before 2026-03-31T00:00:00Z" in report["required"][0]["missing"][0]
    attest("C3", "--claim kyc --person 'HRB 1234' --name 'Studio GmbH'")
    report = told(capsys, "pl claim check bob --policy gate.toml --lease L1")
    assert [item["verdict"] for item in report["required"]] == ["allow", "warn", "allow"]
    assert report["required"][0]["until"] == "2027-02-20T00:00:00Z"
    capsys.readouterr()
    do("pl lease sign L1 --policy gate.toml --as alice")
    assert "warning: gate.warn: country" in capsys.readouterr().err
    verified()


def test_a_threshold_is_reached_and_no_figure_stands_anywhere(asked_for, capsys):
    attest("C2", "--claim revenue_at_least --at-least '1000000 EUR'")
    payload = told(capsys, "pl claim show C2")["payload"]
    assert payload["at_least"] == {"currency": "EUR", "amount_minor": 100_000_000}
    assert payload.keys() <= {"type", "v", "number", "claim", "tier", "valid", "at_least", "_sd", "_sd_alg"}
    verified()


def test_claims_end_are_taken_back_and_are_void_with_their_subject(asked_for, capsys):
    attest("C1", "--claim kyc --person 'HRB 1234' --name 'Studio GmbH'")
    attest("C2", "--claim country --country DE", "--from 2026-02-20 --length 10d")
    do("pl id declare --label Studio --as bob")
    assert [row["status"] for row in told(capsys, "pl claim list --of bob")] == ["in force", "in force"]
    asked_for.setenv("PSEUDOLEDGER_NOW", "2026-03-05T00:00:00Z")
    assert {
        row["payload"]["number"]: row["status"] for row in told(capsys, "pl claim list --of bob --all")
    } == {
        "C1": "in force",
        "C2": "over",
    }
    do("pl id revoke --as bob")
    assert {row["status"] for row in told(capsys, "pl claim list --of bob --all")} == {"void", "over"}
    do("pl claim revoke C1 --reason changed --as judy")
    assert "revoked" in {row["status"] for row in told(capsys, "pl claim list --of bob --all")}
    verified()


def test_a_sealed_name_is_opened_to_one_named_reader(asked_for, capsys):
    attest("C1", "--claim kyc --person 'HRB 1234' --name 'Studio GmbH'")
    do(
        "pl disclosure write C1 --field /subject_name -o for-carol.json",
        "pl disclosure show S1 for-carol.json --to carol --as judy",
    )
    (shown,) = told(capsys, "pl disclosure list --of carol")
    claim = told(capsys, "pl claim show C1")
    assert shown["statement"] == claim["id"]
    assert "Studio" not in json.dumps(claim)
    capsys.readouterr()
    do(f"pl show {claim['id']} --disclosures for-carol.json")
    assert "Studio GmbH" in capsys.readouterr().out
    verified()
