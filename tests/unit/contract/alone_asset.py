"""Scenarios of the family asset, and of what it changes about deliveries."""

from alone import alone, put

from play import Deal, key
from play.machines import CHIP_A, CHIP_B, SERIAL, hand_over, moved, owned, received, registered, send
from play.papers import NOWHERE, adopted, delivery, handover


def moving(deal, to, reason="lease", who=None):
    return put(deal, who or deal.lessor, moved(to.did, reason, number="W9"), deal.asset)


def receiving(deal, who, move=None, **changes):
    return put(deal, who, received(move or deal.move, **changes), deal.asset)


@alone("asset.parts")
def parts_are_sorted():
    deal = Deal()
    return put(deal, deal.lessor, registered(parts=[CHIP_B, CHIP_A]))


@alone("asset.parts")
def parts_are_no_more_than_chips():
    deal = Deal()
    return put(deal, deal.lessor, registered(parts=[CHIP_A, CHIP_B], count=1))


@alone("asset.registered")
def a_machine_is_registered_once():
    deal = owned()
    return put(deal, deal.lessee, registered(number="S2"))


@alone("asset.registered")
def a_chip_is_in_one_machine():
    deal = owned(parts=[CHIP_A])
    return put(deal, deal.lessor, registered("cc" * 32, number="S2", parts=[CHIP_A]))


@alone("asset.registered")
def a_chip_is_no_machine_beside():
    deal = owned(parts=[CHIP_A])
    return put(deal, deal.lessor, registered(CHIP_A, number="S2"))


@alone("asset.delivered_by_other")
def what_another_has_delivered_is_not_registered():
    deal = Deal().signed()
    deal.table.act(deal.lessor, delivery(("h100", 1), serials=[SERIAL]), deal.lease)
    return put(deal, deal.stranger, registered())


@alone("place.subdivision")
def a_machine_stands_at_one_place():
    deal = Deal()
    return put(deal, deal.lessor, registered(subdivision="FR-75C"))


@alone("asset.not_holder")
def only_the_holder_sends_it_on():
    deal = owned()
    return moving(deal, deal.lessee, who=deal.stranger)


@alone("asset.not_holder")
def an_owner_that_gave_it_away_does_not_send_it_on():
    deal = owned()
    hand_over(deal, deal.lessee)
    return moving(deal, deal.stranger)


@alone("asset.not_owned")
def only_the_owner_sells():
    deal = owned()
    hand_over(deal, deal.lessee)
    return moving(deal, deal.stranger, "sale", who=deal.lessee)


@alone("asset.not_back")
def a_return_goes_back():
    deal = owned()
    hand_over(deal, deal.lessee)
    return moving(deal, deal.stranger, "return", who=deal.lessee)


@alone("identity.key_retired")
def a_machine_is_sent_to_the_key_that_acts():
    deal = owned()
    fresh = key("fresh lessee")
    change = deal.table.act(deal.lessee, handover("identity.rotated", fresh.did), deal.lessee.did)
    deal.table.act(fresh, adopted(change), deal.lessee.did)
    return moving(deal, deal.lessee)


@alone("asset.no_move")
def what_was_not_sent_is_not_received():
    deal = owned()
    return receiving(deal, deal.lessee, NOWHERE)


@alone("asset.no_move")
def a_move_that_was_replaced_is_not_received():
    deal = owned()
    send(deal, deal.lessee)
    first = deal.move
    deal.table.act(deal.lessor, moved(deal.lessee.did, number="W2"), deal.asset)
    return receiving(deal, deal.lessee, first)


@alone("asset.not_receiver")
def only_the_named_receiver_signs():
    deal = owned()
    send(deal, deal.lessee)
    return receiving(deal, deal.stranger)


@alone("place.subdivision")
def a_machine_is_received_at_one_place():
    deal = owned()
    send(deal, deal.lessee)
    return receiving(deal, deal.lessee, subdivision="DE-BE")


@alone("serial.not_held")
def what_somebody_else_holds_is_not_delivered():
    deal = owned(Deal().signed())
    hand_over(deal, deal.stranger)
    return put(deal, deal.lessor, delivery(("h100", 1), serials=[SERIAL]), deal.lease)


@alone("serial.not_held")
def a_chip_of_somebody_elses_machine_is_not_delivered():
    deal = Deal().signed()
    deal.table.act(deal.stranger, registered(parts=[CHIP_A]))
    return put(deal, deal.lessor, delivery(("h100", 1), serials=[CHIP_A]), deal.lease)


@alone("serial.leased_twice")
def a_registered_machine_is_in_one_lease_too():
    deal = owned(Deal().signed())
    other = Deal(deal.table, name="2")
    other.lessor = deal.lessor
    other.signed()
    deal.table.act(deal.lessor, delivery(("h100", 1), serials=[SERIAL]), deal.lease)
    return put(deal, deal.lessor, delivery(("h100", 1), serials=[SERIAL]), other.lease)
