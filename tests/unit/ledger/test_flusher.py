"""The log is let go to disk now and then, by a thread that ends with its store; and nothing depends on it."""

import threading

from pseudoledger.bench.workload import Load
from pseudoledger.ledger import flusher
from pseudoledger.ledger.flusher import EVERY, Flusher


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "flusher"]


def test_every_so_often_the_file_is_synced(tmp_path, monkeypatch):
    synced, path = threading.Semaphore(0), tmp_path / "log"
    path.write_bytes(b"x")
    monkeypatch.setattr(flusher, "_fdatasync", lambda _: synced.release())
    made = Flusher(path)
    for _ in range(EVERY - 1):
        made.count()
    assert not threads()
    for _ in range(3):
        made.count()
        assert synced.acquire(timeout=10)
        assert not synced.acquire(blocking=False)
        for _ in range(EVERY - 1):
            made.count()
    made.close()
    made.close()
    assert not threads()


def test_a_file_that_is_gone_harms_nobody(tmp_path):
    made = Flusher(tmp_path / "nowhere")
    for _ in range(5 * EVERY):
        made.count()
    made.close()
    assert not threads()


def test_a_writer_of_many_small_blocks_has_one_and_closing_ends_it(tmp_path):
    load = Load(tmp_path / "it", leases=1)
    for number in range(2 * EVERY):
        load.registrar.register([load.pool(0, f"P-{number}")])
    assert len(threads()) == 1
    load.registrar.close()
    assert not threads()
