"""How the parts of a voucher move in the book, and what comes back of what was redeemed (design §3 "Vouchers").

A credit note lowers the redeemed part of its invoice until it is within its share again: that is due back to the
issuer. It may be used again by the holder where the programme restores it; otherwise it is withdrawn, as is
whatever a claw-back or a revocation takes.
"""

from __future__ import annotations

from pseudoledger.contract.case import Case
from pseudoledger.contract.things import Invoice
from pseudoledger.contract.things.voucher import Person, Presentation, Programme, Voucher, VoucherUse
from pseudoledger.contract.vouchers import person_key, programme_of, share_bound, use_key


def withdraw(case: Case, voucher_id: str, amount_minor: int, **changes: int | None) -> None:
    """Take a part of a voucher out of use; its budget and its legal person's cap have it again."""
    voucher = case.book.get(Voucher, voucher_id)
    assert voucher is not None, "the caller has the voucher"
    case.book.change(voucher_id, voucher, withdrawn_minor=voucher.withdrawn_minor + amount_minor, **changes)
    programme = programme_of(case.book, voucher.programme)
    case.book.change(voucher.programme, programme, withdrawn_minor=programme.withdrawn_minor + amount_minor)
    count_person(case, voucher.programme, voucher.group, promised_minor=-amount_minor)


def count_person(
    case: Case, programme: str, group: str | None, *, promised_minor: int = 0, redeemed_minor: int = 0
) -> None:
    """Add to what a legal person has of a programme, where the programme tells persons apart."""
    if group is None:
        return
    key = person_key(programme, group)
    person = case.book.get(Person, key) or Person()
    case.book.change(
        key,
        person,
        promised_minor=person.promised_minor + promised_minor,
        redeemed_minor=person.redeemed_minor + redeemed_minor,
    )


def count_redeemed(case: Case, presentation: Presentation, amount_minor: int) -> None:
    """Add to what stands redeemed, everywhere but in the presentation itself; a negative amount takes away."""
    book = case.book
    voucher, invoice = book.get(Voucher, presentation.voucher), book.get(Invoice, presentation.invoice)
    assert voucher is not None, "the book has every presented voucher"
    assert invoice is not None, "the book has every invoice that a voucher was presented for"
    book.change(presentation.voucher, voucher, redeemed_minor=voucher.redeemed_minor + amount_minor)
    book.change(presentation.invoice, invoice, voucher_minor=invoice.voucher_minor + amount_minor)
    programme: Programme = programme_of(book, presentation.programme)
    book.change(presentation.programme, programme, redeemed_minor=programme.redeemed_minor + amount_minor)
    key = use_key(presentation.voucher, presentation.lease)
    use = book.get(VoucherUse, key) or VoucherUse()
    gone = max(0, -amount_minor) if voucher.revoked_at is not None else 0
    book.change(
        key,
        use,
        redeemed_minor=use.redeemed_minor + amount_minor,
        presented_minor=use.presented_minor + gone,
    )
    count_person(case, presentation.programme, presentation.group, redeemed_minor=amount_minor)


def let_go(case: Case, voucher_id: str, amount_minor: int) -> None:
    """Return a presented amount to a voucher: free again, or withdrawn where the voucher was revoked."""
    voucher = case.book.get(Voucher, voucher_id)
    assert voucher is not None, "the caller has the voucher"
    left = voucher.presented_minor - amount_minor
    if voucher.revoked_at is not None:
        withdraw(case, voucher_id, amount_minor, presented_minor=left)
    else:
        case.book.change(voucher_id, voucher, presented_minor=left)


def lower_to_share(case: Case, invoice_id: str) -> None:
    """After a credit note, give back to the issuer what vouchers cover beyond their share, the last presented first."""
    invoice = case.book.get(Invoice, invoice_id)
    assert invoice is not None, "the caller has the invoice"
    excess = invoice.voucher_minor - share_bound(invoice, invoice.voucher_share_bps)
    for ref in reversed(invoice.vouchers):
        presentation = case.book.get(Presentation, ref)
        assert presentation is not None, "an invoice names only presentations that the book holds"
        back = min(excess, presentation.redeemed_minor)
        if back <= 0:
            continue
        excess -= back
        count_redeemed(case, presentation, -back)
        case.book.change(
            ref,
            presentation,
            redeemed_minor=presentation.redeemed_minor - back,
            credited_minor=presentation.credited_minor + back,
        )
        programme = programme_of(case.book, presentation.programme)
        voucher = case.book.get(Voucher, presentation.voucher)
        if not programme.payload.restore or (voucher is not None and voucher.revoked_at is not None):
            withdraw(case, presentation.voucher, back)
