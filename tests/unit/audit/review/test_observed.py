"""What review finds on real ledgers: each scene is registered, then read back from its directory."""

import pytest
from town import ACCOUNT, DAY, Town, reviewed, serials

from pseudoledger.audit.review import Asked, review, to_json
from pseudoledger.audit.review.page import to_html
from pseudoledger.audit.verifier import verify
from pseudoledger.statement.values import Period, format_instant

A100, A800, H100 = "nvidia-a100-sxm4-80gb", "nvidia-a800-sxm4-80gb", "nvidia-h100-sxm5-80gb"
H20, H200, L20, MI308X = "nvidia-h20-96gb", "nvidia-h200-sxm-141gb", "nvidia-l20", "amd-mi308x"


def said(dossier, *, rule=None):
    return [
        (one.rule, one.version, one.state, one.severity)
        for one in dossier.findings
        if rule in {None, one.rule}
    ]


def chip_and_date(dossier):
    return [
        (one.says.split(" listed")[0].split(" ", 2)[2], one.at[:10], one.version, one.state)
        for one in dossier.findings
    ]


def test_listings_are_asked_about_by_the_version_of_their_day(town):
    for day, chip, country in (
        ("2022-11-02", A100, "CN"),
        ("2022-11-03", A800, "CN"),
        ("2023-11-16", A800, "CN"),
        ("2023-11-17", A800, "CN"),
        ("2023-12-01", H20, "CN"),
        ("2023-12-02", L20, "CN"),
        ("2023-12-03", MI308X, "CN"),
        ("2023-12-04", H100, "DE"),
        ("2025-03-01", H100, "BR"),
        ("2025-05-01", H20, "CN"),
        ("2025-06-01", "huawei-ascend-910c", "MY"),
        ("2026-01-16", H200, "CN"),
        ("2026-01-17", H100, "ZZ"),
    ):
        town.at(day).offer("north", chip, country)
    assert chip_and_date(reviewed(town, "chip-class")) == [
        ("NVIDIA A100 SXM4 80GB", "2022-11-02", "2022-10-21", "raised"),
        ("NVIDIA A800 SXM4 80GB", "2023-11-17", "2023-11-17", "raised"),
        ("AMD MI308X", "2023-12-03", "2023-11-17", "unknown"),
        ("NVIDIA H100 SXM5 80GB", "2025-03-01", "2025-diffusion", "raised"),
        ("NVIDIA H20 96GB", "2025-05-01", "2025-04", "raised"),
        ("Huawei Ascend 910C", "2025-06-01", "2025-05-13", "raised"),
        ("NVIDIA H200 SXM 141GB", "2026-01-16", "2026-01-15", "raised"),
        ("NVIDIA H100 SXM5 80GB", "2026-01-17", "2026-01-15", "unknown"),
    ]


def test_an_old_ledger_can_be_reviewed_under_every_version(town):
    town.at("2022-11-02").offer("north", A800, "CN")
    town.offer("north", "nvidia-l20", "CN")
    assert said(reviewed(town, "chip-class")) == []
    for version, found in (("2022-10-21", 0), ("2023-11-17", 1), ("2024-12-02", 1), ("2026-01-15", 1)):
        dossier = reviewed(town, "chip-class", versions=(version,))
        assert [one.version for one in dossier.findings] == [version] * found
        assert {one.chosen_by for one in dossier.findings} <= {"version"}
    as_of = 1_704_067_200  # 2024-01-01
    (one,) = reviewed(town, "chip-class", as_of=as_of).findings
    assert (one.version, one.chosen_by, one.at[:10]) == ("2023-11-17", "as-of", "2022-11-02")


def test_a_finding_says_what_it_rests_on(town):
    offer = town.at("2023-12-01").offer("north", "nvidia-a30", "CN")
    (one,) = reviewed(town, "chip-class").findings
    margins = {margin.line: margin for margin in one.margins}
    assert (margins["tpp_vs_2400"].difference_exact, margins["tpp_vs_2400"].side) == ("240", "above")
    assert margins["density_vs_3_2"].value_exact == "1320/413"
    assert margins["density_vs_3_2"].difference_exact == "-8/2065"
    assert margins["density_vs_3_2"].difference == "-0.003874…"
    assert one.answers == {"chip_class": "3A090.b.1"}
    assert [(entry.id, entry.kind, entry.role) for entry in one.entries] == [
        (offer, "offer.published", "offer")
    ]
    assert [(party.role, party.did) for party in one.parties] == [("lessor", town.did("north"))]
    assert one.status == "in_force"
    assert "for remote use" in one.evidence_against[0]


