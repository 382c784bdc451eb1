"""`lease amend|sign-amendment`: changing the terms of a lease that runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from pseudoledger.cli.command import Act, Acting, acting
from pseudoledger.cli.desk import Desk, read_file
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import find
from pseudoledger.cli.lease import LeaseArgument, app
from pseudoledger.cli.lease_draft import (
    LesseeNameOption,
    LessorNameOption,
    MandateOption,
    ValidOption,
    WorkloadOption,
    lapses_at,
    reprice,
    shown_mandates,
)
from pseudoledger.cli.values import instant_text, pairs
from pseudoledger.contract.things import Amendment, Lease, TermsInForce
from pseudoledger.errors import MalformedError

APPS = ()


@acting(
    app,
    "amend",
    examples=(
        "pl lease amend L1 A1 --from 2026-03-15 --until 2026-05-01 --price h100=2.05/h --as bob",
        "pl lease amend L1 A2 --from 2026-04-01 --count h100=2 --as alice",
        "pl lease amend L1 A3 --from 2026-04-01 --terms terms.json --as alice",
    ),
)
def amend(
    acting: Acting,
    *,
    lease: LeaseArgument,
    number: Annotated[str, typer.Argument(help="Your number of the amendment.", show_default=False)],
    start: Annotated[str, typer.Option("--from", help="When the new terms start.", show_default=False)],
    until: Annotated[
        str | None, typer.Option("--until", help="New end of the lease.", show_default=False)
    ] = None,
    count: Annotated[list[str] | None, typer.Option("--count", help="LINE=COUNT.")] = None,
    price: Annotated[list[str] | None, typer.Option("--price", help="LINE=PRICE/h.")] = None,
    mandate: MandateOption = None,
    terms: Annotated[
        Path | None,
        typer.Option("--terms", help="Whole new terms, as `pl lease show LEASE --json` prints them."),
    ] = None,
    lessor_name: LessorNameOption = None,
    lessee_name: LesseeNameOption = None,
    workload: WorkloadOption = None,
    valid_to: ValidOption = None,
) -> Act:
    """Put changed terms, whole, to the other party; what is not named here stays as it is."""
    desk = acting.desk
    lease_id, thing = find(desk, Lease, lease, party=acting.party)
    tree = _read_terms(terms) if terms is not None else terms_in_clear(desk, thing)
    _recount(tree, count or ())
    reprice(tree, price or ())
    if until is not None:
        tree["period"]["until"] = instant_text(until, "--until")
    if mandate:
        tree["mandates"] = shown_mandates(acting, mandate)
    sealed = {"lessor_name": lessor_name, "lessee_name": lessee_name, "workload": workload}
    tree |= {name: text for name, text in sealed.items() if text}
    lapses = lapses_at(desk, valid_to)
    payload = {
        "type": "amendment.proposed",
        "number": number,
        "replaces": thing.versions[-1].terms,
        "effective_from": instant_text(start, "--from"),
        "valid_to": lapses,
        "terms": tree,
    }
    then = f"the other party signs with: pl lease sign-amendment {number}, until {lapses}"
    return Act(tree=payload, sub=lease_id, title=number, then=then)


@acting(app, "sign-amendment", examples=("pl lease sign-amendment A1 --as alice",))
def sign_amendment(
    acting: Acting,
    amendment: Annotated[str, typer.Argument(help="Amendment: id, prefix or number.", show_default=False)],
) -> Act:
    """Consent to changed terms."""
    amendment_id, thing = find(acting.desk, Amendment, amendment, party=acting.party)
    tree = {"type": "amendment.signed", "amendment": amendment_id}
    return Act(tree=tree, sub=thing.lease, title=amendment, then="the new terms hold from their start")


def terms_in_clear(desk: Desk, lease: Lease) -> dict[str, Any]:
    """Return the newest terms of a lease as a draft: what was sealed is left out, to be sealed anew."""
    held = desk.book.get(TermsInForce, lease.versions[-1].terms)
    assert held is not None, "a lease names only terms that the book holds"
    tree: dict[str, Any] = _without_seals(held.payload.model_dump(mode="json", exclude_none=True))
    return tree


def _without_seals(tree: Any) -> Any:
    """Drop digests: each stands on the ledger once."""
    if isinstance(tree, dict):
        return {name: _without_seals(item) for name, item in tree.items() if name not in {"_sd", "_sd_alg"}}
    return [_without_seals(item) for item in tree] if isinstance(tree, list) else tree


def _read_terms(path: Path) -> dict[str, Any]:
    try:
        tree = orjson.loads(read_file(path))
    except orjson.JSONDecodeError as error:
        raise MalformedError(f"{path} is not JSON: {error}", code="payload.json") from None
    if isinstance(tree, dict) and isinstance(tree.get("terms"), dict):
        tree = tree["terms"]
    if not isinstance(tree, dict) or not isinstance(tree.get("period"), dict):
        raise MalformedError(
            f"{path} holds no terms", code="payload.field", hint="pl lease show LEASE --json prints them"
        )
    clean: dict[str, Any] = _without_seals(tree)
    return clean


def _recount(tree: dict[str, Any], counts: Iterable[str]) -> None:
    lines = {line["id"]: line for line in tree["lines"]}
    for line, count in pairs(counts, "--count", "h100=2").items():
        if line not in lines or not count.isdecimal():
            raise WrongUse(f"--count: {line}={count} is not LINE=COUNT", hint=f"lines are {', '.join(lines)}")
        lines[line]["count"] = int(count)
