"""Makes pools and offers of a price catalogue: a pool for each row, an offer for each of its prices.

A row prices a whole instance; an offer prices one chip for one hour. The price is divided by the chips and
rounded half to even to a millionth of a dollar, and a note gives what that changes. Cores, memory and storage
that a row states come with its chips at no price of their own; a row without chips lays its price on the
cores. Catalogues state no stock: each row counts as so many instances as the caller says, one by default.
Rows of one `Bundle` become one pool and one offer. A row that no offer can carry is left out by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from pseudoledger.errors import MalformedError
from pseudoledger.market.catalogue import Catalogue, CatalogueRow, Layout, read_catalogue
from pseudoledger.market.drafts import FacilityDraft, OfferDraft, PoolDraft
from pseudoledger.market.quantities import MICRO, plain, whole_down
from pseudoledger.market.report import Note, checked, clean, short_name, shown
from pseudoledger.market.tables import UNKNOWN_COUNTRY, Alias, MarketTables, Place, fits_memory
from pseudoledger.statement.kinds.market import LINES_MAX, OfferLine, Rate, ResourceLine, Tariff
from pseudoledger.statement.values import Period, round_half_even

CURRENCY = "USD"
"""Both layouts price in United States dollars."""
_VARIANT_OF_INSTANCE = re.compile(r"[0-9]{1,3}x-([A-Za-z0-9_]{1,40})-", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferTerms:
    """What a catalogue does not say and the lessor adds."""

    length_min: str
    length_max: str
    available: Period
    basis: Literal["metered", "reserved"] = "metered"
    instances: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One pool and the offers on it, from the rows at `lines`."""

    lines: tuple[int, ...]
    pool: PoolDraft
    offers: tuple[OfferDraft, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueImport:
    """What became of a catalogue: its listings, the lines of rows left out, and what is not carried."""

    listings: tuple[Listing, ...]
    left_out: tuple[int, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One line to be: a resource of one row, and the share of the row's price that it bears."""

    id: str
    resource: str
    chip: str | None
    count: int
    priced: Fraction
    row: CatalogueRow


def import_catalogue(data: bytes, *, name: str, terms: OfferTerms, tables: MarketTables) -> CatalogueImport:
    """Make pools and offers numbered `name-line` of a catalogue; raise MalformedError where it is broken."""
    catalogue = read_catalogue(data)
    drafting = _Drafting(
        catalogue=catalogue, name=short_name(name, 40, "catalogue"), terms=terms, tables=tables
    )
    bundles: dict[str, list[CatalogueRow]] = {}
    for row in catalogue.rows:
        bundles.setdefault(row.bundle or f"\0{row.line}", []).append(row)
    listings = [drafting.listing(rows) for rows in bundles.values()]
    drafting.note_unstated(catalogue.rows)
    return CatalogueImport(
        listings=tuple(listing for listing in listings if listing is not None),
        left_out=tuple(sorted(drafting.left_out)),
        notes=tuple(
            sorted((*catalogue.notes, *drafting.notes), key=lambda note: (note.line, note.code, note.where))
        ),
    )


@dataclass(slots=True)
class _Drafting:
    """Holds the notes of one catalogue while its listings are drafted."""

    catalogue: Catalogue
    name: str
    terms: OfferTerms
    tables: MarketTables
    notes: list[Note] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)

    def note(self, code: str, where: str, message: str, line: int = 0) -> None:
        self.notes.append(Note(code=code, where=clean(where), message=message, line=line))

    def leave_out(self, code: str, rows: Iterable[CatalogueRow], message: str) -> None:
        for row in rows:
            self.left_out.append(row.line)
            self.note(code, row.chip or row.instance or "row", f"left out: {message}", row.line)

    def listing(self, rows: list[CatalogueRow]) -> Listing | None:
        first = rows[0]
        if any((row.region, row.zone) != (first.region, first.zone) for row in rows):
            raise MalformedError(
                f"line {rows[-1].line}: bundle {shown(first.bundle)} stands in two regions", code="catalogue"
            )
        parts: list[_Part] = []
        for index, row in enumerate(rows, start=1):
            found = self.parts(row, f"-{index}" if len(rows) > 1 else "")
            if found is None:
                self.leave_out(
                    "catalogue.bundle", (other for other in rows if other is not row), "its bundle is"
                )
                return None
            parts.extend(found)
        if len(parts) > LINES_MAX:
            raise MalformedError(
                f"line {rows[-1].line}: bundle {shown(first.bundle)} makes {len(parts)} lines, "
                f"an offer has at most {LINES_MAX}",
                code="catalogue",
            )
        offers = self.offers(rows, parts)
        if not offers:
            self.leave_out("catalogue.no_price", rows, "it has no price above zero")
            return None
        pool = PoolDraft(
            number=f"{self.name}-{first.line}",
            lines=tuple(checked(ResourceLine, self.fields(part), f"line {part.row.line}") for part in parts),
            label=clean(first.bundle or first.instance) or None,
        )
        return Listing(lines=tuple(row.line for row in rows), pool=pool, offers=offers)

    def parts(self, row: CatalogueRow, suffix: str) -> list[_Part] | None:
        """Return the lines of a row, or None where it is left out."""
        parts: list[_Part] = []
        if row.chip:
            if row.count.denominator != 1:
                self.leave_out(
                    "catalogue.part_of_chip", (row,), f"{plain(row.count)} of a chip cannot be offered"
                )
                return None
            chip = self.chip(row)
            if chip is None:
                return None
            count = whole_down(row.count)
            parts.append(
                _Part(
                    id=f"chip{suffix}",
                    resource="chip",
                    chip=chip,
                    count=count,
                    priced=Fraction(count),
                    row=row,
                )
            )
        for name, resource, size in (
            ("cpu", "cpu_core", row.cores),
            ("memory", "memory_gib", row.memory_gib),
            ("storage", "storage_gib", row.storage_gib),
        ):
            whole = whole_down(size)
            if whole != size:
                self.note(
                    "catalogue.rounded_down", name, f"{plain(size)} counts as {whole} whole units", row.line
                )
            if whole:
                priced = Fraction(whole if name == "cpu" and not row.chip else 0)
                parts.append(
                    _Part(
                        id=f"{name}{suffix}",
                        resource=resource,
                        chip=None,
                        count=whole,
                        priced=priced,
                        row=row,
                    )
                )
        if not any(part.priced for part in parts):
            self.leave_out("catalogue.no_resource", (row,), "it has neither chips nor whole cores")
            return None
        return parts

    def fields(self, part: _Part) -> dict[str, object]:
        count = part.count * self.terms.instances
        return {"id": part.id, "resource": part.resource, "chip": part.chip, "count": count}

    def offers(self, rows: list[CatalogueRow], parts: list[_Part]) -> tuple[OfferDraft, ...]:
        first = rows[0]
        number = f"{self.name}-{first.line}"
        facility = self.facility(first)
        offers = []
        normal = {row.line: row.price for row in rows if row.price}
        spot = {row.line: row.spot_price for row in rows if row.spot_price}
        for prices, end in ((normal, ""), (spot, "-spot")):
            # A bundle has a price only where each of its rows has.
            if len(prices) < len(rows):
                continue
            offers.append(self.offer(f"{number}{end}", parts, prices, facility))
            if end:
                message = "may be reclaimed at any time; an offer cannot say so, the lease terms must"
                self.note("catalogue.spot", first.chip or first.instance, message, first.line)
        return tuple(offers)

    def offer(
        self, number: str, parts: list[_Part], prices: Mapping[int, Fraction], facility: FacilityDraft
    ) -> OfferDraft:
        lines = tuple(
            checked(OfferLine, {**self.fields(part), "pool_line": part.id}, f"line {part.row.line}")
            for part in parts
        )
        rates = tuple(
            checked(
                Rate,
                {"line": part.id, "basis": self.terms.basis, "price_micro": self.price(part, prices)},
                f"line {part.row.line}",
            )
            for part in parts
        )
        return OfferDraft(
            number=number,
            lines=lines,
            facility=facility,
            tariff=checked(Tariff, {"currency": CURRENCY, "lines": rates}, "tariff"),
            length_min=self.terms.length_min,
            length_max=self.terms.length_max,
            available=self.terms.available,
        )

    def price(self, part: _Part, prices: Mapping[int, Fraction]) -> int:
        if not part.priced:
            return 0
        exact = prices[part.row.line] * MICRO / part.priced
        whole = round_half_even(exact.numerator, exact.denominator)
        if whole != exact:
            change = (whole - exact) * part.priced
            sign = "+" if change > 0 else "-"
            message = (
                f"{plain(exact)} millionths per unit and hour rounded to {whole}; "
                f"{sign}{plain(abs(change))} millionths an hour for the instance"
            )
            self.note("catalogue.price_rounded", part.chip or part.resource, message, part.row.line)
        return whole

    def chip(self, row: CatalogueRow) -> str | None:
        aliases = self.tables.named(self.catalogue.layout.value, row.chip)
        if self.catalogue.layout is Layout.SKYPILOT:
            # Some instance names carry the market's own, finer name of the chip: 1x-H100_SXM-32-65536.
            finer = _VARIANT_OF_INSTANCE.match(row.instance)
            aliases = (self.tables.named(Layout.VARIANT.value, finer[1]) if finer else ()) or aliases
        if not aliases:
            self.leave_out("catalogue.unknown_chip", (row,), f"no chip of our table is {shown(row.chip)}")
            return None
        fitting = [alias for alias in aliases if _fits(alias, row.memories_mib)]
        if fitting:
            return fitting[0].chip
        if self.catalogue.layout is Layout.VARIANT:
            open_size = [alias for alias in aliases if alias.memory_gib is None]
            if not open_size:
                mib = plain(row.memories_mib[0])
                message = f"no chip of our table is {shown(row.chip)} with {mib} MiB"
                self.leave_out("catalogue.unknown_chip", (row,), message)
                return None
            return open_size[0].chip
        if row.memories_mib and aliases[0].memory_gib is not None:
            message = f"its memory figures fit no size of it; taken as {aliases[0].chip}"
            self.note("catalogue.memory_unclear", row.chip, message, row.line)
        elif len(aliases) > 1:
            message = f"sold in {len(aliases)} sizes and none is stated; taken as {aliases[0].chip}"
            self.note("catalogue.chip_assumed", row.chip, message, row.line)
        return aliases[0].chip

    def facility(self, row: CatalogueRow) -> FacilityDraft:
        words = [word.strip() for word in row.region.split(",")]
        if len(words) > 1:
            country = next((word for word in words[1:] if self.tables.is_country(word)), UNKNOWN_COUNTRY)
            place = self.place(words[0], country, row)
            return FacilityDraft(country=place.country, subdivision=place.subdivision)
        country = self.tables.regions.get(row.region, UNKNOWN_COUNTRY)
        if country == UNKNOWN_COUNTRY and self.tables.is_country(row.region):
            country = row.region
        if country == UNKNOWN_COUNTRY:
            self.note(
                "catalogue.place_unknown", shown(row.region), "in no country that we are sure of", row.line
            )
        return FacilityDraft(country=country, site=clean(row.zone or row.region) or None)

    def place(self, name: str, country: str, row: CatalogueRow) -> Place:
        if country == UNKNOWN_COUNTRY:
            self.note("catalogue.place_unknown", shown(row.region), "names no country that we know", row.line)
            return Place(country=country)
        found = self.tables.place_named(name, country)
        if found is None and name:
            message = f"no subdivision of {country} that we know; only the country is carried"
            self.note("catalogue.subdivision", shown(name), message, row.line)
        return found or Place(country=country)

    def note_unstated(self, rows: tuple[CatalogueRow, ...]) -> None:
        number = self.terms.instances
        self.note("catalogue.stock", "stock", f"not stated; each row counts as {number} instance(s)")
        silent = sum(1 for row in rows if row.chip and not (row.cores or row.memory_gib or row.storage_gib))
        if silent:
            message = f"{silent} row(s) with chips say nothing of cores, memory and storage"
            self.note("catalogue.host_unstated", "host resources", message)


def _fits(alias: Alias, memories_mib: tuple[Fraction, ...]) -> bool:
    return alias.memory_gib is not None and any(fits_memory(alias.memory_gib, m) for m in memories_mib)
