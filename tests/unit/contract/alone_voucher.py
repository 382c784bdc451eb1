"""Scenarios of the family voucher, and of what vouchers change for invoices and for ending a lease."""

from alone import alone, put
from alone_billing import FULL, commission_of
from alone_lease import shown

from play import DAY, START, Deal, Table, instant, key
from play.papers import H100, NOWHERE, ended, mandate, net_of, period, simple
from play.quarrel import of_invoice, open_about, quarrelsome
from play.vouchers import (
    FACE,
    ISSUER,
    NET,
    NOTARY,
    PART,
    REGISTRY,
    STATE_RUN,
    Grant,
    clawed_back,
    issued,
    presented,
    programme,
    redeemed,
    released,
    reserved,
    settled,
    taken_back,
    withdrawn,
)

REVENUE = {
    "claim": "revenue_at_least",
    "at_least": {"currency": "EUR", "amount_minor": 50_000_000},
    "attestors": [NOTARY.did],
}
PROJECT = {"claim": "research_project", "attestors": [NOTARY.did]}
CONDITIONS = [{"any_of": [REVENUE, PROJECT]}]


def putting(grant, who, tree, sub=None):
    return put(grant.table, who, tree, sub)


# Programmes and issuing.


@alone("programme.over")
def a_programme_is_declared_before_it_is_over():
    return put(Table().at(START + 200 * DAY), ISSUER, programme(key("lessor").did))


@alone("programme.too_long")
def what_a_programme_issues_lapses_within_the_calendar():
    whole = {"from": instant(START), "until": "9999-12-31T00:00:00Z"}
    return put(Table(), ISSUER, programme(key("lessor").did, period=whole))


@alone("place.subdivision")
def a_listed_place_lies_in_its_country():
    listed = {
        "lessor": key("lessor").did,
        "facility_class": STATE_RUN,
        "country": "DE",
        "subdivision": "FR-IDF",
    }
    return put(Table(), ISSUER, programme(key("lessor").did, facilities=[listed]))


def issuing(grant, *, who=ISSUER, holder=None, **changes):
    return putting(grant, who, issued((holder or grant.holder).did, **changes), grant.programme)


@alone("programme.not_issuer")
def only_the_programmes_issuer_issues():
    return issuing(Grant(), who=key("stranger"))


@alone("programme.over")
def nothing_is_issued_after_the_programme():
    grant = Grant()
    grant.table.at(START + 200 * DAY)
    return issuing(grant)


@alone("voucher.own_holder")
def nobody_issues_to_itself():
    return issuing(Grant(), holder=ISSUER)


@alone("voucher.number_reused")
def a_voucher_number_is_used_once():
    return issuing(Grant().issued())


@alone("voucher.face")
def a_face_keeps_to_the_limits():
    return issuing(Grant(), face_minor=999)


@alone("voucher.period")
def a_voucher_ends_with_its_programme():
    return issuing(Grant(), period=period(START, START + 200 * DAY + 1))


@alone("voucher.above_budget")
def the_budget_holds():
    return issuing(Grant(budget_minor=2_000_000).issued(face_minor=1_500_000), number="V2")


def capped(cap=1_500_000, **members):
    return Grant(cap_minor=cap, kyc=REGISTRY.did, **members)


def known(grant, who=None):
    grant.attest(who or grant.holder, "kyc", who=REGISTRY)
    return grant


@alone("voucher.no_kyc")
def a_capped_programme_knows_its_holders():
    return issuing(capped())


@alone("voucher.no_kyc")
def another_registry_does_not_count():
    grant = capped()
    grant.attest(grant.holder, "kyc", who=NOTARY)
    return issuing(grant)


@alone("voucher.above_cap")
def a_cap_is_per_legal_person_and_not_per_key():
    grant = known(capped()).issued()
    other = key("another key of the lessee")
    known(grant, other)
    return issuing(grant, holder=other, number="V2", face_minor=500_001)


# Reserving and releasing.


def reserving(grant, amount=1000, *, who=None, lease=None):
    return putting(grant, who or grant.holder, reserved(lease or grant.deal.lease, amount), grant.voucher)


def running(**members):
    grant = Grant(**members).issued()
    grant.deal.running()
    return grant


@alone("voucher.not_holder")
def only_the_holder_reserves():
    grant = running()
    return reserving(grant, who=grant.lessor)


