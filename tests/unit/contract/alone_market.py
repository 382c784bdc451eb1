"""Scenarios of the family market: pools, offers, demands, mandates, matches and bids."""

from alone import alone, put

from play import DAY, START, Deal, Table, changed
from play.papers import GONE, H200, NOWHERE, bid, demand, mandate, match, offer, period, pool, simple

SOON = START + 5 * DAY


def with_offer(**changes):
    deal = Deal()
    deal.pool = deal.table.act(deal.lessor, pool())
    return deal, changed(offer(deal.pool), changes)


def offering(changes):
    deal, tree = with_offer(**changes)
    return put(deal, deal.lessor, tree)


# Pools and offers.


@alone("line.id_reused")
def a_pools_line_id_names_one_line():
    deal = Deal()
    return put(deal, deal.lessor, changed(pool(), {"/lines/1/id": "h100"}))


@alone("line.id_reused")
def an_offers_line_id_names_one_line():
    return offering({"/lines/1/id": "h100", "/tariff/lines/1/line": "h100"})


@alone("offer.unknown_pool")
def an_offer_needs_a_pool():
    return offering({"/pool": NOWHERE})


@alone("offer.not_own_pool")
def nobody_offers_out_of_anothers_pool():
    deal, tree = with_offer()
    return put(deal, deal.stranger, tree)


@alone("offer.unknown_pool_line")
def an_offered_line_stands_in_the_pool():
    return offering({"/lines/0/pool_line": "h200"})


@alone("offer.other_resource")
def an_offered_line_is_what_the_pool_has():
    return offering({"/lines/0/chip": H200})


@alone("offer.more_than_pool")
def nobody_offers_more_than_it_has():
    return offering({"/lines/0/count": 9})


@alone("tariff.lines")
def an_offered_line_has_a_rate():
    return offering({"/tariff/lines/1": GONE})


@alone("tariff.lines")
def a_rate_has_a_line():
    return offering({"/tariff/lines/1/line": "disks"})


@alone("offer.lengths")
def the_shortest_lease_is_no_longer_than_the_longest():
    return offering({"/length_min": "P91D"})


@alone("place.subdivision")
def a_subdivision_lies_in_its_country():
    return offering({"/facility/subdivision": "FR-IDF"})


@alone("place.subdivision")
def a_distance_is_counted_from_a_place_in_its_country():
    near = {"country": "DE", "subdivision": "FR-IDF", "km_max": 500}
    deal = Deal()
    return put(deal, deal.lessee, demand(near=near))


@alone("market.over")
def an_offer_lies_ahead():
    deal, tree = with_offer()
    deal.table.later(366 * DAY)
    return put(deal, deal.lessor, tree)


@alone("policy.quota")
def offers_are_counted():
    deal = Deal(Table(policy={"open_max": 1})).offered()
    return put(deal, deal.lessor, offer(deal.pool, number="O2"))


@alone("policy.quota")
def bids_are_counted():
    deal = Deal(Table(policy={"open_max": 1})).offered()
    deal.table.act(deal.stranger, bid(SOON), deal.offer)
    return put(deal, deal.stranger, bid(SOON, number="B2"), deal.offer)


@alone("policy.quota")
def a_brokers_bids_count_for_the_broker():
    deal = Deal(Table(policy={"open_max": 1})).offered().mandated("lessee")
    deal.table.act(deal.broker, bid(SOON, mandate=deal.mandate), deal.offer)
    assert not deal.table.codes(deal.lessee, bid(SOON), deal.offer)
    return put(deal, deal.broker, bid(SOON, mandate=deal.mandate, number="B2"), deal.offer)


@alone("policy.quota")
def a_countered_bid_still_counts():
    deal = Deal(Table(policy={"open_max": 1})).offered()
    placed = deal.table.act(deal.stranger, bid(START + DAY), deal.offer)
    deal.table.act(deal.lessor, bid(SOON, kind="bid.countered"), placed)
    deal.table.later(2 * DAY)
    return put(deal, deal.stranger, bid(SOON, number="B2"), deal.offer)


@alone("policy.quota")
def matches_are_counted():
    deal = Deal(Table(policy={"open_max": 1})).offered().demanded().mandated()
    deal.table.act(deal.broker, match(deal.offer, [deal.mandate], SOON), deal.demand)
    return put(deal, deal.broker, match(deal.offer, [deal.mandate], SOON, number="X2"), deal.demand)


@alone("policy.quota")
def proposals_are_counted():
    deal = Deal(Table(policy={"open_max": 1})).proposed()
    return put(deal, deal.lessee, deal.proposal(number="L2"))


@alone("offer.not_lessor")
def nobody_withdraws_anothers_offer():
    deal = Deal().offered()
    return put(deal, deal.stranger, simple("offer.withdrawn"), deal.offer)


@alone("offer.withdrawn")
def an_offer_is_withdrawn_once():
    deal = Deal().offered()
    deal.table.act(deal.lessor, simple("offer.withdrawn"), deal.offer)
    return put(deal, deal.lessor, simple("offer.withdrawn"), deal.offer)


