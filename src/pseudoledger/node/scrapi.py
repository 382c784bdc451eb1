"""SCRAPI (draft-ietf-scitt-scrapi): statements in, receipts out, the ledger's keys.

`POST /entries` is the hot path: `post_entry` is a bare ASGI application that `front` calls before any router.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import cbor2
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from pseudoledger.errors import PseudoledgerError
from pseudoledger.identity.keys import key_from_did
from pseudoledger.ledger.transparent import TRANSPARENT_BYTES_MAX
from pseudoledger.node.answering import send_whole
from pseudoledger.node.bodies import BodyRefused, header, read_body
from pseudoledger.node.group import BATCH_MAX
from pseudoledger.node.limits import Buckets, WriteTokens
from pseudoledger.node.node import Node
from pseudoledger.node.problems import COSE, REJECTED, problem, wants_cbor
from pseudoledger.node.submission import Outcome, Overloaded, Receipted, Unavailable
from pseudoledger.registrar import Refused
from pseudoledger.registrar.answers import receipt_of
from pseudoledger.statement.cbor import REFUSED_TAGS

BATCH_BYTES_MAX = 16 * 1024 * 1024
"""Most bytes of a batch."""
COSE_SEQ = "application/cose-seq"
JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Who may write here, and how fast."""

    tokens: WriteTokens | None = None
    buckets: Buckets | None = None


