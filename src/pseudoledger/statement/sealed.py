"""Sealed fields: salted digests in the payload, disclosures beside it (RFC 9901, formats §2).

`seal` takes a draft in the clear and returns it with digests in place of its sealable fields; `open_field`
checks one disclosure against a statement. Registration never looks at disclosures.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import orjson

from pseudoledger.errors import InvalidProof, MalformedError
from pseudoledger.statement.envelope import Statement
from pseudoledger.statement.kinds import KINDS
from pseudoledger.statement.payload import jcs, parse
from pseudoledger.statement.values import Sealable, Value

_LABEL = b"pseudoledger/seal/v1"
_SD = re.compile(rb'"_sd":\[([^\]]+)\]')
DISCLOSURE_MAX = 4_096
"""Most characters of one disclosure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedDraft:
    """A draft whose sealable fields are digests, and the disclosures that open them."""

    tree: dict[str, Any]
    disclosures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedField:
    """A field opened by its disclosure; `problem` says what would have made it invalid in the clear."""

    pointer: str
    value: Any
    problem: str


def seal(
    tree: dict[str, Any],
    *,
    aud: str,
    iss: str,
    random: Callable[[int], bytes],
    clear: frozenset[str] = frozenset(),
) -> SealedDraft:
    """Seal every sealable field of a draft but those whose JSON Pointer stands in `clear`.

    A sealable field without a value gets a decoy digest. `random(n)` returns n bytes never used before.
    Raises MalformedError if the draft is of no known kind.
    """
    kind = KINDS.get((str(tree.get("type")), tree.get("v", 1)))
    if kind is None:
        raise MalformedError(
            f"no kind {tree.get('type')!r} is known here", code="payload.unknown_kind", field="/type"
        )
    disclosures: list[str] = []

    def digest(pointer: str, name: str, value: Any) -> str:
        if value is None:
            return _b64(sha256(random(32)).digest())
        salt = _b64(random(16) + _binding(aud, iss, kind.name, pointer))
        disclosure = _b64(jcs([salt, name, value]))
        disclosures.append(disclosure)
        return disclosure_digest(disclosure)

    def walk(node: Any, model: type[Value], pointer: str) -> Any:
        found = dict(node)
        for name, inner in _nested(model):
            if isinstance(found.get(name), list):
                found[name] = [
                    walk(item, inner, f"{pointer}/{name}/{i}") for i, item in enumerate(found[name])
                ]
            elif isinstance(found.get(name), dict):
                found[name] = walk(found[name], inner, f"{pointer}/{name}")
        if issubclass(model, Sealable):
            hidden = [
                name
                for name in model.sealable_names()
                if f"{pointer}/{name}" not in clear or name not in found
            ]
            digests = sorted(digest(f"{pointer}/{name}", name, found.pop(name, None)) for name in hidden)
            if digests:
                found["_sd"] = digests
        return found

    sealed = walk(tree, kind.model, "")
    if any("_sd" in node for node in _objects(sealed)):
        sealed["_sd_alg"] = "sha-256"
    return SealedDraft(tree=sealed, disclosures=tuple(disclosures))


def open_field(statement: Statement, disclosure: str) -> OpenedField:
    """Check one disclosure against a statement whose signature was verified, and return the opened field.

    Raises InvalidProof if its digest does not stand in the statement or its salt was made for another
    place, MalformedError if it is no disclosure.
    """
    salt, name, value = _read(disclosure)
    tree = orjson.loads(statement.payload)
    wanted = disclosure_digest(disclosure)
    for pointer, node in _places(tree, ""):
        if wanted not in node.get("_sd", ()):
            continue
        binding = _binding(statement.aud or "", statement.iss, tree["type"], f"{pointer}/{name}")
        if salt[16:] != binding or name in node:
            raise InvalidProof(f"the disclosure of {name!r} was made for another statement or field")
        return OpenedField(
            pointer=f"{pointer}/{name}", value=value, problem=_problem(tree, node, name, value)
        )
    raise InvalidProof(f"no digest of the statement fits the disclosure of {name!r}")


def open_fields(
    statement: Statement, disclosures: Iterable[str]
) -> list[OpenedField | InvalidProof | MalformedError]:
    """Open different disclosures; what `open_field` raises stands in the place of what it would return.

    An issuer may have sealed two values under one name, to show each to another reader. Of disclosures that open
    one field twice none counts.
    """
    found: list[OpenedField | InvalidProof | MalformedError] = []
    for disclosure in dict.fromkeys(disclosures):
        try:
            found.append(open_field(statement, disclosure))
        except (InvalidProof, MalformedError) as error:
            found.append(error)
    times = Counter(one.pointer for one in found if isinstance(one, OpenedField))
    return [
        InvalidProof(f"{one.pointer} is disclosed with two values")
        if isinstance(one, OpenedField) and times[one.pointer] > 1
        else one
        for one in found
    ]


