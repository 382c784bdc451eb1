"""Machines by the command line, with a thousand statements of others around them; the how-to page runs as it stands."""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from crowd import commands, crowd, do, found, verified

from pseudoledger.cli.main import run

H100 = "nvidia-h100-sxm5-80gb"
MACHINES = f"""number,maker,serial,chip,count,country,subdivision,site
S2,nvidia,1650123456790,{H100},8,DE,DE-BE,hall 2
S3,nvidia,1650123456791,{H100},8,DE,,
"""


SERVERS, BATCH = 300, 60


def quick_digest(ledger_id, maker, serial):
    """Stands for the slow hash of serials where there are hundreds of them."""
    return sha256(f"{ledger_id} {maker} {serial}".encode()).hexdigest()


def fleet():
    """Write the files of 300 servers that the how-to page names: registered in one country, received in another."""
    numbers = range(1, SERVERS + 1)
    rows = [f"N{number},nvidia,77{number:05},{H100},8,TW" for number in numbers]
    files = {
        "servers": ["number,maker,serial,chip,count,country", *rows],
        "sold": ["machine,number", *(f"N{number},W-N{number}" for number in numbers)],
        "arrived": ["machine,country,site", *(f"N{number},DE,hall {number % 4}" for number in numbers)],
        **{
            f"batch-{batch + 1}": ["number,maker,serial,chip,count,country", *rows[batch * BATCH :][:BATCH]]
            for batch in range(SERVERS // BATCH)
        },
    }
    for name, lines in files.items():
        Path(f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def leased(tmp_path, monkeypatch):
    """Alice leases eight chips to bob, and another 2,400."""
    found(tmp_path, monkeypatch)
    crowd()
    do(
        f"pl pool declare P1 --line h100=8x{H100} --as alice",
        "pl offer publish O1 --pool P1 --line h100=8@2.235/h --currency USD --country DE --from 2026-03-01"
        " --until 2026-12-31 --as alice",
        "pl lease propose L1 --line O1/h100=8 --from 2026-03-01 --length 60d --as bob",
        "pl lease sign L1 --as alice",
        f"pl pool declare P2 --line h100=2400x{H100} --as alice",
        "pl offer publish O2 --pool P2 --line h100=2400@2.235/h --currency USD --country DE --from 2026-03-01"
        " --until 2026-12-31 --as alice",
        "pl lease propose L2 --line O2/h100=2400 --from 2026-03-01 --length 60d --as bob",
        "pl lease sign L2 --as alice",
    )
    monkeypatch.setenv("PSEUDOLEDGER_NOW", "2026-03-01T00:00:00Z")
    return tmp_path


def shown(capsys, line):
    capsys.readouterr()
    do(line)
    return json.loads(capsys.readouterr().out)


def test_the_how_to_page_runs_and_the_ledger_verifies(leased, capsys, monkeypatch):
    Path("machines.csv").write_text(MACHINES, encoding="utf-8")
    fleet()
    monkeypatch.setattr("pseudoledger.cli.machine_files.serial_digest", quick_digest)
    do(*commands("follow-machines.md"))
    chain = shown(capsys, "pl asset show S1 --json")
    assert chain["countries"] == ["DE", "FR", "DE"]
    assert chain["returns"] == 1
    assert len(chain["leases"]) == 1
    assert len(shown(capsys, "pl asset list --of alice --limit 1000 --json")) == 3 + SERVERS
    assert shown(capsys, "pl asset show N300 --json")["countries"] == ["TW", "DE"]
    do("pl delivery accept B1 --as bob")
    for batch in range(2, 6):
        monkeypatch.setenv("PSEUDOLEDGER_NOW", f"2026-03-{2 * batch - 1:02}T00:00:00Z")
        do(
            f"pl delivery offer L2 R-{batch} --line h100=480 --csv batch-{batch}.csv --as alice",
            f"pl delivery accept R-{batch} --as bob",
        )
    # Three weeks pass until the first workload.
    monkeypatch.setenv("PSEUDOLEDGER_NOW", "2026-03-29T00:00:00Z")
    do(
        "pl usage report L1 --line h100 --until 2026-03-22 --hours 0 --as alice",
        "pl usage report L1 --line h100 --until 2026-03-29 --full --as alice",
    )
    (times,) = shown(capsys, "pl delivery lead-times L1 --json")
    assert times["to_usage_s"] == 21 * 86_400
    monkeypatch.setenv("PSEUDOLEDGER_NOW", "2026-04-06T00:00:00Z")
    do(
        "pl usage report L2 --line h100 --until 2026-03-30 --hours 0 --as alice",
        "pl usage report L2 --line h100 --until 2026-04-06 --full --as alice",
    )
    (alice,) = shown(capsys, "pl asset census --of alice --json")
    counted = [alice[name] for name in ("total", "attested", "delivered", "declared")]
    assert counted == [2_424, 0, 2_408, 16]
    capsys.readouterr()
    do("pl delivery lead-times L2", "pl asset census", "pl asset show S1")
    said = capsys.readouterr().out
    assert re.findall(r"h100=480 .* 2026-03-30 +0\.0 d +(\S+ d)", said) == [
        f"{days}.0 d" for days in (29, 27, 25, 23, 21)
    ]
    assert f"{H100} 2,424" in said
    assert verified() > 3 * SERVERS


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


BAD_FILES = (
    ("asset register --csv bad.csv", "line 2: count left empty"),
    ("asset move --to bob --reason sale", "say the machine, the number of the move"),
    ("asset move --csv bad.csv --to bob --reason sale", "the columns machine are missing"),
    ("asset receive S1", "say --country"),
    ("asset receive --csv long.csv", "line 2: it has more fields than the first line"),
    ("delivery offer L1 B1 --csv none.csv", "names no machine"),
    ("delivery offer L1 B1 --csv torn.csv", "line 2: unexpected end of data"),
    ("delivery offer L1 B1 --csv bytes.csv", "is not UTF-8"),
    ("delivery offer L1 B1 --csv twice.csv", "the columns serial stand twice"),
)


def test_a_bad_file_of_machines_says_where_it_is_bad(leased, capsys):
    Path("bad.csv").write_text(
        f"number,maker,serial,chip,count,country\nS1,a,b,{H100},,DE\n", encoding="utf-8"
    )
    Path("long.csv").write_text("machine,country\nS1,DE,more\n", encoding="utf-8")
    Path("none.csv").write_text("maker,serial\n", encoding="utf-8")
    Path("torn.csv").write_text('maker,serial\nnvidia,"165', encoding="utf-8")
    Path("bytes.csv").write_bytes(b"maker,serial\n\xff,1\n")
    Path("twice.csv").write_text("maker,serial,serial\nnvidia,111,222\n", encoding="utf-8")
    for line, said in BAD_FILES:
        assert run([*line.split(), "--as", "alice"]) == 2
        assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "words", ["S1 --country DE", "S1 --serial nothing --chip x --country DE", "--csv short.csv"]
)
def test_what_makes_no_sense_is_wrong_use(leased, capsys, words):
    Path("short.csv").write_text("number,maker\nS1,nvidia\n", encoding="utf-8")
    assert run(["asset", "register", *words.split(), "--as", "alice"]) == 2
    assert "wrong use" in capsys.readouterr().err
