"""What the JSON API answers: one frozen model per shape, each field described.

Times are Unix seconds unless the name says otherwise, money is minor units of the currency beside it, and
references are statement ids. What follows from a time (status, answer, due) is as of `as_of`.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from pseudoledger.contract.account import DisputeAccount, InvoiceAccount, LineAccount
from pseudoledger.contract.derive import Answer

ItemT = TypeVar("ItemT", bound=BaseModel)

Id = Annotated[str, Field(description="Statement id: 64 hex digits.", examples=["3f" * 32])]
Did = Annotated[
    str,
    Field(
        description="A party, by the first key of its chain.",
        examples=["did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"],
    ),
]
Time = Annotated[int, Field(description="Unix seconds.", examples=[1_767_225_600])]
Entry = Annotated[int, Field(ge=0, description="Index of the entry that opened it.", examples=[12])]
Currency = Annotated[str, Field(description="ISO 4217.", examples=["USD"])]
Number = Annotated[str, Field(description="The number that its issuer gave it.", examples=["L-1"])]
Tree = Annotated[
    dict[str, Any], Field(description="Payload as its issuer signed it; sealed fields stand as digests.")
]


class Model(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Page(Model, Generic[ItemT]):
    """One page of a list."""

    items: list[ItemT] = Field(description="In the order asked for.")
    next: str | None = Field(
        description="Cursor of the page after this, null at the end. Give it back as it is, with the same filters."
    )
    as_of: Time


class WitnessItem(Model):
    """One witness of the ledger's policy."""

    name: str = Field(description="Name of its key.")
    url: str = Field(description="Where it is asked.")
    cosigned_size: int | None = Field(description="Largest tree that it cosigned; null if it never did.")
    trouble: str = Field(description='What went wrong last; "" if nothing did.')


class MirrorItem(Model):
    """One copy of the ledger that the operator of this node named."""

    url: str = Field(description="Where it is asked for its checkpoint.")
    size: int | None = Field(
        description="Entries under the checkpoint that it showed last; null if none was seen."
    )
    consistent: bool | None = Field(
        description="Whether that checkpoint is of the history held here; null where it could not be compared."
    )
    trouble: str = Field(description='What went wrong last; "" if nothing did.')


class StandingItem(Model):
    """How the node stands towards others."""

    upstream: str = Field(description="Mirror: the node that it follows.")
    behind: str = Field(description='Mirror: why it is not up to date; "" if it is as far as it knows.')
    held: str = Field(description='Mirror: why it serves an old state until its operator decides; "" if not.')
    witnesses: list[WitnessItem] = Field(description="Witnesses that the founder asks.")
    quorum_met: bool | None = Field(description="Whether the checkpoint carries enough cosignatures.")
    mirrors: list[MirrorItem] = Field(description="Other copies that this node compares itself with.")


class Status(Model):
    """The ledger, and the node that serves it."""

    origin: str = Field(description="Name of the ledger.", examples=["market.example/compute"])
    ledger: Id = Field(description="Ledger id: the statement id of its founding.")
    founder: str = Field(description="did:key that may change policy and ledger key.")
    ledger_key: str = Field(description="did:key that signs blocks, receipts and checkpoints.")
    size: int = Field(ge=1, description="Entries.")
    height: int = Field(ge=1, description="Blocks.")
    root: str = Field(description="Root hash over all entries, hex.")
    time: str = Field(description="Time of the last block.", examples=["2026-03-01T08:00:00.000Z"])
    time_ms: int = Field(description="The same, in milliseconds since 1970.")
    as_of: Time = Field(description="The ledger's present time: never before its last block.")
    clock: Literal["system", "simulated"] = Field(
        description="Where block times come from; a simulated clock proves no times."
    )
    checkpoint: str | None = Field(description="The newest published checkpoint, a signed note.")
    rules: list[str] = Field(description="Rule set in force: name and SHA-256.")
    tables: list[list[str]] = Field(description="Tables in force: name and SHA-256 of each.")
    policy: dict[str, Any] = Field(description="Registration policy in force.")
    role: Literal["founder", "mirror"] = Field(description="What the node is to the ledger.")
    standing: StandingItem = Field(description="How it stands towards others.")


