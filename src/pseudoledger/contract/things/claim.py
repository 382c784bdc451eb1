"""What the book remembers of the family *claim*: claims, who attested what about whom, and disclosures."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pseudoledger.contract.things.base import Thing
from pseudoledger.statement.kinds import Subject
from pseudoledger.statement.kinds.claim import ClaimAttested


class Claim(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """What an attestor said about an identity; `payload` is the payload of the statement."""

    attestor: str
    subject: str
    payload: ClaimAttested
    revoked_at: int | None = None
    entry: int


class Attested(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """The claims of one attestor about one identity that are neither over nor taken back, oldest first.

    Stored under `subject attestor`, so that a rule asks for the attestors it trusts and no stranger can make
    it read more.
    """

    claims: tuple[str, ...] = ()


class Disclosure(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """Sealed fields of a statement that somebody has opened to a reader."""

    discloser: str
    reader: str
    statement: str
    opened: tuple[str, ...]
    shown_at: int
    entry: int


THINGS: tuple[type[Thing], ...] = (Claim, Attested, Disclosure)
"""Classes of this family that are stored by a key of their own."""
SUBJECTS: Mapping[Subject, tuple[type[Thing], ...]] = MappingProxyType({})
"""What the subjects of this family's kinds name: claims are about identities."""
