"""Judging and folding: every kind's rules and its fold, in one table for each rule set.

`Judge.judge` is a pure function of the case; `Judge.fold` takes an accepted statement into the book. The
registrar, the verifier and every mirror call the same two. Rule sets share the functions of `contract.rules`
and differ in which of them they list: a module's `RULES` and `FOLDS` are those of the first set, its `RULES_2`
and `FOLDS_2` what the second one adds or lists anew, `FOLDS_3` the third. A function that a released set lists never changes what
it answers; a set that wants another answer lists another function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any

from pseudoledger.contract import amounts, apart, book, case, claims, derive, stock, vouchers
from pseudoledger.contract.case import Case, Rule
from pseudoledger.contract.rules import (
    affiliate,
    amendment,
    asset,
    bid,
    capital,
    claim,
    common,
    delivery,
    dispute,
    ending,
    freezes,
    identity,
    invoice,
    invoice_later,
    invoice_lines,
    lease,
    ledger,
    market,
    payment,
    programme,
    sublease,
    terms,
    usage,
    voucher,
    voucher_back,
    voucher_redeem,
)
from pseudoledger.contract.rules.common import Fold
from pseudoledger.errors import Finding
from pseudoledger.statement.kinds import Kind, kinds_under

_OWN_FAMILIES = (ledger, identity)
"""Families whose kinds meet the gate and then their own rules alone."""
_PARTY_FAMILIES = (
    *(market, bid, lease, ending, amendment, delivery, usage, invoice, invoice_later, payment),
    claim,
    voucher,
    asset,
    dispute,
    capital,
)
"""Families whose kinds also meet the rules of every statement of a party."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Rules and folds of one rule set, by kind."""

    kinds: Mapping[tuple[str, int], Kind]
    """The kinds that this rule set has, by (type, v)."""
    stages: Mapping[str, tuple[tuple[Rule, ...], ...]]
    """Rules of every kind, in stages; a stage runs only if those before found nothing."""
    folds: Mapping[str, Fold]
    """How every kind changes the book."""
    by_parties: frozenset[str]
    """Kinds after which their issuer has acted."""

    def judge(self, case: Case) -> tuple[Finding, ...]:
        """Return every reason to refuse the statement; none means that it is accepted."""
        for stage in self.stages[case.payload.type]:
            findings: list[Finding] = []
            for rule in stage:
                findings.extend(rule(case))
            if findings:
                return tuple(findings)
        return ()

    def fold(self, case: Case) -> None:
        """Take an accepted statement into the book."""
        kind = case.payload.type
        if kind in self.by_parties:
            common.remember_issuer(case)
        common.remember_seals(case)
        self.folds[kind](case)


def under(number: int) -> Judge:
    """Build what the rule set of a number lists."""
    gate, always = _listed(common, "GATE", number), _listed(common, "ALWAYS", number)
    stages: dict[str, tuple[tuple[Rule, ...], ...]] = {}
    folds: dict[str, Fold] = {}
    for family in (*_OWN_FAMILIES, *_PARTY_FAMILIES):
        before = gate if family in _OWN_FAMILIES else (*gate, always)
        for kind, rules in _table(family, "RULES", number).items():
            stages[kind] = (*before, rules)
        folds |= _table(family, "FOLDS", number)
    stages["ledger.founded"] = stages["ledger.founded"][-1:]
    kinds = kinds_under(number)
    assert {name for name, _ in kinds} == set(stages) == set(folds), "every kind has rules and a fold"
    parties = frozenset(kind for family in _PARTY_FAMILIES for kind in _table(family, "RULES", number))
    return Judge(
        kinds=kinds, stages=MappingProxyType(stages), folds=MappingProxyType(folds), by_parties=parties
    )


def _table(family: ModuleType, name: str, number: int) -> dict[str, Any]:
    """Return a module's table as the rule set of a number has it: later ones add to it or list anew."""
    found: dict[str, Any] = dict(getattr(family, name, {}))
    for later in range(2, number + 1):
        found |= getattr(family, f"{name}_{later}", {})
    return found


def _check_listed_once(name: str) -> None:
    """Raise RuntimeError, a bug of the rule set, if two modules list the same kind: the later one would win."""
    owners: dict[str, str] = {}
    for family in (*_OWN_FAMILIES, *_PARTY_FAMILIES):
        for kind in getattr(family, name, {}):
            other = owners.setdefault(kind, family.__name__)
            if other != family.__name__:
                raise RuntimeError(f"{name} of {kind} stands in {other} and in {family.__name__}")


def _listed(module: ModuleType, name: str, number: int) -> Any:
    """Return a module's list as the newest set up to a number has it."""
    for later in range(number, 1, -1):
        if hasattr(module, f"{name}_{later}"):
            return getattr(module, f"{name}_{later}")
    return getattr(module, name)


for _name in ("RULES", "FOLDS", "RULES_2", "FOLDS_2", "RULES_3", "FOLDS_3"):
    _check_listed_once(_name)

apart.check(
    (
        *(
            affiliate,
            amounts,
            book,
            case,
            claims,
            common,
            derive,
            freezes,
            invoice_lines,
            stock,
            sublease,
            terms,
        ),
        *(vouchers, programme, voucher_back, voucher_redeem),
        *_OWN_FAMILIES,
        *_PARTY_FAMILIES,
    )
)
