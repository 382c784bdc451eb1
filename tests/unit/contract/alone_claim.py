"""Scenarios of the family claim, of admission by claims, and of brokers that are affiliates."""

from alone import alone, put
from alone_lease import shown as shown_mandate
from alone_ledger import founding, policy_change

from play import DAY, FOUNDER, LEDGER, START, Deal, Table, key
from play.claims import claim, revocation, shown
from play.papers import NOWHERE, amendment, bid, mandate, match, pool
from play.table import POLICY
from pseudoledger.statement.kinds.market import REFS_MAX
from pseudoledger.statement.payload import jcs
from pseudoledger.statement.sealed import digests

ANA, BEN, NOTARY, READER = (key(name) for name in ("ana", "ben", "notary", "reader"))


def attested(table, tree=None, *, who=NOTARY, about=ANA):
    return table.act(who, tree or claim(), about.did)


@alone("claim.subject")
def a_claim_about_no_identity():
    return put(Table(), NOTARY, claim(), "somebody")


@alone("claim.self_attested")
def nobody_is_its_own_notary():
    return put(Table(), ANA, claim(tier="declared"), ANA.did)


@alone("claim.tier")
def a_third_party_declares_nothing():
    return put(Table(), NOTARY, claim("country", tier="declared"), ANA.did)


@alone("claim.tier")
def nobody_inspects_itself():
    return put(Table(), ANA, claim("country", tier="inspected"), ANA.did)


@alone("claim.same_party")
def nobody_is_its_own_affiliate():
    return put(Table(), NOTARY, claim("affiliate_of", party=ANA.did), ANA.did)


@alone("claim.over")
def a_claim_that_ended_before_it_was_made():
    return put(Table().later(400 * DAY), NOTARY, claim(), ANA.did)


@alone("place.subdivision")
def an_attested_place_in_two_countries():
    return put(Table(), NOTARY, claim("facility", {"/facility/subdivision": "FR-IDF"}), ANA.did)


@alone("claim.unknown_thing")
def a_claim_about_an_offer_that_is_not_there():
    return put(Table(), NOTARY, claim("facility", about=NOWHERE), ANA.did)


@alone("claim.not_subjects")
def a_claim_about_the_offer_of_another():
    deal = Deal().offered()
    return put(deal, NOTARY, claim("facility", about=deal.offer), ANA.did)


@alone("claim.other_place")
def a_claim_about_an_offer_elsewhere():
    deal = Deal().offered()
    place = {"country": "FR", "site": "a street"}
    return put(deal, NOTARY, claim("facility", facility=place, about=deal.offer), deal.lessor.did)


@alone("claim.more_than_pool")
def more_chips_than_the_pool_has():
    deal = Deal().offered()
    tree = claim("chip_inventory", {"/chips/0/count": 9}, about=deal.pool)
    return put(deal, NOTARY, tree, deal.lessor.did)


@alone("claim.too_many")
def an_attestor_that_repeats_itself():
    table = Table()
    for number in range(REFS_MAX):
        attested(table, claim(number=f"C{number}"))
    return put(table, NOTARY, claim(number="C-more"), ANA.did)


@alone("claim.unknown")
def a_revocation_of_nothing():
    return put(Table(), NOTARY, revocation(NOWHERE), ANA.did)


@alone("claim.unknown")
def a_revocation_under_another_subject():
    table = Table()
    return put(table, NOTARY, revocation(attested(table)), BEN.did)


@alone("claim.not_attestor")
def the_subject_takes_nothing_back():
    table = Table()
    return put(table, ANA, revocation(attested(table)), ANA.did)


@alone("claim.revoked")
def a_claim_is_taken_back_once():
    table = Table()
    ref = attested(table)
    table.act(NOTARY, revocation(ref), ANA.did)
    return put(table, NOTARY, revocation(ref, "mistaken"), ANA.did)


def sealed_claim(table):
    ready = table.seal(NOTARY, claim()).tree
    return table.act(NOTARY, ready, ANA.did, sealed_already=True), digests(jcs(ready))


