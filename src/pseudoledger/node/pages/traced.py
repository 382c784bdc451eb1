"""What a trace that lies beside the ledger says of an identity: how far it can be traced by everybody.

`pl trace DIR --out DIR/trace` puts it there. Nothing is traced while a page is made: that takes seconds to minutes.
Only a report from the public vantage point, of a tree that this ledger has had, is shown.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pseudoledger.audit.trace.report.values import Short, TraceReport, from_json
from pseudoledger.errors import MalformedError
from pseudoledger.ledger.tree import root
from pseudoledger.node.reading import View

PLACE = Path("trace") / "trace.json"
"""Where the report lies in the directory of the ledger."""
BYTES_MAX = 64 * 1024 * 1024
PUBLIC = "public"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What the report says of one identity."""

    short: Short
    identities: int
    entries: int
    """Size of the tree that was traced; the ledger may have grown since."""


def traced(view: View, did: str) -> Traced | None:
    """Return what the report beside the ledger says of a key; None where there is none that can be shown."""
    report = _report(view.store.path.parent / PLACE)
    if report is None or not _of_this_ledger(report, view):
        return None
    place = bisect_left(report.all, did, key=lambda one: one.name)
    if place == len(report.all) or report.all[place].name != did:
        return None
    return Traced(
        short=report.all[place], identities=report.vantages[-1].identities, entries=report.looked.entries
    )


def _of_this_ledger(report: TraceReport, view: View) -> bool:
    looked = report.looked
    public = [one.vantage for one in report.vantages] == [PUBLIC]
    if not (public and looked.verified and looked.name == view.state.origin):
        return False
    if not 0 < looked.entries <= view.store.size:
        return False
    return root(looked.entries, view.store.hashes).hex() == looked.digest


def _report(path: Path) -> TraceReport | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return _read(path, found.st_mtime_ns, found.st_size) if found.st_size <= BYTES_MAX else None


@lru_cache(maxsize=2)
def _read(path: Path, _written: int, _size: int) -> TraceReport | None:
    """Read a report once for each time that it is written."""
    try:
        return from_json(path.read_bytes())
    except (OSError, MalformedError):
        return None
