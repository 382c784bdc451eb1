"""The overview: the last blocks as a chain, the checkpoint, what the ledger holds, who watches it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pseudoledger.contract.things import Chain, Demand, Invoice, Lease, Offer, Payment, Thing
from pseudoledger.ledger.checkpoint import Checkpoint, parse_checkpoint
from pseudoledger.ledger.note import parse_note
from pseudoledger.ledger.rows import BlockRow, EntryRow
from pseudoledger.node.node import WitnessStanding
from pseudoledger.node.pages.site import Ask, Page, fork_files
from pseudoledger.node.reading import View

CHAIN_SHOWN = 8
"""Blocks of the chain on the overview."""
ENTRIES_SHOWN = 8
COUNTED_EVERY_S = 2.0
"""Counting reads an index of everything: not for each reader anew."""
_COUNTED: tuple[type[Thing], ...] = (Chain, Offer, Demand, Lease, Invoice, Payment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """One block of the chain, and how many entries it seals, itself apart."""

    block: BlockRow
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the overview says."""

    size: int
    last: BlockRow
    ledger_id: str
    founder: str
    ledger_key: str
    checkpoint: Checkpoint | None
    chain: Sequence[Sealed]
    newest: Sequence[EntryRow]
    counts: Mapping[str, int]
    witnesses: Sequence[WitnessStanding]
    quorum_met: bool | None
    forks: int


class Overview:
    """Makes the overview; remembers the counts for a moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Mapping[str, int] = MappingProxyType({})
        self._counted_at = -COUNTED_EVERY_S

    def make(self, view: View, ask: Ask) -> Page | None:
        """Make the page."""
        store, state, standing = view.store, view.state, ask.node.standing()
        last = store.last_block()
        if last is None:
            return None
        note = store.checkpoint()
        rows = store.entries(max(0, store.size - 3 * ENTRIES_SHOWN), store.size)
        newest = [row for row in rows if row.type != "block.sealed"]
        about = About(
            size=store.size,
            last=last,
            ledger_id=state.id,
            founder=state.founder,
            ledger_key=state.ledger_key,
            checkpoint=None if note is None else parse_checkpoint(parse_note(note).text),
            chain=chain_to(view, last.height, CHAIN_SHOWN),
            newest=newest[: -ENTRIES_SHOWN - 1 : -1],
            counts=self._count(view),
            witnesses=standing.witnesses,
            quorum_met=standing.quorum_met,
            forks=len(fork_files(ask.node)),
        )
        return Page(template="overview.html", title="overview.title", about=about)

    def _count(self, view: View) -> Mapping[str, int]:
        with self._lock:
            if time.monotonic() - self._counted_at >= COUNTED_EVERY_S:
                self._counts = MappingProxyType({cls.__name__.lower(): _count(view, cls) for cls in _COUNTED})
                self._counted_at = time.monotonic()
            return self._counts


def _count(view: View, cls: type[Thing]) -> int:
    row = view.store.tables.execute("SELECT count(*) FROM things WHERE sort = ?", [cls.__name__.lower()])
    return int(row.fetchone()[0])


def chain_to(view: View, height: int, count: int) -> list[Sealed]:
    """Return the block of a height and those before it, oldest first, `count` at most."""
    wanted = range(max(1, height - count), height + 1)
    blocks = [block for number in wanted if (block := view.store.block(number)) is not None]
    found = []
    before = 0 if wanted.start == 1 else -1
    for block in blocks:
        if before >= 0:
            found.append(Sealed(block=block, entries=block.index - before))
        before = block.index + 1
    return found[-count:]
