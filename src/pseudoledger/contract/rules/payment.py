"""Rules of credit notes and payments: references only, each used once while not denied (design §3)."""

from __future__ import annotations

import re
from types import MappingProxyType

import msgspec

from pseudoledger.contract.amounts import credit_sums
from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.rules import freezes
from pseudoledger.contract.rules.common import Fold
from pseudoledger.contract.rules.invoice import number_is_new, number_key
from pseudoledger.contract.rules.voucher_back import lower_to_share
from pseudoledger.contract.things import Invoice, Lease, Payment, Taken
from pseudoledger.statement.kinds.billing import Settled
from pseudoledger.statement.values import INTEGER_MAX, ChainReference, Reference, round_half_even

_SPELLINGS = MappingProxyType(
    {
        "eip155": (re.compile(r"0|[1-9][0-9]{0,31}"), re.compile(r"0x[0-9a-f]{64}")),
        "bip122": (re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{64}")),
        "cosmos": (re.compile(r"[-a-zA-Z0-9]{1,32}"), re.compile(r"[0-9a-f]{64}")),
        "solana": (
            re.compile(r"[1-9A-HJ-NP-Za-km-z]{32}"),
            re.compile(r"[1-9A-HJ-NP-Za-km-z]{86,88}"),
        ),
    }
)
"""Chain and transaction ids by CAIP-2 namespace, each with one spelling, so that a payment cannot be named in
two ways; hexadecimal is written in lower case, other namespaces are refused."""


def reference_key(reference: Reference) -> str:
    """Return the key under which a payment reference is remembered; spaces in a bank's do not count."""
    if isinstance(reference, ChainReference):
        return f"reference {reference.chain} {reference.tx} {reference.index}"
    return f"reference {reference.scheme} {reference.value.replace(' ', '')}"


def creditor_signs(case: Case) -> Findings:
    """Only the issuer credits an invoice, unless it was cancelled."""
    if not case.is_party(case.invoice.issuer):
        yield refuse("invoice.not_issuer", "only its issuer may credit an invoice", entry=case.invoice.entry)
    if case.invoice.state == "cancelled":
        yield refuse("invoice.answered", "the invoice was cancelled", entry=case.invoice.entry)
    if case.payload.currency != case.invoice.currency:
        yield refuse("invoice.currency", f"the invoice is in {case.invoice.currency}", field="/currency")


def credit_within_invoice(case: Case) -> Findings:
    """Credits of a line never pass the line."""
    seen: set[str] = set()
    for index, line in enumerate(case.payload.lines):
        place = f"/lines/{index}"
        billed = case.invoice.lines.get(line.invoice_line)
        if billed is None:
            yield refuse(
                "credit.unknown_line",
                f"the invoice has no line {line.invoice_line!r}",
                field=f"{place}/invoice_line",
            )
        elif line.net_minor > billed.net_minor - billed.credited_minor:
            yield refuse(
                "credit.above_invoice",
                f"{billed.net_minor - billed.credited_minor} of the line are left",
                field=f"{place}/net_minor",
                entry=case.invoice.entry,
            )
        if line.invoice_line in seen:
            yield refuse("line.id_reused", f"line {line.invoice_line!r} stands twice", field=place)
        seen.add(line.invoice_line)


def credit_sums_hold(case: Case) -> Findings:
    """Subtotals and sums follow from the credited lines."""
    nets = {line.invoice_line: line.net_minor for line in case.payload.lines}
    if not set(nets) <= set(case.invoice.lines):
        return
    exact = credit_sums(case.invoice, nets)
    if case.payload.tax_subtotals != exact.subtotals:
        yield refuse(
            "billing.subtotals", "the tax subtotals do not follow from the lines", field="/tax_subtotals"
        )
    for name in ("net_minor", "tax_minor", "total_minor"):
        if getattr(case.payload, name) != getattr(exact, name):
            yield refuse("billing.sums", f"the lines make {getattr(exact, name)}", field=f"/{name}")


def targets_fit(case: Case) -> Findings:
    """Everything settled is between these two parties, in this currency, and named once."""
    seen: set[str] = set()
    for index, item in enumerate(case.payload.settles):
        place = f"/settles/{index}"
        target = item.invoice or item.lease or ""
        if target in seen:
            yield refuse("payment.target_twice", "what is settled stands once", field=place)
        seen.add(target)
        yield from _invoice_target(case, item, place) if item.invoice else _lease_target(case, item, place)


def _invoice_target(case: Case, item: Settled, place: str) -> Findings:
    invoice = case.book.get(Invoice, item.invoice or "")
    if invoice is None:
        yield refuse("payment.unknown_invoice", "no such invoice is on this ledger", field=place)
        return
    if invoice.state == "cancelled":
        yield refuse(
            "payment.cancelled_invoice", "the invoice was cancelled", field=place, entry=invoice.entry
        )
    if invoice.currency != case.payload.currency:
        yield refuse(
            "invoice.currency", f"the invoice is in {invoice.currency}", field=place, entry=invoice.entry
        )
    refund = _is_refund(case, invoice)
    payer, payee = (invoice.issuer, invoice.payer) if refund else (invoice.payer, invoice.issuer)
    if not case.is_party(payer) or not case.book.same_party(payee, case.payload.payee):
        yield refuse(
            "payment.not_between", "the invoice is between other parties", field=place, entry=invoice.entry
        )
    elif refund and item.amount_minor > -invoice.open_minor:
        yield refuse(
            "payment.above_refund",
            f"the refund due is {max(0, -invoice.open_minor)}",
            field=place,
            entry=invoice.entry,
        )
    elif not refund and invoice.paid_minor + item.amount_minor > INTEGER_MAX:
        yield refuse("payment.too_much", "the sum paid would pass 2^53 - 1", field=place, entry=invoice.entry)


def _is_refund(case: Case, invoice: Invoice) -> bool:
    return case.is_party(invoice.issuer)


def _lease_target(case: Case, item: Settled, place: str) -> Findings:
    lease = case.book.get(Lease, item.lease or "")
    if lease is None or lease.state not in {"signed", "ended"}:
        yield refuse("payment.unknown_lease", "no such signed lease is on this ledger", field=place)
        return
    if lease.currency != case.payload.currency:
        yield refuse("invoice.currency", f"the lease is in {lease.currency}", field=place, entry=lease.entry)
    if not case.is_party(lease.lessee) or not case.book.same_party(lease.lessor, case.payload.payee):
        yield refuse(
            "payment.not_between", "on account pays a lessee to its lessor", field=place, entry=lease.entry
        )
    elif lease.on_account_minor + item.amount_minor > INTEGER_MAX:
        yield refuse("payment.too_much", "the sum paid would pass 2^53 - 1", field=place, entry=lease.entry)


def _leases(case: Case) -> list[Lease]:
    found = []
    for item in case.payload.settles:
        invoice = case.book.get(Invoice, item.invoice) if item.invoice else None
        lease = case.book.get(Lease, invoice.lease if invoice else item.lease or "")
        if lease is not None:
            found.append(lease)
    return found


def amount_adds_up(case: Case) -> Findings:
    """What was paid is what is settled, at the stated rate where it was paid in something else."""
    said = case.payload
    total = sum(item.amount_minor for item in said.settles)
    if said.paid.currency == said.currency:
        if said.rate is not None:
            yield refuse("payment.rate", "no rate is needed within one currency", field="/rate")
        if said.paid.amount_minor != total:
            yield refuse("payment.sum", f"what is settled makes {total}", field="/paid/amount_minor")
        return
    if said.rate is None or int(said.rate.paid) == 0:
        yield refuse("payment.rate", "paid in something else: state the rate", field="/rate")
        return
    units = said.paid.amount_minor if said.paid.amount_minor is not None else int(said.paid.amount)
    exact = round_half_even(units * said.rate.settles_minor, int(said.rate.paid))
    if exact != total:
        yield refuse("payment.sum", f"at this rate it settles {exact}, not {total}", field="/rate")


def asset_is_agreed(case: Case) -> Findings:
    """A token counts only where the terms accept it."""
    asset = case.payload.paid.asset
    for lease in _leases(case) if asset is not None else ():
        if asset not in case.terms(lease.versions[-1].terms).assets:
            yield refuse(
                "payment.asset", "the terms do not accept this token", field="/paid/asset", entry=lease.entry
            )


def references_are_new(case: Case) -> Findings:
    """A reference is used once while not denied, and written as its namespace writes it."""
    seen: set[str] = set()
    for index, reference in enumerate(case.payload.references):
        place = f"/references/{index}"
        key = reference_key(reference)
        taken = case.book.get(Taken, key)
        if (taken is not None and taken.by) or key in seen:
            yield refuse(
                "payment.reference_used",
                "the reference was used before",
                field=place,
                entry=taken.entry if taken else None,
            )
        seen.add(key)
        if isinstance(reference, ChainReference):
            yield from _one_spelling(reference, place)


def _one_spelling(reference: ChainReference, place: str) -> Findings:
    namespace, _, chain = reference.chain.partition(":")
    if namespace not in _SPELLINGS:
        yield refuse(
            "payment.namespace", f"{reference.chain!r} is of no namespace known here", field=f"{place}/chain"
        )
        return
    chains, transactions = _SPELLINGS[namespace]
    if chains.fullmatch(chain) is None:
        yield refuse("payment.chain", f"not a chain id as {namespace} writes it", field=f"{place}/chain")
    if transactions.fullmatch(reference.tx) is None:
        yield refuse("payment.tx", f"not a transaction id as {namespace} writes it", field=f"{place}/tx")


def payee_answers(case: Case) -> Findings:
    """Only the payee confirms or denies, once."""
    payment = case.payment
    if not case.is_party(payment.payee):
        yield refuse("payment.not_payee", "only the payee may answer a payment", entry=payment.entry)
    if payment.state != "declared":
        yield refuse("payment.answered", f"the payment was {payment.state}", entry=payment.entry)


def fold_credit(case: Case) -> None:
    """Lower the invoice."""
    said, invoice = case.payload, case.invoice
    lines = dict(invoice.lines)
    for item in said.lines:
        line = lines[item.invoice_line]
        lines[item.invoice_line] = msgspec.structs.replace(
            line, credited_minor=line.credited_minor + item.net_minor
        )
    tax = dict(invoice.credited_tax)
    for subtotal in said.tax_subtotals:
        key = f"{subtotal.category} {subtotal.rate_bps}"
        tax[key] = tax.get(key, 0) + subtotal.tax_minor
    case.book.change(
        case.sub,
        invoice,
        lines=lines,
        credited_tax=tax,
        credited_net_minor=invoice.credited_net_minor + said.net_minor,
        credited_minor=invoice.credited_minor + said.total_minor,
    )
    case.book.put(number_key(case.party, said.number), Taken(by=case.id, entry=case.index))


def fold_credit_in_full(case: Case) -> None:
    """Lower the invoice: first what a dispute left to be credited, and what vouchers cover goes back to their issuer."""
    before = case.invoice
    fold_credit(case)
    freezes.keep_credited(case, before)
    lower_to_share(case, case.sub)


def fold_credit_once(case: Case) -> None:
    """The same, but of two disputes that run at once a credit note counts for one: the payer's first, then the rest."""
    before = case.invoice
    fold_credit(case)
    freezes.keep_credited_once(case, before)
    lower_to_share(case, case.sub)


def fold_declared(case: Case) -> None:
    """Count the payment until it is denied."""
    said = case.payload
    settles = []
    for item in said.settles:
        invoice = case.book.get(Invoice, item.invoice) if item.invoice else None
        sign = -1 if invoice is not None and _is_refund(case, invoice) else 1
        settles.append(
            ("invoice" if invoice else "lease", item.invoice or item.lease or "", sign * item.amount_minor)
        )
    payment = Payment(
        payer=case.party,
        payee=case.book.root_of(said.payee),
        currency=said.currency,
        settles=tuple(settles),
        references=tuple(reference_key(reference) for reference in said.references),
        declared_at=case.now,
        entry=case.index,
    )
    case.book.put(case.id, payment)
    for key in payment.references:
        case.book.put(key, Taken(by=case.id, entry=case.index))
    _count(case, payment, 1)


def _count(case: Case, payment: Payment, sign: int) -> None:
    for sort, target, amount in payment.settles:
        if sort == "invoice":
            invoice = case.book.get(Invoice, target)
            assert invoice is not None, "the book has every settled invoice"
            case.book.change(target, invoice, paid_minor=invoice.paid_minor + sign * amount)
        else:
            lease = case.book.get(Lease, target)
            assert lease is not None, "the book has every settled lease"
            case.book.change(target, lease, on_account_minor=lease.on_account_minor + sign * amount)


def fold_confirmed(case: Case) -> None:
    """The payee has the money."""
    case.book.change(case.sub, case.payment, state="confirmed")
    for sort, target, amount in case.payment.settles:
        invoice = case.book.get(Invoice, target) if sort == "invoice" else None
        if invoice is not None:
            case.book.change(target, invoice, confirmed_minor=invoice.confirmed_minor + amount)


def fold_denied(case: Case) -> None:
    """Stop counting the payment and free its references."""
    case.book.change(case.sub, case.payment, state="denied")
    _count(case, case.payment, -1)
    for key in case.payment.references:
        case.book.put(key, Taken(by="", entry=case.index))


RULES = MappingProxyType(
    {
        "credit.issued": (creditor_signs, number_is_new, credit_within_invoice, credit_sums_hold),
        "payment.declared": (
            targets_fit,
            amount_adds_up,
            asset_is_agreed,
            references_are_new,
        ),
        "payment.confirmed": (payee_answers,),
        "payment.denied": (payee_answers,),
    }
)
FOLDS: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "credit.issued": fold_credit,
        "payment.declared": fold_declared,
        "payment.confirmed": fold_confirmed,
        "payment.denied": fold_denied,
    }
)

FOLDS_2: MappingProxyType[str, Fold] = MappingProxyType({"credit.issued": fold_credit_in_full})

FOLDS_3: MappingProxyType[str, Fold] = MappingProxyType({"credit.issued": fold_credit_once})
