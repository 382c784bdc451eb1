"""The report of a table says how it was read, and with the table it comes out the same, byte for byte."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256

import msgspec
import pytest
from jsonschema import Draft202012Validator

from pseudoledger.audit.trace.report.card import Edges
from pseudoledger.audit.trace.report.check import broken, reproduced, reproduced_table
from pseudoledger.audit.trace.report.page import LANGUAGES, to_html
from pseudoledger.audit.trace.report.run import Asked, trace_ledger, trace_table
from pseudoledger.audit.trace.report.values import from_json, schema, to_json
from pseudoledger.audit.trace.report.words import WORDS
from pseudoledger.audit.trace.roles import Columns
from pseudoledger.cli.main import run
from pseudoledger.errors import MalformedError

SALES = "who,time,account,seller,price,postcode,remark,batch,owner\n" + "".join(
    f"k{n % 8},2026-01-{1 + n // 8:02d}T{8 + n % 8:02d}:00:00Z,a{n % 8 // 2},s{n % 5},{10 + n % 5},"
    f"{n % 3:05d},for tonight {n},{n // 50},{f'p{n % 8 // 2}' if n % 8 < 6 else ''}\n"
    for n in range(160)
)
TIES = "a,b,kind\nk0,k5,same device\n"
COLUMNS = Columns(
    identity="who",
    group="owner",
    category=("postcode",),
    text=("remark",),
    token=("account",),
    counterparty=("seller",),
    log=("price",),
    ignore=("batch",),
    reveals=(("postcode", "place"),),
)
OPTIONS = (
    "--identity-column",
    "who",
    "--group-column",
    "owner",
    "--token",
    "account",
    "--counterparty",
    "seller",
    "--text",
    "remark",
    "--ignore",
    "batch",
)


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sales")
    (folder / "sales.csv").write_text(SALES)
    (folder / "ties.csv").write_text(TIES)
    return folder


@pytest.fixture(scope="module")
def report(market):
    return trace_table(market / "sales.csv", Asked(seed=5, cap=4), columns=COLUMNS, edges=market / "ties.csv")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    from town import Town

    town = Town(tmp_path_factory.mktemp("ledger") / "town")
    for name in ("north", "south"):
        town.offer(name, "nvidia-a800-sxm4-80gb", "CN")
    town.close()
    return town.ledger


def bent(report, **changes):
    return msgspec.structs.replace(report, looked=msgspec.structs.replace(report.looked, **changes))


def test_a_report_says_how_its_table_was_read(report):
    table, ties = (sha256(text.encode()).hexdigest() for text in (SALES, TIES))
    was = report.looked.table
    assert was.columns == COLUMNS
    assert was.digest == table
    assert was.edges == Edges(name="ties.csv", digest=ties)
    assert report.looked.digest == sha256(f"{table} {ties}".encode()).hexdigest()
    assert from_json(to_json(report)) == report
    assert not list(Draft202012Validator(schema()).iter_errors(json.loads(to_json(report))))
    assert list(broken(report)) == []


def test_without_edges_the_digest_is_that_of_the_file(market):
    found = trace_table(market / "sales.csv", Asked(), columns=COLUMNS)
    assert found.looked.table.edges is None
    assert found.looked.digest == found.looked.table.digest
    assert list(broken(found)) == []
    assert reproduced_table(found, market / "sales.csv") == ""


def test_a_table_is_traced_again_by_its_report_alone(market, report):
    read = from_json(to_json(report))
    assert reproduced_table(read, market / "sales.csv", edges=market / "ties.csv") == ""


def test_what_else_would_come_out_is_named(market, report):
    files = {"path": market / "sales.csv", "edges": market / "ties.csv"}
    columns = msgspec.structs.replace(report.looked.table, columns=Columns(identity="who", group="owner"))
    assert "another result in: vantages" in reproduced_table(bent(report, table=columns), **files)
    seed = msgspec.structs.replace(report, seed=6)
    assert "another result in: vantages" in reproduced_table(seed, **files)
    older = msgspec.structs.replace(report, versions={**report.versions, "splink": "4.0"})
    assert reproduced_table(older, **files) == "another result, with other versions of splink"


def test_a_seed_that_no_trace_takes_is_refused(market, report, ledger):
    with pytest.raises(MalformedError, match="a seed of -1"):
        reproduced_table(
            msgspec.structs.replace(report, seed=-1), market / "sales.csv", edges=market / "ties.csv"
        )
    of_ledger = trace_ledger(ledger, Asked(), verified=True)
    with pytest.raises(MalformedError, match="a seed of -1"):
        reproduced(msgspec.structs.replace(of_ledger, seed=-1), ledger, disclosures={})


def test_another_table_or_other_edges_are_named_as_such(market, report, tmp_path):
    (tmp_path / "sales.csv").write_text(SALES.replace("a3", "a4"))
    (tmp_path / "ties.csv").write_text(TIES + "k1,k2,\n")
    other = reproduced_table(report, tmp_path / "sales.csv", edges=market / "ties.csv")
    assert other == "the table is another one: sales.csv has other bytes"
    other = reproduced_table(report, market / "sales.csv", edges=tmp_path / "ties.csv")
    assert other == "the edges are others: ties.csv has other bytes"


def test_memory_does_not_matter_to_the_bytes(market, report):
    asked = Asked(seed=5, cap=4, memory_limit="300MB")
    again = trace_table(market / "sales.csv", asked, columns=COLUMNS, edges=market / "ties.csv")
    assert to_json(again) == to_json(report)


def test_a_report_may_not_say_how_both_were_read(report, ledger):
    of_ledger = trace_ledger(ledger, Asked(), verified=True)
    assert of_ledger.looked.table is None
    assert list(broken(of_ledger)) == []
    forged = bent(of_ledger, table=report.looked.table)
    assert "it is of a ledger, and says how a table was read" in list(broken(forged))
    silent = bent(report, table=None)
    assert list(broken(silent)) == ["it is of a table, and does not say how that was read"]
    with pytest.raises(MalformedError, match="does not say how"):
        reproduced_table(silent, ledger)
    with pytest.raises(MalformedError, match="no table"):
        reproduced_table(of_ledger, ledger)
    with pytest.raises(MalformedError, match="no ledger"):
        reproduced(report, ledger, disclosures={})


def test_the_digest_of_the_whole_has_to_be_that_of_its_files(report):
    alone = bent(report, table=msgspec.structs.replace(report.looked.table, edges=None))
    assert list(broken(alone)) == ["its digest is not that of the files it names"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_in_a_line_how_the_table_was_read(report, language):
    page, words = to_html(report, language).decode(), WORDS[language]
    (line,) = re.findall(f'<dt>{words["read_as"]}</dt><dd class="quiet">(.*?)</dd>', page)
    said = html.unescape(re.sub("<.*?>", "", line))
    for role, names in (
        ("identity", "who"),
        ("time", "time"),
        ("group", "owner"),
        ("category", "postcode"),
        ("text", "remark"),
        ("token", "account"),
        ("counterparty", "seller"),
        ("log", "price"),
        ("ignore", "batch"),
        ("reveals", "postcode: place"),
        ("edges", "ties.csv"),
    ):
        assert f"{words[f'role_{role}']}: {names}" in said
    assert words["role_numeric"] not in said
    assert words["check_table"].partition("`")[0] in page


def test_the_page_of_a_ledger_has_no_such_line(ledger):
    page = to_html(trace_ledger(ledger, Asked(), verified=True), "en").decode()
    assert f"<dt>{WORDS['en']['read_as']}</dt>" not in page
    assert "--ledger" in page
    assert "--observations" not in page


def test_names_of_columns_cannot_break_out_of_the_page(report):
    columns = Columns(identity="<script>x")
    evil = bent(report, table=msgspec.structs.replace(report.looked.table, columns=columns))
    assert "<script>" not in to_html(evil, "en").decode()


# The command line


@pytest.fixture(scope="module")
def made(market):
    """The report that `pl trace` makes, beside the table and the edges."""
    told = ("trace", "--observations", market / "sales.csv", "--edges", market / "ties.csv", *OPTIONS)
    assert run([str(one) for one in (*told, "--out", market / "t")]) == 0
    return market


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    """A copy of all that, to be changed."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys, *arguments, code):
    capsys.readouterr()
    assert run([str(one) for one in arguments]) == code
    return capsys.readouterr()


