"""Listings: chips that offers put on the market, and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pseudoledger.audit.review.facts import CHIP_FACTS, Fact, FactValue, Observation, Sort, Table, table
from pseudoledger.audit.review.observers.base import COUNTRY, Silent, country_facts
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight, cited
from pseudoledger.statement.kinds.market import OfferPublished

LISTING = table(
    "listing",
    "One line of an offer that lists chips.",
    reads=("offer.published",),
    facts=(
        *CHIP_FACTS,
        COUNTRY,
        Fact(name="count", sort=Sort.INTEGER, says="Chips listed", unit="C62"),
        Fact(name="number", sort=Sort.TEXT, says="The lessor's number of the offer"),
        Fact(
            name="lessor_declared",
            sort=Sort.TRUTH,
            says="Whether the lessor has declared its identity on the ledger",
        ),
        Fact(
            name="tpp_listed",
            sort=Sort.RATIO,
            says="TPP of all chips of the line",
            unit="TOPS x bit",
            missing="TPP of the chip is unknown",
        ),
    ),
)


class Listings(Silent):
    """Reads offers."""

    tables: ClassVar[tuple[Table, ...]] = (LISTING,)
    reads: ClassVar[frozenset[str]] = frozenset(LISTING.reads)

    def read(self, entry: Read, sight: Sight) -> Iterator[Observation]:
        """Yield one observation for each line of chips."""
        offer = entry.payload
        if not isinstance(offer, OfferPublished):
            return
        lessor = sight.root(entry.statement.iss)
        for line in offer.lines:
            if line.chip is None:
                continue
            chip = sight.chip(line.chip)
            facts: dict[str, FactValue] = {
                **chip.facts(),
                **country_facts(offer.facility.country),
                "count": line.count,
                "number": offer.number,
                "lessor_declared": sight.declared_at(lessor) is not None,
            }
            if chip.tpp is not None:
                facts["tpp_listed"] = chip.tpp * line.count
            yield Observation(
                table=LISTING,
                at=entry.at,
                subject=f"{entry.id}/{line.id}",
                facts=facts,
                cites=(cited(entry, "offer"),),
                parties=(("lessor", lessor),),
                reasons=chip.reasons(),
            )
