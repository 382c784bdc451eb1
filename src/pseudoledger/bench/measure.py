"""One measured figure: beside its goal, and as a share of a limit taken in the same run."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

PROBE_WRITES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured; `share` is value / limit where there is a limit."""

    name: str
    value: float
    unit: str
    goal: str = ""
    met: bool | None = None
    limit: str = ""
    limit_value: float | None = None

    @property
    def share(self) -> float | None:
        """The figure as a share of its limit."""
        return None if not self.limit_value else self.value / self.limit_value


def at_least(
    name: str, value: float, unit: str, goal: float, limit: tuple[str, float] | None = None
) -> Figure:
    """Make a figure whose goal is a least value."""
    return Figure(
        name=name,
        value=value,
        unit=unit,
        goal=f"≥ {goal:,.0f}",
        met=value >= goal,
        limit=limit[0] if limit else "",
        limit_value=limit[1] if limit else None,
    )


def at_most(name: str, value: float, unit: str, goal: float) -> Figure:
    """Make a figure whose goal is a greatest value."""
    return Figure(name=name, value=value, unit=unit, goal=f"≤ {goal:,g}", met=value <= goal)


def rate(work: Callable[[], int], *, runs: int = 3) -> float:
    """Return the median rate, per second, of something that says how many items it did."""
    rates = []
    for _ in range(runs):
        start = time.perf_counter()
        done = work()
        rates.append(done / (time.perf_counter() - start))
    return statistics.median(rates)


def disk_rate(directory: Path) -> float:
    """Return how many small writes a second this disk makes durable, one after another."""
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        handle = file.fileno()
        os.pwrite(handle, bytes(4096), 0)
        os.fsync(handle)

        def work() -> int:
            for count in range(PROBE_WRITES):
                os.pwrite(handle, count.to_bytes(8, "big"), 0)
                os.fdatasync(handle)
            return PROBE_WRITES

        return rate(work)


def percentile(times: Sequence[float], share: float) -> float:
    """Return the value below which a share of the sorted times lies."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
