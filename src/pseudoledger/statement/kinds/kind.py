"""What a kind of statement is: its model, family, subject, and the first rule set that has it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

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
    PROGRAMME = "the programme"
    VOUCHER = "the voucher"
    ASSET = "the asset"
    DISPUTE = "the dispute"
    STAKE = "the stake"
    QUOTA = "the quota"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of statement: its model, family, subject and whether a peer may send it."""

    name: str
    v: int
    family: str
    model: type[Value]
    subject: Subject
    from_network: bool = True
    since: int = 1
    """Number of the first rule set that has it; under an earlier one it is unknown."""


def kinds(
    family: str, subject: Subject, *models: type[Value], from_network: bool = True, since: int = 1
) -> tuple[Kind, ...]:
    """List kinds whose type stands in the model as a literal."""
    found = []
    for model in models:
        (kind,) = model.model_fields["type"].annotation.__args__  # type: ignore[union-attr]
        (version,) = model.model_fields["v"].annotation.__args__  # type: ignore[union-attr]
        found.append(
            Kind(
                name=kind,
                v=version,
                family=family,
                model=model,
                subject=subject,
                from_network=from_network,
                since=since,
            )
        )
    return tuple(found)
