"""`pl review` and `pl pack` on a ledger with a thousand statements around what is found."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from town import Town

from pseudoledger.audit.review import Dossier
from pseudoledger.audit.review.dossier import schema
from pseudoledger.cli.main import run

SCHEMA = Path(__file__).resolve().parents[4] / "docs" / "reference" / "review.schema.json"
A800, H200 = "nvidia-a800-sxm4-80gb", "nvidia-h200-sxm-141gb"


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    town = Town(tmp_path_factory.mktemp("long") / "town")
    town.fill(500)
    town.listing = town.registrar.store.entry_by_id(town.at("2023-11-16").offer("north", A800, "CN")).index
    town.at("2023-12-01").offer("north", A800, "CN")
    town.declare("north", "lake")
    town.fill(500)
    offer = town.at("2024-03-01").offer("north", H200, "DE", count=20_000)
    town.named = town.lease(
        "north",
        "lake",
        offer,
        purpose="train",
        days=90,
        sealed={"lessee_name": "Lake", "workload": "weather"},
    )
    town.close()
    return town


def told(capsys, *arguments, code=0):
    assert run(["review", *map(str, arguments)]) == code
    return capsys.readouterr()


def test_a_dossier_is_written_as_json_and_html(long, tmp_path, capsys):
    assert run(["verify", str(long.ledger)]) == 0
    capsys.readouterr()
    out = tmp_path / "dossier"
    said = json.loads(told(capsys, long.ledger, "--out", out, "--json").out)
    value = json.loads((out / "review.json").read_text())
    assert value["format"] == "pseudoledger-review/1"
    assert value["ledger"]["verified"] is True
    assert value["ledger"]["entries"] >= 1_000
    assert said["findings"] == len(value["findings"]) == sum(row["found"] for row in said["counts"])
    assert not list(Draft202012Validator(schema()).iter_errors(value))
    assert {one["rule"] for one in value["findings"]} >= {
        "listed-in-place",
        "customer-not-identified",
        "training-committed",
        "long-training-without-paper",
    }
    page = (out / "review.html").read_text()
    assert "not verified" not in page.lower()
    assert "violation" not in page.lower() + (out / "review.json").read_text().lower()


def test_the_published_schema_is_the_one_of_the_code():
    assert json.loads(SCHEMA.read_text()) == schema()
    Draft202012Validator.check_schema(schema())
    assert set(schema()["$defs"]["Dossier"]["properties"]) == set(Dossier.__struct_fields__)


def test_one_pack_and_one_version(long, tmp_path, capsys):
    told(
        capsys, long.ledger, "--pack", "chip-class", "--version", "2022-10-21", "--out", tmp_path / "old.json"
    )
    value = json.loads((tmp_path / "old.json").read_text())
    assert (tmp_path / "old.html").is_file()
    assert value["findings"] == []
    assert value["asked"]["versions"] == "2022-10-21"
    told(capsys, long.ledger, "--pack", "chip-class", "--as-of", "2024-06-01", "--out", tmp_path / "then")
    value = json.loads((tmp_path / "then" / "review.json").read_text())
    assert [one["at"][:10] for one in value["findings"]] == ["2023-11-16", "2023-12-01"]


def test_disclosures_resolve_and_are_named(long, tmp_path, capsys):
    folder = long.directory / "disclosures"
    told(capsys, long.ledger, "--disclosures", folder, "--out", tmp_path)
    value = json.loads((tmp_path / "review.json").read_text())
    resolved = {one["rule"]: one["seen_by"] for one in value["findings"] if one["state"] == "resolved"}
    assert set(resolved) == {"customer-not-identified", "long-training-without-paper"}
    assert {seen["pointer"] for seen in resolved["customer-not-identified"]} == {"/terms/lessee_name"}
    assert "Answered by a disclosure" in (tmp_path / "review.html").read_text()


def test_a_ledger_that_does_not_verify_is_not_reviewed(long, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(long.ledger, copy)
    database = sqlite3.connect(copy / "ledger.db")
    (raw,) = database.execute("SELECT statement FROM entries WHERE idx = ?", (long.listing,)).fetchone()
    changed = raw.replace(b'"country":"CN"', b'"country":"DE"')
    assert changed != raw
    database.execute("UPDATE entries SET statement = ? WHERE idx = ?", (changed, long.listing))
    database.commit()
    database.close()
    said = told(capsys, copy, "--out", tmp_path / "no", code=1)
    assert "does not verify" in said.err
    assert "--unverified" in said.err
    assert not (tmp_path / "no").exists()
    told(capsys, copy, "--unverified", "--out", tmp_path / "yes")
    assert json.loads((tmp_path / "yes" / "review.json").read_text())["ledger"]["verified"] is False
    assert "Not verified." in (tmp_path / "yes" / "review.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--pack", "nothing"], 2, "no rule pack"),
        (["--pack", "nothing.toml"], 3, "no such file"),
        (["--version", "1999"], 1, "no chosen pack has a version"),
        (["--as-of", "soon"], 2, "not a date"),
        (["--disclosures", "nowhere.json"], 3, "nowhere.json"),
        (["--key", "nobody"], 2, "did:key"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_read(tmp_path, capsys, arguments, code, word):
    said = told(capsys, tmp_path, "--out", tmp_path / "no", *arguments, code=code)
    assert word in said.err
    assert not (tmp_path / "no").exists()


def test_a_folder_without_a_ledger(tmp_path, capsys):
    assert "no ledger" in told(capsys, tmp_path, "--out", tmp_path / "no", code=3).err


def test_a_dossier_that_cannot_be_written(long, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    told(capsys, long.ledger, "--out", tmp_path / "file" / "below", code=3)


def test_a_pack_of_ones_own_with_its_cases(long, tmp_path, capsys):
    mine = tmp_path / "mine.toml"
    mine.write_text(
        """
