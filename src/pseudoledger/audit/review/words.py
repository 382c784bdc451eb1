"""How values of findings are written for people: fractions as decimals, never rounded up over a line."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from pseudoledger.audit.review.facts import FactValue

DECIMALS = 6
"""Decimals of a fraction that is not finite; they are cut off, and an ellipsis says so."""
_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_LARGE = 10**15


def decimal(value: Fraction, decimals: int = DECIMALS) -> str:
    """Write a fraction as decimal text, whole where it is finite in so many decimals, cut off otherwise."""
    sign = "-" if value < 0 else ""
    whole, rest = divmod(abs(value.numerator), value.denominator)
    if whole >= _LARGE:
        return f"{sign}{_grouped(whole)}"
    digits = rest * 10**decimals // value.denominator
    exact = rest * 10**decimals % value.denominator == 0
    fraction = f"{digits:0{decimals}}" if decimals else ""
    if exact:
        fraction = fraction.rstrip("0")
    return f"{sign}{_grouped(whole)}{'.' + fraction if fraction else ''}{'' if exact else '…'}"


def exact(value: Fraction) -> str:
    """Write a fraction exactly: an integer, or numerator/denominator."""
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


def written(value: FactValue) -> str:
    """Write the value of a fact."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return _grouped(value)
        case Fraction():
            return decimal(value)
        case str():
            return value
        case tuple():
            return ", ".join(value) or "none"


def measured(value: FactValue, unit: str) -> str:
    """Write the value of a fact as its unit asks: seconds as days and hours, micro-units as an amount."""
    if isinstance(value, bool) or not isinstance(value, int):
        return written(value)
    if unit == "s":
        return duration(value)
    if unit == "micro":
        return decimal(Fraction(value, 1_000_000))
    return written(value)


def duration(seconds: int) -> str:
    """Write seconds as days and hours, or as minutes and seconds where they are short."""
    days, rest = divmod(seconds, 86_400)
    parts = ((days, "d"), (rest // 3600, "h"), (rest // 60 % 60, "min"), (rest % 60, "s"))
    shown = [f"{number:,} {unit}" for number, unit in parts if number][:2]
    return " ".join(shown) or "0 s"


def places(template: str) -> list[str]:
    """Return the names that stand in braces in a text."""
    return _PLACE.findall(template)


def filled(template: str, value: Callable[[str], str]) -> str:
    """Put values into a text."""
    return _PLACE.sub(lambda match: value(match[1]), template)


def _grouped(value: int) -> str:
    """Write an integer in groups of three, a very large one cut to three digits and a power of ten."""
    if abs(value) < _LARGE:
        return f"{value:,}"
    digits = str(abs(value))
    return f"{'-' if value < 0 else ''}{digits[0]}.{digits[1:3]}e{len(digits) - 1}"
