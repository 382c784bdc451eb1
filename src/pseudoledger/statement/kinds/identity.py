"""Kinds of the family *identity*: declaring, rotating, recovering and revoking a pseudonym (design §3)."""

from __future__ import annotations

from typing import Literal

from pseudoledger.statement.values import Did, Number, Ref, Sealable, Sha256, Text, Value, note

_NEXT = "SHA-256 of the next did:key; if present only that key may follow or revoke"
_RECOVERY = "Key that may replace a lost or stolen one"


class IdentityDeclared(Sealable):
    """A pseudonym says how it wants to be called and which key may follow it."""

    type: Literal["identity.declared"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    label: Text | None = note("Public name of the pseudonym", reveals="identity", default=None)
    contact: Text | None = note("How to reach the party", reveals="identity", sealable=True)
    next: Sha256 | None = note(_NEXT, reveals="identity", default=None)
    recovery: Did | None = note(_RECOVERY, reveals="identity", default=None)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class IdentityRotated(Value):
    """The key in force hands over to a new key, which still has to adopt."""

    type: Literal["identity.rotated"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The issuer's number of this act")
    to: Did = note("The new key", reveals="identity")


class IdentityAdopted(Value):
    """The new key consents to a rotation or recovery; the change starts here."""

    type: Literal["identity.adopted"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    handover: Ref = note("The rotation or recovery that is adopted", reveals="reference")
    next: Sha256 | None = note(_NEXT, reveals="identity", default=None)
    recovery: Did | None = note(_RECOVERY, reveals="identity", default=None)


class IdentityRecovered(Value):
    """The recovery key replaces the key in force, and overrides a rotation within 14 days."""

    type: Literal["identity.recovered"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The issuer's number of this act")
    to: Did = note("The new key", reveals="identity")


class IdentityRevoked(Value):
    """The pseudonym may no longer sign; without recovery its leases may be ended (code 20003)."""

    type: Literal["identity.revoked"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    reason: Literal["retired", "lost", "stolen", "superseded"] = note("Why", reveals="identity")
