"""The third act: a hall of many owners, an investor, a quota, and a part of the machines that is let on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pseudoledger.contract.ruleset import tables_for
from pseudoledger.contract.splits import Split, split_invoice
from pseudoledger.contract.templates import Choice, Deal, Sublet, draft_terms, load
from pseudoledger.contract.things import Invoice, Offer
from pseudoledger.demo.billing import draft_payment
from pseudoledger.demo.stage import Stage
from pseudoledger.market.invoicing import draft_invoices, unbilled_usage
from pseudoledger.statement import envelope
from pseudoledger.statement.kinds.billing import InvoiceIssued
from pseudoledger.statement.payload import parse
from pseudoledger.statement.values import Period, format_instant

HALL, FUND, TENANT, TEAM, STUDIO = "tern-hall", "cedar-fund", "dune-research", "dune-vision", "elm-studio"
OWNERS = {"alder-farm": 5, "birch-farm": 4}
"""Owners, and how many of the hall's twelve chips they bring in; the other three are the hall's own."""
CHIP, LINE, COUNT = "nvidia-h100-sxm5-80gb", "chip", 12
PRICE_MICRO, SUBLET_MICRO, SUBLET_COUNT = 2_150_000, 2_600_000, 4
FUND_BPS = 2_500
PERIOD = {"from": "2026-06-20T00:00:00Z", "until": "2026-07-20T00:00:00Z"}
LATER = "2026-08-20T00:00:00Z"
YEAR = {"from": "2026-06-18T00:00:00Z", "until": "2027-06-18T00:00:00Z"}
HOURS = 720
QUOTA_HOURS = 9_000
"""Chip-hours that the tenant allots its team; the lease takes 8,640 of them."""


@dataclass(slots=True)
class Hall:
    """What the scenes of the third act remember: statement ids."""

    pool: str = ""
    stakes: dict[str, str] = field(default_factory=dict)
    lease: str = ""
    sublease: str = ""


def chips_offer(stage: Stage, who: str, *, place: dict[str, str], price_micro: int, count: int) -> str:
    """Declare a pool of chips and offer it; return the offer's id."""
    return _offer(stage, who, _pool(stage, who, count), place=place, price_micro=price_micro, count=count)


def demand_tree(number: str, count: int, window: dict[str, str]) -> dict[str, Any]:
    """Draft a demand for chips, for four weeks of a window, wherever they stand."""
    return {
        "type": "demand.published",
        "number": number,
        "lines": [{"id": LINE, "count": count, "alternatives": [{"resource": "chip", "chip": CHIP}]}],
        "window": window,
        "length": "P28D",
        "purpose": "other",
        "places": [],
        "residency": [],
    }


def _pool(stage: Stage, who: str, count: int) -> str:
    line = {"id": LINE, "resource": "chip", "chip": CHIP, "count": count}
    return stage.act(who, {"type": "pool.declared", "number": "P-1", "lines": [line]})


def _offer(
    stage: Stage,
    who: str,
    pool: str,
    *,
    place: dict[str, str],
    price_micro: int,
    count: int,
    basis: str = "metered",
) -> str:
    line = {"id": LINE, "resource": "chip", "chip": CHIP, "count": count, "pool_line": LINE}
    rate = {"line": LINE, "basis": basis, "price_micro": price_micro}
    tree: dict[str, Any] = {
        "type": "offer.published",
        "number": "O-1",
        "pool": pool,
        "lines": [line],
        "facility": place,
        "tariff": {"currency": "USD", "lines": [rate]},
        "length_min": "P1D",
        "length_max": "P60D",
        "available": {"from": "2026-06-18T00:00:00Z", "until": "2026-12-01T00:00:00Z"},
    }
    return stage.act(who, tree)


def declare(stage: Stage) -> None:
    """Those who join say how they want to be called."""
    stage.introduce(HALL, *OWNERS, FUND, TENANT, TEAM, STUDIO)
    stage.note("everybody", "a hall, two owners of its machines, an investor and three who compute joined")


