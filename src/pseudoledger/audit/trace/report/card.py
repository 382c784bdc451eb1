"""The parts of a report that speak of all: what was read, from where, how it was weighed, and how well that works."""

from __future__ import annotations

from typing import Literal

import msgspec

from pseudoledger.audit.trace.roles import Columns


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all parts."""


class Edges(Part, frozen=True, kw_only=True):
    """The file of edges beside a table."""

    name: str
    digest: str
    """SHA-256 of its bytes; hex."""


class Reading(Part, frozen=True, kw_only=True):
    """How a table was read: with it, the file and the seed it is traced again."""

    digest: str
    """SHA-256 of the bytes of the table's own file; hex."""
    columns: Columns
    """What was said of its columns, as the file spells them."""
    edges: Edges | None


class Looked(Part, frozen=True, kw_only=True):
    """What was read."""

    kind: Literal["ledger", "table"]
    name: str
    """Origin of the ledger, or name of the file."""
    digest: str
    """Root hash of the tree that was read; SHA-256 of a table's file, or, where it has edges, that of the digests of both
    files in hex with a space between; hex."""
    entries: int
    """Size of the tree; rows of the table."""
    blocks: int
    ledger_key: str
    clock: str
    """Where block times come from: "system", "simulated", or "" for a table."""
    verified: bool
    verification: str
    checkpoint: str
    """The signed checkpoint of that tree, where the ledger holds it; else ""."""
    first: int
    last: int
    """Times of the first and last record; 0 where they have none."""
    table: Reading | None
    """None for a ledger."""


class Hub(Part, frozen=True, kw_only=True):
    """A value, or an identity, that ties too many to mean one party."""

    kind: str
    value: str
    held_by: int


class Looker(Part, frozen=True, kw_only=True):
    """One vantage point: what it sees, and what that tells."""

    vantage: str
    identities: int
    records: int
    fields: tuple[str, ...]
    hard_links: int
    """Pairs of identities that evidence joins."""
    hubs: tuple[Hub, ...]
    hubs_left_out: int
    """Hubs beyond those listed."""
    hub_cap: int
    median_entropy_bits: float
    median_degree: float
    verdicts: dict[str, int]
    """Identities by verdict."""
    clusters: int
    """Clusters of two and more."""
    estimated: bool
    """Whether the figures of all come from blocked links; then `deviation_bits` is the median error of H."""
    deviation_bits: float
    model: Model


class Level(Part, frozen=True, kw_only=True):
    """What one level of a comparison is worth."""

    m: float
    u: float
    bits: float


class Weighed(Part, frozen=True, kw_only=True):
    """One comparison of the model."""

    name: str
    label: str
    reveals: str
    shape: str
    thresholds: tuple[int, ...]
    weight: float
    levels: tuple[Level, ...]
    """From least alike to most."""


class Model(Part, frozen=True, kw_only=True):
    """The model card."""

    hash: str
    prior: float
    """Probability that two identities drawn at random are one party."""
    learnt_from: int
    """Hard-linked pairs; 0: too few to learn from, so behaviour is worth nothing."""
    candidates: int
    """Pairs that blocking proposed and the model scored."""
    block_cap: int
    blocks_dropped: int
    threshold_bits: float
    size_max: int
    comparisons: tuple[Weighed, ...]
    curve: tuple[tuple[float, float], ...]
    """Calibration: summed bits to bits of evidence."""


class Bin(Part, frozen=True, kw_only=True):
    """One bin of a reliability plot."""

    said: float
    found: float
    count: int


class SelfTest(Part, frozen=True, kw_only=True):
    """How the tracer did on identities that were split in two on purpose, in a copy of what was seen."""

    planted: int
    found: int
    """Planted pairs that ended in one cluster."""
    strangers: int
    """Pairs of different identities in one cluster that no evidence joins: false as far as is known."""
    precision: float | None
    """None where nothing was joined."""
    recall: float
    f1: float
    brier: float
    ece: float
    top_1: float
    """Planted identities whose best candidate is their other half."""
    reliability: tuple[Bin, ...]


class Scored(Part, frozen=True, kw_only=True):
    """Agreement with known owners, over the identities of which a table names one, among themselves."""

    known: int
    """Identities with a known owner."""
    true_pairs: int
    """Pairs of them that have one owner; without any, recall is 1 because there was nothing to find."""
    precision: float
    recall: float
    f1: float
    b_cubed_precision: float
    b_cubed_recall: float
    b_cubed_f1: float
    hard_f1: float
    auc: float | None
    """None unless pairs of one owner and of two were compared."""
    brier: float | None
    """None, like `ece`, where no pair of them was compared."""
    ece: float | None
    blocking_recall: float
    reliability: tuple[Bin, ...]


class Given(Part, frozen=True, kw_only=True):
    """A disclosure that was given, and what came of it."""

    statement: str
    pointer: str
    sound: bool
    problem: str