def test_verify_traces_the_table_again(here, capsys):
    told(capsys, "report", "verify", "t/trace.json", code=0)
    verify = ("report", "verify", "t/trace.json", "--observations", "sales.csv", "--edges", "ties.csv")
    said = json.loads(told(capsys, *verify, "--json", code=0).out)
    assert said["stands"]
    assert said["traced_again"]
    (here / "sales.csv").write_text(SALES.replace("a3", "a4"))
    answer = told(capsys, *verify, code=1)
    assert "traced again it comes out otherwise: the table is another one" in answer.err


def test_verify_says_how_to_trace_it_again(here, capsys):
    answer = told(capsys, "report", "verify", "t/trace.json", code=0)
    assert "--observations sales.csv --edges ties.csv" in " ".join(answer.out.split())


def test_verify_names_other_versions(here, capsys):
    file = here / "t" / "trace.json"
    old = from_json(file.read_bytes())
    file.write_bytes(
        to_json(msgspec.structs.replace(old, versions={**old.versions, "numpy": "1.0", "scipy": "1.0"}))
    )
    verify = ("report", "verify", file, "--observations", "sales.csv", "--edges", "ties.csv")
    assert "with other versions of numpy, scipy" in told(capsys, *verify, code=1).err


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (("--ledger", "market"), "the report is of a table, sales.csv", "--observations sales.csv"),
        (("--disclosures", "kept"), "no disclosures", "--observations sales.csv"),
        (("--edges", "ties.csv"), "--edges stand beside a table", "add --observations sales.csv"),
        (("--observations", "sales.csv"), "traced with edges, ties.csv", "add --edges ties.csv"),
        (
            ("--observations", "copy.csv", "--edges", "ties.csv"),
            "what the report calls sales.csv",
            "sales.csv",
        ),
        (("--observations", "sales.csv", "--edges", "two.csv"), "what the report calls ties.csv", "ties.csv"),
    ],
)
def test_what_does_not_fit_the_report_is_wrong_use(here, capsys, arguments, said, hint):
    shutil.copy(here / "sales.csv", here / "copy.csv")
    shutil.copy(here / "ties.csv", here / "two.csv")
    answer = " ".join(told(capsys, "report", "verify", "t/trace.json", *arguments, code=2).err.split())
    assert said in answer
    assert hint in answer


