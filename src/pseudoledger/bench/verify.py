"""Verifying a ledger from its bytes: with every rule re-run, and signatures, chain and tree alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pseudoledger.bench.measure import Figure, at_least, at_most
from pseudoledger.bench.register import BATCH, register, signature_rate
from pseudoledger.bench.workload import Load

LEASES_SHARE = 100
"""One open lease for so many entries: 10,000 at a million."""
LEASES_MAX = 10_000
"""Open leases of larger ledgers: what is remembered grows with these, and is not to grow with the entries."""

_CHILD = """
import json, sys, time
from pathlib import Path
from pseudoledger.audit.verifier import verify
start = time.perf_counter()
report = verify(Path(sys.argv[1]), rules=sys.argv[2] == "rules")
seconds = time.perf_counter() - start
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(json.dumps({"verdict": report.verdict.value, "entries": report.entries, "seconds": seconds, "kib": int(peak)}))
"""


def bench_verify(directory: Path, *, entries: int) -> Iterator[Figure]:
    """Measure verifying a ledger of about `entries` entries, one in a hundred of them an open lease, 10,000 at most."""
    load = Load(directory / "verify", leases=min(LEASES_MAX, max(10, entries // LEASES_SHARE)))
    sample: list[bytes] = []
    while load.registrar.store.size < entries:
        sample = load.statements(min(20_000, max(BATCH, entries - load.registrar.store.size)))
        register(load, sample, BATCH)
    load.registrar.close()
    limit = ("signatures alone", signature_rate(sample[:20_000]))
    yield Figure(name="signatures alone, all cores", value=limit[1], unit="statements/s")
    for rules, goal, memory in (("rules", 12_000, 600), ("no-rules", 25_000, 200)):
        said = _verified(directory / "verify" / "ledger", rules)
        name = "verify, every rule re-run" if rules == "rules" else "verify --no-rules"
        yield at_least(name, said["entries"] / said["seconds"], "entries/s", goal, limit)
        yield at_most(f"{name}, peak memory of its main process", said["kib"] / 1024, "MiB", memory)


def _verified(ledger: Path, rules: str) -> dict[str, float]:
    """Verify in a process of its own, so that its memory is its own too."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and words
        [sys.executable, "-c", _CHILD, str(ledger), rules], check=True, capture_output=True, text=True
    )
    said = json.loads(done.stdout)
    assert said.pop("verdict") == "valid", done.stdout
    return {name: float(value) for name, value in said.items()}
