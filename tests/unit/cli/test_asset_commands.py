"""Machines by the command line, with a thousand statements of others around them; the how-to page runs as it stands."""

import json
from pathlib import Path

import pytest
from crowd import commands, crowd, do, found, verified

from pseudoledger.cli.main import run

H100 = "nvidia-h100-sxm5-80gb"
MACHINES = f"""number,maker,serial,chip,count,country,subdivision,site
S2,nvidia,1650123456790,{H100},8,DE,DE-BE,hall 2
S3,nvidia,1650123456791,{H100},8,DE,,
"""


@pytest.fixture
def leased(tmp_path, monkeypatch):
    """Alice leases eight chips to bob."""
    found(tmp_path, monkeypatch)
    crowd()
    do(
        f"pl pool declare P1 --line h100=8x{H100} --as alice",
        "pl offer publish O1 --pool P1 --line h100=8@2.235/h --currency USD --country DE --from 2026-03-01"
        " --until 2026-12-31 --as alice",
        "pl lease propose L1 --line O1/h100=8 --from 2026-03-01 --length 60d --as bob",
        "pl lease sign L1 --as alice",
    )
    monkeypatch.setenv("PSEUDOLEDGER_NOW", "2026-03-01T00:00:00Z")
    return tmp_path


def shown(capsys, line):
    capsys.readouterr()
    do(line)
    return json.loads(capsys.readouterr().out)


def test_the_how_to_page_runs_and_the_ledger_verifies(leased, capsys, monkeypatch):
    Path("machines.csv").write_text(MACHINES, encoding="utf-8")
    do(*commands("follow-machines.md"))
    chain = shown(capsys, "pl asset show S1 --json")
    assert chain["countries"] == ["DE", "FR", "DE"]
    assert chain["returns"] == 1
    assert len(chain["leases"]) == 1
    assert len(shown(capsys, "pl asset list --json")) == 3
    # Three weeks pass until the first workload.
    do("pl delivery accept B1 --as bob")
    monkeypatch.setenv("PSEUDOLEDGER_NOW", "2026-03-29T00:00:00Z")
    do(
        "pl usage report L1 --line h100 --until 2026-03-22 --hours 0 --as alice",
        "pl usage report L1 --line h100 --until 2026-03-29 --full --as alice",
    )
    (times,) = shown(capsys, "pl delivery lead-times L1 --json")
    assert times["to_usage_s"] == 21 * 86_400
    (alice,) = shown(capsys, "pl asset census --of alice --json")
    assert (alice["total"], alice["attested"], alice["delivered"], alice["declared"]) == (24, 0, 8, 16)
    capsys.readouterr()
    do("pl delivery lead-times", "pl asset census", "pl asset show S1")
    said = capsys.readouterr().out
    assert "21.0 d" in said
    assert f"{H100} 24" in said
    verified()


def test_a_machine_that_somebody_else_holds_is_not_delivered(leased, capsys):
    do(
        f"pl asset register S1 --serial nvidia=1650 --chip {H100} --count 8 --country DE --as alice",
        "pl asset move S1 W1 --to carol --reason storage --as alice",
        "pl asset receive S1 --country NL --condition opened --as carol",
    )
    offer = ["delivery", "offer", "L1", "B1", "--line", "h100=8", "--serial", "nvidia=1650", "--as", "alice"]
    assert run(offer) == 1
    assert "serial.not_held" in capsys.readouterr().err
    again = f"asset register S9 --serial nvidia=1650 --chip {H100} --country DE --as bob"
    assert run(again.split()) == 1
    assert "asset.registered" in capsys.readouterr().err
    assert run(["asset", "receive", "S1", "--country", "NL", "--as", "bob"]) == 2
    verified()


@pytest.mark.parametrize(
    "words", ["S1 --country DE", "S1 --serial nothing --chip x --country DE", "--csv short.csv"]
)
def test_what_makes_no_sense_is_wrong_use(leased, capsys, words):
    Path("short.csv").write_text("number,maker\nS1,nvidia\n", encoding="utf-8")
    assert run(["asset", "register", *words.split(), "--as", "alice"]) == 2
    assert "wrong use" in capsys.readouterr().err
