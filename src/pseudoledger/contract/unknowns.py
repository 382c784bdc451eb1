"""What the book does not say about a party, for whoever is to deal with it knowing it only by its key.

A lessor need not know the lessee, nor the other way round; but it is told what it does not know. These are
facts about the book, not doubts about the party: silence is anybody's right, and to proceed is the reader's
choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from pseudoledger.contract.book import Book
from pseudoledger.contract.claims import IN_FORCE, claims_about, standing
from pseudoledger.contract.things import Chain

CLAIMS = MappingProxyType(
    {
        "kyc": "nobody has attested that it knows who the party is",
        "country": "nobody has attested its country",
        "ultimate_parent": "nobody has attested who owns it in the end",
    }
)
"""Claims whose absence is told, by type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """One thing that the book does not say about a party."""

    code: str
    """Stable: `identity.…` or `claim.` and the type of the claim that is missing."""
    message: str


def unknowns(book: Book, party: str, now: int) -> tuple[Unknown, ...]:
    """Return what the book does not say about a party as of a time, by any key of its chain."""
    root = book.root_of(party)
    chain = book.get(Chain, root)
    found = []
    if chain is None:
        found.append(Unknown(code="identity.undeclared", message="it has never declared an identity"))
    elif not chain.label:
        found.append(Unknown(code="identity.label", message="it has declared no name"))
    if chain is None or (chain.next is None and chain.recovery is None):
        found.append(
            Unknown(code="identity.succession", message="no key is named that may follow or recover its own")
        )
    attested = _attested(book, root, now)
    found += [
        Unknown(code=f"claim.{name}", message=text) for name, text in CLAIMS.items() if name not in attested
    ]
    return tuple(found)


def _attested(book: Book, root: str, now: int) -> frozenset[str]:
    """Return the types of claims by others about a party that are in force."""
    return frozenset(
        claim.payload.claim
        for _, claim in claims_about(book, root)
        if not book.same_party(claim.attestor, root) and standing(book, claim, now) == IN_FORCE
    )
