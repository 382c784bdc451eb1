"""Prices: what offers ask beside dated observations, of this ledger's other lessors and of the market table."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import ClassVar

from pseudoledger.audit.review.facts import Fact, FactValue, Observation, Sort, Table, table
from pseudoledger.audit.review.observers.base import COUNTRY, Silent, country_facts
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight, cited
from pseudoledger.contract.tables import shipped
from pseudoledger.statement.kinds.market import OfferPublished
from pseudoledger.statement.values import date_seconds

WINDOW_S = 90 * 86_400
"""How old an offer of this ledger may be to compare with."""
SAMPLES_MAX = 256
"""Offers of one chip and currency that are remembered."""
SAMPLES_MIN = 5
"""With fewer of them there is no median worth comparing with."""

_FEW = f"fewer than {SAMPLES_MIN} offers of other lessors for this chip and currency within 90 days"

PRICE = table(
    "price",
    "Price of one line of chips of an offer, per chip and hour.",
    reads=("offer.published",),
    facts=(
        COUNTRY,
        Fact(name="chip", sort=Sort.TEXT, says="Row of the chip table"),
        Fact(name="count", sort=Sort.INTEGER, says="Chips listed", unit="C62"),
        Fact(name="number", sort=Sort.TEXT, says="The lessor's number of the offer"),
        Fact(name="currency", sort=Sort.TEXT, says="Currency of the tariff"),
        Fact(name="basis", sort=Sort.TEXT, says="metered or reserved"),
        Fact(name="price_micro", sort=Sort.INTEGER, says="Price of one chip for one hour", unit="micro"),
        Fact(
            name="ledger_median",
            sort=Sort.INTEGER,
            says="Median of other lessors' offers on this ledger within 90 days before",
            unit="micro",
            missing=_FEW,
        ),
        Fact(name="ledger_samples", sort=Sort.INTEGER, says="How many offers that is", unit="C62"),
        Fact(name="of_ledger", sort=Sort.RATIO, says="Price over that median", missing=_FEW),
        Fact(
            name="market_median",
            sort=Sort.INTEGER,
            says="Median of the market table for this chip and currency",
            unit="micro",
            missing="the market table has no row for this chip and currency, or was observed later",
        ),
        Fact(
            name="of_market",
            sort=Sort.RATIO,
            says="Price over that median",
            missing="the market table has no row for this chip and currency, or was observed later",
        ),
        Fact(
            name="market_age_s",
            sort=Sort.INTEGER,
            says="Age of that observation",
            unit="s",
            missing="the market table has no row for this chip and currency, or was observed later",
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRow:
    """One dated observation of a price elsewhere."""

    median_micro: int
    observed: int
    """Earliest time at which it can have been observed."""
    source: str


@lru_cache(maxsize=1)
def market_prices() -> Mapping[tuple[str, str], MarketRow]:
    """Return the market table by chip and currency."""
    rows = csv.DictReader(io.StringIO(shipped("packs/prices.csv").decode("utf-8")))
    return MappingProxyType(
        {
            (row["chip"], row["currency"]): MarketRow(
                median_micro=int(row["median_micro"]),
                observed=date_seconds(row["observed_from"]),
                source=row["source"],
            )
            for row in rows
        }
    )


class Prices(Silent):
    """Reads offers; remembers the last prices of each chip and currency."""

    tables: ClassVar[tuple[Table, ...]] = (PRICE,)
    reads: ClassVar[frozenset[str]] = frozenset(PRICE.reads)

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str], deque[tuple[int, int, str]]] = {}
        """By chip and currency: time, price and lessor."""

    def read(self, entry: Read, sight: Sight) -> Iterator[Observation]:
        """Yield one observation for each line of chips that is priced by the hour."""
        offer = entry.payload
        if not isinstance(offer, OfferPublished):
            return
        lessor = sight.root(entry.statement.iss)
        rates = {rate.line: rate for rate in offer.tariff.lines}
        for line in offer.lines:
            rate = rates.get(line.id)
            if line.chip is None or rate is None or rate.price_micro is None:
                continue
            place = (line.chip, offer.tariff.currency)
            facts: dict[str, FactValue] = {
                **country_facts(offer.facility.country),
                "chip": line.chip,
                "count": line.count,
                "number": offer.number,
                "currency": offer.tariff.currency,
                "basis": rate.basis,
                "price_micro": rate.price_micro,
                **self._ledger(place, entry.at, lessor, rate.price_micro),
                **_market(place, entry.at, rate.price_micro),
            }
            asked = self._asked.setdefault(place, deque(maxlen=SAMPLES_MAX))
            asked.append((entry.at, rate.price_micro, lessor))
            yield Observation(
                table=PRICE,
                at=entry.at,
                subject=f"{entry.id}/{line.id}",
                facts=facts,
                cites=(cited(entry, "offer"),),
                parties=(("lessor", lessor),),
            )

    def _ledger(self, place: tuple[str, str], at: int, lessor: str, price: int) -> dict[str, FactValue]:
        others = sorted(
            asked
            for when, asked, who in self._asked.get(place, ())
            if at - when <= WINDOW_S and who != lessor
        )
        found: dict[str, FactValue] = {"ledger_samples": len(others)}
        if len(others) >= SAMPLES_MIN:
            median = others[len(others) // 2]
            found["ledger_median"] = median
            if median:
                found["of_ledger"] = Fraction(price, median)
        return found


def _market(place: tuple[str, str], at: int, price: int) -> dict[str, FactValue]:
    row = market_prices().get(place)
    if row is None or at < row.observed:
        return {}
    return {
        "market_median": row.median_micro,
        "of_market": Fraction(price, row.median_micro),
        "market_age_s": at - row.observed,
    }
