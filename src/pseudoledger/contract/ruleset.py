"""Released rule sets, by the hash of the file that describes them.

A released rule set never changes behaviour; a fix is a new set, and the program ships all released ones. The
file in `contracts/rules/` lists kinds, limits and rules by name; its hash stands in the ledger. A ledger that
names a set or tables which this program does not have cannot be judged here, and says so.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pseudoledger.contract.book import Book, ReadMany
from pseudoledger.contract.case import Case, Rule
from pseudoledger.contract.judge import under
from pseudoledger.contract.rules.common import fetch_seals
from pseudoledger.contract.tables import Tables, file_hash, load, shipped, shipped_pins
from pseudoledger.contract.things import Pins
from pseudoledger.errors import Finding, VerificationError
from pseudoledger.statement.envelope import Statement
from pseudoledger.statement.kinds import Kind, Payload
from pseudoledger.statement.kinds.delivery import SERIALS_MAX
from pseudoledger.statement.kinds.ledger import Policy
from pseudoledger.statement.kinds.market import LINES_MAX, REFS_MAX
from pseudoledger.statement.payload import DEPTH_MAX, ITEMS_MAX, parse

NAMES = ("pseudoledger-1", "pseudoledger-2", "pseudoledger-3")
"""Every rule set by its number, which its name ends with; new ledgers are founded with the last one."""
IN_PREPARATION: frozenset[str] = frozenset()
"""Sets that are not released: what they list and the file that describes them may still change.

Releasing one is taking it out here and freezing its golden ledger (`tools/golden.py`). No ledger that is meant
to last is founded under a set in preparation.
"""
NEWEST = NAMES[-1]
"""Name of the rule set that new ledgers are founded with."""


class CannotJudge(VerificationError):
    """The ledger names rules or tables that this program does not have: not "valid", not "invalid"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """One rule set: its name and hash, what it lists, and its two functions."""

    number: int
    name: str
    sha256: str
    kinds: Mapping[tuple[str, int], Kind]
    """The kinds that it has, by (type, v); any other is unknown under it."""
    stages: Mapping[str, tuple[tuple[Rule, ...], ...]]
    """Its rules, for those who describe them."""
    judge: Callable[[Case], tuple[Finding, ...]]
    fold: Callable[[Case], None]

    def version_of(self, kind: str) -> int:
        """Return the version of a kind that it has; 1 for a kind that it does not know, which it will refuse."""
        return next((v for name, v in self.kinds if name == kind), 1)


@lru_cache(maxsize=1)
def released() -> dict[str, RuleSet]:
    """Return every rule set of this program by its hash."""
    sets = (_rule_set(number, name) for number, name in enumerate(NAMES, 1))
    return {rule_set.sha256: rule_set for rule_set in sets}


def _rule_set(number: int, name: str) -> RuleSet:
    listed = under(number)
    return RuleSet(
        number=number,
        name=name,
        sha256=file_hash(shipped(f"rules/{name}.json")),
        kinds=listed.kinds,
        stages=listed.stages,
        judge=listed.judge,
        fold=listed.fold,
    )


def newest() -> RuleSet:
    """Return the rule set that new ledgers are founded with."""
    return named(NEWEST)


def named(name: str) -> RuleSet:
    """Return the rule set of a name."""
    return next(rule_set for rule_set in released().values() if rule_set.name == name)


def newest_tables() -> tuple[tuple[str, str], ...]:
    """Return (name, sha256) of the tables that new ledgers are founded with."""
    return shipped_pins()


def rules_for(pins: Pins) -> RuleSet:
    """Return the rule set that pins name; raise CannotJudge if this program does not have it."""
    found = released().get(pins.rules[1])
    if found is None:
        raise CannotJudge(
            f"the ledger uses rule set {pins.rules[0]} ({pins.rules[1][:16]}…), which this program does not have",
            hint="use a newer pseudoledger",
        )
    return found


def tables_for(pins: Pins) -> Tables:
    """Return the tables that pins name; raise CannotJudge if this program does not have them."""
    found = load(pins.tables)
    if found is None:
        raise CannotJudge(
            "the ledger uses tables that this program does not have", hint="use a newer pseudoledger"
        )
    return found


@lru_cache(maxsize=8)
def _policy(text: str) -> Policy:
    return Policy.model_validate_json(text)


def policy_of(pins: Pins) -> Policy:
    """Return the policy of pins, read once."""
    return _policy(pins.policy)


@lru_cache(maxsize=8)
def _in_force(pins: Pins) -> tuple[RuleSet, Tables, Policy]:
    """Gather what pins name, once: a court sits for every block."""
    return rules_for(pins), tables_for(pins), policy_of(pins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Court:
    """Judges statements at one block time by what the ledger has in force then; made once per batch."""

    book: Book
    rules: RuleSet
    tables: Tables
    policy: Policy
    now: int

    @classmethod
    def sitting(cls, book: Book, pins: Pins, now: int) -> Court:
        """Gather rules, tables and policy; raise CannotJudge if this program does not have them."""
        rules, tables, policy = _in_force(pins)
        return cls(book=book, rules=rules, tables=tables, policy=policy, now=now)

    def read(self, raw: bytes) -> Payload:
        """Read a payload; raise MalformedError as `parse` does, also for kinds that the rule set does not have."""
        return parse(raw, self.rules.kinds)

    def foresee(self, payloads: Iterable[bytes], read_many: ReadMany) -> None:
        """Read at once what rules will ask about some payloads, verified or not; it changes no answer."""
        fetch_seals(self.book, payloads, read_many)

    def admit(self, statement: Statement, payload: Payload, index: int) -> tuple[Finding, ...]:
        """Judge a statement and, if nothing speaks against it, take it into the book."""
        case = self._case(statement, payload, index)
        findings = self.rules.judge(case)
        if not findings:
            self.rules.fold(case)
        return findings

    def fold(self, statement: Statement, payload: Payload, index: int) -> None:
        """Take a statement into the book that was judged elsewhere: a block."""
        self.rules.fold(self._case(statement, payload, index))

    def _case(self, statement: Statement, payload: Payload, index: int) -> Case:
        return Case(
            book=self.book,
            statement=statement,
            payload=payload,
            now=self.now,
            index=index,
            tables=self.tables,
            policy=self.policy,
        )


_LIMITS = {
    "depth": DEPTH_MAX,
    "items": ITEMS_MAX,
    "lines": LINES_MAX,
    "references": REFS_MAX,
    "serials": SERIALS_MAX,
}


def describe(number: int) -> bytes:
    """Write the file that describes the rule set of a number, from the rules themselves."""
    listed = under(number)
    kinds = {
        kind.name: {
            "v": kind.v,
            "sub": kind.subject.value,
            "rules": [
                {"rule": rule.__name__, "says": (inspect.getdoc(rule) or "").split("\n")[0]}
                for stage in listed.stages[kind.name]
                for rule in stage
            ],
        }
        for kind in listed.kinds.values()
    }
    described = {"name": NAMES[number - 1], "limits": _LIMITS, "kinds": kinds}
    return (json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode()
