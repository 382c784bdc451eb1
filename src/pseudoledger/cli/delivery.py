"""`delivery`: machines handed over, accepted or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import Act, Acting, acting, group, reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.evidence import EvidenceOption, document
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import find
from pseudoledger.cli.lease import LeaseArgument
from pseudoledger.cli.listing import (
    LIMIT,
    AllOption,
    LimitOption,
    MineOption,
    cut,
    id_column,
    row_of,
    text,
    things_of,
    time,
)
from pseudoledger.cli.machine_files import digests, read_machines
from pseudoledger.cli.show import Column, Sheet
from pseudoledger.cli.values import choice, pair
from pseudoledger.contract.derive import delivery_answer
from pseudoledger.contract.things import Delivery, Lease, TermsInForce
from pseudoledger.statement.kinds.lease import Terms
from pseudoledger.statement.values import say_length

app = group("delivery", "Deliveries: machines handed over.")
APPS = (app,)

REASONS = ("not_reachable", "wrong_hardware", "wrong_count", "below_spec", "other")
SERIALS = ("maker", "serial")
"""Columns that a file of delivered machines has to have; a file of `pl asset register --csv` has them."""

DeliveryArgument = Annotated[str, typer.Argument(help="Delivery: id, prefix or number.", show_default=False)]


@acting(
    app,
    "offer",
    examples=(
        "pl delivery offer L1 B1 --as alice",
        "pl delivery offer L1 B2 --line h100=2 --evidence handover.pdf --as alice",
        "pl delivery offer L1 B3 --line h100=1 --serial nvidia=1650123456789 --as alice",
        "pl delivery offer L1 B4 --line h100=480 --csv batch-4.csv --as alice",
    ),
)
def offer(
    acting: Acting,
    *,
    lease: LeaseArgument,
    number: Annotated[str, typer.Argument(help="Your number of the batch.", show_default=False)],
    line: Annotated[
        list[str] | None, typer.Option("--line", help="LINE=COUNT; every line whole where not said.")
    ] = None,
    evidence: EvidenceOption = None,
    serial: Annotated[
        list[str] | None,
        typer.Option(
            "--serial", help="MAKER=SERIAL of a machine: only its slow hash is published; repeatable."
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--csv", help=f"A file of such machines with the columns {', '.join(SERIALS)}."),
    ] = None,
) -> Act:
    """Say, as the lessor, that machines are ready."""
    lease_id, thing = find(acting.desk, Lease, lease, party=acting.party)
    terms = newest_terms(acting.desk, thing)
    machines = [pair(item, "--serial", "nvidia=1650123456789") for item in serial or ()]
    if table is not None:
        machines += [(row["maker"], row["serial"]) for row in read_machines(table, SERIALS)]
    tree: dict[str, Any] = {
        "type": "delivery.offered",
        "number": number,
        "lines": _lines(terms, line),
        "serials": sorted(digests(acting.desk.state.id, machines)),
    }
    if evidence is not None:
        tree["evidence"] = document(evidence)
    then = (
        f"the lessee has {say_length(terms.accept_within.delivery)} to answer; silence counts as acceptance"
    )
    return Act(tree=tree, sub=lease_id, title=number, then=then)


def _lines(terms: Terms, said: list[str] | None) -> list[dict[str, Any]]:
    if not said:
        return [{"line": line.id, "count": line.count} for line in terms.lines]
    found = []
    for item in said:
        line, count = pair(item, "--line", "h100=4")
        if not count.isdecimal():
            raise WrongUse(f"--line: {item!r} is not LINE=COUNT", hint="for example h100=4")
        found.append({"line": line, "count": int(count)})
    return found


def newest_terms(desk: Desk, lease: Lease) -> Terms:
    """Return the newest terms of a lease."""
    held = desk.book.get(TermsInForce, lease.versions[-1].terms)
    assert held is not None, "a lease names only terms that the book holds"
    return held.payload


@acting(app, "accept", examples=("pl delivery accept B1 --as bob",))
def accept(acting: Acting, delivery: DeliveryArgument) -> Act:
    """Say, as the lessee, that you have the machines; usage is metered from here."""
    delivery_id, thing = find(acting.desk, Delivery, delivery, party=acting.party)
    tree = {"type": "delivery.accepted", "delivery": delivery_id}
    return Act(tree=tree, sub=thing.lease, title=delivery, then="the lessor reports usage: pl usage report")


@acting(
    app,
    "refuse",
    examples=("pl delivery refuse B1 --reason wrong_count --remark 'two are missing' --as bob",),
)
def refuse(
    acting: Acting,
    *,
    delivery: DeliveryArgument,
    reason: Annotated[str, typer.Option("--reason", help=", ".join(REASONS) + ".", show_default=False)],
    remark: Annotated[
        str | None, typer.Option("--remark", help="Why, in words; sealed.", show_default=False)
    ] = None,
) -> Act:
    """Say, as the lessee, that you do not take the machines."""
    delivery_id, thing = find(acting.desk, Delivery, delivery, party=acting.party)
    tree = {
        "type": "delivery.refused",
        "delivery": delivery_id,
        "reason": choice(reason, "--reason", REASONS),
    }
    tree |= {"remark": remark} if remark else {}
    return Act(tree=tree, sub=thing.lease, title=delivery, then="the lessor may offer another batch")


@reading(app, "list", examples=("pl delivery list", "pl delivery list --of bob --all"))
def list_deliveries(
    desk: Desk, of: MineOption = None, closed: AllOption = False, limit: LimitOption = LIMIT
) -> Sheet:
    """List the deliveries that wait for an answer, newest first."""
    now = desk.now
    rows = []
    for key, item in things_of(desk, Delivery, of=of):
        answer = delivery_answer(item, now)
        if closed or answer == "waiting":
            rows.append(row_of(key, item, answer=answer, lease_number=lease_number(desk, item.lease)))
    columns = (
        id_column(),
        text("lease", "lease_number"),
        Column(
            title="lines",
            form=lambda row: ", ".join(f"{line}={count}" for line, count in row["lines"]),
            wide=True,
        ),
        time("offered", "offered_at"),
        time("answer by", "accept_by"),
        text("answer", "answer"),
    )
    return cut("Deliveries", columns, rows, limit, empty="none wait")


def lease_number(desk: Desk, lease_id: str) -> str:
    """Return the number of a lease."""
    lease = desk.book.get(Lease, lease_id)
    return lease.number if lease is not None else ""
