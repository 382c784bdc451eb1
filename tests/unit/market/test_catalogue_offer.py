from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudoledger.errors import MalformedError
from pseudoledger.market.catalogue_offer import import_catalogue
from pseudoledger.statement.payload import draft
from pseudoledger.statement.sealed import seal

VARIANT = "GpuVariant,AcceleratorCount,TotalGpuMemoryInMiB,PriceUSDPerHour,Region\n"
SKYPILOT = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,StorageGiB,Price,SpotPrice,Region,AvailabilityZone,GpuInfo,Bundle\n"
POOL = "0" * 64


def sealed(tree):
    return draft(seal(tree, aud=POOL, iss="did:key:z", random=Random(7).randbytes).tree)


@pytest.fixture(scope="session")
def importing(offer_terms, tables):
    def run(text, **terms):
        return import_catalogue(
            text.encode() if isinstance(text, str) else text,
            name="list",
            terms=replace(offer_terms, **terms),
            tables=tables,
        )

    return run


def only_offer(result):
    assert result.left_out == ()
    (listing,) = result.listings
    (offer,) = listing.offers
    return offer


def rates(offer):
    return {rate.line: rate.price_micro for rate in offer.tariff.lines}


def messages(result, code):
    return [note.message for note in result.notes if note.code == code]


def test_a_row_becomes_a_pool_and_an_offer(importing):
    result = importing(VARIANT + 'H200,4,575084,10.59,"Texas, US, NA"\n')
    offer = only_offer(result)
    assert [(line.id, line.chip, line.count, line.pool_line) for line in offer.lines] == [
        ("chip", "nvidia-h200-sxm-141gb", 4, "chip")
    ]
    assert rates(offer) == {"chip": 2_647_500}
    assert (offer.facility.country, offer.facility.subdivision) == ("US", "US-TX")
    assert (offer.number, result.listings[0].pool.number) == ("list-2", "list-2")
    assert messages(result, "catalogue.stock") == ["not stated; each row counts as 1 instance(s)"]
    assert messages(result, "catalogue.host_unstated")


def test_payloads_can_be_sealed_and_read(importing):
    text = SKYPILOT + "p4,A100,8,96,1152,,32.77,9.83,us-east-1,us-east-1a,,\n"
    (listing,) = importing(text).listings
    assert sealed(listing.pool.payload()).lines == listing.pool.lines
    for offer in listing.offers:
        assert sealed(offer.payload(POOL)).tariff == offer.tariff
    assert listing.offers[0].payload(POOL)["facility"] == {"country": "US", "site": "us-east-1a"}


def test_a_price_that_does_not_divide_is_rounded_half_to_even_and_reported(importing):
    result = importing(VARIANT + 'RTX_3090,3,73728,0.50,"Texas, US, NA"\n')
    assert rates(only_offer(result)) == {"chip": 166_667}
    assert messages(result, "catalogue.price_rounded") == [
        "166666.666666666 millionths per unit and hour rounded to 166667; +1 millionths an hour for the instance"
    ]


@pytest.mark.parametrize(
    ("price", "micro"), [("0.000001", 0), ("0.000003", 2), ("0.000005", 2), ("0.79", 395_000)]
)
def test_half_a_millionth_goes_to_the_even_one(importing, price, micro):
    assert rates(only_offer(importing(VARIANT + f'L40S,2,92136,{price},"Texas, US, NA"\n'))) == {
        "chip": micro
    }


