"""Rules of amendments: the whole new terms, one after another, from a time not yet reported (design §3)."""

from __future__ import annotations

from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.rules.affiliate import shown_brokers_no_affiliates
from pseudoledger.contract.rules.common import Fold, close_paper, open_paper, within_quota
from pseudoledger.contract.rules.lease import lease_runs
from pseudoledger.contract.rules.market import still_valid
from pseudoledger.contract.rules.sublease import sublet_lines_fit
from pseudoledger.contract.rules.terms import TERMS_RULES, keep_terms
from pseudoledger.contract.stock import book_lines, shortages, sublet_beyond
from pseudoledger.contract.things import Amendment, Lease, MeteredLine, Version
from pseudoledger.statement.values import format_instant, instant_seconds


def _reported_until(case: Case, lease: Lease) -> int:
    """Return the end of the last reported period of any line that the lease ever had."""
    last = lease.start
    for version in lease.versions:
        for line in case.terms(version.terms).lines:
            metered = case.book.get(MeteredLine, f"{case.sub}/{line.id}")
            if metered is not None and metered.reported_until is not None:
                last = max(last, metered.reported_until)
    return last


def follows_the_last_terms(case: Case) -> Findings:
    """An amendment changes the newest terms: refused if another came between."""
    lease = case.lease
    if case.payload.replaces != lease.versions[-1].terms:
        yield refuse(
            "amendment.came_between",
            f"the newest terms are {lease.versions[-1].terms}",
            field="/replaces",
            entry=lease.entry,
        )


def same_parties_and_money(case: Case) -> Findings:
    """Parties, currency and start stay; another party or currency is another lease."""
    before, after = case.terms(case.lease.versions[-1].terms), case.payload.terms
    for role in ("lessor", "lessee"):
        if not case.book.same_party(getattr(before, role), getattr(after, role)):
            yield refuse(
                "amendment.parties",
                f"the {role} stays the same",
                field=f"/terms/{role}",
                entry=case.lease.entry,
            )
    if before.tariff.currency != after.tariff.currency:
        yield refuse(
            "amendment.currency",
            "one currency per lease",
            field="/terms/tariff/currency",
            entry=case.lease.entry,
        )
    if before.period.start != after.period.start:
        yield refuse(
            "amendment.start", "the lease's start stays", field="/terms/period/from", entry=case.lease.entry
        )


def starts_after_reports(case: Case) -> Findings:
    """New terms start within the lease, after everything reported and after the terms before."""
    lease, at = case.lease, instant_seconds(case.payload.effective_from)
    reported = max(_reported_until(case, lease), lease.versions[-1].start)
    if at < reported:
        yield refuse(
            "amendment.reported",
            f"usage is reported until {format_instant(reported)}",
            field="/effective_from",
        )
    if at >= case.payload.terms.period.until_seconds or at > lease.until:
        yield refuse(
            "amendment.after_end",
            f"it would start after the period ends; the lease runs until {format_instant(lease.until)}",
            field="/effective_from",
        )


def _amendment(case: Case) -> Amendment | None:
    """Find the amendment that is signed, if it is one of this lease."""
    amendment = case.book.get(Amendment, case.payload.amendment)
    return amendment if amendment is not None and amendment.lease == case.sub else None


def amendment_waits(case: Case) -> Findings:
    """The amendment is this lease's, unanswered, valid, and still follows the newest terms."""
    amendment = _amendment(case)
    if amendment is None:
        yield refuse("amendment.unknown", "the lease has no such amendment", field="/amendment")
        return
    if amendment.state != "proposed":
        yield refuse(
            "amendment.signed", "the amendment is signed already", field="/amendment", entry=amendment.entry
        )
    elif amendment.replaces != case.lease.versions[-1].terms:
        yield refuse(
            "amendment.came_between",
            "another amendment came between",
            field="/amendment",
            entry=amendment.entry,
        )
    if amendment.valid_to <= case.now:
        yield refuse(
            "paper.lapsed",
            f"it lapsed at {format_instant(amendment.valid_to)}",
            field="/amendment",
            entry=amendment.entry,
        )
    other = (
        case.lease.lessee
        if case.book.same_party(amendment.proposer, case.lease.lessor)
        else case.lease.lessor
    )
    if not case.is_party(other):
        yield refuse(
            "lease.not_addressee",
            "the answer is the other party's",
            field="/amendment",
            entry=amendment.entry,
        )


