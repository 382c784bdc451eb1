"""What review finds of programmes, vouchers and claims on a real ledger of the second rule set."""

import json

import pytest
from hall import Hall, reviewed

from play.claims import claim, revocation
from play.deal import WEEK, Deal
from play.papers import DAY, H100, START, period
from play.table import key
from play.vouchers import (
    ISSUER,
    NOTARY,
    PART,
    REGISTRY,
    STATE_RUN,
    Grant,
    clawed_back,
    issued,
    redeemed,
)
from pseudoledger.cli.main import run

PROJECT = {"claim": "research_project", "attestors": [NOTARY.did]}


@pytest.fixture
def hall(tmp_path):
    made = Hall(tmp_path / "hall")
    yield made
    made.close()


def granted(hall, **members):
    """A programme whose holders have a research project by the notary's word."""
    return Grant(Deal(hall), conditions=[{"any_of": [PROJECT]}], **members)


def rules(dossier):
    return [(one.rule, one.state, one.severity) for one in dossier.findings]


def kinds(finding):
    return [(entry.role, entry.kind) for entry in finding.entries]


def test_a_voucher_redeemed_on_claims_that_cover_the_use_raises_nothing(hall):
    grant = granted(hall)
    grant.attest(grant.holder, "research_project")
    grant.redeemed()
    assert rules(reviewed(hall, "vouchers", "claims")) == []


def test_use_before_any_claim_is_asked_about(hall):
    grant = granted(hall)
    grant.presented()
    began = grant.deal.delivered_at
    grant.attest(grant.holder, "research_project")
    claimed = hall.now
    hall.act(grant.lessor, redeemed(grant.presentation, PART), grant.voucher)
    (one,) = reviewed(hall, "vouchers").findings
    assert (one.rule, one.state, one.severity) == ("used-before-attested", "raised", "question")
    (margin,) = one.margins
    assert (margin.line, margin.difference_exact) == ("uncovered_vs_none", str(claimed - began))
    assert kinds(one) == [
        ("voucher", "voucher.issued"),
        ("claim", "claim.attested"),
        ("presentation", "voucher.presented"),
        ("redeemed", "voucher.redeemed"),
    ]
    assert {(party.role, party.did) for party in one.parties} == {
        ("issuer", ISSUER.did),
        ("holder", grant.holder.did),
        ("lessor", grant.lessor.did),
    }
    assert one.evidence_against == (
        "the conditions were met when it was redeemed, which is all that the programme asks",
    )


@pytest.mark.parametrize("renewed", [False, True])
def test_a_claim_that_is_over_still_covers_the_use(hall, renewed):
    grant = granted(hall)
    short = claim("research_project", number="C-short", valid=period(START, START + 30 * DAY))
    hall.act(NOTARY, short, grant.holder.did)
    grant.presented()
    hall.at(START + (29 * DAY if not renewed else 40 * DAY))
    if renewed:
        grant.attest(grant.holder, "research_project")
    hall.act(grant.lessor, redeemed(grant.presentation, PART), grant.voucher)
    found = rules(reviewed(hall, "vouchers"))
    assert found == ([] if renewed else [("claim-about-to-end", "raised", "note")])


@pytest.mark.parametrize(
    ("reason", "days", "found"),
    [
        ("mistaken", 100, [("claim-was-mistaken", "raised", "priority")]),
        ("changed", 10, [("claim-gone-soon-after", "raised", "note")]),
        ("changed", 100, []),
    ],
)
def test_a_claim_that_is_taken_back_after_a_redemption(hall, reason, days, found):
    grant = granted(hall)
    ref = grant.attest(grant.holder, "research_project")
    grant.redeemed()
    hall.later(days * DAY)
    hall.act(NOTARY, revocation(ref, reason), grant.holder.did)
    dossier = reviewed(hall, "vouchers")
    assert rules(dossier) == found
    for one in dossier.findings:
        assert one.margins[0].difference_exact == str((days - 90) * DAY) if reason == "changed" else True
        assert [kind for _, kind in kinds(one)] == [
            "voucher.issued",
            "claim.attested",
            "voucher.redeemed",
            "claim.revoked",
        ]
    wanted = [("taken-back-as-mistaken", "raised", "question")] if reason == "mistaken" else []
    assert rules(reviewed(hall, "claims")) == wanted


def test_the_claim_that_gave_a_facility_its_class_counts_too(hall):
    grant = Grant(Deal(hall), facilities=[], facility_attestors=[NOTARY.did])
    ref = grant.attest(grant.lessor, "facility", facility={"country": "DE", "facility_class": STATE_RUN})
    grant.redeemed()
    hall.act(NOTARY, revocation(ref, "mistaken"), grant.lessor.did)
    (one,) = reviewed(hall, "vouchers").findings
    assert (one.rule, one.answers) == ("claim-was-mistaken", {})
    assert "(facility)" in one.says


@pytest.mark.parametrize("chips", [[], [H100]])
def test_the_claim_that_gave_chips_their_origin_counts_where_it_was_needed(hall, chips):
    origin = {"chips": chips, "countries": ["TW"], "attestors": [NOTARY.did]}
    grant = Grant(Deal(hall), chip_origin=origin)
    grant.attest(grant.lessor, "chip_inventory", who=REGISTRY)
    ref = grant.attest(grant.lessor, "chip_inventory")
    grant.redeemed()
    hall.act(NOTARY, revocation(ref, "mistaken"), grant.lessor.did)
    found = [one for one in reviewed(hall, "vouchers").findings if one.rule == "claim-was-mistaken"]
    assert ["(chip_inventory)" in one.says for one in found] == [True] * (not chips)


