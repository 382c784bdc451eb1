"""Scenarios in which one rule alone refuses: each names its code and puts one statement before the book."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from play import Deal, Table
from pseudoledger.contract.case import Case


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is refused, with which code, and what the scenario shows."""

    code: str
    name: str
    play: Callable[[], Case]


SCENARIOS: list[Scenario] = []


def alone(code):
    """Register a scenario: a function without arguments that returns the case to judge."""

    def keep(function):
        SCENARIOS.append(Scenario(code, function.__name__, function))
        return function

    return keep


def put(on: Deal | Table, who, tree, sub=None, **options) -> Case:
    """Sign a payload and put it before the book."""
    table = on.table if isinstance(on, Deal) else on
    return table.case(table.sign(who, tree, sub, **options))


def gather() -> list[Scenario]:
    """Import every `alone_*.py` beside this file, and return all scenarios."""
    for path in sorted(Path(__file__).parent.glob("alone_*.py")):
        importlib.import_module(path.stem)
    return SCENARIOS
