from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudoledger.errors import MalformedError
from pseudoledger.market.sdl_demand import DenomRate, block_time, import_sdl
from pseudoledger.statement.payload import draft
from pseudoledger.statement.sealed import seal

HEAD = 'version: "2.0"\nservices:\n'
GPU = """
        gpu:
          units: {units}
          attributes: {{vendor: {{{vendor}}}}}
"""


def sdl(*services, pricing="denom: uact, amount: 1000", attributes=""):
    """Write an SDL file of (name, cpu, memory, storage, gpu text, replicas) services."""
    names = [service[0] for service in services]
    text = HEAD + "".join(f"  {name}: {{image: i}}\n" for name in names) + "profiles:\n  compute:\n"
    for name, cpu, memory, storage, gpu, _ in services:
        text += f"    {name}:\n      resources:\n        cpu: {{units: {cpu}}}\n        memory: {{size: {memory}}}\n"
        text += f"        storage: {storage}\n{gpu}"
    text += "  placement:\n    here:\n" + (f"      attributes: {{{attributes}}}\n" if attributes else "")
    text += "      pricing:\n" + "".join(f"        {name}: {{{pricing}}}\n" for name in names)
    text += "deployment:\n"
    text += "".join(f"  {s[0]}:\n    here: {{profile: {s[0]}, count: {s[5]}}}\n" for s in services)
    return text.encode()


def gpu(models, units=1, vendor="nvidia"):
    return GPU.format(units=units, vendor=f"{vendor}: {models}")


def one(result):
    assert len(result.demands) == 1
    return result.demands[0]


def codes(result):
    return {note.code for note in result.notes} - {"sdl.image"}


@pytest.fixture(scope="session")
def importing(demand_terms, tables):
    def run(data, **terms):
        return import_sdl(data, name="file", terms=replace(demand_terms, **terms), tables=tables)

    return run


def test_replicas_multiply_before_rounding_up(importing):
    result = importing(sdl(("web", "0.25", "256Mi", "{size: 512Mi}", "", 3)))
    assert [(line.id, line.count) for line in one(result).lines] == [
        ("web-cpu", 1),
        ("web-memory", 1),
        ("web-storage", 2),
    ]
    assert [note.message for note in result.notes if note.code == "sdl.rounded_up"] == [
        "0.75 cores rounded up to 1",
        "0.75 GiB rounded up to 1",
        "1.5 GiB rounded up to 2",
    ]


def test_ram_volumes_count_as_memory(importing):
    storage = "[{size: 10Gi}, {name: shm, size: 4Gi, attributes: {class: ram}}]"
    lines = one(importing(sdl(("web", "1", "2Gi", storage, "", 1)))).lines
    assert [(line.id, line.count) for line in lines] == [
        ("web-cpu", 1),
        ("web-memory", 6),
        ("web-storage", 10),
    ]


def chips_of(result):
    return [resource.chip for resource in one(result).lines[0].alternatives]


@pytest.mark.parametrize(
    ("models", "chips"),
    [
        ("[{model: a100, ram: 80Gi, interface: sxm}]", ["nvidia-a100-sxm4-80gb"]),
        ("[{model: a100, ram: 40Gi}]", ["nvidia-a100-sxm4-40gb", "nvidia-a100-40gb"]),
        ("[{model: h100, interface: pcie}]", ["nvidia-h100-nvl-94gb", "nvidia-h100-pcie-80gb"]),
        ("[{model: 4000}, {model: A4000}]", ["nvidia-4000", "nvidia-rtx-a4000"]),
        ("[{model: h200}, {model: h200}]", ["nvidia-h200-sxm-141gb"]),
        (
            "[{model: a100}]",
            [
                "nvidia-a100-sxm4-80gb",
                "nvidia-a100-pcie-80gb",
                "nvidia-a100-80gb",
                "nvidia-a100-sxm4-40gb",
                "nvidia-a100-40gb",
            ],
        ),
    ],
)
def test_models_mean_chips(importing, models, chips):
    assert chips_of(importing(sdl(("web", "1", "1Gi", "{size: 1Gi}", gpu(models), 1)))) == chips


