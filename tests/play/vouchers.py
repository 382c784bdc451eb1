"""Programmes and vouchers: payloads in the clear, and a deal with a voucher beside it, played step by step."""

from __future__ import annotations

from typing import Any

from play.claims import claim
from play.deal import WEEK, Deal
from play.papers import DAY, START, Tree, _paper, changed, instant, net_of, period
from play.table import key

ISSUER, NOTARY, REGISTRY = key("city office"), key("notary of the programme"), key("persons registry")
STATE_RUN, OTHER = "state-run", "other"
NET = net_of(2_235_000, 4 * WEEK)
"""Net of the deal's invoice over one week."""
PART = NET * 4_500 // 10_000
"""What vouchers cover of it at a state-run facility."""
FACE = 1_000_000


def programme(lessor: str, **changes: Any) -> Tree:
    tree = _paper(
        "programme.declared",
        number="PR1",
        title="Compute for all",
        currency="EUR",
        budget_minor=3_000_000,
        face_min_minor=1_000,
        face_max_minor=2_000_000,
        classes=[
            {"facility_class": STATE_RUN, "share_bps": 4500},
            {"facility_class": OTHER, "share_bps": 2000},
        ],
        facilities=[{"lessor": lessor, "facility_class": STATE_RUN, "name": "First Hall"}],
        facility_attestors=[],
        conditions=[],
        restore=False,
        period=period(START, START + 200 * DAY),
        redeem_within="P30D",
    )
    return {**tree, **changes}


def issued(holder: str, number: str = "V1", **changes: Any) -> Tree:
    tree = _paper(
        "voucher.issued",
        number=number,
        holder=holder,
        face_minor=FACE,
        period=period(START, START + 100 * DAY),
        remark="first round",
    )
    return {**tree, **changes}


def reserved(lease: str, amount: int, number: str = "R1") -> Tree:
    return _paper("voucher.reserved", number=number, lease=lease, amount_minor=amount)


def released(lease: str, amount: int, number: str = "F1") -> Tree:
    held = {"lease": lease, "amount_minor": amount}
    return _paper("voucher.released", number=number, reserved=held)


def taken_back(presentation: str, number: str = "F1") -> Tree:
    return _paper("voucher.released", number=number, presentation=presentation)


def presented(lessor: str, invoice: str, amount: int, number: str = "S1") -> Tree:
    return _paper("voucher.presented", number=number, lessor=lessor, invoice=invoice, amount_minor=amount)


def redeemed(presentation: str, amount: int) -> Tree:
    return _paper("voucher.redeemed", presentation=presentation, amount_minor=amount)


def settled(presentation: str, amount: int, number: str = "T1", reference: str = "CITY1") -> Tree:
    return _paper(
        "voucher.settled",
        number=number,
        presentation=presentation,
        settled_minor=amount,
        references=[{"scheme": "SEPA", "value": reference}],
    )


def clawed_back(presentation: str, amount: int, number: str = "K1") -> Tree:
    return _paper(
        "voucher.clawed_back",
        number=number,
        presentation=presentation,
        amount_minor=amount,
        reason="condition",
        remark="the project ended",
    )


def withdrawn() -> Tree:
    return _paper("voucher.revoked", reason="programme", remark="the budget was cut")


class Grant:
    """A deal, a programme of the city office and a voucher of the lessee; ids stand in its attributes."""

    def __init__(self, deal: Deal | None = None, **members: Any) -> None:
        self.deal = deal or Deal()
        self.table = self.deal.table
        self.issuer, self.lessor, self.holder = ISSUER, self.deal.lessor, self.deal.lessee
        self.stranger = self.deal.stranger
        self.programme = self.table.act(ISSUER, programme(self.lessor.did, **members))
        self.voucher = self.presentation = ""
        self._number = 0

    def number(self, letter: str) -> str:
        self._number += 1
        return f"{letter}-{self._number}"

    def attest(self, whom, sort: str, *, who=NOTARY, changes: Tree | None = None, **members: Any) -> str:
        """A claim in force from now for the whole of the programme."""
        valid = {"from": instant(self.table.now), "until": instant(START + 300 * DAY)}
        tree = claim(sort, changes, number=self.number("C"), valid=valid, **members)
        return self.table.act(who, tree, whom.did)

    def issued(self, **changes: Any) -> Grant:
        if not self.voucher:
            self.voucher = self.table.act(
                ISSUER,
                changed(issued(self.holder.did), {f"/{k}": v for k, v in changes.items()}),
                self.programme,
            )
        return self

    def presented(self, amount: int = PART) -> Grant:
        self.issued()
        self.deal.invoiced()
        if not self.presentation:
            tree = presented(self.lessor.did, self.deal.invoice, amount)
            self.presentation = self.table.act(self.holder, tree, self.voucher)
        return self

    def redeemed(self, amount: int = PART) -> Grant:
        self.presented(amount)
        self.table.act(self.lessor, redeemed(self.presentation, amount), self.voucher)
        return self

    def settled(self, amount: int = PART) -> Grant:
        self.redeemed(amount)
        self.table.act(ISSUER, settled(self.presentation, amount), self.voucher)
        return self