@alone("voucher.lapsed")
def nothing_is_reserved_of_a_lapsed_voucher():
    grant = Grant(redeem_within="P1D").issued(period=period(START, START + 10 * DAY))
    grant.deal.running()
    grant.table.at(START + 11 * DAY)
    return reserving(grant)


@alone("voucher.revoked")
def nothing_is_reserved_of_a_revoked_voucher():
    grant = running()
    grant.table.act(ISSUER, withdrawn(), grant.voucher)
    return reserving(grant)


@alone("voucher.unknown_lease")
def a_reservation_is_for_a_signed_lease():
    grant = Grant(Deal().proposed()).issued()
    return reserving(grant)


@alone("voucher.not_lessee")
def a_reservation_is_for_a_lease_of_the_holder():
    grant = running()
    grant.voucher, grant.holder = "", grant.stranger
    return reserving(grant.issued(number="V2"))


@alone("voucher.currency")
def a_reservation_is_in_the_currency_of_the_lease():
    return reserving(running(currency="USD"))


@alone("voucher.above_free")
def no_more_is_reserved_than_is_free():
    return reserving(running(), FACE + 1)


def releasing(grant, tree):
    return putting(grant, grant.holder, tree, grant.voucher)


@alone("voucher.not_reserved")
def no_more_is_released_than_was_reserved():
    grant = running()
    grant.table.act(grant.holder, reserved(grant.deal.lease, 1000), grant.voucher)
    return releasing(grant, released(grant.deal.lease, 1001))


@alone("voucher.not_reserved")
def a_revocation_took_what_was_reserved():
    grant = running()
    grant.table.act(grant.holder, reserved(grant.deal.lease, 1000), grant.voucher)
    grant.table.act(ISSUER, withdrawn(), grant.voucher)
    return releasing(grant, released(grant.deal.lease, 1000))


@alone("voucher.unknown_presentation")
def what_is_taken_back_was_presented():
    return releasing(running(), taken_back(NOWHERE))


@alone("voucher.answered")
def what_was_redeemed_is_not_taken_back():
    grant = Grant().redeemed()
    return releasing(grant, taken_back(grant.presentation))


# Presenting.


def presenting(grant, amount=1000, *, lessor=None, invoice=None):
    tree = presented((lessor or grant.lessor).did, invoice or grant.deal.invoice, amount, number="S9")
    return putting(grant, grant.holder, tree, grant.voucher)


def billed(**members):
    grant = Grant(**members).issued()
    grant.deal.invoiced()
    return grant


@alone("voucher.unknown_invoice")
def a_voucher_pays_an_invoice():
    grant = billed()
    return presenting(grant, invoice=NOWHERE)


@alone("voucher.unknown_invoice")
def a_voucher_pays_no_cancelled_invoice():
    grant = billed()
    grant.table.act(grant.lessor, simple("invoice.cancelled"), grant.deal.invoice)
    return presenting(grant)


@alone("voucher.commission")
def a_voucher_pays_no_commission():
    deal = Deal().offered()
    deal.mandate = deal.table.act(deal.lessee, mandate(deal.broker.did))
    deal._terms = {"/mandates/-": shown(deal, deal.mandate)}
    deal.accepted()
    grant = Grant(deal).issued()
    ref = deal.table.act(deal.broker, commission_of(deal, net_of(2_235_000, FULL)), deal.lease)
    return presenting(grant, 100, lessor=deal.broker, invoice=ref)


@alone("voucher.not_payer")
def a_voucher_pays_an_invoice_to_its_holder():
    grant = Grant()
    grant.deal.invoiced()
    grant.holder = grant.stranger
    return presenting(grant.issued())


@alone("voucher.other_lessor")
def a_voucher_is_presented_to_the_invoices_lessor():
    grant = billed()
    return presenting(grant, lessor=grant.stranger)


@alone("voucher.own_facility")
def an_issuer_does_not_redeem_its_own_vouchers():
    deal = Deal().invoiced()
    table = deal.table
    own = table.act(deal.lessor, programme(deal.lessor.did))
    voucher = table.act(deal.lessor, issued(deal.lessee.did), own)
    return put(table, deal.lessee, presented(deal.lessor.did, deal.invoice, 1000), voucher)


