"""The single values of a statement with what the data dictionary says about them (`statement.values.note`).

Every field of every kind is walked by its annotations, so a kind or field that is added later is reached without
a change here. Sealed fields stand among the leaves only where a disclosure opened them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import StringConstraints

from pseudoledger.statement.values import Value, is_sealable

PLUMBING = frozenset({"type", "v", "_sd", "_sd_alg"})
"""Fields of the form itself, which say nothing about a party."""

_HEX = r"^[0-9a-f]{64}$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One field of a model that holds single values, as the data dictionary describes it."""

    name: str
    """Its name in JSON."""
    reveals: str
    unit: str
    sealable: bool
    shape: str
    """"number" (int), "id" (64 hex digits), "words" (free text of people) or "word" (anything else)."""
    says: str
    """What it is, in the words of the data dictionary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One value of one statement."""

    pointer: str
    """JSON Pointer into the payload."""
    slot: Slot
    value: str | int
    opened: bool
    """Whether a disclosure was needed to see it."""


def leaves(payload: Value, opened: Mapping[str, Any]) -> tuple[Leaf, ...]:
    """Return the leaves of a payload in the order of its model; `opened` has sealed values by JSON Pointer."""
    return tuple(_walk(payload, "", opened))


def slots(model: type[Value]) -> Iterator[Slot]:
    """Yield the slots of a model and of the objects in it."""
    for _, slot, inner in _plan(model):
        if inner:
            for part in inner:
                yield from slots(part)
        else:
            yield slot


def _walk(node: Value, pointer: str, opened: Mapping[str, Any]) -> Iterator[Leaf]:
    for attribute, slot, _ in _plan(type(node)):
        value, where, found = getattr(node, attribute), f"{pointer}/{slot.name}", False
        if value is None:
            value, found = opened.get(where), True
        if value is None:
            continue
        for place, item in _items(value, where):
            if isinstance(item, Value):
                yield from _walk(item, place, opened)
            else:
                yield Leaf(pointer=place, slot=slot, value=_plain(item), opened=found)


def _items(value: Any, where: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, list | tuple):
        return [(f"{where}/{place}", item) for place, item in enumerate(value)]
    return ((where, value),)


def _plain(value: Any) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return str(value).lower()
    return value


@lru_cache(maxsize=512)
def _plan(model: type[Value]) -> tuple[tuple[str, Slot, tuple[type[Value], ...]], ...]:
    """List attribute, slot and inner models of the fields of a model that say something."""
    found = []
    for attribute, info in model.model_fields.items():
        name = info.alias or attribute
        if name in PLUMBING:
            continue
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        # The constraints of a plain `Annotated` field stand in the metadata, those of `X | None` in the annotation.
        parts = [*_parts(info.annotation), *info.metadata]
        inner = tuple(part for part in parts if isinstance(part, type) and issubclass(part, Value))
        slot = Slot(
            name=name,
            reveals=str(extra.get("reveals", "nothing")),
            unit=str(extra.get("unit", "")),
            sealable=is_sealable(info),
            shape=_shape(parts),
            says=info.description or "",
        )
        found.append((attribute, slot, inner))
    return tuple(found)


def _parts(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        yield from _parts(inner)
        yield from marks
    elif origin in {Union, UnionType, tuple}:
        for part in get_args(annotation):
            yield from _parts(part)
    else:
        yield annotation


def _shape(parts: list[Any]) -> str:
    if int in parts:
        return "number"
    if str not in parts or any(get_origin(part) is Literal for part in parts):
        return "word"
    if any(isinstance(part, StringConstraints) and part.pattern == _HEX for part in parts):
        return "id"
    patterned = any(isinstance(part, StringConstraints) and part.pattern is not None for part in parts)
    checked = any(type(part).__name__ == "AfterValidator" for part in parts)
    return "word" if patterned or checked else "words"
