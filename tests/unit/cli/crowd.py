"""A ledger with a crowd on it: a thousand statements of others around what a test does by the command line."""

import json
import os
import re
import shlex
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.main import run
from pseudoledger.identity.keys import Signer
from pseudoledger.registrar import Registered

PAGES = Path(__file__).resolve().parents[3] / "docs" / "how-to"
NAMES = ("alice", "bob", "judy", "carol")


def found(folder, monkeypatch, start="2026-02-20T08:00:00Z"):
    """Found a ledger in `folder`/led on a simulated clock, with keys for some names, and work in `folder`."""
    for name in [name for name in os.environ if name.startswith("PSEUDOLEDGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PSEUDOLEDGER_KEYS", str(folder / "keys"))
    monkeypatch.setenv("PSEUDOLEDGER_NOW", start)
    monkeypatch.chdir(folder)
    do("pl init led --origin crowd.example --simulated-clock --unsealed")
    monkeypatch.setenv("PSEUDOLEDGER_DIR", str(folder / "led"))
    for name in NAMES:
        do(f"pl id new {name} --unsealed")
    return folder


def do(*lines):
    """Run command lines that have to succeed."""
    for line in lines:
        assert run(shlex.split(line)[1:]) == 0, line


def told(capsys, line, code=0):
    """Run a command line with --json and return what it prints."""
    capsys.readouterr()
    assert run([*shlex.split(line)[1:], "--json"]) == code, line
    return json.loads(capsys.readouterr().out)


def refused(capsys, line, code):
    """Run a command line that a rule refuses with a code."""
    capsys.readouterr()
    assert run(shlex.split(line)[1:]) == 1
    assert code in capsys.readouterr().err


def commands(page):
    """The command lines of a how-to page, in order."""
    blocks = re.findall(
        r"^```\n(.*?)^```$", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return [line for block in blocks for line in block.splitlines() if line.startswith("pl ")]


def crowd(count=500):
    """Register statements of parties that have nothing to do with the test: each declares itself and a pool."""
    with closing(Desk(Path("led"))) as desk:
        raws = []
        for number in range(count):
            who = Signer.from_seed(sha256(f"crowd {desk.now} {number}".encode()).digest())
            lines = [{"id": "cores", "resource": "cpu_core", "count": 8}]
            for tree in (
                {"type": "identity.declared", "label": f"party {number}", "contact": "ask"},
                {"type": "pool.declared", "number": f"P-{number}", "lines": lines},
            ):
                sub = who.did if tree["type"].startswith("identity") else None
                raws.append(desk.sign(who, tree, sub=sub, clear=frozenset()).raw)
        answers = desk.register(raws, dry_run=False)
        assert all(isinstance(answer, Registered) for answer in answers), answers[0]


def verified():
    """Verify the whole ledger; return how many entries it has."""
    report = verify(Path("led"))
    assert report.verdict is Verdict.VALID, report
    assert report.entries > 1_000
    return report.entries
