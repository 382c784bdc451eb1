"""The founder collects cosignatures: quorums, witnesses that are away, slow, wrong or ahead, and what is kept."""

import asyncio
import json
import os
import shlex
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.cli.main import run
from pseudoledger.errors import InconsistentCheckpoint, InvalidSignature, MalformedError, QuorumNotMet
from pseudoledger.identity.keys import Signer
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.ledger import checkpoint, note
from pseudoledger.ledger.policy import format_policy, parse_policy, verify_with_policy
from pseudoledger.node import cosigning
from pseudoledger.node.cosigning import Cosigner
from pseudoledger.node.reading import Reader
from pseudoledger.node.witness import Witness, create_witness
from pseudoledger.node.witness_record import Owner, WitnessRecord, owner_of
from pseudoledger.registrar import Registered, Registrar
from pseudoledger.statement import envelope, payload, sealed
from pseudoledger.statement.kinds.ledger import Policy

ORIGIN = "city.example/compute"
LEDGER_KEY = Signer.from_seed(bytes([1]) * 32)
OPEN = Policy(
    admission="open",
    attestors=(),
    open_max=100,
    commission_cap_bps=1000,
    max_age_seconds=86_400,
    clock="system",
)
START = 1_800_000_000


class Ledger:
    """A founded ledger that grows when told to, each time by a published checkpoint."""

    def __init__(self, directory):
        self.directory, self.now = directory, START
        record = LastSigned.create(directory.with_name("last-signed"))
        self.registrar = Registrar.found(
            directory,
            origin=ORIGIN,
            founder=Signer.from_seed(bytes([2]) * 32),
            signer=LEDGER_KEY,
            last_signed=record,
            clock=lambda: self.now * 1000,
            policy=OPEN,
            nonce=sha256(str(directory).encode()).digest(),
        )
        self.party, self.count = Signer.from_seed(bytes([3]) * 32), 0
        self.reader = Reader(directory)

    def grow(self, blocks=1):
        for _ in range(blocks):
            self.now += 2
            self.count += 1
            (answer,) = self.registrar.register([self._pool(f"P{self.count}")])
            assert isinstance(answer, Registered)

    def _pool(self, number):
        ledger, did = self.registrar.state.id, self.party.did
        line = {"id": "c", "resource": "cpu_core", "count": 1}
        tree = {"type": "pool.declared", "v": 1, "number": number, "lines": [line]}
        ready = sealed.seal(tree, aud=ledger, iss=did, random=os.urandom)
        return envelope.sign(self.party, payload.draft(ready.tree), sub=did, aud=ledger, iat=self.now)

    async def publish(self, raw):
        return self.registrar.publish_cosigned(raw)

    @property
    def size(self):
        return self.registrar.store.size

    def close(self):
        self.reader.close()
        self.registrar.close()


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(tmp_path / "ledger")
    yield made
    made.close()


class Faulty(httpx.AsyncBaseTransport):
    """The way to one witness, which can be broken."""

    def __init__(self, app):
        self._inner, self.fault, self.asked = httpx.ASGITransport(app=app), None, 0

    async def handle_async_request(self, request):
        self.asked += 1
        if self.fault is None:
            return await self._inner.handle_async_request(request)
        return await self.fault(request, self._inner)


async def away(request, inner):
    raise httpx.ConnectError("connection refused")


async def silent(request, inner):
    await asyncio.sleep(3600)


async def lost_answer(request, inner):
    """Failed but applied: the witness cosigned, and nobody heard of it."""
    await inner.handle_async_request(request)
    raise httpx.ReadError("connection reset")


def says(status, body, **headers):
    async def answer(request, inner):
        return httpx.Response(status, content=body, headers=headers)

    return answer


