"""What the founder alone does: registered files, policy, a new ledger key; and that the ledger goes on verifying."""

import json
import shutil
from contextlib import closing

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.cli.main import run
from pseudoledger.ledger.store import Store
from pseudoledger.registrar.sealing import Sealer


def said(capsys):
    return json.loads(capsys.readouterr().out)


def founded(tmp_path, monkeypatch):
    monkeypatch.setenv("PSEUDOLEDGER_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("PSEUDOLEDGER_DIR", str(tmp_path / "market"))
    monkeypatch.delenv("PSEUDOLEDGER_NOW", raising=False)
    assert run(["init", str(tmp_path / "market"), "--origin", "govern.example", "--unsealed"]) == 0
    assert run(["id", "new", "party", "--unsealed"]) == 0
    return "govern.example-founder"


def test_files_policy_and_key_change_and_the_ledger_verifies(tmp_path, monkeypatch, capsys):
    founder = founded(tmp_path, monkeypatch)
    (tmp_path / "use.md").write_text("Be kind.\n")
    capsys.readouterr()
    assert (
        run(["ledger", "register-file", str(tmp_path / "use.md"), "--name", "use", "--as", founder, "--json"])
        == 0
    )
    assert said(capsys)["index"] == 2
    assert run(["ledger", "change-policy", "--open-max", "7", "--as", founder]) == 0
    assert run(["ledger", "change-key", "second", "--unsealed", "--as", founder, "--json"]) == 0
    capsys.readouterr()
    assert run(["status", "--json"]) == 0
    status = said(capsys)
    assert run(["id", "declare", "--label", "north", "--as", "party"]) == 0
    report = verify(tmp_path / "market", ledger_key=status["ledger_key"])
    assert report.verdict is Verdict.VALID
    assert report.entries == 10
    assert json.loads((tmp_path / "market" / "ledger.json").read_text())["ledger_key"] == status["ledger_key"]


def test_nobody_else_governs_and_nothing_is_done_twice(tmp_path, monkeypatch, capsys):
    founder = founded(tmp_path, monkeypatch)
    (tmp_path / "use.md").write_text("Be kind.\n")
    arguments = ["ledger", "register-file", str(tmp_path / "use.md"), "--name", "use", "--as"]
    assert run([*arguments, "party"]) == 1
    assert "ledger.not_founder" in capsys.readouterr().err
    assert run([*arguments, founder]) == 0
    again = [word.replace("use", "again") if word == "use" else word for word in arguments]
    assert run([*again, founder]) == 1
    assert "ledger.file_known" in capsys.readouterr().err


def test_a_key_change_that_is_refused_leaves_the_old_key_in_force(tmp_path, monkeypatch, capsys):
    founded(tmp_path, monkeypatch)
    assert run(["ledger", "change-key", "second", "--unsealed", "--as", "party"]) == 1
    assert "ledger.not_founder" in capsys.readouterr().err
    assert run(["id", "declare", "--label", "north", "--as", "party"]) == 0
    assert verify(tmp_path / "market").verdict is Verdict.VALID


def test_after_a_loss_the_founder_goes_on_without_the_old_key(tmp_path, monkeypatch, capsys):
    founder = founded(tmp_path, monkeypatch)
    older = tmp_path / "older"
    assert run(["backup", str(tmp_path / "market"), str(older)]) == 0
    assert run(["id", "declare", "--label", "lost", "--as", "party"]) == 0
    monkeypatch.setenv("PSEUDOLEDGER_DIR", str(older))
    capsys.readouterr()
    assert run(["ledger", "change-key", "second", "--unsealed", "--as", founder]) == 1
    assert "--after-loss" in capsys.readouterr().err, "signing again would make two histories"
    for path in (tmp_path / "keys").glob("govern.example-ledger*"):
        path.unlink()
    arguments = ["--unsealed", "--after-loss", "--as"]
    assert run(["ledger", "change-key", "third", *arguments, "party"]) == 1
    assert "ledger.not_founder" in capsys.readouterr().err
    assert verify(older).entries == 2, "nothing was written"
    assert run(["ledger", "change-key", "fourth", *arguments, founder]) == 0
    assert run(["id", "declare", "--label", "north", "--as", "party"]) == 0
    report = verify(older)
    assert (report.verdict, report.entries) == (Verdict.VALID, 6)


def test_a_power_failure_is_no_restored_backup(tmp_path, monkeypatch, capsys):
    """The process dies before it closes, and the disk keeps an older database: the record gives the blocks back."""
    founded(tmp_path, monkeypatch)
    database = tmp_path / "market" / "ledger.db"
    with closing(Store.open_reader(database.parent)) as store:
        store.backup_to(tmp_path / "old.db")
    with monkeypatch.context() as patched:
        patched.setattr(Sealer, "rest", lambda _: None)
        assert run(["id", "declare", "--label", "north", "--as", "party"]) == 0
    shutil.copy(tmp_path / "old.db", database)
    capsys.readouterr()
    assert run(["status", "--json"]) == 0
    assert said(capsys)["signing"].startswith("ready")
    assert run(["id", "new", "other", "--unsealed"]) == 0
    assert run(["id", "declare", "--label", "south", "--as", "other"]) == 0
    report = verify(tmp_path / "market")
    assert (report.verdict, report.entries) == (Verdict.VALID, 6)
    # After an orderly end an older copy is told as one.
    shutil.copy(tmp_path / "old.db", database)
    capsys.readouterr()
    assert run(["status", "--json"]) == 0
    assert said(capsys)["signing"].startswith("refused")
    assert run(["id", "declare", "--label", "north", "--as", "party"]) == 1
    assert "restored backup" in capsys.readouterr().err
