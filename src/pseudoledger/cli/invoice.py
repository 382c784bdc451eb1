"""`invoice`: bills of a lease, made from what the book says is due."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import Act, Acting, acting, group
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import find, number_used
from pseudoledger.cli.lease import LeaseArgument
from pseudoledger.cli.show import money
from pseudoledger.cli.values import amount, choice, pairs, tax
from pseudoledger.contract.derive import due_minor
from pseudoledger.contract.service_level import service_credits
from pseudoledger.contract.things import Invoice, Lease, Mandate
from pseudoledger.errors import MalformedError
from pseudoledger.market.invoicing import (
    InvoiceDraft,
    draft_commission,
    draft_credit,
    draft_invoices,
    unbilled_usage,
)
from pseudoledger.statement import envelope
from pseudoledger.statement.kinds.billing import InvoiceIssued, InvoiceLine
from pseudoledger.statement.payload import parse

app = group("invoice", "Invoices and credit notes.")
APPS = (app,)

REJECT_REASONS = ("quantity", "price", "tax", "duplicate", "not_delivered", "other")
CREDIT_REASONS = ("usage", "price", "tax", "service_level", "goodwill", "dispute", "other")
NUMBERS_TRIED_MAX = 100_000
"""Invoice numbers of one prefix that `run` looks through for a free one."""

InvoiceArgument = Annotated[str, typer.Argument(help="Invoice: id, prefix or number.", show_default=False)]
NumberArgument = Annotated[
    str, typer.Argument(help="Your number of it, never used twice.", show_default=False)
]
RemarkOption = Annotated[str | None, typer.Option("--remark", help="Note; sealed.", show_default=False)]
SellerOption = Annotated[
    str | None,
    typer.Option("--seller-name", help="Registered name of the seller; sealed.", show_default=False),
]
BuyerOption = Annotated[
    str | None, typer.Option("--buyer-name", help="Registered name of the buyer; sealed.", show_default=False)
]


def _sealed(
    seller: str | None, buyer: str | None, reference: str | None, remark: str | None
) -> dict[str, str]:
    said = {
        "seller_name": seller,
        "buyer_name": buyer,
        "buyer_reference": reference,
        "remark": remark,
    }
    return {name: text for name, text in said.items() if text}


def _act(acting: Acting, draft: InvoiceDraft, number: str, more: dict[str, Any]) -> Act:
    tree = {**draft.numbered(number), **more}
    total = money(tree["total_minor"], tree["currency"], acting.desk.tables.exponents)
    then = f"{total}, due {tree['due_date']}; the buyer answers with pl invoice accept {number}, silence accepts it"
    return Act(tree=tree, sub=draft.lease_id, title=number, then=then)


@acting(
    app,
    "issue",
    examples=(
        "pl invoice issue L1 INV-1 --as alice",
        "pl invoice issue L1 INV-2 --preceding INV-1 --seller-name 'North Lake Oy' --as alice",
    ),
)
def issue(
    acting: Acting,
    *,
    lease: LeaseArgument,
    number: NumberArgument,
    preceding: Annotated[
        str | None,
        typer.Option("--preceding", help="Cancelled invoice that it replaces.", show_default=False),
    ] = None,
    seller: SellerOption = None,
    buyer: BuyerOption = None,
    reference: Annotated[
        str | None, typer.Option("--buyer-reference", help="The buyer's own reference; sealed.")
    ] = None,
    remark: RemarkOption = None,
) -> list[Act]:
    """Bill everything of a lease that is agreed and not yet billed; where terms changed, one invoice for each."""
    desk = acting.desk
    lease_id, thing = find(desk, Lease, lease, party=acting.party)
    reports = unbilled_usage(desk.book).get(lease_id, [])
    drafts = list(draft_invoices(desk.book, desk.tables, lease_id, reports, desk.now))
    if not drafts:
        raise WrongUse(
            f"nothing of lease {thing.number} can be billed now", hint=f"pl lease statement {lease} says why"
        )
    more: dict[str, Any] = dict(_sealed(seller, buyer, reference, remark))
    if preceding is not None:
        more["preceding"] = find(desk, Invoice, preceding, party=acting.party)[0]
    numbers = [number, *(f"{number}-{place}" for place in range(2, len(drafts) + 1))]
    return [_act(acting, draft, name, more) for draft, name in zip(drafts, numbers, strict=True)]


@acting(
    app,
    "run",
    examples=(
        "pl invoice run --prefix 2026- --as alice",
        "pl invoice run --prefix 2026- --dry-run --as alice",
    ),
)
def run(
    acting: Acting,
    *,
    prefix: Annotated[
        str,
        typer.Option("--prefix", help="Invoices are numbered PREFIX1, PREFIX2, … as far as they are free."),
    ],
    seller: SellerOption = None,
) -> list[Act]:
    """Bill, as the lessor, everything of all leases that is agreed and not yet billed."""
    desk, numbers = acting.desk, _free_numbers(acting, prefix)
    unbilled = unbilled_usage(desk.book)
    acts: list[Act] = []
    for lease_id, lease in desk.book.all(Lease):
        if lease.state in {"signed", "ended"} and desk.book.same_party(lease.lessor, acting.party):
            reports = unbilled.get(lease_id, [])
            try:
                drafts = list(draft_invoices(desk.book, desk.tables, lease_id, reports, desk.now))
            except MalformedError as error:
                raise WrongUse(
                    f"lease {lease.number}: {error.message}",
                    hint="nothing was billed; bill the other leases with pl invoice issue",
                ) from None
            acts += [
                _act(acting, draft, next(numbers), _sealed(seller, None, None, None)) for draft in drafts
            ]
    return acts


def _free_numbers(acting: Acting, prefix: str) -> Iterator[str]:
    for count in range(1, NUMBERS_TRIED_MAX):
        number = f"{prefix}{count}"
        if not number_used(acting.desk, ("invoice.issued", "credit.issued"), number):
            yield number
    raise WrongUse(f"--prefix: the numbers of {prefix!r} are used up", hint="choose another prefix")


@acting(app, "commission", examples=("pl invoice commission INV-1 C-1 --mandate M1 --tax 'S 19' --as carol",))
def commission(
    acting: Acting,
    *,
    invoice: InvoiceArgument,
    number: NumberArgument,
    mandate: Annotated[
        str, typer.Option("--mandate", help="Mandate: id, prefix or number.", show_default=False)
    ],
    tax_said: Annotated[str, typer.Option("--tax", help="Category and rate: O, AE, 'S 19'.")] = "O",
    seller: SellerOption = None,
    remark: RemarkOption = None,
) -> Act:
    """Bill, as a broker, the commission on an accepted invoice."""
    desk = acting.desk
    mandate_id, _ = find(desk, Mandate, mandate, party=acting.party)
    invoice_id, _ = find(desk, Invoice, invoice)
    draft = draft_commission(
        desk.book, desk.tables, mandate_id, invoice_id, tax=tax(tax_said, "--tax"), now=desk.now
    )
    return _act(acting, draft, number, dict(_sealed(seller, None, None, remark)))


@acting(app, "accept", examples=("pl invoice accept INV-1 --as bob",))
def accept(acting: Acting, invoice: InvoiceArgument) -> Act:
    """Agree, as the buyer, with an invoice."""
    invoice_id, thing = find(acting.desk, Invoice, invoice, party=acting.party)
    due = money(due_minor(thing, acting.desk.now), thing.currency, acting.desk.tables.exponents)
    then = f"pay {due} elsewhere, then: pl payment declare NUMBER --invoice {invoice} --ref SCHEME:REFERENCE"
    return Act(tree={"type": "invoice.accepted"}, sub=invoice_id, title=thing.number, then=then)


@acting(
    app,
    "reject",
    examples=("pl invoice reject INV-1 --accepted '1200.00 USD' --reason quantity --as bob",),
)
def reject(
    acting: Acting,
    *,
    invoice: InvoiceArgument,
    accepted: Annotated[
        str, typer.Option("--accepted", help="Part of the total that you accept, e.g. '1200.00 USD'.")
    ],
    reason: Annotated[str, typer.Option("--reason", help=", ".join(REJECT_REASONS) + ".")],
    remark: RemarkOption = None,
) -> Act:
    """Disagree, as the buyer; the accepted part is due, the rest in dispute."""
    desk = acting.desk
    invoice_id, thing = find(desk, Invoice, invoice, party=acting.party)
    tree: dict[str, Any] = {
        "type": "invoice.rejected",
        "reason": choice(reason, "--reason", REJECT_REASONS),
        "accepted_minor": amount(accepted, "--accepted", desk.tables.exponents, thing.currency).minor,
    }
    tree |= {"remark": remark} if remark else {}
    return Act(
        tree=tree,
        sub=invoice_id,
        title=thing.number,
        then="the issuer may credit the rest: pl invoice credit",
    )


@acting(app, "cancel", examples=("pl invoice cancel INV-1 --as alice",))
def cancel(acting: Acting, invoice: InvoiceArgument) -> Act:
    """Take back, as the issuer, an invoice that nobody answered or paid; its number stays used."""
    invoice_id, thing = find(acting.desk, Invoice, invoice, party=acting.party)
    then = f"issue another: pl invoice issue LEASE NUMBER --preceding {invoice}"
    return Act(tree={"type": "invoice.cancelled"}, sub=invoice_id, title=thing.number, then=then)


@acting(
    app,
    "credit",
    examples=(
        "pl invoice credit INV-1 CN-1 --line h100='100.00 USD' --reason goodwill --as alice",
        "pl invoice credit INV-1 CN-2 --sla --as alice",
    ),
)
def credit(
    acting: Acting,
    *,
    invoice: InvoiceArgument,
    number: NumberArgument,
    line: Annotated[
        list[str] | None, typer.Option("--line", help="INVOICE-LINE=NET-AMOUNT; may be repeated.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help=", ".join(CREDIT_REASONS) + ".", show_default=False)
    ] = None,
    sla: Annotated[
        bool,
        typer.Option("--sla", help="What the agreed downtime of its reports owes by the service level."),
    ] = False,
    remark: RemarkOption = None,
) -> Act:
    """Lower an invoice, as its issuer, by a credit note: line by line, or by what the service level owes."""
    desk = acting.desk
    invoice_id, thing = find(desk, Invoice, invoice, party=acting.party)
    if sla == bool(line) or (sla and reason not in {None, "service_level"}):
        raise WrongUse("a credit note is over lines, or over the service level", hint="give --line or --sla")
    if sla:
        nets, reason = _service_level(desk, invoice_id, thing), "service_level"
    else:
        nets = _nets(desk, line or (), thing)
    if reason is None:
        raise WrongUse("a credit note has a reason", hint=f"--reason: {', '.join(CREDIT_REASONS)}")
    tree = draft_credit(desk.book, invoice_id, nets, choice(reason, "--reason", CREDIT_REASONS))
    tree |= {"number": number, **({"remark": remark} if remark else {})}
    total = money(tree["total_minor"], thing.currency, desk.tables.exponents)
    return Act(
        tree=tree, sub=invoice_id, title=number, then=f"{total} less is due; a negative rest is a refund due"
    )


def _nets(desk: Desk, lines: Sequence[str], thing: Invoice) -> dict[str, int]:
    return {
        name: amount(said, "--line", desk.tables.exponents, thing.currency).minor
        for name, said in pairs(lines, "--line", "h100='100.00 USD'").items()
    }


def _service_level(desk: Desk, invoice_id: str, thing: Invoice) -> dict[str, int]:
    """Return what the service level still owes by line; raise WrongUse where it owes nothing."""
    lines = invoice_lines(desk, invoice_id)
    found = service_credits(desk.book, desk.tables, invoice_id, lines, desk.now)
    nets = {item.line: item.net_minor for item in found if item.net_minor}
    if not nets:
        why = "was credited already" if found else "no agreed downtime below the promised uptime"
        raise WrongUse(
            f"the service level owes nothing on invoice {thing.number}: {why}",
            hint="pl usage list --all shows the reports",
        )
    return nets


def invoice_lines(desk: Desk, invoice_id: str) -> tuple[InvoiceLine, ...]:
    """Read the lines of an invoice from its statement."""
    entry = desk.ledger.entry_by_id(invoice_id)
    assert entry is not None, "the book names only statements that stand on the ledger"
    payload = parse(envelope.decode(entry.statement).payload)
    assert isinstance(payload, InvoiceIssued), "the book names it as an invoice"
    return payload.lines