def test_what_is_unknown_is_named_with_its_reason(town):
    town.at("2023-12-01").offer("north", MI308X, "CN")
    (one,) = reviewed(town, "chip-class").findings
    assert one.state == "unknown"
    assert {item.fact: item.why for item in one.unknown}["tpp"] == (
        "compute not published; needs vendor attestation"
    )


def test_a_disclosed_name_resolves_a_question(town):
    town.at("2024-03-01").declare("north", "lake")
    offer = town.offer("north", H200, "DE")
    lease = town.lease("north", "lake", offer, sealed={"lessee_name": "Lake Research"})
    assert said(reviewed(town, "kyc")) == [
        ("customer-not-identified", "2024-01-proposal", "raised", "question")
    ]
    dossier = reviewed(town, "kyc", disclosures=[town.disclosures_of(lease)])
    (one,) = dossier.findings
    assert (one.state, one.severity) == ("resolved", "question")
    assert {(seen.statement, seen.pointer) for seen in one.seen_by} == {(lease, "/terms/lessee_name")}
    assert "a disclosure shows the name: Lake Research" in one.evidence_against
    assert [used.sound for used in dossier.disclosures if used.pointer == "/terms/lessee_name"] == [True]


def test_disclosures_that_fit_nothing_are_said(town, tmp_path):
    town.at("2024-03-01").offer("north", H200, "DE")
    strange = tmp_path / "strange.disclosures.json"
    strange.write_text('{"statement": "' + "ab" * 32 + '", "disclosures": ["WyJ4Il0"]}')
    (used,) = reviewed(town, disclosures=[strange]).disclosures
    assert (used.entry, used.sound, used.problem) == (-1, False, "the ledger holds no such statement")


def test_a_disclosed_value_that_would_have_been_refused_is_a_finding(town):
    offer = town.at("2024-03-01").offer("north", H200, "DE", site="x")
    path = town.disclosures_of(offer)
    assert said(reviewed(town, "evidence", disclosures=[path])) == []
    lease = town.lease("north", "lake", offer, sealed={"lessee_name": "y" * 300})
    assert said(reviewed(town, "evidence", disclosures=[town.disclosures_of(lease)])) == [
        ("sealed-value-invalid", "1", "raised", "priority")
    ]


def test_training_is_estimated_and_dated(town):
    town.at("2024-03-01").declare("lake")
    offer = town.offer("north", H200, "DE", count=20_000)
    lease = town.lease("north", "lake", offer, purpose="train", days=30)
    (one,) = [one for one in reviewed(town, "kyc").findings if one.rule == "training-committed"]
    seconds = 20_000 * 30 * DAY
    assert one.margins[0].value_exact == str(1979 * 10**12 * seconds)
    assert (one.due, one.status) == ("2024-03-16", "proposed")
    town.deliver("north", "lake", lease, count=20_000)
    start = town.delivered
    for half in (1, 2):
        town.now = start + half * 14 * DAY + 60
        report = {
            "type": "usage.reported",
            "line": "chip",
            "period": Period.between(start + (half - 1) * 14 * DAY, start + half * 14 * DAY).model_dump(
                mode="json"
            ),
            "chip_seconds": half * 20_000 * 14 * DAY,
            "downtime_s": 0,
        }
        town.act("north", report, lease)
    found = [one for one in reviewed(town, "kyc").findings if one.rule == "training-metered"]
    assert found == []
    more = town.offer("north", H200, "DE", count=20_000)
    second = town.lease("north", "lake", more, purpose="train", days=30)
    town.deliver("north", "lake", second, count=20_000)
    start = town.delivered
    for half in (1, 2):
        town.now = start + half * 14 * DAY + 60
        period = Period.between(start + (half - 1) * 14 * DAY, start + half * 14 * DAY).model_dump(
            mode="json"
        )
        tree = {"type": "usage.reported", "line": "chip", "period": period, "downtime_s": 0}
        town.act("north", {**tree, "chip_seconds": half * 20_000 * 14 * DAY}, second)
    (one,) = [one for one in reviewed(town, "kyc").findings if one.rule == "training-metered"]
    assert one.again == 1, "the first report that crosses is the finding, the next one the same matter"
    assert one.due == format_instant(start + 14 * DAY + 60 + 15 * DAY)[:10]


