"""The data dictionary: one file per family of kinds, and the registry of all of them.

A statement's payload names its kind and version; (type, v) selects one frozen model. What `sub` of the
envelope has to be for each kind stands here too (formats §2), because payloads do not repeat it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from pseudoledger.statement.kinds import billing, delivery, identity, lease, ledger, market, usage
from pseudoledger.statement.values import Value


class Subject(Enum):
    """What the `sub` claim of a kind holds."""

    ORIGIN = "the origin of the ledger"
    ISSUER = "the issuer's did: the statement opens a thing"
    IDENTITY = "the did of the identity it is about"
    OFFER = "the offer"
    DEMAND = "the demand"
    OFFER_OR_DEMAND = "the offer or demand"
    MANDATE = "the mandate"
    BID = "the bid"
    LEASE = "the lease"
    INVOICE = "the invoice"
    PAYMENT = "the payment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of statement: its model, family, subject and whether a peer may send it."""

    name: str
    v: int
    family: str
    model: type[Value]
    subject: Subject
    from_network: bool = True


Payload: TypeAlias = Value
"""Any validated payload; `type` and `v` tell which."""


def _kinds(family: str, subject: Subject, *models: type[Value], from_network: bool = True) -> list[Kind]:
    """List kinds whose type stands in the model as a literal."""
    found = []
    for model in models:
        (kind,) = model.model_fields["type"].annotation.__args__  # type: ignore[union-attr]
        (version,) = model.model_fields["v"].annotation.__args__  # type: ignore[union-attr]
        found.append(
            Kind(name=kind, v=version, family=family, model=model, subject=subject, from_network=from_network)
        )
    return found


_ALL = (
    *_kinds(
        "ledger",
        Subject.ORIGIN,
        ledger.LedgerFounded,
        ledger.LedgerPolicyChanged,
        ledger.LedgerPolicyRegistered,
        ledger.LedgerKeyChanged,
        ledger.BlockSealed,
        from_network=False,
    ),
    *_kinds(
        "identity",
        Subject.IDENTITY,
        identity.IdentityDeclared,
        identity.IdentityRotated,
        identity.IdentityAdopted,
        identity.IdentityRecovered,
        identity.IdentityRevoked,
    ),
    *_kinds(
        "market",
        Subject.ISSUER,
        market.PoolDeclared,
        market.OfferPublished,
        market.DemandPublished,
        market.BrokerMandated,
    ),
    *_kinds("market", Subject.OFFER, market.OfferWithdrawn),
    *_kinds("market", Subject.DEMAND, market.DemandClosed, market.MatchProposed),
    *_kinds("market", Subject.MANDATE, market.BrokerReleased),
    *_kinds("market", Subject.OFFER_OR_DEMAND, market.BidPlaced),
    *_kinds("market", Subject.BID, market.BidCountered, market.BidRejected, market.BidWithdrawn),
    *_kinds("lease", Subject.ISSUER, lease.LeaseProposed),
    *_kinds(
        "lease",
        Subject.LEASE,
        lease.LeaseSigned,
        lease.LeaseRejected,
        lease.LeaseCancelled,
        lease.AmendmentProposed,
        lease.AmendmentSigned,
        lease.ReclaimStarted,
        lease.LeaseEnded,
    ),
    *_kinds(
        "delivery",
        Subject.LEASE,
        delivery.DeliveryOffered,
        delivery.DeliveryAccepted,
        delivery.DeliveryRefused,
    ),
    *_kinds("usage", Subject.LEASE, usage.UsageReported, usage.UsageConfirmed, usage.UsageContested),
    *_kinds("billing", Subject.LEASE, billing.InvoiceIssued),
    *_kinds(
        "billing",
        Subject.INVOICE,
        billing.InvoiceAccepted,
        billing.InvoiceRejected,
        billing.InvoiceCancelled,
        billing.CreditIssued,
    ),
    *_kinds("billing", Subject.ISSUER, billing.PaymentDeclared),
    *_kinds("billing", Subject.PAYMENT, billing.PaymentConfirmed, billing.PaymentDenied),
)

KINDS = MappingProxyType({(kind.name, kind.v): kind for kind in _ALL})
"""Every kind by (type, v)."""

_BY_MODEL = MappingProxyType({kind.model: kind for kind in _ALL})


def kind_of(payload: Payload) -> Kind:
    """Return the kind of a validated payload."""
    return _BY_MODEL[type(payload)]