@alone("voucher.currency")
def a_voucher_pays_in_its_currency():
    return presenting(billed(currency="USD"))


@alone("voucher.other_period")
def the_billed_period_lies_within_the_vouchers():
    grant = Grant().issued(period=period(START + 2 * DAY, START + 100 * DAY))
    grant.deal.invoiced()
    return presenting(grant)


@alone("voucher.above_open")
def no_more_is_presented_than_is_open():
    grant = billed()
    grant.table.act(grant.holder, grant.deal.paying(grant.deal.total - 999))
    return presenting(grant, 1000)


@alone("voucher.too_many")
def an_invoice_takes_so_many_vouchers():
    grant = billed()
    for number in range(8):
        tree = presented(grant.lessor.did, grant.deal.invoice, 10, number=f"S-{number}")
        grant.table.act(grant.holder, tree, grant.voucher)
    return presenting(grant, 10)


@alone("voucher.other_programme")
def an_invoice_takes_vouchers_of_one_programme():
    grant = Grant().presented(100)
    other = grant.table.act(ISSUER, programme(grant.lessor.did, number="PR2"))
    grant.voucher = grant.table.act(ISSUER, issued(grant.holder.did, "V2"), other)
    return presenting(grant, 100)


@alone("voucher.above_free")
def no_more_is_presented_than_is_free():
    grant = Grant().issued(face_minor=1000)
    grant.deal.invoiced()
    return presenting(grant, 1001)


# Redeeming.


def redeeming(grant, amount=PART, *, who=None, presentation=None):
    tree = redeemed(presentation or grant.presentation, amount)
    return putting(grant, who or grant.lessor, tree, grant.voucher)


@alone("voucher.unknown_presentation")
def what_is_redeemed_was_presented():
    return redeeming(Grant().presented(), presentation=NOWHERE)


@alone("voucher.not_lessor")
def only_the_lessor_redeems():
    grant = Grant().presented()
    return redeeming(grant, who=grant.holder)


@alone("voucher.answered")
def nothing_is_redeemed_twice():
    grant = Grant().redeemed(1000)
    return redeeming(grant, 1000)


@alone("voucher.lapsed")
def nothing_is_redeemed_of_a_lapsed_voucher():
    grant = Grant(redeem_within="P1D").issued(period=period(START, START + 61 * DAY)).presented()
    grant.table.at(START + 62 * DAY)
    return redeeming(grant)


@alone("voucher.above_presented")
def no_more_is_redeemed_than_was_presented():
    return redeeming(Grant().presented(1000), 1001)


@alone("voucher.no_class")
def an_unlisted_facility_has_no_class():
    return redeeming(Grant(facilities=[{"lessor": key("hall").did, "facility_class": STATE_RUN}]).presented())


@alone("voucher.no_class")
def a_listed_facility_is_in_its_place():
    there = {
        "lessor": key("lessor").did,
        "facility_class": STATE_RUN,
        "country": "DE",
        "subdivision": "DE-HE",
    }
    return redeeming(Grant(facilities=[there]).presented())


@alone("voucher.no_class")
def the_lessors_own_word_gives_no_class():
    grant = Grant(facilities=[], facility_attestors=[key("lessor").did, NOTARY.did]).presented()
    grant.attest(grant.lessor, "facility", who=grant.lessor, tier="declared")
    return redeeming(grant)


@alone("voucher.no_class")
def the_holders_word_gives_no_class():
    grant = Grant(facilities=[], facility_attestors=[key("lessee").did]).presented()
    grant.attest(grant.lessor, "facility", who=grant.holder)
    return redeeming(grant)


@alone("voucher.no_class")
def a_class_is_attested_by_those_who_are_named():
    grant = Grant(facilities=[], facility_attestors=[REGISTRY.did]).presented()
    grant.attest(grant.lessor, "facility", who=NOTARY)
    return redeeming(grant)


@alone("voucher.no_class")
def a_class_is_of_the_place_that_is_billed():
    grant = Grant(facilities=[], facility_attestors=[NOTARY.did]).presented()
    place = {"country": "FR", "facility_class": STATE_RUN, "site": "a street"}
    grant.attest(grant.lessor, "facility", facility=place)
    return redeeming(grant)


