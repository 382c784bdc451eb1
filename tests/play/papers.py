"""Payloads in the clear, ready to sign; `changed` makes variants of them by JSON Pointer."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from pseudoledger.contract.ruleset import newest
from pseudoledger.statement.values import format_instant

HOUR, DAY = 3_600, 86_400
START = 1_767_225_600
"""2026-01-01T00:00:00Z: when the tables of the tests are founded."""
H100, H200 = "nvidia-h100-sxm5-80gb", "nvidia-h200-sxm-141gb"
NOWHERE = "0f" * 32
"""A statement id that stands on no ledger."""
GONE = object()
"""Marks a member that `changed` takes out."""

Tree = dict[str, Any]


def instant(seconds: int) -> str:
    return format_instant(seconds)


def date(seconds: int) -> str:
    return format_instant(seconds)[:10]


def period(start: int, until: int) -> Tree:
    return {"from": instant(start), "until": instant(until)}


def changed(tree: Tree, changes: Mapping[str, Any]) -> Tree:
    """Return a copy with values set or, for GONE, taken out; "/lines/-" appends."""
    made = copy.deepcopy(tree)
    for pointer, value in changes.items():
        *path, last = pointer.split("/")[1:]
        node: Any = made
        for part in path:
            node = node[int(part)] if isinstance(node, list) else node[part]
        if isinstance(node, list) and last == "-":
            node.append(copy.deepcopy(value))
        elif value is GONE:
            del node[int(last) if isinstance(node, list) else last]
        else:
            node[int(last) if isinstance(node, list) else last] = copy.deepcopy(value)
    return made


def _paper(kind: str, **members: Any) -> Tree:
    v = newest().version_of(kind)
    return {"type": kind, "v": v, **{name: value for name, value in members.items() if value is not None}}


# Market.


def pool(**changes: Any) -> Tree:
    lines = [
        {"id": "h100", "resource": "chip", "chip": H100, "count": 8},
        {"id": "cores", "resource": "cpu_core", "count": 256},
    ]
    return {**_paper("pool.declared", number="P1", lines=lines, label="hall 2"), **changes}


def offer(pool_id: str, **changes: Any) -> Tree:
    tree = _paper(
        "offer.published",
        number="O1",
        pool=pool_id,
        lines=[
            {"id": "h100", "resource": "chip", "chip": H100, "count": 8, "pool_line": "h100"},
            {"id": "cores", "resource": "cpu_core", "count": 256, "pool_line": "cores"},
        ],
        facility={"country": "DE", "subdivision": "DE-BE", "site": "site one", "owner": "an owner"},
        tariff={
            "currency": "EUR",
            "lines": [
                {"line": "h100", "basis": "metered", "price_micro": 2_235_000},
                {"line": "cores", "basis": "metered", "price_micro": 10_000},
            ],
        },
        length_min="P1D",
        length_max="P90D",
        available=period(START, START + 365 * DAY),
    )
    return {**tree, **changes}


def demand(**changes: Any) -> Tree:
    tree = _paper(
        "demand.published",
        number="D1",
        lines=[{"id": "gpu", "count": 4, "alternatives": [{"resource": "chip", "chip": H100}]}],
        ceiling={"currency": "EUR", "hour_micro": 12_000_000},
        window=period(START, START + 120 * DAY),
        length="P60D",
        purpose="train",
        places=["DE"],
        residency=[],
        label="spring run",
    )
    return {**tree, **changes}


def mandate(broker: str, **changes: Any) -> Tree:
    tree = _paper(
        "broker.mandated",
        number="M1",
        broker=broker,
        scope=["bid", "list", "propose"],
        commission_bps=300,
        until=instant(START + 200 * DAY),
    )
    return {**tree, **changes}


def match(offer_id: str, mandates: Iterable[str], valid_to: int, **changes: Any) -> Tree:
    tree = _paper(
        "match.proposed",
        number="X1",
        offer=offer_id,
        lines=[{"demand_line": "gpu", "offer_line": "h100", "count": 4}],
        mandates=list(mandates),
        valid_to=instant(valid_to),
        reason="cheapest",
    )
    return {**tree, **changes}


def bid(valid_to: int, *, kind: str = "bid.placed", line: str = "h100", **changes: Any) -> Tree:
    tree = _paper(
        kind,
        number="B1",
        currency="EUR",
        lines=[{"line": line, "count": 4, "price_micro": 2_000_000}],
        period=period(START + DAY, START + 61 * DAY),
        valid_to=instant(valid_to),
    )
    return {**tree, **changes}


def simple(kind: str, **members: Any) -> Tree:
    """A payload of a few members."""
    return _paper(kind, **members)


# Lease.


def terms(lessor: str, lessee: str, offer_id: str, **changes: Any) -> Tree:
    tree: Tree = {
        "lessor": lessor,
        "lessee": lessee,
        "lines": [
            {
                "id": "h100",
                "resource": "chip",
                "chip": H100,
                "count": 4,
                "offer": offer_id,
                "offer_line": "h100",
                "purpose": "train",
                "equivalence_ppm": 1_000_000,
            }
        ],
        "facility": {"country": "DE", "subdivision": "DE-BE", "operator": "an operator"},
        "period": period(START + DAY, START + 61 * DAY),
        "tariff": {
            "currency": "EUR",
            "lines": [{"line": "h100", "basis": "metered", "price_micro": 2_235_000}],
        },
        "service_level": {"uptime_ppm": 990_000, "credit_bps": 1000},
        "residency": [{"data_set": "corpus", "countries": ["DE", "FR"]}],
        "notice": "P7D",
        "early_end": {"lessor_fee_minor": 70_000, "lessee_fee_minor": 50_000},
        "accept_within": {"delivery": "P3D", "usage": "P3D", "invoice": "P10D"},
        "dispute_within": "P14D",
        "final_within": "P30D",
        "due_days": 14,
        "grace_days": 7,
        "tax": {"category": "S", "rate_bps": 1900},
        "payment_means": [{"code": "58", "bank_account": "an account"}],
        "assets": [],
        "answer_within": "P7D",
        "decide_within": "P14D",
        "sublease_allowed": True,
        "mandates": [],
        "policies": [],
    }
    return {**tree, **changes}


def proposal(terms_tree: Tree, answers: str, valid_to: int, **changes: Any) -> Tree:
    tree = _paper(
        "lease.proposed", number="L1", answers=answers, valid_to=instant(valid_to), terms=terms_tree
    )
    return {**tree, **changes}


def amendment(terms_tree: Tree, replaces: str, effective_from: int, valid_to: int, **changes: Any) -> Tree:
    tree = _paper(
        "amendment.proposed",
        number="A1",
        replaces=replaces,
        effective_from=instant(effective_from),
        valid_to=instant(valid_to),
        terms=terms_tree,
    )
    return {**tree, **changes}


def reclaim(effective_at: int, **changes: Any) -> Tree:
    return {
        **_paper("reclaim.started", number="R1", effective_at=instant(effective_at), code=10_001),
        **changes,
    }


def ended(code: int, entry: str | None = None) -> Tree:
    return _paper("lease.ended", code=code, entry=entry)


# Delivery and usage.


def delivery(*lines: tuple[str, int], serials: Iterable[str] = (), number: str = "V1") -> Tree:
    return _paper(
        "delivery.offered",
        number=number,
        lines=[{"line": line, "count": count} for line, count in lines],
        serials=list(serials),
    )


def delivery_refused(delivery_id: str) -> Tree:
    return _paper("delivery.refused", delivery=delivery_id, reason="below_spec", remark="too slow")


def usage(line: str, start: int, until: int, chip_seconds: int, **changes: Any) -> Tree:
    tree = _paper(
        "usage.reported", line=line, period=period(start, until), chip_seconds=chip_seconds, downtime_s=0
    )
    return {**tree, **changes}


def contested(report: str, agreed: int, agreed_downtime: int = 0) -> Tree:
    return _paper(
        "usage.contested",
        report=report,
        reason="quantity",
        agreed_chip_seconds=agreed,
        agreed_downtime_s=agreed_downtime,
        remark="half of it was down",
    )


# Billing. Sums are worked out here with fractions, apart from the program's own arithmetic.

SALES_TAX = {"category": "S", "rate_bps": 1900}


def half_even(amount: Fraction) -> int:
    """Round to a whole number, half to even (as Python rounds fractions)."""
    return round(amount)


def net_of(price_micro: int, chip_seconds: int, micro_per_minor: int = 10_000) -> int:
    return half_even(Fraction(price_micro * chip_seconds, 3_600 * micro_per_minor))


def usage_line(
    reports: Iterable[str],
    quantity: int,
    *,
    price_micro: int = 2_235_000,
    line: str = "h100",
    line_id: str = "h100",
    tax: Tree | None = None,
) -> Tree:
    return {
        "id": line_id,
        "lease_line": line,
        "reports": list(reports),
        "quantity": quantity,
        "price_micro": price_micro,
        "net_minor": net_of(price_micro, quantity),
        "tax": dict(tax or SALES_TAX),
    }


def part_line(part: str, fee_minor: int, *, line: str | None = None, tax: Tree | None = None) -> Tree:
    tree = {
        "id": part.replace("_", "-"),
        "part": part,
        "quantity": 1,
        "price_micro": fee_minor * 10_000,
        "net_minor": fee_minor,
        "tax": dict(tax or SALES_TAX),
    }
    return {**tree, **({"lease_line": line} if line else {})}


def sums(lines: Iterable[Mapping[str, Any]]) -> Tree:
    taxable: dict[tuple[str, int], int] = {}
    for line in lines:
        place = (line["tax"]["category"], line["tax"]["rate_bps"])
        taxable[place] = taxable.get(place, 0) + line["net_minor"]
    subtotals = [
        {
            "category": category,
            "rate_bps": rate,
            "taxable_minor": net,
            "tax_minor": half_even(Fraction(net * rate, 10_000)),
        }
        for (category, rate), net in sorted(taxable.items())
    ]
    net = sum(item["taxable_minor"] for item in subtotals)
    tax = sum(item["tax_minor"] for item in subtotals)
    return {"tax_subtotals": subtotals, "net_minor": net, "tax_minor": tax, "total_minor": net + tax}


def invoice(
    lines: list[Tree], *, number: str, start: int, until: int, contract: str, due: int, **changes: Any
) -> Tree:
    tree = _paper(
        "invoice.issued",
        currency="EUR",
        number=number,
        period=period(start, until),
        due_date=date(due),
        contract=contract,
        payment_means={"code": "58", "bank_account": "an account"},
        lines=lines,
        seller_name="a seller",
        **sums(lines),
    )
    return {**tree, **changes}


def rejected(accepted_minor: int) -> Tree:
    return _paper("invoice.rejected", reason="quantity", accepted_minor=accepted_minor, remark="see above")


def credit(lines: Iterable[tuple[str, int]], *, number: str, tax: Tree | None = None, **changes: Any) -> Tree:
    """A credit note over lines of one tax; right where nothing was credited before."""
    listed = [{"invoice_line": line, "net_minor": net} for line, net in lines]
    taxed = [{**line, "tax": tax or SALES_TAX} for line in listed]
    tree = _paper(
        "credit.issued", currency="EUR", number=number, reason="goodwill", lines=listed, **sums(taxed)
    )
    return {**tree, **changes}


def payment(
    payee: str, settles: Iterable[tuple[str, str, int]], *, reference: str, number: str = "Z1", **changes: Any
) -> Tree:
    """A bank payment in euro; settles are ("invoice" or "lease", id, minor units)."""
    listed = [{sort: target, "amount_minor": amount} for sort, target, amount in settles]
    tree = _paper(
        "payment.declared",
        number=number,
        payee=payee,
        currency="EUR",
        settles=listed,
        paid={"currency": "EUR", "amount_minor": sum(item["amount_minor"] for item in listed)},
        references=[{"scheme": "SEPA", "value": reference}],
    )
    return {**tree, **changes}


def denied(reason: str = "not_received") -> Tree:
    return _paper("payment.denied", reason=reason)


# Identity and ledger.


def declared(**members: Any) -> Tree:
    return {**_paper("identity.declared", label="a party", contact="ask at the desk"), **members}


def handover(kind: str, to: str, number: str = "H1") -> Tree:
    return _paper(kind, number=number, to=to)


def adopted(handover_id: str, **members: Any) -> Tree:
    return _paper("identity.adopted", handover=handover_id, **members)


def revoked(reason: str = "stolen") -> Tree:
    return _paper("identity.revoked", reason=reason)


def registered_file(sha256: str = "5a" * 32) -> Tree:
    return _paper(
        "ledger.policy_registered", name="house-rules", sha256=sha256, media_type="text/markdown", bytes=120
    )
