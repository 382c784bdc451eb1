"""Sealed fields: they open where they were made and nowhere else, and presence tells nothing."""

import base64
import json
from types import SimpleNamespace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from play import Deal, Table, papers
from play.papers import changed
from play.table import key
from pseudoledger.audit.review.sight import Disclosures
from pseudoledger.errors import InvalidProof, MalformedError
from pseudoledger.market.ubl.names import open_texts
from pseudoledger.statement import sealed
from pseudoledger.statement.envelope import decode, sign_bytes
from pseudoledger.statement.payload import draft, jcs, parse
from pseudoledger.statement.sealed import disclosure_digest, open_field

ANA, BEN = key("ana"), key("ben")
AUD, OTHER = "ab" * 32, "cd" * 32


def counting():
    """Bytes never given before, the same in every run."""
    drawn = iter(range(1, 10_000))
    return lambda size: next(drawn).to_bytes(size)


def sign(tree, *, aud=AUD, who=ANA):
    return decode(sign_bytes(who, jcs(tree), sub=who.did, aud=aud, iat=5))


def seal(tree, *, aud=AUD, who=ANA, clear=frozenset()):
    return sealed.seal(tree, aud=aud, iss=who.did, random=counting(), clear=clear)


def opened(made, *, aud=AUD, who=ANA):
    statement = sign(made.tree, aud=aud, who=who)
    return {field.pointer: field for field in (open_field(statement, d) for d in made.disclosures)}


def test_what_was_sealed_opens_at_its_place():
    deal = Deal().offered()
    made = seal(deal.proposal())
    found = opened(made)
    assert {pointer: field.value for pointer, field in found.items()} == {
        "/terms/facility/operator": "an operator",
        "/terms/payment_means/0/bank_account": "an account",
    }
    assert not any(field.problem for field in found.values())
    parse(jcs(made.tree))


def test_a_disclosure_is_json_in_base64url():
    made = seal(papers.pool())
    (text,) = made.disclosures
    salt, name, value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert (name, value) == ("label", "hall 2")
    assert len(base64.urlsafe_b64decode(salt + "=" * (-len(salt) % 4))) == 32
    assert made.tree["_sd"] == [disclosure_digest(text)]
    assert made.tree["_sd_alg"] == "sha-256"


def test_nothing_of_the_value_is_left_in_the_statement():
    deal = Deal().offered()
    raw = jcs(seal(deal.proposal()).tree)
    assert b"an operator" not in raw
    assert b"an account" not in raw


def test_presence_tells_nothing():
    """With and without values: the same number of digests at the same places."""
    deal = Deal().offered()
    bare = {"/terms/facility/operator": papers.GONE, "/terms/payment_means/0/bank_account": papers.GONE}
    full, empty = seal(deal.proposal()), seal(changed(deal.proposal(), bare))
    assert shape(full.tree) == shape(empty.tree)
    assert empty.disclosures == ()


def shape(node):
    """A payload with every digest replaced by the same letter."""
    if isinstance(node, dict):
        return {name: ["D"] * len(v) if name == "_sd" else shape(v) for name, v in node.items()}
    return [shape(item) for item in node] if isinstance(node, list) else node


def test_digests_stand_in_order_whatever_they_hide():
    made = seal(papers.offer("0f" * 32))
    assert made.tree["facility"]["_sd"] == sorted(made.tree["facility"]["_sd"])
    assert len(made.tree["facility"]["_sd"]) == 3


def test_a_field_may_stay_in_the_clear():
    made = seal(papers.pool(), clear=frozenset({"/label"}))
    assert made.tree == papers.pool()
    parse(jcs(made.tree))


def test_a_field_without_value_is_hidden_even_if_it_might_be_clear():
    made = seal(changed(papers.pool(), {"/label": papers.GONE}), clear=frozenset({"/label"}))
    assert len(made.tree["_sd"]) == 1


