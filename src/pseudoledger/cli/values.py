"""What people type, read into the values of payloads: times, lengths, amounts, prices and lines.

Everything here raises WrongUse naming the option, and decides nothing: whether an amount is right, or a line
exists, is for the rules.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from pseudoledger.cli.failure import WrongUse
from pseudoledger.contract.tables import Tables
from pseudoledger.errors import MalformedError
from pseudoledger.identity.keys import key_from_did
from pseudoledger.statement.values import (
    INTEGER_MAX,
    date_seconds,
    format_instant,
    format_length,
    instant_seconds,
    length_seconds,
)

HOST_RESOURCES = ("cpu_core", "memory_gib", "storage_gib")
_DECIMAL = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,40})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_LENGTH = re.compile(r"(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,8})s)?", re.ASCII)
_STOCK = re.compile(r"(?:([a-z0-9][a-z0-9-]*)=)?([1-9][0-9]{0,9}) ?[x*] ?(.+)", re.ASCII)
_PRICED = re.compile(r"([a-z0-9][a-z0-9-]*)=([1-9][0-9]{0,9}) ?@ ?(.+)", re.ASCII)


def instant(text: str, option: str) -> int:
    """Read a date or an RFC 3339 time into Unix seconds."""
    try:
        if _DATE.fullmatch(text):
            return date_seconds(text)
        if text.endswith("Z"):
            return instant_seconds(text)
        read = datetime.fromisoformat(text)
        if read.tzinfo is not None and not read.microsecond:
            return instant_seconds(read.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    except (MalformedError, ValueError, OverflowError):
        raise _wrong(text, option, "a date or time", "2026-03-01 or 2026-03-01T12:00:00Z") from None
    raise _wrong(text, option, "a time with zone, in whole seconds", "2026-03-01T12:00:00Z")


def instant_text(text: str, option: str) -> str:
    """Read a date or time and write it as payloads do."""
    return format_instant(instant(text, option))


def length(text: str, option: str) -> str:
    """Read a length such as P30D, 30d or 1d12h and write it as payloads do."""
    try:
        length_seconds(text)
    except MalformedError:
        match = _LENGTH.fullmatch(text.strip().lower())
        if match is None or not any(match.groups()):
            raise _wrong(text, option, "a length", "30d, 12h, 1d12h or P30D") from None
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        total = days * 86_400 + hours * 3600 + minutes * 60 + seconds
        if total == 0 or total >= 1_000_000 * 86_400:
            raise _wrong(text, option, "a length above zero", "30d") from None
        return format_length(total)
    return text


def period(start: str, until: str | None, lasting: str | None) -> dict[str, str]:
    """Read `--from` with either `--until` or `--length` into a period."""
    first = instant(start, "--from")
    if (until is None) == (lasting is None):
        raise WrongUse(
            "give either --until or --length", hint="--from 2026-03-01 --length 30d, or --until 2026-03-31"
        )
    last = (
        instant(until, "--until")
        if until is not None
        else first + length_seconds(length(lasting or "", "--length"))
    )
    if last <= first:
        raise WrongUse(
            "--until does not lie after --from", hint="periods run from the first moment to the second"
        )
    return {"from": format_instant(first), "until": format_instant(last)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Money as it stands in payloads."""

    minor: int
    currency: str


def amount(text: str, option: str, exponents: Mapping[str, int], currency: str | None = None) -> Amount:
    """Read `12873.60 USD`; the currency may be left out where `currency` says it."""
    number, _, code = text.strip().partition(" ")
    code = code.strip().upper() or (currency or "")
    if not code:
        raise _wrong(text, option, "an amount with its currency", "12873.60 USD")
    if code not in exponents:
        raise _unknown(code, option, "a currency of the ledger's table", exponents)
    if currency is not None and code != currency:
        raise WrongUse(f"{option}: the amount is in {code}, here it has to be in {currency}")
    minor = _scaled(number, exponents[code], option, text)
    return Amount(minor=minor, currency=code)


def price(text: str, option: str) -> tuple[int, str | None]:
    """Read `2.235/h` or `2.235 USD/h` into millionths, and the currency where it is said."""
    bare = text.strip().removesuffix("/h").strip()
    number, _, code = bare.partition(" ")
    code = code.strip().upper()
    if code and not re.fullmatch("[A-Z]{3}", code):
        raise _wrong(text, option, "a price per hour", "2.235/h or 2.235 USD/h")
    return _scaled(number, 6, option, text, "2.235/h"), code or None


