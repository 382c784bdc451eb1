"""Parameters that routes share, each with its bounds, and the opaque cursor of a list."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Literal

from fastapi import Depends, Path, Query

from pseudoledger.ledger.query import INDEX_MAX
from pseudoledger.market.search import Search
from pseudoledger.node.api.failures import BadParameter

LIMIT_MAX = 500
CURSOR_MAX = 512
DID = r"^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$"
ID = r"^[0-9a-f]{64}$"
NUMBER = r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$"
KIND = r"^[a-z]+\.[a-z_]+$"
CURRENCY = r"^[A-Z]{3}$"
COUNTRY = r"^[A-Z]{2}$"
CHIP = r"^[a-z0-9][a-z0-9.-]{0,63}$"

Cursor = Annotated[
    str | None,
    Query(
        max_length=CURSOR_MAX,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="`next` of the page before. It stays good while entries are added.",
    ),
]
Limit = Annotated[
    int,
    Query(
        ge=1,
        le=LIMIT_MAX,
        description="Most items of a page. A page of a filtered list may hold fewer, and yet have a `next`.",
    ),
]
Party = Annotated[
    str | None,
    Query(pattern=DID, description="Only what this identity stands in, by any key of its chain."),
]
Text = Annotated[
    str | None,
    Query(min_length=1, max_length=200, description="Only those that say so: id, number, party, chip."),
]
Chip = Annotated[str | None, Query(pattern=CHIP, description="Only those with this chip.")]
WantedChip = Annotated[str | None, Query(pattern=CHIP, description="Only those that would take this chip.")]
Country = Annotated[str | None, Query(pattern=COUNTRY, description="Only those there.")]
Currency = Annotated[str | None, Query(pattern=CURRENCY, description="Only those in it.")]
OfLease = Annotated[str | None, Query(pattern=ID, description="Only those of this lease.")]
Price = Annotated[
    int | None,
    Query(ge=0, le=2**53 - 1, description="Only those with a line at most so dear a unit and hour."),
]
Purpose = Annotated[Literal["train", "infer", "other"] | None, Query(description="Only those for it.")]


def _offer_search(
    *,
    chip: Chip = None,
    country: Country = None,
    currency: Currency = None,
    price_micro: Price = None,
    q: Text = None,
) -> Search:
    return Search(
        chip=chip or "", country=country or "", currency=currency or "", price_micro=price_micro, text=q or ""
    )


def _demand_search(*, chip: WantedChip = None, q: Text = None) -> Search:
    return Search(chip=chip or "", text=q or "")


OfferSearch = Annotated[Search, Depends(_offer_search)]
DemandSearch = Annotated[Search, Depends(_demand_search)]
OfferStatus = Annotated[
    Literal["open", "withdrawn", "over"] | None, Query(description="Only those that stand so now.")
]
DemandStatus = Annotated[
    Literal["open", "closed", "over"] | None, Query(description="Only those that stand so now.")
]
Order = Literal["-entry", "entry"]
Sort = Annotated[
    Order, Query(description="By the index of the entry that opened it; `-entry` has the newest first.")
]
StatementId = Annotated[
    str, Path(pattern=ID, description="Statement id: 64 hex digits.", examples=["3f" * 32])
]
Index = Annotated[int, Path(ge=0, le=INDEX_MAX, description="Index of an entry, from 0.")]

Place = int | str
"""Part of a place in a list."""


def write_cursor(listing: str, *place: Place) -> str:
    """Return the cursor of a place in a list."""
    text = json.dumps([listing, *place], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, listing: str, *kinds: type[Place]) -> tuple[Place, ...] | None:
    """Return the place of a cursor, None for none; raise BadParameter if it is of another list or no cursor."""
    if cursor is None:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        # JSON spells texts that no database takes.
        json.dumps(found, ensure_ascii=False).encode()
    except (binascii.Error, ValueError, RecursionError):
        found = None
    match found:
        case [str() as name, *place] if name == listing and len(place) == len(kinds):
            if all(
                type(part) is kind and (isinstance(part, str) or -INDEX_MAX < part < INDEX_MAX)
                for part, kind in zip(place, kinds, strict=True)
            ):
                return tuple(place)
    raise BadParameter("cursor", "is no cursor of this list in this order: take `next` of a page as it is")


def number_of(cursor: str | None, listing: str) -> int | None:
    """Return the place of a cursor that is one number."""
    place = read_cursor(cursor, listing, int)
    return None if place is None else int(place[0])


def key_of(cursor: str | None, listing: str) -> str | None:
    """Return the place of a cursor that is one key."""
    place = read_cursor(cursor, listing, str)
    return None if place is None else str(place[0])
