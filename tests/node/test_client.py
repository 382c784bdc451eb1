"""The client against real nodes, and against nodes that lie: it reports success only for what is proved."""

import json
import ssl
from dataclasses import replace
from hashlib import sha256

import pytest
from api_world import b64, between
from processes import Founded, Party, Place

from pseudoledger.contract.book import Book
from pseudoledger.contract.things import Pool
from pseudoledger.errors import (
    InvalidSignature,
    MalformedError,
    PeerError,
    PeerUnreachable,
    RegistrationRefused,
    VerificationError,
)
from pseudoledger.identity.keys import Signer
from pseudoledger.ledger.receipt import build, decode_receipt, encode_receipt, sign_head, verify_receipt
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import Frontier, hash_leaf, inclusion_proof
from pseudoledger.node.client import KnownLedger, NodeClient, Stands
from pseudoledger.node.ledgers import DirectoryLedger, NodeLedger
from pseudoledger.registrar import Refused, Registered
from pseudoledger.statement import envelope

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def quick(monkeypatch):
    """Pauses between attempts are counted and not waited for."""
    paused = []
    monkeypatch.setattr("pseudoledger.node.asking.time.sleep", paused.append)
    return paused


class Shared(Founded):
    """One founded ledger for this file; every call gives a party of its own."""

    parties = 20

    def party(self, number=None):
        self.parties += 1
        return Party(number or self.parties, self.id)


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return Shared(Place(tmp_path_factory.mktemp("client")))


@pytest.fixture
def own(place):
    """A ledger for one test alone."""
    return Founded(place)


@pytest.fixture(scope="module")
def node(founded):
    with founded.serve() as running:
        yield running


@pytest.fixture
def client(founded, node):
    with NodeClient(node.url, ledger_key=founded.key) as made:
        yield made


def honest(_method, _path, _sent, answer):
    return answer


def twisted(node, twist):
    """A client of a node between, which twists what the real one answers to a registration."""

    def one(method, path, sent, answer):
        return twist(sent, answer) if method == "POST" else answer

    return between(node.url, one)


def test_one_statement_and_again(client, founded):
    raw = founded.party().pool("P-1")
    stands = client.submit(raw)
    assert verify_receipt(stands.receipt, raw, founded.key, "node.example/test").leaf_index == stands.index
    assert client.submit(raw) == stands
    assert client.statement(stands.id) == raw
    assert client.receipt(stands.id).index == stands.index


def test_many_statements_and_each_ones_answer(client, founded):
    party = founded.party()
    good, bad = party.pool("P-1"), founded.party(8).sign({"type": "demand.closed"}, sub="0" * 64)
    first, refused = client.submit_many([good, bad])
    assert isinstance(first, Stands)
    assert first.known is False
    assert isinstance(refused, Refused)
    assert refused.findings[0].code
    (again,) = client.submit_many([good])
    assert again == Stands(id=first.id, index=first.index, receipt=first.receipt, known=True)
    with pytest.raises(RegistrationRefused) as failure:
        client.submit(bad)
    assert failure.value.findings == refused.findings


def test_trying_out_registers_nothing(client, founded):
    size = client.status().size
    raw = founded.party().pool("P-1")
    (answer,) = client.try_out([raw])
    assert answer == Registered(id=envelope.decode(raw).id, index=size, known=False)
    assert client.status().size == size


def test_more_than_one_batch(client, founded, monkeypatch):
    monkeypatch.setattr("pseudoledger.node.client.BATCH_MAX", 3)
    raws = [founded.party().pool(f"P-{number}") for number in range(7)]
    found = client.submit_many(raws)
    assert [item.id for item in found] == [envelope.decode(raw).id for raw in raws]
    assert len({item.index for item in found}) == 7


def test_the_checkpoint_is_verified(client, founded):
    checkpoint = client.checkpoint().checkpoint
    assert checkpoint.origin == "node.example/test"
    assert checkpoint.size >= 2


def test_what_is_first_met_is_remembered_by_the_caller(node, founded):
    with NodeClient(node.url) as client:
        known = client.known
    assert known == KnownLedger(origin="node.example/test", ledger=founded.id, ledger_key=founded.key)
    with NodeClient(node.url, known=known) as client:
        assert client.known == known


