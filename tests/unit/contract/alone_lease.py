"""Scenarios of the family lease: terms, proposals, subleases, amendments and ending."""

from alone import alone, put

from play import DAY, FOUNDER, START, Deal, Table, changed, instant, key
from play.papers import (
    GONE,
    H200,
    NOWHERE,
    amendment,
    bid,
    declared,
    demand,
    ended,
    handover,
    mandate,
    match,
    offer,
    period,
    proposal,
    reclaim,
    registered_file,
    revoked,
    simple,
)

WHOLE = period(START + DAY, START + 61 * DAY)


def proposing(changes, *, who=None, deal=None, **members):
    deal = (deal or Deal()).offered()
    return put(deal, who or deal.lessee, deal.proposal(changes, **members))


# Terms: parties, lines and places.


@alone("lease.not_party")
def a_stranger_proposes_nothing():
    deal = Deal()
    return proposing({}, deal=deal, who=deal.stranger)


@alone("lease.not_party")
def a_broker_proposes_nothing():
    deal = Deal().mandated()
    return proposing({}, deal=deal, who=deal.broker)


@alone("lease.same_party")
def nobody_leases_to_itself():
    deal = Deal()
    return proposing({"/terms/lessee": deal.lessor.did}, deal=deal, who=deal.lessor)


@alone("lease.same_party")
def nobody_leases_to_its_own_earlier_key():
    deal, fresh = Deal().offered(), key("fresh")
    handed = deal.table.act(deal.lessor, handover("identity.rotated", fresh.did))
    deal.table.act(fresh, simple("identity.adopted", handover=handed), deal.lessor.did)
    changes = {"/terms/lessor": fresh.did, "/terms/lessee": fresh.did}
    return proposing(changes, deal=deal, who=fresh)


@alone("identity.key_retired")
def terms_name_the_key_in_force():
    deal, fresh = Deal().offered(), key("fresh")
    handed = deal.table.act(deal.lessor, handover("identity.rotated", fresh.did))
    deal.table.act(fresh, simple("identity.adopted", handover=handed), deal.lessor.did)
    return proposing({}, deal=deal)


def second_line(**changes):
    line = {
        "id": "cores",
        "resource": "cpu_core",
        "count": 16,
        "offer_line": "cores",
        "purpose": "train",
        "equivalence_ppm": 1,
    }
    return {**line, **changes}


@alone("line.id_reused")
def a_line_id_of_terms_names_one_line():
    deal = Deal().offered()
    rate = {"line": "h100", "basis": "metered", "price_micro": 1}
    line = second_line(id="h100", offer=deal.offer)
    return proposing({"/terms/lines/-": line, "/terms/tariff/lines/-": rate}, deal=deal)


@alone("tariff.lines")
def every_line_of_terms_has_a_rate():
    deal = Deal().offered()
    return proposing({"/terms/lines/-": second_line(offer=deal.offer)}, deal=deal)


@alone("lease.residency")
def data_stays_where_it_may_be():
    return proposing({"/terms/residency/0/countries": ["FR"]})


@alone("place.subdivision")
def a_subdivision_of_terms_lies_in_its_country():
    deal = Deal(offer={"/facility/subdivision": GONE})
    return proposing({"/terms/facility/subdivision": "FR-IDF"}, deal=deal)


@alone("offer.unknown")
def a_line_cites_an_offer():
    return proposing({"/terms/lines/0/offer": NOWHERE})


@alone("offer.not_lessor")
def a_line_cites_an_offer_of_the_lessor():
    deal = Deal().offered()
    other = Deal(deal.table, name="2").offered()
    return proposing({"/terms/lines/0/offer": other.offer}, deal=deal)


@alone("offer.unknown_line")
def a_line_cites_a_line_of_the_offer():
    return proposing({"/terms/lines/0/offer_line": "disk"})


@alone("offer.other_resource")
def a_line_is_what_was_offered():
    return proposing({"/terms/lines/0/chip": H200})


