"""What is open, and what of it fits a search."""

import pytest

from pseudoledger.contract.book import Book, EmptyShelf
from pseudoledger.contract.things import Booking, Bookings, Chain, Demand, Offer, Owner, Pool, PoolLine
from pseudoledger.market.search import Search, free_of, list_demands, list_offers
from pseudoledger.statement.kinds.market import DemandPublished, OfferPublished
from pseudoledger.statement.values import format_instant

DAY = 86_400
NOW = 10 * DAY


def period(start, until):
    return {"from": format_instant(start * DAY), "until": format_instant(until * DAY)}


def offer(number, *, price, chip="big", country="FI", subdivision=None, until=30, currency="USD", **fields):
    facility = {"country": country} | ({"subdivision": subdivision} if subdivision else {})
    payload = {
        "type": "offer.published",
        "v": 1,
        "number": number,
        "pool": "0" * 64,
        "lines": [
            {"id": "c", "pool_line": "c", "resource": "chip", "chip": chip, "count": 8},
            {"id": "cpu", "pool_line": "cpu", "resource": "cpu_core", "count": 64},
        ],
        "facility": facility | {"_sd": ["A" * 43, "B" * 43, "C" * 43]},
        "tariff": {
            "currency": currency,
            "lines": [
                {"line": "c", "basis": "metered", "price_micro": price},
                {"line": "cpu", "basis": "once", "fee_minor": 5},
            ],
        },
        "length_min": "P1D",
        "length_max": "P9D",
        "available": period(0, until),
        "_sd_alg": "sha-256",
    }
    return Offer(lessor="did:north", payload=OfferPublished.model_validate_json(dump(payload)), **fields)


def demand(number, *, chips=("big",), places=(), ceiling=None, until=30, **fields):
    payload = {
        "type": "demand.published",
        "v": 1,
        "number": number,
        "lines": [
            {"id": "c", "count": 1, "alternatives": [{"resource": "chip", "chip": chip} for chip in chips]}
        ],
        "window": period(0, until),
        "length": "P1D",
        "purpose": "other",
        "places": list(places),
        "residency": [],
        "_sd": ["A" * 43],
        "_sd_alg": "sha-256",
    } | ({"ceiling": {"currency": ceiling, "hour_micro": 1}} if ceiling else {})
    return Demand(lessee="did:bob", payload=DemandPublished.model_validate_json(dump(payload)), **fields)


def dump(value):
    import json

    return json.dumps(value)


@pytest.fixture
def book():
    made = Book(EmptyShelf())
    made.put("did:north", Chain(keys=("did:north",), label="Nordlicht", entry=0))
    made.put("did:north", Owner(root="did:north"))
    for number, thing in enumerate(
        (
            offer("DEAR", price=3_000_000, entry=1),
            offer(
                "CHEAP", price=1_000_000, chip="small", country="US", subdivision="US-TX", until=20, entry=2
            ),
            offer("EURO", price=2_000_000, currency="EUR", entry=3),
            offer("OVER", price=1, until=9, entry=4),
            offer("GONE", price=1, withdrawn_at=1, entry=5),
        )
    ):
        made.put(f"{number:064x}", thing)
    for number, thing in enumerate(
        (
            demand("ANY", chips=("big", "small"), ceiling="USD", entry=6),
            demand("THERE", places=("FI",), until=20, entry=7),
            demand("CLOSED", closed_at=1, entry=8),
            demand("LATE", until=9, entry=9),
        )
    ):
        made.put(f"{number + 100:064x}", thing)
    return made


@pytest.mark.parametrize(
    ("search", "offers", "demands"),
    [
        ({}, ["CHEAP", "EURO", "DEAR"], ["THERE", "ANY"]),
        ({"chip": "small"}, ["CHEAP"], ["ANY"]),
        ({"country": "US"}, ["CHEAP"], ["ANY"]),
        ({"country": "US-TX"}, ["CHEAP"], ["ANY"]),
        ({"country": "FI"}, ["EURO", "DEAR"], ["THERE", "ANY"]),
        ({"currency": "USD"}, ["CHEAP", "DEAR"], ["ANY"]),
        ({"price_micro": 2_000_000}, ["CHEAP", "EURO"], ["THERE", "ANY"]),
        ({"text": "nordLICHT"}, ["CHEAP", "EURO", "DEAR"], []),
        ({"text": "cheap"}, ["CHEAP"], []),
        ({"text": "there"}, [], ["THERE"]),
        ({"text": "cpu_core"}, ["CHEAP", "EURO", "DEAR"], []),
        ({"text": "nowhere"}, [], []),
    ],
)
def test_what_fits(book, search, offers, demands):
    asked = Search(**search)
    assert [row.offer.payload.number for row in list_offers(book, NOW, asked)] == offers
    assert [row.demand.payload.number for row in list_demands(book, NOW, asked)] == demands


def test_chip_and_price_narrow_the_lines(book):
    for row in list_offers(book, NOW, Search(chip="big")):
        assert [item.line.id for item in row.lines] == ["c"]
    for row in list_offers(book, NOW, Search(price_micro=2**50)):
        assert [item.line.id for item in row.lines] == ["c"], "a fee once is no price for an hour"
    assert [len(row.lines) for row in list_offers(book, NOW)] == [2, 2, 2]


def test_orders(book):
    said = {
        sort: [row.offer.payload.number for row in list_offers(book, NOW, sort=sort)]
        for sort in ("price", "newest", "ends")
    }
    assert said["price"] == ["CHEAP", "EURO", "DEAR"]
    assert said["newest"] == ["EURO", "CHEAP", "DEAR"]
    assert said["ends"] == ["CHEAP", "DEAR", "EURO"]
    assert [row.demand.payload.number for row in list_demands(book, NOW, sort="ends")] == ["THERE", "ANY"]


def test_what_is_free(book):
    (row,) = list_offers(book, NOW, Search(text="DEAR"))
    line = row.lines[0].line
    assert free_of(book, row.offer, line, NOW) == 0
    book.put(
        "0" * 64,
        Pool(
            lessor="did:north",
            number="P",
            lines={"c": PoolLine(resource="chip", chip="big", count=10)},
            entry=0,
        ),
    )
    assert free_of(book, row.offer, line, NOW) == 8
    booking = Booking(lease="l", line="c", source="x/c", count=7, start=0, until=12 * DAY)
    book.put(f"{'0' * 64}/c", Bookings(taken=(booking,)))
    assert free_of(book, row.offer, line, NOW) == 3
    assert free_of(book, row.offer, line, 12 * DAY) == 8


def test_what_comes_free_with_chips_says_nothing_of_their_price():
    made = Book(EmptyShelf())
    dear = offer("DEAR", price=3_000_000, entry=1)
    tree = dear.payload.model_dump(mode="json", by_alias=True, exclude_none=True)
    tree["tariff"]["lines"][1] = {"line": "cpu", "basis": "metered", "price_micro": 0}
    made.put(
        "0" * 64, Offer(lessor="did:north", payload=OfferPublished.model_validate_json(dump(tree)), entry=1)
    )
    (found,) = list_offers(made, NOW)
    assert found.lowest_micro == 3_000_000
    assert list_offers(made, NOW, Search(price_micro=2_000_000)) == []
    assert len(list_offers(made, NOW, Search(price_micro=3_000_000))) == 1
