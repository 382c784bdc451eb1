"""A ledger that the dialogue of a lease month left behind, for commands that read."""

import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "transcripts"))
from transcript import HERE, play


@pytest.fixture(scope="session")
def month(tmp_path_factory):
    """The folder with `led` and `keys` after the lease month."""
    folder = tmp_path_factory.mktemp("month").resolve()
    play((HERE / "lease-month.txt").read_text(encoding="utf-8"), folder)
    return folder


@pytest.fixture
def at_month(month, monkeypatch):
    """Makes this process read that ledger, on its last day."""
    for name in [name for name in os.environ if name.startswith("PSEUDOLEDGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PSEUDOLEDGER_KEYS", str(month / "keys"))
    monkeypatch.setenv("PSEUDOLEDGER_DIR", str(month / "led"))
    return month


@pytest.fixture
def ids(month):
    """Every whole id that stands on that ledger."""
    from pseudoledger.ledger.store import Store

    store = Store.open_reader(month / "led")
    found = {row.id for row in store.entries()}
    store.close()
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in found)
    return found
