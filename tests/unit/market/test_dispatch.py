"""The dispatcher: against brute force where that is possible, and against its own promises everywhere."""

import itertools
from hashlib import sha256
from random import Random

import pytest

from pseudoledger.bench.dispatch import make_market
from pseudoledger.errors import MalformedError
from pseudoledger.market.dispatch.distance import Limit, load_distances, parse_limits
from pseudoledger.market.dispatch.plan import dispatch
from pseudoledger.market.dispatch.reasons import why_met, why_not
from pseudoledger.market.dispatch.report import Run, make_report, match_of, report_bytes
from pseudoledger.market.dispatch.sides import Listing, Wish
from pseudoledger.market.dispatch.ways import WAYS_MAX, Brief, Ways
from pseudoledger.market.matching import match
from pseudoledger.market.supply import Need, Supply
from pseudoledger.statement.kinds.market import (
    Ceiling,
    DemandLine,
    Near,
    OfferLine,
    Rate,
    Residency,
    Resource,
)
from pseudoledger.statement.values import Period

DAY = 86_400
EXPONENTS = {"USD": 2, "EUR": 2}
DISTANCES = load_distances()


def thing(name):
    return Resource(resource=name) if name == "cpu_core" else Resource(resource="chip", chip=name)


def listing(name, lines, *, lessor=None, pool=None, place="FI", **fields):
    """An offer of (line, thing, count, price) lines, with everything free unless said otherwise."""
    made = tuple(
        OfferLine(id=key, resource=thing(what).resource, chip=thing(what).chip, count=count, pool_line=key)
        for key, what, count, _ in lines
    )
    own = {"own_free": {line.id: line.count for line in made}} | {
        key: fields.pop(key) for key in ("own_free", "mandates") if key in fields
    }
    facts = {
        "currency": "USD",
        "length_min": "P1D",
        "length_max": "P30D",
        "available": Period.between(0, 60 * DAY),
        "free": {line.id: line.count for line in made},
        "rates": {
            key: Rate(line=key, basis="once", fee_minor=-price)
            if price < 0
            else Rate(line=key, basis="metered", price_micro=price)
            for key, _, _, price in lines
        },
    } | fields
    part = place if "-" in place else None
    supply = Supply(id=name, lines=made, country=place[:2], subdivision=part, **facts)
    return Listing(supply=supply, lessor=lessor or f"lessor {name}", pool=pool or name, place=place, **own)


def wish(name, lines, *, ceiling=None, lessee="lessee", mandates=(), **fields):
    """A demand of (line, things, count) lines for a week."""
    made = tuple(
        DemandLine(id=key, count=count, alternatives=tuple(thing(what) for what in things))
        for key, things, count in lines
    )
    facts = {
        "window": Period.between(0, 60 * DAY),
        "length": "P7D",
        "places": (),
        "residency": (),
        "ceiling": None if ceiling is None else Ceiling(currency="USD", hour_micro=ceiling),
    } | fields
    return Wish(need=Need(id=name, lines=made, **facts), lessee=lessee, mandates=mandates)


def run(wishes, listings, **brief):
    return dispatch(wishes, listings, Brief(currency="USD", fee_micro=10_000, **brief), DISTANCES)


def report(plan):
    return make_report(plan, DISTANCES, EXPONENTS, ledger="00", as_of="2026-01-01T00:00:00Z")


def best_by_trying(problem):
    """The value of the best assignment, by looking at all of them."""
    best = 0
    for chosen in itertools.product(*((None, *problem.of(demand)) for demand in range(problem.demands))):
        free = [row.free for row in problem.rows]
        for way in chosen:
            for row, units in problem.ways[way].uses if way is not None else ():
                free[row] -= units
        if min(free, default=0) >= 0:
            best = max(best, sum(int(problem.value[way]) for way in chosen if way is not None))
    return best


def small_market(seed):
    """A market small enough to try everything, and tight enough that the answer is not plain."""
    dice = Random(seed)
    chips = ("big", "large", "small")
    listings = [
        listing(
            f"offer {number}",
            [
                (f"c{at}", chip, dice.choice((4, 8, 12)), dice.randrange(1_000_000, 3_000_000))
                for at, chip in enumerate(dice.sample(chips, 2))
            ],
            pool=f"pool {dice.randrange(2)}" if dice.random() < 0.3 else None,
            place=dice.choice(("FI", "DE", "SG")),
        )
        for number in range(3)
    ]
    wishes = [
        wish(
            f"demand {number}",
            [("chip", dice.sample(chips, dice.choice((1, 2))), dice.choice((1, 2, 4, 6)))],
            ceiling=dice.choice((None, dice.randrange(4_000_000, 20_000_000))),
            places=dice.choice(((), (), ("FI", "DE"))),
        )
        for number in range(6)
    ]
    return wishes, listings


