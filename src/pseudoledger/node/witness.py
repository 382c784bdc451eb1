"""A witness, C2SP tlog-witness v1.0.0: cosigns checkpoints of logs that it saw grow, and serves the last.

    POST /add-checkpoint                  see `add_checkpoint`
    GET /<sha256hex(origin)>/checkpoint   the last checkpoint that it cosigned, with its cosignature

It serves every log of its policy file, whoever's. The checks stand in the order of the specification: form 400,
origin 404, signature 403, an old size above the new 400, an old size that is not the one on record 409, proof and
roots 422. What it cosigns is on disk before it is shown. It keeps no leaves and judges no entry.

Where a log shows it two trees that cannot both be true, the two signatures are kept for good as a fork proof.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from pseudoledger.errors import (
    ConflictError,
    InvalidProof,
    InvalidSignature,
    MalformedError,
    PeerError,
    StoreError,
    VerificationError,
)
from pseudoledger.identity.files import sync_directory
from pseudoledger.identity.keys import Signer, did_from_key
from pseudoledger.ledger.checkpoint import add_signatures, cosign
from pseudoledger.ledger.fork import ForkProof, format_fork, verify_fork
from pseudoledger.ledger.note import (
    SignedNote,
    VerifierKey,
    format_note,
    format_signatures,
    verify_note,
)
from pseudoledger.ledger.policy import TrustPolicy
from pseudoledger.ledger.tree import EMPTY_ROOT, verify_consistency
from pseudoledger.node.add_checkpoint import REQUEST_BYTES_MAX, Submission, parse_submission
from pseudoledger.node.witness_record import Cosigned, WitnessRecord

READ_SECONDS = 10
"""Time in which a request has to arrive whole."""

FORKS_MAX = 64
"""Most fork proofs kept; each one alone convicts its log."""

_LOG = logging.getLogger("pseudoledger.witness")


class UnknownOrigin(PeerError):
    """The witness knows no log of this origin (404)."""


class Witness:
    """Decides about checkpoints. Any number of threads may ask; the record lets one at a time decide."""

    def __init__(
        self,
        *,
        record: WitnessRecord,
        signer: Signer,
        name: str,
        policy: TrustPolicy,
        clock: Callable[[], int],
        forks: Path,
    ) -> None:
        """Cosign as `name` for the logs of `policy`; `clock` tells seconds since 1970.

        `forks` is the directory for fork proofs. Raises ConflictError if a log of the policy signs with the
        key of this witness: whoever holds both would vouch for himself.
        """
        for log in policy.logs:
            if log.key.public_key == signer.public_key:
                raise ConflictError(
                    f"the log {log.key.name} signs with the key of this witness",
                    hint="a witness has a key of its own: pl id new NAME",
                )
        self._record, self._signer, self._name = record, signer, name
        self._policy, self._clock, self._forks = policy, clock, forks

    def add_checkpoint(self, body: bytes) -> bytes:
        """Cosign the checkpoint of a request and return the signature line; it is on record by then.

        Raises:
            MalformedError: not of its form, or the old size lies above the new one.
            UnknownOrigin: no log of the policy has this origin.
            InvalidSignature: no key of that log signed, or a signature by one does not verify.
            ConflictError: another size was cosigned last; `known` says which.
            InvalidProof: the tree does not extend the one that was cosigned last.
            StoreError: the record cannot be written; the checkpoint may be on record all the same.
        """
        asked = parse_submission(body)
        claim = asked.claim
        keys = self._policy.log_keys(claim.origin)
        if not keys:
            raise UnknownOrigin(f"this witness does not watch {claim.origin}")
        note = _signed_by(asked.note, keys)
        if asked.old > claim.size:
            raise MalformedError(
                f"the old size {asked.old} lies above the new size {claim.size}", code="witness.old"
            )
        last: Cosigned | None = None
        try:
            with self._record.deciding(claim.origin) as turn:
                last = turn.last
                _check_growth(asked, last)
                time = max(self._clock(), last.time if last is not None else 1, 1)
                line = cosign(self._signer, self._name, note, time)
                cosigned = format_note(add_signatures(note, [line]))
                turn.keep(Cosigned(size=claim.size, root=claim.root, time=time, note=cosigned))
        except (ConflictError, InvalidProof):
            if last is not None:
                self._suspect(asked, last, format_note(note), keys)
            raise
        return format_signatures([line])

    def checkpoint(self, origin_sha256: str) -> bytes | None:
        """Return the last checkpoint that was cosigned for a log, or None if none ever was."""
        return self._record.checkpoint(origin_sha256)

    def _suspect(self, asked: Submission, last: Cosigned, note: bytes, keys: tuple[VerifierKey, ...]) -> None:
        """Keep a fork proof if the refused checkpoint and the last one cannot both be true."""
        claim = asked.claim
        nodes: tuple[bytes, ...] = ()
        if claim.size == last.size:
            if claim.root == last.root:
                return
        elif 1 <= last.size < claim.size and last.size & (last.size - 1):
            nodes = asked.proof
        else:
            return
        proof = ForkProof(origin=claim.origin, first=last.note, second=note, nodes=nodes)
        try:
            verify_fork(proof, [did_from_key(key.public_key) for key in keys])
            raw = format_fork(proof)
        except (MalformedError, VerificationError):
            # A proof that merely fails shows nothing, and origins of other grammars have no such file.
            return
        _LOG.error("%s shows two histories: sizes %d and %d", claim.origin, last.size, claim.size)
        _keep_fork(self._forks, raw)


def _signed_by(note: SignedNote, keys: tuple[VerifierKey, ...]) -> SignedNote:
    """Check the log's signatures; return the note with those alone, for nobody vouches for the others."""
    verify_note(note, keys)
    lines = {(line.name, line.key_id): line for line in reversed(note.signatures)}
    signed = (lines.get((key.name, key.key_id)) for key in keys)
    return SignedNote(text=note.text, signatures=tuple(line for line in signed if line is not None))


