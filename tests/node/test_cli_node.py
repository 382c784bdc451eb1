"""Every command with --node says what it says with --ledger, and believes a node no more than it has to."""

import json
import signal

import httpx
import pytest
from api_world import between, play_month
from processes import Party, Place, Running

from pseudoledger.ledger.receipt import verify_receipt
from pseudoledger.ledger.store import Store

READ = [
    "offer list --all",
    "demand list --all",
    "pool list",
    "broker list --all",
    "broker matches --all",
    "bid list --all",
    "lease list --all",
    "lease show L-train-and-serve",
    "lease statement L-train-and-serve",
    "delivery list --all",
    "usage list --all",
    "invoice list --all",
    "invoice show 2026-03-train-and-serve-1",
    "payment list --all",
    "voucher list --all",
    "voucher list --all --of river-lab",
    "voucher show V-1",
    "voucher report PR-1",
    "voucher programme list",
    "voucher programme show PR-1",
    "asset list --all",
    "asset show S-1",
    "dispute list --all",
    "dispute show D-1",
    "show 12",
    "show {id}",
    "show {prefix}",
    "todo --as harbour-cpu",
]


EMPTY = {"bid list --all", "todo --as harbour-cpu"}
"""What the month has nothing of."""


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """The played month, served by a real process; and the place its keys are in."""
    directory = tmp_path_factory.mktemp("cli-node") / "month"
    stage = play_month(directory)
    stage.registrar.close()
    place = Place(directory)
    running = Running("serve", directory / "ledger", "--port", "0", env=place.env)
    place.node = running.url
    yield place
    running.stop()
    running.close()


@pytest.mark.parametrize("command", READ)
def test_reading_over_a_node_shows_the_same(month, command):
    store = Store.open_reader(month.directory / "ledger")
    key = store.entry(20).id
    store.close()
    words = command.format(id=key, prefix=key[:10]).split()
    local = month.pl(*words, "--json", "--ledger", "ledger")
    assert month.pl(*words, "--json", "--node", month.node) == local
    assert json.loads(local) or command in EMPTY


def test_status_over_a_node(month):
    local = json.loads(month.pl("status", "--json", "--ledger", "ledger"))
    remote = json.loads(month.pl("status", "--json", "--node", month.node))
    assert remote.pop("signing").startswith("founder at http://")
    assert local.pop("signing")
    assert remote == local


def test_proofs_over_a_node_are_those_of_the_directory(month):
    for words, name in (
        (("receipt", "get", "12"), "x.receipt"),
        (("receipt", "get", "12", "--transparent"), "x.scitt"),
        (("receipt", "proof", "12"), "x.proof"),
    ):
        month.pl(*words, "-o", f"local-{name}", "--ledger", "ledger")
        month.pl(*words, "-o", f"remote-{name}", "--node", month.node)
        assert (month.directory / f"remote-{name}").read_bytes() == (
            month.directory / f"local-{name}"
        ).read_bytes()
    line = month.pl("policy", "log", "--ledger", "ledger")
    assert month.pl("policy", "log", "--node", month.node) == line


def test_what_is_named_wrongly_is_said_in_the_same_words(month):
    for words in (("lease", "show", "L-train-and-sarve"), ("show", "abcdef"), ("invoice", "show", "none")):
        local = month.pl(*words, "--ledger", "ledger", code=2)
        assert month.pl(*words, "--node", month.node, code=2) == local


@pytest.fixture
def stranger(founded, tmp_path):
    """Somebody with a keystore of its own, who knows the ledger by its node alone."""
    place = Place(tmp_path / "stranger")
    place.directory.mkdir()
    place.env["PSEUDOLEDGER_KEYS"] = str(place.directory / "keys")
    place.pl("id", "new", "alice", "--unsealed")
    return place


POOL = ("pool", "declare", "P1", "--line", "h100=8xnvidia-h100-sxm5-80gb", "--as", "alice")


def test_registering_through_a_node(founded, stranger):
    with founded.serve() as node:
        over = ("--node", node.url)
        tried = json.loads(stranger.pl(*POOL, *over, "--dry-run", "--json"))
        assert tried["registered"] is False
        assert json.loads(stranger.pl("pool", "list", *over, "--json")) == []
        done = json.loads(stranger.pl(*POOL, *over, "--json"))
        assert (done["registered"], done["index"], done["known"]) == (True, tried["index"], False)
        (pool,) = json.loads(stranger.pl("pool", "list", *over, "--json"))
        assert pool["id"] == done["id"]
        (stranger.directory / "bad.scitt").write_bytes(Party(9, "0" * 64).pool("P-bad"))
        assert "refused: " in stranger.pl("submit", "bad.scitt", *over, code=1)
        stranger.pl("pool", "declare", "P2", *POOL[3:], *over, "-o", "p2.scitt")
        sent = json.loads(stranger.pl("submit", "p2.scitt", "--receipt-dir", "receipts", *over, "--json"))
        again = json.loads(stranger.pl("submit", "p2.scitt", *over, "--json"))
        assert (again["index"], again["known"]) == (sent["index"], True)
    raw, receipt = (stranger.directory / name for name in ("p2.scitt", "receipts/p2.receipt"))
    proved = verify_receipt(receipt.read_bytes(), raw.read_bytes(), founded.key, "node.example/test")
    assert proved.leaf_index == sent["index"]
    stranger.pl("receipt", "verify", raw, receipt, "--key", founded.key)


