"""A backup is a whole ledger: verified, without secrets, taken while the writer goes on."""

import pytest

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.bench.workload import Load
from pseudoledger.errors import PeerUnreachable, StoreError
from pseudoledger.ledger.backup import backup
from pseudoledger.ledger.store import Store


@pytest.fixture
def load(tmp_path):
    load = Load(tmp_path / "it", leases=1)
    yield load
    load.registrar.close()


def test_a_backup_verifies_and_grows_no_further(load, tmp_path):
    source, target = load.directory / "ledger", tmp_path / "copies" / "one"
    size = backup(source, target)
    load.registrar.register(load.statements(4))
    report = verify(target)
    assert (report.verdict, report.entries) == (Verdict.VALID, size)
    assert sorted(path.name for path in target.iterdir()) == ["ledger.db", "ledger.json"]
    assert load.registrar.store.size == size + 5


def test_a_backup_never_takes_the_place_of_a_ledger(load, tmp_path):
    source, target = load.directory / "ledger", tmp_path / "one"
    backup(source, target)
    before = (target / "ledger.db").read_bytes()
    for place in (target, source):
        with pytest.raises(StoreError, match="holds a ledger already"):
            backup(source, place)
    assert (target / "ledger.db").read_bytes() == before


def test_a_backup_that_fails_leaves_no_half_ledger(load, tmp_path, monkeypatch):
    source, target = load.directory / "ledger", tmp_path / "one"

    def failing(self, path):
        path.write_bytes(b"half")
        raise StoreError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "backup_to", failing)
        with pytest.raises(StoreError):
            backup(source, target)
    assert list(target.iterdir()) == []
    assert backup(source, target) == load.registrar.store.size


def test_nothing_to_back_up_and_nowhere_to_put_it(load, tmp_path):
    with pytest.raises(PeerUnreachable, match="there is no ledger here"):
        backup(tmp_path, tmp_path / "one")
    (tmp_path / "file").write_text("a file")
    with pytest.raises(StoreError, match=r"exists|Not a directory"):
        backup(load.directory / "ledger", tmp_path / "file")
