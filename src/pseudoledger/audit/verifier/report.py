"""What a verification found: one verdict, the faults with their places, and what it cannot show by itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

FAULTS_MAX = 1_000
"""Most faults that one report lists."""


class Verdict(Enum):
    """The outcome. Only `VALID` says that the ledger is sound."""

    VALID = "valid"
    BROKEN = "broken"
    UNJUDGED = "cannot judge"
    """Nothing is broken as far as this program can tell, but it lacks the rules or tables that apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with a ledger directory."""

    code: str
    """Stable code: of a rule, of a form (`statement.*`, `payload.*`), or `entry.*`, `block.*`, `stored.*`, `kept.*`."""
    place: str
    """Where, in words: "entry 17", "stored hash 33", "view leases", "ledger.json"."""
    message: str
    """What is wrong there."""
    entry: int | None = None
    """Index of the first entry concerned, where there is one."""

    def __str__(self) -> str:
        return f"{self.place}: {self.message} [{self.code}]"


def at_entry(index: int, code: str, message: str) -> Fault:
    """Make the fault of an entry itself."""
    return Fault(code=code, place=f"entry {index}", message=message, entry=index)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateByLedger:
    """A deadline that a statement met when it was signed and missed only because it was sealed later."""

    entry: int
    deadline: str
    """Which deadline: "the due date of invoice INV-7 (2026-02-14T00:00:00Z)"."""
    issued: str
    """When it was signed, by its own word."""
    sealed: str
    """Time of the block that seals it, which is the time that counts."""

    def __str__(self) -> str:
        return f"entry {self.entry}: signed at {self.issued}, sealed at {self.sealed}, after {self.deadline}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of `verify`."""

    verdict: Verdict
    faults: tuple[Fault, ...]
    """The first fault, or all of them up to `FAULTS_MAX`, by entry; those of no entry stand last."""
    warnings: tuple[str, ...]
    """What a reader has to know, although nothing is broken."""
    late_by_ledger: tuple[LateByLedger, ...] = ()
    """Deadlines missed only by sealing, up to `FAULTS_MAX`; known only where the rules were re-run."""
    unjudged: str = ""
    """From which entry on nothing could be judged, and why."""
    ledger: str = ""
    """Ledger id, "" if the founding cannot be read."""
    origin: str = ""
    clock: str = ""
    """Where block times come from: "system" or "simulated"."""
    ledger_key: str = ""
    """Ledger key in force at the end."""
    entries: int = 0
    """Entries verified."""
    blocks: int = 0
    rules: bool = True
    """Whether policy and rules were re-run and the tables of the book compared."""
    keep: str = ""
    """The line to keep elsewhere: a tail cut off at a block is visible only against it, or a receipt."""

    @property
    def first(self) -> Fault | None:
        """The first fault, None if nothing is broken."""
        return self.faults[0] if self.faults else None