class Ring:
    """Some witnesses w1, w2 … and the policy that asks for `threshold` of them."""

    def __init__(self, folder, ledger, count=3, threshold=2, watched=None):
        self.folder, self.ledger = folder, ledger
        signers = [Signer.from_seed(bytes([20 + number]) * 32) for number in range(count)]
        self.names = [f"w{number + 1}" for number in range(count)]
        log = checkpoint.log_key(ORIGIN, (watched or LEDGER_KEY).public_key)
        watch = parse_policy(f"log {note.format_vkey(log)}\nquorum none\n".encode())
        self.ways, self.records, lines = {}, [], [f"log {note.format_vkey(log)}"]
        for name, signer in zip(self.names, signers, strict=True):
            record = WitnessRecord(folder / name, Owner(name=f"{name}.example", did=signer.did))
            self.records.append(record)
            witness = Witness(
                record=record,
                signer=signer,
                name=f"{name}.example",
                policy=watch,
                clock=lambda: ledger.now,
                forks=folder / "forks",
            )
            self.ways[name] = Faulty(create_witness(witness))
            key = checkpoint.cosigner_key(f"{name}.example", signer.public_key)
            lines.append(f"witness {name} {note.format_vkey(key)} http://{name}.test/")
        lines.append(f"group all-of-them {threshold} {' '.join(self.names)}")
        lines.append("quorum all-of-them")
        self.policy = parse_policy("".join(f"{line}\n" for line in lines).encode())

    def cosigner(self):
        mounts = {f"http://{name}.test": way for name, way in self.ways.items()}
        client = httpx.AsyncClient(mounts=mounts)
        return Cosigner(
            policy=self.policy,
            reader=self.ledger.reader,
            publish=self.ledger.publish,
            client=client,
            clock=lambda: self.ledger.now,
        )

    def close(self):
        for record in self.records:
            record.close()


