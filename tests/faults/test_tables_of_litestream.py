"""Litestream adds two tables to the database of a ledger that is in use: that is borne, and nothing else is."""

import sqlite3
from contextlib import closing

import pytest
from small_ledger import build

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.node.reading import Reader

TABLES = (
    "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)",
    "CREATE TABLE _litestream_lock (id INTEGER)",
    "INSERT INTO _litestream_seq VALUES (1, 7)",
)


@pytest.fixture
def directory(tmp_path):
    return build(tmp_path / "small").directory


def change(directory, *commands):
    with closing(sqlite3.connect(directory / "ledger.db", isolation_level=None)) as database:
        for command in commands:
            database.execute(command)


def test_a_node_reads_on_when_the_tables_come(directory):
    with closing(Reader(directory)) as reader:
        with reader.view() as view:
            size = view.store.size
        note = reader.checkpoint()
        change(directory, *TABLES)
        for _ in range(2):
            with reader.view() as view:
                assert view.store.size == size
                assert view.state.size <= size
            assert reader.checkpoint() == note


def test_the_tables_are_a_warning(directory):
    change(directory, *TABLES)
    report = verify(directory)
    assert report.verdict is Verdict.VALID
    assert any("Litestream" in text for text in report.warnings)


@pytest.mark.parametrize(
    "command",
    [
        "INSERT INTO _litestream_lock VALUES ('words')",
        "INSERT INTO _litestream_seq VALUES (2, 1)",
        "UPDATE _litestream_seq SET seq = 'words'",
        "DROP TABLE _litestream_lock",
        "ALTER TABLE _litestream_lock ADD COLUMN more TEXT",
        "CREATE INDEX _litestream_index ON _litestream_seq (seq)",
    ],
)
def test_anything_more_is_a_fault(directory, command):
    change(directory, *TABLES, command)
    report = verify(directory)
    assert report.verdict is Verdict.BROKEN
    assert report.faults[0].code == "stored.schema"
