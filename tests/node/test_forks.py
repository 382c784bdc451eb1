"""Two histories of one ledger: shown to mirrors in every way, proved, kept, and decided."""

import base64
import json
import threading
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import httpx
import pytest
from mirror_world import batches, entries, mirrored, pool, publish, serving
from small_ledger import FOUNDER, LEDGER, NEXT_LEDGER, opened
from test_mirror import until

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.errors import InconsistentCheckpoint, InvalidProof, InvalidSignature, SplitView, StoreError
from pseudoledger.ledger.checkpoint import sign_checkpoint
from pseudoledger.ledger.fork import BlockEntry, SignedHead, parse_fork, verify_fork
from pseudoledger.ledger.note import format_note
from pseudoledger.ledger.receipt import sign_head
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import root
from pseudoledger.node.forks import Forks, Weighed
from pseudoledger.node.forward import Forwarder
from pseudoledger.node.mirror import Mirror, accept
from pseudoledger.node.reading import Reader
from pseudoledger.node.submission import Overloaded, Unavailable
from pseudoledger.registrar.answers import receipt_of
from pseudoledger.statement import envelope

ORIGIN = "forged.example/one"


@pytest.fixture
def told(tmp_path):
    """The folders of two histories that part after entry 3: A of 8 entries, and what B may be."""
    publish(tmp_path / "a", batches(1, 2, 3))
    return tmp_path


def other(told, *numbers):
    """Another history after the same first pool."""
    name = "b" + "-".join(map(str, numbers))
    publish(told / name, batches(1, *numbers))
    return told / name / "out"


def held(told, url, copy):
    """Let a mirror of A meet another history: it keeps a proof and stays what it was."""
    before = entries(copy)
    with closing(Mirror(url, copy)) as mirror:
        with pytest.raises(SplitView, match="two histories"):
            mirror.once()
        (name,) = mirror.forks.names()
        assert name in mirror.standing().held
        # Until the operator decides nothing is fetched, and no second proof is needed.
        with pytest.raises(SplitView):
            mirror.once()
        assert mirror.forks.names() == (name,)
    assert entries(copy) == before
    # A copy that was cut short of its own checkpoint is broken, and that is what there is to say.
    report = verify(copy)
    if report.verdict is Verdict.VALID:
        assert any(f"forks/{name} proves" in text for text in report.warnings)
        (copy / "forks" / "else.json").write_bytes(b"{}")
        assert verify(copy).warnings == report.warnings, "what proves nothing is nothing to warn of"
        (copy / "forks" / "else.json").unlink()
    return (copy / "forks" / name).read_bytes()


@pytest.mark.parametrize("numbers", [(9,), (9, 3), (9, 3, 4, 5)])
def test_a_mirror_that_is_shown_another_history(told, numbers):
    """Shorter than what is held, as long, and longer: a rewritten entry each time."""
    copy = told / "copy"
    with serving(told / "a" / "out") as url:
        mirrored(url, copy)
    with serving(other(told, *numbers)) as url:
        raw = held(told, url, copy)
    proven = verify_fork(parse_fork(raw), [LEDGER.did])
    assert sorted([proven.size1, proven.size2]) == sorted([8, 4 + 2 * len(numbers)])
    assert verify(copy).verdict is Verdict.VALID


def test_the_command_line_verifies_lists_and_decides(told, place):
    copy = told / "copy"
    with serving(told / "a" / "out") as url:
        mirrored(url, copy)
    with serving(other(told, 9, 3)) as url:
        assert "two histories" in place.pl("mirror", url, copy, "--once", "--key", LEDGER.did, code=1)
        (name,) = Forks(copy / "forks").names()
        proof = copy / "forks" / name
        said = json.loads(place.pl("fork", "verify", proof, "--key", LEDGER.did, "--json"))
        assert (said["origin"], said["size1"], said["size2"]) == (ORIGIN, 8, 8)
        place.pl("fork", "verify", proof, "--key", NEXT_LEDGER.did, code=1)
        place.pl("fork", "accept", copy, told / "a" / "out" / "checkpoint")
        assert json.loads(place.pl("fork", "list", copy, "--json")) == [{"file": str(proof), "decided": True}]