def test_an_attested_country_of_the_lessee_stands_for_or_against_while_it_is_in_force(town):
    word = "by an attestor's word the lessee is established in "
    town.at("2024-03-01")
    for country, side in (("SG", "evidence_for"), ("US", "evidence_against"), ("SG", None)):
        valid = {"from": format_instant(town.now), "until": format_instant(town.now + 90 * DAY)}
        said_of = {
            "type": "claim.attested",
            "number": town.number("C"),
            "claim": "country",
            "tier": "documented",
        }
        claim = town.act("notary", {**said_of, "valid": valid, "country": country}, town.did("lake"))
        if side is None:
            town.act(
                "notary", {"type": "claim.revoked", "claim": claim, "reason": "mistaken"}, town.did("lake")
            )
        town.lease("north", "lake", town.offer("north", H200, "DE", count=20_000), purpose="train")
        found = [one for one in reviewed(town, "kyc").findings if one.rule == "training-committed"][-1]
        told = {
            name: [text for text in getattr(found, name) if text.startswith(word + country)]
            for name in ("evidence_for", "evidence_against")
        }
        assert {name for name, texts in told.items() if texts} == ({side} if side else set()), country
        assert ("claim.attested" in {entry.kind for entry in found.entries}) == (side is not None)


def test_unknown_chips_leave_training_unknown(town):
    offer = town.at("2024-03-01").offer("north", MI308X, "DE", count=8)
    town.lease("north", "lake", offer, purpose="train")
    assert said(reviewed(town, "kyc"), rule="training-committed") == [
        ("training-committed", "2024-01-proposal", "unknown", "note")
    ]


def demand(town, who, residency):
    tree = {
        "type": "demand.published",
        "number": town.number("D"),
        "lines": [{"id": "gpu", "count": 8, "alternatives": [{"resource": "chip", "chip": H200}]}],
        "window": Period.between(town.now, town.now + 90 * DAY).model_dump(mode="json"),
        "length": "P30D",
        "purpose": "train",
        "places": [],
        "residency": residency,
    }
    return town.act(who, tree)


def test_residency_that_was_asked_for_and_dropped(town):
    asked = demand(town, "lake", [{"data_set": "patients", "countries": ["CN"]}])
    offer = town.offer("north", H200, "SG")
    town.lease("north", "lake", offer)
    assert said(reviewed(town, "residency")) == [], "a lease that answers the offer names no demand"
    town.lease("north", "lake", town.offer("north", H200, "SG"), answers=asked, purpose="train")
    assert said(reviewed(town, "residency")) == [
        ("list-dropped", "1", "raised", "question"),
        ("outside-what-was-asked", "1", "raised", "priority"),
    ]


def test_one_pool_in_two_countries_and_serials_in_two(town):
    pool = town.pool("north", H100)
    first = town.offer("north", H100, "CN", pool=pool)
    second = town.offer("north", H100, "SG", pool=pool)
    for offer, name in ((first, "lake"), (second, "hill")):
        lease = town.lease("north", name, offer)
        town.deliver("north", name, lease, serials=serials("s"))
        town.now += 40 * DAY
    dossier = reviewed(town, "facility")
    rules = [one[0] for one in said(dossier)]
    assert "pool-in-two-places" in rules
    (one,) = [one for one in dossier.findings if one.rule == "serials-elsewhere"]
    assert (one.severity, [entry.role for entry in one.entries]) == (
        "priority",
        ["earlier delivery", "terms", "delivery"],
    )


