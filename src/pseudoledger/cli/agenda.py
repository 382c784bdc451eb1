"""`todo`: what a party must answer, by when, and what its silence will mean."""

from __future__ import annotations

from dataclasses import asdict
from types import MappingProxyType
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.find import did_of, party_name
from pseudoledger.cli.listing import LIMIT, LimitOption, cut, id_column, time
from pseudoledger.cli.show import Column, Row, Sheet, money, short, when
from pseudoledger.contract.agenda import agenda

app = typer.Typer()
APPS = (app,)

COMMANDS = MappingProxyType(
    {
        "lease.signed": "pl lease sign {ref}",
        "lease.rejected": "pl lease reject {ref}",
        "lease.proposed": "pl lease propose NUMBER --answers {ref} --line OFFER/LINE=COUNT --from START --length LENGTH",
        "amendment.signed": "pl lease sign-amendment {ref}",
        "bid.countered": "pl bid counter {ref} --number NUMBER --line LINE=COUNT@PRICE/h --currency CURRENCY --from START --length LENGTH",
        "bid.rejected": "pl bid reject {ref}",
        "delivery.accepted": "pl delivery accept {ref}",
        "delivery.refused": "pl delivery refuse {ref} --reason REASON",
        "usage.confirmed": "pl usage confirm {ref}",
        "usage.contested": "pl usage contest {ref} --agreed-hours HOURS --reason REASON",
        "usage.reported": "pl usage report {about} --line LINE --until END --hours HOURS --replaces {ref}",
        "invoice.accepted": "pl invoice accept {ref}",
        "invoice.rejected": "pl invoice reject {ref} --accepted AMOUNT --reason REASON",
        "payment.declared": "pl payment declare NUMBER --invoice {ref} --ref SCHEME:REFERENCE",
        "payment.confirmed": "pl payment confirm {ref}",
        "payment.denied": "pl payment deny {ref} --reason REASON",
        "credit.issued": "pl invoice credit {ref} NUMBER --line LINE=AMOUNT --reason REASON",
        "dispute.answered": "pl dispute answer {ref} --admit AMOUNT",
        "dispute.decided": "pl dispute decide {ref} --award AMOUNT",
        "asset.received": "pl asset receive {ref} --country COUNTRY",
        "voucher.redeemed": "pl voucher redeem {ref}",
        "voucher.settled": "pl voucher settle NUMBER --presentation {ref} --ref SCHEME:REFERENCE",
        "identity.adopted": "pl id adopt {about}",
        "claim.attested": "pl claim attest NUMBER --about {about} --claim CLAIM --from START",
        "stake.accepted": "pl stake accept {ref}",
    }
)
"""The command that makes each kind of answer, with a word in capitals for whatever the party has to say."""


@reading(app, "todo", examples=("pl todo --as bob", "pl todo --as bob --json"))
def todo(
    desk: Desk,
    who: Annotated[
        str, typer.Option("--as", help="Key name, did or label.", show_default=False, metavar="NAME")
    ],
    limit: LimitOption = LIMIT,
) -> Sheet:
    """Say what waits for you: what you can answer, by when, and what your silence will mean."""
    party, now = desk.book.root_of(did_of(desk, who, "--as")), desk.now
    rows: list[dict[str, Any]] = []
    for task in agenda(desk.book, party, now):
        about = task.about if task.about.startswith("did:") else short(task.about)
        commands = [COMMANDS[kind].format(ref=short(task.ref), about=about) for kind in task.answers]
        rows.append({"id": task.ref, **asdict(task), "overdue": _past(task.by, now), "commands": commands})
    columns = (
        id_column(),
        Column(title="what", form=lambda row: _what(desk, row), wide=True),
        time("by", "by"),
        Column(title="silence", form=lambda row: row["silence"], wide=True),
        Column(title="answer with", form=_answer, wide=True),
    )
    title = f"What waits for {party_name(desk, party)}, as of {when(now)} UTC"
    return cut(title, columns, rows, limit, empty="nothing")


def _past(by: int | None, now: int) -> bool:
    return by is not None and now >= by


def _what(desk: Desk, row: Row) -> str:
    if row["amount_minor"] is None:
        return str(row["what"])
    return f"{row['what']}: {money(row['amount_minor'], row['currency'], desk.tables.exponents)}"


def _answer(row: Row) -> str:
    return "\n".join(row["commands"])
