"""The data dictionary: one file per family of kinds, and the registry of all of them.

A statement's payload names its kind and version; (type, v) selects one frozen model. What `sub` of the
envelope has to be for each kind stands here too (formats §2), because payloads do not repeat it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

from pseudoledger.statement import values
from pseudoledger.statement.kinds import (
    asset,
    billing,
    capital,
    claim,
    delivery,
    dispute,
    identity,
    lease,
    ledger,
    market,
    usage,
    voucher,
)
from pseudoledger.statement.kinds.kind import Kind, Subject
from pseudoledger.statement.kinds.kind import kinds as _kinds

__all__ = ["KINDS", "Kind", "Payload", "Subject", "kind_of", "kinds_under"]


Payload: TypeAlias = values.Value
"""Any validated payload; `type` and `v` tell which."""


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
    *_kinds("market", Subject.ISSUER, market.DemandPublished2, since=2),
    *_kinds("market", Subject.DEMAND, market.MatchProposed2, since=2),
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
    *claim.KINDS,
    *voucher.KINDS,
    *asset.KINDS,
    *dispute.KINDS,
    *capital.KINDS,
)

KINDS = MappingProxyType({(kind.name, kind.v): kind for kind in _ALL})
"""Every kind by (type, v)."""


@lru_cache(maxsize=8)
def kinds_under(number: int) -> Mapping[tuple[str, int], Kind]:
    """Return the kinds of the rule set of a number: of every name the newest version that it has."""
    newest = {kind.name: kind for kind in sorted(_ALL, key=lambda kind: kind.v) if kind.since <= number}
    return MappingProxyType({key: kind for key, kind in KINDS.items() if newest.get(key[0]) is kind})


_BY_MODEL = MappingProxyType({kind.model: kind for kind in _ALL})


def kind_of(payload: Payload) -> Kind:
    """Return the kind of a validated payload."""
    return _BY_MODEL[type(payload)]
