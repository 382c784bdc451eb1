"""`mirror` and `fork`: follow somebody else's ledger, and what to do when it has shown two histories."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pseudoledger.cli.command import JsonOption, group, plain
from pseudoledger.cli.desk import read_file
from pseudoledger.cli.failure import CHECK_FAILED, WrongUse
from pseudoledger.cli.serve import (
    BurstOption,
    CertificateOption,
    HostOption,
    LogOption,
    OriginsOption,
    ProxiesOption,
    RateOption,
    TlsKeyOption,
)
from pseudoledger.cli.show import Column, Facts, Sheet, errors, present, progress
from pseudoledger.cli.values import did, http_url
from pseudoledger.ledger.fork import parse_fork, verify_fork

if TYPE_CHECKING:
    from pseudoledger.node.sync import Synced

app = typer.Typer()
forks = group("fork", "Proofs that a ledger has shown two histories.")
APPS = (app, forks)
TOKEN = "PSEUDOLEDGER_WRITE_TOKEN"  # noqa: S105 - the name of a variable
"""Environment variable that holds the write token which the founder's node gave."""

KeyOption = Annotated[
    str | None,
    typer.Option("--key", help="did:key of the ledger, from a source you trust.", show_default=False),
]


@plain(
    app,
    "mirror",
    examples=(
        "pl mirror https://ledger.example copy --once",
        "pl mirror https://ledger.example copy --key did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
        "pl mirror https://ledger.example copy --peer https://other.example --port 8081",
    ),
)
def mirror(
    url: Annotated[
        str, typer.Argument(help="A node, or where its exported tiles are served.", show_default=False)
    ],
    directory: Annotated[Path, typer.Argument(help="Directory of the copy.", show_default=False)],
    *,
    once: Annotated[bool, typer.Option("--once", help="Catch up, then end.")] = False,
    key: KeyOption = None,
    peers: Annotated[
        list[str] | None,
        typer.Option("--peer", help="Another copy, to compare checkpoints with; may be repeated."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", help="Serve the copy on this port; 0 takes a free one.", max=65_535),
    ] = None,
    host: HostOption = "127.0.0.1",
    certificate: CertificateOption = None,
    tls_key: TlsKeyOption = None,
    proxies: ProxiesOption = "",
    rate: RateOption = 100,
    burst: BurstOption = 1_000,
    origins: OriginsOption = None,
    log_requests: LogOption = False,
    as_json: JsonOption = False,
) -> None:
    """Follow a ledger: fetch it, verify every signature, block and rule, keep it, and serve it on.

    Goes on where it stopped. What is submitted to a serving mirror is forwarded to the node that it follows, with
    the write token in PSEUDOLEDGER_WRITE_TOKEN if there is one, and answered with that node's own receipt.
    """
    if key is not None:
        did(key, "--key")
    for said, option in ((url, "URL"), *((peer, "--peer") for peer in peers or ())):
        http_url(said, option)
    if once and port is not None:
        raise WrongUse("--once ends when it has caught up, and --port serves on", hint="give one of the two")
    if (certificate is None) != (tls_key is None):
        raise WrongUse("HTTPS needs a certificate and its key", hint="give --tls-certificate and --tls-key")
    # FastAPI and httpx take half a second to import, which no other command should wait for.
    from pseudoledger.node import mirror as room
    from pseudoledger.node.serving import Listening

    with contextlib.closing(room.Mirror(url, directory, key=key, peers=peers or ())) as follower:
        if once or follower.state is None:
            with progress("mirroring", None) as meter:
                synced = follower.once(meter.advance)
        if once:
            _show(directory, synced, follower.standing().behind, as_json=as_json)
            return
        serving = room.Serving(
            listening=Listening(
                host=host, port=port or 0, certificate=certificate, key=tls_key, proxies=proxies
            ),
            token=os.environ.get(TOKEN, ""),
            rate=rate,
            burst=burst,
            cors_origins=tuple(origins or ()),
            log_requests=log_requests,
        )
        if port is None:
            room.follow(follower)
        else:
            room.serve_mirror(follower, serving)


def _show(directory: Path, synced: Synced, behind: str, *, as_json: bool) -> None:
    value = {
        "directory": str(directory),
        "origin": synced.origin,
        "entries": synced.size,
        "new": synced.size - synced.since,
        "behind": behind,
    }
    facts = [
        ("ledger", synced.origin),
        ("entries", f"{synced.size}, of which {synced.since} were there before"),
        ("verified", "every signature, block and rule"),
        ("behind", behind or "no"),
    ]
    present(Facts(title=f"Mirrored into {directory}", facts=facts, value=value), as_json=as_json)


@plain(
    forks,
    "verify",
    examples=("pl fork verify fork.json --key did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",),
)
def verify(
    file: Annotated[Path, typer.Argument(help="The fork proof.", show_default=False)],
    *,
    keys: Annotated[
        list[str],
        typer.Option(
            "--key",
            help="did:key of the ledger, from a source you trust; may be repeated.",
            show_default=False,
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Check, offline and from one file, that a ledger has signed two histories."""
    for key in keys:
        did(key, "--key")
    proven = verify_fork(parse_fork(read_file(file)), keys)
    value = {
        "origin": proven.origin,
        "size1": proven.size1,
        "root1": proven.root1.hex(),
        "size2": proven.size2,
        "root2": proven.root2.hex(),
        "keys": list(proven.keys),
    }
    facts = [
        ("ledger", proven.origin),
        ("one tree", f"{proven.size1} entries, root {proven.root1.hex()}"),
        ("another", f"{proven.size2} entries, root {proven.root2.hex()}"),
        ("signed by", " and ".join(dict.fromkeys(proven.keys))),
    ]
    title = "Proved: the ledger signed two trees of which neither contains the other"
    present(Facts(title=title, facts=facts, value=value), as_json=as_json)


@plain(forks, "list", examples=("pl fork list copy",))
def list_(
    directory: Annotated[Path, typer.Argument(help="Directory of the copy.", show_default=False)],
    *,
    as_json: JsonOption = False,
) -> None:
    """List the fork proofs that a mirror keeps; exits 1 while one waits for a decision."""
    from pseudoledger.node.forks import Forks

    kept = Forks(directory / "forks")
    undecided = kept.undecided()
    rows = [{"file": str(kept.directory / name), "decided": name not in undecided} for name in kept.names()]
    columns = (
        Column(title="file", form=lambda row: row["file"], wide=True),
        Column(title="decided", form=lambda row: "yes" if row["decided"] else "no"),
    )
    sheet = Sheet(title=f"Fork proofs in {directory}", columns=columns, rows=rows, empty="there is none")
    present(sheet, as_json=as_json)
    if undecided:
        errors(f"{len(undecided)} proofs wait for a decision: pl fork accept {directory} CHECKPOINT")
        raise typer.Exit(CHECK_FAILED)


@plain(
    forks,
    "accept",
    examples=("pl fork accept copy agreed.checkpoint", "pl fork accept copy agreed.checkpoint --start-over"),
)
def accept(
    directory: Annotated[Path, typer.Argument(help="Directory of the copy.", show_default=False)],
    checkpoint: Annotated[
        Path, typer.Argument(help="Checkpoint of the history to follow.", show_default=False)
    ],
    *,
    start_over: Annotated[
        bool, typer.Option("--start-over", help="Put the copy held aside, and mirror from the beginning.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Decide which of two histories a mirror follows: the one that contains this checkpoint. Proofs stay."""
    from pseudoledger.node.mirror import accept as decide

    said = decide(directory, read_file(checkpoint), start_over=start_over)
    value = {"directory": str(directory), "origin": said.origin, "size": said.size, "root": said.root.hex()}
    facts = [
        ("ledger", said.origin),
        ("accepted", f"{said.size} entries, root {said.root.hex()}"),
        ("next", f"pl mirror URL {directory}"),
    ]
    present(Facts(title="Accepted", facts=facts, value=value), as_json=as_json)
