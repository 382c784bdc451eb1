"""Going on under a new ledger key where the one before can sign no more: lost, or ahead of every copy there is."""

from __future__ import annotations

from pathlib import Path

from pseudoledger.identity.keys import Signer
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.registrar.answers import Answer
from pseudoledger.registrar.writer import Clock, Registrar


def go_on_after_loss(
    directory: Path,
    statement: bytes,
    *,
    signer: Signer,
    last_signed: LastSigned,
    clock: Clock,
    before: LastSigned | None = None,
) -> Answer:
    """Register the founder's `ledger.key_changed` on a copy that lacks what the key before may have signed.

    The key before signs nothing and need not be had: `signer` is the new one, with its own record. Its record,
    `before`, gives back blocks that a power failure took from the copy. Raises StoreBusy if another process writes the
    directory.
    """
    with Registrar.after_loss(
        directory, signer=signer, last_signed=last_signed, clock=clock, before=before
    ) as registrar:
        return registrar.change_key(statement, signer=signer, last_signed=last_signed)