def test_every_field_that_may_be_sealed_is_named_by_its_pointer():
    assert sealed.sealable_pointers(papers.pool()) == {"/label"}
    assert sealed.sealable_pointers(changed(papers.pool(), {"/label": papers.GONE})) == {"/label"}
    offer = papers.offer("0f" * 32)
    assert {f"/facility/{name}" for name in ("site", "owner", "operator")} <= sealed.sealable_pointers(offer)
    assert sealed.sealable_pointers({**offer, "facility": "hall 2"}) == frozenset()
    assert sealed.sealable_pointers({"type": "nothing.known"}) == frozenset()


@pytest.mark.parametrize("where", [{"aud": OTHER}, {"who": BEN}])
def test_a_copied_digest_does_not_open_elsewhere(where):
    made = seal(papers.pool())
    with pytest.raises(InvalidProof):
        opened(made, **where)


def test_a_copied_digest_does_not_open_in_another_kind_or_field():
    (digest,) = seal(papers.pool()).tree["_sd"]
    (disclosure,) = seal(papers.pool()).disclosures
    bare = changed(papers.demand(), {"/label": papers.GONE})
    with pytest.raises(InvalidProof):
        open_field(sign({**bare, "_sd": [digest], "_sd_alg": "sha-256"}), disclosure)


def test_a_digest_does_not_open_under_another_name():
    made = seal(papers.offer("0f" * 32))
    site = next(d for d in made.disclosures if "site" in _text(d))
    salt, _, value = json.loads(_text(site))
    forged = base64.urlsafe_b64encode(jcs([salt, "owner", value])).rstrip(b"=").decode()
    with pytest.raises(InvalidProof):
        open_field(sign(made.tree), forged)


def test_two_values_sealed_under_one_name_count_for_nothing_where_both_are_seen():
    """Alone each opens, as nobody can tell which name a digest hides; whoever sees both believes neither."""
    made = seal(Deal().offered().proposal())
    binding = sealed._binding(AUD, ANA.did, "lease.proposed", "/terms/workload")
    texts = [
        sealed._b64(jcs([sealed._b64(bytes([number]) * 16 + binding), "workload", f"v{number}"]))
        for number in (1, 2)
    ]
    digests = [disclosure_digest(text) for text in texts]
    made.tree["terms"]["_sd"] = sorted([*digests, *made.tree["terms"]["_sd"][2:]])
    statement = sign(made.tree)
    for text in texts:
        (one,) = sealed.open_fields(statement, [text, text])
        assert (one.pointer, one.problem) == ("/terms/workload", "")
    both = sealed.open_fields(statement, [*texts, "WyJ4Il0"])
    assert [type(one) for one in both] == [InvalidProof, InvalidProof, MalformedError]
    assert "two values" in both[0].message

    review = Disclosures(texts={statement.id: tuple(texts)})
    entry = SimpleNamespace(statement=statement, id=statement.id, index=3, kind="lease.proposed")
    assert review.open(entry) == []
    assert review.opened == {}
    assert [used.sound for used in review.finish()] == [False, False]
    with pytest.raises(InvalidProof, match="two values"):
        open_texts(statement, texts)


def test_a_disclosure_cannot_cover_a_field_in_the_clear():
    made = seal(papers.pool())
    with pytest.raises(InvalidProof):
        open_field(sign({**made.tree, "label": "hall 3"}), made.disclosures[0])


def _text(disclosure):
    return base64.urlsafe_b64decode(disclosure + "=" * (-len(disclosure) % 4)).decode()


def test_a_changed_value_does_not_open():
    made = seal(papers.pool())
    salt, name, _ = json.loads(_text(made.disclosures[0]))
    forged = base64.urlsafe_b64encode(jcs([salt, name, "hall 3"])).rstrip(b"=").decode()
    with pytest.raises(InvalidProof):
        open_field(sign(made.tree), forged)


@pytest.mark.parametrize("value", ["", "x" * 201, 7, True, ["hall"]])
def test_a_value_that_would_have_been_invalid_is_reported(value):
    made = seal({**papers.pool(), "label": value})
    (found,) = opened(made).values()
    assert found.value == value
    assert "/label" in found.problem


def _b64(text):
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


SALT = _b64(bytes(32))


