"""Makes demands of an Akash SDL file: one for each placement, since a placement goes to one lessor whole.

Each service gives up to four lines: its chips with all alternatives, cpu cores, memory and storage, each
multiplied by its replicas and then rounded up to whole units. Prices stand in chain denominations per block
and replica; with a rate and the seconds of a block they make a ceiling per hour, rounded down to a millionth,
so that a demand never pays more than its file says. What a file does not say (window, length, purpose) comes
from the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from pseudoledger.errors import MalformedError
from pseudoledger.market import quantities
from pseudoledger.market.drafts import DemandDraft
from pseudoledger.market.quantities import GIB, MICRO, whole_down, whole_up
from pseudoledger.market.report import Note, checked, clean, short_name, shown
from pseudoledger.market.sdl import read_sdl
from pseudoledger.market.sdl_values import Compute, Deployed, GpuChoice, Placement, Price, Sdl
from pseudoledger.market.tables import MarketTables
from pseudoledger.statement.kinds.market import (
    LINES_MAX,
    Ceiling,
    DemandLine,
    Purpose,
    Residency,
    Resource,
)
from pseudoledger.statement.values import Period

HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class DenomRate:
    """What one unit of a chain denomination is worth, e.g. `uact=0.000001/USD`."""

    denom: str
    amount: Fraction
    currency: str

    @classmethod
    def parse(cls, text: str) -> DenomRate:
        """Read `DENOM=AMOUNT/CCY`; raise MalformedError."""
        denom, equals, price = text.partition("=")
        amount, slash, currency = price.rpartition("/")
        if not (denom and equals and slash and re.fullmatch(r"[A-Z]{3}", currency)):
            raise MalformedError(
                f"rate {shown(text)} is not of the form DENOM=AMOUNT/CCY",
                code="import.rate",
                hint="example: uact=0.000001/USD",
            )
        return cls(denom=denom, amount=quantities.decimal(amount), currency=currency)


def block_time(text: str) -> Fraction:
    """Read the seconds of one block, e.g. `6.1`; raise MalformedError."""
    seconds = quantities.decimal(text)
    if not seconds:
        raise MalformedError("a block takes more than 0 seconds", code="import.rate")
    return seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandTerms:
    """What an SDL file does not say and the lessee adds."""

    window: Period
    length: str
    purpose: Purpose = "other"
    places: tuple[str, ...] = ()
    residency: tuple[Residency, ...] = ()
    rates: tuple[DenomRate, ...] = ()
    block_seconds: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SdlImport:
    """The demands of one file, and what they do not carry."""

    demands: tuple[DemandDraft, ...]
    left_out: tuple[str, ...]
    notes: tuple[Note, ...]


def import_sdl(data: bytes, *, name: str, terms: DemandTerms, tables: MarketTables) -> SdlImport:
    """Read an SDL file into demands numbered `name/placement`; raise MalformedError where it is broken."""
    sdl = read_sdl(data)
    drafting = _Drafting(sdl=sdl, name=name, terms=terms, tables=tables)
    demands: list[DemandDraft] = []
    left_out: list[str] = []
    for placement in dict.fromkeys(one.placement for one in sdl.deployed):
        draft = drafting.demand(placement)
        if draft is None:
            left_out.append(clean(placement))
        else:
            demands.append(draft)
    notes = sorted((*sdl.notes, *drafting.notes), key=lambda note: (note.line, note.where, note.code))
    return SdlImport(demands=tuple(demands), left_out=tuple(left_out), notes=tuple(notes))


@dataclass(slots=True)
class _Drafting:
    """Holds the notes of one file while its demands are drafted."""

    sdl: Sdl
    name: str
    terms: DemandTerms
    tables: MarketTables
    notes: list[Note] = field(default_factory=list)
    line_ids: set[str] = field(default_factory=set)

    def note(self, code: str, where: str, message: str, line: int = 0) -> None:
        self.notes.append(Note(code=code, where=clean(where), message=message, line=line))

    def demand(self, name: str) -> DemandDraft | None:
        placement = self.sdl.placements[name]
        deployed = [one for one in self.sdl.deployed if one.placement == name]
        self.line_ids.clear()
        lines: list[DemandLine] = []
        complete = True
        for one in deployed:
            compute = self.sdl.computes[one.profile]
            if compute.gpu_units:
                chips = self.chip_line(one, compute)
                complete = complete and chips is not None
                lines.extend(() if chips is None else (chips,))
            lines.extend(self.host_lines(one, compute))
        if not complete:
            self.note("sdl.left_out", name, "this placement gives no demand: a service finds no chip")
            return None
        if len(lines) > LINES_MAX:
            raise MalformedError(
                f"line {placement.line}: placement {shown(name)} makes {len(lines)} lines, "
                f"a demand has at most {LINES_MAX}",
                code="sdl",
            )
        return DemandDraft(
            number=f"{short_name(self.name, 39, 'sdl')}/{short_name(name, 24, 'placement')}",
            lines=tuple(lines),
            ceiling=self.ceiling(name, placement, deployed),
            window=self.terms.window,
            length=self.terms.length,
            purpose=self.terms.purpose,
            places=self.places(name, placement),
            residency=self.terms.residency,
            label=clean(f"{self.name}: {name}")[:200],
        )

    def chip_line(self, one: Deployed, compute: Compute) -> DemandLine | None:
        chips: dict[str, None] = {}
        for choice in compute.gpus:
            found = self.chips(one.service, choice)
            if not found:
                self.note(
                    "sdl.unknown_chip",
                    f"{one.service}.gpu",
                    f"no chip of our table is {_words(choice)}",
                    choice.line,
                )
            chips.update(dict.fromkeys(found))
        ids = list(chips)
        if not ids:
            return None
        resources = tuple(
            checked(Resource, {"resource": "chip", "chip": chip}, f"service {shown(one.service)}")
            for chip in ids
        )
        return self.line(one, "chip", compute.gpu_units * one.replicas, resources)

    def chips(self, service: str, choice: GpuChoice) -> list[str]:
        if choice.model is None:
            if choice.ram is not None or choice.interface:
                message = (
                    "memory or interface without a model is not carried; any chip of the vendor would do"
                )
                self.note("sdl.gpu_attributes", f"{service}.gpu", message, choice.line)
            return [chip.id for chip in self.tables.of_vendor(choice.vendor)]
        found = []
        for alias in self.tables.named("akash", choice.model.lower()):
            chip = self.tables.chips[alias.chip]
            if chip.vendor.lower() != choice.vendor.lower():
                continue
            # A chip whose memory or interface is not known is not offered for a wish that names one.
            if choice.ram is not None and (alias.memory_gib is None or alias.memory_gib * GIB != choice.ram):
                continue
            if choice.interface and alias.interface != choice.interface:
                continue
            found.append(alias.chip)
        return found

    def host_lines(self, one: Deployed, compute: Compute) -> Iterable[DemandLine]:
        volatile = sum((v.size for v in compute.volumes if v.storage_class == "ram"), Fraction(0))
        lasting = sum((v.size for v in compute.volumes if v.storage_class != "ram"), Fraction(0))
        needs = (
            ("cpu", "cpu_core", compute.cores, "cores"),
            ("memory", "memory_gib", (compute.memory + volatile) / GIB, "GiB"),
            ("storage", "storage_gib", lasting / GIB, "GiB"),
        )
        for part, resource, each, unit in needs:
            exact = each * one.replicas
            if not exact:
                continue
            whole = whole_up(exact)
            if whole != exact:
                message = f"{quantities.plain(exact)} {unit} rounded up to {whole}"
                self.note("sdl.rounded_up", f"{one.service}.{part}", message, compute.line)
            yield self.line(one, part, whole, (checked(Resource, {"resource": resource}, one.service),))

    def line(self, one: Deployed, part: str, count: int, alternatives: tuple[Resource, ...]) -> DemandLine:
        fields = {
            "id": _line_id(one.service, part, self.line_ids),
            "count": count,
            "alternatives": alternatives,
        }
        return checked(DemandLine, fields, f"line {one.line}: service {shown(one.service)}")

    def ceiling(self, name: str, placement: Placement, deployed: list[Deployed]) -> Ceiling | None:
        prices = [(placement.pricing[one.profile], one.replicas) for one in deployed]
        rates = {rate.denom: rate for rate in self.terms.rates}
        missing = sorted({price.denom for price, _ in prices} - set(rates))
        where = f"{name}.pricing"
        if missing or self.terms.block_seconds is None:
            reason = (
                f"no rate for {', '.join(shown(denom) for denom in missing)}" if missing else "no block time"
            )
            self.note("sdl.no_ceiling", where, f"{reason}: the demand has no ceiling", placement.line)
            return None
        currencies = sorted({rates[price.denom].currency for price, _ in prices})
        if len(currencies) > 1:
            message = f"prices in {' and '.join(currencies)}: the demand has no ceiling"
            self.note("sdl.no_ceiling", where, message, placement.line)
            return None
        exact = _hour_micro(prices, rates, self.terms.block_seconds)
        whole = whole_down(exact)
        if whole != exact:
            message = f"{quantities.plain(exact)} millionths an hour rounded down to {whole}"
            self.note("sdl.ceiling_rounded", where, message, placement.line)
        fields = {"currency": currencies[0], "hour_micro": whole}
        return checked(Ceiling, fields, f"line {placement.line}: ceiling")

    def places(self, name: str, placement: Placement) -> tuple[str, ...]:
        places = self.terms.places
        for attribute, value in placement.attributes.items():
            if attribute == "country" and self.tables.is_country(value.upper()):
                # The file narrows what the caller allows; it never widens it.
                places = (value.upper(),) if not places or value.upper() in places else places
                if value.upper() in places:
                    continue
            self.note(
                "sdl.attribute",
                f"{name}.attributes.{attribute}",
                f"{shown(value)} is not carried",
                placement.line,
            )
        return places


def _hour_micro(
    prices: Iterable[tuple[Price, int]], rates: dict[str, DenomRate], block_seconds: Fraction
) -> Fraction:
    """Sum prices per block and replica into millionths of the currency per hour, exactly."""
    block = sum(
        (price.amount * replicas * rates[price.denom].amount for price, replicas in prices), Fraction(0)
    )
    return block * MICRO * HOUR_SECONDS / block_seconds


def _words(choice: GpuChoice) -> str:
    ram = f" with {quantities.plain(choice.ram / GIB)} GiB" if choice.ram is not None else ""
    interface = f" on {choice.interface}" if choice.interface else ""
    return f"{shown(choice.vendor)} {shown(choice.model or 'any model')}{ram}{interface}"


def _line_id(service: str, part: str, taken: set[str]) -> str:
    """Make a line id of a service's name, made distinct by a number where two names shorten to one."""
    slug = re.sub(r"[^a-z0-9]+", "-", service.lower()).strip("-") or "service"
    for attempt in range(LINES_MAX + 1):
        suffix = f"-{part}" if attempt == 0 else f"-{attempt + 1}-{part}"
        found = slug[: 32 - len(suffix)].strip("-") + suffix
        if found not in taken:
            taken.add(found)
            return found
    raise MalformedError(f"too many services are named like {shown(service)}", code="sdl")