@pytest.fixture
def ring(tmp_path, ledger):
    made = Ring(tmp_path / "ring", ledger)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Witnesses that answer are waited for, however busy the machine is; a test of silent ones says how long."""

    def wait(seconds):
        monkeypatch.setattr(cosigning, "ANSWER_SECONDS", seconds)
        monkeypatch.setattr(cosigning, "GRACE_SECONDS", seconds)

    wait(60)
    return wait


def kept(ledger, policy):
    """The size and the names under the last cosigned checkpoint, which meets the policy."""
    verified = verify_with_policy(ledger.registrar.store.cosigned(), policy)
    names = {witness.key: witness.name for witness in policy.witnesses}
    return verified.checkpoint.size, sorted(names[item.key] for item in verified.cosignatures)


def troubles(cosigner):
    return {item.name: item.trouble for item in cosigner.witnesses if item.trouble}


def rounds(cosigner, count=1):
    return [asyncio.run(cosigner.round()) for _ in range(count)]


def test_every_checkpoint_is_cosigned_and_published(ledger, ring):
    cosigner = ring.cosigner()
    assert (cosigner.quorum_met, cosigner.witnesses[0].cosigned_size) == (None, None)
    for _ in range(5):
        ledger.grow(3)
        assert rounds(cosigner) == [True]
        assert kept(ledger, ring.policy) == (ledger.size, ["w1", "w2", "w3"])
        assert ledger.registrar.store.checkpoint() == ledger.registrar.store.cosigned()
        assert {item.cosigned_size for item in cosigner.witnesses} == {ledger.size}
        assert cosigner.quorum_met is True
        assert troubles(cosigner) == {}
    assert verify(ledger.directory).verdict is Verdict.VALID


def test_nothing_new_asks_nobody_until_the_cosignatures_are_old(ledger, ring):
    cosigner = ring.cosigner()
    rounds(cosigner)
    asked = {name: way.asked for name, way in ring.ways.items()}
    rounds(cosigner, 3)
    assert {name: way.asked for name, way in ring.ways.items()} == asked
    ledger.now += cosigning.REFRESH_SECONDS
    rounds(cosigner)
    verified = verify_with_policy(ledger.registrar.store.cosigned(), ring.policy)
    assert {item.time for item in verified.cosignatures} == {ledger.now}


FAULTS = (
    away,
    silent,
    says(500, b"oops"),
    says(200, b""),
    says(409, b"many\n"),
    # An address of a redirection is read though it is not followed.
    says(302, b"", location="http://xn--0/"),
)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_missing_witness_is_a_line_in_the_status(ledger, ring, fault, monkeypatch, patience):
    cosigner = ring.cosigner()
    ring.ways["w2"].fault = fault
    # The quorum needs the other two, who have all the time they want; only then does the wait begin.
    monkeypatch.setattr(cosigning, "GRACE_SECONDS", 0.1 if fault is silent else 60)
    ledger.grow()
    assert rounds(cosigner) == [True]
    assert kept(ledger, ring.policy) == (ledger.size, ["w1", "w3"])
    assert list(troubles(cosigner)) == ["w2"]
    ring.ways["w2"].fault = None
    patience(60)
    ledger.grow(4)
    assert rounds(cosigner) == [True]
    assert kept(ledger, ring.policy) == (ledger.size, ["w1", "w2", "w3"])
    assert troubles(cosigner) == {}


def test_who_is_silent_is_not_waited_for_for_ever(ledger, ring, patience):
    cosigner = ring.cosigner()
    for name in ("w2", "w3"):
        ring.ways[name].fault = silent
    patience(0.2)
    assert rounds(cosigner) == [False]
    assert {troubles(cosigner)[name] for name in ("w2", "w3")} == {"no answer within 0.2 s"}


def test_without_a_quorum_the_last_cosigned_checkpoint_stays(ledger, ring):
    cosigner = ring.cosigner()
    rounds(cosigner)
    before = ledger.registrar.store.cosigned()
    ring.ways["w1"].fault = ring.ways["w3"].fault = away
    ledger.grow(2)
    assert rounds(cosigner) == [False]
    assert cosigner.quorum_met is False
    assert ledger.registrar.store.cosigned() == before
    with pytest.raises(QuorumNotMet):
        verify_with_policy(ledger.registrar.store.checkpoint(), ring.policy)
    ledger.grow(2)
    assert verify(ledger.directory).verdict is Verdict.VALID


def test_a_newer_checkpoint_does_not_hide_the_cosigned_one(ledger, ring):
    """Under load a slow round ends when a newer checkpoint stands already: its work is kept all the same."""
    cosigner = ring.cosigner()
    published = []

    async def late(raw):
        ledger.grow()
        published.append(await ledger.publish(raw))

    cosigner._publish = late
    size = ledger.size
    assert rounds(cosigner) == [True]
    assert published == [False]
    assert kept(ledger, ring.policy)[0] == size < ledger.size
    assert (
        checkpoint.parse_checkpoint(note.parse_note(ledger.registrar.store.checkpoint()).text).size
        == ledger.size
    )


def test_a_lost_answer_is_made_good(ledger, ring):
    """The witness is ahead of what we know of it: 409 tells, and the next request goes on from there."""
    cosigner = ring.cosigner()
    rounds(cosigner)
    ledger.grow()
    for way in ring.ways.values():
        way.fault = lost_answer
    assert rounds(cosigner) == [False]
    assert all("out of reach" in text for text in troubles(cosigner).values())
    for way in ring.ways.values():
        way.fault = None
    assert rounds(cosigner) == [True]
    ledger.grow(3)
    fresh = ring.cosigner()
    assert rounds(fresh) == [True], "a founder that was started anew asks the witnesses what they know"
    assert kept(ledger, ring.policy) == (ledger.size, ["w1", "w2", "w3"])


def test_a_witness_that_knows_more_is_heeded(ledger, ring, tmp_path):
    """As it would be after a backup of the ledger was restored."""
    cosigner = ring.cosigner()
    ring.ways["w1"].fault = says(409, b"1000\n")
    assert rounds(cosigner) == [True]
    assert troubles(cosigner) == {
        "w1": f"has cosigned 1000 entries, this ledger has published {ledger.size}: is this a restored backup?"
    }


def test_a_witness_of_another_history_refuses(ledger, ring, tmp_path):
    other = Ledger(tmp_path / "other" / "ledger")
    twin = Ring(tmp_path / "ring", other)
    try:
        assert rounds(twin.cosigner()) == [True]
    finally:
        twin.close()
    cosigner = ring.cosigner()
    assert rounds(cosigner) == [False]
    assert all("422" in text for text in troubles(cosigner).values())
    other.close()


def test_cosignatures_are_verified(ledger, ring):
    cosigner = ring.cosigner()
    said = note.parse_note(ledger.registrar.store.checkpoint())
    wrong = Signer.from_seed(bytes([99]) * 32)
    key = ring.policy.witnesses[0].key
    forged = note.cosign_text(wrong, key.name, said.text, START)
    spoilt = note.NoteSignature(name=key.name, key_id=key.key_id, signature=forged.signature)
    ring.ways["w1"].fault = says(200, note.format_signatures([spoilt]))
    ring.ways["w2"].fault = says(200, note.format_signatures([forged]))
    ring.ways["w3"].fault = says(200, b"x" * 1_000_000)
    assert rounds(cosigner) == [False]
    found = troubles(cosigner)
    assert found["w1"].startswith("its cosignature is wrong")
    assert found["w2"] == "answers without a cosignature of w2.example"
    assert found["w3"].startswith("its answer cannot be read")


def test_a_witness_without_a_url_is_said(ledger, ring):
    text = ring.policy
    silent_one = text.witnesses[0]
    line = f"witness w {note.format_vkey(silent_one.key)}\nquorum w\n"
    ring.policy = parse_policy(line.encode())
    cosigner = ring.cosigner()
    assert rounds(cosigner) == [False]
    assert troubles(cosigner) == {"w": "the policy names no URL for it"}


def test_a_witness_that_failed_is_left_in_peace_for_a_while(ledger, ring):
    cosigner = ring.cosigner()
    ring.ways["w2"].fault = away

    async def run():
        task = asyncio.create_task(cosigner.run(every_seconds=0.001))
        for _ in range(300):
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert ring.ways["w2"].asked == 1
    assert cosigner.quorum_met is True


def test_only_checkpoints_of_this_ledger_are_kept(ledger, ring, tmp_path):
    registrar = ledger.registrar
    rounds(ring.cosigner())
    size, root = ledger.size, bytes(32)
    lie = note.format_note(checkpoint.sign_checkpoint(LEDGER_KEY, ORIGIN, size, root))
    ahead = note.format_note(checkpoint.sign_checkpoint(LEDGER_KEY, ORIGIN, size + 1, root))
    for raw in (lie, ahead):
        with pytest.raises(InconsistentCheckpoint):
            registrar.publish_cosigned(raw)
    stranger = Signer.from_seed(os.urandom(32))
    with pytest.raises(InvalidSignature):
        registrar.publish_cosigned(note.format_note(checkpoint.sign_checkpoint(stranger, ORIGIN, size, root)))
    with pytest.raises(MalformedError):
        registrar.publish_cosigned(b"checkpoint")
    before = registrar.store.cosigned()
    ledger.grow()
    rounds(ring.cosigner())
    newer = registrar.store.cosigned()
    assert registrar.publish_cosigned(before) is False
    assert registrar.store.cosigned() == newer


def test_verify_compares_the_kept_checkpoint(ledger, ring):
    rounds(ring.cosigner())
    ledger.close()
    assert verify(ledger.directory).verdict is Verdict.VALID
    lie = note.format_note(checkpoint.sign_checkpoint(LEDGER_KEY, ORIGIN, ledger.count + 2, bytes(32)))
    with closing(sqlite3.connect(ledger.directory / "ledger.db")) as db:
        db.execute("UPDATE meta SET value = ? WHERE name = 'cosigned'", (lie,))
        db.commit()
    report = verify(ledger.directory)
    assert report.verdict is Verdict.BROKEN
    assert report.first.place == "the last cosigned checkpoint"


def test_verify_weighs_the_times_of_cosignatures(ledger, ring):
    """A witness that cosigned a tree long before its last block was sealed: one of the clocks is wrong."""
    rounds(ring.cosigner())
    early = note.parse_note(ledger.registrar.store.checkpoint())
    key = Signer.from_seed(bytes([21]) * 32)
    for seconds, wrong in ((0, False), (300, False), (301, True), (100_000, True), (-500, False)):
        line = checkpoint.cosign(key, "early.example", early, START - seconds)
        kept = note.format_note(checkpoint.add_signatures(early, [line]))
        report = verify(ledger.directory, against=[kept])
        assert report.verdict is Verdict.VALID
        assert (
            any(
                f"early.example says that it cosigned 2 entries {seconds} s before" in text
                for text in report.warnings
            )
            is wrong
        )


# Proofs that carry cosignatures


@pytest.fixture
def files(ledger, ring, tmp_path, monkeypatch):
    """A statement in a file, and a policy; the ledger cosigned."""
    for name in [name for name in os.environ if name.startswith("PSEUDOLEDGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PSEUDOLEDGER_DIR", str(ledger.directory))
    monkeypatch.setenv("PSEUDOLEDGER_KEYS", str(tmp_path / "keys"))
    monkeypatch.chdir(tmp_path)
    ledger.grow(3)
    rounds(ring.cosigner())
    Path("it.scitt").write_bytes(ledger.registrar.store.entry(2).statement)
    Path("trust.policy").write_bytes(format_policy(ring.policy))
    Path("cosigned").write_bytes(ledger.registrar.store.cosigned())
    return tmp_path


def pl(capsys, line, code=0):
    assert run(shlex.split(line)) == code
    shown = capsys.readouterr()
    return shown.out if code == 0 else shown.err


def test_a_proof_file_carries_the_cosignatures(ledger, ring, files, capsys):
    ledger.grow()
    assert "w2.example" in pl(capsys, "receipt proof 2 -o it.tlog-proof")
    key = f"--key {LEDGER_KEY.did}"
    shown = json.loads(pl(capsys, "receipt verify it.scitt it.tlog-proof --policy trust.policy --json"))
    assert (shown["index"], shown["tree_size"], shown["origin"]) == (2, ledger.size - 2, ORIGIN)
    assert shown["cosigned"] == [{"witness": f"w{n}", "time": ledger.now - 2} for n in (1, 2, 3)]
    for words in (key, f"{key} --policy trust.policy", f"--policy trust.policy --origin {ORIGIN}"):
        assert "Verified" in pl(capsys, f"receipt verify it.scitt it.tlog-proof {words}")
    other = Signer.from_seed(bytes([55]) * 32).did
    pl(capsys, f"receipt verify it.scitt it.tlog-proof --key {other}", 1)
    assert "not signed by" in pl(
        capsys, f"receipt verify it.scitt it.tlog-proof --key {other} --policy trust.policy", 1
    )
    pl(capsys, "receipt verify it.scitt it.tlog-proof --policy trust.policy --origin other.example", 1)
    pl(capsys, "receipt verify it.scitt it.tlog-proof --policy trust.policy --checkpoint cosigned", 2)
    pl(capsys, "receipt verify it.scitt it.tlog-proof", 2)
    Path("other.scitt").write_bytes(ledger.registrar.store.entry(4).statement)
    pl(capsys, "receipt verify other.scitt it.tlog-proof --policy trust.policy", 1)


def test_an_entry_after_the_cosigned_checkpoint_is_proved_under_the_newest(ledger, ring, files, capsys):
    ledger.grow()
    index = ledger.size - 2
    shown = json.loads(pl(capsys, f"receipt proof {index} -o new.tlog-proof --json"))
    assert shown["signed_by"] == [ORIGIN]
    Path("new.scitt").write_bytes(ledger.registrar.store.entry(index).statement)
    assert "Verified" in pl(capsys, f"receipt verify new.scitt new.tlog-proof --key {LEDGER_KEY.did}")
    said = pl(capsys, "receipt verify new.scitt new.tlog-proof --policy trust.policy", 1)
    assert "quorum all-of-them is not met" in said


def test_a_receipt_with_a_cosigned_checkpoint(ledger, ring, files, capsys):
    last = ledger.size - 2
    Path("last.scitt").write_bytes(ledger.registrar.store.entry(last).statement)
    pl(capsys, f"receipt get {last} -o last.receipt")
    pl(capsys, "receipt get 2 -o it.receipt")
    line = "receipt verify last.scitt last.receipt --policy trust.policy"
    assert "carries no cosignatures" in pl(capsys, line, 1)
    shown = json.loads(pl(capsys, f"{line} --checkpoint cosigned --json"))
    assert [item["witness"] for item in shown["cosigned"]] == ["w1", "w2", "w3"]
    older = pl(capsys, "receipt verify it.scitt it.receipt --policy trust.policy --checkpoint cosigned", 1)
    assert "pl receipt proof" in older
    pl(capsys, f"receipt verify it.scitt it.receipt --key {LEDGER_KEY.did} --checkpoint cosigned", 2)
    lie = note.format_note(checkpoint.sign_checkpoint(LEDGER_KEY, ORIGIN, ledger.size, bytes(32)))
    Path("lie").write_bytes(lie)
    Path("bare.policy").write_text(f"log {note.format_vkey(ring.policy.logs[0].key)}\nquorum none\n")
    bare = "receipt verify last.scitt last.receipt --policy bare.policy"
    assert "Verified" in pl(capsys, bare)
    assert "two histories were signed" in pl(capsys, f"{bare} --checkpoint lie", 1)
    Path("none.policy").write_text("quorum none\n")
    pl(capsys, "receipt verify last.scitt last.receipt --policy none.policy", 1)


def test_a_policy_can_be_shown_and_tried(ledger, ring, files, tmp_path, capsys):
    shown = json.loads(pl(capsys, "policy show trust.policy --checkpoint cosigned --json"))
    assert shown["groups"] == [{"name": "all-of-them", "threshold": 2, "members": ["w1", "w2", "w3"]}]
    assert [item["witness"] for item in shown["cosigned"]] == ["w1", "w2", "w3"]
    Path("newest").write_bytes(ledger.registrar.store.checkpoint().split(b"\n\xe2\x80\x94 w2")[0] + b"\n")
    pl(capsys, "policy show trust.policy --checkpoint newest", 1)
    assert pl(capsys, "policy log") == f"log {note.format_vkey(ring.policy.logs[0].key)}\n"
    said = pl(
        capsys,
        f"policy witness {owner_of(tmp_path / 'ring' / 'w1').did} --name w1.example --label w1 --url http://w1.test/",
    )
    assert said == f"witness w1 {note.format_vkey(ring.policy.witnesses[0].key)} http://w1.test/\n"
    pl(capsys, f"policy witness {LEDGER_KEY.did}", 2)
