"""The how-to guides, followed word for word with nginx, Caddy, Litestream and real nodes, as far as loopback goes."""

import json
import re
import signal
import sqlite3
import ssl
import threading
from contextlib import closing
from hashlib import sha256

import httpx
import pytest
from guides import Follower, installed, until
from mirror_world import batches, publish, serving
from small_ledger import LEDGER

from pseudoledger.registrar.sealing import CARRIED_MAX

COSE = {"content-type": "application/cose"}


def needs(name):
    return pytest.mark.skipif(not installed(name), reason=f"{name} is not installed")


@pytest.fixture
def follower(tmp_path):
    found = Follower(tmp_path)
    yield found
    found.close()


def client(follower, address="127.0.0.1"):
    """A client that comes from an address of this machine."""
    trusted = ssl.create_default_context(cafile=follower.certificate)
    return httpx.Client(transport=httpx.HTTPTransport(verify=trusted, local_address=address), timeout=30)


def post(http, url, raw, **headers):
    return http.post(f"{url}/entries", content=raw, headers=COSE | headers)


# Run a node

RUN = "run-a-node"


def behind(follower, name, public):
    """Start the proxy of a guide, the node behind it being there or not."""
    if name == "nginx":
        follower.nginx(follower.block("nginx", RUN, "Behind nginx"), public)
    else:
        site = {"market.example {": f"https://localhost:{public} {{"}
        follower.swaps |= site
        follower.caddy(follower.block("caddy", RUN, "Behind Caddy"), public)


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs(name)) for name in ("nginx", "caddy")])
def test_a_node_behind_a_proxy(follower, name):
    public, _ = follower.ports(443, 8080)
    follower.swaps |= {
        "/etc/ssl/market.example.pem": str(follower.certificate),
        "/etc/ssl/market.example.key": str(follower.key),
        "https://market.example": f"https://localhost:{public}",
    }
    assert "market.example/compute" in follower.follow(RUN, "Start")
    behind(follower, name, public)
    few = {"--proxies 127.0.0.1": "--proxies 127.0.0.1 --rate 0.001 --burst 3"}
    assert "market.example/compute" in follower.follow(RUN, "Behind nginx", few)
    url, party = f"https://localhost:{public}", follower.party("market")
    with client(follower) as one, client(follower, "127.0.0.2") as other:
        see_events_at_once(follower, one, url, party)
        assert post(one, url, party.pool("P-2")).status_code == 201
        assert post(one, url, party.pool("P-3")).status_code == 201
        too_many = post(one, url, party.pool("P-4"))
        assert too_many.status_code == 429, "three statements of one address"
        assert too_many.headers["retry-after"]
        claimed = post(one, url, party.pool("P-4"), **{"x-forwarded-for": "192.0.2.9"})
        assert claimed.status_code == 429, "what a client claims is dropped"
        assert post(other, url, party.pool("P-4")).status_code == 201, "another address has its own share"
        bounded(one, url)


def see_events_at_once(follower, http, url, party):
    """An event comes through while the stream goes on, with nothing after it."""
    seen, begun = [], threading.Event()

    def listen():
        with client(follower) as own, own.stream("GET", f"{url}/api/v1/entries/stream?limit=2") as answer:
            begun.set()
            said = (line[6:] for line in answer.iter_lines() if line.startswith("data: "))
            seen.extend(json.loads(line)["kind"] for line in said)

    thread = threading.Thread(target=listen)
    thread.start()
    assert begun.wait(30)
    assert post(http, url, party.pool("P-1")).status_code == 201
    thread.join(30)
    assert seen == ["pool.declared", "block.sealed"]


def patiently(http, url, content, headers):
    """Post until the answer is the node's or the proxy's own.

    Caddy says 502 where the answer came, and the connection was closed, before Caddy had sent everything.
    """
    for _ in range(60):
        answer = http.post(url, content=content, headers=headers)
        if answer.status_code != 502:
            break
    return answer


def bounded(http, url):
    """What a node takes passes the proxy, and not much more."""
    kind = {"content-type": "application/cose-seq"}
    taken = patiently(http, f"{url}/api/v1/batch", bytes(16 * 1024 * 1024), kind)
    assert taken.status_code == 413
    assert "a batch has at most" in taken.text, "the node itself says so"
    refused = patiently(http, f"{url}/api/v1/batch", bytes(18 * 1024 * 1024), kind)
    assert refused.status_code == 413
    assert "a batch has at most" not in refused.text


