"""`--node URL`: which ledger a command is about, and what is remembered of the nodes that were met.

The first contact with a node is believed and said so; from then on its ledger has to be the same one, and its
key the same or explained by the founder's own statements. `--node-key` compares it with a key from elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.show import errors
from pseudoledger.cli.values import did as did_value
from pseudoledger.cli.values import http_url
from pseudoledger.errors import KeystoreError
from pseudoledger.identity import files
from pseudoledger.node.known import KnownLedger
from pseudoledger.registrar import Answer, Refused, Registered

if TYPE_CHECKING:
    from pseudoledger.node.client import NodeClient

DIRECTORY, NODE, TOKEN = "PSEUDOLEDGER_DIR", "PSEUDOLEDGER_NODE", "PSEUDOLEDGER_NODE_TOKEN"
CERTIFICATES = "PSEUDOLEDGER_NODE_CERTIFICATES"
KNOWN_NODES = "known-nodes"
_KNOWN_MAX = 1_048_576

NodeOption = Annotated[
    str | None,
    typer.Option(
        "--node", envvar=NODE, help="URL of a node that serves the ledger.", show_default=False, metavar="URL"
    ),
]
NodeKeyOption = Annotated[
    str | None,
    typer.Option(
        "--node-key",
        help="Ledger key that the node has to prove, from a source you trust.",
        show_default=False,
        metavar="DID",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the ledger of a command is: in a directory, behind a node, or nowhere."""

    directory: Path | None = None
    node: str | None = None
    node_key: str | None = None

    def __str__(self) -> str:
        return str(self.node or self.directory or "")


def place_of(
    directory: Path | None, node: str | None, node_key: str | None, environ: Mapping[str, str] = os.environ
) -> Place:
    """Return where the ledger is; an option goes before the other's variable. Raises WrongUse for two."""
    if directory is not None and node is not None:
        from_variables = str(directory) == environ.get(DIRECTORY), node == environ.get(NODE)
        if from_variables[0] == from_variables[1]:
            raise WrongUse(
                "both a ledger directory and a node are named",
                hint=f"give one of --ledger and --node; unset {DIRECTORY} or {NODE}",
            )
        directory, node = (None, node) if from_variables[0] else (directory, None)
    if node is not None:
        http_url(node, "--node")
    if node_key is not None:
        did_value(node_key, "--node-key")
        if node is None:
            raise WrongUse("--node-key is the key of a node's ledger", hint="add --node URL")
    return Place(directory=directory, node=node, node_key=node_key)


class KnownNodes:
    """The file that remembers the ledger of every node that was met, beside the keys."""

    def __init__(self, keys: Path) -> None:
        self.path = keys / KNOWN_NODES

    def get(self, url: str) -> KnownLedger | None:
        """Return what is remembered of a node; raise KeystoreError if the file cannot be read."""
        return self._read().get(url)

    def put(self, url: str, known: KnownLedger) -> None:
        """Remember the ledger of a node."""
        try:
            files.make_private_directory(self.path.parent)
            with files.locked(self.path.parent):
                kept = {name: asdict(item) for name, item in self._read().items()} | {url: asdict(known)}
                files.replace_private(self.path, msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
        except OSError as error:
            raise KeystoreError(
                f"{self.path}: {error.strerror}", hint="check the directory's mode"
            ) from error

    def _read(self) -> dict[str, KnownLedger]:
        try:
            raw = files.read_private(self.path, size_max=_KNOWN_MAX)
            return msgspec.json.decode(raw, type=dict[str, KnownLedger])
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise KeystoreError(f"{self.path}: {error.strerror}", hint="check the file's mode") from error
        except msgspec.DecodeError as error:
            raise KeystoreError(
                f"{self.path}: not a record of nodes ({error})", hint="move it away; nodes are then met anew"
            ) from error


def open_client(place: Place, keys: Path, environ: Mapping[str, str]) -> NodeClient:
    """Meet a node: check its ledger against what is known of it, and remember it. Raises as `NodeClient.known`."""
    # Only here, as other commands need not wait for an HTTP client to be imported.
    from pseudoledger.node.client import NodeClient  # noqa: PLC0415

    assert place.node is not None, "asked for a place with a node"
    url, remembered = place.node.rstrip("/"), KnownNodes(keys)
    before = remembered.get(url)
    certificates = environ.get(CERTIFICATES)
    client = NodeClient(
        url,
        ledger_key=place.node_key,
        known=before,
        token=environ.get(TOKEN),
        certificates=Path(certificates) if certificates else None,
    )
    try:
        known = client.known
        if known != before:
            remembered.put(url, known)
            _say(url, before, known, pinned=place.node_key is not None)
    except BaseException:
        client.close()
        raise
    return client


def _say(url: str, before: KnownLedger | None, known: KnownLedger, *, pinned: bool) -> None:
    if before is not None:
        errors(
            f"{url}: the founder has changed the ledger key, from {before.ledger_key} to {known.ledger_key}"
        )
    elif not pinned:
        errors(
            f"{url}: first contact; believed and remembered: {known.origin}, ledger key {known.ledger_key}"
        )
        errors("  hint: compare it with a source you trust, or give it as --node-key")


class ThroughNode:
    """Registers through a node, as a registrar would; every receipt was verified before it answers."""

    def __init__(self, client: NodeClient) -> None:
        self._client = client
        self._receipts: dict[int, bytes] = {}

    def register(self, statements: Sequence[bytes], *, dry_run: bool = False) -> list[Answer]:
        """Register statements, or say what registering them would answer."""
        if dry_run:
            return self._client.try_out(statements)
        return list(self._answers(statements))

    def _answers(self, statements: Sequence[bytes]) -> Iterator[Answer]:
        for stands in self._client.submit_many(statements):
            if isinstance(stands, Refused):
                yield stands
            else:
                self._receipts[stands.index] = stands.receipt
                yield Registered(id=stands.id, index=stands.index, known=bool(stands.known))

    def receipt(self, index: int) -> bytes:
        """Return the receipt of an entry that this has registered."""
        return self._receipts[index]
