"""One identity: what is known of it, and by whose word."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pseudoledger.contract.claims import standing
from pseudoledger.contract.derive import lease_status
from pseudoledger.contract.things import Chain, Demand, Lease, Offer
from pseudoledger.contract.things.claim import Claim
from pseudoledger.contract.things.voucher import Voucher
from pseudoledger.errors import MalformedError
from pseudoledger.identity.keys import key_from_did
from pseudoledger.ledger.rows import EntryRow
from pseudoledger.node.pages.lists import read_all
from pseudoledger.node.pages.site import Ask, Page
from pseudoledger.node.pages.traced import Traced, traced
from pseudoledger.node.pages.vouchers import Row, row_of
from pseudoledger.node.reading import View

RECENT_WINDOW = 20_000
"""Newest entries that are searched for statements of an identity."""
RECENT_SHOWN = 12
SHOWN_MAX = 50
"""Most leases, offers or demands that are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyLease:
    """A lease of the identity, seen from its side."""

    id: str
    lease: Lease
    role: str
    other: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenClaim:
    """A claim about the identity, and how it stands in one word."""

    id: str
    claim: Claim
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the page of an identity says."""

    did: str
    root: str
    acting: str
    chain: Chain | None
    own_role: str
    """Key of the ledger's role that this key has: founder, ledger_key, retired; "" for a party."""
    leases: Sequence[PartyLease]
    offers: Sequence[tuple[str, Offer]]
    demands: Sequence[tuple[str, Demand]]
    vouchers: Sequence[Row]
    """Vouchers that it holds, the newest first."""
    claims: Sequence[SeenClaim]
    recent: Sequence[EntryRow]
    traced: Traced | None
    """What a trace kept beside the ledger says; None without."""
    window: int = RECENT_WINDOW
    shown_max: int = SHOWN_MAX

    @property
    def person_attested(self) -> bool:
        """Whether another party says, at present, that it knows who this is."""
        return any(
            one.claim.payload.claim == "kyc" and one.status == "in_force" and one.claim.attestor != self.root
            for one in self.claims
        )


def make(view: View, ask: Ask) -> Page | None:
    """Show one identity; a key that the ledger never saw has no page."""
    did = ask.path["did"]
    try:
        key_from_did(did)
    except MalformedError:
        return None
    book = view.book
    root = book.root_of(did)
    leases = [
        _seen_from(key, lease, book.root_of(lease.lessor) == root, ask.now)
        for key, lease in read_all(view, Lease).things
        if root in {book.root_of(lease.lessor), book.root_of(lease.lessee)}
    ]
    about = About(
        did=did,
        root=root,
        acting=book.acting_key(did),
        chain=book.chain_of(did),
        own_role=_own_role(view, did),
        leases=sorted(leases, key=lambda item: -item.lease.entry)[:SHOWN_MAX],
        offers=[
            (key, offer) for key, offer in read_all(view, Offer).things if book.root_of(offer.lessor) == root
        ][:SHOWN_MAX],
        demands=[
            (key, item) for key, item in read_all(view, Demand).things if book.root_of(item.lessee) == root
        ][:SHOWN_MAX],
        vouchers=_vouchers(view, root, ask.now),
        claims=_claims(view, root, ask.now),
        recent=_recent(view, book.chain_of(did), did),
        traced=traced(view, did),
    )
    papers = about.leases or about.offers or about.demands or about.vouchers
    known = bool(about.chain or about.own_role or papers or about.claims or about.recent)
    return (
        Page(template="identity.html", title="identity.title", about=about, named=_name(about))
        if known
        else None
    )


def _name(about: About) -> str:
    label = about.chain.label if about.chain else ""
    return label or about.did


def _claims(view: View, root: str, now: int) -> list[SeenClaim]:
    """Return what others and itself attest about an identity, newest first."""
    found = [
        SeenClaim(id=key, claim=claim, status=standing(view.book, claim, now).word.replace(" ", "_"))
        for key, claim in read_all(view, Claim).things
        if view.book.root_of(claim.subject) == root
    ]
    return sorted(found, key=lambda item: -item.claim.entry)[:SHOWN_MAX]


def _vouchers(view: View, root: str, now: int) -> list[Row]:
    held = [(key, item) for key, item in read_all(view, Voucher).things if item.holder == root]
    held.sort(key=lambda pair: -pair[1].entry)
    return [row_of(view, key, item, now) for key, item in held[:SHOWN_MAX]]


def _seen_from(key: str, lease: Lease, is_lessor: bool, now: int) -> PartyLease:
    return PartyLease(
        id=key,
        lease=lease,
        role="lessor" if is_lessor else "lessee",
        other=lease.lessee if is_lessor else lease.lessor,
        status=lease_status(lease, now),
    )


def _own_role(view: View, did: str) -> str:
    state = view.state
    if did == state.founder:
        return "founder"
    if did == state.ledger_key:
        return "ledger_key"
    return "retired" if state.is_own_key(did) else ""


def _recent(view: View, chain: Chain | None, did: str) -> list[EntryRow]:
    """Return the newest statements of any of the identity's keys, newest first."""
    keys = chain.keys if chain else (did,)
    found = view.store.tables.execute(
        "SELECT idx FROM entries WHERE idx >= ? AND issuer IN (SELECT value FROM json_each(?))"
        " ORDER BY idx DESC LIMIT ?",
        [max(0, view.store.size - RECENT_WINDOW), json.dumps(keys), RECENT_SHOWN],
    ).fetchall()
    rows = (view.store.entry(index) for (index,) in found)
    return [row for row in rows if row is not None]
