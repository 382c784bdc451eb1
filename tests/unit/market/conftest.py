from fractions import Fraction

import pytest

from pseudoledger.market.catalogue_offer import OfferTerms
from pseudoledger.market.sdl_demand import DemandTerms, DenomRate
from pseudoledger.market.tables import load_tables
from pseudoledger.statement.values import Period

MARCH = 1_772_323_200


@pytest.fixture(scope="session")
def tables():
    return load_tables()


@pytest.fixture(scope="session")
def demand_terms():
    return DemandTerms(
        window=Period.between(MARCH, MARCH + 30 * 86_400),
        length="P7D",
        rates=(DenomRate.parse("uact=0.000001/USD"),),
        block_seconds=Fraction(6),
    )


@pytest.fixture(scope="session")
def offer_terms():
    return OfferTerms(
        length_min="PT1H", length_max="P31D", available=Period.between(MARCH, MARCH + 60 * 86_400)
    )
