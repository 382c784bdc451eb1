"""Features: what each identity's records amount to, in whole numbers, as arrays and as a DuckDB table.

    observations ──► features ──► compare (levels of a pair) ──► model

A feature belongs to one of five shapes (`Shape`). All are kept as whole numbers: values are rounded before they are
summed, so that sums do not depend on the order of the rows or the number of threads, and SQL and numpy give the same
levels. The table `features` has one row per identity, in the order of the ids:

    id INTEGER, seen INTEGER, and for each feature a column of its name:
    CIRCULAR, NUMERIC   INTEGER, NULL where not known
    PROFILE             FLOAT[K], a direction scaled to length 127, whole numbers; NULL where not known
    OVERLAP, CATEGORY   BIGINT[], items as code * 65536 + weight in millibits; NULL where nothing was seen

The weight of an item is its surprisal log2(N / df), df being how many identities have it (Shannon 1948, §6; as inverse
document frequency: Spärck Jones, Journal of Documentation 28, 1972). Items that only one identity has cannot be shared
and are left out. Nothing here knows a field by its name: a ledger and a table from elsewhere go the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from pseudoledger.audit.trace.counting import Used, counted, seen_of, small_letters
from pseudoledger.audit.trace.engine import DuckWork, Work
from pseudoledger.audit.trace.observations import Field, FieldKind, Observations

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

DAY_SECONDS = 86_400
DAY_MINUTES = 1_440
HOURS = 24
PROFILE_VALUES = 64
"""A category with at most this many values is compared as a profile, one with more as a set."""
PROFILE_LENGTH = 127
ITEMS_MAX = 10
"""An identity keeps at most this many items of a set: those it uses most."""
WEIGHT_BITS = 16
WEIGHT_MAX = (1 << WEIGHT_BITS) - 1
SCALE = 1_000
"""Numbers are kept in thousandths: of a doubling (log), or of the field's interquartile range."""
CLAMP = 1_000_000
HABIT_RECORDS, HABIT_SHARE = 2, 0.1
"""An item is a habit of an identity that used it so often, and in this share of its uses of any item."""
FEW_USES = 8
"""Of an identity that used fewer items in all, each counts as a habit."""
SPREAD_RECORDS = 3
"""With fewer records than this, a spread, a gap or a weekday share is not known."""