def test_a_fork_that_is_decided_against_stays_decided_as_it_grows(told):
    copy = told / "copy"
    with serving(told / "a" / "out") as url:
        mirrored(url, copy)
    with serving(other(told, 9, 3)) as url:
        held(told, url, copy)
    accept(copy, (told / "a" / "out" / "checkpoint").read_bytes())
    for numbers in ((9,), (9, 3, 4), (9, 3, 4, 5)):
        with serving(other(told, *numbers)) as url, closing(Mirror(url, copy)) as mirror:
            with pytest.raises(InconsistentCheckpoint):
                mirror.once()
            assert (len(mirror.forks.names()), mirror.standing().held) == (1, "")
            assert "another history" in mirror.standing().behind
    # A new lie, beyond what was accepted, is news.
    publish(told / "more", batches(1, 2, 3, 4))
    with serving(told / "more" / "out") as url:
        assert mirrored(url, copy).size == 10
    publish(told / "lie", batches(1, 2, 3, 6))
    with serving(told / "lie" / "out") as url, closing(Mirror(url, copy)) as mirror, pytest.raises(SplitView):
        mirror.once()
    assert len(Forks(copy / "forks").names()) == 2


def test_an_operator_may_start_over_on_the_other_history(told):
    copy, chosen = told / "copy", other(told, 9, 3, 4)
    with serving(told / "a" / "out") as url:
        mirrored(url, copy)
    with serving(chosen) as url:
        held(told, url, copy)
        accept(copy, (chosen / "checkpoint").read_bytes(), start_over=True)
        assert mirrored(url, copy).size == 10
    assert entries(copy) == entries(told / "b9-3-4" / "ledger")
    assert len(entries(copy / "aside-8")) == 8
    # The history that was not accepted cannot come back in, by way of an empty directory neither.
    with serving(told / "a" / "out") as url, pytest.raises(InconsistentCheckpoint):
        mirrored(url, copy)
    for name in ("ledger.db", "ledger.json"):
        (copy / name).unlink()
    with serving(told / "a" / "out") as url, pytest.raises(InconsistentCheckpoint, match="accepted"):
        mirrored(url, copy)


def test_a_copy_that_is_cut_short_of_its_checkpoint_proves_with_its_last_block(told):
    copy = told / "copy"
    with serving(told / "a" / "out") as url:
        mirrored(url, copy)
    with opened(copy) as db:
        db.execute("DELETE FROM meta")
    with serving(other(told, 9, 3, 4)) as url:
        proof = parse_fork(held(told, url, copy))
    assert isinstance(proof.first, BlockEntry)
    assert verify_fork(proof, [LEDGER.did]).size1 == 7


def test_a_contradiction_that_the_ledger_did_not_sign_proves_nothing(told):
    copy, lie = told / "copy", other(told, 9, 3)
    with serving(told / "a" / "out") as url:
        mirrored(url, copy)
    with closing(Store.open_reader(told / "b9-3" / "ledger")) as store:
        forged = format_note(sign_checkpoint(FOUNDER, ORIGIN, 8, root(8, store.hashes)))
    (lie / "checkpoint").write_bytes(forged)
    with serving(lie) as url, closing(Mirror(url, copy)) as mirror:
        with pytest.raises(InvalidSignature):
            mirror.once()
        assert (mirror.forks.names(), mirror.standing().held) == ((), "")
        assert "not signed by the ledger key" in mirror.standing().behind


def test_tiles_that_do_not_fit_a_signed_checkpoint_prove_nothing(told):
    """A consistency that merely fails: the signed root may be honest, and the server a liar."""
    copy, lie = told / "copy", other(told, 9, 3, 4)
    publish(told / "a5", batches(1, 2, 3, 4))
    with serving(told / "a" / "out") as url:
        mirrored(url, copy)
    (lie / "checkpoint").write_bytes((told / "a5" / "out" / "checkpoint").read_bytes())
    with serving(lie) as url, closing(Mirror(url, copy)) as mirror:
        with pytest.raises(InconsistentCheckpoint, match="signed root"):
            mirror.once()
        assert (mirror.forks.names(), mirror.standing().held) == ((), "")


# Peers


