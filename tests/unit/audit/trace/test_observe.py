"""What a vantage point sees of a ledger, counted by hand."""

import json
import random

import pytest
from town import ACCOUNT, Town, serials

from play import Deal
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import read_disclosures
from pseudoledger.audit.trace.hard import hard_links
from pseudoledger.audit.trace.leaves import leaves
from pseudoledger.audit.trace.observations import TABLES
from pseudoledger.audit.trace.observe import ACTS, observe, observe_all
from pseudoledger.audit.trace.past import Past
from pseudoledger.audit.trace.vantage import AUDITOR, PUBLIC, Eyes, parse_vantage
from pseudoledger.errors import MalformedError, PeerUnreachable
from pseudoledger.ledger.store import Store
from pseudoledger.statement.sealed import disclosure_digest
from pseudoledger.statement.values import instant_seconds

CHIP = "nvidia-h200-sxm-141gb"
NUMBERS = {"size": "chips", "price": "price_micro"}


class Seen:
    """A ledger of two lessors in one hall, a lessee, and a reader to whom one field was opened."""

    def __init__(self, folder):
        town = self.town = Town(folder)
        town.at("2026-01-01T08:00:00Z").declare("lake")
        town.act(
            "north", {"type": "identity.declared", "label": "North Chips", "contact": "desk@north.example"}
        )
        self.north = town.offer("north", CHIP, "DE", count=8, price=2_000_000, site="Hall one")
        self.south = town.offer("south", CHIP, "DE", count=16, price=3_000_000, site="hall  ONE")
        self.lease = town.lease(
            "north", "lake", self.north, sealed={"lessee_name": "Lake Ltd", "workload": "nights"}
        )
        self.other = town.lease("south", "lake", self.south, days=60)
        self.alone = town.offer("reader", CHIP, "FR", price=2_500_000)
        (name,) = [text for text in self.texts()[self.lease] if "lessee_name" in _plain(text)]
        shown = {"type": "disclosure.shown", "number": "S-1", "statement": self.lease}
        shown |= {"reader": town.did("reader"), "opened": [disclosure_digest(name)]}
        town.act("lake", shown)
        town.close()

    def texts(self):
        return read_disclosures([self.town.directory / "disclosures"])

    def watch(self, vantage=PUBLIC, texts=None, **options):
        given = self.texts() if texts is None else texts
        return observe(self.town.ledger, vantage, disclosures=given, verified=True, **options)

    def of(self, who):
        return f"counterparty:{self.town.did(who)}"


def _plain(text):
    import base64

    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    return Seen(tmp_path_factory.mktemp("seen") / "town")


def tables(observed):
    with observed.observations as found:
        return found.digest(), {table: found.rows(table) for table in TABLES}


def column(found, name, kind):
    query = f"SELECT {name} FROM records WHERE kind = ? ORDER BY ref"
    return [value for (value,) in found.connection.execute(query, [kind]).fetchall()]


def tokens(found, kind):
    query = "SELECT i.name, t.value FROM tokens t JOIN identities i USING (id) WHERE t.kind = ? ORDER BY ALL"
    return found.connection.execute(query, [kind]).fetchall()


def test_records_are_the_acts_of_parties_in_their_own_words(seen):
    town = seen.town
    with seen.watch().observations as found:
        assert found.names() == tuple(sorted(town.did(name) for name in ("lake", "north", "south", "reader")))
        assert town.did("founder") not in found.names(), "the founder acted as nothing else"
        assert found.record_count == 13
        assert found.source.vantage == "public"
        assert found.source.name == "town.example"
        assert found.source.digest == found_root(town)
        first = found.connection.execute(
            'SELECT "at", kind, ref FROM records ORDER BY ref LIMIT 1'
        ).fetchall()
        assert first == [(instant_seconds("2026-01-01T08:00:00Z"), "identity.declared", 2)]
        assert column(found, "chips", "offer.published") == [8.0, 16.0, 8.0]
        assert column(found, "chip", "lease.proposed") == [CHIP, CHIP]
        assert column(found, "country", "offer.published") == ["DE", "DE", "FR"]
        assert column(found, "term_seconds", "lease.proposed") == [30 * 86_400.0, 60 * 86_400.0]
        assert column(found, "number_style", "lease.proposed") == ["A-9", "A-9"]
        assert column(found, "label", "identity.declared") == ["lake", "North Chips"]
        assert column(found, "reply_seconds", "lease.signed") == [60.0, 60.0]
        assert column(found, "turn", "identity.declared") == [None, None], "they are the first of their keys"
        assert column(found, "turn", "lease.signed") == ["offer.published > lease.signed"] * 2
        assert column(found, "counterparty", "lease.proposed") == [town.did("north"), town.did("south")]
        assert column(found, "counterparty", "lease.signed") == [town.did("lake")] * 2


