"""The pinned tables: chips, currencies, places and units, read from the bytes that their hash names."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from pseudoledger.errors import MalformedError, PeerUnreachable

TABLE_NAMES = ("chips", "currencies", "places", "units")
"""Tables that every ledger pins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What rules look up: known chips, currency exponents, places and units."""

    chips: frozenset[str]
    exponents: MappingProxyType[str, int]
    places: frozenset[str]
    """Countries and subdivisions."""
    units: frozenset[str]

    def micro_per_minor(self, currency: str) -> int:
        """Return how many millionths of the major unit make one minor unit of a known currency."""
        exponent: int = self.exponents[currency]
        return int(10 ** (6 - exponent))


def contracts_dir() -> Path:
    """Return the folder of templates, tables and rule sets that ships with the program."""
    inside = Path(__file__).resolve().parent.parent / "contracts"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[3] / "contracts"


def shipped(relative: str) -> bytes:
    """Return the bytes of a shipped file; raise PeerUnreachable if the installation lacks it."""
    path = contracts_dir() / relative
    try:
        return path.read_bytes()
    except OSError as error:
        raise PeerUnreachable(
            f"the installation lacks contracts/{relative}: {error.strerror}",
            hint="install pseudoledger again",
        ) from error


def file_hash(raw: bytes) -> str:
    """Return the SHA-256 of a pinned file (formats §9: UTF-8, LF, no BOM); raise MalformedError otherwise."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"a pinned file is not UTF-8: {error}", code="pin.form") from None
    if "\r" in text or text.startswith("\ufeff"):
        raise MalformedError("a pinned file has LF line ends and no byte order mark", code="pin.form")
    return sha256(raw).hexdigest()


@lru_cache(maxsize=8)
def shipped_pins() -> tuple[tuple[str, str], ...]:
    """Return (name, sha256) of the newest shipped tables."""
    return tuple((name, file_hash(shipped(f"tables/{name}.csv"))) for name in TABLE_NAMES)


@lru_cache(maxsize=8)
def load(pins: tuple[tuple[str, str], ...]) -> Tables | None:
    """Return the tables that these pins name, or None if this program does not ship all of them."""
    if dict(pins) != dict(shipped_pins()):
        return None
    rows = {name: _rows(name) for name in TABLE_NAMES}
    return Tables(
        chips=frozenset(row["id"] for row in rows["chips"]),
        exponents=MappingProxyType({row["code"]: int(row["exponent"]) for row in rows["currencies"]}),
        places=frozenset(row["code"] for row in rows["places"]),
        units=frozenset(row["code"] for row in rows["units"]),
    )


def newest_exponents() -> MappingProxyType[str, int]:
    """Return the decimals of each currency by the newest shipped table, for documents of no ledger."""
    tables = load(shipped_pins())
    assert tables is not None, "the program ships the tables that it names"
    return tables.exponents


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(shipped(f"tables/{name}.csv").decode("utf-8"))))