class Shape(StrEnum):
    """How two identities are compared in a feature."""

    CIRCULAR = "circular"
    """Minutes of the day, 0 to 1439: the distance goes round midnight."""
    NUMERIC = "numeric"
    PROFILE = "profile"
    """Shares over a few values: how far the two directions agree."""
    OVERLAP = "overlap"
    """Sets: the summed surprisal of what both have."""
    CATEGORY = "category"
    """A set of the one value that is seen most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """One whole number per identity, int64[N], and where it is known, bool[N]."""

    values: Integers
    known: Booleans


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One direction per identity, float32[N, K] of whole numbers, length 127 but for rounding; known, bool[N]."""

    rows: Floats
    known: Booleans
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """One set per identity: a 0/1 matrix N x items, the items' weights in millibits, and where any was seen."""

    matrix: sparse.csr_array
    columns: sparse.csc_array
    """The same matrix by item."""
    weights: Integers
    known: Booleans
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature of all identities."""

    name: str
    label: str
    shape: Shape
    fields: tuple[str, ...]
    """Columns of `records` it comes from."""
    reveals: str
    unit: str
    data: Scalar | Profile | Items


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """All features, and the connection whose table `features` holds them too."""

    connection: duckdb.DuckDBPyConnection
    work: Work
    """Where the queries over records and pairs run."""
    count: int
    seen: Integers
    """Records per identity, int64[N]."""
    items: tuple[Feature, ...]

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.items)

    def feature(self, name: str) -> Feature:
        """Return a feature by its name; raise KeyError if there is none."""
        return {item.name: item for item in self.items}[name]


def features(observations: Observations, work: Work | None = None) -> Features:
    """Compute the features of all identities and write the table `features`, replacing one that stands.

    `work` is the observations in the hands of an engine; DuckDB without.
    Features that are known of fewer than two identities are left out: nothing can be compared in them.
    """
    count = observations.count
    work = work or DuckWork(observations.connection)
    work.share("records")
    seen = seen_of(work, count)
    found = [*_times(work, count)]
    for field in observations.fields:
        match field.kind:
            case FieldKind.NUMERIC:
                found.extend(_number(work, field, count))
            case FieldKind.CATEGORY:
                found.extend(_category(work, field, count))
            case FieldKind.TEXT:
                found.extend(_text(work, field, count))
    kept = tuple(item for item in found if int(item.data.known.sum()) >= 2)
    result = Features(connection=observations.connection, work=work, count=count, seen=seen, items=kept)
    _write(result)
    work.share("features")
    return result


def _times(work: Work, count: int) -> Iterator[Feature]:
    """Hours, weekdays and gaps, from `at`."""
    got = work.arrays(
        f"""WITH t AS (SELECT id, "at" % {DAY_SECONDS} // 60 AS minute,
                ("at" // {DAY_SECONDS} + 3) % 7 AS weekday FROM records WHERE "at" IS NOT NULL)
        SELECT id, count(*) AS n, count(*) FILTER (weekday < 5) AS working,
            sum(CAST(round(1e6 * cos(2 * pi() * minute / {DAY_MINUTES})) AS BIGINT))::BIGINT AS x,
            sum(CAST(round(1e6 * sin(2 * pi() * minute / {DAY_MINUTES})) AS BIGINT))::BIGINT AS y
        FROM t GROUP BY id ORDER BY id"""
    )
    ids, number = got["id"], got["n"].astype(np.int64)
    angle = np.arctan2(got["y"].astype(np.float64), got["x"].astype(np.float64))
    minute = np.rint(angle / (2 * np.pi) * DAY_MINUTES).astype(np.int64) % DAY_MINUTES
    yield _scalar("hour", "middle of the active hours", ("at",), "time", "minute of the day", Shape.CIRCULAR)(
        count, ids, minute, np.ones(len(ids), np.bool_)
    )
    yield _hours(work, count)
    yield _scalar("weekday_share", "share on working days", ("at",), "time", "per mille")(
        count, ids, 1_000 * got["working"].astype(np.int64) // number, number >= SPREAD_RECORDS
    )
    got = work.arrays(
        f"""WITH t AS (SELECT id, "at" - lag("at") OVER (PARTITION BY id ORDER BY "at") AS gap FROM records
                WHERE "at" IS NOT NULL),
            g AS (SELECT id, CAST(round({SCALE} * log2(gap + 60)) AS BIGINT) AS q FROM t WHERE gap IS NOT NULL)
        SELECT id, count(*) AS n, sum(q)::BIGINT AS q FROM g GROUP BY id ORDER BY id"""
    )
    number = got["n"].astype(np.int64)
    yield _scalar("gap", "usual gap between records", ("at",), "time", "1/1000 doubling of seconds")(
        count, got["id"], got["q"] // np.maximum(number, 1), number >= SPREAD_RECORDS - 1
    )


def _hours(work: Work, count: int) -> Feature:
    """Build the profile over 24 hours, each record spread over its neighbours by (1, 2, 1)."""
    got = work.arrays(
        f"""SELECT id, "at" % {DAY_SECONDS} // 3600 AS code, count(*) AS n FROM records WHERE "at" IS NOT NULL
        GROUP BY ALL ORDER BY ALL"""
    )
    table = np.zeros((count, HOURS))
    table[got["id"], got["code"]] = got["n"]
    table = np.roll(table, 1, axis=1) + 2 * table + np.roll(table, -1, axis=1)
    labels = tuple(f"{hour:02d}h" for hour in range(HOURS))
    return Feature(
        name="active_hours",
        label="active hours",
        shape=Shape.PROFILE,
        fields=("at",),
        reveals="time",
        unit="hour of the day",
        data=_directions(np.sqrt(table), labels),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ScalarOf:
    name: str
    label: str
    fields: tuple[str, ...]
    reveals: str
    unit: str
    shape: Shape

    def __call__(self, count: int, ids: Integers, values: Integers, known: Booleans) -> Feature:
        all_values = np.zeros(count, np.int64)
        all_known = np.zeros(count, np.bool_)
        all_values[ids[known]] = values[known]
        all_known[ids[known]] = True
        return Feature(
            name=self.name,
            label=self.label,
            shape=self.shape,
            fields=self.fields,
            reveals=self.reveals,
            unit=self.unit,
            data=Scalar(values=all_values, known=all_known),
        )


def _scalar(  # noqa: PLR0917 - a column in its order
    name: str, label: str, fields: tuple[str, ...], reveals: str, unit: str, shape: Shape = Shape.NUMERIC
) -> _ScalarOf:
    return _ScalarOf(name=name, label=label, fields=fields, reveals=reveals, unit=unit, shape=shape)


def _number(work: Work, field: Field, count: int) -> Iterator[Feature]:
    """Level and spread of a numeric field."""
    column = field.name
    if field.log:
        value = f"CASE WHEN {column} > 0 THEN {SCALE} * log2({column}) END"
        unit = "1/1000 doubling"
    else:
        got = work.arrays(
            f"""SELECT coalesce(percentile_disc(0.25) WITHIN GROUP (ORDER BY {column}), 0.0) AS lower,
                coalesce(percentile_disc(0.75) WITHIN GROUP (ORDER BY {column}), 0.0) AS upper FROM records"""
        )
        lower, upper = float(got["lower"][0]), float(got["upper"][0])
        width = abs(upper - lower) or abs(lower) or 1.0
        value = f"{SCALE} * {column} / {width!r}"
        unit = f"1/1000 of {width:.6g}{' ' + field.unit if field.unit else ''}"
    got = work.arrays(
        f"""WITH t AS (SELECT id, CAST(round(greatest(-{CLAMP}, least({CLAMP}, {value}))) AS BIGINT) AS q FROM records
            WHERE {column} IS NOT NULL AND abs({column}) < CAST('Infinity' AS DOUBLE))
        SELECT id, count(q) AS n, sum(q)::BIGINT AS s, sum(q * q)::BIGINT AS ss FROM t WHERE q IS NOT NULL
        GROUP BY id ORDER BY id"""
    )
    ids = got["id"]
    n, s, ss = (got[name].astype(np.int64) for name in ("n", "s", "ss"))
    plain = column.replace("_", " ")
    made = _scalar(column, plain, (column,), field.reveals, unit)
    yield made(count, ids, s // np.maximum(n, 1), np.ones(len(ids), np.bool_))
    deviation = (ss - s * (s / np.maximum(n, 1))) / np.maximum(n - 1, 1)
    spread = np.floor(np.sqrt(np.maximum(deviation, 0))).astype(np.int64)
    made = _scalar(f"{column}_spread", f"spread of {plain}", (column,), field.reveals, unit)
    yield made(count, ids, spread, n >= SPREAD_RECORDS)


def _category(work: Work, field: Field, count: int) -> Iterator[Feature]:
    """A profile where the values are few; else sets, of one value each where no identity has more than one."""
    used = counted(work, f"SELECT id, {field.name} AS item FROM records", count)
    plain = field.name.replace("_", " ")
    if len(used.labels) > PROFILE_VALUES or field.reveals == "counterparty":
        yield from _sets(used, field.name, plain, field)
        return
    table = np.zeros((count, len(used.labels)))
    table[used.ids, used.codes] = used.number
    having = np.maximum((table > 0).sum(axis=0), 1)
    # Rare values say more: a value that everybody has keeps a small weight, so that it still counts as seen.
    weights = 0.25 + np.log2(max(count, 1) / having)
    yield Feature(
        name=field.name,
        label=plain,
        shape=Shape.PROFILE,
        fields=(field.name,),
        reveals=field.reveals,
        unit="share",
        data=_directions(np.sqrt(table) * weights, used.labels),
    )


def _text(work: Work, field: Field, count: int) -> Iterator[Feature]:
    """Words of a text (letters, made small, two or more) and its pattern: runs of A, a, 9 and the signs between."""
    plain, letters = field.name.replace("_", " "), small_letters(field.name)
    words = counted(
        work,
        rf"SELECT id, unnest(list_distinct(regexp_extract_all({letters}, '\p{{L}}{{2,}}'))) AS item FROM records",
        count,
    )
    yield from _sets(words, f"{field.name}_words", f"words of {plain}", field)
    patterns = counted(
        work,
        rf"""SELECT id, regexp_replace(regexp_replace(regexp_replace({field.name},
            '\p{{N}}+', '9', 'g'), '\p{{Lu}}+', 'A', 'g'), '[^\p{{Lu}}\P{{L}}]+', 'a', 'g') AS item FROM records""",
        count,
    )
    yield from _sets(patterns, f"{field.name}_pattern", f"pattern of {plain}", field)


def _sets(used: Used, name: str, label: str, field: Field) -> Iterator[Feature]:
    """The items that are habits of an identity; of one that used few, all."""
    total = np.bincount(used.ids, weights=used.number, minlength=used.count)[used.ids]
    single = bool((np.bincount(used.ids, minlength=used.count) <= 1).all())
    habit = (used.number >= HABIT_RECORDS) & (used.number >= HABIT_SHARE * total)
    yield Feature(
        name=name,
        label=label,
        shape=Shape.CATEGORY if single else Shape.OVERLAP,
        fields=(field.name,),
        reveals=field.reveals,
        unit="millibits",
        data=_items(used, habit | (total < FEW_USES)),
    )


def _directions(table: npt.NDArray[np.float64], labels: tuple[str, ...]) -> Profile:
    length = np.sqrt((table * table).sum(axis=1))
    known = length > 0
    rows = np.rint(PROFILE_LENGTH * table / np.where(known, length, 1.0)[:, None]).astype(np.float32)
    return Profile(rows=rows, known=known, labels=labels)


def _items(used: Used, chosen: Booleans) -> Items:
    """Keep, per identity, the items used most (rarer first where equal) of those chosen that two or more have."""
    ids, codes, number = used.ids[chosen], used.codes[chosen], used.number[chosen]
    places = max(len(used.labels), 1)
    having = np.bincount(codes, minlength=places)
    known = np.zeros(used.count, np.bool_)
    known[ids] = True
    shared = having[codes] > 1
    ids, codes, number = ids[shared], codes[shared], number[shared]
    order = np.lexsort((codes, having[codes], -number, ids))
    ids, codes = ids[order], codes[order]
    starts = np.searchsorted(ids, np.arange(used.count))
    kept = np.arange(len(ids)) - starts[ids] < ITEMS_MAX
    ids, codes = ids[kept], codes[kept]
    matrix = sparse.csr_array((np.ones(len(ids), np.int64), (ids, codes)), shape=(used.count, places))
    matrix.sort_indices()
    surprisal = np.log2(max(used.count, 1) / np.maximum(having, 1))
    weights = np.clip(np.rint(1_000 * surprisal).astype(np.int64), 1, WEIGHT_MAX)
    return Items(matrix=matrix, columns=matrix.tocsc(), weights=weights, known=known, labels=used.labels)


def _write(found: Features) -> None:
    columns: list[pa.Array] = [
        pa.array(np.arange(found.count, dtype=np.int32)),
        pa.array(found.seen.astype(np.int32)),
    ]
    names = ["id", "seen"]
    for feature in found:
        names.append(feature.name)
        columns.append(_column(feature.data))
    table = pa.table(columns, names=names)
    found.connection.register("features_in", table)
    casts = ", ".join(
        f"{feature.name}::FLOAT[{feature.data.rows.shape[1]}] AS {feature.name}"
        if isinstance(feature.data, Profile)
        else feature.name
        for feature in found
    )
    found.connection.execute(
        f"CREATE OR REPLACE TABLE features AS SELECT id, seen{', ' if casts else ''}{casts} FROM features_in ORDER BY id"
    )
    found.connection.unregister("features_in")


def _column(data: Scalar | Profile | Items) -> pa.Array:
    if isinstance(data, Scalar):
        return pa.array(data.values.astype(np.int32), mask=~data.known)
    if isinstance(data, Profile):
        flat = pa.array(data.rows.reshape(-1))
        mask = pa.array(~data.known)
        return pa.FixedSizeListArray.from_arrays(flat, data.rows.shape[1], mask=mask)
    codes = data.matrix.indices.astype(np.int64)
    values = pa.array((codes << WEIGHT_BITS) | data.weights[codes])
    offsets = pa.array(data.matrix.indptr.astype(np.int32))
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array(~data.known))
