"""Other ledgers' boards beside our own: copies, verified from the bytes, of which only listings are shown.

A federated ledger is kept as a mirror keeps it, under `federated/` in our ledger's directory and outside
`ledger.db`: every signature, block and rule was checked again before anything was stored, against the ledger
key that the operator named. Its statements never enter our book; our rules never see them. What is known of a
foreign listing is what its own ledger says up to the checkpoint that was imported; whether it was withdrawn
since, or shown differently to others, is not known here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import msgspec

from pseudoledger.contract.book import Book
from pseudoledger.errors import ConflictError, InconsistentCheckpoint, MalformedError, SplitView, StoreError
from pseudoledger.ledger.checkpoint import parse_checkpoint
from pseudoledger.ledger.database import DATABASE
from pseudoledger.ledger.note import parse_note
from pseudoledger.ledger.store import Store
from pseudoledger.node.belief import Believer, Clock
from pseudoledger.node.forks import Forks, Weighed
from pseudoledger.node.reading import View
from pseudoledger.node.sources import open_source
from pseudoledger.node.sync import Contradicted, Progress, Sync, Synced
from pseudoledger.statement.values import format_instant

FOLDER = "federated"
LEDGERS_MAX = 64
"""Most federated ledgers that are shown."""
_NOTE = "import.json"
_NAME_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Where a copy came from, under which key, and when."""

    source: str
    key: str
    """did:key that the operator named."""
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Federated:
    """One federated ledger, as of the checkpoint that was imported."""

    directory: Path
    origin: str
    ledger: str
    """Ledger id."""
    key: str
    """Ledger key in force."""
    clock: str
    size: int
    """Entries under the checkpoint."""
    time: int
    """Time of its last block, in seconds."""
    imported: Import
    forks: int = 0
    """Proofs that it has shown two histories; with one, nothing more is imported."""


def federate(
    ours: Path, where: str, *, key: str, clock: Clock, own: str, progress: Progress | None = None
) -> Federated:
    """Import a ledger's export, or go on from what was imported before; returns what stands then.

    `own` is our ledger's id. Raises PeerUnreachable if the source cannot be read, a VerificationError or
    MalformedError if anything in it does not hold, ConflictError if it is older than what is here or our own
    ledger, SplitView if it contradicts what is here and both are signed. What is here then stays as it was.
    """
    with closing(open_source(where)) as source:
        origin = parse_checkpoint(parse_note(source.checkpoint()).text).origin
        target = ours / FOLDER / sha256(origin.encode()).hexdigest()[:_NAME_DIGITS]
        if Forks(target / "forks").names():
            raise ConflictError(
                f"{origin} has shown two histories: nothing more is imported of it",
                hint=f"the proofs are in {target / 'forks'}; to begin anew: pl market federated --forget {origin}",
            )
        with _part(target) as part:
            with closing(Believer(part, clock)) as believer:
                sync = Sync(source, believer, key=key)
                synced = _follow(sync, believer, Forks(target / "forks"), progress)
            if synced.offered < synced.size:
                raise ConflictError(
                    f"{where} is an older export of {origin}: {synced.offered} entries, {synced.size} were imported",
                    known=synced.size,
                    hint="ask for a newer export; what was imported stays as it is",
                )
            _write(part, Import(source=where, key=key, at=format_instant(clock() // 1000)))
            imported = _read(part)
            if imported.origin != origin:
                # Its forks were looked for under the first name.
                raise InconsistentCheckpoint(
                    f"{where} named {origin} first and {imported.origin} then: nothing is imported"
                )
            if imported.ledger == own:
                raise ConflictError(
                    f"{where} is this ledger itself", hint="its listings are on the board already"
                )
            _replace(part, target)
    return _read(target)


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


@contextmanager
def _part(target: Path) -> Iterator[Path]:
    """Work on a copy beside the target, empty where there is none yet; it is gone at the end."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        if _old(target).is_dir() and not target.is_dir():
            _old(target).rename(target)
        shutil.rmtree(_old(target), ignore_errors=True)
        if (target / DATABASE).is_file():
            shutil.copytree(target, part)
        yield part
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror}", hint="check disk space and permissions") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _replace(part: Path, target: Path) -> None:
    """Put a part in the place of the target; after a kill between the two moves, `_part` puts the old one back."""
    old = _old(target)
    if target.is_dir():
        target.rename(old)
    part.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _follow(sync: Sync, believer: Believer, forks: Forks, progress: Progress | None) -> Synced:
    try:
        return sync.run(progress)
    except Contradicted as error:
        state = believer.state
        assert state is not None, "it contradicts what is held"
        weighed, name = forks.weigh(error.note, believer.store, state, error.read)
        if weighed is not Weighed.FORK:
            raise
        raise SplitView(
            f"{state.origin} has shown two histories; the proof is {forks.directory / name}",
            first=believer.store.checkpoint() or b"",
            second=error.note,
            hint="what was imported stays as it is; ask the ledger's operator, and others what they hold",
        ) from error


def federated(ours: Path) -> list[Federated]:
    """Return the federated ledgers, by origin."""
    folder = ours / FOLDER
    if not folder.is_dir():
        return []
    places = [path for path in sorted(folder.iterdir()) if (path / _NOTE).is_file()][:LEDGERS_MAX]
    return sorted((_read(path) for path in places), key=lambda item: item.origin)


@contextmanager
def view_of(item: Federated) -> Iterator[View]:
    """Open a federated ledger, to read its listings from; never mixed with ours."""
    with closing(Store.open_reader(item.directory)) as store:
        yield View(store, Book(store))


def forget(ours: Path, origin: str) -> bool:
    """Delete the copy of a federated ledger; return False where there is none."""
    found = [item for item in federated(ours) if item.origin == origin]
    for item in found:
        shutil.rmtree(item.directory)
    return bool(found)


def _write(directory: Path, said: Import) -> None:
    path = directory / _NOTE
    part = path.with_name(f".{_NOTE}.part")
    try:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(asdict(said))) + b"\n")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StoreError(f"{path}: {error.strerror}", hint="check disk space and permissions") from error


def _read(directory: Path) -> Federated:
    try:
        said = msgspec.json.decode((directory / _NOTE).read_bytes(), type=Import)
    except (OSError, msgspec.DecodeError) as error:
        raise MalformedError(
            f"{directory / _NOTE} cannot be read: {error}", hint="delete its directory and import it again"
        ) from error
    with closing(Store.open_reader(directory)) as store:
        state, note, block = Book(store).ledger, store.checkpoint(), store.last_block()
        if state is None or note is None or block is None:
            raise StoreError(f"{directory}: not a whole import", hint="delete it and import it again")
        return Federated(
            directory=directory,
            origin=state.origin,
            ledger=state.id,
            key=state.ledger_key,
            clock=state.pins.read_policy().clock,
            size=parse_checkpoint(parse_note(note).text).size,
            time=block.time_ms // 1000,
            imported=said,
            forks=len(Forks(directory / "forks").names()),
        )