def _check_growth(asked: Submission, last: Cosigned | None) -> None:
    """Check that the tree grew from the one on record, which has to be the one that the sender means."""
    known = last.size if last is not None else 0
    if asked.old != known:
        raise ConflictError(f"size {known} was cosigned last, not {asked.old}", known=known)
    claim = asked.claim
    if claim.size == 0 and claim.root != EMPTY_ROOT:
        raise InvalidProof("the root of size 0 is SHA-256 of nothing")
    if known == 0 or last is None:
        if asked.proof:
            raise InvalidProof("every tree extends the empty one: there is nothing to prove")
        return
    verify_consistency(known, claim.size, asked.proof, last.root, claim.root)


def _keep_fork(directory: Path, raw: bytes) -> None:
    """Write a fork proof durably, unless there are many already."""
    path = directory / f"{sha256(raw).hexdigest()}.json"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if path.exists() or sum(1 for _ in directory.iterdir()) >= FORKS_MAX:
            return
        with path.open("xb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(directory)
    except OSError:
        # The refusal stands without the file; the log says what is missing.
        _LOG.exception("the fork proof %s could not be written", path.name)


def create_witness(witness: Witness) -> Starlette:
    """Build the application that serves a witness: both of its prefixes are the root of the server."""

    async def add_checkpoint(request: Request) -> Response:
        """Answer one request, in the order of checks that the spec gives."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                body = await _read(request)
        except TimeoutError:
            return _text(408, "the request took too long to arrive", close=True)
        except ClientDisconnect:
            return _text(400, "the request ended early", close=True)
        if body is None:
            return _text(413, f"a request has at most {REQUEST_BYTES_MAX} bytes", close=True)
        return await run_in_threadpool(_answer, witness, body)

    def checkpoint(request: Request) -> Response:
        try:
            note = witness.checkpoint(request.path_params["origin"])
        except StoreError as error:
            return _text(503, error.message)
        if note is None:
            return _text(404, "this witness never cosigned a checkpoint of this log")
        return Response(note, headers={**_PLAIN, "cache-control": "no-cache"})

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{origin}/checkpoint", checkpoint, methods=["GET"]),
        ]
    )


async def _read(request: Request) -> bytes | None:
    """Return the body of a request, None if it is too long."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > REQUEST_BYTES_MAX:
            return None
    return bytes(body)


def _answer(witness: Witness, body: bytes) -> Response:
    """Answer a request to cosign: here alone errors become status codes."""
    try:
        return Response(witness.add_checkpoint(body), headers=_PLAIN)
    except MalformedError as error:
        return _text(400, error.message)
    except UnknownOrigin as error:
        return _text(404, error.message)
    except InvalidSignature as error:
        return _text(403, error.message)
    except ConflictError as error:
        return Response(f"{error.known}\n", status_code=409, headers={"content-type": "text/x.tlog.size"})
    except InvalidProof as error:
        return _text(422, error.message)
    except StoreError as error:
        _LOG.exception("the record could not be used")
        return _text(503, error.message)


_PLAIN = {"content-type": "text/plain; charset=utf-8"}


def _text(status: int, message: str, *, close: bool = False) -> Response:
    headers = {**_PLAIN, "connection": "close"} if close else _PLAIN
    return Response(f"{message}\n", status_code=status, headers=headers)
