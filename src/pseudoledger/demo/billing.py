"""The second half of the demo month: metering, a contest, an amendment, a reclaim, invoices and payments."""

from __future__ import annotations

from typing import Any

from pseudoledger.contract.case import terms_id_at
from pseudoledger.contract.derive import capacity, first_delivery
from pseudoledger.contract.ruleset import tables_for
from pseudoledger.contract.things import Invoice, Lease, MeteredLine, TermsInForce, Usage
from pseudoledger.demo.month import BROKER, SILENT, Market
from pseudoledger.demo.stage import Stage
from pseudoledger.market.invoicing import (
    draft_commission,
    draft_credit,
    draft_invoices,
    unbilled_usage,
)
from pseudoledger.statement.values import Period, format_instant, instant_seconds

NO_TAX = {"category": "O", "rate_bps": 0}
_UTILISATION = 97
"""Percent of the possible unit-seconds that the demo's machines ran."""


def report(stage: Stage, market: Market, until: str) -> None:
    """Every lessor reports its priced lines up to a time; the lessees answer."""
    end = instant_seconds(until)
    for who, lease_id in market.leases.items():
        lease = stage.book.get(Lease, lease_id)
        if lease is None or lease.state != "signed":
            continue
        for line_id, count in _priced(stage, lease_id, end - 1).items():
            usage = _report_line(stage, market, who, line_id=line_id, count=count, end=end)
            if usage is None or who == SILENT:
                continue
            if who == "train-and-serve" and until == "2026-03-17T00:00:00Z" and line_id == "tune-chip":
                _contest(stage, market, who, usage, count)
            else:
                stage.act(who, {"type": "usage.confirmed", "report": usage}, lease_id)
    stage.note("everybody", f"usage until {until[:10]} was reported and answered")


def _priced(stage: Stage, lease_id: str, when: int) -> dict[str, int]:
    lease = stage.book.get(Lease, lease_id)
    held = stage.book.get(TermsInForce, terms_id_at(lease, when)) if lease else None
    assert held is not None, "the lease was signed"
    priced = {rate.line for rate in held.payload.tariff.lines if rate.price_micro}
    return {line.id: line.count for line in held.payload.lines if line.id in priced}


def _report_line(stage: Stage, market: Market, who: str, *, line_id: str, count: int, end: int) -> str | None:
    lease_id = market.leases[who]
    line = stage.book.get(MeteredLine, f"{lease_id}/{line_id}") or MeteredLine()
    lease, delivered = stage.book.get(Lease, lease_id), first_delivery(line, stage.now)
    if lease is None or delivered is None:
        return None
    start = line.reported_until or max(lease.start, delivered)
    if start >= end:
        return None
    used = capacity(line, count, start, end, stage.now) * _UTILISATION // 100
    tree = {
        "type": "usage.reported",
        "line": line_id,
        "period": Period.between(start, end).model_dump(mode="json"),
        "chip_seconds": line.chip_seconds + used,
        "downtime_s": 7200 if who == SILENT and "2026-03-24" in format_instant(end) else 0,
    }
    return stage.act(market.lessors[who], tree, lease_id)


def _contest(stage: Stage, market: Market, who: str, report_id: str, count: int) -> None:
    """The lessee agrees with a part; the lessor corrects its report."""
    lease_id = market.leases[who]
    usage = stage.book.get(Usage, report_id)
    assert usage is not None, "it was registered just now"
    agreed = usage.chip_seconds - count * 4 * 3600
    tree: dict[str, Any] = {
        "type": "usage.contested",
        "report": report_id,
        "reason": "quantity",
        "agreed_chip_seconds": agreed,
        "agreed_downtime_s": 0,
        "remark": "four hours of the tenth are missing in our own log",
    }
    stage.act(who, tree, lease_id, says="contests four hours of the report; the rest could be billed at once")
    corrected = {
        "type": "usage.reported",
        "line": usage.line,
        "period": Period.between(usage.start, usage.until).model_dump(mode="json"),
        "chip_seconds": usage.base + agreed,
        "downtime_s": 0,
        "replaces": report_id,
    }
    again = stage.act(
        market.lessors[who], corrected, lease_id, says="corrects the report; both stay on the ledger"
    )
    stage.act(who, {"type": "usage.confirmed", "report": again}, lease_id)


