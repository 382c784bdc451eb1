"""Statements of every kind, from the lives of things that the contract is tested with, are observed."""

import importlib
import sys
from pathlib import Path

import pytest

from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.trace.columns import LEDGER, all_columns
from pseudoledger.audit.trace.hard import hard_links
from pseudoledger.audit.trace.observations import Observations, Source
from pseudoledger.audit.trace.observe import ACTS
from pseudoledger.audit.trace.past import Past
from pseudoledger.audit.trace.vantage import PUBLIC, Eyes
from pseudoledger.audit.trace.watch import Watcher, in_the_clear
from pseudoledger.statement.kinds import KINDS

CONTRACT = Path(__file__).resolve().parents[2] / "contract"
sys.path.insert(0, str(CONTRACT))
LIVES = {
    name: life
    for path in sorted(CONTRACT.glob("lives*.py"))
    for name, life in importlib.import_module(path.stem).LIVES.items()
}
SOURCE = Source(name="lives", vantage="public", digest="0" * 64, verified=True)


def watch(histories):
    """Observe some histories as if they stood on one ledger after another."""
    fields = [column.field for column in all_columns()]
    found = Observations(fields=fields, source=SOURCE)
    watcher, past = Watcher(Eyes(PUBLIC, roots={}, shown={}), found, {}), Past({})
    for history in histories:
        for one in history:
            if one.payload.type in ACTS:
                entry = {"kind": one.payload.type, "statement": one.statement, "payload": one.payload}
                watcher.take(in_the_clear(Read(index=one.index, at=one.now, **entry), past))
    watcher.finish()
    return found


@pytest.fixture(scope="module")
def lived():
    histories = [state().table.history for life in LIVES.values() for state in life.states.values()]
    with watch(histories) as found:
        yield found


def kinds_seen(found):
    return {kind for (kind,) in found.connection.execute("SELECT DISTINCT kind FROM records").fetchall()}


def test_every_kind_is_observed(lived):
    acts = {kind.name for kind in KINDS.values() if kind.family != LEDGER}
    # It has no life; test_observe.py registers one.
    assert acts - kinds_seen(lived) == {"disclosure.shown"}


def test_every_record_says_when_and_by_whom(lived):
    query = 'SELECT count(*) FROM records WHERE "at" IS NULL OR kind IS NULL OR offset_seconds < 0'
    assert lived.connection.execute(query).fetchall() == [(0,)]


def test_ties_of_every_sort_come_up(lived):
    tokens = {kind for (kind,) in lived.connection.execute("SELECT DISTINCT kind FROM tokens").fetchall()}
    edges = {kind for (kind,) in lived.connection.execute("SELECT DISTINCT kind FROM edges").fetchall()}
    assert tokens == {
        "label",
        "next_key",
        "payment_reference",
        "recovery_key",
        "serial",
        "subject_group",
        "voucher_series",
    }
    assert edges == {"custody", "lease", "quota", "recovery", "rotation", "stake"}
    assert hard_links(lived).component.shape == (lived.count,)
