"""Serving: `POST /entries` by many clients at once, one statement each, and the same while readers poll.

wrk sends what was signed and put into requests beforehand. The limit is a bare ASGI application under the same
server, which reads the body and answers. As wrk shares the machine with what it measures, the processor time
that the server took for each answer stands beside the rates.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import httpx
from starlette.types import Receive, Scope, Send

from pseudoledger.bench.measure import Figure, at_least
from pseudoledger.bench.register import signature_rate
from pseudoledger.bench.workload import LAST_DAY, ORIGIN, Load, ledger_signer
from pseudoledger.errors import PeerUnreachable
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.node.founder import Settings, run
from pseudoledger.node.serving import Listening, serve
from pseudoledger.registrar import Registrar

CLIENTS = 256
READERS = 1_000
SECONDS = 5

ROUNDS = 3

_SCRIPT = """
function init(args)
  requests = {}
  local headers = {["Content-Type"] = "application/cose"}
  local file = assert(io.open(args[1], "rb"))
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
    """Measure `POST /entries` beside a bare application, alone and while 1,000 readers poll the checkpoint.

    The three take turns, each with statements of its own, `entries` at most in one turn.
    """
    if shutil.which("wrk") is None:
        raise PeerUnreachable("wrk is not installed", hint="apt-get install wrk")
    script, pause = directory / "post.lua", directory / "pause.lua"
    script.write_text(_SCRIPT)
    pause.write_text("function delay() return math.random(500, 1500) end")
    load = Load(directory / "serve", leases=100)
    files = [_write(load, directory / f"run{number}", entries) for number in range(2 * ROUNDS)]
    signatures = signature_rate([load.pool(0, f"signature {number}") for number in range(2_000)])
    load.registrar.close()
    yield Figure(name="signatures alone, all cores", value=signatures, unit="statements/s")
    turns: dict[str, list[_Run]] = {"bare": [], "alone": [], "beside": []}
    polled: list[float] = []
    with _server("bare", directory / "serve") as bare, _server("founder", directory / "serve") as founder:
        for number in range(ROUNDS):
            turns["bare"].append(_wrk(bare, script, files[0]))
            turns["alone"].append(_wrk(founder, script, files[2 * number]))
            with _readers(founder.url, pause, polled):
                turns["beside"].append(_wrk(founder, script, files[2 * number + 1]))
    yield from _figures(turns, polled)


def _figures(turns: dict[str, list[_Run]], polled: list[float]) -> Iterator[Figure]:
    bare, alone, beside = (_Run.median(turns[name]) for name in ("bare", "alone", "beside"))
    limit = ("bare ASGI", bare.rate)
    yield Figure(name="bare ASGI application", value=bare.rate, unit="requests/s")
    yield Figure(name="bare ASGI application, processor time", value=bare.cpu_us, unit="µs/request")
    name = f"POST /entries, {CLIENTS} clients"
    yield at_least(name, alone.rate, "statements/s", 6_000, limit)
    yield Figure(name=f"{name}, p50", value=alone.p50_ms, unit="ms")
    yield Figure(name=f"{name}, p99", value=alone.p99_ms, unit="ms")
    yield Figure(name=f"{name}, processor time", value=alone.cpu_us, unit="µs/statement")
    name = f"the same beside {READERS:,} polling readers"
    yield at_least(name, beside.rate, "statements/s", 0.9 * alone.rate, ("alone", alone.rate))
    yield Figure(name=f"{name}, p99", value=beside.p99_ms, unit="ms")
    yield Figure(
        name="what these readers were answered", value=statistics.median(polled), unit="checkpoints/s"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What one run of wrk measured, and the time that the server's processes took for each answer."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float

    @classmethod
    def median(cls, runs: Sequence[_Run]) -> _Run:
        """Return the medians of several runs."""
        return cls(
            **{
                field.name: statistics.median(getattr(run, field.name) for run in runs)
                for field in fields(cls)
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """A server under measurement."""

    url: str
    process: int

    def seconds(self) -> float:
        """Return the processor time that it and its child have taken; 0 where there is no /proc."""
        return sum(map(_seconds, (self.process, *_children(self.process))))


def _children(process: int) -> list[int]:
    """Return the processes that one has started, and those that they have."""
    try:
        words = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []
    return [one for word in words for one in (int(word), *_children(int(word)))]


def _seconds(process: int) -> float:
    try:
        words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _milliseconds(text: str) -> float:
    value, unit = re.fullmatch(r"([0-9.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def _wrk(server: _Server, script: Path, statements: Path) -> _Run:
    """Let wrk post statements for a while. Anything but clean answers raises PeerUnreachable.

    One thread of it: two would take from the server more than they send.
    """
    command = ["wrk", "-t", "1", "-c", str(CLIENTS), "-d", f"{SECONDS}s", "--timeout", "30s", "--latency"]
    before = server.seconds()
    done = subprocess.run(  # noqa: S603 - our own words
        [*command, "-s", str(script), server.url, "--", str(statements)],
        check=True,
        capture_output=True,
        text=True,
    )
    said = done.stdout
    seconds = server.seconds() - before
    shares = dict(re.findall(r"^\s+(50|99)%\s+(\S+)\s*$", said, re.MULTILINE))
    count = re.search(r"^\s+(\d+) requests in ", said, re.MULTILINE)
    rate = _rate(said)
    if not rate or count is None or len(shares) < 2 or "Non-2xx" in said or "Socket errors" in said:
        raise PeerUnreachable(f"wrk did not finish cleanly:\n{said}")
    return _Run(
        rate=rate,
        p50_ms=_milliseconds(shares["50"]),
        p99_ms=_milliseconds(shares["99"]),
        cpu_us=1e6 * seconds / int(count[1]),
    )


def _rate(said: str) -> float | None:
    found = re.search(r"^Requests/sec:\s+([0-9.]+)$", said, re.MULTILINE)
    return None if found is None else float(found[1])


@contextmanager
def _readers(url: str, script: Path, polled: list[float]) -> Iterator[None]:
    """Let 1,000 connections poll the checkpoint, each about once a second; note how many answers a second came."""
    command = ["wrk", "-t", "1", "-c", str(READERS), "-d", "10m", "--timeout", "30s", "-s", str(script)]
    with subprocess.Popen(  # noqa: S603 - our own words
        [*command, f"{url}/checkpoint"], stdout=subprocess.PIPE, text=True
    ) as readers:
        time.sleep(2)
        try:
            yield
        finally:
            readers.send_signal(signal.SIGINT)
            said, _ = readers.communicate()
    rate = _rate(said)
    if rate is None or "Non-2xx" in said or "Socket errors" in said:
        raise PeerUnreachable(f"the readers were not all answered:\n{said}")
    polled.append(rate)


def _write(load: Load, path: Path, count: int) -> Path:
    """Write statements that depend on no order, each with its length."""
    with path.open("wb") as file:
        for number in range(count):
            raw = load.pool(number % len(load.contracts), f"{path.name}-{number}")
            file.write(len(raw).to_bytes(4) + raw)
    return path


@contextmanager
def _server(kind: str, directory: Path) -> Iterator[_Server]:
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
            yield _Server(url=url, process=child.pid)
        finally:
            child.terminate()


def _founder(directory: Path) -> None:
    """Serve the ledger of a load, as `pl serve` does."""
    record = LastSigned(directory / "keys" / "ledger.last-signed")
    settings = Settings(
        directory=directory / "ledger",
        origin=ORIGIN,
        simulated_ms=LAST_DAY * 1000,
        rate=1e6,
        burst=1e6,
    )
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
