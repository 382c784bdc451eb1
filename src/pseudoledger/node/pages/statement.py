"""One statement: what it says, what it keeps sealed, its envelope, and its place in the tree."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType

import orjson

from pseudoledger.contract.things import Amendment, Delivery, Invoice, Lease, Thing, Usage
from pseudoledger.contract.things.asset import Asset
from pseudoledger.contract.things.dispute import Dispute
from pseudoledger.contract.things.voucher import Programme, Voucher
from pseudoledger.ledger.rows import BlockRow
from pseudoledger.ledger.tree import hash_leaf, inclusion_proof
from pseudoledger.node.pages.dictionary import Field, fields, summary
from pseudoledger.node.pages.site import Ask, Page
from pseudoledger.node.reading import View
from pseudoledger.statement import envelope
from pseudoledger.statement.envelope import Statement

_PAGES: Mapping[str, type[Thing]] = MappingProxyType(
    {"dispute": Dispute, "voucher": Voucher, "programme": Programme, "machine": Asset, "lease": Lease}
)
"""Things with a page of their own, the narrowest first."""
_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the page of a statement says."""

    id: str
    type: str
    v: int
    summary: str
    statement: Statement
    index: int
    block: BlockRow
    fields: Sequence[Field]
    refs: AbstractSet[str]
    """Which of the ids in the fields are statements of this ledger."""
    sealed: Sequence[Field]
    """The digests of sealed fields."""
    leaf: str
    path: Sequence[str]
    """The inclusion proof under the block, in hex, lowest first."""
    size: int
    """Size of the tree that the proof is for."""
    bytes: int
    belongs: tuple[str, str] | None
    """Name of the page and id of what the statement belongs to, if anything has a page of its own."""
    ledger_key: str


def make(view: View, ask: Ask) -> Page | None:
    """Show one statement."""
    key = ask.path["id"]
    row = view.store.entry_by_id(key) if _ID.fullmatch(key) else None
    block = view.store.block_of(row.index) if row else None
    if row is None or block is None:
        return None
    statement = envelope.decode(row.statement)
    tree = orjson.loads(statement.payload)
    everything, size = fields(tree), block.index + 1
    about = About(
        id=row.id,
        type=row.type,
        v=tree["v"],
        summary=summary(row.type, tree["v"]),
        statement=statement,
        index=row.index,
        block=block,
        fields=[field for field in everything if field.form != "digest"],
        refs=view.store.known([field.value for field in everything if field.form == "id"]),
        sealed=[field for field in everything if field.form == "digest"],
        leaf=hash_leaf(row.statement).hex(),
        path=[node.hex() for node in inclusion_proof(row.index, size, view.store.hashes)],
        size=size,
        bytes=len(row.statement),
        belongs=_belongs(view, row.id, statement.sub),
        ledger_key=block.ledger_key,
    )
    return Page(template="statement.html", title="statement.title", about=about, named=row.id[:12])


def _belongs(view: View, key: str, sub: str) -> tuple[str, str] | None:
    """Return what a statement opens or is about, where that has a page."""
    for name in (key, sub):
        for place, cls in _PAGES.items():
            if view.book.get(cls, name) is not None:
                return place, name
    lease = _lease_of(view, key, sub)
    return ("lease", lease) if lease else None


def _lease_of(view: View, key: str, sub: str) -> str:
    """Return the lease that a statement opens a part of, or whose part it is about."""
    part = view.book.get(Delivery, key) or view.book.get(Usage, key) or view.book.get(Amendment, key)
    invoice = view.book.get(Invoice, key) or view.book.get(Invoice, sub)
    if part is not None:
        return part.lease
    return invoice.lease if invoice is not None else ""
