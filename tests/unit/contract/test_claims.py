"""When a claim counts, who is whose affiliate, and what a gate makes of it."""

import pytest

from play import DAY, START, Deal, Table, key
from play.claims import GROUP, claim, revocation
from play.papers import amendment, mandate, period, revoked, simple
from pseudoledger.contract.claims import affiliation, in_force, standing
from pseudoledger.contract.gate import Occasion, check, read_policy
from pseudoledger.contract.things import Lease
from pseudoledger.contract.things.claim import Attested, Claim
from pseudoledger.errors import MalformedError
from pseudoledger.statement.payload import draft

ANA, NOTARY, OTHER = (key(name) for name in ("ana", "notary", "other notary"))


def attest(table, tree, *, who=NOTARY, about=ANA):
    return table.act(who, tree, about.did)


def word(table, ref, now=None):
    return standing(table.book, table.book.get(Claim, ref), table.now if now is None else now).word


def test_a_claim_counts_from_its_start_until_its_end():
    table = Table()
    ref = attest(table, claim(valid=period(START + DAY, START + 2 * DAY)))
    words = [word(table, ref, START + seconds) for seconds in (0, DAY - 1, DAY, 2 * DAY - 1, 2 * DAY)]
    assert words == ["not yet", "not yet", "in force", "in force", "over"]


def test_a_claim_is_void_while_nobody_acts_for_its_subject_or_attestor():
    table = Table()
    first, second = attest(table, claim()), attest(table, claim(number="C2"), who=OTHER)
    table.act(OTHER, revoked(), OTHER.did)
    assert (word(table, first), word(table, second)) == ("in force", "void")
    table.act(ANA, revoked(), ANA.did)
    assert (word(table, first), word(table, second)) == ("void", "void")


def test_the_claim_about_the_place_of_a_lease_is_void_once_the_lease_moves():
    deal = Deal(offer={"/facility": {"country": "DE", "site": "one", "owner": "o", "operator": "p"}}).signed()
    place = {"country": "DE", "subdivision": "DE-BE", "site": "a street"}
    ref = attest(deal.table, claim("facility", facility=place, about=deal.lease), about=deal.lessor)
    assert word(deal.table, ref) == "in force"
    moved = deal.terms({"/facility/subdivision": "DE-HE"})
    at = START + 10 * DAY
    paper = deal.table.act(deal.lessor, amendment(moved, deal.lease, at, at), deal.lease)
    deal.table.act(deal.lessee, simple("amendment.signed", amendment=paper), deal.lease)
    assert word(deal.table, ref) == "in force"
    deal.table.at(at)
    assert word(deal.table, ref) == "void"
    assert not list(in_force(deal.table.book, deal.lessor.did, [NOTARY.did], deal.table.now))


def test_what_is_over_or_taken_back_is_forgotten_in_the_list_and_kept_in_the_book():
    table = Table()
    short = attest(table, claim(valid=period(START, START + DAY)))
    gone = attest(table, claim(number="C2"))
    table.act(NOTARY, revocation(gone), ANA.did)
    table.later(2 * DAY)
    kept = attest(table, claim("country"))
    assert table.book.get(Attested, f"{ANA.did} {NOTARY.did}").claims == (kept,)
    assert [word(table, ref) for ref in (short, gone, kept)] == ["over", "revoked", "in force"]
    assert table.replayed() == table.shelf.rows


def test_a_strangers_word_makes_nobody_an_affiliate():
    """Or anybody could keep any broker out of the market."""
    deal = Deal()
    tree = claim("affiliate_of", party=deal.broker.did)
    deal.table.act(deal.stranger, tree, deal.lessor.did)
    assert deal.table.codes(deal.lessor, mandate(deal.broker.did)) == frozenset()
    book, pair = deal.table.book, (deal.broker.did, deal.lessor.did)
    assert affiliation(book, *pair, (), START) is None
    assert affiliation(book, *pair, (deal.stranger.did,), START) is not None


def test_a_broker_may_be_its_affiliates_broker_under_the_first_rule_set():
    deal = Deal(Table(rules="pseudoledger-1"))
    assert deal.table.codes(deal.lessor, mandate(deal.broker.did)) == frozenset()


@pytest.mark.parametrize(
    "changes",
    [
        {"claim": "kyc"},
        {"claim": "country", "subject_group": GROUP},
        {"claim": "revenue_at_least"},
        {"claim": "beneficial_owner", "country": "DE"},
        {"claim": "approved_model", "about": "0f" * 32},
    ],
)
def test_a_claim_has_the_value_of_its_type_and_no_other(changes):
    tree = {name: value for name, value in claim().items() if name not in {"subject_group", "subject_name"}}
    with pytest.raises(MalformedError) as caught:
        draft({**tree, **changes, "_sd": ["A" * 43], "_sd_alg": "sha-256"})
    assert "type of claim" in caught.value.message


