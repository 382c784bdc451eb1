"""What a sheet comes to is the same whether it is remembered or worked out anew."""

from fractions import Fraction
from itertools import pairwise, product

import pytest

from pseudoledger.audit.review import decide
from pseudoledger.audit.review.decide import Decider, look
from pseudoledger.audit.review.engine import Chosen, Engine
from pseudoledger.audit.review.facts import Observation
from pseudoledger.audit.review.observers import TABLES
from pseudoledger.audit.review.pack import pack_files, read_pack

PACKS = [read_pack(path, TABLES) for path in pack_files()]


def sheets(pack):
    return [sheet for version in pack.versions for sheet in version.sheets.values()]


def values(fact):
    """Some values of a fact, and None for one that is not known."""
    return {
        "TRUTH": (True, False, None),
        "INTEGER": (0, 7_776_000, 2**70, None),
        "TEXT": ("CN", "US", "train", None),
        "TEXTS": ((), ("approval-1",), None),
        "RATIO": (Fraction(1, 3), Fraction(10**26), None),
    }[fact.sort.name]


def sights(sheet):
    """Facts that differ from each other in one place, or in two next to each other."""
    names = list(sheet.table.facts)
    base = {name: values(fact)[0] for name, fact in sheet.table.facts.items()}
    for first, second in pairwise(names):
        for one, two in product(values(sheet.table.facts[first]), values(sheet.table.facts[second])):
            mixed = {**base, first: one, second: two}
            yield {name: value for name, value in mixed.items() if value is not None}


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
@pytest.mark.parametrize("remembered", [decide.REMEMBERED_MAX, 2])
def test_a_remembered_decision_is_that_of_a_fresh_look(pack, remembered, monkeypatch):
    monkeypatch.setattr(decide, "REMEMBERED_MAX", remembered)
    for sheet in sheets(pack):
        decider = Decider(sheet)
        for facts in [*sights(sheet), *sights(sheet)]:
            view, decision = look(sheet, facts), decider.decide(facts)
            context = view.context
            assert decision.answers == view.answers
            assert decision.truths == tuple(rule.when.decide(context) for rule in sheet.rules)


def test_sides_are_those_of_the_exact_margin():
    (pack,) = [pack for pack in PACKS if pack.name == "prices"]
    (sheet,) = sheets(pack)
    for value in (Fraction(1, 2) - Fraction(1, 10**30), Fraction(1, 2), Fraction(2), 3):
        view = look(sheet, {"of_ledger": value})
        for line in ("of_ledger_vs_half", "of_ledger_vs_twice"):
            margin = view.margins[line]
            side = (margin > 0) - (margin < 0)
            assert decide._side(next(one for one in sheet.lines if one.text.name == line), view.facts) == side


def test_an_engine_asks_the_versions_of_the_day_alone():
    engine = Engine(PACKS, Chosen())
    facts = {"purpose": "infer", "country": "CN", "papers": (), "number": "L-1"}
    table = TABLES["leased_line"]

    def asked(at):
        seen = Observation(table=table, at=at, subject="x", facts=facts, cites=())
        return {(one.pack.name, one.version.name) for one in engine.judge(seen)}

    filing = ("approvals", "cn-2023-08-15")
    day = 1_692_057_600  # 2023-08-15
    assert (filing in asked(day - 1), filing in asked(day)) == (False, True)