@alone("offer.more_than_offered")
def a_line_is_no_more_than_was_offered():
    return proposing({"/terms/lines/0/count": 9})


@alone("offer.other_place")
def machines_stand_in_the_offers_country():
    return proposing({"/terms/facility": {"country": "FR"}})


@alone("offer.other_place")
def machines_stand_in_the_offers_subdivision():
    return proposing({"/terms/facility/subdivision": "DE-BY"})


@alone("offer.withdrawn")
def a_line_cites_an_offer_that_stands():
    deal = Deal().offered()
    tree = deal.proposal()
    second = deal.table.act(deal.lessor, offer(deal.pool, number="O2"))
    deal.table.act(deal.lessor, simple("offer.withdrawn"), deal.offer)
    return put(deal, deal.lessee, changed(tree, {"/answers": second}))


@alone("offer.outside_time")
def a_lease_lies_in_the_offers_time():
    return proposing({}, deal=Deal(offer={"/available": period(START, START + 60 * DAY)}))


@alone("offer.length")
def a_lease_is_as_long_as_the_offer_says():
    return proposing({}, deal=Deal(offer={"/length_max": "P59D"}))


@alone("offer.length")
def a_lease_is_not_shorter_than_the_offer_says():
    return proposing({}, deal=Deal(offer={"/length_min": "P61D"}))


# Terms: mandates, arbiter, policies.


def shown(deal, mandate_id, broker=None, commission_bps=300):
    broker = (broker or deal.broker).did
    return {"mandate": mandate_id, "broker": broker, "commission_bps": commission_bps}


def showing(deal, *mandates):
    return proposing({"/terms/mandates": list(mandates)}, deal=deal)


@alone("mandate.unknown")
def a_shown_mandate_exists():
    deal = Deal()
    return showing(deal, shown(deal, NOWHERE))


@alone("mandate.not_party")
def a_shown_mandate_is_a_partys():
    deal = Deal()
    held = deal.table.act(deal.stranger, mandate(deal.broker.did))
    return showing(deal, shown(deal, held))


@alone("mandate.shown_wrong")
def a_shown_mandate_is_as_it_was_given():
    deal = Deal().mandated()
    return showing(deal, shown(deal, deal.mandate, commission_bps=200))


@alone("mandate.shown_wrong")
def a_shown_mandate_is_of_its_broker():
    deal = Deal().mandated()
    return showing(deal, shown(deal, deal.mandate, broker=deal.stranger))


@alone("mandate.over")
def a_shown_mandate_lasts():
    deal = Deal().mandated()
    deal.table.act(deal.broker, simple("broker.released"), deal.mandate)
    return showing(deal, shown(deal, deal.mandate))


@alone("broker.is_party")
def a_broker_is_no_party():
    deal = Deal()
    held = deal.table.act(deal.lessee, mandate(deal.lessor.did))
    return showing(deal, shown(deal, held, broker=deal.lessor))


@alone("mandate.commission_cap")
def both_sides_together_stay_below_the_cap():
    deal = Deal()
    given = [
        deal.table.act(who, mandate(deal.broker.did, commission_bps=501))
        for who in (deal.lessor, deal.lessee)
    ]
    return showing(deal, *(shown(deal, held, commission_bps=501) for held in given))


@alone("mandate.shown_twice")
def a_mandate_is_shown_once():
    deal = Deal().mandated()
    return showing(deal, shown(deal, deal.mandate), shown(deal, deal.mandate))


@alone("lease.arbiter")
def no_party_is_arbiter():
    deal = Deal()
    return proposing({"/terms/arbiter": deal.lessor.did}, deal=deal)


@alone("lease.unknown_policy")
def a_policy_of_terms_is_registered():
    return proposing({"/terms/policies": ["5a" * 32]})


# What a proposal answers.


@alone("lease.answers_nothing")
def a_proposal_answers_something():
    return proposing({"/answers": NOWHERE})


