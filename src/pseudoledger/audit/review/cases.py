"""Cases beside packs: observations made up as data, and the findings that have to come out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from pseudoledger.audit.review.chips import chip_of
from pseudoledger.audit.review.decide import look
from pseudoledger.audit.review.engine import UNKNOWN, SheetJudge
from pseudoledger.audit.review.facts import Cited, FactValue, Observation, Opened, Shown, Sort, Table
from pseudoledger.audit.review.pack import Pack, Sheet
from pseudoledger.audit.review.pack_model import CasesText, CaseText
from pseudoledger.audit.review.words import decimal
from pseudoledger.errors import MalformedError

_NOWHERE = Cited(index=0, id="0" * 64, kind="", role="case")
_OPENED = Opened(statement="0" * 64, entry=0, kind="", pointer="/case", value="")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What one case came to."""

    pack: str
    case: str
    problems: tuple[str, ...]


def check_cases(pack: Pack, text: CasesText, tables: Mapping[str, Table]) -> Iterator[CaseResult]:
    """Run every case of a pack; raise MalformedError for cases that are none."""
    if text.pack != pack.name:
        raise MalformedError(f"the cases are for {text.pack}, not for {pack.name}", code="pack.cases")
    for case in text.cases:
        yield CaseResult(pack=pack.name, case=case.case, problems=tuple(_problems(pack, case, tables)))


def _problems(pack: Pack, case: CaseText, tables: Mapping[str, Table]) -> Iterator[str]:
    version, table = pack.version(case.version), tables.get(case.observes)
    if version is None or table is None:
        raise _bad(case, f"names version {case.version} and observation {case.observes}")
    sheet = version.sheets.get(table.name)
    if sheet is None:
        raise _bad(case, f"version {case.version} says nothing about {case.observes}")
    facts: dict[str, FactValue] = {}
    reasons: dict[str, str] = {}
    if case.chip is not None:
        chip = chip_of(case.chip)
        facts |= {name: value for name, value in chip.facts().items() if name in table.facts}
        reasons = chip.reasons()
    for name, value in case.facts.items():
        if value == UNKNOWN:
            facts.pop(name, None)
        else:
            facts[name] = _read(table, name, value, case)
    shown = {
        name: Shown(value=_read(table, name, value, case), opened=_OPENED)
        for name, value in case.shown.items()
    }
    seen = Observation(
        table=table,
        at=version.start,
        subject=case.case,
        facts=facts,
        cites=(_NOWHERE,),
        reasons=reasons,
        shown=shown,
    )
    yield from _wrong_views(sheet, {**facts, **{name: one.value for name, one in shown.items()}}, case)
    found = [one.write(0) for one in SheetJudge(pack, version, sheet, "version").judge(seen)]
    came = tuple(f"{one.rule} {one.state} {one.severity}" for one in found)
    if came != case.findings:
        yield f"findings are {list(came)}, not {list(case.findings)}"


def _wrong_views(sheet: Sheet, facts: Mapping[str, FactValue], case: CaseText) -> Iterator[str]:
    view = look(sheet, facts)
    margins = view.margins
    for name, wanted in case.answers.items():
        given = view.answers.get(name, UNKNOWN)
        if given != wanted:
            yield f"{name} is {given}, not {wanted}"
    for name, margin in case.margins.items():
        scale = 10 ** len(margin.partition(".")[2])
        number = margins.get(name)
        if number is None or math.trunc(number * scale) != math.trunc(Fraction(margin) * scale):
            given = UNKNOWN if number is None else decimal(number)
            yield f"the margin to {name} is {given}, not {margin}"


def _read(table: Table, name: str, value: bool | int | str | tuple[str, ...], case: CaseText) -> FactValue:
    fact = table.facts.get(name)
    match fact.sort if fact else None, value:
        case (Sort.RATIO, str() as text):
            return Fraction(text)
        case (Sort.TRUTH, bool()) | (Sort.TEXT, str()) | (Sort.TEXTS, tuple()):
            return value
        case (Sort.INTEGER, int()) if not isinstance(value, bool):
            return value
        case _:
            raise _bad(case, f"gives {name} as {value!r}")


def _bad(case: CaseText, message: str) -> MalformedError:
    return MalformedError(f"case {case.case!r} {message}, which there is not", code="pack.cases")