def test_another_key_or_ledger_than_pinned_is_refused(node, founded):
    other = Signer.from_seed(b"\x55" * 32).did
    raw = founded.party().pool("P-1")
    with NodeClient(node.url, ledger_key=other) as client, pytest.raises(VerificationError, match="leads"):
        client.submit(raw)
    known = KnownLedger(origin="node.example/test", ledger="0" * 64, ledger_key=founded.key)
    with (
        NodeClient(node.url, known=known) as client,
        pytest.raises(VerificationError, match="another ledger"),
    ):
        client.submit(raw)
    with pytest.raises(MalformedError):
        NodeClient(node.url, ledger_key="did:key:zzz")


def test_the_shelf_behind_a_node_holds_the_same_book(client, founded):
    party = founded.party()
    client.submit_many([party.pool(f"P-{number}") for number in range(15)])
    ledger = NodeLedger(client)
    store = Store.open_reader(founded.directory)
    local = DirectoryLedger(store)
    assert list(Book(ledger).all(Pool)) == list(Book(local).all(Pool))
    assert Book(ledger).ledger == Book(local).ledger
    keys = [key for key, _ in Book(local).all(Pool)]
    one_by_one = Book(NodeLedger(client))
    assert [one_by_one.get(Pool, key) for key in keys] == [Book(local).get(Pool, key) for key in keys]
    assert one_by_one.get(Pool, "0" * 64) is None
    for index in range(store.size):
        assert ledger.entry(index) == local.entry(index)
        assert ledger.block_of(index) == local.block_of(index)
        assert ledger.receipt(local.entry(index)) == local.receipt(local.entry(index))
    assert ledger.entry(store.size) is None
    assert ledger.entry_by_id(keys[0]) == local.entry_by_id(keys[0])
    assert ledger.counts() == local.counts()
    assert ledger.numbers("pool") == local.numbers("pool")
    assert ledger.ids_numbered("pool.declared", "P-3", limit=2) == local.ids_numbered(
        "pool.declared", "P-3", limit=2
    )
    assert ledger.keys_that_begin("pool", keys[0][:8], limit=3) == [keys[0]]
    assert ledger.ids_that_begin(keys[0][:8], limit=3) == [keys[0]]
    store.close()


# Lies


def forged(signer, raw, origin="node.example/test", size=4, index=2):
    """A receipt that is right in form, by whoever signs."""
    others = [sha256(bytes([number])).digest() for number in range(2)]
    leaf = hash_leaf(raw)
    tree = Frontier()
    stored = tree.store([others[0], others[1], leaf, others[0]])
    path = inclusion_proof(index, size, lambda positions: [stored[position] for position in positions])
    return build(sign_head(signer, origin, size, tree.root()), index, path)


def lie_of_another_key(sent, answer):
    return 201, {"content-type": "application/cose"}, forged(Signer.from_seed(b"\x66" * 32), sent)


def lie_without_a_receipt(sent, answer):
    return 201, {"content-type": "application/cose"}, b""


def lie_of_a_changed_proof(sent, answer):
    status, headers, body = answer
    return status, headers, body[:-1] + bytes([body[-1] ^ 1])


def lie_of_a_later_index(sent, answer):
    decoded = decode_receipt(answer[2])
    return answer[0], answer[1], encode_receipt(replace(decoded, leaf_index=0))


@pytest.mark.parametrize(
    "lie", [lie_of_another_key, lie_without_a_receipt, lie_of_a_changed_proof, lie_of_a_later_index]
)
def test_a_receipt_that_proves_nothing_is_no_success(node, founded, lie):
    with (
        twisted(node, lie) as liar,
        NodeClient(liar.url, ledger_key=founded.key) as client,
        pytest.raises(VerificationError),
    ):
        client.submit(founded.party().pool("P-1"))


def test_the_receipt_of_another_statement_is_no_success(node, founded, client):
    other = client.submit(founded.party().pool("P-other"))

    def lie(sent, answer):
        return answer[0], answer[1], other.receipt

    with (
        twisted(node, lie) as liar,
        NodeClient(liar.url, ledger_key=founded.key) as deceived,
        pytest.raises(InvalidSignature),
    ):
        deceived.submit(founded.party().pool("P-1"))