def test_peers_find_out_that_they_were_told_two_histories(told, place):
    """The founder keeps two mirrors apart; they ask each other."""
    other(told, 9, 3, 4)
    with serving(told / "a" / "out") as one, serving(told / "b9-3-4" / "out") as two:  # noqa: SIM117 - shown in two steps
        with place.running("mirror", two, told / "second", "--port", "0") as peer:
            with closing(Mirror(one, told / "first", peers=[peer.url])) as mirror:
                with pytest.raises(SplitView):
                    mirror.once()
                assert mirror.standing().held
            listed = until(lambda: (got := httpx.get(f"{peer.url}/forks").json())["undecided"] and got)
            for name in listed["forks"]:
                raw = httpx.get(f"{peer.url}/forks/{name}").content
                verify_fork(parse_fork(raw), [LEDGER.did])
            assert httpx.get(f"{peer.url}/forks/..%2fdecided.json").status_code == 404
            # It serves on what it verified, and forwards nothing to a founder with two tongues.
            assert (
                httpx.get(f"{peer.url}/checkpoint").content == (told / "b9-3-4/out/checkpoint").read_bytes()
            )
            sent = httpx.post(
                f"{peer.url}/entries", content=pool(5), headers={"content-type": "application/cose"}
            )
            assert sent.status_code == 503
            assert peer.stop()[0] == 0
    for name, size in (("first", 8), ("second", 10)):
        assert len(entries(told / name)) == size
        assert verify(told / name).verdict is Verdict.VALID


def test_what_a_peer_may_post(told, place):
    with (
        serving(told / "a" / "out") as url,
        place.running("mirror", url, told / "copy", "--port", "0") as copy,
    ):

        def post(body):
            answer = httpx.post(f"{copy.url}/peer/checkpoint", content=body)
            return answer.status_code, answer.json().get("verdict")

        def note(signer, size, history="b9-3-4"):
            with closing(Store.open_reader(told / history / "ledger")) as store:
                return format_note(sign_checkpoint(signer, ORIGIN, size, root(size, store.hashes)))

        other(told, 9, 3, 4)
        assert post(b"no note") == (400, None)
        assert post(b"x" * 70_000) == (413, None)
        assert post(note(NEXT_LEDGER, 8)) == (403, None)
        assert post(note(LEDGER, 4)) == (200, "agrees")
        assert post(note(LEDGER, 10)) == (200, "ahead")
        assert httpx.get(f"{copy.url}/forks").json()["forks"] == []
        assert post(note(LEDGER, 6)) == (409, "fork")
        assert len(httpx.get(f"{copy.url}/forks").json()["undecided"]) == 1


def test_the_largest_commitments_ahead_are_kept_and_no_more(told):
    copy = told / "copy"
    with serving(told / "a" / "out") as url:
        mirrored(url, copy)
    with closing(Reader(copy)) as reader, reader.view() as view:
        for size in range(100, 120):
            head = sign_head(LEDGER, ORIGIN, size, bytes(32))
            assert Forks(copy / "forks").weigh(head, view.store, view.state) == (Weighed.AHEAD, "")
    kept = sorted(int(path.name[:20]) for path in (copy / "claims").iterdir())
    assert kept == list(range(104, 120))


def test_a_claim_that_was_kept_becomes_a_proof(told):
    copy = told / "copy"
    with serving(told / "a" / "out") as url:
        mirrored(url, copy)
    with closing(Reader(copy)) as reader, reader.view() as view:
        lie = sign_head(LEDGER, ORIGIN, 10, bytes(32))
        assert Forks(copy / "forks").weigh(lie, view.store, view.state)[0] is Weighed.AHEAD
    with serving(told / "a" / "out") as url, closing(Mirror(url, copy)) as mirror:
        mirror.once()
        assert "checkpoint of 10 entries is known" in mirror.standing().behind
    publish(told / "more", batches(1, 2, 3, 4))
    with serving(told / "more" / "out") as url, closing(Mirror(url, copy)) as mirror:
        with pytest.raises(SplitView):
            mirror.once()
        assert mirror.standing().held
    proof = parse_fork((copy / "forks" / Forks(copy / "forks").names()[0]).read_bytes())
    assert isinstance(proof.second, SignedHead)
    assert verify_fork(proof, [LEDGER.did]).size1 == 10


def test_a_claim_stays_until_the_disk_has_taken_the_proof_that_it_gives(told):
    copy = told / "copy"
    with serving(told / "a" / "out") as url:
        mirrored(url, copy)
    with closing(Reader(copy)) as reader, reader.view() as view:
        assert Forks(copy / "forks").weigh(sign_head(LEDGER, ORIGIN, 10, bytes(32)), view.store, view.state)
    publish(told / "more", batches(1, 2, 3, 4))
    (copy / "forks").write_text("in the way of the proofs")
    with serving(told / "more" / "out") as url, closing(Mirror(url, copy)) as mirror:
        with pytest.raises(StoreError):
            mirror.once()
        assert len(list((copy / "claims").iterdir())) == 1
        (copy / "forks").unlink()
        with pytest.raises(SplitView):
            mirror.once()


