"""Rules of ending a lease: notice to reclaim, and the coded reasons with their conditions (design §3 "Lease")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.derive import overdue_minor
from pseudoledger.contract.rules.common import Fold
from pseudoledger.contract.rules.lease import lease_runs, lessor_signs, not_over
from pseudoledger.contract.stock import release
from pseudoledger.contract.things import Chain, Invoice, Lease, Reclaim, RegisteredFile
from pseudoledger.contract.things.voucher import Voucher, VoucherUse
from pseudoledger.contract.vouchers import use_key
from pseudoledger.statement.values import format_instant, instant_seconds, length_seconds

UNPAID, POLICY_ENTRY, KEY_REVOKED, HEAD_ENDED = 20_000, 20_002, 20_003, 20_004
"""Reason codes whose condition the book must show."""
VOUCHER_REVOKED = 20_001
"""One more from the second rule set on, which has vouchers."""

Condition: TypeAlias = Callable[[Case, str], str]
"""Takes what a statement names and says what is wrong with it, or nothing."""


def notice_is_given(case: Case) -> Findings:
    """A lessor reclaims only under a notice clause, after its notice, once at a time."""
    lease, at = case.lease, instant_seconds(case.payload.effective_at)
    notice = case.terms_at(lease, case.now).notice
    if notice is None:
        yield refuse("reclaim.no_clause", "the terms have no notice clause", entry=lease.entry)
    elif at < case.now + length_seconds(notice):
        yield refuse(
            "reclaim.too_soon",
            f"the terms ask for {notice}: not before {format_instant(case.now + length_seconds(notice))}",
            field="/effective_at",
        )
    if lease.reclaim is not None:
        yield refuse("reclaim.started", "a reclaim runs already", entry=lease.entry)


def party_ends(case: Case) -> Findings:
    """Only lessor or lessee end a lease."""
    if not (case.is_party(case.lease.lessor) or case.is_party(case.lease.lessee)):
        yield refuse("lease.not_party", "only lessor or lessee may end a lease", entry=case.lease.entry)


def end_code_holds(case: Case) -> Findings:
    """Each range of reason codes has its role and its condition (design §3)."""
    yield from _code_holds(case, _CONDITIONS)


def end_code_holds_with_vouchers(case: Case) -> Findings:
    """Each range of reason codes has its role and its condition, a revoked voucher among them (design §3)."""
    yield from _code_holds(case, _CONDITIONS_2)


def _code_holds(case: Case, conditions: Mapping[int, Condition]) -> Findings:
    lease, code = case.lease, case.payload.code
    if code == 0:
        if case.now < lease.until:
            yield refuse(
                "end.not_over", f"the period runs until {format_instant(lease.until)}", field="/code"
            )
    elif code < 10_000:
        if not case.is_party(lease.lessee):
            yield refuse("end.lessee_code", "codes 1 to 9999 are the lessee's", field="/code")
    elif code < UNPAID:
        if not case.is_party(lease.lessor):
            yield refuse("end.lessor_code", "codes 10000 to 19999 are the lessor's", field="/code")
        if lease.reclaim is None or lease.reclaim.effective_at > case.now:
            yield refuse(
                "end.notice_runs",
                "the lessor ends only after its notice took effect",
                field="/code",
                entry=lease.entry,
            )
    else:
        yield from _condition_shown(case, conditions)


def _condition_shown(case: Case, checks: Mapping[int, Condition]) -> Findings:
    """Codes from 20000 hold only where the book shows what they claim."""
    code, entry = case.payload.code, case.payload.entry or ""
    problem = (
        checks[code](case, entry) if code in checks else f"this rule set has no condition for code {code}"
    )
    if problem:
        yield refuse("end.no_condition", problem, field="/entry")


def _unpaid(case: Case, entry: str) -> str:
    invoice = case.book.get(Invoice, entry)
    if invoice is None or invoice.lease != case.sub or not case.is_party(invoice.issuer):
        return "entry names no invoice of this lease that the signer issued"
    grace = case.terms_at(case.lease, case.now).grace_days * 86_400
    if overdue_minor(invoice, case.now, grace) <= 0:
        return "the invoice has no undisputed amount unpaid past its grace"
    return ""


def _policy_entry(case: Case, entry: str) -> str:
    file = case.book.get(RegisteredFile, entry)
    if file is None or file.entry <= (case.lease.signed_entry or 0):
        return "entry names no file, by its SHA-256, registered after the signature"
    return ""


def _other_revoked(case: Case, entry: str) -> str:
    other = case.lease.lessee if case.is_party(case.lease.lessor) else case.lease.lessor
    chain = case.book.get(Chain, case.book.root_of(other))
    if chain is None or chain.revoked_by is None or chain.revoked_by != entry or chain.handover is not None:
        return "entry names no revocation in force, without recovery, of the other party's key"
    return ""


def _head_ended(case: Case, entry: str) -> str:
    terms = case.terms_at(case.lease, case.now)
    heads = [case.book.get(Lease, line.head_lease) for line in terms.lines if line.head_lease]
    ended = [head for head in heads if head is not None and head.end_id == entry]
    if not ended or ended[0].ended_at is None:
        return "entry names no end of a head lease of this lease"
    notice = length_seconds(terms.notice) if terms.notice else 0
    if case.now < ended[0].ended_at + notice:
        return f"its own notice runs until {format_instant(ended[0].ended_at + notice)}"
    return ""


def _voucher_revoked(case: Case, entry: str) -> str:
    voucher = case.book.get(Voucher, entry)
    if voucher is None or voucher.revoked_at is None:
        return "entry names no voucher that was revoked"
    use = case.book.get(VoucherUse, use_key(entry, case.sub)) or VoucherUse()
    if not use.counts:
        return "nothing of the voucher was set aside for this lease or used on it when it was revoked"
    return ""


_CONDITIONS: Mapping[int, Condition] = MappingProxyType(
    {
        UNPAID: _unpaid,
        POLICY_ENTRY: _policy_entry,
        KEY_REVOKED: _other_revoked,
        HEAD_ENDED: _head_ended,
    }
)
_CONDITIONS_2: Mapping[int, Condition] = MappingProxyType({**_CONDITIONS, VOUCHER_REVOKED: _voucher_revoked})


def fold_reclaim(case: Case) -> None:
    """Start the notice."""
    said = case.payload
    notice = Reclaim(id=case.id, effective_at=instant_seconds(said.effective_at), code=said.code)
    case.book.change(case.sub, case.lease, reclaim=notice)


def fold_ended(case: Case) -> None:
    """End the lease and free its stock; what was used may still be billed."""
    lease = case.lease
    release(case.book, case.sub, lease, case.now)
    ended_at = min(case.now, lease.until)
    case.book.change(
        case.sub, lease, state="ended", ended_at=ended_at, end_code=case.payload.code, end_id=case.id
    )


RULES = MappingProxyType(
    {
        "reclaim.started": (lease_runs, lessor_signs, not_over, notice_is_given),
        "lease.ended": (lease_runs, party_ends, end_code_holds),
    }
)
FOLDS: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "reclaim.started": fold_reclaim,
        "lease.ended": fold_ended,
    }
)

RULES_2 = MappingProxyType({"lease.ended": (lease_runs, party_ends, end_code_holds_with_vouchers)})
