"""Which other statements a payload refers to, by the names that the data dictionary gives to such fields.

A statement id and any other SHA-256 are spelled alike. What tells them apart is the field: every field that
holds 64 hex digits holds an id, but for those whose names stand in `OTHER_HASHES`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

OTHER_HASHES = frozenset({"nonce", "sha256", "root", "next", "serials", "serial", "policies", "digest"})
"""Names of fields that hold 64 hex digits and no statement id."""

_ID_DIGITS = 64
_HEX = frozenset("0123456789abcdef")


def references(payload: bytes) -> frozenset[str]:
    """Return the ids of the statements that a payload, which `payload.parse` has read, refers to."""
    return frozenset(_found(orjson.loads(payload)))


def pinned_files(payload: bytes) -> dict[str, str]:
    """Return the SHA-256 of every file that a payload names, each with what the file is called there."""
    return dict(_pinned(orjson.loads(payload)))


def is_id(text: str) -> bool:
    """Tell whether a text is spelled as statement ids are."""
    return len(text) == _ID_DIGITS and _HEX.issuperset(text)


def _found(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if is_id(value):
            yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            if name not in OTHER_HASHES:
                yield from _found(member)
    elif isinstance(value, list):
        for item in value:
            yield from _found(item)


def _pinned(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if isinstance(value.get("sha256"), str):
            yield value["sha256"], str(value.get("name") or value.get("media_type", ""))
        for member in value.values():
            yield from _pinned(member)
    elif isinstance(value, list):
        for item in value:
            yield from _pinned(item)