def test_first_contact_is_said_and_remembered(founded, stranger):
    known = stranger.directory / "keys" / "known-nodes"
    with founded.serve() as node:
        stranger.env["PSEUDOLEDGER_NODE"] = node.url
        assert not known.exists()
        done = json.loads(stranger.pl("pool", "list", "--json"))
        assert done == []
        kept = json.loads(known.read_text())
        assert kept[node.url]["ledger_key"] == founded.key
        assert known.stat().st_mode & 0o077 == 0
        # Another ledger under the same URL is not believed.
        kept[node.url]["ledger"] = "0" * 64
        known.write_text(json.dumps(kept))
        assert "another ledger" in stranger.pl("status", code=1)
        known.write_text("{}")
        known.unlink()
        other = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
        assert "ledger key" in stranger.pl("status", "--node-key", other, code=1)
        assert not known.exists()
        stranger.pl("status", "--node-key", founded.key)
        assert known.exists()
        known.write_text("{")
        assert "not a record of nodes" in stranger.pl("status", code=1)


def test_a_changed_key_is_explained_or_refused(founded, stranger):
    with founded.serve() as node:
        url = node.url
        stranger.pl("status", "--node", url)
    founded.place.pl(
        *("ledger", "change-key", "second", "--as", "node.example-test-founder", "--unsealed"),
        *("--ledger", founded.directory),
    )
    known = stranger.directory / "keys" / "known-nodes"
    kept = json.loads(known.read_text())[url]
    with founded.serve() as node:
        known.write_text(json.dumps({node.url: kept}))
        stranger.pl("status", "--node", node.url)
        changed = json.loads(known.read_text())[node.url]
        assert changed["ledger_key"] != kept["ledger_key"]
        assert changed["ledger"] == kept["ledger"]

        def hide(_method, path, _sent, answer):
            empty = (200, {}, b'{"items":[],"next":null,"as_of":0}')
            return empty if "key_changed" in path else answer

        with between(node.url, hide) as liar:
            known.write_text(json.dumps({liar.url: kept}))
            assert "no statement of the founder leads there" in stranger.pl(
                "status", "--node", liar.url, code=1
            )


def test_a_lying_node_is_no_success(founded, stranger):
    def lie(method, _path, _sent, answer):
        if method == "GET":
            return answer
        items = json.loads(answer[2])
        for item in items:
            item["index"] += 1
        return answer[0], answer[1], json.dumps(items).encode()

    with founded.serve() as node, between(node.url, lie) as liar:
        said = stranger.pl(*POOL, "--node", liar.url, code=1)
        assert "its receipt proves entry" in said
        assert "Registered" not in said


def test_where_the_ledger_is(founded, stranger):
    directory = str(founded.directory)
    with founded.serve() as node:
        assert "one of --ledger and --node" in stranger.pl(
            "status", "--ledger", directory, "--node", node.url, code=2
        )
        # An option goes before the other's variable.
        stranger.env["PSEUDOLEDGER_DIR"] = directory
        assert node.url in stranger.pl("status", "--node", node.url)
        stranger.env["PSEUDOLEDGER_NODE"] = node.url
        assert "both" in stranger.pl("status", code=2)
        del stranger.env["PSEUDOLEDGER_DIR"]
        assert directory in stranger.pl("status", "--ledger", directory)
        assert "--node URL" in stranger.pl("status", "--ledger", directory, "--node-key", founded.key, code=2)
    assert "cannot be reached" in stranger.pl("status", code=3)


def test_a_write_token_is_taken_from_the_environment(founded, stranger):
    tokens = founded.place.directory / "tokens"
    token = json.loads(founded.place.pl("serve-token", tokens, "--json"))["token"]
    with founded.serve("--write-tokens", tokens) as node:
        assert "token" in stranger.pl(*POOL, "--node", node.url, code=3)
        stranger.env["PSEUDOLEDGER_NODE_TOKEN"] = token
        stranger.pl(*POOL, "--node", node.url)


def test_a_listener_is_let_go_when_the_node_stops(founded):
    with founded.serve() as node:
        with httpx.stream(
            "GET", f"{node.url}/api/v1/entries/stream", params={"from": 0}, timeout=60
        ) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "id: 0"
            node.process.send_signal(signal.SIGTERM)
            rest = list(lines)
        code, _ = node.stop()
    assert code == 0
    assert any(line.startswith("data: ") for line in rest)
