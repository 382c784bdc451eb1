"""The data dictionary as pages and JSON Schemas: every kind, field, unit and what it reveals.

Read from the payload models themselves, so that what an observer can see is stated once.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from pseudoledger.contract.ruleset import NAMES
from pseudoledger.statement.kinds import KINDS, Kind
from pseudoledger.statement.values import Sealable, Value

FAMILIES = tuple(dict.fromkeys(kind.family for kind in KINDS.values()))
DIALECT = "https://json-schema.org/draft/2020-12/schema"
SEALED = "_sd holds exactly one digest for each sealable field that is not in the clear, sorted"


def kinds_page() -> str:
    """Write docs/reference/kinds.md."""
    out = [
        "# Kinds\n",
        (
            "Every kind of statement and every field of its payload, written from the models by `make docs`. Each"
            " kind has a [JSON Schema](schema/). The types are described in [values](../spec/values.md), sealed"
            " fields in [payload](../spec/payload.md); what is refused beyond the shape stands in"
            " [rules](rules.md).\n"
        ),
        (
            "Columns: *unit* of a number; *reveals*: what the field tells an observer who reads it in the clear;"
            " *sealed*: yes where the field may be sealed. A field marked with ? may be absent. Every payload also"
            " carries `type`, the kind, and `v`, its version; they are left out of the tables, and so are `_sd` and"
            " `_sd_alg`.\n"
        ),
    ]
    for family in FAMILIES:
        out.append(f"## {family}\n")
        out.extend(_kind_section(kind) for kind in KINDS.values() if kind.family == family)
    out.append("## Objects\n")
    out.append("Objects that stand inside payloads.\n")
    out.extend(
        f"### {model.__name__}\n\n{_summary(model)}\n\n{_fields_table(model)}{_conditions_text(model)}"
        for model in sorted(_objects(), key=lambda model: model.__name__)
    )
    return "\n".join(out)


def _kind_section(kind: Kind) -> str:
    sender = "" if kind.from_network else " Signed with the ledger's own keys, never taken from a peer."
    since = "" if kind.since == 1 else f" Since rule set `{NAMES[kind.since - 1]}`."
    later = "" if kind.v == 1 else f", version {kind.v}"
    return (
        f"### {kind.name}{later}\n\n{_summary(kind.model)}\n\n"
        f"`v` {kind.v}; `sub` is {kind.subject.value}.{since}{sender} [Schema](schema/{schema_name(kind)})\n\n"
        f"{_fields_table(kind.model)}{_conditions_text(kind.model)}"
    )


def _summary(model: type[Value]) -> str:
    return inspect.cleandoc(model.__doc__ or "").replace("\n", " ")


def _fields_table(model: type[Value]) -> str:
    rows = []
    for name, info in model.model_fields.items():
        if name in {"type", "v", "sd", "sd_alg"}:
            continue
        optional = "" if info.is_required() else "?"
        notes = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        cells = (
            f"`{info.alias or name}`{optional}",
            _type_text(model, name),
            str(notes["unit"]),
            "" if notes["reveals"] == "nothing" else str(notes["reveals"]).replace("_", " "),
            "yes" if notes["sealable"] else "",
            info.description or "",
        )
        rows.append("| " + " | ".join(cells) + " |")
    if not rows:
        return "No fields of its own.\n"
    head = "| field | type | unit | reveals | sealed | description |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def _conditions_text(model: type[Value]) -> str:
    found = list(conditions(model))
    return (
        "\n" + "".join(f"- {condition[0].upper()}{condition[1:]}.\n" for condition in found) if found else ""
    )


def conditions(model: type[Value]) -> Iterator[str]:
    """Yield what a model asks across its fields, in the words of its refusal."""
    for base in model.__mro__:
        if base is Sealable or not issubclass(base, Value):
            continue
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base)))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                text = node.exc.args[0]
                yield str(text.value) if isinstance(text, ast.Constant) else _plain(text)


def _plain(text: ast.expr) -> str:
    """Write an f-string with the names of its values."""
    assert isinstance(text, ast.JoinedStr)
    return "".join(
        str(part.value)
        if isinstance(part, ast.Constant)
        else ast.unparse(part).strip("f'{}").removeprefix("self.")
        for part in text.values
    )


def _type_text(model: type[Value], field: str) -> str:
    """Write a field's type in the words of the source, linked to where it is described."""
    home = next(base for base in model.__mro__ if field in inspect.get_annotations(base))
    scope = vars(sys.modules[home.__module__])
    return _words(ast.parse(str(inspect.get_annotations(home)[field]), mode="eval").body, scope)


