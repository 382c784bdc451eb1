"""Programmes, their vouchers and what was presented of these: models, lists in pages, and one by its id."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from pseudoledger.contract.things.voucher import Presentation, Programme, Voucher
from pseudoledger.contract.vouchers import (
    PresentationStatus,
    ProgrammeStatus,
    VoucherStatus,
    parts_of,
    presentation_status,
    programme_status,
    voucher_status,
)
from pseudoledger.market.voucher_report import centres_of
from pseudoledger.node.api.failures import BAD_PARAMETERS, NOT_FOUND, ApiRoute
from pseudoledger.node.api.items import tree_of
from pseudoledger.node.api.listing import Listing, one, root_of
from pseudoledger.node.api.models import Currency as CurrencyCode
from pseudoledger.node.api.models import Did, Entry, Id, Model, Number, Page, Time, Tree
from pseudoledger.node.api.parameters import (
    ID,
    Currency,
    Cursor,
    Limit,
    Party,
    Sort,
    StatementId,
)
from pseudoledger.node.node import Node


class ProgrammeItem(Model):
    """One programme of vouchers."""

    id: Id
    number: Number
    title: str = Field(description="Its public name.")
    status: ProgrammeStatus = Field(description="early before its period, over after it.")
    issuer: Did
    currency: CurrencyCode
    budget_minor: int = Field(description="Most that its vouchers may come to, less what was withdrawn.")
    left_minor: int = Field(description="What the budget still holds for new vouchers.")
    vouchers: int = Field(description="How many vouchers were issued.")
    issued_minor: int = Field(description="Face of all of them.")
    redeemed_minor: int = Field(description="What of it stands redeemed.")
    withdrawn_minor: int = Field(description="What of it was withdrawn, and counts for the budget again.")
    start: Time
    until: Time
    entry: Entry
    payload: Tree


class CentreItem(Model):
    """What one lessor's facilities of one class have redeemed of a programme."""

    lessor: Did
    facility_class: str = Field(description="Class that the programme or its attestor gives the facility.")
    name: str = Field(description="Name that the programme gives it, or nothing.")
    redemptions: int = Field(description="How many.")
    redeemed_minor: int = Field(description="What stands redeemed.")
    settled_minor: int = Field(description="What the issuer has paid of it.")
    unsettled_minor: int = Field(description="What it has still to pay.")
    due_back_minor: int = Field(description="What is due back to it after a credit note or claw-back.")


class VoucherItem(Model):
    """One voucher. The face is the sum of its six parts."""

    id: Id
    number: Number
    status: VoucherStatus = Field(description="early before its period; spent where nothing of it is left.")
    programme: Id
    issuer: Did
    holder: Did
    currency: CurrencyCode
    face_minor: int = Field(description="What it was issued for.")
    free_minor: int = Field(description="Bound to nothing.")
    reserved_minor: int = Field(description="Set aside for leases.")
    presented_minor: int = Field(description="Offered in payment of invoices, and waiting for the lessor.")
    redeemed_minor: int = Field(description="Redeemed, less what came back.")
    lapsed_minor: int = Field(description="Not redeemed before it lapsed.")
    withdrawn_minor: int = Field(description="Taken back by the issuer.")
    start: Time
    until: Time
    expires_at: Time = Field(description="When everything that is not redeemed lapses.")
    revoked_at: int | None = Field(description="When the issuer revoked it.")
    entry: Entry


class PresentationItem(Model):
    """A part of a voucher offered in payment of an invoice, and what came of it."""

    id: Id
    status: PresentationStatus = Field(
        description="due back where the lessor owes the issuer; settled where neither owes the other."
    )
    voucher: Id
    programme: Id
    issuer: Did
    holder: Did
    lessor: Did
    lease: Id
    invoice: Id
    currency: CurrencyCode
    amount_minor: int = Field(description="What was presented; once redeemed, what was redeemed at first.")
    redeemed_minor: int = Field(description="What stands redeemed.")
    credited_minor: int = Field(description="What credit notes gave back to the issuer.")
    clawed_back_minor: int = Field(description="What the issuer took back.")
    settled_minor: int = Field(description="What the issuer has paid the lessor, less what came back.")
    unsettled_minor: int = Field(description="What the issuer has still to pay.")
    due_back_minor: int = Field(description="What the lessor owes the issuer.")
    facility_class: str | None = Field(description="Class of the facility when it was redeemed.")
    share_bps: int = Field(description="Share of the invoice that the programme lets vouchers cover there.")
    presented_at: Time
    expires_at: Time = Field(description="When it lapses unless it is redeemed.")
    redeemed_at: int | None = Field(description="When the lessor redeemed it, Unix seconds; null if not.")
    entry: Entry


