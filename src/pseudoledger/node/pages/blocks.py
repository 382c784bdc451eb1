"""Blocks: the list of them, newest first, and one with every entry that it seals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pseudoledger.ledger.rows import BlockRow, EntryRow
from pseudoledger.node.pages.lists import Listed, window
from pseudoledger.node.pages.overview import Sealed, chain_to
from pseudoledger.node.pages.site import Ask, Page
from pseudoledger.node.reading import View
from pseudoledger.statement import envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutBlock:
    """What the page of one block says."""

    block: BlockRow
    id: str
    issued: int
    """`iat` of the block's statement, in seconds."""
    previous: str
    """Statement id of the block before, or of the founding."""
    entries: Listed[EntryRow]
    last: int
    """Height of the newest block."""


def make_list(view: View, ask: Ask) -> Page | None:
    """List the blocks, newest first; reads those of one page alone."""
    last = view.store.last_block()
    height = last.height if last else 0

    def read(first: int, count: int) -> Sequence[Sealed]:
        newest = height - first
        return chain_to(view, newest, min(count, newest))[::-1]

    return Page(template="blocks.html", title="blocks.title", about=window(height, ask, read))


def make_block(view: View, ask: Ask) -> Page | None:
    """Show one block."""
    text, store = ask.path["height"], view.store
    height = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
    block, last = store.block(height), store.last_block()
    row = store.entry(block.index) if block else None
    if block is None or last is None or row is None or text != str(height):
        return None
    before = store.block(height - 1)
    first = before.index + 1 if before else 0
    link = store.entry(before.index if before else 0)

    def read(start: int, count: int) -> Sequence[EntryRow]:
        return list(store.entries(first + start, min(first + start + count, block.index)))

    about = AboutBlock(
        block=block,
        id=row.id,
        issued=envelope.decode(row.statement).iat,
        previous=link.id if link else "",
        entries=window(block.index - first, ask, read),
        last=last.height,
    )
    return Page(template="block.html", title="block.title", about=about, named=str(height))
