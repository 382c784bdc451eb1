"""Other people's demands, carried all the way: matched, leased, delivered, metered, invoiced, paid, settled.

The files are not ours and stay outside the repository; PSEUDOLEDGER_SHARED names their folder.
"""

import os
from pathlib import Path

import pytest

from pseudoledger.contract.derive import capacity, invoice_status
from pseudoledger.contract.ruleset import tables_for
from pseudoledger.contract.tables import contracts_dir
from pseudoledger.contract.templates import Deal, draft_terms, load
from pseudoledger.contract.things import Invoice, MeteredLine, Offer
from pseudoledger.demo.stage import Stage
from pseudoledger.market.board import choices_of, open_needs, open_supplies
from pseudoledger.market.catalogue_offer import OfferTerms, import_catalogue
from pseudoledger.market.invoicing import draft_invoices, unbilled_usage
from pseudoledger.market.matching import match
from pseudoledger.market.sdl_demand import DemandTerms, import_sdl
from pseudoledger.market.tables import load_tables
from pseudoledger.statement.values import Period, format_instant, instant_seconds

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT / os.environ.get("PSEUDOLEDGER_SHARED", "../shared") / "data"
SDLS = sorted((SHARED / "akash-sdl").glob("*.y*ml"))
CATALOGUE = next(iter(sorted((SHARED / "gpu-prices").glob("*.csv"))), None)
START = "2026-03-01T08:00:00Z"
WITHOUT_CHIPS = {"folding-at-home", "langfuse", "metal-validator", "minecraft", "postgres"}
REFUSED = {"Llama-3.1-405B-BF16": "match.count"}
"""Asks for 24 chips of one lessor; no row of the catalogue has more than 16, and those are other chips."""

pytestmark = pytest.mark.skipif(
    not SDLS or CATALOGUE is None, reason=f"{SHARED} with akash-sdl and gpu-prices is not there"
)


def publish(stage, lessor, data, name):
    terms = OfferTerms(
        length_min="P1D", length_max="P60D", available=Period.between(stage.now, stage.now + 90 * 86_400)
    )
    for listing in import_catalogue(data, name=name, terms=terms, tables=load_tables()).listings:
        pool = stage.act(lessor, dict(listing.pool.payload()))
        for draft in listing.offers:
            stage.act(lessor, dict(draft.payload(pool)))


@pytest.fixture
def stage(tmp_path):
    stage = Stage.build(tmp_path / "market", seed=5, start=START, tell=lambda _scene: None)
    publish(stage, "gpu-lessor", CATALOGUE.read_bytes(), "shared")
    publish(
        stage,
        "cpu-lessor",
        (contracts_dir() / "sample/catalogues/harbour-cpu.csv").read_bytes(),
        "harbour-cpu",
    )
    yield stage
    stage.registrar.close()


def carry(stage, best, demand_id, name):
    """Take one demand from its match to a settled invoice; return the invoice."""
    offer = stage.book.get(Offer, best.offer)
    lessor = "cpu-lessor" if offer.lessor == stage.did("cpu-lessor") else "gpu-lessor"
    deal = Deal(
        lessor=stage.did(lessor),
        lessee=stage.did(name),
        choices=choices_of(stage.book, best, demand_id),
        period=best.period,
    )
    lease = stage.act(
        name,
        {
            "type": "lease.proposed",
            "number": "L-1",
            "answers": best.offer,
            "valid_to": format_instant(stage.now + 86_400),
            "terms": draft_terms(load("on-demand"), deal),
        },
    )
    stage.act(lessor, {"type": "lease.signed"}, lease)
    lines = [{"line": line.id, "count": line.count} for line in stage.terms(lease).lines]
    delivery = stage.act(
        lessor, {"type": "delivery.offered", "number": "B-1", "lines": lines, "serials": []}, lease
    )
    stage.act(name, {"type": "delivery.accepted", "delivery": delivery}, lease)
    start, until = best.period.start_seconds, best.period.until_seconds
    stage.now = until + 60
    for line in stage.terms(lease).lines:
        metered = stage.book.get(MeteredLine, f"{lease}/{line.id}")
        first = max(start, metered.batches[0].answered_at)
        report = stage.act(
            lessor,
            {
                "type": "usage.reported",
                "line": line.id,
                "period": Period.between(first, until).model_dump(mode="json"),
                "chip_seconds": capacity(metered, line.count, first, until, stage.now),
                "downtime_s": 0,
            },
            lease,
        )
        stage.act(name, {"type": "usage.confirmed", "report": report}, lease)
    tables = tables_for(stage.registrar.state.pins)
    (draft,) = draft_invoices(stage.book, tables, lease, unbilled_usage(stage.book)[lease], stage.now)
    invoice = stage.act(lessor, draft.numbered(f"I-{name[:40]}"), lease)
    stage.act(name, {"type": "invoice.accepted"}, invoice)
    total = draft.tree["total_minor"]
    payment = stage.act(
        name,
        {
            "type": "payment.declared",
            "number": "P-1",
            "payee": stage.did(lessor),
            "currency": "USD",
            "settles": [{"invoice": invoice, "amount_minor": total}],
            "paid": {"currency": "USD", "amount_minor": total},
            "references": [{"scheme": "SWIFT", "value": f"REF {name[:40].upper().replace('_', '-')}"}],
        },
    )
    stage.act(lessor, {"type": "payment.confirmed"}, payment)
    return stage.book.get(Invoice, invoice)


@pytest.mark.parametrize("path", SDLS, ids=lambda path: path.stem.split("__")[0])
def test_each_shared_demand_ends_in_a_settled_invoice_or_its_named_reason(stage, path):
    name = path.stem.split("__")[0]
    who = "".join(c if c.isalnum() else "-" for c in name.lower())
    window = Period.between(instant_seconds(START) + 86_400, instant_seconds(START) + 40 * 86_400)
    imported = import_sdl(
        path.read_bytes(),
        name=path.stem,
        terms=DemandTerms(window=window, length="P7D"),
        tables=load_tables(),
    )
    assert imported.demands
    for draft in imported.demands:
        demand = stage.act(who, dict(draft.payload()))
        needs = [need for need in open_needs(stage.book, stage.now) if need.id == demand]
        exponents = tables_for(stage.registrar.state.pins).exponents
        (found,) = match(needs, open_supplies(stage.book, stage.now), exponents=exponents)
        if name in REFUSED:
            assert not found.acceptable
            assert REFUSED[name] in {reason.code for item in found.rejected for reason in item.reasons}
            continue
        best = found.acceptable[0]
        cpu = stage.book.get(Offer, best.offer).lessor == stage.did("cpu-lessor")
        assert cpu == (name in WITHOUT_CHIPS)
        invoice = carry(stage, best, demand, who)
        assert invoice_status(invoice, stage.now) == "settled"
        assert invoice.total_minor > 0
