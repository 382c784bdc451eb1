"""JSON for machines: it parses, its ids are whole, and its fields do not come and go."""

import json
import re

import pytest

from pseudoledger.cli.main import run

READING = (
    "status",
    "id list",
    "id show alice",
    "pool list",
    "offer list --all",
    "demand list --all",
    "broker list --all",
    "broker matches --all",
    "bid list --all",
    "lease list --all",
    "lease show L1",
    "lease statement L1",
    "delivery list --all",
    "usage list --all",
    "invoice list --all",
    "invoice show 2026-1",
    "payment list --all",
    "payment list --overdue",
    "todo --as alice",
    "market match",
    "show 2",
    "draft --list",
)


@pytest.mark.parametrize("command", READING)
def test_it_parses_and_says_the_same_twice(command, at_month, capsys):
    said = []
    for _ in range(2):
        assert run([*command.split(), "--json"]) == 0
        shown = capsys.readouterr()
        assert not shown.err
        said.append(json.loads(shown.out))
    assert said[0] == said[1]
    assert said[0]


@pytest.mark.parametrize(
    "command", [command for command in READING if "list" in command and command[:2] != "id"]
)
def test_ids_are_whole(command, at_month, ids, capsys):
    assert run([*command.split(), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    for row in rows if isinstance(rows, list) else [rows]:
        assert row.get("id", next(iter(ids))) in ids
        assert not re.search(r"…", json.dumps(row))


def test_defaults_are_written_out(at_month, capsys):
    assert run(["payment", "list", "--all", "--json"]) == 0
    assert {row["state"] for row in json.loads(capsys.readouterr().out)} == {"confirmed"}
    assert run(["lease", "list", "--all", "--json"]) == 0
    (lease,) = json.loads(capsys.readouterr().out)
    assert {"depth", "reclaim", "on_account_minor", "end_code", "status"} <= lease.keys()


def test_people_and_machines_are_told_the_same(at_month, capsys):
    assert run(["lease", "statement", "L1", "--json"]) == 0
    account = json.loads(capsys.readouterr().out)
    assert run(["lease", "statement", "L1"]) == 0
    shown = capsys.readouterr().out
    assert f"{account['billed_minor'] / 100:.2f} USD" in shown
    assert f"{account['paid_minor'] / 100:.2f} USD" in shown


def test_a_refusal_is_json_on_stdout_and_lines_on_stderr(at_month, capsys, monkeypatch):
    monkeypatch.setenv("PSEUDOLEDGER_NOW", "2026-04-16T00:00:00Z")
    assert run(["lease", "sign", "L1", "--dry-run", "--as", "bob", "--json"]) == 1
    shown = capsys.readouterr()
    value = json.loads(shown.out)
    assert value["registered"] is False
    assert [finding["code"] for finding in value["findings"]] == [
        line.removeprefix("refused: ").split(":")[0] for line in shown.err.splitlines()
    ]


def test_no_colour_and_no_shortened_did_in_what_is_piped(at_month, capsys):
    assert run(["lease", "show", "L1"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert re.search(r"did:key:z6Mk\w{44}", shown)
