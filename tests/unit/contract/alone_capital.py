"""Scenarios of the family capital: stakes in pools and in owners' parts, and quotas."""

from alone import alone, put

from play import DAY, START, Deal, Table, key
from play.capital import drawn, quota, share, stake_accepted, units
from play.papers import NOWHERE, ended, instant, period
from pseudoledger.statement.kinds.market import REFS_MAX

DORA, FUND = key("dora"), key("fund")


def declared(deal, tree, who=None):
    return deal.table.act(who or deal.lessor, tree)


def accepted(deal, tree, holder=DORA, who=None):
    ref = declared(deal, tree, who)
    deal.table.act(holder, stake_accepted(), ref)
    return ref


@alone("stake.unknown_asset")
def a_stake_in_nothing():
    return put(Table(), DORA, share(NOWHERE, FUND.did))


@alone("stake.unknown_asset")
def a_share_in_units_that_nobody_accepted():
    deal = Deal().offered()
    ref = declared(deal, units(deal.pool, DORA.did))
    return put(deal, DORA, share(ref, FUND.did))


@alone("stake.unknown_asset")
def a_share_in_a_share():
    deal = Deal().offered()
    ref = accepted(deal, share(deal.pool, DORA.did))
    return put(deal, DORA, share(ref, FUND.did))


@alone("stake.not_own_asset")
def a_stake_in_the_pool_of_another():
    deal = Deal().offered()
    return put(deal, DORA, units(deal.pool, FUND.did))


@alone("stake.not_own_asset")
def a_share_in_the_units_of_another():
    deal = Deal().offered()
    ref = accepted(deal, units(deal.pool, DORA.did))
    return put(deal, deal.lessor, share(ref, FUND.did))


@alone("stake.own_holder")
def a_stake_for_oneself():
    deal = Deal().offered()
    return put(deal, deal.lessor, units(deal.pool, deal.lessor.did))


@alone("stake.units_of_pool")
def units_of_another_owners_units():
    deal = Deal().offered()
    ref = accepted(deal, units(deal.pool, DORA.did))
    return put(deal, DORA, units(ref, FUND.did, 1))


@alone("stake.unknown_line")
def units_of_a_line_that_is_not_there():
    deal = Deal().offered()
    return put(deal, deal.lessor, units(deal.pool, DORA.did, changes={"/units/0/line": "h200"}))


@alone("stake.more_than_pool")
def more_units_than_the_pool_has():
    deal = Deal().offered()
    return put(deal, deal.lessor, units(deal.pool, DORA.did, 9))


@alone("stake.over")
def a_stake_for_a_time_that_is_past():
    deal = Deal().offered()
    deal.table.later(2 * DAY)
    return put(deal, deal.lessor, units(deal.pool, DORA.did, valid=period(START, START + DAY)))


@alone("paper.lapsed")
def a_declaration_that_lapsed_before_it_was_made():
    deal = Deal().offered()
    return put(deal, deal.lessor, units(deal.pool, DORA.did, valid_to=instant(START)))


@alone("stake.not_holder")
def a_stake_accepted_by_somebody_else():
    deal = Deal().offered()
    return put(deal, FUND, stake_accepted(), declared(deal, units(deal.pool, DORA.did)))


@alone("stake.accepted")
def a_stake_accepted_twice():
    deal = Deal().offered()
    ref = accepted(deal, units(deal.pool, DORA.did))
    deal.table.later(60)
    return put(deal, DORA, stake_accepted(), ref)


@alone("stake.lapsed")
def a_stake_accepted_too_late():
    deal = Deal().offered()
    ref = declared(deal, units(deal.pool, DORA.did))
    deal.table.later(31 * DAY)
    return put(deal, DORA, stake_accepted(), ref)


@alone("stake.lapsed")
def a_stake_accepted_when_its_time_is_over():
    deal = Deal().offered()
    ref = declared(deal, units(deal.pool, DORA.did, valid=period(START, START + DAY)))
    deal.table.later(2 * DAY)
    return put(deal, DORA, stake_accepted(), ref)


