"""The names that other markets use, and what they mean here: chips, places and regions.

Read from `contracts/tables/`. These are the importers' tables: a chip or place named in a payload is judged
by the tables that the ledger pins, not by these. Nothing is guessed: a name that the tables do not know
stays unknown, and the importers say so.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from pseudoledger.contract.tables import shipped
from pseudoledger.errors import MalformedError

UNKNOWN_COUNTRY = "ZZ"
MEMORY_REPORTED_MIN = Fraction(9, 10)
"""A driver reports at least this share of a card's nominal memory: the rest is reserved or checks errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """What the importers need of a row of the chip table."""

    id: str
    vendor: str
    memory_gib: int | None
    tpp: Fraction | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """One chip that a foreign name may mean; the rows of one name stand best first."""

    chip: str
    memory_gib: int | None
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A country and, where it is known, its subdivision."""

    country: str
    subdivision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketTables:
    """All tables of the importers."""

    chips: Mapping[str, Chip]
    aliases: Mapping[tuple[str, str], tuple[Alias, ...]]
    places: Mapping[str, str]
    subdivisions: Mapping[tuple[str, str], str]
    regions: Mapping[str, str]

    def named(self, scheme: str, name: str) -> tuple[Alias, ...]:
        """Return what a name means in a naming scheme (akash, skypilot, vast); empty where unknown."""
        return self.aliases.get((scheme, name), ())

    def of_vendor(self, vendor: str) -> tuple[Chip, ...]:
        """Return a vendor's chips, strongest first by known TPP, then by id."""
        own = [chip for chip in self.chips.values() if chip.vendor.lower() == vendor.lower()]
        return tuple(sorted(own, key=lambda chip: (-(chip.tpp or Fraction(0)), chip.id)))

    def is_country(self, code: str) -> bool:
        """Tell whether a code is a country of the places table, ZZ apart."""
        return len(code) == 2 and code in self.places and code != UNKNOWN_COUNTRY

    def place_named(self, name: str, country: str) -> Place | None:
        """Resolve a place name within a country; None where the name is unknown or names two places."""
        code = self.subdivisions.get((country, name.casefold()))
        if code is None:
            return None
        return Place(country=country, subdivision=None if code == country else code)


def fits_memory(nominal_gib: int, reported_mib: Fraction) -> bool:
    """Tell whether a driver's figure fits a nominal size: 90 % to 100 % of it (A40: 46068 of 49152 MiB)."""
    nominal_mib = nominal_gib * 1024
    return nominal_mib * MEMORY_REPORTED_MIN <= reported_mib <= nominal_mib


def load_tables() -> MarketTables:
    """Read the tables that ship with the program.

    Raises PeerUnreachable where the installation lacks one, MalformedError where one does not hold together.
    """
    chips = {chip.id: chip for chip in _chips(_rows("chips"))}
    places = {row["code"]: row["name"] for row in _rows("places")}
    return MarketTables(
        chips=chips,
        aliases=_aliases(_rows("chip_aliases"), chips),
        places=places,
        subdivisions=_subdivisions(places, _rows("place_aliases")),
        regions={row["region"]: row["country"] for row in _rows("regions")},
    )


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(shipped(f"tables/{name}.csv").decode("utf-8"), newline="")))


def _chips(rows: Iterable[dict[str, str]]) -> Iterable[Chip]:
    for row in rows:
        memory, tpp = row["memory_gib"], row["tpp"]
        yield Chip(
            id=row["id"],
            vendor=row["vendor"],
            memory_gib=None if memory == "unknown" else int(memory),
            tpp=None if tpp == "unknown" else Fraction(tpp),
        )


def _aliases(
    rows: Iterable[dict[str, str]], chips: Mapping[str, Chip]
) -> dict[tuple[str, str], tuple[Alias, ...]]:
    found: dict[tuple[str, str], list[tuple[int, Alias]]] = {}
    for row in rows:
        if row["chip"] not in chips:
            raise MalformedError(
                f"chip_aliases.csv: {row['alias']} means {row['chip']}, which is no row of chips.csv",
                code="table",
            )
        memory = int(row["memory_gib"]) if row["memory_gib"] else None
        alias = Alias(chip=row["chip"], memory_gib=memory, interface=row["interface"])
        found.setdefault((row["scheme"], row["alias"]), []).append((int(row["rank"]), alias))
    return {
        key: tuple(alias for _, alias in sorted(ranked, key=lambda item: item[0]))
        for key, ranked in found.items()
    }


def _subdivisions(places: Mapping[str, str], aliases: Iterable[dict[str, str]]) -> dict[tuple[str, str], str]:
    named: dict[tuple[str, str], str] = {}
    ambiguous: set[tuple[str, str]] = set()
    for code, name in places.items():
        key = (code[:2], name.casefold())
        if key in named and len(code) > 2 and len(named[key]) > 2:
            ambiguous.add(key)
        # A country's own name wins over a subdivision of the same name (Luxembourg).
        if key not in named or len(code) == 2:
            named[key] = code
    for key in ambiguous:
        del named[key]
    for row in aliases:
        named[row["country"], row["alias"].casefold()] = row["place"]
    return named