@pytest.mark.parametrize(
    ("variant", "mib", "chip"),
    [
        ("A100_SXM4", 40960, "nvidia-a100-sxm4-40gb"),
        ("A100_SXM4", 81920, "nvidia-a100-sxm4-80gb"),
        ("RTX_4090", 24564, "nvidia-rtx-4090-24gb"),
        ("RTX_4090", 49140, "nvidia-rtx-4090-48gb"),
        ("A10", 23028, "nvidia-a10"),
    ],
)
def test_memory_tells_variants_apart(importing, variant, mib, chip):
    offer = only_offer(importing(VARIANT + f'{variant},1,{mib},1,"Texas, US, NA"\n'))
    assert offer.lines[0].chip == chip


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ('Z9,1,1000,1,"Texas, US, NA"', "catalogue.unknown_chip"),
        ('RTX_4090,1,30000,1,"Texas, US, NA"', "catalogue.unknown_chip"),
        ('RTX_4090,0.5,12282,1,"Texas, US, NA"', "catalogue.part_of_chip"),
        ('RTX_4090,1,24564,0,"Texas, US, NA"', "catalogue.no_price"),
        ('RTX_4090,1,24564,,"Texas, US, NA"', "catalogue.no_price"),
    ],
)
def test_rows_that_no_offer_carries_are_left_out_by_name(importing, row, code):
    result = importing(VARIANT + row + '\nL40S,1,46068,1,"Texas, US, NA"\n')
    assert result.left_out == (2,)
    assert [note.line for note in result.notes if note.code == code] == [2]
    assert len(result.listings) == 1


@pytest.mark.parametrize(
    ("row", "chip", "code"),
    [
        (("1x-H100_SXM-32-65536", "H100", ""), "nvidia-h100-sxm5-80gb", None),
        (("1x-H100_NVL-32-65536", "H100", ""), "nvidia-h100-nvl-94gb", None),
        (("p5", "H100", ""), "nvidia-h100-80gb", None),
        (("x", "V100", ""), "nvidia-v100-16gb", "catalogue.chip_assumed"),
        (("x", "V100", "{'SizeInMiB': 32768}"), "nvidia-v100-32gb", None),
        (("x", "L40S", "{'SizeInMiB': 204800}"), "nvidia-l40s", "catalogue.memory_unclear"),
        (("x", "T4", "{'SizeInMiB': 16384}"), "nvidia-t4", None),
    ],
)
def test_names_of_the_skypilot_layout(importing, row, chip, code):
    instance, name, info = row
    result = importing(SKYPILOT + f'{instance},{name},1,,,,1,,us-east-1,,"{info}",\n')
    assert only_offer(result).lines[0].chip == chip
    codes = {note.code for note in result.notes} & {"catalogue.chip_assumed", "catalogue.memory_unclear"}
    assert codes == ({code} if code else set())


def test_host_resources_come_with_their_chips_at_no_price(importing):
    offer = only_offer(importing(SKYPILOT + "g,L40S,2,16.5,64,500,2,,us-east-1,,,\n"))
    assert [(line.id, line.resource, line.count) for line in offer.lines] == [
        ("chip", "chip", 2),
        ("cpu", "cpu_core", 16),
        ("memory", "memory_gib", 64),
        ("storage", "storage_gib", 500),
    ]
    assert rates(offer) == {"chip": 1_000_000, "cpu": 0, "memory": 0, "storage": 0}


def test_rows_without_chips_lay_their_price_on_the_cores(importing):
    offer = only_offer(importing(SKYPILOT + "c,,,4.0,16.0,,0.2,,us-east-1,,,\n"))
    assert rates(offer) == {"cpu": 50_000, "memory": 0}


def test_a_part_of_a_core_is_left_out(importing):
    result = importing(SKYPILOT + "c,,,0.5,1,,0.2,,us-east-1,,,\nd,,,1,1,,0.2,,us-east-1,,,\n")
    assert result.left_out == (2,)
    assert messages(result, "catalogue.no_resource")


def test_spot_prices_are_offers_of_the_same_pool(importing):
    result = importing(SKYPILOT + "g,L40S,2,,,,2,0.8,us-east-1,,,\n")
    (listing,) = result.listings
    assert [(offer.number, rates(offer)["chip"]) for offer in listing.offers] == [
        ("list-2", 1_000_000),
        ("list-2-spot", 400_000),
    ]
    assert messages(result, "catalogue.spot")
    only_spot = importing(SKYPILOT + "g,L40S,2,,,,,0.8,us-east-1,,,\n")
    assert [offer.number for offer in only_spot.listings[0].offers] == ["list-2-spot"]