def test_chips_are_counted_per_replica(importing):
    result = importing(sdl(("web", "1", "1Gi", "{size: 1Gi}", gpu("[{model: l40s}]", units=2), 3)))
    assert (one(result).lines[0].id, one(result).lines[0].count) == ("web-chip", 6)


@pytest.mark.parametrize("models", ["", "[]", "[{ram: 80Gi}]"])
def test_a_vendor_without_models_means_all_its_chips(importing, tables, models):
    result = importing(sdl(("web", "1", "1Gi", "{size: 1Gi}", gpu(models), 1)))
    assert chips_of(result) == [chip.id for chip in tables.of_vendor("nvidia")][:64]
    assert ("sdl.gpu_attributes" in codes(result)) == ("ram" in models)


def test_every_chip_of_four_vendors_fits_into_one_line(importing):
    models = "{nvidia: , amd: , intel: , google: }"
    text = gpu("X").replace("{nvidia: X}", models)
    result = importing(sdl(("web", "1", "1Gi", "{size: 1Gi}", text, 1)))
    assert len(chips_of(result)) > 64
    assert "google-tpu-v2" in chips_of(result)


def test_an_unknown_chip_among_others_is_named(importing):
    result = importing(sdl(("web", "1", "1Gi", "{size: 1Gi}", gpu("[{model: z9}, {model: l4}]"), 1)))
    assert chips_of(result) == ["nvidia-l4"]
    assert any("no chip of our table is 'nvidia' 'z9'" in note.message for note in result.notes)


@pytest.mark.parametrize(
    "text",
    [
        gpu("[{model: z9}]"),
        gpu("[{model: l4, ram: 24Gi}]"),
        gpu("[{model: l40s, interface: sxm}]"),
        gpu("[{model: h100}]", vendor="amd"),
        gpu("", vendor="nobody"),
    ],
)
def test_a_placement_that_finds_no_chip_is_left_out_whole(importing, text):
    result = importing(sdl(("web", "1", "1Gi", "{size: 1Gi}", text, 1)))
    assert result.demands == ()
    assert result.left_out == ("here",)
    assert {"sdl.unknown_chip", "sdl.left_out"} <= codes(result)


def test_no_gpu_units_means_no_chips(importing):
    result = importing(sdl(("web", "1", "1Gi", "{size: 1Gi}", "        gpu: {units: 0}\n", 1)))
    assert [line.id for line in one(result).lines] == ["web-cpu", "web-memory", "web-storage"]


def test_each_placement_is_one_demand(importing):
    data = sdl(("web", "1", "1Gi", "{size: 1Gi}", "", 1)).decode()
    data = data.replace(
        "  placement:\n", "  placement:\n    there: {pricing: {web: {denom: uact, amount: 1}}}\n"
    )
    data = data.replace("count: 1}", "count: 1}\n    there: {profile: web, count: 2}")
    assert [(demand.number, demand.lines[0].count) for demand in importing(data.encode()).demands] == [
        ("file/here", 1),
        ("file/there", 2),
    ]


def test_ceilings_sum_prices_of_replicas_per_hour(importing):
    services = [("a", "1", "1Gi", "{size: 1Gi}", "", 2), ("b", "1", "1Gi", "{size: 1Gi}", "", 1)]
    ceiling = one(importing(sdl(*services))).ceiling
    # 3 replicas at 1000 uact of 0.000001 USD each, every 6 seconds.
    assert (ceiling.currency, ceiling.hour_micro) == ("USD", 3 * 1000 * 600)


def test_ceilings_round_down_and_say_so(importing):
    result = importing(
        sdl(("a", "1", "1Gi", "{size: 1Gi}", "", 1), pricing="denom: uact, amount: 7"),
        block_seconds=block_time("6.1"),
    )
    assert one(result).ceiling.hour_micro == 4131
    assert "sdl.ceiling_rounded" in codes(result)


@pytest.mark.parametrize(
    ("terms", "pricing", "reason"),
    [
        ({"rates": ()}, "denom: uact, amount: 1", "no rate for 'uact'"),
        ({"block_seconds": None}, "denom: uact, amount: 1", "no block time"),
        ({}, "denom: ibc/170C677610AC31DF, amount: 1", "no rate for 'ibc/170C677610AC31DF'"),
    ],
)
def test_without_a_rate_there_is_no_ceiling(importing, terms, pricing, reason):
    result = importing(sdl(("a", "1", "1Gi", "{size: 1Gi}", "", 1), pricing=pricing), **terms)
    assert one(result).ceiling is None
    assert any(note.code == "sdl.no_ceiling" and reason in note.message for note in result.notes)


