"""Split views: what the ledger signed and cannot stand beside what is held here, proved and kept for good.

Beside a ledger directory's database lie

    forks/NAME.json     fork proofs (docs/spec/fork.md), never removed; NAME is the SHA-256 of the file
    claims/NAME.json    commitments to larger trees than the one held, compared once it has grown
    decided.json        which proofs the operator has decided on, and the checkpoint that was accepted

A mirror is held, which means that it follows nobody, as long as there is a proof that its operator has not
decided on. So nothing but the file of the proof has to survive a crash.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from pathlib import Path

import orjson
import rfc8785
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pseudoledger.contract.things import LedgerState
from pseudoledger.errors import (
    InvalidProof,
    InvalidSignature,
    MalformedError,
    PseudoledgerError,
    StoreError,
    VerificationError,
)
from pseudoledger.ledger.checkpoint import Checkpoint, parse_checkpoint
from pseudoledger.ledger.files import write_durably
from pseudoledger.ledger.fork import (
    PROOF_BYTES_MAX,
    BlockEntry,
    Commitment,
    Committed,
    ForkProof,
    ProvenFork,
    fork_nodes,
    format_commitment,
    format_fork,
    parse_commitment,
    verify_commitment,
    verify_fork,
)
from pseudoledger.ledger.note import NOTE_BYTES_MAX, parse_note
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import ReadHashes, root
from pseudoledger.node.bodies import BodyRefused, read_body
from pseudoledger.node.ledger_keys import key_at
from pseudoledger.node.node import Node
from pseudoledger.node.problems import problem

PROOFS_MAX = 256
"""Most proofs kept; one says all that there is to say."""
CLAIMS_MAX = 16
"""Most commitments to larger trees that are kept; the largest stay."""
_DECIDED_BYTES_MAX = 256 * 1024
_FOREVER = "public, max-age=31536000, immutable"


class Weighed(Enum):
    """What a commitment is to the tree that is held."""

    AGREES = "agrees"
    AHEAD = "ahead"
    """It is to a larger tree: kept, and compared later."""
    FORK = "fork"
    CONTRADICTS = "contradicts"
    """It is to another history: one that the operator decided against already, or of which no proof can be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What the operator of a mirror has decided."""

    proofs: tuple[str, ...] = ()
    checkpoint: bytes | None = None
    """The checkpoint that every tree followed has to contain."""

    @property
    def accepted(self) -> Checkpoint | None:
        """What the accepted checkpoint says."""
        return None if self.checkpoint is None else parse_checkpoint(parse_note(self.checkpoint).text)


class Forks:
    """The proofs, claims and decisions beside one ledger directory. Any thread may use it."""

    def __init__(self, directory: Path) -> None:
        """Take the directory of the proofs; it need not exist."""
        self.directory = directory
        self._claims = directory.with_name("claims")
        self._decided = directory.with_name("decided.json")

    def names(self) -> tuple[str, ...]:
        """Return the names of all proofs, oldest first."""
        with suppress(FileNotFoundError):
            found = [(path.stat().st_mtime_ns, path.name) for path in self.directory.glob("*.json")]
            return tuple(name for _, name in sorted(found))
        return ()

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a proof, None if there is none of this name."""
        return _read(self.directory / name, PROOF_BYTES_MAX) if name in self.names() else None

    def undecided(self) -> tuple[str, ...]:
        """Return the proofs that the operator has not decided on."""
        decided = set(self.decided().proofs)
        return tuple(name for name in self.names() if name not in decided)

    def keep(self, proof: ForkProof, state: LedgerState) -> str:
        """Verify a proof by the ledger's own keys, keep it, and return its name.

        Raises a VerificationError or MalformedError if it proves nothing, StoreError if it cannot be written.
        """
        check_fork(proof, state)
        raw = format_fork(proof)
        name = f"{sha256(raw).hexdigest()}.json"
        known = self.names()
        if name not in known and len(known) < PROOFS_MAX:
            _write(self.directory / name, raw)
        return name

    def decided(self) -> Decided:
        """Return what the operator has decided. Raises StoreError if the file cannot be read."""
        raw = _read(self._decided, _DECIDED_BYTES_MAX)
        if raw is None:
            return Decided()
        try:
            value = json.loads(raw)
            note = value["checkpoint"]
            return Decided(
                proofs=tuple(map(str, value["proofs"])),
                checkpoint=None if note is None else str(note).encode(),
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise StoreError(f"{self._decided} cannot be read", hint="accept a checkpoint anew") from error

    def decide(self, checkpoint: bytes) -> Decided:
        """Write down that the operator accepts a checkpoint in view of every proof there is."""
        decided = Decided(proofs=self.names(), checkpoint=checkpoint)
        text = checkpoint.decode("utf-8")
        _write(self._decided, rfc8785.dumps({"checkpoint": text, "proofs": list(decided.proofs)}))
        return decided

    def weigh(
        self, claim: Commitment, store: Store, state: LedgerState, read: ReadHashes | None = None
    ) -> tuple[Weighed, str]:
        """Compare what the ledger signed with what is held; keep the proof, if there is a fork.

        `read` reads the tree of the claim, where that is larger and can be had. Returns the name of the proof
        too, or "". Raises InvalidSignature if the key in force at its size did not sign the claim, or
        MalformedError.
        """
        said = check_commitment(claim, state)
        if said.size > store.size and read is None:
            self._keep_claim(claim, state)
            return Weighed.AHEAD, ""
        if said.size <= store.size:
            agrees = said.size == 0 or root(said.size, store.hashes) == said.root
        else:
            assert read is not None, "it was kept for later"
            agrees = root(store.size, read) == root(store.size, store.hashes)
        if agrees:
            return Weighed.AGREES, ""
        if _covered(said, read, self.decided().accepted):
            return Weighed.CONTRADICTS, ""
        proof = contradiction(claim, said, store, state, read)
        if proof is None:
            return Weighed.CONTRADICTS, ""
        return Weighed.FORK, self.keep(proof, state)

    def weigh_claims(self, store: Store, state: LedgerState) -> int:
        """Compare the claims that the tree has reached, and return the size of the largest that it has not.

        Raises StoreError if a proof cannot be written; the claim that gives it stays.
        """
        ahead = 0
        for path in sorted(self._claims.glob("*.json")):
            try:
                claim = parse_commitment(json.loads(_read(path, PROOF_BYTES_MAX) or b""), state.origin)
                weighed, _ = self.weigh(claim, store, state)
            except StoreError:
                # A proof that the disk did not take can be made again from the claim, and from nothing else.
                raise
            except (PseudoledgerError, ValueError, RecursionError):
                weighed = Weighed.AGREES
            if weighed is Weighed.AHEAD:
                ahead = max(ahead, check_commitment(claim, state).size)
            else:
                path.unlink(missing_ok=True)
        return ahead

    def _keep_claim(self, claim: Commitment, state: LedgerState) -> None:
        raw = rfc8785.dumps(format_commitment(claim, state.origin))
        size = check_commitment(claim, state).size
        path = self._claims / f"{size:020d}-{sha256(raw).hexdigest()[:32]}.json"
        if path.is_file():
            return
        _write(path, raw)
        for smaller in sorted(self._claims.glob("*.json"))[:-CLAIMS_MAX]:
            smaller.unlink(missing_ok=True)


def check_commitment(claim: Commitment, state: LedgerState) -> Committed:
    """Check that the ledger key in force at its size signed a commitment, and return what it says.

    Raises MalformedError, or a VerificationError.
    """
    keys = (state.ledger_key, *(key for key, _ in state.retired))
    said = verify_commitment(claim, state.origin, keys)
    return verify_commitment(claim, state.origin, (key_at(state, said.size),))


def check_fork(proof: ForkProof, state: LedgerState) -> ProvenFork:
    """Verify a fork proof by the keys that were in force. Raises a VerificationError or MalformedError."""
    if proof.origin != state.origin:
        raise InvalidProof(f"the proof is about {proof.origin}, this is {state.origin}")
    proven = verify_fork(proof, (state.ledger_key, *(key for key, _ in state.retired)))
    for size, key in zip((proven.size1, proven.size2), proven.keys, strict=True):
        if key_at(state, size) != key:
            raise InvalidSignature(f"{key} was not the ledger key in force at size {size}")
    return proven


def contradiction(
    claim: Commitment, said: Committed, store: Store, state: LedgerState, read: ReadHashes | None
) -> ForkProof | None:
    """Build the proof that a commitment contradicts what is held; None if nothing signed is held that shows it."""
    for own, size, own_root in _own(store, state):
        if size == said.size:
            if own_root != said.root:
                return ForkProof(origin=state.origin, first=own, second=claim)
        elif size > said.size:
            if root(said.size, store.hashes) != said.root:
                nodes = fork_nodes(said.size, size, store.hashes)
                return ForkProof(origin=state.origin, first=claim, second=own, nodes=nodes)
        elif read is not None and root(size, read) != own_root:
            nodes = fork_nodes(size, said.size, read)
            return ForkProof(origin=state.origin, first=own, second=claim, nodes=nodes)
    return None


def _covered(said: Committed, read: ReadHashes | None, accepted: Checkpoint | None) -> bool:
    """Tell whether a contradicting tree is of the history that was not accepted: that is decided already."""
    if accepted is None:
        return False
    if said.size <= accepted.size:
        return True
    return read is not None and root(accepted.size, read) != accepted.root


def _own(store: Store, state: LedgerState) -> Iterator[tuple[Commitment, int, bytes]]:
    """Yield what is held of the ledger's signatures over its newest trees: commitment, size, root."""
    note = store.checkpoint()
    if note is not None:
        said = parse_checkpoint(parse_note(note).text)
        yield note, said.size, said.root
    block = store.last_block()
    if block is None:
        return
    if block.signature:
        yield block.head(state.origin), block.index + 1, block.root
    row = store.entry(block.index)
    if row is not None and block.index:
        yield BlockEntry(row.statement), block.index, root(block.index, store.hashes)


def routes(node: Node) -> list[BaseRoute]:
    """Serve the proofs, and take the checkpoints that peers have seen."""
    forks = Forks(node.forks)

    def listed(_request: Request) -> Response:
        return _json({"forks": list(forks.names()), "undecided": list(forks.undecided())})

    def proof(request: Request) -> Response:
        raw = forks.read(request.path_params["name"])
        if raw is None:
            return problem(404, "Not Found", "there is no fork proof of this name")
        return Response(raw, media_type="application/json", headers={"Cache-Control": _FOREVER})

    def take(note: bytes) -> Response:
        with node.reader.view() as view:
            try:
                weighed, name = forks.weigh(note, view.store, view.state)
            except MalformedError as error:
                return problem(400, "Bad Request", error.message)
            except VerificationError as error:
                return problem(403, "Forbidden", error.message)
            answer = {"size": view.store.size, "verdict": weighed.value}
        return _json(answer | ({"fork": name} if name else {}), 409 if name else 200)

    async def checkpoint(request: Request) -> Response:
        """Read the note here, and weigh it where blocking is no harm."""
        try:
            note = await read_body(request.scope, request.receive, NOTE_BYTES_MAX)
        except BodyRefused as error:
            return problem(error.status, error.title, error.message)
        return await run_in_threadpool(take, note)

    return [
        Route("/forks", listed),
        Route("/forks/{name}", proof),
        Route("/peer/checkpoint", checkpoint, methods=["POST"]),
    ]


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


def _read(path: Path, most: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}", hint="check the directory's permissions") from error


def _write(path: Path, raw: bytes) -> None:
    """Write a file whole and durably."""
    try:
        write_durably(path, raw)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}", hint="check disk space and permissions") from error
