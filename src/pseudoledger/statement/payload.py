"""Payload bytes to typed payload and back: RFC 8785 (JCS) within the limits of formats §2.

Call `parse` only on bytes whose signature was verified. Canonical form is checked by parsing and
re-serialising: inside these limits (ASCII names, integers, no control characters) sorted compact JSON is
exactly JCS; a property test holds this against the `rfc8785` library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import orjson
from pydantic import ValidationError

from pseudoledger.errors import Finding, MalformedError
from pseudoledger.statement.kinds import KINDS, Kind, Payload
from pseudoledger.statement.values import INTEGER_MAX

DEPTH_MAX = 8
ITEMS_MAX = 4_096
"""Most members of objects and elements of arrays, taken together."""

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | bool

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}|_sd|_sd_alg", re.ASCII)
_FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters
    "\ud800-\udfff"  # halves of surrogate pairs
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidi controls
    "\ufeff\ufdd0-\ufdef"  # byte order mark, noncharacters
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17))
    + "]"
)


_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def serialise(payload: Payload) -> bytes:
    """Return the JCS bytes of a payload."""
    return jcs(payload.model_dump(mode="json", exclude_none=True))


def jcs(value: Any) -> bytes:
    """Return the JCS bytes of a JSON value within our limits; raise MalformedError outside them."""
    _walk(value, "", 0)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def parse(raw: bytes, known: Mapping[tuple[str, int], Kind] = KINDS) -> Payload:
    """Read one payload from its exact bytes; `known` are the kinds that the rule set in force has.

    Raises MalformedError with a finding for each thing that is wrong: `payload.json`, `payload.not_jcs`,
    `payload.characters`, `payload.limits`, `payload.unknown_kind`, `payload.field`.
    """
    return read_fields(canonical_kind(raw, known), raw)


def canonical_kind(raw: bytes, known: Mapping[tuple[str, int], Kind] = KINDS) -> Kind:
    """Check canonical form, characters, depth and count of payload bytes and return their kind.

    The fields are not read: names, and numbers that are no integers or lie beyond 2^53 - 1, are for `read_fields`.
    """
    tree = _load(raw)
    key = (tree.get("type"), tree.get("v"))
    kind = known.get(key) if isinstance(key[0], str) and type(key[1]) is int else None  # type: ignore[arg-type]
    if kind is None:
        raise MalformedError(
            f"no kind {str(key[0])[:64]!r} with v {str(key[1])[:20]} is known here",
            code="payload.unknown_kind",
            field="/type",
            hint="pseudoledger draft --list names the kinds; a newer program may know more",
        )
    return kind


def read_fields(kind: Kind, raw: bytes) -> Payload:
    """Read the fields of payload bytes that `canonical_kind` found to be of this kind."""
    try:
        payload = kind.model.__pydantic_validator__.validate_json(raw)
    except ValidationError as error:
        raise _field_errors(error, kind.name) from None
    if ("sd_alg" in kind.model.__pydantic_fields__) and (payload.sd_alg is not None) != (b'"_sd":[' in raw):
        raise MalformedError(
            "_sd_alg stands at the top level if and only if a field is sealed",
            code="payload.field",
            field="/_sd_alg",
        )
    return payload  # type: ignore[no-any-return]


def draft(tree: Any) -> Payload:
    """Build a payload from a JSON value that is not yet canonical; raise MalformedError as `parse` does."""
    return parse(jcs(tree))


def _load(raw: bytes) -> dict[str, Any]:
    try:
        tree = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedError(f"the payload is not JSON: {error}", code="payload.json") from None
    if not isinstance(tree, dict):
        raise MalformedError("the payload is not a JSON object", code="payload.json")
    openers = raw.count(b"{") + raw.count(b"[")
    # ASCII without backslashes and DEL holds no forbidden character, because JSON itself has no raw control
    # character inside a text, and few enough brackets and commas cannot exceed depth or count. The walk below, which
    # takes a hundred times as long for terms of a lease, is needed for the rest only.
    plain = raw.isascii() and b"\\" not in raw and b"\x7f" not in raw
    plain = plain and b"null" not in raw and (openers <= DEPTH_MAX or _depth(raw) <= DEPTH_MAX)
    # No text has more brackets and commas than bytes.
    if not plain or (len(raw) > ITEMS_MAX and openers + raw.count(b",") > ITEMS_MAX):
        _walk(tree, "", 0)
    try:
        same = orjson.dumps(tree, option=orjson.OPT_SORT_KEYS) == raw
    except orjson.JSONEncodeError:
        same = False
    if not same:
        raise MalformedError(
            "not in canonical form (RFC 8785): sorted unique names, no spaces, shortest escapes",
            code="payload.not_jcs",
        )
    return tree


def _depth(raw: bytes) -> int:
    """Return how deep the brackets of a JSON text without backslashes are nested; those inside texts do not count."""
    deepest = level = 0
    for bracket in b"".join(raw.split(b'"')[::2]).translate(None, delete=_NO_BRACKETS):
        # 0x5B and 0x7B open, 0x5D and 0x7D close.
        level += 1 if bracket & 2 else -1
        deepest = max(deepest, level)
    return deepest


def _walk(value: Any, pointer: str, depth: int) -> int:
    """Check limits and characters of a JSON value; return how many members and elements it holds."""
    if isinstance(value, str):
        if _FORBIDDEN.search(value):
            raise MalformedError(
                "text holds a control character, bidi control, noncharacter or byte order mark",
                code="payload.characters",
                field=pointer,
            )
        return 0
    if value is True or value is False:
        return 0
    if isinstance(value, int):
        if abs(value) > INTEGER_MAX:
            raise MalformedError("an integer lies beyond 2^53 - 1", code="payload.limits", field=pointer)
        return 0
    if not isinstance(value, dict | list):
        raise MalformedError(
            "only objects, arrays, text, integers and booleans may stand in a payload",
            code="payload.limits",
            field=pointer,
        )
    if depth >= DEPTH_MAX:
        raise MalformedError(f"nesting is deeper than {DEPTH_MAX}", code="payload.limits", field=pointer)
    return _walk_items(value, pointer, depth)


def _walk_items(value: dict[str, Any] | list[Any], pointer: str, depth: int) -> int:
    total = len(value)
    if isinstance(value, dict):
        for name, member in value.items():
            if not isinstance(name, str) or _NAME.fullmatch(name) is None:
                raise MalformedError("a name is not [a-z_][a-z0-9_]*", code="payload.limits", field=pointer)
            total += _walk(member, f"{pointer}/{name}", depth + 1)
    else:
        for index, member in enumerate(value):
            total += _walk(member, f"{pointer}/{index}", depth + 1)
    if total > ITEMS_MAX:
        raise MalformedError(f"over {ITEMS_MAX} members and elements", code="payload.limits", field=pointer)
    return total


def _field_errors(error: ValidationError, kind: str) -> MalformedError:
    """Turn pydantic's report into findings, each at its JSON Pointer."""
    findings = []
    for problem in error.errors(include_url=False, include_input=False)[:64]:
        place = [str(part) for part in problem["loc"] if str(part).islower() or str(part).isdigit()]
        message = problem["msg"].removeprefix("Value error, ")
        findings.append(
            Finding(code="payload.field", message=message, field="/" + "/".join(place) if place else "")
        )
    return MalformedError(
        f"{kind}: " + "; ".join(f"{f.field or '/'} {f.message}" for f in findings),
        code="payload.field",
        field=findings[0].field,
        findings=findings,
        hint=f"pseudoledger draft {kind} prints a payload to start from",
    )
