"""Observations: what observers see on a ledger, as named facts that rule packs ask about.

An observation table says for one kind of observation which facts it has, of which sort and unit, and which
kinds of statements it is read from. The tables are the one vocabulary of packs: a pack that names another fact
does not load. A fact that is not known is left out; a rule that needs it answers `unknown`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import TypeAlias

FactValue: TypeAlias = bool | int | str | tuple[str, ...] | Fraction


class Sort(Enum):
    """What a fact holds."""

    TRUTH = "yes or no"
    INTEGER = "integer"
    TEXT = "text"
    TEXTS = "list of texts"
    RATIO = "exact fraction, compared by lines alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One column of an observation table."""

    name: str
    sort: Sort
    says: str
    unit: str = ""
    missing: str = "nothing on the ledger says"
    """Why it may be unknown, where the observation gives no better reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One kind of observation."""

    name: str
    says: str
    reads: tuple[str, ...]
    """Kinds of statements it is read from."""
    facts: Mapping[str, Fact]


def table(name: str, says: str, *, reads: Sequence[str], facts: Sequence[Fact]) -> Table:
    """Make a table from its facts in order."""
    by_name = {fact.name: fact for fact in facts}
    assert len(by_name) == len(facts), f"a fact of {name} stands twice"
    return Table(name=name, says=says, reads=tuple(reads), facts=MappingProxyType(by_name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """An entry that an observation rests on, and what it is there for."""

    index: int
    id: str
    kind: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What one disclosure opened: the value of one sealed field of one entry."""

    statement: str
    entry: int
    kind: str
    pointer: str
    value: str
    problem: str = ""
    """What would have made the value invalid in the clear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A fact as it is known once a sealed field was disclosed."""

    value: FactValue
    opened: Opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One thing seen at one block time; facts that are not known are left out."""

    table: Table
    at: int
    """Block time of the entry that completes it, in seconds."""
    subject: str
    """What it is about: the same subject again is the same matter."""
    facts: Mapping[str, FactValue]
    cites: tuple[Cited, ...]
    parties: tuple[tuple[str, str], ...] = ()
    """(role, did) of those it concerns."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why facts are unknown."""
    shown: Mapping[str, Shown] = field(default_factory=dict)
    """Facts that disclosures make known, or known better."""


CHIP_FACTS = (
    Fact(name="chip", sort=Sort.TEXT, says="Row of the chip table"),
    Fact(name="chip_model", sort=Sort.TEXT, says="Vendor and model of the chip"),
    Fact(
        name="tpp",
        sort=Sort.RATIO,
        says="Total processing performance: the highest product of dense TOPS and bit length over all precisions",
        unit="TOPS x bit",
        missing="no dense speed of this chip is published, or nobody looked it up",
    ),
    Fact(
        name="density",
        sort=Sort.RATIO,
        says="Performance density: TPP over applicable die area",
        unit="TPP per mm2",
        missing="speed or die area of this chip is not published, or nobody looked it up",
    ),
    Fact(
        name="memory_bw",
        sort=Sort.RATIO,
        says="Memory bandwidth",
        unit="GB/s",
        missing="memory bandwidth of this chip is not in the chip table",
    ),
    Fact(
        name="link",
        sort=Sort.RATIO,
        says="Aggregate bidirectional transfer rate between chips",
        unit="GB/s",
        missing="transfer rate of this chip is not in the chip table",
    ),
    Fact(
        name="datacentre",
        sort=Sort.TRUTH,
        says="Whether the chip is designed or marketed for data centres",
        missing="the chip table does not say what this chip is marketed for",
    ),
    Fact(
        name="chip_doubt",
        sort=Sort.TEXT,
        says="Doubt about the figures of the chip, from the chip table",
        missing="the chip table notes no doubt",
    ),
)
"""Facts about a chip that several tables share."""