def test_a_claimed_address_is_believed_of_nobody_without_a_proxy(follower):
    (port,) = follower.ports(8080)
    follower.follow(RUN, "Start", {"--port 8080": f"--port {port} --rate 0.001 --burst 1"}, part=slice(2))
    url, party = f"http://127.0.0.1:{port}", follower.party("market")
    with client(follower) as http:
        assert post(http, url, party.pool("P-1")).status_code == 201
        claimed = post(http, url, party.pool("P-2"), **{"x-forwarded-for": "192.0.2.9"})
        assert claimed.status_code == 429


def test_a_node_without_a_proxy_and_with_tokens(follower):
    public, port = follower.ports(443, 8080)
    follower.swaps |= {
        "chain.pem": str(follower.certificate),
        "--tls-key key.pem": f"--tls-key {follower.key}",
        "--host 0.0.0.0": "--host 127.0.0.1",
    }
    follower.follow(RUN, "Start", part=slice(1))
    party = follower.party("market")
    follower.follow(RUN, "Without a proxy")
    with client(follower) as http:
        assert post(http, f"https://localhost:{public}", party.pool("P-1")).status_code == 201
    told = follower.follow(RUN, "Who may write")
    token = re.search(r"Authorization: (Bearer \S+)", told)[1]
    with client(follower) as http:
        url = f"http://127.0.0.1:{port}"
        assert post(http, url, party.pool("P-2")).status_code == 401
        assert post(http, url, party.pool("P-2"), authorization=token).status_code == 201
        assert http.get(f"{url}/checkpoint").status_code == 200


# Be a mirror


def founded(follower, port, *, pools=3):
    """A founded ledger in `market`, served at a port, with some entries; returns its party and URL."""
    follower.run("pl init market --origin market.example/compute")
    party = follower.party("market")
    serve(follower, port)
    url = f"http://127.0.0.1:{port}"
    with httpx.Client() as http:
        for number in range(pools):
            assert post(http, url, party.pool(f"P-{number}")).status_code == 201
        # A node publishes at most one checkpoint a second: the guides begin with the newest.
        until(
            lambda: int(http.get(f"{url}/checkpoint").text.split("\n")[1]) == size(url),
            "the newest checkpoint is published",
        )
    return party, url


def serve(follower, port, ledger="market"):
    follower.run(f"pl serve {ledger} --port {port}")


def size(url):
    return httpx.get(f"{url}/api/v1/status").json()["size"]


MIRROR = "be-a-mirror"


def test_a_mirror(follower):
    founder, first, other, third = follower.ports(8080, 8081, 8082, 8083)
    party, url = founded(follower, founder)
    follower.swaps |= {
        "https://ledger.example": url,
        "https://other.example": f"http://127.0.0.1:{other}",
        "https://third.example": f"http://127.0.0.1:{third}",
    }
    told = follower.follow(MIRROR, "Copy once")
    assert told.count("valid")
    for number in (other, third):
        follower.run(f"pl mirror {url} copy-{number} --port {number}")
    follower.follow(MIRROR, "Follow and serve")
    mirror = f"http://127.0.0.1:{first}"
    with httpx.Client(timeout=30) as http:
        assert post(http, mirror, party.pool("forwarded")).status_code == 201
        assert post(http, url, party.pool("behind")).status_code == 201
    until(lambda: size(mirror) == size(url), "the mirror has followed")
    follower.stop("pl mirror copy")
    follower.follow(MIRROR, "Watch for two histories", part=slice(1))
    until(
        lambda: httpx.get(f"{mirror}/checkpoint").content == httpx.get(f"{url}/checkpoint").content, "alike"
    )
    assert httpx.get(f"{mirror}/forks").json() == {"forks": [], "undecided": []}
    shown = {"https://mirror.example": mirror, "https://cdn.example/market": f"http://127.0.0.1:{other}"}
    follower.follow(RUN, "Show your mirrors", shown)
    until(lambda: all(agree(url)), "the founder has seen both")


def agree(url):
    return [
        item["consistent"] for item in httpx.get(f"{url}/api/v1/status").json()["standing"]["mirrors"]
    ] or [False]


