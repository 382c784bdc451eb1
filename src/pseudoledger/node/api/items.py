"""From things of the book, entries and blocks to the models of the JSON API. Nothing is decided here."""

from __future__ import annotations

from typing import Any, cast

import orjson
from pydantic import BaseModel

from pseudoledger.contract.derive import (
    demand_status,
    disputed_minor,
    due_minor,
    invoice_answer,
    invoice_status,
    lease_status,
    offer_status,
)
from pseudoledger.contract.things import Chain, Demand, Invoice, Lease, Offer
from pseudoledger.ledger.rows import BlockRow, EntryRow
from pseudoledger.node.api.models import (
    BlockItem,
    DemandItem,
    IdentityItem,
    InvoiceItem,
    InvoiceStatus,
    LeaseItem,
    LeaseStatus,
    OfferItem,
    StatementItem,
)
from pseudoledger.statement import envelope
from pseudoledger.statement.values import format_block_time


def tree_of(payload: BaseModel) -> dict[str, Any]:
    """Return a payload as its issuer signed it."""
    return payload.model_dump(mode="json", by_alias=True, exclude_none=True)


def lease(key: str, thing: Lease, now: int) -> LeaseItem:
    """Return a lease as of a time."""
    return LeaseItem(
        id=key,
        number=thing.number,
        status=cast("LeaseStatus", lease_status(thing, now)),
        proposer=thing.proposer,
        lessor=thing.lessor,
        lessee=thing.lessee,
        answers=thing.answers,
        terms=thing.versions[-1].terms,
        amendments=len(thing.versions) - 1,
        currency=thing.currency,
        start=thing.start,
        until=thing.until,
        valid_to=thing.valid_to,
        signed_at=thing.signed_at,
        reclaim_at=thing.reclaim.effective_at if thing.reclaim else None,
        ended_at=thing.ended_at,
        end_code=thing.end_code,
        depth=thing.depth,
        on_account_minor=thing.on_account_minor,
        entry=thing.entry,
    )


def invoice(key: str, thing: Invoice, now: int) -> InvoiceItem:
    """Return an invoice as of a time."""
    status = cast("InvoiceStatus", invoice_status(thing, now))
    return InvoiceItem(
        id=key,
        number=thing.number,
        status=status,
        answer=invoice_answer(thing, now),
        overdue=status == "overdue",
        lease=thing.lease,
        issuer=thing.issuer,
        payer=thing.payer,
        commission=thing.commission is not None,
        currency=thing.currency,
        net_minor=thing.net_minor,
        total_minor=thing.total_minor,
        credited_minor=thing.credited_minor,
        voucher_minor=thing.voucher_minor,
        paid_minor=thing.paid_minor,
        confirmed_minor=thing.confirmed_minor,
        open_minor=thing.open_minor,
        due_minor=due_minor(thing, now),
        disputed_minor=disputed_minor(thing, now),
        owed_credit_minor=thing.owed_credit_minor,
        issued_at=thing.issued_at,
        accept_by=thing.accept_by,
        due_at=thing.due_at,
        entry=thing.entry,
    )


def offer(key: str, thing: Offer, now: int) -> OfferItem:
    """Return an offer as of a time."""
    tree = tree_of(thing.payload)
    return OfferItem(
        id=key,
        number=thing.payload.number,
        status=offer_status(thing, now),
        lessor=thing.lessor,
        country=thing.payload.facility.country,
        currency=thing.payload.tariff.currency,
        available_from=tree["available"]["from"],
        available_until=tree["available"]["until"],
        withdrawn_at=thing.withdrawn_at,
        entry=thing.entry,
        payload=tree,
    )


def demand(key: str, thing: Demand, now: int) -> DemandItem:
    """Return a demand as of a time."""
    return DemandItem(
        id=key,
        number=thing.payload.number,
        status=demand_status(thing, now),
        lessee=thing.lessee,
        purpose=thing.payload.purpose,
        closed_at=thing.closed_at,
        entry=thing.entry,
        payload=tree_of(thing.payload),
    )


def identity(root: str, chain: Chain, _now: int) -> IdentityItem:
    """Return an identity."""
    return IdentityItem(
        did=root,
        label=chain.label,
        acting_key=chain.keys[-1],
        keys=list(chain.keys),
        next=chain.next,
        recovery=chain.recovery,
        handover_to=chain.handover.to if chain.handover else None,
        revoked_by=chain.revoked_by,
        entry=chain.entry,
    )


def statement(row: EntryRow, block: BlockRow | None) -> StatementItem:
    """Return an entry, decoded; raise MalformedError if it does not decode, as no entry of a sound ledger does."""
    decoded = envelope.decode(row.statement)
    return StatementItem(
        index=row.index,
        id=row.id,
        kind=row.type,
        issuer=row.issuer,
        subject=decoded.sub,
        audience=decoded.aud,
        issued_at=decoded.iat,
        expires_at=decoded.exp,
        block=block.height if block else None,
        block_time_ms=block.time_ms if block else None,
        bytes=len(row.statement),
        payload=orjson.loads(decoded.payload),
    )


def block(row: BlockRow, first: int) -> BlockItem:
    """Return a block that seals the entries from `first` on."""
    return BlockItem(
        height=row.height,
        index=row.index,
        first=first,
        time=format_block_time(row.time_ms),
        time_ms=row.time_ms,
        tree_size=row.index + 1,
        root=row.root.hex(),
        ledger_key=row.ledger_key,
    )