@alone("lease.answers_other")
def nobody_answers_its_own_demand():
    deal = Deal().demanded()
    return proposing({"/answers": deal.demand}, deal=deal)


@alone("offer.withdrawn")
def an_answered_offer_stands():
    deal = Deal().offered()
    second = deal.table.act(deal.lessor, offer(deal.pool, number="O2"))
    deal.table.act(deal.lessor, simple("offer.withdrawn"), second)
    return proposing({"/answers": second}, deal=deal)


@alone("demand.closed")
def an_answered_demand_stands():
    deal = Deal(proposer="lessor").offered().demanded()
    deal.table.act(deal.lessee, simple("demand.closed"), deal.demand)
    return proposing({}, deal=deal, who=deal.lessor)


def matched(deal=None):
    deal = (deal or Deal(proposer="lessor")).offered().demanded().mandated()
    tree = match(deal.offer, [deal.mandate], START + DAY)
    return deal, deal.table.act(deal.broker, tree, deal.demand)


@alone("mandate.not_shown")
def terms_show_the_mandates_of_the_match():
    deal, ref = matched()
    return proposing({"/answers": ref}, deal=deal, who=deal.lessor)


@alone("paper.lapsed")
def a_lapsed_match_is_not_answered():
    deal, ref = matched()
    deal.table.later(DAY)
    changes = {"/answers": ref, "/terms/mandates/-": shown(deal, deal.mandate)}
    return proposing(changes, deal=deal, who=deal.lessor)


@alone("demand.closed")
def a_match_is_answered_while_its_demand_stands():
    deal, ref = matched()
    deal.table.act(deal.lessee, simple("demand.closed"), deal.demand)
    changes = {"/answers": ref, "/terms/mandates/-": shown(deal, deal.mandate)}
    return proposing(changes, deal=deal, who=deal.lessor)


@alone("lease.answers_other")
def a_match_is_answered_by_its_sides():
    deal, ref = matched()
    other = Deal(deal.table, name="2", proposer="lessor").offered()
    other.lessee, other.demand = deal.lessee, deal.demand
    changes = {"/answers": ref, "/terms/mandates/-": shown(deal, deal.mandate)}
    # The mandate is the lessor's own, whom this proposal leaves out: the lessee gives the broker one too.
    held = deal.table.act(deal.lessee, mandate(deal.broker.did))
    ref = deal.table.act(deal.broker, match(deal.offer, [held], START + DAY, number="X2"), deal.demand)
    changes = {"/answers": ref, "/terms/mandates/-": shown(deal, held)}
    return put(deal, other.lessor, other.proposal(changes))


@alone("paper.lapsed")
def a_withdrawn_bid_is_not_answered():
    deal = Deal().offered()
    placed = deal.table.act(deal.lessee, bid(START + DAY), deal.offer)
    deal.table.act(deal.lessee, simple("bid.withdrawn"), placed)
    return put(deal, deal.lessor, deal.proposal({"/answers": placed}))


@alone("lease.answers_other")
def a_bid_is_answered_by_its_sides():
    deal = Deal().offered()
    placed = deal.table.act(deal.lessee, bid(START + DAY), deal.offer)
    other = Deal(deal.table, name="2").offered()
    other.lessee = deal.lessee
    return put(deal, other.lessor, other.proposal({"/answers": placed}))


@alone("mandate.not_shown")
def terms_show_the_mandate_of_the_bid():
    deal = Deal().offered().mandated("lessee")
    placed = deal.table.act(deal.broker, bid(START + DAY, mandate=deal.mandate), deal.offer)
    return put(deal, deal.lessor, deal.proposal({"/answers": placed}))


@alone("lease.over")
def a_proposed_period_lies_ahead():
    deal = Deal().offered()
    deal.table.at(START + 10 * DAY)
    return proposing({"/terms/period": period(START + DAY, START + 10 * DAY)}, deal=deal)


@alone("paper.lapsed")
def a_proposal_is_valid_for_a_while():
    return proposing({"/valid_to": instant(START)})


