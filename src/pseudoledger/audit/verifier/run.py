"""`verify`: a whole ledger directory, from entry bytes alone, in bounded memory (design §5)."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from pseudoledger.audit.verifier.chain import LATE_SECONDS, Chain
from pseudoledger.audit.verifier.checks import Checks
from pseudoledger.audit.verifier.entries import CHUNK, Basis, Chunk, Mark, read_raw
from pseudoledger.audit.verifier.kept import (
    Kept,
    check_kept,
    fork_warnings,
    format_line,
    parse_kept,
    parse_published,
    weigh_cosignatures,
)
from pseudoledger.audit.verifier.replay import Replay, ReplayShelf
from pseudoledger.audit.verifier.report import (
    FAULTS_MAX,
    Fault,
    LateByLedger,
    Report,
    Verdict,
    at_entry,
)
from pseudoledger.audit.verifier.stored import (
    copied_by_litestream,
    description_fault,
    repeated_entries,
    schema_faults,
    stored_checkpoint,
    stored_things,
    stray_faults,
)
from pseudoledger.contract.ruleset import CannotJudge
from pseudoledger.errors import MalformedError, StoreCorrupt
from pseudoledger.identity.keys import cores
from pseudoledger.ledger.database import existing, explained, open_readonly
from pseudoledger.ledger.description import Description
from pseudoledger.statement.envelope import Statement, decode
from pseudoledger.statement.kinds.ledger import BlockSealed, LedgerFounded
from pseudoledger.statement.payload import parse
from pseudoledger.statement.values import block_time_ms

ALONE_MAX = 16 * CHUNK
"""Up to this many entries are verified in this process: starting others would take longer."""

STORED = MappingProxyType(
    {"checkpoint": "the published checkpoint", "cosigned": "the last cosigned checkpoint"}
)
"""Checkpoints that the database holds, and what reports call them."""

Progress = Callable[[int, int], None]
"""Told how many entries of how many are verified."""


def verify(
    directory: Path,
    *,
    ledger_key: str | None = None,
    against: Sequence[bytes] = (),
    rules: bool = True,
    all_findings: bool = False,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Report:
    """Verify the ledger in a directory and report the first fault, or with `all_findings` all of them.

    `ledger_key` is the did:key that the caller knows from elsewhere; `against` holds checkpoints, receipts or
    lines kept outside. Without `rules`, policy, rules and the tables of the book are left out. `workers` is
    the number of other processes that help (by default one for each further core, for ledgers large enough).

    A ledger may grow meanwhile: what stood there at the start is verified. Raises MalformedError for bad
    `against`, PeerUnreachable if there is no ledger, StoreError if its files cannot be read or have another
    schema version than this program knows.
    """
    kept = [parse_kept(raw, f"kept commitment {number}") for number, raw in enumerate(against, 1)]
    path = existing(directory)
    with ExitStack() as held:
        connection = held.enter_context(closing(open_readonly(path)))
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="pseudoledger-verify-")))
        shelf = held.enter_context(closing(ReplayShelf(folder / "book.db")))
        run = _Run(directory, path, connection, kept, Replay(shelf) if rules else None)
        run.all_findings, run.progress = all_findings, progress
        try:
            with explained(path):
                # One snapshot for all that is read here, while the ledger's writer goes on.
                connection.execute("BEGIN")
                run.verify(ledger_key, workers)
        except StoreCorrupt as error:
            run.faults.append(Fault(code="stored.database", place=path.name, message=error.message))
        return run.report()


class _Run:
    """One verification."""

    def __init__(
        self,
        directory: Path,
        path: Path,
        connection: sqlite3.Connection,
        kept: Sequence[Kept],
        replay: Replay | None,
    ) -> None:
        self._directory, self._path, self._db, self._kept = directory, path, connection, kept
        self._rules, self._replay = replay is not None, replay
        self._size = 0
        self._chain: Chain | None = None
        self._unjudged = ""
        self._late: tuple[LateByLedger, ...] = ()
        self._warnings: list[str] = []
        self.faults: list[Fault] = []
        self.all_findings = False
        self.progress: Progress | None = None

    def verify(self, ledger_key: str | None, workers: int | None) -> None:
        """Go through the ledger, then through what is stored beside it."""
        self.faults += schema_faults(self._db)
        if any(fault.place.startswith("table ") for fault in self.faults):
            return
        row = self._db.execute("SELECT max(idx) FROM entries").fetchone()
        self._size = 0 if row[0] is None else row[0] + 1
        founding = self._founding()
        if founding is None:
            return
        statement, payload = founding
        published = self._published()
        kept = [*self._kept, *published]
        chain = self._chain = Chain(statement, payload, [one.size for one in kept])
        basis = Basis(path=self._path, origin=payload.origin, ledger=statement.id, rules=self._rules)
        count = workers if workers is not None else (0 if self._size <= ALONE_MAX else cores() - 1)
        checks = Checks(basis, self._size, count)
        if not self._entries(chain, checks.chunks()):
            return
        self._file(checks.integrity)
        self.faults += chain.faults
        tail = range(chain.link.size, self._size)
        # Where the last block itself is broken, that is what there is to say.
        if tail and not any(fault.entry in tail for fault in self.faults):
            self._broken(tail[0], "entry.unsealed", "stands after the last block, which seals every entry")
        if self.faults and not self.all_findings:
            return
        self._beside(chain, kept)
        self._key(chain, ledger_key)

    def report(self) -> Report:
        """Put the result together."""
        chain = self._chain
        faults = _in_order(self.faults)
        verdict = Verdict.BROKEN if faults else Verdict.UNJUDGED if self._unjudged else Verdict.VALID
        if chain is None:
            return Report(verdict=verdict, faults=faults, warnings=(), rules=self._rules)
        if chain.clock == "simulated":
            self._warnings.append("block times are simulated: they say nothing about real time")
        if chain.late:
            self._warnings.append(
                f"{chain.late} entries, the first of them entry {chain.late_first}, were issued more than"
                f" {LATE_SECONDS} s before or after the time of their block"
            )
        if chain.headless:
            self._warnings.append(
                f"the signed heads of {chain.headless} blocks are not kept here, as in a mirror: receipts of what"
                " they seal are given under a later head, or not at all"
            )
        link = chain.link
        return Report(
            verdict=verdict,
            faults=faults if self.all_findings else faults[:1],
            warnings=tuple(self._warnings),
            late_by_ledger=self._late if self._replay is None else tuple(self._replay.late),
            unjudged=self._unjudged,
            ledger=link.ledger_id,
            origin=link.origin,
            clock=chain.clock,
            ledger_key=link.ledger_key,
            entries=link.size,
            blocks=link.height,
            rules=self._rules,
            keep="" if faults else format_line(link.origin, link.size, chain.root),
        )

    def _founding(self) -> tuple[Statement, LedgerFounded] | None:
        """Read entry 0, on which everything else rests."""
        for _, raw in read_raw(self._db, 0, 1):
            try:
                statement = decode(raw)
                payload = parse(statement.payload)
            except MalformedError as error:
                self._broken(0, error.code, error.message)
                return None
            if (
                isinstance(payload, LedgerFounded)
                and statement.aud is None
                and statement.sub == payload.origin
            ):
                return statement, payload
            self._broken(0, "entry.founding", "does not found a ledger")
            return None
        self._broken(0, "entry.missing", "is missing: a ledger begins with its founding")
        return None

    def _entries(self, chain: Chain, found: Iterator[Chunk]) -> bool:
        """Go through all entries; return False if it stopped at a fault."""
        for chunk in found:
            chain.begin(chunk)
            self.faults += chunk.faults
            for mark in chunk.marks:
                first = chain.link.size
                block = self._mark(chain, mark)
                if mark.kind != "block.sealed":
                    continue
                self._replay_block(first, mark, block)
                if not self.all_findings and any(
                    fault.entry is None or fault.entry <= mark.index
                    for fault in (*self.faults, *chain.faults)
                ):
                    self.faults += chain.faults
                    return False
            chain.finish(chunk)
            if len(self.faults) + len(chain.faults) > FAULTS_MAX:
                self.faults += chain.faults
                return False
            if self.progress is not None:
                self.progress(chunk.stop, self._size)
        return True

    def _mark(self, chain: Chain, mark: Mark) -> BlockSealed | None:
        """Follow what the ledger says about itself; return the payload of a block to rely on."""
        match mark.kind:
            case "block.sealed":
                return chain.seal(mark)
            case "ledger.key_changed":
                chain.change_key(mark)
            case "ledger.founded" if mark.index:
                self._broken(mark.index, "ledger.founded_already", "founds a ledger that entry 0 founded")
        return None

    def _replay_block(self, first: int, mark: Mark, block: BlockSealed | None) -> None:
        """Judge the entries from `first` on at the time of their block, then take the block itself."""
        replay = self._replay
        if replay is None:
            return
        if block is None:
            # Without its time nothing that it seals can be judged, nor what rests on that.
            self._stop_judging(first, f"the block at entry {mark.index} cannot be relied on")
            return
        try:
            now = block_time_ms(block.time) // 1000
            found = replay.judge(read_raw(self._db, first, mark.index), now)
            # A block may hold any number of entries, each refused for several reasons: past the most that are
            # reported, verification ends with this chunk.
            self.faults += islice(found, FAULTS_MAX + 1)
            replay.seal(mark.statement, block, mark.index)
        except CannotJudge as error:
            self._stop_judging(first, error.message)

    def _stop_judging(self, index: int, reason: str) -> None:
        if self._replay is not None:
            self._late = tuple(self._replay.late)
        self._replay = None
        self._unjudged = f"cannot judge from entry {index}: {reason}"

    def _published(self) -> list[Kept]:
        """Read the published checkpoint, and the last cosigned one, to be compared like those kept outside."""
        found: list[Kept] = []
        for name, place in STORED.items():
            raw = stored_checkpoint(self._db, name)
            try:
                if raw is not None:
                    found.append(parse_published(raw, place))
                elif name == "checkpoint":
                    self.faults.append(Fault(code="stored.checkpoint", place=place, message="is missing"))
            except MalformedError as error:
                self.faults.append(Fault(code="stored.checkpoint", place=place, message=error.message))
        return found

    def _file(self, integrity: Sequence[str]) -> None:
        """Take what SQLite found; only where the unique index cannot be relied on, look for repeated ids."""
        self.faults += [
            Fault(code="stored.integrity", place=self._path.name, message=text) for text in integrity
        ]
        if integrity or any(fault.code == "stored.schema" for fault in self.faults):
            self.faults += repeated_entries(self._db)

    def _beside(self, chain: Chain, kept: Sequence[Kept]) -> None:
        """Compare what is stored beside the entries, and what was kept outside, with what they yield."""
        self.faults += stray_faults(self._db, self._size)
        if copied_by_litestream(self._db):
            self._warnings.append(
                "the database holds the two tables of Litestream, _litestream_seq and _litestream_lock, beside its own"
            )
        description = Description(
            origin=chain.link.origin,
            ledger=chain.link.ledger_id,
            founder=chain.founder,
            ledger_key=chain.link.ledger_key,
        )
        faults = [description_fault(self._directory, description)]
        faults += [check_kept(one, chain, self._read) for one in kept]
        self._warnings += [text for one in kept for text in weigh_cosignatures(one, chain)]
        self._warnings += fork_warnings(self._directory, chain)
        self.faults += [fault for fault in faults if fault is not None]
        if self._replay is not None:
            for fault in self._replay.differences(stored_things(self._db)):
                self.faults.append(fault)
                if len(self.faults) > FAULTS_MAX:
                    break

    def _read(self, index: int) -> bytes | None:
        return next((raw for _, raw in read_raw(self._db, index, index + 1)), None)

    def _key(self, chain: Chain, ledger_key: str | None) -> None:
        """Compare the ledger key with the one that the caller knows."""
        keys = chain.keys()
        if ledger_key is None:
            self._warnings.append(
                f"the ledger key {keys[-1]} was taken from the ledger itself; name the key that you know"
            )
        elif ledger_key not in keys:
            self.faults.append(
                Fault(
                    code="kept.key",
                    place="the ledger key",
                    message=f"no block is signed by {ledger_key}; the ledger's key is {keys[-1]}",
                )
            )
        elif ledger_key != keys[-1]:
            self._warnings.append(
                f"the key that you named was retired; the founder named {keys[-1]} after it"
            )

    def _broken(self, index: int, code: str, message: str) -> None:
        self.faults.append(at_entry(index, code, message))


def _in_order(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """Sort by entry, faults of no entry last; the same thing found in two ways is said once."""
    once: dict[tuple[int | None, str, str], Fault] = {}
    for fault in faults:
        once.setdefault((fault.entry, fault.code, fault.place), fault)
    last = max((fault.entry for fault in faults if fault.entry is not None), default=0) + 1
    unique = sorted(once.values(), key=lambda fault: last if fault.entry is None else fault.entry)
    return tuple(unique[:FAULTS_MAX])
