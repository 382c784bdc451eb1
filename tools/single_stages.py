"""Where one statement that is registered alone spends its time: python tools/single_stages.py [FOLDER].

Prints medians in microseconds on the disk of a folder, beside what a write and a sync cost there alone, and how many
pages a block adds to SQLite's log. A stage that holds another counts it too; being watched costs each call about one.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from pseudoledger.bench.workload import Load
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.ledger.store import Store
from pseudoledger.registrar import Registrar
from pseudoledger.registrar.sealing import Sealer

STATEMENTS = 800
"""Few enough for SQLite's log to hold the pages of all, so that they can be counted."""
STAGES: tuple[tuple[type, str, str], ...] = (
    (Registrar, "_hear", "reading and judging"),
    (Sealer, "seal", "sealing, all of the below in it"),
    (LastSigned, "carry", "writing the block to the record"),
    (Store, "append", "storing, both below in it"),
    (Store, "_insert", "of it: SQLite before COMMIT"),
    (LastSigned, "sync", "of it: waiting until the record is on disk"),
    (Sealer, "_sign", "signing the head"),
)


def main(folder: Path) -> None:
    """Register statements one by one and print where their time went."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        load = Load(Path(made) / "ledger", leases=100)
        statements = load.statements(2 * STATEMENTS)
        load.registrar.register(statements[:STATEMENTS])
        log = load.registrar.store.tables.conn
        assert log is not None, "the store is open"
        log.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        times: dict[str, list[float]] = defaultdict(list)
        for owner, name, words in STAGES:
            setattr(owner, name, _watched(getattr(owner, name), times[words]))
        register = _watched(load.registrar.register, times["one statement, from call to answer"])
        for raw in statements[STATEMENTS:]:
            register([raw])
        pages = log.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
        load.registrar.close()
        for words, found in times.items():
            print(f"{words:60} {statistics.median(found) * 1e6:8.0f} us")
        print(f"{'pages that a block adds to the log, two writes each':60} {pages / STATEMENTS:8.1f}")
        write, sync = _disk(Path(made) / "probe")
        print(f"{'a write of 24 bytes; a sync after it':60} {write:8.1f} us; {sync:.0f} us")


def _watched(work: Callable[..., Any], into: list[float]) -> Callable[..., Any]:
    @wraps(work)
    def watched(*values: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return work(*values, **named)
        finally:
            into.append(time.perf_counter() - start)

    return watched


def _disk(path: Path) -> tuple[float, float]:
    """Return the medians of a small write and of a sync after one, in microseconds."""
    writes, syncs = [], []
    with path.open("wb", buffering=0) as file:
        file.write(bytes(1 << 20))
        os.fsync(file.fileno())
        for number in range(1_000):
            start = time.perf_counter()
            os.pwrite(file.fileno(), bytes(24), number * 1_000)
            middle = time.perf_counter()
            os.fdatasync(file.fileno())
            writes.append(middle - start)
            syncs.append(time.perf_counter() - middle)
    return statistics.median(writes) * 1e6, statistics.median(syncs) * 1e6


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
