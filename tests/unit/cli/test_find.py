"""Things and parties are found by what people have at hand; what is ambiguous is never guessed."""

import pytest

from pseudoledger.cli import find as find_module
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import NOUNS, did_of, find, find_any, party_name, require_new_numbers
from pseudoledger.contract.things import Bid, Chain, Demand, Invoice, Lease, Offer, Payment, Usage
from pseudoledger.statement.kinds import KINDS


@pytest.fixture
def desk(at_month):
    desk = Desk(at_month / "led")
    yield desk
    desk.close()


def test_by_number_prefix_and_id(desk):
    lease_id, lease = find(desk, Lease, "L1")
    assert lease.number == "L1"
    for text in (lease_id, lease_id[:6], lease_id[:12], lease_id[:63]):
        assert find(desk, Lease, text)[0] == lease_id


def test_every_numbered_noun_is_found_by_its_number(desk):
    numbers = {"pool": "P1", "offer": "O1", "demand": "D1", "mandate": "M1", "match": "B1", "bid": "BID1"}
    numbers |= {"lease": "L1", "amendment": "A1", "delivery": "H1", "invoice": "2026-1", "payment": "PAY-1"}
    for cls, noun in NOUNS.items():
        # The month of this fixture has the kinds of the first rule set; the dialogues name those of later ones.
        if noun.numbered and KINDS[noun.kind, 1].since == 1:
            key, thing = find(desk, cls, numbers[noun.name])
            assert desk.book.get(cls, key) == thing


@pytest.mark.parametrize("text", ["", "L", "L2", "abc", "abcde", "0" * 64, "zzzzzzzz", "L1' OR '1'='1", "%"])
def test_what_is_not_there_is_wrong_use(desk, text):
    with pytest.raises(WrongUse, match="there is no lease"):
        find(desk, Lease, text)


def test_the_number_of_a_counter_names_its_bid(desk):
    assert find(desk, Bid, "BID1-2") == find(desk, Bid, "BID1")
    assert find_any(desk, "BID1-2", Demand, Bid)[0] == find(desk, Bid, "BID1")[0]
    with pytest.raises(WrongUse, match="there is no bid"):
        find(desk, Bid, "BID1-9")


def test_a_number_names_only_its_own_kind(desk):
    with pytest.raises(WrongUse):
        find(desk, Invoice, "L1")
    assert find_any(desk, "D1", Offer, Demand)[1].payload.number == "D1"
    with pytest.raises(WrongUse, match="offer or demand"):
        find_any(desk, "L1", Offer, Demand)


def test_an_ambiguous_name_lists_the_candidates(desk):
    assert len(list(desk.book.all(Payment))) == 2
    with pytest.raises(WrongUse, match="there is no"):
        find(desk, Usage, "a" * 5)
    same = [key[:1] for key, _ in desk.book.all(Usage)]
    assert len(same) == 2


def test_parties(desk):
    alice = next(did for did, name in desk.names.items() if name == "alice")
    root = desk.book.root_of(alice)
    assert desk.book.get(Chain, root).label == "north-lake"
    begin = alice.removeprefix("did:key:")
    for text in ("alice", alice, "north-lake", begin[:14], begin[:14] + "…"):
        assert did_of(desk, text, "--to") == alice
    assert party_name(desk, root) == "alice"
    for text in ("nobody", "z6Mk", "did:key:z6Mk" + "1" * 44, ""):
        with pytest.raises(WrongUse, match="--to"):
            did_of(desk, text, "--to")


def test_a_party_without_a_key_here_is_shown_by_its_label(desk):
    root = next(did for did, name in desk.names.items() if name == "alice")
    carol = next(did for did, name in desk.names.items() if name == "carol")
    desk.names.clear()
    assert party_name(desk, root) == "“north-lake”"
    assert party_name(desk, carol).endswith("…")


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("pool.declared", "P1"),
        ("offer.published", "O1"),
        ("lease.proposed", "L1"),
        ("payment.declared", "PAY-1"),
    ],
)
def test_a_number_is_not_given_twice_by_one_party(desk, kind, number):
    alice = next(did for did, name in desk.names.items() if name == "alice")
    with pytest.raises(WrongUse, match=f"called '{number}' already") as caught:
        require_new_numbers(desk, [({"type": kind, "number": number}, alice)])
    assert "another number" in caught.value.hint
    require_new_numbers(
        desk, [({"type": kind, "number": "NEW-1"}, alice), ({"type": "usage.reported"}, alice)]
    )


@pytest.mark.parametrize(("kind", "number"), [("pool.declared", "P1"), ("offer.published", "O1")])
@pytest.mark.parametrize("others", [1, 20])
def test_every_number_of_a_batch_has_to_be_new(desk, kind, number, others):
    alice = next(did for did, name in desk.names.items() if name == "alice")
    drafts = [({"type": kind, "number": f"NEW-{at}"}, alice) for at in range(others)]
    require_new_numbers(desk, drafts)
    with pytest.raises(WrongUse, match=f"called '{number}' already") as caught:
        require_new_numbers(desk, [*drafts, ({"type": kind, "number": number}, alice)], imported=True)
    assert "give the file another name" in caught.value.hint
    with pytest.raises(WrongUse, match=r"two \w+s would be called 'NEW-0'"):
        require_new_numbers(desk, [*drafts, drafts[0]])


def test_another_party_may_use_the_same_number(desk):
    alice, bob = (next(did for did, key in desk.names.items() if key == name) for name in ("alice", "bob"))
    pool = {"type": "pool.declared", "number": "P1"}
    require_new_numbers(desk, [(pool, bob)])
    new = {"type": "pool.declared", "number": "NEW-1"}
    require_new_numbers(desk, [(new, alice), (new, bob)])


def test_two_things_of_one_number_have_to_be_named_by_their_ids(desk, monkeypatch):
    keys = [key for key, _ in desk.book.all(Payment)]
    monkeypatch.setattr(find_module, "_by_number", lambda *_: iter(keys))
    with pytest.raises(WrongUse, match="2 payments are called 'PAY-1'") as caught:
        find(desk, Payment, "PAY-1")
    assert caught.value.hint == "give the id"
    assert all(key[:12] in caught.value.message for key in keys)
