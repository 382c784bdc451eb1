"""`dispute`: objections to a delivery, usage report or invoice, answered by the other party, decided by the arbiter."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import Act, Acting, acting, group, reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.evidence import EvidenceOption, document
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import find, party_name
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
from pseudoledger.cli.show import Column, Facts, Sheet, money, short, when
from pseudoledger.cli.values import amount as read_amount
from pseudoledger.cli.values import choice, pair
from pseudoledger.contract.account import dispute_account
from pseudoledger.contract.derive import dispute_status
from pseudoledger.contract.things import Delivery, Invoice, Usage
from pseudoledger.contract.things.dispute import Dispute

app = group("dispute", "Disputes: objections, answers and decisions.")
APPS = (app,)

REASONS = ("quantity", "downtime", "price", "tax", "quality", "not_delivered", "duplicate", "other")
_UNITS = {"delivery": "units", "usage": "unit-seconds"}

DisputeArgument = Annotated[str, typer.Argument(help="Dispute: id, prefix or number.", show_default=False)]
RemarkOption = Annotated[
    str | None, typer.Option("--remark", help="Why, in words; sealed.", show_default=False)
]


@acting(
    app,
    "open",
    examples=(
        "pl dispute open D-1 --invoice INV-1='500.00 USD' --reason quantity --as bob",
        "pl dispute open D-2 --usage 3f2a9c41=7200 --reason downtime --evidence outage.pdf --as bob",
        "pl dispute open D-3 --delivery B1 --reason quality --as bob",
    ),
)
def open_dispute(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of the dispute.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help=", ".join(REASONS) + ".", show_default=False)],
    invoice: Annotated[
        str | None, typer.Option("--invoice", help="INVOICE=AMOUNT of its total.", show_default=False)
    ] = None,
    usage: Annotated[
        str | None, typer.Option("--usage", help="REPORT=UNIT-SECONDS of it.", show_default=False)
    ] = None,
    delivery: Annotated[
        str | None, typer.Option("--delivery", help="A delivery that waits, whole.", show_default=False)
    ] = None,
    evidence: EvidenceOption = None,
    remark: RemarkOption = None,
) -> Act:
    """Dispute one thing and how much of it; with an arbiter in the terms this freezes it until decided."""
    if sum(item is not None for item in (invoice, usage, delivery)) != 1:
        raise WrongUse("name one thing that is disputed", hint="--invoice INV-1='500.00 USD'")
    matter, lease_id = _matter(acting, invoice, usage, delivery)
    tree: dict[str, Any] = {
        "type": "dispute.opened",
        "number": number,
        "matter": matter,
        "reason": choice(reason, "--reason", REASONS),
        **_more("evidence", evidence, remark),
    }
    return Act(
        tree=tree, sub=lease_id, title=number, then=f"the other party answers: pl dispute answer {number}"
    )


def _matter(
    acting: Acting, invoice: str | None, usage: str | None, delivery: str | None
) -> tuple[dict[str, Any], str]:
    desk = acting.desk
    if invoice is not None:
        name, said = pair(invoice, "--invoice", "INV-1='500.00 USD'")
        invoice_id, billed = find(desk, Invoice, name, party=acting.party)
        minor = read_amount(said, "--invoice", desk.tables.exponents, billed.currency).minor
        return {"invoice": invoice_id, "amount_minor": minor}, billed.lease
    if usage is not None:
        name, said = pair(usage, "--usage", "3f2a9c41=7200")
        usage_id, report = find(desk, Usage, name, party=acting.party)
        return {"usage": usage_id, "chip_seconds": _whole(said, "--usage")}, report.lease
    delivery_id, handed = find(desk, Delivery, delivery or "", party=acting.party)
    return {"delivery": delivery_id, "count": sum(count for _, count in handed.lines)}, handed.lease


def _more(name: str, file: Path | None, remark: str | None) -> dict[str, Any]:
    return {
        **({name: document(file)} if file is not None else {}),
        **({"remark": remark} if remark else {}),
    }


def _whole(said: str, option: str) -> int:
    if not said.isdecimal():
        raise WrongUse(f"{option}: {said!r} is no whole number", hint="for example 7200 unit-seconds")
    return int(said)


def _share(acting: Acting, dispute: Dispute, said: str, option: str) -> int:
    """Read how much of a dispute goes to the party that opened it: all, none, or an amount in its unit."""
    if said in {"all", "none"}:
        return dispute.left if said == "all" else 0
    if dispute.sort != "invoice":
        return _whole(said, option)
    desk = acting.desk
    _, billed = find(desk, Invoice, dispute.about)
    return read_amount(said, option, desk.tables.exponents, billed.currency).minor


@acting(
    app,
    "answer",
    examples=(
        "pl dispute answer D-1 --admit none --remark 'our meter agrees with yours' --as alice",
        "pl dispute answer D-1 --admit '100.00 USD' --as alice",
    ),
)
def answer(
    acting: Acting,
    *,
    dispute: DisputeArgument,
    admit: Annotated[
        str,
        typer.Option("--admit", help="What you give the other: all, none, or an amount.", show_default=False),
    ],
    evidence: EvidenceOption = None,
    remark: RemarkOption = None,
) -> Act:
    """Answer, as the other party; what you admit binds at once, the rest is for the arbiter."""
    dispute_id, thing = find(acting.desk, Dispute, dispute, party=acting.party)
    admitted = _share(acting, thing, admit, "--admit")
    tree = {"type": "dispute.answered", "admitted": admitted, **_more("evidence", evidence, remark)}
    then = f"the arbiter decides: pl dispute decide {dispute}" if thing.arbiter else "it stays on record"
    if admitted == thing.amount:
        then = f"it is over: pl dispute show {dispute} says what is owed"
    return Act(tree=tree, sub=dispute_id, title=thing.number, then=then)


@acting(
    app,
    "decide",
    examples=(
        "pl dispute decide D-1 --award '250.00 USD' --reasoning decision.pdf --as judy",
        "pl dispute decide D-2 --award all --as judy",
    ),
)
def decide(
    acting: Acting,
    *,
    dispute: DisputeArgument,
    award: Annotated[
        str,
        typer.Option(
            "--award",
            help="What goes to the party that opened it: all, none, or an amount.",
            show_default=False,
        ),
    ],
    reasoning: Annotated[
        Path | None,
        typer.Option("--reasoning", help="File with the reasons; its hash, type and size are stated."),
    ] = None,
    remark: RemarkOption = None,
) -> Act:
    """Decide, as the arbiter of the terms; this binds the book."""
    dispute_id, thing = find(acting.desk, Dispute, dispute, party=acting.party)
    awarded = _share(acting, thing, award, "--award")
    tree = {"type": "dispute.decided", "awarded": awarded, **_more("reasoning", reasoning, remark)}
    then = f"pl dispute show {dispute} says what follows"
    return Act(tree=tree, sub=dispute_id, title=thing.number, then=then)


def _amount(desk: Desk, row: Any, name: str) -> str:
    if row["sort"] != "invoice":
        return f"{row[name]:,} {_UNITS[row['sort']]}"
    billed = desk.book.get(Invoice, row["about"])
    assert billed is not None, "the book has what is disputed"
    return money(row[name], billed.currency, desk.tables.exponents)


def _amount_column(desk: Desk, title: str, name: str) -> Column:
    return Column(title=title, form=lambda row: _amount(desk, row, name), right=True)


def disputes_sheet(desk: Desk, title: str, rows: list[dict[str, Any]], limit: int, empty: str) -> Sheet:
    """Make the sheet of some disputes."""
    columns = (
        id_column(),
        text("number", "number"),
        Column(title="about", form=lambda row: f"{row['sort']} {short(row['about'])}"),
        party(desk, "by"),
        party(desk, "against"),
        _amount_column(desk, "amount", "amount"),
        _amount_column(desk, "admitted", "admitted"),
        _amount_column(desk, "awarded", "awarded"),
        text("status", "status"),
        time("until", "until"),
    )
    return cut(title, columns, rows, limit, empty=empty)


@reading(app, "list", examples=("pl dispute list", "pl dispute list --of bob --all --json"))
def list_disputes(
    desk: Desk, of: MineOption = None, closed: AllOption = False, limit: LimitOption = LIMIT
) -> Sheet:
    """List the disputes that wait for an answer or a decision, newest first."""
    now = desk.now
    rows = [
        asdict(dispute_account(key, item, now))
        for key, item in things_of(desk, Dispute, of=of)
        if closed or dispute_status(item, now) in {"open", "answered"}
    ]
    return disputes_sheet(desk, f"Disputes as of {when(now)} UTC", rows, limit, "none waits")


@reading(app, "show", examples=("pl dispute show D-1", "pl dispute show D-1 --json"))
def show(desk: Desk, dispute: DisputeArgument) -> Facts:
    """Show a dispute: what it is about, what it freezes until when, and what followed."""
    dispute_id, thing = find(desk, Dispute, dispute)
    now = desk.now
    account = dispute_account(dispute_id, thing, now)
    value = row_of(dispute_id, thing, status=account.status, until=account.until)
    facts = [
        ("id", dispute_id),
        ("status", f"{account.status}, as of {when(now)} UTC"),
        ("about", f"{thing.sort} {thing.about}"),
        ("lease", thing.lease),
        ("by", party_name(desk, thing.by)),
        ("against", party_name(desk, thing.against)),
        ("arbiter", party_name(desk, thing.arbiter) if thing.arbiter else "none: it freezes nothing"),
        ("reason", thing.reason),
        ("amount", _amount(desk, value, "amount")),
    ]
    if thing.answered_at is not None:
        facts.append(("admitted", f"{_amount(desk, value, 'admitted')}, {when(thing.answered_at)} UTC"))
    if thing.state == "decided":
        facts.append(("awarded", f"{_amount(desk, value, 'awarded')}, {when(thing.closed_at)} UTC"))
    if account.until is not None:
        waits = "answered" if account.status == "open" else "decided"
        facts.append((f"to be {waits}", f"by {when(account.until)} UTC; else it is undecided"))
    facts += _follows(desk, thing)
    return Facts(title=f"Dispute {thing.number}", facts=facts, value=value)


def _follows(desk: Desk, thing: Dispute) -> list[tuple[str, str]]:
    """Say what a closed dispute left to do."""
    billed = desk.book.get(Invoice, thing.about)
    if thing.state not in {"admitted", "decided"} or billed is None or thing.arbiter is None:
        return []
    owed = money(billed.owed_credit_minor, billed.currency, desk.tables.exponents)
    return [("to be credited", f"{owed} of invoice {billed.number} by {party_name(desk, billed.issuer)}")]
