"""Rules of redeeming, settling, clawing back and revoking: what lessor and issuer do (design §3 "Vouchers").

Facility class, eligibility, legal person and origin of chips are judged here, by what is in force at redemption.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, Rule, refuse
from pseudoledger.contract.derive import frozen
from pseudoledger.contract.rules.common import Fold
from pseudoledger.contract.rules.payment import reference_key, references_are_new
from pseudoledger.contract.rules.voucher_back import count_redeemed, let_go, withdraw
from pseudoledger.contract.things import Invoice, Taken
from pseudoledger.contract.things.voucher import Person, Presentation, Programme, VoucherUse
from pseudoledger.contract.vouchers import (
    chips_of_other_origin,
    person_key,
    place_of,
    programme_of,
    share_bound,
    subject_group,
    unmet_conditions,
    use_key,
)
from pseudoledger.statement.values import format_instant


def _presentation(case: Case) -> Presentation | None:
    """Return what the payload names, if it is of this voucher."""
    presentation = case.book.get(Presentation, case.payload.presentation)
    return presentation if presentation is not None and presentation.voucher == case.sub else None


def _billed(case: Case) -> tuple[Presentation, Invoice, Programme] | None:
    """Return what a redemption is about, while it waits: what was presented, the invoice and the programme."""
    presentation = _presentation(case)
    if presentation is None or presentation.state != "presented":
        return None
    invoice = case.book.get(Invoice, presentation.invoice)
    assert invoice is not None, "the book has every invoice that a voucher was presented for"
    return presentation, invoice, programme_of(case.book, presentation.programme)


def presentation_waits(case: Case) -> Findings:
    """Only what was presented and still waits is redeemed, once, by the lessor."""
    presentation = _presentation(case)
    if presentation is None:
        yield refuse(
            "voucher.unknown_presentation", "the voucher was not presented so", field="/presentation"
        )
        return
    if not case.is_party(presentation.lessor):
        yield refuse("voucher.not_lessor", "only the lessor may redeem it", entry=presentation.entry)
    if presentation.state != "presented":
        yield refuse(
            "voucher.answered",
            f"what was presented was {presentation.state}",
            field="/presentation",
            entry=presentation.entry,
        )
    elif case.now >= presentation.expires_at:
        yield refuse(
            "voucher.lapsed",
            f"it lapsed at {format_instant(presentation.expires_at)}",
            entry=presentation.entry,
        )
    if case.payload.amount_minor > presentation.amount_minor:
        yield refuse(
            "voucher.above_presented",
            f"{presentation.amount_minor} were presented",
            field="/amount_minor",
            entry=presentation.entry,
        )


def facility_has_class(case: Case) -> Findings:
    """The billed facility has a class, by the programme's list or an attestor that it names."""
    billed = _billed(case)
    if billed is not None and place_of(case.book, billed[2].payload, billed[1], case.now) is None:
        yield refuse(
            "voucher.no_class",
            "neither the programme nor an attestor that it names gives the facility a class",
            entry=billed[2].entry,
        )


def within_share(case: Case) -> Findings:
    """Vouchers cover no more of an invoice than the share of its class, and no more than is open."""
    billed = _billed(case)
    if billed is None:
        return
    _, invoice, programme = billed
    said, place = case.payload.amount_minor, place_of(case.book, programme.payload, invoice, case.now)
    if place is not None:
        room = max(0, share_bound(invoice, place.share_bps) - invoice.voucher_minor)
        if said > room:
            yield refuse(
                "voucher.above_share",
                f"class {place.facility_class} covers {place.share_bps} bps: {room} more of this invoice",
                field="/amount_minor",
                entry=invoice.entry,
            )
    if said > invoice.open_minor:
        yield refuse(
            "voucher.above_open",
            f"{max(0, invoice.open_minor)} of the invoice are open",
            field="/amount_minor",
            entry=invoice.entry,
        )


