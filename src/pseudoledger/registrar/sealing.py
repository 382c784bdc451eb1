"""Blocks, heads and checkpoints: everything that the ledger key signs, in the order that no crash can spoil.

A block is committed, the head that ends with it is recorded, and only then is that head signed (ADR 16). A small block
is recorded first, whole; then the store need not wait for the disk (ADR 27).
"""

from __future__ import annotations

from collections.abc import Sequence

from pseudoledger.contract.ruleset import Court
from pseudoledger.contract.things import LedgerState
from pseudoledger.errors import InconsistentCheckpoint, MalformedError, StoreError
from pseudoledger.identity.keys import Signer
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.identity.signing_record import Head
from pseudoledger.ledger.block import Link, block_bytes, read_block
from pseudoledger.ledger.checkpoint import log_key, parse_checkpoint, sign_checkpoint, verify_checkpoint
from pseudoledger.ledger.note import format_note, parse_note
from pseudoledger.ledger.receipt import sign_head
from pseudoledger.ledger.rows import Batch, BlockRow, EntryRow, decode_batch, encode_batch
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import EMPTY_ROOT, hash_leaf
from pseudoledger.ledger.tree import root as tree_root
from pseudoledger.statement import envelope

PUBLISH_MS = 1_000
"""While the writer runs, at most one checkpoint in this time is published; closing publishes the last."""
CARRIED_MAX = 32
"""Most statements of a block that the record carries: writing more of them twice takes longer than a second sync."""


