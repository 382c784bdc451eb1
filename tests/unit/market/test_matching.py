import itertools
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudoledger.market.matching import match
from pseudoledger.market.supply import Need, Supply
from pseudoledger.statement.kinds.market import Ceiling, DemandLine, OfferLine, Rate, Residency, Resource
from pseudoledger.statement.values import Period

DAY = 86_400
EXPONENTS = {"USD": 2, "JPY": 0}


def resource(name):
    return (
        Resource(resource=name)
        if name in {"cpu_core", "memory_gib"}
        else Resource(resource="chip", chip=name)
    )


def supply(offer="offer", lines=None, **fields):
    """An offer of eight chips `big` at two dollars, in Finland, unless said otherwise."""
    lines = lines or [("chip", "big", 8, 2_000_000)]
    made = []
    for name, thing, count, _ in lines:
        kind = resource(thing)
        made.append(OfferLine(id=name, resource=kind.resource, chip=kind.chip, count=count, pool_line=name))
    fields = {
        "currency": "USD",
        "country": "FI",
        "length_min": "P1D",
        "length_max": "P30D",
        "available": Period.between(0, 60 * DAY),
        "free": {line.id: line.count for line in made},
        "rates": {name: Rate(line=name, basis="metered", price_micro=price) for name, _, _, price in lines},
        **fields,
    }
    return Supply(id=offer, lines=tuple(made), **fields)


def need(demand="demand", lines=None, **fields):
    """A demand for four chips `big` or `large` for a week, anywhere, unless said otherwise."""
    lines = lines or [("chip", ("big", "large"), 4)]
    made = tuple(
        DemandLine(id=name, count=count, alternatives=tuple(resource(thing) for thing in things))
        for name, things, count in lines
    )
    fields = {
        "ceiling": None,
        "window": Period.between(10 * DAY, 40 * DAY),
        "length": "P7D",
        "places": (),
        "residency": (),
        **fields,
    }
    return Need(id=demand, lines=made, **fields)


def judge(wanted, offered):
    (found,) = match([wanted], [offered], exponents=EXPONENTS)
    return found


def reasons(wanted, offered):
    found = judge(wanted, offered)
    assert found.acceptable == ()
    return [reason.code for reason in found.rejected[0].reasons]


def test_what_an_acceptable_offer_says():
    (found,) = judge(need(), supply()).acceptable
    assert [(line.demand_line, line.offer_line, line.count) for line in found.lines] == [("chip", "chip", 4)]
    assert (found.currency, found.hour_micro, found.total_micro) == ("USD", 8_000_000, 8_000_000 * 24 * 7)
    assert found.period == Period.between(10 * DAY, 17 * DAY)
    assert found.notes == ()


USD = {"currency": "USD"}


@pytest.mark.parametrize(
    ("wanted", "offered", "codes"),
    [
        ({}, {"lines": [("cpu", "cpu_core", 8, 1)]}, ["match.resource"]),
        ({"lines": [("cpu", ("cpu_core",), 1)]}, {}, ["match.resource", "match.chips_unwanted"]),
        (
            {"lines": [("cpu", ("cpu_core",), 1)]},
            {"lines": [("chip", "big", 1, 1), ("cpu", "cpu_core", 8, 0)]},
            ["match.chips_unwanted"],
        ),
        ({}, {"lines": [("chip", "small", 8, 1)]}, ["match.alternative"]),
        ({"lines": [("chip", ("big",), 9)]}, {}, ["match.count"]),
        ({"lines": [("a", ("big",), 5), ("b", ("big",), 4)]}, {}, ["match.count"]),
        ({}, {"free": {"chip": 3}}, ["match.stock"]),
        ({}, {"free": {}}, ["match.stock"]),
        ({}, {"currency": "XYZ"}, ["match.currency"]),
        ({"ceiling": Ceiling(currency="JPY", hour_micro=10**12)}, {}, ["match.currency"]),
        ({"ceiling": Ceiling(currency="USD", hour_micro=7_999_999)}, {}, ["match.ceiling"]),
        ({"places": ("SE", "NO")}, {}, ["match.place"]),
        ({"places": ("SE",)}, {"country": "ZZ"}, ["match.place"]),
        (
            {
                "residency": (
                    Residency(data_set="x", countries=("FI",)),
                    Residency(data_set="y", countries=("SE",)),
                )
            },
            {},
            ["match.residency"],
        ),
        ({}, {"available": Period.between(0, 16 * DAY)}, ["match.period"]),
        ({}, {"available": Period.between(50 * DAY, 60 * DAY)}, ["match.period"]),
        ({}, {"length_max": "P6D"}, ["match.length"]),
        ({}, {"length_min": "P8D"}, ["match.length"]),
    ],
)
def test_each_check_alone_rejects(wanted, offered, codes):
    assert reasons(need(**wanted), supply(**offered)) == codes


