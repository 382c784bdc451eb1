"""`export`: everything of a ledger as CSV and Parquet, of one state, typed, whole or not at all."""

import csv
import json
import shutil
import sqlite3
import sys
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime
from itertools import repeat

import pytest

from pseudoledger.ledger.schema import VIEWS
from pseudoledger.ledger.store import Store
from pseudoledger.market.export import csv_files
from pseudoledger.market.export.columns import ENTRIES, tables
from pseudoledger.market.export.rows import rows
from pseudoledger.statement.values import instant_seconds


@pytest.fixture(autouse=True)
def long_fields():
    """Statements are longer than the reader's own limit for a field, which is one for the whole process."""
    before = csv.field_size_limit(1_000_000)
    yield
    csv.field_size_limit(before)


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def exported(office, tmp_path):
    assert office.run("export", office.folder / "led", "--csv", tmp_path / "csv", "--json") == 0, office.err
    return tmp_path / "csv", json.loads(office.out)


def test_every_view_is_a_table_and_every_entry_a_row(office, exported):
    folder, said = exported
    files = {item["table"]: item for item in said["files"]}
    assert files.keys() == {"entries", "blocks", *(name for name in VIEWS if name != "statements")}
    assert json.loads((folder / "export.json").read_text()) == {
        k: v for k, v in said.items() if k != "folder"
    }
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["export.json", *(item["file"] for item in files.values())]
    )
    with closing(sqlite3.connect(f"file:{office.folder}/led/ledger.db?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        for name, item in files.items():
            found = read_csv(folder / item["file"])
            assert len(found) == item["rows"]
            if name in {"entries", "blocks"}:
                assert len(found) == database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
                continue
            viewed = [dict(row) for row in database.execute(f"SELECT * FROM {name}")]
            assert len(viewed) == len(found)
            types = dict(item["columns"])
            for row, view in zip(
                found, sorted(viewed, key=lambda row: next(iter(row.values()))), strict=True
            ):
                assert list(row) == list(view) == list(types)
                for column, value in view.items():
                    # What the view leaves out because it is a default stands in the export.
                    if value is not None and types[column] != "json":
                        assert row[column] == written(value, types[column])
    assert said["size"] == files["entries"]["rows"] > 1_000


def written(value, kind):
    if kind == "time" and isinstance(value, int):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


def test_entries_stand_in_order_under_their_blocks(exported):
    folder, said = exported
    found = read_csv(folder / "entries.csv")
    assert [int(row["index"]) for row in found] == list(range(said["size"]))
    heights = [int(row["block"]) for row in found]
    assert heights == sorted(heights)
    assert heights[-1] == said["height"]
    blocks = {int(row["height"]): row for row in read_csv(folder / "blocks.csv")}
    assert blocks[said["height"]]["root"] == said["root"]
    for row in found:
        block = blocks[int(row["block"])]
        assert int(row["index"]) <= int(block["index"])
        assert row["block_time"] == block["time"]
        assert json.loads(row["payload"])["type"] == row["type"]
        assert instant_seconds(row["issued_at"]) <= instant_seconds(row["block_time"]) + 300


def test_defaults_are_written_out(exported):
    folder, _ = exported
    (commission,) = [row for row in read_csv(folder / "invoices.csv") if row["number"] == "C-1"]
    assert (commission["paid_minor"], commission["state"]) == ("0", "issued")
    (lease,) = read_csv(folder / "leases.csv")
    assert lease["end_code"] == "0"


def test_parquet_says_the_same_with_types(office, exported, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet", reason="the extra trace is not installed")
    folder, said = exported
    assert office.run("export", office.folder / "led", "--parquet", tmp_path / "pq", "--json") == 0, (
        office.err
    )
    types = {
        "int": "int64",
        "time": "timestamp[ms, tz=UTC]",
        "text": "string",
        "json": "string",
        "bool": "bool",
    }
    for item in said["files"]:
        table = pq.read_table(tmp_path / "pq" / f"{item['table']}.parquet")
        assert [(field.name, str(field.type)) for field in table.schema] == [
            (name, types[kind]) for name, kind in item["columns"]
        ]
        of = dict(item["columns"])
        for row, other in zip(table.to_pylist(), read_csv(folder / item["file"]), strict=True):
            for name, value in row.items():
                if of[name] == "time" and value is not None:
                    assert value == datetime.fromisoformat(other[name])
                else:
                    assert ("" if value is None else str(value)) == other[name]


def test_without_pyarrow_it_says_what_to_install(office, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert office.run("export", office.folder / "led", "--parquet", tmp_path / "pq") == 2
    assert "pip install 'pseudoledger[trace]'" in office.err
    assert not (tmp_path / "pq").exists()


def test_it_needs_a_form_and_a_new_folder(office, tmp_path):
    led = office.folder / "led"
    assert office.run("export", led) == 2
    assert office.run("export", led, "--csv", tmp_path / "a", "--parquet", tmp_path / "b") == 2
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert office.run("export", led, "--csv", tmp_path / "full") == 2
    assert "is not empty" in office.err
    (tmp_path / "file").touch()
    assert office.run("export", led, "--csv", tmp_path / "file" / "out") == 3
    assert office.run("export", tmp_path / "nothing", "--csv", tmp_path / "out") == 3


def test_a_folder_appears_whole_or_not_at_all(office, tmp_path):
    shutil.copytree(office.folder / "led", tmp_path / "led")
    with closing(sqlite3.connect(tmp_path / "led" / "ledger.db")) as database, database:
        database.execute("UPDATE things SET value = '{}' WHERE sort = 'payment'")
    assert office.run("export", tmp_path / "led", "--csv", tmp_path / "out") == 1
    assert "payment" in office.err
    assert [path.name for path in tmp_path.iterdir()] == ["led"]


def test_types_follow_from_the_book():
    types = {table.name: {column.name: column.type for column in table.columns} for table in tables()}
    assert types["offers"] == {
        "id": "text",
        "lessor": "text",
        "number": "text",
        "country": "text",
        "from": "time",
        "until": "time",
        "currency": "text",
        "withdrawn_at": "time",
        "entry": "int",
    }
    assert types["leases"]["ended_at"] == "time"
    assert types["leases"]["end_code"] == "int"
    assert types["usage_reports"]["billed_by"] == "text"
    assert types["identities"]["keys"] == "json"
    for columns in types.values():
        for name, kind in columns.items():
            if name.endswith(("_minor", "_bps", "_seconds", "_s", "entry")):
                assert kind == "int", name
            if name.endswith("_at"):
                assert kind == "time", name


def many(count, size):
    row = (1, "id", "type", "issuer", "subject", 0, 1, 0, 10, "x" * size)
    yield from repeat(row, count)


def test_memory_does_not_grow_with_the_rows(tmp_path):
    pytest.importorskip("pyarrow.parquet", reason="the extra trace is not installed")
    from pseudoledger.market.export import parquet_files

    assert max(map(len, parquet_files._groups(many(40_000, 1)))) == parquet_files.ROWS_MAX
    assert max(map(len, parquet_files._groups(many(2_000, 60_000)))) < 300
    assert sum(map(len, parquet_files._groups(many(2_000, 60_000)))) == 2_000
    for name, write in (("csv", csv_files.write), ("parquet", parquet_files.write)):
        tracemalloc.start()
        assert write(tmp_path / name, ENTRIES, many(5_000, 20_000)) == 5_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 64 * 1024 * 1024, f"{name}: {peak}"


def test_rows_are_read_one_by_one(office):
    with closing(Store.open_reader(office.folder / "led")) as store, store.snapshot():
        found = rows(store, ENTRIES)
        assert next(found)[0] == 0
        assert next(found)[0] == 1
        found.close()
