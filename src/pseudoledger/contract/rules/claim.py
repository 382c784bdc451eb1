"""Rules of the family *claim*: who may attest what, take it back, and say what was shown (design §3 "Identity").

Anybody may attest anything about anybody; whose word counts is for those to say who read it: a programme, a
ledger's policy, a lessor's gate. What the rules hold is that nobody is its own third party, that a claim fits
the offer, lease or pool that it names, and that only its attestor takes it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, Rule, refuse
from pseudoledger.contract.claims import attested_key, claims_by, same_place
from pseudoledger.contract.rules.common import Fold
from pseudoledger.contract.things import Lease, Offer, Pool, Taken
from pseudoledger.contract.things.claim import Attested, Claim, Disclosure
from pseudoledger.errors import MalformedError
from pseudoledger.identity.keys import key_from_did
from pseudoledger.statement.kinds.market import REFS_MAX, Facility

THIRD_PARTY = frozenset({"kyc", "revenue_at_least", "research_project", "approved_model"})
"""Claims that open a door to somebody: nobody's own word can be the key to it."""


def subject_is_a_key(case: Case) -> Findings:
    """A claim is about an identity: sub is a did:key."""
    try:
        key_from_did(case.sub)
    except MalformedError as error:
        yield refuse("claim.subject", f"sub is no identity: {error.message}")


def third_party_attests(case: Case) -> Findings:
    """What needs a third party is not attested by the subject itself, under whatever key."""
    if case.is_party(case.sub) and case.payload.claim in THIRD_PARTY:
        yield refuse(
            "claim.self_attested", f"{case.payload.claim} needs the word of a third party", field="/claim"
        )


def tier_is_true(case: Case) -> Findings:
    """A party's word about itself is declared, anybody else's rests on documents or on a look."""
    if case.is_party(case.sub) != (case.payload.tier == "declared"):
        yield refuse(
            "claim.tier", "declared is the subject's own word, and its own word is declared", field="/tier"
        )


def affiliate_is_another(case: Case) -> Findings:
    """Nobody is its own affiliate or parent."""
    party = case.payload.party
    if party is not None and case.book.same_party(party, case.sub):
        yield refuse("claim.same_party", "the other identity is the subject itself", field="/party")


def not_over_when_made(case: Case) -> Findings:
    """A claim whose time is over attests nothing."""
    if case.payload.valid.until_seconds <= case.now:
        yield refuse("claim.over", f"the claim ended at {case.payload.valid.until}", field="/valid")


def attested_place_in_country(case: Case) -> Findings:
    """A subdivision belongs to the country of the attested place."""
    place = case.payload.facility
    if place is not None and place.subdivision and not place.subdivision.startswith(f"{place.country}-"):
        yield refuse(
            "place.subdivision",
            f"{place.subdivision} is not in {place.country}",
            field="/facility/subdivision",
        )


def about_fits(case: Case) -> Findings:
    """What a claim names is the subject's, and is as the claim says: the place, or the chips of the pool."""
    about = case.payload.about
    if about is None:
        return
    named = _named(case, about)
    if named is None:
        what = "pool" if case.payload.chips else "offer or lease"
        yield refuse("claim.unknown_thing", f"no {what} {about} is on this ledger", field="/about")
        return
    if not case.book.same_party(named.lessor, case.sub):
        yield refuse("claim.not_subjects", "it is another lessor's", field="/about", entry=named.entry)
    if isinstance(named, Pool):
        yield from _chips_fit(case, named)
    elif not same_place(case.payload.facility, _place(case, named)):
        yield refuse(
            "claim.other_place", "it names another place than the claim", field="/facility", entry=named.entry
        )


def _named(case: Case, about: str) -> Offer | Lease | Pool | None:
    if case.payload.chips:
        return case.book.get(Pool, about)
    return case.book.get(Offer, about) or case.book.get(Lease, about)


def _place(case: Case, named: Offer | Lease) -> Facility:
    if isinstance(named, Offer):
        return named.payload.facility
    place: Facility = case.terms_at(named, case.now).facility
    return place


