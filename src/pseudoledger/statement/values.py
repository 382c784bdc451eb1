"""The values that payloads are made of: formats §9, each with its one spelling.

Shapes are checked here (patterns, ranges, calendar); whether a currency, place or chip exists is a rule,
because the tables are pinned by the ledger and may differ between ledgers. Nothing here reads a clock.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache, partial
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

from pseudoledger.errors import MalformedError

INTEGER_MAX = 2**53 - 1
"""Largest integer in a payload: every JSON reader keeps it exactly (RFC 8785 §3.2.2.3)."""

Reveals = Literal[
    "identity", "place", "time", "money", "hardware", "counterparty", "free_text", "reference", "nothing"
]
"""What a field tells an observer. Trace, pages and documents are generated from these words."""


def note(
    description: str,
    *,
    reveals: Reveals = "nothing",
    unit: str = "",
    sealable: bool = False,
    **constraints: Any,
) -> Any:
    """Describe one field of the data dictionary; a sealable field is optional in the clear."""
    if sealable:
        constraints.setdefault("default", None)
    extra: JsonDict = {"unit": unit, "reveals": reveals, "sealable": sealable}
    return Field(description=description, json_schema_extra=extra, **constraints)


def is_sealable(info: FieldInfo) -> bool:
    """Tell whether a model field may be sealed."""
    extra = info.json_schema_extra
    return isinstance(extra, dict) and extra.get("sealable") is True


class Table(Enum):
    """Marks a text that names a row of a pinned table; whether the row exists is a rule."""

    CHIPS = "chips"
    CURRENCIES = "currencies"
    PLACES = "places"


class Value(BaseModel):
    """Base of every payload object: frozen, strict, nothing beyond the named fields."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", validate_by_alias=True, serialize_by_alias=True
    )


class Sealable(Value):
    """An object some of whose fields may be sealed (RFC 9901 digests, formats §2 "Sealed fields").

    It carries exactly one digest for each sealable field that is not in the clear, so that presence
    tells nothing.
    """

    sd: tuple[Digest, ...] | None = note(
        "Digests of the sealed fields of this object, sorted", alias="_sd", default=None, min_length=1
    )

    @model_validator(mode="after")
    def _one_digest_each(self) -> Self:
        hidden = sum(1 for name in self.sealable_names() if getattr(self, name) is None)
        digests = self.sd or ()
        if len(digests) != hidden:
            raise ValueError(f"_sd must hold {hidden} digests, one for each sealable field not in the clear")
        if any(a >= b for a, b in pairwise(digests)):
            raise ValueError("_sd must be sorted without duplicates")
        return self

    @classmethod
    def sealable_names(cls) -> tuple[str, ...]:
        """Return the names of the fields that may be sealed, in the order of the model."""
        return _sealable_names(cls)


@lru_cache(maxsize=256)
def _sealable_names(model: type[Sealable]) -> tuple[str, ...]:
    return tuple(name for name, info in model.model_fields.items() if is_sealable(info))


def _pattern(pattern: str, *, size_max: int = 300) -> StringConstraints:
    return StringConstraints(pattern=pattern, max_length=size_max)


Digest = Annotated[str, _pattern(r"^[A-Za-z0-9_-]{43}$")]
"""base64url of a SHA-256, without padding."""

Did = Annotated[str, _pattern(r"^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$")]
"""did:key over Ed25519; the point itself is checked where the key is used."""

Ref = Annotated[str, _pattern(r"^[0-9a-f]{64}$")]
"""Statement id in hex."""

Sha256 = Annotated[str, _pattern(r"^[0-9a-f]{64}$")]
"""SHA-256 of some bytes in hex."""