pack = "mine"
title = "Mine"
about = "One rule."
[[versions]]
version = "1"
from = "2020-01-01"
status = "house"
title = "All listings"
citation = ["me"]
[[versions.rules]]
rule = "any-listing"
observes = "listing"
when = "count >= 8"
severity = "note"
says = "{count} chips in {country}"
asks = "why?"
"""
    )
    told(capsys, long.ledger, "--pack", mine, "--out", tmp_path / "out")
    value = json.loads((tmp_path / "out" / "review.json").read_text())
    assert [one["says"] for one in value["findings"]] == [
        "8 chips in CN",
        "8 chips in CN",
        "20,000 chips in DE",
    ]
    cases = tmp_path / "mine.cases.toml"
    case = '[[cases]]\ncase = "eight"\nobserves = "listing"\nversion = "1"\nfacts = { count = 8, country = "DE" }\n'
    cases.write_text(f'pack = "mine"\n{case}findings = ["any-listing raised note"]\n')
    assert run(["pack", "check", str(mine)]) == 0
    cases.write_text(f'pack = "mine"\n{case}')
    assert run(["pack", "check", str(mine)]) == 1
    assert "mine, eight: findings are" in capsys.readouterr().err


def test_packs_are_listed_and_checked(capsys):
    assert run(["pack", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"pack": "kyc", "status": "proposed"}.items() <= next(
        row for row in rows if row["pack"] == "kyc"
    ).items()
    assert run(["pack", "check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["failed"] == []


def test_the_class_of_a_chip(capsys):
    assert run(["pack", "chip", "nvidia-a30", "--json"]) == 0
    rows = {row["version"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["2022-10-21"]["answers"] == {"chip_class": "none"}
    assert rows["2023-11-17"]["answers"] == {"chip_class": "3A090.b.1"}
    assert rows["2023-11-17"]["density"] == "3.196125…"
    assert run(["pack", "chip", "nothing"]) == 2