@pytest.mark.parametrize("seed", range(40))
def test_small_markets_are_divided_as_well_as_can_be(seed):
    plan = run(*small_market(seed))
    best = best_by_trying(plan.problem)
    assert plan.value == best
    assert best <= plan.bound
    assert plan.gap_ppm <= 10
    assert_holds(plan)


@pytest.mark.parametrize("seed", range(10))
def test_any_prices_give_a_bound(seed):
    problem = run(*small_market(seed)).problem
    best = best_by_trying(problem)
    dice = Random(seed)
    for size in (1, 10**6, 10**9, 10**15, 2**53):
        assert problem.bound([dice.randrange(-size, size) for _ in problem.rows]) >= best


def assert_holds(plan):
    """Nothing is given twice, and every reason is true."""
    free = [row.free for row in plan.problem.rows]
    for demand, way in plan.filling.chosen.items():
        assert way in plan.problem.of(demand)
        for row, units in plan.problem.ways[way].uses:
            free[row] -= units
    assert min(free, default=0) >= 0
    assert free == plan.filling.free
    assert plan.value <= plan.bound
    for demand in range(plan.problem.demands):
        ways = plan.problem.of(demand)
        if demand in plan.filling.chosen:
            mine = plan.problem.ways[plan.filling.chosen[demand]]
            reason = why_met(plan, demand)
            cheaper = [way for way in ways if plan.problem.ways[way].price_micro < mine.price_micro]
            assert (reason.code == "dispatch.cheapest") == (not cheaper)
            # Its own units are free again once it moves, which may make room on a line that it shares.
            own = dict(mine.uses)
            assert all(
                any(free[row] + own.get(row, 0) < units for row, units in plan.problem.ways[way].uses)
                for way in cheaper
            )
        elif len(ways):
            assert why_not(plan, demand, EXPONENTS).code == "dispatch.stock_taken"
            assert all(plan.filling.short(way) for way in ways)
        else:
            assert_no_offer(plan, demand)


def assert_no_offer(plan, demand):
    reason = why_not(plan, demand, EXPONENTS)
    assert reason.code == "dispatch.no_offer"
    counts = dict(reason.offers)
    one = plan.wishes[demand]
    (matched,) = match([one.need], [item.supply for item in plan.listings], exponents=EXPONENTS)
    codes = [item.code for rejected in matched.rejected for item in rejected.reasons]
    assert {code: count for code, count in counts.items() if code.startswith("match.")} == {
        code: sum(code in {item.code for item in rejected.reasons} for rejected in matched.rejected)
        for code in set(codes)
    }
    for acceptable in matched.acceptable:
        (other,) = [item for item in plan.listings if item.supply.id == acceptable.offer]
        assert list(plan.ways.beyond(one, other)) or counts["dispatch.booked"]


@pytest.mark.parametrize("seed", range(6))
def test_a_seeded_market_holds_its_promises(seed):
    market = make_market(demands=250, clusters=5, seed=seed)
    plan = dispatch(market.wishes, market.listings, market.brief, DISTANCES)
    assert_holds(plan)
    assert plan.gap_ppm <= 10_000


def test_the_order_of_the_sides_changes_nothing():
    market = make_market(demands=120, clusters=4)
    dice, said = Random(3), set()
    for _ in range(3):
        wishes, listings = list(market.wishes), list(market.listings)
        dice.shuffle(wishes)
        dice.shuffle(listings)
        said.add(report_bytes(report(dispatch(wishes, listings, market.brief, DISTANCES))))
    (raw,) = said
    assert Run.of(raw).name == f"D-{sha256(raw).hexdigest()[:32]}"


def test_equal_offers_are_taken_in_the_order_of_their_ids():
    offers = [listing(name, [("c", "big", 4, 1_000_000)]) for name in ("b", "a", "c")]
    plan = run([wish("d", [("chip", ("big",), 4)])], offers)
    assert [row["offer"] for row in report(plan)["assigned"]] == ["a"]