# Answering a proposal.


@alone("lease.not_waiting")
def a_lease_is_signed_once():
    deal = Deal().signed()
    return put(deal, deal.lessor, simple("lease.signed"), deal.lease)


@alone("paper.lapsed")
def a_lapsed_proposal_is_not_signed():
    deal = Deal().proposed()
    deal.table.later(5 * DAY)
    return put(deal, deal.lessor, simple("lease.signed"), deal.lease)


@alone("lease.not_addressee")
def nobody_signs_its_own_proposal():
    deal = Deal().proposed()
    return put(deal, deal.lessee, simple("lease.signed"), deal.lease)


@alone("lease.not_proposer")
def nobody_cancels_anothers_proposal():
    deal = Deal().proposed()
    return put(deal, deal.lessor, simple("lease.cancelled"), deal.lease)


@alone("lease.over")
def a_lease_that_is_over_is_not_signed():
    deal = Deal().offered()
    deal.lease = deal.table.act(deal.lessee, deal.proposal({"/valid_to": instant(START + 90 * DAY)}))
    deal.table.at(deal.until)
    return put(deal, deal.lessor, simple("lease.signed"), deal.lease)


@alone("stock.taken")
def stock_is_sold_once():
    deal = Deal().offered()
    for name in ("2", "3"):
        other = Deal(deal.table, name=name)
        other.lessor, other.pool, other.offer = deal.lessor, deal.pool, deal.offer
        other.signed()
    deal.proposed()
    return put(deal, deal.lessor, simple("lease.signed"), deal.lease)


@alone("stock.taken")
def offers_of_one_pool_share_its_stock():
    deal = Deal(terms={"/lines/0/count": 5}).offered()
    second = deal.table.act(deal.lessor, offer(deal.pool, number="O2"))
    other = Deal(deal.table, name="2")
    other.lessor, other.pool, other.offer = deal.lessor, deal.pool, second
    other.signed()
    deal.proposed()
    return put(deal, deal.lessor, simple("lease.signed"), deal.lease)


@alone("stock.taken")
def an_offer_gives_no_more_than_its_own_line():
    deal = Deal(offer={"/lines/0/count": 6}).offered()
    other = Deal(deal.table, name="2")
    other.lessor, other.pool, other.offer = deal.lessor, deal.pool, deal.offer
    other.signed()
    deal.proposed()
    return put(deal, deal.lessor, simple("lease.signed"), deal.lease)


# Subleases.


def tenancy(deal, name="tenant"):
    """A demand of somebody who would sublet from the deal's lessee."""
    tenant = key(name)
    return tenant, deal.table.act(tenant, demand(number="D-" + name.replace(" ", "-")))


def sublet_terms(head, tenant, changes=None):
    line = {
        "id": "h100",
        "resource": "chip",
        "chip": head.terms()["lines"][0]["chip"],
        "count": 4,
        "head_lease": head.lease,
        "head_line": "h100",
        "purpose": "train",
        "equivalence_ppm": 1_000_000,
    }
    made = head.terms({"/lessor": head.lessee.did, "/lessee": tenant.did, "/lines/0": line})
    return changed(made, changes or {})


def subletting(changes, *, head=None, who=None):
    head = (head or Deal()).signed()
    tenant, wanted = tenancy(head)
    tree = proposal(sublet_terms(head, tenant, changes), wanted, head.table.now + 5 * DAY, number="S1")
    return put(head, who or head.lessee, tree)


def sublet(head, changes=None, *, name="tenant"):
    """Sign a sublease of the deal's lease; return (tenant, lease)."""
    head.signed()
    tenant, wanted = tenancy(head, name)
    tree = proposal(
        sublet_terms(head, tenant, changes),
        wanted,
        head.table.now + 5 * DAY,
        number="S-" + name.replace(" ", "-"),
    )
    lease = head.table.act(head.lessee, tree)
    return tenant, lease


