"""`lease propose|sign|reject|cancel|reclaim|end`: agreeing on a lease, and leaving it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import Act, Acting, acting, group
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import did_of, find, find_any, unknown_of
from pseudoledger.cli.gate import GateOption, pass_gate
from pseudoledger.cli.listing import WEEK_SECONDS
from pseudoledger.cli.statements import whole_id
from pseudoledger.cli.values import choice, instant_text, pair, period, residency, share, tax
from pseudoledger.cli.values import price as read_price
from pseudoledger.contract.templates import Choice, Deal, draft_terms, load, names
from pseudoledger.contract.things import Bid, Demand, Invoice, Lease, Mandate, Match, Offer, Thing
from pseudoledger.statement.kinds.market import Purpose
from pseudoledger.statement.values import Period, format_instant

app = group("lease", "Leases, from proposal to end.")
APPS = (app,)

PURPOSES: dict[str, Purpose] = {"train": "train", "infer": "infer", "other": "other"}

LeaseArgument = Annotated[str, typer.Argument(help="Lease: id, prefix or number.", show_default=False)]
ValidOption = Annotated[
    str | None, typer.Option("--valid-to", help="When the proposal lapses; in 7 days where not said.")
]
MandateOption = Annotated[
    list[str] | None, typer.Option("--mandate", help="Broker's mandate to show; may be repeated.")
]
PayOption = Annotated[
    list[str] | None,
    typer.Option("--pay", help="UNCL 4461 code, alone or with an account: 58=DE89…, ZZZ=eip155:1:0x…"),
]
LessorNameOption = Annotated[
    str | None, typer.Option("--lessor-name", help="Registered name; sealed.", show_default=False)
]
LesseeNameOption = Annotated[
    str | None, typer.Option("--lessee-name", help="Registered name; sealed.", show_default=False)
]
WorkloadOption = Annotated[
    str | None, typer.Option("--workload", help="What will run; sealed.", show_default=False)
]


PriceOption = Annotated[
    list[str] | None, typer.Option("--price", help="LINE=PRICE/h, where another price was agreed.")
]
WorthOption = Annotated[
    list[str] | None, typer.Option("--worth", help="LINE=NUMBER: worth of a unit against the reference chip.")
]
AnswersOption = Annotated[
    str | None,
    typer.Option("--answers", help="Demand, bid or match that it answers; the offer where not said."),
]
AssetOption = Annotated[
    list[str] | None, typer.Option("--asset", help="Token accepted in payment (CAIP-19).")
]
ResidencyOption = Annotated[
    list[str] | None, typer.Option("--residency", help="DATASET=DE,FR: where a data set may be.")
]
PolicyOption = Annotated[
    list[str] | None, typer.Option("--policy", help="SHA-256 of a registered policy that applies.")
]


@acting(
    app,
    "propose",
    examples=(
        "pl lease propose L1 --line O1/h100=4 --from 2026-03-01 --length 30d --as bob",
        (
            "pl lease propose L2 --template reserved-term --line O2/h100=8 --answers D1 --from 2026-03-01 --until"
            " 2026-06-01 --purpose train --tax 'S 19' --pay 58=DE89370400440532013000 --as alice"
        ),
    ),
)
def propose(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of the lease.", show_default=False)],
    line: Annotated[list[str], typer.Option("--line", help="OFFER/LINE=COUNT; may be repeated.")],
    start: Annotated[str, typer.Option("--from", help="Start.", show_default=False)],
    until: Annotated[str | None, typer.Option("--until", help="End.", show_default=False)] = None,
    lasting: Annotated[str | None, typer.Option("--length", help="Length, instead of --until.")] = None,
    template: Annotated[
        str, typer.Option("--template", help="on-demand, reserved-term or interruptible.")
    ] = "on-demand",
    answers: AnswersOption = None,
    purpose: Annotated[str, typer.Option("--purpose", help="train, infer or other.")] = "other",
    price: PriceOption = None,
    worth: WorthOption = None,
    tax_said: Annotated[str, typer.Option("--tax", help="Category and rate: O, AE, 'S 19'.")] = "O",
    pay: PayOption = None,
    asset: AssetOption = None,
    mandate: MandateOption = None,
    where: ResidencyOption = None,
    policy: PolicyOption = None,
    arbiter: Annotated[
        str | None, typer.Option("--arbiter", help="Who decides disputes.", show_default=False)
    ] = None,
    lessor_name: LessorNameOption = None,
    lessee_name: LesseeNameOption = None,
    workload: WorkloadOption = None,
    valid_to: ValidOption = None,
) -> Act:
    """Put the whole terms to the other party: clauses of a template, lines and prices of offers."""
    desk = acting.desk
    choice(template, "--template", names())
    choices = _choices(desk, line, purpose, worth or ())
    answered = _answered(desk, answers, choices)
    lessor, lessee = _parties(acting, choices, answered)
    sealed = {"lessor_name": lessor_name, "lessee_name": lessee_name, "workload": workload}
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
    )
    terms = draft_terms(load(template), deal)
    reprice(terms, price or ())
    lapses = lapses_at(desk, valid_to)
    tree = {
        "type": "lease.proposed",
        "number": number,
        "answers": answered[0],
        "valid_to": lapses,
        "terms": terms,
    }
    return Act(
        tree=tree, title=number, then=f"the other party signs with: pl lease sign {number}, until {lapses}"
    )


def _choices(desk: Desk, lines: Iterable[str], purpose: str, worth: Iterable[str]) -> list[Choice]:
    word = PURPOSES[choice(purpose, "--purpose", PURPOSES)]
    worths = dict(pair(item, "--worth", "h100=1.5") for item in worth)
    found = []
    for item in lines:
        place, count = pair(item, "--line", "O1/h100=4")
        offer, slash, line = place.rpartition("/")
        if not slash or not count.isdecimal():
            raise WrongUse(f"--line: {item!r} is not OFFER/LINE=COUNT", hint="for example O1/h100=4")
        offer_id, thing = find(desk, Offer, offer)
        ppm = share(worths.pop(line), "--worth") if line in worths else 1_000_000
        found.append(
            Choice(
                offer_id=offer_id,
                offer=thing,
                offer_line=line,
                count=int(count),
                purpose=word,
                equivalence_ppm=ppm,
            )
        )
    if worths:
        raise WrongUse(f"--worth: there is no line {next(iter(worths))!r} among the --line options")
    return found


def _answered(desk: Desk, answers: str | None, choices: list[Choice]) -> tuple[str, Thing]:
    if answers is None:
        return choices[0].offer_id, choices[0].offer
    return find_any(desk, answers, Offer, Demand, Bid, Match)


def _parties(acting: Acting, choices: list[Choice], answered: tuple[str, Thing]) -> tuple[str, str]:
    """Return lessor and lessee, by their acting keys: the signer is one, the other owns what is answered."""
    book, lessor = acting.desk.book, choices[0].offer.lessor
    if not book.same_party(lessor, acting.signer.did):
        return book.acting_key(lessor), acting.signer.did
    match answered[1]:
        case Demand(lessee=lessee):
            other = lessee
        case Bid(bidder=bidder, addressee=addressee):
            other = addressee if book.same_party(bidder, lessor) else bidder
        case Match(demand=demand_id):
            demand = book.get(Demand, demand_id)
            other = demand.lessee if demand is not None else ""
        case _:
            raise WrongUse(
                "the offer is your own: say what the proposal answers", hint="--answers DEMAND, BID or MATCH"
            )
    return acting.signer.did, book.acting_key(other)


def payment_means(said: list[str] | None) -> list[dict[str, Any]]:
    """Read `--pay` options: a code, alone or with a chain account or a bank account, which is sealed."""
    found = []
    for item in said or ("30",):
        code, _, account = item.partition("=")
        means = {"code": code.strip()}
        if account:
            means["account" if account.count(":") > 1 else "bank_account"] = account.strip()
        found.append(means)
    return found


def shown_mandates(acting: Acting, mandates: Iterable[str]) -> list[dict[str, Any]]:
    """Return mandates as terms show them."""
    found = []
    for text in mandates:
        mandate_id, mandate = find(acting.desk, Mandate, text, party=acting.party)
        found.append(
            {"mandate": mandate_id, "broker": mandate.broker, "commission_bps": mandate.commission_bps}
        )
    return found


def reprice(terms: dict[str, Any], prices: Iterable[str]) -> None:
    """Put agreed prices in place of the offers' in drafted terms."""
    rates = {rate["line"]: rate for rate in terms["tariff"]["lines"]}
    for item in prices:
        line, said = pair(item, "--price", "h100=2.10/h")
        micro, code = read_price(said, "--price")
        if line not in rates or "price_micro" not in rates[line]:
            raise WrongUse(f"--price: no line {line!r} is priced by the hour")
        if code not in {None, terms["tariff"]["currency"]}:
            raise WrongUse(f"--price: the lease is in {terms['tariff']['currency']}")
        rates[line]["price_micro"] = micro


def lapses_at(desk: Desk, valid_to: str | None) -> str:
    """Return when a proposal lapses."""
    return instant_text(valid_to, "--valid-to") if valid_to else format_instant(desk.now + WEEK_SECONDS)


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
        typer.Option("--entry", help="What shows the condition of a code from 20000.", show_default=False),
    ] = None,
) -> Act:
    """End a lease: its period is over, by notice, or early for a coded reason."""
    lease_id, _ = find(acting.desk, Lease, lease, party=acting.party)
    tree: dict[str, Any] = {"type": "lease.ended", "code": code}
    if entry is not None:
        tree["entry"] = _condition(acting, code, entry)
    return Act(tree=tree, sub=lease_id, title=lease, then="what was used may still be billed: pl invoice run")


def _condition(acting: Acting, code: int, entry: str) -> str:
    if code == 20_000:
        return find(acting.desk, Invoice, entry, party=acting.party)[0]
    return whole_id(acting.desk, entry) or entry
