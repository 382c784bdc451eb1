"""Reads GPU price catalogues into typed rows: two layouts, told apart by the header, column order free.

* the SkyPilot layout names the chip in `AcceleratorName`, the price in `Price`, `SpotPrice` or
  `PriceUSDPerHour`, the place as a region code without a country;
* the variant layout names it in `GpuVariant`, with the memory of all chips together and the place in words,
  "Texas, US, NA".

Of either, `AcceleratorCount` is required; `vCPUs`, `MemoryGiB`, `GpuInfo`, `InstanceType` and
`AvailabilityZone` are read where they stand. Two columns are our own: `StorageGiB`, and `Bundle`, whose rows
of one text are offered together. Every number is read exactly. A broken file is refused whole with every
reason; what a row says and an offer cannot is noted by `market.catalogue_offer`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from pseudoledger.errors import MalformedError
from pseudoledger.market import quantities
from pseudoledger.market.report import Note, Problems, clean, shown

BYTES_MAX = 64 * 1024 * 1024
"""Largest catalogue read."""
ROWS_MAX = 200_000
"""Most rows read."""
COLUMNS_MAX = 64
TEXT_MAX = 200
"""Longest text of a column that is read; `GpuInfo` may be longer."""
GPU_INFO_MAX = 4_000

_READ = frozenset(
    (
        "AcceleratorName",
        "GpuVariant",
        "AcceleratorCount",
        "TotalGpuMemoryInMiB",
        "PriceUSDPerHour",
        "Price",
        "SpotPrice",
        "Region",
        "InstanceType",
        "AvailabilityZone",
        "vCPUs",
        "MemoryGiB",
        "StorageGiB",
        "GpuInfo",
        "Bundle",
    )
)
_GPU_MEMORY = re.compile(
    r"""['"](?:SizeInMiB|TotalGpuMemoryInMiB)['"]\s*:\s*([0-9]{1,9}(?:\.[0-9]{1,6})?)""", re.ASCII
)


class Layout(Enum):
    """Whose columns a catalogue has; the value is the naming scheme of its chips."""

    SKYPILOT = "skypilot"
    VARIANT = "vast"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueRow:
    """One row: an instance at a price in one region; sizes are those of the whole instance.

    `count` is a fraction because some clouds rent parts of a chip. `memories_mib` are the figures that may
    be the memory of one chip: sources disagree whether theirs is the sum.
    """

    line: int
    chip: str
    count: Fraction
    memories_mib: tuple[Fraction, ...]
    price: Fraction | None
    spot_price: Fraction | None
    cores: Fraction
    memory_gib: Fraction
    storage_gib: Fraction
    region: str
    zone: str
    instance: str
    bundle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """A catalogue as read; notes name the columns that were not read."""

    layout: Layout
    rows: tuple[CatalogueRow, ...]
    notes: tuple[Note, ...]


