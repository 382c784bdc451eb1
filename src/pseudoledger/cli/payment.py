"""`payment`: references to sums paid elsewhere. Nothing here moves money."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pseudoledger.cli.command import Act, Acting, acting, group, reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import find
from pseudoledger.cli.invoice_show import invoice_row, invoice_sheet
from pseudoledger.cli.listing import (
    LIMIT,
    AllOption,
    LimitOption,
    MineOption,
    cut,
    id_column,
    party,
    row_of,
    text,
    things_of,
    time,
)
from pseudoledger.cli.show import Column, Sheet, money, when
from pseudoledger.cli.values import amount, choice, pair, reference
from pseudoledger.contract.derive import due_minor, invoice_status
from pseudoledger.contract.things import Invoice, Lease, Payment

app = group("payment", "Payments made elsewhere, by reference.")
APPS = (app,)

REASONS = ("not_received", "wrong_amount", "wrong_reference", "other")
PaymentArgument = Annotated[str, typer.Argument(help="Payment: id, prefix or number.", show_default=False)]


@acting(
    app,
    "declare",
    examples=(
        "pl payment declare PAY-1 --invoice INV-1 --ref SEPA:E2E-2026-1 --as bob",
        "pl payment declare PAY-2 --invoice INV-2='500.00 USD' --invoice INV-3 --ref SWIFT:UETR-77 --as bob",
        "pl payment declare PAY-3 --lease L1='1000.00 USD' --ref SEPA:E2E-2026-2 --paid '920.00 EUR' --as bob",
    ),
)
def declare(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of the payment.", show_default=False)],
    ref: Annotated[
        list[str],
        typer.Option("--ref", help="SCHEME:REFERENCE, or CHAIN/TX#INDEX (CAIP-2); where it can be seen."),
    ],
    invoice: Annotated[
        list[str] | None,
        typer.Option("--invoice", help="INVOICE, for all that is due, or INVOICE=AMOUNT; may be repeated."),
    ] = None,
    lease: Annotated[
        list[str] | None, typer.Option("--lease", help="LEASE=AMOUNT: on account.", show_default=False)
    ] = None,
    paid: Annotated[
        str | None,
        typer.Option("--paid", help="What left you, where it was another currency, e.g. '920.00 EUR'."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option("--token", help="What left you, where it was a token: CAIP-19=BASE-UNITS."),
    ] = None,
) -> Act:
    """Say that you paid, and where that can be seen; invoices of a refund are paid back by their issuer."""
    desk = acting.desk
    targets = [*_invoices(acting, invoice or ()), *_leases(acting, lease or ())]
    if not targets:
        raise WrongUse("say what was paid", hint="--invoice INV-1, or --lease L1='1000.00 USD'")
    currencies = {currency for _, currency, _ in targets}
    payees = {desk.book.root_of(payee) for _, _, payee in targets}
    if len(currencies) > 1 or len(payees) > 1:
        raise WrongUse("one payment is to one party, in one currency", hint="declare one for each")
    (currency,) = currencies
    settles = [settled for settled, _, _ in targets]
    total = sum(item["amount_minor"] for item in settles)
    tree: dict[str, Any] = {
        "type": "payment.declared",
        "number": number,
        "payee": desk.book.acting_key(payees.pop()),
        "currency": currency,
        "settles": settles,
        "references": [reference(item, "--ref") for item in ref],
        **_paid(acting, paid, token, currency, total),
    }
    sum_text = money(total, currency, desk.tables.exponents)
    return Act(
        tree=tree, title=number, then=f"{sum_text}; the payee answers with pl payment confirm {number}"
    )


def _invoices(acting: Acting, said: list[str] | tuple[()]) -> list[tuple[dict[str, Any], str, str]]:
    desk, found = acting.desk, []
    for item in said:
        name, equals, text_said = item.partition("=")
        invoice_id, thing = find(desk, Invoice, name.strip(), party=acting.party)
        refund = desk.book.same_party(thing.issuer, acting.party)
        due = -thing.open_minor if refund else due_minor(thing, desk.now)
        minor = amount(text_said, "--invoice", desk.tables.exponents, thing.currency).minor if equals else due
        if minor <= 0:
            raise WrongUse(
                f"nothing of invoice {thing.number} is due from you", hint=f"pl invoice show {name.strip()}"
            )
        payee = thing.payer if refund else thing.issuer
        found.append(({"invoice": invoice_id, "amount_minor": minor}, thing.currency, payee))
    return found


def _leases(acting: Acting, said: list[str] | tuple[()]) -> list[tuple[dict[str, Any], str, str]]:
    desk, found = acting.desk, []
    for item in said:
        name, text_said = pair(item, "--lease", "L1='1000.00 USD'")
        lease_id, thing = find(desk, Lease, name, party=acting.party)
        minor = amount(text_said, "--lease", desk.tables.exponents, thing.currency).minor
        found.append(({"lease": lease_id, "amount_minor": minor}, thing.currency, thing.lessor))
    return found


def _paid(
    acting: Acting, paid: str | None, token: str | None, currency: str, total: int
) -> dict[str, dict[str, Any]]:
    """Return what was paid, and its rate: all of it counts for all that is settled."""
    if paid is not None and token is not None:
        raise WrongUse("give one of --paid and --token")
    if token is not None:
        asset, units = pair(token, "--token", "eip155:1/erc20:0xa0b8…=1000000")
        return {
            "paid": {"asset": asset, "amount": units},
            "rate": {"paid": units, "settles_minor": total},
        }
    if paid is None:
        return {"paid": {"currency": currency, "amount_minor": total}}
    money_paid = amount(paid, "--paid", acting.desk.tables.exponents)
    said = {"paid": {"currency": money_paid.currency, "amount_minor": money_paid.minor}}
    if money_paid.currency == currency:
        return said
    return {**said, "rate": {"paid": str(money_paid.minor), "settles_minor": total}}


@acting(app, "confirm", examples=("pl payment confirm PAY-1 --as alice",))
def confirm(acting: Acting, payment: PaymentArgument) -> Act:
    """Say, as the payee, that you have the money; this accepts its rate."""
    payment_id, _ = find(acting.desk, Payment, payment, party=acting.party)
    return Act(
        tree={"type": "payment.confirmed"}, sub=payment_id, title=payment, then="what it pays is settled"
    )


@acting(app, "deny", examples=("pl payment deny PAY-1 --reason not_received --as alice",))
def deny(
    acting: Acting,
    *,
    payment: PaymentArgument,
    reason: Annotated[str, typer.Option("--reason", help=", ".join(REASONS) + ".", show_default=False)],
) -> Act:
    """Say, as the payee, that you do not have the money; its references may be used again."""
    payment_id, _ = find(acting.desk, Payment, payment, party=acting.party)
    tree = {"type": "payment.denied", "reason": choice(reason, "--reason", REASONS)}
    return Act(tree=tree, sub=payment_id, title=payment, then="what it was for is due again")


@reading(
    app,
    "list",
    examples=("pl payment list", "pl payment list --overdue --of bob", "pl payment list --all --json"),
)
def list_payments(
    desk: Desk,
    of: MineOption = None,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Instead, the invoices whose payment is overdue.")
    ] = False,
    closed: AllOption = False,
    limit: LimitOption = LIMIT,
) -> Sheet:
    """List the payments that wait for their payee, newest first."""
    now = desk.now
    if overdue:
        late = [
            invoice_row(desk, key, item, now)
            for key, item in things_of(desk, Invoice, of=of)
            if invoice_status(item, now) == "overdue"
        ]
        return invoice_sheet(desk, f"Overdue as of {when(now)} UTC", late, limit, "none")
    rows = [
        row_of(key, item)
        for key, item in things_of(desk, Payment, of=of)
        if closed or item.state == "declared"
    ]
    columns = (
        id_column(),
        party(desk, "payer"),
        party(desk, "payee"),
        Column(
            title="amount",
            form=lambda row: money(
                sum(item[2] for item in row["settles"]), row["currency"], desk.tables.exponents
            ),
            right=True,
        ),
        Column(
            title="seen at",
            form=lambda row: "\n".join(item.removeprefix("reference ") for item in row["references"]),
            wide=True,
        ),
        time("declared", "declared_at"),
        text("state", "state"),
    )
    return cut("Payments", columns, rows, limit, empty="none wait")
