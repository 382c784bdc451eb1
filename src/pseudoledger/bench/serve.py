"""Serving: `POST /entries` by many clients at once, one statement each, and the same while readers poll.

wrk sends what was signed beforehand. The limit is a bare ASGI application under the same server, which reads
the body and answers.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from starlette.types import Receive, Scope, Send

from pseudoledger.bench.measure import Figure, at_least
from pseudoledger.bench.workload import LAST_DAY, ORIGIN, Load, ledger_signer
from pseudoledger.errors import PeerUnreachable
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.node.founder import Settings, run
from pseudoledger.node.serving import Listening, serve
from pseudoledger.registrar import Registrar

CLIENTS = 256
READERS = 1_000
SECONDS = 6

_SCRIPT = """
local threads = 0
function setup(thread) thread:set("number", threads); threads = threads + 1 end
function init(args)
  requests = {}
  local headers = {["Content-Type"] = "application/cose"}
  local file = assert(io.open(args[1] .. "." .. number, "rb"))
  while true do
    local head = file:read(4)
    if not head then break end
    local a, b, c, d = head:byte(1, 4)
    local statement = file:read(((a * 256 + b) * 256 + c) * 256 + d)
    requests[#requests + 1] = wrk.format("POST", "/entries", headers, statement)
  end
  at = 0
end
function request()
  at = at % #requests + 1
  return requests[at]
end
"""


def bench_serve(directory: Path, *, entries: int) -> Iterator[Figure]:
    """Measure `POST /entries` beside a bare application, alone and while 1,000 readers poll the checkpoint."""
    if shutil.which("wrk") is None:
        raise PeerUnreachable("wrk is not installed", hint="apt-get install wrk")
    script = directory / "post.lua"
    script.write_text(_SCRIPT)
    load = Load(directory / "serve", leases=100)
    runs = [_write(load, directory / f"run{number}", entries) for number in range(3)]
    load.registrar.close()
    with _server("bare", directory / "serve") as url:
        bare = _wrk(url, script, runs[0])
    yield Figure(name="bare ASGI application", value=bare.rate, unit="requests/s")
    with _server("founder", directory / "serve") as url:
        alone = _wrk(url, script, runs[0])
        limit = ("bare ASGI", bare.rate)
        yield at_least(f"POST /entries, {CLIENTS} clients", alone.rate, "statements/s", 6_000, limit)
        yield Figure(name="POST /entries, p50", value=alone.p50_ms, unit="ms")
        yield Figure(name="POST /entries, p99", value=alone.p99_ms, unit="ms")
        with _readers(url):
            beside = _wrk(url, script, runs[1])
        yield at_least(
            f"the same while {READERS:,} readers poll the checkpoint",
            beside.rate,
            "statements/s",
            0.9 * alone.rate,
            ("alone", alone.rate),
        )


class _Run:
    """What wrk measured; anything but clean answers raises PeerUnreachable."""

    def __init__(self, said: str) -> None:
        found = dict(re.findall(r"^\s+(50|99)%\s+(\S+)$", said, re.MULTILINE))
        rate = re.search(r"^Requests/sec:\s+([0-9.]+)$", said, re.MULTILINE)
        if rate is None or len(found) < 2 or "Non-2xx" in said or "Socket errors" in said:
            raise PeerUnreachable(f"wrk did not finish cleanly:\n{said}")
        self.rate = float(rate[1])
        self.p50_ms, self.p99_ms = _milliseconds(found["50"]), _milliseconds(found["99"])


def _milliseconds(text: str) -> float:
    value, unit = re.fullmatch(r"([0-9.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def _wrk(url: str, script: Path, statements: Path) -> _Run:
    command = ["wrk", "-t", "2", "-c", str(CLIENTS), "-d", f"{SECONDS}s", "--latency", "-s", str(script), url]
    done = subprocess.run(  # noqa: S603 - our own words
        [*command, "--", str(statements)], check=True, capture_output=True, text=True
    )
    return _Run(done.stdout)


@contextmanager
def _readers(url: str) -> Iterator[None]:
    """Let 1,000 connections poll the checkpoint, each about once a second, as long as the block runs."""
    script = "function delay() return math.random(500, 1500) end"
    with subprocess.Popen(  # noqa: S603 - our own words
        ["wrk", "-t", "1", "-c", str(READERS), "-d", "60s", "-s", "/dev/stdin", f"{url}/checkpoint"],  # noqa: S607
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as readers:
        assert readers.stdin is not None, "it was asked for"
        readers.stdin.write(script)
        readers.stdin.close()
        time.sleep(2)
        try:
            yield
        finally:
            readers.terminate()


def _write(load: Load, path: Path, count: int) -> Path:
    """Write statements that depend on no order, half for each of wrk's threads, each with its length."""
    for thread in range(2):
        with path.with_name(f"{path.name}.{thread}").open("wb") as file:
            for number in range(count // 2):
                raw = load.pool(number % len(load.contracts), f"{path.name}-{thread}-{number}")
                file.write(len(raw).to_bytes(4) + raw)
    return path


@contextmanager
def _server(kind: str, directory: Path) -> Iterator[str]:
    """Run one of the two applications below in a process of its own, under the same server."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter and words
        [sys.executable, "-m", "pseudoledger.bench.serve", kind, str(directory)],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None, "it was asked for"
        try:
            url = child.stdout.readline().strip().rpartition(" at ")[2]
            if not url:
                raise PeerUnreachable(f"the {kind} to be measured did not start")
            httpx.get(f"{url}/checkpoint")
            yield url
        finally:
            child.terminate()


def _founder(directory: Path) -> None:
    """Serve the ledger of a load, as `pl serve` does."""
    record = LastSigned(directory / "keys" / "ledger.last-signed")
    settings = Settings(directory=directory / "ledger", origin=ORIGIN, simulated_ms=LAST_DAY * 1000)
    registrar = Registrar.open(
        settings.directory, signer=ledger_signer(), last_signed=record, clock=settings.clock
    )
    run(registrar, settings)


def _bare(_directory: Path) -> None:
    """Serve an application that reads the body and answers as a node does, without doing anything."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"application/cose"), (b"content-length", b"600")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(600)})

    serve(app, Listening(), "serving nothing")


if __name__ == "__main__":
    {"founder": _founder, "bare": _bare}[sys.argv[1]](Path(sys.argv[2]))
