"""A small ledger in every state that a verifier meets, built through the registrar, and hands to change it with."""

import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pseudoledger.bench.workload import Load, _signer
from pseudoledger.identity.last_signed import LastSigned
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
        registrar.store.publish(registrar._note())
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
        kind = found.payload.partition(b'"type":"')[2].partition(b'"')[0].decode()
        db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", (index, raw, key, kind, found.iss))
    hashes = Frontier().store([hash_leaf(raw) for raw in raws])
    db.executemany("INSERT INTO hashes VALUES (?, ?)", enumerate(hashes))
