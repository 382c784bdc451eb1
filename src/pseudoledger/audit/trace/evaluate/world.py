"""A world with known owners, as a table at any scale: what would be seen of their pseudonyms from a vantage point.

    World (frozen parameters, seed) ──► owners, care, habits ──► pseudonyms, drifted ──► records, tokens, edges
                                                                                          └─► Observations of a vantage

An owner holds 1 to 8 pseudonyms (geometric), one after the other or side by side. Its habits come from the market
segment it works in (segments are heavy-tailed, so many owners share one) and from itself: hours, working days, sizes,
chips, price against the market, regions, terms, purposes, counterparties, words, patterns of texts and references.
Its care is drawn from Beta(2, 2). From one pseudonym to the next each habit is drawn anew with a probability of
`drift` x care, and shifted by a step that grows with care. The careless use a token again (payment account, site,
serial, contact) with a probability of `reuse` x (1 - care)^2, and rotate a key in the open with one of
`rotate` x (1 - care)^2. Some tokens are shared by strangers: accounts of custodians and sites of co-location, which are hubs,
and contacts of small agencies, which are too small for a hub and mislead. With `care = 1` and `drift = 1` every habit,
the segment too, is drawn anew and nothing is used again: habits carry no signal at all.

The same world, drawn from its seed, is seen from every vantage point; a vantage point only leaves columns, values and
tables out. The parameters are ours: no real market was measured, so figures say how the tracer does in this world and
not how it does in any market. It writes no statements; `pseudoledger.worlds` acts the same world out in a ledger.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pseudoledger.audit.trace.evaluate.habits import (
    CASES,
    CHIPS,
    NUMBERINGS,
    PREFIXES,
    REGIONS,
    SEPARATORS,
    WORDS,
    Drawn,
    Ints,
    Reals,
    draw_market,
    draw_records,
    inherit,
    zipf,
)
from pseudoledger.audit.trace.observations import Field, FieldKind, Observations, Resources, Source

START = 1_735_689_600
"""2025-01-01T00:00:00Z."""
TOKENS = ("payment_account", "site", "serial", "contact")
HOLDING = (0.9, 0.4, 0.3, 0.6)
"""Share of pseudonyms of which a token of each kind is seen."""
CUSTODIANS, CUSTODIAN_SHARE = 20, 0.08
SITES_PER, SITE_SHARE = 500, 0.5
AGENCIES_PER, AGENCY_SHARE = 50, 0.006


class Seat(StrEnum):
    """A vantage point in a generated world; each sees all that the one before it sees."""

    PUBLIC = "public"
    BROKER = "broker"
    COUNTERPARTY = "counterparty"
    AUDITOR = "auditor"


FIELDS = {
    Seat.PUBLIC: (
        Field(name="kind", kind=FieldKind.CATEGORY, reveals="identity"),
        Field(name="size", kind=FieldKind.NUMERIC, reveals="hardware", unit="chips", log=True),
        Field(name="chip", kind=FieldKind.CATEGORY, reveals="hardware"),
        Field(name="region", kind=FieldKind.CATEGORY, reveals="place"),
        Field(name="counterparty", kind=FieldKind.CATEGORY, reveals="counterparty"),
    ),
    Seat.BROKER: (
        Field(name="length", kind=FieldKind.NUMERIC, reveals="time", unit="hours", log=True),
        Field(name="term", kind=FieldKind.CATEGORY, reveals="money"),
        Field(name="price", kind=FieldKind.NUMERIC, reveals="money", unit="of the market's price"),
    ),
    Seat.COUNTERPARTY: (
        Field(name="purpose", kind=FieldKind.CATEGORY, reveals="free_text"),
        Field(name="note", kind=FieldKind.TEXT, reveals="free_text"),
        Field(name="reference", kind=FieldKind.TEXT, reveals="reference"),
    ),
    Seat.AUDITOR: (),
}
"""What each vantage point sees beyond the one before it; a broker sees its columns on half of the records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Parameters of a world."""

    seed: int
    identities: int = 10_000
    records_mean: float = 10.0
    sizes: float = 0.5
    """Parameter of the geometric distribution of pseudonyms per owner, cut at 8."""
    care_alpha: float = 2.0
    care_beta: float = 2.0
    care: float | None = None
    """One care for all owners, in place of the Beta distribution."""
    drift: float = 0.8
    reuse: float = 0.35
    rotate: float = 0.15

    @property
    def digest(self) -> str:
        """Return the SHA-256 in hex of the parameters as canonical JSON."""
        return sha256(json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Who holds which pseudonym, in the order in which they were made; `rank` gives ids in random order."""

    owner: Ints
    position: Ints
    care: Reals
    rank: Ints


def careful_world(*, seed: int, identities: int = 10_000) -> World:
    """Return a world whose habits carry no signal."""
    return World(seed=seed, identities=identities, care=1.0, drift=1.0)


