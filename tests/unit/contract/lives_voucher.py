"""The lives of programmes and vouchers: issuer, holder, lessor and a stranger."""

from lives import Life

from play import START
from play.papers import DAY, credit, ended, simple
from play.vouchers import (
    ISSUER,
    PART,
    Grant,
    clawed_back,
    issued,
    presented,
    redeemed,
    released,
    reserved,
    settled,
    taken_back,
    withdrawn,
)
from pseudoledger.contract.things.voucher import Presentation

ROLES = ("issuer", "holder", "lessor", "stranger")


def _programme(*steps):
    def state():
        grant = Grant(budget_minor=2_000_000)
        for step in steps:
            if step == "spent":
                grant.issued(face_minor=1_500_000)
            elif step == "withdrawn":
                grant.table.act(ISSUER, withdrawn(), grant.voucher)
            elif step == "over":
                grant.table.at(START + 200 * DAY)
        return grant

    return state


PROGRAMME = Life(
    states={
        "running": _programme(),
        "budget spent": _programme("spent"),
        "budget spent, withdrawn": _programme("spent", "withdrawn"),
        "over": _programme("over"),
    },
    events={
        "voucher.issued": lambda grant, _who: (
            issued(grant.holder.did, "V9", face_minor=1_000_000),
            grant.programme,
        ),
    },
    roles=ROLES,
)

SHORT = PART - 1_000
"""A redemption that leaves some of the share open."""


def _voucher(*steps):
    """A voucher whose lease has an invoice, whatever happened to the voucher."""

    def state():
        grant = Grant().issued()
        grant.deal.invoiced()
        for step in steps:
            _STEPS[step](grant)
        return grant

    return state


def _lapse(grant):
    grant.table.at(START + 130 * DAY)


_STEPS = {
    "reserved": lambda grant: grant.table.act(grant.holder, reserved(grant.deal.lease, 5_000), grant.voucher),
    "presented": lambda grant: grant.presented(SHORT),
    "released": lambda grant: grant.table.act(grant.holder, taken_back(grant.presentation), grant.voucher),
    "redeemed": lambda grant: grant.redeemed(SHORT),
    "settled": lambda grant: grant.settled(SHORT),
    "credited": lambda grant: grant.table.act(
        grant.lessor, credit([("h100", 50_000)], number="C0"), grant.deal.invoice
    ),
    "clawed back": lambda grant: grant.table.act(
        ISSUER, clawed_back(grant.presentation, SHORT, "K0"), grant.voucher
    ),
    "revoked": lambda grant: grant.table.act(ISSUER, withdrawn(), grant.voucher),
    "lapsed": _lapse,
}


def _standing(grant):
    """What stands redeemed of the presentation, as the steps left it."""
    held = grant.table.book.get(Presentation, grant.presentation)
    return held.redeemed_minor if held else 0


def _of(tree):
    return lambda grant, _who: (tree(grant), grant.voucher)


def _on_invoice(tree):
    return lambda grant, _who: (tree(grant), grant.deal.invoice)


def _named(grant):
    return grant.presentation or "0f" * 32


VOUCHER = Life(
    states={
        "issued": _voucher(),
        "reserved": _voucher("reserved"),
        "presented": _voucher("presented"),
        "presented, released": _voucher("presented", "released"),
        "redeemed": _voucher("redeemed"),
        "settled": _voucher("settled"),
        "settled, credited": _voucher("settled", "credited"),
        "settled, clawed back": _voucher("settled", "clawed back"),
        "revoked": _voucher("revoked"),
        "reserved, revoked": _voucher("reserved", "revoked"),
        "presented, revoked": _voucher("presented", "revoked"),
        "presented, lapsed": _voucher("presented", "lapsed"),
        "redeemed, lapsed": _voucher("redeemed", "lapsed"),
    },
    events={
        "voucher.reserved": _of(lambda grant: reserved(grant.deal.lease, 1_000, "R9")),
        "voucher.released": _of(lambda grant: released(grant.deal.lease, 1_000, "F8")),
        "voucher.released, a presentation": _of(lambda grant: taken_back(_named(grant), "F9")),
        "voucher.presented": _of(lambda grant: presented(grant.lessor.did, grant.deal.invoice, 1_000, "S9")),
        "voucher.redeemed": _of(lambda grant: redeemed(_named(grant), 1_000)),
        "voucher.settled": _of(lambda grant: settled(_named(grant), _standing(grant), "T9", "CITY9")),
        "voucher.clawed_back": _of(lambda grant: clawed_back(_named(grant), 1_000, "K9")),
        "voucher.revoked": _of(lambda _: withdrawn()),
        "invoice.cancelled": _on_invoice(lambda _: simple("invoice.cancelled")),
        "credit.issued": _on_invoice(lambda _: credit([("h100", 1_000)], number="C9")),
        "lease.ended 20001": lambda grant, _who: (ended(20_001, grant.voucher), grant.deal.lease),
    },
    roles=ROLES,
)

LIVES = {"programme": PROGRAMME, "voucher": VOUCHER}
