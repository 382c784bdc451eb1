"""The life of a machine: the lessor owns it, the lessee is the one it goes to."""

from lives import Life

from play import Deal
from play.machines import SERIAL, hand_over, moved, owned, received, registered, send
from play.papers import delivery


def _asset(*steps):
    def state():
        deal = owned(Deal().signed())
        for step in steps:
            if step == "sent":
                send(deal, deal.lessee)
            elif step == "handed over":
                hand_over(deal, deal.lessee)
            elif step == "sold":
                hand_over(deal, deal.lessee, "sale")
            elif step == "handed on":
                hand_over(deal, deal.stranger, who=deal.lessee)
            elif step == "returned":
                hand_over(deal, deal.lessor, "return", who=deal.lessee)
        return deal

    return state


def _about(tree):
    return lambda deal, _who: (tree(deal), deal.asset)


ASSET = Life(
    states={
        "registered": _asset(),
        "on its way": _asset("sent"),
        "handed over": _asset("handed over"),
        "handed over and on": _asset("handed over", "handed on"),
        "returned": _asset("handed over", "returned"),
        "sold": _asset("sold"),
    },
    events={
        "asset.registered again": lambda _deal, _who: (registered(number="S2"), None),
        "asset.moved": _about(lambda deal: moved(deal.broker.did, number="W9")),
        "asset.moved, a sale": _about(lambda deal: moved(deal.broker.did, "sale", number="W9")),
        "asset.moved, a return to the lessor": _about(
            lambda deal: moved(deal.lessor.did, "return", number="W9")
        ),
        "asset.received": _about(lambda deal: received(deal.move)),
        "delivery.offered": lambda deal, _who: (delivery(("h100", 1), serials=[SERIAL]), deal.lease),
    },
)

LIVES = {"asset": ASSET}