def test_ways_are_what_matching_accepts():
    market = make_market(demands=150, clusters=12, seed=9)
    brief = Brief(currency="USD", fee_micro=10_000)
    listings = sorted(market.listings, key=lambda item: item.supply.id)
    ways = Ways(listings, brief, DISTANCES)
    for one in market.wishes:
        (matched,) = match([one.need], [item.supply for item in listings], exponents=EXPONENTS)
        cheapest = {}
        for way in ways.of(one):
            cheapest.setdefault(listings[way.listing].supply.id, way)
        assert {item.offer: item.total_micro for item in matched.acceptable} == {
            offer: way.price_micro for offer, way in cheapest.items()
        }


def test_a_demand_goes_no_farther_than_it_says():
    asked = wish("d", [("chip", ("big",), 4)], near=Near(country="FI", km_max=1_200))
    near = listing("near", [("c", "big", 8, 9_000_000)], place="DE")
    far = listing("far", [("c", "big", 8, 1)], place="SG")
    said = report(run([asked], [far, near]))
    assert [(row["offer"], row["distance_km"]) for row in said["assigned"]] == [("near", 1109)]
    (row,) = report(run([asked], [far]))["unassigned"]
    assert row["offers"] == {"match.distance": 1}
    listings = [near, far, listing("nowhere", [("c", "big", 8, 1)], place="ZZ")]
    (matched,) = match([asked.need], [item.supply for item in listings], exponents=EXPONENTS)
    assert [item.offer for item in matched.acceptable] == ["near"]
    assert {item.offer: str(item.reasons[0].message).split(" from")[0] for item in matched.rejected} == {
        "far": f"{DISTANCES.km('FI', 'SG')} km",
        "nowhere": "an unknown distance",
    }
    # A run may set a limit of its own; the nearer of the two holds.
    tighter = run([asked], [near], limits={"d": Limit(near="FI", km_max=100)})
    assert report(tighter)["unassigned"][0]["offers"] == {"dispatch.distance": 1}


def test_a_fee_is_owed_once_for_a_line_that_two_lines_share():
    offer = listing("o", [("c", "big", 8, -5_000)])
    plan = run([wish("d", [("x", ("big",), 2), ("y", ("big",), 3)])], [offer])
    (row,) = report(plan)["assigned"]
    assert (row["fee_minor"], row["hour_micro"], row["price_micro"]) == (5_000, 0, 50_000_000)
    assert plan.filling.free == [3]


def test_offers_of_one_pool_share_its_stock_and_keep_to_their_own_lines():
    two = [
        listing("a", [("c", "big", 6, 1_000_000)], pool="p", free={"c": 8}),
        listing("b", [("c", "big", 6, 2_000_000)], pool="p", free={"c": 8}),
    ]
    wishes = [wish(f"d{number}", [("chip", ("big",), 3)]) for number in range(4)]
    said = report(run(wishes, two))
    assert [row["offer"] for row in said["assigned"]] == ["a", "a"]
    assert {row["reason"] for row in said["unassigned"]} == {"dispatch.stock_taken"}


def test_what_leases_hold_of_an_offer_is_not_given_again():
    offer = listing("a", [("c", "big", 8, 1_000_000)], free={"c": 8}, own_free={"c": 2})
    (row,) = report(run([wish("d", [("chip", ("big",), 4)])], [offer]))["unassigned"]
    assert row["offers"] == {"dispatch.booked": 1}


FAR = {"d": Limit(near="FI", km_max=2_000)}


@pytest.mark.parametrize(
    ("offer", "brief", "code"),
    [
        ({"place": "SG"}, {"limits": FAR}, "dispatch.distance"),
        ({"place": "ZZ"}, {"limits": FAR}, "dispatch.distance"),
        ({"currency": "EUR"}, {}, "dispatch.currency"),
        ({"lessor": "lessee"}, {}, "dispatch.same_party"),
        ({}, {"dispatcher": "carol"}, "dispatch.mandate"),
        ({"mandates": ("m",)}, {"dispatcher": "lessee"}, "dispatch.own"),
    ],
)
def test_why_a_pair_is_not_brought_together(offer, brief, code):
    plan = run([wish("d", [("chip", ("big",), 4)])], [listing("o", [("c", "big", 8, 1)], **offer)], **brief)
    assert report(plan)["unassigned"][0]["offers"] == {code: 1}
    near = run(
        [wish("d", [("chip", ("big",), 4)])], [listing("o", [("c", "big", 8, 1)], place="DE")], limits=FAR
    )
    assert report(near)["assigned"][0]["distance_km"] == 1109


