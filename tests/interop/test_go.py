"""Other people's programs in Go: they read our tiles and proofs, cosign our checkpoints, and are cosigned by us.

`go/reader` is built from the packages of the Go checksum database (sumdb/note, sumdb/tlog) and the checkpoint
parser of transparency-dev; `go/peers` from transparency-dev's witness and its Tessera log. Where Go or one of
the modules cannot be had, the tests are skipped with the reason.
"""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from pseudoledger.identity.keys import Signer
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.ledger import note
from pseudoledger.ledger.checkpoint import log_key
from pseudoledger.ledger.export import export_tiles
from pseudoledger.ledger.policy import parse_policy, verify_with_policy
from pseudoledger.ledger.proof import LogProof, format_proof
from pseudoledger.ledger.tree import consistency_proof, inclusion_proof
from pseudoledger.node.add_checkpoint import Submission, format_submission
from pseudoledger.node.cosigning import Cosigner
from pseudoledger.node.reading import Reader
from pseudoledger.registrar import Registered, Registrar
from pseudoledger.statement import envelope, payload, sealed
from pseudoledger.statement.kinds.ledger import Policy

HERE = Path(__file__).parent / "go"
PL = str(Path(sys.executable).with_name("pl"))
GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")

pytestmark = pytest.mark.skipif(GO is None, reason="Go is not installed")

ORIGIN = "city.example/compute"
LEDGER_KEY = Signer.from_seed(bytes([1]) * 32)
LOG_KEY = log_key(ORIGIN, LEDGER_KEY.public_key)
START = 1_800_000_000

# The published witness calls one function of a dependency in a version that the module proxy may not serve. It
# belongs to cosignatures of subtrees, an optional part that nothing here asks for.
SUBTREES = """package proof

import (
	"errors"

	"github.com/transparency-dev/merkle"
)

func VerifySubtreeConsistency(_ merkle.LogHasher, _, _, _ uint64, _ [][]byte, _, _ []byte) error {
	return errors.New("subtrees are not asked for")
}
"""


def go(*words, cwd):
    environ = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
    return subprocess.run([GO, *words], cwd=cwd, env=environ, capture_output=True, text=True, check=False)


def fetched(*words, cwd):
    """Fetch modules, or skip: that is a matter of this machine's network."""
    done = go(*words, cwd=cwd)
    if done.returncode:
        pytest.skip(f"the modules cannot be had: {done.stderr.strip().splitlines()[-1]}")


