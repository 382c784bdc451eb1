"""The one list of columns: every field of the data dictionary is reached, also one that nobody thought of."""

from dataclasses import replace
from typing import Annotated, Literal

import pytest
from pydantic import Field as Limits

from pseudoledger.audit.trace.columns import (
    COLUMNS,
    ELSEWHERE,
    LEDGER,
    all_columns,
    is_spare,
    places_of,
    spare_columns,
)
from pseudoledger.audit.trace.habits import number_prefix, number_stem, number_style, price_style, word_style
from pseudoledger.audit.trace.leaves import Leaf, leaves, slots
from pseudoledger.audit.trace.observations import Field, FieldKind
from pseudoledger.audit.trace.said import Said, by_name
from pseudoledger.statement.kinds import KINDS
from pseudoledger.statement.values import BankReference, Ref, Sealable, Slug, Tax, Text, Value, note

EVERY = [slot for kind in KINDS.values() if kind.family != LEDGER for slot in slots(kind.model)]
WORDS = {"identity", "place", "time", "money", "hardware", "counterparty", "free_text", "reference"}


class Rack(Value):
    height: Annotated[int, Limits(ge=1)] = note("Units", unit="C62", reveals="hardware")
    cooling: Slug = note("How it is cooled", reveals="hardware")


class Housed(Sealable):
    type: Literal["rack.housed"] = note("Kind")
    v: Literal[1] = note("Version")
    racks: tuple[Rack, ...] = note("Racks", reveals="hardware")
    neighbour: Text | None = note("Who stands beside", reveals="identity", sealable=True)
    seen_in: Ref | None = note("Another statement", reveals="reference", default=None)
    order: int | None = note("Place in a queue", reveals="time", default=None)


def said(payload, opened):
    found = leaves(payload, opened)
    return Said(
        kind="rack.housed",
        issuer="x",
        iat=61,
        sealed_at=70,
        leaves=found,
        others=(),
        between=(),
        follows=None,
        before="",
        price=None,
        market_micro=None,
        by_name=by_name(found),
    )


def test_a_field_that_nobody_thought_of_gets_a_column():
    made = {column.field.name: column for column in spare_columns(slots(Housed))}
    assert {name: (column.field.kind, column.field.reveals) for name, column in made.items()} == {
        "cooling": (FieldKind.CATEGORY, "hardware"),
        "height": (FieldKind.NUMERIC, "hardware"),
        "neighbour": (FieldKind.TEXT, "identity"),
        # A keyword of SQL cannot stand alone; the id of another statement is no habit.
        "order_time": (FieldKind.NUMERIC, "time"),
    }
    racks = (Rack(height=40, cooling="water"), Rack(height=42, cooling="air"))
    payload = Housed(type="rack.housed", v=1, racks=racks, order=3, _sd=("A" * 43,))
    cells = {name: column.derive(said(payload, {})) for name, column in made.items()}
    assert cells == {"cooling": "air water", "height": 42.0, "neighbour": None, "order_time": 3.0}
    assert made["neighbour"].derive(said(payload, {"/neighbour": "A mill"})) == "A mill"


def test_leaves_say_where_they_stand_and_whether_a_disclosure_was_needed():
    payload = Housed(type="rack.housed", v=1, racks=(Rack(height=40, cooling="water"),), _sd=("A" * 43,))
    assert [
        (leaf.pointer, leaf.value, leaf.opened) for leaf in leaves(payload, {"/neighbour": "A mill"})
    ] == [
        ("/racks/0/height", 40, False),
        ("/racks/0/cooling", "water", False),
        ("/neighbour", "A mill", True),
    ]


class Recorder(dict):
    """Leaves by name that remember for which names they were asked."""

    asked = frozenset()

    def get(self, name, default=None):
        self.asked |= {name}
        return super().get(name, default)


def test_every_field_that_reveals_something_is_reached_or_said_to_be_elsewhere():
    telling = {(slot.name, slot.reveals) for slot in EVERY if slot.reveals != "nothing"}
    assert set(ELSEWHERE) <= telling, "what is left out exists"
    spare = {(slot.name, slot.reveals) for slot in EVERY if is_spare(slot)}
    ids = {(slot.name, slot.reveals) for slot in EVERY if slot.shape == "id" and slot.reveals == "reference"}
    by_hand = telling - spare - set(ELSEWHERE) - ids
    asked = set()
    tax = leaves(Tax(category="S", rate_bps=1900), {})
    bank = leaves(BankReference(scheme="SEPA", value="RF1"), {})
    for kind, found in (("invoice.issued", tax), ("lease.proposed", bank)):
        named = Recorder(by_name(found))
        blank = replace(said(Rack(height=1, cooling="air"), {}), kind=kind, by_name=named)
        for column in COLUMNS:
            column.derive(blank)
        asked |= named.asked
    elsewhere = {
        "free_text": "all of it, by what it reveals",
        "counterparty": "past.py makes counterparty and intermediary of them",
    }
    names = {name for name, reveals in by_hand if reveals not in elsewhere}
    # Prices are worked out in past.py; a party's name is asked for once the party is known.
    assert names - asked == {"price_micro", "hour_micro", "lessor_name", "lessee_name"}


def test_columns_have_names_of_their_own_and_words_of_the_dictionary():
    fields = [column.field for column in all_columns()]
    assert all(isinstance(field, Field) for field in fields)
    assert len({field.name for field in fields}) == len(fields)
    assert {field.reveals for field in fields} <= WORDS
    assert all(column.says for column in all_columns())


@pytest.mark.parametrize(
    ("number", "style"),
    [
        ("INV-2026-007", "AAA-9999-999"),
        ("L-7", "A-9"),
        ("L-12", "A-9"),
        ("L-12-harbour", "A-9-a+"),
        ("rl/26/4", "aa/9/9"),
        ("20260301", "99999999"),
        ("", ""),
    ],
)
def test_styles_of_numbers(number, style):
    assert number_style(number) == style


def test_other_habits():
    assert (number_prefix("INV-7"), number_prefix("7-INV")) == ("INV", None)
    assert {number_stem(number) for number in ("V-1-x", "V-22-x")} == {"V-#-x"}
    assert number_stem("none") == "none"
    assert price_style(2_235_000) == "4 digits, ends in 5"
    assert price_style(0) == "1 digits, ends in 0"
    assert word_style("river-lab") == "lower, latin, between -, end none, no digits, under 16"
    assert word_style("Большой зал 2.") == "sentence, cyrillic, between space., end ., digits, under 16"
    assert word_style("") == "mixed, no letters, between none, end none, no digits, under 1"


@pytest.mark.parametrize("kind", sorted({kind.name for kind in KINDS.values() if kind.family != LEDGER}))
def test_a_column_that_is_left_out_for_a_kind_would_have_been_empty(kind):
    """Every field of the kind set at once, to a value of its shape."""
    values = {"number": 7, "id": "5a" * 32, "word": "2026-03-01T00:00:00Z", "words": "Some words"}
    model = next(found.model for found in KINDS.values() if found.name == kind)
    found = tuple(
        Leaf(pointer=f"/{slot.name}", slot=slot, value=values[slot.shape], opened=False)
        for slot in slots(model)
    )
    full = replace(said(Rack(height=1, cooling="air"), {}), kind=kind, leaves=found, by_name=by_name(found))
    places = places_of(kind)
    assert 0 in places, "the kind itself"
    left_out = [column for place, column in enumerate(all_columns()) if place not in places]
    assert left_out
    assert [column.derive(full) for column in left_out] == [None] * len(left_out)
