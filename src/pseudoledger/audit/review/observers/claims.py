"""Claims: beside what other attestors say, beside the pool they are about, and when they are taken back."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import ClassVar

from pseudoledger.audit.review.facts import Cited, Fact, FactValue, Observation, Sort, Table, table
from pseudoledger.audit.review.observers.base import Silent
from pseudoledger.audit.review.observers.grounds import note_claim, said_of
from pseudoledger.audit.review.observers.ties import TIE_FACTS, remember, ties
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight, cited
from pseudoledger.contract.things import Pool
from pseudoledger.contract.things.claim import Claim
from pseudoledger.statement.kinds.claim import ClaimAttested, ClaimRevoked

CLAIM = table(
    "claim",
    "One claim when it is made (basis attested) or taken back (taken_back). Ties are between attestor and subject.",
    reads=("claim.attested", "claim.revoked"),
    facts=(
        Fact(name="basis", sort=Sort.TEXT, says="attested or taken_back"),
        Fact(name="number", sort=Sort.TEXT, says="The attestor's number of the claim"),
        Fact(name="claim", sort=Sort.TEXT, says="Type of the claim"),
        Fact(name="tier", sort=Sort.TEXT, says="How far the attestor has looked"),
        Fact(
            name="self_attested", sort=Sort.TRUTH, says="Whether attestor and subject are one identity today"
        ),
        Fact(
            name="country",
            sort=Sort.TEXT,
            says="Country that the claim gives the subject",
            missing="the claim is not about a country",
        ),
        Fact(
            name="other_country",
            sort=Sort.TEXT,
            says="Country by the newest claim of another attestor that is in force",
            missing="no other attestor says where the subject is established",
        ),
        Fact(
            name="chips_seen",
            sort=Sort.INTEGER,
            says="Chips of the pool that the attestor has seen",
            unit="C62",
            missing="the claim is not about the chips of a pool",
        ),
        Fact(
            name="of_pool",
            sort=Sort.RATIO,
            says="The same over what the pool declares of these chips",
            missing="the claim is not about the chips of a pool",
        ),
        *TIE_FACTS,
        Fact(name="reason", sort=Sort.TEXT, says="Why it was taken back", missing="it was not taken back"),
        Fact(
            name="stood_s",
            sort=Sort.INTEGER,
            says="Time from the claim until it was taken back",
            unit="s",
            missing="it was not taken back",
        ),
    ),
)


class Claims(Silent):
    """Reads claims; what it remembers of them is on disk."""

    tables: ClassVar[tuple[Table, ...]] = (CLAIM,)
    reads: ClassVar[frozenset[str]] = frozenset(CLAIM.reads)

    def read(self, entry: Read, sight: Sight) -> Iterator[Observation]:
        """Yield one observation for each claim, and one for each that is taken back."""
        match entry.payload:
            case ClaimAttested() as said:
                yield self._attested(entry, said, sight)
                sight.notebook.put("claim made", entry.id, entry.at)
            case ClaimRevoked() as revoked:
                yield from self._taken_back(entry, revoked, sight)
        note_claim(entry, sight)
        remember(entry, sight)

    def _attested(self, entry: Read, said: ClaimAttested, sight: Sight) -> Observation:
        attestor, subject = sight.root(entry.statement.iss), sight.root(entry.statement.sub)
        facts, cites = ties(attestor, subject, entry.at, sight)
        known: dict[str, FactValue] = {**facts, **_value_of(said, sight)}
        if said.country is not None:
            known["country"] = said.country
            others = [
                one
                for one in said_of(subject, entry.at, sight)
                if one.payload.country is not None and one.attestor != attestor
            ]
            if others:
                newest = others[-1]
                known["other_country"] = str(newest.payload.country)
                cites = (*cites, sight.cite(newest.entry, "other claim"))
        own = attestor == subject
        return _observed("attested", entry, said, sight, own=own, facts=known, cites=cites, ref=entry.id)

    def _taken_back(self, entry: Read, revoked: ClaimRevoked, sight: Sight) -> Iterator[Observation]:
        claim = sight.get(Claim, revoked.claim)
        made = sight.notebook.get("claim made", revoked.claim)
        if claim is None or made is None:
            return
        yield _observed(
            "taken_back",
            entry,
            claim.payload,
            sight,
            own=sight.root(claim.attestor) == sight.root(claim.subject),
            facts={"reason": revoked.reason, "stood_s": entry.at - made},
            cites=(sight.cite(claim.entry, "claim"),),
            ref=revoked.claim,
        )


def _value_of(said: ClaimAttested, sight: Sight) -> dict[str, FactValue]:
    """Return what a claim about the chips of a pool says, beside what the pool declares of them."""
    pool = sight.get(Pool, said.about) if said.chips and said.about else None
    if pool is None or not said.chips:
        return {}
    named = {one.chip for one in said.chips}
    declared = sum(line.count for line in pool.lines.values() if line.chip in named)
    seen = sum(one.count for one in said.chips)
    # The rules refuse a claim about chips that the pool does not declare.
    return {"chips_seen": seen, **({"of_pool": Fraction(seen, declared)} if declared else {})}


def _observed(
    basis: str,
    entry: Read,
    said: ClaimAttested,
    sight: Sight,
    *,
    own: bool,
    facts: dict[str, FactValue],
    cites: tuple[Cited, ...],
    ref: str,
) -> Observation:
    known: dict[str, FactValue] = {
        "basis": basis,
        "number": said.number,
        "claim": said.claim,
        "tier": said.tier,
        "self_attested": own,
    }
    return Observation(
        table=CLAIM,
        at=entry.at,
        subject=f"{ref}/{basis}",
        facts={**known, **facts},
        cites=(*cites, cited(entry, "claim" if basis == "attested" else "revocation")),
        parties=(
            ("attestor", sight.root(entry.statement.iss)),
            ("subject", sight.root(entry.statement.sub)),
        ),
    )