def found_root(town):
    from contextlib import closing

    with closing(Store.open_reader(town.ledger)) as store:
        return store.last_block().root.hex()


def test_prices_are_compared_with_earlier_offers_only(seen):
    with seen.watch().observations as found:
        # The first has no market; then 3 against 2, then 2.5 against the median of 2 and 3.
        assert column(found, "price_ratio", "offer.published") == [None, 1.5, 1.0]
        # Lease of north at 2 and of south at 3, against the median of 2 and 3.
        assert column(found, "price_ratio", "lease.proposed") == [0.8, 1.2]


def test_public_sees_no_sealed_field_whatever_it_is_given(seen):
    assert tables(seen.watch(PUBLIC)) == tables(seen.watch(PUBLIC, {}))
    with seen.watch().observations as found:
        assert not tokens(found, "site")
        assert not tokens(found, "contact")
        assert {field.name for field in found.fields}.isdisjoint({"site", "contact", "words", "party_name"})


def test_an_auditor_sees_what_it_is_given(seen):
    town = seen.town
    observed = seen.watch(AUDITOR)
    with observed.observations as found:
        assert tokens(found, "site") == sorted(
            [(town.did("north"), "DE hall one"), (town.did("south"), "DE hall one")]
        )
        assert tokens(found, "contact") == [(town.did("north"), "desk@north.example")]
        assert tokens(found, "name") == [(town.did("lake"), "lake ltd")]
        assert column(found, "words", "lease.proposed") == ["nights", None]
        assert all(one.sound for one in observed.disclosures)
        (pair,) = [pair for pair in hard_links(found).pairs if pair.joins]
        assert (pair.kind, pair.value) == ("site", "DE hall one")


def hidden_from(seen, vantage):
    """The disclosures that a vantage point cannot see, told apart by hand."""
    town, texts = seen.town, seen.texts()
    name = {text for text in texts[seen.lease] if "lessee_name" in _plain(text)}
    visible = {
        "public": {},
        seen.of("lake"): {seen.lease: set(texts[seen.lease]), seen.other: set(texts.get(seen.other, ()))},
        seen.of("reader"): {seen.lease: name, seen.alone: set(texts.get(seen.alone, ()))},
        f"counterparty:{seen.lease}": {seen.lease: set(texts[seen.lease])},
        f"broker:{town.did('reader')}": {seen.alone: set(texts.get(seen.alone, ()))},
    }[vantage]
    return {ref: tuple(text for text in held if text in visible.get(ref, ())) for ref, held in texts.items()}


@pytest.mark.parametrize("who", ["public", "lake", "reader", "lease", "broker"])
def test_nothing_hidden_has_any_influence(seen, who):
    name = {
        "public": "public",
        "lease": f"counterparty:{seen.lease}",
        "broker": f"broker:{seen.town.did('reader')}",
    }.get(who) or seen.of(who)
    vantage = parse_vantage(name)
    kept = {ref: texts for ref, texts in hidden_from(seen, name).items() if texts}
    mixed = {ref: (*texts, "bm9uc2Vuc2U") for ref, texts in seen.texts().items() if ref not in kept}
    assert tables(seen.watch(vantage)) == tables(seen.watch(vantage, kept))
    assert tables(seen.watch(vantage)) == tables(seen.watch(vantage, {**seen.texts(), **mixed}))


def test_what_is_seen_differs_where_it_has_to(seen):
    digests = {
        name: tables(seen.watch(parse_vantage(name)))[0] for name in ("public", "auditor", seen.of("lake"))
    }
    assert len(set(digests.values())) == 3
    with seen.watch(parse_vantage(seen.of("reader"))).observations as found:
        assert tokens(found, "name") == [(seen.town.did("lake"), "lake ltd")]
        assert not tokens(found, "site")


