"""Programmes, vouchers, machines and disputes under the JSON API: what the book holds, in pages that miss nothing."""

import hashlib
import json
from dataclasses import asdict

import pytest
from api_world import World

from play import papers, vouchers
from play.papers import DAY, HOUR
from pseudoledger.contract.custody import custody_chain
from pseudoledger.contract.derive import dispute_status
from pseudoledger.contract.things.asset import Asset
from pseudoledger.contract.things.dispute import Dispute
from pseudoledger.contract.things.voucher import Presentation, Programme, Voucher
from pseudoledger.contract.vouchers import parts_of, presentation_status, programme_status, voucher_status
from pseudoledger.demo import city
from pseudoledger.demo.handover import NEW_KEY

API = "/api/v1"
LISTS = {"programmes": Programme, "vouchers": Voucher, "assets": Asset, "disputes": Dispute}


def present_twice(stage):
    """The holder of the played voucher leases cores for one fee, and presents a part of it for that, twice."""
    ((voucher, _),) = stage.registrar.book.all(Voucher)
    start, until = stage.now, stage.now + 2 * DAY
    line = {"id": "cores", "resource": "cpu_core", "count": 4}
    pool = stage.act(city.CENTRE, papers.pool(number="P-9", lines=[line]))
    tariff = {"currency": "USD", "lines": [{"line": "cores", "basis": "once", "fee_minor": 10_000}]}
    offer = papers.offer(
        pool,
        number="O-9",
        lines=[{**line, "pool_line": "cores"}],
        tariff=tariff,
        available=papers.period(start, until + 30 * DAY),
    )
    offered = stage.act(city.CENTRE, offer)
    leased = {
        **line,
        "offer": offered,
        "offer_line": "cores",
        "purpose": "other",
        "equivalence_ppm": 1_000_000,
    }
    terms = papers.terms(
        stage.did(city.CENTRE),
        stage.did(NEW_KEY),
        offered,
        lines=[leased],
        tariff=tariff,
        period=papers.period(start + HOUR, until + HOUR),
    )
    lease = stage.act(NEW_KEY, papers.proposal(terms, offered, start + HOUR, number="L-9"))
    stage.act(city.CENTRE, papers.simple("lease.signed"), lease)
    stage.now = start + HOUR
    delivery = stage.act(city.CENTRE, papers.delivery(("cores", 4), number="D-9"), lease)
    stage.act(NEW_KEY, papers.simple("delivery.accepted", delivery=delivery), lease)
    bill = papers.invoice(
        [papers.part_line("once", 10_000, line="cores")],
        number="I-9",
        start=start + HOUR,
        until=until + HOUR,
        contract=lease,
        due=stage.now + 14 * DAY,
        currency="USD",
    )
    invoice = stage.act(city.CENTRE, bill, lease)
    for number in ("S-8", "S-9"):
        stage.act(NEW_KEY, vouchers.presented(stage.did(city.CENTRE), invoice, 100, number), voucher)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("api") / "month")
    stage = made.stage
    present_twice(stage)
    (programme,) = [key for key, _ in stage.registrar.book.all(Programme)]
    period = {"from": "2026-10-20T00:00:00Z", "until": "2026-11-01T00:00:00Z"}
    for number, holder in (("V-2", city.LAB), ("V-3", "delta-cloud")):
        claim = {
            "type": "claim.attested",
            "tier": "documented",
            "valid": city.PROGRAMME,
            "claim": "kyc",
            "number": f"K-{number}",
            "subject_group": hashlib.sha256(holder.encode()).hexdigest(),
            "subject_name": holder,
        }
        stage.act(city.NOTARY, claim, stage.did(holder))
        voucher = {
            "type": "voucher.issued",
            "number": number,
            "holder": stage.did(holder),
            "face_minor": 1_000_000,
            "period": period,
        }
        stage.act(city.CITY, voucher, programme)
    machine = {
        "type": "asset.registered",
        "number": "SPARE-2",
        "serial": "ab" * 32,
        "chip": "nvidia-h100-sxm5-80gb",
        "count": 8,
        "parts": [],
        "country": "FI",
    }
    spare = stage.act("north-lake", machine)
    moved = {"type": "asset.moved", "number": "W-9", "to": stage.did("delta-cloud"), "reason": "lease"}
    stage.act("north-lake", moved, spare)
    yield made
    made.close()


