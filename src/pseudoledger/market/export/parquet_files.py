"""Tables as Parquet: int64, UTF-8, boolean and timestamp[ms, UTC], in row groups of bounded size.

Needs pyarrow, which the extra `trace` brings; only who exports Parquet imports this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet as pq

from pseudoledger.market.export.columns import Table
from pseudoledger.market.export.rows import Row

SUFFIX = ".parquet"
ROWS_MAX = 16_384
"""Most rows of a row group."""
TEXT_MAX = 16 * 1024 * 1024
"""Characters of text after which a row group is closed: what is held in memory at a time."""

_TYPES = {
    "text": pa.string(),
    "json": pa.string(),
    "int": pa.int64(),
    "time": pa.timestamp("ms", tz="UTC"),
    "bool": pa.bool_(),
}


def write(path: Path, table: Table, rows: Iterator[Row]) -> int:
    """Write a table to a new file and return how many rows it has."""
    schema = pa.schema([pa.field(column.name, _TYPES[column.type]) for column in table.columns])
    count = 0
    with path.open("xb") as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(rows):
            columns = [
                pa.array(values, field.type)
                for values, field in zip(zip(*group, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))
            count += len(group)
    return count


def _groups(rows: Iterator[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += sum(len(value) for value in row if isinstance(value, str))
        if len(group) >= ROWS_MAX or size >= TEXT_MAX:
            yield group
            group, size = [], 0
    if group:
        yield group
