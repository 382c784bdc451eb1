"""Judging and folding: every kind's rules and its fold, in one table.

`judge` is a pure function of the case; `fold` takes an accepted statement into the book. The registrar, the
verifier and every mirror call the same two.
"""

from __future__ import annotations

from types import MappingProxyType

from pseudoledger.contract import amounts, apart, book, case, derive, stock
from pseudoledger.contract.case import Case, Rule
from pseudoledger.contract.rules import (
    amendment,
    bid,
    common,
    delivery,
    ending,
    identity,
    invoice,
    invoice_lines,
    lease,
    ledger,
    market,
    payment,
    sublease,
    terms,
    usage,
)
from pseudoledger.errors import Finding
from pseudoledger.statement.kinds import KINDS

_PARTY_FAMILIES = (market, bid, lease, ending, amendment, delivery, usage, invoice, payment)


def _stages() -> dict[str, tuple[tuple[Rule, ...], ...]]:
    """Build for each kind its stages; a stage runs only if those before found nothing."""
    stages: dict[str, tuple[tuple[Rule, ...], ...]] = {"ledger.founded": (ledger.RULES["ledger.founded"],)}
    for kind, rules in {**ledger.RULES, **identity.RULES}.items():
        stages.setdefault(kind, (*common.GATE, rules))
    for family in _PARTY_FAMILIES:
        for kind, rules in family.RULES.items():
            stages[kind] = (*common.GATE, common.ALWAYS, rules)
    return stages


STAGES = MappingProxyType(_stages())
"""Rules of every kind, in stages."""

FOLDS = MappingProxyType(
    {
        **ledger.FOLDS,
        **identity.FOLDS,
        **{kind: fold for family in _PARTY_FAMILIES for kind, fold in family.FOLDS.items()},
    }
)
"""How every kind changes the book."""

_BY_PARTIES = frozenset(kind for family in _PARTY_FAMILIES for kind in family.RULES)


def judge(case: Case) -> tuple[Finding, ...]:
    """Return every reason to refuse the statement; none means that it is accepted."""
    for stage in STAGES[case.payload.type]:
        findings: list[Finding] = []
        for rule in stage:
            findings.extend(rule(case))
        if findings:
            return tuple(findings)
    return ()


def fold(case: Case) -> None:
    """Take an accepted statement into the book."""
    kind = case.payload.type
    if kind in _BY_PARTIES:
        common.remember_issuer(case)
    common.remember_seals(case)
    FOLDS[kind](case)


assert {kind for kind, _ in KINDS} == set(STAGES) == set(FOLDS), "every kind has rules and a fold"

apart.check(
    (
        *(amounts, book, case, common, derive, invoice_lines, stock, sublease, terms),
        *(ledger, identity),
        *_PARTY_FAMILIES,
    )
)
