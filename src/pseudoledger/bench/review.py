"""Reviewing a ledger with every shipped pack: verified first, as `pl review` does, and the reading alone.

All leases of its load train, the dearest case: each report adds to an estimate that every dated rule is asked
about. Rates depend on what else the machine does; processor time of both parts in one run can be compared.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pseudoledger.bench.measure import Figure, at_least, at_most
from pseudoledger.bench.register import BATCH, register
from pseudoledger.bench.verify import LEASES_SHARE
from pseudoledger.bench.workload import Load

_GOAL = 1_000_000 / 300
"""Entries a second: a million in five minutes."""
_PROCESSOR_US_MAX = 140
"""Processor time of the review alone, for one entry: with that of verifying, it leaves the goal room."""
_STEP = 20_000
"""Statements that are signed and registered between two words of progress."""

Progress = Callable[[int, int], None]
"""Told how much of building, verifying and reviewing is done: entries, each counted three times."""

_CHILD = """
import json, resource, sys, time
from pathlib import Path
from pseudoledger.audit.review import Asked, review, to_json
from pseudoledger.audit.review.page import to_html
from pseudoledger.audit.verifier import verify
def processor():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
def tell(**values):
    print(json.dumps(values), flush=True)
start, used = time.perf_counter(), processor()
report = verify(Path(sys.argv[1]), progress=lambda done, of: tell(done=done))
verify_s, verify_cpu_s = time.perf_counter() - start, processor() - used
start, used = time.perf_counter(), processor()
dossier = review(Path(sys.argv[1]), Asked(), report=report, progress=lambda done, of: tell(done=report.entries + done))
size = len(to_json(dossier)) + len(to_html(dossier))
review_s, review_cpu_s = time.perf_counter() - start, processor() - used
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
tell(entries=report.entries, verify_s=verify_s, verify_cpu_s=verify_cpu_s, review_s=review_s,
     review_cpu_s=review_cpu_s, bytes=size, findings=dossier.found(), kib=int(peak))
"""


def bench_review(directory: Path, *, entries: int, progress: Progress | None = None) -> Iterator[Figure]:
    """Measure reviewing a ledger of about `entries` entries, one in a hundred of them an open lease."""
    advance = progress or (lambda _done, _of: None)
    _build(directory / "review", entries, lambda done: advance(done, 3 * entries))
    said = _reviewed(directory / "review" / "ledger", lambda done: advance(entries + done, 3 * entries))
    size = said["entries"]
    verifying = ("verifying alone", size / said["verify_s"])
    whole = said["verify_s"] + said["review_s"]
    yield at_least("review, verified first", size / whole, "entries/s", round(_GOAL), verifying)
    yield at_least("review without verifying", size / said["review_s"], "entries/s", round(_GOAL), verifying)
    verify_us, review_us = (1e6 * said[name] / size for name in ("verify_cpu_s", "review_cpu_s"))
    yield Figure(name="verifying, processor time of an entry", value=verify_us, unit="us")
    yield Figure(
        name="review without verifying, processor time of an entry",
        value=review_us,
        unit="us",
        goal=f"≤ {_PROCESSOR_US_MAX}",
        met=review_us <= _PROCESSOR_US_MAX,
        limit="verifying",
        limit_value=verify_us,
    )
    yield at_most("review, peak memory of its main process", said["kib"] / 1024, "MiB", 600)


def _build(directory: Path, entries: int, tell: Callable[[int], None]) -> None:
    load = Load(directory, leases=max(10, entries // LEASES_SHARE), purpose="train")
    while load.registrar.store.size < entries:
        tell(load.registrar.store.size)
        register(load, load.statements(min(_STEP, max(BATCH, entries - load.registrar.store.size))), BATCH)
    load.registrar.close()


def _reviewed(ledger: Path, tell: Callable[[int], None]) -> dict[str, Any]:
    """Verify and review in a process of its own, so that its memory is its own too; return what it says last."""
    command = [sys.executable, "-c", _CHILD, str(ledger)]
    said: dict[str, Any] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603 - our own words
        assert child.stdout is not None, "it was asked for"
        for line in child.stdout:
            said = json.loads(line)
            if "done" in said:
                tell(said["done"])
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command[:1])
    return said
