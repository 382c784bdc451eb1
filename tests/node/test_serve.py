"""`pl serve`: what goes in over HTTP is judged, sealed and answered with a receipt; abuse is turned away."""

import asyncio
import base64
import json
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cbor2
import httpx
import pytest
import uvicorn
import uvloop
from processes import ORIGIN
from uvicorn.server import ServerState

from pseudoledger.errors import MalformedError
from pseudoledger.identity.keys import key_from_did
from pseudoledger.ledger.checkpoint import log_key, parse_checkpoint, verify_checkpoint
from pseudoledger.ledger.note import parse_note
from pseudoledger.ledger.receipt import decode_receipt, verify_receipt
from pseudoledger.ledger.tiles import Bundle, format_path, parse_bundle
from pseudoledger.ledger.transparent import attach
from pseudoledger.node import bodies, serving
from pseudoledger.node.limits import Buckets, WriteTokens, add_token
from pseudoledger.statement import envelope

COSE = {"content-type": "application/cose"}


def post(url, raw, **headers):
    return httpx.post(f"{url}/entries", content=raw, headers=COSE | headers)


def test_a_statement_is_registered_and_its_receipt_verifies(founded):
    raw = founded.party().pool("P-1")
    with founded.serve() as node:
        assert node.said == f"serving {ORIGIN} at {node.url}"
        answer = post(node.url, raw)
        assert (answer.status_code, answer.headers["content-type"]) == (201, "application/cose")
        receipt = verify_receipt(answer.content, raw, founded.key, ORIGIN)
        assert receipt.leaf_index == 2
        again = post(node.url, raw)
        assert (again.status_code, again.headers["location"]) == (201, answer.headers["location"])
        assert again.content == answer.content
        assert httpx.get(node.url + answer.headers["location"]).content == answer.content
        # With its own receipt attached the same statement is the same.
        assert post(node.url, attach(raw, [answer.content])).content == answer.content
        code, errors = node.stop()
    assert (code, errors) == (0, "")
    assert founded.verified()["verdict"] == "valid"


def test_a_refusal_names_every_reason_in_both_notations(founded):
    other = founded.party().sign(
        {
            "type": "pool.declared",
            "number": "P-2",
            "lines": [{"id": "a", "resource": "chip", "chip": "x", "count": 1}],
        },
        iat=1_000_000,
    )
    with founded.serve() as node:
        answer = post(node.url, other, accept="application/json")
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
        said = answer.json()
        assert said["title"] == "Rejected"
        assert {"statement.too_old"} <= {finding["code"] for finding in said["findings"]}
        answer = post(node.url, other)
        assert answer.headers["content-type"] == "application/concise-problem-details+cbor"
        concise = cbor2.loads(answer.content)
        assert concise[-1] == "Rejected"
        assert "statement.too_old" in concise[-2]
        assert post(node.url, b"nothing at all").status_code == 400


def test_bodies_are_bounded_and_typed(founded):
    with founded.serve() as node:
        assert httpx.post(f"{node.url}/entries", content=b"x").status_code == 415
        assert post(node.url, bytes(100_000)).status_code == 413
        assert httpx.get(f"{node.url}/entries/{'0' * 64}").status_code == 404
        assert httpx.get(f"{node.url}/nothing").status_code == 404
        assert httpx.put(f"{node.url}/checkpoint").status_code == 405


def test_a_batch_answers_for_each(founded):
    party = founded.party()
    good, bad = (
        party.pool("P-1"),
        party.pool("P-2", lines=[{"id": "a", "resource": "chip", "chip": "none", "count": 1}]),
    )
    batch = {"content-type": "application/cose-seq"}
    with founded.serve() as node:
        url = f"{node.url}/api/v1/batch"
        tried = httpx.post(f"{url}?dry_run=1", content=good + bad, headers=batch).json()
        assert tried[0]["id"] == envelope.decode(good).id
        assert [finding["code"] for finding in tried[1]["findings"]] == ["table.unknown_row"]
        first, second, third = httpx.post(url, content=good + bad + good, headers=batch).json()
        assert (first["known"], third["known"], first["receipt"]) == (False, True, third["receipt"])
        assert second["findings"] == tried[1]["findings"]
        assert httpx.post(url, content=good + b"\xd2", headers=batch).status_code == 400
        assert httpx.post(url, content=b"", headers=batch).status_code == 400
        unseen = party.pool("P-3")
        for query in ("dry_run=true", "dry_run=1%20", "dry%5Frun=1", "dryrun=1", "dry_run=1&dry_run=0"):
            assert httpx.post(f"{url}?{query}", content=unseen, headers=batch).status_code == 422
        (last,) = httpx.post(f"{url}?dry_run=0", content=unseen, headers=batch).json()
        assert not last["known"]


def test_a_batch_larger_than_the_burst_passes_when_nothing_was_taken(founded):
    party = founded.party()
    raws = b"".join(party.pool(f"P-{number}") for number in range(5))
    batch = {"content-type": "application/cose-seq"}
    with founded.serve("--rate", "1", "--burst", "3") as node:
        first = httpx.post(f"{node.url}/api/v1/batch", content=raws, headers=batch)
        assert first.status_code == 200
        assert [answer["known"] for answer in first.json()] == [False] * 5
        again = httpx.post(f"{node.url}/api/v1/batch", content=raws, headers=batch)
        assert (again.status_code, int(again.headers["retry-after"]) >= 1) == (429, True)


