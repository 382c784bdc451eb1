"""Vouchers: which claims they were redeemed on, between whom, what came back, and whose persons share an owner."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import ClassVar

from pseudoledger.audit.review.facts import Cited, Fact, FactValue, Observation, Sort, Table, table
from pseudoledger.audit.review.observers.base import Silent
from pseudoledger.audit.review.observers.grounds import TIERS, Ground, Said, grounds, note_claim, said_of
from pseudoledger.audit.review.observers.ties import TIE_FACTS, remember, ties, ties_of
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight, cited
from pseudoledger.contract.things import Invoice, TermsInForce
from pseudoledger.contract.things.claim import Claim
from pseudoledger.contract.things.voucher import Presentation, Programme, Voucher
from pseudoledger.statement.kinds.claim import ClaimAttested, ClaimRevoked
from pseudoledger.statement.kinds.voucher import (
    VoucherClawedBack,
    VoucherIssued,
    VoucherRedeemed,
    VoucherRevoked,
)

MOST = 64
"""Redemptions that are remembered as resting on one claim, and persons of one owner; older ones give way."""
_NO_REDEMPTION = "nothing is redeemed here"
_NO_CONDITION = "the programme has no condition, or no claim on this ledger shows how it was met"
_NO_REASON = "nothing is taken back here"

VOUCHER = table(
    "voucher",
    "One voucher: issued (basis issued), redeemed (redeemed), a claim taken back on which one was redeemed (relied),"
    " clawed back (clawed_back), revoked (revoked).",
    reads=(
        "voucher.issued",
        "voucher.redeemed",
        "voucher.clawed_back",
        "voucher.revoked",
        "claim.attested",
        "claim.revoked",
    ),
    facts=(
        Fact(name="basis", sort=Sort.TEXT, says="issued, redeemed, relied, clawed_back or revoked"),
        Fact(name="number", sort=Sort.TEXT, says="The issuer's number of the voucher"),
        Fact(name="programme", sort=Sort.TEXT, says="The issuer's number of the programme"),
        Fact(name="currency", sort=Sort.TEXT, says="Currency of the voucher"),
        Fact(
            name="amount_minor",
            sort=Sort.INTEGER,
            says="Face of what is issued or revoked; amount that is redeemed, was redeemed or comes back",
            unit="minor unit",
        ),
        Fact(
            name="conditions",
            sort=Sort.INTEGER,
            says="Conditions whose claims this ledger shows, the legal person's kyc among them",
            unit="C62",
            missing=_NO_REDEMPTION,
        ),
        Fact(
            name="tier",
            sort=Sort.TEXT,
            says="How far attestors have looked where they looked least: documented or inspected",
            missing=_NO_CONDITION,
        ),
        Fact(
            name="uncovered_s",
            sort=Sort.INTEGER,
            says="Time from the start of the billed period until a claim that meets a condition began, the longest",
            unit="s",
            missing=_NO_CONDITION,
        ),
        Fact(
            name="left_s",
            sort=Sort.INTEGER,
            says="Time that the claim which meets a condition still had to run, the shortest",
            unit="s",
            missing=_NO_CONDITION,
        ),
        Fact(
            name="facility_class",
            sort=Sort.TEXT,
            says="Class of the facility, as it was redeemed",
            missing=_NO_REDEMPTION,
        ),
        Fact(
            name="class_listed",
            sort=Sort.TRUTH,
            says="Whether the programme itself lists a facility of the lessor with this class",
            missing=_NO_REDEMPTION,
        ),
        *TIE_FACTS,
        Fact(name="claim", sort=Sort.TEXT, says="Type of the claim that was taken back", missing=_NO_REASON),
        Fact(
            name="reason",
            sort=Sort.TEXT,
            says="Why the claim or the voucher was taken back",
            missing=_NO_REASON,
        ),
        Fact(
            name="since_s",
            sort=Sort.INTEGER,
            says="Time since it was redeemed",
            unit="s",
            missing="it was not redeemed before",
        ),
        Fact(
            name="owner_persons",
            sort=Sort.INTEGER,
            says="Legal persons of one parent or owner, by one attestor's word, who hold vouchers of the programme",
            unit="C62",
            missing="the programme does not tell persons apart, or no attestor names a parent or owner",
        ),
        Fact(
            name="owner_minor",
            sort=Sort.INTEGER,
            says="What was promised to them so far",
            unit="minor unit",
            missing="the programme does not tell persons apart, or no attestor names a parent or owner",
        ),
        Fact(
            name="of_cap",
            sort=Sort.RATIO,
            says="The same over the programme's cap for one legal person",
            missing="the programme has no cap, or no attestor names a parent or owner",
        ),
    ),
)


class Vouchers(Silent):
    """Reads what issuers and lessors do with vouchers, and claims; what it remembers is on disk."""

    tables: ClassVar[tuple[Table, ...]] = (VOUCHER,)
    reads: ClassVar[frozenset[str]] = frozenset(VOUCHER.reads)

    def read(self, entry: Read, sight: Sight) -> Iterator[Observation]:
        """Take a claim, or yield what a statement about a voucher shows."""
        match entry.payload:
            case ClaimAttested():
                note_claim(entry, sight)
                remember(entry, sight)
            case ClaimRevoked() as revoked:
                yield from _relied(entry, revoked, sight)
                note_claim(entry, sight)
                remember(entry, sight)
            case VoucherIssued() as issued:
                yield from _issued(entry, issued, sight)
            case VoucherRedeemed() as redeemed:
                yield from _redeemed(entry, redeemed, sight)
            case VoucherClawedBack() as back:
                yield from _clawed_back(entry, back, sight)
            case VoucherRevoked() as revoked:
                facts: dict[str, FactValue] = {"basis": "revoked", "reason": revoked.reason}
                voucher = sight.get(Voucher, entry.statement.sub)
                if voucher is not None:
                    facts["amount_minor"] = voucher.face_minor
                    yield _observed(entry, entry.statement.sub, voucher, sight, facts=facts)


def _issued(entry: Read, issued: VoucherIssued, sight: Sight) -> Iterator[Observation]:
    """Yield a voucher beside those of other legal persons who have one owner with its holder."""
    voucher, programme = sight.get(Voucher, entry.id), sight.get(Programme, entry.statement.sub)
    if voucher is None or programme is None:
        return
    facts: dict[str, FactValue] = {"basis": "issued", "amount_minor": issued.face_minor}
    cites: tuple[Cited, ...] = ()
    most = 0
    for tie in ties_of(voucher.holder, entry.at, sight) if voucher.group is not None else ():
        if tie.claim not in {"ultimate_parent", "beneficial_owner"}:
            continue
        page = f"{entry.statement.sub}/{tie.claim}/{tie.party or f'{tie.attestor}/{tie.digest}'}"
        held = [
            *(sight.notebook.get("owner vouchers", page) or []),
            [voucher.group, issued.face_minor, entry.index],
        ]
        sight.notebook.put("owner vouchers", page, held[-MOST:])
        minor = sum(face for _, face, _ in held)
        if minor > most:
            most, cap = minor, programme.payload.cap_minor
            facts |= {"owner_persons": len({group for group, _, _ in held}), "owner_minor": minor}
            if cap is not None:
                facts["of_cap"] = Fraction(minor, cap)
            others = [index for group, _, index in held[:-1] if group != voucher.group]
            cites = (
                sight.cite(tie.entry, "claim"),
                *(sight.cite(one, "other voucher") for one in others[-8:]),
            )
    yield _observed(entry, entry.id, voucher, sight, facts=facts, cites=cites)


def _redeemed(entry: Read, redeemed: VoucherRedeemed, sight: Sight) -> Iterator[Observation]:
    ref = redeemed.presentation
    held, voucher = sight.get(Presentation, ref), sight.get(Voucher, entry.statement.sub)
    programme = None if held is None else sight.get(Programme, held.programme)
    invoice = None if held is None else sight.get(Invoice, held.invoice)
    if held is None or voucher is None or programme is None or invoice is None:
        return
    met = grounds(programme, held, entry.at, sight)
    lessor, holder = sight.root(held.lessor), sight.root(held.holder)
    said, tied = ties(lessor, holder, entry.at, sight)
    listed = any(
        one.facility_class == held.facility_class and sight.root(one.lessor) == lessor
        for one in programme.payload.facilities
    )
    facts: dict[str, FactValue] = {
        **_of_grounds(met, invoice, entry.at),
        **said,
        "basis": "redeemed",
        "amount_minor": redeemed.amount_minor,
        "class_listed": listed,
    }
    if held.facility_class is not None:
        facts["facility_class"] = held.facility_class
    relied = [one.held[0] for one in met]
    relied += _of_lessor(programme, held, invoice, listed=listed, at=entry.at, sight=sight)
    for one in relied:
        before = sight.notebook.get("relied", one.id) or []
        note = [entry.statement.sub, ref, redeemed.amount_minor, entry.index, entry.at]
        sight.notebook.put("relied", one.id, [*before, note][-MOST:])
    claims = {one.entry: sight.cite(one.entry, "claim") for one in relied}
    claims |= {one.index: one for one in tied}
    cites = (*(claims[index] for index in sorted(claims)), sight.cite(held.entry, "presentation"))
    yield _observed(entry, entry.statement.sub, voucher, sight, facts=facts, cites=cites, lessor=lessor)


def _of_grounds(met: tuple[Ground, ...], invoice: Invoice, at: int) -> dict[str, FactValue]:
    facts: dict[str, FactValue] = {"conditions": len(met)}
    if met:
        facts["tier"] = min((one.tier for one in met), key=TIERS.index)
        facts["left_s"] = min(one.held[0].until - at for one in met)
        if invoice.period is not None:
            facts["uncovered_s"] = max(0, *(one.since - invoice.period[0] for one in met))
    return facts


def _of_lessor(
    programme: Programme, held: Presentation, invoice: Invoice, *, listed: bool, at: int, sight: Sight
) -> list[Said]:
    """Return the claims about the lessor that may have counted: for the class of its facility, for its chips' origin.

    Where the programme itself lists the facility or the chip, no claim was needed.
    """
    terms, wanted = sight.get(TermsInForce, invoice.contract), programme.payload.chip_origin
    parties = {sight.root(held.lessor), sight.root(held.holder)}
    classing = {sight.root(did) for did in programme.payload.facility_attestors} - parties
    tracing = {sight.root(did) for did in wanted.attestors} - parties if wanted is not None else set()
    asked = {line.chip for line in terms.payload.lines} if wanted is not None and terms is not None else set()
    asked -= set(wanted.chips if wanted is not None else ())

    def counts(one: Said) -> bool:
        place, chips = one.payload.facility, one.payload.chips or ()
        if place is not None:
            return not listed and one.attestor in classing and place.facility_class == held.facility_class
        origins = wanted.countries if wanted is not None else ()
        return one.attestor in tracing and any(
            item.chip in asked and item.origin in origins for item in chips
        )

    return [one for one in said_of(held.lessor, at, sight) if counts(one)]


def _relied(entry: Read, revoked: ClaimRevoked, sight: Sight) -> Iterator[Observation]:
    """Yield each voucher that was redeemed on a claim which is taken back."""
    claim = sight.get(Claim, revoked.claim)
    for voucher_id, ref, amount, index, at in sight.notebook.get("relied", revoked.claim) or ():
        voucher, held = sight.get(Voucher, voucher_id), sight.get(Presentation, ref)
        if claim is None or voucher is None or held is None:
            continue
        facts: dict[str, FactValue] = {
            "basis": "relied",
            "amount_minor": amount,
            "claim": claim.payload.claim,
            "reason": revoked.reason,
            "since_s": entry.at - at,
        }
        cites = (sight.cite(claim.entry, "claim"), sight.cite(index, "redemption"))
        yield _observed(
            entry, f"{voucher_id}/{ref}", voucher, sight, facts=facts, cites=cites, lessor=held.lessor
        )


def _clawed_back(entry: Read, back: VoucherClawedBack, sight: Sight) -> Iterator[Observation]:
    held, voucher = sight.get(Presentation, back.presentation), sight.get(Voucher, entry.statement.sub)
    if held is None or voucher is None:
        return
    facts: dict[str, FactValue] = {
        "basis": "clawed_back",
        "amount_minor": back.amount_minor,
        "reason": back.reason,
    }
    if held.redeemed_at is not None:
        facts["since_s"] = entry.at - held.redeemed_at
    cites = (sight.cite(held.entry, "presentation"),)
    subject = f"{entry.statement.sub}/{back.number}"
    yield _observed(entry, subject, voucher, sight, facts=facts, cites=cites, lessor=held.lessor)


def _observed(
    entry: Read,
    subject: str,
    voucher: Voucher,
    sight: Sight,
    *,
    facts: dict[str, FactValue],
    cites: tuple[Cited, ...] = (),
    lessor: str = "",
) -> Observation:
    programme = sight.get(Programme, voucher.programme)
    known: dict[str, FactValue] = {"number": voucher.number, "currency": voucher.currency}
    if programme is not None:
        known["programme"] = programme.payload.number
    parties = [("issuer", sight.root(voucher.issuer)), ("holder", sight.root(voucher.holder))]
    if lessor:
        parties.append(("lessor", sight.root(lessor)))
    issued = () if entry.index == voucher.entry else (sight.cite(voucher.entry, "voucher"),)
    return Observation(
        table=VOUCHER,
        at=entry.at,
        subject=f"{subject}/{entry.id}",
        facts={**known, **facts},
        cites=(*issued, *cites, cited(entry, entry.kind.partition(".")[2].replace("_", " "))),
        parties=tuple(parties),
    )
