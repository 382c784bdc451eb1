"""Other ledgers' boards beside ours: verified before they are shown, marked as foreign, never folded in."""

import http.server
import json
import re
import shutil
import threading
from contextlib import contextmanager
from functools import partial

import httpx
import pytest
from pages_site import TakesNothing, served

from pseudoledger.cli.main import run
from pseudoledger.node.app import create_app
from pseudoledger.node.node import Node, Role
from pseudoledger.node.reading import Reader
from pseudoledger.statement.values import instant_seconds

NOW = "2026-02-20T08:00:00Z"
CHIP = "nvidia-h100-sxm5-80gb"
TERMS = "--currency USD --from 2026-03-01 --until 2026-12-31"


class Desk:
    """A folder with ledgers and keys, and the command line in it."""

    def __init__(self, folder, monkeypatch, capsys):
        self.folder, self._patch, self._capsys = folder, monkeypatch, capsys
        monkeypatch.chdir(folder)
        monkeypatch.setenv("PSEUDOLEDGER_NOW", NOW)
        self.keys("keys")

    def keys(self, name):
        self._patch.setenv("PSEUDOLEDGER_KEYS", str(self.folder / name))

    def pl(self, line, *more, code=0):
        self._capsys.readouterr()
        assert run([*line.split(), *more]) == code, self._capsys.readouterr().err
        said = self._capsys.readouterr()
        return said.out if code == 0 else said.err

    def json(self, line, *more):
        return json.loads(self.pl(line, *more, "--json"))

    def found(self, name, origin):
        self.pl(f"init {name} --origin {origin} --simulated-clock --unsealed")
        return json.loads((self.folder / name / "ledger.json").read_text())["ledger_key"]

    def offer(self, ledger, party, number, *, price="2.10", place="FI"):
        self.pl(f"pool declare P-{number} --line h100=16x{CHIP} --as {party} --ledger {ledger}")
        self.pl(
            f"offer publish {number} --pool P-{number} --line h100=16@{price}/h --country {place}"
            f" --as {party} --ledger {ledger} {TERMS}"
        )


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    made = Desk(tmp_path.resolve(), monkeypatch, capsys)
    made.key = made.found("other", "other.example/board")
    made.pl("id new north --unsealed")
    made.pl("id declare --label North --as north --ledger other")
    made.offer("other", "north", "ON")
    made.found("led", "try.example")
    made.pl("id new south --unsealed")
    made.offer("led", "south", "OS", price="2.60", place="SG")
    made.pl("tiles export other tiles")
    return made


@contextmanager
def node_of(directory):
    """A node over a ledger directory, served from this process, which is only read."""
    reader = Reader(directory)
    node = Node(
        reader=reader,
        submitter=TakesNothing(),
        role=Role.FOUNDER,
        now=lambda: instant_seconds(NOW),
        forks=directory / "forks",
    )
    with served(create_app(node)) as url, httpx.Client(base_url=url) as client:
        yield client
    reader.close()


def numbers(board):
    return [(row["payload"]["number"], row["origin"]) for row in board["offers"]]


@pytest.mark.parametrize("source", ["tiles", "other", "served"])
def test_listings_are_shown_as_foreign_and_never_folded_in(desk, source):
    before = desk.json("status --ledger led")["entries"]
    where = source
    server = None
    if source == "served":
        handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(desk.folder / "tiles"))
        handler.log_message = lambda *_: None
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = f"http://127.0.0.1:{server.server_address[1]}"
    said = desk.json(f"market federate {where} --key {desk.key} --ledger led")
    if server is not None:
        server.shutdown()
        server.server_close()
    assert (said["origin"], said["offers"], said["demands"]) == ("other.example/board", 1, 0)
    assert (said["rules"], said["clock"]) == ("re-run", "simulated")
    board = desk.json("market board --ledger led")
    assert numbers(board) == [("ON", "other.example/board"), ("OS", None)]
    (ledger,) = board["ledgers"]
    assert ledger["size"] == desk.json("status --ledger other")["entries"]
    assert ledger["time"] == 1_771_574_400
    assert numbers(desk.json("market board --own --ledger led")) == [("OS", None)]
    assert desk.json("status --ledger led")["entries"] == before
    assert [row["payload"]["number"] for row in desk.json("offer list --ledger led")] == ["OS"]
    desk.pl("verify led")
    assert "foreign: other.example/board" in desk.pl("market board --ledger led")
    assert "“North”" in desk.pl("market board --ledger led")