def router(node: Node) -> APIRouter:
    """Return the routes of these lists."""
    routes = APIRouter(route_class=ApiRoute, responses={**BAD_PARAMETERS})
    _programmes(routes, node)
    _vouchers(routes, node)
    _presentations(routes, node)
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

            return Listing(view, now, limit).by_entry(Programme, sort, cursor, keep, _programme)

    @routes.get("/programmes/{id}", tags=["vouchers"], summary="One programme", responses={**NOT_FOUND})
    def programme(id: StatementId) -> ProgrammeItem:  # noqa: A002 - the name in the path
        """Return one programme."""
        with node.reader.view() as view:
            return _programme(id, one(view, Programme, id), node.now())

    @routes.get(
        "/programmes/{id}/centres",
        tags=["vouchers"],
        summary="Redemptions of a programme by centre",
        responses={**NOT_FOUND},
    )
    def centres(id: StatementId) -> list[CentreItem]:  # noqa: A002 - the name in the path
        """Return what was redeemed of one programme by centre, the largest first."""
        with node.reader.view() as view:
            programme = one(view, Programme, id)
            presented = [item for _, item in view.book.all(Presentation) if item.programme == id]
            return [CentreItem(**asdict(centre)) for centre in centres_of(programme, presented)]


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

            return Listing(view, now, limit).by_entry(Voucher, sort, cursor, keep, _voucher)

    @routes.get("/vouchers/{id}", tags=["vouchers"], summary="One voucher", responses={**NOT_FOUND})
    def voucher(id: StatementId) -> VoucherItem:  # noqa: A002 - the name in the path
        """Return one voucher."""
        with node.reader.view() as view:
            return _voucher(id, one(view, Voucher, id), node.now())


def _presentations(routes: APIRouter, node: Node) -> None:
    @routes.get(
        "/vouchers/{id}/presentations",
        tags=["vouchers"],
        summary="What was presented of a voucher",
        responses={**NOT_FOUND},
    )
    def presentations(
        *,
        id: StatementId,  # noqa: A002 - the name in the path
        cursor: Cursor = None,
        limit: Limit = 50,
        sort: Sort = "-entry",
        status: Annotated[
            PresentationStatus | None, Query(description="Only those that stand so now.")
        ] = None,
    ) -> Page[PresentationItem]:
        """List what was offered of one voucher in payment of invoices, and what came of it."""
        now = node.now()
        with node.reader.view() as view:
            one(view, Voucher, id)

            def keep(_key: str, presented: Presentation) -> bool:
                return presented.voucher == id and (
                    status is None or presentation_status(presented, now) == status
                )

            return Listing(view, now, limit).by_entry(Presentation, sort, cursor, keep, _presentation)


def _programme(key: str, thing: Programme, now: int) -> ProgrammeItem:
    """Return a programme as of a time."""
    said = thing.payload
    return ProgrammeItem(
        id=key,
        number=said.number,
        title=said.title,
        status=programme_status(thing, now),
        issuer=thing.issuer,
        currency=said.currency,
        budget_minor=said.budget_minor,
        left_minor=thing.left_minor,
        vouchers=thing.vouchers,
        issued_minor=thing.issued_minor,
        redeemed_minor=thing.redeemed_minor,
        withdrawn_minor=thing.withdrawn_minor,
        start=said.period.start_seconds,
        until=said.period.until_seconds,
        entry=thing.entry,
        payload=tree_of(said),
    )


def _voucher(key: str, thing: Voucher, now: int) -> VoucherItem:
    """Return a voucher as of a time."""
    parts = parts_of(thing, now)
    return VoucherItem(
        id=key,
        number=thing.number,
        status=voucher_status(thing, now),
        programme=thing.programme,
        issuer=thing.issuer,
        holder=thing.holder,
        currency=thing.currency,
        face_minor=thing.face_minor,
        free_minor=parts.free_minor,
        reserved_minor=parts.reserved_minor,
        presented_minor=parts.presented_minor,
        redeemed_minor=parts.redeemed_minor,
        lapsed_minor=parts.lapsed_minor,
        withdrawn_minor=parts.withdrawn_minor,
        start=thing.start,
        until=thing.until,
        expires_at=thing.expires_at,
        revoked_at=thing.revoked_at,
        entry=thing.entry,
    )


def _presentation(key: str, thing: Presentation, now: int) -> PresentationItem:
    """Return a presentation as of a time."""
    return PresentationItem(
        id=key,
        status=presentation_status(thing, now),
        voucher=thing.voucher,
        programme=thing.programme,
        issuer=thing.issuer,
        holder=thing.holder,
        lessor=thing.lessor,
        lease=thing.lease,
        invoice=thing.invoice,
        currency=thing.currency,
        amount_minor=thing.amount_minor,
        redeemed_minor=thing.redeemed_minor,
        credited_minor=thing.credited_minor,
        clawed_back_minor=thing.clawed_back_minor,
        settled_minor=thing.settled_minor,
        unsettled_minor=thing.unsettled_minor,
        due_back_minor=thing.due_back_minor,
        facility_class=thing.facility_class,
        share_bps=thing.share_bps,
        presented_at=thing.presented_at,
        expires_at=thing.expires_at,
        redeemed_at=thing.redeemed_at,
        entry=thing.entry,
    )
