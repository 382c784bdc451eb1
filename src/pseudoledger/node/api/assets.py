"""Machines and their custody: models, lists in pages, and one by its id."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from pseudoledger.contract.custody import Chain, Gap, Step, custody_chain
from pseudoledger.contract.things.asset import Asset
from pseudoledger.node.api.failures import BAD_PARAMETERS, NOT_FOUND, ApiRoute
from pseudoledger.node.api.listing import Listing, one, root_of
from pseudoledger.node.api.models import Did, Entry, Id, Model, Number, Page, Time
from pseudoledger.node.api.parameters import (
    Chip,
    Country,
    Cursor,
    Limit,
    Party,
    Sort,
    StatementId,
)
from pseudoledger.node.node import Node

ChipName = Annotated[
    str, Field(description="Chip, as the chip table names it.", examples=["nvidia-h200-sxm-141gb"])
]
CountryCode = Annotated[str, Field(description="ISO 3166-1 alpha-2.", examples=["DE"])]


class AssetItem(Model):
    """One machine, by the digest of its serial number."""

    id: Id
    number: Number
    serial: str = Field(description="Slow digest of its serial number.")
    parts: list[str] = Field(description="The same of its chips, where they were named.")
    chip: ChipName
    count: int = Field(description="How many chips it has.")
    owned_by: Did
    held_by: Did
    country: CountryCode
    subdivision: str | None = Field(description="ISO 3166-2, where it was said.")
    moving_to: str | None = Field(description="Who has yet to sign for it, where it is on its way.")
    moved_at: int | None = Field(description="When it was sent there.")
    steps: int = Field(ge=1, description="Steps of its custody, its registration counted.")
    entry: Entry


class AssetCustody(Model):
    """The custody chain of one machine: who held it where and when, and what nobody signed for."""

    asset: Id
    number: Number
    chip: ChipName
    count: int = Field(description="How many chips it has.")
    owned_by: Did
    held_by: Did
    country: CountryCode
    steps: list[Step] = Field(description="Its holders, the first one first.")
    gaps: list[Gap] = Field(description="Times for which nobody but the sender speaks.")
    countries: list[str] = Field(description="Countries that it passed, in order, each time it changed.")
    returns: int = Field(description="How often it came back to somebody who held it before.")
    leases: list[str] = Field(description="Leases under which it or one of its chips was delivered.")
    as_of: Time


def router(node: Node) -> APIRouter:
    """Return the routes of these lists."""
    routes = APIRouter(route_class=ApiRoute, responses={**BAD_PARAMETERS})
    _assets(routes, node)
    return routes


def _assets(routes: APIRouter, node: Node) -> None:
    @routes.get("/assets", tags=["assets"], summary="List machines")
    def assets(
        *,
        cursor: Cursor = None,
        limit: Limit = 50,
        sort: Sort = "-entry",
        party: Party = None,
        chip: Chip = None,
        country: Country = None,
        moving: Annotated[
            bool | None, Query(description="Only those that are, or are not, on their way.")
        ] = None,
    ) -> Page[AssetItem]:
        """List machines; a party stands in those that it owns or holds, or has yet to sign for."""
        with node.reader.view() as view:
            root = root_of(view, party)

            def keep(_key: str, asset: Asset) -> bool:
                goes_to = asset.waiting.to if asset.waiting else None
                return (
                    (root is None or root in (asset.owned_by, asset.held_by, goes_to))
                    and (chip is None or asset.chip == chip)
                    and (country is None or asset.country == country)
                    and (moving is None or (goes_to is not None) == moving)
                )

            return Listing(view, node.now(), limit).by_entry(Asset, sort, cursor, keep, _asset)

    @routes.get("/assets/{id}", tags=["assets"], summary="One machine", responses={**NOT_FOUND})
    def asset(id: StatementId) -> AssetItem:  # noqa: A002 - the name in the path
        """Return one machine."""
        with node.reader.view() as view:
            return _asset(id, one(view, Asset, id), node.now())

    @routes.get(
        "/assets/{id}/custody", tags=["assets"], summary="Custody of a machine", responses={**NOT_FOUND}
    )
    def custody(id: StatementId) -> AssetCustody:  # noqa: A002 - the name in the path
        """Draw up the custody chain of a machine: its holders, the countries it passed, its gaps."""
        now = node.now()
        with node.reader.view() as view:
            one(view, Asset, id)
            return _custody(custody_chain(view.book, id, now), now)


def _asset(key: str, thing: Asset, _now: int) -> AssetItem:
    """Return a machine."""
    return AssetItem(
        id=key,
        number=thing.number,
        serial=thing.serial,
        parts=list(thing.parts),
        chip=thing.chip,
        count=thing.count,
        owned_by=thing.owned_by,
        held_by=thing.held_by,
        country=thing.country,
        subdivision=thing.subdivision,
        moving_to=thing.waiting.to if thing.waiting else None,
        moved_at=thing.waiting.moved_at if thing.waiting else None,
        steps=thing.steps,
        entry=thing.entry,
    )


def _custody(chain: Chain, now: int) -> AssetCustody:
    """Return the custody chain of a machine as of a time."""
    return AssetCustody.model_validate({**asdict(chain), "as_of": now})
