"""The way in as the HTTP routes see it: bytes go in, and each statement's answer comes back.

A founder's node answers from its own registrar (`intake`), a mirror forwards to the founder (`forward`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import msgspec

from pseudoledger.errors import PeerError
from pseudoledger.registrar import Answer, Refused


class Receipted(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True, tag=True):
    """A statement that stands on the ledger, durably, with the receipt of its entry."""

    id: str
    index: int
    known: bool
    """Whether it stood there before."""
    receipt: bytes


Outcome: TypeAlias = Receipted | Refused


class Overloaded(PeerError):
    """Too many statements wait already (429); nothing of this request was taken."""

    def __init__(self, message: str, *, hint: str = "", retry_after_s: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class Unavailable(PeerError):
    """Nothing can be registered at the moment (503): stopping, failed, or the founder is out of reach."""


class Submitter(Protocol):
    """Takes statements. Safe to call from many tasks of one event loop."""

    async def submit(self, statements: Sequence[bytes]) -> Sequence[Outcome]:
        """Register in order and return one outcome each, once all of them are on disk.

        Raises Overloaded or Unavailable; then none of them was taken by this call, or, where that cannot be
        known, sending the same bytes again is safe and answers the same.
        """
        ...

    async def try_out(self, statements: Sequence[bytes]) -> list[Answer]:
        """Say what would be answered now; nothing is written. Raises Unavailable."""
        ...
