"""Leases: the list of them, and one with its parties, its terms in words, its timeline and its money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pseudoledger.contract.account import LeaseAccount, lease_account
from pseudoledger.contract.derive import lease_status
from pseudoledger.contract.things import Amendment, Lease, TermsInForce
from pseudoledger.node.pages.lists import Listed, paged, read_all
from pseudoledger.node.pages.site import Ask, Page
from pseudoledger.node.pages.timeline import Timeline, timeline
from pseudoledger.node.reading import View
from pseudoledger.statement.kinds.lease import Terms
from pseudoledger.statement.kinds.market import Rate

STATES = ("proposed", "signed", "running", "over", "ended", "lapsed", "rejected", "cancelled")
"""What `lease_status` may say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One lease of the list."""

    id: str
    lease: Lease
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The list of leases and how it was narrowed."""

    list: Listed[Row]
    state: str
    states: Sequence[str] = STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the page of a lease says."""

    id: str
    lease: Lease
    terms: Terms
    rates: dict[str, Rate]
    account: LeaseAccount
    timeline: Timeline
    waiting: Sequence[tuple[str, Amendment]]
    """Amendments that were proposed and not yet answered."""


def make_list(view: View, ask: Ask) -> Page | None:
    """List leases and proposals, newest first, of one state if asked."""
    state = ask.text("state") if ask.text("state") in STATES else ""
    read = read_all(view, Lease)
    rows = [Row(id=key, lease=lease, status=lease_status(lease, ask.now)) for key, lease in read.things]
    rows = [row for row in rows if not state or row.status == state]
    rows.sort(key=lambda row: -row.lease.entry)
    board = Board(list=paged(rows, ask, cut=read.cut), state=state)
    return Page(template="leases.html", title="leases.title", about=board)


def make_lease(view: View, ask: Ask) -> Page | None:
    """Show one lease."""
    key = ask.path["id"]
    lease = view.book.get(Lease, key)
    held = view.book.get(TermsInForce, lease.versions[-1].terms) if lease else None
    if lease is None or held is None:
        return None
    terms = held.payload
    about = About(
        id=key,
        lease=lease,
        terms=terms,
        rates={rate.line: rate for rate in terms.tariff.lines},
        account=lease_account(view.book, key, ask.now),
        timeline=timeline(view, key, lease, ask),
        waiting=[
            (name, item)
            for name, item in read_all(view, Amendment).things
            if item.lease == key and item.state == "proposed" and item.valid_to > ask.now
        ],
    )
    return Page(template="lease.html", title="lease.title", about=about, named=lease.number)