@pytest.mark.parametrize(
    "disclosure",
    [
        "",
        "***",
        "e30",
        "e30=",
        _b64(b"[]"),
        _b64(b'["a","b"]'),
        _b64(b'[1,"label","x"]'),
        _b64(b'["c2FsdA","label","x"]'),
        _b64(f'["{SALT}", "label","x"]'.encode()),
        _b64(f'["{SALT}","label",1.5]'.encode()),
        _b64(f'["{SALT}","label",null]'.encode()),
        _b64(b'["\xff","label","x"]'),
        "A" * 5_000,
        "\u00e9",
    ],
)
def test_what_is_no_disclosure_is_refused_as_such(disclosure):
    statement = sign(seal(papers.pool()).tree)
    with pytest.raises(MalformedError) as caught:
        open_field(statement, disclosure)
    assert caught.value.code.startswith(("disclosure.", "payload."))


def test_an_object_holds_one_digest_for_each_hidden_field():
    made = seal(papers.offer("0f" * 32)).tree
    digests = made["facility"]["_sd"]
    for wrong in (digests[:2], [*digests, "z" * 43], [], digests[::-1], [digests[0]] * 3):
        with pytest.raises(MalformedError) as caught:
            draft(changed(made, {"/facility/_sd": wrong}))
        assert caught.value.code == "payload.field"
    with pytest.raises(MalformedError):
        draft(changed(made, {"/facility/site": "site one"}))
    with pytest.raises(MalformedError):
        draft(changed(made, {"/facility/_sd": papers.GONE}))


def test_the_algorithm_is_named_if_and_only_if_something_is_sealed():
    made = seal(papers.offer("0f" * 32)).tree
    with pytest.raises(MalformedError):
        draft(changed(made, {"/_sd_alg": papers.GONE}))
    with pytest.raises(MalformedError):
        draft({**papers.pool(), "_sd_alg": "sha-256"})
    with pytest.raises(MalformedError):
        draft(changed(made, {"/_sd_alg": "sha-512"}))


def test_digests_stand_only_where_something_may_be_sealed():
    with pytest.raises(MalformedError):
        draft({**papers.revoked(), "_sd": ["A" * 43], "_sd_alg": "sha-256"})


def test_an_unknown_kind_cannot_be_sealed():
    with pytest.raises(MalformedError) as caught:
        seal({"type": "nothing.known", "v": 1})
    assert caught.value.code == "payload.unknown_kind"


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cf", "Cn"]), min_size=1, max_size=200
    )
)
def test_any_text_opens_as_it_was(text):
    made = seal({**papers.pool(), "label": text})
    (found,) = opened(made).values()
    assert (found.pointer, found.value, found.problem) == ("/label", text, "")


def test_registration_remembers_digests_and_reads_no_value():
    table = Table()
    tree = table.seal(ANA, papers.pool()).tree
    table.act(ANA, tree, sealed_already=True)
    stored = [row for (sort, name), row in table.shelf.rows.items() if name.startswith("digest ")]
    assert len(stored) == 1
    assert not any(b"hall 2" in row for row in table.shelf.rows.values())
    assert orjson.loads(stored[0])["entry"] == 2


def in_tree(tree):
    """Every digest of a payload tree, found by going through it."""
    if isinstance(tree, dict):
        return [*tree.get("_sd", ()), *(one for member in tree.values() for one in in_tree(member))]
    return [one for item in tree for one in in_tree(item)] if isinstance(tree, list) else []


def test_digests_are_found_in_the_bytes_as_in_the_tree():
    deal = Deal().offered()
    for tree in (papers.pool(), deal.proposal(), seal(papers.pool()).tree, seal(deal.proposal()).tree):
        assert sorted(sealed.digests(jcs(tree))) == sorted(in_tree(tree))


def test_no_text_passes_for_a_digest():
    said = jcs({"label": '","_sd":["x"],"y":"', "other": '"_sd":["z"]', "x_sd": ["w"], "_sd": ["a", "b"]})
    assert sealed.digests(said) == ("a", "b")
