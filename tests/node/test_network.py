"""A founder, two mirrors and three witnesses as real processes, any of which dies at any moment.

In the end everything converges: nothing acknowledged is lost, every copy verifies to the same root, and the
newest checkpoint carries the quorum's cosignatures.
"""

import json
import os
import random
import signal
import socket
import threading
import time

import httpx
import pytest
from processes import Running

from pseudoledger.ledger.checkpoint import parse_checkpoint
from pseudoledger.ledger.note import parse_note
from pseudoledger.ledger.policy import parse_policy, verify_with_policy

ROUNDS = 10
LONG_ROUNDS = 100
PATIENCE_S = 120
"""How long to wait for what has to come about; nothing is measured by it."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Network:
    """The six processes, each started anew on its own port and directory."""

    def __init__(self, founded):
        self.founded, self.place = founded, founded.place
        self.ports = {name: free_port() for name in ("founder", "m1", "m2", "w1", "w2", "w3")}
        self.running = {}
        pl, ledger = self.place.pl, founded.directory
        log = pl("policy", "log", "--ledger", ledger)
        (self.place.directory / "logs.policy").write_text(f"{log}quorum none\n")
        lines = [log]
        for name in ("w1", "w2", "w3"):
            pl("id", "new", name, "--unsealed")
            lines.append(
                pl(
                    "policy",
                    "witness",
                    name,
                    "--name",
                    f"witness.example/{name}",
                    "--label",
                    name,
                    "--url",
                    self.url(name),
                )
            )
        self.policy = self.place.directory / "trust.policy"
        self.policy.write_text("".join(lines) + "group enough 2 w1 w2 w3\nquorum enough\n")

    def url(self, name):
        return f"http://127.0.0.1:{self.ports[name]}"

    def arguments(self, name):
        directory, port = self.place.directory, ("--port", str(self.ports[name]))
        if name == "founder":
            return ("serve", self.founded.directory, *port, "--witnesses", self.policy)
        if name.startswith("m"):
            other = self.url("m2" if name == "m1" else "m1")
            return (
                "mirror",
                self.url("founder"),
                directory / name,
                *port,
                "--key",
                self.founded.key,
                "--peer",
                other,
            )
        known = (directory / name).exists()
        start = () if known else ("--as", name, "--name", f"witness.example/{name}")
        return ("witness", directory / name, *port, "--policy", directory / "logs.policy", *start)

    def start(self, name):
        if name in self.running:
            self.running[name].close()
        self.running[name] = Running(*self.arguments(name), env=self.place.env)

    def kill(self, name):
        running = self.running[name]
        running.process.send_signal(signal.SIGKILL)
        running.process.wait(60)
        running.close()

    def stop(self):
        for running in self.running.values():
            if running.process.poll() is None:
                running.stop(signal.SIGKILL)
            running.close()


def until(holds, what):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if found := holds():
                return found
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"never came about: {what}")


def checkpoint(url):
    raw = httpx.get(f"{url}/checkpoint").content
    return parse_checkpoint(parse_note(raw).text), raw


def send(network, raws, acknowledged, stop):
    """Send each statement to whoever answers, until it is acknowledged: sending again is always safe."""
    rng = random.Random(3)
    with httpx.Client(timeout=20) as client:
        for raw in raws:
            while not stop.is_set():
                url = network.url(rng.choice(("founder", "founder", "m1", "m2")))
                try:
                    answer = client.post(
                        f"{url}/entries", content=raw, headers={"content-type": "application/cose"}
                    )
                except httpx.HTTPError:
                    time.sleep(0.02)
                    continue
                if answer.status_code == 201:
                    acknowledged.append(raw)
                    break
                assert answer.status_code in {429, 503}, answer.text


def play(founded, rounds, seed):
    network, rng = Network(founded), random.Random(seed)
    party = founded.party()
    raws = [party.pool(f"P-{number}") for number in range(rounds * 400)]
    acknowledged, stop = [], threading.Event()
    sender = threading.Thread(target=send, args=(network, raws, acknowledged, stop))
    try:
        for name in ("w1", "w2", "w3", "founder", "m1", "m2"):
            network.start(name)
        sender.start()
        for _ in range(rounds):
            before = len(acknowledged)
            until(lambda before=before: len(acknowledged) > before, "a statement is acknowledged")
            name = rng.choice(tuple(network.running))
            network.kill(name)
            time.sleep(rng.random() / 5)
            network.start(name)
        stop.set()
        sender.join()
        converge(network, acknowledged)
    finally:
        stop.set()
        network.stop()


def converge(network, acknowledged):
    founded = network.founded

    def same():
        size = httpx.get(f"{network.url('founder')}/api/v1/status").json()["size"]
        if checkpoint(network.url("founder"))[0].size != size:
            return False
        return len({checkpoint(network.url(name))[0] for name in ("founder", "m1", "m2")}) == 1

    def cosigned():
        raw = checkpoint(network.url("founder"))[1]
        return verify_with_policy(raw, parse_policy(network.policy.read_bytes()))

    until(same, "founder and mirrors agree")
    until(lambda: _met(cosigned), "the newest checkpoint carries the quorum")
    head = checkpoint(network.url("founder"))[0]
    for name in ("founder", "m1", "m2"):
        code, errors = network.running[name].stop()
        assert code == 0, (name, errors)
        assert "Traceback" not in errors
    roots = set()
    for directory in (founded.directory, *(network.place.directory / name for name in ("m1", "m2"))):
        report = json.loads(network.place.pl("verify", directory, "--key", founded.key, "--json"))
        assert report["verdict"] == "valid"
        roots.add(report["keep"])
    assert len(roots) == 1
    assert f"{head.size}" in roots.pop()
    network.start("founder")
    with httpx.Client() as client:
        for raw in acknowledged:
            answer = client.post(
                f"{network.url('founder')}/entries", content=raw, headers={"content-type": "application/cose"}
            )
            assert answer.status_code == 201
    report = httpx.get(f"{network.url('founder')}/api/v1/status").json()
    assert report["size"] == head.size, "every acknowledged statement stood there already"


def _met(cosigned):
    from pseudoledger.errors import QuorumNotMet

    try:
        return cosigned() is not None
    except QuorumNotMet:
        return False


def test_any_of_them_dies_and_everything_converges(founded):
    play(founded, ROUNDS, 11)


@pytest.mark.long
def test_any_of_them_dies_a_hundred_times(founded):
    play(founded, LONG_ROUNDS, int.from_bytes(os.urandom(4)))