@pytest.mark.parametrize(
    ("wanted", "offered"),
    [
        ({"lines": [("chip", ("big",), 8)]}, {}),
        ({"lines": [("a", ("big",), 5), ("b", ("big",), 3)]}, {}),
        ({}, {"free": {"chip": 4}}),
        ({"ceiling": Ceiling(currency="USD", hour_micro=8_000_000)}, {}),
        ({"places": ("SE", "FI")}, {}),
        ({"residency": (Residency(data_set="x", countries=("FI", "SE")),)}, {}),
        ({}, {"available": Period.between(10 * DAY, 17 * DAY)}),
        ({}, {"available": Period.between(33 * DAY, 60 * DAY)}),
        ({}, {"length_min": "P7D", "length_max": "P7D"}),
        ({}, {"country": "ZZ"}),
    ],
)
def test_what_just_fits_is_accepted(wanted, offered):
    assert len(judge(need(**wanted), supply(**offered)).acceptable) == 1


def test_every_reason_is_given_at_once():
    wanted = need(
        lines=[("chip", ("large",), 4), ("cpu", ("cpu_core",), 4)],
        ceiling=Ceiling(currency="JPY", hour_micro=1),
        places=("SE",),
        residency=(Residency(data_set="x", countries=("SE",)),),
        length="P7D",
    )
    offered = supply(
        lines=[("chip", "big", 8, 1), ("cpu", "cpu_core", 2, 0)],
        available=Period.between(0, DAY),
        length_max="P1D",
    )
    assert reasons(wanted, offered) == [
        "match.alternative",
        "match.count",
        "match.currency",
        "match.place",
        "match.residency",
        "match.period",
        "match.length",
    ]


def test_reasons_say_where_and_what():
    found = judge(need(lines=[("cpu-a", ("big",), 9)]), supply()).rejected[0].reasons[0]
    assert (found.field, found.message) == ("/lines/0", "line cpu-a needs 9, the offer has 8")
    unknown = judge(need(places=("SE",)), supply(country="ZZ")).rejected[0].reasons[0]
    assert unknown.message == "it stands in no known country, allowed are SE"


def test_host_resources_that_are_not_stated_are_noted():
    wanted = need(lines=[("chip", ("big",), 4), ("cpu", ("cpu_core",), 4), ("memory", ("memory_gib",), 64)])
    offered = supply(lines=[("chip", "big", 8, 1), ("cpu", "cpu_core", 8, 0)])
    (found,) = judge(wanted, offered).acceptable
    assert [(note.code, note.field) for note in found.notes] == [("match.host_unstated", "/lines/2")]
    assert [line.demand_line for line in found.lines] == ["chip", "cpu"]


def test_host_resources_that_are_stated_must_suffice():
    wanted = need(lines=[("chip", ("big",), 4), ("cpu", ("cpu_core",), 16)])
    assert reasons(wanted, supply(lines=[("chip", "big", 8, 1), ("cpu", "cpu_core", 8, 0)])) == [
        "match.count"
    ]


def test_a_demand_without_chips_must_find_everything():
    wanted = need(lines=[("cpu", ("cpu_core",), 2), ("memory", ("memory_gib",), 4)])
    assert reasons(wanted, supply(lines=[("cpu", "cpu_core", 8, 1)])) == ["match.resource"]
    whole = supply(lines=[("cpu", "cpu_core", 8, 1), ("memory", "memory_gib", 8, 0)])
    assert len(judge(wanted, whole).acceptable) == 1


def test_chips_of_two_kinds_come_from_one_offer():
    wanted = need(lines=[("train", ("big",), 4), ("serve", ("small",), 2)])
    both = supply(lines=[("x", "big", 4, 5), ("y", "small", 2, 3)])
    (found,) = judge(wanted, both).acceptable
    assert found.hour_micro == 26
    assert reasons(wanted, supply()) == ["match.alternative"]


