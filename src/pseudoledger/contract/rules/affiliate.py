"""The rule that a broker is no affiliate of a party, where that is declared (design §3 "Market").

The first rule set refuses a broker that is itself a party; from the second on claims of affiliation count too.
"""

from __future__ import annotations

from collections.abc import Iterable

from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.claims import affiliation
from pseudoledger.contract.things import Demand, Mandate, Offer


def _no_affiliate(case: Case, broker: str, sides: Iterable[str], field: str) -> Findings:
    for side in sides:
        claim = affiliation(case.book, broker, side, case.policy.attestors, case.now)
        if claim is not None and not case.book.same_party(broker, side):
            yield refuse(
                "broker.is_affiliate",
                f"the broker is attested to be an affiliate of {side}",
                field=field,
                entry=claim.entry,
            )


def broker_no_affiliate(case: Case) -> Findings:
    """Nobody gives a mandate to its declared affiliate."""
    yield from _no_affiliate(case, case.payload.broker, (case.party,), "/broker")


def matcher_no_affiliate(case: Case) -> Findings:
    """A match is not proposed by a declared affiliate of either side."""
    offer = case.book.get(Offer, case.payload.offer)
    sides = (case.demand.lessee, *((offer.lessor,) if offer else ()))
    yield from _no_affiliate(case, case.party, sides, "")


def bidding_broker_no_affiliate(case: Case) -> Findings:
    """A broker does not bid for or to its declared affiliate."""
    mandate = case.book.get(Mandate, case.payload.mandate) if case.payload.mandate else None
    if mandate is None:
        return
    paper = case.book.get(Offer, case.sub) or case.book.get(Demand, case.sub)
    whose = paper.lessor if isinstance(paper, Offer) else paper.lessee if paper else mandate.principal
    yield from _no_affiliate(case, case.party, (mandate.principal, whose), "/mandate")


def shown_brokers_no_affiliates(case: Case) -> Findings:
    """Terms show no mandate of a declared affiliate of a party, unless the terms before showed it."""
    terms = case.payload.terms
    amended = case.payload.type == "amendment.proposed"
    before = case.terms(case.lease.versions[-1].terms).mandates if amended else ()
    carried_on = {shown.mandate for shown in before}
    for index, shown in enumerate(terms.mandates):
        if shown.mandate not in carried_on:
            sides = (terms.lessor, terms.lessee)
            yield from _no_affiliate(case, shown.broker, sides, f"/terms/mandates/{index}")
