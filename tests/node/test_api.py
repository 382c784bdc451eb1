"""The JSON API over a played month: what it lists is what the book holds, in pages that miss nothing."""

import asyncio
import json
from dataclasses import asdict
from itertools import pairwise

import anyio
import pytest
from api_world import World

from pseudoledger.contract.account import lease_account
from pseudoledger.contract.derive import due_minor, invoice_status, lease_status, offer_status
from pseudoledger.contract.things import Chain, Invoice, Lease, Offer
from pseudoledger.errors import StoreError
from pseudoledger.ledger import query
from pseudoledger.ledger.store import Store
from pseudoledger.node.api import listing, stream
from pseudoledger.statement import envelope

API = "/api/v1"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("api") / "month")
    yield made
    made.close()


def declare(world):
    """Let a newcomer declare itself: one entry and its block."""
    signer = world.stage.signer("newcomer")
    tree = {"type": "identity.declared", "v": 1, "label": "new"}
    world.stage.registrar.register([world.stage.sign("newcomer", tree, sub=signer.did)])


@pytest.fixture(scope="module")
def book(world):
    return world.stage.registrar.book


def test_the_status_is_that_of_the_ledger(world):
    status, registrar = world.json(f"{API}/status"), world.stage.registrar
    state = registrar.state
    assert (status["origin"], status["ledger"], status["ledger_key"]) == (
        state.origin,
        state.id,
        state.ledger_key,
    )
    assert (status["size"], status["height"]) == (registrar.store.size, state.height)
    assert status["root"] == registrar.store.frontier().root().hex()
    assert status["clock"] == "simulated"
    assert (status["role"], status["as_of"]) == ("founder", world.stage.now)
    assert status["standing"]["witnesses"] == []


def test_counts_are_those_of_the_entries(world):
    kinds = world.json(f"{API}/counts")["kinds"]
    rows = list(world.stage.registrar.store.entries())
    assert sum(kinds.values()) == len(rows)
    assert kinds["lease.proposed"] == sum(row.type == "lease.proposed" for row in rows)


@pytest.mark.parametrize("limit", [1, 2, 500])
def test_leases_are_those_of_the_book_newest_first(world, book, limit):
    items = world.walk(f"{API}/leases", limit=limit)
    expected = sorted(book.all(Lease), key=lambda item: -item[1].entry)
    assert [item["id"] for item in items] == [key for key, _ in expected]
    for item, (_, lease) in zip(items, expected, strict=True):
        assert item["status"] == lease_status(lease, world.stage.now)
        assert item["terms"] == lease.versions[-1].terms


def test_invoices_say_what_is_due(world, book):
    now = world.stage.now
    items = world.walk(f"{API}/invoices", limit=2, sort="entry")
    assert [item["id"] for item in items] == [
        key for key, _ in sorted(book.all(Invoice), key=lambda item: item[1].entry)
    ]
    for item in items:
        invoice = book.get(Invoice, item["id"])
        assert item["status"] == invoice_status(invoice, now)
        assert item["overdue"] == (item["status"] == "overdue")
        assert (item["open_minor"], item["due_minor"]) == (invoice.open_minor, due_minor(invoice, now))


@pytest.mark.parametrize(("sort", "sign"), [("due_at", 1), ("-due_at", -1)])
@pytest.mark.parametrize("limit", [1, 3, 100])
def test_invoices_by_due_time_in_pages(world, book, sort, sign, limit):
    items = world.walk(f"{API}/invoices", limit=limit, sort=sort)
    expected = sorted((invoice.due_at, key) for key, invoice in book.all(Invoice))[::sign]
    assert [(item["due_at"], item["id"]) for item in items] == expected
    assert len(expected) > 3


def test_filters_keep_what_they_name(world, book):
    leases = dict(book.all(Lease))
    party = next(iter(leases.values())).lessor
    found = {item["id"] for item in world.walk(f"{API}/leases", party=party)}
    assert found == {key for key, lease in leases.items() if party in (lease.lessor, lease.lessee)}
    assert 0 < len(found) < len(leases)
    ended = world.walk(f"{API}/leases", status="ended")
    assert ended
    assert {item["status"] for item in ended} == {"ended"}
    lease = next(invoice.lease for _, invoice in book.all(Invoice))
    billed = world.walk(f"{API}/invoices", lease=lease)
    assert {item["id"] for item in billed} == {key for key, one in book.all(Invoice) if one.lease == lease}
    assert world.walk(f"{API}/leases", currency="CHF") == []


