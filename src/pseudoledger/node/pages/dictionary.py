"""A payload beside the data dictionary: every field with its description, unit, and whether it is sealed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from pseudoledger.statement.kinds import KINDS
from pseudoledger.statement.values import Sealable, Value, is_sealable

_HEX_ID_DIGITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value of a payload, or the digests that stand for sealed ones."""

    pointer: str
    """JSON Pointer within the payload."""
    value: str
    description: str
    """English, as the data dictionary has it."""
    unit: str = ""
    form: str = "text"
    """How it is shown: text, did, id, or digest of a sealed field."""
    sealed: tuple[str, ...] = ()
    """Names of the fields whose digests these may be."""


def summary(kind: str, v: int) -> str:
    """Return what a kind of statement says, in one English sentence; "" for an unknown kind."""
    found = KINDS.get((kind, v))
    return (inspect.getdoc(found.model) or "").split("\n")[0] if found else ""


def fields(tree: dict[str, Any]) -> list[Field]:
    """Return every field of a payload in its order; without descriptions where the kind is unknown."""
    kind = KINDS.get((str(tree.get("type")), tree.get("v", 1)))
    return list(_object(tree, kind.model if kind else None, ""))


def _object(tree: dict[str, Any], model: type[Value] | None, pointer: str) -> Iterator[Field]:
    infos = {info.alias or name: info for name, info in model.model_fields.items()} if model else {}
    # In the order of the model, as the data dictionary tells it: stored names are sorted by letter.
    order = {name: place for place, name in enumerate(infos)}
    for name in sorted(tree, key=lambda name: (name.startswith("_"), order.get(name, len(order)))):
        if name in {"type", "v", "_sd_alg"} and not pointer:
            continue
        if name == "_sd":
            hidden = tuple(item for item in sealable(model) if item not in tree)
            for digest in tree[name]:
                yield Field(
                    pointer=f"{pointer}/_sd", value=digest, description="", form="digest", sealed=hidden
                )
            continue
        yield from _value(tree[name], infos.get(name), f"{pointer}/{name}")


def _value(value: Any, info: FieldInfo | None, pointer: str) -> Iterator[Field]:
    if isinstance(value, dict):
        yield from _object(value, _model_of(info, value), pointer)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _value(item, info, f"{pointer}/{number}")
        if not value:
            yield _leaf("[]", info, pointer)
    else:
        yield _leaf(value, info, pointer)


def _leaf(value: Any, info: FieldInfo | None, pointer: str) -> Field:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    extra = info.json_schema_extra if info else None
    unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
    form = "did" if text.startswith("did:key:") else "text"
    if len(text) == _HEX_ID_DIGITS and all(digit in "0123456789abcdef" for digit in text):
        form = "id"
    return Field(
        pointer=pointer,
        value=text,
        description=(info.description or "") if info else "",
        unit=unit,
        form=form,
    )


def sealable(model: type[Value] | None) -> tuple[str, ...]:
    """Return the names of the fields of an object that may be sealed."""
    if model is None or not issubclass(model, Sealable):
        return ()
    return tuple(name for name, info in model.model_fields.items() if is_sealable(info))


def _model_of(info: FieldInfo | None, tree: dict[str, Any]) -> type[Value] | None:
    """Return the model of an object that a field holds: of a union, the one that has all its names."""
    for part in _parts(info.annotation) if info else ():
        if isinstance(part, type) and issubclass(part, Value):
            names = {found.alias or name for name, found in part.model_fields.items()}
            if names.issuperset(tree):
                return part
    return None


def _parts(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in {Annotated, Union, UnionType, tuple}:
        for part in get_args(annotation):
            yield from _parts(part)
    else:
        yield annotation
