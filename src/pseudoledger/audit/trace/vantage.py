"""Vantage points: the place from which a ledger is observed, and what can be seen from there.

A ledger may be copied and published whole, so every field in the clear is seen from everywhere; vantage points
differ in the sealed fields. Whoever signed a statement holds what opens it, and gives it to the other side:

    public             no sealed field
    counterparty:DID   statements of that identity and of all leases that it is a party to, statements about it,
                       and fields that `disclosure.shown` says were opened to it
    counterparty:ID    statements of one lease (the id of its proposal)
    broker:DID         statements of that identity, of leases whose terms show a mandate of it, and those that cite
                       such a mandate
    auditor            every disclosure that was given to the trace
    A+B                several at once: what any of them sees

What can be seen is opened only by a disclosure that the trace was given: nobody opens a field whose salt they do
not hold. A vantage point never guesses, and what it cannot see has no influence on what is observed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pseudoledger.errors import MalformedError
from pseudoledger.statement.references import is_id

_DID = re.compile(r"did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}", re.ASCII)
_MOST = 64
"""Most places in one vantage point."""
HINT = "public, counterparty:DID, counterparty:LEASE, broker:DID, auditor, or several joined by +"


class Place(StrEnum):
    """Where an observer can stand."""

    PUBLIC = "public"
    COUNTERPARTY = "counterparty"
    BROKER = "broker"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One place, and whose it is."""

    place: Place
    of: str = ""
    """A did:key, or for a counterparty also the id of a lease; "" for public and auditor."""

    def __str__(self) -> str:
        return f"{self.place}:{self.of}" if self.of else str(self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """One place, or several at once."""

    standings: tuple[Standing, ...]
    """Sorted, without duplicates."""

    @property
    def name(self) -> str:
        """Return the written form, which `parse_vantage` reads."""
        return "+".join(str(standing) for standing in self.standings)

    @property
    def of(self) -> tuple[str, ...]:
        """Return the identities and leases whose places these are."""
        return tuple(standing.of for standing in self.standings if standing.of)


PUBLIC = Vantage(standings=(Standing(place=Place.PUBLIC),))
AUDITOR = Vantage(standings=(Standing(place=Place.AUDITOR),))


def parse_vantage(text: str) -> Vantage:
    """Read a vantage point from its written form; raise MalformedError if it is none."""
    parts = text.split("+")
    if len(parts) > _MOST:
        raise MalformedError(
            f"a vantage point of {len(parts)} places is too large",
            code="trace.vantage",
            hint=f"at most {_MOST}",
        )
    return together(*(Vantage(standings=(_standing(part),)) for part in parts))


def together(*vantages: Vantage) -> Vantage:
    """Return the vantage point that sees what any of some sees; public adds nothing to another place."""
    found = {str(standing): standing for vantage in vantages for standing in vantage.standings}
    if len(found) > 1:
        found.pop(str(Place.PUBLIC), None)
    return Vantage(standings=tuple(found[name] for name in sorted(found)))


def _standing(text: str) -> Standing:
    word, colon, of = text.strip().partition(":")
    try:
        place = Place(word)
    except ValueError:
        raise MalformedError(
            f"{text.strip()!r} is no vantage point", code="trace.vantage", hint=f"one of: {HINT}"
        ) from None
    if place in {Place.PUBLIC, Place.AUDITOR}:
        fits, wanted = not colon, "nothing"
    elif place is Place.COUNTERPARTY:
        fits, wanted = _DID.fullmatch(of) is not None or is_id(of), "a did:key or the id of a lease"
    else:
        fits, wanted = _DID.fullmatch(of) is not None, "a did:key"
    if not fits:
        raise MalformedError(
            f"behind {word} stands {wanted}, not {of!r}", code="trace.vantage", hint=f"one of: {HINT}"
        )
    return Standing(place=place, of=of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerned:
    """Whom one statement concerns, as far as entries up to it tell. Keys stand for their identities' first keys."""

    id: str
    issuer: str
    subject: str
    """The identity that it is about, "" if it is about a thing."""
    lease: str
    """Id of the lease that it belongs to, "" for none."""
    parties: frozenset[str]
    """Lessor and lessee of that lease."""
    brokers: frozenset[str]
    """Brokers of mandates that it cites, or that the terms of its lease show."""


class Eyes:
    """What a vantage point sees in one ledger."""

    def __init__(
        self, vantage: Vantage, *, roots: Mapping[str, str], shown: Mapping[str, Mapping[str, frozenset[str]]]
    ) -> None:
        """Take the first keys of identities by key, and the digests opened by statement and reader."""
        self.vantage = vantage
        self._roots, self._shown = roots, shown
        self._standings = tuple(
            Standing(place=standing.place, of=roots.get(standing.of, standing.of))
            for standing in vantage.standings
        )

    def root(self, did: str) -> str:
        """Return the first key of the identity of a key."""
        return self._roots.get(did, did)

    def sees(self, what: Concerned, digest: str = "") -> bool:
        """Tell whether the sealed field of a digest can be seen; "" for any that no `disclosure.shown` names."""
        return any(self._sees(standing, what, digest) for standing in self._standings)

    def _sees(self, standing: Standing, what: Concerned, digest: str) -> bool:
        of = standing.of
        match standing.place:
            case Place.PUBLIC:
                return False
            case Place.AUDITOR:
                return True
            case Place.BROKER:
                return of == what.issuer or of in what.brokers
            case Place.COUNTERPARTY:
                return (
                    of in {what.issuer, what.subject, what.lease}
                    or of in what.parties
                    or digest in self._shown.get(what.id, {}).get(of, frozenset())
                )
