"""`voucher reserve|release|present|redeem`: what holders and lessors do with a voucher."""

from __future__ import annotations

from typing import Annotated

import typer

from pseudoledger.cli.command import Act, Acting, acting, group
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import find
from pseudoledger.cli.show import money
from pseudoledger.cli.values import amount
from pseudoledger.contract.things import Invoice, Lease
from pseudoledger.contract.things.voucher import Presentation, Voucher, VoucherUse
from pseudoledger.contract.vouchers import programme_of, room_on, use_key

app = group("voucher", "Compute vouchers: programmes, what holders present, what lessors redeem.")
APPS = (app,)

VoucherArgument = Annotated[str, typer.Argument(help="Voucher: id, prefix or number.", show_default=False)]
ActArgument = Annotated[str, typer.Argument(help="Your number of this act.", show_default=False)]
PresentationArgument = Annotated[
    str, typer.Argument(help="What was presented: id, prefix or number.", show_default=False)
]
AmountOption = Annotated[
    str | None, typer.Option("--amount", help="How much, e.g. '5793.12 USD'; as much as fits if left out.")
]


def minor_of(acting: Acting, text: str, currency: str) -> int:
    """Read an amount in the currency of a voucher."""
    return amount(text, "--amount", acting.desk.tables.exponents, currency).minor


@acting(app, "reserve", examples=("pl voucher reserve V-1 R-1 --lease L1 --amount '20000.00 USD' --as bob",))
def reserve(
    acting: Acting,
    *,
    voucher: VoucherArgument,
    number: ActArgument,
    lease: Annotated[str, typer.Option("--lease", help="Lease: id, prefix or number.", show_default=False)],
    said: Annotated[str, typer.Option("--amount", help="How much, e.g. '20000.00 USD'.", show_default=False)],
) -> Act:
    """Set a part of your voucher aside for a lease; invoices of that lease take it first."""
    voucher_id, thing = find(acting.desk, Voucher, voucher, party=acting.party)
    tree = {
        "type": "voucher.reserved",
        "number": number,
        "lease": find(acting.desk, Lease, lease, party=acting.party)[0],
        "amount_minor": minor_of(acting, said, thing.currency),
    }
    return Act(tree=tree, sub=voucher_id, title=number, then=f"pl voucher present {voucher} NUMBER INVOICE")


@acting(
    app,
    "release",
    examples=(
        "pl voucher release V-1 F-1 --lease L1 --as bob",
        "pl voucher release V-1 F-2 --lease L1 --amount '500.00 USD' --as bob",
        "pl voucher release V-1 F-3 --presentation S-1 --as bob",
    ),
)
def release(
    acting: Acting,
    *,
    voucher: VoucherArgument,
    number: ActArgument,
    lease: Annotated[str | None, typer.Option("--lease", help="Lease that it was set aside for.")] = None,
    said: Annotated[
        str | None, typer.Option("--amount", help="How much of it; all of it if left out.")
    ] = None,
    presentation: Annotated[
        str | None, typer.Option("--presentation", help="What was presented and not redeemed.")
    ] = None,
) -> Act:
    """Take back what you set aside for a lease, or presented and nobody redeemed."""
    desk = acting.desk
    voucher_id, thing = find(desk, Voucher, voucher, party=acting.party)
    tree: dict[str, object] = {"type": "voucher.released", "number": number}
    if (lease is None) == (presentation is None) or (said is not None and lease is None):
        raise WrongUse("give --lease, with or without --amount, or --presentation")
    if lease is not None:
        lease_id, _ = find(desk, Lease, lease, party=acting.party)
        use = desk.book.get(VoucherUse, use_key(voucher_id, lease_id))
        minor = (use.reserved_minor if use else 0) if said is None else minor_of(acting, said, thing.currency)
        if minor == 0:
            raise WrongUse(
                "nothing of the voucher is set aside for this lease", hint=f"pl voucher show {voucher}"
            )
        tree["reserved"] = {"lease": lease_id, "amount_minor": minor}
    elif presentation is not None:
        tree["presentation"] = find(desk, Presentation, presentation, party=acting.party)[0]
    return Act(tree=tree, sub=voucher_id, title=number, then="it is free again")


@acting(
    app,
    "present",
    examples=(
        "pl voucher present V-1 S-1 INV-1 --as bob",
        "pl voucher present V-1 S-1 INV-1 --amount '5793.12 USD' --as bob",
    ),
)
def present(
    acting: Acting,
    *,
    voucher: VoucherArgument,
    number: ActArgument,
    invoice: Annotated[str, typer.Argument(help="Invoice: id, prefix or number.", show_default=False)],
    said: AmountOption = None,
) -> Act:
    """Offer a part of your voucher in payment of an invoice; it is held until the lessor redeems it."""
    desk = acting.desk
    voucher_id, thing = find(desk, Voucher, voucher, party=acting.party)
    invoice_id, billed = find(desk, Invoice, invoice, party=acting.party)
    minor = (
        minor_of(acting, said, thing.currency)
        if said is not None
        else _most(acting, voucher_id, thing, billed)
    )
    if minor <= 0:
        raise WrongUse(
            "nothing of the voucher fits this invoice",
            hint=f"pl voucher show {voucher} and pl invoice show {invoice} say what is free and what is open",
        )
    tree = {
        "type": "voucher.presented",
        "number": number,
        "lessor": desk.book.acting_key(billed.issuer),
        "invoice": invoice_id,
        "amount_minor": minor,
    }
    held = money(minor, thing.currency, desk.tables.exponents)
    then = f"{held} are held; the lessor answers with pl voucher redeem {number}"
    return Act(tree=tree, sub=voucher_id, title=number, then=then)


def _most(acting: Acting, voucher_id: str, voucher: Voucher, invoice: Invoice) -> int:
    """Return what is free or set aside of a voucher, as far as the programme's share lets the invoice take it."""
    book = acting.desk.book
    use = book.get(VoucherUse, use_key(voucher_id, invoice.lease))
    there = voucher.free_minor + (use.reserved_minor if use else 0)
    room = room_on(book, programme_of(book, voucher.programme).payload, invoice, acting.desk.now)
    return min(there, invoice.open_minor if room is None else room)


@acting(
    app,
    "redeem",
    examples=(
        "pl voucher redeem S-1 --as alice",
        "pl voucher redeem S-1 --amount '5793.12 USD' --as alice",
    ),
)
def redeem(acting: Acting, *, presentation: PresentationArgument, said: AmountOption = None) -> Act:
    """Take, as the lessor, what was presented as prepaid on your invoice; the issuer owes you the same."""
    desk = acting.desk
    ref, thing = find(desk, Presentation, presentation, party=acting.party)
    if said is not None:
        minor = minor_of(acting, said, thing.currency)
    else:
        invoice = desk.book.get(Invoice, thing.invoice)
        assert invoice is not None, "a voucher is presented for an invoice of the book"
        room = room_on(desk.book, programme_of(desk.book, thing.programme).payload, invoice, desk.now)
        minor = thing.amount_minor if not room else min(thing.amount_minor, room)
    tree = {"type": "voucher.redeemed", "presentation": ref, "amount_minor": minor}
    taken = money(minor, thing.currency, desk.tables.exponents)
    then = (
        f"{taken} are prepaid; the issuer settles with pl voucher settle NUMBER --presentation {presentation}"
    )
    return Act(tree=tree, sub=thing.voucher, title=presentation, then=then)