def test_tiles_and_checkpoint_agree_and_are_cacheable(founded):
    party = founded.party()
    with founded.serve() as node:
        raws = [party.pool(f"P-{number}") for number in range(3)]
        for raw in raws:
            assert post(node.url, raw).status_code == 201
        deadline = time.monotonic() + 30
        while True:
            answer = httpx.get(f"{node.url}/checkpoint")
            note = parse_note(answer.content)
            size = parse_checkpoint(note.text).size
            if size == 8 or time.monotonic() > deadline:
                break
        assert size == 8, "an idle node publishes what it sealed"
        checkpoint = verify_checkpoint(answer.content, ORIGIN, [log_key(ORIGIN, key_from_did(founded.key))])
        assert checkpoint.checkpoint.origin == ORIGIN
        for known in (answer.headers["etag"], f'"other", {answer.headers["etag"]}', "*"):
            unchanged = httpx.get(f"{node.url}/checkpoint", headers={"if-none-match": known})
            assert (unchanged.status_code, unchanged.headers["etag"]) == (304, answer.headers["etag"])
        assert httpx.get(f"{node.url}/checkpoint", headers={"if-none-match": '"other"'}).status_code == 200
        assert httpx.head(f"{node.url}/checkpoint").headers["etag"] == answer.headers["etag"]
        assert httpx.post(f"{node.url}/checkpoint").status_code == 405
        bundle = Bundle(0, size)
        held = parse_bundle(bundle, httpx.get(f"{node.url}/{format_path(bundle)}").content)
        assert [held[index] for index in (2, 4, 6)] == raws
        assert httpx.get(f"{node.url}/tile/0/000.p/9").status_code == 404
        assert httpx.get(f"{node.url}/tile/0/001").status_code == 404
        assert httpx.get(f"{node.url}/tile/0/000.p/4").headers["cache-control"].startswith("public")


def test_the_checkpoint_is_read_by_scripts_of_allowed_origins_alone(founded):
    with founded.serve("--cors-origin", "https://reader.example") as node:
        for origin, allowed in (
            ("https://reader.example", "https://reader.example"),
            ("https://x.example", None),
        ):
            answer = httpx.get(f"{node.url}/checkpoint", headers={"origin": origin})
            assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == (200, allowed)
            plain = httpx.get(f"{node.url}/checkpoint")
            assert answer.content == plain.content
            for name in (
                "etag",
                "cache-control",
                "content-type",
                "content-security-policy",
                "x-frame-options",
            ):
                assert answer.headers[name] == plain.headers[name]


def test_an_idle_node_is_ready(founded):
    with founded.serve() as node:
        assert httpx.get(f"{node.url}/ready").json() == {"status": "ok"}


def test_what_one_batch_holds_twice_or_refuses_has_its_receipt_or_reasons(founded):
    party = founded.party()
    first, second, third = (party.pool(f"P-{number}") for number in range(3))
    with founded.serve() as node:
        assert post(node.url, first).status_code == 201
        content = b"".join([second, first, b"\xd2\x84\x40\xa0\x40\x40", third, second])
        headers = {"content-type": "application/cose-seq"}
        answers = httpx.post(f"{node.url}/api/v1/batch", content=content, headers=headers).json()
        assert [answer.get("known") for answer in answers] == [False, True, None, False, True]
        for raw, answer in zip((second, first, None, third, second), answers, strict=True):
            if raw is None:
                assert answer["findings"]
            else:
                receipt = base64.b64decode(answer["receipt"])
                assert verify_receipt(receipt, raw, founded.key, ORIGIN).leaf_index == answer["index"]


def test_a_connection_that_sends_no_head_is_closed(monkeypatch):
    monkeypatch.setattr(serving, "IDLE_SECONDS", 0.2)

    async def bare(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def converse():
        config = uvicorn.Config(bare, http=serving._ImpatientProtocol, lifespan="off", loop="uvloop")
        config.load()
        state = ServerState()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: serving._ImpatientProtocol(config=config, server_state=state, app_state={}),
            "127.0.0.1",
            0,
        )
        address = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.15)
        writer.write(b"GET / HTTP/1.1\r\nhost:")
        assert await reader.read() == b"", "an unfinished head is not waited for"
        silent, other = await asyncio.open_connection(*address)
        assert await silent.read() == b"", "nor a first one that never begins"
        writer.close()
        other.close()
        server.close()

    uvloop.run(converse())


def test_the_keys_are_cose_keys(founded):
    with founded.serve() as node:
        (key,) = cbor2.loads(httpx.get(f"{node.url}/.well-known/scitt-keys").content)
        assert (key[1], key[-1], key[-2]) == (1, 6, key_from_did(founded.key))
        one = httpx.get(f"{node.url}/.well-known/scitt-keys/{founded.key}")
        assert cbor2.loads(one.content) == key
        assert httpx.get(f"{node.url}/.well-known/scitt-keys/other").status_code == 404
        raw = founded.party().pool("P-1")
        assert decode_receipt(post(node.url, raw).content).ledger.encode() == key[2]