class Sealer:
    """The ledger key at work on one store: it keeps the right edge of the tree and signs what is stored."""

    def __init__(self, store: Store, signer: Signer, last_signed: LastSigned) -> None:
        self.signer, self.last_signed = signer, last_signed
        self._store = store
        self._frontier = store.frontier()
        self._published_ms: int | None = None
        self._unpublished = False
        self._signed: tuple[int, bytes] | None = None
        """Index of the last block and the signature over the head that ends with it. The next block brings it into
        the store, where it may stand already, but not durably."""
        self._kept = True
        """Whether it stands there."""
        self._in_flight: Head | None = None
        """The head of a block that is recorded and not committed yet."""

    def reload(self) -> None:
        """Read the right edge of the tree anew, after a failure; what the record carries and the store refused goes."""
        head, self._in_flight = self._in_flight, None
        if head is not None and self._store.size < head.size:
            self.last_signed.take_back(head.size, head.root)
        self._frontier, self._signed, self._kept = self._store.frontier(), None, True

    def seal(self, court: Court, state: LedgerState, accepted: Sequence[EntryRow], time_ms: int) -> None:
        """Append accepted statements and their block in one transaction, then sign the head that they make.

        `court` admitted them at this time. Raises StoreError if the key in force is another one, or its record
        takes no more writes.
        """
        self.last_signed.refuse_if_broken()
        hashes = self._frontier.store([hash_leaf(row.statement) for row in accepted])
        index = self._frontier.size
        link = Link(
            ledger_id=state.id,
            origin=state.origin,
            ledger_key=state.pending_key or state.ledger_key,
            height=state.height,
            previous=state.last_block,
            time_ms=state.time_ms,
            size=state.size,
        )
        if self.signer.did != link.ledger_key:
            raise StoreError(
                f"the next block is to be signed by {link.ledger_key}; open the ledger with that key"
            )
        raw = block_bytes(link, time_ms=time_ms, size=index, root=self._frontier.root())
        payload = read_block(raw)
        block = envelope.sign_statement(self.signer, raw, sub=state.origin, aud=state.id, iat=time_ms // 1000)
        hashes += self._frontier.store([hash_leaf(block.raw)])
        court.fold(block, payload, index)
        row = BlockRow(
            height=payload.height,
            index=index,
            time_ms=time_ms,
            root=self._frontier.root(),
            ledger_key=self.signer.did,
            signature=b"",
        )
        entry = EntryRow(index=index, statement=block.raw, id=block.id, type=payload.type, issuer=block.iss)
        batch = Batch(
            entries=[*accepted, entry],
            hashes=hashes,
            block=row,
            things=court.book.changes(),
            kept=self._signed,
        )
        # The record of the key before knows nothing of a block that the next key signs: no power failure may take it.
        small = len(accepted) <= CARRIED_MAX and state.pending_key is None
        carried = encode_batch(batch) if small else None
        if carried is not None and not self.last_signed.takes(len(carried)):
            carried = None
        if carried is None:
            self._store.append(batch)
            self.last_signed.record(index + 1, row.root)
        else:
            self._in_flight = Head(index + 1, row.root)
            self.last_signed.carry(index + 1, row.root, carried)
            self._store.append(batch, carry=self.last_signed.sync)
            self._in_flight = None
        self._signed, self._kept = None, True
        court.book.committed()
        self._unpublished = True
        publish = self._published_ms is None or time_ms - self._published_ms >= PUBLISH_MS
        self._sign(state.origin, row, time_ms if publish else None)

    def catch_up(self, record: LastSigned) -> bool:
        """Store what a record carries and a power failure took from the store, before anything is read of it."""
        missing = record.missing(self._store.size, self._frontier.root())
        if missing:
            self._store.append(*(decode_batch(carried.body) for carried in missing))
            self._frontier = self._store.frontier()
        return bool(missing)

    def settle(self, origin: str) -> None:
        """Compare the stored tree with the record of the key, and sign what a crash left unsigned.

        Raises ConflictError if the key has signed another history.
        """
        store, record = self._store, self.last_signed
        last = store.last_block()
        if last is None:
            record.check(0, EMPTY_ROOT)
            return
        before = store.block(last.height - 1)
        size = 0 if before is None else before.index + 1
        store.sync()
        tree = last.index + 1, self._frontier.root()
        record.check(*tree, Head(size, tree_root(size, store.hashes)))
        record.record(*tree)
        if last.signature:
            self._signed = (last.index, last.signature)
        elif last.ledger_key == self.signer.did:
            self._sign(origin, last)
        # Nor may the newest block have been published yet.
        self._unpublished = published_size(store) < store.size

    def take_over(self, signer: Signer, last_signed: LastSigned) -> None:
        """Sign with another key from the next block on; its record begins at the present head."""
        self.rest()
        self._store.sync()
        last_signed.record(self._store.size, self._frontier.root())
        self.signer, self.last_signed = signer, last_signed

    def retire(self, record: LastSigned) -> None:
        """Let the record of a key that is in force no more name the present head: it signs no older copy."""
        record.record(self._store.size, self._frontier.root())

    def rest(self) -> None:
        """Let the store hold everything durably and the record carry nothing: then an older copy is told as one."""
        self.keep()
        if self.last_signed.carries and not self.last_signed.broken:
            self._store.sync()
            self.last_signed.record(self._store.size, self._frontier.root())

    def keep(self) -> None:
        """Store the signature over the newest head, which otherwise comes with the next block."""
        if self._signed is not None and not self._kept:
            self._store.keep_signed(*self._signed, None)
            self._kept = True

    def publish(self, origin: str, time_ms: int) -> None:
        """Publish the newest checkpoint, where the last blocks came too soon after the one before."""
        self.keep()
        if self._unpublished:
            self._store.publish(self.note(origin))
            self._published_ms, self._unpublished = time_ms, False

    def publish_cosigned(self, origin: str, note: bytes) -> bool:
        """Keep a checkpoint with the cosignatures of witnesses, and publish it if it is still the newest one.

        A newest one that carries none yet does not take its place: proofs are made from the one kept.
        Raises MalformedError or VerificationError for anything but a checkpoint of this ledger.
        """
        store = self._store
        said = verify_checkpoint(note, origin, [log_key(origin, self.signer.public_key)]).checkpoint
        if said.size > store.size or tree_root(said.size, store.hashes) != said.root:
            raise InconsistentCheckpoint(f"the checkpoint of {said.size} entries is not of this ledger")
        published, kept = store.checkpoint(), store.cosigned()
        newest = published is not None and parse_note(note).text == parse_note(published).text
        if kept is None or parse_checkpoint(parse_note(kept).text).size <= said.size:
            store.keep_cosigned(note)
        if newest:
            store.publish(note)
        return newest

    def note(self, origin: str) -> bytes:
        """Return the checkpoint of the stored tree, signed."""
        size, root = self._frontier.size, self._frontier.root()
        if self.last_signed.read() != Head(size, root):
            raise StoreError(
                f"a tree of {size} entries was never recorded, so no checkpoint of it is signed",
                hint="close the ledger and open it anew",
            )
        return format_note(sign_checkpoint(self.signer, origin, size, root))

    def _sign(self, origin: str, block: BlockRow, published_ms: int | None = None) -> None:
        """Sign the head that ends with the stored last block, and its checkpoint where one is due.

        The block is on disk, in the store or carried by the record, and the record names its head. A power failure
        may lose the signatures: `settle` makes the same ones again.
        """
        head = sign_head(self.signer, origin, block.index + 1, block.root)
        self._signed, self._kept = (block.index, head.signature), False
        if published_ms is not None:
            self._store.keep_signed(block.index, head.signature, self.note(origin))
            self._kept = True
            self._published_ms, self._unpublished = published_ms, False


def published_size(store: Store) -> int:
    """Return the size of the published checkpoint; 0 if there is none, or what stands there is none."""
    note = store.checkpoint()
    try:
        return 0 if note is None else parse_checkpoint(parse_note(note).text).size
    except MalformedError:
        return 0
