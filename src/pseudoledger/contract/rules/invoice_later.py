"""Rules of invoices from the second rule set on: what is disputed waits, the rest is billed, vouchers pay a part."""

from __future__ import annotations

from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.rules import freezes, invoice
from pseudoledger.contract.rules.common import Fold
from pseudoledger.contract.things import Usage


def bills_whole_reports(case: Case) -> Findings:
    """An invoice that billed a part of a report is not cancelled: the other part may have been billed since."""
    if case.invoice.state == "cancelled":
        return
    for report in case.invoice.reports:
        usage = case.book.get(Usage, report)
        if usage is not None and usage.state != "replaced" and usage.billed_by != case.sub:
            yield refuse(
                "invoice.billed_apart",
                "a part of a disputed report was billed: issue a credit note instead",
                entry=usage.entry,
            )


def fold_issued(case: Case) -> None:
    """Take the invoice into the book; what is disputed of a report can be billed once that is over."""
    apart = freezes.billed_apart(case)
    invoice.fold_issued_with_period(case)
    freezes.keep_billed_apart(case, apart)


def _kept(fold: Fold) -> Fold:
    """Make a fold that takes back, with the payer's answer, what it disputes."""

    def folded(case: Case) -> None:
        """The same, and what the payer disputes of it is taken back."""
        before = case.invoice
        fold(case)
        freezes.answered(case, case.sub, before)

    return folded


def fold_cancelled(case: Case) -> None:
    """Free the usage; disputes about the invoice have lost their matter."""
    before = case.invoice
    invoice.fold_cancelled(case)
    freezes.gone(case, case.sub, before)


RULES_2 = MappingProxyType(
    {
        "invoice.cancelled": (
            *invoice.RULES["invoice.cancelled"],
            invoice.no_voucher_on_it,
            bills_whole_reports,
        )
    }
)
FOLDS_2: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "invoice.issued": fold_issued,
        "invoice.accepted": _kept(invoice.fold_accepted),
        "invoice.rejected": _kept(invoice.fold_rejected),
        "invoice.cancelled": fold_cancelled,
    }
)
