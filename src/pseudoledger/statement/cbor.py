"""CBOR (RFC 8949) from strangers: what a tag could turn its content into is never made.

`cbor2` makes numbers, dates, sets, addresses and more of tagged items while it decodes. Making a decimal fraction or
a rational number takes a time that grows with the square of its length, and nothing else runs meanwhile: some hundred
kilobytes keep a node busy for a minute. No form of ours has another tag than 18 (COSE_Sign1), which cbor2 leaves be.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NoReturn

import cbor2

_MADE_INTO_VALUES = frozenset(range(6)) | {25, 28, 29, 30, 35, 36, 37, 52, 54, 100}
_MADE_INTO_VALUES |= {256, 258, 260, 261, 1004, 43000, 55799}


def _refuse(_decoder: object) -> NoReturn:
    raise cbor2.CBORDecodeError("it has a tag that stands nowhere here")


REFUSED_TAGS = MappingProxyType(dict.fromkeys(_MADE_INTO_VALUES, _refuse))
"""For `semantic_decoders`: refuses every tag of which cbor2 would make something, before its content is read."""
