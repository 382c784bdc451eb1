"""Every error that this program raises on purpose, in one tree.

    PseudoledgerError
    ├── MalformedError              bytes, encoding, amount: the input is not of the form it claims
    ├── VerificationError           a cryptographic check failed
    │   ├── InvalidSignature
    │   ├── InvalidProof
    │   ├── InconsistentCheckpoint
    │   └── QuorumNotMet
    ├── RegistrationRefused         the registrar refused a statement; carries every finding
    ├── ConflictError               the other side knows another state; carries what it knows
    ├── StoreError                  the ledger's files cannot be used as they are
    │   ├── StoreBusy
    │   └── StoreCorrupt
    ├── PeerError                   another node
    │   ├── PeerUnreachable
    │   └── SplitView               carries both checkpoints
    └── KeystoreError               key files and passphrases

Impossible states are plain bugs and stay outside the tree. Each message says what was wrong and where;
`hint` says what to do next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

E = TypeVar("E", bound=Exception)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result of one rule: why a statement is refused, or what a check found.

    `code` is stable and documented. `field` is a JSON Pointer into the payload, or "" for the whole
    statement. `entry` is the index of the entry it conflicts with, where there is one.
    """

    code: str
    message: str
    field: str = ""
    entry: int | None = None

    def __str__(self) -> str:
        where = f" at {self.field}" if self.field else ""
        against = f" (entry {self.entry})" if self.entry is not None else ""
        return f"{self.code}{where}: {self.message}{against}"


class PseudoledgerError(Exception):
    """Base of every error raised on purpose."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class MalformedError(PseudoledgerError):
    """The input is not of the form it claims; `findings` holds every reason, `code` is the first one's."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "malformed",
        field: str = "",
        findings: Sequence[Finding] = (),
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.field = field
        self.findings = tuple(findings) or (Finding(code=code, message=message, field=field),)


class VerificationError(PseudoledgerError):
    """A cryptographic check failed."""


class InvalidSignature(VerificationError):
    """A signature is not accepted for this key and message."""


class InvalidProof(VerificationError):
    """An inclusion or consistency proof does not lead to the root it claims."""


class InconsistentCheckpoint(VerificationError):
    """A signed tree head contradicts another signed tree head or the entries."""


class QuorumNotMet(VerificationError):
    """Too few of the required witnesses signed."""


class RegistrationRefused(PseudoledgerError):
    """A statement was refused; `findings` holds every reason found."""

    def __init__(self, findings: Sequence[Finding], *, hint: str = "") -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(str(finding) for finding in self.findings), hint=hint)


class ConflictError(PseudoledgerError):
    """The other side knows another state than the caller; `known` says which, where it is a size."""

    def __init__(self, message: str, *, known: int | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.known = known


class StoreError(PseudoledgerError):
    """The ledger's files cannot be used as they are."""


class StoreBusy(StoreError):
    """Another process writes this ledger."""


class StoreCorrupt(StoreError):
    """What is stored contradicts itself."""


class PeerError(PseudoledgerError):
    """Another node misbehaved or is away."""


class PeerUnreachable(PeerError):
    """A peer or a file could not be reached."""


class SplitView(PeerError):
    """Two commitments of one origin cannot both be true; `first` and `second` are the signed texts."""

    def __init__(self, message: str, *, first: bytes, second: bytes, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.first = first
        self.second = second


class KeystoreError(PseudoledgerError):
    """A key file or passphrase cannot be used."""


class Explained(Generic[E]):
    """A context that turns errors about a file into ours; as a generator it would cost as much as many a query."""

    __slots__ = ("_explain", "_kind", "_path")

    def __init__(self, path: Path, kind: type[E], explain: Callable[[Path, E], PseudoledgerError]) -> None:
        self._path, self._kind, self._explain = path, kind, explain

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, self._kind):
            raise self._explain(self._path, error) from error