def test_offers_and_demands(world, book):
    offers = world.walk(f"{API}/offers", limit=3)
    assert {item["id"]: item["status"] for item in offers} == {
        key: offer_status(offer, world.stage.now) for key, offer in book.all(Offer)
    }
    chip = "nvidia-h200-sxm-141gb"
    with_chip = world.walk(f"{API}/offers", chip=chip)
    assert with_chip
    assert all(chip in json.dumps(item["payload"]["lines"]) for item in with_chip)
    assert len(with_chip) < len(offers)
    one = world.json(f"{API}/demands")["items"][0]
    assert world.json(f"{API}/demands/{one['id']}") == one


def test_identities_by_any_key_of_the_chain(world, book):
    items = world.walk(f"{API}/identities", limit=2)
    assert [item["did"] for item in items] == [key for key, _ in book.all(Chain)]
    one = items[0]
    assert world.json(f"{API}/identities/{one['acting_key']}") == one
    assert world.walk(f"{API}/identities", label=one["label"]) == [one]


def test_the_account_is_what_the_command_line_draws_up(world, book):
    for key, _ in book.all(Lease):
        account = lease_account(book, key, world.stage.now)
        given = world.json(f"{API}/leases/{key}/account")
        expected = json.loads(json.dumps(asdict(account)))
        assert {name: given[name] for name in expected} == expected
        assert given["open_minor"] == account.open_minor