def not_backdated(case: Case) -> Findings:
    """At its signature an amendment does not start in the past, so also after everything reported since."""
    amendment = _amendment(case)
    if amendment is None:
        return
    if amendment.effective_from < case.now:
        yield refuse(
            "amendment.backdated",
            f"it starts at {format_instant(amendment.effective_from)}, before it is signed",
            entry=amendment.entry,
        )


def sublet_stays(case: Case) -> Findings:
    """New terms keep what is sublet: no fewer units of it, and no earlier end."""
    amendment = _amendment(case)
    if amendment is None:
        return
    terms = case.terms(case.payload.amendment)
    for line in sublet_beyond(case.book, case.lease, case.sub, terms, amendment.effective_from):
        yield refuse("amendment.sublet", f"more of line {line!r} is sublet, or for longer")


def heads_still_fit(case: Case) -> Findings:
    """An amended sublease still fits its head leases when it is signed."""
    if _amendment(case) is not None:
        yield from sublet_lines_fit(case, case.terms(case.payload.amendment))


def stock_for_new_terms(case: Case) -> Findings:
    """What the new terms take beyond the old ones must be free."""
    amendment = _amendment(case)
    if amendment is None:
        return
    terms = case.terms(case.payload.amendment)
    for missing in shortages(
        case.book, case.sub, terms, amendment.effective_from, terms.period.until_seconds
    ):
        holder = case.book.get(Lease, missing.taken_by)
        yield refuse(
            "stock.taken",
            f"line {terms.lines[missing.line].id!r} wants {missing.wanted}, {missing.free} are free in its period",
            entry=holder.signed_entry if holder else None,
        )


def fold_proposed(case: Case) -> None:
    """Let the amendment wait."""
    said = case.payload
    amendment = Amendment(
        lease=case.sub,
        proposer=case.party,
        replaces=said.replaces,
        effective_from=instant_seconds(said.effective_from),
        valid_to=instant_seconds(said.valid_to),
        entry=case.index,
    )
    case.book.put(case.id, amendment)
    keep_terms(case, case.sub)
    open_paper(case, case.party, case.id, amendment.valid_to)


def fold_signed(case: Case) -> None:
    """Put the new terms into force from their start."""
    lease, amendment = case.lease, _amendment(case)
    assert amendment is not None, "amendment_waits saw it"
    terms = case.terms(case.payload.amendment)
    close_paper(case, amendment.proposer, case.payload.amendment)
    case.book.change(case.payload.amendment, amendment, state="signed")
    until = terms.period.until_seconds
    version = Version(terms=case.payload.amendment, start=amendment.effective_from)
    book_lines(case.book, case.sub, terms, start=amendment.effective_from, until=until, now=case.now)
    case.book.change(case.sub, lease, versions=(*lease.versions, version), until=until)
    for line in terms.lines:
        if case.book.get(MeteredLine, f"{case.sub}/{line.id}") is None:
            case.book.put(f"{case.sub}/{line.id}", MeteredLine())


RULES = MappingProxyType(
    {
        "amendment.proposed": (
            lease_runs,
            *TERMS_RULES,
            follows_the_last_terms,
            same_parties_and_money,
            starts_after_reports,
            still_valid,
            within_quota,
        ),
        "amendment.signed": (
            lease_runs,
            amendment_waits,
            not_backdated,
            sublet_stays,
            stock_for_new_terms,
            heads_still_fit,
        ),
    }
)
RULES_2 = MappingProxyType(
    {
        "amendment.proposed": (*RULES["amendment.proposed"], shown_brokers_no_affiliates),
    }
)
FOLDS: MappingProxyType[str, Fold] = MappingProxyType(
    {"amendment.proposed": fold_proposed, "amendment.signed": fold_signed}
)
