"""Every event in every state, by everybody: `lifecycles/*.txt` says what has to happen."""

import importlib
from functools import lru_cache
from pathlib import Path

import pytest

LIVES = {
    name: life
    for path in sorted(Path(__file__).parent.glob("lives*.py"))
    for name, life in importlib.import_module(path.stem).LIVES.items()
}
"""Every life of `lives.py` and of the `lives_*.py` beside it."""
TABLES = Path(__file__).parent / "lifecycles"


def read_table(name):
    """Read a table: (state, event) to outcome by role."""
    roles, found = LIVES[name].roles, {}
    for line in (TABLES / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if not line:
            continue
        place, _, cells = line.partition(": ")
        state, _, event = place.partition(" / ")
        expected = {}
        for cell in cells.split("; "):
            outcome, _, who = cell.rpartition(": ")
            for role in roles if who == "all" else who.split():
                assert role not in expected, f"{line}: {role} stands twice"
                expected[role] = outcome
        assert (state, event) not in found, f"{place} stands twice"
        found[state, event] = expected
    return found


ROWS = [(name, *place) for name in LIVES for place in read_table(name)]


@lru_cache(maxsize=32)
def market_in(name, state):
    """Play a thing into a state; what the book then holds is read back from its stored form."""
    deal = LIVES[name].states[state]()
    deal.table.reopen()
    return deal


@pytest.mark.parametrize("name", LIVES)
def test_a_table_is_complete(name):
    life, table = LIVES[name], read_table(name)
    assert set(table) == {(state, event) for state in life.states for event in life.events}
    assert all(set(expected) == set(life.roles) for expected in table.values())


@pytest.mark.parametrize(("name", "state", "event"), ROWS, ids=lambda part: part.replace(" ", "-"))
def test_what_happens(name, state, event):
    life, deal = LIVES[name], market_in(name, state)
    outcome = {role: life.outcome(deal, event, role) for role in life.roles}
    assert outcome == read_table(name)[state, event]


@pytest.mark.parametrize(
    ("name", "state"), [(name, state) for name, life in LIVES.items() for state in life.states]
)
def test_a_state_replays(name, state):
    deal = LIVES[name].states[state]()
    assert deal.table.replayed() == deal.table.shelf.rows
