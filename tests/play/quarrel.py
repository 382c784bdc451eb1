"""Disputes over what a deal left: papers, and a deal whose terms name an arbiter."""

from __future__ import annotations

from typing import Any

from play import papers
from play.deal import Deal
from play.papers import Tree
from play.table import Table, key

ARBITER = key("arbiter")


def quarrelsome(table: Table | None = None, **members: Any) -> Deal:
    """A deal whose terms name an arbiter, who has seven days' answer and fourteen days to decide."""
    terms = {"/arbiter": ARBITER.did, **members.pop("terms", {})}
    deal = Deal(table, terms=terms, **members)
    deal.arbiter = ARBITER
    deal.dispute = papers.NOWHERE
    return deal


def opened(matter: Tree, *, number: str = "Q1", **changes: Any) -> Tree:
    return papers.simple(
        "dispute.opened", number=number, matter=matter, reason="quantity", remark="we counted", **changes
    )


def of_invoice(invoice: str, amount_minor: int) -> Tree:
    return {"invoice": invoice, "amount_minor": amount_minor}


def of_usage(report: str, chip_seconds: int) -> Tree:
    return {"usage": report, "chip_seconds": chip_seconds}


def of_delivery(delivery: str, count: int) -> Tree:
    return {"delivery": delivery, "count": count}


def answered(admitted: int) -> Tree:
    return papers.simple("dispute.answered", admitted=admitted, remark="they did not")


def decided(awarded: int) -> Tree:
    return papers.simple("dispute.decided", awarded=awarded, remark="on the evidence")


def open_about(deal: Deal, matter: Tree, who=None, number: str = "Q1") -> Deal:
    """A dispute is open, the lessee's where nobody else is named."""
    deal.dispute = deal.table.act(who or deal.lessee, opened(matter, number=number), deal.lease)
    return deal


def answer(deal: Deal, admitted: int = 0, who=None) -> Deal:
    deal.table.act(who or deal.lessor, answered(admitted), deal.dispute)
    return deal


def decide(deal: Deal, awarded: int) -> Deal:
    deal.table.act(ARBITER, decided(awarded), deal.dispute)
    return deal