@alone("disclosure.own_reader")
def nobody_opens_to_itself():
    table = Table()
    ref, found = sealed_claim(table)
    return put(table, ANA, shown(ref, ANA.did, found))


@alone("disclosure.unknown_digest")
def a_digest_that_stands_nowhere():
    table = Table()
    ref, _ = sealed_claim(table)
    return put(table, ANA, shown(ref, READER.did, ["A" * 43]))


@alone("disclosure.unknown_digest")
def a_digest_of_another_statement():
    table = Table()
    _, found = sealed_claim(table)
    return put(table, ANA, shown(attested(table, claim("country")), READER.did, found))


# Admission by claims.


@alone("policy.no_attestor")
def admission_by_nobodys_claims():
    return founding({"/policy/admission": "declared"})


@alone("identity.ledger_role")
def the_founder_is_no_attestor():
    return founding({"/policy/attestors": [FOUNDER.did]})


@alone("identity.ledger_role")
def the_ledger_key_is_no_attestor():
    policy = {**POLICY, "attestors": [LEDGER.did]}
    return put(Table(), FOUNDER, policy_change(policy=policy))


def declared_only():
    return Table(policy={"admission": "declared", "attestors": [NOTARY.did]})


@alone("policy.not_attested")
def an_issuer_that_nobody_attested():
    return put(declared_only(), ANA, pool())


@alone("policy.not_attested")
def an_issuer_whose_claim_was_taken_back():
    table = declared_only()
    ref = attested(table)
    table.act(ANA, pool())
    table.act(NOTARY, revocation(ref), ANA.did)
    return put(table, ANA, pool(number="P2"))


# Brokers that are affiliates.


def affiliates(deal, of, *, who=None, policy=None):
    """Somebody says that the broker is an affiliate of a party; by default the broker itself does."""
    who = who or deal.broker
    tier = "declared" if who is deal.broker else "documented"
    deal.table.act(who, claim("affiliate_of", party=of.did, tier=tier), deal.broker.did)


@alone("broker.is_affiliate")
def a_mandate_for_an_affiliate():
    deal = Deal()
    affiliates(deal, deal.lessor)
    return put(deal, deal.lessor, mandate(deal.broker.did))


@alone("broker.is_affiliate")
def a_mandate_for_an_affiliate_by_a_listed_attestor():
    deal = Deal(Table(policy={"attestors": [NOTARY.did]}))
    affiliates(deal, deal.lessor, who=NOTARY)
    return put(deal, deal.lessor, mandate(deal.broker.did))


@alone("broker.is_affiliate")
def a_match_by_an_affiliate_of_the_lessee():
    deal = Deal().offered().demanded().mandated()
    deal.table.act(
        deal.lessee, claim("affiliate_of", party=deal.broker.did, tier="declared"), deal.lessee.did
    )
    return put(deal, deal.broker, match(deal.offer, [deal.mandate], START + DAY), deal.demand)


@alone("broker.is_affiliate")
def a_bid_to_an_affiliate():
    deal = Deal().demanded().mandated()
    affiliates(deal, deal.lessee)
    return put(deal, deal.broker, bid(START + DAY, line="gpu", mandate=deal.mandate), deal.demand)


@alone("broker.is_affiliate")
def terms_that_show_an_affiliate():
    deal = Deal().offered().mandated()
    affiliates(deal, deal.lessee)
    deal._terms = {"/mandates/-": shown_mandate(deal, deal.mandate)}
    return put(deal, deal.lessee, deal.proposal())


@alone("broker.is_affiliate")
def an_amendment_that_brings_in_an_affiliate():
    deal = Deal().signed().mandated()
    affiliates(deal, deal.lessee)
    terms = deal.terms({"/mandates/-": shown_mandate(deal, deal.mandate)})
    tree = amendment(terms, deal.lease, START + 10 * DAY, START + 5 * DAY)
    return put(deal, deal.lessor, tree, deal.lease)
