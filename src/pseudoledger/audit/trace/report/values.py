"""The report of a trace as values: what was looked at, how, what was found, and how good the tracer is itself.

Everything that the JSON and the page say stands here; the page computes nothing. Identities are named by their did,
bits are rounded to 10^-6, times are Unix seconds. Nothing here depends on the clock: the same ledger, model and seed
give the same bytes. The JSON Schema is published as `docs/reference/trace.schema.json`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from pseudoledger.audit.trace.report.card import Given, Looked, Looker, Part, Scored, SelfTest
from pseudoledger.errors import MalformedError

FORMAT: Literal["pseudoledger-trace/1"] = "pseudoledger-trace/1"
PLACES = 6
"""Decimal places that are kept of every number."""


class Entry(Part, frozen=True, kw_only=True):
    """A cited entry, so that it can be checked without the ledger."""

    index: int
    id: str
    """Statement id, hex; "" for a row of a table."""
    kind: str
    issuer: str
    statement: str
    """The statement's bytes, base64."""
    path: tuple[str, ...]
    """Inclusion path to the root of the tree, lowest sibling first, base64 (RFC 9162 §2.1.3)."""


class Measures(Part, frozen=True, kw_only=True):
    """How well an identity is hidden, under one prior; formulas in `docs/reference/trace-anonymity.md`."""

    nobody: float
    expected_siblings: float
    entropy_bits: float
    effective: float
    degree: float
    min_entropy_bits: float
    guess_1: float
    guess_10: float
    credible: int
    """Candidates in the 90 % credible set, the last of them to its degree."""
    credible_held: float
    """Chance that one of them is a sibling, given that there is one, if the last counts whole."""
    credible_last: float
    """Degree to which the last belongs to the set: with it the set holds 0.9."""


class Candidate(Part, frozen=True, kw_only=True):
    """Another identity that may be the same party."""

    name: str
    bits: float
    chance: float
    share: float
    hard: bool
    """Whether evidence joins both."""


class Evidence(Part, frozen=True, kw_only=True):
    """One piece of hard evidence between two identities."""

    a: str
    b: str
    kind: str
    value: str
    refs: tuple[int, ...]


class Beside(Part, frozen=True, kw_only=True):
    """Something that ties the identity to another and joins nothing."""

    other: str
    kind: str
    value: str
    why: Literal["shown", "explained", "hub"]
    """Of a kind that ties two parties or says little; explained by a deal between them; or it ties too many."""
    explained_by: str
    """Kind of the deal that explains it, "" for none."""
    refs: tuple[int, ...]


class Path(Part, frozen=True, kw_only=True):
    """How evidence leads from the identity to another."""

    to: str
    steps: tuple[Evidence, ...]


class Bar(Part, frozen=True, kw_only=True):
    """One addend of a link's bits."""

    label: str
    reveals: str
    words: str
    bits: float
    after: float
    refs: tuple[int, ...]
    others_refs: tuple[int, ...]


class Against(Part, frozen=True, kw_only=True):
    """What speaks against a link."""

    kind: str
    words: str
    bits: float
    refs: tuple[int, ...]


class Link(Part, frozen=True, kw_only=True):
    """A link of behaviour, bar by bar, and what speaks against it."""

    other: str
    bits: float
    bars: tuple[Bar, ...]
    against: tuple[Against, ...]


class Tie(Part, frozen=True, kw_only=True):
    """An edge of a cluster's strongest tree."""

    a: str
    b: str
    kind: str
    bits: float | None
    """None for a hard link."""


class Cluster(Part, frozen=True, kw_only=True):
    """Those that are probably one party, and what holds them together."""

    members: tuple[str, ...]
    ties: tuple[Tie, ...]
    weakest: Tie | None
    parts: tuple[tuple[str, ...], ...]
    """What it falls into without its weakest tie."""
    others: int
    """Further links between these parts."""


class Seen(Part, frozen=True, kw_only=True):
    """One vantage point's view of the identity."""

    vantage: str
    identities: int
    measures: Measures
    best: str
    told_bits: float
    """H at the vantage point before minus H here."""


class Moment(Part, frozen=True, kw_only=True):
    """One record of the identity."""

    at: int
    ref: int
    kind: str


