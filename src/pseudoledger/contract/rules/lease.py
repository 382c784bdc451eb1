"""Rules of leases: proposing, signing, declining, taking back, reclaiming and ending (design §3 "Lease")."""

from __future__ import annotations

from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, refuse, terms_id_at
from pseudoledger.contract.rules.common import Fold, close_paper, open_paper, within_quota
from pseudoledger.contract.rules.market import demand_open, still_valid
from pseudoledger.contract.rules.terms import TERMS_RULES, keep_terms
from pseudoledger.contract.stock import book_lines, release, shortages
from pseudoledger.contract.things import (
    Bid,
    Chain,
    Demand,
    Invoice,
    Lease,
    Match,
    MeteredLine,
    Offer,
    Reclaim,
    RegisteredFile,
    Version,
)
from pseudoledger.errors import Finding
from pseudoledger.statement.values import format_instant, instant_seconds, length_seconds

UNPAID, POLICY_ENTRY, KEY_REVOKED, HEAD_ENDED = 20_000, 20_002, 20_003, 20_004
"""Reason codes whose condition the book must show; 20001 needs vouchers, which this rule set lacks."""


def answers_the_other(case: Case) -> Findings:
    """A proposal answers an offer, demand, match or bid of the party that is to sign it."""
    terms, ref = case.payload.terms, case.payload.answers
    other = terms.lessee if case.is_party(terms.lessor) else terms.lessor
    offer, demand = case.book.get(Offer, ref), case.book.get(Demand, ref)
    match, bid = case.book.get(Match, ref), case.book.get(Bid, ref)
    owners: tuple[str, ...] = ()
    if offer is not None:
        owners = (offer.lessor,)
    elif demand is not None:
        owners = (demand.lessee,)
        yield from demand_open(case, demand, "/answers")
    elif match is not None:
        matched, wanted = case.book.get(Offer, match.offer), case.book.get(Demand, match.demand)
        owners = (matched.lessor if matched else "", wanted.lessee if wanted else "")
        yield from _match_holds(case, match)
    elif bid is not None:
        owners = (bid.bidder, bid.owner)
        if bid.state != "open" or bid.valid_to <= case.now:
            yield refuse("paper.lapsed", "the bid is closed or has lapsed", field="/answers", entry=bid.entry)
    else:
        yield refuse(
            "lease.answers_nothing",
            "it answers no offer, demand, match or bid on this ledger",
            field="/answers",
        )
        return
    if not any(case.book.same_party(other, owner) for owner in owners if owner):
        yield refuse("lease.answers_other", "what it answers is not the addressee's", field="/answers")


def _match_holds(case: Case, match: Match) -> Findings:
    if match.valid_to <= case.now:
        yield refuse("paper.lapsed", "the match has lapsed", field="/answers", entry=match.entry)
    shown = {item.mandate for item in case.payload.terms.mandates}
    if not set(match.mandates) <= shown:
        yield refuse(
            "mandate.not_shown",
            "the terms show every mandate of the match",
            field="/terms/mandates",
            entry=match.entry,
        )


def proposal_waits(case: Case) -> Findings:
    """Only a proposal that nobody answered can be answered, and only while it is valid."""
    lease = case.lease
    if lease.state != "proposed":
        yield refuse("lease.not_waiting", f"the proposal was {lease.state}", entry=lease.entry)
    elif lease.valid_to <= case.now and case.payload.type != "lease.cancelled":
        yield refuse(
            "paper.lapsed", f"the proposal lapsed at {format_instant(lease.valid_to)}", entry=lease.entry
        )


def other_party_answers(case: Case) -> Findings:
    """The party that did not propose signs or rejects."""
    lease = case.lease
    other = lease.lessee if case.book.same_party(lease.proposer, lease.lessor) else lease.lessor
    if not case.is_party(other):
        yield refuse("lease.not_addressee", "the answer is the other party's", entry=lease.entry)


def proposer_cancels(case: Case) -> Findings:
    """Only the proposer takes a proposal back."""
    if not case.is_party(case.lease.proposer):
        yield refuse("lease.not_proposer", "only its proposer may cancel a proposal", entry=case.lease.entry)


def not_over_before_it_starts(case: Case) -> Findings:
    """A lease whose period is over binds nobody to anything."""
    period = case.payload.terms.period
    if period.until_seconds <= case.now:
        yield refuse("lease.over", f"the period ended at {period.until}", field="/terms/period")


def stock_is_free(case: Case) -> Findings:
    """Stock is taken when the signature is registered: first by index wins."""
    lease = case.lease
    terms = case.terms(lease.versions[-1].terms)
    for missing in shortages(case.book, case.sub, terms, lease.start, lease.until):
        holder = case.book.get(Lease, missing.taken_by)
        yield refuse(
            "stock.taken",
            f"line {terms.lines[missing.line].id!r} wants {missing.wanted}, {missing.free} are free in its period",
            entry=holder.signed_entry if holder else None,
        )


def head_leases_run(case: Case) -> Findings:
    """A sublease can be signed only while its head leases run."""
    for line in case.terms(case.lease.versions[-1].terms).lines:
        head = case.book.get(Lease, line.head_lease) if line.head_lease else None
        if line.head_lease and (head is None or head.state != "signed"):
            yield refuse(
                "sublease.no_head", "the head lease does not run", entry=head.entry if head else None
            )


