"""What vouchers amount to at a time, and what a programme's conditions ask: all of it follows from the book.

Facility class, eligibility and origin of chips come from the programme's own list or from a claim in force by an
attestor that it names. A party of the lease is never believed about itself or the other, whoever named it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pseudoledger.contract.book import Book
from pseudoledger.contract.claims import in_force, same_place
from pseudoledger.contract.things import Invoice, Offer, TermsInForce
from pseudoledger.contract.things.voucher import Presentation, Programme, Voucher
from pseudoledger.statement.kinds.claim import ClaimAttested
from pseudoledger.statement.kinds.lease import Terms, TermsLine
from pseudoledger.statement.kinds.voucher import ChipOrigin, Condition, ProgrammeDeclared, Requirement

ProgrammeStatus = Literal["early", "open", "over"]
VoucherStatus = Literal["revoked", "lapsed", "spent", "early", "open"]
PresentationStatus = Literal["waiting", "lapsed", "released", "redeemed", "settled", "due back"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a voucher's face at a time; they always make up the face."""

    free_minor: int
    reserved_minor: int
    presented_minor: int
    redeemed_minor: int
    lapsed_minor: int
    withdrawn_minor: int


def parts_of(voucher: Voucher, now: int) -> Parts:
    """Return the parts of a voucher's face: past its end everything that is not redeemed has lapsed."""
    if now >= voucher.expires_at:
        return Parts(
            free_minor=0,
            reserved_minor=0,
            presented_minor=0,
            redeemed_minor=voucher.redeemed_minor,
            lapsed_minor=voucher.face_minor - voucher.redeemed_minor - voucher.withdrawn_minor,
            withdrawn_minor=voucher.withdrawn_minor,
        )
    return Parts(
        free_minor=voucher.free_minor,
        reserved_minor=voucher.reserved_minor,
        presented_minor=voucher.presented_minor,
        redeemed_minor=voucher.redeemed_minor,
        lapsed_minor=0,
        withdrawn_minor=voucher.withdrawn_minor,
    )


def programme_status(programme: Programme, now: int) -> ProgrammeStatus:
    """Say in one word whether a programme may issue vouchers: early before its period, over from its end on."""
    period = programme.payload.period
    if now < period.start_seconds:
        return "early"
    return "open" if now < period.until_seconds else "over"


def voucher_status(voucher: Voucher, now: int) -> VoucherStatus:
    """Say in one word how a voucher stands."""
    if voucher.revoked_at is not None:
        return "revoked"
    if voucher.redeemed_minor + voucher.withdrawn_minor == voucher.face_minor:
        return "spent"
    if now >= voucher.expires_at:
        return "lapsed"
    return "early" if now < voucher.start else "open"


def presentation_status(presentation: Presentation, now: int) -> PresentationStatus:
    """Say in one word how a presentation stands."""
    match presentation.state:
        case "presented":
            return "lapsed" if now >= presentation.expires_at else "waiting"
        case "released":
            return "released"
        case "redeemed":
            if presentation.due_back_minor:
                return "due back"
            return "redeemed" if presentation.unsettled_minor else "settled"


def share_bound(invoice: Invoice, share_bps: int) -> int:
    """Return the most that vouchers may cover of an invoice: the share of its net less credits, rounded down."""
    return (invoice.net_minor - invoice.credited_net_minor) * share_bps // 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The class of a billed facility, the share that goes with it, and whose word gives it."""

    facility_class: str
    share_bps: int
    name: str | None = None
    """Name that the programme gives the facility, where it lists it."""
    claim: str | None = None
    """Claim that gives the class, where the programme does not list the facility."""


def terms_of(book: Book, invoice: Invoice) -> Terms:
    """Return the terms under which an invoice was issued."""
    held = book.get(TermsInForce, invoice.contract)
    assert held is not None, "an invoice names only terms that the book holds"
    return held.payload


def place_of(book: Book, programme: ProgrammeDeclared, invoice: Invoice, now: int) -> Place | None:
    """Return the class of the facility that an invoice bills, or None where nobody who counts gives it one.

    The programme's list comes first; of several claims the one with the smallest share counts.
    """
    shares = {item.facility_class: item.share_bps for item in programme.classes}
    terms = terms_of(book, invoice)
    for listed in programme.facilities:
        at = terms.facility
        there = listed.country in {None, at.country} and listed.subdivision in {None, at.subdivision}
        if there and book.same_party(listed.lessor, invoice.issuer):
            return Place(
                facility_class=listed.facility_class,
                share_bps=shares[listed.facility_class],
                name=listed.name,
            )
    about = {invoice.lease, *(line.offer for line in terms.lines)}
    found = []
    believed = _third_parties(book, programme.facility_attestors, invoice)
    for ref, claim in in_force(book, invoice.issuer, believed, now, claim="facility"):
        attested = claim.payload.facility
        if attested is None or attested.facility_class not in shares:
            continue
        if claim.payload.about in {None, *about} and same_place(attested, terms.facility):
            share = shares[attested.facility_class]
            found.append(
                (share, ref, Place(facility_class=attested.facility_class, share_bps=share, claim=ref))
            )
    return min(found)[2] if found else None