def _scaled(number: str, exponent: int, option: str, text: str, example: str = "12873.60 USD") -> int:
    value = _decimal(number)
    if value is None:
        raise _wrong(text, option, "an amount", example)
    value *= 10**exponent
    if value > INTEGER_MAX:
        raise _wrong(text, option, "an amount from 0 to 2^53 - 1 units", example)
    if value.denominator != 1:
        raise WrongUse(f"{option}: {text!r} has more than {exponent} decimals")
    return int(value)


def _decimal(text: str) -> Fraction | None:
    """Read a decimal number as it is written on paper, exactly; None for anything else."""
    return Fraction(text) if _DECIMAL.fullmatch(text) else None


def resource(text: str, option: str, tables: Tables) -> dict[str, str]:
    """Read a chip of the chip table, or cpu_core, memory_gib, storage_gib."""
    name = text.strip()
    if name in HOST_RESOURCES:
        return {"resource": name}
    if name not in tables.chips:
        raise _unknown(name, option, "a resource", (*HOST_RESOURCES, *tables.chips))
    return {"resource": "chip", "chip": name}


def stock_line(text: str, number: int, option: str, tables: Tables) -> dict[str, Any]:
    """Read `ID=COUNTxRESOURCE`, e.g. h100=8xnvidia-h100-sxm5-80gb; the id may be left out."""
    name, count, what = _stock(text, option)
    return {"id": name or f"l{number}", "count": count, **resource(what, option, tables)}


def demand_line(text: str, number: int, option: str, tables: Tables) -> dict[str, Any]:
    """Read `ID=COUNTxRESOURCE|RESOURCE…`: any of the alternatives would do."""
    name, count, what = _stock(text, option)
    alternatives = [resource(part, option, tables) for part in what.split("|")]
    return {"id": name or f"l{number}", "count": count, "alternatives": alternatives}


