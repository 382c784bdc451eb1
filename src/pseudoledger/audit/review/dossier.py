"""The dossier: everything that a review found, as values; its JSON is the published output.

Order is fixed: packs by name, findings by entry, pack, version, rule and subject. Nothing in it depends on the
clock or machine, so that the same ledger, packs and disclosures give the same bytes.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Literal

import msgspec

FORMAT: Literal["pseudoledger-review/1"] = "pseudoledger-review/1"

State = Literal["raised", "unknown", "resolved"]
SeverityName = Literal["note", "question", "priority"]
STATES = MappingProxyType(
    {
        "raised": "what stands on the ledger raises the question",
        "unknown": "whether it does cannot be said: a fact is missing",
        "resolved": "what stands on the ledger raises the question; a disclosure given to this review answers it",
    }
)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every object of the dossier."""


class Entry(Part, frozen=True, kw_only=True):
    """A cited entry and what it is cited for."""

    index: int
    id: str
    kind: str
    role: str


class Party(Part, frozen=True, kw_only=True):
    """A party that a finding concerns, by the first key of its identity."""

    role: str
    did: str


class Margin(Part, frozen=True, kw_only=True):
    """How far a fact is from a threshold: exact fractions, and the same as decimal text."""

    line: str
    fact: str
    value: str
    value_exact: str
    threshold: str
    difference: str
    difference_exact: str
    side: Literal["below", "at", "above"]
    says: str


class Missing(Part, frozen=True, kw_only=True):
    """A fact that is not known, and why."""

    fact: str
    says: str
    why: str


class Seen(Part, frozen=True, kw_only=True):
    """A disclosure without which the finding would read otherwise."""

    fact: str
    statement: str
    entry: int
    pointer: str


class Finding(Part, frozen=True, kw_only=True):
    """One question that one rule raises about one matter."""

    id: str
    pack: str
    rule: str
    version: str
    track: str
    status: str
    """How far that version binds anybody."""
    chosen_by: Literal["block time", "as-of", "version"]
    state: State
    severity: SeverityName
    at: str
    """Block time of the entry that completes the matter."""
    subject: str
    says: str
    asks: str
    due: str
    """Date by which something is due under this version; empty where nothing is."""
    due_says: str
    entries: tuple[Entry, ...]
    parties: tuple[Party, ...]
    answers: dict[str, str]
    margins: tuple[Margin, ...]
    unknown: tuple[Missing, ...]
    evidence_for: tuple[str, ...]
    evidence_against: tuple[str, ...]
    seen_by: tuple[Seen, ...]
    again: int
    """How often the same matter came up afterwards; only the first time is a finding."""


class Count(Part, frozen=True, kw_only=True):
    """How often a rule of one version spoke, and how many of its findings are not listed."""

    pack: str
    version: str
    rule: str
    state: State
    severity: SeverityName
    found: int
    listed: int


class VersionUsed(Part, frozen=True, kw_only=True):
    """A version that was applied."""

    version: str
    track: str
    since: str
    until: str
    status: str
    title: str
    citation: tuple[str, ...]
    doubts: tuple[str, ...]
    findings: int


class PackUsed(Part, frozen=True, kw_only=True):
    """A pack that was applied."""

    pack: str
    title: str
    about: str
    sha256: str
    versions: tuple[VersionUsed, ...]


class ChipSeen(Part, frozen=True, kw_only=True):
    """A chip that the ledger names, with what follows from its figures under each version."""

    chip: str
    model: str
    tpp: str
    density: str
    datacentre: str
    source: str
    doubt: str
    answers: dict[str, dict[str, str]]
    """Answers by version, e.g. {"2023-11-17": {"chip_class": "3A090.a.1"}}."""


class DisclosureUsed(Part, frozen=True, kw_only=True):
    """A disclosure that was given to the review, and what came of it."""

    statement: str
    entry: int
    """Entry index; -1 where the ledger holds no such statement."""
    pointer: str
    sound: bool
    problem: str
    """Why it was not used, or what would have made its value invalid in the clear."""


class Ledger(Part, frozen=True, kw_only=True):
    """Which ledger was read, how far, and whether it verified."""

    origin: str
    id: str
    ledger_key: str
    clock: str
    entries: int
    blocks: int
    last_block: str
    """Time of the last block."""
    verified: bool
    verification: str
    warnings: tuple[str, ...]
    checkpoint: str
    unreadable: int
    """Entries that could not be read; 0 on a ledger that verifies."""


class Dossier(Part, frozen=True, kw_only=True):
    """The whole result of a review."""

    format: Literal["pseudoledger-review/1"] = FORMAT
    ledger: Ledger
    asked: dict[str, str]
    """What was asked for beside the ledger: as_of, version, most."""
    packs: tuple[PackUsed, ...]
    counts: tuple[Count, ...]
    findings: tuple[Finding, ...]
    chips: tuple[ChipSeen, ...]
    disclosures: tuple[DisclosureUsed, ...]

    def found(self) -> int:
        """Return how many findings there are, listed or not."""
        return sum(count.found for count in self.counts)


def to_json(dossier: Dossier) -> bytes:
    """Return the JSON of a dossier."""
    return msgspec.json.format(msgspec.json.encode(dossier, order="deterministic"), indent=1) + b"\n"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a dossier."""
    made = msgspec.json.schema(Dossier)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Dossier of pseudoledger review",
        **made,
    }
