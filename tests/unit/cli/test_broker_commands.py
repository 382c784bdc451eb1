"""Brokers, the board and foreign listings by the command line, with a thousand statements of others around them."""

import json
from pathlib import Path

import pytest
from crowd import crowd, do, found, refused, told, verified

from pseudoledger.cli.main import run

H100 = "nvidia-h100-sxm5-80gb"
OPEN = "--from 2026-03-01 --until 2026-12-31"
MANDATE = "--scope propose --until 2026-12-31"


@pytest.fixture
def market(tmp_path, monkeypatch):
    """Alice offers, bob needs; carol is to bring them together."""
    found(tmp_path, monkeypatch)
    crowd()
    do(
        f"pl pool declare P1 --line h100=8x{H100} --as alice",
        f"pl offer publish O1 --pool P1 --line h100=8@2.20/h --currency USD --country DE {OPEN} --as alice",
        f"pl demand publish D1 --line h100=4x{H100} --length 30d --ceiling '20.00 USD/h' {OPEN} --as bob",
    )
    return monkeypatch


def test_a_broker_acts_for_both_sides_and_bills_its_commission_once(market, capsys):
    do(
        f"pl broker mandate M1 --broker carol --commission 150 {MANDATE} --as alice",
        f"pl broker mandate M2 --broker carol --commission 100 {MANDATE} --as bob",
        "pl broker match B1 --demand D1 --offer O1 --mandate M1 --mandate M2 --reason cheapest --as carol",
    )
    deal = "--line O1/h100=4 --from 2026-03-01 --length 30d --answers B1"
    # The terms show every mandate, and nobody signs for a principal.
    refused(capsys, f"pl lease propose L1 {deal} --mandate M1 --as bob", "mandate.not_shown")
    do(f"pl lease propose L1 {deal} --mandate M1 --mandate M2 --as bob")
    refused(capsys, "pl lease sign L1 --as carol", "lease.not_addressee")
    signed = told(capsys, "pl lease sign L1 --as alice")
    assert {item["code"] for item in signed["unknown"]} >= {"identity.undeclared", "claim.kyc"}
    market.setenv("PSEUDOLEDGER_NOW", "2026-03-01T00:00:00Z")
    do("pl delivery offer L1 H1 --as alice", "pl delivery accept H1 --as bob")
    crowd(20)
    market.setenv("PSEUDOLEDGER_NOW", "2026-03-08T00:00:00Z")
    do(
        "pl usage report L1 --line h100 --until 2026-03-08 --full --as alice",
        "pl usage confirm L1/h100 --as bob",
        "pl invoice issue L1 INV-1 --as alice",
        "pl invoice accept INV-1 --as bob",
        "pl invoice commission INV-1 C-1 --mandate M1 --as carol",
        "pl invoice commission INV-1 C-2 --mandate M2 --as carol",
    )
    net = 4 * 220 * 7 * 24
    assert told(capsys, "pl invoice show INV-1")["net_minor"] == net
    assert told(capsys, "pl invoice show C-1")["net_minor"] == round(net * 150 / 10_000)
    assert told(capsys, "pl invoice show C-2")["net_minor"] == round(net * 100 / 10_000)
    assert run(["invoice", "commission", "INV-1", "C-3", "--mandate", "M1", "--as", "carol"]) != 0
    verified()


def test_commissions_of_both_sides_stay_within_the_cap_together(market, capsys):
    do(
        f"pl broker mandate M1 --broker carol --commission 600 {MANDATE} --as alice",
        f"pl broker mandate M2 --broker judy --commission 401 {MANDATE} --as bob",
    )
    deal = "--line O1/h100=4 --from 2026-03-01 --length 30d --mandate M1 --mandate M2"
    refused(capsys, f"pl lease propose L1 {deal} --as bob", "mandate.commission_cap")
    verified()


def test_the_board_is_searched_and_shows_the_listings_of_another_ledger_as_foreign(market, capsys):
    do(
        "pl init other --origin other.example/board --simulated-clock --unsealed",
        f"pl pool declare P9 --line h100=64x{H100} --ledger other --as judy",
        f"pl offer publish O9 --pool P9 --line h100=64@1.90/h --currency USD --country FI {OPEN} --ledger other"
        " --as judy",
        "pl tiles export other tiles",
    )
    key = json.loads(Path("other/ledger.json").read_text())["ledger_key"]
    before = verified()
    do(f"pl market federate tiles --key {key}")
    board = told(capsys, f"pl market board --chip {H100}")
    assert [(row["payload"]["number"], row["origin"]) for row in board["offers"]] == [
        ("O9", "other.example/board"),
        ("O1", None),
    ]
    assert [row["payload"]["number"] for row in told(capsys, "pl market board --country DE")["offers"]] == [
        "O1"
    ]
    cheap = told(capsys, "pl market board --price '2.00 USD/h'")
    assert [row["payload"]["number"] for row in cheap["offers"]] == ["O9"]
    # Nothing of it enters our book: it is matched with nothing, and our ledger is as long as before.
    (match,) = told(capsys, "pl market match D1")
    assert "O9" not in json.dumps(match)
    assert (
        run(
            [
                "lease",
                "propose",
                "L9",
                "--line",
                "O9/h100=4",
                "--from",
                "2026-03-01",
                "--length",
                "1d",
                "--as",
                "bob",
            ]
        )
        == 2
    )
    assert verified() == before