@alone("sublease.no_head")
def a_sublease_needs_a_signed_head_lease():
    return subletting({"/lines/0/head_lease": NOWHERE})


@alone("sublease.no_head")
def an_ended_lease_is_not_sublet():
    head = Deal().signed()
    head.table.act(head.lessee, ended(1), head.lease)
    return subletting({}, head=head)


@alone("sublease.no_head")
def a_head_lease_that_ended_since_the_proposal():
    head = Deal().signed()
    tenant, lease = sublet(head)
    head.table.act(head.lessee, ended(1), head.lease)
    return put(head, tenant, simple("lease.signed"), lease)


@alone("sublease.not_lessee")
def only_the_lessee_sublets():
    head = Deal().signed()
    tenant, wanted = tenancy(head)
    terms = sublet_terms(head, tenant, {"/lessor": head.stranger.did})
    return put(head, head.stranger, proposal(terms, wanted, START + 5 * DAY))


@alone("sublease.not_allowed")
def subletting_must_be_allowed():
    return subletting({}, head=Deal(terms={"/sublease_allowed": False}))


@alone("sublease.unknown_line")
def a_sublet_line_stands_in_the_head_lease():
    return subletting({"/lines/0/head_line": "cores"})


@alone("sublease.other_resource")
def a_sublet_line_is_what_was_leased():
    return subletting({"/lines/0/chip": H200})


@alone("sublease.other_resource")
def a_sublet_line_is_no_more_than_was_leased():
    return subletting({"/lines/0/count": 5})


@alone("sublease.purpose")
def a_sublet_line_serves_the_same_purpose():
    return subletting({"/lines/0/purpose": "infer"})


@alone("sublease.period")
def a_sublease_ends_with_its_head():
    return subletting({"/period": period(START + DAY, START + 62 * DAY)})


@alone("sublease.place")
def sublet_machines_stand_where_they_stood():
    return subletting({"/facility": {"country": "FR"}})


@alone("sublease.residency")
def a_sublease_is_no_looser_about_data():
    return subletting({"/residency/0/countries": ["DE", "FR", "PL"]})


@alone("sublease.residency")
def a_sublease_keeps_every_rule_about_data():
    return subletting({"/residency": []})


@alone("sublease.cycle")
def nobody_leases_its_own_machines_back():
    head = Deal().signed()
    wanted = head.table.act(head.lessor, demand())
    terms = sublet_terms(head, head.lessor)
    return put(head, head.lessee, proposal(terms, wanted, START + 5 * DAY))


@alone("sublease.cycle")
def nor_through_a_chain():
    head = Deal().signed()
    tenant, lease = sublet(head)
    head.table.act(tenant, simple("lease.signed"), lease)
    wanted = head.table.act(head.lessor, demand())
    below = {"/lessor": tenant.did, "/lines/0/head_lease": lease}
    return put(head, tenant, proposal(sublet_terms(head, head.lessor, below), wanted, START + 5 * DAY))


@alone("sublease.depth")
def a_chain_has_eight_leases():
    head = Deal().signed()
    holder, lease = head.lessee, head.lease
    for depth in range(1, 9):
        tenant, wanted = tenancy(head, f"tenant {depth}")
        changes = {"/lessor": holder.did, "/lines/0/head_lease": lease}
        tree = proposal(sublet_terms(head, tenant, changes), wanted, START + 5 * DAY)
        if depth == 8:
            return put(head, holder, tree)
        lease = head.table.act(holder, tree)
        head.table.act(tenant, simple("lease.signed"), lease)
        holder = tenant
    return None


@alone("stock.taken")
def a_head_lease_is_sublet_once():
    head = Deal().signed()
    first, lease = sublet(head)
    head.table.act(first, simple("lease.signed"), lease)
    second, lease = sublet(head, name="second tenant")
    return put(head, second, simple("lease.signed"), lease)


# Amendments. They start at START + 10 days unless a scenario says otherwise.

LATER = START + 10 * DAY


