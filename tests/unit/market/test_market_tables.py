import csv
import re
from fractions import Fraction

import pytest

from pseudoledger.contract.tables import contracts_dir, file_hash
from pseudoledger.market.tables import Place, fits_memory

FILES = ("chips", "currencies", "places", "units", "chip_aliases", "place_aliases", "regions", "coordinates")
FIGURES = (
    "year",
    "memory_gib",
    "memory_bw_gb_s",
    "fp16_dense_tflops",
    "fp8_int8_dense_tops",
    "tpp",
    "interconnect_gb_s",
    "die_area_mm2",
)


def rows(name):
    with (contracts_dir() / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", FILES)
def test_files_are_utf8_with_lf_and_sorted(name):
    raw = (contracts_dir() / "tables" / f"{name}.csv").read_bytes()
    file_hash(raw)
    assert raw.endswith(b"\n")
    found = rows(name)
    first = next(iter(found[0]))
    assert [row[first] for row in found] == sorted(row[first] for row in found)
    assert all(None not in row and None not in row.values() for row in found)


def test_chips_have_slugs_vendors_and_figures_or_unknown():
    found = rows("chips")
    assert len({row["id"] for row in found}) == len(found)
    for row in found:
        assert re.fullmatch(r"[a-z0-9-]{1,64}", row["id"])
        assert row["vendor"]
        assert row["model"]
        assert row["source"]
        assert row["datacentre"] in {"yes", "no", "unknown"}
        for figure in FIGURES:
            assert row[figure] == "unknown" or re.fullmatch(r"[1-9][0-9]*(\.[0-9]+)?", row[figure])


def test_what_nobody_looked_up_has_a_doubt():
    for row in rows("chips"):
        if row["tpp"] == "unknown":
            assert row["doubt"]


def test_every_alias_means_a_chip_of_the_same_memory(tables):
    for aliases in tables.aliases.values():
        for alias in aliases:
            assert tables.chips[alias.chip].memory_gib == alias.memory_gib


def test_currencies_have_a_minor_unit():
    found = {row["code"]: row["exponent"] for row in rows("currencies")}
    assert (found["USD"], found["JPY"], found["KWD"], found["CLF"]) == ("2", "0", "3", "4")
    assert all(re.fullmatch(r"[A-Z]{3}", code) for code in found)
    assert set(found.values()) == {"0", "2", "3", "4"}


def test_places_have_one_code_each_for_hong_kong_macao_and_taiwan():
    codes = {row["code"] for row in rows("places")}
    assert {"HK", "MO", "TW", "CN", "ZZ", "US-TX"} <= codes
    assert not codes & {"CN-HK", "CN-MO", "CN-TW"}
    assert len([code for code in codes if len(code) == 2]) == 250
    assert all(re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", code) for code in codes)


def test_parents_and_foreign_names_lead_to_places():
    codes = {row["code"] for row in rows("places")}
    assert all(row["parent"] in codes for row in rows("places") if row["parent"])
    assert all(row["place"] in codes and row["place"][:2] == row["country"] for row in rows("place_aliases"))
    assert all(row["country"] in codes for row in rows("regions"))


@pytest.mark.parametrize(
    ("name", "country", "place"),
    [
        ("Texas", "US", Place(country="US", subdivision="US-TX")),
        ("Georgia", "US", Place(country="US", subdivision="US-GA")),
        ("Bavaria", "DE", Place(country="DE", subdivision="DE-BY")),
        ("Taiwan", "TW", Place(country="TW")),
        ("United States", "US", Place(country="US")),
        ("Hong Kong", "HK", Place(country="HK")),
        ("Chiayi", "TW", None),
        ("Nowhere", "US", None),
    ],
)
def test_place_names(tables, name, country, place):
    assert tables.place_named(name, country) == place


def test_unknown_is_no_country(tables):
    assert not tables.is_country("ZZ")
    assert not tables.is_country("US-TX")
    assert tables.is_country("US")


@pytest.mark.parametrize(
    ("nominal", "mib", "fits"),
    [
        (48, 46068, True),
        (80, 81920, True),
        (80, 81921, False),
        (80, 95830, False),
        (24, 49140, False),
        (48, 44237, True),
        (48, 44000, False),
    ],
)
def test_memory_fits_within_a_tenth(nominal, mib, fits):
    assert fits_memory(nominal, Fraction(mib)) is fits


def test_vendors_list_their_strongest_chips_first(tables):
    chips = tables.of_vendor("NVIDIA")
    assert chips[0].id == "nvidia-b300-sxm"
    assert chips[-1].tpp is None
    assert tables.of_vendor("nobody") == ()


def test_points_are_of_known_places_and_on_the_globe():
    codes = {row["code"] for row in rows("places")}
    found = rows("coordinates")
    assert {row["code"] for row in found} <= codes
    assert {code for code in codes if len(code) == 2} - {row["code"] for row in found} == {"BV", "HM", "ZZ"}
    for row in found:
        assert abs(int(row["latitude_seconds"])) <= 90 * 3600
        assert abs(int(row["longitude_seconds"])) <= 180 * 3600
        assert row["source"]