def test_the_search_reaches_foreign_listings(desk):
    desk.pl(f"market federate tiles --key {desk.key} --ledger led")
    assert numbers(desk.json("market board --ledger led --country FI")) == [("ON", "other.example/board")]
    assert numbers(desk.json("market board --ledger led --text north")) == [("ON", "other.example/board")]
    assert numbers(desk.json("market board --ledger led --price", "2.50 USD/h")) == [
        ("ON", "other.example/board")
    ]
    assert numbers(desk.json("market board --ledger led --chip no-such-chip")) == []


def test_importing_again_goes_on_and_a_stale_export_is_refused(desk):
    desk.pl(f"market federate tiles --key {desk.key} --ledger led")
    shutil.copytree(desk.folder / "tiles", desk.folder / "stale")
    desk.offer("other", "north", "ON2")
    desk.pl("offer withdraw ON --as north --ledger other")
    desk.pl("tiles export other tiles")
    desk.pl(f"market federate tiles --key {desk.key} --ledger led")
    assert numbers(desk.json("market board --ledger led")) == [("ON2", "other.example/board"), ("OS", None)]
    said = desk.pl(f"market federate stale --key {desk.key} --ledger led", code=1)
    assert "older export" in said
    assert numbers(desk.json("market board --ledger led")) == [("ON2", "other.example/board"), ("OS", None)]
    desk.pl("market federated --forget other.example/board --ledger led")
    assert desk.json("market federated --ledger led") == []


def test_a_forked_export_is_refused_and_the_proof_kept(desk):
    shutil.copytree(desk.folder / "other", desk.folder / "twin")
    shutil.copytree(desk.folder / "keys", desk.folder / "twin-keys")
    desk.offer("other", "north", "HERE")
    desk.pl(f"market federate other --key {desk.key} --ledger led")
    desk.keys("twin-keys")
    desk.offer("twin", "north", "THERE")
    desk.pl("tiles export twin forked")
    desk.keys("keys")
    said = desk.pl(f"market federate forked --key {desk.key} --ledger led", code=1)
    assert "has shown two histories" in said
    (proof,) = (desk.folder / "led" / "federated").rglob("forks/*.json")
    desk.pl(f"fork verify {proof} --key {desk.key}")
    board = desk.json("market board --ledger led")
    assert ("HERE", "other.example/board") in numbers(board)
    assert board["ledgers"][0]["forks"] == 1
    assert "nothing more is imported" in desk.pl(
        f"market federate other --key {desk.key} --ledger led", code=1
    )


