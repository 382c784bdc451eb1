"""Rules of the family *voucher*: vouchers, and what holders do with them (design §3 "Vouchers").

Programmes stand in `programme`; what the lessor and the issuer do with a presented voucher stands in `voucher_redeem`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, Rule, refuse
from pseudoledger.contract.rules import programme as programmes
from pseudoledger.contract.rules import voucher_redeem
from pseudoledger.contract.rules.common import Fold
from pseudoledger.contract.rules.voucher_back import count_person, let_go
from pseudoledger.contract.things import Invoice, Lease, Taken
from pseudoledger.contract.things.voucher import Person, Presentation, Voucher, VoucherUse
from pseudoledger.contract.vouchers import person_key, presented_for, subject_group, use_key
from pseudoledger.statement.values import format_instant, length_seconds

VOUCHERS_MAX = 8
"""Most vouchers presented for one invoice."""


def voucher_number_key(party: str, number: str) -> str:
    """Return the key under which the number of a voucher of an issuer is remembered."""
    return f"voucher {party} {number}"


def programme_is_own(case: Case) -> Findings:
    """Only the issuer of a programme issues its vouchers, while it runs, and not to itself."""
    programme = case.programme
    if not case.is_party(programme.issuer):
        yield refuse("programme.not_issuer", "the programme is another issuer's", entry=programme.entry)
    if programme.payload.period.until_seconds <= case.now:
        yield refuse(
            "programme.over",
            f"the programme ended at {programme.payload.period.until}",
            entry=programme.entry,
        )
    if case.book.same_party(programme.issuer, case.payload.holder):
        yield refuse("voucher.own_holder", "an issuer holds none of its own vouchers", field="/holder")


def voucher_number_is_new(case: Case) -> Findings:
    """No number is used twice by one issuer."""
    taken = case.book.get(Taken, voucher_number_key(case.party, case.payload.number))
    if taken is not None:
        yield refuse(
            "voucher.number_reused", "the number was used before", field="/number", entry=taken.entry
        )


def face_within_programme(case: Case) -> Findings:
    """Face and period keep to the programme, and its budget has the face left."""
    programme, said = case.programme, case.payload
    terms = programme.payload
    if not terms.face_min_minor <= said.face_minor <= terms.face_max_minor:
        yield refuse(
            "voucher.face",
            f"a voucher of the programme is worth {terms.face_min_minor} to {terms.face_max_minor}",
            field="/face_minor",
            entry=programme.entry,
        )
    whole = terms.period
    starts, ends = said.period.start_seconds, said.period.until_seconds
    if starts < whole.start_seconds or ends > whole.until_seconds:
        yield refuse(
            "voucher.period",
            f"the programme runs from {whole.start} until {whole.until}",
            field="/period",
            entry=programme.entry,
        )
    if said.face_minor > programme.left_minor:
        yield refuse(
            "voucher.above_budget",
            f"{programme.left_minor} of the budget are left",
            field="/face_minor",
            entry=programme.entry,
        )


def person_within_cap(case: Case) -> Findings:
    """A programme that caps legal persons knows who the holder is, and promises it no more than the cap."""
    programme, said = case.programme, case.payload
    if programme.payload.kyc is None:
        return
    group = subject_group(case.book, programme.payload, case.book.root_of(said.holder), case.now)
    if group is None:
        yield refuse(
            "voucher.no_kyc",
            "no claim kyc of the programme's attestor about the holder is in force",
            field="/holder",
        )
        return
    cap = programme.payload.cap_minor
    person = case.book.get(Person, person_key(case.sub, group)) or Person()
    if cap is not None and person.promised_minor + said.face_minor > cap:
        yield refuse(
            "voucher.above_cap",
            f"{max(0, cap - person.promised_minor)} of the legal person's cap are left",
            field="/face_minor",
            entry=programme.entry,
        )


def fold_issued(case: Case) -> None:
    """Give the holder its voucher, and count it for budget and cap."""
    said, programme = case.payload, case.programme
    holder = case.book.root_of(said.holder)
    group = subject_group(case.book, programme.payload, holder, case.now)
    until = said.period.until_seconds
    voucher = Voucher(
        programme=case.sub,
        issuer=case.party,
        number=said.number,
        holder=holder,
        currency=programme.payload.currency,
        face_minor=said.face_minor,
        start=said.period.start_seconds,
        until=until,
        expires_at=until + length_seconds(programme.payload.redeem_within),
        group=group,
        entry=case.index,
    )
    case.book.put(case.id, voucher)
    case.book.put(voucher_number_key(case.party, said.number), Taken(by=case.id, entry=case.index))
    case.book.change(
        case.sub,
        programme,
        vouchers=programme.vouchers + 1,
        issued_minor=programme.issued_minor + said.face_minor,
    )
    count_person(case, case.sub, group, promised_minor=said.face_minor)


# What the holder does.


def _reserved(case: Case, lease: str) -> int:
    """Return what is set aside for a lease: nothing of a revoked voucher."""
    return _use(case, lease).reserved_minor if case.voucher.revoked_at is None else 0


def _use(case: Case, lease: str) -> VoucherUse:
    return case.book.get(VoucherUse, use_key(case.sub, lease)) or VoucherUse()


def holder_signs(case: Case) -> Findings:
    """Only the holder disposes of a voucher, until everything left of it has lapsed."""
    voucher = case.voucher
    if not case.is_party(voucher.holder):
        yield refuse("voucher.not_holder", "only its holder may do this", entry=voucher.entry)
    if case.now >= voucher.expires_at:
        yield refuse(
            "voucher.lapsed", f"it lapsed at {format_instant(voucher.expires_at)}", entry=voucher.entry
        )


def not_revoked(case: Case) -> Findings:
    """A revoked voucher pays for nothing more than what was presented before."""
    voucher = case.voucher
    if voucher.revoked_at is not None:
        yield refuse(
            "voucher.revoked", f"revoked at {format_instant(voucher.revoked_at)}", entry=voucher.entry
        )


def lease_takes_voucher(case: Case) -> Findings:
    """A part is set aside for a running lease of the holder in the voucher's currency."""
    voucher, said = case.voucher, case.payload
    lease = case.book.get(Lease, said.lease)
    if lease is None or lease.state != "signed":
        yield refuse("voucher.unknown_lease", "no such signed lease is on this ledger", field="/lease")
        return
    if not case.book.same_party(lease.lessee, voucher.holder):
        yield refuse("voucher.not_lessee", "the lease is another lessee's", field="/lease", entry=lease.entry)
    if lease.currency != voucher.currency:
        yield refuse(
            "voucher.currency", f"the lease is in {lease.currency}", field="/lease", entry=lease.entry
        )


