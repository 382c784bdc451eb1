"""The program as a process: exit codes, streams, one writer, closed pipes, completion, and no traceback."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.nodes import place_of
from pseudoledger.ledger.lock import WriterLock

PL = str(Path(sys.executable).with_name("pl"))


def pl(*words, cwd, now="2026-04-16T00:00:00Z", **environ):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PSEUDOLEDGER_")}
    clean |= {"PSEUDOLEDGER_KEYS": str(cwd / "keys"), "PSEUDOLEDGER_DIR": str(cwd / "led")}
    clean |= {"PSEUDOLEDGER_NOW": now, **environ}
    return subprocess.run(
        [PL, *words],
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.fixture
def copy(month, tmp_path):
    """A copy of the month's ledger and keys that a test may change."""
    for name in ("led", "keys"):
        shutil.copytree(month / name, tmp_path / name, copy_function=shutil.copy2)
    return tmp_path


def test_answers_go_to_stdout_and_reasons_to_stderr(copy):
    done = pl("lease", "list", "--all", cwd=copy)
    assert (done.returncode, done.stderr) == (0, "")
    refused = pl("lease", "sign", "L1", "--as", "bob", cwd=copy)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("refused: lease.")
    assert pl("lease", "sing", cwd=copy).returncode == 2
    assert pl("verify", "nowhere", cwd=copy).returncode == 3


def test_the_second_writer_is_told_who_the_first_is(copy):
    lock = WriterLock(copy / "led")
    try:
        second = pl("pool", "declare", "P9", "--line", "c=1xcpu_core", "--as", "alice", cwd=copy)
        assert second.returncode == 3
        assert f"process {os.getpid()} is writing this ledger" in second.stderr
        assert pl("pool", "list", cwd=copy).returncode == 0
        assert pl("verify", "led", cwd=copy).returncode == 0
    finally:
        lock.release()
    assert pl("pool", "declare", "P9", "--line", "c=1xcpu_core", "--as", "alice", cwd=copy).returncode == 0


POOL = ("pool", "declare", "P9", "--line", "c=1xcpu_core", "--label", "north", "--as", "alice")


@pytest.mark.parametrize("pointers", [("/labl",), ("nope",), ("/label", "/lines")])
def test_a_pointer_that_names_no_sealable_field_is_wrong_use(copy, pointers):
    refused = pl(*POOL, *(word for one in pointers for word in ("--clear", one)), cwd=copy)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"--clear: {pointers[-1]} names no sealable field" in refused.stderr
    assert "hint: it can be /label" in refused.stderr
    assert "P9" not in pl("pool", "list", cwd=copy).stdout
    assert pl(*POOL, "--clear", "/label", "-o", "p9.scitt", cwd=copy).returncode == 0
    assert b'"label":"north"' in (copy / "p9.scitt").read_bytes()


def test_a_file_in_a_directory_that_is_not_there(copy):
    refused = pl(*POOL, "-o", "nodir/p9.scitt", cwd=copy)
    assert refused.returncode == 3
    assert "nodir/p9.scitt: No such file or directory" in refused.stderr
    assert "hint: make the directory first" in refused.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to read-only directories")
def test_a_read_only_directory_can_be_read_and_not_written(copy):
    for path in (copy / "led").iterdir():
        path.chmod(0o444)
    (copy / "led").chmod(0o555)
    try:
        assert pl("lease", "list", "--all", cwd=copy).returncode == 0
        refused = pl("pool", "declare", "P9", "--line", "c=1xcpu_core", "--as", "alice", cwd=copy)
        assert refused.returncode == 3
        assert "Traceback" not in refused.stderr
    finally:
        (copy / "led").chmod(0o755)


