"""Disputes: the model, the list in pages, and one by its id."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from pseudoledger.contract.book import Book
from pseudoledger.contract.derive import DisputeStatus, dispute_status, freeze_of
from pseudoledger.contract.things.dispute import Dispute
from pseudoledger.node.api.failures import BAD_PARAMETERS, NOT_FOUND, ApiRoute
from pseudoledger.node.api.listing import Listing, one, root_of
from pseudoledger.node.api.models import Did, Entry, Id, Model, Number, Page, Time
from pseudoledger.node.api.parameters import (
    Cursor,
    Limit,
    OfLease,
    Party,
    Sort,
    StatementId,
)
from pseudoledger.node.node import Node

Disputed = Literal["delivery", "usage", "invoice"]


class DisputeItem(Model):
    """One dispute. Amounts are units of a delivery, unit-seconds of a usage report, minor units of an invoice."""

    id: Id
    number: Number
    status: DisputeStatus = Field(description="open until it is answered, answered until it is decided.")
    sort: Disputed = Field(description="What is disputed.")
    about: Id = Field(description="The delivery, usage report or invoice.")
    lease: Id
    reason: str = Field(description="Why, in one word.")
    by: Did
    against: Did
    arbiter: str | None = Field(description="Who decides; null where the terms name nobody else.")
    amount: int = Field(description="How much is disputed.")
    admitted: int = Field(description="What of it the other party admitted.")
    awarded: int = Field(description="What the arbiter awarded of the rest.")
    frozen: int = Field(description="What it stops now: silence, ageing and claw-back, for so much.")
    frozen_until: int | None = Field(
        description="When that ends if nobody acts; null where nothing is frozen."
    )
    opened_at: Time
    answer_by: Time
    answered_at: int | None = Field(description="When the other party answered.")
    decide_by: int | None = Field(description="When the arbiter has to have decided.")
    closed_at: int | None = Field(description="When it was admitted whole, decided, withdrawn or moot.")
    entry: Entry


def router(node: Node) -> APIRouter:
    """Return the routes of these lists."""
    routes = APIRouter(route_class=ApiRoute, responses={**BAD_PARAMETERS})
    _disputes(routes, node)
    return routes


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

            item = partial(_dispute, view.book)
            return Listing(view, now, limit).by_entry(Dispute, sort, cursor, keep, item)

    @routes.get("/disputes/{id}", tags=["disputes"], summary="One dispute", responses={**NOT_FOUND})
    def dispute(id: StatementId) -> DisputeItem:  # noqa: A002 - the name in the path
        """Return one dispute."""
        with node.reader.view() as view:
            return _dispute(view.book, id, one(view, Dispute, id), node.now())


def _dispute(book: Book, key: str, thing: Dispute, now: int) -> DisputeItem:
    """Return a dispute, and what it freezes, as of a time."""
    freeze = freeze_of(book, key, thing)
    frozen = freeze is not None and now < freeze.until
    return DisputeItem(
        id=key,
        number=thing.number,
        status=dispute_status(thing, now),
        sort=thing.sort,
        about=thing.about,
        lease=thing.lease,
        reason=thing.reason,
        by=thing.by,
        against=thing.against,
        arbiter=thing.arbiter,
        amount=thing.amount,
        admitted=thing.admitted,
        awarded=thing.awarded,
        frozen=freeze.amount if freeze is not None and frozen else 0,
        frozen_until=freeze.until if freeze is not None and frozen else None,
        opened_at=thing.opened_at,
        answer_by=thing.answer_by,
        answered_at=thing.answered_at,
        decide_by=thing.decide_by,
        closed_at=thing.closed_at,
        entry=thing.entry,
    )
