"""Disputes: the list of them, and one with its course, its arbiter and what it freezes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from pseudoledger.contract.derive import DisputeStatus, dispute_status, freeze_of
from pseudoledger.contract.things import Invoice, Lease
from pseudoledger.contract.things.dispute import Dispute, Freeze
from pseudoledger.node.pages.lists import Listed, paged, read_all
from pseudoledger.node.pages.site import Ask, Page
from pseudoledger.node.reading import View

STATES: tuple[str, ...] = get_args(DisputeStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One dispute of the list."""

    id: str
    dispute: Dispute
    status: str
    lease: str
    """The number of its lease."""
    invoice: Invoice | None
    """What it is about, where that is an invoice: it has the currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The list of disputes and how it was narrowed."""

    list: Listed[Row]
    state: str
    lease: str
    """Id of the lease alone whose disputes are listed, or ""."""
    states: Sequence[str] = STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the page of a dispute says."""

    row: Row
    freeze: Freeze | None
    """What it stops now; None where it stops nothing."""
    course: Sequence[tuple[str, int, bool]]
    """What happened or has to, when, and whether it only has to."""


def make_list(view: View, ask: Ask) -> Page | None:
    """List disputes, newest first, of one state or under one lease if asked."""
    state = ask.text("state") if ask.text("state") in STATES else ""
    lease = ask.text("lease")
    read = read_all(view, Dispute)
    kept = [
        (key, item)
        for key, item in read.things
        if state in {"", dispute_status(item, ask.now)} and lease in {"", item.lease}
    ]
    kept.sort(key=lambda pair: -pair[1].entry)
    rows = [_row(view, key, item, ask.now) for key, item in kept]
    board = Board(list=paged(rows, ask, cut=read.cut), state=state, lease=lease)
    return Page(template="disputes.html", title="disputes.title", about=board)


def make_dispute(view: View, ask: Ask) -> Page | None:
    """Show one dispute."""
    key = ask.path["id"]
    dispute = view.book.get(Dispute, key)
    if dispute is None:
        return None
    freeze = freeze_of(view.book, key, dispute)
    row = _row(view, key, dispute, ask.now)
    about = About(
        row=row,
        freeze=freeze if freeze is not None and ask.now < freeze.until else None,
        course=_course(dispute, row.status),
    )
    return Page(template="dispute.html", title="dispute.title", about=about, named=dispute.number)


def _row(view: View, key: str, dispute: Dispute, now: int) -> Row:
    lease = view.book.get(Lease, dispute.lease)
    return Row(
        id=key,
        dispute=dispute,
        status=dispute_status(dispute, now),
        lease=lease.number if lease else "",
        invoice=view.book.get(Invoice, dispute.about) if dispute.sort == "invoice" else None,
    )


def _course(dispute: Dispute, status: str) -> list[tuple[str, int, bool]]:
    """Return the steps of a dispute in their order, the next one with its deadline."""
    steps = [("opened", dispute.opened_at, False)]
    if dispute.answered_at is not None:
        steps.append(("answered", dispute.answered_at, False))
    if dispute.closed_at is not None:
        steps.append((dispute.state, dispute.closed_at, False))
    elif dispute.answered_at is None:
        steps.append(("answer_by", dispute.answer_by, status == "open"))
    elif dispute.decide_by is not None:
        steps.append(("decide_by", dispute.decide_by, status == "answered"))
    return steps