def amending(deal, changes=None, *, who=None, at=LATER, **members):
    tree = amendment(deal.terms(changes), deal.lease, at, deal.table.now + 5 * DAY)
    return put(deal, who or deal.lessor, {**tree, **members}, deal.lease)


def amended(deal, changes=None, *, at=LATER, number="A1", valid=5 * DAY, replaces=None):
    """Propose an amendment, by the lessor; return its id."""
    tree = amendment(deal.terms(changes), replaces or deal.lease, at, deal.table.now + valid, number=number)
    return deal.table.act(deal.lessor, tree, deal.lease)


def agree(deal, ref, who=None):
    return put(deal, who or deal.lessee, simple("amendment.signed", amendment=ref), deal.lease)


def agreed(deal, ref):
    deal.table.act(deal.lessee, simple("amendment.signed", amendment=ref), deal.lease)
    return deal


@alone("lease.not_running")
def a_proposal_is_not_amended():
    return amending(Deal().proposed())


@alone("amendment.came_between")
def an_amendment_changes_the_newest_terms():
    deal = Deal().signed()
    agreed(deal, amended(deal, {"/due_days": 30}))
    return amending(deal, {"/due_days": 60}, at=LATER + DAY)


@alone("amendment.parties")
def an_amendment_keeps_the_parties():
    deal = Deal().signed()
    return amending(deal, {"/lessee": deal.stranger.did})


@alone("amendment.currency")
def an_amendment_keeps_the_currency():
    return amending(Deal().signed(), {"/tariff/currency": "USD"})


@alone("amendment.start")
def an_amendment_keeps_the_start():
    return amending(Deal().signed(), {"/period": period(START + 2 * DAY, START + 61 * DAY)})


@alone("amendment.reported")
def an_amendment_starts_after_what_was_reported():
    deal = Deal().reported()
    return amending(deal, at=deal.delivered_at + 6 * DAY)


@alone("amendment.reported")
def an_amendment_starts_after_the_terms_before():
    deal = Deal().signed()
    ref = amended(deal, {"/due_days": 30})
    agreed(deal, ref)
    return amending(deal, {"/due_days": 60}, at=LATER - DAY, replaces=ref)


@alone("amendment.after_end")
def an_amendment_starts_before_its_end():
    return amending(Deal().signed(), at=START + 61 * DAY)


@alone("amendment.after_end")
def an_amendment_leaves_no_gap():
    changes = {"/period": period(START + DAY, START + 80 * DAY)}
    return amending(Deal().signed(), changes, at=START + 62 * DAY)


@alone("policy.quota")
def amendments_are_counted():
    deal = Deal(Table(policy={"open_max": 1}), proposer="lessee").signed()
    deal.table.act(deal.lessor, simple("offer.withdrawn"), deal.offer)
    amended(deal)
    return amending(deal, number="A2")


@alone("paper.lapsed")
def an_amendment_is_valid_for_a_while():
    return amending(Deal().signed(), valid_to=instant(START))


@alone("sublease.depth")
def an_amendment_sinks_no_lease():
    deal = Deal().signed()
    other = Deal(deal.table, name="2")
    other.lessee = deal.lessor
    other.signed()
    rate = {"line": "more", "basis": "metered", "price_micro": 1}
    line = sublet_terms(other, deal.lessee)["lines"][0]
    changes = {"/lines/-": {**line, "id": "more"}, "/tariff/lines/-": rate}
    return amending(deal, changes)


@alone("amendment.unknown")
def only_an_amendment_of_the_lease_is_signed():
    deal = Deal().signed()
    other = Deal(deal.table, name="2").signed()
    return agree(deal, amended(other))


@alone("amendment.signed")
def an_amendment_is_signed_once():
    deal = Deal().signed()
    ref = amended(deal)
    return agree(agreed(deal, ref), ref)


@alone("amendment.came_between")
def another_amendment_was_signed_first():
    deal = Deal().signed()
    first, second = amended(deal), amended(deal, {"/due_days": 30}, number="A2")
    return agree(agreed(deal, first), second)