def share(stage: Stage, hall: Hall) -> None:
    """Owners bring their chips into the hall's pool, and an investor takes a share of one owner's part."""
    hall.pool = _pool(stage, HALL, COUNT)
    for place, (owner, count) in enumerate(OWNERS.items(), 1):
        hall.stakes[owner] = _stake(stage, HALL, hall.pool, f"K-{place}", owner, units=count)
        stage.act(
            owner,
            {"type": "stake.accepted"},
            hall.stakes[owner],
            says=f"brings {count} chips into the pool of {HALL}",
        )
    more = _stake(stage, HALL, hall.pool, "K-3", "birch-farm", units=4)
    stage.refused(
        "birch-farm", {"type": "stake.accepted"}, more, says="accepts four more, of which three are left"
    )
    hall.stakes[FUND] = _stake(stage, "alder-farm", hall.stakes["alder-farm"], "K-1", FUND)
    stage.act(
        FUND,
        {"type": "stake.accepted"},
        hall.stakes[FUND],
        says=f"takes {FUND_BPS // 100} % of what alder-farm's chips earn",
    )


def _stake(stage: Stage, who: str, asset: str, number: str, holder: str, *, units: int = 0) -> str:
    part = {"units": [{"line": LINE, "count": units}]} if units else {"share_bps": FUND_BPS}
    tree = {
        "type": "stake.declared",
        "number": number,
        "asset": asset,
        "holder": stage.did(holder),
        "valid": YEAR,
        "valid_to": "2026-06-25T00:00:00Z",
    }
    return stage.act(who, {**tree, **part})


def lease(stage: Stage, hall: Hall) -> None:
    """One offer over all owners' chips; a tenant takes the whole of it, for its team and within a quota."""
    offer = _offer(
        stage,
        HALL,
        hall.pool,
        place={"country": "FI", "subdivision": "FI-18"},
        price_micro=PRICE_MICRO,
        count=COUNT,
        basis="reserved",
    )
    stage.note(HALL, "offers all twelve as one: whose they are is its owners' affair")
    offered = stage.book.get(Offer, offer)
    assert offered is not None, "it was published just now"
    choice = Choice(offer_id=offer, offer=offered, offer_line=LINE, count=COUNT)
    deal = Deal(
        lessor=stage.did(HALL),
        lessee=stage.did(TENANT),
        choices=(choice,),
        period=Period.model_validate(PERIOD),
    )
    hall.lease = stage.act(TENANT, _proposal(stage, f"L-{TENANT}", deal, offer))
    stage.act(
        HALL, {"type": "lease.signed"}, hall.lease, says=f"leases all {COUNT} to {TENANT} for thirty days"
    )
    _ration(stage, hall)


def _proposal(stage: Stage, number: str, deal: Deal, answers: str) -> dict[str, Any]:
    return {
        "type": "lease.proposed",
        "number": number,
        "answers": answers,
        "valid_to": format_instant(stage.now + 86_400),
        "terms": draft_terms(load("reserved-term"), deal),
    }


def _ration(stage: Stage, hall: Hall) -> None:
    quota = {
        "type": "quota.set",
        "number": "Q-1",
        "drawer": stage.did(TEAM),
        "chip_seconds": QUOTA_HOURS * 3600,
        "period": PERIOD,
    }
    ref = stage.act(TENANT, quota, says=f"allots its team {TEAM} {QUOTA_HOURS:,} chip-hours")
    drawn = {
        "type": "quota.drawn",
        "number": "D-1",
        "lease": hall.lease,
        "chip_seconds": COUNT * HOURS * 3600,
    }
    stage.act(TEAM, drawn, ref, says=f"draws {COUNT * HOURS:,} of them for the lease")
    more = {**drawn, "number": "D-2", "chip_seconds": 1_000 * 3600}
    stage.refused(TEAM, more, ref, says="draws 1,000 more")