@alone("stake.too_many")
def more_stakes_than_a_list_may_have():
    deal = Deal().offered()
    for number in range(REFS_MAX):
        accepted(deal, share(deal.pool, DORA.did, 1, number=f"S{number}"))
    return put(deal, DORA, stake_accepted(), declared(deal, share(deal.pool, DORA.did, 1, number="S-more")))


@alone("stake.units_taken")
def units_that_are_another_owners():
    deal = Deal().offered()
    accepted(deal, units(deal.pool, DORA.did, 6))
    return put(deal, FUND, stake_accepted(), declared(deal, units(deal.pool, FUND.did, 3, number="S3")))


@alone("stake.shares_taken")
def shares_beyond_the_whole():
    deal = Deal().offered()
    accepted(deal, share(deal.pool, DORA.did, 6_000))
    return put(deal, FUND, stake_accepted(), declared(deal, share(deal.pool, FUND.did, 4_001)))


# Quotas. The lessee is the organisation.


def allotted(deal, tree=None, who=None):
    return deal.table.act(who or deal.lessee, tree or quota())


@alone("quota.own_drawer")
def a_drawer_that_is_the_organisation():
    return put(Table(), DORA, quota(drawer=DORA.did))


@alone("quota.over")
def a_quota_for_a_time_that_is_past():
    return put(Table().later(91 * DAY), DORA, quota())


@alone("quota.over")
def a_draw_after_the_time_of_the_quota():
    deal = Deal().signed()
    ref = allotted(deal, quota(period=period(START, START + 2 * DAY)))
    deal.table.later(2 * DAY)
    return put(deal, deal.lessee, drawn(deal.lease), ref)


@alone("quota.not_drawer")
def a_draw_by_a_stranger():
    deal = Deal().signed()
    return put(deal, deal.stranger, drawn(deal.lease), allotted(deal))


@alone("quota.unknown_lease")
def a_draw_for_no_lease():
    deal = Deal().signed()
    return put(deal, deal.lessee, drawn(NOWHERE), allotted(deal))


@alone("quota.not_lessee")
def a_draw_for_the_lease_of_another():
    deal = Deal().signed()
    return put(deal, DORA, drawn(deal.lease), allotted(deal, who=DORA))


@alone("quota.lease_not_running")
def a_draw_for_a_lease_that_ended():
    deal = Deal().running()
    deal.table.act(deal.lessee, ended(1), deal.lease)
    return put(deal, deal.lessee, drawn(deal.lease), allotted(deal))


@alone("quota.lease_not_running")
def a_draw_for_a_proposal():
    deal = Deal().proposed()
    return put(deal, deal.lessee, drawn(deal.lease), allotted(deal))


@alone("quota.outside_period")
def a_draw_for_a_lease_of_another_time():
    deal = Deal().signed()
    ref = allotted(deal, quota(period=period(START + 61 * DAY, START + 90 * DAY)))
    return put(deal, deal.lessee, drawn(deal.lease), ref)


@alone("quota.other_currency")
def a_draw_in_another_currency():
    deal = Deal().signed()
    ref = allotted(deal, quota(currency="USD", amount_minor=100))
    tree = drawn(deal.lease, None, currency="USD", amount_minor=1)
    return put(deal, deal.lessee, tree, ref)


@alone("quota.other_measure")
def hours_drawn_on_money():
    deal = Deal().signed()
    ref = allotted(deal, quota(currency="EUR", amount_minor=100))
    return put(deal, deal.lessee, drawn(deal.lease), ref)


@alone("quota.exceeded")
def more_than_is_left():
    deal = Deal().signed()
    ref = allotted(deal)
    deal.table.act(deal.lessee, drawn(deal.lease, 3_000_000), ref)
    return put(deal, deal.lessee, drawn(deal.lease, 600_001), ref)


@alone("quota.exceeded")
def more_money_than_is_left():
    deal = Deal().signed()
    ref = allotted(deal, quota(currency="EUR", amount_minor=100))
    return put(deal, deal.lessee, drawn(deal.lease, None, currency="EUR", amount_minor=101), ref)