@pytest.fixture(scope="module")
def book(world):
    return world.stage.registrar.book


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("sort", ["entry", "-entry"])
@pytest.mark.parametrize("limit", [1, 500])
def test_a_list_is_that_of_the_book_in_the_order_asked_for(world, book, name, sort, limit):
    items = world.walk(f"{API}/{name}", limit=limit, sort=sort)
    expected = sorted(book.all(LISTS[name]), key=lambda pair: pair[1].entry, reverse=sort == "-entry")
    assert [(item["id"], item["entry"]) for item in items] == [(key, thing.entry) for key, thing in expected]
    assert items
    for item in items:
        assert world.json(f"{API}/{name}/{item['id']}") == item


@pytest.mark.parametrize("name", LISTS)
def test_what_is_not_there_is_404_and_what_is_no_filter_422(world, name):
    assert world.get(f"{API}/{name}/{'0' * 64}").status_code == 404
    assert world.get(f"{API}/{name}/x").status_code == 422
    for filters in ({"party": "x"}, {"sort": "number"}, {"limit": 0}, {"cursor": "WyJ4IiwxXQ"}):
        assert world.get(f"{API}/{name}", params=filters).status_code == 422, filters


def test_a_programme_says_what_its_budget_holds(world, book):
    (item,) = world.walk(f"{API}/programmes")
    programme = book.get(Programme, item["id"])
    assert item["left_minor"] == item["budget_minor"] - item["issued_minor"] + item["withdrawn_minor"]
    assert item["vouchers"] == 3
    assert item["redeemed_minor"] > 0
    assert item["status"] == programme_status(programme, world.stage.now) == "open"
    assert item["payload"]["title"] == item["title"]
    issuer = world.stage.did(city.CITY)
    assert world.walk(f"{API}/programmes", party=issuer, status="open", currency="USD") == [item]
    for none in ({"party": world.stage.did("north-lake")}, {"status": "over"}, {"currency": "EUR"}):
        assert world.walk(f"{API}/programmes", **none) == []


def test_a_programme_says_what_was_redeemed_where(world):
    (item,) = world.walk(f"{API}/programmes")
    (centre,) = world.json(f"{API}/programmes/{item['id']}/centres")
    assert (centre["lessor"], centre["facility_class"]) == (world.stage.did(city.CENTRE), "state-run")
    assert centre["redeemed_minor"] == item["redeemed_minor"]
    assert centre["settled_minor"] + centre["unsettled_minor"] == centre["redeemed_minor"]
    assert world.get(f"{API}/programmes/{'0' * 64}/centres").status_code == 404


def test_the_parts_of_a_voucher_make_up_its_face(world, book):
    parts = ("free", "reserved", "presented", "redeemed", "lapsed", "withdrawn")
    items = world.walk(f"{API}/vouchers")
    for item in items:
        voucher = book.get(Voucher, item["id"])
        assert sum(item[f"{part}_minor"] for part in parts) == item["face_minor"]
        given = asdict(parts_of(voucher, world.stage.now))
        assert {name: item[name] for name in given} == given
        assert item["status"] == voucher_status(voucher, world.stage.now)
    assert any(item["redeemed_minor"] for item in items)


