"""One ledger as a command sees it, in a directory or behind a node: the same questions, two ways to ask.

What comes from a directory is as true as the directory, and `verify` says how true that is. What comes from a
node is what the node says, but for statements, whose id and signature are checked, and receipts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from pseudoledger.contract.book import Book
from pseudoledger.errors import StoreError, VerificationError
from pseudoledger.ledger import query
from pseudoledger.ledger.checkpoint import Checkpoint
from pseudoledger.ledger.note import format_note
from pseudoledger.ledger.rows import EntryRow
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tiles import Tile, TileHashes, format_path
from pseudoledger.ledger.tree import ReadHashes
from pseudoledger.node.spoken import Counts, Named, Names, NodeStatus, Sealed
from pseudoledger.registrar.answers import receipt_of

if TYPE_CHECKING:
    # A command on a directory need not wait for an HTTP client to be imported.
    from pseudoledger.node.client import NodeClient

NUMBERS_MAX = 10_000
_ONE_BY_ONE_MAX = 10
"""Things of one sort that are asked for one by one before a whole page of them is."""


class DirectoryLedger:
    """A ledger directory, to read from. Also the shelf of a book."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.store.size

    @property
    def root(self) -> str | None:
        """Root hash of the last block, hex."""
        block = self.store.last_block()
        return block.root.hex() if block else None

    def read(self, sort: str, key: str, /) -> bytes | None:
        """Return the stored JSON of one thing, or None."""
        return self.store.read(sort, key)

    def things(self, sort: str, /) -> Iterator[tuple[str, bytes]]:
        """Yield (key, JSON) of all things of one sort, by key."""
        return self.store.things(sort)

    def keys_that_begin(self, sort: str, begins: str, *, limit: int) -> list[str]:
        """Return keys of one sort that begin so."""
        return [row.key for row in query.things_by_key(self.store, sort, begins=begins, limit=limit)]

    def entry(self, index: int) -> EntryRow | None:
        """Return one entry, or None beyond the end."""
        return self.store.entry(index)

    def entry_by_id(self, statement_id: str) -> EntryRow | None:
        """Return the entry of a statement id, or None."""
        return self.store.entry_by_id(statement_id)

    def block_of(self, index: int) -> tuple[int, int] | None:
        """Return height and time in milliseconds of the block that seals an entry."""
        block = self.store.block_of(index)
        return None if block is None else (block.height, block.time_ms)

    def ids_that_begin(self, begins: str, *, limit: int) -> list[str]:
        """Return the statement ids that begin with some hex digits."""
        return query.ids_that_begin(self.store, begins, limit=limit)

    def ids_numbered(self, kind: str, number: str, *, limit: int) -> list[str]:
        """Return the ids of the statements of a kind that bear a number."""
        return query.ids_numbered(self.store, kind, number, limit=limit)

    def numbers(self, sort: str) -> list[str]:
        """Return numbers in use, to suggest what was meant."""
        return query.numbers(self.store, sort, limit=NUMBERS_MAX)

    def counts(self) -> dict[str, int]:
        """Return how many entries of each kind there are."""
        return query.kind_counts(self.store)

    def checkpoints(self) -> list[bytes]:
        """Return the published checkpoints: the last that witnesses cosigned, then the newest."""
        return [raw for raw in (self.store.cosigned(), self.store.checkpoint()) if raw is not None]

    def hashes_under(self, _checkpoint: Checkpoint) -> ReadHashes:
        """Return how to read the hashes of the tree of a checkpoint."""
        return self.store.hashes

    def receipt(self, entry: EntryRow) -> bytes:
        """Return the receipt of an entry."""
        state = Book(self.store).ledger
        if state is None:
            raise StoreError(f"{self.store.path}: the ledger was never founded")
        return receipt_of(self.store, state.origin, entry.index)


