"""The last cosigned checkpoint over HTTP: at the founder, at a mirror, in an export, and in proofs made from it."""

import json

import httpx
import pytest
from guides import until

from pseudoledger.ledger.checkpoint import parse_checkpoint
from pseudoledger.ledger.note import parse_note
from pseudoledger.ledger.policy import parse_policy, verify_with_policy

COSE = {"content-type": "application/cose"}


@pytest.fixture
def witnessed(founded, place):
    """A served ledger whose newest checkpoint is bare: its one witness went away before it."""
    log = place.pl("policy", "log", "--ledger", "ledger")
    (place.directory / "logs.policy").write_text(f"{log}quorum none\n")
    place.pl("id", "new", "w1", "--unsealed")
    party = founded.party()
    raws = [party.pool("P-1"), party.pool("P-2")]
    policy = place.directory / "trust.policy"
    with place.running(
        "witness",
        place.directory / "watch",
        "--port",
        "0",
        "--policy",
        place.directory / "logs.policy",
        "--as",
        "w1",
    ) as w1:
        line = place.pl("policy", "witness", "w1", "--url", w1.url)
        policy.write_text(f"{log}{line}group enough 1 w1\nquorum enough\n")
        with founded.serve("--witnesses", policy) as node:
            assert httpx.get(f"{node.url}/checkpoint-cosigned").status_code in {200, 404}
            httpx.post(f"{node.url}/entries", content=raws[0], headers=COSE).raise_for_status()
            until(lambda: size(node.url, "checkpoint-cosigned") == 4, "it was cosigned")
            w1.stop()
            httpx.post(f"{node.url}/entries", content=raws[1], headers=COSE).raise_for_status()
            until(lambda: size(node.url, "checkpoint") == 6, "the newest is published")
            yield node, policy, raws


def size(url, name):
    answer = httpx.get(f"{url}/{name}")
    return parse_checkpoint(parse_note(answer.content).text).size if answer.status_code == 200 else 0


def test_it_is_served_beside_a_newest_one_without_cosignatures(witnessed):
    node, policy, _ = witnessed
    answer = httpx.get(f"{node.url}/checkpoint-cosigned")
    assert verify_with_policy(answer.content, parse_policy(policy.read_bytes())).checkpoint.size == 4
    assert answer.headers["cache-control"] == "public, max-age=1, must-revalidate"
    again = httpx.get(answer.url, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert size(node.url, "checkpoint") == 6


def test_proofs_over_a_node_are_made_from_it(witnessed, founded, place):
    node, _, raws = witnessed
    for index, raw in ((2, raws[0]), (4, raws[1])):
        (place.directory / f"{index}.scitt").write_bytes(raw)
        place.pl(
            "receipt", "proof", index, "--node", node.url, "--node-key", founded.key, "-o", f"{index}.proof"
        )
    shown = json.loads(
        place.pl("receipt", "verify", "2.scitt", "2.proof", "--policy", "trust.policy", "--json")
    )
    assert (shown["tree_size"], [one["witness"] for one in shown["cosigned"]]) == (4, ["w1"])
    assert "Verified" in place.pl("receipt", "verify", "4.scitt", "4.proof", "--key", founded.key)
    assert "quorum" in place.pl("receipt", "verify", "4.scitt", "4.proof", "--policy", "trust.policy", code=1)


def test_a_mirror_and_an_export_have_it_too(witnessed, founded, place):
    node, _, _ = witnessed
    kept = httpx.get(f"{node.url}/checkpoint-cosigned").content
    with place.running("mirror", node.url, place.directory / "copy", "--port", "0") as mirror:
        assert httpx.get(f"{mirror.url}/checkpoint-cosigned").content == kept
        place.pl("receipt", "proof", 2, "--node", mirror.url, "--node-key", founded.key, "-o", "m.proof")
    place.pl("tiles", "export", "copy", "out")
    assert (place.directory / "out/checkpoint-cosigned").read_bytes() == kept
    assert "valid" in place.pl("verify", "copy", "--key", founded.key)


def test_a_node_without_witnesses_has_none(founded):
    with founded.serve() as node:
        assert httpx.get(f"{node.url}/checkpoint-cosigned").status_code == 404
