"""docs/how-to/trace-an-identity.md, command by command; and what `pl trace` and `pl report` say when they cannot."""

import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pseudoledger.cli import trace as trace_command
from pseudoledger.cli.main import run

ROOT = Path(__file__).resolve().parents[4]
PAGE = (ROOT / "docs" / "how-to" / "trace-an-identity.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
CSV = "identity,time,account,seller,price\n" + "".join(
    f"k{n % 6},2026-01-{1 + n // 6:02d}T{8 + n % 6:02d}:00:00Z,a{n % 3},s{n % 4},{10 + n % 5}\n"
    for n in range(90)
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    from town import Town

    folder = tmp_path_factory.mktemp("trace")
    town = Town(folder / "town")
    for day in range(1, 8):
        for name in ("north", "south", "east"):
            town.at(f"2023-12-0{day}").offer(name, "nvidia-a800-sxm4-80gb", "CN")
    town.declare("north", "lake", "river")
    offer = town.at("2024-03-01").offer("north", "nvidia-h200-sxm-141gb", "DE")
    town.lease("north", "lake", offer, sealed={"lessee_name": "Lake"})
    town.close()
    town.ledger.rename(folder / "market")
    (folder / "kept").mkdir()
    (town.directory / "disclosures").rename(folder / "kept" / "disclosures")
    (folder / "sales.csv").write_text(CSV)
    (folder / "lake").write_text(town.did("lake"))
    return folder


@pytest.fixture
def here(place, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PSEUDOLEDGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PSEUDOLEDGER_KEYS", str(place / "keys"))
    monkeypatch.setenv("PSEUDOLEDGER_DIR", str(place / "market"))
    monkeypatch.chdir(place)
    return place


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_the_page_work(here, command, capsys):
    line = command.replace("did:key:IDENTITY", (here / "lake").read_text())
    assert run(shlex.split(line)[1:]) == 0, capsys.readouterr().err
    out = re.search(r"--out (\S+)", command)
    if out:
        report = json.loads((here / out[1] / "trace.json").read_text())
        assert report["format"] == "pseudoledger-trace/1"
        assert (here / out[1] / "trace.ar.html").is_file()
        assert (here / out[1] / "trace.json.sig").is_file() is ("--as" in command)


def test_there_are_enough_of_them():
    assert len(COMMANDS) >= 9


def told(capsys, *arguments, code):
    assert run([str(one) for one in arguments]) == code
    return capsys.readouterr()


def test_what_is_printed_can_be_read_by_programs(here, capsys, tmp_path):
    said = json.loads(told(capsys, "trace", "market", "--out", tmp_path / "t", "--json", code=0).out)
    assert said["verified"] is True
    assert said["identities"] == sum(said["verdicts"].values())
    assert set(said["files"]) == {"json", "en", "ar"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("trace", "--out", "x"), 2, "name a ledger's directory or --observations"),
        (("trace", "market", "--observations", "sales.csv", "--out", "x"), 2, "one of them"),
        (
            ("trace", "market", "--identity", "did:key:zNobody", "--out", "x"),
            1,
            "nothing was seen of the identity",
        ),
        (("trace", "market", "--token", "account", "--out", "x"), 2, "no columns to name"),
        (("trace", "market", "--edges", "ties.csv", "--out", "x"), 2, "no columns to name"),
        (
            ("trace", "--observations", "sales.csv", "--unverified", "--out", "x"),
            2,
            "a table is not verified",
        ),
        (("trace", "--observations", "sales.csv", "--weigh", "2", "--out", "x"), 2, "no disclosures"),
        (("trace", "market", "--vantage", "above", "--out", "x"), 2, "above"),
        (
            (
                "trace",
                "market",
                "--vantage",
                "broker:did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
                "--out",
                "x",
            ),
            1,
            "knows no identity",
        ),
        (("trace", "nowhere", "--out", "x"), 3, "nowhere"),
        (("trace", "--observations", "nowhere.csv", "--out", "x"), 3, "nowhere.csv"),
        (("trace", "--observations", "sales.csv", "--token", "colour", "--out", "x"), 1, "colour"),
        (
            ("trace", "--observations", "sales.csv", "--vantage", "public", "--out", "x"),
            2,
            "no vantage points",
        ),
        (("trace", "--observations", "latin.csv", "--out", "x"), 1, "latin.csv"),
        (("trace", "--observations", "one.csv", "--out", "x"), 1, "one"),
        (("report", "verify", "sales.csv"), 1, "not a report of trace"),
        (("report", "verify", "nowhere.json"), 3, "nowhere.json"),
    ],
)
def test_wrong_input_ends_in_a_clear_line(here, arguments, code, said, capsys):
    (here / "latin.csv").write_bytes(CSV.replace("a1", "\xe4").encode("latin-1"))
    (here / "one.csv").write_text("identity,time\nk1,2026-01-01T00:00:00Z\nk1,2026-01-02T00:00:00Z\n")
    answer = told(capsys, *arguments, code=code)
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert not Path("x").exists()


def test_disclosures_that_do_not_fit_are_listed_and_not_used(here, tmp_path, capsys):
    file = tmp_path / "other.disclosures.json"
    file.write_text(json.dumps({"statement": "00" * 32, "disclosures": ["WyJhIl0"]}))
    answer = told(capsys, "trace", "market", "--disclosures", file, "--out", tmp_path / "t", code=0)
    assert "disclosure not used" in answer.err


def test_a_broken_ledger_is_not_traced_unless_that_is_wanted(here, tmp_path, capsys):
    broken = tmp_path / "broken"
    shutil.copytree(here / "market", broken)
    with sqlite3.connect(broken / "ledger.db") as db:
        (raw,) = db.execute("SELECT statement FROM entries WHERE idx = 5").fetchone()
        db.execute("UPDATE entries SET statement = ? WHERE idx = 5", (raw[:-1] + bytes([raw[-1] ^ 1]),))
    db.close()
    answer = told(capsys, "trace", broken, "--out", tmp_path / "t", code=1)
    assert "does not verify, so it was not traced" in answer.err
    assert not (tmp_path / "t").exists()
    told(capsys, "trace", broken, "--unverified", "--out", tmp_path / "t", code=0)
    assert "Not verified." in (tmp_path / "t" / "trace.en.html").read_text()
    answer = told(capsys, "report", "verify", tmp_path / "t" / "trace.json", code=1)
    assert "the ledger was not verified" in answer.err


def test_two_processes_write_the_same_bytes(here, tmp_path):
    written = []
    for seed in ("1", "2"):
        out = tmp_path / seed
        subprocess.run(
            [Path(sys.executable).with_name("pseudoledger"), "trace", "market", "--out", out],
            check=True,
            capture_output=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
            timeout=300,
        )
        written.append([file.read_bytes() for file in sorted(out.iterdir())])
    assert len(written[0]) == 3
    assert written[0] == written[1]


def test_a_forged_report_does_not_stand(here, tmp_path, capsys):
    told(capsys, "trace", "market", "--out", tmp_path / "t", code=0)
    file = tmp_path / "t" / "trace.json"
    file.write_text(file.read_text().replace('"verdict": "unweighed"', '"verdict": "linked"', 1))
    answer = told(capsys, "report", "verify", file, "--ledger", "market", code=1)
    assert "traced again it comes out otherwise" in answer.err


def test_a_signature_of_somebody_else_does_not_count(here, tmp_path, capsys):
    run(["id", "new", "second", "--unsealed"])
    told(capsys, "trace", "market", "--as", "second", "--out", tmp_path / "t", code=0)
    file = tmp_path / "t" / "trace.json"
    assert "by did:key:" in told(capsys, "report", "verify", file, code=0).out
    stranger = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
    assert "not by did:key:" in told(capsys, "report", "verify", file, "--key", stranger, code=1).err
    sig = file.with_name("trace.json.sig")
    sig.write_bytes(sig.read_bytes()[:-1])
    assert "the signature:" in told(capsys, "report", "verify", file, code=1).err


def test_without_the_libraries_it_says_how_to_get_them(here, monkeypatch, capsys):
    monkeypatch.setattr(trace_command, "EXTRA", ("duckdb", "no_such_library_anywhere"))
    answer = told(capsys, "trace", "market", "--out", "x", code=2)
    assert 'pip install "pseudoledger[trace]"' in answer.err