@pytest.mark.parametrize("listed", [b"[" * 30_000, b"[]", b"7", b"", b'{"forks": 7}', b'{"forks": [[]]}'])
def test_a_peer_that_lists_its_proofs_in_another_form_is_its_own_trouble(told, listed):
    out = told / "a" / "out"
    with serving(out) as url, closing(Mirror(url, told / "copy", peers=[url])) as mirror:
        mirror.once()
        (out / "forks").write_bytes(listed)
        mirror.once()
        (peer,) = mirror.standing().mirrors
        assert peer.trouble


def test_a_proof_of_a_peer_is_kept_only_if_it_proves(told):
    copy = told / "copy"
    with serving(told / "a" / "out") as url:
        mirrored(url, copy)
    with serving(other(told, 9, 3)) as url:
        raw = held(told, url, copy)
    with closing(Reader(copy)) as reader, reader.view() as view:
        proof, forks = parse_fork(raw), Forks(told / "elsewhere" / "forks")
        with pytest.raises(InvalidProof):
            forks.keep(replace(proof, second=proof.first), view.state)
        assert forks.names() == ()
        assert forks.keep(proof, view.state) == forks.names()[0]


# Forwarding to a founder that lies


@contextmanager
def answering(respond):
    """A node that answers a batch as it likes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            status, body = respond()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.send_header("retry-after", "7")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def forward(copy, raw, status, body):
    async def run(url, reader):
        forwarder = Forwarder(url, reader, Forks(copy / "forks"))
        try:
            return await forwarder.submit([raw])
        finally:
            await forwarder.close()

    with answering(lambda: (status, body)) as url, closing(Reader(copy)) as reader:
        return anyio.run(run, url, reader)


def receipted(history, index):
    with closing(Store.open_reader(history / "ledger")) as store:
        return receipt_of(store, ORIGIN, index)


def answer(raw, receipt):
    return json.dumps(
        [
            {
                "id": envelope.decode(raw).id,
                "index": 4,
                "known": False,
                "receipt": base64.b64encode(receipt).decode(),
            }
        ]
    ).encode()


def test_a_receipt_of_another_history_is_no_success_and_proves_the_fork(told):
    copy = told / "copy"
    with serving(told / "a" / "out") as url:
        mirrored(url, copy)
    other(told, 9, 3)
    raw = pool(9)
    with pytest.raises(Unavailable, match="another history"):
        forward(copy, raw, 200, answer(raw, receipted(told / "b9-3", 4)))
    proof = parse_fork((copy / "forks" / Forks(copy / "forks").names()[0]).read_bytes())
    verify_fork(proof, [LEDGER.did])
    with pytest.raises(Unavailable, match="forwards nothing"):
        forward(copy, raw, 200, b"[]")


def test_an_answer_that_cannot_be_verified_is_no_success(told):
    copy, raw = told / "copy", pool(2)
    with serving(told / "a" / "out") as url:
        mirrored(url, copy)
    good = receipted(told / "a", 4)
    (outcome,) = forward(copy, raw, 200, answer(raw, good))
    assert (outcome.index, outcome.receipt) == (4, good)
    for status, body in (
        (200, answer(pool(3), receipted(told / "a", 6))),
        (200, answer(raw, good[:-1] + bytes([good[-1] ^ 1]))),
        (200, answer(raw, b"")),
        (200, b"[]"),
        (200, b"[1]"),
        (200, b'[{"id": 3}]'),
        (200, b'[{"findings": [{}]}]'),
        (200, b"not json"),
        (500, b""),
        (503, b""),
    ):
        with pytest.raises(Unavailable):
            forward(copy, raw, status, body)
    with pytest.raises(Overloaded) as caught:
        forward(copy, raw, 429, b"")
    assert caught.value.retry_after_s == 7
    (refused,) = forward(copy, raw, 200, b'[{"id": null, "findings": [{"code": "x", "message": "y"}]}]')
    assert refused.findings[0].code == "x"
    assert Forks(copy / "forks").names() == ()
