"""Mirrors: of static files and of nodes, resumed, and fed with what must not be believed."""

import shutil
import signal
import subprocess
import threading
import time
from contextlib import closing

import httpx
import pytest
from mirror_world import (
    FIRST,
    IAT,
    LEDGER_ID,
    Quiet,
    batches,
    entries,
    export,
    mirrored,
    pool,
    publish,
    publish_anything,
    serving,
)
from processes import PROGRAM
from small_ledger import FOUNDER, LEDGER, NEXT_LEDGER, build, founding, opened, publish_by_hand

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.bench.workload import Load
from pseudoledger.errors import (
    InvalidSignature,
    MalformedError,
    PeerUnreachable,
    PseudoledgerError,
    StoreBusy,
    StoreError,
    VerificationError,
)
from pseudoledger.ledger.checkpoint import sign_checkpoint
from pseudoledger.ledger.note import format_note
from pseudoledger.ledger.receipt import verify_receipt
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tiles import Bundle, make_bundle, parse_bundle
from pseudoledger.ledger.tree import root
from pseudoledger.node.belief import Disbelieved
from pseudoledger.node.mirror import Mirror
from pseudoledger.registrar.answers import receipt_of


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A ledger of leases whose key changes half-way, and its exported tiles."""
    directory = tmp_path_factory.mktemp("small")
    made = build(directory)
    export(directory)
    return made


@pytest.fixture
def static(small):
    with serving(small.directory.parent / "out") as url:
        yield url


def test_a_static_copy_is_mirrored_byte_for_byte(small, static, tmp_path):
    copy = tmp_path / "copy"
    synced = mirrored(static, copy, key=NEXT_LEDGER.did)
    assert entries(copy) == entries(small.directory)
    assert (synced.since, synced.size, synced.offered) == (0, len(entries(copy)), len(entries(copy)))
    assert (copy / "ledger.json").read_bytes() == (small.directory / "ledger.json").read_bytes()
    report, original = (
        verify(directory, ledger_key=NEXT_LEDGER.did) for directory in (copy, small.directory)
    )
    assert (report.verdict, report.faults) == (Verdict.VALID, ())
    assert report.keep == original.keep
    assert any("heads" in warning for warning in report.warnings)
    assert not any("heads" in warning for warning in original.warnings)
    with closing(Store.open_reader(copy)) as store, pytest.raises(StoreError, match="signed head"):
        receipt_of(store, report.origin, 0)


def test_a_second_sync_brings_nothing_and_a_later_one_what_is_new(tmp_path):
    with serving(publish(tmp_path / "old", batches(1, 2))) as url:
        assert mirrored(url, tmp_path / "copy").size == 6
        assert mirrored(url, tmp_path / "copy").since == 6
    with serving(publish(tmp_path / "new", batches(1, 2, 3))) as url:
        synced = mirrored(url, tmp_path / "copy")
    assert (synced.since, synced.size) == (6, 8)
    assert verify(tmp_path / "copy").verdict is Verdict.VALID


@pytest.mark.parametrize("key", [LEDGER.did, NEXT_LEDGER.did])
def test_a_key_that_was_retired_by_the_ledger_itself_is_still_its_key(static, tmp_path, key):
    assert mirrored(static, tmp_path / "copy", key=key).size


def test_another_key_than_the_named_one_is_not_believed(static, tmp_path):
    with pytest.raises(InvalidSignature, match="is not signed by"):
        mirrored(static, tmp_path / "copy", key=FOUNDER.did)
    assert entries(tmp_path / "copy") == []


def test_one_process_writes_a_mirror(static, tmp_path):
    with closing(Mirror(static, tmp_path / "copy")), pytest.raises(StoreBusy):
        Mirror(static, tmp_path / "copy")


class Stuck(Quiet):
    """Gives the first sixteen bundles and lets whoever wants more wait."""

    released = threading.Event()

    def do_GET(self):  # noqa: N802 - the server calls it by this name
        name = self.path.rpartition("/")[2]
        if "/entries/" in self.path and (".p/" in self.path or int(name) >= 16):
            Stuck.released.wait(60)
        super().do_GET()


def test_a_mirror_killed_in_the_midst_goes_on_where_it_was(tmp_path):
    load = Load(tmp_path, leases=10)
    for _ in range(6):
        load.registrar.register(load.statements(1000))
    load.registrar.close()
    out, copy = export(tmp_path), tmp_path / "copy"
    with serving(out, Stuck) as url:
        child = subprocess.Popen([*PROGRAM, "mirror", url, str(copy), "--once"], stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while not stored(copy) and time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        Stuck.released.set()
        had = stored(copy)
        assert 0 < had < 6000
        # What is there is whole blocks, verified; only the checkpoint is still to come.
        assert [fault.code for fault in verify(copy).faults] == ["stored.checkpoint"]
        synced = mirrored(url, copy)
    assert synced.since == had
    assert entries(copy) == entries(tmp_path / "ledger")
    assert verify(copy).keep == verify(tmp_path / "ledger").keep


def stored(directory):
    try:
        with closing(Store.open_reader(directory)) as store:
            return store.size
    except PseudoledgerError:
        return 0


# What is not to be believed


def changed(tmp_path, change, history=None):
    """Mirror six entries, change the tiles of eight, and return what the next sync says."""
    copy, later = tmp_path / "copy", tmp_path / "later"
    with serving(publish(tmp_path / "old", batches(1, 2))) as url:
        mirrored(url, copy)
    out = publish(later, history or batches(1, 2, 3))
    change(out)
    with serving(out) as url, closing(Mirror(url, copy)) as mirror:
        with pytest.raises(PseudoledgerError) as caught:
            mirror.once()
        assert mirror.standing().behind == caught.value.message
        assert mirror.standing().held == ""
        assert mirror.forks.names() == ()
    # It goes on serving what it verified.
    assert verify(copy).verdict is Verdict.VALID
    return caught.value, len(entries(copy))


def test_a_tampered_tile(tmp_path):
    def flip(out):
        path = out / "tile/0/000.p/8"
        raw = bytearray(path.read_bytes())
        raw[3] ^= 1
        path.write_bytes(raw)

    error, size = changed(tmp_path, flip)
    assert isinstance(error, VerificationError)
    assert "signed root" in error.message
    assert size == 6


def test_a_rewritten_entry_under_honest_tiles(tmp_path):
    def rewrite(out):
        path = out / "tile/entries/000.p/8"
        found = list(parse_bundle(Bundle(0, 8), path.read_bytes()))
        found[6] = pool(9)
        path.write_bytes(make_bundle(found))

    error, size = changed(tmp_path, rewrite)
    assert "entry 6 is not the one signed" in error.message
    assert size == 6


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda out: shutil.rmtree(out / "tile/entries"), "not there"),
        (lambda out: (out / "tile/0/000.p/8").write_bytes(bytes(300)), "more than 256 bytes"),
        (lambda out: (out / "tile/0/000.p/8").write_bytes(bytes(200)), "has 200 bytes"),
        (lambda out: (out / "checkpoint").write_bytes(b"x" * 70_000), "more than 65536 bytes"),
        (lambda out: (out / "checkpoint").write_bytes(b"nothing\n"), "no blank line"),
    ],
)
def test_answers_of_another_form_or_length(tmp_path, spoil, says):
    error, size = changed(tmp_path, spoil)
    assert isinstance(error, PeerUnreachable | MalformedError)
    assert says in error.message
    assert size == 6


def test_an_older_checkpoint_shown_again_is_no_fork(tmp_path):
    copy = tmp_path / "copy"
    with serving(publish(tmp_path / "new", batches(1, 2, 3))) as url:
        mirrored(url, copy)
    with serving(publish(tmp_path / "old", batches(1, 2))) as url, closing(Mirror(url, copy)) as mirror:
        synced = mirror.once()
        assert (synced.offered, synced.size) == (6, 8)
        assert "older checkpoint, of 6 entries; 8 are held" in mirror.standing().behind
        assert mirror.standing().held == ""
    assert verify(copy).keep.split()[1] == "8"


def bad_signature():
    raw = bytearray(pool(3))
    raw[-1] ^= 1
    return bytes(raw)


@pytest.mark.parametrize(
    ("last", "says"),
    [
        ([bad_signature()], "statement.signature"),
        ([pool(3), pool(3)], "stands on the ledger before"),
        ([pool(1)], "stands on the ledger before"),
        ([pool(3), FIRST], "stands on the ledger before"),
        ([pool(3, iat=IAT + 10_000)], "statement.future"),
        ([pool(3, count=4), pool(3, count=5)], "breaks the rules"),
        ([b"\xa0"], "entry 8: statement.cbor"),
    ],
)
def test_a_properly_signed_block_over_what_the_rules_refuse(tmp_path, last, says):
    """A block before it is believed; the first entry that shows it is named."""
    history = [*batches(1, 2)[:3], [pool(8)], last]
    copy = tmp_path / "copy"
    publish_anything(tmp_path / "bad", history)
    with serving(tmp_path / "bad" / "out") as url, closing(Mirror(url, copy)) as mirror:
        for _ in range(2):
            with pytest.raises(Disbelieved) as caught:
                mirror.once()
            assert says in caught.value.message
            assert mirror.standing().behind == caught.value.message
    assert len(entries(copy)) == 8
    assert [fault.code for fault in verify(copy).faults] == ["stored.checkpoint"]


def test_a_block_from_the_future_waits(tmp_path):
    first = founding(iat=IAT)
    copy = tmp_path / "copy"
    publish_by_hand(tmp_path / "x" / "ledger", [[first]])
    with serving(export(tmp_path / "x")) as url:
        with closing(Mirror(url, copy, clock=lambda: (IAT - 301) * 1000)) as mirror:
            with pytest.raises(Disbelieved, match="301 s ahead of this clock"):
                mirror.once()
            assert mirror.state is None
        assert mirrored(url, copy, clock=lambda: (IAT - 300) * 1000).size == 2


def test_a_tree_that_does_not_end_in_a_block(tmp_path):
    publish_by_hand(tmp_path / "x" / "ledger", batches(1))
    with closing(Store.open_writer(tmp_path / "x" / "ledger")) as store:
        store.publish(format_note(sign_checkpoint(LEDGER, "forged.example/one", 3, root(3, store.hashes))))
    with serving(export(tmp_path / "x")) as url, pytest.raises(Disbelieved, match="does not end in a block"):
        mirrored(url, tmp_path / "copy")


def test_another_ledger_is_not_mixed_in(small, static, tmp_path):
    with serving(publish(tmp_path / "one", batches(1))) as url:
        mirrored(url, tmp_path / "copy")
    with pytest.raises(VerificationError, match="this directory mirrors"):
        mirrored(static, tmp_path / "copy")


def test_a_head_that_the_ledger_did_not_sign_is_a_fault(small, static, tmp_path):
    """`verify` lets a mirror have no head, and nobody a false one."""
    mirrored(static, tmp_path / "copy")
    with opened(tmp_path / "copy") as db:
        db.execute("UPDATE blocks SET signature = ? WHERE height = 2", (bytes(64),))
    assert [fault.code for fault in verify(tmp_path / "copy").faults] == ["stored.block"]


# Real processes


def until(check):
    """Wait for something that a running mirror does within a second or two."""
    deadline = time.monotonic() + 60
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found
    return found


def test_a_mirror_forwards_and_catches_up(founded):
    party = founded.party()
    headers = {"content-type": "application/cose"}
    with (
        founded.serve() as node,
        founded.place.running("mirror", node.url, founded.place.directory / "copy", "--port", "0") as copy,
    ):
        raw = party.pool("P-1")
        stale = party.sign({"type": "identity.declared"}, iat=IAT - 10**9)
        answer = httpx.post(f"{copy.url}/entries", content=raw, headers=headers)
        assert answer.status_code == 201
        proved = verify_receipt(answer.content, raw, founded.key, "node.example/test")
        where = answer.headers["location"]
        again = httpx.post(f"{copy.url}/entries", content=raw, headers=headers)
        assert (again.status_code, again.headers["location"]) == (201, where)
        receipt = until(lambda: (got := httpx.get(copy.url + where)).status_code == 200 and got.content)
        assert verify_receipt(receipt, raw, founded.key, "node.example/test").leaf_index == proved.leaf_index
        refused = httpx.post(f"{copy.url}/entries", content=stale, headers=headers)
        assert (refused.status_code, refused.headers["content-type"][:11]) == (400, "application")
        assert httpx.post(f"{copy.url}/entries", content=b"\xa0", headers=headers).status_code == 400
        batch = httpx.post(
            f"{copy.url}/api/v1/batch?dry_run=1",
            content=party.pool("P-2") + stale,
            headers={"content-type": "application/cose-seq"},
        ).json()
        assert batch[0]["known"] is False
        assert batch[1]["findings"]
        assert httpx.get(f"{copy.url}/forks").json() == {"forks": [], "undecided": []}
        assert node.stop()[0] == 0
        away = httpx.post(f"{copy.url}/entries", content=party.pool("P-3"), headers=headers)
        assert away.status_code == 503
        assert "nothing was queued" in away.text or away.headers["content-type"].endswith("cbor")
        assert httpx.get(f"{copy.url}/checkpoint").status_code == 200
        assert copy.stop()[0] == 0
    report = verify(founded.place.directory / "copy", ledger_key=founded.key)
    assert (report.verdict, report.keep) == (Verdict.VALID, verify(founded.directory).keep)
    # No receipt is lost: every entry has one under a head that was given.
    with closing(Store.open_reader(founded.place.directory / "copy")) as store:
        for index, raw in enumerate(entries(founded.directory)):
            verify_receipt(receipt_of(store, report.origin, index), raw, founded.key, report.origin)
    assert report.ledger != LEDGER_ID
