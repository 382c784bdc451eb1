"""Rules of invoice lines: quantity, price and tax of every line are the book's (design §3 "Tariff")."""

from __future__ import annotations

from pseudoledger.contract.amounts import usage_net
from pseudoledger.contract.case import Case, Findings, refuse, terms_id_at
from pseudoledger.contract.derive import billable, first_delivery
from pseudoledger.contract.things import MeteredLine, Usage
from pseudoledger.statement.kinds.billing import InvoiceLine
from pseudoledger.statement.kinds.lease import Terms


def billed_terms_id(case: Case) -> str:
    """Return the id of the terms in force at the start of the billed period."""
    return terms_id_at(case.lease, case.payload.period.start_seconds)


def billed_terms(case: Case) -> Terms:
    """Return the terms in force at the start of the billed period."""
    return case.terms(billed_terms_id(case))


def part_is(case: Case, line: InvoiceLine, place: str, fee_minor: int) -> Findings:
    """Check a line that bills one amount once."""
    yield from _price(case, line, place, 1, fee_minor * _micro_per_minor(case))
    if line.net_minor != fee_minor:
        yield refuse("invoice.line_sum", f"the amount is {fee_minor}", field=f"{place}/net_minor")


def _micro_per_minor(case: Case) -> int:
    return case.tables.micro_per_minor(case.lease.currency)


def lines_unique(case: Case) -> Findings:
    """Line ids name one line each, and nothing is billed by two lines."""
    seen: set[str] = set()
    for index, line in enumerate(case.payload.lines):
        billed = [
            f"line {line.id}",
            *(line.reports or ()),
            *([f"{line.part} {line.lease_line}"] if line.part else []),
        ]
        for what in billed:
            if what in seen:
                yield refuse("line.id_reused", f"{what} stands twice", field=f"/lines/{index}")
            seen.add(what)


def lines_match_the_book(case: Case) -> Findings:
    """Quantity, price and tax of every line are the book's."""
    if case.lease.signed_at is None:
        return
    tax = billed_terms(case).tax
    for index, line in enumerate(case.payload.lines):
        place = f"/lines/{index}"
        if case.payload.commission is None and line.tax != tax:
            yield refuse(
                "invoice.tax", f"the terms say {tax.category} at {tax.rate_bps} bps", field=f"{place}/tax"
            )
        if line.reports is not None:
            yield from _usage_line(case, line, place)
        elif line.part == "once":
            yield from _once_line(case, line, place)
        elif line.part == "early_end":
            yield from _early_end_line(case, line, place)
        if (line.part == "commission") != (case.payload.commission is not None):
            yield refuse(
                "invoice.commission", "commission is billed by a broker's invoice alone", field=place
            )


def _usage_line(case: Case, line: InvoiceLine, place: str) -> Findings:
    terms = billed_terms(case)
    rate = next((rate for rate in terms.tariff.lines if rate.line == line.lease_line), None)
    leased = next((item for item in terms.lines if item.id == line.lease_line), None)
    metered = case.book.get(MeteredLine, f"{case.sub}/{line.lease_line}")
    if rate is None or leased is None or metered is None or rate.price_micro is None:
        yield refuse(
            "invoice.unknown_line",
            f"the terms meter no line {line.lease_line!r}",
            field=f"{place}/lease_line",
        )
        return
    total = 0
    for position, report in enumerate(line.reports or ()):
        field = f"{place}/reports/{position}"
        usage = case.book.get(Usage, report)
        if usage is None or (usage.lease, usage.line) != (case.sub, line.lease_line):
            yield refuse("invoice.unknown_report", "the line has no such report", field=field)
            continue
        quantity = billable(usage, rate, metered, leased.count, case.now)
        if usage.billed_by is not None:
            yield refuse("invoice.billed_twice", "each report is billed once", field=field, entry=usage.entry)
        elif quantity is None:
            yield refuse(
                "invoice.not_confirmed",
                "the report is neither confirmed nor agreed in part",
                field=field,
                entry=usage.entry,
            )
        if usage.start < case.payload.period.start_seconds or usage.until > case.payload.period.until_seconds:
            yield refuse(
                "invoice.outside_period",
                "the report lies outside the invoice's period",
                field=field,
                entry=usage.entry,
            )
        if terms_id_at(case.lease, usage.start) != billed_terms_id(case):
            yield refuse(
                "invoice.other_terms",
                "the report is of other terms: bill it apart",
                field=field,
                entry=usage.entry,
            )
        total += quantity or 0
    yield from _price(case, line, place, total, rate.price_micro)
    exact = usage_net(line.price_micro, line.quantity, _micro_per_minor(case))
    if line.net_minor != exact:
        yield refuse(
            "invoice.line_sum",
            f"{line.quantity} at {line.price_micro} make {exact}",
            field=f"{place}/net_minor",
        )


def _price(case: Case, line: InvoiceLine, place: str, quantity: int, price_micro: int) -> Findings:
    if line.quantity != quantity:
        yield refuse(
            "invoice.quantity", f"the book has {quantity}", field=f"{place}/quantity", entry=case.lease.entry
        )
    if line.price_micro != price_micro:
        yield refuse(
            "invoice.price",
            f"the terms say {price_micro}",
            field=f"{place}/price_micro",
            entry=case.lease.entry,
        )


def _once_line(case: Case, line: InvoiceLine, place: str) -> Findings:
    rate = next((rate for rate in billed_terms(case).tariff.lines if rate.line == line.lease_line), None)
    metered = case.book.get(MeteredLine, f"{case.sub}/{line.lease_line}")
    if rate is None or rate.fee_minor is None or metered is None:
        yield refuse(
            "invoice.unknown_line",
            f"the terms have no fee for line {line.lease_line!r}",
            field=f"{place}/lease_line",
        )
        return
    delivered = first_delivery(metered, case.now)
    if delivered is None:
        yield refuse("usage.not_delivered", "no delivery of the line was accepted", field=place)
    else:
        yield from _under_terms_of(case, delivered, place)
    if metered.once_billed:
        yield refuse("invoice.billed_twice", "the fee was billed before", field=place)
    yield from part_is(case, line, place, rate.fee_minor)


def _early_end_line(case: Case, line: InvoiceLine, place: str) -> Findings:
    lease = case.lease
    by_lessee = lease.end_code is not None and 0 < lease.end_code < 10_000
    if not by_lessee or lease.ended_at is None or lease.ended_at >= lease.until:
        yield refuse(
            "invoice.no_early_end", "the lessee did not end the lease early", field=place, entry=lease.entry
        )
    else:
        yield from _under_terms_of(case, lease.ended_at, place)
    if lease.early_end_billed:
        yield refuse("invoice.billed_twice", "the fee was billed before", field=place, entry=lease.entry)
    yield from part_is(case, line, place, billed_terms(case).early_end.lessee_fee_minor)


def _under_terms_of(case: Case, when: int, place: str) -> Findings:
    """A fee is billed under the terms that were in force when it fell due, not under others of the lease."""
    terms_id = terms_id_at(case.lease, when)
    if terms_id != billed_terms_id(case):
        yield refuse("invoice.other_terms", f"the fee fell due under the terms {terms_id}", field=place)
