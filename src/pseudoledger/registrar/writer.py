"""The one way in: fix T → verify → judge → append → seal → receipt, for one statement or thousands.

Everything that enters a ledger passes `Registrar.register` (what parties send) or `Registrar.govern` (what
the founder signs); both end in the same batch. A batch is one block, one transaction and one T. What was
answered is on disk. Registration is idempotent: the same bytes again get the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

from pseudoledger.contract.book import Book
from pseudoledger.contract.ruleset import RuleSet
from pseudoledger.contract.things import LedgerState
from pseudoledger.errors import ConflictError, RegistrationRefused, StoreError
from pseudoledger.identity.keys import Signer
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.ledger.database import existing
from pseudoledger.ledger.description import Description
from pseudoledger.ledger.lock import WriterLock
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import EMPTY_ROOT
from pseudoledger.registrar.answers import Answer, Refused, receipt_of
from pseudoledger.registrar.founding import sign_founding
from pseudoledger.registrar.intake import Intake, Taken
from pseudoledger.registrar.sealing import Sealer
from pseudoledger.registrar.sitting import Sitting
from pseudoledger.statement.kinds.ledger import Policy

AHEAD_MS = 60_000
"""A ledger whose last block lies further ahead of the clock than this admits nothing (formats §4)."""
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
        self._store, self._lock, self._clock, self._directory = store, lock, clock, directory
        self._book = Book(store)
        self._intake = Intake()
        self._sealer = Sealer(store, signer, last_signed)
        self._failed = False
        self._lost: LastSigned | None = None
        """The record of a key that is given up, as far as it can be read."""

    @classmethod
    def open(cls, directory: Path, *, signer: Signer, last_signed: LastSigned, clock: Clock) -> Registrar:
        """Open a founded ledger for writing.

        Raises StoreBusy if another process writes it, ConflictError if the ledger key has signed another
        history, StoreError if the signer is not the ledger key in force.
        """
        existing(directory)
        return cls._opened(directory, Store.open_writer, signer, last_signed, clock, cls._go_on)

    @classmethod
    def after_loss(
        cls,
        directory: Path,
        *,
        signer: Signer,
        last_signed: LastSigned,
        clock: Clock,
        before: LastSigned | None = None,
    ) -> Registrar:
        """Open a copy whose ledger key can sign no more: nothing can be registered before `change_key`.

        `signer` is the new key, `before` the record of the key before, where it can be read: it may carry blocks
        that the copy lacks. Raises StoreBusy if another process writes the directory.
        """
        existing(directory)

        def first(registrar: Registrar) -> None:
            if before is not None:
                registrar._sealer.catch_up(before)
                registrar._lost = before

        return cls._opened(directory, Store.open_writer, signer, last_signed, clock, first)

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
        return cls._opened(
            directory, Store.create, signer, last_signed, clock, partial(cls._found, founding=raw)
        )

    @classmethod
    def _opened(  # noqa: PLR0917 - what the three ways in have in common
        cls,
        directory: Path,
        opened: Callable[[Path], Store],
        signer: Signer,
        last_signed: LastSigned,
        clock: Clock,
        first: Callable[[Registrar], None],
    ) -> Registrar:
        """Lock and open a directory and do what comes `first`; let both go again if that fails."""
        with ExitStack() as held:
            lock = WriterLock(directory)
            held.callback(lock.release)
            store = opened(directory)
            held.callback(store.close)
            registrar = cls(
                store=store,
                lock=lock,
                signer=signer,
                last_signed=last_signed,
                clock=clock,
                directory=directory,
            )
            first(registrar)
            held.pop_all()
        return registrar

    def _go_on(self) -> None:
        """Check that this key may sign, and make good what a crash left unfinished."""
        behind = self._sealer.catch_up(self._sealer.last_signed)
        state, signer = self.state, self._sealer.signer
        if signer.did != state.ledger_key:
            raise StoreError(
                f"{self._directory}: the ledger key in force is {state.ledger_key}, not {signer.did}",
                hint="open the ledger with that key",
            )
        self._sealer.settle(state.origin)
        if behind:
            # So was the published checkpoint.
            self.publish()
        # A crash may have come between a block and the description of the key that it brought.
        self._describe()

    def _found(self, founding: bytes) -> None:
        """Register entry 0."""
        self._sealer.last_signed.check(0, EMPTY_ROOT)
        (answer,) = self._admit([founding], from_network=False, dry_run=False)
        if isinstance(answer, Refused):
            raise RegistrationRefused(answer.findings)
        self._describe()

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
            if not self._failed:
                self._sealer.rest()
        finally:
            self._intake.close()
            self._store.close()
            self._sealer.last_signed.close()
            self._lock.release()

    def publish(self) -> None:
        """Publish the newest checkpoint, where the last blocks came too soon after the one before."""
        if not self._failed and self._book.ledger is not None:
            self._sealer.publish(self.state.origin, self._clock())

    def publish_cosigned(self, note: bytes) -> bool:
        """Keep a checkpoint with the cosignatures of witnesses; tell whether it was the newest and is published.

        Raises MalformedError or VerificationError for anything but a checkpoint of this ledger.
        """
        return self._sealer.publish_cosigned(self.state.origin, note)

    @property
    def book(self) -> Book:
        """The book as of the last block, to read from."""
        return self._book

    @property
    def store(self) -> Store:
        """The store, to read from; the newest head is in it too."""
        self._sealer.keep()
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

    def register_all(self, batches: Iterable[Sequence[bytes]]) -> Iterator[list[Answer]]:
        """Register batch after batch, as `register` does, and yield the answers to each once it is on disk.

        The next batch is asked for just before one is written: its signatures are verified meanwhile. If one
        fails, that one is not registered and the next was not begun.
        """
        source = iter(batches)
        ahead = self._begin(next(source, None))
        try:
            while ahead is not None:
                with self._whole():
                    sitting = self._hear(ahead, from_network=True)
                    ahead = self._begin(next(source, None))
                    self._conclude(sitting, dry_run=False)
                yield sitting.answers
        finally:
            if ahead is not None:
                self._intake.close()

    def govern(self, statements: Sequence[bytes]) -> list[Answer]:
        """Register the founder's own statements (`ledger.*`), which no peer may send.

        A change to rules or tables that this program does not have is refused: it could judge nothing after.
        """
        return self._admit(statements, from_network=False, dry_run=False)

    def change_key(self, statement: bytes, *, signer: Signer, last_signed: LastSigned) -> Answer:
        """Register the founder's `ledger.key_changed`; its block is the first under the new key.

        `last_signed` is the new key's record, which this call starts at the present head.
        """
        sealer = self._sealer
        before = (sealer.signer, sealer.last_signed)
        sealer.take_over(signer, last_signed)
        try:
            (answer,) = self._admit([statement], from_network=False, dry_run=False)
        finally:
            # Whatever was answered or raised: the key in force is the one that the stored blocks name.
            if not self._failed and self.state.ledger_key != signer.did:
                sealer.signer, sealer.last_signed = before
        if sealer.signer is signer and self.state.ledger_key == signer.did:
            if before[1] is not last_signed:
                # Otherwise a copy from before the change would fit the record of the key that it names.
                sealer.retire(before[1])
                before[1].close()
            if self._lost is not None:
                # One that is ahead of this copy refuses older ones as it is.
                with suppress(ConflictError):
                    sealer.retire(self._lost)
            self._describe()
        return answer

    def receipt(self, index: int) -> bytes:
        """Return the receipt of an entry under the block that seals it."""
        return receipt_of(self.store, self.state.origin, index)

    def _admit(self, raws: Sequence[bytes], *, from_network: bool, dry_run: bool) -> list[Answer]:
        with self._whole():
            sitting = self._hear(self._intake.begin(raws), from_network=from_network)
            self._conclude(sitting, dry_run=dry_run)
        return sitting.answers

    def _begin(self, raws: Sequence[bytes] | None) -> Iterator[list[Taken]] | None:
        return None if raws is None else self._intake.begin(raws)

    def _hear(self, taken: Iterator[list[Taken]], *, from_network: bool) -> Sitting:
        """Fix T and judge a batch; what is accepted is in the book and nowhere else."""
        if self._failed:
            raise StoreError(
                f"{self._directory}: an earlier failure left the state of the store unknown",
                hint="close the ledger and open it anew",
            )
        sitting = Sitting(self._store, self._book, self._fix_time(), from_network=from_network)
        first = next(taken, [])
        # One statement asks too little for a snapshot to be worth its two locks; nobody else writes meanwhile.
        with self._store.snapshot() if len(first) > 1 else nullcontext():
            for chunk in chain((first,), taken):
                sitting.hear(chunk)
        return sitting

    def _conclude(self, sitting: Sitting, *, dry_run: bool) -> None:
        """Seal what was accepted, or forget it."""
        if sitting.accepted and not dry_run:
            self._sealer.seal(sitting.court, self.state, list(sitting.accepted.values()), sitting.time_ms)
        else:
            self._book.discard()

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Leave nothing half done: after any failure the registrar stands at the last stored block."""
        try:
            yield
        except BaseException:
            # First of all: an interruption of what follows must not leave a tree that nobody recorded to be signed.
            self._failed = True
            self._intake.close()
            self._recover()
            raise

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

    def _recover(self) -> None:
        """Return to the last stored block after a failure; the batch may have been stored all the same.

        Until that is done nothing more is signed, not even a checkpoint by `close`.
        """
        self._store.reload()
        self._sealer.reload()
        self._sealer.catch_up(self._sealer.last_signed)
        self._book = Book(self._store)
        if self._store.size:
            self._sealer.settle(self.state.origin)
        self._failed = False

    def _describe(self) -> None:
        """Write ledger.json: what others need to check this ledger."""
        state = self.state
        description = Description(
            origin=state.origin, ledger=state.id, founder=state.founder, ledger_key=state.ledger_key
        )
        description.write(self._directory)