def lease_runs(case: Case) -> Findings:
    """The lease was signed and has not ended."""
    if case.lease.state != "signed":
        yield refuse("lease.not_running", f"the lease is {case.lease.state}", entry=case.lease.entry)


def lessor_signs(case: Case) -> Findings:
    """Only the lessor may do this."""
    if not case.is_party(case.lease.lessor):
        yield refuse("lease.not_lessor", "only the lessor may sign this", entry=case.lease.entry)


def lessee_signs(case: Case) -> Findings:
    """Only the lessee may do this."""
    if not case.is_party(case.lease.lessee):
        yield refuse("lease.not_lessee", "only the lessee may sign this", entry=case.lease.entry)


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
        yield from _condition_shown(case)


def _condition_shown(case: Case) -> Findings:
    """Codes from 20000 hold only where the book shows what they claim."""
    code, entry = case.payload.code, case.payload.entry or ""
    checks = {
        UNPAID: _unpaid,
        POLICY_ENTRY: _policy_entry,
        KEY_REVOKED: _other_revoked,
        HEAD_ENDED: _head_ended,
    }
    problem = (
        checks[code](case, entry) if code in checks else f"this rule set has no condition for code {code}"
    )
    if problem:
        yield Finding(code="end.no_condition", message=problem, field="/entry")


def _unpaid(case: Case, entry: str) -> str:
    invoice = case.book.get(Invoice, entry)
    if invoice is None or invoice.lease != case.sub or not case.is_party(invoice.issuer):
        return "entry names no invoice of this lease that the signer issued"
    grace = case.terms_at(case.lease, case.now).grace_days * 86_400
    if invoice.state == "cancelled" or invoice.open_minor <= 0 or case.now < invoice.due_at + grace:
        return "the invoice is not unpaid past its grace"
    return ""


def _policy_entry(case: Case, entry: str) -> str:
    file = case.book.get(RegisteredFile, entry)
    if file is None or file.entry <= (case.lease.signed_entry or 0):
        return "entry names no file, by its SHA-256, registered after the signature"
    return ""


def _other_revoked(case: Case, entry: str) -> str:
    other = case.lease.lessee if case.is_party(case.lease.lessor) else case.lease.lessor
    chain = case.book.get(Chain, case.book.root_of(other))
    if chain is None or chain.revoked_by is None or chain.revoked_by != entry:
        return "entry names no revocation in force of the other party's key"
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


def fold_proposed(case: Case) -> None:
    """Let the proposal wait; it reserves nothing."""
    said, terms = case.payload, case.payload.terms
    heads = [case.book.get(Lease, line.head_lease) for line in terms.lines if line.head_lease]
    lease = Lease(
        number=said.number,
        proposer=case.party,
        lessor=case.book.root_of(terms.lessor),
        lessee=case.book.root_of(terms.lessee),
        answers=said.answers,
        valid_to=instant_seconds(said.valid_to),
        versions=(Version(terms=case.id, start=terms.period.start_seconds),),
        currency=terms.tariff.currency,
        start=terms.period.start_seconds,
        until=terms.period.until_seconds,
        depth=max((head.depth + 1 for head in heads if head), default=0),
        entry=case.index,
    )
    case.book.put(case.id, lease)
    keep_terms(case, case.id)
    open_paper(case, case.party, case.id, lease.valid_to)


def fold_signed(case: Case) -> None:
    """Bind both parties and take the stock."""
    lease = case.lease
    terms = case.terms(lease.versions[-1].terms)
    close_paper(case, lease.proposer, case.sub)
    case.book.change(case.sub, lease, state="signed", signed_at=case.now, signed_entry=case.index)
    book_lines(case.book, case.sub, terms, start=lease.start, until=lease.until, now=case.now)
    for line in terms.lines:
        case.book.put(f"{case.sub}/{line.id}", MeteredLine())


def fold_rejected(case: Case) -> None:
    """Close the proposal."""
    close_paper(case, case.lease.proposer, case.sub)
    case.book.change(case.sub, case.lease, state="rejected")


def fold_cancelled(case: Case) -> None:
    """Close the proposal."""
    close_paper(case, case.lease.proposer, case.sub)
    case.book.change(case.sub, case.lease, state="cancelled")


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


def end_of(lease: Lease) -> int:
    """Return when a lease ends or ended."""
    return lease.until if lease.ended_at is None else lease.ended_at


def final_at(case: Case, lease: Lease) -> int:
    """Return until when usage and invoices of a lease may be registered."""
    end = end_of(lease)
    return end + length_seconds(case.terms(terms_id_at(lease, end)).final_within)


RULES = MappingProxyType(
    {
        "lease.proposed": (
            *TERMS_RULES,
            answers_the_other,
            not_over_before_it_starts,
            still_valid,
            within_quota,
        ),
        "lease.signed": (proposal_waits, other_party_answers, stock_is_free, head_leases_run),
        "lease.rejected": (proposal_waits, other_party_answers),
        "lease.cancelled": (proposal_waits, proposer_cancels),
        "reclaim.started": (lease_runs, lessor_signs, notice_is_given),
        "lease.ended": (lease_runs, party_ends, end_code_holds),
    }
)
FOLDS: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "lease.proposed": fold_proposed,
        "lease.signed": fold_signed,
        "lease.rejected": fold_rejected,
        "lease.cancelled": fold_cancelled,
        "reclaim.started": fold_reclaim,
        "lease.ended": fold_ended,
    }
)
