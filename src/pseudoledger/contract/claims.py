"""What claims amount to at a time: which are in force, why others are not, and who is whose affiliate.

Nothing of it is stored. A claim is in force from its start until its end, unless its attestor took it back, and
it is void while what it attests is not so any more:

- the subject's key was taken out of force and no recovery was adopted since: nobody acts for the one attested;
- the attestor's key was: nobody could take the claim back;
- it attests the place of a lease, and the terms in force name another place.

A rotation changes nothing: the claim is about the identity, whichever key acts for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pseudoledger.contract.book import Book
from pseudoledger.contract.case import terms_id_at
from pseudoledger.contract.things import Lease, TermsInForce
from pseudoledger.contract.things.claim import Attested, Claim
from pseudoledger.statement.kinds.claim import AttestedFacility
from pseudoledger.statement.kinds.market import Facility

Word = Literal["in force", "not yet", "over", "revoked", "void"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a claim stands at a time, in one word, and why."""

    word: Word
    why: str = ""


IN_FORCE = Standing(word="in force")


def standing(book: Book, claim: Claim, now: int) -> Standing:
    """Tell how a claim stands at a time."""
    if claim.revoked_at is not None:
        return Standing(word="revoked", why="its attestor took it back")
    if now >= claim.payload.valid.until_seconds:
        return Standing(word="over", why=f"it ended at {claim.payload.valid.until}")
    for did, role in ((claim.subject, "subject"), (claim.attestor, "attestor")):
        chain = book.chain_of(did)
        if chain is not None and chain.revoked_by is not None:
            return Standing(word="void", why=f"the key of its {role} was taken out of force")
    if not _place_stands(book, claim, now):
        return Standing(word="void", why="the lease is at another place now")
    if now < claim.payload.valid.start_seconds:
        return Standing(word="not yet", why=f"it begins at {claim.payload.valid.start}")
    return IN_FORCE


def _place_stands(book: Book, claim: Claim, now: int) -> bool:
    """Tell whether the lease whose place a claim attests is still there."""
    lease = book.get(Lease, claim.payload.about) if claim.payload.about else None
    if lease is None or claim.payload.facility is None:
        return True
    terms = book.get(TermsInForce, terms_id_at(lease, now))
    return terms is None or same_place(claim.payload.facility, terms.payload.facility)


def same_place(attested: AttestedFacility, named: Facility) -> bool:
    """Tell whether an attested place is the one that an offer or terms name, as exactly as it was attested."""
    return attested.country == named.country and attested.subdivision in {None, named.subdivision}


def attested_key(subject: str, attestor: str) -> str:
    """Return the key under which the claims of an attestor about a subject are found, by their first keys."""
    return f"{subject} {attestor}"


def claims_by(book: Book, subject: str, attestor: str) -> Iterator[tuple[str, Claim]]:
    """Yield (id, claim) of what an attestor has said about an identity and that may still count."""
    held = book.get(Attested, attested_key(book.root_of(subject), book.root_of(attestor)))
    for ref in held.claims if held else ():
        claim = book.get(Claim, ref)
        assert claim is not None, "the list names claims that the book holds"
        yield ref, claim


def claims_about(book: Book, subject: str) -> list[tuple[str, Claim]]:
    """Return (id, claim) of everything that anybody has said about an identity, oldest first; for reports."""
    root = book.root_of(subject)
    found = [(ref, claim) for ref, claim in book.all(Claim) if book.root_of(claim.subject) == root]
    return sorted(found, key=lambda item: item[1].entry)


def in_force(
    book: Book, subject: str, attestors: Iterable[str], now: int, *, claim: str = ""
) -> Iterator[tuple[str, Claim]]:
    """Yield (id, claim) of the claims of some attestors about an identity that count now, of one type if named."""
    for attestor in dict.fromkeys(book.root_of(did) for did in attestors):
        for ref, found in claims_by(book, subject, attestor):
            if claim in {"", found.payload.claim} and standing(book, found, now) == IN_FORCE:
                yield ref, found


def affiliation(book: Book, first: str, second: str, attestors: Iterable[str], now: int) -> Claim | None:
    """Return a claim in force by which two identities are affiliates, or None.

    The word of either of the two counts, and that of the ledger's listed attestors; a stranger's does not, or it
    could keep any broker out.
    """
    believed = (first, second, *attestors)
    for subject, other in ((first, second), (second, first)):
        for _, claim in in_force(book, subject, believed, now, claim="affiliate_of"):
            if claim.payload.party is not None and book.same_party(claim.payload.party, other):
                return claim
    return None
