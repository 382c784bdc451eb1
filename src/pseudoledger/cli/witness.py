"""`witness`: cosign the checkpoints of other people's logs, over HTTP."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from pseudoledger.cli.command import plain
from pseudoledger.cli.desk import Desk, last_signed_path, read_file
from pseudoledger.cli.failure import DONE, WrongUse
from pseudoledger.identity.keys import Signer
from pseudoledger.ledger.policy import parse_policy
from pseudoledger.node.witness_record import Owner, WitnessRecord, owner_of

app = typer.Typer()
APPS = (app,)

POLICY = "policy"
"""Name of the policy file in the directory of a witness."""


@plain(
    app,
    "witness",
    examples=(
        "pl witness watch --port 8081 --policy logs.policy --as w1 --name witness.example/w1",
        "pl witness watch --port 8081 --policy logs.policy",
    ),
)
def witness(
    directory: Annotated[Path, typer.Argument(help="Directory for its record.", show_default=False)],
    *,
    port: Annotated[
        int, typer.Option("--port", help="Port to serve at; 0 for any that is free.", max=65_535)
    ],
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
    if policy is None and not path.exists():
        raise WrongUse(
            f"{path} is not there: it names the logs to cosign",
            hint=f"pl policy log prints the line of a ledger; write it into {path}, or give --policy FILE",
        )
    trusted = parse_policy(read_file(path))
    if not trusted.logs:
        raise WrongUse(f"{path} names no log", hint="add lines `log VKEY`; pl policy log prints one")
    # Starlette and uvicorn take half a second to import, which no other command should wait for.
    from pseudoledger.node.serving import Listening, serve, set_up_logging
    from pseudoledger.node.witness import Witness, create_witness

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
        set_up_logging(requests=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            # The server stops in order when it gets one, and then raises it anew: that is a proper end.
            held.callback(signal.signal, number, signal.signal(number, lambda *_: sys.exit(DONE)))
        serve(served, Listening(host=host, port=port), f"witnessing as {owner.name}")


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
