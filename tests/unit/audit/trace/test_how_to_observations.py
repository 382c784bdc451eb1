"""docs/how-to/trace-observations.md, followed to the letter."""

import os
import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from pseudoledger.audit.trace.roles import REVEALS, Columns
from pseudoledger.audit.trace.sheet import COLUMNS_MAX
from pseudoledger.cli.main import run

ROOT = Path(__file__).resolve().parents[4]
PAGE = (ROOT / "docs" / "how-to" / "trace-observations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    market, edges = (text for sort, text in BLOCKS if sort == "csv")
    (tmp_path / "market.csv").write_text(market)
    (tmp_path / "edges.csv").write_text(edges)
    persons = (
        "record,given,surname,postcode,born,person\n1,ann,lee,0800,19800101,p\n2,anne,lee,0800,19800101,p\n"
    )
    (tmp_path / "persons.csv").write_text(persons)
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


def test_the_programs_of_the_page_run(folder, capsys):
    programs = [text for sort, text in BLOCKS if sort == "python"]
    names = {}
    for program in programs:
        exec(compile(program, "page", "exec"), names)  # noqa: S102 - the page is ours
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "3 identities, 4 records",
        "k1 k2 wallet w1 (1, 3)",
        "k2 k3 same device  (1,)",
        "['given', 'surname', 'postcode', 'born'] True",
    ]


def test_the_commands_of_the_page_work(folder, capsys):
    commands = [line for sort, text in BLOCKS if sort == "sh" for line in text.splitlines()]
    assert len(commands) == 3
    for command in commands:
        assert run(shlex.split(command)[1:]) == 0, capsys.readouterr().err
    assert "the same, byte for byte" in capsys.readouterr().out
    for language in ("en", "ar"):
        assert (folder / "traced" / f"trace.{language}.html").is_file()


def test_the_page_names_every_option_and_word():
    for field in fields(Columns):
        assert f"`{field.name}`" in PAGE, field.name
    for word in REVEALS:
        assert f"`{word}`" in PAGE, word
    assert f"At most {COLUMNS_MAX} columns" in PAGE
