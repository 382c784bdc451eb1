"""Programmes, vouchers, machines and disputes, from the book to the models of the JSON API. Nothing is decided here."""

from __future__ import annotations

from dataclasses import asdict

from pseudoledger.contract.book import Book
from pseudoledger.contract.custody import Chain
from pseudoledger.contract.derive import dispute_status, freeze_of
from pseudoledger.contract.things.asset import Asset
from pseudoledger.contract.things.dispute import Dispute
from pseudoledger.contract.things.voucher import Programme, Voucher
from pseudoledger.contract.vouchers import parts_of, programme_status, voucher_status
from pseudoledger.node.api.items import tree_of
from pseudoledger.node.api.models_later import (
    AssetCustody,
    AssetItem,
    DisputeItem,
    ProgrammeItem,
    VoucherItem,
)


def programme(key: str, thing: Programme, now: int) -> ProgrammeItem:
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


def voucher(key: str, thing: Voucher, now: int) -> VoucherItem:
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


def asset(key: str, thing: Asset, _now: int) -> AssetItem:
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


def custody(chain: Chain, now: int) -> AssetCustody:
    """Return the custody chain of a machine as of a time."""
    return AssetCustody.model_validate({**asdict(chain), "as_of": now})


def dispute(book: Book, key: str, thing: Dispute, now: int) -> DisputeItem:
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
