"""What attestors have said that ties two identities to each other, as of a time.

Digests of persons, parents and owners are keyed by their attestor, so they are compared only with what the same
attestor has said. Nobody's word is weighed here: a finding cites the claim, and the claim names who made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pseudoledger.audit.review.facts import Cited, Fact, Sort
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight
from pseudoledger.statement.kinds.claim import ClaimAttested, ClaimRevoked

MOST = 64
"""Claims that are remembered about one identity; older ones give way."""
_FACTS = MappingProxyType(
    {
        "affiliate_of": "affiliated",
        "ultimate_parent": "common_parent",
        "beneficial_owner": "common_parent",
        "kyc": "same_person",
    }
)
"""The fact that a type of claim speaks to."""
_NO_CLAIM = "no claim of an attestor on this ledger says so or denies it"
TIE_FACTS = (
    Fact(
        name="affiliated", sort=Sort.TRUTH, says="Whether one is an affiliate of the other", missing=_NO_CLAIM
    ),
    Fact(
        name="common_parent",
        sort=Sort.TRUTH,
        says="Whether both have one ultimate parent or beneficial owner",
        missing=_NO_CLAIM,
    ),
    Fact(
        name="same_person",
        sort=Sort.TRUTH,
        says="Whether an attestor holds both for one registered person",
        missing=_NO_CLAIM,
    ),
)
"""What claims say of two identities, as facts that several tables share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """One claim about an identity, as far as it can tie it to another."""

    claim: str
    attestor: str
    party: str
    """First key of the other identity that it names; empty where it gives a digest alone."""
    digest: str
    entry: int

    def compares(self, other: Tie) -> bool:
        """Tell whether two claims can be held against each other: both name a party, or one attestor's digest."""
        by_party = bool(self.party and other.party)
        by_digest = bool(self.digest and other.digest) and self.attestor == other.attestor
        return self.claim == other.claim and (by_party or by_digest)

    def meets(self, other: Tie) -> bool:
        """Tell whether two claims that compare name one parent, owner or person."""
        if self.party and self.party == other.party:
            return True
        return bool(self.digest) and (self.attestor, self.digest) == (other.attestor, other.digest)


def remember(entry: Read, sight: Sight) -> None:
    """Take note of a claim that may tie identities, or of one that is taken back."""
    match entry.payload:
        case ClaimRevoked(claim=ref):
            sight.notebook.put("claim revoked", ref, 1)
        case ClaimAttested(claim=sort) as said if sort in _FACTS:
            subject = sight.root(entry.statement.sub)
            party = "" if said.party is None else sight.root(said.party)
            digest = said.subject_group or said.digest or ""
            if party or digest:
                attestor = sight.root(entry.statement.iss)
                note = [sort, attestor, party, digest, entry.index, entry.id]
                span = [said.valid.start_seconds, said.valid.until_seconds]
                before = sight.notebook.get("ties", subject) or []
                # Several observers tell of the same entry.
                if before and before[-1][5] == entry.id:
                    return
                sight.notebook.put("ties", subject, [*before, [*note, *span]][-MOST:])


def ties(first: str, second: str, at: int, sight: Sight) -> tuple[dict[str, bool], tuple[Cited, ...]]:
    """Return what claims in force say of two identities, and the claims that tie them; silence says nothing."""
    ours, theirs = tuple(ties_of(first, at, sight)), tuple(ties_of(second, at, sight))
    facts: dict[str, bool] = {}
    tying: set[int] = set()
    for held, other in ((ours, second), (theirs, first)):
        for tie in held:
            if tie.party == other:
                facts["affiliated"] = True
                tying.add(tie.entry)
    for fact, one, two in _pairs(ours, theirs):
        met = one.meets(two)
        facts[fact] = facts.get(fact, False) or met
        tying |= {one.entry, two.entry} if met else set()
    return facts, tuple(sight.cite(index, "claim") for index in sorted(tying))


def _pairs(ours: Sequence[Tie], theirs: Sequence[Tie]) -> Iterator[tuple[str, Tie, Tie]]:
    for one in ours:
        for two in theirs:
            if one.claim != "affiliate_of" and one.compares(two):
                yield _FACTS[one.claim], one, two


def ties_of(identity: str, at: int, sight: Sight) -> Iterator[Tie]:
    """Yield the claims about an identity that are in force at a time and may tie it to others."""
    for claim, attestor, party, digest, entry, ref, start, until in (
        sight.notebook.get("ties", identity) or ()
    ):
        if start <= at < until and sight.notebook.get("claim revoked", ref) is None:
            yield Tie(claim=claim, attestor=attestor, party=party, digest=digest, entry=entry)
