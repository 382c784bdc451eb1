"""Expressions of rule packs: CEL, compiled once, answered true, false or unknown, and never with a float.

CEL's own logic is three-valued where a variable has no value: `a || b` is true if one of them is, whatever
the other would be, and an error only where the answer depends on what has no value. A fact that is not known is
therefore left out of the context, and the error that names an undefined variable means: unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from pseudoledger.errors import MalformedError

if TYPE_CHECKING:
    import cel

CelValue: TypeAlias = bool | int | str | list[str]
Truth: TypeAlias = bool | None
"""None means unknown."""

_TEXTS = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_FLOAT = re.compile(r"(?<![\w.])(?:\d+\.\d|\d+[eE][+-]?\d|\.\d)")
_FORBIDDEN = frozenset({"double", "timestamp", "duration", "bytes"})
"""Functions whose values are no exact integers or texts."""


class Expression:
    """One compiled expression that answers yes, no or unknown."""

    def __init__(self, source: str, place: str) -> None:
        """Compile; `place` says where it stands. Raises MalformedError."""
        import cel

        self.source, self.place = source, place
        if _FLOAT.search(_TEXTS.sub("''", source)):
            raise MalformedError(
                f"{place}: a decimal number stands in {source!r}",
                code="pack.expression",
                hint="declare a line with its value as text and compare the line with 0",
            )
        try:
            self._program = cel.compile(source)
            found = self._program.references()
        except ValueError as error:
            first = str(error).splitlines()[0]
            raise MalformedError(
                f"{place}: {source!r} is no CEL expression: {first}", code="pack.expression"
            ) from None
        bound = set(re.findall(r"\.(?:all|exists|exists_one|filter|map)\(\s*([a-z]\w*)\s*,", source))
        self.variables = frozenset(found["variables"]) - bound
        bad = _FORBIDDEN.intersection(found["functions"])
        if bad:
            raise MalformedError(
                f"{place}: {source!r} uses {', '.join(sorted(bad))}(): expressions hold integers and texts alone",
                code="pack.expression",
            )

    def decide(self, context: cel.Context) -> Truth:
        """Evaluate; raise MalformedError if the expression cannot be applied to values of these sorts."""
        try:
            answer = self._program.execute(context)
        except RuntimeError as error:
            if "Undefined variable" in str(error):
                return None
            raise self._unfit(error) from None
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise self._unfit(error) from None
        if not isinstance(answer, bool):
            raise MalformedError(
                f"{self.place}: {self.source!r} yields {type(answer).__name__}, not true or false",
                code="pack.expression",
            )
        return answer

    def _unfit(self, error: Exception) -> MalformedError:
        first = (str(error).splitlines() or [""])[0]
        return MalformedError(f"{self.place}: {self.source!r}: {first[:200]}", code="pack.expression")


def context_of(values: Mapping[str, CelValue]) -> cel.Context:
    """Make the context in which all expressions of one version are decided for one observation."""
    import cel

    return cel.Context(variables=dict(values))