def reserved_from_free(case: Case) -> Findings:
    """No more is set aside than is free."""
    free = case.voucher.free_minor
    if case.payload.amount_minor > free and case.voucher.revoked_at is None:
        yield refuse("voucher.above_free", f"{free} are free", field="/amount_minor")


def released_was_bound(case: Case) -> Findings:
    """Only what was set aside for the lease, or presented and not redeemed, is taken back."""
    said = case.payload
    if said.reserved is not None:
        reserved = _reserved(case, said.reserved.lease)
        if said.reserved.amount_minor > reserved:
            yield refuse(
                "voucher.not_reserved",
                f"{reserved} are set aside for the lease",
                field="/reserved/amount_minor",
            )
        return
    presentation = case.book.get(Presentation, said.presentation)
    if presentation is None or presentation.voucher != case.sub:
        yield refuse(
            "voucher.unknown_presentation", "the voucher was not presented so", field="/presentation"
        )
    elif presentation.state != "presented":
        yield refuse(
            "voucher.answered",
            f"what was presented was {presentation.state}",
            field="/presentation",
            entry=presentation.entry,
        )


def invoice_takes_voucher(case: Case) -> Findings:
    """A voucher pays a lessor's invoice to the holder, over a period that lies within the voucher's."""
    voucher, said = case.voucher, case.payload
    invoice = case.book.get(Invoice, said.invoice)
    if invoice is None or invoice.state == "cancelled":
        yield refuse("voucher.unknown_invoice", "no such invoice stands on this ledger", field="/invoice")
        return
    place, entry = "/invoice", invoice.entry
    if invoice.commission is not None:
        yield refuse("voucher.commission", "vouchers pay no commission", field=place, entry=entry)
    if not case.book.same_party(invoice.payer, voucher.holder):
        yield refuse("voucher.not_payer", "the invoice is to somebody else", field=place, entry=entry)
    if not case.book.same_party(invoice.issuer, said.lessor):
        yield refuse(
            "voucher.other_lessor", "the invoice is another lessor's", field="/lessor", entry=invoice.entry
        )
    if case.book.same_party(invoice.issuer, voucher.issuer):
        yield refuse(
            "voucher.own_facility",
            "an issuer's vouchers do not pay the issuer itself",
            field=place,
            entry=entry,
        )
    if invoice.currency != voucher.currency:
        yield refuse("voucher.currency", f"the invoice is in {invoice.currency}", field=place, entry=entry)
    if invoice.period is None or invoice.period[0] < voucher.start or invoice.period[1] > voucher.until:
        yield refuse(
            "voucher.other_period",
            f"the voucher pays for use from {format_instant(voucher.start)} until {format_instant(voucher.until)}",
            field=place,
            entry=entry,
        )
    yield from _room_on_invoice(case, voucher, invoice)