def test_a_mirror_that_is_shown_two_histories(follower):
    """The guide's last part, with a founder that lies: two histories under one key, as static files."""
    one = publish(follower.directory / "one", batches(1, 2))
    two = publish(follower.directory / "two", batches(1, 3))
    key = LEDGER.did
    with serving(one) as url, serving(two) as other:
        follower.run(f"pl mirror {url} copy --once --key {key}")
        line = f"pl mirror {other} copy --once --key {key}  # exits 1"
        assert "two histories" in follower.run(line)
        (proof,) = (follower.directory / "copy/forks").glob("*.json")
        follower.swaps |= {"did:key:z6Mk…": key, "6af17fa2….json": proof.name}
        assert "Proved" in follower.follow(MIRROR, "Watch for two histories", part=slice(1, None))
        (follower.directory / "agreed.checkpoint").write_bytes((one / "checkpoint").read_bytes())
        assert "Accepted" in follower.follow(MIRROR, "Decide")
        assert "new" in follower.run(f"pl mirror {url} copy --once --json")


# Be a witness

WITNESS = "be-a-witness"


@needs("nginx")
def test_a_witness_and_who_relies_on_it(follower):
    public, founder, _ = follower.ports(443, 8080, 8081)
    party, url = founded(follower, founder)
    follower.stop("pl serve market")
    witness = f"https://localhost:{public}"
    follower.swaps |= {
        "/etc/ssl/witness.example.pem": str(follower.certificate),
        "/etc/ssl/witness.example.key": str(follower.key),
        "https://witness.example": witness,
    }
    lines = []
    for name in ("w1", "w2", "w3"):
        # The same guide, followed by three people on one machine.
        own = {"w1": name, "watch": f"watch-{name}"}
        if name != "w1":
            follower.ports(8081)
            own |= {"https://witness.example/w1": f"http://127.0.0.1:{follower.swaps['8081']}"}
        follower.follow(WITNESS, "Start one", own)
        if name == "w1":
            follower.nginx(follower.block("nginx", WITNESS, "Let others reach it"), public)
        lines.append(follower.follow(WITNESS, "Let others reach it", own))
    (follower.directory / "lines-of-the-witnesses").write_text("".join(lines))
    assert "2 of" in follower.follow(WITNESS, "Be witnessed")
    raw = party.pool("offered")
    (follower.directory / "offer.scitt").write_bytes(raw)
    with client(follower) as http:
        assert post(http, url, raw).status_code == 201
        status = until(lambda: met(http, url), "enough witnesses have cosigned")
        assert [item["trouble"] for item in status["standing"]["witnesses"]] == ["", "", ""]
        kept = http.get(f"{witness}/w1/{sha256(b'market.example/compute').hexdigest()}/checkpoint")
        assert kept.status_code == 200
        assert kept.text.splitlines()[1] == str(status["size"])
        assert http.post(f"{witness}/w1/add-checkpoint", content=b"x" * 100_000).status_code == 413
        assert http.get(f"{witness}/other").status_code == 404
    at = status["size"] - 2
    told = follower.follow(WITNESS, "Rely on witnesses", {" proof 12 ": f" proof {at} "})
    assert told.count("cosigned by") >= 2


def met(http, url):
    status = http.get(f"{url}/api/v1/status").json()
    cosigned = [item["cosigned_size"] for item in status["standing"]["witnesses"]]
    return status if status["standing"]["quorum_met"] and set(cosigned) == {status["size"]} else None


# Put the tiles on a CDN

CDN = "put-tiles-on-a-cdn"


