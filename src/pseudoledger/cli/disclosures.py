"""Files that open sealed fields: `{"statement": id, "disclosures": [text, …]}` (formats §2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson

from pseudoledger.cli.desk import read_file
from pseudoledger.errors import MalformedError


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureFile:
    """What a disclosure file holds, unchecked: which statement it opens, and with what."""

    statement: str
    disclosures: tuple[str, ...]


def read_disclosures(path: Path) -> DisclosureFile:
    """Read a disclosure file; raise MalformedError if it is none."""
    try:
        tree = orjson.loads(read_file(path))
        return DisclosureFile(
            statement=str(tree["statement"]), disclosures=tuple(str(text) for text in tree["disclosures"])
        )
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise MalformedError(f"{path} is not a disclosure file", code="disclosure.form") from None


def disclosures_of(path: Path, statement_id: str, *, named: bool) -> tuple[str, ...]:
    """Return what a file opens of one statement; a file that was not named is read only if it is there."""
    if not named and not path.is_file():
        return ()
    found = read_disclosures(path)
    if found.statement != statement_id:
        raise MalformedError(f"{path} opens another statement, {found.statement}", code="disclosure.form")
    return found.disclosures
