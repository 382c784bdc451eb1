"""A writer to be killed: registers statements and says on standard output what was acknowledged.

crash_child.py DIR crash STEP     found a ledger, crash after a step of a registration
crash_child.py DIR limit BYTES    found a ledger, register until no file may grow beyond BYTES
crash_child.py DIR run ROUND      open the ledger and register until killed
"""

import os
import resource
import sys
from hashlib import sha256
from pathlib import Path

from pseudoledger.bench.workload import Load, _signer
from pseudoledger.errors import StoreError
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.ledger.store import Store
from pseudoledger.registrar import Registered, Registrar
from pseudoledger.statement import envelope
from pseudoledger.statement.payload import draft


def say(line):
    """Write a line that outlives this process."""
    os.write(1, f"{line}\n".encode())


def acknowledge(registrar, raws):
    for raw, answer in zip(raws, registrar.register(raws), strict=True):
        assert isinstance(answer, Registered), answer
        receipt = sha256(registrar.receipt(answer.index)).hexdigest()
        say(f"ack {answer.index} {raw.hex()} {receipt}")


class Crashing:
    """A connection that ends the process after the first statement of some kind."""

    def __init__(self, connection, step):
        self._connection, self._step = connection, step

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def execute(self, sql, *values):
        return self._run(self._connection.execute, sql, *values)

    def executemany(self, sql, *values):
        return self._run(self._connection.executemany, sql, *values)

    def _run(self, call, sql, *values):
        result = call(sql, *values)
        if sql.startswith(self._step):
            os._exit(9)
        return result


def crash_after(owner, name, call):
    original, calls = getattr(owner, name), iter(range(1, 100))

    def crashing(self, *values):
        original(self, *values)
        if next(calls) == call:
            os._exit(9)

    setattr(owner, name, crashing)


def crash(directory, step):
    load = Load(directory, leases=1)
    raws = load.statements(4)
    for raw in raws:
        say(f"send {raw.hex()}")
    if step == "record":
        crash_after(LastSigned, "sync", 1)
    elif step == "sign":
        crash_after(Store, "keep_signed", 1)
    elif step == "publish":
        crash_after(Store, "publish", 1)
    else:
        load.registrar._store._db = Crashing(load.registrar._store._db, step)
    load.registrar.register(raws[:2])
    # Within a second of the block before, so that its checkpoint waits for the closing.
    load.registrar.register(raws[2:])
    load.registrar.close()
    raise SystemExit("the step never came")


def limit(directory, most):
    load = Load(directory, leases=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    try:
        while True:
            acknowledge(load.registrar, load.statements(10))
    except StoreError as error:
        say(f"refused by the disk: {error}")
    try:
        load.registrar.close()
    except StoreError as error:
        say(f"not published: {error}")


def run(directory, number):
    registrar = Registrar.open(
        directory / "ledger",
        signer=_signer("ledger"),
        last_signed=LastSigned(directory / "keys" / "ledger.last-signed"),
        clock=lambda: 2_000_000_000_000,
    )
    aud, signer, count = registrar.state.id, _signer("crash"), 0
    say("ready")
    while True:
        raws = []
        for _ in range(1 + count % 7):
            count += 1
            line = {"id": "c", "resource": "cpu_core", "count": 1}
            seal = sha256(f"{number} {count}".encode()).hexdigest()[:43]
            tree = {
                "type": "pool.declared",
                "v": 1,
                "number": f"P-{number}-{count}",
                "lines": [line],
                "_sd": [seal],
                "_sd_alg": "sha-256",
            }
            raws.append(envelope.sign(signer, draft(tree), sub=signer.did, aud=aud, iat=2_000_000_000))
        acknowledge(registrar, raws)


if __name__ == "__main__":
    {"crash": crash, "limit": lambda d, n: limit(d, int(n)), "run": run}[sys.argv[2]](
        Path(sys.argv[1]), sys.argv[3]
    )