def test_custody_statements_speak_for_serials_that_turn_up_elsewhere(town):
    (serial,) = serials("m", 1)
    machine = {"type": "asset.registered", "number": "S-1", "serial": serial, "chip": H100, "count": 8}
    lease = town.lease("north", "lake", town.offer("north", H100, "SE"))
    town.deliver("north", "lake", lease, serials=[serial])
    town.now += 40 * DAY
    asset = town.act("north", {**machine, "parts": [], "country": "SE"})
    sent = {"type": "asset.moved", "number": "W-1", "to": town.did("south"), "reason": "sale"}
    move = town.act("north", sent, asset)
    town.act("south", {"type": "asset.received", "move": move, "country": "DE", "condition": "intact"}, asset)
    for country, against in (
        ("DE", ["the ledger shows the machines moving between the two countries"]),
        ("SG", []),
    ):
        lease = town.lease("south", "hill", town.offer("south", H100, country))
        town.deliver("south", "hill", lease, serials=[serial])
        town.now += 40 * DAY
        found = [one for one in reviewed(town, "facility").findings if one.rule == "serials-elsewhere"]
        assert found[-1].evidence_against == tuple(against), country
        shown = "custody statements about these machines show no such move" in found[-1].evidence_for
        assert shown == (not against), country
        assert [one.kind for one in found[-1].entries if one.role == "custody"] == ["asset.received"]


def test_a_disclosed_site_answers_where_machines_stand(town):
    offer = town.offer("north", H100, "DE")
    lease = town.lease("north", "lake", offer)
    town.deliver("north", "lake", lease)
    rules = [one[0] for one in said(reviewed(town, "facility"))]
    assert rules == ["delivery-without-evidence", "site-not-told"]


@pytest.mark.parametrize(
    ("first", "second", "tied"),
    [
        ({"claim": "kyc", "subject_group": "6a" * 32}, {"claim": "kyc", "subject_group": "6a" * 32}, True),
        ({"claim": "kyc", "subject_group": "6a" * 32}, {"claim": "kyc", "subject_group": "6b" * 32}, False),
        (
            {"claim": "beneficial_owner", "digest": "7c" * 32},
            {"claim": "beneficial_owner", "digest": "7c" * 32},
            True,
        ),
        ({"claim": "affiliate_of", "party": "lake"}, None, True),
        ({"claim": "ultimate_parent", "party": "far"}, {"claim": "ultimate_parent", "party": "far"}, True),
    ],
)
def test_attestors_tie_the_parties_of_a_lease_while_their_claims_are_in_force(town, first, second, tied):
    made = []
    for who, said in (("north", first), ("lake", second)):
        if said is not None:
            named = {"party": town.did(said["party"])} if "party" in said else {}
            valid = {"from": format_instant(town.now), "until": format_instant(town.now + 20 * DAY)}
            tree = {"type": "claim.attested", "number": who, "tier": "documented", "valid": valid}
            made.append(town.act("notary", {**tree, **said, **named}, town.did(who)))
    town.lease("north", "lake", town.offer("north", H100, "DE"), days=2)
    town.act("notary", {"type": "claim.revoked", "claim": made[0], "reason": "mistaken"}, town.did("north"))
    town.lease("north", "lake", town.offer("north", H100, "DE"), days=2)
    found = [one for one in reviewed(town, "related-parties").findings if one.rule == "attested-relation"]
    assert len(found) == int(tied), "a claim that was taken back ties nobody"
    assert all(
        {entry.kind for entry in one.entries} == {"claim.attested", "lease.proposed", "lease.signed"}
        for one in found
    )


def test_related_parties_by_account_name_and_both_ways(town):
    means = ({"code": "30", "account": ACCOUNT},)
    first = town.offer("north", H100, "DE")
    second = town.offer("lake", H100, "DE")
    third = town.offer("hill", H100, "DE")
    named = {"lessor_name": "North GmbH", "lessee_name": "NORTH GmbH."}
    one = town.lease("north", "lake", first, payment_means=means, sealed=named)
    town.lease("lake", "north", second)
    town.lease("hill", "dale", third, payment_means=means)
    assert said(reviewed(town, "related-parties")) == [
        ("both-ways", "1", "raised", "note"),
        ("one-account", "1", "raised", "question"),
    ]
    dossier = reviewed(town, "related-parties", disclosures=[town.disclosures_of(one)])
    (found,) = [item for item in dossier.findings if item.rule == "one-name"]
    assert (found.state, found.severity) == ("raised", "priority")
    assert found.seen_by