def sublet(stage: Stage, hall: Hall) -> None:
    """The tenant lets four of the chips on: never for longer than it has them itself."""
    demand = stage.act(
        STUDIO, demand_tree("june", SUBLET_COUNT, {**PERIOD, "until": LATER}), says="looks for four H100"
    )
    too_long = _proposal(stage, "L-too-long", _subdeal(stage, hall, LATER), demand)
    stage.refused(TENANT, too_long, says="offers four of its chips for a month longer than it has them")
    fitting = _proposal(stage, f"L-{STUDIO}", _subdeal(stage, hall, PERIOD["until"]), demand)
    hall.sublease = stage.act(TENANT, fitting, says=f"offers {STUDIO} the four for as long as it has them")
    stage.act(STUDIO, {"type": "lease.signed"}, hall.sublease, says=f"signs the sublease with {TENANT}")
    stage.act(STUDIO, {"type": "demand.closed"}, demand)


def _subdeal(stage: Stage, hall: Hall, until: str) -> Deal:
    line = Sublet(
        head_id=hall.lease,
        head=stage.terms(hall.lease),
        head_line=LINE,
        count=SUBLET_COUNT,
        price_micro=SUBLET_MICRO,
    )
    return Deal(
        lessor=stage.did(TENANT),
        lessee=stage.did(STUDIO),
        choices=(line,),
        period=Period.model_validate({**PERIOD, "until": until}),
    )


def run(stage: Stage, hall: Hall) -> None:
    """The chips are handed over down the chain, and run for the month."""
    chain = (
        (HALL, TENANT, hall.lease, COUNT),
        (TENANT, STUDIO, hall.sublease, SUBLET_COUNT),
    )
    for lessor, lessee, ref, count in chain:
        offered = {"type": "delivery.offered", "number": "B-1", "lines": [{"line": LINE, "count": count}]}
        delivery = stage.act(lessor, {**offered, "serials": []}, ref)
        stage.act(lessee, {"type": "delivery.accepted", "delivery": delivery}, ref)
    stage.until("2026-07-20T09:00:00Z")
    for lessor, lessee, ref, _ in chain:
        _bill(stage, lessor, lessee, ref)


def _bill(stage: Stage, lessor: str, lessee: str, lease_id: str) -> None:
    """Report, confirm, invoice and pay a lease whose time is over."""
    count = stage.terms(lease_id).lines[0].count
    ran = Period.model_validate({**PERIOD, "from": "2026-06-20T10:00:00Z"})
    tree = {
        "type": "usage.reported",
        "line": LINE,
        "period": ran.model_dump(mode="json"),
        "chip_seconds": count * (ran.until_seconds - ran.start_seconds),
        "downtime_s": 0,
    }
    usage = stage.act(lessor, tree, lease_id)
    stage.act(lessee, {"type": "usage.confirmed", "report": usage}, lease_id)
    tables, reports = tables_for(stage.registrar.state.pins), unbilled_usage(stage.book)
    (draft,) = draft_invoices(stage.book, tables, lease_id, reports[lease_id], stage.now)
    total = draft.tree["total_minor"]
    number = f"2026-07-{lessee}-1"
    ref = stage.act(
        lessor, draft.numbered(number), lease_id, says=f"invoices {lessee} {total / 100:,.2f} USD"
    )
    stage.act(lessee, {"type": "invoice.accepted"}, ref)
    settles = [{"invoice": ref, "amount_minor": total}]
    payment = stage.act(lessee, draft_payment(stage, lessee, lessor, settles, number))
    stage.act(lessor, {"type": "payment.confirmed"}, payment, says=f"confirms the payment of {lessee}")


def divide(stage: Stage, hall: Hall) -> Split:
    """What the hall's invoice comes to for each owner follows from the lease alone; nobody states it."""
    book, store = stage.book, stage.registrar.store
    (invoice,) = [ref for ref, found in book.all(Invoice) if found.lease == hall.lease]
    row = store.entry_by_id(invoice)
    assert row is not None, "the book names what stands on the ledger"
    said = parse(envelope.decode(row.statement).payload)
    assert isinstance(said, InvoiceIssued), "it is an invoice"
    split = split_invoice(book, invoice, said.lines, stage.now)
    names = {stage.did(who): who for who in (HALL, *OWNERS, FUND)}
    parts = ", ".join(f"{names[part.party]} {part.amount_minor / 100:,.2f}" for part in split.parts)
    stage.note("everybody", f"the {split.amount_minor / 100:,.2f} USD divide, to the cent: {parts}")
    return split
