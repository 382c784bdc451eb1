"""`witness`: cosign the checkpoints of other people's logs, over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from starlette.applications import Starlette

from pseudoledger.cli.command import plain
from pseudoledger.cli.desk import Desk, last_signed_path, read_file
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.show import say
from pseudoledger.errors import PeerUnreachable
from pseudoledger.identity.keys import Signer
from pseudoledger.ledger.policy import parse_policy
from pseudoledger.node.witness import Witness, create_witness
from pseudoledger.node.witness_record import Owner, WitnessRecord, owner_of

app = typer.Typer()
APPS = (app,)

POLICY = "policy"
"""Name of the policy file in the directory of a witness."""
STOP_SECONDS = 5
REQUESTS_MAX = 256
"""Requests served at once; more are answered 503."""


@plain(
    app,
    "witness",
    examples=(
        "pl witness watch --port 8081 --policy logs.policy --as w1 --name witness.example/w1",
        "pl witness watch --port 8081",
    ),
)
def witness(
    directory: Annotated[Path, typer.Argument(help="Directory for its record.", show_default=False)],
    *,
    port: Annotated[int, typer.Option("--port", help="Port to serve at; 0 for any that is free.", min=0)],
    host: Annotated[str, typer.Option("--host", help="Address to serve at.")] = "127.0.0.1",
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            help="C2SP policy file that names the logs; the file `policy` in the directory where not said.",
        ),
    ] = None,
    as_: Annotated[
        str | None,
        typer.Option("--as", help="Name of its key; needed the first time.", metavar="NAME"),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Name in its signature lines, a URL without its scheme; that of the key where not said.",
        ),
    ] = None,
) -> None:
    """Cosign checkpoints of the logs in a policy, and remember the last of each (C2SP tlog-witness)."""
    path = policy or directory / POLICY
    trusted = parse_policy(read_file(path))
    if not trusted.logs:
        raise WrongUse(f"{path} names no log", hint="add lines `log VKEY`; pl policy log prints one")
    desk = Desk(None)
    signer, owner = _open_key(desk, directory, as_, name)
    with contextlib.ExitStack() as held:
        record = WitnessRecord(directory, owner)
        held.callback(record.close)
        served = create_witness(
            Witness(
                record=record,
                signer=signer,
                name=owner.name,
                policy=trusted,
                clock=lambda: int(time.time()),
                forks=directory / "forks",
            )
        )
        listening = held.enter_context(_listen(host, port))
        asyncio.run(_serve(served, listening, f"witnessing as {owner.name} at {_url(listening)}"))


def _open_key(desk: Desk, directory: Path, as_: str | None, name: str | None) -> tuple[Signer, Owner]:
    """Return the key of the witness, and whose record it goes on with."""
    before = owner_of(directory)
    if as_ is None:
        if before is None:
            raise WrongUse(
                f"{directory} holds no record yet: say which key is the witness's",
                hint="pl id new NAME makes one; then add --as NAME",
            )
        as_ = desk.keystore.find(before.did).name
    if last_signed_path(desk.keystore, as_).exists():
        raise WrongUse(f"{as_} is the key of a ledger", hint="a witness has a key of its own: pl id new NAME")
    signer = desk.signer(as_)
    stays = before.name if before is not None else as_
    return signer, Owner(name=name or stays, did=signer.did)


@contextlib.contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    """Bind a socket before anything is served, so that a taken port is said in one line."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=REQUESTS_MAX)
    except OSError as error:
        raise PeerUnreachable(
            f"{host} port {port}: {error.strerror}", hint="choose another port or address"
        ) from error
    with listening:
        yield listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """A server that says when it accepts connections, and whose end by a signal is a proper end."""

    def __init__(self, config: uvicorn.Config, greeting: str) -> None:
        super().__init__(config)
        self._greeting = greeting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, and say so."""
        await super().startup(sockets)
        if self.started:
            say(self._greeting)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop gracefully on SIGTERM and SIGINT, and do not die of them afterwards."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


async def _serve(served: Starlette, listening: socket.socket, greeting: str) -> None:
    config = uvicorn.Config(
        served,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=REQUESTS_MAX,
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=16_384,
    )
    await _Server(config, greeting).serve(sockets=[listening])
