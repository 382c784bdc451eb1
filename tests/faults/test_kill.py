"""kill -9 at random moments of registering: nothing acknowledged is missing, and the ledger goes on."""

import os
import random
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.bench.workload import Load, _signer
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.registrar import Registrar

CHILD = Path(__file__).with_name("crash_child.py")
ROUNDS = 10


def kill_once(directory, number, rng):
    """Run a writer, kill it, and return what it had acknowledged: (index, statement, hash of the receipt)."""
    child = subprocess.Popen(
        [sys.executable, CHILD, directory, "run", str(number)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # or `communicate` would not see what `readline` has read ahead
    )
    assert child.stdout.readline() == b"ready\n", child.stderr.read()
    # Now and then at once, otherwise in the midst of work, however slow this machine is.
    said = b"".join(child.stdout.readline() for _ in range(rng.choice([0, 1, rng.randrange(2, 80)])))
    time.sleep(rng.random() * 0.02)
    os.kill(child.pid, signal.SIGKILL)
    said += child.communicate()[0]
    assert child.returncode == -signal.SIGKILL
    lines = [line.split() for line in said.split(b"\n")[:-1]]
    return [(int(index), bytes.fromhex(raw.decode()), receipt.decode()) for _, index, raw, receipt in lines]


def rounds(directory, first, seed):
    rng = random.Random(seed)
    Load(directory, leases=1).registrar.close()
    acknowledged = []
    for number in range(first, first + ROUNDS):
        fresh = kill_once(directory, number, rng)
        acknowledged += fresh
        assert verify(directory / "ledger").verdict is Verdict.VALID
        with Registrar.open(
            directory / "ledger",
            signer=_signer("ledger"),
            last_signed=LastSigned(directory / "keys" / "ledger.last-signed"),
            clock=lambda: 2_000_000_000_000,
        ) as registrar:
            for index, raw, receipt in fresh:
                assert registrar.store.entry(index).statement == raw
                (again,) = registrar.register([raw])
                assert (again.known, again.index) == (True, index)
                assert sha256(registrar.receipt(index)).hexdigest() == receipt
    with Registrar.open(
        directory / "ledger",
        signer=_signer("ledger"),
        last_signed=LastSigned(directory / "keys" / "ledger.last-signed"),
        clock=lambda: 2_000_000_000_000,
    ) as registrar:
        assert all(registrar.store.entry(index).statement == raw for index, raw, _ in acknowledged)
    assert acknowledged
    assert verify(directory / "ledger").verdict is Verdict.VALID


@pytest.mark.parametrize("part", range(2))
def test_nothing_acknowledged_is_lost(tmp_path, part):
    rounds(tmp_path / "it", part * ROUNDS, seed=part)


@pytest.mark.long
@pytest.mark.parametrize("part", range(2, 100))
def test_nothing_acknowledged_is_lost_in_a_thousand_kills(tmp_path, part):
    rounds(tmp_path / "it", part * ROUNDS, seed=part)
