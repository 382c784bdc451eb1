"""The chain of blocks: founding, links, roots, times and the ledger key in force (formats §4)."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence

import msgspec

from pseudoledger.audit.verifier.entries import CHUNK, Chunk, Mark, wrong_hash
from pseudoledger.audit.verifier.report import Fault, at_entry
from pseudoledger.errors import InconsistentCheckpoint, MalformedError
from pseudoledger.ledger.block import Link, check_block
from pseudoledger.ledger.tree import EMPTY_ROOT, Frontier, stored_count
from pseudoledger.statement.envelope import Statement
from pseudoledger.statement.kinds.ledger import BlockSealed, LedgerFounded, LedgerKeyChanged
from pseudoledger.statement.payload import parse
from pseudoledger.statement.values import block_time_ms

LATE_SECONDS = 300
"""A block time further than this from an entry's iat is worth a warning."""


class Chain:
    """Follows the blocks of one ledger. Feed it the chunks in order, and each chunk's marks in order."""

    def __init__(self, founding: Statement, payload: LedgerFounded, wanted: Collection[int]) -> None:
        """Start at the founding; `wanted` are tree sizes whose roots are asked for later."""
        self.founder = founding.iss
        self.clock = payload.policy.clock
        self.faults: list[Fault] = []
        self.roots: dict[int, bytes] = {}
        """Roots of the wanted sizes at which a block ends."""
        self.times: dict[int, int] = {}
        """Times of these blocks, in seconds."""
        self.root = EMPTY_ROOT
        """Root of the tree that ends with the last block."""
        self.retired: list[tuple[str, int]] = []
        """Earlier ledger keys, each with the tree size up to which it counts."""
        self.late = 0
        self.late_first: int | None = None
        self.headless = 0
        """Blocks whose signed head is not kept."""
        self.link = Link(
            ledger_id=founding.id,
            origin=payload.origin,
            ledger_key=payload.ledger_key,
            height=0,
            previous=founding.id,
            time_ms=0,
            size=0,
        )
        self._wanted = frozenset(wanted)
        self._pending_key: str | None = None
        self._chunks = Frontier()
        self._start = 0
        self._issued: array[int] = array("q")

    def begin(self, chunk: Chunk) -> None:
        """Take the next chunk; its marks follow."""
        self._start = chunk.start
        self._issued.extend(chunk.issued)

    def finish(self, chunk: Chunk) -> None:
        """Leave a chunk: compare the stored nodes above it, which no chunk alone can know."""
        if chunk.stop - chunk.start < CHUNK:
            return
        nodes = self._chunks.store(chunk.subtrees)[1:]
        first = stored_count(chunk.stop) - len(nodes)
        for position, (node, stored) in enumerate(zip(nodes, chunk.above, strict=True), first):
            if node != stored:
                self.faults.append(wrong_hash(position))

    def change_key(self, mark: Mark) -> None:
        """Take a `ledger.key_changed`: the block that seals it is the first under the new key."""
        try:
            payload = parse(mark.statement.payload)
        except MalformedError as error:
            self._break(mark.index, error.code, error.message)
            return
        if mark.statement.iss != self.founder or not mark.sound:
            self._break(mark.index, "ledger.not_founder", f"only the founder {self.founder} may sign this")
        elif isinstance(payload, LedgerKeyChanged):
            self._pending_key = payload.ledger_key

    def seal(self, mark: Mark) -> BlockSealed | None:
        """Check a block and go on from it.

        Return its payload if its time can be relied on: it is sound, signed by the key in force, and follows
        the block before. Faults of its root or size may remain.
        """
        try:
            block = parse(mark.statement.payload)
        except MalformedError as error:
            self._break(mark.index, error.code, error.message)
            return None
        assert isinstance(block, BlockSealed), "the kind was read from the same bytes"
        previous, link = self.link, self._next_link()
        root = self._root(mark.index, mark.before)
        try:
            check_block(mark.statement, block, link, index=mark.index, root=root)
        except InconsistentCheckpoint as error:
            self._break(mark.index, "block.link", error.message)
        if link.height == 0 and mark.index != 1:
            self._break(
                mark.index, "block.first", "the first block stands at entry 1 and seals the founding alone"
            )
        reliable = (
            mark.sound
            and mark.statement.iss == link.ledger_key
            and (block.height, block.previous, block.size) == (link.height + 1, link.previous, mark.index)
        )
        self.root = self._root(mark.index + 1, mark.after)
        time_ms = block_time_ms(block.time)
        if mark.index + 1 in self._wanted:
            self.roots[mark.index + 1] = self.root
            self.times[mark.index + 1] = time_ms // 1000
        self._compare_row(mark, (block.height, mark.index, time_ms, self.root, mark.statement.iss))
        self._warn_of_late(previous.size, mark.index, time_ms // 1000)
        if link.ledger_key != previous.ledger_key:
            self.retired.append((previous.ledger_key, previous.size))
        self.link = msgspec.structs.replace(
            link, height=block.height, previous=mark.statement.id, time_ms=time_ms, size=mark.index + 1
        )
        return block if reliable else None

    def keys(self) -> tuple[str, ...]:
        """Return every ledger key there has been, the one in force last."""
        return (*(key for key, _ in self.retired), self.link.ledger_key)

    def key_at(self, size: int) -> str:
        """Return the ledger key that counts for a tree size."""
        return next((key for key, last in self.retired if size <= last), self.link.ledger_key)

    def _next_link(self) -> Link:
        if self._pending_key is None:
            return self.link
        key, self._pending_key = self._pending_key, None
        return msgspec.structs.replace(self.link, ledger_key=key)

    def _root(self, size: int, subtrees: Sequence[bytes]) -> bytes:
        """Return the root over the chunks before this one and some subtrees of this one."""
        if size % CHUNK:
            return Frontier(size, (*self._chunks.subtrees, *subtrees)).root()
        # The chunk is full: its root is one more leaf of the tree over chunks.
        chunks = Frontier(self._chunks.size, self._chunks.subtrees)
        chunks.extend(subtrees)
        return chunks.root()

    def _compare_row(self, mark: Mark, expected: tuple[object, ...]) -> None:
        if mark.row is not None and mark.row[5] == b"":
            self.headless += 1
        if mark.row is not None and mark.row[:5] != expected:
            self.faults.append(
                Fault(
                    code="stored.block",
                    place=f"table blocks, row of entry {mark.index}",
                    message="is not what the block says",
                    entry=mark.index,
                )
            )

    def _warn_of_late(self, first: int, block: int, time: int) -> None:
        """Count the entries whose iat lies far from the time of their block."""
        sealed = self._issued[: block - first]
        del self._issued[: block - first + 1]
        if not sealed or (time - min(sealed) <= LATE_SECONDS and max(sealed) - time <= LATE_SECONDS):
            return
        for index, issued in enumerate(sealed, first):
            if issued >= 0 and abs(time - issued) > LATE_SECONDS:
                self.late += 1
                self.late_first = index if self.late_first is None else self.late_first

    def _break(self, index: int, code: str, message: str) -> None:
        self.faults.append(at_entry(index, code, message))