def holder_meets_conditions(case: Case) -> Findings:
    """The holder meets every condition of the programme by claims in force."""
    billed = _billed(case)
    if billed is None:
        return
    _, invoice, programme = billed
    for condition in unmet_conditions(case.book, programme.payload, invoice, case.now):
        wanted = " or ".join(requirement.claim for requirement in condition.any_of)
        yield refuse(
            "voucher.condition",
            f"no claim {wanted} about the holder, by an attestor of the programme, is in force",
            entry=programme.entry,
        )


def person_stays_within_cap(case: Case) -> Findings:
    """A legal person redeems no more of a programme than its cap, whatever its keys."""
    billed = _billed(case)
    if billed is None or billed[2].payload.kyc is None:
        return
    presentation, _, programme = billed
    group = subject_group(case.book, programme.payload, presentation.holder, case.now)
    if group is None:
        yield refuse(
            "voucher.no_kyc", "no claim kyc of the programme's attestor about the holder is in force"
        )
        return
    cap = programme.payload.cap_minor
    person = case.book.get(Person, person_key(presentation.programme, group)) or Person()
    if cap is not None and person.redeemed_minor + case.payload.amount_minor > cap:
        yield refuse(
            "voucher.above_cap",
            f"{max(0, cap - person.redeemed_minor)} of the legal person's cap are left",
            field="/amount_minor",
            entry=programme.entry,
        )


def chips_of_origin(case: Case) -> Findings:
    """The leased chips are of the origin that the programme asks for."""
    billed = _billed(case)
    if billed is None:
        return
    _, invoice, programme = billed
    for line in chips_of_other_origin(case.book, programme.payload, invoice, case.now):
        yield refuse(
            "voucher.chip_origin",
            f"nobody whom the programme names vouches for the origin of {line.chip} of line {line.id}",
            entry=programme.entry,
        )


def issuer_acts(case: Case) -> Findings:
    """Only the issuer settles, claws back and revokes."""
    voucher = case.voucher
    if not case.is_party(voucher.issuer):
        yield refuse("voucher.not_issuer", "only its issuer may do this", entry=voucher.entry)


def redemption_stands(case: Case) -> Findings:
    """What is settled or clawed back was redeemed."""
    presentation = _presentation(case)
    if presentation is None or presentation.state != "redeemed":
        yield refuse(
            "voucher.unknown_redemption", "the voucher has no such redemption", field="/presentation"
        )


def settled_is_redeemed(case: Case) -> Findings:
    """A settlement makes up what stands redeemed, neither more nor less, and changes something."""
    presentation = _presentation(case)
    if presentation is None or presentation.state != "redeemed":
        return
    if case.payload.settled_minor != presentation.redeemed_minor:
        yield refuse(
            "voucher.settled_sum",
            f"{presentation.redeemed_minor} stand redeemed",
            field="/settled_minor",
            entry=presentation.entry,
        )
    elif presentation.settled_minor == presentation.redeemed_minor:
        yield refuse("voucher.settled", "all that stands redeemed is settled", entry=presentation.entry)


def clawed_back_is_redeemed(case: Case) -> Findings:
    """No more is clawed back than stands redeemed."""
    presentation = _presentation(case)
    if presentation is None or presentation.state != "redeemed":
        return
    if case.payload.amount_minor > presentation.redeemed_minor:
        yield refuse(
            "voucher.above_redeemed",
            f"{presentation.redeemed_minor} stand redeemed",
            field="/amount_minor",
            entry=presentation.entry,
        )


def disputed_part_waits(case: Case) -> Findings:
    """What a dispute over the invoice freezes is not clawed back before the dispute is over."""
    presentation = _presentation(case)
    invoice = None if presentation is None else case.book.get(Invoice, presentation.invoice)
    if presentation is None or presentation.state != "redeemed" or invoice is None:
        return
    held = frozen(invoice.freezes, case.now)
    most = max(0, presentation.redeemed_minor - held)
    if most < case.payload.amount_minor <= presentation.redeemed_minor:
        yield refuse(
            "voucher.disputed",
            f"{held} of the invoice are disputed: at most {most} can be clawed back now",
            field="/amount_minor",
            entry=invoice.entry,
        )