def recalled(town, price):
    """A lease that its lessor reclaims, and the pool it came from."""
    pool = town.pool("north", H100, count=8)
    offer = town.offer("north", H100, "DE", pool=pool)
    lease = town.lease("north", "lake", offer, template="interruptible")
    town.deliver("north", "lake", lease)
    town.now += 2 * DAY
    notice = {
        "type": "reclaim.started",
        "number": "R-1",
        "effective_at": format_instant(town.now + 3 * DAY),
        "code": 10_001,
    }
    town.act("north", notice, lease)
    town.now += 4 * DAY
    town.act("north", {"type": "lease.ended", "code": 10_001}, lease)
    town.now += 3600
    return pool, offer, lease, price


@pytest.mark.parametrize(("price", "rule"), [(3_000_000, "leased-again-dearer"), (2_235_000, "leased-again")])
def test_capacity_taken_back_and_leased_again(town, price, rule):
    pool, *_ = recalled(town, price)
    again = town.offer("north", H100, "DE", pool=pool, price=price)
    town.lease("north", "hill", again, template="interruptible")
    (one,) = reviewed(town, "capacity-recall").findings
    assert one.rule == rule
    assert [party.role for party in one.parties] == ["lessor", "lessee before", "lessee"]


def test_capacity_taken_back_and_withdrawn_or_idle(town):
    _, offer, *_ = recalled(town, 0)
    assert [one[0] for one in said(reviewed(town, "capacity-recall"))] == ["not-seen-again"]
    town.act("north", {"type": "offer.withdrawn"}, offer)
    assert [one[0] for one in said(reviewed(town, "capacity-recall"))] == ["offer-taken-back"]


def test_prices_far_from_the_others(town):
    town.at("2026-02-01")
    for number in range(6):
        town.offer(f"lessor {number}", H200, "DE", price=2_500_000)
    town.offer("cheap", H200, "DE", price=1_249_999)
    town.offer("exactly half", H200, "DE", price=1_250_000)
    dossier = reviewed(town, "prices")
    assert said(dossier, rule="far-from-this-ledger") == [("far-from-this-ledger", "1", "raised", "question")]
    (one,) = [one for one in dossier.findings if one.rule == "far-from-this-ledger"]
    assert {margin.line: margin.difference_exact for margin in one.margins}[
        "of_ledger_vs_half"
    ] == "-1/2500000"


def test_a_ledger_before_the_market_table_is_not_compared_with_it(town):
    town.offer("north", H200, "DE", price=1)
    assert said(reviewed(town, "prices")) == []


def test_papers_that_terms_pin_count_by_name(town):
    sha = "5a" * 32
    tree = {"type": "ledger.policy_registered", "name": "approval-model.pdf", "sha256": sha}
    offer = town.at("2024-03-01").offer("north", H20, "CN")
    town.lease("north", "lake", offer)
    assert [one[0] for one in said(reviewed(town, "approvals"))] == ["model-filing-not-shown"]
    town.act("founder", {**tree, "media_type": "application/pdf", "bytes": 10}, "town.example")
    more = town.offer("north", H20, "CN")
    town.lease("north", "hill", more, policies=(sha,))
    assert len(reviewed(town, "approvals").findings) == 1


def test_findings_are_bounded_and_the_rest_is_counted(town):
    for _ in range(7):
        town.at("2023-12-01").offer("north", H100, "CN")
    report = verify(town.ledger)
    dossier = review(town.ledger, Asked(packs=("chip-class",), most=3), report=report)
    (count,) = dossier.counts
    assert (count.found, count.listed, len(dossier.findings)) == (7, 3, 3)


def test_the_same_ledger_gives_the_same_bytes(town):
    town.at("2023-12-01").offer("north", H100, "CN")
    first, second = (reviewed(town) for _ in range(2))
    assert to_json(first) == to_json(second)
    assert to_html(first) == to_html(second)


def test_a_ledger_that_nobody_verified_is_marked(tmp_path):
    town = Town(tmp_path / "town")
    town.at("2023-12-01").offer("north", H100, "CN")
    town.close()
    dossier = review(town.ledger, Asked(), report=None)
    assert not dossier.ledger.verified
    assert dossier.ledger.unreadable == 0