def _chips_fit(case: Case, pool: Pool) -> Findings:
    held: dict[str, int] = {}
    for line in pool.lines.values():
        if line.chip is not None:
            held[line.chip] = held.get(line.chip, 0) + line.count
    seen: dict[str, int] = {}
    for index, chips in enumerate(case.payload.chips):
        seen[chips.chip] = seen.get(chips.chip, 0) + chips.count
        if seen[chips.chip] > held.get(chips.chip, 0):
            yield refuse(
                "claim.more_than_pool",
                f"the pool has {held.get(chips.chip, 0)} of {chips.chip}",
                field=f"/chips/{index}",
                entry=pool.entry,
            )


def not_too_many(case: Case) -> Findings:
    """An attestor has a bounded number of claims about one identity that run."""
    running = [claim for _, claim in claims_by(case.book, case.sub, case.party) if _runs(claim, case.now)]
    if len(running) >= REFS_MAX:
        yield refuse(
            "claim.too_many", f"{REFS_MAX} claims of this attestor about it run already; revoke some first"
        )


def _runs(claim: Claim, now: int) -> bool:
    return claim.revoked_at is None and claim.payload.valid.until_seconds > now


def claim_of_subject(case: Case) -> Findings:
    """The claim that is taken back stands, and is about this identity."""
    claim = case.book.get(Claim, case.payload.claim)
    if claim is None or not case.book.same_party(claim.subject, case.sub):
        yield refuse(
            "claim.unknown", f"no claim {case.payload.claim} is made about this identity", field="/claim"
        )


def attestor_revokes(case: Case) -> Findings:
    """Only its attestor takes a claim back, and once."""
    claim = case.book.get(Claim, case.payload.claim)
    if claim is None:
        return
    if not case.is_party(claim.attestor):
        yield refuse("claim.not_attestor", "only its attestor may take a claim back", entry=claim.entry)
    if claim.revoked_at is not None:
        yield refuse("claim.revoked", "the claim was taken back already", field="/claim", entry=claim.entry)


def reader_is_another(case: Case) -> Findings:
    """Nobody opens fields to itself."""
    if case.is_party(case.payload.reader):
        yield refuse("disclosure.own_reader", "the reader is the discloser itself", field="/reader")


def digests_stand(case: Case) -> Findings:
    """Every digest that was opened stands in the statement that is named."""
    for index, digest in enumerate(case.payload.opened):
        taken = case.book.get(Taken, f"digest {digest}")
        if taken is None or taken.by != case.payload.statement:
            yield refuse(
                "disclosure.unknown_digest",
                "the statement has no such sealed field",
                field=f"/opened/{index}",
                entry=taken.entry if taken else None,
            )


def fold_attested(case: Case) -> None:
    """Let the claim count; those of the same attestor that are over are forgotten in its list."""
    claim = Claim(attestor=case.party, subject=case.sub, payload=case.payload, entry=case.index)
    kept = (ref for ref, other in claims_by(case.book, case.sub, case.party) if _runs(other, case.now))
    case.book.put(attested_key(case.sub, case.party), Attested(claims=(*kept, case.id)))
    case.book.put(case.id, claim)


def fold_revoked(case: Case) -> None:
    """Take the claim back."""
    ref = case.payload.claim
    claim = case.book.get(Claim, ref)
    assert claim is not None, "the rules refuse what names no claim"
    case.book.change(ref, claim, revoked_at=case.now)
    key = attested_key(claim.subject, claim.attestor)
    held = case.book.get(Attested, key)
    if held is not None:
        case.book.put(key, Attested(claims=tuple(kept for kept in held.claims if kept != ref)))


def fold_shown(case: Case) -> None:
    """Remember who was shown what."""
    said = case.payload
    shown = Disclosure(
        discloser=case.party,
        reader=case.book.root_of(said.reader),
        statement=said.statement,
        opened=said.opened,
        shown_at=case.now,
        entry=case.index,
    )
    case.book.put(case.id, shown)


RULES_2: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "claim.attested": (
            subject_is_a_key,
            third_party_attests,
            tier_is_true,
            affiliate_is_another,
            not_over_when_made,
            attested_place_in_country,
            about_fits,
            not_too_many,
        ),
        "claim.revoked": (claim_of_subject, attestor_revokes),
        "disclosure.shown": (reader_is_another, digests_stand),
    }
)
FOLDS_2: Mapping[str, Fold] = MappingProxyType(
    {
        "claim.attested": fold_attested,
        "claim.revoked": fold_revoked,
        "disclosure.shown": fold_shown,
    }
)