def _stock(text: str, option: str) -> tuple[str | None, int, str]:
    match = _STOCK.fullmatch(text.strip())
    if match is None:
        raise _wrong(text, option, "a line", "h100=8xnvidia-h100-sxm5-80gb")
    return match[1], int(match[2]), match[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedLine:
    """So many of a line at a price: per hour, or a fee once."""

    line: str
    count: int
    price_micro: int | None
    fee_minor: int | None

    def rate(self, basis: str) -> dict[str, Any]:
        """Return the line's rate of a tariff."""
        if self.fee_minor is not None:
            return {"line": self.line, "basis": "once", "fee_minor": self.fee_minor}
        return {"line": self.line, "basis": basis, "price_micro": self.price_micro}


def priced_line(text: str, option: str, currency: str, exponents: Mapping[str, int]) -> PricedLine:
    """Read `LINE=COUNT@PRICE/h`, or `LINE=COUNT@FEE once`."""
    match = _PRICED.fullmatch(text.strip())
    if match is None:
        raise _wrong(text, option, "a priced line", "h100=8@2.235/h, or setup=1@500.00 once")
    line, count, said = match[1], int(match[2]), match[3].strip()
    if said.endswith("once"):
        fee = amount(said.removesuffix("once").strip(), option, exponents, currency)
        return PricedLine(line=line, count=count, price_micro=None, fee_minor=fee.minor)
    micro, code = price(said, option)
    if code is not None and code != currency:
        raise WrongUse(f"{option}: the price is in {code}, here it has to be in {currency}")
    return PricedLine(line=line, count=count, price_micro=micro, fee_minor=None)


def currency_code(text: str, option: str, exponents: Mapping[str, int]) -> str:
    """Read a currency of the ledger's table."""
    code = text.strip().upper()
    if code not in exponents:
        raise _unknown(code, option, "a currency of the ledger's table", exponents)
    return code


def country(text: str, option: str) -> str:
    """Read a country code of two letters."""
    code = text.strip().upper()
    if not re.fullmatch("[A-Z]{2}", code):
        raise _wrong(text, option, "a country code of two letters", "FI, or ZZ where it is unknown")
    return code


def place(text: str, option: str) -> dict[str, str]:
    """Read a country, or a subdivision of one: DE, or DE-HE."""
    code, dash, rest = text.strip().upper().partition("-")
    said = {"country": country(code, option)}
    return {**said, "subdivision": f"{code}-{rest}"} if dash else said


def http_url(text: str, option: str) -> str:
    """Check the URL of a node, or of what a file server holds."""
    if not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", text):
        raise _wrong(text, option, "an http or https URL", "http://127.0.0.1:8080")
    return text


def pair(text: str, option: str, example: str) -> tuple[str, str]:
    """Read NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise _wrong(text, option, "NAME=VALUE", example)
    return name.strip(), value.strip()


def pairs(texts: Iterable[str], option: str, example: str) -> dict[str, str]:
    """Read NAME=VALUE of several names; raise WrongUse for a name that is given twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, value = pair(text, option, example)
        if name in found:
            raise WrongUse(f"{option}: {name} is given twice", hint="give one value for each")
        found[name] = value
    return found


def residency(text: str, option: str) -> dict[str, Any]:
    """Read DATASET=DE,FR: where a data set may be."""
    name, countries = pair(text, option, "patients=DE,FR")
    return {"data_set": name, "countries": [country.strip().upper() for country in countries.split(",")]}


def tax(text: str, option: str) -> dict[str, Any]:
    """Read a tax category and rate: `S 19`, `O`, `AE`."""
    category, _, rate = text.strip().partition(" ")
    percent = _scaled(rate.strip().removesuffix("%") or "0", 2, option, text, "S 19")
    return {"category": category.upper(), "rate_bps": percent}


def reference(text: str, option: str) -> dict[str, Any]:
    """Read a payment reference: `SEPA:E2E-1` or `eip155:1/0x…#0`."""
    if "/" in text and "#" in text:
        chain, _, rest = text.partition("/")
        tx, _, index = rest.partition("#")
        if re.fullmatch("[0-9]{1,10}", index):
            return {"chain": chain, "tx": tx, "index": int(index)}
    scheme, colon, value = text.partition(":")
    if not (scheme and colon and value) or "#" in text:
        raise _wrong(text, option, "a payment reference", "SEPA:E2E-2026-1, or eip155:1/0x…#0")
    return {"scheme": scheme.upper(), "value": value.upper()}


def choice(text: str, option: str, allowed: Iterable[str]) -> str:
    """Read one of some words."""
    words = tuple(allowed)
    if text not in words:
        raise WrongUse(f"{option}: {text!r} is none of {', '.join(words)}")
    return text


def _wrong(text: str, option: str, form: str, example: str) -> WrongUse:
    return WrongUse(f"{option}: {text!r} is not {form}", hint=f"for example {example}")


def _unknown(name: str, option: str, what: str, known: Iterable[str]) -> WrongUse:
    names = list(known)
    begun = sorted(one for one in names if name and one.lower().startswith(name.lower()))
    # What was typed in part comes before what is spelt alike: nvidia-h200 means no nvidia-b200.
    near = list(dict.fromkeys([*begun, *difflib.get_close_matches(name, names, n=3, cutoff=0.4)]))[:3]
    return WrongUse(
        f"{option}: {name!r} is not {what}", hint=f"did you mean {' or '.join(near)}?" if near else ""
    )


def share(text: str, option: str) -> int:
    """Read a number such as 0.6 into millionths."""
    return _scaled(text.strip(), 6, option, text, "0.6")


def unit_seconds(text: str, option: str) -> int:
    """Read unit-hours such as 672 or 671.5 into unit-seconds."""
    value = _decimal(text.strip().removesuffix("h").strip())
    if value is None:
        raise _wrong(text, option, "a number of hours", "671.5")
    value *= 3600
    if value > INTEGER_MAX or value.denominator != 1:
        raise _wrong(text, option, "hours that make whole seconds", "671.5")
    return int(value)


def seconds(text: str, option: str) -> int:
    """Read a length, or 0, into seconds."""
    return 0 if text.strip() in {"0", "0s", "0h"} else length_seconds(length(text, option))


def did(text: str, option: str) -> str:
    """Read a whole did:key."""
    try:
        key_from_did(text)
    except MalformedError as error:
        raise WrongUse(f"{option}: {error.message}") from None
    return text


def percent(text: str, option: str) -> int:
    """Read a share such as 45 or 45.5 % into hundredths of a percent."""
    bps = _scaled(text.strip().removesuffix("%").strip(), 2, option, text, "45.5")
    if bps > 10_000:
        raise _wrong(text, option, "a share up to 100 percent", "45")
    return bps
