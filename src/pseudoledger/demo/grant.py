"""The second act goes on: the city's centre leases its machine out, and a voucher pays for a part of the invoice."""

from __future__ import annotations

from typing import Any

from pseudoledger.contract.ruleset import tables_for
from pseudoledger.contract.templates import Choice, Deal, draft_terms, load
from pseudoledger.contract.things import Invoice, Offer
from pseudoledger.demo.city import ARBITER, CENTRE, CENTRE_NAME, CHIP, CITY, LAB, NAME, City
from pseudoledger.demo.stage import Stage
from pseudoledger.market.invoicing import draft_invoices, unbilled_usage
from pseudoledger.statement.values import Period, format_instant

PERIOD = {"from": "2026-05-01T00:00:00Z", "until": "2026-05-31T00:00:00Z"}
PRICE_MICRO = 2_235_000
"""Of one chip for an hour: 17.88 USD for eight."""
LINE = "chip"
PART_BPS = 4500


def lease(stage: Stage, city: City) -> None:
    """The centre offers its machine, the laboratory takes it for a month and sets a part of its voucher aside."""
    offer = _offer(stage)
    offered = stage.book.get(Offer, offer)
    assert offered is not None, "it was published just now"
    deal = Deal(
        lessor=stage.did(CENTRE),
        lessee=stage.did(LAB),
        choices=(Choice(offer_id=offer, offer=offered, offer_line=LINE, count=8, purpose="infer"),),
        period=Period.model_validate(PERIOD),
        arbiter=stage.did(ARBITER),
        sealed={
            "lessor_name": CENTRE_NAME,
            "lessee_name": NAME,
            "workload": "a weather model answers questions",
        },
    )
    terms = draft_terms(load("on-demand"), deal)
    terms["facility"] = {**terms["facility"], "site": "Quillmere, hall one"}
    tree = {
        "type": "lease.proposed",
        "number": f"L-{LAB}",
        "answers": offer,
        "valid_to": format_instant(stage.now + 86_400),
        "terms": terms,
    }
    city.lease = stage.act(LAB, tree, says=f"proposes a lease to {CENTRE}; its name and the site are sealed")
    stage.act(CENTRE, {"type": "lease.signed"}, city.lease, says=f"signs the lease with {LAB}")
    reserved = {
        "type": "voucher.reserved",
        "number": "VR-1",
        "lease": city.lease,
        "amount_minor": 5_793_12,
    }
    stage.act(LAB, reserved, city.voucher, says="sets 5,793.12 USD of its voucher aside for the lease")


def _offer(stage: Stage) -> str:
    line = {"id": LINE, "resource": "chip", "chip": CHIP, "count": 8}
    pool = stage.act(CENTRE, {"type": "pool.declared", "number": "P-1", "lines": [line]})
    tree: dict[str, Any] = {
        "type": "offer.published",
        "number": "O-1",
        "pool": pool,
        "lines": [{**line, "pool_line": LINE}],
        "facility": {"country": "DE"},
        "tariff": {
            "currency": "USD",
            "lines": [{"line": LINE, "basis": "metered", "price_micro": PRICE_MICRO}],
        },
        "length_min": "P1D",
        "length_max": "P60D",
        "available": {"from": "2026-05-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"},
    }
    return stage.act(CENTRE, tree, says="offers eight H200 in DE at 17.88 USD an hour")


def deliver(stage: Stage, city: City) -> None:
    """The machine is handed over under its serial digest."""
    tree = {
        "type": "delivery.offered",
        "number": "B-1",
        "lines": [{"line": LINE, "count": 8}],
        "serials": [city.serial],
    }
    delivery = stage.act(CENTRE, tree, city.lease, says="hands the machine over, by its serial digest")
    stage.act(LAB, {"type": "delivery.accepted", "delivery": delivery}, city.lease)


def bill(stage: Stage, city: City) -> None:
    """720 hours are reported, confirmed and invoiced."""
    tree = {
        "type": "usage.reported",
        "line": LINE,
        "period": PERIOD,
        "chip_seconds": 8 * 720 * 3600,
        "downtime_s": 0,
    }
    usage = stage.act(CENTRE, tree, city.lease)
    stage.act(LAB, {"type": "usage.confirmed", "report": usage}, city.lease)
    stage.note("everybody", f"720 hours of eight chips were reported by {CENTRE} and confirmed by {LAB}")
    stage.until("2026-06-01T09:00:00Z")
    tables, reports = tables_for(stage.registrar.state.pins), unbilled_usage(stage.book)
    (draft,) = draft_invoices(stage.book, tables, city.lease, reports[city.lease], stage.now)
    number = f"2026-05-{LAB}-1"
    city.invoice = stage.act(
        CENTRE,
        draft.numbered(number),
        city.lease,
        says=f"invoices {LAB} {draft.tree['total_minor'] / 100:,.2f} USD ({number})",
    )


def redeem(stage: Stage, city: City) -> None:
    """The voucher covers its share of the invoice, once."""
    part = billed(stage, city).total_minor * PART_BPS // 10_000
    presented = {
        "type": "voucher.presented",
        "number": "VP-1",
        "lessor": stage.did(CENTRE),
        "invoice": city.invoice,
        "amount_minor": part,
    }
    city.presentation = stage.act(
        LAB, presented, city.voucher, says=f"presents {part / 100:,.2f} USD of its voucher: 45 %"
    )
    redeemed = {"type": "voucher.redeemed", "presentation": city.presentation, "amount_minor": part}
    stage.act(CENTRE, redeemed, city.voucher, says="redeems it: the invoice is open by as much less")
    stage.refused(CENTRE, redeemed, city.voucher, says="redeems the same a second time")
    stage.until("2026-06-02T09:00:00Z")
    settle(stage, city, part, "VS-1", says="pays the centre what it redeemed, and says so: settled")


def settle(stage: Stage, city: City, settled_minor: int, number: str, *, says: str) -> None:
    """The city says what it has paid the centre in all."""
    tree = {
        "type": "voucher.settled",
        "number": number,
        "presentation": city.presentation,
        "settled_minor": settled_minor,
        "references": [{"scheme": "SWIFT", "value": f"QUILLMERE {number}"}],
    }
    stage.act(CITY, tree, city.voucher, says=says)


def billed(stage: Stage, city: City) -> Invoice:
    """Return the invoice as it stands."""
    found = stage.book.get(Invoice, city.invoice)
    assert found is not None, "it was issued"
    return found