def disclosure_digest(disclosure: str) -> str:
    """Return base64url(SHA-256(ASCII(disclosure))) as it stands in `_sd`."""
    return _b64(sha256(disclosure.encode("ascii", "replace")).digest())


def sealable_pointers(tree: dict[str, Any]) -> frozenset[str]:
    """Return the JSON Pointer of every field of a draft that may be sealed, with or without a value.

    A draft of no known kind has none.
    """
    kind = KINDS.get((str(tree.get("type")), tree.get("v", 1)))
    return frozenset() if kind is None else frozenset(_sealable(tree, kind.model, ""))


def _sealable(node: Any, model: type[Value], pointer: str) -> Iterator[str]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _sealable(item, model, f"{pointer}/{index}")
    elif isinstance(node, dict):
        if issubclass(model, Sealable):
            yield from (f"{pointer}/{name}" for name in model.sealable_names())
        for name, inner in _nested(model):
            yield from _sealable(node.get(name), inner, f"{pointer}/{name}")


def sealable_fields(model: type[Value]) -> Iterator[str]:
    """Yield the name of every field of a model, and of the objects in it, that may be sealed."""
    if issubclass(model, Sealable):
        yield from model.sealable_names()
    for _, inner in _nested(model):
        yield from sealable_fields(inner)


@lru_cache(maxsize=64)
def digests(payload: bytes) -> tuple[str, ...]:
    """Return every digest that stands in the bytes of a payload, which `payload.parse` has read.

    In canonical form there is one spelling of a list of digests, and no text can hold it: a quotation mark in
    a text has a backslash before it. So the bytes are searched, which costs a tenth of going through the tree.
    Registering asks three times.
    """
    return tuple(text.decode("ascii") for found in _SD.findall(payload) for text in found[1:-1].split(b'","'))


def _read(disclosure: str) -> tuple[bytes, str, Any]:
    if len(disclosure) > DISCLOSURE_MAX:
        raise MalformedError("a disclosure is too long", code="disclosure.form")
    try:
        raw = _unb64(disclosure)
        parts = orjson.loads(raw)
        if not (
            isinstance(parts, list) and len(parts) == 3 and all(isinstance(part, str) for part in parts[:2])
        ):
            raise MalformedError("a disclosure is a JSON array [salt, name, value]", code="disclosure.form")
        salt = _unb64(parts[0])
        if jcs(parts) != raw or len(salt) != 32:
            raise MalformedError(
                "a disclosure is canonical and its salt has 32 bytes", code="disclosure.form"
            )
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"not a disclosure: {error}", code="disclosure.form") from None
    return salt, parts[1], parts[2]


def _problem(tree: dict[str, Any], node: dict[str, Any], name: str, value: Any) -> str:
    """Say what would have made the opened value invalid in the clear, or return ""."""
    hidden = node["_sd"]
    node[name] = value
    node["_sd"] = hidden[1:]
    if not node["_sd"]:
        del node["_sd"]
    if not any("_sd" in inner for inner in _objects(tree)):
        tree.pop("_sd_alg", None)
    try:
        parse(jcs(tree))
    except MalformedError as error:
        return error.message
    return ""


def _binding(aud: str, iss: str, kind: str, pointer: str) -> bytes:
    return sha256(b"\0".join((_LABEL, aud.encode(), iss.encode(), kind.encode(), pointer.encode()))).digest()[
        :16
    ]


def _nested(model: type[Value]) -> list[tuple[str, type[Value]]]:
    """List the fields of a model that hold objects, under their JSON names."""
    found: list[tuple[str, type[Value]]] = []
    for name, info in model.model_fields.items():
        inner = [
            part for part in _parts(info.annotation) if isinstance(part, type) and issubclass(part, Value)
        ]
        found.extend((info.alias or name, part) for part in inner)
    return found


def _parts(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in {Annotated, Union, UnionType, tuple}:
        for part in get_args(annotation):
            yield from _parts(part)
    else:
        yield annotation


def _objects(tree: Any) -> Iterator[dict[str, Any]]:
    for _, node in _places(tree, ""):
        yield node


def _places(tree: Any, pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(tree, dict):
        yield pointer, tree
        for name, member in tree.items():
            yield from _places(member, f"{pointer}/{name}")
    elif isinstance(tree, list):
        for index, member in enumerate(tree):
            yield from _places(member, f"{pointer}/{index}")


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _unb64(text: str) -> bytes:
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _b64(data) != text:
        raise MalformedError("not canonical base64url", code="disclosure.form")
    return data
