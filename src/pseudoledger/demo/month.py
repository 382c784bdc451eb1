"""The scenes of the demo month: offers, demands and matches, leases, usage, invoices, payments, refusals.

Catalogues and demands are the files in `contracts/sample/`; everything else follows from them by the same
functions that the command line uses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pseudoledger.contract.ruleset import tables_for
from pseudoledger.contract.tables import contracts_dir
from pseudoledger.contract.templates import Choice, Deal, draft_terms, load
from pseudoledger.contract.things import Offer
from pseudoledger.demo.stage import Stage
from pseudoledger.market.board import choices_of, open_needs, open_supplies
from pseudoledger.market.catalogue_offer import OfferTerms, import_catalogue
from pseudoledger.market.matching import Acceptable, match
from pseudoledger.market.sdl_demand import DemandTerms, import_sdl
from pseudoledger.market.tables import load_tables
from pseudoledger.statement.serials import serial_digest
from pseudoledger.statement.values import Period, format_instant

LESSORS = ("north-lake", "delta-cloud", "harbour-cpu")
SILENT = "record-office"
"""The lessee that never answers: its silence counts."""
LESSEES = ("train-and-serve", "render-batch", "record-office", "long-context")
BROKER = "broker"
TEMPLATES = {"north-lake": "on-demand", "delta-cloud": "interruptible", "harbour-cpu": "reserved-term"}
_BASIS = {"harbour-cpu": "reserved"}


@dataclass(slots=True)
class Market:
    """What the scenes remember of the statements before."""

    demands: dict[str, str] = field(default_factory=dict)
    leases: dict[str, str] = field(default_factory=dict)
    lessors: dict[str, str] = field(default_factory=dict)
    mandates: dict[str, str] = field(default_factory=dict)


def _sample(folder: str, name: str) -> bytes:
    return (contracts_dir() / "sample" / folder / name).read_bytes()


def declare(stage: Stage) -> None:
    """Everybody says how they want to be called."""
    stage.introduce(*LESSORS, *LESSEES, BROKER)
    stage.note(
        "everybody", f"{len(LESSORS)} lessors, {len(LESSEES)} lessees and a broker declared their keys"
    )


def offer(stage: Stage) -> None:
    """Lessors publish their catalogues as pools and offers."""
    tables = load_tables()
    available = Period.model_validate({"from": "2026-03-01T00:00:00Z", "until": "2026-07-01T00:00:00Z"})
    for who in LESSORS:
        terms = OfferTerms(
            length_min="P1D",
            length_max="P60D",
            available=available,
            basis="reserved" if who in _BASIS else "metered",
        )
        imported = import_catalogue(_sample("catalogues", f"{who}.csv"), name=who, terms=terms, tables=tables)
        count = 0
        for listing in imported.listings:
            pool = stage.act(who, dict(listing.pool.payload()))
            for draft in listing.offers:
                stage.act(who, dict(draft.payload(pool)))
                count += 1
        stage.note(who, f"published {len(imported.listings)} pools and {count} offers from its catalogue")


def demand(stage: Stage, market: Market) -> None:
    """Lessees publish what their deployment files ask for."""
    tables = load_tables()
    window = Period.model_validate({"from": "2026-03-03T00:00:00Z", "until": "2026-05-01T00:00:00Z"})
    for who in LESSEES:
        terms = DemandTerms(
            window=window, length="P28D", purpose="train" if who == "train-and-serve" else "infer"
        )
        imported = import_sdl(_sample("demands", f"{who}.yaml"), name=who, terms=terms, tables=tables)
        for draft in imported.demands:
            market.demands[who] = stage.act(who, dict(draft.payload()))
        stage.note(
            who, f"published its demand; {len(imported.notes)} things in the file have no place on a ledger"
        )


def mandate(stage: Stage, market: Market) -> None:
    """Both sides of one deal let the broker bring them together."""
    for who, commission in (("train-and-serve", 150), ("north-lake", 100)):
        tree = {
            "type": "broker.mandated",
            "number": "M-1",
            "broker": stage.did(BROKER),
            "scope": ["list", "propose"],
            "commission_bps": commission,
            "until": "2026-06-01T00:00:00Z",
        }
        market.mandates[who] = stage.act(
            who, tree, says=f"mandated the broker for {commission / 100:g} % commission"
        )


def agree(stage: Stage, market: Market) -> None:
    """Demands are matched with offers, proposed by the lessees and signed by the lessors."""
    tables = tables_for(stage.registrar.state.pins)
    for who in LESSEES:
        needs = [need for need in open_needs(stage.book, stage.now) if need.id == market.demands[who]]
        (found,) = match(needs, open_supplies(stage.book, stage.now), exponents=tables.exponents)
        best = found.acceptable[0]
        stage.note(
            who,
            f"{len(found.acceptable)} offers fit its demand, {len(found.rejected)} do not; takes the cheapest",
        )
        lessor = _lessor_name(stage, best)
        answers: str = best.offer
        mandates: list[dict[str, Any]] = []
        if who == "train-and-serve":
            answers = _broker_match(stage, market, best, market.demands[who])
            mandates = [
                {"mandate": ref, "broker": stage.did(BROKER), "commission_bps": 150 if side == who else 100}
                for side, ref in market.mandates.items()
            ]
        lease = _propose(stage, market, who, lessor=lessor, best=best, answers=answers, mandates=mandates)
        stage.act(
            lessor,
            {"type": "lease.signed"},
            lease,
            says=f"signed the lease with {who}: both are bound, the stock is taken",
        )
        market.leases[who], market.lessors[who] = lease, lessor


def _lessor_name(stage: Stage, best: Acceptable) -> str:
    offered = stage.book.get(Offer, best.offer)
    assert offered is not None, "matching read it from the book"
    return next(name for name in LESSORS if stage.did(name) == offered.lessor)


def _broker_match(stage: Stage, market: Market, best: Acceptable, demand_id: str) -> str:
    lines = [line.model_dump(mode="json") for line in best.lines]
    tree = {
        "type": "match.proposed",
        "number": "X-1",
        "offer": best.offer,
        "lines": lines,
        "mandates": sorted(market.mandates.values()),
        "reason": "cheapest",
        "valid_to": format_instant(stage.now + 7 * 86_400),
    }
    return stage.act(BROKER, tree, demand_id, says="proposed a match under both mandates; it binds nobody")


def _propose(
    stage: Stage,
    market: Market,
    who: str,
    *,
    lessor: str,
    best: Acceptable,
    answers: str,
    mandates: list[dict[str, Any]],
) -> str:
    deal = Deal(
        lessor=stage.did(lessor),
        lessee=stage.did(who),
        choices=choices_of(stage.book, best, market.demands[who]),
        period=best.period,
        tax={"category": "S", "rate_bps": 1900}
        if lessor == "harbour-cpu"
        else {"category": "O", "rate_bps": 0},
        mandates=mandates,
        assets=("eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",),
        arbiter=stage.did("arbiter"),
        sealed={"workload": f"what {who} runs is nobody's business"},
    )
    tree = {
        "type": "lease.proposed",
        "number": f"L-{who}",
        "answers": answers,
        "valid_to": format_instant(stage.now + 7 * 86_400),
        "terms": draft_terms(load(TEMPLATES[lessor]), deal),
    }
    return stage.act(who, tree, says=f"proposed a lease to {lessor} on the template {TEMPLATES[lessor]}")


def sell_twice(stage: Stage, market: Market) -> None:
    """The lessor signs for the eight H200 a second time; the ledger holds it to the first signature."""
    line = stage.terms(market.leases["long-context"]).lines[0]
    taken = stage.book.get(Offer, line.offer or "")
    assert taken is not None
    assert line.offer is not None
    assert line.offer_line is not None
    choice = Choice(offer_id=line.offer, offer=taken, offer_line=line.offer_line, count=line.count)
    deal = Deal(
        lessor=stage.did("north-lake"),
        lessee=stage.did("render-batch"),
        choices=(choice,),
        period=Period.model_validate({"from": "2026-03-10T00:00:00Z", "until": "2026-03-20T00:00:00Z"}),
    )
    tree = {
        "type": "lease.proposed",
        "number": "L-second-sale",
        "answers": line.offer,
        "valid_to": format_instant(stage.now + 86_400),
        "terms": draft_terms(load("on-demand"), deal),
    }
    second = stage.act(
        "render-batch", tree, says="asks north-lake for the eight H200 that long-context has leased"
    )
    stage.refused("north-lake", {"type": "lease.signed"}, second, says="signs anyway: a double sale")
    stage.act("render-batch", {"type": "lease.cancelled"}, second)


def mark(stage: Stage) -> str:
    """Return the serial digest of the machine that long-context leases, and that is sold later."""
    return serial_digest(stage.ledger_id, "maker", f"H200-{stage.seed}")


def deliver(stage: Stage, market: Market) -> None:
    """Machines are handed over; one lessee stays silent, which counts after three days."""
    for who, lease_id in market.leases.items():
        lines = [{"line": line.id, "count": line.count} for line in stage.terms(lease_id).lines]
        serials = [mark(stage)] if who == "long-context" else []
        tree = {"type": "delivery.offered", "number": "B-1", "lines": lines, "serials": serials}
        delivery = stage.act(market.lessors[who], tree, lease_id)
        if who != SILENT:
            stage.act(who, {"type": "delivery.accepted", "delivery": delivery}, lease_id)
    stage.note("everybody", f"machines were handed over and accepted; {SILENT} stays silent")
