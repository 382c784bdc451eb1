"""Programmes, vouchers, machines and disputes: lists in pages, and one by its id."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from pseudoledger.contract.custody import custody_chain
from pseudoledger.contract.derive import DisputeStatus, dispute_status
from pseudoledger.contract.things.asset import Asset
from pseudoledger.contract.things.dispute import Dispute
from pseudoledger.contract.things.voucher import Programme, Voucher
from pseudoledger.contract.vouchers import ProgrammeStatus, VoucherStatus, programme_status, voucher_status
from pseudoledger.node.api import items_later
from pseudoledger.node.api.failures import BAD_PARAMETERS, NOT_FOUND, ApiRoute
from pseudoledger.node.api.listing import Listing, one, root_of
from pseudoledger.node.api.models import Page
from pseudoledger.node.api.models_later import (
    AssetCustody,
    AssetItem,
    Disputed,
    DisputeItem,
    ProgrammeItem,
    VoucherItem,
)
from pseudoledger.node.api.parameters import (
    ID,
    Chip,
    Country,
    Currency,
    Cursor,
    Limit,
    OfLease,
    Party,
    Sort,
    StatementId,
)
from pseudoledger.node.node import Node


def router(node: Node) -> APIRouter:
    """Return the routes of these lists."""
    routes = APIRouter(route_class=ApiRoute, responses={**BAD_PARAMETERS})
    for add in (_programmes, _vouchers, _assets, _disputes):
        add(routes, node)
    return routes


def _programmes(routes: APIRouter, node: Node) -> None:
    @routes.get("/programmes", tags=["vouchers"], summary="List programmes")
    def programmes(
        *,
        cursor: Cursor = None,
        limit: Limit = 50,
        sort: Sort = "-entry",
        party: Party = None,
        status: Annotated[ProgrammeStatus | None, Query(description="Only those that stand so now.")] = None,
        currency: Currency = None,
    ) -> Page[ProgrammeItem]:
        """List programmes of vouchers; a party stands in those that it issued."""
        now = node.now()
        with node.reader.view() as view:
            root = root_of(view, party)

            def keep(_key: str, programme: Programme) -> bool:
                return (
                    (root is None or root == programme.issuer)
                    and (status is None or programme_status(programme, now) == status)
                    and (currency is None or programme.payload.currency == currency)
                )

            return Listing(view, now, limit).by_entry(Programme, sort, cursor, keep, items_later.programme)

    @routes.get("/programmes/{id}", tags=["vouchers"], summary="One programme", responses={**NOT_FOUND})
    def programme(id: StatementId) -> ProgrammeItem:  # noqa: A002 - the name in the path
        """Return one programme."""
        with node.reader.view() as view:
            return items_later.programme(id, one(view, Programme, id), node.now())


def _vouchers(routes: APIRouter, node: Node) -> None:
    @routes.get("/vouchers", tags=["vouchers"], summary="List vouchers")
    def vouchers(
        *,
        cursor: Cursor = None,
        limit: Limit = 50,
        sort: Sort = "-entry",
        party: Party = None,
        programme: Annotated[
            str | None, Query(pattern=ID, description="Only those of this programme.")
        ] = None,
        status: Annotated[VoucherStatus | None, Query(description="Only those that stand so now.")] = None,
        currency: Currency = None,
    ) -> Page[VoucherItem]:
        """List vouchers with the parts of their face; a party stands in those that it issued or holds."""
        now = node.now()
        with node.reader.view() as view:
            root = root_of(view, party)

            def keep(_key: str, voucher: Voucher) -> bool:
                return (
                    (root is None or root in (voucher.issuer, voucher.holder))
                    and (programme is None or voucher.programme == programme)
                    and (status is None or voucher_status(voucher, now) == status)
                    and (currency is None or voucher.currency == currency)
                )

            return Listing(view, now, limit).by_entry(Voucher, sort, cursor, keep, items_later.voucher)

    @routes.get("/vouchers/{id}", tags=["vouchers"], summary="One voucher", responses={**NOT_FOUND})
    def voucher(id: StatementId) -> VoucherItem:  # noqa: A002 - the name in the path
        """Return one voucher."""
        with node.reader.view() as view:
            return items_later.voucher(id, one(view, Voucher, id), node.now())


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

            return Listing(view, node.now(), limit).by_entry(Asset, sort, cursor, keep, items_later.asset)

    @routes.get("/assets/{id}", tags=["assets"], summary="One machine", responses={**NOT_FOUND})
    def asset(id: StatementId) -> AssetItem:  # noqa: A002 - the name in the path
        """Return one machine."""
        with node.reader.view() as view:
            return items_later.asset(id, one(view, Asset, id), node.now())

    @routes.get(
        "/assets/{id}/custody", tags=["assets"], summary="Custody of a machine", responses={**NOT_FOUND}
    )
    def custody(id: StatementId) -> AssetCustody:  # noqa: A002 - the name in the path
        """Draw up the custody chain of a machine: its holders, the countries it passed, its gaps."""
        now = node.now()
        with node.reader.view() as view:
            one(view, Asset, id)
            return items_later.custody(custody_chain(view.book, id, now), now)


def _disputes(routes: APIRouter, node: Node) -> None:
    @routes.get("/disputes", tags=["disputes"], summary="List disputes")
    def disputes(
        *,
        cursor: Cursor = None,
        limit: Limit = 50,
        sort: Sort = "-entry",
        party: Party = None,
        lease: OfLease = None,
        about: Annotated[Disputed | None, Query(description="Only those about one of these.")] = None,
        status: Annotated[DisputeStatus | None, Query(description="Only those that stand so now.")] = None,
    ) -> Page[DisputeItem]:
        """List disputes; a party stands in those that it opened, has to answer or has to decide."""
        now = node.now()
        with node.reader.view() as view:
            root = root_of(view, party)

            def keep(_key: str, dispute: Dispute) -> bool:
                return (
                    (root is None or root in (dispute.by, dispute.against, dispute.arbiter))
                    and (lease is None or dispute.lease == lease)
                    and (about is None or dispute.sort == about)
                    and (status is None or dispute_status(dispute, now) == status)
                )

            item = partial(items_later.dispute, view.book)
            return Listing(view, now, limit).by_entry(Dispute, sort, cursor, keep, item)

    @routes.get("/disputes/{id}", tags=["disputes"], summary="One dispute", responses={**NOT_FOUND})
    def dispute(id: StatementId) -> DisputeItem:  # noqa: A002 - the name in the path
        """Return one dispute."""
        with node.reader.view() as view:
            return items_later.dispute(view.book, id, one(view, Dispute, id), node.now())
