"""`voucher list|show|report`, `voucher programme list|show`: what was granted, and what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pseudoledger.cli.command import reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.find import find, party_name
from pseudoledger.cli.listing import (
    LIMIT,
    AllOption,
    LimitOption,
    MineOption,
    amount,
    cut,
    id_column,
    party,
    row_of,
    text,
    things_of,
    time,
)
from pseudoledger.cli.show import Column, Facts, Sheet, money, when
from pseudoledger.cli.voucher import VoucherArgument, app
from pseudoledger.cli.voucher_office import ProgrammeArgument, programmes
from pseudoledger.contract.things import Invoice
from pseudoledger.contract.things.voucher import Presentation, Programme, Voucher
from pseudoledger.contract.vouchers import parts_of, presentation_status, programme_of, voucher_status
from pseudoledger.market.voucher_report import ProgrammeReport, programme_report
from pseudoledger.statement.values import say_length

APPS = ()

CLOSED = {"revoked", "lapsed", "spent"}
SCARCITY = "vouchers help with cost, not with scarcity"


def voucher_row(desk: Desk, key: str, voucher: Voucher) -> dict[str, Any]:
    """Return a voucher as JSON shows it, with the parts of its face as of now."""
    parts = asdict(parts_of(voucher, desk.now))
    number = programme_of(desk.book, voucher.programme).payload.number
    return row_of(key, voucher, status=voucher_status(voucher, desk.now), programme_number=number, **parts)


@reading(app, "list", examples=("pl voucher list", "pl voucher list --of bob --all --json"))
def list_vouchers(
    desk: Desk, of: MineOption = None, closed: AllOption = False, limit: LimitOption = LIMIT
) -> Sheet:
    """List the vouchers that can still be used, newest first."""
    rows = [
        voucher_row(desk, key, voucher)
        for key, voucher in things_of(desk, Voucher, of=of)
        if closed or voucher_status(voucher, desk.now) not in CLOSED
    ]
    columns = (
        id_column(),
        text("number", "number"),
        text("programme", "programme_number"),
        party(desk, "holder"),
        amount(desk, "face", "face_minor"),
        amount(desk, "free", "free_minor"),
        amount(desk, "redeemed", "redeemed_minor"),
        time("until", "until"),
        text("status", "status"),
    )
    return cut(f"Vouchers as of {when(desk.now)} UTC", columns, rows, limit, empty="none open")


@reading(app, "show", examples=("pl voucher show V-1", "pl voucher show V-1 --json"))
def show(desk: Desk, voucher: VoucherArgument) -> Facts:
    """Show a voucher: the parts of its face, and everything that was presented of it."""
    voucher_id, thing = find(desk, Voucher, voucher)
    presented = [
        _presented_row(desk, key, item)
        for key, item in sorted(desk.book.all(Presentation), key=lambda pair: pair[1].entry)
        if item.voucher == voucher_id
    ]
    value = voucher_row(desk, voucher_id, thing) | {"presentations": presented}
    facts = [
        ("id", voucher_id),
        ("programme", f"{value['programme_number']}  {thing.programme}"),
        ("issuer", party_name(desk, thing.issuer)),
        ("holder", party_name(desk, thing.holder)),
        ("for use", f"{when(thing.start)} until {when(thing.until)} UTC"),
        ("lapses", f"{when(thing.expires_at)} UTC"),
        ("face", money(thing.face_minor, thing.currency, desk.tables.exponents)),
    ]
    for name in ("free", "reserved", "presented", "redeemed", "lapsed", "withdrawn"):
        minor = value[f"{name}_minor"]
        if minor or name in {"free", "redeemed"}:
            facts.append((name, money(minor, thing.currency, desk.tables.exponents)))
    facts.append(("status", f"{value['status']}, as of {when(desk.now)} UTC"))
    columns = (
        id_column(),
        text("invoice", "invoice_number"),
        party(desk, "lessor"),
        amount(desk, "presented", "amount_minor"),
        amount(desk, "redeemed", "redeemed_minor"),
        amount(desk, "settled", "settled_minor"),
        amount(desk, "due back", "due_back_minor"),
        text("status", "status"),
    )
    sheet = Sheet(title="Presented", columns=columns, rows=presented, empty="nothing yet")
    return Facts(title=f"Voucher {thing.number}", facts=facts, value=value, sheets=(sheet,))


def _presented_row(desk: Desk, key: str, item: Presentation) -> dict[str, Any]:
    invoice = desk.book.get(Invoice, item.invoice)
    return row_of(
        key,
        item,
        status=presentation_status(item, desk.now),
        invoice_number=invoice.number if invoice else "",
        due_back_minor=item.due_back_minor,
        unsettled_minor=item.unsettled_minor,
    )


@reading(
    programmes, "list", examples=("pl voucher programme list", "pl voucher programme list --of city --json")
)
def list_programmes(desk: Desk, of: MineOption = None, limit: LimitOption = LIMIT) -> Sheet:
    """List programmes, newest first."""
    rows = [
        row_of(key, item, currency=item.payload.currency, left_minor=item.left_minor)
        for key, item in things_of(desk, Programme, of=of)
    ]
    columns = (
        id_column(),
        Column(title="number", form=lambda row: row["payload"]["number"]),
        Column(title="title", form=lambda row: row["payload"]["title"], wide=True),
        party(desk, "issuer"),
        Column(title="vouchers", form=lambda row: str(row["vouchers"]), right=True),
        amount(desk, "issued", "issued_minor"),
        amount(desk, "redeemed", "redeemed_minor"),
        amount(desk, "budget left", "left_minor"),
    )
    return cut("Programmes", columns, rows, limit, empty="none yet")


@reading(programmes, "show", examples=("pl voucher programme show PR-1 --json",))
def show_programme(desk: Desk, programme: ProgrammeArgument) -> Facts:
    """Show what a programme grants, where, and under which conditions."""
    programme_id, thing = find(desk, Programme, programme)
    said = thing.payload

    def sum_of(minor: int) -> str:
        return money(minor, said.currency, desk.tables.exponents)

    facts = [
        ("id", programme_id),
        ("title", said.title),
        ("issuer", party_name(desk, thing.issuer)),
        (
            "runs",
            f"{said.period.start} until {said.period.until}; redeemed within {say_length(said.redeem_within)} after",
        ),
        ("budget", f"{sum_of(said.budget_minor)}, left {sum_of(thing.left_minor)}"),
        ("face", f"{sum_of(said.face_min_minor)} to {sum_of(said.face_max_minor)}"),
        ("shares", ", ".join(f"{item.facility_class} {item.share_bps / 100:g} %" for item in said.classes)),
        ("credits", "may be used again" if said.restore else "go back to the budget"),
    ]
    if said.cap_minor is not None and said.kyc is not None:
        facts.append(
            (
                "cap",
                f"{sum_of(said.cap_minor)} for a legal person, told apart by {party_name(desk, said.kyc)}",
            )
        )
    for listed in said.facilities:
        place = listed.subdivision or listed.country or "anywhere"
        name = f"{listed.name}, " if listed.name else ""
        facts.append(
            ("facility", f"{name}{party_name(desk, listed.lessor)}: {listed.facility_class}, {place}")
        )
    for condition in said.conditions:
        wanted = " or ".join(
            f"{item.claim} by {', '.join(party_name(desk, did) for did in item.attestors)}"
            for item in condition.any_of
        )
        facts.append(("condition", wanted))
    if said.chip_origin is not None:
        origin = said.chip_origin
        facts.append(("chips", ", ".join([*origin.chips, *origin.countries])))
    value = row_of(programme_id, thing, currency=said.currency, left_minor=thing.left_minor)
    return Facts(title=f"Programme {said.number}", facts=facts, value=value)


@reading(app, "report", examples=("pl voucher report PR-1", "pl voucher report PR-1 --json"))
def report(desk: Desk, programme: ProgrammeArgument) -> Facts:
    """Report on a programme: budget, vouchers, redemptions by centre, and where vouchers could be used."""
    programme_id, _ = find(desk, Programme, programme)
    drawn = programme_report(desk.book, desk.tables, programme_id, desk.now)
    value = asdict(drawn) | {"short_minor": drawn.short_minor, "says": SCARCITY}

    def sum_of(minor: int) -> str:
        return money(minor, drawn.currency, desk.tables.exponents)

    facts = [
        ("programme", f"{drawn.title}  {programme_id}"),
        ("issuer", party_name(desk, drawn.issuer)),
        ("as of", f"{when(drawn.as_of)} UTC"),
        ("budget", f"{sum_of(drawn.budget_minor)}, left {sum_of(drawn.left_minor)}"),
        ("issued", f"{sum_of(drawn.issued_minor)} in {drawn.vouchers} vouchers to {drawn.holders} holders"),
        *(
            (name, sum_of(getattr(drawn, f"{name}_minor")))
            for name in ("free", "reserved", "presented", "redeemed", "lapsed", "withdrawn")
        ),
        ("unspent", f"{sum_of(drawn.unspent_minor)} of {drawn.ended_vouchers} vouchers whose period is over"),
        ("settled", f"{sum_of(drawn.settled_minor)}, to settle {sum_of(drawn.unsettled_minor)}"),
        (
            "came back",
            f"{sum_of(drawn.credited_back_minor)} by credit notes, {sum_of(drawn.clawed_back_minor)} clawed back",
        ),
        ("due back", sum_of(drawn.due_back_minor)),
        ("out", f"{sum_of(drawn.out_minor)} that holders could still use"),
        (
            "capacity",
            f"{sum_of(drawn.capacity_minor)} that free offers of facilities with a class could take in",
        ),
    ]
    note = (
        f"{SCARCITY}: {sum_of(drawn.short_minor)} are out beyond what could be redeemed"
        if drawn.short_minor
        else ""
    )
    return Facts(
        title=f"Report on programme {drawn.number}",
        facts=facts,
        value=value,
        sheets=(_centres(desk, drawn),),
        note=note,
    )


def _centres(desk: Desk, drawn: ProgrammeReport) -> Sheet:
    rows = [asdict(centre) | {"currency": drawn.currency} for centre in drawn.centres]
    columns = (
        party(desk, "lessor"),
        text("name", "name"),
        text("class", "facility_class"),
        Column(title="redemptions", form=lambda row: str(row["redemptions"]), right=True),
        amount(desk, "redeemed", "redeemed_minor"),
        amount(desk, "settled", "settled_minor"),
        amount(desk, "to settle", "unsettled_minor"),
        amount(desk, "due back", "due_back_minor"),
    )
    return Sheet(title="By centre", columns=columns, rows=rows, empty="nothing redeemed yet")
