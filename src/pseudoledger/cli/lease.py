"""`lease propose|sign|reject|cancel|reclaim|end`: agreeing on a lease, and leaving it."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import Act, Acting, acting, group
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import did_of, find, unknown_of
from pseudoledger.cli.gate import GateOption, pass_gate
from pseudoledger.cli.lease_draft import (
    AnswersOption,
    ArbiterOption,
    AssetOption,
    LesseeNameOption,
    LessorNameOption,
    LineOption,
    MandateOption,
    OperatorOption,
    OwnerOption,
    PayOption,
    PolicyOption,
    PriceOption,
    PurposeOption,
    ResidencyOption,
    SiteOption,
    SubletOption,
    TemplateOption,
    ValidOption,
    WorkloadOption,
    WorthOption,
    answered_by,
    lapses_at,
    lines_of,
    parties_of,
    payment_means,
    reprice,
    shown_mandates,
)
from pseudoledger.cli.statements import whole_id
from pseudoledger.cli.values import choice, instant_text, period, residency, tax
from pseudoledger.contract.templates import Deal, draft_terms, load, names
from pseudoledger.contract.things import Invoice, Lease
from pseudoledger.contract.things.voucher import Voucher
from pseudoledger.statement.values import Period

app = group("lease", "Leases, from proposal to end.")
APPS = (app,)

LeaseArgument = Annotated[str, typer.Argument(help="Lease: id, prefix or number.", show_default=False)]


@acting(
    app,
    "propose",
    examples=(
        "pl lease propose L1 --line O1/h100=4 --from 2026-03-01 --length 30d --as bob",
        (
            "pl lease propose L2 --template reserved-term --line O2/h100=8 --answers D1 --from 2026-03-01 --until"
            " 2026-06-01 --purpose train --tax 'S 19' --pay 58=DE89370400440532013000 --as alice"
        ),
        (
            "pl lease propose L3 --template reserved-term --sublet L2/h100=2@2.60/h --answers D2 --from 2026-03-01"
            " --length 30d --as bob"
        ),
    ),
)
def propose(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of the lease.", show_default=False)],
    line: LineOption = None,
    sublet: SubletOption = None,
    start: Annotated[str, typer.Option("--from", help="Start.", show_default=False)],
    until: Annotated[str | None, typer.Option("--until", help="End.", show_default=False)] = None,
    lasting: Annotated[str | None, typer.Option("--length", help="Length, instead of --until.")] = None,
    template: TemplateOption = "on-demand",
    answers: AnswersOption = None,
    purpose: PurposeOption = None,
    price: PriceOption = None,
    worth: WorthOption = None,
    tax_said: Annotated[str, typer.Option("--tax", help="Category and rate: O, AE, 'S 19'.")] = "O",
    pay: PayOption = None,
    asset: AssetOption = None,
    mandate: MandateOption = None,
    where: ResidencyOption = None,
    policy: PolicyOption = None,
    arbiter: ArbiterOption = None,
    site: SiteOption = None,
    owner: OwnerOption = None,
    operator: OperatorOption = None,
    lessor_name: LessorNameOption = None,
    lessee_name: LesseeNameOption = None,
    workload: WorkloadOption = None,
    valid_to: ValidOption = None,
) -> Act:
    """Put the whole terms to the other party: clauses of a template, lines and prices of offers.

    A sublease takes lines of a head lease instead, whose lessee leases them on: place, currency and residency are
    the head lease's, the purpose is unless said otherwise, and nothing may be looser than there.
    """
    desk = acting.desk
    choice(template, "--template", names())
    choices = lines_of(desk, line or (), sublet or (), purpose or (), worth or ())
    answered = answered_by(desk, answers, choices)
    lessor, lessee = parties_of(acting, choices, answered)
    sealed = {"lessor_name": lessor_name, "lessee_name": lessee_name, "workload": workload}
    place = {"site": site, "owner": owner, "operator": operator}
    deal = Deal(
        lessor=lessor,
        lessee=lessee,
        choices=choices,
        period=Period.model_validate(period(start, until, lasting)),
        tax=tax(tax_said, "--tax"),
        payment_means=payment_means(pay),
        residency=[residency(item, "--residency") for item in where or ()],
        assets=list(asset or ()),
        mandates=shown_mandates(acting, mandate or ()),
        policies=list(policy or ()),
        arbiter=did_of(desk, arbiter, "--arbiter") if arbiter else None,
        sealed={name: text for name, text in sealed.items() if text},
        facility={name: text for name, text in place.items() if text},
    )
    terms = draft_terms(load(template), deal)
    reprice(terms, price or ())
    lapses = lapses_at(desk, valid_to)
    tree = {"number": number, "answers": answered[0], "valid_to": lapses, "terms": terms}
    then = f"the other party signs with: pl lease sign {number}, until {lapses}"
    return Act(tree={"type": "lease.proposed", **tree}, title=number, then=then)


def _answer(acting: Acting, lease: str, kind: str, then: str = "") -> Act:
    desk = acting.desk
    lease_id, thing = find(desk, Lease, lease, party=acting.party)
    other = thing.lessee if desk.book.same_party(thing.lessor, acting.signer.did) else thing.lessor
    unknown = unknown_of(desk, other) if kind == "lease.signed" else ()
    return Act(tree={"type": kind}, sub=lease_id, title=thing.number, then=then, unknown=unknown)


@acting(
    app,
    "sign",
    examples=("pl lease sign L1 --as alice", "pl lease sign L1 --policy gate.toml --dry-run --as alice"),
)
def sign(acting: Acting, lease: LeaseArgument, policy: GateOption = None) -> Act:
    """Consent to a proposal: the lease binds from here, and its stock is taken.

    Says what the ledger does not know of the other party; nobody has to be known to be dealt with, unless a gate
    of your own says so.
    """
    if policy is not None:
        _, thing = find(acting.desk, Lease, lease, party=acting.party)
        other = thing.lessee if acting.desk.book.root_of(thing.lessor) == acting.party else thing.lessor
        pass_gate(acting.desk, policy, thing, other)
    return _answer(acting, lease, "lease.signed", f"the lessor hands over: pl delivery offer {lease} NUMBER")


@acting(app, "reject", examples=("pl lease reject L1 --as alice",))
def reject(acting: Acting, lease: LeaseArgument) -> Act:
    """Decline a proposal."""
    return _answer(acting, lease, "lease.rejected")


@acting(app, "cancel", examples=("pl lease cancel L1 --as bob",))
def cancel(acting: Acting, lease: LeaseArgument) -> Act:
    """Take your own proposal back before it is signed."""
    return _answer(acting, lease, "lease.cancelled")


@acting(
    app, "reclaim", examples=("pl lease reclaim L1 N1 --at 2026-03-20T10:00:00Z --code 10001 --as alice",)
)
def reclaim(
    acting: Acting,
    *,
    lease: LeaseArgument,
    number: Annotated[str, typer.Argument(help="Your number of the notice.", show_default=False)],
    at: Annotated[str, typer.Option("--at", help="When the machines go back.", show_default=False)],
    code: Annotated[int, typer.Option("--code", help="Reason, 10000 to 19999.")] = 10_000,
) -> Act:
    """Give notice, as the lessor, that you take the machines back; the terms say how long before."""
    lease_id, _ = find(acting.desk, Lease, lease, party=acting.party)
    tree = {
        "type": "reclaim.started",
        "number": number,
        "effective_at": instant_text(at, "--at"),
        "code": code,
    }
    then = f"from {tree['effective_at']}: pl lease end {lease} --code {code}"
    return Act(tree=tree, sub=lease_id, title=number, then=then)


@acting(
    app,
    "end",
    examples=("pl lease end L1 --as bob", "pl lease end L1 --code 20000 --entry INV-3 --as alice"),
)
def end(
    acting: Acting,
    *,
    lease: LeaseArgument,
    code: Annotated[
        int,
        typer.Option(
            "--code",
            help="0 period over; 1-9999 lessee; 10000-19999 lessor, after notice; 20000 invoice unpaid past"
            " grace; 20001 voucher revoked; 20002 a registered file; 20003 key revoked; 20004 head lease ended.",
        ),
    ] = 0,
    entry: Annotated[
        str | None,
        typer.Option(
            "--entry",
            help="What shows the condition of a code from 20000: invoice, voucher, file, revocation, head lease.",
            show_default=False,
        ),
    ] = None,
) -> Act:
    """End a lease: its period is over, by notice, or early for a coded reason."""
    lease_id, _ = find(acting.desk, Lease, lease, party=acting.party)
    tree: dict[str, Any] = {"type": "lease.ended", "code": code}
    if entry is not None:
        tree["entry"] = _condition(acting, code, entry)
    return Act(tree=tree, sub=lease_id, title=lease, then="what was used may still be billed: pl invoice run")


def _condition(acting: Acting, code: int, entry: str) -> str:
    """Return the id of what shows a condition: invoice, voucher and head lease may be named as people name them."""
    desk = acting.desk
    match code:
        case 20_000:
            return find(desk, Invoice, entry, party=acting.party)[0]
        case 20_001:
            return find(desk, Voucher, entry, party=acting.party)[0]
        case 20_004:
            with contextlib.suppress(WrongUse):
                head_id, head = find(desk, Lease, entry, party=acting.party)
                # A head lease that has not ended shows nothing; the rules say so of its own id.
                return head.end_id or head_id
    return whole_id(desk, entry) or entry