def amend(stage: Stage, market: Market) -> None:
    """The lessee needs half the machines from the third week on."""
    lease_id = market.leases["long-context"]
    terms = stage.terms(lease_id).model_dump(mode="json", exclude_none=True)
    clear = _without_digests(terms)
    for line in clear["lines"]:
        line["count"] = max(1, line["count"] // 2)
    tree = {
        "type": "amendment.proposed",
        "number": "A-1",
        "replaces": lease_id,
        "effective_from": "2026-03-17T00:00:00Z",
        "valid_to": "2026-03-16T12:00:00Z",
        "terms": clear,
    }
    amendment = stage.act(
        "long-context", tree, lease_id, says="proposes an amendment: four H200 instead of eight from 17 March"
    )
    stage.act(
        "north-lake",
        {"type": "amendment.signed", "amendment": amendment},
        lease_id,
        says="signs the amendment; the other four are free again",
    )


def _without_digests(tree: Any) -> Any:
    """Copy terms without their seals: a digest stands on a ledger once, so the copy is sealed anew."""
    if isinstance(tree, dict):
        return {name: _without_digests(value) for name, value in tree.items() if name != "_sd"}
    if isinstance(tree, list):
        return [_without_digests(value) for value in tree]
    return tree


def reclaim(stage: Stage, market: Market) -> None:
    """The lessor takes its machines back, after the notice of the terms."""
    lease_id = market.leases["render-batch"]
    tree = {
        "type": "reclaim.started",
        "number": "R-1",
        "effective_at": "2026-03-19T12:30:00Z",
        "code": 10_001,
    }
    stage.act(
        "delta-cloud", tree, lease_id, says="gives two hours' notice: it needs the machines of render-batch"
    )
    stage.refused(
        "delta-cloud",
        {"type": "lease.ended", "code": 10_001},
        lease_id,
        says="tries to end the lease before the notice is over",
    )
    stage.until("2026-03-19T12:30:00Z")
    report(stage, Market(leases={"render-batch": lease_id}, lessors=market.lessors), "2026-03-19T12:30:00Z")
    stage.act(
        "delta-cloud",
        {"type": "lease.ended", "code": 10_001},
        lease_id,
        says="ends the lease after its notice",
    )


def invoice(stage: Stage, market: Market) -> dict[str, list[str]]:
    """Every lessor bills what was confirmed, or taken by silence."""
    issued: dict[str, list[str]] = {}
    tables = tables_for(stage.registrar.state.pins)
    reports = unbilled_usage(stage.book)
    for who, lease_id in market.leases.items():
        lessor = market.lessors[who]
        for count, draft in enumerate(
            draft_invoices(stage.book, tables, lease_id, reports.get(lease_id, ()), stage.now), 1
        ):
            number = f"2026-03-{who}-{count}"
            total = draft.tree["total_minor"] / 100
            ref = stage.act(
                lessor, draft.numbered(number), lease_id, says=f"invoices {who} {total:,.2f} USD ({number})"
            )
            issued.setdefault(who, []).append(ref)
            if who != SILENT:
                stage.act(who, {"type": "invoice.accepted"}, ref)
    return issued


def pay(stage: Stage, market: Market, issued: dict[str, list[str]]) -> None:
    """The lessees pay elsewhere and record the references; one uses a reference twice."""
    for who, refs in issued.items():
        lessor = market.lessors[who]
        settles = [{"invoice": ref, "amount_minor": _open(stage, ref)} for ref in refs]
        payment = stage.act(
            who,
            draft_payment(stage, who, lessor, settles),
            says=f"declares its payment to {lessor}, by reference",
        )
        if who == "train-and-serve":
            twice = draft_payment(stage, who, lessor, [{"lease": market.leases[who], "amount_minor": 100_00}])
            stage.refused(who, twice, says="declares another payment under the same bank reference")
        stage.act(
            lessor, {"type": "payment.confirmed"}, payment, says=f"confirms the payment of {who}: settled"
        )


def _open(stage: Stage, invoice_id: str) -> int:
    found = stage.book.get(Invoice, invoice_id)
    assert found is not None, "it was issued"
    return found.open_minor


def draft_payment(
    stage: Stage, who: str, to: str, settles: list[dict[str, Any]], number: str = ""
) -> dict[str, Any]:
    """Draft a payment, made elsewhere, and its reference."""
    total = sum(item["amount_minor"] for item in settles)
    tree: dict[str, Any] = {
        "type": "payment.declared",
        "number": number or f"P-{who}-{settles[0].get('invoice', 'account')[:8]}",
        "payee": stage.did(to),
        "currency": "USD",
        "settles": settles,
        "paid": {"currency": "USD", "amount_minor": total},
        "references": [
            {"scheme": "SWIFT", "value": f"{number or who}".upper().replace("-", " ") + " 2026 03"}
        ],
    }
    if who == "render-batch":
        tree["paid"] = {
            "asset": "eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
            "amount": f"{total}0000",
        }
        tree["rate"] = {"paid": "10000", "settles_minor": 1}
        tree["references"] = [{"chain": "eip155:1", "tx": "0x" + stage.random(32).hex(), "index": 0}]
    return tree


def credit(stage: Stage, issued: dict[str, list[str]]) -> None:
    """A credit note after payment leaves a refund due, which the lessor pays."""
    invoice_id = issued["long-context"][0]
    billed = stage.book.get(Invoice, invoice_id)
    assert billed is not None, "it was issued"
    line, amount = next((name, line.net_minor // 50) for name, line in billed.lines.items())
    tree = draft_credit(stage.book, invoice_id, {line: amount}, "service_level")
    stage.act(
        "north-lake",
        {**tree, "number": "C-1"},
        invoice_id,
        says=f"credits long-context {tree['total_minor'] / 100:,.2f} USD for a slow link: a refund is due",
    )
    back = [{"invoice": invoice_id, "amount_minor": -_open(stage, invoice_id)}]
    payment = stage.act(
        "north-lake",
        draft_payment(stage, "north-lake", "long-context", back, "refund C-1"[:6]),
        says="declares the refund",
    )
    stage.act("long-context", {"type": "payment.confirmed"}, payment, says="confirms the refund")


def commission(stage: Stage, market: Market, issued: dict[str, list[str]]) -> None:
    """The broker bills both principals for the invoice that came of its match."""
    tables = tables_for(stage.registrar.state.pins)
    for principal, mandate in market.mandates.items():
        draft = draft_commission(
            stage.book, tables, mandate, issued["train-and-serve"][0], tax=NO_TAX, now=stage.now
        )
        number = f"K-{principal}"
        ref = stage.act(
            BROKER,
            draft.numbered(number),
            draft.lease_id,
            says=f"bills {principal} {draft.tree['total_minor'] / 100:,.2f} USD commission",
        )
        stage.act(principal, {"type": "invoice.accepted"}, ref)
        settles = [{"invoice": ref, "amount_minor": draft.tree["total_minor"]}]
        payment = stage.act(
            principal,
            draft_payment(
                stage, principal, BROKER, settles, f"commission {principal}"[:60].replace(" ", "-")
            ),
        )
        stage.act(BROKER, {"type": "payment.confirmed"}, payment)
