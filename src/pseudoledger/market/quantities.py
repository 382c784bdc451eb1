"""Sizes and amounts as foreign files write them, read exactly: `0.25`, `100m`, `512Mi`, `1.5T`, `5.18`.

Fractions throughout, so nothing is rounded here. Whoever makes an integer of one states its rule.
"""

from __future__ import annotations

import re
from fractions import Fraction

from pseudoledger.errors import MalformedError
from pseudoledger.market.report import shown

GIB = 2**30
MICRO = 1_000_000
_SUFFIXES: dict[str, int] = {
    "": 1,
    **{name: 1000**power for power, name in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{name: 1024**power for power, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)(k|Ki|[MGTPE]i?)?", re.ASCII)
_DECIMAL = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE]([+-]?[0-9]{1,2}))?", re.ASCII)
_MILLI = re.compile(r"([0-9]{1,9})m", re.ASCII)
_COUNT = re.compile(r"([0-9]{1,9})(?:\.0{1,9})?", re.ASCII)


def decimal(text: str) -> Fraction:
    """Read a non-negative decimal number such as `5.18` or `1e-06`; raise MalformedError."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise MalformedError(f"{shown(text)} is not a decimal number", code="import.number")
    digits: str = match[1]
    power = int(match[2] or 0)
    scale: int = 10 ** abs(power)
    return Fraction(digits) * scale if power >= 0 else Fraction(digits) / scale


def count(text: str) -> int:
    """Read a non-negative whole number, `8` or `8.0`; raise MalformedError."""
    match = _COUNT.fullmatch(text)
    if match is None:
        raise MalformedError(f"{shown(text)} is not a whole number", code="import.number")
    return int(match[1])


def cores(text: str) -> Fraction:
    """Read CPU units, `2`, `0.5` or `100m` (thousandths of a core); raise MalformedError."""
    match = _MILLI.fullmatch(text)
    return Fraction(int(match[1]), 1000) if match else decimal(text)


def size_bytes(text: str) -> Fraction:
    """Read a size in bytes, `512Mi` or `100G`; raise MalformedError."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise MalformedError(
            f"{shown(text)} is not a size of the form 512Mi (k, Ki, M, Mi, G, Gi, T, Ti …)",
            code="import.number",
        )
    digits: str = match[1]
    return Fraction(digits) * _SUFFIXES[match[2] or ""]


def whole_up(value: Fraction) -> int:
    """Round up to a whole number: a need is never understated."""
    return -(-value.numerator // value.denominator)


def whole_down(value: Fraction) -> int:
    """Round down to a whole number: supply and ceilings are never overstated."""
    return value.numerator // value.denominator


def plain(value: Fraction, places: int = 9) -> str:
    """Write a non-negative fraction as a decimal for a message, cut after `places` digits."""
    scaled = whole_down(value * 10**places)
    whole, rest = divmod(scaled, 10**places)
    digits = f"{rest:0{places}}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
