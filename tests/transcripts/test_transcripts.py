"""Every dialogue prints today what it printed when it was read and agreed."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from transcript import HERE, NAMES, play


@pytest.mark.parametrize("name", NAMES)
def test_the_dialogue_is_as_it_was(name, tmp_path):
    expected = (HERE / name).read_text(encoding="utf-8")
    assert play(expected, tmp_path.resolve()) == expected


def test_there_are_dialogues():
    assert {"bad-input.txt", "identity.txt", "lease-month.txt", "market.txt", "statements.txt"} <= set(NAMES)
