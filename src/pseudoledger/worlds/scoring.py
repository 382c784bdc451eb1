"""Scoring a trace of a ledger whose owners are known: from the public, the counterparty's and the auditor's place.

    ledger + disclosures ──► observe from each place ──► trace ──► measure against owners.csv ──► Scored

The owners are given to the observations after everything was seen, and read after everything is decided.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pseudoledger.audit.review.sight import read_disclosures
from pseudoledger.audit.trace.clusters import THRESHOLD_BITS
from pseudoledger.audit.trace.evaluate.measure import CAP, Figures, measure, owners
from pseudoledger.audit.trace.observations import Observations
from pseudoledger.audit.trace.observe import observe_all
from pseudoledger.audit.trace.tracing import Traced, trace
from pseudoledger.audit.trace.vantage import AUDITOR, PUBLIC, Vantage, parse_vantage
from pseudoledger.errors import MalformedError, PeerUnreachable

Advance = Callable[[int, int | None], None]
COLUMNS = ["identity", "owner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HardKind:
    """Pairs that evidence of one kind joins."""

    kind: str
    pairs: int
    right: int
    """Those of one owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """How well a trace from one place agrees with the owners."""

    vantage: str
    records: int
    figures: Figures
    learnt: bool
    """Whether there was enough evidence to learn what likenesses are worth."""
    hard: tuple[HardKind, ...]
    """By kind; a pair counts under every kind that joins it."""


def read_owners(path: Path) -> dict[str, str]:
    """Return owners by identity from a CSV with the columns `identity` and `owner`.

    Raises PeerUnreachable for a file that cannot be read, MalformedError for one of another form.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except OSError as error:
        raise PeerUnreachable(f"{path}: {error.strerror}", hint="name a file of owners") from error
    except (UnicodeDecodeError, csv.Error):
        rows = []
    body = rows[1:]
    found = {row[0]: row[1] for row in body if len(row) == len(COLUMNS) and all(row)}
    if rows[:1] != [COLUMNS] or len(found) != len(body):
        raise MalformedError(
            f"{path.name} is no file of owners",
            code="world.owners",
            hint="CSV with the columns identity,owner and one line for each identity",
        )
    return found


def know(observations: Observations, owner_of: Mapping[str, str]) -> None:
    """Write known owners into observations; identities without one stay unknown."""
    observations.connection.executemany(
        "UPDATE identities SET truth = ? WHERE name = ?",
        [(owner_of[name], name) for name in observations.names() if name in owner_of],
    )


def score(
    ledger: Path,
    owner_of: Mapping[str, str],
    disclosures: Sequence[Path],
    *,
    vantages: Sequence[Vantage] = (),
    seed: int = 1,
    threshold_bits: float = THRESHOLD_BITS,
    cap: int = CAP,
    verified: bool = False,
    progress: Advance | None = None,
) -> tuple[Scored, ...]:
    """Trace a ledger from some places and score each against the owners.

    Without `vantages` these are the public, the counterparty with most leases, and the auditor who was given every
    disclosure. Raises MalformedError if the owner of an identity that was seen is not known; otherwise as
    `observe_all` and `read_disclosures`.
    """
    texts = read_disclosures(disclosures)
    with ExitStack() as held:
        places = tuple(vantages) or (PUBLIC, busiest(ledger), AUDITOR)
        seen = observe_all(ledger, places, disclosures=texts, verified=verified, progress=progress)
        for one in seen:
            held.callback(one.observations.close)
        for one in seen:
            know(one.observations, owner_of)
            owners(one.observations)
        found = []
        for one in seen:
            traced = trace(one.observations, seed=seed, threshold_bits=threshold_bits, cap=cap)
            found.append(
                Scored(
                    vantage=one.observations.source.vantage,
                    records=one.observations.record_count,
                    figures=measure(one.observations, traced),
                    learnt=traced.model.learnt,
                    hard=hard_kinds(traced),
                )
            )
        return tuple(found)


def hard_kinds(traced: Traced) -> tuple[HardKind, ...]:
    """Count the pairs that evidence joins, by kind; raise MalformedError if owners are not known."""
    owner = owners(traced.observations)
    pairs, right = Counter[str](), Counter[str]()
    for kind, a, b in sorted({(pair.kind, pair.a, pair.b) for pair in traced.hard.pairs if pair.joins}):
        pairs[kind] += 1
        right[kind] += int(owner[a] == owner[b])
    return tuple(HardKind(kind=kind, pairs=pairs[kind], right=right[kind]) for kind in sorted(pairs))


def busiest(ledger: Path) -> Vantage:
    """Return the place of the counterparty that is a party to most leases; the first by did among equals."""
    (seen,) = observe_all(ledger, (PUBLIC,), verified=False)
    with seen.observations as observations:
        rows = observations.connection.execute(
            "SELECT name, count(*) FROM identities JOIN records USING (id) WHERE kind = 'lease.signed'"
            " GROUP BY name ORDER BY 2 DESC, 1 LIMIT 1"
        ).fetchall()
    return parse_vantage(f"counterparty:{rows[0][0]}") if rows else PUBLIC
