"""Vantage points: their written form, and who sees a sealed field."""

from itertools import product

import pytest

from pseudoledger.audit.trace.vantage import PUBLIC, Concerned, Eyes, parse_vantage, together
from pseudoledger.errors import MalformedError

A, B, C, D = (f"did:key:z6Mk{letter * 44}" for letter in "abcd")
LEASE = "1f" * 32

STATEMENT = Concerned(
    id="2f" * 32, issuer=A, subject="", lease=LEASE, parties=frozenset({A, B}), brokers=frozenset({C})
)


def sees(text, what=STATEMENT, digest="", *, roots=None, shown=None):
    return Eyes(parse_vantage(text), roots=roots or {}, shown=shown or {}).sees(what, digest)


@pytest.mark.parametrize(
    "text",
    ["public", "auditor", f"counterparty:{A}", f"counterparty:{LEASE}", f"broker:{C}", f"auditor+broker:{C}"],
)
def test_the_written_form_is_read_back(text):
    assert parse_vantage(text).name == text


def test_several_at_once_are_sorted_and_public_adds_nothing():
    assert (
        parse_vantage(f"public+counterparty:{B}+auditor+counterparty:{B}").name == f"auditor+counterparty:{B}"
    )
    assert together(PUBLIC, PUBLIC) == PUBLIC
    assert parse_vantage(f"counterparty:{A}+broker:{B}").of == (B, A)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "everybody",
        "public:x",
        "auditor:",
        "counterparty",
        "counterparty:me",
        f"broker:{LEASE}",
        "public+",
        "+",
        "+".join(["public"] * 65),
    ],
)
def test_anything_else_is_refused_with_the_forms_there_are(text):
    with pytest.raises(MalformedError) as refused:
        parse_vantage(text)
    assert refused.value.code == "trace.vantage"
    assert refused.value.hint


def test_who_sees_the_sealed_fields_of_a_lease():
    views = [
        "public",
        f"counterparty:{A}",
        f"counterparty:{B}",
        f"counterparty:{C}",
        f"broker:{C}",
        f"broker:{D}",
    ]
    views += [f"counterparty:{LEASE}", f"counterparty:{D}", "auditor"]
    assert [sees(view) for view in views] == [False, True, True, False, True, False, True, False, True]


def test_a_union_sees_what_any_of_it_sees():
    places = ["public", "auditor", f"counterparty:{A}", f"counterparty:{D}", f"broker:{C}"]
    for first, second in product(places, places):
        assert sees(f"{first}+{second}") == (sees(first) or sees(second))


def test_a_key_sees_what_its_identity_sees():
    assert not sees(f"counterparty:{D}")
    assert sees(f"counterparty:{D}", roots={D: B})


def test_a_reader_sees_what_was_opened_to_it_and_nothing_else():
    shown = {STATEMENT.id: {D: frozenset({"opened"})}}
    assert sees(f"counterparty:{D}", digest="opened", shown=shown)
    assert not sees(f"counterparty:{D}", digest="other", shown=shown)
    assert not sees(f"broker:{D}", digest="opened", shown=shown)
