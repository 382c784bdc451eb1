"""Custody chains, lead times of batches, and the census of chips."""

from play import DAY, HOUR, Deal, Table, key, papers
from play.deal import WEEK
from play.machines import CHIP_A, SERIAL, hand_over, moved, owned, received, registered, send
from play.papers import H100, START, delivery, ended, simple
from pseudoledger.contract.agenda import agenda
from pseudoledger.contract.census import census
from pseudoledger.contract.custody import custody_chain
from pseudoledger.contract.lead_times import lead_times
from pseudoledger.contract.things.asset import Asset


def chain(deal):
    return custody_chain(deal.table.book, deal.asset, deal.table.now)


def test_a_chain_names_holders_countries_gaps_and_returns():
    deal = owned()
    send(deal, deal.broker)
    deal.table.later(DAY)
    send_again = deal.table.act(deal.lessor, moved(deal.lessee.did, number="W2"), deal.asset)
    deal.table.later(3 * DAY)
    deal.table.act(deal.lessee, received(send_again, "FR"), deal.asset)
    deal.table.later(HOUR)
    hand_over(deal, deal.lessor, "return", who=deal.lessee, country="DE")
    found = chain(deal)
    assert [step.held_by for step in found.steps] == [deal.lessor.did, deal.lessee.did, deal.lessor.did]
    assert found.countries == ("DE", "FR", "DE")
    assert found.returns == 1
    assert [(gap.sort, gap.count) for gap in found.gaps] == [("never received", 1), ("in transit", 1)]
    assert found.gaps[1].until - found.gaps[1].since == 3 * DAY
    assert [step.until for step in found.steps] == [step.since for step in found.steps[1:]] + [None]


def test_what_is_on_its_way_is_a_gap_and_a_task():
    deal = owned()
    send(deal, deal.lessee)
    deal.table.later(DAY)
    (gap,) = chain(deal).gaps
    assert (gap.sort, gap.until - gap.since) == ("on its way", DAY)
    tasks = agenda(deal.table.book, deal.lessee.did, deal.table.now)
    assert ("asset.received",) in [task.answers for task in tasks]


def test_a_sale_makes_an_owner():
    deal = hand_over(owned(), key("buyer"), "sale")
    assert deal.table.book.get(Asset, deal.asset).owned_by == key("buyer").did


def test_a_chain_names_the_leases_that_it_was_delivered_under():
    deal = owned(Deal().running(), parts=[CHIP_A])
    deal.table.act(deal.lessor, delivery(("h100", 1), serials=[CHIP_A]), deal.lease)
    assert chain(deal).leases == (deal.lease,)


def test_a_machine_of_the_head_lessor_is_sublet():
    from alone_lease import sublet

    head = owned(Deal().signed())
    tenant, lease = sublet(head, {"/lines/0/count": 2})
    head.table.act(tenant, simple("lease.signed"), lease)
    tree = delivery(("h100", 1), serials=[SERIAL])
    assert head.table.codes(head.lessee, tree, lease) == frozenset()
    hand_over(head, head.stranger)
    assert head.table.codes(head.lessee, tree, lease) == {"serial.not_held"}


# Lead times.


def test_lead_times_of_batches():
    """Of four chips three come first; the fourth is in use once a week needs more than three."""
    deal = Deal().running()
    first = deal.table.act(deal.lessor, delivery(("h100", 3)), deal.lease)
    deal.table.later(2 * DAY)
    deal.table.act(deal.lessee, simple("delivery.accepted", delivery=first), deal.lease)
    since = deal.table.now
    second = deal.table.act(deal.lessor, delivery(("h100", 1), number="V2"), deal.lease)
    deal.table.later(DAY)
    deal.table.act(deal.lessee, simple("delivery.accepted", delivery=second), deal.lease)
    reading = 0
    for week, used in enumerate((0, 2, 4)):
        start = since + week * WEEK
        reading += used * WEEK - (used == 4) * HOUR
        deal.table.at(start + WEEK)
        deal.table.act(deal.lessor, papers.usage("h100", start, start + WEEK, reading), deal.lease)
    one, two = lead_times(deal.table.book, deal.table.now, deal.lease)
    assert one.accepted_at == since
    assert (one.to_acceptance_s, one.to_usage_s) == (2 * DAY, 2 * DAY + WEEK)
    assert two.first_usage_at == since + 2 * WEEK
    assert two.to_acceptance_s == DAY


def test_a_batch_that_nobody_used_has_no_first_use():
    deal = Deal().handed_over()
    (waiting,) = lead_times(deal.table.book, deal.table.now)
    assert (waiting.answer, waiting.accepted_at, waiting.first_usage_at) == ("waiting", None, None)
    deal.table.later(3 * DAY)
    (taken,) = lead_times(deal.table.book, deal.table.now)
    assert (taken.answer, taken.to_acceptance_s, taken.to_usage_s) == ("deemed", 3 * DAY, None)


# The census.


def counted(table, party):
    return {item.chip: item for item in census(table.book, table.now) if item.party == party.did}


def levels(holding):
    return (holding.total, holding.attested, holding.delivered, holding.declared)