@pytest.mark.parametrize("sort", ["entry", "-entry"])
@pytest.mark.parametrize("limit", [1, 500])
def test_a_voucher_says_what_was_presented_of_it(world, book, sort, limit):
    everything = sorted(book.all(Presentation), key=lambda pair: pair[1].entry, reverse=sort == "-entry")
    seen = 0
    for key, voucher in book.all(Voucher):
        path = f"{API}/vouchers/{key}/presentations"
        items = world.walk(path, limit=limit, sort=sort)
        assert [item["id"] for item in items] == [ref for ref, held in everything if held.voucher == key]
        assert sum(item["redeemed_minor"] for item in items) == voucher.redeemed_minor
        for item in items:
            held = book.get(Presentation, item["id"])
            assert item["status"] == presentation_status(held, world.stage.now)
            names = set(item) - {"id", "status"}
            assert {name: item[name] for name in names} == {name: getattr(held, name) for name in names}
            assert item in world.walk(path, status=item["status"])
            assert item not in world.walk(path, status="released")
        seen += len(items)
    assert seen == len(everything) == 3


def test_presentations_of_no_voucher_are_404(world):
    assert world.get(f"{API}/vouchers/{'0' * 64}/presentations").status_code == 404
    assert world.get(f"{API}/vouchers/x/presentations").status_code == 422
    assert world.get(f"{API}/vouchers/{'0' * 64}/presentations", params={"status": "x"}).status_code == 422


def test_vouchers_are_narrowed(world, book):
    numbers = {
        name: {item["number"] for item in world.walk(f"{API}/vouchers", limit=1, **filters)}
        for name, filters in {
            "held": {"party": world.stage.did("delta-cloud")},
            "issued": {"party": world.stage.did(city.CITY)},
            "early": {"status": "early"},
            "programme": {"programme": next(key for key, _ in book.all(Programme))},
            "other": {"programme": "0" * 64},
            "currency": {"currency": "EUR"},
        }.items()
    }
    everything = {voucher.number for _, voucher in book.all(Voucher)}
    assert numbers["held"] == {"V-3"}
    assert numbers["early"] == {"V-2", "V-3"}
    assert numbers["issued"] == numbers["programme"] == everything
    assert numbers["other"] == numbers["currency"] == set()


def test_machines_with_their_custody(world, book):
    sold, spare = world.walk(f"{API}/assets", sort="entry")
    assert (spare["moving_to"], sold["moving_to"]) == (world.stage.did("delta-cloud"), None)
    for filters, expected in (
        ({"moving": True}, [spare]),
        ({"moving": False}, [sold]),
        ({"country": "FI", "chip": "nvidia-h100-sxm5-80gb"}, [spare]),
        ({"country": "JP"}, []),
        ({"party": world.stage.did("delta-cloud")}, [spare]),
        ({"party": sold["held_by"]}, [sold]),
    ):
        assert world.walk(f"{API}/assets", **filters) == expected, filters
    for item in (sold, spare):
        chain = world.json(f"{API}/assets/{item['id']}/custody")
        expected = json.loads(json.dumps(asdict(custody_chain(book, item["id"], world.stage.now))))
        assert chain == expected | {"as_of": world.stage.now}
    assert len(world.json(f"{API}/assets/{sold['id']}/custody")["countries"]) == 2
    assert world.get(f"{API}/assets/{'0' * 64}/custody").status_code == 404


def test_disputes_say_what_they_freeze(world, book):
    (item,) = world.walk(f"{API}/disputes")
    dispute = book.get(Dispute, item["id"])
    assert item["status"] == dispute_status(dispute, world.stage.now) == "decided"
    assert (item["frozen"], item["frozen_until"]) == (0, None)
    for filters in (
        {"party": item["by"]},
        {"party": item["against"]},
        {"party": item["arbiter"]},
        {"lease": item["lease"]},
        {"about": "invoice", "status": "decided"},
    ):
        assert world.walk(f"{API}/disputes", **filters) == [item]
    for filters in ({"about": "usage"}, {"status": "open"}, {"lease": "0" * 64}):
        assert world.walk(f"{API}/disputes", **filters) == []
