"""For every refusal in the rules, a statement that this rule alone refuses."""

import ast
import importlib
import sys
from pathlib import Path

import pytest
from alone import gather

from play.table import rules_of
from pseudoledger.contract.case import refuse
from pseudoledger.contract.rules import common
from pseudoledger.contract.ruleset import released

SCENARIOS = gather()
RULES_DIR = Path(common.__file__).parent


def call_sites():
    """Find every `refuse("code", …)` of the rules: (file, line) to code."""
    found = {}
    for path in sorted(RULES_DIR.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "refuse"
            if named and isinstance(node.args[0], ast.Constant):
                found[path.name, node.lineno] = node.args[0].value
    return found


def refusing_rules(case):
    """Name the rules that refuse the case, in the first stage that does."""
    for stage in rules_of(case).stages[case.payload.type]:
        refusing = [rule for rule in stage if tuple(rule(case))]
        if refusing:
            return refusing
    return []


def resolves(tree, pointer):
    """Tell whether a JSON Pointer leads to a member, or names one that could stand there."""
    *path, last = pointer.split("/")[1:]
    for part in path:
        tree = tree[int(part)] if isinstance(tree, list) else tree[part]
    return int(last) < len(tree) if isinstance(tree, list) else isinstance(tree, dict)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"{s.code}-{s.name}")
def test_one_rule_alone_refuses(scenario):
    case = scenario.play()
    findings = rules_of(case).judge(case)
    assert {finding.code for finding in findings} == {scenario.code}
    assert len(refusing_rules(case)) == 1
    tree = case.payload.model_dump(mode="json", exclude_none=True)
    for finding in findings:
        assert finding.message
        assert finding.field == "" or resolves(tree, finding.field)
        assert finding.entry is None or 0 <= finding.entry < case.index


def test_every_refusal_of_the_source_has_its_scenario(monkeypatch):
    sites, seen, alone_at = call_sites(), [], set()

    def recording(code, message, **where):
        frame = sys._getframe(1)
        seen.append((Path(frame.f_code.co_filename).name, frame.f_lineno))
        return refuse(code, message, **where)

    for path in RULES_DIR.glob("[a-z]*.py"):
        module = importlib.import_module(f"pseudoledger.contract.rules.{path.stem}")
        monkeypatch.setattr(module, "refuse", recording, raising=False)
    for scenario in SCENARIOS:
        seen.clear()
        case = scenario.play()
        rules_of(case).judge(case)
        places = set(seen) & set(sites)
        alone_at |= places if len(places) == 1 else set()
    assert {f"{name}:{line} {sites[name, line]}" for name, line in set(sites) - alone_at} == set()


def test_every_rule_of_every_set_refuses_something_alone():
    refused = {rule for scenario in SCENARIOS for rule in refusing_rules(scenario.play())}
    tables = [stages for rules in released().values() for stages in rules.stages.values()]
    rules = {rule for stages in tables for stage in stages for rule in stage}
    assert {rule.__qualname__ for rule in rules - refused} == set()