def test_a_restored_backup_refuses_to_write_and_status_says_why(copy):
    old = copy / "old"
    shutil.copytree(copy / "led", old)
    line = ("pool", "declare", "P9", "--line", "c=1xcpu_core", "--as", "alice")
    assert pl(*line, cwd=copy).returncode == 0
    shutil.rmtree(copy / "led")
    shutil.copytree(old, copy / "led")
    refused = pl(*line, cwd=copy)
    assert refused.returncode == 1
    assert "restored backup" in refused.stderr
    status = pl("status", cwd=copy)
    assert status.returncode == 0
    assert "restored from a backup" in status.stdout


def test_a_clock_that_steps_back_loses_nothing(copy):
    early = pl(
        "pool",
        "declare",
        "P9",
        "--line",
        "c=1xcpu_core",
        "--as",
        "alice",
        cwd=copy,
        now="2026-04-15T12:00:00Z",
    )
    assert early.returncode in {0, 3}
    assert "Traceback" not in early.stderr
    assert pl("verify", "led", cwd=copy).returncode == 0


def test_a_damaged_database_is_one_line(copy):
    path = copy / "led" / "ledger.db"
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (copy / "led" / name).unlink(missing_ok=True)
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    for words in (("status",), ("lease", "list"), ("verify", "led")):
        broken = pl(*words, cwd=copy)
        assert broken.returncode in {1, 3}
        assert "Traceback" not in broken.stderr
        assert broken.stderr.startswith(("error: ", "broken: "))