@needs("nginx")
def test_tiles_behind_a_cache(follower):
    (founder,) = follower.ports(8080)
    party, url = founded(follower, founder, pools=150)
    origin, cdn = follower.ports(4431, 4432)
    folder = follower.directory
    (folder / "www").mkdir()
    follower.swaps |= {
        "/srv/www": str(folder / "www"),
        "/var/cache/nginx/market": str(folder / "cache"),
        "https://origin.example": f"https://localhost:{origin}",
        "https://cdn.example": f"https://localhost:{cdn}",
        **{f"/etc/ssl/{name}.example.{end}": str(path)
           for name in ("origin", "cdn") for end, path in (("pem", follower.certificate), ("key", follower.key))},
    }  # fmt: skip
    follower.follow(CDN, "")
    for place, (name, port) in enumerate((("origin", origin), ("cdn", cdn))):
        follower.swaps["443"] = str(port)
        follower.nginx(follower.block("nginx", CDN, "Cache headers", place), port, name)
    last = size(url)
    with client(follower) as http:
        for tile, lasting in (
            ("tile/entries/000", "public, max-age=31536000, immutable"),
            ("tile/0/000", "public, max-age=31536000, immutable"),
            (f"tile/0/001.p/{last - 256}", "public, max-age=3600"),
            ("checkpoint", "public, max-age=1, must-revalidate"),
        ):
            for place in (f"https://localhost:{origin}/market", f"https://localhost:{cdn}/market"):
                answer = http.get(f"{place}/{tile}")
                assert answer.status_code == 200
                assert answer.headers["cache-control"] == lasting
                assert "content-encoding" not in answer.headers
        assert http.get(f"https://localhost:{cdn}/market/tile/0/000").headers["x-cache"] == "HIT"
        missing = http.get(f"https://localhost:{cdn}/market/tile/0/009")
        assert missing.status_code == 404
        assert "cache-control" not in missing.headers
        assert str(last) in follower.follow(CDN, "Check what others get")
        assert post(http, url, party.pool("more")).status_code == 201
        follower.stop("pl serve market")
        follower.follow(CDN, "")
        place = f"https://localhost:{cdn}/market/checkpoint"
        until(lambda: http.get(place).text.splitlines()[1] == str(last + 2), "the cache asks anew")
    assert str(last + 2) in follower.follow(CDN, "Check what others get")


# Back up with Litestream, and restore

LITESTREAM = "back-up-with-litestream"


class Machine:
    """A served ledger with a mirror, whose copy ends before what the ledger key has signed last."""

    def __init__(self, follower, mirrored):
        self.follower = follower
        self.port, self.at_mirror = follower.ports(8080, 8081)
        folder = follower.directory
        (folder / "backups").mkdir()
        self.mirror = f"http://127.0.0.1:{self.at_mirror}"
        follower.swaps |= {
            "/srv/market": str(folder / "market"),
            "/backups": str(folder / "backups"),
            "https://mirror.example": self.mirror,
        }
        self.party, self.url = founded(follower, self.port)
        self.mirrored = mirrored
        if mirrored:
            follower.run(f"pl mirror {self.url} copy --port {self.at_mirror}")

    def die(self, backed_up, *, many=True):
        """Register what is backed up no more, perhaps seen by the mirror, and die.

        A large block is not carried by the ledger key's record, and leaves behind what that carried.
        """
        backed_up()
        self.copied = size(self.url)
        self.lost = self.party.pool("lost")
        with httpx.Client() as http:
            assert post(http, self.url, self.lost).status_code == 201
            if many:
                raws = [self.party.pool(f"lost-{number}") for number in range(CARRIED_MAX + 1)]
                batch = {"content": b"".join(raws), "headers": {"Content-Type": "application/cose-seq"}}
                assert http.post(f"{self.url}/api/v1/batch", **batch).status_code == 200
        self.size = size(self.url)
        if self.mirrored:
            until(lambda: size(self.mirror) == self.size, "the mirror has it")
        self.follower.stop("pl serve market", signal.SIGKILL)
        (self.follower.directory / "market").rename(self.follower.directory / "gone")

    def fetch_and_go_on(self):
        """What a mirror has continues the copy; what was acknowledged stands where it stood."""
        follower = self.follower
        told = follower.follow(LITESTREAM, "Fetch what is missing from a mirror")
        assert "ready, with key" in told
        with httpx.Client() as http:
            again = post(http, self.url, self.lost)
            assert again.status_code == 201
            assert size(self.url) == self.size, "it stood there already"
            assert post(http, self.url, self.party.pool("after")).status_code == 201
        until(lambda: size(self.mirror) == self.size + 2, "the mirror follows on")
        self.end("restored")

    def new_key(self):
        """Nobody has what is missing: it goes on under a new key, and what was lost is registered anew."""
        follower = self.follower
        told = follower.follow(LITESTREAM, "If nobody has what is missing")
        assert "Handed over" in told
        assert "is valid" in told
        assert size(self.url) == self.copied + 2, "the new key and its block"
        with httpx.Client() as http:
            assert post(http, self.url, self.lost).status_code == 201
            assert size(self.url) == self.copied + 4
        self.end("restored")

    def end(self, directory):
        assert self.follower.beside[f"pl serve {directory}"].poll() is None
        self.follower.stop(f"pl serve {directory}")
        assert "is valid" in self.follower.run(f"pl verify {directory}")