def test_the_same_ledger_gives_the_same_bytes_in_whatever_order_disclosures_come(seen):
    items = list(seen.texts().items())
    random.Random(5).shuffle(items)
    shuffled = {ref: texts[::-1] for ref, texts in items}
    assert tables(seen.watch(AUDITOR)) == tables(seen.watch(AUDITOR, shuffled))


def test_disclosures_that_do_not_fit_are_named(seen):
    texts = seen.texts()
    stray = {"ab" * 32: ("WyJ4Il0",), seen.lease: (texts[seen.north][0],)}
    observed = seen.watch(AUDITOR, stray)
    observed.observations.close()
    assert [(one.entry == -1, one.sound) for one in observed.disclosures] == [(False, False), (True, False)]
    assert all(one.problem for one in observed.disclosures)
    public = seen.watch(PUBLIC, stray)
    public.observations.close()
    assert not public.disclosures, "what is not seen is not spoken of"


def test_a_rotation_ties_two_keys_once_the_new_one_adopts(town):
    town.declare("north", "lake")
    ref = town.act("north", {"type": "identity.rotated", "number": "H-1", "to": town.did("second")})
    with observe(town.ledger, verified=True).observations as found:
        assert not found.rows("edges"), "anybody can name a key"
    town.act("second", {"type": "identity.adopted", "handover": ref}, town.did("north"))
    offer = town.offer("second", CHIP, "DE")
    town.lease("second", "lake", offer)
    with observe(town.ledger, verified=True).observations as found:
        links = hard_links(found)
        north, second, lake = (found.id_of(town.did(name)) for name in ("north", "second", "lake"))
        assert [pair.kind for pair in links.path(north, second)] == ["rotation"]
        assert links.component[lake] != links.component[north]
        # Whom lake deals with is the identity, under its first key.
        assert column(found, "counterparty", "lease.proposed") == [town.did("north")]


def test_an_account_counts_from_its_owners_signature_on(town):
    town.declare("north", "lake")
    offer = town.offer("north", CHIP, "DE")
    means = [{"code": "ZZZ", "account": ACCOUNT}]
    town.lease("north", "lake", offer, payment_means=means)
    with observe(town.ledger, verified=True).observations as found:
        # Lake proposed it, north signed it.
        assert tokens(found, "payment_account") == [(town.did("north"), ACCOUNT)]


def test_a_machine_that_changed_hands_joins_nobody(town):
    (serial,) = serials("m", 1)
    town.declare("north", "south", "west")
    machine = {
        "type": "asset.registered",
        "number": "M-1",
        "serial": serial,
        "chip": CHIP,
        "count": 8,
        "parts": [],
    }
    ref = town.act("north", {**machine, "country": "DE"})
    move = town.act(
        "north", {"type": "asset.moved", "number": "W-1", "to": town.did("south"), "reason": "sale"}, ref
    )
    town.act("south", {"type": "asset.received", "move": move, "country": "DE", "condition": "intact"}, ref)
    offer = town.offer("south", CHIP, "DE")
    lease = town.lease("south", "west", offer)
    town.deliver("south", "west", lease, serials=[serial])
    with observe(town.ledger, verified=True).observations as found:
        links = hard_links(found)
        (pair,) = [pair for pair in links.pairs if pair.kind == "serial"]
        assert (pair.joins, pair.explained_by) == (False, "custody")
        assert len(set(links.component)) == found.count


def test_claims_tie_what_they_are_about_unless_they_were_mistaken(town):
    town.declare("north", "south", "west", "notary")
    valid = {"from": "2022-11-01T00:00:00Z", "until": "2024-11-01T00:00:00Z"}
    claim = {
        "type": "claim.attested",
        "claim": "kyc",
        "tier": "documented",
        "valid": valid,
        "subject_group": "5e" * 32,
    }
    refs = [
        town.act("notary", {**claim, "number": f"C-{place}"}, town.did(name))
        for place, name in enumerate(("north", "south", "west"))
    ]
    revoked = {"type": "claim.revoked", "claim": refs[2], "reason": "mistaken"}
    town.act("notary", revoked, town.did("west"))
    with observe(town.ledger, verified=True).observations as found:
        links = hard_links(found)
        ids = {name: found.id_of(town.did(name)) for name in ("north", "south", "west", "notary")}
        assert links.members(ids["north"]) == tuple(sorted((ids["north"], ids["south"])))
        assert links.members(ids["west"]) == (ids["west"],)