def seen(subject, count, *, about=None, tier="inspected", number="C1", who=None):
    chips = [{"chip": H100, "count": count}]
    valid = papers.period(START, START + 100 * DAY)
    tree = simple(
        "claim.attested", number=number, claim="chip_inventory", tier=tier, valid=valid, chips=chips
    )
    return tree | ({"about": about} if about else {})


def test_every_chip_is_counted_once_at_the_strongest_word():
    deal = Deal().offered()
    assert levels(counted(deal.table, deal.lessor)[H100]) == (8, 0, 0, 8)
    deal.delivered()
    assert levels(counted(deal.table, deal.lessor)[H100]) == (8, 0, 4, 4)
    deal.table.act(deal.broker, seen(deal.lessor, 3), deal.lessor.did)
    assert levels(counted(deal.table, deal.lessor)[H100]) == (8, 3, 1, 4)
    deal.table.act(deal.stranger, seen(deal.lessor, 10), deal.lessor.did)
    found = counted(deal.table, deal.lessor)[H100]
    assert levels(found) == (8, 8, 0, 0)
    assert found.beyond == 2
    assert found.attestors == tuple(sorted((deal.broker.did, deal.stranger.did)))


def test_an_attestor_that_speaks_twice_of_a_pool_counts_once():
    deal = Deal().offered()
    deal.table.act(deal.broker, seen(deal.lessor, 3, about=deal.pool), deal.lessor.did)
    deal.table.act(deal.broker, seen(deal.lessor, 2, about=deal.pool, number="C2"), deal.lessor.did)
    deal.table.act(deal.broker, seen(deal.lessor, 4, number="C3"), deal.lessor.did)
    assert counted(deal.table, deal.lessor)[H100].attested == 4


def test_a_partys_own_word_attests_nothing():
    deal = Deal().offered()
    tree = seen(deal.lessor, 8, tier="declared")
    if not deal.table.codes(deal.lessor, tree, deal.lessor.did):
        deal.table.act(deal.lessor, tree, deal.lessor.did)
    assert counted(deal.table, deal.lessor)[H100].attested == 0


def test_silence_says_nothing_about_chips():
    deal = Deal().handed_over()
    deal.table.later(4 * DAY)
    assert counted(deal.table, deal.lessor)[H100].delivered == 0


def test_chips_leased_one_after_the_other_are_the_same_chips():
    deal = Deal().delivered()
    deal.table.act(deal.lessee, ended(1), deal.lease)
    other = Deal(deal.table, name="2")
    other.lessor, other.pool, other.offer = deal.lessor, deal.pool, deal.offer
    other.delivered()
    assert counted(deal.table, deal.lessor)[H100].delivered == 4


def test_a_sublease_hands_on_the_same_chips():
    from alone_lease import sublet

    head = Deal().delivered()
    tenant, lease = sublet(head, {"/lines/0/count": 2})
    head.table.act(tenant, simple("lease.signed"), lease)
    ref = head.table.act(head.lessee, delivery(("h100", 2)), lease)
    head.table.act(tenant, simple("delivery.accepted", delivery=ref), lease)
    assert sum(item.total for item in census(head.table.book, head.table.now) if item.chip == H100) == 8


def test_a_machine_is_counted_where_it_is_held():
    table = Table()
    owner, holder = Deal(table), Deal(table, name="2")
    owner.offered()
    holder.offered()
    owned(owner)
    assert levels(counted(table, owner.lessor)[H100]) == (8, 0, 0, 8)
    hand_over(owner, holder.lessor)
    assert counted(table, owner.lessor)[H100].total == 0
    assert counted(table, owner.lessor)[H100].elsewhere == 8
    assert levels(counted(table, holder.lessor)[H100]) == (8, 0, 0, 8)
    assert counted(table, holder.lessor)[H100].registered == 8


def test_a_machine_that_was_sold_is_counted_with_its_buyer_alone():
    table = Table()
    seller, buyer = Deal(table), Deal(table, name="2")
    seller.offered()
    owned(seller)
    hand_over(seller, buyer.lessor, "sale")
    found = counted(table, seller.lessor)[H100]
    assert (found.total, found.gone, found.elsewhere) == (0, 8, 0)
    assert counted(table, buyer.lessor)[H100].total == 8
    # The buyer declares it in a pool of its own, and sells it on.
    buyer.offered()
    hand_over(seller, seller.stranger, "sale", who=buyer.lessor)
    assert counted(table, buyer.lessor)[H100].total == 0
    assert counted(table, seller.stranger)[H100].total == 8


def test_a_pool_declared_before_a_machine_came_does_not_shrink_when_it_leaves():
    table = Table()
    owner, keeper = Deal(table), Deal(table, name="2")
    keeper.offered()
    owned(owner)
    hand_over(owner, keeper.lessor, "storage")
    hand_over(owner, owner.lessor, "return", who=keeper.lessor)
    assert counted(table, keeper.lessor)[H100].total == 8
    assert counted(table, keeper.lessor)[H100].gone == 0


def test_machines_beyond_the_pools_count_too():
    deal = Deal()
    deal.table.act(deal.stranger, registered())
    assert levels(counted(deal.table, deal.stranger)[H100]) == (8, 0, 0, 8)
