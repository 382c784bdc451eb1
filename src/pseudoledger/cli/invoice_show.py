"""`invoice list|show`: what was billed, and how it stands."""

from __future__ import annotations

from typing import Any

import orjson

from pseudoledger.cli.command import reading
from pseudoledger.cli.delivery import lease_number
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.find import find, party_name
from pseudoledger.cli.invoice import InvoiceArgument, app
from pseudoledger.cli.listing import (
    LIMIT,
    AllOption,
    LimitOption,
    MineOption,
    amount,
    cut,
    id_column,
    last_day,
    party,
    row_of,
    text,
    things_of,
)
from pseudoledger.cli.show import Column, Facts, Row, Sheet, hours, money, price, when
from pseudoledger.contract.derive import due_minor, invoice_answer, invoice_status
from pseudoledger.contract.things import Invoice
from pseudoledger.statement import envelope

APPS = ()

CLOSED = {"cancelled", "settled"}


def invoice_row(desk: Desk, key: str, invoice: Invoice, now: int) -> dict[str, Any]:
    """Return an invoice as JSON shows it."""
    return row_of(
        key,
        invoice,
        status=invoice_status(invoice, now),
        answer=invoice_answer(invoice, now),
        open_minor=invoice.open_minor,
        due_minor=due_minor(invoice, now),
        lease_number=lease_number(desk, invoice.lease),
    )


def invoice_sheet(desk: Desk, title: str, rows: list[dict[str, Any]], limit: int, empty: str) -> Sheet:
    """Make the table of some invoices."""
    columns = (
        id_column(),
        text("number", "number"),
        text("lease", "lease_number"),
        party(desk, "issuer"),
        party(desk, "payer"),
        amount(desk, "total", "total_minor"),
        amount(desk, "open", "open_minor"),
        last_day("due", "due_at"),
        text("status", "status"),
    )
    return cut(title, columns, rows, limit, empty=empty)


@reading(app, "list", examples=("pl invoice list", "pl invoice list --of bob --all --json"))
def list_invoices(
    desk: Desk, of: MineOption = None, closed: AllOption = False, limit: LimitOption = LIMIT
) -> Sheet:
    """List the invoices that are open, newest first."""
    now = desk.now
    rows = [
        invoice_row(desk, key, invoice, now)
        for key, invoice in things_of(desk, Invoice, of=of)
        if closed or invoice_status(invoice, now) not in CLOSED
    ]
    return invoice_sheet(desk, f"Invoices as of {when(now)} UTC", rows, limit, "none open")


@reading(app, "show", examples=("pl invoice show INV-1", "pl invoice show INV-1 --json"))
def show(desk: Desk, invoice: InvoiceArgument) -> Facts:
    """Show an invoice: its lines, its sums, and how it stands."""
    invoice_id, thing = find(desk, Invoice, invoice)
    entry = desk.ledger.entry_by_id(invoice_id)
    assert entry is not None, "the book names only statements that stand on the ledger"
    payload: dict[str, Any] = orjson.loads(envelope.decode(entry.statement).payload)
    now = desk.now
    value = invoice_row(desk, invoice_id, thing, now) | {"payload": payload}

    def sum_of(minor: int) -> str:
        return money(minor, thing.currency, desk.tables.exponents)

    facts = [
        ("id", invoice_id),
        ("lease", f"{value['lease_number']}  {thing.lease}"),
        ("from", party_name(desk, thing.issuer)),
        ("to", party_name(desk, thing.payer)),
        ("period", f"{payload['period']['from']} until {payload['period']['until']}"),
        ("net", sum_of(thing.net_minor)),
        ("tax", sum_of(payload["tax_minor"])),
        ("total", sum_of(thing.total_minor)),
        ("credited", sum_of(thing.credited_minor)),
        ("paid", f"{sum_of(thing.paid_minor)}, of which confirmed {sum_of(thing.confirmed_minor)}"),
        ("open", sum_of(thing.open_minor)),
        ("due", f"{payload['due_date']}: {sum_of(value['due_minor'])}"),
        ("answer", f"{value['answer']}, possible until {when(thing.accept_by)} UTC"),
        ("status", f"{value['status']}, as of {when(now)} UTC"),
    ]
    if thing.voucher_minor:
        facts.insert(9, ("vouchers", f"{sum_of(thing.voucher_minor)}, prepaid"))
    sheets = (_lines(desk, payload),)
    return Facts(title=f"Invoice {thing.number}", facts=facts, value=value, sheets=sheets)


def _lines(desk: Desk, payload: dict[str, Any]) -> Sheet:
    currency = payload["currency"]

    def quantity(row: Row) -> str:
        return hours(row["quantity"]) if "reports" in row else str(row["quantity"])

    columns = (
        Column(title="line", form=lambda row: row["id"]),
        Column(title="bills", form=lambda row: row.get("part") or f"{len(row.get('reports', ()))} reports"),
        Column(title="quantity", form=quantity, right=True),
        Column(
            title="price",
            form=lambda row: price(row["price_micro"], currency).removesuffix(
                "" if "reports" in row else "/h"
            ),
            right=True,
        ),
        Column(
            title="net", form=lambda row: money(row["net_minor"], currency, desk.tables.exponents), right=True
        ),
        Column(title="tax", form=lambda row: f"{row['tax']['category']} {row['tax']['rate_bps'] / 100:g} %"),
    )
    return Sheet(title="", columns=columns, rows=payload["lines"])
