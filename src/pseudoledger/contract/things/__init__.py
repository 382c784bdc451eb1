"""What the book remembers: frozen values folded from statements, one class per thing.

Times are Unix seconds (block time rounded down), money is minor units, references are statement ids.
`entry` is the index of the entry that opened a thing. They are msgspec.Structs because the book encodes
them to JSON for the store and the views read that JSON; nothing is encoded in two ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pseudoledger.contract.things import asset, capital, claim, dispute, voucher
from pseudoledger.contract.things.base import Taken, Thing
from pseudoledger.contract.things.billing import BilledLine, Invoice, Payment
from pseudoledger.contract.things.identity import Chain, Handover, Owner
from pseudoledger.contract.things.lease import (
    Amendment,
    Batch,
    Delivery,
    Lease,
    MeteredLine,
    Reclaim,
    Serial,
    TermsInForce,
    Usage,
    Version,
)
from pseudoledger.contract.things.ledger import LedgerState, Pins, RegisteredFile
from pseudoledger.contract.things.market import (
    Bid,
    Booking,
    Bookings,
    Demand,
    Mandate,
    Match,
    Offer,
    OpenPapers,
    Pool,
    PoolLine,
)
from pseudoledger.statement import kinds

__all__ = [
    "THINGS",
    "THING_OF_SUBJECT",
    "Amendment",
    "Batch",
    "Bid",
    "BilledLine",
    "Booking",
    "Bookings",
    "Chain",
    "Delivery",
    "Demand",
    "Handover",
    "Invoice",
    "Lease",
    "LedgerState",
    "Mandate",
    "Match",
    "MeteredLine",
    "Offer",
    "OpenPapers",
    "Owner",
    "Payment",
    "Pins",
    "Pool",
    "PoolLine",
    "Reclaim",
    "RegisteredFile",
    "Serial",
    "Taken",
    "TermsInForce",
    "Thing",
    "Usage",
    "Version",
]

THINGS: tuple[type[Thing], ...] = (
    LedgerState,
    RegisteredFile,
    Chain,
    Owner,
    OpenPapers,
    Bookings,
    Pool,
    Offer,
    Demand,
    Mandate,
    Match,
    Bid,
    TermsInForce,
    Amendment,
    Lease,
    MeteredLine,
    Delivery,
    Serial,
    Usage,
    Invoice,
    Payment,
    Taken,
    *claim.THINGS,
    *voucher.THINGS,
    *asset.THINGS,
    *dispute.THINGS,
    *capital.THINGS,
)
"""Every class of thing that is stored by a key of its own."""

THING_OF_SUBJECT: Mapping[kinds.Subject, tuple[type[Thing], ...]] = MappingProxyType(
    {
        kinds.Subject.OFFER: (Offer,),
        kinds.Subject.DEMAND: (Demand,),
        kinds.Subject.OFFER_OR_DEMAND: (Offer, Demand),
        kinds.Subject.MANDATE: (Mandate,),
        kinds.Subject.BID: (Bid,),
        kinds.Subject.LEASE: (Lease,),
        kinds.Subject.INVOICE: (Invoice,),
        kinds.Subject.PAYMENT: (Payment,),
        **claim.SUBJECTS,
        **voucher.SUBJECTS,
        **asset.SUBJECTS,
        **dispute.SUBJECTS,
        **capital.SUBJECTS,
    }
)
"""Among which things the subject of a kind is looked for, where it names one."""
