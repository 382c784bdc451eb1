"""Other people's files: every SDL and every catalogue row imports, and what the catalogue offers is matched.

The files are not ours and stay outside the repository; PSEUDOLEDGER_SHARED names their folder.
"""

import csv
import os
import random
import re
from fractions import Fraction
from pathlib import Path

import pytest

from pseudoledger.contract.tables import contracts_dir
from pseudoledger.errors import MalformedError
from pseudoledger.market.catalogue_offer import OfferTerms, import_catalogue
from pseudoledger.market.matching import match
from pseudoledger.market.sdl_demand import DemandTerms, DenomRate, import_sdl
from pseudoledger.market.supply import Need, Supply
from pseudoledger.market.tables import load_tables
from pseudoledger.statement.payload import draft
from pseudoledger.statement.sealed import seal
from pseudoledger.statement.values import Period

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT / os.environ.get("PSEUDOLEDGER_SHARED", "../shared") / "data"
SDLS = sorted((SHARED / "akash-sdl").glob("*.y*ml"))
CATALOGUE = next(iter(sorted((SHARED / "gpu-prices").glob("*.csv"))), None)

pytestmark = pytest.mark.skipif(
    not SDLS or CATALOGUE is None, reason=f"{SHARED} with akash-sdl and gpu-prices is not there"
)

MARCH = 1_772_323_200
WITHOUT_CHIPS = {"folding-at-home", "langfuse", "metal-validator", "minecraft", "postgres"}
TOO_LARGE = {"Llama-3.1-405B-BF16"}
"""Asks for 24 chips of one lessor; no row of the catalogue has more than 16, and those are other chips."""


@pytest.fixture(scope="module")
def tables():
    return load_tables()


@pytest.fixture(scope="module")
def importing(tables):
    terms = DemandTerms(
        window=Period.between(MARCH, MARCH + 30 * 86_400),
        length="P7D",
        rates=(DenomRate.parse("uact=0.000001/USD"),),
        block_seconds=Fraction(6),
    )
    return lambda data, name="file": import_sdl(data, name=name, terms=terms, tables=tables)


@pytest.fixture(scope="module")
def offering(tables):
    def run(data, **terms):
        available = Period.between(MARCH, MARCH + 60 * 86_400)
        made = OfferTerms(length_min="PT1H", length_max="P31D", available=available, **terms)
        return import_catalogue(data, name="list", terms=made, tables=tables)

    return run


def supplies(offering, path, **terms):
    for listing in offering(path.read_bytes(), **terms).listings:
        for offer in listing.offers:
            yield Supply.of(f"{path.stem}:{offer.number}", offer)


def title(path):
    return path.name.split("__")[0]


@pytest.fixture(scope="module")
def matched(importing, offering):
    sample = sorted((contracts_dir() / "sample" / "catalogues").glob("*cpu*.csv"))
    offers = [found for path in (CATALOGUE, *sample) for found in supplies(offering, path)]
    needs = [Need.of(title(path), demand) for path in SDLS for demand in importing(path.read_bytes()).demands]
    return {found.demand: found for found in match(needs, offers, exponents={"USD": 2})}


@pytest.mark.parametrize("path", SDLS, ids=title)
def test_every_sdl_imports_whole(path, importing):
    result = importing(path.read_bytes(), title(path))
    assert result.left_out == ()
    assert len(result.demands) == 1
    sealed = seal(
        result.demands[0].payload(), aud="0" * 64, iss="did:key:z", random=random.Random(7).randbytes
    )
    assert draft(sealed.tree).lines == result.demands[0].lines


@pytest.mark.parametrize("path", SDLS, ids=title)
def test_what_an_sdl_says_and_a_demand_cannot_is_named(path, importing):
    text = path.read_text(encoding="utf-8")
    codes = {note.code for note in importing(path.read_bytes()).notes}
    for word, code in (
        ("image:", "sdl.image"),
        ("env:", "sdl.env"),
        ("signedBy:", "sdl.signed_by"),
        ("host: akash", "sdl.attribute"),
    ):
        assert (code in codes) == any(line.strip().startswith(word) for line in text.splitlines()), (
            word,
            codes,
        )
    assert ("sdl.no_ceiling" in codes) == ("denom: uact" not in text)


