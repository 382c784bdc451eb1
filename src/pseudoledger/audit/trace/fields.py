"""What each published field gives away of an identity: surprisal, k-anonymity, l-diversity.

Works on observations alone, without a model: how many identities share what is seen. Numbers go into buckets (half
a doubling, or half an interquartile range), times into hours of the day and days of the week; the time of every
statement (`iat`) is thus a published field like any other. Definitions, units and sources stand in
`docs/reference/trace-anonymity.md`. Nothing here says that two identities are one party.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pseudoledger.audit.trace.observations import Field, FieldKind, Observations
from pseudoledger.errors import MalformedError

CITED = 5
"""How many records are cited for a value."""
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A field as it is published: one bucket per record."""

    name: str
    reveals: str
    bucket: str
    """SQL over a row of `records`: BIGINT for times and numbers, VARCHAR else; NULL where nothing is seen."""
    unit: str = ""
    width: float = 0.0
    """Numbers: width of a bucket, in doublings (log) or in the field's unit; 0 for others."""
    log: bool = False

    def label(self, bucket: str) -> str:
        """Write a bucket in words."""
        match self.name, self.width:
            case "hour of the day", _:
                return f"{int(bucket):02d}:00 to {(int(bucket) + 1) % 24:02d}:00 UTC"
            case "day of the week", _:
                return _WEEKDAYS[int(bucket)]
            case _, 0.0:
                return bucket
        low, high = int(bucket) * self.width, (int(bucket) + 1) * self.width
        if self.log:
            low, high = 2.0**low, 2.0**high
        return f"{low:.4g} to {high:.4g}{' ' + self.unit if self.unit else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """The most telling value that an identity shows in one field: a row of the leak table."""

    field: str
    reveals: str
    value: str
    identities: int
    """How many identities show this value, the identity with them."""
    bits: float
    """Surprisal log2(N / identities), in bits (Shannon 1948)."""
    records: int
    """In how many of its records it shows it."""
    refs: tuple[int, ...]
    """The first of these records, at most five."""
    seen_by: tuple[str, ...]
    """Vantage points from which the field is seen at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One more field added to the combination."""

    field: str
    value: str
    """The typical value: that of most records."""
    k: int
    """Identities that are typical in all fields so far, the identity with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diversity:
    """What is left open in one field for who knows all the others."""

    field: str
    distinct: int
    """l: different values among the identities that agree in all other fields (Machanavajjhala et al. 2007)."""
    entropy: float
    """2^H of these values: l in the entropy sense; at most `distinct`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """The typical values of all published fields together (Sweeney 2002)."""

    k: int
    """Identities with the same typical values, the identity with them; 1: alone."""
    bits: float
    """log2(N / k)."""
    steps: tuple[Step, ...]
    """Fields from the most telling down, with k after each."""
    diversity: tuple[Diversity, ...]


class PublishedFields:
    """What all identities of one set of observations publish; computed once, then asked per identity."""

    def __init__(self, observations: Observations) -> None:
        """Count who shows what, in tables of their own beside the observations."""
        self.observations = observations
        self.count = observations.count
        self.fields = tuple(_published(observations))
        self._tables()
        self._typical = self._read_typical()

    def leaks(self, identity: int) -> tuple[Leak, ...]:
        """Return the most telling value of each field, most bits first, fields without a value left out.

        Raise MalformedError if there is no such identity.
        """
        self._known(identity)
        rows = self.observations.connection.execute(
            """SELECT field, min_by(value, (df, value)), min(df), min_by(n, (df, value))
            FROM published JOIN published_by USING (field, value) WHERE id = ? GROUP BY field ORDER BY field""",
            [identity],
        ).fetchall()
        found = [
            Leak(
                field=self.fields[at].name,
                reveals=self.fields[at].reveals,
                value=self.fields[at].label(value),
                identities=df,
                bits=float(np.log2(self.count / df)),
                records=n,
                refs=self._refs(identity, self.fields[at], value),
                seen_by=(self.observations.source.vantage,),
            )
            for at, value, df, n in rows
        ]
        return tuple(sorted(found, key=lambda leak: (-leak.bits, leak.field)))

    def combination(self, identity: int) -> Combination:
        """Return k and l of the typical values together; raise MalformedError if there is no such identity."""
        self._known(identity)
        alike = self._typical == self._typical[identity]
        shown = [at for at in range(len(self.fields)) if self._typical[identity, at] >= 0]
        order = sorted(shown, key=lambda at: (int(alike[:, at].sum()), at))
        together = np.ones(self.count, dtype=np.bool_)
        steps = []
        for at in order:
            together &= alike[:, at]
            steps.append(
                Step(field=self.fields[at].name, value=self._label(identity, at), k=int(together.sum()))
            )
        k = int(together.sum())
        return Combination(
            k=k,
            bits=float(np.log2(self.count / k)),
            steps=tuple(steps),
            diversity=tuple(self._diversity(alike, at, shown) for at in order),
        )

    def _diversity(self, alike: npt.NDArray[np.bool_], at: int, shown: Sequence[int]) -> Diversity:
        others = [other for other in shown if other != at]
        group = self._typical[alike[:, others].all(axis=1), at]
        share = np.unique(group, return_counts=True)[1] / group.size
        return Diversity(
            field=self.fields[at].name,
            distinct=int(share.size),
            entropy=float(2.0 ** -(share * np.log2(share)).sum()),
        )

    def _known(self, identity: int) -> None:
        if not 0 <= identity < self.count:
            raise MalformedError(
                f"there is no identity {identity} among {self.count}",
                hint="ids run from 0 in the order of the names",
            )

    def _tables(self) -> None:
        parts = " UNION ALL ".join(
            f"SELECT id, {at}::INTEGER AS field, CAST({field.bucket} AS VARCHAR) AS value FROM records"
            for at, field in enumerate(self.fields)
        )
        for statement in (
            f"""CREATE OR REPLACE TABLE published AS SELECT id, field, value, count(*)::INTEGER AS n FROM ({parts})
                WHERE value IS NOT NULL GROUP BY ALL ORDER BY id, field, value""",
            """CREATE OR REPLACE TABLE published_by AS SELECT field, value, count(*)::INTEGER AS df FROM published
                GROUP BY ALL ORDER BY field, value""",
            # One code for each value of a field, in order.
            """CREATE OR REPLACE TABLE published_typical AS
                WITH best AS (SELECT id, field, min_by(value, (-n, value)) AS value FROM published GROUP BY ALL)
                SELECT id, field, value, dense_rank() OVER (PARTITION BY field ORDER BY value) - 1 AS code
                FROM best ORDER BY id, field""",
        ):
            self.observations.connection.execute(statement)

    def _read_typical(self) -> npt.NDArray[np.int64]:
        """Return int64[N, F]: the code of the typical value, -1 where nothing is seen."""
        codes = np.full((self.count, len(self.fields)), -1, dtype=np.int64)
        got = self.observations.connection.execute(
            "SELECT id, field, code FROM published_typical ORDER BY id, field"
        ).fetchnumpy()
        codes[got["id"], got["field"]] = got["code"]
        return codes

    def _label(self, identity: int, at: int) -> str:
        row = self.observations.connection.execute(
            "SELECT value FROM published_typical WHERE id = ? AND field = ?", [identity, at]
        ).fetchone()
        assert row is not None
        return self.fields[at].label(row[0])

    def _refs(self, identity: int, field: Published, value: str) -> tuple[int, ...]:
        rows = self.observations.connection.execute(
            f"""SELECT DISTINCT ref FROM records WHERE id = ? AND CAST({field.bucket} AS VARCHAR) = ?
            ORDER BY ref LIMIT {CITED}""",
            [identity, value],
        ).fetchall()
        return tuple(ref for (ref,) in rows)


def leak_table(views: Sequence[tuple[PublishedFields, int]]) -> tuple[Leak, ...]:
    """Return the leaks of one identity seen from several vantage points, given with its id at each.

    Each field stands once, as the vantage point sees it that learns most by it (the first of equals), with all that
    see it. Most bits first.
    """
    best: dict[str, Leak] = {}
    seen: dict[str, list[str]] = {}
    for view, identity in views:
        for leak in view.leaks(identity):
            seen.setdefault(leak.field, []).extend(leak.seen_by)
            if leak.field not in best or leak.bits > best[leak.field].bits:
                best[leak.field] = leak
    rows = [
        Leak(
            field=leak.field,
            reveals=leak.reveals,
            value=leak.value,
            identities=leak.identities,
            bits=leak.bits,
            records=leak.records,
            refs=leak.refs,
            seen_by=tuple(seen[leak.field]),
        )
        for leak in best.values()
    ]
    return tuple(sorted(rows, key=lambda leak: (-leak.bits, leak.field)))


def _published(observations: Observations) -> Iterator[Published]:
    yield Published(name="hour of the day", reveals="time", bucket='"at" % 86400 // 3600')
    yield Published(name="day of the week", reveals="time", bucket='("at" // 86400 + 3) % 7')
    for field in observations.fields:
        yield (
            _numbers(observations, field)
            if field.kind is FieldKind.NUMERIC
            else Published(name=field.name, reveals=field.reveals, bucket=field.name)
        )


def _numbers(observations: Observations, field: Field) -> Published:
    """Half a doubling where the field is compared on a log scale, else half its interquartile range."""
    if field.log:
        bucket = f"CASE WHEN {field.name} > 0 AND isfinite({field.name}) THEN CAST(floor(2 * log2({field.name})) AS BIGINT) END"
        return Published(
            name=field.name, reveals=field.reveals, bucket=bucket, unit=field.unit, width=0.5, log=True
        )
    row = observations.connection.execute(
        f"""SELECT quantile_disc({field.name}, 0.75) - quantile_disc({field.name}, 0.25) FROM records
        WHERE isfinite({field.name})"""
    ).fetchone()
    width = (row[0] if row else None) or 1.0
    bucket = f"CASE WHEN isfinite({field.name}) AND abs({field.name}) < 1e15 * {width / 2!r} THEN CAST(floor({field.name} / {width / 2!r}) AS BIGINT) END"
    return Published(name=field.name, reveals=field.reveals, bucket=bucket, unit=field.unit, width=width / 2)
