"""The engine: observations in, findings out. Rules are indexed by kind of observation, then by time.

For each version that counts, `decide` says what every rule comes to: true, false or unknown. With disclosures each is decided twice, without and with them, so that a finding can say what
a disclosure changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from pseudoledger.audit.review.decide import Decider, View
from pseudoledger.audit.review.dossier import Entry, Finding, Margin, Missing, Party, Seen, State
from pseudoledger.audit.review.expression import Truth
from pseudoledger.audit.review.facts import Observation
from pseudoledger.audit.review.pack import (
    Pack,
    ReadyEvidence,
    ReadyLine,
    ReadyRule,
    Sheet,
    Version,
)
from pseudoledger.audit.review.pack_model import Severity
from pseudoledger.audit.review.words import decimal, exact, filled, measured, places
from pseudoledger.statement.values import format_instant

ChosenBy = Literal["block time", "as-of", "version"]
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which versions are applied: those in force at block time, on one day, or those that are named."""

    as_of: int | None = None
    versions: tuple[str, ...] = ()

    def of(self, pack: Pack) -> tuple[tuple[Version, ...], ChosenBy]:
        """Return the versions of a pack that are applied, and by what; by block time, those in force then."""
        named = tuple(version for version in pack.versions if version.name in self.versions)
        if named:
            return named, "version"
        day = self.as_of
        if day is None:
            return pack.versions, "block time"
        return tuple(version for version in pack.versions if version.counts_at(day)), "as-of"


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
        self.tables = frozenset(
            name for pack in packs for version in pack.versions for name in version.sheets
        )
        """Observations that some version of some pack asks about."""
        self._judges: dict[str, list[SheetJudge]] = {}
        for pack in packs:
            versions, why = chosen.of(pack)
            for version in versions:
                for name, sheet in version.sheets.items():
                    if sheet.rules:
                        self._judges.setdefault(name, []).append(SheetJudge(pack, version, sheet, why))

    def judge(self, seen: Observation) -> Iterator[Found]:
        """Yield what every rule that counts for an observation has to say about it."""
        for judge in self._judges.get(seen.table.name, ()):
            if judge.why != "block time" or judge.version.counts_at(seen.at):
                yield from judge.judge(seen)


class SheetJudge:
    """What one version says about one kind of observation."""

    def __init__(self, pack: Pack, version: Version, sheet: Sheet, why: ChosenBy) -> None:
        self.pack, self.version, self.why = pack, version, why
        self._sheet, self._decider = sheet, Decider(sheet)

    def judge(self, seen: Observation) -> Iterator[Found]:
        """Yield what the rules say about an observation."""
        facts, without = seen.facts, self._decider.decide(seen.facts)
        given = without
        if seen.shown:
            facts = {**facts, **{name: shown.value for name, shown in seen.shown.items()}}
            given = self._decider.decide(facts)
        for rule, one, two in zip(self._sheet.rules, without.truths, given.truths, strict=True):
            state = state_of(one, two, silent=rule.text.unknown == "silent")
            if state is None:
                continue
            yield Found(
                pack=self.pack,
                version=self.version,
                sheet=self._sheet,
                rule=rule,
                seen=seen,
                why=self.why,
                state=state,
                view=View(sheet=self._sheet, facts=facts, answers=given.answers),
                differs=one is not two or without.answers != given.answers,
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
        margins = self.view.margins
        for line in self._lines():
            margin = margins.get(line.text.name)
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
        known, context = self.view.facts.keys() | self.view.answers.keys(), self.view.context
        return tuple(
            self._filled(item.says)
            for item in items
            if known >= set(places(item.says)) and (item.when is None or item.when.decide(context) is True)
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