def read_catalogue(data: bytes) -> Catalogue:
    """Read a catalogue; raise MalformedError with line and reason, every reason of a file with many."""
    if len(data) > BYTES_MAX:
        raise MalformedError(
            f"the catalogue has {len(data)} bytes, at most {BYTES_MAX} are read", code="catalogue"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MalformedError(f"line {line}: the catalogue is not UTF-8", code="catalogue") from error
    problems = Problems(code="catalogue")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[CatalogueRow] = []
    try:
        header = next(reader, [])
        layout = _layout(header)
        for cells in reader:
            if not cells:
                continue
            if len(rows) + problems.found >= ROWS_MAX:
                raise MalformedError(f"line {reader.line_num}: more than {ROWS_MAX} rows", code="catalogue")
            row = _row(layout, header, cells, reader.line_num, problems)
            if row is not None:
                rows.append(row)
    except csv.Error as error:
        raise MalformedError(f"line {reader.line_num}: not CSV: {error}", code="catalogue") from error
    problems.raise_if_any("the catalogue")
    if not rows:
        raise MalformedError("line 2: the catalogue has no rows", code="catalogue")
    notes = tuple(
        Note(code="catalogue.column", where=clean(name)[:TEXT_MAX], message="this column is not read", line=1)
        for name in header
        if name not in _READ
    )
    return Catalogue(layout=layout, rows=tuple(rows), notes=notes)


def _layout(header: list[str]) -> Layout:
    names = set(header)
    if len(header) > COLUMNS_MAX:
        raise MalformedError(f"line 1: more than {COLUMNS_MAX} columns", code="catalogue")
    if len(names) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise MalformedError(f"line 1: column {shown(twice)} stands twice", code="catalogue")
    layout = Layout.VARIANT if "GpuVariant" in names else Layout.SKYPILOT
    needed = {"GpuVariant" if layout is Layout.VARIANT else "AcceleratorName", "AcceleratorCount", "Region"}
    if layout is Layout.VARIANT:
        needed.add("TotalGpuMemoryInMiB")
    missing = sorted(needed - names)
    if missing:
        raise MalformedError(f"line 1: the header lacks {', '.join(missing)}", code="catalogue")
    if not names & {"Price", "SpotPrice", "PriceUSDPerHour"}:
        raise MalformedError(
            "line 1: the header has no price: Price, SpotPrice or PriceUSDPerHour", code="catalogue"
        )
    if {"Price", "PriceUSDPerHour"} <= names:
        raise MalformedError("line 1: the header has both Price and PriceUSDPerHour", code="catalogue")
    return layout


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cells:
    """The cells of one row by column, with the problems of the file."""

    values: dict[str, str]
    line: int
    problems: Problems

    def text(self, name: str, size_max: int = TEXT_MAX) -> str:
        value = self.values.get(name, "").strip()
        if len(value) > size_max:
            self.problems.add(self.line, f"{name} is longer than {size_max} characters")
        return value

    def number(self, name: str, read: Callable[[str], Fraction] = quantities.decimal) -> Fraction | None:
        value = self.text(name)
        if not value:
            return None
        try:
            return read(value)
        except MalformedError as error:
            self.problems.add(self.line, f"{name}: {error.message}")
            return None


def _row(
    layout: Layout, header: list[str], cells: list[str], line: int, problems: Problems
) -> CatalogueRow | None:
    if len(cells) != len(header):
        problems.add(line, f"{len(cells)} columns instead of {len(header)}")
        return None
    before = problems.found
    row = _Cells(values=dict(zip(header, cells, strict=True)), line=line, problems=problems)
    count = row.number("AcceleratorCount") or Fraction(0)
    total = row.number("TotalGpuMemoryInMiB")
    chip = row.text("GpuVariant" if layout is Layout.VARIANT else "AcceleratorName")
    if layout is Layout.VARIANT and not chip:
        problems.add(line, "GpuVariant is empty")
    if chip and not count:
        problems.add(line, f"AcceleratorCount of {shown(chip)} must be above zero")
    if not chip and count:
        problems.add(line, "AcceleratorCount without a chip")
    if layout is Layout.VARIANT and not total:
        problems.add(line, "TotalGpuMemoryInMiB must be above zero")
    found = CatalogueRow(
        line=line,
        chip=chip,
        count=count,
        memories_mib=_memories(count, total, row.text("GpuInfo", GPU_INFO_MAX)),
        price=row.number("PriceUSDPerHour") if "PriceUSDPerHour" in row.values else row.number("Price"),
        spot_price=row.number("SpotPrice"),
        cores=row.number("vCPUs") or Fraction(0),
        memory_gib=row.number("MemoryGiB") or Fraction(0),
        storage_gib=row.number("StorageGiB") or Fraction(0),
        region=row.text("Region"),
        zone=row.text("AvailabilityZone"),
        instance=row.text("InstanceType"),
        bundle=row.text("Bundle"),
    )
    return found if problems.found == before else None


def _memories(count: Fraction, total_mib: Fraction | None, gpu_info: str) -> tuple[Fraction, ...]:
    """List what one chip's memory may be: a total divided, or a figure of GpuInfo, divided or as it is."""
    if not count:
        return ()
    if total_mib is not None:
        return (total_mib / count,)
    figures = [Fraction(figure) for figure in _GPU_MEMORY.findall(gpu_info)]
    return tuple(dict.fromkeys(value for figure in figures for value in (figure / count, figure)))
