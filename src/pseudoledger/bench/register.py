"""Registering: in batches, one at a time, and under keys never seen before; durable, with all rules."""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from pseudoledger.bench.measure import Figure, at_least, at_most, disk_rate, percentile, rate
from pseudoledger.bench.workload import Load
from pseudoledger.contract.ruleset import NAMES, named
from pseudoledger.errors import RegistrationRefused
from pseudoledger.identity.keys import Signed, Signer, verify_many
from pseudoledger.registrar import Refused
from pseudoledger.statement import envelope

BATCH = 1_000
RUNS = 3
RULES_SHARE = 0.85
"""What the newest rule set leaves, at least, of the rate under the first one."""


def signature_rate(statements: list[bytes]) -> float:
    """Return how many of these statements' signatures a second all cores verify: the limit of everything."""
    decoded = [envelope.decode(raw) for raw in statements]
    signed = [Signed(item.iss, item.signed_bytes, item.signature) for item in decoded]

    def work() -> int:
        verify_many(signed)
        return len(signed)

    return rate(work)


def bench_register(directory: Path, *, entries: int) -> Iterator[Figure]:
    """Measure registering `entries` statements over 100 running leases, in each of three ways."""
    disk = disk_rate(directory)
    yield Figure(name="disk", value=disk, unit="durable writes/s")
    load = Load(directory / "register", leases=100)
    batches = [load.statements(entries) for _ in range(RUNS)]
    limit = signature_rate(batches[0])
    yield Figure(name="signatures alone, all cores", value=limit, unit="statements/s")
    waiting = iter(batches)
    in_batches = rate(lambda: register(load, next(waiting), BATCH), runs=RUNS)
    yield at_least(
        f"register, batches of {BATCH}", in_batches, "statements/s", 12_000, ("signatures alone", limit)
    )

    yield _beside_first_rules(directory, entries, in_batches)

    singles = load.statements(min(entries, 5_000))
    times = []
    for raw in singles:
        start = time.perf_counter()
        register(load, [raw], 1)
        times.append(time.perf_counter() - start)
    yield at_least("register, one at a time", len(times) / sum(times), "statements/s", 1_500, ("disk", disk))
    yield at_most("register, one at a time, p99", percentile(times, 0.99) * 1000, "ms", 2)

    fresh = _declarations(load, entries)
    new_keys = rate(lambda: register(load, fresh, BATCH), runs=1)
    yield Figure(
        name=f"register, {entries:,} keys never seen",
        value=new_keys,
        unit="statements/s",
        limit="signatures alone",
        limit_value=limit,
    )
    load.registrar.close()


def _beside_first_rules(directory: Path, entries: int, newest: float) -> Figure:
    """Compare the rate of batches with that of the same load under the first rule set, which had the first kinds alone."""
    load = Load(directory / "first", leases=100, rules=named(NAMES[0]))
    waiting = iter([load.statements(entries) for _ in range(RUNS)])
    first = rate(lambda: register(load, next(waiting), BATCH), runs=RUNS)
    load.registrar.close()
    return Figure(
        name=f"the same under {NAMES[0]}",
        value=first,
        unit="statements/s",
        goal=f"≤ {newest / RULES_SHARE:,.0f}",
        met=newest >= RULES_SHARE * first,
        limit="under the newest rule set",
        limit_value=newest,
    )


def register(load: Load, statements: list[bytes], batch: int) -> int:
    """Register in batches; raise RegistrationRefused if any statement is refused."""
    batches = (statements[start : start + batch] for start in range(0, len(statements), batch))
    for answers in load.registrar.register_all(batches):
        for answer in answers:
            if isinstance(answer, Refused):
                raise RegistrationRefused(answer.findings)
    return len(statements)


def _declarations(load: Load, count: int) -> list[bytes]:
    signers = (
        Signer.from_seed(sha256(f"pseudoledger/bench/new\0{n}".encode()).digest()) for n in range(count)
    )
    return [load.declare(signer) for signer in signers]
