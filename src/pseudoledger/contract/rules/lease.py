"""Rules of leases: proposing, signing, declining and taking back (design §3 "Lease")."""

from __future__ import annotations

from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, refuse, terms_id_at
from pseudoledger.contract.rules.affiliate import shown_brokers_no_affiliates
from pseudoledger.contract.rules.common import Fold, close_paper, open_paper, within_quota
from pseudoledger.contract.rules.market import demand_open, offer_open, still_valid
from pseudoledger.contract.rules.sublease import sublet_lines_fit
from pseudoledger.contract.rules.terms import TERMS_RULES, keep_terms
from pseudoledger.contract.stock import book_lines, shortages
from pseudoledger.contract.things import (
    Bid,
    Demand,
    Lease,
    Match,
    MeteredLine,
    Offer,
    Version,
)
from pseudoledger.statement.values import format_instant, instant_seconds, length_seconds


def answers_the_other(case: Case) -> Findings:
    """A proposal answers an offer, demand, match or bid of the party that is to sign it."""
    terms, ref = case.payload.terms, case.payload.answers
    other = terms.lessee if case.is_party(terms.lessor) else terms.lessor
    paper = case.book.get(Offer, ref) or case.book.get(Demand, ref)
    brokered = case.book.get(Match, ref) or case.book.get(Bid, ref)
    if paper is not None:
        yield from _paper_open(case, paper)
        answered = case.book.same_party(other, _whose(paper))
    elif brokered is not None:
        yield from _brokered_holds(case, brokered)
        sides = _sides(case, brokered)
        answered = {case.book.root_of(other), case.party} == {case.book.root_of(side) for side in sides}
    else:
        yield refuse(
            "lease.answers_nothing",
            "it answers no offer, demand, match or bid on this ledger",
            field="/answers",
        )
        return
    if not answered:
        yield refuse("lease.answers_other", "what it answers is not the addressee's", field="/answers")


def _whose(paper: Offer | Demand) -> str:
    return paper.lessor if isinstance(paper, Offer) else paper.lessee


def _paper_open(case: Case, paper: Offer | Demand) -> Findings:
    if isinstance(paper, Offer):
        yield from offer_open(case, paper, "/answers")
    else:
        yield from demand_open(case, paper, "/answers")


def _papers(case: Case, brokered: Match | Bid) -> list[Offer | Demand]:
    """Find the offers and demands that a match brings together or a bid is on."""
    refs = (brokered.offer, brokered.demand) if isinstance(brokered, Match) else (brokered.on,)
    found = (case.book.get(Offer, ref) or case.book.get(Demand, ref) for ref in refs)
    return [paper for paper in found if paper is not None]


def _sides(case: Case, brokered: Match | Bid) -> tuple[str, ...]:
    """Name the two parties that a match or bid is between: nobody else can answer it."""
    if isinstance(brokered, Bid):
        return (brokered.bidder, brokered.addressee)
    return tuple(_whose(paper) for paper in _papers(case, brokered))


def _brokered_holds(case: Case, brokered: Match | Bid) -> Findings:
    """A match or bid is answered while it waits, and the terms show the mandates it was made under."""
    if brokered.valid_to <= case.now or (isinstance(brokered, Bid) and brokered.state != "open"):
        yield refuse(
            "paper.lapsed", "what it answers is closed or has lapsed", field="/answers", entry=brokered.entry
        )
    for paper in _papers(case, brokered):
        yield from _paper_open(case, paper)
    mandates = brokered.mandates if isinstance(brokered, Match) else (brokered.mandate,)
    if not {mandate for mandate in mandates if mandate} <= {m.mandate for m in case.payload.terms.mandates}:
        yield refuse(
            "mandate.not_shown",
            "the terms show every mandate of what they answer",
            field="/terms/mandates",
            entry=brokered.entry,
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


def not_over(case: Case) -> Findings:
    """Once its period is over, nothing of a lease begins."""
    if case.lease.until <= case.now:
        yield refuse(
            "lease.over", f"the period ended at {format_instant(case.lease.until)}", entry=case.lease.entry
        )


def stock_is_free(case: Case) -> Findings:
    """Stock is taken when the signature is registered, from then on: first by index wins."""
    lease = case.lease
    terms = case.terms(lease.versions[-1].terms)
    for missing in shortages(case.book, case.sub, terms, max(lease.start, case.now), lease.until):
        holder = case.book.get(Lease, missing.taken_by)
        yield refuse(
            "stock.taken",
            f"line {terms.lines[missing.line].id!r} wants {missing.wanted}, {missing.free} are free in its period",
            entry=holder.signed_entry if holder else None,
        )


def head_leases_still_fit(case: Case) -> Findings:
    """A sublease is signed only if its head leases still run and are no tighter than when it was proposed."""
    yield from sublet_lines_fit(case, case.terms(case.lease.versions[-1].terms))


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
    taken_from = max(lease.start, case.now)
    book_lines(case.book, case.sub, terms, start=taken_from, until=lease.until, now=case.now)
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
        "lease.signed": (
            proposal_waits,
            other_party_answers,
            not_over,
            stock_is_free,
            head_leases_still_fit,
        ),
        "lease.rejected": (proposal_waits, other_party_answers),
        "lease.cancelled": (proposal_waits, proposer_cancels),
    }
)
RULES_2 = MappingProxyType(
    {
        "lease.proposed": (*RULES["lease.proposed"], shown_brokers_no_affiliates),
    }
)
FOLDS: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "lease.proposed": fold_proposed,
        "lease.signed": fold_signed,
        "lease.rejected": fold_rejected,
        "lease.cancelled": fold_cancelled,
    }
)
