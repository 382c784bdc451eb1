"""How values are written for people: amounts, times, shares. The same in every language, digits 0 to 9, UTC.

The words around them come from the catalogues; a figure with its unit sign is technical text and is isolated
by the templates.
"""

from __future__ import annotations

from collections.abc import Mapping

from pseudoledger.statement.values import format_instant, length_seconds

ID_SHOWN = 12
DID_SHOWN = 12


def number(value: int) -> str:
    """Write an integer in groups of three digits."""
    return f"{value:,}"


def money(minor: int, currency: str, exponents: Mapping[str, int]) -> str:
    """Write minor units as an amount with its currency, e.g. 12,873.60 USD."""
    exponent = exponents.get(currency, 0)
    whole, rest = divmod(abs(minor), 10**exponent)
    fraction = f".{rest:0{exponent}}" if exponent else ""
    return f"{'-' if minor < 0 else ''}{whole:,}{fraction} {currency}"


def price(micro: int, currency: str) -> str:
    """Write a unit price in micro-units, e.g. 2.235 USD, with at least two decimals."""
    whole, rest = divmod(micro, 1_000_000)
    return f"{whole:,}.{f'{rest:06}'.rstrip('0').ljust(2, '0')} {currency}"


def hours(unit_seconds: int) -> str:
    """Write unit-seconds as unit-hours with two decimals, cut off."""
    return f"{unit_seconds // 3600:,}.{unit_seconds % 3600 * 100 // 3600:02}"


def share(parts: int, whole: int) -> str:
    """Write a share as a percentage without needless zeros: 995000 of a million is 99.5 %."""
    scaled = parts * 1_000_000 // whole
    whole_percent, rest = divmod(scaled, 10_000)
    fraction = f"{rest:04}".rstrip("0")
    return f"{whole_percent}{'.' + fraction if fraction else ''}\u00a0%"


def moment(seconds: int) -> str:
    """Write a Unix time, UTC, to the minute or, where it has any, the second."""
    text = format_instant(seconds)
    return f"{text[:10]} {text[11:16] if text[17:19] == '00' else text[11:19]}"


def day(seconds: int) -> str:
    """Write the UTC date of a Unix time."""
    return format_instant(seconds)[:10]


def instant(seconds: int) -> str:
    """Write a Unix time for the `datetime` attribute."""
    return format_instant(seconds)


def short_id(text: str) -> str:
    """Shorten a hash."""
    return f"{text[:ID_SHOWN]}…"


def short_did(did: str) -> str:
    """Shorten a did:key to what tells it apart."""
    key = did.removeprefix("did:key:")
    return f"{key[:DID_SHOWN]}…"


def span(length: str) -> list[tuple[str, int]]:
    """Take a length `P[nD][T[nH][nM][nS]]` apart for words: (unit, number) for each part that it has."""
    total = length_seconds(length)
    parts = (
        ("day", total // 86_400),
        ("hour", total // 3600 % 24),
        ("minute", total // 60 % 60),
        ("second", total % 60),
    )
    return [(unit, number) for unit, number in parts if number]
