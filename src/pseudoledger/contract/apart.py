"""Sealable fields and fields that rules read are disjoint: checked when the rules are loaded (formats §2).

Two people may see different things in a sealed field, so no rule may depend on one. What a function can read
is in its compiled form: every attribute it names and every text it could pass to `getattr`. None of these may
be the name of a sealable field. A few fields that are never sealed share their name with one that may be;
the functions that read those are listed here, one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, MappingProxyType, ModuleType

from pseudoledger.statement.kinds import KINDS
from pseudoledger.statement.sealed import sealable_fields

NAMESAKES = MappingProxyType(
    {
        # The public label of an identity; pools and demands have sealable labels.
        "pseudoledger.contract.rules.identity.fold_declared": frozenset({"label"}),
    }
)
"""Functions that read a field which is never sealed but has the name of one that may be."""


def sealable_names() -> frozenset[str]:
    """Return the name of every sealable field of the data dictionary."""
    return frozenset(name for kind in KINDS.values() for name in sealable_fields(kind.model))


def reads(function: FunctionType) -> frozenset[str]:
    """Return every attribute that a function names, and every text that it holds, also in functions inside."""
    return frozenset(_named(function.__code__))


def _named(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _named(constant)
        elif isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple | frozenset):
            yield from (text for text in constant if isinstance(text, str))


def check(modules: Iterable[ModuleType]) -> None:
    """Raise RuntimeError, a bug of the rule set, if a function of these modules could read a sealable field."""
    sealable = sealable_names()
    for module in modules:
        for function in _functions(module):
            place = f"{module.__name__}.{function.__qualname__}"
            read = sealable & (reads(function) - NAMESAKES.get(place, frozenset()))
            if read:
                raise RuntimeError(f"{place} reads what may be sealed: {', '.join(sorted(read))}")


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for value in vars(module).values():
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            yield value
        elif isinstance(value, type) and value.__module__ == module.__name__:
            for member in vars(value).values():
                inner = getattr(member, "fget", None) or getattr(member, "_compute", None) or member
                if isinstance(inner, FunctionType):
                    yield inner