class StatementItem(Model):
    """One entry: a signed statement, decoded."""

    index: int = Field(ge=0, description="Index of the entry.")
    id: Id
    kind: str = Field(description="Kind of the statement.", examples=["offer.published"])
    issuer: str = Field(description="did:key that signed it.")
    subject: str = Field(description="What it is about.")
    audience: str | None = Field(description="Ledger id that it was signed for; null for a founding.")
    issued_at: Time = Field(description="When the issuer says that it signed.")
    expires_at: int | None = Field(description="After which it may not be registered; null for no limit.")
    block: int | None = Field(description="Height of the block that seals it.")
    block_time_ms: int | None = Field(description="Time of that block.")
    bytes: int = Field(description="Size of the signed statement.")
    payload: Tree


class BlockItem(Model):
    """One block."""

    height: int = Field(ge=1, description="Number of the block, from 1.")
    index: int = Field(ge=1, description="Index of the block's own entry.")
    first: int = Field(ge=0, description="Index of the first entry that it seals.")
    time: str = Field(description="Block time.", examples=["2026-03-01T08:00:00.000Z"])
    time_ms: int = Field(description="The same, in milliseconds since 1970.")
    tree_size: int = Field(description="Entries up to and with the block.")
    root: str = Field(description="Root hash of that tree, hex.")
    ledger_key: str = Field(description="did:key that signed it.")


class IdentityItem(Model):
    """One identity that was declared or rotated. Anybody else is known by a key alone."""

    did: str = Field(description="First key of its chain: the name under which the ledger knows it.")
    label: str = Field(description="What it calls itself; nobody checked it.")
    acting_key: str = Field(description="Key in force.")
    keys: list[str] = Field(description="All keys of the chain, in order.")
    next: str | None = Field(description="Key announced for the next rotation.")
    recovery: str | None = Field(description="Key that may take the identity back.")
    handover_to: str | None = Field(description="Key that still has to adopt the identity.")
    revoked_by: str | None = Field(description="Statement that took the key out of force.")
    entry: Entry


class OfferItem(Model):
    """One offer."""

    id: Id
    number: Number
    status: Literal["open", "withdrawn", "over"] = Field(description="over after its time.")
    lessor: Did
    country: str = Field(description="ISO 3166-1 alpha-2.", examples=["DE"])
    currency: Currency
    available_from: str = Field(description="From when leases under it may run.")
    available_until: str = Field(description="Until when.")
    withdrawn_at: int | None = Field(description="When it was taken back.")
    entry: Entry
    payload: Tree


class DemandItem(Model):
    """One demand."""

    id: Id
    number: Number
    status: Literal["open", "closed", "over"] = Field(description="over after its window.")
    lessee: Did
    purpose: str = Field(description="train, infer or other.")
    closed_at: int | None = Field(description="When it was closed.")
    entry: Entry
    payload: Tree


LeaseStatus = Literal["proposed", "lapsed", "rejected", "cancelled", "signed", "running", "over", "ended"]


class LeaseItem(Model):
    """One lease, from its proposal on."""

    id: Id = Field(description="Statement id of the proposal, which is the hash of the terms.")
    number: Number
    status: LeaseStatus = Field(description="Where it stands.")
    proposer: Did
    lessor: Did
    lessee: Did
    answers: Id = Field(description="Offer or demand that it answers.")
    terms: Id = Field(description="Statement that carries the newest terms.")
    amendments: int = Field(description="How often the terms were amended.")
    currency: Currency
    start: Time
    until: Time
    valid_to: Time = Field(description="When the proposal lapses if nobody signs.")
    signed_at: int | None = Field(description="When the other party signed.")
    reclaim_at: int | None = Field(description="When the lessor's notice takes effect.")
    ended_at: int | None = Field(description="When it was ended.")
    end_code: int | None = Field(description="Reason code of the end.")
    depth: int = Field(description="How many head leases stand above it.")
    on_account_minor: int = Field(description="Paid on account.")
    entry: Entry