def draw_owners(world: World, generator: np.random.Generator) -> Owners:
    """Draw owners, their sizes and care, and shuffle their pseudonyms."""
    count = world.identities
    sizes = np.minimum(generator.geometric(world.sizes, count), 8)
    owner = np.repeat(np.arange(count), sizes)[:count]
    first = np.concatenate([[True], owner[1:] != owner[:-1]])
    starts = np.flatnonzero(first)
    position = np.arange(count) - np.repeat(starts, np.diff(np.append(starts, count)))
    care = generator.beta(world.care_alpha, world.care_beta, count)
    if world.care is not None:
        care = np.full(count, world.care)
    return Owners(owner=owner, position=position, care=care[owner], rank=generator.permutation(count))


def generate(world: World, seat: Seat, *, resources: Resources | None = None) -> Observations:
    """Draw the world and return what is seen from the seat, with the owners as `truth`."""
    generator = np.random.default_rng(world.seed)
    owners = draw_owners(world, generator)
    market = draw_market(generator, max(20, world.identities // 40))
    habits = inherit(generator, market, owners.care, owners.position, drift=world.drift)
    number = _numbers(world, generator)
    start = _starts(generator, owners, number * habits.gap_days)
    drawn = draw_records(generator, market, habits, number, start, from_=START)
    tokens = _tokens(world, owners, np.random.default_rng([world.seed, 2]))
    rotated = np.random.default_rng([world.seed, 3]).random(world.identities)
    shown = [field for other in list(Seat)[: list(Seat).index(seat) + 1] for field in FIELDS[other]]
    source = Source(name="generated world", vantage=seat.value, digest=world.digest, verified=True)
    observations = Observations(fields=shown, source=source, resources=resources)
    _put_identities(observations, owners)
    _put_records(observations, drawn, owners, seat)
    edges = (rotated < world.rotate * (1 - owners.care) ** 2) & (owners.position > 0)
    _put_edges(observations, owners, np.flatnonzero(edges))
    if seat is Seat.AUDITOR:
        _put_tokens(observations, owners, tokens)
    return observations


def _numbers(world: World, generator: np.random.Generator) -> Ints:
    spread = 0.8
    drawn = generator.lognormal(np.log(world.records_mean) - spread**2 / 2, spread, world.identities)
    return np.maximum(1, np.rint(drawn)).astype(np.int64)


def _starts(generator: np.random.Generator, owners: Owners, span_days: Reals) -> Reals:
    """Return the first day of each pseudonym: after the one before it, or beside it."""
    count = len(span_days)
    start = generator.uniform(0, 360, count)
    beside = generator.random(count) < 0.35
    pause = generator.exponential(8, count)
    for place in range(1, int(owners.position.max(initial=0)) + 1):
        rows = np.flatnonzero(owners.position == place)
        follow = start[rows - 1] + np.where(beside[rows], 0, span_days[rows - 1]) + pause[rows]
        # The careful wait: their pseudonyms do not follow on each other's heels.
        start[rows] = np.where(generator.random(len(rows)) < owners.care[rows], start[rows], follow)
    return start


def _tokens(world: World, owners: Owners, generator: np.random.Generator) -> list[Ints]:
    """Return a value per kind and pseudonym; -1 where none is seen, below -1 for values shared by strangers."""
    count = world.identities
    shared = (
        (CUSTODIANS, CUSTODIAN_SHARE),
        (max(2, count // SITES_PER), SITE_SHARE),
        (1, 0.0),
        (max(2, count // AGENCIES_PER), AGENCY_SHARE),
    )
    found = []
    for holding, (places, share) in zip(HOLDING, shared, strict=True):
        value = np.arange(count)
        strange = generator.random(count) < share
        value[strange] = -2 - zipf(generator, int(strange.sum()), places, 0.7)
        again = (generator.random(count) < world.reuse * (1 - owners.care) ** 2) & (owners.position > 0)
        for place in range(1, int(owners.position.max(initial=0)) + 1):
            rows = np.flatnonzero(again & (owners.position == place))
            value[rows] = value[rows - 1]
        value[generator.random(count) >= holding] = -1
        found.append(value)
    return found


def _put_identities(observations: Observations, owners: Owners) -> None:
    order = np.argsort(owners.rank)
    names = pa.array([f"p{place:07d}" for place in range(len(order))])
    truth = pa.array([f"owner{owner:07d}" for owner in owners.owner[order]])
    table = pa.table({"id": np.arange(len(order), dtype=np.int32), "name": names, "truth": truth})
    _insert(observations, table, "INSERT INTO identities SELECT * FROM given")


def _put_records(observations: Observations, drawn: Drawn, owners: Owners, seat: Seat) -> None:
    """Write the records in the order of time; the row number is the reference."""
    identity = owners.rank[drawn.pseudonym]
    order = np.lexsort((identity, drawn.at))
    columns: dict[str, npt.NDArray[np.generic]] = {
        item.name: getattr(drawn, item.name)[order] for item in fields(Drawn) if item.name != "pseudonym"
    }
    table = pa.table({"id": identity[order].astype(np.int32), "line": np.arange(len(order)), **columns})
    text = {
        "kind": "'kind' || kind",
        "chip": f"'chip' || lpad(chip::VARCHAR, {len(str(CHIPS))}, '0')",
        "region": f"'r' || lpad(region::VARCHAR, {len(str(REGIONS))}, '0')",
        "term": "'term' || term",
        "purpose": "'purpose' || purpose",
        "counterparty": "'c' || lpad(counterparty::VARCHAR, 6, '0')",
        "note": _note_sql(),
        "reference": _reference_sql(),
    }
    half = {field.name for field in FIELDS[Seat.BROKER]} if seat is Seat.BROKER else set()
    shown = []
    for field in observations.fields:
        value = text.get(field.name, field.name)
        shown.append(f"CASE WHEN brokered THEN {value} END" if field.name in half else value)
    _insert(
        observations,
        table,
        f'INSERT INTO records SELECT id, "at", line, {", ".join(shown)} FROM given ORDER BY line',
    )


def _word_sql(code: str) -> str:
    """Give each code a word of three syllables, from consonants and vowels."""
    syllable = "substr('bdfgklmnprstvz', ({0}) % 14 + 1, 1) || substr('aeiou', ({0}) // 14 % 5 + 1, 1)"
    spread = f"(({code}) * 1777 + 91)"
    return " || ".join(syllable.format(f"({spread} // {step})") for step in (1, 70, 4_900))


def _note_sql() -> str:
    separator = f"[' ', '-', '_', ' / ', '.', ': '][pattern % {SEPARATORS} + 1]"
    case = f"pattern // {SEPARATORS} % {CASES}"
    style = f"pattern // {SEPARATORS * CASES} % {NUMBERINGS}"
    words = []
    for code in ("word", "second_word"):
        plain = _word_sql(code)
        words.append(
            f"CASE {case} WHEN 0 THEN {plain} WHEN 1 THEN upper({plain})"
            f" ELSE upper(substr({plain}, 1, 1)) || substr({plain}, 2) END"
        )
    numbered = f"CASE {style} WHEN 0 THEN '' WHEN 1 THEN ' #' || number WHEN 2 THEN ' run ' || number ELSE ' v1.' || number END"
    return f"CASE WHEN written THEN ({words[0]}) || {separator} || ({words[1]}) || ({numbered}) END"


def _reference_sql() -> str:
    prefix = f"upper({_word_sql(f'prefix + {WORDS}')})"
    short = f"substr({prefix}, 1, 2 + prefix * 7 % {PREFIXES} % 4)"
    forms = (
        f"{short} || '-' || number",
        f"{short} || '/2025/' || number",
        f"'2025-' || {short} || '-' || lpad(number::VARCHAR, 4, '0')",
        f"'INV ' || {short} || number",
        f"lower({short}) || number",
        f"'#' || {short} || '.' || number",
        f"{short} || '_' || number || '_a'",
        f"'PO' || number || ' ' || {short}",
        f"{short} || ' ' || number || '/25'",
        f"'ref:' || {short} || ':' || number",
    )
    cases = " ".join(f"WHEN {place} THEN {form}" for place, form in enumerate(forms))
    return f"CASE reference {cases} END"


def _put_edges(observations: Observations, owners: Owners, rows: Ints) -> None:
    one, other = owners.rank[rows - 1], owners.rank[rows]
    table = pa.table({"a": np.minimum(one, other), "b": np.maximum(one, other)})
    _insert(
        observations,
        table,
        "INSERT INTO edges SELECT a, b, 'rotation', row_number() OVER (ORDER BY a, b) - 1 FROM given ORDER BY a, b",
    )


def _put_tokens(observations: Observations, owners: Owners, tokens: list[Ints]) -> None:
    parts = []
    for kind, value in zip(TOKENS, tokens, strict=True):
        held = np.flatnonzero(value != -1)
        names = [f"{kind}-{'s' if code < 0 else 'o'}{abs(code):07d}" for code in value[held]]
        kinds = pa.array([kind] * len(held), pa.string())
        parts.append(
            pa.table({"id": owners.rank[held], "kind": kinds, "value": pa.array(names, pa.string())})
        )
    table = pa.concat_tables(parts)
    _insert(
        observations,
        table,
        "INSERT INTO tokens SELECT id, kind, value, row_number() OVER (ORDER BY id, kind, value) - 1 FROM given"
        " ORDER BY id, kind, value",
    )


def _insert(observations: Observations, table: pa.Table, statement: str) -> None:
    observations.connection.register("given", table)
    observations.connection.execute(statement)
    observations.connection.unregister("given")