def test_statements_decoded_and_as_bytes(world):
    store = world.stage.registrar.store
    items = world.walk(f"{API}/statements", limit=100, sort="entry")
    assert [item["index"] for item in items] == list(range(store.size))
    for item in items[:: len(items) // 20]:
        row = store.entry(item["index"])
        decoded = envelope.decode(row.statement)
        assert (item["id"], item["issuer"], item["issued_at"]) == (decoded.id, decoded.iss, decoded.iat)
        assert item["payload"] == json.loads(decoded.payload)
        assert item["block"] == store.block_of(item["index"]).height
        raw = world.get(f"{API}/statements/{item['id']}/raw")
        assert raw.headers["content-type"] == "application/cose"
        assert raw.content == row.statement
        assert world.json(f"{API}/entries/{item['index']}") == item


def test_statements_of_a_kind_and_of_an_issuer(world):
    proposals = world.walk(f"{API}/statements", kind="lease.proposed", limit=2)
    assert {item["kind"] for item in proposals} == {"lease.proposed"}
    indexes = [item["index"] for item in proposals]
    assert indexes == sorted(indexes, reverse=True)
    issuer = proposals[0]["issuer"]
    signed = world.walk(f"{API}/statements", issuer=issuer, limit=500)
    rows = world.stage.registrar.store.entries()
    assert len(signed) == sum(row.issuer == issuer for row in rows)


def test_a_filtered_page_looks_at_so_many_and_says_where_to_go_on(world, monkeypatch):
    monkeypatch.setattr(listing, "EXAMINED_MAX", 1)
    page = world.json(f"{API}/leases", currency="CHF")
    assert page["items"] == []
    assert page["next"]
    assert world.walk(f"{API}/leases", currency="CHF") == []
    everything = world.walk(f"{API}/leases")
    monkeypatch.undo()
    assert everything == world.walk(f"{API}/leases")


def test_a_cursor_stays_good_while_entries_are_added(tmp_path):
    world = World(tmp_path / "month")
    try:
        first = world.json(f"{API}/statements", limit=7)
        before = world.walk(f"{API}/statements", limit=100)
        declare(world)
        after = world.json(f"{API}/statements", limit=100, cursor=first["next"])
        assert after["items"][0] == before[7]
        assert world.json(f"{API}/statements", limit=1)["items"][0]["index"] == before[0]["index"] + 2
    finally:
        world.close()


def test_blocks(world):
    store = world.stage.registrar.store
    items = world.walk(f"{API}/blocks", limit=40, sort="entry")
    assert [item["height"] for item in items] == list(range(1, store.last_block().height + 1))
    assert items[0]["first"] == 0
    assert all(a["index"] + 1 == b["first"] for a, b in pairwise(items))
    assert world.json(f"{API}/entries/{items[5]['first']}/block") == items[5]
    assert world.json(f"{API}/blocks/6") == items[5]


def test_a_book_over_the_things_is_the_book(world, book):
    for cls in (Lease, Invoice, Chain):
        sort = cls.__name__.lower()
        items = world.walk(f"{API}/things/{sort}", limit=2)
        stored = world.stage.registrar.store.things(sort)
        assert [(item["key"], item["value"]) for item in items] == [
            (key, json.loads(raw)) for key, raw in stored
        ]
    state = world.json(f"{API}/things/ledgerstate/")
    assert state["key"] == ""
    assert world.json(f"{API}/things/ledgerstate")["items"] == [state]
    key = world.json(f"{API}/things/bookings", limit=1)["items"][0]["key"]
    assert "/" in key
    assert world.json(f"{API}/things/bookings/{key}")["key"] == key


def test_names(world, book):
    key, lease = next(book.all(Lease))
    assert world.json(f"{API}/ids", begins=key[:8])["items"] == [key]
    found = world.json(f"{API}/ids/numbered", kind="lease.proposed", number=lease.number)["items"]
    assert found == [key]
    assert lease.number in world.json(f"{API}/numbers/lease")["items"]
    assert world.json(f"{API}/numbers/offer")["items"]


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        (f"{API}/leases?limit=0", 422, "limit"),
        (f"{API}/leases?limit=501", 422, "limit"),
        (f"{API}/leases?cursor=AAAA", 422, "cursor"),
        (f"{API}/things/chain?cursor=WyJjaGFpbiIsIlx1ZDgwMCJd", 422, "cursor"),
        (f"{API}/leases?status=late", 422, "status"),
        (f"{API}/leases?stauts=running", 422, "stauts"),
        (f"{API}/leases?party=did:key:zzz", 422, "party"),
        (f"{API}/things/nothing", 422, "sort"),
        (f"{API}/leases/{'0' * 64}", 404, None),
        (f"{API}/leases/{'0' * 64}/account", 404, None),
        (f"{API}/statements/{'0' * 64}/raw", 404, None),
        (f"{API}/entries/{2**62}", 404, None),
        (f"{API}/entries/{2**63}", 422, "index"),
        (f"{API}/blocks/1000000", 404, None),
        (f"{API}/things/lease/none", 404, None),
    ],
)
def test_what_is_wrong_is_a_problem_that_says_where(world, path, status, field):
    answer = world.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert problem["detail"]
    if field is not None:
        assert field in {finding["field"] for finding in problem["findings"]}


def test_an_address_that_nobody_serves_says_what_is_served(world):
    missing = world.get(f"{API}/leeses", headers={"accept": "application/json"})
    assert (missing.status_code, missing.json()["title"]) == (404, "Not Found")
    assert missing.json()["detail"] == (
        f"nothing is served at {API}/leeses; {API}/openapi.json describes what is under {API}"
    )


def test_the_document_shows_what_a_problem_looks_like(world):
    document = world.json(f"{API}/openapi.json")
    assert document["info"]["description"]
    answers = document["paths"][f"{API}/leases"]["get"]["responses"]
    for status in ("422", "503"):
        assert answers[status]["content"]["application/problem+json"]["example"]["status"] == int(status)


def test_a_cursor_of_another_list_or_order_is_refused(world):
    cursor = world.json(f"{API}/leases", limit=1)["next"]
    assert world.get(f"{API}/leases", params={"cursor": cursor, "sort": "entry"}).status_code == 422
    assert world.get(f"{API}/offers", params={"cursor": cursor}).status_code == 422


def test_cbor_clients_get_concise_problems(world):
    answer = world.get(
        f"{API}/leases/{'0' * 64}", headers={"Accept": "application/concise-problem-details+cbor"}
    )
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/concise-problem-details+cbor"


def test_health_and_readiness(world, monkeypatch):
    assert world.json("/health") == {"status": "ok"}
    assert world.json("/ready") == {"status": "ok"}
    monkeypatch.setattr(world.submitter, "open", False)
    answer = world.get("/ready")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert world.json("/health") == {"status": "ok"}


