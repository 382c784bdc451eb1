"""Whatever is posted, the node answers, goes on, and does not grow: bytes at random and statements bent a little."""

import os
import random
import time
from pathlib import Path

import httpx
import pytest
from witness_log import Log

from pseudoledger.statement import envelope

SECONDS = 30
LONG_SECONDS = 600
GROWTH_MAX_KIB = 64 * 1024
"""What memory may grow by after the first third: caches fill, a leak goes on."""

TYPES = (
    "application/cose",
    "application/cose",
    "application/cose",
    "application/json",
    "",
    "application/cose; x=\xff",
)


def resident_kib(pid):
    """Memory of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = 0
    for one in (pid, *children):
        status = Path(f"/proc/{one}/status").read_text()
        total += int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    return total


def bent(rng, raw):
    """Change a statement in one of many ways, or make something else altogether."""
    body = bytearray(raw)
    match rng.randrange(8):
        case 0:
            return rng.randbytes(rng.randrange(0, 2_000))
        case 1:
            body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
        case 2:
            del body[rng.randrange(len(body)) :]
        case 3:
            at = rng.randrange(len(body))
            body[at:at] = rng.randbytes(rng.randrange(1, 40))
        case 4:
            return b"\x9f" * rng.randrange(1, 30_000)
        case 5:
            return bytes(body) + rng.randbytes(rng.randrange(1, 90_000))
        case 6:
            return b"\xd2\x84" + rng.randbytes(rng.randrange(1, 200))
    return bytes(body)


def payloads(rng, party):
    """Sign payloads that are odd but signed: the rules and the reader of payloads are asked too."""
    values = (
        b"{}", b"[]", b"null", b'{"type":"pool.declared","v":1}', b'{"type":"pool.declared","v":1e3}',
        b'{"a":' * 40 + b"1" + b"}" * 40, b'{"type":"\\ud800","v":1}', rng.randbytes(50), b"\xff" * 10,
        b'{"type":"block.sealed","v":1}', b'{"type":"ledger.founded","v":1}',
    )  # fmt: skip
    return envelope.sign_bytes(
        party.signer, rng.choice(values), sub=party.signer.did, aud=party.ledger, iat=int(time.time())
    )


def fuzz(founded, seconds, seed):
    party, rng = founded.party(), random.Random(seed)
    good = [party.pool(f"P-{number}") for number in range(50)]
    counted: dict[int, int] = {}
    with founded.serve("--rate", "1000000", "--burst", "1000000") as node, httpx.Client() as client:
        client.post(f"{node.url}/entries", content=good[0], headers={"content-type": TYPES[0]})
        start, base = time.monotonic(), None
        while (passed := time.monotonic() - start) < seconds:
            raw = rng.choice((bent(rng, rng.choice(good)), payloads(rng, party)))
            path = rng.choice(("/entries", "/entries", "/entries", "/api/v1/batch"))
            kind = rng.choice(TYPES) if path == "/entries" else "application/cose-seq"
            answer = client.post(
                f"{node.url}{path}", content=raw, headers={"content-type": kind.encode("latin-1")}
            )
            counted[answer.status_code] = counted.get(answer.status_code, 0) + 1
            assert answer.status_code < 500, (answer.status_code, raw.hex()[:200], answer.text[:300])
            if base is None and passed > seconds / 3:
                base = resident_kib(node.process.pid)
        grown = resident_kib(node.process.pid) - base
        assert client.post(
            f"{node.url}/entries", content=good[1], headers={"content-type": TYPES[0]}
        ).is_success
        code, errors = node.stop()
    assert (code, errors) == (0, "")
    assert {400, 413, 415} <= set(counted), counted
    assert grown < GROWTH_MAX_KIB, f"memory grew by {grown} KiB"
    assert founded.verified()["verdict"] == "valid"


def requests(rng, log):
    """A request to a witness: right, wrong in one place, or bent."""
    old, size = rng.randrange(65), rng.randrange(66)
    raw = log.request(
        min(old, 64),
        min(size, 64),
        proof=rng.choice(
            (None, None, (), (bytes(32),), tuple(rng.randbytes(32) for _ in range(rng.randrange(70))))
        ),
        note=rng.choice(
            (None, None, rng.randbytes(rng.randrange(300)), log.sign(rng.randrange(1, 65), bytes(32)))
        ),
    )
    return raw if rng.random() < 0.5 else bent(rng, raw)


def fuzz_witness(place, seconds, seed):
    log, rng = Log(), random.Random(seed)
    place.pl("id", "new", "w1", "--unsealed")
    (place.directory / "logs.policy").write_text(f"{log.line}quorum none\n")
    arguments = ("--port", "0", "--policy", place.directory / "logs.policy", "--as", "w1")
    counted: dict[int, int] = {}
    with place.running("witness", place.directory / "watch", *arguments) as node, httpx.Client() as client:
        start, base = time.monotonic(), None
        while (passed := time.monotonic() - start) < seconds:
            raw = requests(rng, log)
            answer = client.post(f"{node.url}/add-checkpoint", content=raw)
            counted[answer.status_code] = counted.get(answer.status_code, 0) + 1
            assert answer.status_code < 500, (answer.status_code, raw[:200])
            if base is None and passed > seconds / 3:
                base = resident_kib(node.process.pid)
        grown = resident_kib(node.process.pid) - base
        code, errors = node.stop()
    assert code == 0
    assert "Traceback" not in errors
    assert {200, 400, 403, 409, 422} <= set(counted), counted
    assert grown < GROWTH_MAX_KIB, f"memory grew by {grown} KiB"


def test_entries_bear_anything(founded):
    fuzz(founded, SECONDS, 1)


@pytest.mark.long
def test_entries_bear_anything_for_long(founded):
    fuzz(founded, LONG_SECONDS, int.from_bytes(os.urandom(4)))


def test_a_witness_bears_anything(place):
    fuzz_witness(place, SECONDS, 2)


@pytest.mark.long
def test_a_witness_bears_anything_for_long(place):
    fuzz_witness(place, LONG_SECONDS, int.from_bytes(os.urandom(4)))