@alone("paper.lapsed")
def a_lapsed_amendment_is_not_signed():
    deal = Deal().signed()
    ref = amended(deal)
    deal.table.later(5 * DAY)
    return agree(deal, ref)


@alone("lease.not_addressee")
def nobody_signs_its_own_amendment():
    deal = Deal().signed()
    return agree(deal, amended(deal), who=deal.lessor)


@alone("amendment.backdated")
def an_amendment_starts_no_earlier_than_its_signature():
    deal = Deal().signed()
    ref = amended(deal, valid=30 * DAY)
    deal.table.at(LATER + 1)
    return agree(deal, ref)


@alone("amendment.sublet")
def an_amendment_keeps_what_is_sublet():
    deal = Deal()
    tenant, lease = sublet(deal)
    deal.table.act(tenant, simple("lease.signed"), lease)
    return agree(deal, amended(deal, {"/lines/0/count": 3}))


@alone("amendment.sublet")
def an_amendment_keeps_the_end_of_what_is_sublet():
    deal = Deal()
    tenant, lease = sublet(deal)
    deal.table.act(tenant, simple("lease.signed"), lease)
    return agree(deal, amended(deal, {"/period": period(START + DAY, START + 60 * DAY)}))


@alone("stock.taken")
def an_amendment_takes_what_is_free():
    deal = Deal().signed()
    other = Deal(deal.table, name="2")
    other.lessor, other.pool, other.offer = deal.lessor, deal.pool, deal.offer
    other.signed()
    return agree(deal, amended(deal, {"/lines/0/count": 5}))


@alone("sublease.no_head")
def an_amended_sublease_still_has_its_head():
    head = Deal()
    tenant, lease = sublet(head)
    head.table.act(tenant, simple("lease.signed"), lease)
    terms = sublet_terms(head, tenant, {"/due_days": 30})
    ref = head.table.act(head.lessee, amendment(terms, lease, LATER, START + 5 * DAY), lease)
    head.table.act(head.lessee, ended(1), head.lease)
    return put(head, tenant, simple("amendment.signed", amendment=ref), lease)


# Reclaiming and ending.


@alone("lease.not_running")
def a_proposal_is_not_reclaimed():
    deal = Deal().proposed()
    return put(deal, deal.lessor, reclaim(START + 20 * DAY), deal.lease)


@alone("lease.not_lessor")
def only_the_lessor_reclaims():
    deal = Deal().signed()
    return put(deal, deal.lessee, reclaim(START + 20 * DAY), deal.lease)


@alone("lease.over")
def a_lease_that_is_over_is_not_reclaimed():
    deal = Deal().signed()
    deal.table.at(deal.until)
    return put(deal, deal.lessor, reclaim(deal.until + 8 * DAY), deal.lease)


@alone("reclaim.no_clause")
def without_a_clause_nothing_is_reclaimed():
    deal = Deal(terms={"/notice": GONE}).signed()
    return put(deal, deal.lessor, reclaim(START + 20 * DAY), deal.lease)


@alone("reclaim.too_soon")
def notice_is_given():
    deal = Deal().signed()
    return put(deal, deal.lessor, reclaim(START + 7 * DAY - 1), deal.lease)


@alone("reclaim.started")
def one_notice_at_a_time():
    deal = Deal().signed()
    deal.table.act(deal.lessor, reclaim(START + 7 * DAY), deal.lease)
    return put(deal, deal.lessor, reclaim(START + 9 * DAY, number="R2"), deal.lease)


def ending(deal, who, code, entry=None):
    return put(deal, who, ended(code, entry), deal.lease)


@alone("lease.not_party")
def a_stranger_ends_nothing():
    deal = Deal().signed()
    deal.table.at(deal.until)
    return ending(deal, deal.stranger, 0)


@alone("end.not_over")
def a_period_is_over_when_it_is_over():
    deal = Deal().signed()
    deal.table.at(deal.until - 1)
    return ending(deal, deal.lessee, 0)


