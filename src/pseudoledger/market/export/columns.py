"""Which tables an export has, and the type of each column.

The tables over the book are the readable views of `ledger.schema`, with the same columns in the same order;
their types follow from the classes of the book, so that a new view is exported without a word here. Beside
them stand `entries`, every statement, and `blocks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from pseudoledger.contract.book import sort_name
from pseudoledger.contract.things import THINGS, Thing
from pseudoledger.ledger.schema import VIEW_COLUMNS
from pseudoledger.statement import values

Type = Literal["text", "int", "time", "bool", "json"]
"""json: an object or list, as JSON text."""

_TIME_NAMES = re.compile(r"(^|_)(at|by|to|from|start|until)$", re.ASCII)
"""Integers under such names are Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column, and where its value stands in the thing: names of members, outermost first."""

    name: str
    type: Type
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table; `thing` is the class whose things are its rows, none for entries and blocks."""

    name: str
    columns: tuple[Column, ...]
    thing: type[Thing] | None = None


def _columns(**types: Type) -> tuple[Column, ...]:
    return tuple(Column(name=name, type=found) for name, found in types.items())


ENTRIES = Table(
    name="entries",
    columns=_columns(
        index="int",
        id="text",
        type="text",
        issuer="text",
        subject="text",
        issued_at="time",
        block="int",
        block_time="time",
        bytes="int",
        payload="json",
    ),
)
"""Every statement in order: `issued_at` is what its issuer says, `block_time` the time that counts."""

BLOCKS = Table(
    name="blocks",
    columns=_columns(height="int", index="int", time="time", root="text", ledger_key="text"),
)


@lru_cache(maxsize=1)
def tables() -> tuple[Table, ...]:
    """Return every table, in the order in which they are written."""
    classes = {sort_name(cls): cls for cls in THINGS}
    return (
        ENTRIES,
        BLOCKS,
        *(_table(name, classes[sort], paths) for name, (sort, paths) in VIEW_COLUMNS.items()),
    )


def _table(name: str, cls: type[Thing], paths: tuple[str, ...]) -> Table:
    key = Column(name="did" if name == "identities" else "id", type="text")
    found = [_column(cls, tuple(path.split("."))) for path in paths]
    return Table(name=name, columns=(key, *found), thing=cls)


def _column(cls: type[Any], path: tuple[str, ...]) -> Column:
    """Return the column of a path, its members named as the classes name them, not as JSON does."""
    at: Any = cls
    members = []
    for name in path:
        member, annotation = _member(at, name)
        members.append(member)
        at = next((part for part in _parts(annotation) if _has_members(part)), annotation)
    return Column(name=path[-1], type=_type(path[-1], annotation), path=tuple(members))


def _member(cls: type[Any], name: str) -> tuple[str, Any]:
    if issubclass(cls, BaseModel):
        for member, info in cls.model_fields.items():
            if (info.alias or member) == name:
                return member, get_type_hints(cls, include_extras=True)[member]
    return name, get_type_hints(cls, include_extras=True)[name]


def _has_members(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, Thing | BaseModel)


def _type(name: str, annotation: Any) -> Type:
    if _is_instant(annotation):
        return "time"
    found = set(_scalars(annotation))
    if found == {bool}:
        return "bool"
    if found == {int}:
        return "time" if _TIME_NAMES.search(name) else "int"
    return "text" if found == {str} else "json"


_INSTANTS: MappingProxyType[str, Any] = MappingProxyType({"Instant": values.Instant, "Date": values.Date})


def _is_instant(annotation: Any) -> bool:
    return any(annotation == known for known in _INSTANTS.values()) or any(
        _is_instant(part) for part in get_args(annotation) if get_origin(annotation) in {Union, UnionType}
    )


def _scalars(annotation: Any) -> Iterator[type]:
    """Yield what an annotation comes down to; None apart, literals by the type of their values."""
    for part in _parts(annotation):
        if get_origin(part) is Literal:
            yield from (type(value) for value in get_args(part))
        elif part is not NoneType:
            yield part if part in {int, str, bool} else object


def _parts(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in {Union, UnionType}:
        for part in get_args(annotation):
            yield from _parts(part)
    elif get_origin(annotation) is Annotated:
        yield from _parts(get_args(annotation)[0])
    else:
        yield annotation