@pytest.mark.parametrize(
    ("region", "place", "code"),
    [
        ("us-east-1", ("US", None, "us-east-1"), None),
        ("europe-west4", ("NL", None, "europe-west4"), None),
        ("CA", ("CA", None, "CA"), None),
        ("moon-1", ("ZZ", None, "moon-1"), "catalogue.place_unknown"),
        ("", ("ZZ", None, None), "catalogue.place_unknown"),
        ('"Czechia, CZ, EU"', ("CZ", None, None), None),
        ('", US, NA"', ("US", None, None), None),
        ('"Sofia-Capital, BG, EU"', ("BG", "BG-22", None), None),
        ('"Florida, US"', ("US", "US-FL", None), None),
        ('"Atlantis, GR, EU"', ("GR", None, None), "catalogue.subdivision"),
        ('"Atlantis, QQ, EU"', ("ZZ", None, None), "catalogue.place_unknown"),
    ],
)
def test_places(importing, region, place, code):
    result = importing(SKYPILOT + f"g,L40S,1,,,,2,,{region},,,\n")
    facility = only_offer(result).facility
    assert (facility.country, facility.subdivision, facility.site) == place
    assert {note.code for note in result.notes} - {"catalogue.stock", "catalogue.host_unstated"} == (
        {code} if code else set()
    )


def test_bundles_are_one_pool_and_one_offer(importing):
    rows = "g,L40S,2,16,,,2,,us-east-1,,,pair\nh,H200,1,,,,5,,us-east-1,,,pair\n"
    result = importing(SKYPILOT + rows)
    offer = only_offer(result)
    assert rates(offer) == {"chip-1": 1_000_000, "cpu-1": 0, "chip-2": 5_000_000}
    assert result.listings[0].lines == (2, 3)
    assert result.listings[0].pool.label == "pair"


def test_a_bundle_is_left_out_whole(importing):
    result = importing(SKYPILOT + "g,L40S,2,,,,2,,us-east-1,,,pair\nh,Z9,1,,,,5,,us-east-1,,,pair\n")
    assert result.listings == ()
    assert result.left_out == (2, 3)


def test_a_bundle_in_two_regions_is_refused(importing):
    with pytest.raises(MalformedError, match="line 3: bundle 'pair' stands in two regions"):
        importing(SKYPILOT + "g,L40S,2,,,,2,,us-east-1,,,pair\nh,L4,1,,,,5,,us-east-2,,,pair\n")


def test_a_bundle_with_too_many_lines_is_refused(importing):
    rows = "g,L40S,2,,,,2,,us-east-1,,,pair\n" * 257
    with pytest.raises(MalformedError, match="makes 257 lines, an offer has at most 256"):
        importing(SKYPILOT + rows)


def test_instances_multiply_stock_and_offer_but_not_the_price(importing):
    result = importing(VARIANT + 'L40S,2,92136,1.20,"Texas, US, NA"\n', instances=3, basis="reserved")
    offer = only_offer(result)
    assert offer.lines[0].count == 6
    assert rates(offer) == {"chip": 600_000}
    assert offer.tariff.lines[0].basis == "reserved"


def test_counts_beyond_the_payload_are_refused(importing):
    with pytest.raises(MalformedError, match="line 2: count: Input should be less than or equal"):
        importing(SKYPILOT + "g,L40S,2000000000,,,,2,,us-east-1,,,\n")


SEED = (
    VARIANT + 'H200,4,575084,10.59,"France, FR, EU"\nRTX_4090,1,49140,0.40,"Hong Kong, HK, AS"\n'
).encode()


@settings(max_examples=200, deadline=None)
@given(
    edits=st.lists(
        st.tuples(
            st.integers(71, len(SEED)),
            st.integers(0, 5),
            st.sampled_from(
                [b",", b'"', b"\n", b"\x00", b"\xff", b"0", b"1e99", b"9" * 18, b"-", b"", b"ZZ", b"."]
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_mutated_files_import_or_are_refused(importing, edits):
    data = SEED
    for place, size, piece in edits:
        data = data[:place] + piece + data[place + size :]
    message = ""
    try:
        result = importing(data)
    except MalformedError as refusal:
        message = refusal.message
    else:
        for listing in result.listings:
            sealed(listing.pool.payload())
            for offer in listing.offers:
                sealed(offer.payload(POOL))
    assert "\n" not in message