def still_stands(case: Case) -> Findings:
    """A voucher is revoked once, and before what is left of it lapses."""
    voucher = case.voucher
    if voucher.revoked_at is not None:
        yield refuse(
            "voucher.revoked", f"revoked at {format_instant(voucher.revoked_at)}", entry=voucher.entry
        )
    elif case.now >= voucher.expires_at:
        yield refuse(
            "voucher.lapsed", f"it lapsed at {format_instant(voucher.expires_at)}", entry=voucher.entry
        )


def fold_redeemed(case: Case) -> None:
    """Lower the invoice's open amount; what is not redeemed of the presented amount goes back."""
    billed = _billed(case)
    assert billed is not None, "presentation_waits saw it"
    presentation, invoice, programme = billed
    said = case.payload.amount_minor
    place = place_of(case.book, programme.payload, invoice, case.now)
    assert place is not None, "facility_has_class saw it"
    voucher = case.voucher
    case.book.change(case.sub, voucher, presented_minor=voucher.presented_minor - said)
    let_go(case, case.sub, presentation.amount_minor - said)
    key = use_key(case.sub, presentation.lease)
    use = case.book.get(VoucherUse, key)
    assert use is not None, "presenting made it"
    case.book.change(key, use, presented_minor=use.presented_minor - presentation.amount_minor)
    case.book.change(presentation.invoice, invoice, voucher_share_bps=place.share_bps)
    changed = case.book.change(
        case.payload.presentation,
        presentation,
        state="redeemed",
        amount_minor=said,
        redeemed_minor=said,
        facility_class=place.facility_class,
        share_bps=place.share_bps,
        group=subject_group(case.book, programme.payload, presentation.holder, case.now),
        redeemed_at=case.now,
    )
    count_redeemed(case, changed, said)


def fold_settled(case: Case) -> None:
    """The issuer and the lessor are quits."""
    presentation = _presentation(case)
    assert presentation is not None, "redemption_stands saw it"
    case.book.change(case.payload.presentation, presentation, settled_minor=case.payload.settled_minor)
    for reference in case.payload.references:
        case.book.put(reference_key(reference), Taken(by=case.id, entry=case.index))


def fold_clawed_back(case: Case) -> None:
    """Take the amount off the redemption, withdraw it, and leave the invoice open by it."""
    presentation = _presentation(case)
    assert presentation is not None, "redemption_stands saw it"
    said = case.payload.amount_minor
    count_redeemed(case, presentation, -said)
    case.book.change(
        case.payload.presentation,
        presentation,
        redeemed_minor=presentation.redeemed_minor - said,
        clawed_back_minor=presentation.clawed_back_minor + said,
    )
    withdraw(case, case.sub, said)


def fold_revoked(case: Case) -> None:
    """Withdraw what is free or set aside; what was presented stays held for its lessor."""
    voucher = case.voucher
    taken = voucher.free_minor + voucher.reserved_minor
    withdraw(case, case.sub, taken, reserved_minor=0, revoked_at=case.now)


RULES_2: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "voucher.redeemed": (
            presentation_waits,
            facility_has_class,
            within_share,
            holder_meets_conditions,
            person_stays_within_cap,
            chips_of_origin,
        ),
        "voucher.settled": (issuer_acts, redemption_stands, settled_is_redeemed, references_are_new),
        "voucher.clawed_back": (
            issuer_acts,
            redemption_stands,
            clawed_back_is_redeemed,
            disputed_part_waits,
        ),
        "voucher.revoked": (issuer_acts, still_stands),
    }
)
FOLDS_2: Mapping[str, Fold] = MappingProxyType(
    {
        "voucher.redeemed": fold_redeemed,
        "voucher.settled": fold_settled,
        "voucher.clawed_back": fold_clawed_back,
        "voucher.revoked": fold_revoked,
    }
)