def test_a_threshold_has_no_place_for_the_figure():
    table = Table()
    ref = attest(table, claim("revenue_at_least"))
    stored = table.book.get(Claim, ref).payload.model_dump(exclude_none=True)
    assert set(stored["at_least"]) == {"currency", "amount_minor"}
    with pytest.raises(MalformedError):
        draft(
            {
                **claim("revenue_at_least"),
                "at_least": {"currency": "EUR", "amount_minor": 1, "exact_minor": 2},
            }
        )


# The gate.


def gate(*required):
    return read_policy({"require": [dict(item) for item in required]})


def asked(table, *required, until=None, facility=None, subject=ANA):
    occasion = Occasion(now=table.now, until=until, facility=facility)
    return check(table.book, gate(*required), subject.did, occasion)


@pytest.mark.parametrize(
    ("wanted", "made", "short"),
    [
        ({"claim": "kyc"}, claim(), ""),
        ({"claim": "kyc", "attestors": [OTHER.did]}, claim(), "not listed"),
        ({"claim": "kyc", "tier": "inspected"}, claim(), "documented only"),
        ({"claim": "kyc", "digests": [GROUP]}, claim(), ""),
        ({"claim": "kyc", "digests": ["00" * 32]}, claim(), "another one"),
        ({"claim": "country", "countries": ["FR", "DE"]}, claim("country"), ""),
        ({"claim": "country", "countries": ["FR"]}, claim("country"), "says DE, not FR"),
        ({"claim": "facility", "classes": ["state-run"]}, claim("facility"), ""),
        ({"claim": "facility", "classes": ["private"]}, claim("facility"), "no facility of class private"),
        ({"claim": "kyc", "throughout": True}, claim(), "ends at"),
        ({"claim": "kyc"}, claim("country"), "nobody attests kyc"),
        ({"claim": "kyc"}, claim(valid=period(START + DAY, START + 9 * DAY)), "not yet"),
        (
            {"claim": "revenue_at_least", "currency": "EUR", "at_least_minor": 100_000_000},
            claim("revenue_at_least"),
            "",
        ),
        (
            {"claim": "revenue_at_least", "currency": "EUR", "at_least_minor": 100_000_001},
            claim("revenue_at_least"),
            "lower threshold",
        ),
        (
            {"claim": "revenue_at_least", "currency": "USD", "at_least_minor": 1},
            claim("revenue_at_least"),
            "another currency",
        ),
    ],
)
def test_a_requirement_is_met_or_says_what_is_missing(wanted, made, short):
    table = Table()
    attest(table, made)
    report = asked(table, wanted, until=START + 400 * DAY)
    assert report.verdict == ("refuse" if short else "allow")
    (item,) = report.checks
    assert (item.met_by is None) == bool(short)
    assert short in "; ".join(item.missing)


def test_the_heaviest_answer_is_that_of_the_gate():
    table = Table()
    attest(table, claim())
    kyc, country = {"claim": "kyc"}, {"claim": "country", "otherwise": "warn"}
    assert asked(table, kyc).verdict == "allow"
    assert asked(table, kyc, country).verdict == "warn"
    assert asked(table, kyc, country, {"claim": "facility"}).verdict == "refuse"


def test_the_own_word_counts_only_where_the_gate_asks_for_no_more():
    table = Table()
    attest(table, claim("country", tier="declared"), who=ANA)
    assert asked(table, {"claim": "country"}).verdict == "refuse"
    assert asked(table, {"claim": "country", "tier": "declared"}).verdict == "allow"


def test_a_facility_claim_has_to_be_about_the_place_of_the_terms():
    deal = Deal().proposed()
    terms = deal.table.book.get(Lease, deal.lease)
    assert terms is not None
    elsewhere = {"country": "FR", "site": "a street"}
    attest(deal.table, claim("facility", facility=elsewhere), about=deal.lessor)
    place = draft(deal.table.seal(deal.lessee, deal.proposal()).tree).terms.facility
    report = asked(deal.table, {"claim": "facility"}, facility=place, subject=deal.lessor)
    assert "a place in FR" in report.checks[0].missing[0]
    attest(deal.table, claim("facility", number="C2"), about=deal.lessor)
    assert asked(deal.table, {"claim": "facility"}, facility=place, subject=deal.lessor).verdict == "allow"


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"require": []},
        {"require": [{"claim": "good_standing"}]},
        {"require": [{"claim": "kyc", "surprise": 1}]},
        {"require": [{"claim": "kyc", "currency": "EUR"}]},
        {"require": [{"claim": "kyc", "otherwise": "shrug"}]},
        {"require": 3},
        [],
    ],
)
def test_a_gate_that_makes_no_sense_is_named(tree):
    with pytest.raises(MalformedError) as caught:
        read_policy(tree)
    assert caught.value.code == "gate.form"
    assert caught.value.hint
