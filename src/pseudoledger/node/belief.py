"""What a mirror believes: entries whose form, signature, block and rules it has checked itself, and no others.

A block is the unit. It is stored, with what it seals, when its signature is the ledger key's, its link, size
and root follow from what is stored already, and the same rules that the founder ran refuse nothing of it.
Many blocks go into one transaction. What is not believed leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pseudoledger.contract.book import Book
from pseudoledger.contract.ruleset import CannotJudge, Court
from pseudoledger.contract.things import LedgerState, Pins
from pseudoledger.errors import (
    Finding,
    InconsistentCheckpoint,
    MalformedError,
    PseudoledgerError,
    StoreCorrupt,
    StoreError,
    VerificationError,
)
from pseudoledger.ledger.block import Link, check_block
from pseudoledger.ledger.database import DATABASE
from pseudoledger.ledger.description import Description
from pseudoledger.ledger.lock import WriterLock
from pseudoledger.ledger.receipt import decode_receipt, verify_head
from pseudoledger.ledger.rows import Batch, BlockRow, EntryRow
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import root
from pseudoledger.registrar.answers import Refused
from pseudoledger.registrar.intake import Intake, Taken
from pseudoledger.statement.envelope import Statement, decode
from pseudoledger.statement.kinds import Payload, kind_of
from pseudoledger.statement.kinds.ledger import BlockSealed, LedgerFounded
from pseudoledger.statement.payload import canonical_kind, parse
from pseudoledger.statement.values import block_time_ms

AHEAD_MS = 300_000
"""A block time further than this ahead of the mirror's clock is not believed yet (formats §4)."""

_BLOCK = b'"type":"block.sealed"'

Clock = Callable[[], int]
"""Milliseconds since 1970."""