def test_every_row_of_the_catalogue_imports(offering):
    rows = list(csv.DictReader(CATALOGUE.read_text(encoding="utf-8").splitlines()))
    result = offering(CATALOGUE.read_bytes())
    assert result.left_out == ()
    assert len(result.listings) == len(rows)
    for row, listing in zip(rows, result.listings, strict=True):
        (offer,) = listing.offers
        count = int(row["AcceleratorCount"])
        assert offer.lines[0].count == count
        price = offer.tariff.lines[0].price_micro
        assert abs(Fraction(price * count, 10**6) - Fraction(row["PriceUSDPerHour"])) <= Fraction(
            count, 2 * 10**6
        )
        assert offer.facility.country == row["Region"].split(", ")[1]
        sealed = seal(
            offer.payload("0" * 64), aud="0" * 64, iss="did:key:z", random=random.Random(7).randbytes
        )
        assert draft(sealed.tree).lines == offer.lines


def test_every_place_of_the_catalogue_is_known(offering):
    assert {note.code for note in offering(CATALOGUE.read_bytes()).notes} == {
        "catalogue.stock",
        "catalogue.host_unstated",
    }


def test_the_chip_table_lists_every_model_that_the_files_name(tables):
    rows = csv.DictReader(CATALOGUE.read_text(encoding="utf-8").splitlines())
    assert all(tables.named("vast", row["GpuVariant"]) for row in rows)
    for path in SDLS:
        models = re.findall(r"^\s*- model: (\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert all(tables.named("akash", model) for model in models)


def test_every_chip_of_the_shared_list_stands_in_the_table():
    ours = (contracts_dir() / "tables" / "chips.csv").read_text(encoding="utf-8")
    models = {row["model"]: row for row in csv.DictReader(ours.splitlines())}
    for row in csv.DictReader((SHARED / "chips.csv").read_text(encoding="utf-8").splitlines()):
        mine = models[row["chip"]]
        assert mine["tpp"] == (row["tpp"] or "unknown")
        assert mine["die_area_mm2"] == (row["applicable_die_area_mm2"] or "unknown")
        assert mine["memory_gib"] == row["memory_gb"]


def test_every_demand_with_offered_chips_is_matched(matched):
    assert len(matched) == len(SDLS)
    for name, found in matched.items():
        assert bool(found.acceptable) == (name not in TOO_LARGE), name


def test_what_is_not_matched_has_a_named_reason(matched):
    for name in TOO_LARGE:
        found = matched[name]
        assert {reason.code for entry in found.rejected for reason in entry.reasons} <= {
            "match.alternative",
            "match.count",
            "match.resource",
        }
        assert any({reason.code for reason in entry.reasons} == {"match.count"} for entry in found.rejected)


def test_with_three_instances_a_row_the_largest_demand_is_met(importing, offering):
    (path,) = [path for path in SDLS if title(path) in TOO_LARGE]
    (demand,) = importing(path.read_bytes()).demands
    offers = list(supplies(offering, CATALOGUE, instances=3))
    (found,) = match([Need.of("large", demand)], offers, exponents={"USD": 2})
    assert [entry.hour_micro for entry in found.acceptable] == [48_000_000]


def test_demands_without_chips_meet_our_own_cpu_offers(matched):
    for name in WITHOUT_CHIPS:
        assert all("cpu" in entry.offer for entry in matched[name].acceptable)
        assert matched[name].acceptable[0].notes == ()


@pytest.mark.parametrize("path", SDLS, ids=title)
def test_damaged_sdls_import_or_are_refused(path, importing):
    data = path.read_bytes()
    chance = random.Random(path.name)
    for _ in range(12):
        place = chance.randrange(len(data))
        piece = chance.choice((b"", b"\n", b":", b"\t", b"- ", b"\xff", b"*x", b"&x ", b"[", b"'", b"0"))
        damaged = data[:place] + piece + data[place + chance.randrange(20) :]
        message = ""
        try:
            importing(damaged)
        except MalformedError as refusal:
            message = refusal.message
        assert "\n" not in message


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_cut_file_is_refused_or_whole_rows_remain(share, offering):
    data = CATALOGUE.read_bytes()
    cut = data[: int(len(data) * share)]
    with pytest.raises(MalformedError, match=f"line {cut.count(bytes([10])) + 1}: "):
        offering(cut)
