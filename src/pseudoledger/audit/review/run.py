"""`review`: one pass over a ledger, all packs asked, a dossier made (design §5). It reads and never writes there.

The ledger is verified first, unless the caller says that it need not be; what is reviewed then is what was
verified, while the ledger may grow. It never imports the registrar.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from pseudoledger.audit.review.chips import chip_of
from pseudoledger.audit.review.collect import MOST, Collection
from pseudoledger.audit.review.decide import look
from pseudoledger.audit.review.dossier import ChipSeen, Dossier, Ledger, PackUsed, VersionUsed
from pseudoledger.audit.review.engine import UNKNOWN, Chosen, Engine
from pseudoledger.audit.review.facts import Observation
from pseudoledger.audit.review.notebook import Notebook
from pseudoledger.audit.review.observers import OBSERVERS, TABLES
from pseudoledger.audit.review.observers.base import Observer
from pseudoledger.audit.review.observers.evidence import DISCLOSED, disclosed
from pseudoledger.audit.review.pack import Pack, Version, find_pack, read_pack, shipped_names
from pseudoledger.audit.review.reading import Progress, Read, Reading, founding_of
from pseudoledger.audit.review.sight import Disclosures, Sight
from pseudoledger.audit.review.words import decimal
from pseudoledger.audit.verifier import Report, Verdict
from pseudoledger.errors import MalformedError
from pseudoledger.ledger.store import Store
from pseudoledger.statement.values import format_instant

CHIP_TABLE = "listing"
"""Observation whose answers are given for every chip that the ledger names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a review is asked for, beside the ledger."""

    packs: tuple[str, ...] = ()
    """Names or files; all shipped packs without."""
    chosen: Chosen = field(default_factory=Chosen)
    as_of: str = ""
    disclosures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    most: int = MOST
    """Findings listed for one rule of one version in one state."""


def read_packs(names: Sequence[str], chosen: Chosen) -> tuple[Pack, ...]:
    """Read packs by name or file, all shipped ones without names; raise MalformedError, PeerUnreachable.

    A version that is asked for has to stand in one of them.
    """
    packs = tuple(read_pack(find_pack(name), TABLES) for name in names or shipped_names())
    for wanted in chosen.versions:
        if all(pack.version(wanted) is None for pack in packs):
            known = sorted({version.name for pack in packs for version in pack.versions})
            raise MalformedError(
                f"no chosen pack has a version {wanted!r}",
                code="pack.version",
                hint=f"versions: {', '.join(known)}",
            )
    return tuple(sorted(packs, key=lambda pack: pack.name))


def review(
    directory: Path,
    asked: Asked,
    *,
    report: Report | None,
    progress: Progress | None = None,
) -> Dossier:
    """Review the ledger in a directory and return the dossier.

    `report` is the verifier's on this directory; None means that nobody verified it, and the dossier says so.
    Raises MalformedError for packs that cannot be used, PeerUnreachable or StoreError for a ledger that cannot
    be read.
    """
    packs = read_packs(asked.packs, asked.chosen)
    with ExitStack() as held:
        store = held.enter_context(closing(Store.open_reader(directory)))
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="pseudoledger-review-")))
        notebook = held.enter_context(closing(Notebook(folder / "notes.db")))
        size = store.size if report is None else report.entries
        sight = Sight(store, notebook, Disclosures(texts=asked.disclosures))
        reading, collection = Reading(store, size), Collection(notebook, asked.most)
        engine = Engine(packs, asked.chosen)
        for seen in observations(reading, sight, engine.tables, progress):
            for found in engine.judge(seen):
                collection.take(found)
        return Dossier(
            ledger=_ledger(store, size, report, reading),
            asked={
                "as_of": asked.as_of,
                "versions": ", ".join(asked.chosen.versions),
                "most": str(asked.most),
            },
            packs=tuple(_pack_used(pack, collection) for pack in packs),
            counts=collection.counts(),
            findings=collection.findings(),
            chips=tuple(_chip_seen(name, packs) for name in sorted(sight.chips_seen)),
            disclosures=sight.disclosures.finish(),
        )


def observations(
    reading: Reading, sight: Sight, wanted: frozenset[str], progress: Progress | None
) -> Iterator[Observation]:
    """Yield everything that observers see, for the tables that somebody asks about, in ledger order."""
    observers = [make() for make in OBSERVERS if any(table.name in wanted for table in make.tables)]
    by_kind: dict[str, list[Observer]] = {}
    for observer in observers:
        for kind in sorted(observer.reads):
            by_kind.setdefault(kind, []).append(observer)
    opening = frozenset(sight.disclosures.texts)
    for entry in reading.entries(frozenset(by_kind), opening, progress):
        if entry.id in opening:
            yield from _opened(entry, sight, wanted)
        for observer in by_kind.get(entry.kind, ()):
            yield from observer.read(entry, sight)
    at = reading.last_block_ms // 1000
    for observer in observers:
        yield from observer.finish(sight, at)


def _opened(entry: Read, sight: Sight, wanted: frozenset[str]) -> Iterator[Observation]:
    for opened in sight.disclosures.open(entry):
        if DISCLOSED.name in wanted:
            yield from disclosed(entry, opened, sight)


def _ledger(store: Store, size: int, report: Report | None, reading: Reading) -> Ledger:
    block = store.last_block() if size else None
    founded, first = founding_of(store), store.entry(0)
    verified = report is not None and report.verdict is Verdict.VALID
    said = "not verified: what is said here rests on an unchecked copy"
    if report is not None:
        said = f"{report.verdict.value}: {report.entries} entries under {report.blocks} blocks"
    last = store.block_of(size - 1) if size else None
    return Ledger(
        origin=founded.origin if founded else "",
        id="" if first is None else first.id,
        ledger_key="" if block is None else block.ledger_key,
        clock=founded.policy.clock if founded else "",
        entries=size,
        blocks=0 if last is None else last.height,
        last_block="" if last is None else format_instant(last.time_ms // 1000),
        verified=verified,
        verification=said,
        warnings=() if report is None else report.warnings,
        checkpoint="" if report is None else report.keep,
        unreadable=reading.unreadable,
    )


def _pack_used(pack: Pack, collection: Collection) -> PackUsed:
    return PackUsed(
        pack=pack.name,
        title=pack.title,
        about=pack.about,
        sha256=pack.sha256,
        versions=tuple(_version_used(pack, version, collection) for version in pack.versions),
    )


def _version_used(pack: Pack, version: Version, collection: Collection) -> VersionUsed:
    text = version.text
    return VersionUsed(
        version=version.name,
        track=text.track,
        since=text.start,
        until=text.until or "",
        status=text.status.value,
        title=text.title,
        citation=text.citation,
        doubts=text.doubts,
        findings=collection.by_version.get((pack.name, version.name), 0),
    )


def chip_answers(name: str, packs: Sequence[Pack]) -> dict[str, dict[str, str]]:
    """Return what every version that classes chips says about a chip, by version and answer."""
    chip = chip_of(name)
    found: dict[str, dict[str, str]] = {}
    for pack in packs:
        for version in pack.versions:
            sheet = version.sheets.get(CHIP_TABLE)
            if sheet is None or not sheet.answers:
                continue
            given = look(sheet, chip.facts()).answers
            found[version.name] = {
                answer.text.name: given.get(answer.text.name, UNKNOWN) for answer in sheet.answers
            }
    return found


def _chip_seen(name: str, packs: Sequence[Pack]) -> ChipSeen:
    chip = chip_of(name)
    return ChipSeen(
        chip=name,
        model=chip.model,
        tpp=UNKNOWN if chip.tpp is None else decimal(chip.tpp),
        density=UNKNOWN if chip.density is None else decimal(chip.density),
        datacentre={True: "yes", False: "no", None: UNKNOWN}[chip.datacentre],
        source=chip.source,
        doubt=chip.doubt,
        answers=chip_answers(name, packs),
    )
