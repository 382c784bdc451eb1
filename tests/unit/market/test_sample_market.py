import pytest

from pseudoledger.contract.tables import contracts_dir
from pseudoledger.market.catalogue import Layout, read_catalogue
from pseudoledger.market.catalogue_offer import import_catalogue
from pseudoledger.market.matching import match
from pseudoledger.market.sdl_demand import import_sdl
from pseudoledger.market.supply import Need, Supply

SAMPLE = contracts_dir() / "sample"
CATALOGUES = sorted((SAMPLE / "catalogues").glob("*.csv"))
DEMANDS = sorted((SAMPLE / "demands").glob("*.yaml"))


@pytest.fixture(scope="module")
def matched(tables, offer_terms, demand_terms):
    offers = [
        Supply.of(offer.number, offer)
        for path in CATALOGUES
        for listing in import_catalogue(
            path.read_bytes(), name=path.stem, terms=offer_terms, tables=tables
        ).listings
        for offer in listing.offers
    ]
    needs = [
        Need.of(path.stem, demand)
        for path in DEMANDS
        for demand in import_sdl(path.read_bytes(), name=path.stem, terms=demand_terms, tables=tables).demands
    ]
    return {found.demand: found for found in match(needs, offers, exponents={"USD": 2})}


def test_both_layouts_are_used():
    assert {read_catalogue(path.read_bytes()).layout for path in CATALOGUES} == set(Layout)


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_every_row_of_the_catalogues_imports(path, tables, offer_terms):
    result = import_catalogue(path.read_bytes(), name=path.stem, terms=offer_terms, tables=tables)
    assert result.left_out == ()
    assert {note.code for note in result.notes} <= {
        "catalogue.stock",
        "catalogue.spot",
        "catalogue.price_rounded",
    }


@pytest.mark.parametrize("path", DEMANDS, ids=lambda path: path.stem)
def test_every_demand_imports_with_a_ceiling(path, tables, demand_terms):
    result = import_sdl(path.read_bytes(), name=path.stem, terms=demand_terms, tables=tables)
    assert result.left_out == ()
    assert all(demand.ceiling for demand in result.demands)


@pytest.mark.parametrize(
    ("demand", "best"),
    [
        ("long-context", "north-lake-4"),
        ("record-office", "harbour-cpu-4"),
        ("render-batch", "delta-cloud-5-spot"),
        ("train-and-serve", "north-lake-7"),
    ],
)
def test_every_demand_finds_its_offer(matched, demand, best):
    assert matched[demand].acceptable[0].offer == best


def test_the_mixed_demand_is_met_by_the_mixed_offer_alone(matched):
    (found,) = matched["train-and-serve"].acceptable
    assert {(line.demand_line, line.offer_line) for line in found.lines} >= {
        ("tune-chip", "chip-1"),
        ("serve-chip", "chip-2"),
    }
    assert found.notes == ()
