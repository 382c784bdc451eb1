"""Help: every command has examples, and every example is a command line that parses."""

import os
import re
import shlex

import pytest
import rich.text
from typer.main import get_command

from pseudoledger.cli.agenda import COMMANDS as ANSWERS
from pseudoledger.cli.main import build, run
from pseudoledger.contract.ruleset import newest_tables
from pseudoledger.contract.tables import load

ROOT = get_command(build())


def commands(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(ROOT))
EXAMPLES = [
    rich.text.Text.from_markup(line.strip(), emoji=False).plain
    for command in COMMANDS.values()
    for line in (command.epilog or "").split("\n\n")[1:]
]


def test_the_nouns_of_the_design_are_there():
    nouns = {path[0] for path in COMMANDS}
    assert nouns >= {
        *(
            "init",
            "id",
            "pool",
            "offer",
            "demand",
            "broker",
            "lease",
            "delivery",
            "usage",
            "invoice",
            "payment",
        ),
        *(
            "market",
            "draft",
            "sign",
            "submit",
            "show",
            "todo",
            "status",
            "verify",
            "receipt",
            "tiles",
            "backup",
        ),
        *("demo", "bench"),
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(path, capsys):
    command = COMMANDS[path]
    assert command.help
    assert command.epilog, "worked examples are part of the help"
    for parameter in command.params:
        assert getattr(parameter, "help", ""), f"{parameter.name} is not explained"
    assert run([*path, "--help"]) == 0
    assert "Examples" in capsys.readouterr().out


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_parses(example, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PSEUDOLEDGER_")]:
        monkeypatch.delenv(name)
    program, *words = shlex.split(example.split(" > ")[0])
    assert program == "pl"
    command, context = ROOT, None
    while hasattr(command, "commands"):
        name, command, words = (
            command.resolve_command(ROOT.make_context("pl", [], resilient_parsing=True), words)
            if (command is ROOT)
            else command.resolve_command(context, words)
        )
        context = command.make_context(name, list(words), resilient_parsing=hasattr(command, "commands"))
    assert context is not None


def test_chips_of_the_examples_are_in_the_chip_table():
    named = {chip for line in EXAMPLES for chip in re.findall(r"(?<=[x|])(?:nvidia|amd)-[a-z0-9-]+", line)}
    assert len(named) > 1
    assert named <= load(newest_tables()).chips


@pytest.mark.parametrize("line", ANSWERS.values())
def test_what_todo_prints_names_all_that_its_command_needs(line):
    program, noun, verb, *words = line.format(ref="3f9ac2d1", about="3f9ac2d1").split()
    assert program == "pl"
    command = COMMANDS[noun, verb]
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options
    # The name of the key is asked of every command, and whoever reads `todo` has said it already.
    words = [*(re.sub(r"^[A-Z]+$", "1", word) for word in words), "--as", "bob"]
    command.make_context(verb, words)


def test_no_arguments_show_the_help(capsys):
    assert run([]) == 2
    assert "Commands" in capsys.readouterr().out


def test_a_did_stays_a_did(capsys):
    assert run(["verify", "--help"]) == 0
    assert "did:key:z6Mk" in capsys.readouterr().out


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("pseudoledger ")