def _words(node: ast.expr, scope: dict[str, Any]) -> str:
    match node:
        case ast.BinOp():
            parts = [part for part in (node.left, node.right) if not isinstance(part, ast.Constant)]
            return " or ".join(_words(part, scope) for part in parts)
        case ast.Name(id="bool"):
            return "true or false"
        case ast.Name(id=name):
            return _named(name, scope)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            return _choice(inner)
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[item, _])):
            return f"list of {_words(item, scope)}"
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[inner, bound])):
            assert isinstance(bound, ast.Call)
            limits = {word.arg: eval(ast.unparse(word.value), scope) for word in bound.keywords}  # noqa: S307 - our own source
            if bound.args and isinstance(bound.args[0], ast.Constant):
                limits["pattern"] = bound.args[0].value
            return _bounded(_words(inner, scope), limits)
    raise AssertionError(f"no words for {ast.unparse(node)}")


def _named(name: str, scope: dict[str, Any]) -> str:
    if name in {"int", "str"}:
        return {"int": "integer", "str": "text"}[name]
    value = scope[name]
    if inspect.isclass(value) and issubclass(value, Value):
        return f"[{name}](#{name.lower()})"
    if get_origin(value) in {Union, UnionType}:
        return " or ".join(_named(part.__name__, scope | {part.__name__: part}) for part in get_args(value))
    if get_origin(value) is not Annotated:
        return ", ".join(f"`{choice}`" for choice in get_args(value))
    return f"[{name}](../spec/values.md#{name.lower()})"


def _choice(inner: ast.expr) -> str:
    choices = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    return ", ".join(f"`{choice.value!s}`" for choice in choices if isinstance(choice, ast.Constant))


def _bounded(words: str, limits: dict[str | None, Any]) -> str:
    low = limits.get("min_length", limits.get("ge", 0))
    high = limits.get("max_length", limits.get("le"))
    if "pattern" in limits:
        return f"text `{limits['pattern']}`"
    return f"{words}, {low:,} to {high:,}" if high is not None else f"{words}, from {low:,}"


def _objects() -> set[type[Value]]:
    found: set[type[Value]] = set()
    waiting: list[type[Value]] = [kind.model for kind in KINDS.values()]
    while waiting:
        for info in waiting.pop().model_fields.values():
            for inner in _models_of(info):
                if inner not in found:
                    found.add(inner)
                    waiting.append(inner)
    return found


def _models_of(info: FieldInfo) -> Iterator[type[Value]]:
    waiting = [info.annotation]
    while waiting:
        part = waiting.pop()
        if inspect.isclass(part) and issubclass(part, Value):
            yield part
        waiting.extend(get_args(part))


def schema_name(kind: Kind) -> str:
    """Return the file name of a kind's schema."""
    return f"{kind.name}.v{kind.v}.json"


def schemas() -> dict[str, str]:
    """Write every kind's JSON Schema, by file name."""
    return {schema_name(kind): _schema_text(kind) for kind in KINDS.values()}


def _schema_text(kind: Kind) -> str:
    schema = _tidy(kind.model.model_json_schema(by_alias=True))
    models = {model.__name__: model for model in (*_objects(), kind.model)}
    for name, node in ((kind.model.__name__, schema), *schema.get("$defs", {}).items()):
        node["$comment"] = "; ".join(
            [*conditions(models[name]), *([SEALED] if issubclass(models[name], Sealable) else [])]
        )
        if not node["$comment"]:
            del node["$comment"]
    head = {"$schema": DIALECT, "$id": f"urn:pseudoledger:kind:{kind.name}:{kind.v}", "title": kind.name}
    return json.dumps(head | schema, indent=1, ensure_ascii=False) + "\n"


def _tidy(node: Any) -> Any:
    """Leave out what says nothing, and null: a payload never holds one, an absent field is absent."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    choices = node.get("anyOf")
    if isinstance(choices, list):
        real = [choice for choice in choices if choice != {"type": "null"}]
        rest = {name: value for name, value in node.items() if name not in {"anyOf", "default"}}
        node = {**real[0], **rest} if len(real) == 1 else {**rest, "anyOf": real}
    found = {}
    for name, value in node.items():
        if name == "properties":
            found[name] = {field: _tidy(member) for field, member in value.items()}
        elif not (name == "title" or (name == "unit" and value == "")):
            found[name] = _tidy(value)
    return found
