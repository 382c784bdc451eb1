"""Lines between processes of this program: messages of declared types in MessagePack, framed by the standard library.

A process that parses what strangers send may be taken over by them, and unpickling runs what the sender says. So
nothing that such a process sends is unpickled: it is read as a value of the one type that is due, or the line is
lost. Towards it a pickle may go, before anything else, as its parent is to be trusted (`send_setup`).
"""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

import msgspec

from pseudoledger.errors import (
    ConflictError,
    InconsistentCheckpoint,
    InvalidProof,
    InvalidSignature,
    KeystoreError,
    MalformedError,
    PeerError,
    PeerUnreachable,
    PseudoledgerError,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    VerificationError,
)

MESSAGE_BYTES_MAX = 256 * 1024 * 1024
"""Longest message that is read: several times what a batch of the largest statements takes."""

_ERRORS: dict[str, type[PseudoledgerError]] = {
    error.__name__: error
    for error in (
        PseudoledgerError,
        MalformedError,
        VerificationError,
        InvalidSignature,
        InvalidProof,
        InconsistentCheckpoint,
        ConflictError,
        StoreError,
        StoreBusy,
        StoreCorrupt,
        PeerError,
        PeerUnreachable,
        KeystoreError,
    )
}

Heard = TypeVar("Heard")


class LineEnded(Exception):
    """The other end is gone, or what came from it is no message that was due."""


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An error of ours, told instead of an answer."""

    error: str
    """Name of its class, or of the nearest above it that can be made from a message and a hint."""
    message: str
    hint: str

    @classmethod
    def of(cls, error: PseudoledgerError) -> Failure:
        """Put an error into words."""
        name = next(one.__name__ for one in type(error).__mro__ if one.__name__ in _ERRORS)
        return cls(error=name, message=error.message, hint=error.hint)

    def made(self) -> PseudoledgerError:
        """Return the error, to be raised here."""
        return _ERRORS.get(self.error, PseudoledgerError)(self.message, hint=self.hint)


class Line(Generic[Heard]):
    """One end of a line. One thread at a time uses it."""

    def __init__(
        self, descriptor: int, heard: Any = None, *, readable: bool = True, writable: bool = True
    ) -> None:
        """Take over a descriptor; `heard` is the type of every message that comes, as msgspec reads it."""
        self._connection: Connection[Any, Any] = Connection(descriptor, readable=readable, writable=writable)
        self._encoder = msgspec.msgpack.Encoder()
        self.hear(heard)

    def hear(self, heard: Any) -> None:
        """Take messages of this type from now on."""
        self._decoder: msgspec.msgpack.Decoder[Heard] = msgspec.msgpack.Decoder(heard)

    def send(self, message: object) -> None:
        """Send a message. Raises LineEnded."""
        raw = self._encoder.encode(message)
        try:
            self._connection.send_bytes(raw)
        except OSError as error:
            raise LineEnded from error

    def recv(self) -> Heard:
        """Wait for the next message. Raises LineEnded."""
        try:
            return self._decoder.decode(self._connection.recv_bytes(MESSAGE_BYTES_MAX))
        except (EOFError, OSError, msgspec.DecodeError) as error:
            raise LineEnded from error

    def poll(self) -> bool:
        """Tell whether `recv` would not wait."""
        try:
            return self._connection.poll()
        except OSError:
            return True

    def send_setup(self, values: object) -> None:
        """Send a pickle, to a child that this process has started. Raises LineEnded."""
        try:
            self._connection.send(values)
        except OSError as error:
            raise LineEnded from error

    def recv_setup(self) -> Any:
        """Wait for what the parent of this process sent by `send_setup`. Raises LineEnded."""
        try:
            return self._connection.recv()
        except (EOFError, OSError) as error:
            raise LineEnded from error

    def fileno(self) -> int:
        """Return the descriptor, to wait on."""
        return self._connection.fileno()

    def close(self) -> None:
        """Close this end. Idempotent."""
        self._connection.close()
