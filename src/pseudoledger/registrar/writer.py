"""The one way in: fix T → verify → judge → append → seal → receipt, for one statement or thousands.

Everything that enters a ledger passes `Registrar.register` (what parties send) or `Registrar.govern` (what
the founder signs); both end in the same batch. A batch is one block, one transaction and one T. What was
answered is on disk. Registration is idempotent: the same bytes again get the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from pseudoledger.contract.book import Book
from pseudoledger.contract.ruleset import Court, RuleSet
from pseudoledger.contract.things import LedgerState
from pseudoledger.errors import InconsistentCheckpoint, MalformedError, RegistrationRefused, StoreError
from pseudoledger.identity.keys import Signer
from pseudoledger.identity.last_signed import Head, LastSigned
from pseudoledger.ledger.block import Link, next_block
from pseudoledger.ledger.checkpoint import log_key, parse_checkpoint, sign_checkpoint, verify_checkpoint
from pseudoledger.ledger.database import existing
from pseudoledger.ledger.description import Description
from pseudoledger.ledger.note import format_note, parse_note
from pseudoledger.ledger.receipt import sign_head
from pseudoledger.ledger.store import Batch, BlockRow, EntryRow, Store, WriterLock
from pseudoledger.ledger.tree import EMPTY_ROOT, hash_leaf
from pseudoledger.ledger.tree import root as tree_root
from pseudoledger.registrar.answers import Answer, Refused, receipt_of
from pseudoledger.registrar.founding import sign_founding
from pseudoledger.registrar.intake import Intake
from pseudoledger.registrar.sitting import Sitting
from pseudoledger.statement import envelope
from pseudoledger.statement.kinds.ledger import Policy

AHEAD_MS = 60_000
"""A ledger whose last block lies further ahead of the clock than this admits nothing (formats §4)."""
PUBLISH_MS = 1_000
"""While the writer runs, at most one checkpoint in this time is published; closing publishes the last."""

Clock = Callable[[], int]
"""Milliseconds since 1970."""


class Registrar:
    """The writer of one ledger directory. One thread at a time uses it."""

    def __init__(
        self,
        *,
        store: Store,
        lock: WriterLock,
        signer: Signer,
        last_signed: LastSigned,
        clock: Clock,
        directory: Path,
    ) -> None:
        self._store, self._lock, self._signer = store, lock, signer
        self._last_signed, self._clock, self._directory = last_signed, clock, directory
        self._book = Book(store)
        self._intake = Intake()
        self._frontier = store.frontier()
        self._published_ms: int | None = None
        self._unpublished = False
        self._failed = False

    @classmethod
    def open(cls, directory: Path, *, signer: Signer, last_signed: LastSigned, clock: Clock) -> Registrar:
        """Open a founded ledger for writing.

        Raises StoreBusy if another process writes it, ConflictError if the ledger key has signed another
        history, StoreError if the signer is not the ledger key in force.
        """
        existing(directory)
        with ExitStack() as held:
            lock = WriterLock(directory)
            held.callback(lock.release)
            store = Store.open_writer(directory)
            held.callback(store.close)
            registrar = cls(
                store=store,
                lock=lock,
                signer=signer,
                last_signed=last_signed,
                clock=clock,
                directory=directory,
            )
            state = registrar.state
            if signer.did != state.ledger_key:
                raise StoreError(
                    f"{directory}: the ledger key in force is {state.ledger_key}, not {signer.did}",
                    hint="open the ledger with that key",
                )
            registrar._settle()
            # Nor may the newest block have been published yet.
            registrar._unpublished = published_size(store) < store.size
            # A crash may have come between a block and the description of the key that it brought.
            registrar._describe()
            held.pop_all()
        return registrar

    @classmethod
    def found(
        cls,
        directory: Path,
        *,
        origin: str,
        founder: Signer,
        signer: Signer,
        last_signed: LastSigned,
        clock: Clock,
        policy: Policy,
        nonce: bytes,
        rules: RuleSet | None = None,
    ) -> Registrar:
        """Found a ledger in an empty directory: entry 0, sealed by block 1.

        `founder` signs the founding, `signer` is the ledger key, `rules` other than the newest. Raises RegistrationRefused if the rules
        refuse the policy, StoreError if the directory holds a ledger already.
        """
        raw = sign_founding(
            founder,
            origin=origin,
            ledger_key=signer.did,
            policy=policy,
            nonce=nonce,
            now=clock() // 1000,
            rules=rules,
        )
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{directory}: {error.strerror}", hint="choose another directory") from error
        with ExitStack() as held:
            lock = WriterLock(directory)
            held.callback(lock.release)
            store = Store.create(directory)
            held.callback(store.close)
            registrar = cls(
                store=store,
                lock=lock,
                signer=signer,
                last_signed=last_signed,
                clock=clock,
                directory=directory,
            )
            last_signed.check(0, EMPTY_ROOT)
            (answer,) = registrar._admit([raw], from_network=False, dry_run=False)
            if isinstance(answer, Refused):
                raise RegistrationRefused(answer.findings)
            registrar._describe()
            held.pop_all()
        return registrar

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Publish the newest checkpoint and let the ledger go. Idempotent."""
        try:
            self.publish()
        finally:
            self._intake.close()
            self._store.close()
            self._last_signed.close()
            self._lock.release()

    def publish(self) -> None:
        """Publish the newest checkpoint, where the last blocks came too soon after the one before."""
        if self._unpublished and not self._failed:
            self._store.publish(self._note())
            self._published_ms, self._unpublished = self._clock(), False

    def publish_cosigned(self, note: bytes) -> bool:
        """Keep a checkpoint with the cosignatures of witnesses, and publish it if it is still the newest one.

        A newest one that carries none yet does not take its place: proofs are made from the one kept.
        Raises MalformedError or VerificationError for anything but a checkpoint of this ledger.
        """
        origin = self.state.origin
        said = verify_checkpoint(note, origin, [log_key(origin, self._signer.public_key)]).checkpoint
        if said.size > self._store.size or tree_root(said.size, self._store.hashes) != said.root:
            raise InconsistentCheckpoint(f"the checkpoint of {said.size} entries is not of this ledger")
        published, kept = self._store.checkpoint(), self._store.cosigned()
        newest = published is not None and parse_note(note).text == parse_note(published).text
        if kept is None or parse_checkpoint(parse_note(kept).text).size <= said.size:
            self._store.keep_cosigned(note)
        if newest:
            self._store.publish(note)
        return newest

    @property
    def book(self) -> Book:
        """The book as of the last block, to read from."""
        return self._book

    @property
    def store(self) -> Store:
        """The store, to read from."""
        return self._store

    @property
    def state(self) -> LedgerState:
        """The ledger's own state; raise StoreError if it is not founded."""
        state = self._book.ledger
        if state is None:
            raise StoreError(f"{self._directory}: the ledger was never founded")
        return state

    def register(self, statements: Sequence[bytes], *, dry_run: bool = False) -> list[Answer]:
        """Register what parties sent, in order; return one answer for each.

        With `dry_run` nothing is written and the answers say what would have happened.
        """
        return self._admit(statements, from_network=True, dry_run=dry_run)

    def govern(self, statements: Sequence[bytes]) -> list[Answer]:
        """Register the founder's own statements (`ledger.*`), which no peer may send.

        A change to rules or tables that this program does not have is refused: it could judge nothing after.
        """
        return self._admit(statements, from_network=False, dry_run=False)

    def change_key(self, statement: bytes, *, signer: Signer, last_signed: LastSigned) -> Answer:
        """Register the founder's `ledger.key_changed`; its block is the first under the new key.

        `last_signed` is the new key's record, which this call starts at the present head.
        """
        before = (self._signer, self._last_signed)
        last_signed.record(self._store.size, self._frontier.root())
        self._signer, self._last_signed = signer, last_signed
        try:
            (answer,) = self._admit([statement], from_network=False, dry_run=False)
        finally:
            # Whatever was answered or raised: the key in force is the one that the stored blocks name.
            if not self._failed and self.state.ledger_key != signer.did:
                self._signer, self._last_signed = before
        if self._signer is signer and self.state.ledger_key == signer.did:
            if before[1] is not last_signed:
                before[1].close()
            self._describe()
        return answer

    def receipt(self, index: int) -> bytes:
        """Return the receipt of an entry under the block that seals it."""
        return receipt_of(self._store, self.state.origin, index)

    def _admit(self, raws: Sequence[bytes], *, from_network: bool, dry_run: bool) -> list[Answer]:
        if self._failed:
            raise StoreError(
                f"{self._directory}: an earlier failure left the state of the store unknown",
                hint="close the ledger and open it anew",
            )
        time_ms = self._fix_time()
        sitting = Sitting(self._store, self._book, time_ms, from_network=from_network)
        try:
            with self._store.snapshot():
                answers = [answer for taken in self._intake.read(raws) for answer in sitting.hear(taken)]
            if sitting.accepted and not dry_run:
                self._seal(list(sitting.accepted.values()), time_ms)
            else:
                self._book.discard()
        except BaseException:
            self._recover()
            raise
        return answers

    def _fix_time(self) -> int:
        now, ledger = self._clock(), self._book.ledger
        if ledger is None:
            return now
        if ledger.time_ms > now + AHEAD_MS:
            raise StoreError(
                f"the last block lies {(ledger.time_ms - now) // 1000} s ahead of the clock: nothing is admitted",
                hint="set this machine's clock right, or wait",
            )
        return max(now, ledger.time_ms)

    def _seal(self, accepted: list[EntryRow], time_ms: int) -> None:
        """Append the accepted statements and their block in one transaction, then sign the head that they make."""
        self._last_signed.refuse_if_broken()
        state = self.state
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
        if self._signer.did != link.ledger_key:
            raise StoreError(
                f"the next block is to be signed by {link.ledger_key}; open the ledger with that key"
            )
        payload = next_block(link, time_ms=time_ms, size=index, root=self._frontier.root())
        raw = envelope.sign(self._signer, payload, sub=state.origin, aud=state.id, iat=time_ms // 1000)
        block = envelope.decode(raw)
        hashes += self._frontier.store([hash_leaf(raw)])
        Court.sitting(self._book, state.pins, time_ms // 1000).fold(block, payload, index)
        row = BlockRow(
            height=payload.height,
            index=index,
            time_ms=time_ms,
            root=self._frontier.root(),
            ledger_key=self._signer.did,
            signature=b"",
        )
        entry = EntryRow(index=index, statement=raw, id=block.id, type=payload.type, issuer=block.iss)
        self._store.append(
            Batch(
                entries=[*accepted, entry],
                hashes=hashes,
                block=row,
                things=self._book.changes(),
                checkpoint=None,
            )
        )
        self._book.committed()
        self._unpublished = True
        publish = self._published_ms is None or time_ms - self._published_ms >= PUBLISH_MS
        self._sign(row, time_ms if publish else None)

    def _sign(self, block: BlockRow, published_ms: int | None = None) -> None:
        """Sign the head that ends with the stored last block, and its checkpoint where one is due.

        The block is on disk and the record is before the first signature is made. A power failure may lose the
        signatures: `_settle` makes the same ones again.
        """
        size = block.index + 1
        self._last_signed.record(size, block.root)
        head = sign_head(self._signer, self.state.origin, size, block.root)
        publish = published_ms is not None
        self._store.keep_signed(block.index, head.signature, self._note() if publish else None)
        if publish:
            self._published_ms, self._unpublished = published_ms, False

    def _settle(self) -> None:
        """Compare the stored tree with the record of the key, and sign what a crash left unsigned.

        Raises ConflictError if the key has signed another history.
        """
        last = self._store.last_block()
        if last is None:
            self._last_signed.check(0, EMPTY_ROOT)
            return
        before = self._store.block(last.height - 1)
        size = 0 if before is None else before.index + 1
        self._last_signed.check(
            last.index + 1, self._frontier.root(), Head(size, tree_root(size, self._store.hashes))
        )
        if not last.signature and last.ledger_key == self._signer.did:
            self._sign(last)

    def _note(self) -> bytes:
        origin, size = self.state.origin, self._frontier.size
        return format_note(sign_checkpoint(self._signer, origin, size, self._frontier.root()))

    def _recover(self) -> None:
        """Return to the last stored block after a failure; the batch may have been stored all the same.

        Until that is done nothing more is signed, not even a checkpoint by `close`.
        """
        self._failed = True
        self._store.reload()
        self._book = Book(self._store)
        self._frontier = self._store.frontier()
        if self._store.size:
            self._settle()
        self._failed = False

    def _describe(self) -> None:
        """Write ledger.json: what others need to check this ledger."""
        state = self.state
        description = Description(
            origin=state.origin, ledger=state.id, founder=state.founder, ledger_key=state.ledger_key
        )
        description.write(self._directory)


def published_size(store: Store) -> int:
    """Return the size of the published checkpoint; 0 if there is none, or what stands there is none."""
    note = store.checkpoint()
    try:
        return 0 if note is None else parse_checkpoint(parse_note(note).text).size
    except MalformedError:
        return 0
