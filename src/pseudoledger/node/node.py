"""What the rooms of one node share: where to read, the way in, and how the node stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pseudoledger.node.reading import Reader
from pseudoledger.node.submission import Submitter


class Role(Enum):
    """What a node is to its ledger."""

    FOUNDER = "founder"
    MIRROR = "mirror"


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessStanding:
    """What the founder knows about one witness of its policy."""

    name: str
    url: str
    cosigned_size: int | None
    """Largest tree that it cosigned, None if it never did."""
    trouble: str = ""
    """What went wrong last, "" if nothing did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorStanding:
    """What this node knows about another copy of the ledger that its operator named."""

    url: str
    size: int | None = None
    """Entries under the checkpoint that it showed last, None if none was seen yet."""
    consistent: bool | None = None
    """Whether that checkpoint is of the history that is held here; None where it could not be compared."""
    trouble: str = ""
    """What went wrong last, "" if nothing did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the node stands, for its status and the head of every page."""

    upstream: str = ""
    """Mirror: the URL that it follows."""
    behind: str = ""
    """Mirror: why it is not up to date; "" if it is as far as it knows."""
    held: str = ""
    """Mirror: why it serves an old state until its operator decides; "" if it does not."""
    witnesses: tuple[WitnessStanding, ...] = ()
    quorum_met: bool | None = None
    """Whether the newest checkpoint carries enough cosignatures; None where the policy asks for none."""
    mirrors: tuple[MirrorStanding, ...] = ()
    """Other copies that this node compares itself with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What the rooms of a node share."""

    reader: Reader
    submitter: Submitter
    role: Role
    now: Callable[[], int]
    """The ledger's present time in seconds: never before its last block."""
    forks: Path
    """Directory of fork proof files, kept for good; empty or absent is good news."""
    standing: Callable[[], Standing] = Standing
