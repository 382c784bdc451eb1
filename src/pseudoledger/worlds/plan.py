"""What everybody in a world is going to do: the table of a generated world, read as people and their records.

    audit.trace.evaluate.world ──► table of the same seed ──► Plan: personas, their records, who hands over to whom

Nothing is drawn here but who lets and who leases; owners, habits, care, reuse and records are those of the table. An
owner takes one side of the market under all its pseudonyms.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from hashlib import sha256

from pseudoledger.audit.trace.evaluate.world import Seat, World, generate
from pseudoledger.audit.trace.observations import Observations

LESSORS_PERCENT = 50
"""Owners that let; the others lease."""
_RECORDS = (
    'SELECT id, "at", ref, kind, size, chip, region, counterparty, length, term, price, purpose, note, reference'
    " FROM records ORDER BY ref"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that a persona does; codes are places in the lists of `worlds.market`."""

    at: int
    """Unix time in seconds."""
    line: int
    """Row of the table: unique in the world."""
    kind: int
    size: int
    """Chips."""
    chip: int
    region: int
    counterparty: int
    hours: int
    """Length of a lease."""
    term: int
    price: float
    """Of the market's price."""
    purpose: int
    note: str | None
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """One pseudonym of the world."""

    name: str
    owner: str
    lets: bool
    tokens: dict[str, str]
    """Values by kind: payment_account, site, serial, contact."""
    records: tuple[Record, ...]
    """In the order of time; at least one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everybody, in the order of their names."""

    personas: tuple[Persona, ...]
    follows: dict[str, str]
    """Names of those that take over an identity in the open, each with the name it takes over from."""
    digest: str
    """SHA-256 in hex of the world's parameters."""


def plan(world: World) -> Plan:
    """Draw a world and read it as people; the same parameters give the same plan."""
    with generate(world, Seat.AUDITOR) as table:
        personas = _personas(table, world)
        follows = _follows(table, {persona.name: persona.records[0].at for persona in personas})
    return Plan(personas=personas, follows=follows, digest=world.digest)


def _personas(table: Observations, world: World) -> tuple[Persona, ...]:
    tokens: dict[int, dict[str, str]] = defaultdict(dict)
    for identity, kind, value, _ in table.rows("tokens"):
        tokens[identity][kind] = value
    records: dict[int, list[Record]] = defaultdict(list)
    rows = table.connection.execute(_RECORDS).fetchall()
    for identity, *values in rows:
        records[identity].append(_record(*values))
    return tuple(
        Persona(
            name=name,
            owner=owner,
            lets=_drawn(f"{world.digest} {owner}") < LESSORS_PERCENT,
            tokens=tokens[identity],
            records=tuple(records[identity]),
        )
        for identity, name, owner in table.rows("identities")
    )


def _record(at: int, line: int, kind: str, size: float, *rest: object) -> Record:
    chip, region, counterparty, length, term, price, purpose, note, reference = rest
    return Record(
        at=at,
        line=line,
        kind=_code(kind),
        size=int(size),
        chip=_code(chip),
        region=_code(region),
        counterparty=_code(counterparty),
        hours=int(float(str(length))),
        term=_code(term),
        price=float(str(price)),
        purpose=_code(purpose),
        note=None if note is None else str(note),
        reference=str(reference),
    )


def _code(name: object) -> int:
    """Return the number at the end of a name."""
    found = re.search(r"[0-9]+$", str(name))
    assert found is not None, "the table names its codes by number"
    return int(found[0])


def _drawn(what: str) -> int:
    """Return a number from 0 to 99 that the text alone decides."""
    return int.from_bytes(sha256(f"pseudoledger/world/side\0{what}".encode()).digest()[:8]) % 100


def _follows(table: Observations, first: dict[str, int]) -> dict[str, str]:
    """Let those that edges of rotation join take over one from the other, in the order of their first records."""
    names = table.names()
    group = {name: {name} for name in names}
    for a, b, _, _ in table.rows("edges"):
        joined = group[names[a]] | group[names[b]]
        for name in joined:
            group[name] = joined
    follows = {}
    for members in {id(joined): joined for joined in group.values()}.values():
        ordered = sorted(members, key=lambda name: (first[name], name))
        follows.update(dict(zip(ordered[1:], ordered, strict=False)))
    return follows
