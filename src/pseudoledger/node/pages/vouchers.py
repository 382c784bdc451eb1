"""Programmes and vouchers: what was promised, what is left of it, and where it was redeemed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pseudoledger.contract.book import decode, sort_name
from pseudoledger.contract.things import Invoice, Lease
from pseudoledger.contract.things.voucher import Presentation, Programme, Voucher, VoucherUse
from pseudoledger.contract.vouchers import (
    Parts,
    parts_of,
    presentation_status,
    programme_status,
    use_key,
    voucher_status,
)
from pseudoledger.ledger.query import things_by_key
from pseudoledger.market.voucher_report import Centre, centres_of
from pseudoledger.node.pages.lists import Listed, paged, read_all
from pseudoledger.node.pages.site import Ask, Page
from pseudoledger.node.reading import View

STATES = ("open", "early", "spent", "lapsed", "revoked")
"""What `voucher_status` may say."""
USES_MAX = 100
"""Most leases that a voucher's page lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a sum, as a bar shows it."""

    name: str
    minor: int
    start: float
    """Where it begins, in percent of the whole."""
    share: float
    """How long it is, likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programmes:
    """The list of programmes."""

    list: Listed[tuple[str, Programme, str]]
    """Id, programme and status of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutProgramme:
    """What the page of a programme says."""

    id: str
    programme: Programme
    status: str
    budget: Sequence[Part]
    centres: Sequence[Centre]
    cut: bool
    """Whether not every presentation of the ledger was looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One voucher of a list."""

    id: str
    voucher: Voucher
    programme: str
    """The number of its programme."""
    parts: Parts
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The list of vouchers and how it was narrowed."""

    list: Listed[Row]
    state: str
    programme: str
    """Id of the programme alone whose vouchers are listed, or ""."""
    holder: str
    """Whose vouchers alone are listed, or ""."""
    states: Sequence[str] = STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What was offered of a voucher in payment of an invoice."""

    id: str
    presentation: Presentation
    invoice: str
    """Number of the invoice."""
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a voucher has to do with one lease."""

    lease: str
    number: str
    use: VoucherUse


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutVoucher:
    """What the page of a voucher says."""

    row: Row
    face: Sequence[Part]
    uses: Sequence[Use]
    presented: Sequence[Presented]


def make_programmes(view: View, ask: Ask) -> Page | None:
    """List programmes, newest first."""
    read = read_all(view, Programme)
    rows = [(key, item, programme_status(item, ask.now)) for key, item in read.things]
    rows.sort(key=lambda row: -row[1].entry)
    board = Programmes(list=paged(rows, ask, cut=read.cut))
    return Page(template="programmes.html", title="programmes.title", about=board)


def make_programme(view: View, ask: Ask) -> Page | None:
    """Show one programme."""
    key = ask.path["id"]
    programme = view.book.get(Programme, key)
    if programme is None:
        return None
    read = read_all(view, Presentation)
    out = programme.issued_minor - programme.withdrawn_minor - programme.redeemed_minor
    about = AboutProgramme(
        id=key,
        programme=programme,
        status=programme_status(programme, ask.now),
        budget=parts_in(
            {"redeemed": programme.redeemed_minor, "out": out, "left": programme.left_minor},
        ),
        centres=centres_of(programme, [item for _, item in read.things if item.programme == key]),
        cut=read.cut,
    )
    number = programme.payload.number
    return Page(template="programme.html", title="programme.title", about=about, named=number)


def make_vouchers(view: View, ask: Ask) -> Page | None:
    """List vouchers, newest first: of one state, of one programme or held by one party if asked."""
    state = ask.text("state") if ask.text("state") in STATES else ""
    programme, holder = ask.text("programme"), ask.text("holder")
    root = view.book.root_of(holder) if holder else ""
    read = read_all(view, Voucher)
    kept = [
        (key, item)
        for key, item in read.things
        if programme in {"", item.programme}
        and root in {"", item.holder}
        and state in {"", voucher_status(item, ask.now)}
    ]
    rows = [row_of(view, key, item, ask.now) for key, item in kept]
    rows.sort(key=lambda row: -row.voucher.entry)
    board = Board(list=paged(rows, ask, cut=read.cut), state=state, programme=programme, holder=holder)
    return Page(template="vouchers.html", title="vouchers.title", about=board)


def make_voucher(view: View, ask: Ask) -> Page | None:
    """Show one voucher."""
    key = ask.path["id"]
    voucher = view.book.get(Voucher, key)
    if voucher is None:
        return None
    row = row_of(view, key, voucher, ask.now)
    names = ("free", "reserved", "presented", "redeemed", "lapsed", "withdrawn")
    about = AboutVoucher(
        row=row,
        face=parts_in({name: getattr(row.parts, f"{name}_minor") for name in names}),
        uses=_uses(view, key),
        presented=_presented(view, key, ask.now),
    )
    return Page(template="voucher.html", title="voucher.title", about=about, named=voucher.number)


def row_of(view: View, key: str, voucher: Voucher, now: int) -> Row:
    """Return a voucher as lists show it."""
    programme = view.book.get(Programme, voucher.programme)
    return Row(
        id=key,
        voucher=voucher,
        programme=programme.payload.number if programme else "",
        parts=parts_of(voucher, now),
        status=voucher_status(voucher, now),
    )


def parts_in(amounts: dict[str, int]) -> list[Part]:
    """Return the parts of a sum one after another; those of nothing have no length."""
    whole = max(1, sum(amounts.values()))
    found, before = [], 0
    for name, minor in amounts.items():
        start = round(100 * before / whole, 2)
        before += minor
        share = round(100 * before / whole - start, 2)
        found.append(Part(name=name, minor=minor, start=start, share=share))
    return found


def _uses(view: View, voucher: str) -> list[Use]:
    """Return the leases that a voucher is, or was, used for."""
    begins = use_key(voucher, "")
    rows = things_by_key(view.store, sort_name(VoucherUse), begins=begins, limit=USES_MAX)
    found = []
    for row in rows:
        lease = row.key.removeprefix(begins)
        held = view.book.get(Lease, lease)
        use = decode(VoucherUse, row.key, row.value)
        found.append(Use(lease=lease, number=held.number if held else "", use=use))
    return found


def _presented(view: View, voucher: str, now: int) -> list[Presented]:
    found = [
        Presented(
            id=key,
            presentation=item,
            invoice=invoice.number if (invoice := view.book.get(Invoice, item.invoice)) else "",
            status=presentation_status(item, now).replace(" ", "_"),
        )
        for key, item in read_all(view, Presentation).things
        if item.voucher == voucher
    ]
    return sorted(found, key=lambda row: row.presentation.entry)