@pytest.mark.parametrize("field", ["receipt", "index", "id"])
def test_a_batch_that_names_one_thing_and_proves_another(node, founded, client, field):
    other = client.submit(founded.party().pool("P-other"))

    def lie(sent, answer):
        items = json.loads(answer[2])
        items[0][field] = {"receipt": b64(other.receipt), "index": other.index, "id": other.id}[field]
        return answer[0], answer[1], json.dumps(items).encode()

    with (
        twisted(node, lie) as liar,
        NodeClient(liar.url, ledger_key=founded.key) as deceived,
        pytest.raises(VerificationError),
    ):
        deceived.submit_many([founded.party().pool("P-1")])


def test_another_statement_than_asked_for_is_noticed(node, founded, client):
    one, other = client.submit_many([founded.party().pool("P-1"), founded.party().pool("P-2")])

    def lie(method, path, sent, answer):
        swapped = path.replace(one.id, other.id)
        return answer if swapped == path else (200, {}, client.statement(other.id))

    with between(node.url, lie) as liar, NodeClient(liar.url, ledger_key=founded.key) as deceived:
        ledger = NodeLedger(deceived)
        for ask in (lambda: deceived.statement(one.id), lambda: ledger.entry(one.index)):
            with pytest.raises(VerificationError):
                ask()


def test_a_node_that_claims_another_key_has_to_explain_it(node, founded):
    mallory = Signer.from_seed(b"\x66" * 32)

    def lie(method, path, sent, answer):
        return answer[0], answer[1], answer[2].replace(founded.key.encode(), mallory.did.encode())

    known = KnownLedger(origin="node.example/test", ledger=founded.id, ledger_key=founded.key)
    with between(node.url, lie) as liar:
        for pins in ({"ledger_key": founded.key}, {"known": known}):
            with NodeClient(liar.url, **pins) as client, pytest.raises(VerificationError):
                client.submit(founded.party().pool("P-1"))


# A ledger key that was changed


@pytest.mark.parametrize("field", ["ledger", "origin"])
def test_a_node_that_repeats_the_pinned_key_and_names_another_ledger(node, founded, client, field):
    """Statements would be signed for that one."""

    def lie(_method, path, _sent, answer):
        if path != "/api/v1/status":
            return answer
        changed = {**json.loads(answer[2]), field: "0" * 64}
        return answer[0], {"content-type": "application/json"}, json.dumps(changed).encode()

    before = client.status().size
    with (
        between(node.url, lie) as liar,
        NodeClient(liar.url, ledger_key=founded.key) as deceived,
        pytest.raises((VerificationError, PeerError)),
    ):
        deceived.submit(founded.party().pool("P-1"))
    assert client.status().size == before


def test_a_key_change_is_explained_by_the_founders_own_statement(own):
    raw = own.party().pool("P-1")
    with own.serve() as node, NodeClient(node.url) as client:
        before, early = client.known, client.submit(raw)
    own.place.pl(
        "ledger", "change-key", "second", "--as", "node.example-test-founder",
        "--ledger", own.directory, "--unsealed",
    )  # fmt: skip
    with own.serve() as node:
        with NodeClient(node.url, known=before) as client:
            assert client.known.ledger_key != before.ledger_key
            # Its receipt is by the key that was in force then.
            (again,) = client.submit_many([raw])
            assert (again.index, again.known) == (early.index, True)
            assert decode_receipt(again.receipt).ledger == before.ledger_key
            assert decode_receipt(client.submit(own.party().pool("P-2")).receipt).ledger != before.ledger_key
        with NodeClient(node.url, ledger_key=before.ledger_key) as client:
            assert client.known.ledger == before.ledger

        def hide(method, path, sent, answer):
            if "ledger.key_changed" in path:
                return 200, {}, b'{"items":[],"next":null,"as_of":0}'
            return answer

        with (
            between(node.url, hide) as liar,
            NodeClient(liar.url, known=before) as client,
            pytest.raises(VerificationError, match="leads"),
        ):
            client.submit(raw)


# On its way


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_passes_is_sent_again(node, founded, quick, status):
    left = [2]

    def busy(sent, answer):
        left[0] -= 1
        return answer if left[0] < 0 else (status, {"retry-after": "7"}, b"{}")

    with twisted(node, busy) as proxy, NodeClient(proxy.url, ledger_key=founded.key) as client:
        client.submit(founded.party().pool("P-1"))
        assert [entry for entry in proxy.seen if entry[0] == "POST"][2:]
    assert quick == [7, 7]


