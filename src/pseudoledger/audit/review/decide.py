"""Deciding one sheet: lines compared exactly, answers given, every rule true, false or unknown.

Expressions of a sheet see a few facts, and of numbers mostly on which side of a line they are. A long ledger
shows them the same over and over, so what a sheet comes to is remembered by what its expressions can see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from pseudoledger.audit.review.expression import CelValue, Expression, Truth, context_of
from pseudoledger.audit.review.facts import FactValue, Sort
from pseudoledger.audit.review.pack import ReadyAnswer, ReadyLine, Sheet

if TYPE_CHECKING:
    import cel

REMEMBERED_MAX = 4_096
"""Decisions of one sheet that are kept; beyond it they are forgotten, all at once."""
_CEL_MAX = 2**63 - 1
_NUMBERS = (int, Fraction)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One observation under one version: facts, and the answers that can be given."""

    sheet: Sheet
    facts: Mapping[str, FactValue]
    answers: Mapping[str, str]
    """Answers that can be given."""

    @property
    def margins(self) -> dict[str, Fraction]:
        """How far facts are above their lines, by line; nothing for facts that are not known."""
        found = {}
        for line in self.sheet.lines:
            number = self.facts.get(line.text.fact)
            if isinstance(number, _NUMBERS):
                found[line.text.name] = Fraction(number) - line.value
        return found

    @property
    def context(self) -> cel.Context:
        """What expressions see, made anew."""
        values = _values(self.sheet, self.facts, self.facts, self.sheet.lines)
        return context_of({**values, **self.answers})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one sheet comes to."""

    answers: Mapping[str, str]
    truths: tuple[Truth, ...]
    """One for each rule, in order."""


class Decider:
    """Decides for one sheet; it works out each different sight of its expressions once."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        expressions = [rule.when for rule in sheet.rules]
        expressions += [when for answer in sheet.answers for _, when in answer.choices]
        read = _variables(expressions)
        self._facts = tuple(name for name in sheet.table.facts if name in read)
        self._lines = tuple(line for line in sheet.lines if line.text.name in read)
        self._decided: dict[tuple[object, ...], Decision] = {}

    def decide(self, facts: Mapping[str, FactValue]) -> Decision:
        """Decide for some facts; raise MalformedError where an expression does not fit their sorts."""
        sight = (*(facts.get(name) for name in self._facts), *(_side(line, facts) for line in self._lines))
        decision = self._decided.get(sight)
        if decision is None:
            if len(self._decided) >= REMEMBERED_MAX:
                self._decided.clear()
            decision = self._decided[sight] = self._work_out(facts)
        return decision

    def _work_out(self, facts: Mapping[str, FactValue]) -> Decision:
        context = context_of(_values(self.sheet, facts, self._facts, self._lines))
        answers = _answers(self.sheet, context)
        truths = tuple(rule.when.decide(context) for rule in self.sheet.rules)
        return Decision(answers=answers, truths=truths)


def look(sheet: Sheet, facts: Mapping[str, FactValue]) -> View:
    """Give the answers of one version for some facts."""
    context = context_of(_values(sheet, facts, facts, sheet.lines))
    return View(sheet=sheet, facts=facts, answers=_answers(sheet, context))


def _variables(expressions: Iterable[Expression]) -> frozenset[str]:
    return frozenset(name for expression in expressions for name in expression.variables)


def _values(
    sheet: Sheet, facts: Mapping[str, FactValue], names: Iterable[str], lines: Iterable[ReadyLine]
) -> dict[str, CelValue]:
    """Return lists, facts and lines as expressions see them; what is not known is left out."""
    values: dict[str, CelValue] = {name: list(items) for name, items in sheet.lists.items()}
    for name in names:
        value = facts.get(name)
        if value is not None and sheet.table.facts[name].sort is not Sort.RATIO and _visible(value):
            values[name] = list(value) if isinstance(value, tuple) else value  # type: ignore[assignment]
    for line in lines:
        side = _side(line, facts)
        if side is not None:
            values[line.text.name] = side
    return values


def _side(line: ReadyLine, facts: Mapping[str, FactValue]) -> int | None:
    """Return -1, 0 or 1 for a fact below, at or above a line; None where it is not known.

    Cross products of whole numbers rather than a difference of fractions, which would be reduced each time.
    """
    number = facts.get(line.text.fact)
    if not isinstance(number, _NUMBERS):
        return None
    ours = number.numerator * line.value.denominator
    theirs = line.value.numerator * number.denominator
    return (ours > theirs) - (ours < theirs)


def _visible(value: FactValue) -> bool:
    """Tell whether expressions may see a value: an integer beyond 64 bits would become a float there."""
    return not isinstance(value, int) or abs(value) <= _CEL_MAX


def _answers(sheet: Sheet, context: cel.Context) -> dict[str, str]:
    """Give the answers in order; each is a variable of what comes after it."""
    answers = {}
    for answer in sheet.answers:
        given = _answer(answer, context)
        if given is not None:
            answers[answer.text.name] = given
            context.add_variable(answer.text.name, given)
    return answers


def _answer(answer: ReadyAnswer, context: cel.Context) -> str | None:
    """Return the first choice that fits; None if an earlier one may fit and cannot be decided."""
    for name, when in answer.choices:
        truth = when.decide(context)
        if truth is None:
            return None
        if truth:
            return name
    return answer.text.otherwise
