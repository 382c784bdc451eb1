"""The engine: observations in, findings out. Rules are indexed by kind of observation, then by time.

For each version that counts, lines are compared exactly, answers are worked out, and every rule is decided true,
false or unknown. With disclosures each is decided twice, without and with them, so that a finding can say what
a disclosure changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from pseudoledger.audit.review.dossier import Entry, Finding, Margin, Missing, Party, Seen, State
from pseudoledger.audit.review.expression import CelValue, Truth, context_of
from pseudoledger.audit.review.facts import FactValue, Observation, Sort
from pseudoledger.audit.review.pack import (
    Pack,
    ReadyAnswer,
    ReadyEvidence,
    ReadyLine,
    ReadyRule,
    Sheet,
    Version,
)
from pseudoledger.audit.review.pack_model import Severity
from pseudoledger.audit.review.words import decimal, exact, filled, measured, places
from pseudoledger.statement.values import format_instant

if TYPE_CHECKING:
    import cel

ChosenBy = Literal["block time", "as-of", "version"]
_CEL_MAX = 2**63 - 1
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which versions are applied: those in force at block time, on one day, or those that are named."""

    as_of: int | None = None
    versions: tuple[str, ...] = ()

    def of(self, pack: Pack, at: int) -> Iterator[tuple[Version, ChosenBy]]:
        """Yield the versions of a pack that count for something seen at a block time."""
        named = [version for version in pack.versions if version.name in self.versions]
        for version in named or pack.versions:
            if named:
                yield version, "version"
            elif version.counts_at(at if self.as_of is None else self.as_of):
                yield version, "block time" if self.as_of is None else "as-of"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One observation under one version: facts, lines, answers and what expressions see of them."""

    facts: Mapping[str, FactValue]
    margins: Mapping[str, Fraction]
    answers: Mapping[str, str]
    """Answers that can be given."""
    context: cel.Context
    """What expressions see."""


def look(sheet: Sheet, facts: Mapping[str, FactValue]) -> View:
    """Compare the lines and give the answers of one version for some facts."""
    values: dict[str, CelValue] = {name: list(items) for name, items in sheet.lists.items()}
    for name, value in facts.items():
        if sheet.table.facts[name].sort is not Sort.RATIO and _visible(value):
            values[name] = list(value) if isinstance(value, tuple) else value  # type: ignore[assignment]
    margins: dict[str, Fraction] = {}
    for line in sheet.lines:
        number = facts.get(line.text.fact)
        if isinstance(number, int | Fraction):
            margin = margins[line.text.name] = Fraction(number) - line.value
            values[line.text.name] = (margin > 0) - (margin < 0)
    context = context_of(values)
    answers: dict[str, str] = {}
    for answer in sheet.answers:
        given = _answer(answer, context)
        if given is not None:
            answers[answer.text.name] = given
            context.add_variable(answer.text.name, given)
    return View(facts=facts, margins=margins, answers=answers, context=context)


def _visible(value: FactValue) -> bool:
    """Tell whether expressions may see a value: an integer beyond 64 bits would become a float there."""
    return not isinstance(value, int) or abs(value) <= _CEL_MAX


def _answer(answer: ReadyAnswer, context: cel.Context) -> str | None:
    """Return the first choice that fits; None if an earlier one may fit and cannot be decided."""
    for name, when in answer.choices:
        truth = when.decide(context)
        if truth is None:
            return None
        if truth:
            return name
    return answer.text.otherwise


def state_of(without: Truth, given: Truth, *, silent: bool) -> State | None:
    """Say what a rule comes to, decided without and with disclosures; None where it raises nothing.

    A rule that is silent where it cannot decide has nothing to resolve there either.
    """
    if given is True:
        return "raised"
    if given is None:
        return None if silent else "unknown"
    return "resolved" if without is True or (without is None and not silent) else None


class Engine:
    """All chosen packs, ready to take observations."""

    def __init__(self, packs: Sequence[Pack], chosen: Chosen) -> None:
        self._chosen = chosen
        self._packs = tuple(packs)
        self.tables = frozenset(
            name for pack in packs for version in pack.versions for name in version.sheets
        )
        """Observations that some version of some pack asks about."""

    def judge(self, seen: Observation) -> Iterator[Found]:
        """Yield what every rule that counts for an observation has to say about it."""
        for pack in self._packs:
            for version, why in self._chosen.of(pack, seen.at):
                sheet = version.sheets.get(seen.table.name)
                if sheet is not None and sheet.rules:
                    yield from judge_sheet(pack, version, sheet, seen, why)


def judge_sheet(
    pack: Pack, version: Version, sheet: Sheet, seen: Observation, why: ChosenBy
) -> Iterator[Found]:
    """Yield what the rules of one version say about an observation."""
    view = fuller = look(sheet, seen.facts)
    if seen.shown:
        fuller = look(sheet, {**seen.facts, **{name: shown.value for name, shown in seen.shown.items()}})
    for rule in sheet.rules:
        without = rule.when.decide(view.context)
        given = rule.when.decide(fuller.context) if seen.shown else without
        state = state_of(without, given, silent=rule.text.unknown == "silent")
        if state is None:
            continue
        yield Found(
            pack=pack,
            version=version,
            sheet=sheet,
            rule=rule,
            seen=seen,
            why=why,
            state=state,
            view=fuller,
            differs=without is not given or view.answers != fuller.answers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one rule found, not yet written out: most are counted only."""

    pack: Pack
    version: Version
    sheet: Sheet
    rule: ReadyRule
    seen: Observation
    why: ChosenBy
    state: State
    view: View
    differs: bool
    """Whether disclosures changed it."""

    @property
    def severity(self) -> Severity:
        """How soon to ask."""
        text = self.rule.text
        return text.unknown_severity if self.state == "unknown" else text.severity

    @property
    def matter(self) -> str:
        """What makes another finding of this rule the same matter."""
        name = self.rule.text.once_per
        value = self.seen.facts.get(name) if name else None
        return self.seen.subject if value is None else str(value)

    @property
    def id(self) -> str:
        """A short id that stays the same when the ledger is reviewed again."""
        parts = (self.pack.name, self.version.name, self.rule.text.rule, self.seen.subject, self.matter)
        return sha256("\0".join(parts).encode()).hexdigest()[:12]

    def write(self, again: int) -> Finding:
        """Write it out."""
        text = self.rule.text
        days = text.due_days
        return Finding(
            id=self.id,
            pack=self.pack.name,
            rule=text.rule,
            version=self.version.name,
            track=self.version.text.track,
            status=self.version.text.status.value,
            chosen_by=self.why,
            state=self.state,
            severity=self.severity.value,
            at=format_instant(self.seen.at),
            subject=self.seen.subject,
            says=self._filled(text.says),
            asks=self._filled(text.asks),
            due="" if days is None else format_instant(self.seen.at + days * 86_400)[:10],
            due_says="" if days is None else text.due_says,
            entries=tuple(
                Entry(index=one.index, id=one.id, kind=one.kind, role=one.role) for one in self.seen.cites
            ),
            parties=tuple(Party(role=role, did=did) for role, did in self.seen.parties),
            answers={
                name: self.view.answers.get(name, UNKNOWN)
                for name in sorted(self._needed() & self._answers())
            },
            margins=tuple(self._margins()),
            unknown=tuple(self._missing()),
            evidence_for=self._evidence(self.rule.pros),
            evidence_against=self._evidence(self.rule.cons),
            seen_by=self._seen_by(),
            again=again,
        )

    def _answers(self) -> frozenset[str]:
        return frozenset(answer.text.name for answer in self.sheet.answers)

    def _needed(self) -> frozenset[str]:
        """Return every fact, line and answer that the rule rests on."""
        needed = set(self.rule.when.variables)
        for answer in reversed(self.sheet.answers):
            if answer.text.name in needed:
                needed |= answer.needs
        return frozenset(needed)

    def _lines(self) -> list[ReadyLine]:
        needed = self._needed()
        return [line for line in self.sheet.lines if line.text.name in needed]

    def _margins(self) -> Iterator[Margin]:
        for line in self._lines():
            margin = self.view.margins.get(line.text.name)
            if margin is None:
                continue
            value = line.value + margin
            yield Margin(
                line=line.text.name,
                fact=line.text.fact,
                value=decimal(value),
                value_exact=exact(value),
                threshold=line.text.value,
                difference=decimal(margin),
                difference_exact=exact(margin),
                side="above" if margin > 0 else "below" if margin < 0 else "at",
                says=line.text.says,
            )

    def _missing(self) -> Iterator[Missing]:
        facts = {line.text.fact for line in self._lines()} | (self._needed() & set(self.sheet.table.facts))
        for name, fact in self.sheet.table.facts.items():
            if name in facts and name not in self.view.facts:
                yield Missing(fact=name, says=fact.says, why=self.seen.reasons.get(name, fact.missing))

    def _evidence(self, items: Sequence[ReadyEvidence]) -> tuple[str, ...]:
        """Say what holds, and nothing about facts that are not known."""
        known = self.view.facts.keys() | self.view.answers.keys()
        return tuple(
            self._filled(item.says)
            for item in items
            if known >= set(places(item.says))
            and (item.when is None or item.when.decide(self.view.context) is True)
        )

    def _read(self) -> frozenset[str]:
        """Return every fact that the rule, its texts or its evidence read."""
        text = self.rule.text
        weighed = (*self.rule.pros, *self.rule.cons)
        texts = (text.says, text.asks, *(item.says for item in weighed))
        read = {name for words in texts for name in places(words)}
        read |= {name for item in weighed if item.when is not None for name in item.when.variables}
        return self._needed() | read | {line.text.fact for line in self._lines()}

    def _seen_by(self) -> tuple[Seen, ...]:
        if not self.differs:
            return ()
        read = self._read()
        return tuple(
            Seen(
                fact=name,
                statement=shown.opened.statement,
                entry=shown.opened.entry,
                pointer=shown.opened.pointer,
            )
            for name, shown in sorted(self.seen.shown.items())
            if name in read
        )

    def _filled(self, template: str) -> str:
        def value(name: str) -> str:
            if name in self.view.answers:
                return self.view.answers[name]
            found = self.view.facts.get(name)
            if found is None:
                return UNKNOWN
            return measured(found, self.sheet.table.facts[name].unit)

        return filled(template, value)