class Disbelieved(VerificationError):
    """What was served is no valid history of the ledger; `entry` is the first one that shows it."""

    def __init__(self, message: str, *, entry: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.entry = entry


@dataclass(frozen=True, slots=True)
class Part:
    """Entries that follow on those believed and end in a block, with their hashes, which were compared already."""

    raws: Sequence[bytes]
    leaf_hashes: Sequence[bytes]


@dataclass(slots=True)
class _Pending:
    """Blocks judged and not stored yet, and the one under way."""

    batches: list[Batch]
    rows: list[EntryRow]
    leaves: list[bytes]
    ids: dict[str, int]
    """Index of every statement by its id."""


class Believer:
    """The writer of a mirror's directory. One thread at a time uses it."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        """Open the directory, or make an empty one.

        Raises StoreBusy if another process writes it, StoreError if it cannot be used.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{directory}: {error.strerror}", hint="choose another directory") from error
        self._directory, self._clock = directory, clock
        with ExitStack() as held:
            self._lock = WriterLock(directory)
            held.callback(self._lock.release)
            there = (directory / DATABASE).is_file()
            self.store = Store.open_writer(directory) if there else Store.create(directory)
            held.callback(self.store.close)
            self._start()
            self._describe()
            held.pop_all()
        self._intake = Intake()

    def close(self) -> None:
        """Let the directory go. Idempotent."""
        self._intake.close()
        self.store.close()
        self._lock.release()

    @property
    def state(self) -> LedgerState | None:
        """The ledger's own state; None as long as nothing is believed."""
        return self._book.ledger

    @property
    def size(self) -> int:
        """Entries that are believed."""
        return self._frontier.size

    def root(self) -> bytes:
        """Return the root over what is believed."""
        return self._frontier.root()

    def root_at(self, size: int) -> bytes:
        """Return the root of an earlier size, of 1 or more."""
        return root(size, self.store.hashes)

    def believe(self, raws: Sequence[bytes], leaf_hashes: Sequence[bytes]) -> None:
        """Check entries that follow on those believed and end in a block, then store them.

        `leaf_hashes` are the hashes of the entries, compared already. What stands before the first block that
        cannot be believed is stored; then Disbelieved is raised, or CannotJudge.
        """
        self._believe(raws, leaf_hashes, self._intake.begin(raws))

    def believe_all(self, parts: Iterable[Part]) -> Iterator[int]:
        """Believe part after part, as `believe` does, and yield the size after each.

        The next part is asked for before one is judged: its signatures are verified meanwhile. If there is
        trouble with the next, this one is believed first.
        """
        source = iter(parts)
        ahead, trouble = self._ahead(source)
        try:
            while ahead is not None:
                (part, reading), (ahead, trouble) = ahead, self._ahead(source)
                self._believe(part.raws, part.leaf_hashes, reading)
                yield self.size
        finally:
            if ahead is not None:
                self._intake.close()
        if trouble is not None:
            raise trouble

    def _ahead(
        self, source: Iterator[Part]
    ) -> tuple[tuple[Part, Iterator[list[Taken]]] | None, PseudoledgerError | None]:
        try:
            part = next(source, None)
        except PseudoledgerError as error:
            return None, error
        return (None if part is None else (part, self._intake.begin(part.raws))), None

    def _believe(
        self, raws: Sequence[bytes], leaf_hashes: Sequence[bytes], reading: Iterator[list[Taken]]
    ) -> None:
        start = self.size
        try:
            self._take(raws, leaf_hashes, reading)
        except VerificationError as error:
            self._intake.close()
            self._start()
            good = [at for at, raw in enumerate(raws) if start + at < _entry(error, start) and _sealing(raw)]
            if good:
                self.believe(raws[: good[-1] + 1], leaf_hashes[: good[-1] + 1])
            raise
        except BaseException:
            self._intake.close()
            self._start()
            raise

    def publish(self, checkpoint: bytes) -> None:
        """Store a checkpoint that was verified and is of the present size."""
        self.store.publish(checkpoint)

    def keep_head(self, receipt: bytes) -> bool:
        """Keep the signed head that a receipt carries, if it is of a block believed; tell whether it is.

        Raises MalformedError or InvalidSignature if it is not what the ledger signed.
        """
        said = decode_receipt(receipt)
        block = self.store.block_of(said.tree_size - 1)
        state = self.state
        if block is None or state is None or block.index + 1 != said.tree_size:
            return False
        head = msgspec.structs.replace(block, signature=said.signature).head(state.origin)
        verify_head(head)
        self.store.keep_head(block.index, said.signature)
        return True

    def _start(self) -> None:
        """Stand where the store stands."""
        self.store.reload()
        self._book = Book(self.store)
        self._frontier = self.store.frontier()

    def _describe(self) -> None:
        state = self.state
        if state is not None:
            Description(
                origin=state.origin, ledger=state.id, founder=state.founder, ledger_key=state.ledger_key
            ).write(self._directory)

    def _take(
        self, raws: Sequence[bytes], leaf_hashes: Sequence[bytes], reading: Iterator[list[Taken]]
    ) -> None:
        """Judge entries that end in a block, and store them in one transaction."""
        ends = [at for at, raw in enumerate(raws) if _sealing(raw)]
        assert ends[-1:] == [len(raws) - 1], "the caller cuts behind a block"
        pending = _Pending(batches=[], rows=[], leaves=[], ids={})
        first, at, end = self.size, 0, iter(ends)
        court: Court | None = None
        upto = -1
        with self.store.snapshot():
            for taken in reading:
                for item in taken:
                    index = first + at
                    if at > upto:
                        upto = next(end)
                        court = self._court(raws[at], raws[upto], index)
                    assert court is not None, "there is one for every block"
                    statement, payload = _read(item, raws[at], index, court)
                    if statement.id in pending.ids:
                        raise _repeated(index)
                    if at == upto:
                        self._seal(statement, payload, index, leaf_hashes[at], pending)
                        court.fold(statement, payload, index)
                    else:
                        self._admit(court, statement, payload, index)
                        pending.leaves.append(leaf_hashes[at])
                        pending.rows.append(_row(statement, payload, index))
                    pending.ids[statement.id] = index
                    at += 1
        self._store(pending)
        self._book.committed()
        self._describe()

    def _store(self, pending: _Pending) -> None:
        """Store the blocks judged; one with a statement that is stored already is not stored, by the index of ids."""
        *before, last = pending.batches
        try:
            self.store.append(*before, msgspec.structs.replace(last, things=self._book.changes()))
        except StoreCorrupt:
            known = self.store.known(list(pending.ids))
            if not known:
                raise
            raise _repeated(min(pending.ids[one] for one in known)) from None

    def _court(self, raw: bytes, block: bytes, index: int) -> Court:
        """Return what judges the entries of one block: by what is in force before it, at the time it says."""
        try:
            sealed = parse(decode(block).payload)
        except MalformedError as error:
            raise Disbelieved(f"the block after entry {index}: {error.message}", entry=index) from error
        assert isinstance(sealed, BlockSealed), "it was told by its kind"
        time_ms = block_time_ms(sealed.time)
        state = self.state
        if state is not None:
            pins = state.pins
        else:
            founding = _founding(raw)
            pins = Pins.of(founding.rules, founding.tables, founding.policy)
        if pins.read_policy().clock == "system" and time_ms > self._clock() + AHEAD_MS:
            raise Disbelieved(
                f"the block after entry {index} lies {(time_ms - self._clock()) // 1000} s ahead of this clock",
                entry=index,
                hint="set this machine's clock right, or wait",
            )
        try:
            return Court.sitting(self._book, pins, time_ms // 1000)
        except CannotJudge as error:
            raise Disbelieved(
                f"cannot judge from entry {index}: {error.message}", entry=index, hint=error.hint
            ) from error

    def _admit(self, court: Court, statement: Statement, payload: Payload, index: int) -> None:
        if isinstance(payload, BlockSealed):
            raise Disbelieved(f"entry {index} is a block that seals nothing of this ledger", entry=index)
        findings = court.admit(statement, payload, index)
        if findings and self.store.known([statement.id]):
            raise _repeated(index)
        if findings:
            raise Disbelieved(
                f"entry {index} breaks the rules: {'; '.join(map(str, findings))}",
                entry=index,
                hint="the ledger has sealed what its own rules refuse",
            )

    def _seal(
        self, statement: Statement, payload: Payload, index: int, leaf_hash: bytes, pending: _Pending
    ) -> None:
        """Check a block against what it follows, and close the batch that it seals."""
        state = self.state
        assert isinstance(payload, BlockSealed), "the kind was read before"
        if state is None:
            raise Disbelieved("the ledger begins with a block and no founding", entry=index)
        if state.height == 0 and index != 1:
            raise Disbelieved("the first block does not stand at entry 1", entry=index)
        link = Link(
            ledger_id=state.id,
            origin=state.origin,
            ledger_key=state.pending_key or state.ledger_key,
            height=state.height,
            previous=state.last_block,
            time_ms=state.time_ms,
            size=state.size,
        )
        hashes = self._frontier.store(pending.leaves)
        try:
            check_block(statement, payload, link, index=index, root=self._frontier.root())
        except InconsistentCheckpoint as error:
            raise Disbelieved(error.message, entry=index) from error
        hashes += self._frontier.store([leaf_hash])
        pending.rows.append(_row(statement, payload, index))
        block = BlockRow(
            height=payload.height,
            index=index,
            time_ms=block_time_ms(payload.time),
            root=self._frontier.root(),
            ledger_key=statement.iss,
            signature=b"",
        )
        batch = Batch(entries=pending.rows, hashes=hashes, block=block, things=(), checkpoint=None)
        pending.batches.append(batch)
        pending.rows, pending.leaves = [], []


def last_block(raws: Sequence[bytes]) -> int:
    """Return how many of these entries end with a block: the place behind the last of them, 0 for none."""
    return next((at + 1 for at in range(len(raws) - 1, -1, -1) if _sealing(raws[at])), 0)


def _sealing(raw: bytes) -> bool:
    """Tell whether an entry says that it is a block."""
    if _BLOCK not in raw:
        return False
    try:
        return canonical_kind(decode(raw).payload).name == "block.sealed"
    except MalformedError:
        return False


def _founding(raw: bytes) -> LedgerFounded:
    try:
        payload = parse(decode(raw).payload)
    except MalformedError as error:
        raise Disbelieved(f"entry 0: {error.message}", entry=0) from error
    if not isinstance(payload, LedgerFounded):
        raise Disbelieved("entry 0 does not found a ledger", entry=0)
    return payload


def _read(item: Statement | Refused, raw: bytes, index: int, court: Court) -> tuple[Statement, Payload]:
    """Return a verified statement and its payload, of a kind that the rule set in force has."""
    findings: tuple[Finding, ...]
    try:
        if isinstance(item, Statement):
            if item.raw == raw:
                return item, court.read(item.payload)
            raise Disbelieved(f"entry {index} carries more than a statement", entry=index)
        findings = item.findings
    except MalformedError as error:
        findings = error.findings
    raise Disbelieved(f"entry {index}: {'; '.join(map(str, findings))}", entry=index)


def _repeated(index: int) -> Disbelieved:
    return Disbelieved(f"entry {index} is a statement that stands on the ledger before", entry=index)


def _row(statement: Statement, payload: Payload, index: int) -> EntryRow:
    return EntryRow(
        index=index,
        statement=statement.raw,
        id=statement.id,
        type=kind_of(payload).name,
        issuer=statement.iss,
    )


def _entry(error: VerificationError, start: int) -> int:
    return error.entry if isinstance(error, Disbelieved) else start
