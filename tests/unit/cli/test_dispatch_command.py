"""A dispatcher by the command line, with a thousand statements of others around it."""

import hashlib
import json
from pathlib import Path

import pytest
from crowd import crowd, do, found, verified

from pseudoledger.cli.main import run

H100 = "nvidia-h100-sxm5-80gb"
OPEN = "--from 2026-03-01 --until 2026-12-31"
WANTED = "--from 2026-03-01 --until 2026-06-01 --length 30d"


@pytest.fixture
def market(tmp_path, monkeypatch):
    """Two lessors and two demands: D1 has to stay near, D2 takes the dearer chips or none."""
    found(tmp_path, monkeypatch)
    crowd()
    do(
        f"pl pool declare P1 --line h100=16x{H100} --as alice",
        f"pl pool declare P2 --line h100=64x{H100} --as judy",
        f"pl offer publish ON --pool P1 --line h100=16@2.10/h --currency USD --country FI {OPEN} --as alice",
        f"pl offer publish OS --pool P2 --line h100=64@2.60/h --currency USD --country SG {OPEN} --as judy",
        f"pl demand publish D1 --line chip=16x{H100} --ceiling '48.00 USD/h' {WANTED} --as bob",
        f"pl demand publish D2 --line chip=8x{H100} --ceiling '20.00 USD/h' {WANTED} --as bob",
    )
    Path("limits.csv").write_text("demand,near,km_max\nD1,DE,2000\n")
    return tmp_path


def asked(capsys, *words):
    capsys.readouterr()
    assert run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_demands_are_divided_among_offers_and_the_matches_are_registered(market, capsys):
    dispatch = ("market", "dispatch", "--limits", "limits.csv", "--out", "report.json", "--as", "carol")
    nobody = asked(capsys, *dispatch, "--dry-run")
    assert nobody["met"] == 0
    assert all(one["offers"]["dispatch.mandate"] == 2 for one in nobody["unassigned"])
    do("pl broker mandate M1 --broker carol --scope propose --commission 100 --until 2026-12-31 --as bob")
    tried = asked(capsys, *dispatch, "--dry-run")
    assert [one["registered"] for one in tried["registered"]] == [False]
    assert asked(capsys, "broker", "matches") == []
    crowd(20)

    said = asked(capsys, *dispatch)
    (given,) = said["assigned"]
    assert (given["place"], given["distance_km"], given["reason"]) == ("FI", 1_109, "dispatch.cheapest")
    # 16 chips at 2.10 for 30 days; the other demand fits the same 16 chips alone.
    assert given["price_micro"] == said["price_micro"] == 16 * 2_100_000 * 30 * 24
    assert [one["reason"] for one in said["unassigned"]] == ["dispatch.stock_taken"]
    assert said["value_micro"] <= said["bound_micro"]
    assert said["gap_ppm"] == 0
    (match,) = asked(capsys, "broker", "matches")
    assert match["report"] == hashlib.sha256(Path("report.json").read_bytes()).hexdigest()
    assert (match["demand"], match["offer"]) == (given["demand"], given["offer"])
    verified()
