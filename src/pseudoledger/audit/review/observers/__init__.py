"""Observers: each reads some kinds of statements and says what it sees, in the words of its observation tables.

A new kind of statement is taken up by one more observer here; packs then ask about its table.
"""

from __future__ import annotations

from types import MappingProxyType

from pseudoledger.audit.review.observers.base import Observer
from pseudoledger.audit.review.observers.claims import Claims
from pseudoledger.audit.review.observers.evidence import DISCLOSED
from pseudoledger.audit.review.observers.facility import Facilities
from pseudoledger.audit.review.observers.leasing import LeasedLines
from pseudoledger.audit.review.observers.listing import Listings
from pseudoledger.audit.review.observers.machines import Machines
from pseudoledger.audit.review.observers.parties import RelatedParties
from pseudoledger.audit.review.observers.price import Prices
from pseudoledger.audit.review.observers.recall import Recalls
from pseudoledger.audit.review.observers.residency import Residencies
from pseudoledger.audit.review.observers.training import Training
from pseudoledger.audit.review.observers.vouchers import Vouchers

OBSERVERS: tuple[type[Observer], ...] = (
    Listings,
    LeasedLines,
    Training,
    Residencies,
    Facilities,
    RelatedParties,
    Recalls,
    Prices,
    Machines,
    Claims,
    Vouchers,
)
"""Every observer, in the order in which they see an entry."""

TABLES = MappingProxyType(
    {table.name: table for table in (*(t for one in OBSERVERS for t in one.tables), DISCLOSED)}
)
"""Every observation table by name."""