@alone("end.lessee_code")
def low_codes_are_the_lessees():
    deal = Deal().signed()
    return ending(deal, deal.lessor, 9_999)


@alone("end.lessor_code")
def high_codes_are_the_lessors():
    deal = Deal().signed()
    deal.table.act(deal.lessor, reclaim(START + 7 * DAY), deal.lease)
    deal.table.at(START + 7 * DAY)
    return ending(deal, deal.lessee, 10_000)


@alone("end.notice_runs")
def the_lessor_gives_notice_first():
    deal = Deal().signed()
    return ending(deal, deal.lessor, 10_000)


@alone("end.notice_runs")
def the_lessor_waits_for_its_notice():
    deal = Deal().signed()
    deal.table.act(deal.lessor, reclaim(START + 7 * DAY), deal.lease)
    deal.table.at(START + 7 * DAY - 1)
    return ending(deal, deal.lessor, 19_999)


@alone("end.no_condition")
def vouchers_do_not_exist_yet():
    deal = Deal().signed()
    return ending(deal, deal.lessor, 20_001)


@alone("end.no_condition")
def an_unpaid_invoice_is_named():
    deal = Deal().signed()
    return ending(deal, deal.lessor, 20_000)


@alone("end.no_condition")
def an_unpaid_invoice_has_its_grace():
    deal = Deal().accepted()
    deal.table.at(deal.table.now - deal.table.now % DAY + 22 * DAY - 1)
    return ending(deal, deal.lessor, 20_000, deal.invoice)


@alone("end.no_condition")
def a_disputed_invoice_ends_nothing():
    deal = Deal().invoiced()
    deal.table.act(
        deal.lessee, simple("invoice.rejected", reason="price", accepted_minor=0, remark="no"), deal.invoice
    )
    deal.table.later(30 * DAY)
    return ending(deal, deal.lessor, 20_000, deal.invoice)


@alone("end.no_condition")
def the_lessee_names_no_unpaid_invoice():
    deal = Deal().accepted()
    deal.table.later(30 * DAY)
    return ending(deal, deal.lessee, 20_000, deal.invoice)


@alone("end.no_condition")
def a_policy_from_before_the_signature_ends_nothing():
    deal = Deal()
    deal.table.act(FOUNDER, registered_file())
    deal.signed()
    return ending(deal, deal.lessor, 20_002, "5a" * 32)


@alone("end.no_condition")
def ones_own_revocation_ends_nothing():
    deal = Deal().signed()
    deal.table.act(deal.lessee, declared(recovery=key("spare").did))
    gone = deal.table.act(deal.lessee, revoked())
    handed = deal.table.act(key("spare"), handover("identity.recovered", key("anew").did), deal.lessee.did)
    deal.table.act(key("anew"), simple("identity.adopted", handover=handed), deal.lessee.did)
    return ending(deal, key("anew"), 20_003, gone)


@alone("end.no_condition")
def a_revocation_under_recovery_ends_nothing():
    deal = Deal().signed()
    deal.table.act(deal.lessee, declared(recovery=key("spare").did))
    deal.table.act(deal.lessee, revoked())
    handed = deal.table.act(key("spare"), handover("identity.recovered", key("anew").did), deal.lessee.did)
    return ending(deal, deal.lessor, 20_003, handed)


@alone("end.no_condition")
def a_running_head_lease_ends_nothing():
    head = Deal()
    tenant, lease = sublet(head)
    head.table.act(tenant, simple("lease.signed"), lease)
    return put(head, tenant, ended(20_004, head.lease), lease)


@alone("end.no_condition")
def a_sublease_ends_after_its_own_notice():
    head = Deal()
    tenant, lease = sublet(head)
    head.table.act(tenant, simple("lease.signed"), lease)
    gone = head.table.act(head.lessee, ended(1), head.lease)
    head.table.later(7 * DAY - 1)
    return put(head, tenant, ended(20_004, gone), lease)
