"""Reviewing a ledger with every shipped pack: verified first, as `pl review` does, and the reading alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pseudoledger.bench.measure import Figure, at_least, at_most
from pseudoledger.bench.register import BATCH, register
from pseudoledger.bench.verify import LEASES_SHARE
from pseudoledger.bench.workload import Load

_GOAL = 1_000_000 / 300
"""Entries a second: a million in five minutes."""

_CHILD = """
import json, sys, time
from pathlib import Path
from pseudoledger.audit.review import Asked, review, to_json
from pseudoledger.audit.review.page import to_html
from pseudoledger.audit.verifier import verify
start = time.perf_counter()
report = verify(Path(sys.argv[1]))
middle = time.perf_counter()
dossier = review(Path(sys.argv[1]), Asked(), report=report)
size = len(to_json(dossier)) + len(to_html(dossier))
end = time.perf_counter()
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(json.dumps({"entries": report.entries, "verify": middle - start, "review": end - middle, "bytes": size,
                  "findings": dossier.found(), "kib": int(peak)}))
"""


def bench_review(directory: Path, *, entries: int) -> Iterator[Figure]:
    """Measure reviewing a ledger of about `entries` entries, one in a hundred of them an open lease."""
    load = Load(directory / "review", leases=max(10, entries // LEASES_SHARE))
    while load.registrar.store.size < entries:
        register(load, load.statements(min(20_000, max(BATCH, entries - load.registrar.store.size))), BATCH)
    load.registrar.close()
    done = subprocess.run(  # noqa: S603 - our own interpreter and words
        [sys.executable, "-c", _CHILD, str(directory / "review" / "ledger")],
        check=True,
        capture_output=True,
        text=True,
    )
    said = json.loads(done.stdout)
    whole = said["verify"] + said["review"]
    verifying = ("verifying alone", said["entries"] / said["verify"])
    yield at_least("review, verified first", said["entries"] / whole, "entries/s", round(_GOAL), verifying)
    yield at_least(
        "review without verifying", said["entries"] / said["review"], "entries/s", round(_GOAL), verifying
    )
    yield at_most("review, peak memory of its main process", said["kib"] / 1024, "MiB", 600)
