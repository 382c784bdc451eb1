"""A small ledger in every state that a verifier meets, built through the registrar, and hands to change it with."""

import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pseudoledger.bench.workload import Load, _signer
from pseudoledger.contract.ruleset import newest, newest_tables
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.ledger.block import Link, block_bytes, read_block
from pseudoledger.ledger.checkpoint import sign_checkpoint
from pseudoledger.ledger.description import Description
from pseudoledger.ledger.note import format_note
from pseudoledger.ledger.receipt import sign_head
from pseudoledger.ledger.rows import Batch, BlockRow, EntryRow
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import Frontier, hash_leaf
from pseudoledger.registrar import Registered, Registrar
from pseudoledger.statement import envelope
from pseudoledger.statement.payload import draft

LEDGER, NEXT_LEDGER, FOUNDER = _signer("ledger"), _signer("ledger 2"), _signer("founder")


@dataclass(frozen=True)
class Small:
    """The ledger's directory, older whole copies of it, the load that made it, and what it answered."""

    directory: Path
    older: tuple[Path, ...]
    load: Load
    kept: tuple[bytes, ...]
    """Checkpoints of the older copies, then one receipt of the last entry."""


def sign(signer, tree, *, sub, aud, iat):
    return envelope.sign(signer, draft({"v": 1, **tree}), sub=sub, aud=aud, iat=iat)


def key_change(state, *, number, key, iat):
    """The founder's word that another key signs from the next block on."""
    tree = {"type": "ledger.key_changed", "number": number, "ledger_key": key.did}
    return sign(FOUNDER, tree, sub=state.origin, aud=state.id, iat=iat)


def accepted(answers):
    refused = [answer for answer in answers if not isinstance(answer, Registered)]
    assert not refused, refused
    return answers


def build(directory, *, leases=2, rounds=3):
    """Found a ledger, run leases on it in batches, change its key half-way, and keep copies on the way."""
    load = Load(directory, leases=leases)
    registrar, older, kept = load.registrar, [], []

    def keep():
        registrar.store.publish(registrar._sealer.note(registrar.state.origin))
        target = directory / f"older-{len(older)}"
        target.mkdir()
        registrar.store.backup_to(target / "ledger.db")
        shutil.copy(directory / "ledger" / "ledger.json", target)
        older.append(target)
        kept.append(registrar.store.checkpoint())

    for number in range(rounds):
        keep()
        accepted(registrar.register(load.statements(2 * leases * 2)))
        load.now += 1
        if number == rounds // 2:
            keep()
            change = key_change(registrar.state, number=1, key=NEXT_LEDGER, iat=load.now)
            record = LastSigned.create(directory / "keys" / "ledger-2.last-signed")
            accepted([registrar.change_key(change, signer=NEXT_LEDGER, last_signed=record)])
    kept.append(registrar.receipt(registrar.store.size - 2))
    registrar.close()
    return Small(directory=directory / "ledger", older=tuple(older), load=load, kept=tuple(kept))


def reopen(small, clock=None):
    """Open the ledger for writing again, under the key in force."""
    return Registrar.open(
        small.directory,
        signer=NEXT_LEDGER,
        last_signed=LastSigned(small.directory.parent / "keys" / "ledger-2.last-signed"),
        clock=clock or (lambda: small.load.now * 1000),
    )


def copy(directory, target):
    shutil.copytree(directory, target)
    return target