def test_an_answer_that_is_lost_is_asked_for_again(node, founded, client):
    lost = [1]

    def cut(sent, answer):
        lost[0] -= 1
        return (None, {}, b"") if lost[0] == 0 else answer

    raw = founded.party().pool("P-1")
    with twisted(node, cut) as proxy, NodeClient(proxy.url, ledger_key=founded.key) as lossy:
        stands = lossy.submit(raw)
    assert client.submit(raw) == stands


def test_it_gives_up_after_so_many_attempts(node, founded, quick):
    def busy(sent, answer):
        return 429, {"retry-after": "1"}, b'{"detail": "too many wait"}'

    with twisted(node, busy) as proxy:
        with (
            NodeClient(proxy.url, ledger_key=founded.key, attempts=3) as client,
            pytest.raises(PeerUnreachable, match="too many wait"),
        ):
            client.submit(founded.party().pool("P-1"))
        assert sum(entry[0] == "POST" for entry in proxy.seen) == 3
    assert quick == [1, 1]


def test_nobody_there(quick):
    with NodeClient("http://127.0.0.1:1", attempts=2) as client, pytest.raises(PeerUnreachable):
        client.status()
    assert len(quick) == 1


@pytest.mark.parametrize("status", [202, 302, 303])
def test_a_registration_that_still_runs_is_followed(node, founded, monkeypatch, status):
    monkeypatch.setattr("pseudoledger.node.client.time.sleep", lambda _seconds: None)
    polls = [2]
    raw = founded.party().pool("P-1")
    place = f"/entries/{envelope.decode(raw).id}"

    def running(method, path, sent, answer):
        if method == "POST":
            return status, {"location": place, "retry-after": "1"}, b""
        if path == place and polls[0]:
            polls[0] -= 1
            return 302, {"location": place}, b""
        return answer

    with between(node.url, running) as slow, NodeClient(slow.url, ledger_key=founded.key) as client:
        stands = client.submit(raw)
    assert stands.id in place
    assert polls == [0]


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:9/entries/x", "http://xn--0/", "http://[::1", "/" + "x" * 60_000, None]
)
def test_a_registration_that_leads_elsewhere_or_nowhere(node, founded, monkeypatch, location):
    monkeypatch.setattr("pseudoledger.node.client.time.sleep", lambda _seconds: None)

    def away(sent, answer):
        return 303, ({"location": location} if location else {}), b""

    with (
        twisted(node, away) as proxy,
        NodeClient(proxy.url, ledger_key=founded.key) as client,
        pytest.raises(PeerError),
    ):
        client.submit(founded.party().pool("P-1"))


@pytest.mark.parametrize("body", [b"", b"[]", b"[1]", b'[{"id": 3}]', b"{"])
def test_nonsense_from_a_node_is_an_error_of_ours(node, founded, body):
    def nonsense(sent, answer):
        return 200, {}, body

    with (
        twisted(node, nonsense) as proxy,
        NodeClient(proxy.url, ledger_key=founded.key) as client,
        pytest.raises((PeerError, VerificationError)),
    ):
        client.submit_many([founded.party().pool("P-1")])


def test_an_answer_without_end_is_cut_off(node, founded, monkeypatch):
    monkeypatch.setattr("pseudoledger.node.asking.ANSWER_MAX", 100)
    with NodeClient(node.url) as client, pytest.raises(PeerError, match="larger"):
        client.status()


def test_a_token_goes_with_what_is_written_alone(own):
    token = own.place.pl("serve-token", "tokens").split("token")[2].split()[0]
    raw = own.party().pool("P-1")
    with own.serve("--write-tokens", own.place.directory / "tokens") as node:
        with NodeClient(node.url) as client, pytest.raises(PeerError, match="token") as failure:
            client.submit(raw)
        assert failure.value.hint
        with between(node.url, honest) as proxy, NodeClient(proxy.url, token=token) as client:
            client.submit(raw)
            for method, _, headers, _ in proxy.seen:
                assert ("Authorization" in {name.title() for name in headers}) == (method == "POST")


@pytest.mark.parametrize("url", ["", "node.example", "ftp://node.example", "http://", "http://x.example?y"])
def test_what_is_no_url(url):
    with pytest.raises(MalformedError):
        NodeClient(url)


def test_tls_is_verified_by_default():
    with NodeClient("https://node.example") as client:
        context = client.asking._http._transport._pool._ssl_context
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


def test_statements_that_are_none(client):
    with pytest.raises(MalformedError):
        client.submit(b"no statement")
    with pytest.raises(MalformedError):
        client.submit_many([b"no statement"])
