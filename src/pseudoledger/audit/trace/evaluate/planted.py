"""The self-test: identities of the ledger under audit are split in two, in a copy of what was seen, and traced again.

Nobody knows who stands behind the identities of a real ledger, so the tracer is tried on parties that are known:
each planted party is one identity whose records are cut in time, the first half under its own name, the second
under a new one. The new pseudonym keeps the party's habits and nothing else: no token, no edge. That is how somebody
looks who begins anew with another key and goes on as before; somebody who changes habits too is harder to find, so
the recall is an upper bound for careful parties. The observations alone are copied; the ledger is never touched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pseudoledger.audit.trace.anonymity import rank
from pseudoledger.audit.trace.engine import DUCKDB, Engine
from pseudoledger.audit.trace.evaluate.scores import Calibration, agreement, calibration, probability
from pseudoledger.audit.trace.features import Integers
from pseudoledger.audit.trace.observations import TABLES, Observations, Source
from pseudoledger.audit.trace.scan import Scanner
from pseudoledger.audit.trace.tracing import Traced, trace

PLANTED_MAX = 200
RECORDS_LEAST = 10
"""Records of an identity that can be split."""
PLANTED_LEAST = 5
"""With fewer identities that can be split nothing is said of the tracer."""
SECOND = " (planted)"
"""What is added to the name of a second half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """How the tracer did on the planted parties."""

    planted: int
    found: int
    strangers: int
    precision: float
    recall: float
    f1: float
    top_1: float
    calibration: Calibration


def self_test(
    observations: Observations, *, seed: int, threshold_bits: float, cap: int, engine: Engine = DUCKDB
) -> Planted | None:
    """Plant parties in a copy of the observations and trace it; None where too few identities can be split."""
    chosen = _chosen(observations, seed)
    if len(chosen) < PLANTED_LEAST:
        return None
    with _copy(observations, chosen) as copy:
        halves = _halves(copy, chosen)
        traced = trace(
            copy, seed=seed, threshold_bits=threshold_bits, cap=cap, around=halves.ravel(), engine=engine
        )
        return _score(traced, halves)


