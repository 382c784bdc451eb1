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


@pytest.mark.parametrize("page", ["dispatch.md", "federate-listings.md"])
def test_commands_of_a_guide_are_played_in_a_dialogue(page):
    played = "\n".join((HERE / name).read_text(encoding="utf-8") for name in NAMES)
    guide = (HERE.parents[1] / "docs" / "how-to" / page).read_text(encoding="utf-8")
    commands = [line for line in guide.splitlines() if line.startswith("pl ")]
    assert commands
    assert [line for line in commands if f"$ {line}\n" not in played] == []
