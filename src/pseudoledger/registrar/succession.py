"""Going on under a new ledger key where the one before can sign no more: lost, or ahead of every copy there is."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from pseudoledger.identity.keys import Signer
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.ledger.database import existing
from pseudoledger.ledger.store import Store, WriterLock
from pseudoledger.registrar.answers import Answer
from pseudoledger.registrar.writer import Clock, Registrar


def go_on_after_loss(
    directory: Path, statement: bytes, *, signer: Signer, last_signed: LastSigned, clock: Clock
) -> Answer:
    """Register the founder's `ledger.key_changed` on a copy that lacks what the key before may have signed.

    The key before signs nothing and need not be had: `signer` is the new one, with its own record. Raises
    StoreBusy if another process writes the directory.
    """
    existing(directory)
    with ExitStack() as held:
        lock = WriterLock(directory)
        held.callback(lock.release)
        store = Store.open_writer(directory)
        held.callback(store.close)
        registrar = Registrar(
            store=store,
            lock=lock,
            signer=signer,
            last_signed=last_signed,
            clock=clock,
            directory=directory,
        )
        with registrar:
            return registrar.change_key(statement, signer=signer, last_signed=last_signed)