WRONG_MEANINGS = (
    (("demand publish D9 --line gpu=1xcpu_core --length 30d --from 2026-04-20 --until 2026-06-01"
     " --near Germany --max-km 500 --as bob"), "is no place"),
    ("invoice credit 2026-1 C9 --line h100=1 --line h100=2 --reason goodwill --as alice", "h100 is given twice"),
    ("market import-catalogue prices.csv --from 2026-03-02 --until 2026-03-02", "does not lie after the start"),
    ("market import-sdl deploy.yaml --rate uact=1/USD --rate uact=2/USD", "uact is given twice"),
    ("sign twice.json --as alice -o twice.scitt", "names count twice"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("line", "said"), WRONG_MEANINGS, ids=[line.split()[1] for line, _ in WRONG_MEANINGS]
)
def test_what_can_be_read_in_two_ways_is_not_signed_in_one(copy, line, said):
    (copy / "prices.csv").write_text("chip,count\n")
    (copy / "deploy.yaml").write_text("version: '2.0'\n")
    (copy / "twice.json").write_text('{"type":"pool.declared","lines":[{"count":1,"count":9}]}')
    done = pl(*line.split(), cwd=copy)
    assert done.returncode in {1, 2}
    assert said in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert not (copy / "twice.scitt").exists()


@pytest.mark.parametrize("words", ["status", "status --json", "nonsense"])
def test_a_closed_output_is_no_fault(copy, words):
    environ = {**os.environ, "PSEUDOLEDGER_KEYS": str(copy / "keys"), "PSEUDOLEDGER_DIR": str(copy / "led")}
    for closed in (">&-", "2>&-"):
        done = subprocess.run(
            ["/bin/sh", "-c", f"'{PL}' {words} {closed}"],
            env=environ, cwd=copy, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == (2 if words == "nonsense" else 0)
        assert "fault" not in done.stderr + done.stdout


def test_an_output_without_all_signs_spells_them_out(copy):
    made = pl("id", "declare", "--label", "Nørrebro", "--as", "alice", cwd=copy, PYTHONIOENCODING="ascii")
    shown = pl("id", "show", "alice", cwd=copy, PYTHONIOENCODING="ascii")
    assert (made.returncode, shown.returncode, made.stderr + shown.stderr) == (0, 0, "")
    assert "N\\xf8rrebro" in shown.stdout


def test_a_closed_pipe_ends_quietly(copy):
    environ = {**os.environ, "PSEUDOLEDGER_KEYS": str(copy / "keys"), "PSEUDOLEDGER_DIR": str(copy / "led")}
    ended = subprocess.run(
        ["/bin/sh", "-c", f"'{PL}' usage list --all --json | true"],
        env=environ, cwd=copy, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in ended.stderr


def test_a_fault_of_our_own_asks_for_a_report_and_shows_its_trace_on_request(copy):
    code = (
        "import sys; from pseudoledger.cli import main;"
        "main.run = lambda *_, **__: 1 // 0; sys.argv = ['pl']; main.main()"
    )
    for debug, traced in (("0", False), ("1", True)):
        ended = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PSEUDOLEDGER_DEBUG": debug},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 1
        assert "please report it" in ended.stderr
        assert ("Traceback" in ended.stderr) is traced


def test_completion_is_offered_and_installs(copy, tmp_path):
    offered = pl("", cwd=copy, _PL_COMPLETE="complete_bash", COMP_WORDS="pl lea", COMP_CWORD="1")
    assert "lease" in offered.stdout.split()
    home = tmp_path / "home"
    home.mkdir()
    installed = pl(
        "--install-completion",
        "bash",
        cwd=copy,
        HOME=str(home),
        _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1",
    )
    assert installed.returncode == 0, installed.stderr
    assert any("_PL_COMPLETE" in path.read_text() for path in home.rglob("*") if path.is_file())


def test_a_published_ledger_holds_no_secret(month):
    """What was sealed, and every key, stays out of the ledger's directory."""
    seeds = [
        line.split('"')[3].encode()
        for path in (month / "keys").glob("*.json")
        for line in path.read_text().splitlines()
        if '"seed"' in line
    ]
    assert len(seeds) >= 5
    sealed = [b"hall 2", b"fine-tuning", b"DE89370400440532013000", b"down on 9 March", b"North Lake Oy"]
    for path in (month / "led").rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for secret in (*seeds, *sealed):
            assert secret not in content
            assert not seeds or bytes.fromhex(seeds[0].decode()) not in content
    kept = b"".join(path.read_bytes() for path in (month / "keys" / "disclosures").iterdir())
    assert kept
    assert all(path.stat().st_mode & 0o077 == 0 for path in (month / "keys" / "disclosures").iterdir())


def test_a_bench_that_fails_leaves_the_figures_before_it(tmp_path):
    said = pl("bench", "proofs", "serve", "--entries", "1000", "--json", cwd=tmp_path, PATH=str(tmp_path))
    assert (said.returncode, said.stderr.split("\n")[0]) == (3, "error: wrk is not installed")
    figures = json.loads(said.stdout)
    assert {figure["bench"] for figure in figures} == {"proofs"}
    assert all(figure["value"] > 0 for figure in figures)
    shown = pl("bench", "serve", "--entries", "1000", cwd=tmp_path, PATH=str(tmp_path))
    assert shown.returncode == 3
    assert shown.stdout.split()[:3] == ["what", "figure", "unit"]
    assert json.loads(pl("bench", "serve", "--json", cwd=tmp_path, PATH=str(tmp_path)).stdout) == []


def test_the_package_runs_as_a_module(copy):
    done = subprocess.run(
        [sys.executable, "-m", "pseudoledger", "offer", "lst"],
        capture_output=True,
        text=True,
        cwd=copy,
        check=False,
    )
    assert done.returncode == 2
    assert "hint: pseudoledger offer --help" in done.stderr


def test_an_interruption_while_the_program_is_imported_is_said_and_leaves_no_trace(monkeypatch, capsys):
    from pseudoledger import __main__ as way_in

    class Interrupting:
        def find_spec(self, name, *_):
            if name == "pseudoledger.cli.main":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "pseudoledger.cli.main", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as left:
        way_in.main()
    assert left.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8080", "ftp://market.example", "http://", "http://a.example b", "http://a.example?x=1"]
)
def test_what_is_no_url_of_a_node_is_wrong_use(url):
    with pytest.raises(WrongUse, match="is not an http or https URL") as caught:
        place_of(None, url, None, {})
    assert caught.value.hint.startswith("for example http://")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "https://market.example/", "https://[::1]:8080/under"]
)
def test_the_url_of_a_node_is_taken_as_it_is(url):
    assert place_of(None, url, None, {}).node == url