class NodeLedger:
    """A ledger behind a node, to read from. Also the shelf of a book."""

    def __init__(self, client: NodeClient) -> None:
        self.client = client
        self._read: dict[str, dict[str, bytes | None]] = {}
        self._whole: set[str] = set()

    @cached_property
    def status(self) -> NodeStatus:
        """What the node says of its ledger, as of the first time that it was asked."""
        return self.client.status()

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.status.size

    @property
    def root(self) -> str | None:
        """Root hash of the last block, hex."""
        return self.status.root

    def read(self, sort: str, key: str, /) -> bytes | None:
        """Return the stored JSON of one thing, or None.

        Where many of one sort are asked for, a page of them is fetched at once: it may hold all there are.
        """
        known = self._read.setdefault(sort, {})
        if key in known or sort in self._whole:
            return known.get(key)
        if len(known) == _ONE_BY_ONE_MAX:
            page, whole = self.client.things_page(sort)
            known.update(page)
            if whole:
                self._whole.add(sort)
            if key in known or whole:
                return known.get(key)
        known[key] = self.client.thing(sort, key)
        return known[key]

    def things(self, sort: str, /) -> Iterator[tuple[str, bytes]]:
        """Yield (key, JSON) of all things of one sort, by key."""
        known = self._read.setdefault(sort, {})
        for key, value in self.client.things(sort):
            known[key] = value
            yield key, value
        self._whole.add(sort)

    def keys_that_begin(self, sort: str, begins: str, *, limit: int) -> list[str]:
        """Return keys of one sort that begin so."""
        return [key for key, _ in islice(self.client.things(sort, begins=begins, page=limit), limit)]

    def entry(self, index: int) -> EntryRow | None:
        """Return one entry, or None beyond the end; its bytes are checked against its id."""
        return self._entry(f"/api/v1/entries/{index}")

    def entry_by_id(self, statement_id: str) -> EntryRow | None:
        """Return the entry of a statement id, or None; its bytes are checked against the id."""
        return self._entry(f"/api/v1/statements/{statement_id}") if len(statement_id) == 64 else None

    def _entry(self, path: str) -> EntryRow | None:
        asking = self.client.asking
        answer = asking.get(path)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise asking.refusal(answer)
        said = asking.decoded(Named, answer)
        raw = self.client.statement(said.id)
        return EntryRow(index=said.index, statement=raw, id=said.id, type=said.kind, issuer=said.issuer)

    def block_of(self, index: int) -> tuple[int, int] | None:
        """Return height and time in milliseconds of the block that seals an entry."""
        said = self.client.asking.json(Sealed, f"/api/v1/entries/{index}/block")
        return said.height, said.time_ms

    def ids_that_begin(self, begins: str, *, limit: int) -> list[str]:
        """Return the statement ids that begin with some hex digits."""
        return self.client.asking.json(Names, "/api/v1/ids", {"begins": begins, "limit": limit}).items

    def ids_numbered(self, kind: str, number: str, *, limit: int) -> list[str]:
        """Return the ids of the statements of a kind that bear a number."""
        asked: dict[str, str | int | None] = {"kind": kind, "number": number, "limit": limit}
        return self.client.asking.json(Names, "/api/v1/ids/numbered", asked).items

    def numbers(self, sort: str) -> list[str]:
        """Return numbers in use, to suggest what was meant."""
        return self.client.asking.json(Names, f"/api/v1/numbers/{sort}").items

    def counts(self) -> dict[str, int]:
        """Return how many entries of each kind there are."""
        return self.client.asking.json(Counts, "/api/v1/counts").kinds

    def checkpoints(self) -> list[bytes]:
        """Return the last checkpoint that witnesses cosigned, if the node has one, then the newest.

        The ledger's signature is verified.
        """
        found = (self.client.cosigned_checkpoint(), self.client.checkpoint())
        return [format_note(one.note) for one in found if one is not None]

    def hashes_under(self, checkpoint: Checkpoint) -> ReadHashes:
        """Return how to read the hashes of the tree of a checkpoint: from tiles, checked against its root."""
        return TileHashes(checkpoint.size, checkpoint.root, self._tiles).read

    def _tiles(self, tiles: Sequence[Tile]) -> list[bytes]:
        answers = [self.client.asking.get(f"/{format_path(tile)}", accept="*/*") for tile in tiles]
        for answer in answers:
            if answer.status != 200:
                raise self.client.asking.refusal(answer)
        return [answer.body for answer in answers]

    def receipt(self, entry: EntryRow) -> bytes:
        """Return the receipt of an entry, verified, and that it proves this index."""
        stands = self.client.receipt(entry.id)
        if stands.index != entry.index:
            raise VerificationError(
                f"{self.client.url} names entry {entry.index}, its receipt proves entry {stands.index}"
            )
        return stands.receipt


Ledger: TypeAlias = DirectoryLedger | NodeLedger