def _chosen(observations: Observations, seed: int) -> list[str]:
    """Draw the identities to be split, by name; those with records enough, at most a third of all."""
    rows = observations.connection.execute(
        f"""SELECT name FROM identities JOIN records USING (id) GROUP BY name
        HAVING count(*) >= {RECORDS_LEAST} AND count("at") = count(*) ORDER BY name"""
    ).fetchall()
    able = [name for (name,) in rows]
    count = min(PLANTED_MAX, len(able), max(PLANTED_LEAST, observations.count // 3))
    if not able:
        return []
    drawn = np.random.default_rng([seed, 5]).choice(len(able), count, replace=False)
    return [able[place] for place in sorted(drawn.tolist())]


def _copy(observations: Observations, chosen: list[str]) -> Observations:
    """Copy what was seen, the later half of each chosen identity's records under a name of its own."""
    source = observations.source
    copy = Observations(
        fields=observations.fields,
        source=Source(
            name=f"{source.name}, planted",
            vantage=source.vantage,
            digest=source.digest,
            verified=source.verified,
        ),
        resources=observations.resources,
    )
    old, new = observations.connection, copy.connection
    fields = "".join(f", {field.name}" for field in observations.fields)
    old.execute("CREATE OR REPLACE TEMP TABLE split(name VARCHAR)")
    old.executemany("INSERT INTO split VALUES (?)", [[name] for name in chosen])
    old.execute(
        f"""CREATE OR REPLACE TEMP TABLE halves AS
        WITH placed AS (SELECT r.*, i.name, i.name IN (FROM split) AS cut,
            row_number() OVER (PARTITION BY r.id ORDER BY "at", ref) AS place, count(*) OVER (PARTITION BY r.id) AS n
            FROM records r JOIN identities i USING (id))
        SELECT CASE WHEN cut AND place > n // 2 THEN name || '{SECOND}' ELSE name END AS name, "at", ref{fields}
        FROM placed"""
    )
    old.execute(
        f"""CREATE OR REPLACE TEMP TABLE copied AS
        SELECT (row_number() OVER (ORDER BY name) - 1)::INTEGER AS id, name, NULL::VARCHAR AS truth
        FROM (SELECT name FROM identities UNION SELECT name || '{SECOND}' FROM split)"""
    )
    queries = {
        "identities": "SELECT id, name, truth FROM copied ORDER BY id",
        "records": f'SELECT c.id, "at", ref{fields} FROM halves JOIN copied c USING (name) ORDER BY 1, 2, 3',
        "tokens": """SELECT c.id, t.kind, t.value, t.ref FROM tokens t JOIN identities i USING (id)
            JOIN copied c USING (name) ORDER BY ALL""",
        "edges": """SELECT least(c.id, d.id), greatest(c.id, d.id), e.kind, e.ref FROM edges e
            JOIN identities i ON i.id = e.a JOIN copied c ON c.name = i.name
            JOIN identities j ON j.id = e.b JOIN copied d ON d.name = j.name ORDER BY ALL""",
    }
    assert set(queries) == set(TABLES), "all tables are copied"
    for table, query in queries.items():
        found = old.sql(query).to_arrow_table()
        new.register("copied_in", found)
        new.execute(f"INSERT INTO {table} SELECT * FROM copied_in")
        new.unregister("copied_in")
    for table in ("split", "halves", "copied"):
        old.execute(f"DROP TABLE {table}")
    return copy


def _halves(copy: Observations, chosen: list[str]) -> Integers:
    """Return the ids of both halves of each planted party, int64[n, 2]."""
    place = {name: at for at, name in enumerate(copy.names())}
    return np.array([(place[name], place[f"{name}{SECOND}"]) for name in chosen], np.int64)


def _score(traced: Traced, halves: Integers) -> Planted:
    count = traced.observations.count
    other = np.full(count, -1, np.int64)
    other[halves[:, 0]], other[halves[:, 1]] = halves[:, 1], halves[:, 0]
    found, strangers = _joined(traced, other)
    scanner = Scanner(traced.features, traced.model, component=traced.hard.component)
    ids = np.arange(count, dtype=np.int64)
    first = 0
    planted = halves.ravel()
    for identity, bits in zip(planted, scanner.scans(planted.tolist()), strict=True):
        best = rank(ids, bits, 1)
        first += int(best.size > 0 and int(best[0]) == other[identity] and traced.model.learnt)
    got = traced.features.connection.execute("SELECT a, b, bits FROM links ORDER BY a, b").fetchnumpy()
    a, b = got["a"].astype(np.int64), got["b"].astype(np.int64)
    touching = (other[a] >= 0) | (other[b] >= 0)
    scored = agreement(found, found + strangers, len(halves))
    nothing = Calibration(brier=0.0, ece=0.0, bins=())
    return Planted(
        planted=len(halves),
        found=found,
        strangers=strangers,
        precision=scored.precision,
        recall=scored.recall,
        f1=scored.f1,
        top_1=first / (2 * len(halves)),
        calibration=calibration(probability(got["bits"][touching]), (other[a] == b)[touching])
        if touching.any()
        else nothing,
    )


def _joined(traced: Traced, other: Integers) -> tuple[int, int]:
    """Count planted pairs in one cluster, and pairs there with a planted side that nothing known makes one party."""
    label = traced.clusters.label
    owner = traced.hard.component.astype(np.int64)
    for first, second in enumerate(other):
        if second > first:
            owner[second] = owner[first]
    found = strangers = 0
    for cluster in np.unique(label[other >= 0]):
        members = np.flatnonzero(label == cluster)
        for place, a in enumerate(members):
            for b in members[place + 1 :]:
                if other[a] == b:
                    found += 1
                elif owner[a] != owner[b] and (other[a] >= 0 or other[b] >= 0):
                    strangers += 1
    return found, strangers