class LeaseStatement(Model):
    """The account of one lease: agreed, used, billed, credited, paid, open."""

    lease: Id
    number: Number
    status: LeaseStatus = Field(description="Where it stands.")
    lessor: Did
    lessee: Did
    currency: Currency
    start: Time
    until: Time
    terms: Id
    amendments: int = Field(description="How often the terms were amended.")
    lines: list[LineAccount] = Field(description="Use of each line, in unit-seconds.")
    invoices: list[InvoiceAccount] = Field(description="Every invoice, commissions too.")
    disputes: list[DisputeAccount] = Field(description="Every dispute, the oldest first.")
    on_account_minor: int = Field(description="Paid on account.")
    billed_minor: int = Field(description="Total of the lessor's invoices that stand.")
    credited_minor: int = Field(description="Total of credit notes.")
    voucher_minor: int = Field(description="What vouchers cover of them.")
    paid_minor: int = Field(description="Declared payments not denied, less refunds, with those on account.")
    disputed_minor: int = Field(description="Open and not due: disputed, or to be credited.")
    owed_credit_minor: int = Field(description="What disputes left for the lessor to credit.")
    open_minor: int = Field(description="What is still to be paid; negative where the lessor owes.")
    as_of: Time


InvoiceStatus = Literal["cancelled", "settled", "refund due", "paid", "overdue", "disputed", "open"]


class InvoiceItem(Model):
    """One invoice."""

    id: Id
    number: Number
    status: InvoiceStatus = Field(description="Where it stands.")
    answer: Answer = Field(description="How the payer answered; deemed is agreement by silence.")
    overdue: bool = Field(description="Whether something undisputed is due and not paid.")
    lease: Id
    issuer: Did
    payer: Did
    commission: bool = Field(description="Whether a broker bills its commission.")
    currency: Currency
    net_minor: int = Field(description="Without tax.")
    total_minor: int = Field(description="With tax.")
    credited_minor: int = Field(description="Credited since.")
    voucher_minor: int = Field(description="Redeemed of vouchers, less what came back.")
    paid_minor: int = Field(description="Payments declared and not denied, less refunds.")
    confirmed_minor: int = Field(description="The same, confirmed.")
    open_minor: int = Field(description="Still to be paid; negative where a refund is due.")
    due_minor: int = Field(description="Undisputed part of what is open.")
    disputed_minor: int = Field(description="The other part: disputed, or to be credited.")
    owed_credit_minor: int = Field(description="What a dispute left for the issuer to credit.")
    issued_at: Time
    accept_by: Time = Field(description="When silence counts as acceptance.")
    due_at: Time
    entry: Entry


class ThingItem(Model):
    """One thing of the book, as it is stored."""

    key: str = Field(description="Its key: mostly the statement id that opened it.")
    value: dict[str, Any] = Field(description="All that the book holds of it; defaults are left out.")


class Things(Model):
    """Things of one sort."""

    items: list[ThingItem] = Field(description="By key.")
    next: str | None = Field(description="Cursor of the page after this, null at the end.")


class Names(Model):
    """Ids or numbers that fit."""

    items: list[str] = Field(description="What was found.")


class Counts(Model):
    """How many entries of each kind there are."""

    kinds: dict[str, int] = Field(description="Entries by the kind of their statement.")


class NewEntry(Model):
    """One line of the stream of entries."""

    index: int = Field(description="Index of the entry; also the id of the event.")
    id: Id
    kind: str = Field(description="Kind of the statement.")
    issuer: str = Field(description="did:key that signed it.")
    block: int = Field(description="Height of the block that seals it.")
    block_time_ms: int = Field(description="Time of that block.")


class Health(Model):
    """Whether something is well."""

    status: Literal["ok"] = Field(description="It answers.")