@alone("voucher.no_class")
def a_class_is_one_of_the_programmes():
    grant = Grant(facilities=[], facility_attestors=[NOTARY.did]).presented()
    grant.attest(grant.lessor, "facility", changes={"/facility/facility_class": "unheard-of"})
    return redeeming(grant)


@alone("voucher.above_share")
def vouchers_cover_a_share_of_the_net():
    return redeeming(Grant().presented(PART + 1), PART + 1)


@alone("voucher.above_share")
def the_smallest_attested_share_counts():
    grant = Grant(facilities=[], facility_attestors=[NOTARY.did, REGISTRY.did]).presented()
    grant.attest(grant.lessor, "facility")
    grant.attest(grant.lessor, "facility", who=REGISTRY, changes={"/facility/facility_class": "other"})
    return redeeming(grant, NET * 2_000 // 10_000 + 1)


@alone("voucher.above_share")
def all_vouchers_of_an_invoice_share_the_bound():
    grant = Grant().redeemed(PART - 10)
    tree = presented(grant.lessor.did, grant.deal.invoice, 11, number="S2")
    grant.presentation = grant.table.act(grant.holder, tree, grant.voucher)
    return redeeming(grant, 11)


@alone("voucher.above_open")
def no_more_is_redeemed_than_is_open():
    grant = Grant().presented()
    grant.table.act(grant.holder, grant.deal.paying())
    return redeeming(grant)


@alone("voucher.condition")
def a_condition_is_met_when_it_is_redeemed():
    return redeeming(Grant(conditions=CONDITIONS).presented())


@alone("voucher.condition")
def a_smaller_revenue_is_not_enough():
    grant = Grant(conditions=CONDITIONS).presented()
    grant.attest(grant.holder, "revenue_at_least", changes={"/at_least/amount_minor": 49_999_999})
    return redeeming(grant)


@alone("voucher.condition")
def a_revenue_in_another_currency_is_not_enough():
    grant = Grant(conditions=CONDITIONS).presented()
    grant.attest(grant.holder, "revenue_at_least", changes={"/at_least/currency": "USD"})
    return redeeming(grant)


@alone("voucher.condition")
def a_claim_that_was_taken_back_is_none():
    grant = Grant(conditions=CONDITIONS).presented()
    ref = grant.attest(grant.holder, "research_project")
    grant.table.act(NOTARY, simple("claim.revoked", claim=ref, reason="changed"), grant.holder.did)
    return redeeming(grant)


@alone("voucher.condition")
def the_lessors_word_about_the_holder_does_not_count():
    wanted = {"claim": "country", "country": "DE", "attestors": [key("lessor").did, NOTARY.did]}
    grant = Grant(conditions=[{"any_of": [wanted]}]).presented()
    grant.attest(grant.holder, "country", who=grant.lessor)
    grant.attest(grant.holder, "country", country="FR")
    return redeeming(grant)


@alone("voucher.no_kyc")
def a_legal_person_is_known_when_it_redeems():
    grant = capped()
    ref = grant.attest(grant.holder, "kyc", who=REGISTRY)
    grant.presented()
    grant.table.act(REGISTRY, simple("claim.revoked", claim=ref, reason="changed"), grant.holder.did)
    return redeeming(grant)


@alone("voucher.above_cap")
def a_legal_person_redeems_no_more_than_its_cap():
    """What was promised to two legal persons turns out to be one's."""
    grant = capped(1000)
    grant.attest(grant.holder, "kyc", who=REGISTRY, subject_group="01" * 32)
    grant.issued(face_minor=1000).redeemed(995)
    grant.attest(grant.holder, "kyc", who=REGISTRY, subject_group="02" * 32)
    grant.voucher = grant.table.act(ISSUER, issued(grant.holder.did, "V2", face_minor=1000), grant.programme)
    grant.attest(grant.holder, "kyc", who=REGISTRY, subject_group="01" * 32)
    tree = presented(grant.lessor.did, grant.deal.invoice, 6, number="S2")
    grant.presentation = grant.table.act(grant.holder, tree, grant.voucher)
    return redeeming(grant, 6)


# Origin of chips.


def of_origin(**members):
    wanted = {"chips": [], "countries": ["CN"], "attestors": [NOTARY.did], **members}
    return Grant(chip_origin=wanted).presented()


@alone("voucher.chip_origin")
def chips_are_of_the_wanted_origin():
    grant = of_origin(chips=["nvidia-h200-sxm-141gb"])
    grant.attest(grant.lessor, "chip_inventory")
    return redeeming(grant)


@alone("voucher.chip_origin")
def chips_of_another_pool_do_not_count():
    grant = of_origin()
    lines = [{"id": "h100", "resource": "chip", "chip": H100, "count": 8}]
    pool = grant.table.act(grant.lessor, simple("pool.declared", number="P2", lines=lines, label="hall 3"))
    grant.attest(grant.lessor, "chip_inventory", changes={"/chips/0/origin": "CN"}, about=pool)
    return redeeming(grant)


@alone("voucher.chip_origin")
def the_lessors_word_about_its_chips_does_not_count():
    grant = of_origin(attestors=[key("lessor").did])
    changes = {"/chips/0/origin": "CN"}
    grant.attest(grant.lessor, "chip_inventory", who=grant.lessor, tier="declared", changes=changes)
    return redeeming(grant)


# Settling, clawing back, revoking.


@alone("voucher.not_issuer")
def only_the_issuer_settles():
    grant = Grant().redeemed()
    return putting(grant, grant.lessor, settled(grant.presentation, PART), grant.voucher)


@alone("voucher.unknown_redemption")
def what_is_settled_was_redeemed():
    grant = Grant().presented()
    return putting(grant, ISSUER, settled(grant.presentation, 0), grant.voucher)


@alone("voucher.settled_sum")
def a_settlement_makes_up_what_was_redeemed():
    grant = Grant().redeemed()
    return putting(grant, ISSUER, settled(grant.presentation, PART - 1), grant.voucher)


@alone("voucher.settled")
def a_settlement_changes_something():
    grant = Grant().settled()
    return putting(grant, ISSUER, settled(grant.presentation, PART, "T2", "CITY2"), grant.voucher)


@alone("payment.reference_used")
def a_settlement_has_a_reference_of_its_own():
    grant = Grant().settled()
    grant.table.act(ISSUER, clawed_back(grant.presentation, 1000), grant.voucher)
    return putting(grant, ISSUER, settled(grant.presentation, PART - 1000, "T2"), grant.voucher)


@alone("voucher.above_redeemed")
def no_more_is_clawed_back_than_stands_redeemed():
    grant = Grant().redeemed()
    return putting(grant, ISSUER, clawed_back(grant.presentation, PART + 1), grant.voucher)


@alone("voucher.disputed")
def what_is_disputed_is_not_clawed_back():
    grant = Grant(quarrelsome()).redeemed()
    open_about(grant.deal, of_invoice(grant.deal.invoice, 10_000))
    accepted = clawed_back(grant.presentation, PART - 10_000)
    grant.table.act(ISSUER, accepted, grant.voucher)
    return putting(grant, ISSUER, clawed_back(grant.presentation, 1, "K2"), grant.voucher)


@alone("voucher.revoked")
def a_voucher_is_revoked_once():
    grant = Grant().issued()
    grant.table.act(ISSUER, withdrawn(), grant.voucher)
    return putting(grant, ISSUER, withdrawn(), grant.voucher)


@alone("voucher.lapsed")
def a_lapsed_voucher_is_not_revoked():
    grant = Grant().issued()
    grant.table.at(START + 130 * DAY)
    return putting(grant, ISSUER, withdrawn(), grant.voucher)


# Invoices and the end of a lease.


@alone("invoice.voucher")
def an_invoice_with_a_voucher_is_not_cancelled():
    grant = Grant().presented()
    return putting(grant, grant.lessor, simple("invoice.cancelled"), grant.deal.invoice)


def ending(grant, entry):
    return putting(grant, grant.holder, ended(20_001, entry), grant.deal.lease)


@alone("end.no_condition")
def a_voucher_was_revoked():
    grant = Grant().presented()
    return ending(grant, grant.voucher)


@alone("end.no_condition")
def the_revoked_voucher_was_for_this_lease():
    grant = running()
    grant.table.act(ISSUER, withdrawn(), grant.voucher)
    return ending(grant, grant.voucher)


@alone("end.no_condition")
def the_first_rule_set_knows_no_vouchers():
    deal = Deal(Table(rules="pseudoledger-1")).running()
    return put(deal, deal.lessee, ended(20_001, NOWHERE), deal.lease)