@contextmanager
def opened(directory):
    """The database of a copy, to be changed by hand."""
    with closing(sqlite3.connect(directory / "ledger.db", isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        yield db
        if db.in_transaction:
            db.execute("COMMIT")


def entries_of(directory):
    with closing(Store.open_reader(directory)) as store:
        return [row.statement for row in store.entries()]


def rebuild(db, raws, *, kinds=True):
    """Store other entries and, as a forger would, ids, columns and hashes that fit them."""
    db.execute("DELETE FROM entries")
    db.execute("DELETE FROM hashes")
    seen = set()
    for index, raw in enumerate(raws):
        found = envelope.decode(raw)
        key = bytes.fromhex(found.id)
        # The index admits an id once only: for a statement that stands twice the forger has to invent one.
        key = key if key not in seen else index.to_bytes(32)
        seen.add(key)
        kind = found.payload.partition(b'"type":"')[2].partition(b'"')[0].decode(errors="replace")
        db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", (index, raw, key, kind, found.iss))
    hashes = Frontier().store([hash_leaf(raw) for raw in raws])
    db.executemany("INSERT INTO hashes VALUES (?, ?)", enumerate(hashes))


def publish_by_hand(directory, batches, *, origin="forged.example/one", times=None, unique=True):
    """Store batches of signed statements, each sealed by a block of the ledger key, without asking any rule.

    What a ledger key holder can do who runs another program. The things of the book are left out.
    """
    directory.mkdir(parents=True)
    store, frontier = Store.create(directory), Frontier()
    index_row = None if unique else forget_index(store._db)
    founding = envelope.decode(batches[0][0])
    link = Link(
        ledger_id=founding.id,
        origin=origin,
        ledger_key=LEDGER.did,
        height=0,
        previous=founding.id,
        time_ms=0,
        size=0,
    )
    for number, batch in enumerate(batches):
        time_ms = (times[number] if times else founding.iat) * 1000
        rows = [row(index, raw) for index, raw in enumerate(batch, frontier.size)]
        hashes = frontier.store([hash_leaf(raw) for raw in batch])
        index = frontier.size
        block = read_block(block_bytes(link, time_ms=time_ms, size=index, root=frontier.root()))
        raw = envelope.sign(LEDGER, block, sub=origin, aud=founding.id, iat=time_ms // 1000)
        hashes += frontier.store([hash_leaf(raw)])
        head = sign_head(LEDGER, origin, index + 1, frontier.root())
        block_row = BlockRow(
            height=block.height,
            index=index,
            time_ms=time_ms,
            root=head.root,
            ledger_key=LEDGER.did,
            signature=head.signature,
        )
        note = format_note(sign_checkpoint(LEDGER, origin, index + 1, head.root))
        rows.append(row(index, raw))
        store.append(Batch(entries=rows, hashes=hashes, block=block_row, things=[], checkpoint=note))
        link = msgspec.structs.replace(
            link, height=block.height, previous=rows[-1].id, time_ms=time_ms, size=index + 1
        )
    if index_row is not None:
        store._db.execute("PRAGMA writable_schema = ON")
        store._db.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", index_row)
    store.close()
    Description(origin=origin, ledger=founding.id, founder=founding.iss, ledger_key=LEDGER.did).write(
        directory
    )
    return directory


def forget_index(db):
    """Hide the index on ids from the database, and return its row."""
    found = db.execute("SELECT * FROM sqlite_master WHERE name = 'entries_id'").fetchone()
    db.execute("PRAGMA writable_schema = ON")
    db.execute("DELETE FROM sqlite_master WHERE name = 'entries_id'")
    db.execute("PRAGMA writable_schema = RESET")
    return found


def row(index, raw):
    found = envelope.decode(raw)
    kind = found.payload.partition(b'"type":"')[2].partition(b'"')[0].decode(errors="replace")
    return EntryRow(index=index, statement=raw, id=found.id, type=kind, issuer=found.iss)


def founding(*, origin="forged.example/one", iat=1_800_000_000, rules=None, **policy):
    """A founding as `Registrar.found` signs it, with other rules or policy where asked."""
    tree = {
        "type": "ledger.founded",
        "origin": origin,
        "nonce": "00" * 32,
        "ledger_key": LEDGER.did,
        "rules": rules or {"name": newest().name, "sha256": newest().sha256},
        "tables": [{"name": name, "sha256": sha256} for name, sha256 in newest_tables()],
        "mode": "single",
        "policy": {
            "admission": "open",
            "attestors": [],
            "open_max": 10,
            "commission_cap_bps": 500,
            "max_age_seconds": 86_400,
            "clock": "system",
            **policy,
        },
    }
    return sign(FOUNDER, tree, sub=origin, aud=None, iat=iat)


class FaultyDatabase:
    """A connection on which the first statement of some kind fails, before or after it is carried out."""

    def __init__(self, connection, step, mode, *, said="disk I/O error", name="SQLITE_IOERR_WRITE"):
        self._connection, self._step, self._mode = connection, step, mode
        self._said, self._name = said, name

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def execute(self, sql, *values):
        return self._run(self._connection.execute, sql, *values)

    def executemany(self, sql, *values):
        return self._run(self._connection.executemany, sql, *values)

    def _run(self, call, sql, *values):
        if self._step is None or not sql.startswith(self._step):
            return call(sql, *values)
        self._step = None
        if self._mode == "failed but applied":
            call(sql, *values)
        error = sqlite3.OperationalError(self._said)
        error.sqlite_errorname = self._name
        raise error