def test_a_store_that_cannot_be_read_is_503_and_not_ready(world, monkeypatch):
    def broken(*_arguments):
        raise StoreError("the disk failed")

    monkeypatch.setattr(type(world.reader), "view", broken)
    for path in (f"{API}/status", f"{API}/leases", "/ready"):
        answer = world.get(path)
        assert answer.status_code == 503
        assert "disk" not in answer.text


def events(text):
    """Parse server-sent events."""
    blocks = [block.split("\n") for block in text.replace("\r\n", "\n").split("\n\n") if "data:" in block]
    return [
        {line.split(": ", 1)[0]: line.split(": ", 1)[1] for line in lines if not line.startswith(":")}
        for lines in blocks
    ]


def test_the_stream_resumes_where_a_client_stopped(world):
    whole = events(world.get(f"{API}/entries/stream", params={"from": 0, "limit": 10}).text)
    assert [int(event["id"]) for event in whole] == list(range(10))
    store = world.stage.registrar.store
    for event in whole:
        entry = json.loads(event["data"])
        row = store.entry(entry["index"])
        assert (entry["id"], entry["kind"], entry["issuer"]) == (row.id, row.type, row.issuer)
        assert entry["block"] == store.block_of(row.index).height
    rest = world.get(f"{API}/entries/stream", params={"limit": 3, "from": 0}, headers={"Last-Event-ID": "6"})
    assert [int(event["id"]) for event in events(rest.text)] == [7, 8, 9]


def test_new_entries_come_down_the_stream(tmp_path):
    world = World(tmp_path / "month")

    async def listen():
        feed = stream.Feed(world.node)
        size, stop = await feed.size(), anyio.Event()
        coming = feed.events(size, 2, stop)
        first = asyncio.ensure_future(anext(coming))
        await feed.beyond(size - 1, stop)
        declare(world)
        got = [await first, await anext(coming)]
        with pytest.raises(StopAsyncIteration):
            await anext(coming)
        await asyncio.wait_for(feed._watcher, 5)
        return size, [int(event.id) for event in got], feed.listening

    try:
        size, ids, listening = asyncio.run(listen())
        assert ids == [size, size + 1]
        assert listening == 0
    finally:
        world.close()


def test_only_so_many_may_listen(world, monkeypatch):
    monkeypatch.setattr(stream, "STREAMS_MAX", 0)
    answer = world.get(f"{API}/entries/stream", params={"limit": 1, "from": 0})
    assert answer.status_code == 503


def test_queries_go_by_index(world):
    """No page of a list reads a whole table: SQLite says which index each query takes."""
    database = Store.open_reader(world.reader.directory)
    seen = []
    database._db.set_trace_callback(seen.append)
    list(query.entries(database, kind="lease.proposed", newest=True, limit=2))
    list(query.things_by_entry(database, "lease", "lease.proposed", limit=2))
    list(query.things_by_key(database, "chain", limit=2))
    list(query.invoices_by_due(database, after=(5, "a"), limit=2))
    list(query.things_of_lease(database, "0" * 64))
    list(query.blocks(database, limit=2))
    database._db.set_trace_callback(None)
    plans = {
        statement: [row[3] for row in database.rows(f"EXPLAIN QUERY PLAN {statement}")]
        for statement in seen
        if statement.startswith("SELECT")
    }
    database.close()
    assert len(plans) >= 6
    for statement, plan in plans.items():
        scans = [step for step in plan if step.startswith("SCAN") and step != "SCAN opened"]
        assert not scans, statement
    assert any("usage_lease" in step for plan in plans.values() for step in plan)


def test_the_document_names_every_route(world):
    document = world.json(f"{API}/openapi.json")
    paths = document["paths"]
    assert f"{API}/leases/{{id}}/account" in paths
    assert "/ready" in paths
    for path, operations in paths.items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["tags"], path
            for parameter in operation.get("parameters", ()):
                assert parameter["description"], (path, parameter["name"])


def test_the_document_describes_every_field(world):
    schemas = world.json(f"{API}/openapi.json")["components"]["schemas"]
    bare = [
        (name, field)
        for name, schema in schemas.items()
        for field, said in schema.get("properties", {}).items()
        if not said.get("description")
    ]
    assert not bare