def test_an_affiliation_by_ones_own_word_joins_once_both_say_it(town):
    town.declare("north", "south")
    valid = {"from": "2022-11-01T00:00:00Z", "until": "2024-11-01T00:00:00Z"}
    claim = {
        "type": "claim.attested",
        "claim": "affiliate_of",
        "tier": "declared",
        "valid": valid,
        "number": "C-1",
    }
    town.act("north", {**claim, "party": town.did("south")})
    with observe(town.ledger, verified=True).observations as found:
        (pair,) = hard_links(found).pairs
        assert (pair.kind, pair.joins) == ("affiliate_declared", False)
    town.act("south", {**claim, "party": town.did("north")})
    with observe(town.ledger, verified=True).observations as found:
        (pair,) = hard_links(found).pairs
        assert (pair.kind, pair.joins, len(pair.refs)) == ("affiliate", True, 2)


def test_a_ledger_on_which_nobody_acted_is_said_so(town):
    with pytest.raises(MalformedError, match="no act of any party") as refused:
        observe(town.ledger, verified=True)
    assert refused.value.hint


def test_no_ledger_at_all_is_said_so(tmp_path):
    with pytest.raises(PeerUnreachable):
        observe(tmp_path, verified=True)


def test_entries_beyond_a_size_are_not_read(seen):
    with seen.watch(size=4).observations as found:
        assert found.names() == (seen.town.did("lake"),)


def test_progress_is_told(seen):
    told = []
    seen.watch(progress=lambda done, of: told.append((done, of))).observations.close()
    assert told[-1][0] == told[-1][1] > 0
    assert json.dumps(told)


@pytest.mark.parametrize(
    ("who", "said"),
    [
        (
            "counterparty:did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
            "no identity did:key:z6Mkha",
        ),
        ("broker:did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "no identity did:key:z6Mkha"),
        (f"counterparty:{'ab' * 32}", "no lease abab"),
    ],
)
def test_a_place_that_nobody_has_is_refused(seen, who, said):
    """It would see what everybody sees, and a report would say that it was looked at from there."""
    with pytest.raises(MalformedError, match=said) as refused:
        seen.watch(parse_vantage(f"public+{who}"))
    assert refused.value.hint


def test_who_was_only_shown_something_has_a_place(seen):
    seen.watch(parse_vantage(seen.of("reader"))).observations.close()


def test_several_vantage_points_in_one_pass_see_what_each_sees_alone(seen):
    views = [parse_vantage(name) for name in ("public", "auditor", seen.of("lake"), seen.of("reader"))]
    together = observe_all(seen.town.ledger, views, disclosures=seen.texts(), verified=True)
    assert [tables(one) for one in together] == [tables(seen.watch(view)) for view in views]
    assert [one.disclosures for one in together] == [seen.watch(view).disclosures for view in views]


def test_a_brokers_leases_are_those_that_show_its_mandate():
    deal = Deal().mandated("lessor")
    deal._terms = {
        "/mandates/-": {"mandate": deal.mandate, "broker": deal.broker.did, "commission_bps": 300},
    }
    deal.signed()
    past, broker = Past({}), deal.broker.did
    concerned = {}
    for one in deal.table.history:
        if one.payload.type in ACTS:
            entry = Read(
                index=one.index,
                at=one.now,
                kind=one.payload.type,
                statement=one.statement,
                payload=one.payload,
            )
            concerned[entry.kind] = past.take(entry, leaves(one.payload, {})).concerned
    assert broker in concerned["broker.mandated"].brokers
    assert broker in concerned["lease.proposed"].brokers
    assert broker in concerned["lease.signed"].brokers
    assert broker not in concerned["offer.published"].brokers
    eyes = Eyes(parse_vantage(f"broker:{broker}"), roots={}, shown={})
    assert [eyes.sees(concerned[kind]) for kind in ("lease.signed", "offer.published")] == [True, False]