def test_a_residency_rule_and_a_list_of_places_both_count():
    one = wish(
        "d",
        [("chip", ("big",), 1)],
        places=("FI", "SE"),
        residency=(Residency(data_set="x", countries=("SE",)),),
    )
    offers = [listing(place, [("c", "big", 8, 1)], place=place) for place in ("FI", "SE")]
    assert [row["offer"] for row in report(run([one], offers))["assigned"]] == ["SE"]


def test_a_price_that_cannot_be_added_up_is_left_out():
    offer = listing("o", [("c", "big", 1_000_000_000, 10**9)])
    (row,) = report(run([wish("d", [("chip", ("big",), 1_000_000_000)])], [offer]))["unassigned"]
    assert row["offers"] == {"dispatch.amount": 1}


def test_more_ways_than_are_looked_at_are_counted():
    offer = listing("o", [(f"c{number}", "big", 8, number) for number in range(9)])
    plan = run([wish("d", [("x", ("big",), 1), ("y", ("big",), 1)])], [offer])
    assert len(plan.problem.ways) == WAYS_MAX
    assert report(plan)["pairs_cut"] == 1


def test_nothing_to_divide():
    for wishes, offers in (
        ([], []),
        ([wish("d", [("chip", ("big",), 1)])], []),
        ([], [listing("o", [("c", "big", 1, 1)])]),
    ):
        plan = run(wishes, offers)
        assert (plan.value, plan.bound, plan.gap_ppm) == (0, 0, 0)
        assert report(plan)["met"] == 0


def test_a_match_names_the_report_and_its_row():
    offer = listing("o", [("c", "big", 8, 1)], mandates=("lessor's",))
    plan = run([wish("d", [("chip", ("big",), 4)], mandates=("lessee's",))], [offer], dispatcher="carol")
    run_of = Run(sha256="0f" * 32, size=7)
    said = match_of(plan, 0, run=run_of, place=1, valid_to="2026-01-01T00:00:00Z", v=2)
    assert said["number"] == f"{run_of.name}/1" == "D-" + "0f" * 16 + "/1"
    assert said["reason"] == "cheapest"
    assert said["report"] == {"sha256": "0f" * 32, "media_type": "application/json", "bytes": 7}
    first = match_of(plan, 0, run=run_of, place=1, valid_to="2026-01-01T00:00:00Z", v=1)
    assert first == {name: value for name, value in said.items() if name not in {"reason", "report"}} | {
        "v": 1
    }
    assert said["mandates"] == ["lessor's", "lessee's"]
    assert said["lines"] == [{"demand_line": "chip", "offer_line": "c", "count": 4}]


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [("FI", "DE", 1109), ("DE", "DE", 0), ("US-TX", "US-VA", 1957), ("NZ", "ES", 19590)],
)
def test_distances(one, other, km):
    assert abs(DISTANCES.km(one, other) - km) <= 50
    assert DISTANCES.km(one, other) == DISTANCES.km(other, one)


def test_a_subdivision_without_a_point_stands_where_its_country_does():
    assert DISTANCES.km("FI-18", "SE") == DISTANCES.km("FI", "SE")
    assert DISTANCES.km("ZZ", "SE") is None


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"demand,near\nd,FI\n", "columns"),
        (b"demand,near,km_max\nd,FI\n", "line 2: not three values"),
        (b"demand,near,km_max\nd,FI,5\nd,FI,5\n", "line 3: d stands twice"),
        (b"demand,near,km_max\nd,XX,5\n", "line 2: 'XX' is no place"),
        (b"demand,near,km_max\nd,Germany,500\n", "line 2: 'Germany' is no place"),
        (b"demand,near,km_max\nd,FI,5.5\n", "line 2: '5.5' is no whole number"),
        (b"\xff", "not a CSV file"),
    ],
)
def test_a_file_of_limits_that_does_not_hold(raw, message):
    with pytest.raises(MalformedError, match=message):
        parse_limits(raw, DISTANCES)
    assert parse_limits(b"demand,near,km_max\nd,fi,5\n", DISTANCES) == {"d": Limit(near="FI", km_max=5)}


@pytest.mark.long
def test_ten_thousand_demands_and_two_hundred_clusters():
    market = make_market(demands=10_000, clusters=200)
    plan = dispatch(market.wishes, market.listings, market.brief, DISTANCES)
    assert_holds(plan)
    assert plan.gap_ppm <= 10_000