def test_fees_are_spread_over_the_length_for_the_ceiling():
    rates = {"chip": Rate(line="chip", basis="once", fee_minor=16_800)}
    # 168 USD for 168 hours is one dollar an hour.
    wanted = need(ceiling=Ceiling(currency="USD", hour_micro=1_000_000))
    (found,) = judge(wanted, supply(rates=rates)).acceptable
    assert (found.hour_micro, found.fee_minor, found.total_micro) == (0, 16_800, 168_000_000)
    assert reasons(need(ceiling=Ceiling(currency="USD", hour_micro=999_999)), supply(rates=rates)) == [
        "match.ceiling"
    ]


def test_the_total_is_rounded_half_to_even_once():
    offered = supply(lines=[("chip", "big", 8, 1)], length_min="PT1S")
    # One chip at a millionth an hour for half an hour: half a millionth, which goes to zero.
    (found,) = judge(need(lines=[("chip", ("big",), 1)], length="PT30M"), offered).acceptable
    assert found.total_micro == 0
    (found,) = judge(need(lines=[("chip", ("big",), 3)], length="PT30M"), offered).acceptable
    assert found.total_micro == 2


def test_offers_are_ranked_by_price_then_id():
    offers = [supply(f"o{i}", lines=[("chip", "big", 8, price)]) for i, price in enumerate([5, 3, 5, 4])]
    (found,) = match([need()], offers, exponents=EXPONENTS)
    assert [entry.offer for entry in found.acceptable] == ["o1", "o3", "o0", "o2"]


def test_currencies_are_not_compared():
    offers = [supply("a", currency="USD"), supply("b", currency="JPY"), supply("c", currency="XYZ")]
    (found,) = match([need()], offers, exponents=EXPONENTS)
    assert [entry.offer for entry in found.acceptable] == ["b", "a"]


def test_no_demands_and_no_offers():
    assert match([], [supply()], exponents=EXPONENTS) == ()
    (found,) = match([need()], [], exponents=EXPONENTS)
    assert (found.acceptable, found.rejected) == ((), ())


def test_the_order_of_input_does_not_matter():
    offers = [
        supply("b"),
        supply("a"),
        supply("d", country="SE"),
        supply("c", lines=[("y", "large", 8, 1_000_000), ("x", "big", 8, 1_000_000)]),
    ]
    needs = [need("2", places=("FI",)), need("1")]
    expected = match(needs, offers, exponents=EXPONENTS)
    assert [entry.offer for entry in expected[0].acceptable] == ["c", "a", "b", "d"]
    for order in itertools.permutations(offers):
        for demands in itertools.permutations(needs):
            assert match(demands, order, exponents=EXPONENTS) == expected


def test_the_order_of_an_offers_lines_does_not_matter():
    lines = [("x", "big", 4, 5), ("y", "large", 4, 5), ("z", "big", 8, 6)]
    found = {judge(need(), supply(lines=list(order))).acceptable for order in itertools.permutations(lines)}
    assert len(found) == 1


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_random_markets_give_one_answer_in_any_order(seed):
    random = Random(seed)
    chips = ("big", "large", "small")
    offers = [
        supply(
            f"o{i}",
            lines=[
                (f"l{j}", random.choice(chips), random.randint(1, 8), random.randint(1, 4))
                for j in range(random.randint(1, 3))
            ],
            country=random.choice(("FI", "SE", "ZZ")),
        )
        for i in range(6)
    ]
    needs = [
        need(
            f"d{i}",
            lines=[
                (f"w{j}", tuple(random.sample(chips, random.randint(1, 3))), random.randint(1, 6))
                for j in range(random.randint(1, 2))
            ],
            places=random.choice(((), ("FI",))),
        )
        for i in range(3)
    ]
    expected = match(needs, offers, exponents=EXPONENTS)
    for found in expected:
        assert len(found.acceptable) + len(found.rejected) == len(offers)
        assert all(entry.reasons for entry in found.rejected)
    random.shuffle(offers)
    random.shuffle(needs)
    assert match(needs, offers, exponents=EXPONENTS) == expected