def litestreamed(machine):
    """Follow the part on copying while the node runs, register more, wait until the copy has it, and stop copying."""
    follower = machine.follower
    folder = follower.directory
    (folder / "litestream.yml").write_text(follower.block("yaml", LITESTREAM, "Copy"))
    follower.follow(LITESTREAM, "Copy")
    with httpx.Client() as http:
        assert post(http, machine.url, machine.party.pool("while-it-copies")).status_code == 201
    wanted = size(machine.url)
    number = iter(range(1000))

    def copied():
        out = folder / f"looked-at-{next(number)}"
        follower.run(
            f"litestream restore -config litestream.yml -o {out}/ledger.db {folder}/market/ledger.db"
        )
        with closing(sqlite3.connect(out / "ledger.db")) as database:
            return database.execute("SELECT count(*) FROM entries").fetchone()[0] == wanted

    until(lambda: any((folder / "backups/market").rglob("*")), "litestream has begun")
    until(copied, "the copy has it")
    follower.stop("litestream replicate")


@needs("litestream")
@pytest.mark.parametrize("mirrored", [True, False])
def test_litestream_brings_a_ledger_back(follower, mirrored):
    machine = Machine(follower, mirrored)
    machine.die(lambda: litestreamed(machine))
    told = follower.follow(LITESTREAM, "Restore", part=slice(4))
    assert "is valid" in told
    assert "two tables of Litestream" in told
    assert "refused" in told
    assert "restored backup" in follower.follow(LITESTREAM, "Restore", part=slice(4, None))
    machine.fetch_and_go_on() if mirrored else machine.new_key()


@needs("litestream")
def test_a_copy_that_lacks_nothing_goes_on(follower):
    machine = Machine(follower, mirrored=False)
    litestreamed(machine)
    follower.stop("pl serve market", signal.SIGKILL)
    told = follower.follow(LITESTREAM, "Restore", part=slice(4))
    assert "ready, with key" in told
    serve(follower, machine.port, "restored")
    machine.end("restored")


@pytest.mark.parametrize("mirrored", [True, False])
def test_a_backup_brings_a_ledger_back(follower, mirrored):
    machine = Machine(follower, mirrored)
    part = "The same with pl backup"
    machine.die(lambda: follower.follow(LITESTREAM, part, part=slice(1)))
    assert "refused" in follower.follow(LITESTREAM, part, part=slice(1, None))
    assert "restored backup" in follower.follow(LITESTREAM, "Restore", part=slice(4, None))
    machine.fetch_and_go_on() if mirrored else machine.new_key()


def test_a_backup_and_the_record_bring_everything_back(follower):
    """What came after the backup were small blocks, and the process died: the record beside the key carries them."""
    machine = Machine(follower, mirrored=False)
    part = "The same with pl backup"
    machine.die(lambda: follower.follow(LITESTREAM, part, part=slice(1)), many=False)
    assert "ready, with key" in follower.follow(LITESTREAM, part, part=slice(1, None))
    serve(follower, machine.port, "restored")
    assert size(machine.url) == machine.size
    with httpx.Client() as http:
        assert post(http, machine.url, machine.lost).status_code == 201
        assert size(machine.url) == machine.size, "it stood there already"
    machine.end("restored")


def test_a_lost_record_of_what_was_signed_stops_signing_too(follower):
    machine = Machine(follower, mirrored=False)
    machine.die(lambda: follower.follow(LITESTREAM, "The same with pl backup", part=slice(1)))
    (follower.directory / "keys/market.example-compute-ledger.last-signed").unlink()
    told = follower.follow(LITESTREAM, "The same with pl backup", part=slice(1, None))
    assert "there is no record of what this key has signed" in told
    follower.follow(LITESTREAM, "Restore", {"# exits 1": "# exits 3"}, part=slice(4, None))
    machine.new_key()