def _third_parties(book: Book, attestors: Iterable[str], invoice: Invoice) -> list[str]:
    """Leave out the parties of a billed lease: nobody attests for itself or for its contract partner."""
    parties = {book.root_of(invoice.issuer), book.root_of(invoice.payer)}
    return [did for did in attestors if book.root_of(did) not in parties]


def unmet_conditions(book: Book, programme: ProgrammeDeclared, invoice: Invoice, now: int) -> list[Condition]:
    """Return the conditions of a programme that the payer of an invoice does not meet."""
    # What an attestor has said is looked up once, however many conditions name the attestor.
    named = {did for item in programme.conditions for wanted in item.any_of for did in wanted.attestors}
    said = {
        did: [claim for _, claim in in_force(book, invoice.payer, (did,), now)]
        for did in _third_parties(book, sorted(named), invoice)
    }

    def is_met(wanted: Requirement) -> bool:
        claims = (claim for did in wanted.attestors for claim in said.get(did, ()))
        return any(answers(claim.payload, wanted) for claim in claims)

    return [condition for condition in programme.conditions if not any(map(is_met, condition.any_of))]


def answers(said: ClaimAttested, wanted: Requirement) -> bool:
    """Tell whether a claim is of the type, and has the value, that a requirement asks for; whose it is is not looked at."""
    if said.claim != wanted.claim:
        return False
    if wanted.at_least is not None:
        reached = said.at_least
        if reached is None or reached.currency != wanted.at_least.currency:
            return False
        if reached.amount_minor < wanted.at_least.amount_minor:
            return False
    return wanted.country in {None, said.country} and wanted.digest in {None, said.digest}


def subject_group(book: Book, programme: ProgrammeDeclared, holder: str, now: int) -> str | None:
    """Return the legal person of a holder, by the newest claim of the programme's attestor, or None."""
    group = None
    if programme.kyc is not None and not book.same_party(programme.kyc, holder):
        for _, claim in in_force(book, holder, (programme.kyc,), now, claim="kyc"):
            group = claim.payload.subject_group
    return group


def person_key(programme: str, group: str) -> str:
    """Return the key under which what a legal person has of a programme is remembered."""
    return f"{programme}/{group}"


def use_key(voucher: str, lease: str) -> str:
    """Return the key under which what a voucher has to do with a lease is remembered."""
    return f"{voucher}/{lease}"


def chips_of_other_origin(
    book: Book, programme: ProgrammeDeclared, invoice: Invoice, now: int
) -> list[TermsLine]:
    """Return the leased lines whose chips nobody who counts gives the origin that the programme asks for."""
    wanted = programme.chip_origin
    if wanted is None:
        return []
    attested = _attested_chips(book, wanted, invoice, now)
    lines = [line for line in terms_of(book, invoice).lines if line.chip is not None]
    return [line for line in lines if line.chip not in wanted.chips and not _attested(book, line, attested)]


def _attested_chips(
    book: Book, wanted: ChipOrigin, invoice: Invoice, now: int
) -> set[tuple[str, str | None]]:
    """Return the chips of a wanted origin by the word of those who count, each with the pool it is about."""
    believed = _third_parties(book, wanted.attestors, invoice)
    return {
        (item.chip, claim.payload.about)
        for _, claim in in_force(book, invoice.issuer, believed, now, claim="chip_inventory")
        for item in claim.payload.chips or ()
        if item.origin in wanted.countries
    }


def _attested(book: Book, line: TermsLine, attested: set[tuple[str, str | None]]) -> bool:
    assert line.chip is not None, "the caller leaves out lines without chips"
    offer = book.get(Offer, line.offer) if line.offer else None
    return (line.chip, None) in attested or (
        offer is not None and (line.chip, offer.payload.pool) in attested
    )


def room_on(book: Book, programme: ProgrammeDeclared, invoice: Invoice, now: int) -> int | None:
    """Return what vouchers of a programme may still cover of an invoice, or None where it has no class."""
    place = place_of(book, programme, invoice, now)
    if place is None:
        return None
    share = share_bound(invoice, place.share_bps) - invoice.voucher_minor
    return max(0, min(share, invoice.open_minor))


def presented_for(book: Book, invoice: Invoice, now: int) -> list[Presentation]:
    """Return what was presented for an invoice and counts: redeemed once, or held and not lapsed."""
    found = [book.get(Presentation, ref) for ref in invoice.vouchers]
    return [
        held for held in found if held is not None and (held.state == "redeemed" or now < held.expires_at)
    ]


def programme_of(book: Book, programme_id: str) -> Programme:
    """Return the programme of a voucher."""
    programme = book.get(Programme, programme_id)
    assert programme is not None, "a voucher names only a programme that the book holds"
    return programme
