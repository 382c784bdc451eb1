"""Mirroring a ledger from a server of its static files: all checked, every rule re-run, durable."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pseudoledger.bench.measure import Figure, at_least, rate
from pseudoledger.bench.register import BATCH, register, signature_rate
from pseudoledger.bench.workload import Load
from pseudoledger.ledger.export import export_tiles
from pseudoledger.ledger.store import Store
from pseudoledger.node.mirror import Mirror

LEASES_SHARE = 100
"""One open lease for so many entries."""
GOAL = 10_000

_SERVER = """
import functools, http.server, sys
class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=sys.argv[1]))
print(server.server_port, flush=True)
server.serve_forever()
"""


def bench_sync(directory: Path, *, entries: int) -> Iterator[Figure]:
    """Measure a first sync of about `entries` entries, from a file server in a process of its own."""
    load = Load(directory / "sync", leases=max(10, entries // LEASES_SHARE))
    sample: list[bytes] = []
    while load.registrar.store.size < entries:
        sample = load.statements(min(20_000, max(BATCH, entries - load.registrar.store.size)))
        register(load, sample, BATCH)
    load.registrar.close()
    with closing(Store.open_reader(directory / "sync" / "ledger")) as store:
        export_tiles(store, directory / "tiles")
    limit = ("signatures alone", signature_rate(sample[:20_000]))
    copies = iter(range(100))
    taken: list[float] = []

    def sync() -> int:
        before = sum(os.times()[:4])
        with closing(Mirror(url, directory / f"copy-{next(copies)}")) as mirror:
            size = mirror.once().size
        taken.append(1e6 * (sum(os.times()[:4]) - before) / size)
        return size

    with _file_server(directory / "tiles") as url:
        yield Figure(name="signatures alone, all cores", value=limit[1], unit="statements/s")
        yield at_least("mirror sync, all checked, durable", rate(sync), "entries/s", GOAL, limit)
    yield Figure(name="mirror sync, processor time", value=statistics.median(taken), unit="µs/entry")


@contextmanager
def _file_server(directory: Path) -> Iterator[str]:
    server = subprocess.Popen(  # noqa: S603 - our own interpreter and words
        [sys.executable, "-P", "-c", _SERVER, str(directory)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None, "it was asked for"
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.communicate()