Number = Annotated[str, _pattern(r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$")]
"""The issuer's own number of a document, so that two honest acts in one second stay two."""

LineId = Annotated[str, _pattern(r"^[a-z0-9][a-z0-9-]{0,31}$")]
"""Stable name of a line within its document."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""Free text, at most 200 characters."""

Slug = Annotated[str, _pattern(r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""Name of a table, rule set, file or data set."""

ChipId = Annotated[str, _pattern(r"^[a-z0-9][a-z0-9-]{0,63}$"), Table.CHIPS]
"""A row of the chip table."""

Currency = Annotated[str, _pattern(r"^[A-Z]{3}$"), Table.CURRENCIES]
"""ISO 4217 code; the exponent stands in the pinned table."""

Country = Annotated[str, _pattern(r"^[A-Z]{2}$"), Table.PLACES]
"""ISO 3166-1 alpha-2; HK and MO stay apart from CN; ZZ unknown."""

Subdivision = Annotated[str, _pattern(r"^[A-Z]{2}-[A-Z0-9]{1,3}$"), Table.PLACES]
"""ISO 3166-2."""

MediaType = Annotated[str, _pattern(r"^[a-z0-9][a-z0-9.+-]{0,62}/[a-z0-9][a-z0-9.+-]{0,62}$")]

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Minor = Annotated[int, Field(ge=0, le=INTEGER_MAX)]
"""Money in minor units of its currency."""
PositiveMinor = Annotated[int, Field(ge=1, le=INTEGER_MAX)]
Micro = Annotated[int, Field(ge=0, le=INTEGER_MAX)]
"""A unit price in millionths of the currency's major unit."""
Bps = Annotated[int, Field(ge=0, le=10_000)]
"""A share in hundredths of a percent."""
Seconds = Annotated[int, Field(ge=0, le=INTEGER_MAX)]
BaseUnits = Annotated[str, _pattern(r"^(0|[1-9][0-9]{0,77})$")]
"""A token amount in base units, as a decimal string (uint256 fits)."""

AssetType = Annotated[
    str, _pattern(r"^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}/[-a-z0-9]{3,8}:[-.%a-zA-Z0-9]{1,128}$")
]
"""CAIP-19; lower-case where the namespace ignores case."""
Account = Annotated[str, _pattern(r"^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}:[-.%a-zA-Z0-9]{1,128}$")]
"""CAIP-10; lower-case where the namespace ignores case."""
ChainId = Annotated[str, _pattern(r"^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$")]
"""CAIP-2."""

_INSTANT = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z", re.ASCII)
_LENGTH = re.compile(
    r"P(?:([1-9][0-9]{0,5})D)?(T(?:([1-9][0-9]?)H)?(?:([1-9][0-9]?)M)?(?:([1-9][0-9]?)S)?)?", re.ASCII
)


LAST_SECOND = 253_402_300_799
"""9999-12-31T23:59:59Z, the last instant that can be written."""


@lru_cache(maxsize=65_536)
def instant_seconds(text: str) -> int:
    """Return the Unix time of an instant `YYYY-MM-DDTHH:MM:SSZ`, 1970 to 9999; raise MalformedError."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise MalformedError(
            f"{text!r} is not an instant of the form 2026-03-01T00:00:00Z", code="value.instant"
        )
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    try:
        datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - only the calendar is checked
    except ValueError as error:
        raise MalformedError(
            f"{text!r} is not a real date and time: {error}", code="value.instant"
        ) from error
    if year < 1970:
        raise MalformedError(f"{text!r} lies before 1970", code="value.instant")
    return timegm((year, month, day, hour, minute, second))


@lru_cache(maxsize=64)
def format_instant(seconds: int) -> str:
    """Write a Unix time as an instant; raise MalformedError outside 1970 to 9999."""
    if not 0 <= seconds <= LAST_SECOND:
        raise MalformedError(f"{seconds} s lies outside the years 1970 to 9999", code="value.instant")
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}Z"


@lru_cache(maxsize=4_096)
def length_seconds(text: str) -> int:
    """Return the seconds of a length `P[nD][T[nH][nM][nS]]` in its one spelling; raise MalformedError."""
    match = _LENGTH.fullmatch(text)
    days, time, hours, minutes, seconds = match.groups() if match else (None,) * 5
    h, m, s = int(hours or 0), int(minutes or 0), int(seconds or 0)
    if match is None or text == "P" or time == "T" or h > 23 or m > 59 or s > 59:
        raise MalformedError(
            f"{text!r} is not a length of the form P3DT12H (no zero parts, hours below 24)",
            code="value.length",
        )
    return int(days or 0) * 86_400 + h * 3600 + m * 60 + s


def say_length(text: str) -> str:
    """Return a length as people type it: 30d, 2h, 1d12h."""
    return text.replace("P", "").replace("T", "").lower()


def format_length(seconds: int) -> str:
    """Write a positive number of seconds as a length; raise MalformedError for zero and below."""
    if seconds <= 0:
        raise MalformedError(f"{seconds} s cannot be written as a length", code="value.length")
    days, rest = divmod(seconds, 86_400)
    parts = ((rest // 3600, "H"), (rest // 60 % 60, "M"), (rest % 60, "S"))
    time = "".join(f"{value}{letter}" for value, letter in parts if value)
    return "P" + (f"{days}D" if days else "") + (f"T{time}" if time else "")


@lru_cache(maxsize=16_384)
def date_seconds(text: str) -> int:
    """Return the Unix time at which a date `YYYY-MM-DD` begins; raise MalformedError."""
    return instant_seconds(f"{text}T00:00:00Z")


def block_time_ms(text: str) -> int:
    """Read a block time `YYYY-MM-DDTHH:MM:SS.mmmZ` into milliseconds; raise MalformedError."""
    return instant_seconds(f"{text[:19]}Z") * 1000 + int(text[20:23])


def format_block_time(milliseconds: int) -> str:
    """Write a block time, UTC with milliseconds."""
    return f"{format_instant(milliseconds // 1000)[:19]}.{milliseconds % 1000:03}Z"


def _checked(read: Callable[[str], int], text: str) -> str:
    """Return a text that `read` can read, for a model's field."""
    try:
        read(text)
    except MalformedError as error:
        raise ValueError(error.message) from error
    return text


def _checked_date(text: str) -> str:
    try:
        return _checked(date_seconds, text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a date of the form 2026-03-01") from error


_DATE_SHAPE = "(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME_SHAPE = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_LENGTH_SHAPE = (
    "P(?!$)([1-9][0-9]{0,5}D)?(T(?!$)(([1-9]|1[0-9]|2[0-3])H)?(([1-9]|[1-5][0-9])M)?(([1-9]|[1-5][0-9])S)?)?"
)


def _shape(pattern: str) -> WithJsonSchema:
    """Describe a checked text to JSON Schema, as nearly as a pattern can."""
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


Instant = Annotated[
    str,
    StringConstraints(max_length=20),
    AfterValidator(partial(_checked, instant_seconds)),
    _shape(f"{_DATE_SHAPE}T{_TIME_SHAPE}Z"),
]
"""A second of UTC, `YYYY-MM-DDTHH:MM:SSZ`, 1970 to 9999."""
Length = Annotated[
    str,
    StringConstraints(max_length=24),
    AfterValidator(partial(_checked, length_seconds)),
    _shape(_LENGTH_SHAPE),
]
"""A length of time, `P[nD][T[nH][nM][nS]]`, in its one spelling."""
Date = Annotated[str, StringConstraints(max_length=10), AfterValidator(_checked_date), _shape(_DATE_SHAPE)]
"""A day of UTC, `YYYY-MM-DD`."""


class Period(Value):
    """A half-open stretch of time [from, until)."""

    start: Instant = note("First second of the period", reveals="time", alias="from")
    until: Instant = note("First second after the period", reveals="time")

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if instant_seconds(self.start) >= instant_seconds(self.until):
            raise ValueError(f"the period ends at {self.until}, not after it starts at {self.start}")
        return self

    @classmethod
    def between(cls, start: int, until: int) -> Period:
        """Build a period from two Unix times."""
        return cls.model_validate({"from": format_instant(start), "until": format_instant(until)})

    @property
    def start_seconds(self) -> int:
        """Unix time of the first second."""
        return instant_seconds(self.start)

    @property
    def until_seconds(self) -> int:
        """Unix time of the first second after."""
        return instant_seconds(self.until)

    @property
    def seconds(self) -> int:
        """Length of the period in seconds."""
        return instant_seconds(self.until) - instant_seconds(self.start)


class Document(Value):
    """A document that travels apart, named by its hash."""

    sha256: Sha256 = note("SHA-256 of the document's bytes", reveals="reference")
    media_type: MediaType = note("Media type (RFC 6838)")
    bytes: Annotated[int, Field(ge=0, le=INTEGER_MAX)] = note("Size of the document", unit="byte")


class Pin(Value):
    """A pinned file: a rule set, table, template or policy, by the hash of its bytes (formats §9)."""

    name: Slug = note("Name of the file")
    sha256: Sha256 = note("SHA-256 of its bytes (UTF-8, LF, no BOM)")


class Tax(Value):
    """A tax category of EN 16931 (UNCL 5305) and its rate."""

    category: Literal["S", "Z", "E", "AE", "K", "G", "O"] = note(
        "VAT category code (UNCL 5305)", reveals="money"
    )
    rate_bps: Bps = note("Rate", unit="bps", reveals="money")

    @model_validator(mode="after")
    def _rate_fits(self) -> Self:
        if (self.category == "S") != (self.rate_bps > 0):
            raise ValueError("category S needs a rate above 0, every other category the rate 0")
        return self


class ChainReference(Value):
    """A payment on a public chain: a reference only, never a transfer."""

    chain: ChainId = note("CAIP-2 chain", reveals="reference")
    tx: Annotated[str, _pattern(r"^[0-9a-zA-Z]{1,100}$")] = note(
        "Transaction id as its namespace writes it", reveals="reference"
    )
    index: Annotated[int, Field(ge=0, le=2**32 - 1)] = note(
        "Output, log or instruction within the transaction", reveals="reference"
    )


class BankReference(Value):
    """A payment through a bank or card scheme: a reference only."""

    scheme: Annotated[str, _pattern(r"^[A-Z][A-Z0-9]{1,15}$")] = note(
        "Scheme, e.g. SEPA, SWIFT, CNAPS", reveals="reference"
    )
    value: Annotated[str, _pattern(r"^[A-Z0-9][A-Z0-9 /.-]{0,63}$")] = note(
        "Reference, upper-case", reveals="reference"
    )


Reference = ChainReference | BankReference


def round_half_even(numerator: int, denominator: int) -> int:
    """Divide two non-negative integers, rounding half to even (formats §9)."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))


Sealable.model_rebuild()
