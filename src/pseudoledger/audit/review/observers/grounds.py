"""Grounds: which claims a voucher was redeemed on, as far as the ledger shows them at that time.

Registration judges whether a condition is met; what is looked at here is by which claims, since when, and for how
long. The parties of a lease are never believed about each other, as in the rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight
from pseudoledger.contract.things.claim import Claim
from pseudoledger.contract.things.voucher import Presentation, Programme
from pseudoledger.contract.vouchers import answers
from pseudoledger.statement.kinds.claim import ClaimAttested, ClaimRevoked
from pseudoledger.statement.kinds.voucher import Condition, Requirement

MOST = 64
"""Claims that are remembered about one identity; older ones give way."""
TIERS = ("declared", "documented", "inspected")
"""How far an attestor has looked, weakest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One claim about an identity."""

    id: str
    entry: int
    attestor: str
    """First key of its identity."""
    payload: ClaimAttested

    @property
    def start(self) -> int:
        """When it begins, in seconds."""
        return self.payload.valid.start_seconds

    @property
    def until(self) -> int:
        """When it ends, in seconds."""
        return self.payload.valid.until_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One condition that was met: by claims in force, and by those before them."""

    held: tuple[Said, ...]
    """Claims in force that meet it, the one that runs longest first."""
    since: int
    """Start of the first claim that met it, in force or over."""

    @property
    def tier(self) -> str:
        """How far the attestor of the strongest of them has looked."""
        return max((one.payload.tier for one in self.held), key=TIERS.index)


def note_claim(entry: Read, sight: Sight) -> None:
    """Take note of a claim, or of one that is taken back; the same entry again changes nothing."""
    match entry.payload:
        case ClaimRevoked(claim=ref):
            sight.notebook.put("claim taken back", ref, entry.at)
        case ClaimAttested():
            subject, attestor = sight.root(entry.statement.sub), sight.root(entry.statement.iss)
            before = sight.notebook.get("claims of", subject) or []
            if not before or before[-1][0] != entry.id:
                note = [entry.id, entry.index, attestor]
                sight.notebook.put("claims of", subject, [*before, note][-MOST:])


def said_of(subject: str, at: int, sight: Sight, *, over: bool = False) -> Iterator[Said]:
    """Yield the claims about an identity that were made, not taken back, and in force at a time.

    With `over`, also those whose time was over. Those that begin later are left out.
    """
    for ref, entry, attestor in sight.notebook.get("claims of", sight.root(subject)) or ():
        claim = sight.get(Claim, ref)
        if claim is None or sight.notebook.get("claim taken back", ref) is not None:
            continue
        said = Said(id=ref, entry=entry, attestor=attestor, payload=claim.payload)
        if said.start <= at and (over or at < said.until):
            yield said


def grounds(programme: Programme, held: Presentation, at: int, sight: Sight) -> tuple[Ground, ...]:
    """Return what each condition of a programme about the holder rested on at a time, where claims show it.

    The attestor by whom legal persons are told apart counts as one more condition.
    """
    terms = programme.payload
    conditions = list(terms.conditions)
    if terms.kyc is not None:
        conditions.append(Condition(any_of=(Requirement(claim="kyc", attestors=(terms.kyc,)),)))
    holder = sight.root(held.holder)
    parties = {holder, sight.root(held.lessor)}
    said = tuple(said_of(holder, at, sight, over=True))
    found = (_ground(condition, said, parties, at, sight) for condition in conditions)
    return tuple(one for one in found if one is not None)


def _ground(
    condition: Condition, said: tuple[Said, ...], parties: set[str], at: int, sight: Sight
) -> Ground | None:
    def meets(one: Said) -> bool:
        return any(
            answers(one.payload, wanted)
            and one.attestor in {sight.root(did) for did in wanted.attestors} - parties
            for wanted in condition.any_of
        )

    met = [one for one in said if meets(one)]
    held = sorted((one for one in met if at < one.until), key=lambda one: (-one.until, one.entry))
    return Ground(held=tuple(held), since=min(one.start for one in met)) if held else None
