"""Every command of the tutorial, and of guides that are whole in themselves, runs word for word in an empty directory."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from pseudoledger.cli.main import build

ROOT = Path(__file__).resolve().parents[1]
GUIDES = ("check-a-counterparty", "split-revenue")
"""How-to guides that begin with a ledger of their own."""
TUTORIALS = [
    *sorted((ROOT / "docs/tutorial").glob("*.md")),
    *(ROOT / "docs/how-to" / f"{name}.md" for name in GUIDES),
]


def commands(page):
    blocks = re.findall(
        r"^```console\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_every_command_runs_word_for_word(page, tmp_path):
    lines = commands(page)
    assert lines
    script = "set -e\n" + "\n".join(f"echo {shlex.quote(f'$ {line}')}\n{line}" for line in lines)
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        **({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    if "pl verify market" in lines:
        assert "valid" in done.stdout


PAGES = sorted({ROOT / "README.md", *(ROOT / "docs").rglob("*.md")})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_only_commands_that_exist(page):
    root = get_command(build())
    for words in set(
        re.findall(
            r"(?:`|^\$ |^)pl ([a-z][a-z-]+(?: [a-z][a-z-]+)?)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    ):
        first, *rest = words.split()
        assert first in root.commands, words
        group = root.commands[first]
        if rest and hasattr(group, "commands"):
            assert rest[0] in group.commands, words