def test_a_table_that_is_not_there_is_a_file_that_cannot_be_reached(here, capsys):
    verify = ("report", "verify", "t/trace.json", "--observations", "gone.csv", "--edges", "ties.csv")
    assert "gone.csv" in told(capsys, *verify, code=3).err


def test_edges_beside_a_table_traced_without_are_wrong_use(here, capsys):
    told(capsys, "trace", "--observations", "sales.csv", *OPTIONS, "--out", "one", code=0)
    verify = ("report", "verify", "one/trace.json", "--observations", "sales.csv")
    told(capsys, *verify, code=0)
    assert "traced without edges" in told(capsys, *verify, "--edges", "ties.csv", code=2).err


def test_a_table_beside_the_report_of_a_ledger_is_wrong_use(here, ledger, capsys):
    told(capsys, "trace", ledger, "--out", "of-ledger", code=0)
    for option in ("--observations", "--edges"):
        answer = told(capsys, "report", "verify", "of-ledger/trace.json", option, "sales.csv", code=2)
        assert "the report is of a ledger" in answer.err
        assert "--ledger DIR" in answer.err


def test_two_processes_with_other_seeds_of_hashes_give_the_same_bytes(here):
    found = []
    for seed in ("1", "4242"):
        subprocess.run(
            [
                *(sys.executable, "-m", "pseudoledger", "trace", "--observations", "sales.csv"),
                *("--edges", "ties.csv", *OPTIONS, "--out", seed),
            ],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        )
        found.append({file.name: file.read_bytes() for file in (here / seed).iterdir()})
    assert found[0] == found[1]
    assert found[0]["trace.json"] == (here / "t" / "trace.json").read_bytes()