def _room_on_invoice(case: Case, voucher: Voucher, invoice: Invoice) -> Findings:
    """An invoice takes vouchers of one programme, so many, and for no more than is open."""
    if case.payload.amount_minor > invoice.open_minor:
        yield refuse(
            "voucher.above_open",
            f"{max(0, invoice.open_minor)} of the invoice are open",
            field="/amount_minor",
            entry=invoice.entry,
        )
    if len(invoice.vouchers) >= VOUCHERS_MAX:
        yield refuse(
            "voucher.too_many", f"{VOUCHERS_MAX} vouchers were presented for the invoice", field="/invoice"
        )
    others = [
        held for held in presented_for(case.book, invoice, case.now) if held.programme != voucher.programme
    ]
    if others:
        yield refuse(
            "voucher.other_programme",
            "the invoice is paid by vouchers of another programme",
            field="/invoice",
            entry=others[0].entry,
        )


def presented_is_there(case: Case) -> Findings:
    """No more is presented than is free or set aside for the lease."""
    invoice = case.book.get(Invoice, case.payload.invoice)
    reserved = _use(case, invoice.lease).reserved_minor if invoice else 0
    there = case.voucher.free_minor + reserved
    if case.payload.amount_minor > there and case.voucher.revoked_at is None:
        yield refuse(
            "voucher.above_free", f"{there} are free or set aside for the lease", field="/amount_minor"
        )


def fold_reserved(case: Case) -> None:
    """Set the amount aside."""
    said, voucher, use = case.payload, case.voucher, _use(case, case.payload.lease)
    case.book.change(case.sub, voucher, reserved_minor=voucher.reserved_minor + said.amount_minor)
    case.book.change(
        use_key(case.sub, said.lease), use, reserved_minor=use.reserved_minor + said.amount_minor
    )


def fold_released(case: Case) -> None:
    """Free what was set aside or presented."""
    said, voucher = case.payload, case.voucher
    if said.reserved is not None:
        lease, amount = said.reserved.lease, said.reserved.amount_minor
        use = _use(case, lease)
        case.book.change(case.sub, voucher, reserved_minor=voucher.reserved_minor - amount)
        case.book.change(use_key(case.sub, lease), use, reserved_minor=use.reserved_minor - amount)
        return
    presentation = case.book.get(Presentation, said.presentation)
    assert presentation is not None, "released_was_bound saw it"
    case.book.change(said.presentation, presentation, state="released")
    invoice = case.book.get(Invoice, presentation.invoice)
    assert invoice is not None, "the book has every invoice that a voucher was presented for"
    kept = tuple(ref for ref in invoice.vouchers if ref != said.presentation)
    case.book.change(presentation.invoice, invoice, vouchers=kept)
    if voucher.revoked_at is None:
        use = _use(case, presentation.lease)
        left = use.presented_minor - presentation.amount_minor
        case.book.change(use_key(case.sub, presentation.lease), use, presented_minor=left)
    let_go(case, case.sub, presentation.amount_minor)


def fold_presented(case: Case) -> None:
    """Hold the amount for the lessor: what was set aside for the lease is taken first."""
    said, voucher = case.payload, case.voucher
    invoice = case.book.get(Invoice, said.invoice)
    assert invoice is not None, "invoice_takes_voucher saw it"
    use = _use(case, invoice.lease)
    reserved = min(use.reserved_minor, said.amount_minor)
    case.book.change(
        case.sub,
        voucher,
        reserved_minor=voucher.reserved_minor - reserved,
        presented_minor=voucher.presented_minor + said.amount_minor,
    )
    case.book.change(
        use_key(case.sub, invoice.lease),
        use,
        reserved_minor=use.reserved_minor - reserved,
        presented_minor=use.presented_minor + said.amount_minor,
    )
    case.book.change(said.invoice, invoice, vouchers=(*invoice.vouchers, case.id))
    presentation = Presentation(
        voucher=case.sub,
        programme=voucher.programme,
        issuer=voucher.issuer,
        holder=voucher.holder,
        lessor=invoice.issuer,
        lease=invoice.lease,
        invoice=said.invoice,
        currency=voucher.currency,
        amount_minor=said.amount_minor,
        presented_at=case.now,
        expires_at=voucher.expires_at,
        entry=case.index,
    )
    case.book.put(case.id, presentation)


RULES_2: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        **programmes.RULES_2,
        "voucher.issued": (
            programme_is_own,
            voucher_number_is_new,
            face_within_programme,
            person_within_cap,
        ),
        "voucher.reserved": (holder_signs, not_revoked, lease_takes_voucher, reserved_from_free),
        "voucher.released": (holder_signs, released_was_bound),
        "voucher.presented": (holder_signs, not_revoked, invoice_takes_voucher, presented_is_there),
        **voucher_redeem.RULES_2,
    }
)
FOLDS_2: Mapping[str, Fold] = MappingProxyType(
    {
        **programmes.FOLDS_2,
        "voucher.issued": fold_issued,
        "voucher.reserved": fold_reserved,
        "voucher.released": fold_released,
        "voucher.presented": fold_presented,
        **voucher_redeem.FOLDS_2,
    }
)