def built(name, *words, cwd):
    """Build a program; once its modules are there, that has to succeed."""
    done = go("build", "-o", name, *words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / name


@pytest.fixture(scope="session")
def reader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("go") / "reader"
    shutil.copytree(HERE / "reader", folder)
    fetched("mod", "download", cwd=folder)
    return built("reader", ".", cwd=folder)


@pytest.fixture(scope="session")
def peers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("go") / "peers"
    shutil.copytree(HERE / "peers", folder)
    fetched("mod", "vendor", cwd=folder)
    (folder / "vendor/github.com/transparency-dev/merkle/proof/subtrees.go").write_text(SUBTREES)
    built("peer-witness", "-mod=vendor", "./witness", cwd=folder)
    built(
        "peer-log",
        "-mod=vendor",
        "github.com/transparency-dev/tessera/cmd/examples/posix-oneshot",
        cwd=folder,
    )
    return folder


class Ledger:
    """A ledger in a directory, with room for more pools."""

    def __init__(self, folder):
        self.now, self.count = START, 0
        self.registrar = Registrar.found(
            folder / "ledger",
            origin=ORIGIN,
            founder=Signer.from_seed(bytes([2]) * 32),
            signer=LEDGER_KEY,
            last_signed=LastSigned.create(folder / "last-signed"),
            clock=lambda: self.now * 1000,
            policy=Policy(
                admission="open",
                attestors=(),
                open_max=1000,
                commission_cap_bps=1000,
                max_age_seconds=86_400,
                clock="system",
            ),
            nonce=os.urandom(32),
        )
        self.store = self.registrar.store
        self.reader = Reader(folder / "ledger")

    def grow(self, statements):
        self.now += 2
        answers = self.registrar.register([self._pool() for _ in range(statements)])
        assert all(isinstance(answer, Registered) for answer in answers)

    def _pool(self):
        self.count += 1
        party, ledger = Signer.from_seed(bytes([3]) * 32), self.registrar.state.id
        line = {"id": "c", "resource": "cpu_core", "count": 1}
        tree = {"type": "pool.declared", "v": 1, "number": f"P{self.count}", "lines": [line]}
        ready = sealed.seal(tree, aud=ledger, iss=party.did, random=os.urandom)
        return envelope.sign(party, payload.draft(ready.tree), sub=party.did, aud=ledger, iat=self.now)

    async def publish(self, raw):
        return self.registrar.publish_cosigned(raw)

    def close(self):
        self.reader.close()
        self.registrar.close()


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(tmp_path)
    yield made
    made.close()


@pytest.fixture
def published_witness(peers):
    """A process of transparency-dev's witness that watches our ledger; its URL and verifier key."""
    process = subprocess.Popen(
        [peers / "peer-witness", "witness.example/go", note.format_vkey(LOG_KEY)],
        stdout=subprocess.PIPE,
        text=True,
    )
    url, vkey = process.stdout.readline().split()
    yield url, vkey
    process.kill()
    process.wait()
    process.stdout.close()


def cosigner_of(ledger, url, vkey):
    policy = parse_policy(f"log {note.format_vkey(LOG_KEY)}\nwitness go {vkey} {url}\nquorum go\n".encode())
    return Cosigner(
        policy=policy, reader=ledger.reader, publish=ledger.publish, clock=lambda: ledger.now
    ), policy


def read_by_go(reader, *words):
    return subprocess.run([reader, *words], capture_output=True, text=True, check=False)


def test_go_reads_checkpoint_tiles_and_entries(reader, ledger, tmp_path):
    for statements in (1, 10, 300, 241):
        ledger.grow(statements)
        exported = export_tiles(ledger.store, tmp_path / "tiles")
        done = read_by_go(reader, tmp_path / "tiles", note.format_vkey(LOG_KEY))
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["origin"] == ORIGIN
        assert found["size"] == found["records"] == found["prefixes"] == exported.size == ledger.store.size
        assert base64.b64decode(found["root"]) == ledger.store.frontier().root()


def test_go_finds_what_was_changed(reader, ledger, tmp_path):
    ledger.grow(300)
    vkey = note.format_vkey(LOG_KEY)
    for name in ("checkpoint", "tile/0/000", "tile/0/001.p/47", "tile/1/000.p/1", "tile/entries/000"):
        shutil.rmtree(tmp_path / "tiles", ignore_errors=True)
        export_tiles(ledger.store, tmp_path / "tiles")
        path = tmp_path / "tiles" / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        assert read_by_go(reader, tmp_path / "tiles", vkey).returncode == 1, name


def test_a_published_witness_cosigns_and_go_verifies_the_proof(reader, ledger, published_witness, tmp_path):
    url, vkey = published_witness
    cosigner, policy = cosigner_of(ledger, url, vkey)
    for statements in (1, 40, 300):
        ledger.grow(statements)
        assert asyncio.run(cosigner_round(cosigner)), cosigner.witnesses
        verified = verify_with_policy(ledger.store.cosigned(), policy)
        assert verified.checkpoint.size == ledger.store.size
        cosigner, policy = cosigner_of(ledger, url, vkey)
    export_tiles(ledger.store, tmp_path / "tiles")
    index, size = 77, ledger.store.size
    path = inclusion_proof(index, size, ledger.store.hashes)
    proof = LogProof(index=index, path=path, checkpoint=ledger.store.cosigned())
    (tmp_path / "it.tlog-proof").write_bytes(format_proof(proof))
    done = read_by_go(reader, tmp_path / "tiles", note.format_vkey(LOG_KEY), tmp_path / "it.tlog-proof", vkey)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["proved"] == index


async def cosigner_round(cosigner):
    met = await cosigner.round()
    await cosigner.close()
    return met


def test_a_published_witness_answers_our_requests_as_specified(ledger, published_witness):
    url, _ = published_witness
    ledger.grow(5)

    def add(old, proof=(), raw=None):
        said = note.parse_note(raw or ledger.store.checkpoint())
        body = format_submission(Submission(old=old, proof=proof, note=said))
        return httpx.post(f"{url}/add-checkpoint", content=body)

    size = ledger.store.size
    assert add(0).status_code == 200
    again = add(3)
    assert (again.status_code, again.content) == (409, b"%d\n" % size)
    assert again.headers["content-type"] == "text/x.tlog.size"
    assert add(size + 1).status_code == 400
    ledger.grow(5)
    assert add(size, (bytes(32),)).status_code == 422
    unknown = ledger.store.checkpoint().replace(ORIGIN.encode(), b"else.example")
    assert add(size, raw=unknown).status_code == 404
    assert add(size, consistency_proof(size, ledger.store.size, ledger.store.hashes)).status_code == 200


# Our witness, a published log

TESSERA = "tessera.example/log"
TESSERA_KEY = Signer.from_seed(bytes([5]) * 32)


def private_key(signer, key):
    """A signer key as the Go note package reads it: PRIVATE+KEY+name+id+base64(type ‖ seed)."""
    seed = base64.b64encode(b"\x01" + bytes([5]) * 32).decode()
    assert signer.public_key == key.public_key
    return f"PRIVATE+KEY+{key.name}+{key.key_id.hex()}+{seed}"


def test_our_witness_cosigns_for_a_published_log(peers, tmp_path):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PSEUDOLEDGER_")}
    environ["PSEUDOLEDGER_KEYS"] = str(tmp_path / "keys")

    def pl(*words):
        return subprocess.run(
            [PL, *words], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
        ).stdout

    key = log_key(TESSERA, TESSERA_KEY.public_key)
    pl("id", "new", "w1", "--unsealed")
    (tmp_path / "logs.policy").write_text(f"log {note.format_vkey(key)}\nquorum none\n")
    (tmp_path / "log.key").write_text(private_key(TESSERA_KEY, key))
    name = "witness.example/w1"
    process = subprocess.Popen(
        [PL, "witness", "watch", "--port", "0", "--policy", "logs.policy", "--as", "w1", "--name", name],
        cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        url = process.stdout.readline().split()[-1]
        line = pl("policy", "witness", "w1", "--name", name, "--label", "w1", "--url", url)
        policy = f"log {note.format_vkey(key)}\n{line}quorum w1\n"
        (tmp_path / "trust.policy").write_text(policy)
        for start, stop in ((0, 3), (3, 40), (40, 300)):
            entries = tmp_path / f"entries-{start}"
            entries.mkdir()
            for number in range(start, stop):
                (entries / f"{number:04}").write_text(f"entry {number}")
            done = subprocess.run(
                [
                    peers / "peer-log",
                    f"--storage_dir={tmp_path / 'log'}",
                    f"--entries={entries}/*",
                    f"--private_key={tmp_path / 'log.key'}",
                    f"--witness_policy_file={tmp_path / 'trust.policy'}",
                ],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            raw = (tmp_path / "log" / "checkpoint").read_bytes()
            verified = verify_with_policy(raw, parse_policy(policy.encode()))
            assert verified.checkpoint.size == stop
            assert [item.key.name for item in verified.cosignatures] == [name]
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