def test_a_voucher_between_relatives(hall):
    grant = granted(hall)
    grant.attest(grant.holder, "research_project")
    for whom in (grant.holder, grant.lessor):
        grant.attest(whom, "beneficial_owner", who=REGISTRY)
    grant.redeemed()
    (one,) = reviewed(hall, "vouchers").findings
    assert (one.rule, one.severity) == ("voucher-to-a-relative", "priority")
    assert "both have one ultimate parent or beneficial owner" in one.evidence_for
    assert [kind for _, kind in kinds(one)].count("claim.attested") == 3


def test_claw_back_and_revocation_for_cause(hall):
    grant = granted(hall)
    grant.attest(grant.holder, "research_project")
    grant.redeemed()
    hall.act(ISSUER, clawed_back(grant.presentation, PART), grant.voucher)
    hall.act(ISSUER, {"type": "voucher.revoked", "v": 1, "reason": "misuse"}, grant.voucher)
    assert rules(reviewed(hall, "vouchers")) == [
        ("clawed-back-for-cause", "raised", "question"),
        ("revoked-for-cause", "raised", "note"),
    ]


@pytest.mark.parametrize("above", [False, True])
def test_persons_of_one_owner_beside_the_cap_of_one(hall, above):
    grant = Grant(Deal(hall), cap_minor=1_000_000, kyc=REGISTRY.did)
    holders = (grant.holder, key("another holder"))
    for number, holder in enumerate(holders):
        grant.attest(holder, "kyc", who=REGISTRY, subject_group=f"{number:064x}")
        grant.attest(holder, "beneficial_owner")
    for number, holder in enumerate(holders):
        face = 500_000 + (1 if above else 0)
        hall.act(ISSUER, {**issued(holder.did, f"V-{number}"), "face_minor": face}, grant.programme)
    dossier = reviewed(hall, "vouchers")
    assert rules(dossier) == [("one-owner-many-persons", "raised", "question")] * above
    for one in dossier.findings:
        assert [margin.difference_exact for margin in one.margins] == ["1/500000"]
        assert ("other voucher", "voucher.issued") in kinds(one)


def test_two_attestors_and_two_countries(hall):
    grant = Grant(Deal(hall))
    first = grant.attest(grant.holder, "country")
    grant.attest(grant.holder, "country", who=REGISTRY, country="SG")
    (one,) = reviewed(hall, "claims").findings
    assert (one.rule, "says DE" in one.says) == ("two-countries", True)
    assert one.entries[0].id == first
    hall.act(NOTARY, revocation(first), grant.holder.did)
    grant.attest(grant.holder, "country", who=REGISTRY, country="FR")
    assert len(reviewed(hall, "claims").findings) == 1


def test_an_attestor_who_is_a_relative_and_a_pool_that_was_seen_in_part(hall):
    deal = Deal(hall).offered()
    grant = Grant(deal)
    grant.attest(grant.lessor, "affiliate_of", who=REGISTRY, party=NOTARY.did)
    seen = [{"chip": H100, "count": 1}]
    grant.attest(grant.lessor, "chip_inventory", chips=seen, about=deal.pool)
    assert rules(reviewed(hall, "claims")) == [
        ("attestor-is-a-relative", "raised", "question"),
        ("fewer-than-the-pool", "raised", "note"),
    ]


def test_the_command_line_finds_them_too(hall, tmp_path, capsys):
    grant = granted(hall)
    ref = grant.attest(grant.holder, "research_project")
    grant.redeemed()
    hall.act(NOTARY, revocation(ref, "mistaken"), grant.holder.did)
    machine = {"type": "asset.registered", "v": 1, "number": "S-1", "serial": "5e" * 32, "chip": H100}
    asset = hall.act(grant.lessor, {**machine, "count": 8, "parts": [], "country": "DE"})
    for to in (grant.stranger, grant.holder):
        sent = {"type": "asset.moved", "v": 1, "number": to.did[-8:], "to": to.did, "reason": "sale"}
        hall.act(grant.lessor, sent, asset)
    out = tmp_path / "out"
    assert run(["review", str(hall.ledger), "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    found = {(row["pack"], row["rule"]): row["found"] for row in said["counts"]}
    for wanted in (
        ("claims", "taken-back-as-mistaken"),
        ("custody", "announced-and-replaced"),
        ("vouchers", "claim-was-mistaken"),
    ):
        assert found[wanted] == 1
    page = (out / "review.html").read_text()
    assert "Was the condition met in truth" in page


def test_no_text_of_a_finding_is_a_verdict(hall):
    grant = granted(hall)
    ref = grant.attest(grant.holder, "research_project")
    grant.redeemed()
    hall.later(WEEK)
    hall.act(NOTARY, revocation(ref, "mistaken"), grant.holder.did)
    for one in reviewed(hall).findings:
        assert "violation" not in " ".join((one.says, one.asks, *one.evidence_for, *one.evidence_against))
