"""Facts about chips: exact TPP and performance density from the chip table, `unknown` where a figure is missing.

TPP = the highest product of dense TOPS and bit length over all precisions; density = TPP / die area. Both are
fractions of the figures as their sources write them; nothing is rounded before it is compared.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from types import MappingProxyType

from pseudoledger.audit.review.facts import FactValue
from pseudoledger.contract.tables import shipped

UNKNOWN = "unknown"
_SPEEDS = (("fp16_dense_tflops", 16), ("fp8_int8_dense_tops", 8))
"""Columns of the chip table with dense speeds, and their bit lengths."""


@dataclass(frozen=True, kw_only=True)
class Chip:
    """One row of the chip table as exact figures; None where a figure is unknown.

    It has no slots, so that what follows from its figures is worked out once.
    """

    id: str
    model: str
    speeds: Mapping[int, Fraction]
    """Dense TOPS by bit length."""
    die_area: Fraction | None
    memory_bw: Fraction | None
    link: Fraction | None
    datacentre: bool | None
    source: str
    doubt: str

    @cached_property
    def tpp(self) -> Fraction | None:
        """Total processing performance."""
        return max((speed * bits for bits, speed in self.speeds.items()), default=None)

    @cached_property
    def density(self) -> Fraction | None:
        """Performance density."""
        return None if self.tpp is None or self.die_area is None else self.tpp / self.die_area

    @cached_property
    def fp16_per_second(self) -> Fraction | None:
        """Dense operations a second at 16 bits."""
        return None if 16 not in self.speeds else self.speeds[16] * 10**12

    @cached_property
    def most_per_second(self) -> Fraction | None:
        """Dense operations a second at the fastest of 16 and 8 bits."""
        return max((self.speeds[bits] * 10**12 for bits in (16, 8) if bits in self.speeds), default=None)

    def facts(self) -> dict[str, FactValue]:
        """Return what is known of it under the names that packs use."""
        found: dict[str, FactValue | None] = {
            "chip": self.id,
            "chip_model": self.model,
            "tpp": self.tpp,
            "density": self.density,
            "memory_bw": self.memory_bw,
            "link": self.link,
            "datacentre": self.datacentre,
            "chip_doubt": self.doubt or None,
        }
        return {name: value for name, value in found.items() if value is not None}

    def reasons(self) -> dict[str, str]:
        """Say why figures of it are unknown, in the words of the chip table."""
        if not self.doubt:
            return {}
        known = self.facts()
        names = ("tpp", "density", "memory_bw", "link", "datacentre")
        return {name: self.doubt for name in names if name not in known}


def _figure(text: str) -> Fraction | None:
    return None if text == UNKNOWN else Fraction(text)


@lru_cache(maxsize=1)
def chips() -> Mapping[str, Chip]:
    """Return every chip of the shipped table, with the precisions that stand beside it."""
    more: dict[str, dict[int, Fraction]] = {}
    notes: dict[str, str] = {}
    for row in _rows("packs/precisions.csv"):
        more.setdefault(row["chip"], {})[int(row["bits"])] = Fraction(row["dense_tops"])
        notes[row["chip"]] = row["doubt"]
    found = {}
    for row in _rows("tables/chips.csv"):
        speeds = {bits: speed for name, bits in _SPEEDS if (speed := _figure(row[name])) is not None}
        found[row["id"]] = Chip(
            id=row["id"],
            model=f"{row['vendor']} {row['model']}",
            speeds=MappingProxyType(speeds | more.get(row["id"], {})),
            die_area=_figure(row["die_area_mm2"]),
            memory_bw=_figure(row["memory_bw_gb_s"]),
            link=_figure(row["interconnect_gb_s"]),
            datacentre={"yes": True, "no": False}.get(row["datacentre"]),
            source=row["source"],
            doubt="; ".join(part for part in (row["doubt"], notes.get(row["id"], "")) if part),
        )
    return MappingProxyType(found)


def unlisted(chip: str) -> Chip:
    """Return a chip of which nothing is known."""
    return Chip(
        id=chip,
        model=chip,
        speeds=MappingProxyType({}),
        die_area=None,
        memory_bw=None,
        link=None,
        datacentre=None,
        source="",
        doubt="the chip table of this program has no such row",
    )


def chip_of(name: str) -> Chip:
    """Return a chip by its id, with nothing known where the table lacks it."""
    return chips().get(name) or unlisted(name)


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(shipped(name).decode("utf-8"))))
