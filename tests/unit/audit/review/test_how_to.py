"""docs/how-to/review-a-ledger.md, command by command, on a ledger that has something to ask about."""

import json
import os
import re
import shlex
from pathlib import Path

import pytest
from town import Town

from pseudoledger.cli.main import run

ROOT = Path(__file__).resolve().parents[4]
PAGE = (ROOT / "docs" / "how-to" / "review-a-ledger.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("how-to")
    town = Town(folder / "town")
    for _ in range(7):
        town.at("2023-12-01").offer("north", "nvidia-a800-sxm4-80gb", "CN")
    town.declare("north", "lake")
    offer = town.at("2024-03-01").offer("north", "nvidia-h200-sxm-141gb", "DE")
    town.lease("north", "lake", offer, sealed={"lessee_name": "Lake"})
    town.close()
    town.ledger.rename(folder / "market")
    (folder / "kept").mkdir()
    (town.directory / "disclosures").rename(folder / "kept" / "disclosures")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_the_page_work(place, command, capsys):
    before = Path.cwd()
    os.chdir(place)
    try:
        assert run(shlex.split(command)[1:]) == 0, capsys.readouterr().err
    finally:
        os.chdir(before)
    out = re.search(r"--out (\S+)", command)
    if out:
        dossier = json.loads((place / out[1] / "review.json").read_text())
        assert dossier["ledger"]["verified"]
        assert (place / out[1] / "review.html").is_file()


def test_there_are_enough_of_them():
    assert len(COMMANDS) >= 8