@pytest.mark.parametrize("part", ["tile/entries", "tile/0", "checkpoint"])
def test_a_tampered_export_is_caught_and_nothing_is_kept(desk, part):
    for path in sorted((desk.folder / "tiles").rglob("*")):
        if path.is_file() and str(path.relative_to(desk.folder / "tiles")).startswith(part):
            raw = bytearray(path.read_bytes())
            raw[len(raw) // 2] ^= 1
            path.write_bytes(raw)
    desk.pl(f"market federate tiles --key {desk.key} --ledger led", code=1)
    assert desk.json("market federated --ledger led") == []
    assert numbers(desk.json("market board --ledger led")) == [("OS", None)]
    assert [path.name for path in (desk.folder / "led" / "federated").glob("*")] == []


def test_a_tampered_update_leaves_what_was_imported(desk):
    desk.pl(f"market federate tiles --key {desk.key} --ledger led")
    before = desk.json("market board --ledger led")
    desk.offer("other", "north", "ON2")
    desk.pl("tiles export other tiles")
    (bundle,) = (desk.folder / "tiles" / "tile" / "entries").rglob(
        "*.p/" + str(desk.json("status --ledger other")["entries"])
    )
    bundle.write_bytes(bundle.read_bytes().replace(b"ON2", b"ON3"))
    desk.pl(f"market federate tiles --key {desk.key} --ledger led", code=1)
    assert desk.json("market board --ledger led") == before


def test_what_is_missing_is_said(desk):
    next((desk.folder / "tiles" / "tile" / "0").rglob("*.p/*")).unlink()
    assert "has no tile" in desk.pl(f"market federate tiles --key {desk.key} --ledger led", code=3)
    assert "no ledger directory" in desk.pl(f"market federate nothing --key {desk.key} --ledger led", code=3)
    other = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
    assert "not signed by" in desk.pl(f"market federate other --key {other} --ledger led", code=1)
    assert "this ledger itself" in desk.pl(f"market federate other --key {desk.key} --ledger other", code=1)
    desk.pl("market federated --forget no.example --ledger led", code=2)


def test_pages_mark_foreign_listings(desk):
    desk.pl(
        "demand publish DN --line c=2x"
        + CHIP
        + " --length 7d --from 2026-03-01 --until 2026-06-01 --as north --ledger other"
    )
    desk.pl(f"market federate other --key {desk.key} --ledger led")
    with node_of(desk.folder / "led") as client:
        offers = client.get("/offers", headers={"accept": "text/html"}).text
        mine, _, foreign = offers.partition("Foreign, from")
        assert "ON" not in mine.partition("offer fits")[2]
        assert "other.example/board" in foreign
        assert "North" in foreign
        assert "simulated clock" in foreign
        assert "/statements/" not in foreign.partition("</section>")[0]
        link = re.search(r'href="(/foreign/[0-9a-f]{64}/[0-9a-f]{64})"', foreign)[1]
        for lang, mark in (("en", "Foreign, from"), ("ar", "أجنبي")):
            page = client.get(f"{link}?lang={lang}", headers={"accept": "text/html"}).text
            assert mark in page
            assert "other.example/board" in page
            assert not re.search("/(statements|identities)/", page), "nothing of it is linked as ours"
        assert ">ON<" not in client.get("/offers?country=SG", headers={"accept": "text/html"}).text
        assert ">DN<" in client.get("/demands", headers={"accept": "text/html"}).text
        assert "أجنبي" in client.get("/offers?lang=ar", headers={"accept": "text/html"}).text
        listed = client.get("/api/v1/offers?q=OS&price_micro=2600000").json()["items"]
        assert [item["number"] for item in listed] == ["OS"]
        assert client.get("/api/v1/offers?price_micro=2599999").json()["items"] == []


def test_the_api_lists_foreign_listings_with_their_ledger(desk):
    desk.offer("other", "north", "ON2", price="3.10", place="SE")
    demand = f"demand publish DN --line c=2x{CHIP} --length 7d --from 2026-03-01 --until 2026-06-01"
    desk.pl(f"{demand} --as north --ledger other")
    third = desk.found("third", "third.example/board")
    desk.pl("id new west --unsealed")
    desk.offer("third", "west", "TW")
    desk.pl(f"market federate other --key {desk.key} --ledger led")
    desk.pl(f"market federate third --key {third} --ledger led")
    with node_of(desk.folder / "led") as client:

        def walk(path, **filters):
            items, cursor = [], None
            while True:
                page = client.get(path, params=filters | ({"cursor": cursor} if cursor else {})).json()
                items += page["items"]
                cursor = page["next"]
                if cursor is None:
                    return items

        def said(**filters):
            found = walk("/api/v1/foreign/offers", **filters)
            assert all(item["foreign"] for item in found)
            return [(item["origin"], item["listing"]["number"]) for item in found]

        other, west = "other.example/board", "third.example/board"
        for limit in (1, 2, 50):
            assert said(limit=limit) == [(other, "ON2"), (other, "ON"), (west, "TW")]
            assert said(limit=limit, sort="entry") == [(other, "ON"), (other, "ON2"), (west, "TW")]
        assert said(country="FI", limit=1) == [(other, "ON"), (west, "TW")]
        assert said(price_micro=2_100_000, q="north") == [(other, "ON")]
        assert said(status="withdrawn") == []
        ledgers = walk("/api/v1/foreign/ledgers", limit=1)
        assert [item["origin"] for item in ledgers] == [other, west]
        assert (ledgers[0]["ledger_key"], ledgers[0]["forks"]) == (desk.key, 0)
        assert said(ledger=ledgers[1]["ledger"]) == [(west, "TW")]
        assert said(ledger="0" * 64) == []
        (wanted,) = walk("/api/v1/foreign/demands", chip=CHIP, status="open")
        assert (wanted["listing"]["number"], wanted["ledger"]) == ("DN", ledgers[0]["ledger"])
        place = f"/api/v1/foreign/{wanted['ledger']}/demands"
        assert client.get(f"{place}/{wanted['listing']['id']}").json() == wanted
        assert client.get(f"{place}/{'0' * 64}").status_code == 404
        assert client.get(f"/api/v1/foreign/{'0' * 64}/offers/{'0' * 64}").status_code == 404
        assert client.get("/api/v1/foreign/offers?cursor=WyJ4IiwxXQ").status_code == 422
        (offer,) = walk("/api/v1/foreign/offers", ledger=ledgers[1]["ledger"])
        assert (
            client.get(f"/api/v1/foreign/{offer['ledger']}/offers/{offer['listing']['id']}").json() == offer
        )
        assert client.get(f"/api/v1/offers/{offer['listing']['id']}").status_code == 404, "it is not ours"
        for note in (desk.folder / "led" / "federated").rglob("import.json"):
            note.write_text("{")
        answer = client.get("/api/v1/foreign/offers")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
