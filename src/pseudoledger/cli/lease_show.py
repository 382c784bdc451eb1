"""`lease list|show|statement`: what stands, what was agreed, and what it amounts to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pseudoledger.cli.command import reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.dispute import disputes_sheet
from pseudoledger.cli.find import find, party_name, unknown_of
from pseudoledger.cli.lease import LeaseArgument, app
from pseudoledger.cli.lease_change import terms_in_clear
from pseudoledger.cli.listing import (
    LIMIT,
    AllOption,
    LimitOption,
    MineOption,
    amount,
    cut,
    id_column,
    last_day,
    party,
    row_of,
    text,
    things_of,
    time,
)
from pseudoledger.cli.show import Column, Facts, Sheet, hours, money, price, short, when
from pseudoledger.contract.account import LeaseAccount, lease_account
from pseudoledger.contract.derive import lease_status
from pseudoledger.contract.things import Amendment, Lease
from pseudoledger.statement.values import say_length

APPS = ()

CLOSED = {"lapsed", "rejected", "cancelled", "over", "ended"}


@reading(app, "list", examples=("pl lease list", "pl lease list --of bob --all --json"))
def list_leases(
    desk: Desk, of: MineOption = None, closed: AllOption = False, limit: LimitOption = LIMIT
) -> Sheet:
    """List leases and proposals that are open, newest first."""
    now = desk.now
    rows = [
        row_of(key, lease, status=lease_status(lease, now))
        for key, lease in things_of(desk, Lease, of=of)
        if closed or lease_status(lease, now) not in CLOSED
    ]
    columns = (
        id_column(),
        text("number", "number"),
        party(desk, "lessor"),
        party(desk, "lessee"),
        time("from", "start"),
        time("until", "until"),
        text("status", "status"),
    )
    return cut(f"Leases as of {when(now)} UTC", columns, rows, limit, empty="none open")


@reading(app, "show", examples=("pl lease show L1", "pl lease show L1 --json > terms.json"))
def show(desk: Desk, lease: LeaseArgument) -> Facts:
    """Show a lease: its parties, its newest terms, and what waits."""
    lease_id, thing = find(desk, Lease, lease)
    terms = terms_in_clear(desk, thing)
    now = desk.now
    waiting = [
        (key, item)
        for key, item in desk.book.all(Amendment)
        if item.lease == lease_id and item.state == "proposed" and item.valid_to > now
    ]
    unknown = {"lessor": unknown_of(desk, thing.lessor), "lessee": unknown_of(desk, thing.lessee)}
    value = row_of(lease_id, thing, status=lease_status(thing, now), terms=terms, unknown=unknown)
    facts = [
        ("id", lease_id),
        ("status", f"{value['status']}, as of {when(now)} UTC"),
        ("lessor", _party(desk, thing.lessor)),
        ("lessee", _party(desk, thing.lessee)),
        ("runs", f"{when(thing.start)} until {when(thing.until)} UTC"),
        ("terms", f"{thing.versions[-1].terms}" + _amended(thing)),
        (
            "silence",
            ", ".join(f"{what} {say_length(after)}" for what, after in terms["accept_within"].items()),
        ),
        (
            "due",
            f"{terms['due_days']} days after an invoice, {terms['grace_days']} more before it may be ended",
        ),
        (
            "notice",
            say_length(terms["notice"]) if "notice" in terms else "none: the lessor may not reclaim",
        ),
        ("early end", _early_end(desk, terms)),
        ("place", str(terms["facility"].get("subdivision") or terms["facility"]["country"])),
    ]
    if thing.state == "proposed":
        facts.append(("lapses", f"{when(thing.valid_to)} UTC"))
    if thing.reclaim is not None:
        facts.append(("reclaim", f"at {when(thing.reclaim.effective_at)} UTC, code {thing.reclaim.code}"))
    if thing.ended_at is not None:
        facts.append(("ended", f"{when(thing.ended_at)} UTC, code {thing.end_code}"))
    facts += [
        ("amendment", f"{short(key)} waits, from {when(item.effective_from)} UTC") for key, item in waiting
    ]
    facts += [(f"of {role}", _not_known(items)) for role, items in unknown.items() if items]
    return Facts(title=f"Lease {thing.number}", facts=facts, value=value, sheets=(_lines(desk, terms),))


def _party(desk: Desk, root: str) -> str:
    key = desk.book.acting_key(root)
    name = party_name(desk, root)
    return key if name.endswith("…") else f"{name}  {key}"


def _not_known(items: list[dict[str, str]]) -> str:
    return "not known: " + "; ".join(item["message"] for item in items)


def _amended(lease: Lease) -> str:
    changes = len(lease.versions) - 1
    return f"  (amended {changes} times)" if changes else ""


def _early_end(desk: Desk, terms: dict[str, Any]) -> str:
    currency, fees = terms["tariff"]["currency"], terms["early_end"]
    return ", ".join(
        f"{role} pays {money(fees[f'{role}_fee_minor'], currency, desk.tables.exponents)}"
        for role in ("lessor", "lessee")
    )


def _lines(desk: Desk, terms: dict[str, Any]) -> Sheet:
    rates = {rate["line"]: rate for rate in terms["tariff"]["lines"]}
    currency = terms["tariff"]["currency"]

    def cost(row: Any) -> str:
        rate = rates[row["id"]]
        if "fee_minor" in rate:
            return f"{money(rate['fee_minor'], currency, desk.tables.exponents)} once"
        return f"{price(rate['price_micro'], currency)} {rate['basis']}"

    columns = (
        Column(title="line", form=lambda row: row["id"]),
        Column(title="count", form=lambda row: str(row["count"]), right=True),
        Column(title="what", form=lambda row: row.get("chip") or row["resource"], wide=True),
        Column(title="price", form=cost, right=True),
        Column(title="purpose", form=lambda row: row["purpose"]),
        Column(title="from", form=lambda row: short(row.get("offer") or row.get("head_lease", ""))),
    )
    return Sheet(title="", columns=columns, rows=terms["lines"])


@reading(app, "statement", examples=("pl lease statement L1", "pl lease statement L1 --json"))
def statement(desk: Desk, lease: LeaseArgument) -> Facts:
    """Draw up the account of a lease: agreed, used, billed, credited, paid, open."""
    lease_id, _ = find(desk, Lease, lease)
    account = lease_account(desk.book, lease_id, desk.now)
    value = asdict(account) | {
        "billed_minor": account.billed_minor,
        "credited_minor": account.credited_minor,
        "voucher_minor": account.voucher_minor,
        "paid_minor": account.paid_minor,
        "disputed_minor": account.disputed_minor,
        "owed_credit_minor": account.owed_credit_minor,
        "open_minor": account.open_minor,
    }

    def sum_of(minor: int) -> str:
        return money(minor, account.currency, desk.tables.exponents)

    facts = [
        ("lease", account.lease),
        ("status", f"{account.status}, as of {when(account.as_of)} UTC"),
        ("lessor", _party(desk, account.lessor)),
        ("lessee", _party(desk, account.lessee)),
        ("runs", f"{when(account.start)} until {when(account.until)} UTC, {account.amendments} amendments"),
        ("billed", sum_of(account.billed_minor)),
        ("credited", sum_of(account.credited_minor)),
        ("vouchers", sum_of(account.voucher_minor) if account.voucher_minor else ""),
        ("paid", sum_of(account.paid_minor)),
        ("on account", sum_of(account.on_account_minor) if account.on_account_minor else ""),
        ("open", sum_of(account.open_minor)),
        (
            "not due",
            f"{sum_of(account.disputed_minor)}, disputed or to be credited" if account.disputed_minor else "",
        ),
        ("to be credited", sum_of(account.owed_credit_minor) if account.owed_credit_minor else ""),
    ]
    facts = [(name, text) for name, text in facts if text]
    sheets = [_used(account), _billed(desk, account)]
    if account.disputes:
        rows = [asdict(item) for item in account.disputes]
        sheets.append(disputes_sheet(desk, "Disputes", rows, len(rows), ""))
    return Facts(title=f"Statement of lease {account.number}", facts=facts, value=value, sheets=sheets)


def _used(account: LeaseAccount) -> Sheet:
    def spent(title: str, name: str) -> Column:
        return Column(title=title, form=lambda row: hours(row[name]), right=True)

    columns = (
        Column(title="line", form=lambda row: row["line"]),
        Column(title="agreed", form=lambda row: f"{row['count']} x {row['resource']}", wide=True),
        Column(title="delivered", form=lambda row: str(row["delivered"]), right=True),
        Column(title="reported until", form=lambda row: when(row["reported_until"])),
        spent("used", "reported_seconds"),
        spent("agreed on", "agreed_seconds"),
        spent("waiting", "waiting_seconds"),
        spent("contested", "contested_seconds"),
        spent("billed", "billed_seconds"),
    )
    return Sheet(title="Use, in unit-hours", columns=columns, rows=[asdict(line) for line in account.lines])


def _billed(desk: Desk, account: LeaseAccount) -> Sheet:
    rows = [asdict(item) | {"currency": account.currency} for item in account.invoices]
    columns = (
        id_column(),
        text("number", "number"),
        amount(desk, "total", "total_minor"),
        amount(desk, "credited", "credited_minor"),
        *([amount(desk, "vouchers", "voucher_minor")] if account.voucher_minor else []),
        amount(desk, "paid", "paid_minor"),
        amount(desk, "open", "open_minor"),
        last_day("due", "due_at"),
        Column(
            title="status", form=lambda row: row["status"] + (" (commission)" if row["commission"] else "")
        ),
    )
    return Sheet(title="Invoices", columns=columns, rows=rows, empty="none yet")