class Entries:
    """The ways in: `POST /entries` for one statement, `POST /api/v1/batch` for many."""

    def __init__(self, node: Node, gate: Gate) -> None:
        self._node, self._gate = node, gate

    async def post_entry(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Register one statement: 201 with its receipt and Location."""
        cbor = wants_cbor(header(scope, b"accept"), header(scope, b"content-type"))
        try:
            self._admit(scope, 1)
            _check_type(scope, COSE)
            raw = await read_body(scope, receive, TRANSPARENT_BYTES_MAX)
            (outcome,) = await self._node.submitter.submit([raw])
        except PseudoledgerError as error:
            await failed(error, cbor=cbor)(scope, receive, send)
            return
        if isinstance(outcome, Receipted):
            await _created(send, outcome)
        else:
            await rejected(outcome, cbor=cbor)(scope, receive, send)

    async def post_batch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Register many statements, one COSE message after another (RFC 8742), and answer for each."""
        try:
            _check_type(scope, COSE_SEQ)
            trying = _is_trial(scope)
            # Before the body is read: to take one apart costs more than to send it.
            self._check_token(scope)
            raw = await read_body(scope, receive, BATCH_BYTES_MAX)
            statements = await asyncio.to_thread(split, raw)
            # Once for all of them: a batch larger than the burst passes when the bucket is full.
            self._admit(scope, len(statements))
            if trying:
                answers: Sequence[Any] = await self._node.submitter.try_out(statements)
            else:
                answers = await self._node.submitter.submit(statements)
        except PseudoledgerError as error:
            await failed(error, cbor=False)(scope, receive, send)
            return
        body = orjson.dumps([_answer(answer) for answer in answers])
        await Response(body, media_type=JSON)(scope, receive, send)

    def _check_token(self, scope: Scope) -> None:
        tokens = self._gate.tokens
        if tokens is not None and not tokens.allows(header(scope, b"authorization")):
            raise BodyRefused(401, "Unauthorized", "writing here needs a token: Authorization: Bearer TOKEN")

    def _admit(self, scope: Scope, count: int) -> None:
        self._check_token(scope)
        buckets = self._gate.buckets
        if buckets is not None:
            address = scope["client"][0] if scope.get("client") else ""
            wait = buckets.take(address, count)
            if wait:
                raise Overloaded(
                    "this address sends faster than the node takes", retry_after_s=max(1, -int(-wait // 1))
                )


def _is_trial(scope: Scope) -> bool:
    """Tell whether nothing is to be registered; what is asked in another way is not registered either."""
    match scope.get("query_string", b""):
        case b"" | b"dry_run=0":
            return False
        case b"dry_run=1":
            return True
    raise BodyRefused(
        422, "Unprocessable Content", "a batch has no other parameter than dry_run, which is 0 or 1"
    )


def split(raw: bytes) -> list[bytes]:
    """Split a sequence of COSE messages (RFC 8742) into each one's bytes. Raises BodyRefused."""
    statements: list[bytes] = []
    stream = BytesIO(raw)
    at = 0
    while at < len(raw):
        if len(statements) >= BATCH_MAX:
            raise BodyRefused(413, "Payload Too Large", f"a batch has at most {BATCH_MAX} statements")
        try:
            cbor2.CBORDecoder(
                stream, semantic_decoders=REFUSED_TAGS, max_depth=8, allow_indefinite=False
            ).decode()
        except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
            raise BodyRefused(
                400, "Bad Request", f"no COSE message stands at byte {at} of the batch"
            ) from None
        statements.append(raw[at : stream.tell()])
        at = stream.tell()
    if not statements:
        raise BodyRefused(400, "Bad Request", "the batch is empty")
    return statements


def _check_type(scope: Scope, wanted: str) -> None:
    said = header(scope, b"content-type").split(";")[0].strip().lower()
    if said != wanted:
        raise BodyRefused(
            415, "Unsupported Media Type", f"send {wanted}, not {said or 'nothing that is named'}"
        )


async def _created(send: Send, outcome: Receipted) -> None:
    """Answer 201 without the cost of a response object: most requests end here."""
    headers = (
        (b"content-type", b"application/cose"),
        (b"content-length", b"%d" % len(outcome.receipt)),
        (b"location", b"/entries/" + outcome.id.encode()),
        (b"x-content-type-options", b"nosniff"),
    )
    await send_whole(send, 201, headers, outcome.receipt)


def rejected(outcome: Refused, *, cbor: bool) -> Response:
    """Answer 400 with every reason."""
    reasons = "; ".join(str(finding) for finding in outcome.findings)
    headers = {} if outcome.stored is None else {"Location": f"/entries/{outcome.id}"}
    return problem(400, REJECTED, reasons, cbor=cbor, findings=outcome.findings, headers=headers)


def failed(error: PseudoledgerError, *, cbor: bool) -> Response:
    """Answer what kept a request from being judged."""
    detail = f"{error.message}; {error.hint}" if error.hint else error.message
    match error:
        case BodyRefused():
            headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
            return problem(error.status, error.title, detail, cbor=cbor, headers=headers)
        case Overloaded():
            return problem(
                429,
                "Too Many Requests",
                detail,
                cbor=cbor,
                headers={"Retry-After": str(error.retry_after_s)},
            )
        case Unavailable():
            return problem(503, "Service Unavailable", detail, cbor=cbor, headers={"Retry-After": "2"})
    return problem(500, "Internal Server Error", detail, cbor=cbor)


def _answer(outcome: Outcome | Any) -> dict[str, Any]:
    match outcome:
        case Receipted():
            return {
                "id": outcome.id,
                "index": outcome.index,
                "known": outcome.known,
                "receipt": base64.b64encode(outcome.receipt).decode(),
            }
        case Refused():
            findings = [
                {"code": one.code, "message": one.message, "field": one.field, "entry": one.entry}
                for one in outcome.findings
            ]
            return {"id": outcome.id, "findings": findings, "stored": outcome.stored}
    return {"id": outcome.id, "index": outcome.index, "known": outcome.known}


def routes(node: Node) -> list[BaseRoute]:
    """Receipts and keys, to be read."""

    def entry(request: Request) -> Response:
        statement_id = request.path_params["id"]
        with node.reader.view() as view:
            row = view.store.entry_by_id(statement_id)
            if row is not None:
                receipt = receipt_of(view.store, view.state.origin, row.index)
                return Response(
                    receipt, media_type=COSE, headers={"Cache-Control": "public, max-age=31536000"}
                )
        return _missing(request, f"no statement {statement_id[:80]} stands on this ledger")

    def keys(request: Request) -> Response:
        with node.reader.view() as view:
            state = view.state
            dids = [state.ledger_key, *(key for key, _ in reversed(state.retired))]
        kid = request.path_params.get("kid")
        if kid is None:
            return Response(cbor2.dumps([_cose_key(did) for did in dids]), media_type="application/cbor")
        for did in dids:
            if kid in {did, base64.urlsafe_b64encode(did.encode()).decode().rstrip("=")}:
                return Response(cbor2.dumps(_cose_key(did)), media_type="application/cbor")
        return _missing(request, "no key of this ledger has this kid")

    return [
        Route("/entries/{id}", entry),
        Route("/.well-known/scitt-keys", keys),
        Route("/.well-known/scitt-keys/{kid}", keys),
    ]


def _missing(request: Request, detail: str) -> Response:
    return problem(404, "Not Found", detail, cbor=wants_cbor(request.headers.get("accept", "")))


def _cose_key(did: str) -> dict[int, Any]:
    """Return the COSE_Key (RFC 9052 §7, RFC 9053 §7.2) of an Ed25519 did: kid is the did's text."""
    return {1: 1, 2: did.encode(), 3: -8, -1: 6, -2: key_from_did(did)}