# Demands.


@alone("line.id_reused")
def a_demands_line_id_names_one_line():
    deal = Deal()
    line = demand()["lines"][0]
    return put(deal, deal.lessee, changed(demand(), {"/lines/-": line}))


@alone("demand.length")
def a_demand_fits_its_window():
    deal = Deal()
    return put(deal, deal.lessee, demand(length="P121D"))


@alone("market.over")
def a_demand_lies_ahead():
    deal = Deal()
    deal.table.later(121 * DAY)
    return put(deal, deal.lessee, demand())


@alone("demand.not_lessee")
def nobody_closes_anothers_demand():
    deal = Deal().demanded()
    return put(deal, deal.stranger, simple("demand.closed"), deal.demand)


@alone("demand.closed")
def a_demand_is_closed_once():
    deal = Deal().demanded()
    deal.table.act(deal.lessee, simple("demand.closed"), deal.demand)
    return put(deal, deal.lessee, simple("demand.closed"), deal.demand)


# Mandates.


@alone("mandate.own_broker")
def nobody_brokers_for_itself():
    deal = Deal()
    return put(deal, deal.lessor, mandate(deal.lessor.did))


@alone("mandate.scope")
def a_scope_is_sorted():
    deal = Deal()
    return put(deal, deal.lessor, mandate(deal.broker.did, scope=["propose", "bid"]))


@alone("market.over")
def a_mandate_lies_ahead():
    deal = Deal()
    deal.table.later(200 * DAY)
    return put(deal, deal.lessor, mandate(deal.broker.did))


@alone("mandate.commission_cap")
def one_commission_stays_below_the_cap():
    deal = Deal()
    return put(deal, deal.lessor, mandate(deal.broker.did, commission_bps=1001))


@alone("mandate.not_party")
def a_stranger_releases_nobody():
    deal = Deal().mandated()
    return put(deal, deal.stranger, simple("broker.released"), deal.mandate)


@alone("mandate.released")
def a_mandate_is_released_once():
    deal = Deal().mandated()
    deal.table.act(deal.broker, simple("broker.released"), deal.mandate)
    return put(deal, deal.lessor, simple("broker.released"), deal.mandate)


# Matches.


def brought_together():
    return Deal().offered().demanded().mandated()


def matching(deal, changes=None, who=None):
    tree = changed(match(deal.offer, [deal.mandate], deal.table.now + 5 * DAY), changes or {})
    return put(deal, who or deal.broker, tree, deal.demand)


@alone("mandate.unknown")
def a_match_needs_a_mandate():
    return matching(brought_together(), {"/mandates/0": NOWHERE})


@alone("mandate.not_broker")
def a_match_is_made_by_the_mandated_broker():
    deal = brought_together()
    return matching(deal, who=deal.stranger)


@alone("mandate.scope")
def a_match_is_made_within_the_scope():
    deal = brought_together()
    deal.mandate = deal.table.act(deal.lessor, mandate(deal.broker.did, number="M2", scope=["bid"]))
    return matching(deal)


@alone("mandate.over")
def a_match_is_made_while_the_mandate_lasts():
    deal = brought_together()
    deal.mandate = deal.table.act(
        deal.lessor, mandate(deal.broker.did, number="M2", until="2026-01-03T00:00:00Z")
    )
    deal.table.later(2 * DAY)
    return matching(deal)


@alone("mandate.over")
def a_released_broker_matches_nothing():
    deal = brought_together()
    deal.table.act(deal.lessor, simple("broker.released"), deal.mandate)
    return matching(deal)


@alone("match.not_side")
def a_match_is_made_for_one_of_its_sides():
    deal = brought_together()
    foreign = deal.table.act(deal.stranger, mandate(deal.broker.did))
    return matching(deal, {"/mandates/-": foreign})


@alone("broker.is_party")
def a_broker_matches_nothing_of_its_own():
    deal = brought_together()
    deal.mandate = deal.table.act(deal.lessee, mandate(deal.lessor.did))
    return matching(deal, who=deal.lessor)


@alone("offer.unknown")
def a_match_needs_an_offer():
    deal = brought_together()
    deal.mandate = deal.table.act(deal.lessee, mandate(deal.broker.did))
    return matching(deal, {"/offer": NOWHERE})


@alone("offer.withdrawn")
def a_match_needs_an_offer_that_stands():
    deal = brought_together()
    deal.table.act(deal.lessor, simple("offer.withdrawn"), deal.offer)
    return matching(deal)


@alone("market.over")
def a_match_needs_an_offer_whose_time_is_not_over():
    deal = Deal(offer={"/available": period(START, START + 2 * DAY)}).offered().demanded().mandated()
    deal.table.later(2 * DAY)
    return matching(deal)


