"""Rules about terms, for proposals and amendments alike (design §3 "Lease")."""

from __future__ import annotations

from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.rules.market import offer_open
from pseudoledger.contract.rules.sublease import lines_from_head_leases
from pseudoledger.contract.things import Chain, Mandate, Offer, RegisteredFile, TermsInForce
from pseudoledger.statement.kinds.lease import Terms, TermsLine
from pseudoledger.statement.values import instant_seconds, length_seconds


def _terms(case: Case) -> Terms:
    terms: Terms = case.payload.terms
    return terms


def _kept_lines(case: Case) -> frozenset[str]:
    """Lines of an amendment that stand unchanged in the terms that it replaces."""
    if case.payload.type != "amendment.proposed":
        return frozenset()
    before = {line.id: line for line in case.terms(case.lease.versions[-1].terms).lines}
    return frozenset(line.id for line in _terms(case).lines if before.get(line.id) == line)


def signer_is_party(case: Case) -> Findings:
    """Terms are proposed by one of the two parties; a broker never does."""
    terms = _terms(case)
    if not (case.is_party(terms.lessor) or case.is_party(terms.lessee)):
        yield refuse("lease.not_party", "terms are proposed by their lessor or lessee", field="/terms/lessor")


def parties_differ(case: Case) -> Findings:
    """Nobody leases to itself, under whatever key."""
    terms = _terms(case)
    if case.book.same_party(terms.lessor, terms.lessee):
        yield refuse("lease.same_party", "lessor and lessee are the same party", field="/terms/lessee")
    for role in ("lessor", "lessee"):
        chain = case.book.get(Chain, case.book.root_of(getattr(terms, role)))
        if chain is not None and chain.keys[-1] != getattr(terms, role):
            yield refuse("identity.key_retired", f"{chain.keys[-1]} acts for it now", field=f"/terms/{role}")


def terms_lines_unique(case: Case) -> Findings:
    """Line ids of terms name one line each, and each has one rate."""
    terms = _terms(case)
    ids = [line.id for line in terms.lines]
    for index, line in enumerate(terms.lines):
        if line.id in ids[:index]:
            yield refuse(
                "line.id_reused", f"line id {line.id!r} stands twice", field=f"/terms/lines/{index}/id"
            )
    if sorted(ids) != sorted(rate.line for rate in terms.tariff.lines):
        yield refuse(
            "tariff.lines", "the tariff has exactly one rate for each line", field="/terms/tariff/lines"
        )


def facility_within_residency(case: Case) -> Findings:
    """The machines stand where every data set may be."""
    terms = _terms(case)
    for index, rule in enumerate(terms.residency):
        if terms.facility.country not in rule.countries:
            yield refuse(
                "lease.residency",
                f"the facility is in {terms.facility.country}, data set {rule.data_set!r} may be in {', '.join(rule.countries)}",
                field=f"/terms/residency/{index}",
            )
    subdivision = terms.facility.subdivision
    if subdivision is not None and not subdivision.startswith(f"{terms.facility.country}-"):
        yield refuse(
            "place.subdivision",
            f"{subdivision} is not in {terms.facility.country}",
            field="/terms/facility/subdivision",
        )


def lines_from_offers(case: Case) -> Findings:
    """Every line that cites an offer is served by it: lessor, resource, count, place, time and length."""
    kept = _kept_lines(case)
    for index, line in enumerate(_terms(case).lines):
        if line.offer is None:
            continue
        place = f"/terms/lines/{index}"
        offer = case.book.get(Offer, line.offer)
        if offer is None:
            yield refuse("offer.unknown", f"no offer {line.offer} is on this ledger", field=f"{place}/offer")
            continue
        if not case.book.same_party(offer.lessor, _terms(case).lessor):
            yield refuse(
                "offer.not_lessor", "the offer is another lessor's", field=f"{place}/offer", entry=offer.entry
            )
        yield from _line_fits_offer(case, line, offer, place)
        if line.id not in kept:
            yield from offer_open(case, offer, f"{place}/offer")
            yield from _period_fits_offer(case, offer, place)


def _line_fits_offer(case: Case, line: TermsLine, offer: Offer, place: str) -> Findings:
    offered = {item.id: item for item in offer.payload.lines}.get(line.offer_line or "")
    if offered is None:
        yield refuse(
            "offer.unknown_line",
            f"the offer has no line {line.offer_line!r}",
            field=f"{place}/offer_line",
            entry=offer.entry,
        )
        return
    if (offered.resource, offered.chip) != (line.resource, line.chip):
        yield refuse(
            "offer.other_resource", "the offer's line is another resource", field=place, entry=offer.entry
        )
    if line.count > offered.count:
        yield refuse(
            "offer.more_than_offered",
            f"the offer has {offered.count}",
            field=f"{place}/count",
            entry=offer.entry,
        )
    stands, named = offer.payload.facility, _terms(case).facility
    if stands.country != named.country or stands.subdivision not in {None, named.subdivision}:
        yield refuse(
            "offer.other_place",
            f"the offer stands in {stands.subdivision or stands.country}",
            field="/terms/facility",
            entry=offer.entry,
        )


