"""The second act ends: a dispute is decided, the credit note follows, and sealed names are opened to an auditor."""

from __future__ import annotations

from pseudoledger.contract.things.voucher import Presentation
from pseudoledger.demo.billing import draft_payment
from pseudoledger.demo.city import ARBITER, AUDITOR, CENTRE, LAB, NOTARY, City
from pseudoledger.demo.grant import billed, settle
from pseudoledger.demo.stage import Stage
from pseudoledger.market.invoicing import draft_credit
from pseudoledger.statement import sealed

DISPUTED_MINOR, ADMITTED_MINOR, AWARDED_MINOR = 1_200_00, 400_00, 300_00
OPENED = ("/terms/lessee_name", "/terms/facility/site")
"""Fields of the lease that the laboratory opens to the auditor."""


def dispute(stage: Stage, city: City) -> None:
    """A part of the invoice is disputed, answered and decided by the arbiter that the terms name."""
    opened = {
        "type": "dispute.opened",
        "number": "D-1",
        "matter": {"invoice": city.invoice, "amount_minor": DISPUTED_MINOR},
        "reason": "quality",
        "remark": "the link was slow for two days",
    }
    ref = stage.act(
        LAB, opened, city.lease, says="disputes 1,200.00 USD of the invoice: the amount is frozen"
    )
    stage.until("2026-06-05T09:00:00Z")
    answered = {"type": "dispute.answered", "admitted": ADMITTED_MINOR, "remark": "one day was slow"}
    stage.act(CENTRE, answered, ref, says="admits 400.00 USD, which binds at once")
    stage.refused(
        CENTRE,
        {"type": "dispute.decided", "awarded": 0},
        ref,
        says="tries to decide the rest itself",
    )
    stage.until("2026-06-10T09:00:00Z")
    decided = {"type": "dispute.decided", "awarded": AWARDED_MINOR, "remark": "the logs of the second day"}
    stage.act(
        ARBITER, decided, ref, says=f"awards {LAB} 300.00 USD of the rest: the centre owes a credit note"
    )


def credit(stage: Stage, city: City) -> None:
    """The centre credits what was admitted and awarded; the city's share of it goes back to the city."""
    (line,) = billed(stage, city).lines
    tree = draft_credit(stage.book, city.invoice, {line: ADMITTED_MINOR + AWARDED_MINOR}, "dispute")
    stage.act(
        CENTRE,
        {**tree, "number": "C-1"},
        city.invoice,
        says=f"credits {LAB} {tree['total_minor'] / 100:,.2f} USD, as decided",
    )
    held = stage.book.get(Presentation, city.presentation)
    assert held is not None, "it was presented"
    back = held.settled_minor - held.redeemed_minor
    settle(
        stage,
        city,
        held.redeemed_minor,
        "VS-2",
        says=f"has {back / 100:,.2f} USD back: its part of the credit, not the laboratory's",
    )


def pay(stage: Stage, city: City) -> None:
    """The laboratory pays what the voucher and the credit note left open."""
    left = billed(stage, city).open_minor
    settles = [{"invoice": city.invoice, "amount_minor": left}]
    ref = stage.act(
        LAB,
        draft_payment(stage, LAB, CENTRE, settles),
        says=f"declares its payment of the rest, {left / 100:,.2f} USD, by reference",
    )
    stage.act(CENTRE, {"type": "payment.confirmed"}, ref, says=f"confirms the payment of {LAB}: settled")


def disclose(stage: Stage, city: City) -> None:
    """Sealed names are opened to the auditor, by files beside the ledger; the ledger says to whom."""
    _show(stage, NOTARY, city.kyc, ("/subject_name",), says=f"opens the sealed name of {LAB} to the auditor")
    _show(stage, LAB, city.lease, OPENED, says="opens its name and the site in the lease to the auditor")


def _show(stage: Stage, who: str, statement: str, fields: tuple[str, ...], *, says: str) -> None:
    texts = stage.hand_over(statement, fields)
    tree = {
        "type": "disclosure.shown",
        "number": f"DS-{statement[:6]}",
        "statement": statement,
        "reader": stage.did(AUDITOR),
        "opened": sorted(sealed.disclosure_digest(text) for text in texts),
        "remark": "asked for in an audit",
    }
    stage.act(who, tree, says=says)