def test_two_currencies_make_no_ceiling(importing):
    services = [("a", "1", "1Gi", "{size: 1Gi}", "", 1), ("b", "1", "1Gi", "{size: 1Gi}", "", 1)]
    data = sdl(*services).replace(b"b: {denom: uact", b"b: {denom: uakt")
    rates = (DenomRate.parse("uact=1/USD"), DenomRate.parse("uakt=1/EUR"))
    result = importing(data, rates=rates)
    assert one(result).ceiling is None
    assert any("prices in EUR and USD" in note.message for note in result.notes)


def test_a_country_attribute_narrows_the_places(importing):
    data = sdl(("a", "1", "1Gi", "{size: 1Gi}", "", 1), attributes="country: fi, region: eu")
    assert one(importing(data)).places == ("FI",)
    assert one(importing(data, places=("FI", "SE"))).places == ("FI",)
    result = importing(data, places=("SE",))
    assert one(result).places == ("SE",)
    assert [note.where for note in result.notes if note.code == "sdl.attribute"] == [
        "here.attributes.country",
        "here.attributes.region",
    ]


def test_line_ids_stay_distinct_and_short(importing):
    long = "a-service-with-a-very-long-name-indeed"
    services = [(f"{long}-{i}", "1", "1Gi", "{size: 1Gi}", "", 1) for i in range(5)]
    ids = [line.id for line in one(importing(sdl(*services))).lines]
    assert len(set(ids)) == 15
    assert all(len(line) <= 32 for line in ids)


def test_too_many_lines_are_refused(importing):
    services = [(f"s{i}", "1", "1Gi", "{size: 1Gi}", "", 1) for i in range(86)]
    with pytest.raises(MalformedError, match="makes 258 lines, a demand has at most 256"):
        importing(sdl(*services))


def test_counts_beyond_the_payload_are_refused(importing):
    with pytest.raises(MalformedError, match="count: Input should be less than or equal to 1000000000"):
        importing(sdl(("a", "999999999", "1Gi", "{size: 1Gi}", "", 5)))


def test_payloads_can_be_sealed_and_read(importing):
    demand = one(importing(sdl(("a", "1", "1Gi", "{size: 1Gi}", gpu("[{model: l4}]"), 1))))
    sealed = seal(demand.payload(), aud="0" * 64, iss="did:key:z", random=Random(7).randbytes)
    assert draft(sealed.tree).lines == demand.lines
    assert len(sealed.disclosures) == 1


@pytest.mark.parametrize(
    "text", ["uact", "uact=1", "=1/USD", "uact=1/usd", "uact=/USD", "uact=-1/USD", "uact=x/USD"]
)
def test_rates_of_another_form_are_refused(text):
    with pytest.raises(MalformedError):
        DenomRate.parse(text)


def test_rates_may_name_denominations_with_slashes():
    rate = DenomRate.parse("ibc/170C=0.5/EUR")
    assert (rate.denom, rate.amount, rate.currency) == ("ibc/170C", Fraction(1, 2), "EUR")


@pytest.mark.parametrize("text", ["0", "-6", "six"])
def test_blocks_take_time(text):
    with pytest.raises(MalformedError):
        block_time(text)


SEED = sdl(("web", "1", "2Gi", "[{size: 10Gi}]", gpu("[{model: a100, ram: 80Gi}]"), 1))
PIECES = (
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!x ",
    b"|",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"'",
    b"\\U99999999",
    b'"\\ud800"',
)
PIECES += (
    b"---\n",
    b"? ",
    b": ",
    b"- ",
    b"#",
    b"\t",
    b"\x00",
    b"\xff",
    b"1e99",
    b"-1",
    b"~",
    b",",
    b"\n",
    b"  ",
)


@settings(max_examples=400, deadline=None)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(SEED)), st.integers(0, 30), st.sampled_from(PIECES)),
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
        for demand in result.demands:
            draft(seal(demand.payload(), aud="0" * 64, iss="did:key:z", random=Random(7).randbytes).tree)
    assert "\n" not in message
