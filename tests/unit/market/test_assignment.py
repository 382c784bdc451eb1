from hypothesis import given, settings
from hypothesis import strategies as st

from pseudoledger.market.assignment import STEPS_MAX, Cost, assign, cost_of
from pseudoledger.statement.kinds.market import DemandLine, OfferLine, Rate, Resource

CHIPS = ("a", "b", "c")


def offer_line(name, chip, count, pool_line=None):
    return OfferLine(id=name, resource="chip", chip=chip, count=count, pool_line=pool_line or name)


def demand_line(name, chips, count):
    return DemandLine(
        id=name, count=count, alternatives=tuple(Resource(resource="chip", chip=c) for c in chips)
    )


def metered(line, price):
    return Rate(line=line, basis="metered", price_micro=price)


def run(demand, offer, rates, free=None, fee_micro=10_000):
    free = {line.pool_line: 10**9 for line in offer} if free is None else free
    return assign(demand, offer, {rate.line: rate for rate in rates}, free, seconds=3600, fee_micro=fee_micro)


def chosen(found):
    return [(demand.id, offer.id) for demand, offer in found.pairs]


def test_the_cheapest_alternative_is_taken():
    offer = [offer_line("x", "a", 4), offer_line("y", "b", 4)]
    found = run([demand_line("d", "ab", 2)], offer, [metered("x", 9), metered("y", 5)])
    assert chosen(found) == [("d", "y")]
    assert found.cost == Cost(hour_micro=10)


def test_a_line_gives_way_where_another_has_no_choice():
    offer = [offer_line("x", "a", 4), offer_line("y", "b", 4)]
    demand = [demand_line("free", "ab", 4), demand_line("bound", "a", 4)]
    found = run(demand, offer, [metered("x", 1), metered("y", 100)])
    assert chosen(found) == [("free", "y"), ("bound", "x")]


def test_lines_share_a_line_within_its_count():
    offer = [offer_line("x", "a", 5)]
    demand = [demand_line("d", "a", 2), demand_line("e", "a", 3)]
    assert chosen(run(demand, offer, [metered("x", 1)])) == [("d", "x"), ("e", "x")]
    assert run([*demand, demand_line("f", "a", 1)], offer, [metered("x", 1)]) is None


def test_offer_lines_share_the_stock_of_their_pool():
    offer = [offer_line("x", "a", 4, "p"), offer_line("y", "b", 4, "p")]
    demand = [demand_line("d", "a", 3), demand_line("e", "b", 3)]
    rates = [metered("x", 1), metered("y", 1)]
    assert run(demand, offer, rates, free={"p": 6}) is not None
    assert run(demand, offer, rates, free={"p": 5}) is None
    assert run(demand, offer, rates, free={}) is None


def test_equal_prices_are_decided_by_line_id():
    offer = [offer_line("y", "a", 4), offer_line("x", "a", 4)]
    assert chosen(run([demand_line("d", "a", 2)], offer, [metered("x", 1), metered("y", 1)])) == [("d", "x")]


def test_a_fee_is_owed_once_for_a_shared_line():
    offer = [offer_line("x", "a", 4)]
    fee = Rate(line="x", basis="once", fee_minor=300)
    found = run([demand_line("d", "a", 1), demand_line("e", "a", 1)], offer, [fee])
    assert found.cost == Cost(fee_minor=300)


def test_fees_are_weighed_against_hourly_prices():
    offer = [offer_line("x", "a", 4), offer_line("y", "b", 4)]
    rates = [Rate(line="x", basis="once", fee_minor=1), metered("y", 9_999)]
    assert chosen(run([demand_line("d", "ab", 1)], offer, rates)) == [("d", "y")]
    assert chosen(run([demand_line("d", "ab", 2)], offer, rates)) == [("d", "x")]


def test_a_hostile_offer_costs_a_bounded_search():
    offer = [offer_line(f"x{i}", "a", 3) for i in range(60)]
    demand = [demand_line(f"d{i}", "a", 2) for i in range(61)]
    rates = [metered(f"x{i}", 1) for i in range(60)]
    assert STEPS_MAX == 20_000
    assert run(demand, offer, rates) is None


def naive(demand, offer, rates, free):
    """Try every way, for small cases."""
    best = None

    def go(index, pairs):
        nonlocal best
        if index == len(demand):
            room, pool = {}, {}
            for wanted, given_line in pairs:
                room[given_line.id] = room.get(given_line.id, 0) + wanted.count
                pool[given_line.pool_line] = pool.get(given_line.pool_line, 0) + wanted.count
            fits = all(room.get(line.id, 0) <= line.count for line in offer)
            if fits and all(count <= free[name] for name, count in pool.items()):
                cost = cost_of(pairs, rates).hour_micro
                best = cost if best is None else min(best, cost)
            return
        for line in offer:
            if any(resource.chip == line.chip for resource in demand[index].alternatives):
                go(index + 1, [*pairs, (demand[index], line)])

    go(0, [])
    return best


@settings(max_examples=200, deadline=None)
@given(
    wanted=st.lists(
        st.tuples(st.sets(st.sampled_from(CHIPS), min_size=1), st.integers(1, 4)), min_size=1, max_size=4
    ),
    given_lines=st.lists(
        st.tuples(st.sampled_from(CHIPS), st.integers(1, 8), st.integers(0, 5), st.integers(0, 1)),
        min_size=1,
        max_size=4,
    ),
    stock=st.tuples(st.integers(0, 10), st.integers(0, 10)),
)
def test_the_search_finds_what_trying_everything_finds(wanted, given_lines, stock):
    demand = [demand_line(f"d{i}", sorted(chips), count) for i, (chips, count) in enumerate(wanted)]
    offer = [offer_line(f"x{i}", c, n, f"p{p}") for i, (c, n, _, p) in enumerate(given_lines)]
    rates = {f"x{i}": metered(f"x{i}", price) for i, (_, _, price, _) in enumerate(given_lines)}
    free = {"p0": stock[0], "p1": stock[1]}
    found = assign(demand, offer, rates, free, seconds=3600, fee_micro=1)
    best = naive(demand, offer, rates, free)
    assert (None if found is None else found.cost.hour_micro) == best
