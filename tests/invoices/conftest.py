"""A ledger of a thousand statements with one lease billed on it, whose parties disclose their names."""

import contextlib
import io
import os
import sys
from pathlib import Path

import pytest

from pseudoledger.cli.desk import Desk
from pseudoledger.cli.main import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "transcripts"))
from transcript import HERE, play

NAMED = {
    "--workload 'fine-tuning'": "--workload 'fine-tuning' --lessor-name 'North Lake Oy' --lessee-name 'Harbour & Söhne <Labs>'",
    "pl invoice commission 2026-1 C-1 --mandate M1 --as carol": "pl invoice commission 2026-1 C-1 --mandate M1 --seller-name 'Carol Brokers' --as carol",
}
AROUND = 1_000
"""Statements of others that stand around the lease."""

DETAILS = """
exemption_reason = "Outside the scope of tax"

[parties.north-lake]
country = "FI"
street = "Rantatie 1"
city = "Oulu"
postal_code = "90100"
vat = "FI12345678"
registration = "1234567-8"
endpoint = "003712345678"
endpoint_scheme = "0216"

[parties.bob]
country = "DE"
city = "Kiel"
vat = "DE123456789"

[parties.carol]
country = "NL"
account = "NL91ABNA0417164300"
"""


class Office:
    """Runs commands at the ledger, and keeps what they print."""

    def __init__(self, folder):
        self.folder = folder
        self.out = self.err = ""

    def run(self, *words):
        said, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
            code = run([str(word) for word in words])
        self.out, self.err = said.getvalue(), complained.getvalue()
        return code


def others(desk, name):
    """Register statements of a party that has nothing to do with the lease."""
    signer = desk.signer(name)
    line = {"id": "gpu", "resource": "chip", "chip": "nvidia-h100-sxm5-80gb", "count": 1}
    for start in range(0, AROUND, 250):
        trees = [
            {"type": "pool.declared", "number": f"P-{n}", "lines": [line]} for n in range(start, start + 250)
        ]
        raws = [desk.sign(signer, tree, sub=None).raw for tree in trees]
        answers = desk.register(raws, dry_run=False)
        assert all(hasattr(answer, "index") for answer in answers)


@pytest.fixture(scope="session")
def books(tmp_path_factory):
    """The folder with `led` and `keys`."""
    folder = tmp_path_factory.mktemp("invoices").resolve()
    text = (HERE / "lease-month.txt").read_text(encoding="utf-8")
    for said, named in NAMED.items():
        assert said in text
        text = text.replace(said, named)
    played = play(text, folder)
    assert "led is valid" in played
    (folder / "firms.toml").write_text(DETAILS, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def crowded(books):
    """The same ledger with a thousand statements of others behind it."""
    environ = {
        "PSEUDOLEDGER_KEYS": str(books / "keys"),
        "PSEUDOLEDGER_NOW": "2026-04-16T00:00:00Z",
    }
    with contextlib.closing(Desk(books / "led", environ)) as desk:
        others(desk, "carol")
    return books


@pytest.fixture
def office(crowded, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PSEUDOLEDGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PSEUDOLEDGER_KEYS", str(crowded / "keys"))
    monkeypatch.setenv("PSEUDOLEDGER_DIR", str(crowded / "led"))
    return Office(crowded)