def _period_fits_offer(case: Case, offer: Offer, place: str) -> Findings:
    """Check the stretch for which the line is taken: an amendment takes it from its start on only."""
    offered, until = offer.payload, _terms(case).period.until_seconds
    start = _terms(case).period.start_seconds
    if case.payload.type == "amendment.proposed":
        start = instant_seconds(case.payload.effective_from)
    if start < offered.available.start_seconds or until > offered.available.until_seconds:
        yield refuse(
            "offer.outside_time",
            f"the offer runs from {offered.available.start} until {offered.available.until}",
            field="/terms/period",
            entry=offer.entry,
        )
    if not length_seconds(offered.length_min) <= until - start <= length_seconds(offered.length_max):
        yield refuse(
            "offer.length",
            f"leases under {place[1:]} last {offered.length_min} to {offered.length_max}",
            field="/terms/period",
            entry=offer.entry,
        )


def mandates_shown(case: Case) -> Findings:
    """Mandates in terms are real, a party's, and within the cap; brokers are not parties.

    An amendment may carry on a mandate of the terms before that has ended since.
    """
    terms = _terms(case)
    amended = case.payload.type == "amendment.proposed"
    before = case.terms(case.lease.versions[-1].terms).mandates if amended else ()
    carried_on = {shown.mandate for shown in before}
    total = 0
    for index, shown in enumerate(terms.mandates):
        field = f"/terms/mandates/{index}"
        total += shown.commission_bps
        mandate = case.book.get(Mandate, shown.mandate)
        if mandate is None:
            yield refuse("mandate.unknown", f"no mandate {shown.mandate} is on this ledger", field=field)
            continue
        if not any(case.book.same_party(mandate.principal, side) for side in (terms.lessor, terms.lessee)):
            yield refuse(
                "mandate.not_party",
                "its principal is neither lessor nor lessee",
                field=field,
                entry=mandate.entry,
            )
        if (
            not case.book.same_party(mandate.broker, shown.broker)
            or mandate.commission_bps != shown.commission_bps
        ):
            yield refuse(
                "mandate.shown_wrong",
                "broker and commission are those of the mandate",
                field=field,
                entry=mandate.entry,
            )
        over = mandate.released_at is not None or mandate.until <= case.now
        if over and shown.mandate not in carried_on:
            yield refuse("mandate.over", "the mandate has ended", field=field, entry=mandate.entry)
        if any(case.book.same_party(mandate.broker, side) for side in (terms.lessor, terms.lessee)):
            yield refuse(
                "broker.is_party", "the broker is itself lessor or lessee", field=field, entry=mandate.entry
            )
    if total > case.policy.commission_cap_bps:
        yield refuse(
            "mandate.commission_cap",
            f"the policy caps commission at {case.policy.commission_cap_bps} bps together",
            field="/terms/mandates",
        )
    if len({shown.mandate for shown in terms.mandates}) < len(terms.mandates):
        yield refuse("mandate.shown_twice", "a mandate is shown twice", field="/terms/mandates")


def arbiter_is_third(case: Case) -> Findings:
    """The arbiter is neither party."""
    terms = _terms(case)
    if terms.arbiter and any(
        case.book.same_party(terms.arbiter, side) for side in (terms.lessor, terms.lessee)
    ):
        yield refuse("lease.arbiter", "the arbiter is one of the parties", field="/terms/arbiter")


def policies_registered(case: Case) -> Findings:
    """Policies that terms pin are registered files."""
    for index, sha256 in enumerate(_terms(case).policies):
        if case.book.get(RegisteredFile, sha256) is None:
            yield refuse(
                "lease.unknown_policy", "the file is not registered", field=f"/terms/policies/{index}"
            )


TERMS_RULES = (
    signer_is_party,
    parties_differ,
    terms_lines_unique,
    facility_within_residency,
    lines_from_offers,
    lines_from_head_leases,
    mandates_shown,
    arbiter_is_third,
    policies_registered,
)


def keep_terms(case: Case, lease_id: str) -> None:
    """Remember terms under the id of the statement that carries them."""
    case.book.put(case.id, TermsInForce(lease=lease_id, payload=_terms(case), entry=case.index))