def test_many_at_once_share_blocks_and_nothing_is_lost(founded):
    party = founded.party()
    raws = [party.pool(f"P-{number}") for number in range(300)]
    with founded.serve() as node, httpx.Client() as client, ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda raw: client.post(f"{node.url}/entries", content=raw, headers=COSE), raws)
        )
        assert {answer.status_code for answer in answers} == {201}
        for raw, answer in zip(raws, answers, strict=True):
            verify_receipt(answer.content, raw, founded.key, ORIGIN)
        metrics = httpx.get(f"{node.url}/metrics").text
        assert 'pseudoledger_statements_total{outcome="registered"} 300.0' in metrics
    report = founded.verified()
    assert report["verdict"] == "valid"
    assert report["blocks"] < 300, "requests that came together share a block"


def test_killed_at_any_moment_nothing_acknowledged_is_missing(founded):
    party = founded.party()
    raws = iter([party.pool(f"P-{number}") for number in range(3_000)])
    for _ in range(3):
        acknowledged = []
        with founded.serve() as node:

            def send(node=node, acknowledged=acknowledged):
                with httpx.Client() as client:
                    for raw in raws:
                        try:
                            if (
                                client.post(f"{node.url}/entries", content=raw, headers=COSE).status_code
                                == 201
                            ):
                                acknowledged.append(raw)
                        except httpx.HTTPError:
                            return

            sender = threading.Thread(target=send)
            sender.start()
            while len(acknowledged) < 20:
                time.sleep(0.01)
            node.process.send_signal(signal.SIGKILL)
            sender.join()
        assert founded.verified()["verdict"] == "valid"
        with founded.serve() as node:
            for raw in acknowledged:
                answer = post(node.url, raw)
                assert answer.status_code == 201


def test_the_writer_is_one_and_the_second_is_told(founded):
    with founded.serve():
        said = founded.place.pl("serve", "ledger", "--port", "0", code=3)
        assert "stop it first, or use its node" in said


def test_a_port_that_is_taken_is_said(founded):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = founded.place.pl("serve", "ledger", "--port", taken.getsockname()[1], code=3)
    assert "cannot listen on 127.0.0.1" in said
    assert "Traceback" not in said


def test_the_two_processes_end_together(founded):
    with founded.serve() as node:
        children = Path(f"/proc/{node.process.pid}/task/{node.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        code, errors = node.process.wait(60), node.errors()
    assert code == 3
    assert "ended by itself" in errors
    assert founded.verified()["verdict"] == "valid"


def test_write_tokens(founded, tmp_path):
    tokens = tmp_path / "tokens.txt"
    token = json.loads(founded.place.pl("serve-token", tokens, "--name", "one", "--json"))["token"]
    assert token not in tokens.read_text()
    with founded.serve("--write-tokens", tokens) as node:
        raw = founded.party().pool("P-1")
        answer = post(node.url, raw, accept="application/json")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert post(node.url, raw, authorization="Bearer wrong").status_code == 401
        assert post(node.url, raw, authorization=f"Bearer {token}").status_code == 201
        assert httpx.get(f"{node.url}/checkpoint").status_code == 200, "reading needs no token"


def test_an_address_that_sends_too_fast_waits(founded):
    with founded.serve("--rate", "0.01", "--burst", "2") as node:
        party = founded.party()
        codes = [post(node.url, party.pool(f"P-{number}")).status_code for number in range(3)]
        assert codes == [201, 201, 429]
        assert int(post(node.url, party.pool("P-4")).headers["retry-after"]) > 1


def test_buckets_fill_again():
    now = [0.0]
    buckets = Buckets(2, 4, lambda: now[0])
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert buckets.take("b", 3) == 0
    now[0] = 1
    assert buckets.take("a", 2) == 0
    assert buckets.take("a") > 0
    now[0] = 100
    assert buckets.take("a", 40) == 0, "a full bucket lets a large batch pass, and is in debt after it"
    assert buckets.take("a") == pytest.approx(18.5)


def test_token_files_are_read_strictly(tmp_path):
    path = tmp_path / "tokens"
    token = add_token(path, "name")
    second = add_token(path, "other")
    tokens = WriteTokens.read(path)
    assert tokens.allows(f"Bearer {token}")
    assert tokens.allows(f"bearer {second}")
    assert not tokens.allows(token)
    assert oct(path.stat().st_mode)[-3:] == "600"
    path.write_text("abc\n")
    with pytest.raises(MalformedError, match="line 1"):
        WriteTokens.read(path)


async def slow():
    await asyncio.sleep(3600)


def test_a_body_that_does_not_come_is_cut_off(monkeypatch):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.01)
    with pytest.raises(bodies.BodyRefused) as error:
        asyncio.run(bodies.read_body({"headers": []}, slow, 10))
    assert error.value.status == 408
