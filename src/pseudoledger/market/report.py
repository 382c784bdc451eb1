"""What an importer could not express, said by name, and what made it refuse a file.

A `Note` never stops an import; a problem always does. A broken file is refused whole: every problem found
stands in the one message, up to `PROBLEMS_MAX` of them, each with its line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pseudoledger.errors import MalformedError

PROBLEMS_MAX = 20
"""Most problems named when a file is refused."""
TEXT_SHOWN_MAX = 80
"""Most characters of a foreign text repeated in a message."""

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One thing of a foreign file that our payloads do not carry, or carry with a stated change.

    `code` is stable and documented in the how-to pages. `where` names the place in the file's own words,
    `line` its line (from 1), 0 where the note concerns the whole file.
    """

    code: str
    where: str
    message: str
    line: int = 0

    def __str__(self) -> str:
        at = f"line {self.line}, " if self.line else ""
        return f"{self.code}: {at}{self.where}: {self.message}"


@dataclass(slots=True)
class Problems:
    """Collects why a file is refused; `found` counts all, `named` keeps the first ones."""

    code: str
    found: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, line: int, message: str) -> None:
        """Keep one problem."""
        self.found += 1
        if len(self.named) < PROBLEMS_MAX:
            self.named.append(clean(f"line {line}: {message}" if line else message))

    def raise_if_any(self, subject: str) -> None:
        """Raise MalformedError with every problem named, if there is one."""
        if not self.found:
            return
        rest = self.found - len(self.named)
        more = f"; and {rest} more" if rest else ""
        raise MalformedError(f"{subject} is refused: {'; '.join(self.named)}{more}", code=self.code)


def clean(text: str) -> str:
    """Make a text fit for one line of a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def shown(text: str) -> str:
    """Quote a foreign text for a message, bounded."""
    cut = text if len(text) <= TEXT_SHOWN_MAX else text[: TEXT_SHOWN_MAX - 1] + "…"
    return f"'{clean(cut)}'"


def short_name(text: str, size_max: int, fallback: str) -> str:
    """Make a part of a document number of a foreign name; a cut name ends in six digits of its hash."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._") or fallback
    if len(slug) <= size_max:
        return slug
    digits = sha256(text.encode(errors="backslashreplace")).hexdigest()[:6]
    return f"{slug[: size_max - 7]}-{digits}"


def checked(model: type[M], fields: Mapping[str, object], where: str) -> M:
    """Build a payload value; raise MalformedError naming the field that does not fit."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise MalformedError(
            f"{where}: {name + ': ' if name else ''}{first['msg']}", code="import.value"
        ) from error