class Leak(Part, frozen=True, kw_only=True):
    """What one published field gives away."""

    field: str
    reveals: str
    value: str
    identities: int
    bits: float
    refs: tuple[int, ...]
    seen_by: tuple[str, ...]


class Step(Part, frozen=True, kw_only=True):
    """One more field of a combination, and how many identities still agree."""

    field: str
    value: str
    k: int
    diversity: int
    """l: different typical values of the field among those who agree in all the others."""
    diversity_effective: float
    """2^H of these values."""


class Ask(Part, frozen=True, kw_only=True):
    """A disclosure that could be asked for, and what it is expected to tell."""

    kind: str
    of: tuple[str, ...]
    gain_bits: float
    known: int


class Revealed(Part, frozen=True, kw_only=True):
    """What the disclosures of one statement have told: H without them, all else the same, and with them."""

    statement: str
    without_bits: float
    with_bits: float


class Identity(Part, frozen=True, kw_only=True):
    """One identity in full."""

    name: str
    label: str
    """What it calls itself; "" where it does not."""
    verdict: str
    says: str
    records: int
    measures: Measures
    low: Measures
    """The same with a quarter of the prior odds."""
    high: Measures
    """The same with four times the prior odds."""
    candidates: tuple[Candidate, ...]
    paths: tuple[Path, ...]
    beside: tuple[Beside, ...]
    """Ties that join nothing: the first of them."""
    beside_left_out: int
    cluster: Cluster | None
    links: tuple[Link, ...]
    matrix: tuple[Seen, ...]
    timeline: tuple[Moment, ...]
    records_left_out: int
    leaks: tuple[Leak, ...]
    k: int
    combination: tuple[Step, ...]
    asks: tuple[Ask, ...]
    revealed: tuple[Revealed, ...]
    """Those of the statements weighed that have told something of it, what told most first."""


class Short(Part, frozen=True, kw_only=True):
    """One identity in a line."""

    name: str
    label: str
    verdict: str
    cluster: str
    """First name of its cluster; its own where it stands alone."""
    entropy_bits: float
    effective: float
    degree: float
    guess_1: float


class TraceReport(Part, frozen=True, kw_only=True):
    """The whole result of a trace."""

    format: Literal["pseudoledger-trace/1"] = FORMAT
    looked: Looked
    seed: int
    asked: tuple[str, ...]
    """Identities that were asked for; none: those that are traced furthest."""
    versions: dict[str, str]
    """Of the program and the libraries whose arithmetic it rests on."""
    vantages: tuple[Looker, ...]
    """In the order given; the last is the one from which identities are shown."""
    identities: tuple[Identity, ...]
    all: tuple[Short, ...]
    """Identities at the last vantage point, by name: the first of them, where they are very many."""
    disclosures: tuple[Given, ...]
    weighed: int
    """Opened statements, the first of them, of which was worked out what each has told."""
    self_test: SelfTest | None
    """None where too few identities could be split."""
    scored: Scored | None
    entries: tuple[Entry, ...]
    """Entries that are cited, in order."""


def rounded(value: float) -> float:
    """Return a number as the report keeps it; minus zero is zero."""
    return round(float(value), PLACES) + 0.0


def to_json(report: TraceReport) -> bytes:
    """Return the JSON of a report: always the same bytes for the same report."""
    return msgspec.json.format(msgspec.json.encode(report, order="deterministic"), indent=1) + b"\n"


def from_json(raw: bytes) -> TraceReport:
    """Read a report; raise MalformedError for bytes that `to_json` does not write."""
    try:
        report = msgspec.json.decode(raw, type=TraceReport)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(
            f"not a report of trace: {error}",
            code="trace.report",
            hint="give the trace.json that pl trace wrote; a review carries no signature, make it again to compare",
        ) from None
    if to_json(report) != raw:
        raise MalformedError(
            "the report is not written as trace writes it",
            code="trace.report",
            hint="a program that formats JSON changes it; use the file as it was made",
        )
    return report


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a report."""
    made = msgspec.json.schema(TraceReport)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Report of pseudoledger trace",
        **made,
    }
