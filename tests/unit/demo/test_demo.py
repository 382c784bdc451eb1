"""The demo month: it tells what the issue of a market is, refuses what it should, and repeats itself exactly."""

import json
import re
import shlex

from pseudoledger.cli.main import run
from pseudoledger.contract.derive import invoice_status
from pseudoledger.contract.things import Invoice
from pseudoledger.demo.play import play
from pseudoledger.ledger.store import Store


def played(directory, seed):
    stage = play(directory, seed=seed, tell=lambda _scene: None)
    try:
        invoices = [invoice_status(invoice, stage.now) for _, invoice in stage.book.all(Invoice)]
    finally:
        stage.registrar.close()
    return stage, invoices


def entries(directory):
    store = Store.open_reader(directory / "ledger")
    try:
        return [row.statement for row in store.entries()], store.checkpoint()
    finally:
        store.close()


def test_the_same_seed_gives_the_same_ledger_byte_for_byte(tmp_path):
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        played(tmp_path / name, seed)
    assert entries(tmp_path / "one") == entries(tmp_path / "two")
    assert entries(tmp_path / "one") != entries(tmp_path / "three")


def test_the_month_shows_every_act_and_refuses_what_it_should(tmp_path):
    stage, invoices = played(tmp_path / "demo", 1)
    refused = [finding.code for scene in stage.scenes for finding in scene.refused]
    assert refused == ["stock.taken", "end.notice_runs", "payment.reference_used"]
    assert set(invoices) == {"settled"}
    told = {row.type for row in map(_typed, entries(tmp_path / "demo")[0])}
    assert {
        "match.proposed",
        "broker.mandated",
        "usage.contested",
        "amendment.signed",
        "reclaim.started",
        "credit.issued",
        "payment.confirmed",
    } <= told


def _typed(raw):
    from pseudoledger.statement import envelope, payload

    return payload.parse(envelope.decode(raw).payload)


def test_the_command_verifies_catches_the_tampered_copy_and_names_commands_that_work(tmp_path, capsys):
    directory = tmp_path / "demo"
    assert run(["demo", str(directory)]) == 0
    told = capsys.readouterr().out
    assert re.search(r"verify \S+/ledger: valid", told)
    assert re.search(r"tampered: broken - entry \d+: ", told)
    commands = [
        line.strip() for line in told.split("Three commands to try next:")[1].splitlines() if line.strip()
    ]
    assert len(commands) == 3
    for command in commands:
        assert run(shlex.split(command)[1:]) == 0, command


def test_the_command_speaks_json_and_refuses_a_directory_in_use(tmp_path, capsys):
    directory = tmp_path / "demo"
    assert run(["demo", str(directory), "--seed", "2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == "valid"
    assert said["tampered"]["verdict"] == "broken"
    assert run(["demo", str(directory)]) != 0
    assert "is not empty" in capsys.readouterr().err


def test_one_lease_is_handed_over_and_verifies_offline(tmp_path, capsys):
    assert run(["demo", str(tmp_path / "demo"), "--json"]) == 0
    key = json.loads((tmp_path / "demo" / "ledger" / "ledger.json").read_text())["ledger_key"]
    bundle = tmp_path / "demo" / "out" / "L-long-context.plbundle"
    capsys.readouterr()
    assert run(["bundle", "verify", str(bundle), "--key", key, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {"lease.signed", "invoice.issued", "payment.confirmed"} <= {
        row["kind"] for row in said["statements"]
    }
    assert said["missing"] == []
    assert "Lease L-long-context" in bundle.with_suffix(".html").read_text("utf-8")
