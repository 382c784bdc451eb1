"""Blocks: signed statements that seal the entries before them and cite the block before (formats §4).

A batch fixes T = max(clock, previous block's time) before its first rule runs, every rule of the batch uses
T, and the block that carries T is stored in the same transaction. So there is never an entry after the last
block, and no rule ever saw another time than the one on record.
"""

from __future__ import annotations

import msgspec
import orjson

from pseudoledger.errors import InconsistentCheckpoint
from pseudoledger.statement.envelope import Statement
from pseudoledger.statement.kinds.ledger import BlockSealed
from pseudoledger.statement.values import block_time_ms, format_block_time


class Link(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the next block has to fit: the block before, and who signs."""

    ledger_id: str
    origin: str
    ledger_key: str
    height: int
    """Height of the block before; 0 if the founding is all there is."""
    previous: str
    """Statement id of the block before, or of the founding."""
    time_ms: int
    size: int
    """Entries up to and with the block before."""


def block_bytes(link: Link, *, time_ms: int, size: int, root: bytes) -> bytes:
    """Write the payload of the block after `link` that seals a tree of `size` entries, in canonical form.

    It is made for every statement that comes alone, so it does not take the way of payloads in general.
    """
    tree = {
        "type": "block.sealed",
        "v": 1,
        "height": link.height + 1,
        "previous": link.previous,
        "time": format_block_time(time_ms),
        "size": size,
        "root": root.hex(),
    }
    return orjson.dumps(tree, option=orjson.OPT_SORT_KEYS)


def read_block(raw: bytes) -> BlockSealed:
    """Read the payload that `block_bytes` wrote."""
    block: BlockSealed = BlockSealed.__pydantic_validator__.validate_json(raw)
    return block


def check_block(statement: Statement, block: BlockSealed, link: Link, *, index: int, root: bytes) -> None:
    """Raise InconsistentCheckpoint, naming everything that is wrong, unless a block fits the one before.

    `index` is the block's own index and `root` the root over all entries before it, both recomputed.
    """
    time_ms = block_time_ms(block.time)
    problems = [
        problem
        for wrong, problem in (
            (
                statement.iss != link.ledger_key,
                f"is signed by {statement.iss}, the ledger key is {link.ledger_key}",
            ),
            (statement.aud != link.ledger_id, "is for another ledger"),
            (statement.sub != link.origin, f"has sub {statement.sub!r}, the origin is {link.origin}"),
            (statement.iat != time_ms // 1000, "has an iat that is not its time"),
            (statement.exp is not None, "expires"),
            (block.height != link.height + 1, f"has height {block.height}, {link.height + 1} is next"),
            (block.previous != link.previous, "cites another block before it"),
            (
                time_ms < link.time_ms,
                f"has a time before the block before, {format_block_time(link.time_ms)}",
            ),
            (block.size != index, f"has size {block.size} at index {index}"),
            (block.root != root.hex(), "has a root that is not the root over the entries before it"),
            (index <= link.size, "seals nothing"),
        )
        if wrong
    ]
    if problems:
        raise InconsistentCheckpoint(f"block {block.height} at entry {index} " + "; ".join(problems))