@alone("demand.closed")
def a_match_needs_a_demand_that_stands():
    deal = brought_together()
    deal.table.act(deal.lessee, simple("demand.closed"), deal.demand)
    return matching(deal)


@alone("market.over")
def a_match_needs_a_demand_whose_time_is_not_over():
    deal = brought_together()
    deal.table.later(120 * DAY)
    return matching(deal)


@alone("match.unknown_line")
def a_match_names_lines_of_both():
    return matching(brought_together(), {"/lines/0/demand_line": "disk"})


@alone("match.unknown_line")
def a_match_names_lines_of_the_offer():
    return matching(brought_together(), {"/lines/0/offer_line": "disk"})


@alone("match.more_than_listed")
def a_match_is_for_no_more_than_is_wanted():
    return matching(brought_together(), {"/lines/0/count": 5})


@alone("match.other_resource")
def a_match_is_of_like_to_like():
    return matching(brought_together(), {"/lines/0/offer_line": "cores"})


@alone("paper.lapsed")
def a_match_is_valid_for_a_while():
    deal = brought_together()
    return matching(deal, {"/valid_to": "2026-01-01T00:00:00Z"})


# Bids.


def bidding(changes=None, *, on="offer", who=None, **members):
    deal = Deal().offered().demanded()
    paper, line, bidder = (
        (deal.offer, "h100", deal.lessee) if on == "offer" else (deal.demand, "gpu", deal.lessor)
    )
    return put(deal, who or bidder, changed(bid(SOON, line=line, **members), changes or {}), paper)


@alone("offer.withdrawn")
def a_bid_needs_an_offer_that_stands():
    deal = Deal().offered()
    deal.table.act(deal.lessor, simple("offer.withdrawn"), deal.offer)
    return put(deal, deal.lessee, bid(SOON), deal.offer)


@alone("demand.closed")
def a_bid_needs_a_demand_that_stands():
    deal = Deal().demanded()
    deal.table.act(deal.lessee, simple("demand.closed"), deal.demand)
    return put(deal, deal.lessor, bid(SOON, line="gpu"), deal.demand)


@alone("bid.on_own")
def nobody_bids_on_its_own_offer():
    deal = Deal().offered()
    return put(deal, deal.lessor, bid(SOON), deal.offer)


@alone("bid.on_own")
def nobody_has_a_bid_placed_on_its_own_offer():
    deal = Deal().offered().mandated()
    return put(deal, deal.broker, bid(SOON, mandate=deal.mandate), deal.offer)


@alone("mandate.not_broker")
def a_bid_is_placed_by_the_mandated_broker():
    deal = Deal().offered().mandated("lessee")
    return put(deal, deal.stranger, bid(SOON, mandate=deal.mandate), deal.offer)


@alone("broker.is_party")
def a_broker_bids_on_nothing_of_its_own():
    deal = Deal().offered()
    held = deal.table.act(deal.lessee, mandate(deal.lessor.did))
    return put(deal, deal.lessor, bid(SOON, mandate=held), deal.offer)


@alone("bid.unknown_line")
def a_bid_prices_what_is_offered():
    return bidding({"/lines/0/line": "disk"})


@alone("bid.more_than_listed")
def a_bid_is_for_no_more_than_is_offered():
    return bidding({"/lines/0/count": 9})


@alone("bid.more_than_listed")
def a_bid_is_for_no_more_than_is_wanted():
    return bidding({"/lines/0/count": 5}, on="demand")


@alone("line.id_reused")
def a_bid_prices_a_line_once():
    return bidding({"/lines/-": {"line": "h100", "count": 1, "price_micro": 1}})


@alone("paper.lapsed")
def a_bid_is_valid_for_a_while():
    return bidding({"/valid_to": "2026-01-01T00:00:00Z"})


def placed():
    deal = Deal().offered()
    return deal, deal.table.act(deal.lessee, bid(SOON), deal.offer)


@alone("bid.closed")
def a_rejected_bid_is_closed():
    deal, ref = placed()
    deal.table.act(deal.lessor, simple("bid.rejected"), ref)
    return put(deal, deal.lessee, simple("bid.withdrawn"), ref)


@alone("paper.lapsed")
def a_lapsed_bid_is_not_answered():
    deal, ref = placed()
    deal.table.later(5 * DAY)
    return put(deal, deal.lessor, simple("bid.rejected"), ref)


@alone("bid.not_your_turn")
def nobody_answers_its_own_bid():
    deal, ref = placed()
    return put(deal, deal.lessee, bid(SOON, kind="bid.countered"), ref)


@alone("bid.not_your_turn")
def after_a_counter_the_turn_is_the_bidders():
    deal, ref = placed()
    deal.table.act(deal.lessor, bid(SOON, kind="bid.countered"), ref)
    return put(deal, deal.lessor, simple("bid.rejected"), ref)


@alone("bid.not_yours")
def nobody_withdraws_anothers_price():
    deal, ref = placed()
    return put(deal, deal.lessor, simple("bid.withdrawn"), ref)
