"""Foreign YAML as a small tree of texts with line numbers, within stated bounds.

Scalars stay the text that stands in the file: `2.0` is not a float, `4000` is not an integer, `no` is not
false; the reader of a format decides. Duplicate names, tags other than YAML's own scalar and collection tags
and aliases to what is not complete are refused. An alias counts with all that it stands for, so no file
unfolds into more than `NODES_MAX` nodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from pseudoledger.errors import MalformedError
from pseudoledger.market.report import shown

BYTES_MAX = 256 * 1024
"""Largest file read."""
NODES_MAX = 50_000
"""Most nodes after every alias is unfolded."""
DEPTH_MAX = 32
"""Deepest nesting, aliases unfolded."""
_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map")
)
# YAML lets tabs stand between a value and a remark or line end; the parser does not. One pass, no backtracking.
_TRAILING = re.compile(r"(?<![ \t])[ \t]++(?=#|\r?$)", re.MULTILINE)
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A text; `null` where it is YAML's plain null."""

    text: str
    null: bool
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """Items in order."""

    items: tuple[Node, ...]
    line: int
    weight: int
    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Named nodes in the order of the file; `lines` says where each name stands."""

    nodes: dict[str, Node]
    lines: dict[str, int]
    line: int
    weight: int
    depth: int


Node = Scalar | Sequence | Mapping


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been read."""

    line: int
    anchor: str | None
    mapping: bool
    parts: list[Node] = field(default_factory=list)


def read_yaml(data: bytes) -> Node:
    """Read the one document of a file; raise MalformedError with line and reason."""
    if len(data) > BYTES_MAX:
        raise MalformedError(f"the file has {len(data)} bytes, at most {BYTES_MAX} are read", code="yaml")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MalformedError(f"line {line}: the file is not UTF-8", code="yaml") from error
    text = _TRAILING.sub(lambda blank: " " * len(blank[0]), text)
    try:
        return _build(_events(text))
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise MalformedError(f"line {line}: a character that YAML does not allow", code="yaml") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"line {mark.line + 1}: " if mark is not None else ""
        reason = " ".join((error.problem or error.context or "not YAML").split())
        raise MalformedError(f"{at}not YAML: {reason}", code="yaml") from error
    except YAMLError as error:
        raise MalformedError(f"not YAML: {' '.join(str(error).split())[:200]}", code="yaml") from error


def _events(text: str) -> Iterator[Any]:
    """Parse; an escape beyond the last character of Unicode makes the parser itself stumble."""
    events = YAML(typ="safe", pure=True).parse(text)
    while True:
        try:
            event = next(events, None)
        except (OverflowError, ValueError) as error:
            raise MalformedError("not YAML: an escape names no character", code="yaml") from error
        if event is None:
            return
        yield event


def _build(events: Iterator[Any]) -> Node:
    """Build the tree from the parser's events without recursion, so that depth is bounded by us."""
    stack: list[_Open] = []
    anchors: dict[str, Node] = {}
    root: Node | None = None
    count = 0
    for event in events:
        count += 1
        kind, line = type(event).__name__, event.start_mark.line + 1
        if count > 2 * NODES_MAX:
            raise MalformedError(f"line {line}: more than {NODES_MAX} nodes", code="yaml")
        if kind in {"MappingStartEvent", "SequenceStartEvent"}:
            _check_tag(event.tag, line)
            if len(stack) >= DEPTH_MAX:
                raise MalformedError(f"line {line}: nested deeper than {DEPTH_MAX}", code="yaml")
            stack.append(_Open(line=line, anchor=event.anchor, mapping=kind == "MappingStartEvent"))
            continue
        node = _finished(event, kind, line, stack, anchors)
        if node is None:
            if kind == "DocumentStartEvent" and root is not None:
                raise MalformedError(f"line {line}: a second document", code="yaml")
            continue
        if stack:
            stack[-1].parts.append(node)
        else:
            root = node
    if root is None:
        raise MalformedError("line 1: the file holds no document", code="yaml")
    return root


def _finished(event: Any, kind: str, line: int, stack: list[_Open], anchors: dict[str, Node]) -> Node | None:
    node: Node
    if kind == "ScalarEvent":
        _check_tag(event.tag, line)
        plain = event.implicit[0] and event.style is None
        node = Scalar(text=event.value, null=plain and event.value in _NULLS, line=line)
    elif kind == "AliasEvent":
        if event.anchor not in anchors:
            raise MalformedError(f"line {line}: alias {shown(event.anchor)} stands for nothing", code="yaml")
        return anchors[event.anchor]
    elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
        top = stack.pop()
        node = _mapping(top) if top.mapping else _sequence(top)
        if node.depth + len(stack) > DEPTH_MAX or node.weight > NODES_MAX:
            raise MalformedError(
                f"line {top.line}: more than {NODES_MAX} nodes or nested deeper than {DEPTH_MAX} "
                "once aliases are unfolded",
                code="yaml",
            )
        if top.anchor:
            anchors[top.anchor] = node
        return node
    else:
        return None
    if event.anchor:
        anchors[event.anchor] = node
    return node


def _check_tag(tag: object, line: int) -> None:
    if tag is not None and str(tag) not in _TAGS and str(tag) != "!":
        raise MalformedError(f"line {line}: tag {shown(str(tag))} is not allowed", code="yaml")


def _weight(parts: list[Node]) -> int:
    return 1 + sum(1 if isinstance(part, Scalar) else part.weight for part in parts)


def _depth(parts: list[Node]) -> int:
    return 1 + max((0 if isinstance(part, Scalar) else part.depth for part in parts), default=0)


def _sequence(top: _Open) -> Sequence:
    return Sequence(items=tuple(top.parts), line=top.line, weight=_weight(top.parts), depth=_depth(top.parts))


def _mapping(top: _Open) -> Mapping:
    nodes: dict[str, Node] = {}
    lines: dict[str, int] = {}
    merged: list[Mapping] = []
    for name, node in zip(top.parts[::2], top.parts[1::2], strict=True):
        if not isinstance(name, Scalar):
            raise MalformedError(f"line {top.line}: a name must be a text", code="yaml")
        if name.text in nodes:
            raise MalformedError(f"line {name.line}: {shown(name.text)} stands twice", code="yaml")
        if name.text == "<<":
            merged.extend(_merged(node, name.line))
            continue
        nodes[name.text], lines[name.text] = node, name.line
    # YAML merge keys: what stands in the mapping itself wins, then the first merged one.
    for other in merged:
        for text, node in other.nodes.items():
            if text not in nodes:
                nodes[text], lines[text] = node, other.lines[text]
    return Mapping(
        nodes=nodes, lines=lines, line=top.line, weight=_weight(top.parts), depth=_depth(top.parts)
    )


def _merged(node: Node, line: int) -> list[Mapping]:
    items = node.items if isinstance(node, Sequence) else (node,)
    found = [item for item in items if isinstance(item, Mapping)]
    if len(found) != len(items):
        raise MalformedError(f"line {line}: '<<' merges mappings only", code="yaml")
    return found
