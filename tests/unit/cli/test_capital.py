"""Stakes, splits, quotas and reports through the command line, on a ledger with a thousand others' statements."""

import json
import os
import re
import shlex
from hashlib import sha256
from pathlib import Path

import pytest

from pseudoledger.cli.main import run
from pseudoledger.identity.keys import Signer
from pseudoledger.ledger.store import Store
from pseudoledger.statement import envelope
from pseudoledger.statement.payload import draft

ROOT = Path(__file__).resolve().parents[3]

AROUND = 520
"""Statements of others before, and again after."""


def fill(folder, begin):
    """Register pools of many other parties, as files handed in."""
    ledger = json.loads((folder / "market" / "ledger.json").read_text())["ledger"]
    names = []
    for number in range(begin, begin + AROUND):
        who = Signer.from_seed(sha256(f"other {number % 40}".encode()).digest())
        lines = [{"id": "h100", "resource": "chip", "chip": "nvidia-h100-sxm5-80gb", "count": 8}]
        tree = {"type": "pool.declared", "v": 1, "number": f"X{number}", "lines": lines, "label": "x"}
        raw = envelope.sign(who, draft(tree), sub=who.did, aud=ledger, iat=1_771_574_400)
        path = folder / f"x{number}.scitt"
        path.write_bytes(raw)
        names.append(str(path))
    assert run(["submit", *names, "--json"]) == 0


@pytest.fixture
def busy(tmp_path, monkeypatch, capsys):
    """The ledger of the how-to, played among more than a thousand statements of others."""
    for name in [name for name in os.environ if name.startswith("PSEUDOLEDGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/how-to/split-revenue.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    lines = [line[2:] for block in blocks for line in block.splitlines()]
    for name, value in (("KEYS", "keys"), ("DIR", "market"), ("NOW", "2026-02-20T08:00:00Z")):
        monkeypatch.setenv(f"PSEUDOLEDGER_{name}", str(tmp_path / value) if name != "NOW" else value)
    for line in lines:
        words = line.split()
        if words[0] == "export":
            for pair in (item for item in words[1:] if item.startswith("PSEUDOLEDGER_NOW=")):
                monkeypatch.setenv(*pair.split("=", 1))
        else:
            assert run(shlex.split(line)[1:]) == 0, line
        if words[:2] == ["pl", "init"]:
            fill(tmp_path, 0)
    fill(tmp_path, AROUND)
    capsys.readouterr()
    return tmp_path


def asked(capsys, *words):
    assert run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_capital_among_a_thousand_statements(busy, capsys):
    store = Store.open_reader(busy / "market")
    size = sum(1 for _ in store.entries())
    store.close()
    assert size > 1_000 + 40

    split = asked(capsys, "stake", "split", "2026-1")
    assert [part["amount_minor"] for part in split["parts"]] == [82_974, 29_871, 19_914]
    assert sum(part["amount_minor"] for part in split["parts"]) == split["amount_minor"] == 132_759
    assert (
        sum(part["chip_seconds"] for part in split["parts"])
        == split["chip_seconds"]
        == 4 * (7 * 24 - 3) * 3_600
    )
    assert split["settled"]
    whole = asked(capsys, "stake", "split", "L1")
    assert [part["settled_minor"] for part in whole["parties"]] == [82_974, 29_871, 19_914]
    assert whole["invoices"] == [split]

    (quota,) = asked(capsys, "quota", "list", "--of", "vision")
    assert (quota["limit"], quota["drawn"], quota["left"]) == (10_800_000, 10_368_000, 432_000)
    assert run(["quota", "draw", "Q1", "D2", "--lease", "L1", "--hours", "121", "--as", "lab"]) == 1
    assert "quota.exceeded" in capsys.readouterr().err
    assert run(["quota", "draw", "Q1", "D2", "--lease", "L1", "--hours", "0", "--as", "lab"]) == 1
    assert "/chip_seconds" in capsys.readouterr().err
    budget = asked(capsys, "quota", "budget", "lab")
    assert [item["committed"] for item in budget["quotas"]] == [10_368_000]
    assert budget["without_quota"] == []

    index = asked(capsys, "lease", "concentration", "--of", "lab")
    assert index["by_vendor"]["least"] == index["by_vendor"]["most"] == "1/1"
    assert asked(capsys, "lease", "endings") | {"as_of": 0} == {"as_of": 0, "causes": [], "endings": []}

    assert asked(capsys, "verify", "market")["verdict"] == "valid"
